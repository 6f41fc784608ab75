//! Why a command could not give its answer: one type, one rendering, one table of exit codes.

pub(crate) mod catalogue;

use core::fmt;
use std::io;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::args::Global;

/// A command that could not be carried out: what, where, what was expected, what to do next.
///
/// The code is stable; the kind decides the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    code: &'static str,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

/// Whose fault it is, as exit codes tell it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// 1: the input can be read, and must not be believed or used.
    Refused,
    /// 2: the command line.
    Usage,
    /// 3: the input is unreadable or not parseable.
    Input,
    /// 4: there is no trusted key for the input.
    Untrusted,
    /// 5: the network, or what is at its other end.
    Network,
    /// 74: this machine's files; nothing about the input's worth was learnt.
    System,
}

impl Failure {
    /// A failure with its stable code (`CWA-E…`) and one sentence: what, where, expected and found.
    pub(crate) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), help: None, source: None }
    }

    /// The input could not be read or parsed.
    pub(crate) fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Input, code, message)
    }

    /// The command line asks for something that cannot be.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, code, message)
    }

    /// Adds the likely cause or the next command.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error that led to this.
    pub(crate) fn caused_by(mut self, source: impl core::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The exit code of the process.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Refused => 1,
            Kind::Usage => 2,
            Kind::Input => 3,
            Kind::Untrusted => 4,
            Kind::Network => 5,
            Kind::System => 74,
        }
    }

    /// Prints the failure on standard error: for people, or as JSON where JSON was asked for.
    pub(crate) fn print(&self, global: &Global) {
        let mut rendered = String::new();
        if global.json {
            let document = Document {
                schema: "cwa.failure/1",
                code: self.code,
                message: &self.message,
                causes: self.causes().map(ToString::to_string).collect(),
                help: self.help.as_deref(),
            };
            rendered = serde_json::to_string(&document).unwrap_or_default();
            rendered.push('\n');
        } else {
            // Colour is left to the stream, which knows the terminal and NO_COLOR; width to the reader's terminal.
            let handler =
                GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
            if handler.render_report(&mut rendered, self).is_err() {
                rendered = format!("{}: {}\n", self.code, self.message);
            }
        }
        let _ = io::Write::write_all(&mut anstream::stderr(), rendered.as_bytes());
    }

    /// Whether the reader of standard output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.causes().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn core::error::Error + 'static)> {
        core::iter::successors(core::error::Error::source(self), |cause| cause.source())
    }
}

/// A failure as data; the schema comes first.
#[derive(serde::Serialize)]
struct Document<'a> {
    schema: &'static str,
    code: &'static str,
    message: &'a str,
    causes: Vec<String>,
    help: Option<&'a str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| -> &(dyn core::error::Error + 'static) { source.as_ref() })
    }
}

impl Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| -> Box<dyn fmt::Display + 'a> { Box::new(help) })
    }
}

impl From<io::Error> for Failure {
    /// Writing the answer failed.
    fn from(error: io::Error) -> Self {
        Self::new(Kind::System, "CWA-E0002", "the answer could not be written").caused_by(error)
    }
}
