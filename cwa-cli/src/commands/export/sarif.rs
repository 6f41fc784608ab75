//! Findings as SARIF 2.1.0, which code hosts and editors read.

use std::collections::BTreeSet;

use cwa_export::finding::{Code, Severity};
use cwa_export::lint::{KeyPlace, LintFinding};
use serde_json::{Value, json};

/// The whole log: one run, the rules that were broken, a result for each finding.
pub(super) fn document(findings: &[LintFinding]) -> Value {
    let codes: BTreeSet<Code> = findings.iter().map(|found| found.finding.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|found| result(found, codes.iter().position(|code| *code == found.finding.code)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "cwa", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    let explanation = code.explanation();
    json!({
        "id": code,
        "shortDescription": {"text": explanation.title},
        "fullDescription": {"text": explanation.cause},
        "help": {"text": explanation.remedy},
        "defaultConfiguration": {"level": level(code.severity())},
    })
}

fn result(found: &LintFinding, rule: Option<usize>) -> Value {
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(&found.file)}}});
    if let (Some(key), Some(location)) = (&found.key, location.as_object_mut()) {
        location.insert("logicalLocations".to_owned(), json!([logical_location(key)]));
    }
    json!({
        "ruleId": found.finding.code,
        "ruleIndex": rule,
        "level": level(found.finding.severity),
        "message": {"text": found.finding.message},
        "locations": [location],
    })
}

/// The place of a key by the field's name and an index from 0, as paths into messages are written.
fn logical_location(key: &KeyPlace) -> Value {
    let field = if key.revised { "revised_keys" } else { "keys" };
    json!({
        "name": key.key_data.clone().unwrap_or_else(|| field.to_owned()),
        "fullyQualifiedName": format!("{field}[{}]", key.number.saturating_sub(1)),
        "kind": "element",
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as a relative or absolute URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

#[cfg(test)]
mod tests {
    use cwa_export::lint::Lint;
    use cwa_export::verify::Profile;

    use super::*;

    #[test]
    fn a_log_has_what_the_schema_requires_and_names_the_place() {
        let mut lint = Lint::new(Profile::Strict);
        let mut export = cwa_export::Export::default();
        export.keys = vec![cwa_export::ExportKey::new([7; 16])];
        lint.files("a b.bin", &export.encode(&[]), None);
        let log = document(&lint.finish());
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "cwa");
        let (rules, results) =
            (run["tool"]["driver"]["rules"].as_array().unwrap(), run["results"].as_array().unwrap());
        for result in results {
            let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(result["message"]["text"].is_string() && rule["help"]["text"].is_string());
            assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.bin");
        }
        let start = results.iter().find(|result| result["ruleId"] == "CWA-E1506").unwrap();
        assert_eq!(start["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "keys[0]");
    }

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("/tmp/a#b.zip"), "file:///tmp/a%23b.zip");
        assert_eq!(uri("ä.zip"), "%C3%A4.zip");
    }
}
