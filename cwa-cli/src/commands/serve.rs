//! `cwa serve`: the reference server.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::args::{Answer, Global};
use crate::clock::ProtocolClock;
use crate::failure::{Failure, Kind};
use crate::output::{Output, style};
use crate::server::demo::{self, Demo};
use crate::server::settings::Settings;
use crate::server::{DatabaseLocation, Role, RunningServer, Server, ServerBuilder, StartError};

/// Arguments of `cwa serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// Where the database, the published files and the secrets are.
    #[arg(long, value_name = "DIR", default_value = "cwa-data")]
    data_dir: PathBuf,
    /// The server's configuration (TOML); by default `cwa.toml` in the data directory, if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: an SQLite file, as a path or `sqlite:PATH`, or `postgres://USER@HOST/DATABASE?sslmode=verify-full`; the password in a file that PGPASSFILE or the configuration names.
    #[arg(long, value_name = "URL")]
    database: Option<DatabaseLocation>,
    /// Where published files go: a directory, as a path or `file:PATH`.
    #[arg(long, value_name = "URL", value_parser = publish)]
    publish: Option<PathBuf>,
    /// Where phones talk to [default: 127.0.0.1:8000]; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    external: Option<SocketAddr>,
    /// Where laboratories and other servers talk to [default: 127.0.0.1:8001].
    #[arg(long, value_name = "ADDR")]
    internal: Option<SocketAddr>,
    /// Where health officers' browsers talk to [default: 127.0.0.1:8003].
    #[arg(long, value_name = "ADDR")]
    portal: Option<SocketAddr>,
    /// Where operators look [default: 127.0.0.1:8002].
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Application configuration for phones: YAML of the German server, or content that is bare or signed; it is checked, signed and published.
    #[arg(long, value_name = "FILE")]
    configuration: Vec<PathBuf>,
    /// Which parts of the system to be: verification, test-result, submission, distribution, publisher, portal; all by default.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<Role>,
    /// Make keys and credentials where there are none, print them once, and serve.
    #[arg(long)]
    demo: bool,
    /// Only check the configuration.
    #[arg(long)]
    check_config: bool,
}

impl ServeArguments {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        if global.seed.is_some() {
            return Err(Failure::usage(
                "CWA-E0601",
                "a server draws its secrets from the operating system, not from --seed",
            ));
        }
        if self.check_config {
            self.builder(global)?.check().map_err(failure)?;
            let document = serde_json::json!({ "valid": true });
            output.answer("cwa.serve.check/1", &document, |text| {
                writeln!(text, "the configuration can be used")
            })?;
            return Ok(Answer::Yes);
        }
        log_to_standard_error(global);
        runtime()?.block_on(async {
            let signals = Signals::install()?;
            let demo = if self.demo { self.make_demo()? } else { None };
            let started = match self.builder(global) {
                Ok(builder) => builder.start().await.map_err(failure),
                Err(failure) => Err(failure),
            };
            let server = match (started, demo) {
                (Ok(server), demo) => {
                    announce(&server, demo.as_ref(), self.demo, output)?;
                    server
                }
                // Credentials that were not shown must not stay: a second attempt makes and shows new ones.
                (Err(failure), Some(demo)) => {
                    return Err(match demo.discard() {
                        Ok(()) => failure,
                        Err(error) => {
                            failure.help(format!("and what --demo had made is still there: {error}"))
                        }
                    });
                }
                (Err(failure), None) => return Err(failure),
            };
            signals.received().await;
            tracing::info!("shutting down");
            server.shutdown().await;
            Ok(Answer::Yes)
        })
    }

    fn make_demo(&self) -> Result<Option<Demo>, Failure> {
        if self.config.is_some() {
            return Err(Failure::usage(
                "CWA-E0602",
                "--demo makes its own configuration; it does not go with --config",
            ));
        }
        Demo::create(&self.data_dir, &mut rand::make_rng::<rand::rngs::StdRng>()).map_err(failure)
    }

    fn builder(&self, global: &Global) -> Result<ServerBuilder, Failure> {
        let mut builder = configured(&self.data_dir, self.config.as_deref())?;
        if let Some(now) = global.now {
            builder = builder.clock(ProtocolClock::starting_at(now));
        }
        builder = self.database.iter().cloned().fold(builder, ServerBuilder::database);
        builder = self.publish.iter().fold(builder, ServerBuilder::publish_to);
        builder = self.configuration.iter().fold(builder, ServerBuilder::configuration_file);
        builder = self.external.into_iter().fold(builder, ServerBuilder::external);
        builder = self.internal.into_iter().fold(builder, ServerBuilder::internal);
        builder = self.portal.into_iter().fold(builder, ServerBuilder::portal);
        builder = self.admin.into_iter().fold(builder, ServerBuilder::admin);
        if !self.role.is_empty() {
            builder = builder.roles(self.role.iter().copied());
        }
        Ok(builder)
    }
}

