//! Diagnosis keys out of exports that are believed.

use std::path::{Path, PathBuf};

use cwa_crypto::{DiagnosisKey, UnixTime};
use cwa_export::archive::{self, Archive};
use cwa_export::content::ExportContent;
use cwa_export::header;
use cwa_export::trust::TrustStore;
use cwa_export::verify::{UnverifiedExport, VerifyError};

use crate::failure::{Failure, Kind};
use crate::input;

/// Whose exports are read.
pub(crate) struct KeySource {
    pub(crate) trusted: TrustStore,
    /// Whether anybody's are.
    pub(crate) accept_unverified: bool,
}

impl KeySource {
    /// The keys of all exports, those of the export that ends first in front, revised keys after the keys of their
    /// export: what is said last of a key is what holds.
    pub(crate) fn read(&self, paths: &[PathBuf]) -> Result<Vec<DiagnosisKey>, Failure> {
        let mut exports = paths.iter().map(|path| self.read_one(path)).collect::<Result<Vec<_>, _>>()?;
        exports.sort_by_key(|export| (export.end, export.start));
        Ok(exports.into_iter().flat_map(|export| export.keys).collect())
    }

    fn read_one(&self, path: &Path) -> Result<Keys, Failure> {
        let bytes = input::read(path)?;
        if archive::is_archive(&bytes) {
            let archive = Archive::read(&bytes).map_err(|error| unreadable(path).caused_by(error))?;
            return self.keys(path, archive.export_bin(), archive.export_sig());
        }
        if !header::is_export(&bytes) {
            return Err(unreadable(path)
                .help("expected is a ZIP archive, or an export.bin with its export.sig beside it"));
        }
        let signature = path.with_extension("sig");
        if self.accept_unverified && !signature.exists() {
            return self.keys(path, &bytes, &[]);
        }
        let export_sig = input::read(&signature).map_err(|failure| {
            failure.help("without its signature, an export is read with --danger-accept-unverified only")
        })?;
        self.keys(path, &bytes, &export_sig)
    }

    fn keys(&self, path: &Path, export_bin: &[u8], export_sig: &[u8]) -> Result<Keys, Failure> {
        let export = UnverifiedExport::parse(export_bin, export_sig)
            .map_err(|error| unreadable(path).caused_by(error))?;
        if self.accept_unverified {
            return Ok(Keys::of(&export.danger_accept_unverified()));
        }
        match export.verify(&self.trusted) {
            Ok(verified) => Ok(Keys::of(verified.content())),
            Err(error) => Err(not_believed(path, error)),
        }
    }
}

/// What is taken out of an export.
struct Keys {
    start: Option<UnixTime>,
    end: Option<UnixTime>,
    keys: Vec<DiagnosisKey>,
}

impl Keys {
    fn of(content: &ExportContent<'_>) -> Self {
        Self {
            start: content.start_timestamp(),
            end: content.end_timestamp(),
            keys: content.keys().chain(content.revised_keys()).collect(),
        }
    }
}

fn unreadable(path: &Path) -> Failure {
    Failure::input("CWA-E0202", format!("{} cannot be read as an export", path.display()))
}

fn not_believed(path: &Path, error: VerifyError) -> Failure {
    let path = path.display();
    let (kind, message) = match error {
        VerifyError::NoTrustedKey => (Kind::Untrusted, format!("{path} is not signed by a trusted key")),
        VerifyError::SignatureMismatch => (Kind::Refused, format!("the signature of {path} is wrong")),
        _ => (Kind::Refused, format!("{path} breaks a rule for exports")),
    };
    Failure::new(kind, "CWA-E0203", message).caused_by(error).help(
        "`cwa export verify` says more; --public-key names the signer's key, and --danger-accept-unverified does without",
    )
}
