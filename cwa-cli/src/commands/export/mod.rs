//! `cwa export`: signed packages of keys, looked into, verified, made.

mod audit;
mod create;
mod diff;
mod inspect;
mod keys;
mod lint;
mod sarif;
mod sign;
mod signers;
mod verify;
mod written;

use std::path::{Path, PathBuf};

use cwa_export::archive::{self, Archive};

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::Output;

/// Signed packages of keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ExportCommand {
    /// What is in a package, verified or not: a table and bar charts.
    Inspect(inspect::InspectArguments),
    /// May a device trust a package? Signature, structure, and the rules that tie them together.
    Verify(verify::VerifyArguments),
    /// Every rule for published files, one file and several together; exit code 1 if one is broken.
    Lint(lint::LintArguments),
    /// Which keys appeared, vanished, changed; exit code 1 if the packages differ.
    Diff(diff::DiffArguments),
    /// A whole distribution: do its files fit together, and what do they tell? Exit code 1 if a rule is broken.
    Audit(audit::AuditArguments),
    /// Make signed packages, or unsigned ones to be signed elsewhere; the same input gives the same bytes.
    Create(Box<create::CreateArguments>),
    /// Join an unsigned package with signatures that were made elsewhere, once they verify.
    Sign(sign::SignArguments),
}

impl ExportCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Inspect(arguments) => inspect::inspect(arguments, output),
            Self::Verify(arguments) => verify::verify(arguments, global, output),
            Self::Lint(arguments) => lint::lint(arguments, global, output),
            Self::Diff(arguments) => diff::diff(arguments, output),
            Self::Audit(arguments) => audit::audit(arguments, global, output),
            Self::Create(arguments) => create::create(arguments, global, output),
            Self::Sign(arguments) => sign::sign(arguments, output),
        }
    }
}

/// A package on the command line.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PackageArguments {
    /// A ZIP archive, or a bare export.bin; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The export.sig of a bare export.bin.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// A package as it was read: an archive as a whole, or one or two bare files.
pub(crate) enum Package {
    /// A ZIP archive.
    Archive(Vec<u8>),
    /// Bare files.
    Files {
        /// The content.
        export_bin: Vec<u8>,
        /// The signatures, if they were given.
        export_sig: Option<Vec<u8>>,
    },
}

impl PackageArguments {
    /// The file's name, for people.
    pub(crate) fn name(&self) -> String {
        if self.file == Path::new("-") {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }

    pub(crate) fn read(&self) -> Result<Package, Failure> {
        let bytes = input::read(&self.file)?;
        let signature = self.signature.as_deref().map(input::read).transpose()?;
        if !archive::is_archive(&bytes) {
            return Ok(Package::Files { export_bin: bytes, export_sig: signature });
        }
        if signature.is_some() {
            let message = format!("{} is an archive, which brings its own signature", self.name());
            return Err(Failure::usage("CWA-E0302", message).help("leave out --signature"));
        }
        Ok(Package::Archive(bytes))
    }
}

impl Package {
    /// Content and signatures, whether or not the archive would be accepted by a phone.
    pub(crate) fn open(self, name: &str) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        match self {
            Self::Files { export_bin, export_sig } => Ok((export_bin, export_sig.unwrap_or_default())),
            Self::Archive(bytes) => {
                let archive = Archive::read(&bytes).map_err(|error| {
                    Failure::input("CWA-E1001", format!("{name} is an archive that cannot be read"))
                        .help("`cwa export verify` says more")
                        .caused_by(error)
                })?;
                Ok((archive.export_bin().to_vec(), archive.export_sig().to_vec()))
            }
        }
    }
}
