//! Files from real systems, where a checkout has them beside it. Each test passes over files that are not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::Path;

use cwa_export::audit::{Audit, Kind, Reader, Report, Verdict};
use cwa_export::configuration::{Configuration, ConfigurationV1};
use cwa_export::finding::{Code, Severity};
use cwa_export::trust::{TrustStore, TrustedKey};
use cwa_export::verify::{Profile, UnverifiedExport};

/// The bytes of a real file; `None`, and a word on standard error, where there is none.
fn real(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real-files").join(name);
    let bytes = std::fs::read(path).ok();
    if bytes.is_none() {
        eprintln!("not here: {name}");
    }
    bytes
}

fn errors(report: &Report) -> Vec<Code> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect()
}

#[test]
fn the_german_day_package_verifies_under_the_german_production_key() {
    let name = |file| format!("de-production-2020-07-22/{file}");
    let (Some(bin), Some(sig)) = (real(&name("export.bin")), real(&name("export.sig"))) else {
        return;
    };
    let report = Audit::new(&TrustStore::built_in()).files(&bin, Some(&sig));
    assert_eq!((report.verdict, report.trusted_key.as_deref()), (Verdict::Valid, Some("de-cwa-prod")));
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note), "{report:?}");

    let verified = UnverifiedExport::parse(&bin, &sig).unwrap().verify(&TrustStore::built_in()).unwrap();
    assert_eq!(verified.keys().count(), 720);
    // Written anew, every byte is the same.
    let export = verified.content().to_export().unwrap();
    assert_eq!(export.encode(verified.content().signature_infos()), bin);
}

#[test]
fn every_reader_takes_the_german_day_package() {
    let name = |file| format!("de-production-2020-07-22/{file}");
    let (Some(bin), Some(sig)) = (real(&name("export.bin")), real(&name("export.sig"))) else {
        return;
    };
    let store = TrustStore::built_in();
    for profile in Profile::ALL {
        let report = Audit::new(&store).profile(*profile).files(&bin, Some(&sig));
        assert_eq!(report.verdict, Verdict::Valid, "{profile}: {report:?}");
        assert_ne!(report.reader, Some(Reader::Refuses), "{profile}");
    }
}

#[test]
fn no_flipped_bit_of_the_german_day_package_is_accepted() {
    let name = |file| format!("de-production-2020-07-22/{file}");
    let (Some(bin), Some(sig)) = (real(&name("export.bin")), real(&name("export.sig"))) else {
        return;
    };
    let store = TrustStore::built_in();
    let accepted = |bin: &[u8], sig: &[u8]| {
        UnverifiedExport::parse(bin, sig).is_ok_and(|export| export.verify(&store).is_ok())
    };
    let flip = |bytes: &[u8], bit: usize| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    for bit in 0..sig.len() * 8 {
        assert!(!accepted(&bin, &flip(&sig, bit)), "bit {bit} of export.sig");
    }
    // A prime step spreads over every position within a byte and within a key.
    for bit in (0..bin.len() * 8).step_by(997) {
        assert!(!accepted(&flip(&bin, bit), &sig), "bit {bit} of export.bin");
    }
}

#[test]
fn the_google_server_sample_verifies_under_its_own_key() {
    let (Some(zip), Some(pem)) = (
        real("google-server-sample/testExport-2-records-1-of-1.zip"),
        real("google-server-sample/public.pem"),
    ) else {
        return;
    };
    let key = TrustedKey::from_pem("public.pem", core::str::from_utf8(&pem).unwrap()).unwrap();
    let report = Audit::new(&[key].into_iter().collect()).archive(&zip);
    assert_eq!(
        (report.verdict, report.trusted_key.as_deref()),
        (Verdict::Valid, Some("public.pem")),
        "{report:?}"
    );
}

#[test]
fn the_google_android_sample_verifies_only_when_samples_are_trusted() {
    let Some(zip) = real("google-android-sample/sample_diagnosis_key_file.zip") else {
        return;
    };
    let report = Audit::new(&TrustStore::built_in_with_samples()).archive(&zip);
    assert_eq!(
        (report.verdict, report.trusted_key.as_deref()),
        (Verdict::Valid, Some("google-310-v1")),
        "{report:?}"
    );
    let report = Audit::new(&TrustStore::built_in()).archive(&zip);
    assert_eq!(report.verdict, Verdict::Untrusted);
}

#[test]
fn files_without_a_signature_can_be_read_but_not_verified() {
    for (name, keys) in [
        ("it-production-2020-08-23/export.bin", 3),
        ("google-android-sample/matcher_testdata_export.bin", 200),
    ] {
        let Some(bin) = real(name) else { continue };
        let report = Audit::new(&TrustStore::built_in()).files(&bin, None);
        assert_eq!((report.verdict, errors(&report)), (Verdict::Invalid, vec![Code::Unsigned]));
        #[cfg(feature = "danger-unverified")]
        {
            let content = UnverifiedExport::parse(&bin, &[]).unwrap().danger_accept_unverified();
            assert_eq!(content.key_count(), keys);
            assert_eq!(content.to_export().unwrap().encode(content.signature_infos()), bin);
        }
        let _ = keys;
    }
}

