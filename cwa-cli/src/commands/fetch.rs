//! `cwa fetch`: a mirror of a distribution, or what a phone of some country would have asked for.

use std::io::{self, Write};
use std::path::PathBuf;

use cwa_export::Country;
use cwa_export::audit::Verdict;
use cwa_export::layout::{NationalLayout, RelativePath};
use serde::Serialize;

use super::serve::runtime;
use super::trust::TrustArguments;
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::mirror::{FileOutcome, Mirror, MirroredFile, Run, ServerAddress};
use crate::output::{Output, rfc3339, style};

/// Arguments of `cwa fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArguments {
    /// The distribution: http://HOST[:PORT][/PATH].
    #[arg(long, value_name = "URL", required_unless_present = "profile")]
    server: Option<ServerAddress>,
    /// Where the mirror is, or is to be; later runs ask only for what is new or has changed.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["dry_run", "profile"])]
    mirror: Option<PathBuf>,
    /// How packages are found.
    #[arg(long, value_name = "LAYOUT", default_value = "tree")]
    layout: Layout,
    /// Of the tree, only this country; may be given several times.
    #[arg(long, value_name = "CC")]
    country: Vec<Country>,
    /// Where index.txt is: below the server's path, or with a leading slash below its host.
    #[arg(long, value_name = "PATH", default_value = "index.txt")]
    index: String,
    /// Put nothing in place that does not verify under a trusted key.
    #[arg(long)]
    verify: bool,
    /// Ask for indexes only, and say which packages would be asked for.
    #[arg(long)]
    dry_run: bool,
    /// Say what a phone of this country asked for; contacts nobody.
    #[arg(long, value_name = "CC", requires = "dry_run", conflicts_with_all = ["server", "mirror", "verify"])]
    profile: Option<String>,
    #[command(flatten)]
    trust: TrustArguments,
}

/// How packages are found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Layout {
    /// The German tree, with indexes of countries, days and hours.
    Tree,
    /// The index.txt of Google's server.
    IndexTxt,
}

/// The answer of `cwa fetch`.
#[derive(Serialize)]
struct Fetched {
    server: String,
    dry_run: bool,
    transferred: usize,
    unchanged: usize,
    missing: usize,
    refused: usize,
    bytes: usize,
    #[serde(flatten)]
    run: Run,
}

/// The answer of `cwa fetch --profile`.
#[derive(Serialize)]
struct Profiled {
    country: &'static str,
    addresses: Vec<Address>,
}

#[derive(Serialize)]
struct Address {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl FetchArguments {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match (&self.profile, &self.server) {
            (Some(country), _) => profile(country, global, output),
            (None, Some(server)) => self.fetch(server, global, output),
            (None, None) => Err(Failure::usage("CWA-E0907", "no server was given")),
        }
    }

    fn fetch(&self, server: &ServerAddress, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        if NationalLayout::is_historic_host(&server.host) {
            let message = format!("{} was a country's own distribution, and is not contacted", server.host);
            return Err(Failure::usage("CWA-E0908", message)
                .help("`cwa fetch --profile CC --dry-run` says what its phones asked for"));
        }
        let index = RelativePath::parse(&self.index)
            .map_err(|error| Failure::usage("CWA-E0909", "--index is no path").caused_by(error))?;
        let trusted = if self.verify { Some(self.trust.store()?) } else { None };
        let directory = self.mirror.as_deref();
        // A dry run reads what is there, and writes nothing.
        let mirror = Mirror::open(server, directory, self.dry_run, trusted.as_ref())?;
        let run = runtime()?.block_on(async {
            match self.layout {
                Layout::Tree => mirror.tree(&self.country, global.now(), &mut global.rng()).await,
                Layout::IndexTxt => mirror.file_index(&index, self.index.starts_with('/')).await,
            }
        })?;
        let document = Fetched {
            server: server.to_string(),
            dry_run: self.dry_run,
            transferred: run.files.iter().filter(|file| file.bytes > 0).count(),
            unchanged: run.count(FileOutcome::Unchanged),
            missing: run.count(FileOutcome::Missing),
            refused: run.count(FileOutcome::Refused),
            bytes: run.bytes(),
            run,
        };
        output.answer("cwa.fetch/1", &document, |text| write_run(text, &document, global.quiet))?;
        Ok(answer(&document.run.files))
    }
}

/// What was sent and must not be believed weighs more than what did not come.
fn answer(files: &[MirroredFile]) -> Answer {
    let refused = |verdict| files.iter().any(|file| file.verdict == Some(verdict));
    let remote = |file: &MirroredFile| {
        file.outcome == FileOutcome::Missing
            || (file.outcome == FileOutcome::Refused && file.verdict.is_none())
    };
    if refused(Verdict::Invalid) {
        Answer::No
    } else if refused(Verdict::Unreadable) {
        Answer::Unreadable
    } else if refused(Verdict::Untrusted) {
        Answer::Untrusted
    } else if files.iter().any(remote) {
        Answer::Remote
    } else {
        Answer::Yes
    }
}

fn write_run(text: &mut dyn Write, document: &Fetched, quiet: bool) -> io::Result<()> {
    let run = &document.run;
    for file in run.files.iter().filter(|_| !quiet) {
        let (style, word) = match file.outcome {
            FileOutcome::Unchanged => continue,
            FileOutcome::New => (style::GOOD, "new"),
            FileOutcome::Changed => (style::GOOD, "changed"),
            FileOutcome::Missing => (style::BAD, "missing"),
            FileOutcome::Refused => (style::BAD, "refused"),
            FileOutcome::Planned => (style::FAINT, "planned"),
        };
        let reason = file.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        writeln!(text, "{style}{word:8}{style:#} {}{reason}", file.path)?;
    }
    let count = |outcome| run.count(outcome);
    if document.dry_run {
        let planned = count(FileOutcome::Planned);
        return writeln!(text, "{planned} files would be asked for; nothing was written");
    }
    writeln!(
        text,
        "{} new, {} changed, {} unchanged, {} missing, {} refused; {} bytes in {} requests over {} connection{}",
        count(FileOutcome::New),
        count(FileOutcome::Changed),
        document.unchanged,
        document.missing,
        document.refused,
        document.bytes,
        run.requests,
        run.connections,
        if run.connections == 1 { "" } else { "s" },
    )?;
    match run.next_run {
        Some(at) if !quiet => writeln!(text, "ask again at {}", rfc3339(at)),
        _ => Ok(()),
    }
}

fn profile(country: &str, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let layout = NationalLayout::of(country).ok_or_else(|| {
        let known: Vec<_> = NationalLayout::all().iter().map(|layout| layout.country).collect();
        Failure::usage("CWA-E0910", format!("no layout of {country} is known"))
            .help(format!("known are {}", known.join(", ")))
    })?;
    let addresses = layout.addresses(global.now()).into_iter();
    let addresses = addresses.map(|address| Address { url: address.url, note: address.note }).collect();
    let document = Profiled { country: layout.country, addresses };
    output.answer("cwa.fetch.profile/1", &document, |text| {
        document.addresses.iter().try_for_each(|address| match address.note {
            Some(note) => writeln!(text, "{}  ({note})", address.url),
            None => writeln!(text, "{}", address.url),
        })
    })?;
    Ok(Answer::Yes)
}
