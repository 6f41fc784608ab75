//! Known answers for signed files, archives and uploads; every case that has to be refused is, by the layer it names.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use core::fmt::Debug;
use std::collections::BTreeSet;

use cwa_crypto::UnixTime;
use cwa_export::content::ParseContentError;
use cwa_export::finding::{Code, Finding};
use cwa_export::signature::DerError;
use cwa_export::stream::{ExportStream, StreamError};
use cwa_export::submission::{Submission, SubmissionError, SubmissionPolicy};
use cwa_export::verify::{ParseExportError, VerifyError};
use cwa_export::{Archive, TrustStore, TrustedKey, UnverifiedExport};
use cwa_test_vectors::{Group, Test, Verdict};
use serde_json::Value;

/// Why an input was refused.
struct Refused {
    /// The layers that did.
    layers: Vec<&'static str>,
    /// The names of the errors, those that are the reason for others included.
    reasons: BTreeSet<String>,
}

impl Refused {
    fn by(layer: &'static str, error: &impl Debug) -> Self {
        Self { layers: vec![layer], reasons: names(error) }
    }

    fn by_all(layers: Vec<&'static str>) -> Self {
        Self { layers, reasons: BTreeSet::new() }
    }
}

/// The names of an error and of those within it: `Message(Group { offset: 3 })` is `Message` and `Group`.
fn names(error: &impl Debug) -> BTreeSet<String> {
    let text = format!("{error:?}");
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase())).map(Into::into).collect()
}

