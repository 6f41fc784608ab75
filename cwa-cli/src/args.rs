//! What can be said on the command line, and what the process answers.

use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, Parser, Subcommand};
use cwa_crypto::UnixTime;

use crate::commands;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command line of this process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap tells help and version (exit 0) from usage errors (exit 2), and prints each where it belongs.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    cli.global.color.write_global();
    let mut output = Output::new(&cli.global);
    match cli.command.run(&cli.global, &mut output).and_then(|answer| output.finish().map(|()| answer)) {
        Ok(answer) => answer.into(),
        // A closed standard output is how `| head` says that it has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(&cli.global);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Exposure notification: derive, match, verify, explain, serve.
#[derive(Debug, Parser)]
#[command(
    name = "cwa",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true, help_heading = "General")]
    pub(crate) json: bool,
    /// When to colour text: auto, always or never; NO_COLOR is honoured.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    color: Color,
    /// Say only the answer.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "General")]
    pub(crate) quiet: bool,
    /// Say more; twice: say everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "General")]
    pub(crate) verbose: u8,
    /// Take this as the present: Unix seconds or RFC 3339.
    #[arg(long, global = true, value_name = "TIME", value_parser = crate::input::time, help_heading = "General")]
    pub(crate) now: Option<UnixTime>,
    /// Draw random numbers from this seed instead of the operating system; for tests and reproductions only.
    #[arg(long, global = true, value_name = "N", help_heading = "General")]
    pub(crate) seed: Option<u64>,
}

impl Global {
    /// The present: `--now`, or the machine's clock.
    pub(crate) fn now(&self) -> UnixTime {
        self.now.unwrap_or_else(crate::clock::system_time)
    }

    /// The random generator: seeded by `--seed`, or by the operating system.
    pub(crate) fn rng(&self) -> rand::rngs::StdRng {
        use rand::SeedableRng as _;
        match self.seed {
            Some(seed) => rand::rngs::StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// The commands, noun first.
#[derive(Debug, Subcommand)]
enum Command {
    /// Temporary exposure keys.
    #[command(subcommand)]
    Tek(commands::tek::TekCommand),
    /// Rolling proximity identifiers: derive them, and find out where one comes from.
    #[command(subcommand)]
    Rpi(commands::rpi::RpiCommand),
    /// Find out which received identifiers belong to published keys.
    Match(commands::match_::MatchArguments),
    /// Received identifiers: read them from any form of file.
    #[command(subcommand)]
    Sightings(commands::sightings::SightingsCommand),
    /// Risk scores, with their reasons.
    #[command(subcommand)]
    Risk(commands::risk::RiskCommand),
    /// Signed packages of keys: look into them, verify them, make them.
    #[command(subcommand)]
    Export(commands::export::ExportCommand),
    /// Public keys of export signers: the built-in ones, and stores of your own.
    #[command(subcommand)]
    Keys(commands::keys::KeysCommand),
    /// Mirror a distribution: ask for what is new, check it, and put it in place whole.
    Fetch(commands::fetch::FetchArguments),
    /// Application configuration: look into it, find mistakes, compare.
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// teleTANs: make some, and find out what is wrong with one.
    #[command(subcommand)]
    Tan(commands::tan::TanCommand),
    /// QR codes of tests.
    #[command(subcommand)]
    Qr(commands::qr::QrCommand),
    /// GUIDs of tests.
    #[command(subcommand)]
    Guid(commands::guid::GuidCommand),
    /// The reference server: for phones, laboratories, health officers and operators.
    Serve(commands::serve::ServeArguments),
    /// One run of the publishing job: close every hour that is over, sign, write.
    Publish(commands::publish::PublishArguments),
    /// The models of the solution architecture: how downloads spread, and what they cost.
    #[command(subcommand)]
    Simulate(commands::simulate::SimulateCommand),
    /// Known answers: what there is, and whether this program gives them.
    #[command(subcommand)]
    Vectors(commands::vectors::VectorsCommand),
    /// The whole way, once, on a real server: from two phones that meet to a warning.
    Tour(commands::tour::TourArguments),
    /// What a code means: cause and remedy; of this program, of ENErrorDomain, or of Google's ApiException.
    Explain(commands::explain::ExplainArguments),
    /// Completion script for a shell, on standard output.
    Completions(commands::completions::CompletionsArguments),
    /// Man pages, one file a command, into a directory.
    Man(commands::completions::ManArguments),
}

impl Command {
    fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Tek(command) => command.run(global, output),
            Self::Rpi(command) => command.run(output),
            Self::Match(arguments) => arguments.run(global, output),
            Self::Sightings(command) => command.run(global, output),
            Self::Risk(command) => command.run(output),
            Self::Export(command) => command.run(global, output),
            Self::Keys(command) => command.run(global, output),
            Self::Fetch(arguments) => arguments.run(global, output),
            Self::Config(command) => command.run(global, output),
            Self::Tan(command) => command.run(global, output),
            Self::Qr(command) => command.run(output),
            Self::Guid(command) => command.run(global, output),
            Self::Serve(arguments) => arguments.run(global, output),
            Self::Publish(arguments) => arguments.run(global, output),
            Self::Simulate(command) => command.run(global, output),
            Self::Vectors(command) => command.run(output),
            Self::Tour(arguments) => commands::tour::tour(arguments, global, output),
            Self::Explain(arguments) => commands::explain::explain(arguments, output),
            Self::Completions(arguments) => commands::completions::completions(arguments, output),
            Self::Man(arguments) => commands::completions::man(arguments, output),
        }
    }
}

/// What a command that ran answers; how a script tells yes from no.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// 0: done, or yes.
    Yes,
    /// 1: ran fine, and the answer is no.
    No,
    /// 3: the input could not be parsed, and the command reported so as its answer.
    Unreadable,
    /// 4: there is no trusted key for it.
    Untrusted,
    /// 5: the other end of the network did not do as it should.
    Remote,
    /// 6: a vector or a conformance case failed.
    CaseFailed,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        Self::from(match answer {
            Answer::Yes => 0,
            Answer::No => 1,
            Answer::Unreadable => 3,
            Answer::Untrusted => 4,
            Answer::Remote => 5,
            Answer::CaseFailed => 6,
        })
    }
}

/// The definition of the whole command line, for completions and man pages.
pub(crate) fn definition() -> clap::Command {
    Cli::command().color(ColorChoice::Auto)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent_in_itself() {
        super::definition().debug_assert();
    }
}