/// A server on this data directory, as its configuration file has it.
pub(super) fn configured(data_dir: &Path, config: Option<&Path>) -> Result<ServerBuilder, Failure> {
    let builder = Server::builder(data_dir);
    let in_data_dir = data_dir.join(demo::SETTINGS);
    let path = match config {
        Some(path) => path,
        None if in_data_dir.exists() => &in_data_dir,
        None => return Ok(builder),
    };
    Settings::read(path).and_then(|settings| settings.apply(builder)).map_err(|error| {
        Failure::input("CWA-E0603", format!("the server's configuration {} cannot be used", path.display()))
            .caused_by(error)
    })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|error| {
        Failure::new(Kind::System, "CWA-E0604", "no threads for the server").caused_by(error)
    })
}

pub(super) fn failure(error: StartError) -> Failure {
    let message = "the server cannot do its work";
    match error {
        StartError::NoSigner => {
            Failure::input("CWA-E0605", "there is no signing key, and nothing can be published without").help(
                "name one in the configuration file under [signing], or let `cwa serve --demo` make one",
            )
        }
        StartError::Bind { address, source } => {
            Failure::new(Kind::System, "CWA-E0606", format!("cannot listen at {address}")).caused_by(source)
        }
        StartError::Configuration(_) | StartError::ConfigurationFile(_) => {
            Failure::input("CWA-E0607", "the application configuration cannot be published").caused_by(error)
        }
        StartError::Publish(_) => {
            Failure::input("CWA-E0608", "publishing was refused or not finished").caused_by(error)
        }
        error => Failure::new(Kind::System, "CWA-E0609", message).caused_by(error),
    }
}

fn publish(text: &str) -> Result<PathBuf, String> {
    local(text, "file", "this build publishes into a directory only: a path, or file:PATH")
}

/// A path, bare or as a URL of the one scheme that this build knows.
fn local(text: &str, scheme: &str, refusal: &str) -> Result<PathBuf, String> {
    let path = match text.split_once(':') {
        Some((given, path)) if given == scheme => path.strip_prefix("//").unwrap_or(path),
        Some((_, rest)) if rest.starts_with("//") => return Err(refusal.to_owned()),
        _ => text,
    };
    if path.is_empty() { Err("the path is empty".to_owned()) } else { Ok(path.into()) }
}

/// What `cwa serve` prints once it answers.
#[derive(Serialize)]
struct Announcement {
    external: String,
    internal: String,
    portal: String,
    admin: String,
    /// With `--demo`, and only when they were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<Credentials>,
}

#[derive(Serialize)]
struct Credentials {
    tokens: std::collections::BTreeMap<&'static str, String>,
    portal_user: &'static str,
    portal_password: String,
    public_key: String,
}

fn announce(
    server: &RunningServer,
    demo: Option<&Demo>,
    asked_for_demo: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let document = Announcement {
        external: format!("http://{}", server.external_addr()),
        internal: format!("http://{}", server.internal_addr()),
        portal: format!("http://{}/portal", server.portal_addr()),
        admin: format!("http://{}", server.admin_addr()),
        demo: demo.map(|demo| Credentials {
            tokens: demo.tokens.iter().map(|(name, token)| (*name, token.expose().to_owned())).collect(),
            portal_user: demo.portal_user,
            portal_password: demo.portal_password.expose().to_owned(),
            public_key: demo.public_key.display().to_string(),
        }),
    };
    let strong = style::STRONG;
    output.answer("cwa.serve/1", &document, |text| {
        if let Some(demo) = &document.demo {
            writeln!(text, "{strong}Credentials of this demonstration, shown only now{strong:#}")?;
            for (name, token) in &demo.tokens {
                writeln!(text, "  {name:<14} Bearer {token}")?;
            }
            writeln!(text, "  {:<14} {} / {}", "portal", demo.portal_user, demo.portal_password)?;
            writeln!(text, "  {:<14} {}\n", "public key", demo.public_key)?;
        } else if asked_for_demo {
            writeln!(text, "The credentials of this data directory were shown when it was made.\n")?;
        }
        writeln!(text, "{strong}Serving{strong:#}")?;
        writeln!(text, "  {:<14} {}", "phones", document.external)?;
        writeln!(text, "  {:<14} {}", "servers", document.internal)?;
        writeln!(text, "  {:<14} {}", "portal", document.portal)?;
        writeln!(text, "  {:<14} {}", "operators", document.admin)
    })?;
    output.finish()
}

/// Logs go to standard error: warnings with `-q`, requests' errors by kind with `-v`.
fn log_to_standard_error(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => tracing::Level::WARN,
        (_, 0) => tracing::Level::INFO,
        (_, 1) => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // A second logger, in tests of the whole program, is no reason to fail.
    let _ = if global.json { log.json().try_init() } else { log.with_ansi(false).try_init() };
}

/// The signals that end a server: an interrupt, and on Unix a termination.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Installed before the server starts, so that none is missed.
    fn install() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let install = |kind| {
                signal(kind).map_err(|error| {
                    Failure::new(Kind::System, "CWA-E0610", "signals cannot be received").caused_by(error)
                })
            };
            Ok(Self {
                terminate: install(SignalKind::terminate())?,
                interrupt: install(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn received(mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_a_path_or_a_url_of_a_kind_that_there_is() {
        assert_eq!(publish("file:///srv/www"), Ok(PathBuf::from("/srv/www")));
        assert!(publish("s3://bucket/prefix").unwrap_err().contains("a directory only"));
    }
}