/// Runs `check` on every test of a family; it gives what was read, or why it was refused.
fn run(family: &str, check: impl Fn(&Group, &Test) -> Result<(), Refused>) {
    let mut count = 0;
    for (name, json) in cwa_test_vectors::builtin() {
        for group in
            cwa_test_vectors::parse(json).unwrap().test_groups.iter().filter(|group| group.family == family)
        {
            for test in &group.tests {
                count += 1;
                let about = format!("{name} tc{}: {}", test.tc_id, test.comment);
                match (test.result, check(group, test)) {
                    (Verdict::Valid, Err(refused)) => {
                        panic!("{about}: refused by {:?}, {:?}", refused.layers, refused.reasons)
                    }
                    (Verdict::Invalid, Ok(())) => panic!("{about}: accepted"),
                    (Verdict::Invalid, Err(Refused { layers, reasons })) => {
                        let expected = test.error.as_deref().unwrap();
                        assert!(
                            layers.contains(&expected),
                            "{about}: refused by {layers:?}, not by {expected}"
                        );
                        for expected in test.reason.iter().flat_map(|reason| reason.split(' ')) {
                            assert!(reasons.contains(expected), "{about}: {reasons:?}, not {expected}");
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(count > 0, "there is no test of {family}");
}

/// Hexadecimal, or parts with how often each stands there.
fn bytes(test: &Test, name: &str) -> Vec<u8> {
    let decode = |text: &Value| hex::decode(text.as_str().unwrap()).unwrap();
    match &test.input[name] {
        Value::Array(parts) => parts
            .iter()
            .flat_map(|part| decode(&part[0]).repeat(part[1].as_u64().unwrap().try_into().unwrap()))
            .collect(),
        whole => decode(whole),
    }
}

#[test]
fn archives() {
    run("export.archive", |_, test| {
        let archive = Archive::read(&bytes(test, "zip")).map_err(|error| Refused::by("archive", &error))?;
        if !archive.unexpected_members().is_empty() {
            return Err(Refused { layers: vec!["archive"], reasons: ["Unexpected".to_owned()].into() });
        }
        if test.result == Verdict::Valid {
            assert_eq!(test.expected["export_bin"], hex::encode(archive.export_bin()));
            assert_eq!(test.expected["export_sig"], hex::encode(archive.export_sig()));
        }
        Ok(())
    });
}

#[test]
fn signed_files() {
    run("export.verify", |group, test| {
        let pem = group.data["public_key_pem"].as_str().unwrap();
        let trusted: TrustStore = [TrustedKey::from_pem("vectors", pem).unwrap()].into_iter().collect();
        let (bin, sig) = (bytes(test, "export_bin"), bytes(test, "export_sig"));
        // Read in pieces it is believed or refused alike, and so are its keys.
        let archive = cwa_export::archive::write(&bin, &sig).unwrap();
        let stream = ExportStream::open(&archive).map_err(StreamError::from);
        let streamed = stream.and_then(|stream| {
            stream.verify_and_fold(&trusted, Vec::new(), |keys: &mut Vec<_>, key| keys.push(key))
        });
        let whole = UnverifiedExport::parse(&bin, &sig).ok().and_then(|export| export.verify(&trusted).ok());
        assert_eq!(
            streamed.ok().map(|(_, keys)| keys),
            whole.map(|verified| verified.keys().collect()),
            "tc{}: {}",
            test.tc_id,
            test.comment
        );
        let export = UnverifiedExport::parse(&bin, &sig).map_err(|error| match error {
            ParseExportError::Content(ParseContentError::Header(_)) => Refused::by("header", &error),
            ParseExportError::Content(_) => Refused::by("payload", &error),
            _ => Refused::by("signature_list", &error),
        })?;
        let verified = export.verify(&trusted).map_err(|error| match &error {
            VerifyError::Refused { findings } => Refused {
                layers: findings
                    .iter()
                    .map(|finding| match finding.code {
                        Code::RepeatedField
                        | Code::NumberOverflow
                        | Code::BatchInvalid
                        | Code::TimesInvalid => "payload",
                        Code::KeyInvalid | Code::DuplicateKey => "key",
                        Code::SignatureMismatch | Code::NoTrustedKey | Code::SignatureEncoding => "signature",
                        _ => "signature_list",
                    })
                    .collect(),
                reasons: findings.iter().flat_map(reasons_of).collect(),
            },
            error => Refused::by("signature", error),
        })?;
        if test.result == Verdict::Valid {
            let keys: Vec<String> = verified.keys().map(|key| hex::encode(key.key_data)).collect();
            let expected: Vec<&str> = test.expected["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["key_data"].as_str().unwrap())
                .collect();
            assert_eq!(keys, expected, "tc{}", test.tc_id);
            assert_eq!(test.expected["region"].as_str(), verified.content().region());
        }
        Ok(())
    });
}

/// The name of a finding's code, and that of the rule of DER which it tells in words.
fn reasons_of(finding: &Finding) -> BTreeSet<String> {
    let mut reasons = names(&finding.code);
    let rules = [
        DerError::Raw,
        DerError::Structure,
        DerError::Trailing { bytes: 0 },
        DerError::NotMinimal,
        DerError::OutOfRange,
    ];
    for rule in rules {
        // The number of bytes is not part of the rule.
        let words = rule.to_string();
        if finding.message.contains(words.trim_start_matches("0 ")) {
            reasons.extend(names(&rule));
        }
    }
    reasons
}

#[test]
fn readers() {
    use std::collections::BTreeMap;

    use cwa_export::audit::Audit;
    use cwa_export::profile::Profile;
    run("export.reader", |group, test| {
        let pem = group.data["public_key_pem"].as_str().unwrap();
        let trusted: TrustStore = [TrustedKey::from_pem("vectors", pem).unwrap()].into_iter().collect();
        let (mut verdicts, mut answers) = (BTreeMap::new(), BTreeMap::new());
        for profile in Profile::ALL {
            let audit = Audit::new(&trusted).profile(*profile);
            let report = match test.input.get("zip") {
                Some(_) => audit.archive(&bytes(test, "zip")),
                None => audit.files(&bytes(test, "export_bin"), Some(&bytes(test, "export_sig"))),
            };
            verdicts.insert(profile.name(), report.verdict.to_string());
            answers.extend(report.reader.map(|reader| (profile.name(), reader.to_string())));
        }
        let about = format!("tc{}: {}", test.tc_id, test.comment);
        let asked = test.expected["verdict"].as_object().unwrap();
        let expected: BTreeMap<&str, String> = asked
            .iter()
            .map(|(name, verdict)| (name.as_str(), verdict.as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(verdicts, expected, "{about}");
        let asked = test.expected.get("reader").and_then(Value::as_object);
        let expected: BTreeMap<&str, String> = asked
            .into_iter()
            .flatten()
            .map(|(name, answer)| (name.as_str(), answer.as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(answers, expected, "{about}");
        Ok(())
    });
}

#[test]
fn files_together() {
    use cwa_export::audit::{Audit, Verdict as Judged};
    use cwa_export::cosigning::CosigningPolicy;
    use cwa_export::profile::Profile;
    use cwa_export::set::FileSet;
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    run("export.together", |group, test| {
        let key = |data: &Value| {
            let mut key = TrustedKey::from_pem(text(data, "name"), &text(data, "pem")).unwrap();
            key.verification_key_id = Some(text(data, "verification_key_id"));
            key.verification_key_version = Some(text(data, "verification_key_version"));
            key
        };
        let trusted: TrustStore = group.data["trusted_keys"].as_array().unwrap().iter().map(key).collect();
        let policy: Option<CosigningPolicy> =
            test.input.get("require").map(|require| require.as_str().unwrap().parse().unwrap());
        let files: Vec<(String, Vec<u8>, Vec<u8>)> = test.input["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| {
                let bytes = |name| hex::decode(text(file, name)).unwrap();
                (text(file, "name"), bytes("export_bin"), bytes("export_sig"))
            })
            .collect();
        let mut set = FileSet::default();
        for (name, export_bin, _) in &files {
            set.insert(name, export_bin).unwrap();
        }
        let compared = set.compare();
        let about = format!("tc{}: {}", test.tc_id, test.comment);
        for profile in Profile::ALL {
            let mut audit = Audit::new(&trusted).profile(*profile);
            if let Some(policy) = &policy {
                audit = audit.cosigners(policy);
            }
            let mut verdict = if files.len() > 1 { compared.judge(*profile).verdict } else { Judged::Valid };
            for (_, export_bin, export_sig) in &files {
                verdict = verdict.worse(audit.files(export_bin, Some(export_sig)).verdict);
            }
            let expected = test.expected["verdict"][profile.name()].as_str().unwrap();
            assert_eq!(verdict.to_string(), expected, "{about}, by {profile}");
        }
        if let Some(signers) = test.expected.get("signers") {
            let (_, export_bin, export_sig) = &files[0];
            let found = Audit::new(&trusted).files(export_bin, Some(export_sig)).signers;
            assert_eq!(serde_json::to_value(found).unwrap(), *signers, "{about}");
        }
        Ok(())
    });
}

#[test]
#[cfg(feature = "cms")]
fn content_sig() {
    use cwa_export::audit::Audit;
    use cwa_export::cms::SignerCertificate;
    use cwa_export::profile::Profile;
    run("export.content_sig", |group, test| {
        let pem = group.data["public_key_pem"].as_str().unwrap();
        let trusted: TrustStore = [TrustedKey::from_pem("vectors", pem).unwrap()].into_iter().collect();
        let certificate = test.input.get("certificate_pem").map(|pem| pem.as_str().unwrap());
        let certificate = certificate.map(|pem| SignerCertificate::from_pem("certificate", pem).unwrap());
        for profile in Profile::ALL {
            let mut audit = Audit::new(&trusted).profile(*profile);
            if let Some(certificate) = &certificate {
                audit = audit.content_sig_certificate(certificate);
            }
            let report = audit.archive(&bytes(test, "zip"));
            let about = format!("tc{}: {}, by {profile}: {report:?}", test.tc_id, test.comment);
            assert_eq!(test.expected["verdict"][profile.name()], report.verdict.to_string(), "{about}");
            assert_eq!(test.expected["kind"], serde_json::to_value(report.kind).unwrap(), "{about}");
        }
        Ok(())
    });
}

#[test]
fn explanations() {
    use cwa_export::audit::{Audit, Verdict};
    use cwa_export::finding::Code;
    run("export.explanation", |group, test| {
        let pem = group.data["public_key_pem"].as_str().unwrap();
        let trusted: TrustStore = [TrustedKey::from_pem("vectors", pem).unwrap()].into_iter().collect();
        let audit = Audit::new(&trusted);
        let report = match test.input.get("zip") {
            Some(_) => audit.archive(&bytes(test, "zip")),
            None => audit.files(&bytes(test, "export_bin"), Some(&bytes(test, "export_sig"))),
        };
        let about = format!("tc{}: {}: {:?}", test.tc_id, test.comment, report.findings);
        assert_eq!(report.verdict, Verdict::Invalid, "{about}");
        let says = test.expected["says"].as_array().unwrap();
        for piece in says {
            let piece = piece.as_str().unwrap();
            assert!(
                report.findings.iter().any(|finding| finding.message.contains(piece)),
                "{piece}: {about}"
            );
        }
        if says.is_empty() {
            assert!(report.findings.iter().all(|finding| finding.code != Code::SignedInstead), "{about}");
        }
        Ok(())
    });
}

#[test]
fn uploads() {
    run("export.submission", |group, test| {
        let now = UnixTime::from_secs(group.data["now"].as_u64().unwrap());
        let read = Submission::parse(&bytes(test, "payload"), &SubmissionPolicy::cwa(), now);
        let accepted = read.map_err(|error| {
            Refused::by_all(vec![match error {
                SubmissionError::TooLarge { .. } | SubmissionError::Malformed => "payload",
                SubmissionError::NoKeys
                | SubmissionError::TooManyKeys { .. }
                | SubmissionError::NothingRemains { .. } => "keys",
                SubmissionError::Key { .. } => "key",
                _ => "countries",
            }])
        })?;
        let keys: Vec<Value> =
            accepted.submission.keys.iter().map(|key| Value::from(hex::encode(key.key_data))).collect();
        let expected: Vec<Value> =
            test.expected["keys"].as_array().unwrap().iter().map(|key| key["key_data"].clone()).collect();
        assert_eq!(keys, expected, "tc{}", test.tc_id);
        assert_eq!(test.expected["dropped_future"], accepted.dropped.future);
        assert_eq!(test.expected["dropped_too_old"], accepted.dropped.too_old);
        Ok(())
    });
}

#[test]
fn lint_tells_every_finding_and_no_other() {
    use cwa_export::lint::Lint;
    run("export.lint", |_, test| {
        let mut lint = Lint::new(test.input["profile"].as_str().unwrap().parse().unwrap());
        if let Some(now) = test.input.get("now") {
            lint = lint.now(UnixTime::from_secs(now.as_u64().unwrap()));
        }
        for file in test.input["files"].as_array().unwrap() {
            let bytes = |name: &str| Some(hex::decode(file.get(name)?.as_str()?).unwrap());
            let name = file["name"].as_str().unwrap();
            match bytes("zip") {
                Some(zip) => lint.archive(name, &zip),
                None => lint.files(name, &bytes("export_bin").unwrap(), bytes("export_sig").as_deref()),
            }
        }
        let mut found: Vec<(String, String, String)> = lint
            .finish()
            .into_iter()
            .map(|found| (found.finding.code.to_string(), found.file, found.finding.severity.to_string()))
            .collect();
        found.sort();
        let expected: Vec<_> = test.expected["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let member = |name: &str| finding[name].as_str().unwrap().to_owned();
                (member("code"), member("file"), member("severity"))
            })
            .collect();
        assert_eq!(found, expected, "tc{}: {}", test.tc_id, test.comment);
        Ok(())
    });
}

#[test]
fn lint_of_a_configuration_tells_every_finding_and_no_other() {
    use cwa_export::configuration::Configuration;
    let wrong = core::cell::RefCell::new(Vec::new());
    run("config.lint", |_, test| {
        let content = hex::decode(test.input["content"].as_str().unwrap()).unwrap();
        let findings = Configuration::lint_content(&content).unwrap();
        let mut found: Vec<(String, String)> =
            findings.iter().map(|found| (found.code.to_string(), found.severity.to_string())).collect();
        found.sort();
        let expected: Vec<_> = test.expected["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let member = |name: &str| finding[name].as_str().unwrap().to_owned();
                (member("code"), member("severity"))
            })
            .collect();
        if found != expected {
            let message = format!("tc{}: {}: {expected:?}, not {findings:#?}", test.tc_id, test.comment);
            wrong.borrow_mut().push(message);
        }
        Ok(())
    });
    let wrong = wrong.into_inner();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