#[test]
fn everything_that_is_wrong_with_the_dutch_archive_is_found() {
    let Some(zip) = real("nl-negative/export-incorrect-sig.zip") else {
        return;
    };
    let report = Audit::new(&TrustStore::built_in()).archive(&zip);
    assert_eq!(report.verdict, Verdict::Invalid);
    let found = errors(&report);
    for code in [Code::UnexpectedMember, Code::SignatureEncoding, Code::SignatureBatch, Code::DuplicateKey] {
        assert!(found.contains(&code), "{code} is not among {found:?}");
    }
}

#[test]
fn no_reader_takes_the_dutch_archive_and_only_the_dutch_app_expects_its_third_member() {
    let Some(zip) = real("nl-negative/export-incorrect-sig.zip") else {
        return;
    };
    let store = TrustStore::built_in();
    for profile in Profile::ALL {
        let report = Audit::new(&store).profile(*profile).archive(&zip);
        // Leniently a raw signature and other batch numbers pass, and what remains is that the key is known to nobody.
        let lenient = *profile == Profile::Lenient;
        let verdict = if lenient { Verdict::Untrusted } else { Verdict::Invalid };
        assert_eq!(report.verdict, verdict, "{profile}: {report:?}");
        assert_ne!(report.reader, Some(Reader::Accepts), "{profile}");
        let is_dutch = *profile == Profile::Nl;
        let code = if is_dutch { Code::ContentSigNotVerified } else { Code::UnexpectedMember };
        assert!(report.findings.iter().any(|finding| finding.code == code), "{profile}: {report:?}");
    }
}

#[test]
fn the_archive_with_a_member_twice_is_unreadable() {
    let Some(zip) = real("zip-traps/duplicate_member.zip") else {
        return;
    };
    let report = Audit::new(&TrustStore::built_in()).archive(&zip);
    assert_eq!((report.verdict, errors(&report)), (Verdict::Unreadable, vec![Code::ArchiveUnreadable]));
    assert!(report.findings[0].message.contains("occurs twice"));
}

#[test]
fn the_german_configuration_verifies_under_the_test_key_with_a_warning() {
    let Some(zip) = real("cwa-app-config-v1/app_config.zip") else {
        return;
    };
    let store = TrustStore::built_in();
    let report = Audit::new(&store).archive(&zip);
    assert_eq!(
        (report.verdict, report.trusted_key.as_deref()),
        (Verdict::Valid, Some("de-cwa-dev")),
        "{report:?}"
    );
    assert_eq!(report.kind, Some(Kind::ApplicationConfigurationV1));
    let warnings: Vec<_> =
        report.findings.iter().filter(|f| f.severity == Severity::Warning).map(|f| f.code).collect();
    assert_eq!(warnings, [Code::TestKey]);

    let archive = cwa_export::Archive::read(&zip).unwrap();
    let configuration = ConfigurationV1::decode(archive.export_bin()).unwrap();
    assert_eq!(configuration.risk_score_classes.risk_classes.len(), 2, "{configuration:?}");
    assert_eq!(Audit::new(&store).profile(Profile::Lenient).archive(&zip).verdict, Verdict::Valid);
}

#[test]
fn the_android_configurations_are_recognised() {
    for name in ["cwa-app-config-v2/appconfig_1_8_0.bin", "cwa-app-config-v2/default_app_config_android.bin"]
    {
        let Some(bin) = real(name) else { continue };
        match Configuration::decode(&bin) {
            Ok(Configuration::V2(v2)) => assert!(v2.risk_calculation.is_some(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_german_day_package_hides_a_dozen_people_behind_720_keys() {
    use cwa_export::corpus::{Corpus, CorpusAudit, FileBytes};
    let name = |file| format!("de-production-2020-07-22/{file}");
    let (Some(export_bin), Some(export_sig)) = (real(&name("export.bin")), real(&name("export.sig"))) else {
        return;
    };
    let trusted = TrustStore::built_in();
    let audit = CorpusAudit::new(&trusted);
    let mut corpus = Corpus::new(&audit);
    let bytes = FileBytes::Pair { export_bin: &export_bin, export_sig: &export_sig };
    corpus.add(audit.examine("export.bin", bytes));
    let report = corpus.finish();
    assert_eq!((report.packages, report.keys), (1, 720));
    assert_eq!(report.severity(), None, "{:?}", report.findings);
    // The German server published each key with four made-up ones then; `count_keys.py` finds 12 to 13 users.
    let (padding, users) = (&report.statistics.padding, report.statistics.users);
    assert_eq!(padding.multiplier, 5);
    assert_eq!((users.at_least, users.estimate, users.at_most), (12, 13, 144));
    assert!(report.statistics.randomness.tests.iter().all(|test| test.p > 0.01), "{:?}", report.statistics);
}

/// The first configuration of framework mode v2 had a filter without minutes and one without attenuations.
#[test]
fn what_was_wrong_with_published_configurations_is_told() {
    let errors = |name| {
        let findings = Configuration::lint_content(&real(name)?).unwrap();
        let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
        Some(errors.map(|finding| finding.code.as_str()).collect::<Vec<_>>())
    };
    for (name, expected) in [
        ("cwa-app-config-v2/appconfig_1_8_0.bin", vec!["CWA-E1432", "CWA-E1432"]),
        ("cwa-app-config-v2/default_app_config_android.bin", vec![]),
    ] {
        assert!(errors(name).is_none_or(|errors| errors == expected), "{name}: {:?}", errors(name));
    }
}
