//! How fast packages are read and made, compared with others in one run, and how much memory that takes.
//!
//! BENCHMARKS.md has the method and results.
//!
//! ```text
//! cargo bench -p cwa-export --bench ratios --features rayon -- [--runs N] [--smoke] [--only TEXT] [--json FILE]
//! ```
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a benchmark has no documentation")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark may panic"
)]
#![allow(clippy::cast_possible_truncation, reason = "figures are rounded")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it reports to a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::std_instead_of_core, reason = "a benchmark has std")]

use std::path::PathBuf;
use std::process::ExitCode;

use cwa_crypto_baselines::memory::CountingAllocator;
use cwa_crypto_baselines::runs;

mod contestants;
mod input;
mod theirs;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let only = arguments.only.as_deref().unwrap_or_default();
    let document = if arguments.runs == 1 {
        contestants::run(if arguments.smoke { SMOKE } else { FULL }, only)
    } else {
        let smoke = arguments.smoke.then_some("--smoke");
        runs::worst_of(arguments.runs, ["--bench", "--only", only].into_iter().chain(smoke))
    };
    print!("{}", document.table());
    let path = arguments.json.unwrap_or_else(|| concat!(env!("CARGO_TARGET_TMPDIR"), "/ratios.json").into());
    if let Err(error) = std::fs::write(&path, document.json()) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    eprintln!("\nThe same as JSON: {}", path.display());
    ExitCode::SUCCESS
}

/// How much to measure.
#[derive(Clone, Copy)]
struct Effort {
    /// Keys of the package.
    keys: usize,
    /// How often each contestant has its turn.
    turns: usize,
    /// Archives of the distribution, each of a thousand keys.
    archives: usize,
}

const FULL: Effort = Effort { keys: 1_000_000, turns: 15, archives: 10_000 };
/// For continuous integration: outputs are compared and every line of the code runs; the figures mean nothing.
const SMOKE: Effort = Effort { keys: 10_000, turns: 1, archives: 5 };

#[derive(Default)]
struct Arguments {
    runs: usize,
    smoke: bool,
    help: bool,
    only: Option<String>,
    json: Option<PathBuf>,
}

const USAGE: &str = "Usage: ratios [--runs N] [--smoke] [--only TEXT] [--json FILE]

  --runs N     run N times in processes of their own, and quote the worst of each row [1]
  --smoke      10,000 keys, once: compares outputs, and measures nothing worth reading
  --only TEXT  only races whose names contain this: decode, read, create, audit
  --json FILE  where to write the table as JSON [in the build directory, tmp/ratios.json]";

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        // Without `--bench`, which `cargo bench` passes, this is a test run.
        let mut arguments = Self { runs: 1, smoke: true, ..Self::default() };
        let mut smoke = false;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => arguments.smoke = false,
                "--smoke" => smoke = true,
                "--help" | "-h" => arguments.help = true,
                "--runs" => {
                    let number = words.next().and_then(|number| number.parse().ok());
                    arguments.runs = number.filter(|n| *n > 0).ok_or("--runs takes a number from 1 on")?;
                }
                "--only" => arguments.only = Some(words.next().ok_or("--only takes a text")?),
                "--json" => arguments.json = Some(words.next().ok_or("--json takes a file")?.into()),
                other => return Err(format!("unknown argument {other}")),
            }
        }
        arguments.smoke |= smoke;
        Ok(arguments)
    }
}
