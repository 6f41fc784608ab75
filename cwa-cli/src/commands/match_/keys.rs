//! Diagnosis keys out of exports that are believed.

use std::path::{Path, PathBuf};

use cwa_crypto::{DiagnosisKey, TemporaryExposureKey};
use cwa_export::archive::{self, Archive};
use cwa_export::content::ExportContent;
use cwa_export::finding::{Code, Finding};
use cwa_export::header;
use cwa_export::trust::TrustStore;
use cwa_export::verify::{Profile, UnverifiedExport, VerifyError};

use crate::failure::{Failure, Kind};
use crate::input;

/// Whose exports are read.
pub(crate) struct KeySource {
    pub(crate) trusted: TrustStore,
    /// Whether anybody's are.
    pub(crate) accept_unverified: bool,
    /// Whether exports with keys that are none, or that stand there twice, are read for the rules to judge.
    pub(crate) accept_odd_keys: bool,
}

impl KeySource {
    /// The exports that are believed, of all that were opened, the one that ends first in front: what is said last of a
    /// key is what holds.
    pub(crate) fn believe<'a>(&self, packages: &'a [Package]) -> Result<Vec<Believed<'a>>, Failure> {
        let mut exports =
            packages.iter().map(|package| self.believe_one(package)).collect::<Result<Vec<_>, _>>()?;
        exports.sort_by_key(|export| (export.content.end_timestamp(), export.content.start_timestamp()));
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

    fn believe_one<'a>(&self, package: &'a Package) -> Result<Believed<'a>, Failure> {
        let Package { path, files } = package;
        let (export_bin, export_sig) = match files {
            Files::Archive(archive) => (archive.export_bin(), archive.export_sig()),
            Files::Apart { export_bin, export_sig } => (export_bin.as_slice(), export_sig.as_slice()),
        };
        let export = UnverifiedExport::parse(export_bin, export_sig)
            .map_err(|error| unreadable(path).caused_by(error))?;
        if self.accept_unverified {
            let content = export.danger_accept_unverified();
            let has_odd_keys = !content.all_keys_are_usable();
            return Ok(Believed { path, content, has_odd_keys, may_repeat_keys: true });
        }
        let is_odd = |finding: &Finding| matches!(finding.code, Code::KeyInvalid | Code::DuplicateKey);
        let (verified, has_odd_keys) = match export.clone().verify(&self.trusted) {
            Err(VerifyError::Refused { findings }) if self.accept_odd_keys && findings.iter().all(is_odd) => {
                (export.verify_as(&self.trusted, Profile::Lenient), true)
            }
            verified => (verified, false),
        };
        verified
            .map(|verified| {
                let content = verified.content().clone();
                Believed { path, content, has_odd_keys, may_repeat_keys: has_odd_keys }
            })
            .map_err(|error| not_believed(path, error))
    }
}

/// The content of an export that is believed.
pub(crate) struct Believed<'a> {
    pub(crate) path: &'a Path,
    pub(crate) content: ExportContent<'a>,
    /// Whether there may be keys that not all rules read alike.
    pub(crate) has_odd_keys: bool,
    /// Whether a key may occur more than once, which no signed export is accepted with otherwise.
    may_repeat_keys: bool,
}

/// How many different keys the exports hold, revised ones included.
pub(crate) fn count_different(exports: &[Believed<'_>]) -> usize {
    if let [export] = exports
        && !export.may_repeat_keys
    {
        return export.content.key_count() + export.content.revised_key_count();
    }
    let raw_keys = exports.iter().map(|export| &export.content);
    let raw_keys = raw_keys.flat_map(|content| content.raw_keys().chain(content.raw_revised_keys()));
    let key_data =
        raw_keys.filter_map(|key| <[u8; TemporaryExposureKey::LENGTH]>::try_from(key.key_data?).ok());
    // As numbers, which are quicker to compare than bytes. Most exports are sorted, and a stable sort merges such runs.
    let mut all: Vec<_> = key_data.map(u128::from_be_bytes).collect();
    all.sort();
    all.dedup();
    all.len()
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

/// Shows `push` all keys of an export in pieces, each once; revised keys come after the others.
pub(crate) fn push_pieces(content: &ExportContent<'_>, mut push: impl FnMut(&[DiagnosisKey], Stated)) {
    let mut piece = Vec::with_capacity(PIECE.min(content.key_count()));
    pieces(content.keys(), &mut piece, |piece| push(piece, Stated::AtFirst));
    pieces(content.revised_keys(), &mut piece, |piece| push(piece, Stated::Revised));
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
    mut keys: impl Iterator<Item = DiagnosisKey>,
    piece: &mut Vec<DiagnosisKey>,
    mut push: impl FnMut(&[DiagnosisKey]),
) {
    loop {
        piece.clear();
        piece.extend(keys.by_ref().take(PIECE));
        if piece.is_empty() {
            return;
        }
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
