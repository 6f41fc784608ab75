//! From the bytes of an archive to the verdict: what is believed is what somebody signed, to the last bit.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cwa_export::audit::{Audit, Verdict};
use cwa_export::finding::Severity;
use cwa_export::stream::{ExportStream, StreamError};
use cwa_export::verify::Profile;
use cwa_export::{Archive, TrustStore, TrustedKey, UnverifiedContent, UnverifiedExport};
use libfuzzer_sys::fuzz_target;

struct Signed {
    /// The key of the test vectors, which signed the seeds.
    trusted: TrustStore,
    /// Everything that it signed.
    contents: BTreeSet<Vec<u8>>,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let (_, json) =
        cwa_test_vectors::builtin().find(|(name, _)| *name == "export.json").expect("a built-in file");
    let file = cwa_test_vectors::parse(json).expect("built-in files are well formed");
    let groups = || file.test_groups.iter();
    let verify = groups().find(|group| group.family == "export.verify").expect("a family of the file");
    let pem = verify.data["public_key_pem"].as_str().expect("a text");
    let trusted = [TrustedKey::from_pem("vectors", pem).expect("a public key")].into_iter().collect();
    let bytes = |value: &serde_json::Value| value.as_str().and_then(|text| hex::decode(text).ok());
    // Where it is the signature that is wrong, it may be the content that is.
    let contents = groups()
        .flat_map(|group| &group.tests)
        .filter(|test| test.error.as_deref() != Some("signature"))
        .flat_map(|test| [bytes(&test.input["export_bin"]), bytes(&test.expected["export_bin"])])
        .flatten()
        .collect();
    Signed { trusted, contents }
});

fuzz_target!(|data: &[u8]| {
    let Signed { trusted, contents } = &*SIGNED;
    let whole = Archive::read(data).ok().and_then(|archive| {
        let export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).ok()?;
        Some(export.verify(trusted).ok()?.keys().collect::<Vec<_>>())
    });
    let stream = ExportStream::open(data).map_err(StreamError::from);
    let in_pieces = stream.and_then(|stream| {
        stream.verify_and_fold(trusted, Vec::new(), |keys: &mut Vec<_>, key| keys.push(key))
    });
    assert_eq!(in_pieces.ok().map(|(_, keys)| keys), whole, "in pieces it is read as it is as a whole");
    // Our own two, and one of the readers that others wrote: all of them would take too long.
    let other = Profile::ALL.get(data.len() % Profile::ALL.len());
    for profile in [Profile::Strict, Profile::Lenient].iter().chain(other) {
        let report = Audit::new(trusted).profile(*profile).archive(data);
        let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let archive = Archive::read(data);
        match report.verdict {
            Verdict::Valid => {
                let archive = archive.expect("what is valid can be opened");
                assert_eq!(errors, 0);
                assert!(contents.contains(archive.export_bin()), "nobody signed this");
                // Readers that are not ours may take a header that is not one.
                if matches!(profile, Profile::Strict | Profile::Lenient) {
                    let is_export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig())
                        .is_ok_and(|export| export.verify_as(trusted, *profile).is_ok());
                    let is_content = UnverifiedContent::parse(archive.export_bin(), archive.export_sig())
                        .is_ok_and(|content| content.verify_as(trusted, *profile).is_ok());
                    assert!(is_export != is_content, "it is one of the two, and never both");
                }
            }
            _ => assert!(errors > 0, "whatever is refused is refused for a reason: {report:?}"),
        }
    }
});
