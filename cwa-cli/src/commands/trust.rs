//! Whose signatures a command believes: arguments that every command has that reads exports.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_export::cms::SignerCertificate;
use cwa_export::finding::{Finding, Severity};
use cwa_export::trust::{PublicKeyError, TrustStore, TrustedKey};

use crate::failure::Failure;
use crate::input;
use crate::output::style;

/// Whose signatures are believed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TrustArguments {
    /// Believe the public key in this PEM file, and no built-in one; may be given several times.
    #[arg(long = "public-key", value_name = "PEM", help_heading = "Trust")]
    public_keys: Vec<PathBuf>,
    /// Believe the keys of this store, as `cwa keys import` makes it, and no built-in one; may be given several times.
    #[arg(long = "trust-store", value_name = "FILE", help_heading = "Trust")]
    stores: Vec<PathBuf>,
    /// Which built-in keys to believe.
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "published",
        conflicts_with_all = ["public_keys", "stores"],
        help_heading = "Trust"
    )]
    trust: Trust,
}

/// Which built-in keys are believed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Trust {
    /// The production and test keys of authorities; a test key gives a warning.
    Published,
    /// The same, without the warning.
    Test,
    /// Sample keys as well, whose private halves are published: anybody may have signed.
    Sample,
}

impl TrustArguments {
    /// The keys to believe: those that were given, or the built-in ones.
    pub(crate) fn store(&self) -> Result<TrustStore, Failure> {
        if self.public_keys.is_empty() && self.stores.is_empty() {
            return Ok(match self.trust {
                Trust::Published | Trust::Test => TrustStore::built_in(),
                Trust::Sample => TrustStore::built_in_with_samples(),
            });
        }
        let mut store: TrustStore =
            self.public_keys.iter().map(|path| public_key(path)).collect::<Result<_, _>>()?;
        for path in &self.stores {
            store_from(path)?.keys().cloned().for_each(|key| store.insert(key));
        }
        Ok(store)
    }

    /// Whether test keys are what the caller expects.
    pub(crate) const fn expects_test_keys(&self) -> bool {
        matches!(self.trust, Trust::Test)
    }
}

/// Prints findings for people, one a line.
pub(crate) fn write_findings<'a>(
    text: &mut dyn Write,
    findings: impl IntoIterator<Item = &'a Finding>,
) -> io::Result<()> {
    for finding in findings {
        let style = match finding.severity {
            Severity::Error => style::BAD,
            Severity::Warning => style::WARNING,
            Severity::Note => style::FAINT,
        };
        writeln!(text, "  {style}{:7} {}{style:#}  {}", finding.severity, finding.code, finding.message)?;
    }
    Ok(())
}

/// The key in a PEM file, under the file's name.
pub(crate) fn public_key(path: &Path) -> Result<TrustedKey, Failure> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    TrustedKey::from_pem(name, &input::read_text(path)?).map_err(|error| {
        if error == PublicKeyError::Private {
            return Failure::input("CWA-E0012", format!("{} is a private key", path.display()))
                .help("`openssl ec -in FILE -pubout` writes the public half, which is all that is needed");
        }
        Failure::input("CWA-E0010", format!("{} is no public key of an export signer", path.display()))
            .help("expected is SubjectPublicKeyInfo of the curve P-256 in PEM, as `openssl ec -pubout` writes it")
            .caused_by(error)
    })
}

/// The certificate in a PEM file, under the file's name.
pub(crate) fn signer_certificate(path: &Path) -> Result<SignerCertificate, Failure> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    SignerCertificate::from_pem(name, &input::read_text(path)?).map_err(|error| {
        Failure::input("CWA-E0016", format!("{} is no certificate of a signer", path.display()))
            .help("expected is X.509 in PEM; `openssl cms -verify -signer FILE` writes the one that comes with a signature")
            .caused_by(error)
    })
}

/// The keys of a trust store.
pub(crate) fn store_from(path: &Path) -> Result<TrustStore, Failure> {
    TrustStore::from_json(&input::read_text(path)?).map_err(|error| no_store(path).caused_by(error))
}

/// What is said of a file that is no trust store.
pub(crate) fn no_store(path: &Path) -> Failure {
    Failure::input("CWA-E0013", format!("{} is no trust store", path.display()))
        .help("`cwa keys import PEM --output STORE` makes one")
}
