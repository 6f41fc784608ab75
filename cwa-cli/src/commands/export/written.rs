//! Packages as files: checked before they are written, and all of them or none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cwa_export::audit::{Audit, Verdict};
use cwa_export::finding::Severity;
use cwa_export::p256::ecdsa::VerifyingKey;
use cwa_export::signature::SignatureInfo;
use cwa_export::trust::{TrustStore, TrustedKey};
use cwa_export::{Export, SignedFiles, Signer, SoftwareSigner, cwa_hash};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::keys::SignatureInfoDocument;
use crate::failure::{Failure, Kind};
use crate::output::{Output, replace_files};

/// A file that was written.
#[derive(Clone, Serialize)]
pub(super) struct Written {
    pub(super) path: String,
    pub(super) size: usize,
    /// Of the file; of an unsigned export this is what is to be signed.
    pub(super) sha256: String,
    /// Of `export.bin`, which stays the same whoever signs.
    pub(super) cwa_hash: String,
}

impl Written {
    pub(super) fn new(path: &Path, content: &[u8], export_bin: &[u8]) -> Self {
        Self {
            path: path.display().to_string(),
            size: content.len(),
            sha256: hex::encode(Sha256::digest(content)),
            cwa_hash: hex::encode(cwa_hash(export_bin)),
        }
    }
}

/// What a signer in another place has to know of an unsigned export.
#[derive(Serialize)]
struct ToBeSigned {
    schema: &'static str,
    /// Name of the file, beside this one.
    export_bin: String,
    /// Its SHA-256, which is what ECDSA signs.
    digest: String,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
    /// Who signs, in the order of the signatures.
    signature_infos: Vec<SignatureInfoDocument>,
}

/// Signs every export and writes their archives.
pub(super) fn archives(
    parts: &[Export],
    signers: &[SoftwareSigner],
    output: &Path,
) -> Result<Vec<Written>, Failure> {
    let (mut files, mut written) = (Vec::new(), Vec::new());
    for (part, path) in parts.iter().zip(paths(output, parts.len())?) {
        let (signed, archive) = archive(part, signers)?;
        written.push(Written::new(&path, &archive, &signed.export_bin));
        files.push((path, archive));
    }
    replace_files(&files)?;
    Ok(written)
}

/// Signs one export, and makes sure that it would be accepted.
pub(super) fn archive(part: &Export, signers: &[SoftwareSigner]) -> Result<(SignedFiles, Vec<u8>), Failure> {
    let by: Vec<&dyn Signer> = signers.iter().map(|signer| -> &dyn Signer { signer }).collect();
    let signed =
        part.sign(&by).map_err(|error| unmade("the package could not be signed").caused_by(error))?;
    let keys: Vec<_> = signers.iter().map(|signer| *signer.verifying_key()).collect();
    let archive = checked_archive(&signed, &keys)?;
    Ok((signed, archive))
}

/// The archive of signed files, if this program would accept it itself under each of the keys.
pub(super) fn checked_archive(signed: &SignedFiles, keys: &[VerifyingKey]) -> Result<Vec<u8>, Failure> {
    let trusted: TrustStore = keys.iter().map(|key| TrustedKey::given("the signing key", *key)).collect();
    let report = Audit::new(&trusted).files(&signed.export_bin, Some(&signed.export_sig));
    if report.verdict != Verdict::Valid {
        let first = report.findings.iter().find(|finding| finding.severity == Severity::Error);
        let (code, message) =
            first.map_or(("CWA-E0310", ""), |finding| (finding.code.as_str(), finding.message.as_str()));
        return Err(Failure::input(code, format!("such a package would be refused: {message}"))
            .help("nothing was written"));
    }
    signed.to_archive().map_err(|error| unmade("the archive could not be written").caused_by(error))
}

/// Writes every export unsigned, its digest, and who has to sign it.
pub(super) fn unsigned(
    parts: &[Export],
    infos: &[SignatureInfo],
    output: &Path,
) -> Result<Vec<Written>, Failure> {
    let (mut files, mut written) = (Vec::new(), Vec::new());
    for (part, bin) in parts.iter().zip(paths(&output.with_extension("bin"), parts.len())?) {
        let unsigned = part.prepare(infos.to_vec());
        let to_be_signed = ToBeSigned {
            schema: "cwa.export.unsigned/1",
            export_bin: bin.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            digest: hex::encode(unsigned.digest()),
            batch_num: part.batch_num,
            batch_size: part.batch_size,
            signature_infos: infos.iter().map(Into::into).collect(),
        };
        let mut json = serde_json::to_vec_pretty(&to_be_signed)
            .map_err(|error| unmade("the list of signers could not be written").caused_by(error))?;
        json.push(b'\n');
        written.push(Written::new(&bin, unsigned.export_bin(), unsigned.export_bin()));
        files.push((bin.with_extension("digest"), unsigned.digest().to_vec()));
        files.push((bin.with_extension("json"), json));
        files.push((bin, unsigned.export_bin().to_vec()));
    }
    replace_files(&files)?;
    Ok(written)
}

/// Prints an archive, unless something else has to be printed.
pub(super) fn to_standard_output(archive: &[u8], output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return Err(Failure::usage(
            "CWA-E0314",
            "standard output cannot take the archive and the JSON document",
        )
        .help("name a file with --output, or leave out --json"));
    }
    output.raw(archive)
}

/// One path as it is, several with their numbers before the extension, from `-00001`.
fn paths(output: &Path, count: usize) -> Result<Vec<PathBuf>, Failure> {
    if count == 1 {
        return Ok(vec![output.to_owned()]);
    }
    let numbered = |number: usize| {
        let mut name = output.file_stem().map(OsString::from).unwrap_or_default();
        name.push(format!("-{number:05}"));
        if let Some(extension) = output.extension() {
            name.push(".");
            name.push(extension);
        }
        output.with_file_name(name)
    };
    // Beside one of an earlier run the files would look like one set.
    let next = numbered(count + 1);
    if next.exists() {
        let message =
            format!("{} is there, and would look like one of the {count} archives to write", next.display());
        return Err(Failure::usage("CWA-E0320", message).help("remove the archives of an earlier run"));
    }
    Ok((1..=count).map(numbered).collect())
}

fn unmade(message: &str) -> Failure {
    Failure::new(Kind::System, "CWA-E0310", message)
}
