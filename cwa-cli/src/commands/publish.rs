//! `cwa publish`: one run of the publishing job.

use std::path::PathBuf;

use serde::Serialize;

use super::serve::{configured, failure, runtime};
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::Output;
use crate::server::{DatabaseLocation, Publication, ServerBuilder};

/// Arguments of `cwa publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishArguments {
    /// The server's data directory.
    #[arg(long, value_name = "DIR", default_value = "cwa-data")]
    data_dir: PathBuf,
    /// The server's configuration (TOML); by default `cwa.toml` in the data directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database, as for `cwa serve`.
    #[arg(long, value_name = "URL")]
    database: Option<DatabaseLocation>,
}

#[derive(Serialize)]
struct Published {
    published: Vec<Publication>,
}

impl PublishArguments {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        if !self.data_dir.is_dir() {
            return Err(Failure::input(
                "CWA-E0611",
                format!("there is no data directory {}", self.data_dir.display()),
            )
            .help("name the one that `cwa serve` uses with --data-dir"));
        }
        let builder = configured(&self.data_dir, self.config.as_deref())?;
        let builder = self.database.iter().cloned().fold(builder, ServerBuilder::database);
        let published = runtime()?.block_on(builder.publish_once(global.now())).map_err(failure)?;
        let document = Published { published };
        output.answer("cwa.publish/1", &document, |text| {
            let (filled, empty): (Vec<_>, Vec<_>) =
                document.published.iter().partition(|publication| publication.key_count > 0);
            for publication in &filled {
                writeln!(text, "{:>8} keys  {}", publication.key_count, publication.path)?;
            }
            writeln!(text, "{} packages with keys, {} without", filled.len(), empty.len())
        })?;
        Ok(Answer::Yes)
    }
}
