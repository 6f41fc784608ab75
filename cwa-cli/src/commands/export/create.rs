//! `cwa export create`: a signed package; the same input gives the same bytes.

use std::path::{Path, PathBuf};

use cwa_crypto::UnixTime;
use cwa_export::audit::{Audit, Verdict};
use cwa_export::signature::SignatureInfo;
use cwa_export::trust::{TrustStore, TrustedKey};
use cwa_export::{Export, ExportKey, SoftwareSigner};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::keys::KeyDocument;
use crate::args::{Answer, Global};
use crate::failure::{Failure, Kind};
use crate::input;
use crate::output::Output;

/// Arguments of `cwa export create`.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArguments {
    /// The keys as JSON: what `cwa export inspect --keys --json` or `cwa tek generate --json` printed, or its list of keys.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The private key, P-256 in PEM (PKCS#8 or SEC 1).
    #[arg(long, value_name = "PEM")]
    signing_key: PathBuf,
    /// Id under which devices look up the public key: by custom the mobile country code.
    #[arg(long, value_name = "ID")]
    key_id: String,
    /// Version under which devices look up the public key.
    #[arg(long, value_name = "VERSION")]
    key_version: String,
    /// Region of the keys; without it, the document's, if it has one.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Begin of the window in which the keys were published; without it, the document's.
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    start: Option<UnixTime>,
    /// End of that window; without it, the document's.
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    end: Option<UnixTime>,
    /// The archive to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Bundle id of the iOS app, for the signature info.
    #[arg(long, value_name = "ID")]
    app_bundle_id: Option<String>,
    /// Package of the Android app, for the signature info.
    #[arg(long, value_name = "NAME")]
    android_package: Option<String>,
    /// Put the keys into the order of their bytes, which tells nothing, instead of the order they are given in.
    #[arg(long)]
    sort: bool,
}

/// What is read of a document with keys; what else it holds is passed over.
#[derive(Deserialize)]
struct KeysDocument {
    #[serde(default)]
    keys: Vec<KeyDocument>,
    #[serde(default)]
    revised_keys: Vec<KeyDocument>,
    region: Option<String>,
    start_timestamp: Option<u64>,
    end_timestamp: Option<u64>,
}

/// The answer of `cwa export create`.
#[derive(Serialize)]
struct Created {
    path: String,
    size: usize,
    sha256: String,
    key_count: usize,
    revised_key_count: usize,
}

pub(super) fn create(
    arguments: &CreateArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let document = read_keys(&arguments.keys)?;
    let export = export(arguments, &document)?;
    let signer = signer(arguments)?;
    let in_order = export.keys.is_sorted() && export.revised_keys.is_sorted();
    if !in_order && !global.quiet {
        let _ = std::io::Write::write_all(
            &mut anstream::stderr(),
            b"note: the keys stand in the order given, which can tell whose belong together; --sort removes that\n",
        );
    }

    let unsigned = |message| Failure::new(Kind::System, "CWA-E0310", message);
    let files = export
        .sign(&[&signer])
        .map_err(|error| unsigned("the package could not be signed").caused_by(error))?;
    check(&files.export_bin, &files.export_sig, &signer)?;
    let archive =
        files.to_archive().map_err(|error| unsigned("the archive could not be written").caused_by(error))?;
    if arguments.output == Path::new("-") {
        if output.is_json() {
            return Err(Failure::usage(
                "CWA-E0314",
                "standard output cannot take the archive and the JSON document",
            )
            .help("name a file with --output, or leave out --json"));
        }
        output.raw(&archive)?;
        return Ok(Answer::Yes);
    }
    crate::output::replace_file(&arguments.output, &archive)?;

    let created = Created {
        path: arguments.output.display().to_string(),
        size: archive.len(),
        sha256: hex::encode(Sha256::digest(&archive)),
        key_count: export.keys.len(),
        revised_key_count: export.revised_keys.len(),
    };
    output.answer("cwa.export.create/1", &created, |text| {
        writeln!(text, "{}: {} keys, {} bytes", created.path, created.key_count, created.size)?;
        writeln!(text, "sha256 {}", created.sha256)
    })?;
    Ok(Answer::Yes)
}

