//! Known answers for audits of whole distributions.

use std::collections::BTreeMap;

use cwa_crypto::UnixTime;
use cwa_export::corpus::{Corpus, CorpusAudit, CorpusReport, ExaminedFile, FileBytes};
use cwa_export::{TrustStore, TrustedKey};
use cwa_test_vectors::{Group, Test};
use serde_json::{Value, json};

use super::{Outcome, Problem, bytes, judge, member, optional, refused, same};

pub(super) fn run(family: &str, group: &Group, test: &Test) -> Outcome {
    if family != "export.audit" {
        return Outcome::NoRunner;
    }
    let result = audit(group, &test.input).and_then(|report| Ok(compare(&report, &test.expected)?));
    judge(result, test).into()
}

/// Files by path.
type Files = BTreeMap<String, Value>;

fn audit(group: &Group, input: &Value) -> Result<CorpusReport, Problem> {
    let data = Value::Object(group.data.clone());
    let mut trusted = TrustStore::empty();
    for (number, pem) in (1..).zip(member::<Vec<String>>(&data, "public_keys_pem")?) {
        let key = TrustedKey::from_pem(format!("vectors {number}"), &pem);
        trusted.insert(key.map_err(refused("public_key"))?);
    }
    let mut audit = CorpusAudit::new(&trusted);
    if let Some(now) = optional(input, "now")? {
        audit = audit.now(UnixTime::from_secs(now));
    }
    let base: Files = member(&data, "distribution")?;
    let mut corpus = Corpus::new(&audit);
    for (path, file) in changed(&base, member(input, "change")?) {
        corpus.add(examine(&audit, &path, &file)?);
    }
    if let Some(change) = optional(input, "earlier")? {
        for (path, file) in changed(&base, change) {
            corpus.add_earlier(examine(&audit, &path, &file)?);
        }
    }
    for (path, recorded) in optional::<Files>(input, "recorded")?.unwrap_or_default() {
        let etag: Option<String> = optional(&recorded, "etag")?;
        corpus.record(&path, &member::<String>(&recorded, "sha256")?, etag.as_deref());
    }
    Ok(corpus.finish())
}

/// The group's files, with some put in and some, which are null, taken out.
fn changed(base: &Files, change: Files) -> Files {
    let mut files = base.clone();
    files.extend(change);
    files.retain(|_, file| !file.is_null());
    files
}

fn examine(audit: &CorpusAudit<'_>, path: &str, file: &Value) -> Result<ExaminedFile, Problem> {
    if let Some(text) = optional::<String>(file, "text")? {
        return Ok(audit.examine(path, FileBytes::Whole(text.as_bytes())));
    }
    if file.get("zip").is_some() {
        return Ok(audit.examine(path, FileBytes::Whole(&bytes(file, "zip")?)));
    }
    let (export_bin, export_sig) = (bytes(file, "export_bin")?, bytes(file, "export_sig")?);
    Ok(audit.examine(path, FileBytes::Pair { export_bin: &export_bin, export_sig: &export_sig }))
}

fn compare(report: &CorpusReport, expected: &Value) -> Result<(), String> {
    let mut found: Vec<(String, String, Value)> = Vec::new();
    for told in &report.findings {
        let (code, severity) = (told.finding.code.to_string(), told.finding.severity.to_string());
        let document = json!({ "code": code, "severity": severity, "file": told.file });
        found.push((told.file.clone(), code, document));
    }
    found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    let found: Vec<Value> = found.into_iter().map(|(.., document)| document).collect();
    same("findings", &found, &member(expected, "findings")?)?;
    same("packages", &report.packages, &member(expected, "packages")?)?;
    same("keys", &report.keys, &member(expected, "keys")?)?;
    let statistics = &report.statistics;
    if let Some(multiplier) = optional(expected, "multiplier")? {
        same("multiplier", &statistics.padding.multiplier, &multiplier)?;
    }
    if let Some(users) = optional::<Value>(expected, "users")? {
        let found = &statistics.users;
        let found = [found.at_least, found.estimate, found.at_most];
        let expected = [member(&users, "at_least")?, member(&users, "estimate")?, member(&users, "at_most")?];
        same("users", &found, &expected)?;
    }
    if let Some(randomness) = optional::<BTreeMap<String, f64>>(expected, "randomness")? {
        let names: Vec<&str> = statistics.randomness.tests.iter().map(|test| test.name).collect();
        same("tests of randomness", &names.len(), &randomness.len())?;
        for test in &statistics.randomness.tests {
            let expected =
                randomness.get(test.name).ok_or_else(|| format!("no {} is expected", test.name))?;
            if (test.statistic - expected).abs() > 1e-6 * expected.abs().max(1.0) {
                return Err(format!("{}: expected {expected}, computed {}", test.name, test.statistic));
            }
        }
    }
    Ok(())
}
