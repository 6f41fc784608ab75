//! Known answers for audits of whole distributions: every finding, and no other; and what the keys tell.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use cwa_crypto::UnixTime;
use cwa_export::corpus::{Corpus, CorpusAudit, CorpusReport, ExaminedFile, FileBytes};
use cwa_export::{TrustStore, TrustedKey};
use cwa_test_vectors::{Group, Test};
use serde_json::{Map, Value, json};

#[test]
fn an_audit_tells_every_finding_and_no_other() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (_, json) in cwa_test_vectors::builtin() {
        let file = cwa_test_vectors::parse(json).unwrap();
        for group in file.test_groups.iter().filter(|group| group.family == "export.audit") {
            for test in &group.tests {
                count += 1;
                let report = audit(group, test);
                let told = told(&report, &test.expected);
                if told != test.expected {
                    let findings = &report.findings;
                    wrong.push(format!(
                        "tc{}: {}\n{told}\nnot\n{}\n{findings:#?}",
                        test.tc_id, test.comment, test.expected
                    ));
                }
                for test in &report.statistics.randomness.tests {
                    assert!((0.0..=1.0).contains(&test.p), "{test:?}");
                }
            }
        }
    }
    assert!(count >= 70, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn audit(group: &Group, test: &Test) -> CorpusReport {
    let pems = group.data["public_keys_pem"].as_array().unwrap();
    let key = |(number, pem): (u32, &Value)| {
        TrustedKey::from_pem(format!("vectors {number}"), pem.as_str().unwrap()).unwrap()
    };
    let trusted: TrustStore = (1..).zip(pems).map(key).collect();
    let mut audit = CorpusAudit::new(&trusted);
    if let Some(now) = test.input.get("now") {
        audit = audit.now(UnixTime::from_secs(now.as_u64().unwrap()));
    }
    let changed = |change: &Value| {
        let mut files = group.data["distribution"].as_object().unwrap().clone();
        files.extend(change.as_object().unwrap().clone());
        files.retain(|_, file| !file.is_null());
        files
    };
    let mut corpus = Corpus::new(&audit);
    each(&audit, &changed(&test.input["change"]), |file| corpus.add(file));
    if let Some(change) = test.input.get("earlier") {
        each(&audit, &changed(change), |file| corpus.add_earlier(file));
    }
    for (path, recorded) in test.input.get("recorded").and_then(Value::as_object).into_iter().flatten() {
        let etag = recorded.get("etag").and_then(Value::as_str);
        corpus.record(path, recorded["sha256"].as_str().unwrap(), etag);
    }
    corpus.finish()
}

fn each(audit: &CorpusAudit<'_>, files: &Map<String, Value>, mut take: impl FnMut(ExaminedFile)) {
    for (path, file) in files {
        let bytes = |name: &str| hex::decode(file[name].as_str().unwrap()).unwrap();
        take(match file.get("text") {
            Some(text) => audit.examine(path, FileBytes::Whole(text.as_str().unwrap().as_bytes())),
            None if file.get("zip").is_some() => audit.examine(path, FileBytes::Whole(&bytes("zip"))),
            None => {
                let (export_bin, export_sig) = (bytes("export_bin"), bytes("export_sig"));
                audit.examine(path, FileBytes::Pair { export_bin: &export_bin, export_sig: &export_sig })
            }
        });
    }
}

/// What the report says of that which is asked.
fn told(report: &CorpusReport, expected: &Value) -> Value {
    let mut findings: Vec<(String, String, Value)> = Vec::new();
    for found in &report.findings {
        let (code, severity) = (found.finding.code.to_string(), found.finding.severity.to_string());
        let document = json!({ "code": code, "severity": severity, "file": found.file });
        findings.push((found.file.clone(), code, document));
    }
    findings.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    let findings: Vec<Value> = findings.into_iter().map(|(.., document)| document).collect();
    let mut told = json!({ "findings": findings, "packages": report.packages, "keys": report.keys });
    let statistics = &report.statistics;
    if expected.get("multiplier").is_some() {
        told["multiplier"] = statistics.padding.multiplier.into();
    }
    if expected.get("users").is_some() {
        let users = statistics.users;
        told["users"] =
            json!({ "at_least": users.at_least, "estimate": users.estimate, "at_most": users.at_most });
    }
    if let Some(randomness) = expected.get("randomness") {
        for test in &statistics.randomness.tests {
            let expected = randomness[test.name].as_f64().unwrap();
            let is_near = (test.statistic - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            // What is as near as floating point can be asked to be counts as equal.
            told["randomness"][test.name] =
                if is_near { randomness[test.name].clone() } else { test.statistic.into() };
        }
    }
    told
}