fn read_keys(path: &Path) -> Result<KeysDocument, Failure> {
    let text = input::read_text(path)?;
    let keys = |keys| KeysDocument {
        keys,
        revised_keys: Vec::new(),
        region: None,
        start_timestamp: None,
        end_timestamp: None,
    };
    // A list, or a document that has one. Read as what it begins like, so that the error is about that.
    let read = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text).map(keys)
    } else {
        serde_json::from_str(&text)
    };
    read.map_err(|error| {
        Failure::input("CWA-E0311", format!("{} is no JSON document with keys", path.display()))
            .help("expected is what `cwa export inspect --keys --json FILE` prints, or its list of keys")
            .caused_by(error)
    })
}

fn export(arguments: &CreateArguments, document: &KeysDocument) -> Result<Export, Failure> {
    let keys = |kind: &str, keys: &[KeyDocument]| {
        let read = keys.iter().enumerate().map(|(index, key)| {
            ExportKey::try_from(key).map_err(|error| {
                let message = format!("{kind} {} of {} cannot be used", index + 1, arguments.keys.display());
                Failure::input("CWA-E1301", message).caused_by(error)
            })
        });
        read.collect::<Result<Vec<_>, _>>()
    };
    let missing = |flag: &str| {
        Failure::usage("CWA-E0312", format!("{flag} is missing"))
            .help(format!("give {flag}, or a document of `cwa export inspect` that has it"))
    };
    let start = arguments
        .start
        .or_else(|| document.start_timestamp.map(UnixTime::from_secs))
        .ok_or_else(|| missing("--start"))?;
    let end = arguments
        .end
        .or_else(|| document.end_timestamp.map(UnixTime::from_secs))
        .ok_or_else(|| missing("--end"))?;
    let mut export = Export::new(start, end, String::new(), Vec::new());
    export.region = arguments.region.clone().or_else(|| document.region.clone());
    export.keys = keys("key", &document.keys)?;
    export.revised_keys = keys("revised key", &document.revised_keys)?;
    if arguments.sort {
        export.keys.sort_unstable();
        export.revised_keys.sort_unstable();
    }
    Ok(export)
}

fn signer(arguments: &CreateArguments) -> Result<SoftwareSigner, Failure> {
    let mut info = SignatureInfo::new(&arguments.key_id, &arguments.key_version);
    info.app_bundle_id.clone_from(&arguments.app_bundle_id);
    info.android_package.clone_from(&arguments.android_package);
    let pem = zeroize::Zeroizing::new(input::read_text(&arguments.signing_key)?);
    SoftwareSigner::from_pem(&pem, info).map_err(|error| {
        let message = format!("{} is no signing key", arguments.signing_key.display());
        Failure::input("CWA-E0313", message)
            .help("`openssl ecparam -name prime256v1 -genkey -noout -out key.pem` makes one")
            .caused_by(error)
    })
}

/// Nothing is written that this program would not accept itself.
fn check(export_bin: &[u8], export_sig: &[u8], signer: &SoftwareSigner) -> Result<(), Failure> {
    let key = TrustedKey::given("the signing key", *signer.verifying_key());
    let trusted: TrustStore = [key].into_iter().collect();
    let report = Audit::new(&trusted).files(export_bin, Some(export_sig));
    if report.verdict == Verdict::Valid {
        return Ok(());
    }
    let errors = report.findings.iter().filter(|f| f.severity == cwa_export::finding::Severity::Error);
    let first = errors.map(|finding| (finding.code, finding.message.clone())).next();
    let (code, message) =
        first.map_or(("CWA-E0310", String::new()), |(code, message)| (code.as_str(), message));
    Err(Failure::input(code, format!("such a package would be refused: {message}"))
        .help("nothing was written"))
}
