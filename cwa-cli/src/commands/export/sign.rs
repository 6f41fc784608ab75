//! `cwa export sign`: joins an unsigned export with signatures that were made elsewhere.

use std::path::{Path, PathBuf};

use cwa_export::signature::{SignatureForm, parse_der_or_raw};
use cwa_export::{AttachError, OfferedSignature, UnsignedExport};
use serde::Serialize;

use super::keys::SignatureInfoDocument;
use super::written::{self, Written, checked_archive};
use crate::args::Answer;
use crate::commands::trust;
use crate::failure::{Failure, Kind};
use crate::input;
use crate::output::{Output, replace_file};

/// Arguments of `cwa export sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArguments {
    /// The export.bin that `cwa export create --unsigned` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A signature over its SHA-256, in DER or as 64 bytes of r and s; one for each signature info, in their order.
    #[arg(long = "attach", value_name = "SIGNATURE", required = true)]
    signatures: Vec<PathBuf>,
    /// The public key under which the signature verifies, in PEM; one for each, in their order.
    #[arg(long = "public-key", value_name = "PEM", required = true)]
    public_keys: Vec<PathBuf>,
    /// The archive to write; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// The answer of `cwa export sign`.
#[derive(Serialize)]
struct Signed {
    #[serde(flatten)]
    written: Written,
    signatures: Vec<AttachedSignature>,
}

#[derive(Serialize)]
struct AttachedSignature {
    signature_info: SignatureInfoDocument,
    /// Whether the signature came in DER, or was raw and put into DER.
    form: &'static str,
}

pub(super) fn sign(arguments: &SignArguments, output: &mut Output) -> Result<Answer, Failure> {
    let unsigned = UnsignedExport::parse(input::read(&arguments.file)?).map_err(|error| {
        Failure::input("CWA-E1102", format!("{} cannot be read as an export", arguments.file.display()))
            .help("expected is the .bin file that `cwa export create --unsigned` writes")
            .caused_by(error)
    })?;
    if arguments.public_keys.len() != arguments.signatures.len() {
        let (keys, signatures) = (arguments.public_keys.len(), arguments.signatures.len());
        let message = format!("--public-key is given {keys} times, and --attach {signatures} times");
        return Err(Failure::usage("CWA-E0318", message).help("give one for each signature"));
    }
    let (mut offered, mut signatures) = (Vec::new(), Vec::new());
    for (index, (signature, key)) in arguments.signatures.iter().zip(&arguments.public_keys).enumerate() {
        let (signature, form) = parse_der_or_raw(&input::read(signature)?).map_err(|error| {
            Failure::input("CWA-E0321", format!("{} is no signature", signature.display()))
                .help("expected is ECDSA on P-256 in DER, or r and s of 32 bytes each; not hex, not base64")
                .caused_by(error)
        })?;
        offered.push(OfferedSignature { signature, verifying_key: trust::public_key(key)?.verifying_key });
        if let Some(info) = unsigned.signature_infos().get(index) {
            let form = match form {
                SignatureForm::Der => "der",
                SignatureForm::Raw => "raw",
            };
            signatures.push(AttachedSignature { signature_info: info.into(), form });
        }
    }
    let signed = unsigned.attach(&offered).map_err(refused)?;
    let keys: Vec<_> = offered.iter().map(|offered| offered.verifying_key).collect();
    let archive = checked_archive(&signed, &keys)?;
    if arguments.output == Path::new("-") {
        written::to_standard_output(&archive, output)?;
        return Ok(Answer::Yes);
    }
    replace_file(&arguments.output, &archive)?;

    let signed =
        Signed { written: Written::new(&arguments.output, &archive, &signed.export_bin), signatures };
    output.answer("cwa.export.sign/1", &signed, |text| {
        writeln!(text, "{}: {} bytes", signed.written.path, signed.written.size)?;
        for (number, signature) in (1..).zip(&signed.signatures) {
            let form = if signature.form == "raw" { "raw, written as DER" } else { "DER" };
            writeln!(text, "signature {number} by {}: {form}", signature.signature_info.name())?;
        }
        writeln!(text, "sha256 {}", signed.written.sha256)
    })?;
    Ok(Answer::Yes)
}

/// A wrong signature is an answer; a wrong number of them is a mistake of who typed.
fn refused(error: AttachError) -> Failure {
    let (kind, help) = match error {
        AttachError::Mismatch { .. } => (
            Kind::Refused,
            "nothing was written; is it over the raw SHA-256 of the .bin file, not over that in hex, nor hashed twice?",
        ),
        _ => (Kind::Usage, "`cwa export inspect` shows whose signatures it awaits"),
    };
    Failure::new(kind, "CWA-E0322", "the signatures cannot be attached").help(help).caused_by(error)
}
