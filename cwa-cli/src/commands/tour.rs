//! `cwa tour`: the whole way, once, on a real server.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;

use crate::args::{Answer, Global};
use crate::failure::{Failure, Kind};
use crate::output::{Output, style};
use crate::tour;

/// Arguments of `cwa tour`.
#[derive(Debug, clap::Args)]
pub(crate) struct TourArguments {
    /// Where to leave everything the tour makes: an empty or new directory; a new one for temporary files by default.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the server answering after the tour, until interrupted.
    #[arg(long)]
    keep_serving: bool,
}

/// Walks the way and tells of it.
pub(crate) fn tour(
    arguments: &TourArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let directory = prepare(arguments.dir.as_deref())?;
    log_to(&directory)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        Failure::new(Kind::System, "CWA-E0805", "no threads for the server").caused_by(error)
    })?;
    runtime.block_on(async {
        let tour = tour::walk(&directory, global.seed, output).await?;
        let passed = tour.report.passed();
        output.answer("cwa.tour/1", &tour.report, |text| {
            let strong = style::STRONG;
            let steps = tour.report.step_count();
            writeln!(
                text,
                "\n{strong}{}{strong:#}",
                if passed {
                    format!("All {steps} steps went as the protocol has it.")
                } else {
                    format!("The tour ended at step {steps}.")
                }
            )?;
            writeln!(text, "\nEverything it made is in {}. Look at it with", directory.display())?;
            tour.report.look().iter().try_for_each(|command| writeln!(text, "  {command}"))
        })?;
        output.finish()?;
        if let Some(server) = tour.server {
            if arguments.keep_serving {
                let (external, portal) = (server.external_addr(), server.portal_addr());
                output.progress(|text| {
                    writeln!(
                        text,
                        "\nServing: http://{external}, portal http://{portal}/portal. Interrupt to end."
                    )
                })?;
                let _ = tokio::signal::ctrl_c().await;
            }
            server.shutdown().await;
        }
        Ok(if passed { Answer::Yes } else { Answer::No })
    })
}

/// The directory, which must not hold anything: a tour beside another one's files would prove nothing.
fn prepare(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let directory = directory.map_or_else(
        || {
            std::env::temp_dir()
                .join(format!("cwa-tour-{:016x}", rand::make_rng::<rand::rngs::StdRng>().next_u64()))
        },
        Path::to_owned,
    );
    let unusable = |error| {
        Failure::new(Kind::System, "CWA-E0804", format!("{} cannot be used", directory.display()))
            .caused_by(error)
    };
    fs::create_dir_all(&directory).map_err(unusable)?;
    if fs::read_dir(&directory).map_err(unusable)?.next().is_some() {
        return Err(Failure::usage("CWA-E0806", format!("{} is not empty", directory.display()))
            .help("a tour needs a new directory; name another one with --dir"));
    }
    Ok(directory)
}

/// The server's log goes to a file beside its data, with everything it has to say: it is searched for secrets.
fn log_to(directory: &Path) -> Result<(), Failure> {
    let path = directory.join("server").join("server.log");
    let unwritable = |error| {
        Failure::new(Kind::System, "CWA-E0804", format!("{} cannot be written", path.display()))
            .caused_by(error)
    };
    fs::create_dir_all(directory.join("server")).map_err(unwritable)?;
    let file = fs::File::create(&path).map_err(unwritable)?;
    // Only one log can be set up in a process, and a tour is the only thing this one does.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(file)
        .try_init();
    Ok(())
}
