//! Diagnosis keys out of exports that are believed.

use std::path::{Path, PathBuf};

use cwa_crypto::{DiagnosisKey, TemporaryExposureKey};
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
    /// The exports that are believed, of all that were opened, the one that ends first in front: what is said last of a
    /// key is what holds.
    pub(crate) fn believe<'a>(&self, packages: &'a [Package]) -> Result<Vec<ExportContent<'a>>, Failure> {
        let mut exports =
            packages.iter().map(|package| self.believe_one(package)).collect::<Result<Vec<_>, _>>()?;
        exports.sort_by_key(|export| (export.end_timestamp(), export.start_timestamp()));
        Ok(exports)
    }

    /// The files of exports, as they are.
    pub(crate) fn open(&self, paths: &[PathBuf]) -> Result<Vec<Package>, Failure> {
        paths.iter().map(|path| self.open_one(path)).collect()
    }

    fn open_one(&self, path: &Path) -> Result<Package, Failure> {
        let bytes = input::read(path)?;
        let files = if archive::is_archive(&bytes) {
            Files::Archive(Archive::read(&bytes).map_err(|error| unreadable(path).caused_by(error))?)
        } else if !header::is_export(&bytes) {
            return Err(unreadable(path)
                .help("expected is a ZIP archive, or an export.bin with its export.sig beside it"));
        } else {
            let signature = path.with_extension("sig");
            let export_sig = if self.accept_unverified && !signature.exists() {
                Vec::new()
            } else {
                input::read(&signature).map_err(|failure| {
                    failure
                        .help("without its signature, an export is read with --danger-accept-unverified only")
                })?
            };
            Files::Apart { export_bin: bytes, export_sig }
        };
        Ok(Package { path: path.to_owned(), files })
    }

    fn believe_one<'a>(&self, package: &'a Package) -> Result<ExportContent<'a>, Failure> {
        let Package { path, files } = package;
        let (export_bin, export_sig) = match files {
            Files::Archive(archive) => (archive.export_bin(), archive.export_sig()),
            Files::Apart { export_bin, export_sig } => (export_bin.as_slice(), export_sig.as_slice()),
        };
        let export = UnverifiedExport::parse(export_bin, export_sig)
            .map_err(|error| unreadable(path).caused_by(error))?;
        if self.accept_unverified {
            return Ok(export.danger_accept_unverified());
        }
        export
            .verify(&self.trusted)
            .map(|verified| verified.content().clone())
            .map_err(|error| not_believed(path, error))
    }
}

/// An export that was read, whoever made it.
pub(crate) struct Package {
    path: PathBuf,
    files: Files,
}

enum Files {
    Archive(Archive),
    Apart { export_bin: Vec<u8>, export_sig: Vec<u8> },
}

/// Shows `push` all keys in pieces, each once, and how many different ones there were.
///
/// Revised keys come after the keys of their export. Of each key 16 bytes are kept, to count them.
pub(crate) fn push_pieces(
    exports: &[ExportContent<'_>],
    mut push: impl FnMut(&[DiagnosisKey], Stated),
) -> usize {
    let mut seen = Vec::new();
    let mut piece = Vec::with_capacity(PIECE);
    for export in exports {
        seen.reserve(export.key_count());
        pieces(export.keys(), &mut piece, &mut seen, |piece| push(piece, Stated::AtFirst));
        pieces(export.revised_keys(), &mut piece, &mut seen, |piece| push(piece, Stated::Revised));
    }
    // Exports are sorted, and this sort is quick with what is.
    seen.sort();
    seen.dedup();
    seen.len()
}

/// Where in its export a key stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stated {
    /// Among the keys.
    AtFirst,
    /// Among the revised keys.
    Revised,
}

fn pieces(
    keys: impl Iterator<Item = DiagnosisKey>,
    piece: &mut Vec<DiagnosisKey>,
    seen: &mut Vec<[u8; TemporaryExposureKey::LENGTH]>,
    mut push: impl FnMut(&[DiagnosisKey]),
) {
    let mut keys = keys.inspect(|key| seen.push(key.key_data)).peekable();
    while keys.peek().is_some() {
        piece.clear();
        piece.extend(keys.by_ref().take(PIECE));
        push(piece);
    }
}

/// Keys in a piece: what a matcher takes at once.
const PIECE: usize = 4096;

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
