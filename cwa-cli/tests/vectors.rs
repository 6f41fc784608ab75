//! Every built-in known answer as a test of its own: `cargo test --test vectors -- teletan` or `-- gaen.metadata::tc2001`.
//!
//! `falsified::FAMILY` changes what is expected, member by member, and wants each change to be noticed: a runner that compares
//! nothing would pass everything.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use cwa_cli::vectors::{Outcome, run};
use cwa_test_vectors::{Group, Test, Verdict, builtin, parse};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut families: BTreeMap<String, Vec<Arc<Group>>> = BTreeMap::new();
    for (file, json) in builtin() {
        let parsed = parse(json).unwrap_or_else(|error| panic!("{file}: {error:?}"));
        for group in parsed.test_groups {
            families.entry(group.family.clone()).or_default().push(Arc::new(group));
        }
    }
    for (family, groups) in families {
        let mut all_ignored = true;
        for group in &groups {
            for index in 0..group.tests.len() {
                let test = &group.tests[index];
                let name = format!("{family}::tc{}", test.tc_id);
                // What nothing computes is shown as ignored, never as passed.
                let ignored = run(group, test) == Outcome::NoRunner;
                all_ignored &= ignored;
                let group = Arc::clone(group);
                let trial = Trial::test(name, move || check(&group, &group.tests[index]));
                trials.push(trial.with_ignored_flag(ignored));
            }
        }
        let trial = Trial::test(format!("falsified::{family}"), move || {
            groups.iter().try_for_each(|group| group.tests.iter().try_for_each(|test| falsify(group, test)))
        });
        trials.push(trial.with_ignored_flag(all_ignored));
    }
    for (name, test) in COMMAND {
        trials.push(Trial::test(format!("command::{name}"), move || {
            test();
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(group: &Group, test: &Test) -> Result<(), Failed> {
    match run(group, test) {
        Outcome::Passed => Ok(()),
        Outcome::Failed(message) => Err(format!("{}: {message}", test.comment).into()),
        Outcome::NoRunner => Err("nothing in this program computes this family".into()),
    }
}

/// What a runner has no way to compute: words of the published test.
const NOT_COMPUTED: &[(&str, &str)] = &[("teletan.full.android", "/reason")];

fn falsify(group: &Group, test: &Test) -> Result<(), Failed> {
    if test.result == Verdict::Acceptable {
        return Ok(());
    }
    let mut changed = test.clone();
    let mut places = Vec::new();
    leaves(&test.expected, String::new(), &mut places);
    for place in places {
        // What a mistake computes is what must not come out: most other values are right too.
        let is_mistake = group.family == "gaen.known_mistakes" && place.starts_with("/wrong_");
        if is_mistake || NOT_COMPUTED.contains(&(group.family.as_str(), place.as_str())) {
            continue;
        }
        changed.expected = test.expected.clone();
        let leaf = changed.expected.pointer_mut(&place).unwrap();
        *leaf = another(leaf);
        if run(group, &changed) == Outcome::Passed {
            return Err(format!(
                "tc{} passes with {place} changed to {}",
                test.tc_id,
                another_of(&test.expected, &place)
            )
            .into());
        }
    }
    // Where nothing is expected, the verdict is all there is.
    if test.expected.is_null() && group.family != "gaen.known_mistakes" {
        changed = test.clone();
        changed.result = if test.result == Verdict::Valid { Verdict::Invalid } else { Verdict::Valid };
        changed.error = None;
        if run(group, &changed) == Outcome::Passed {
            return Err(format!("tc{} passes as {:?} too", test.tc_id, changed.result).into());
        }
    }
    if test.error.is_some() {
        changed = test.clone();
        changed.error = Some("another layer".to_owned());
        if run(group, &changed) == Outcome::Passed {
            return Err(format!("tc{} passes whatever layer refuses it", test.tc_id).into());
        }
    }
    Ok(())
}

/// The places of all numbers, texts and truths in a value.
fn leaves(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                leaves(element, format!("{place}/{index}"), places);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                leaves(member, format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Null if place.is_empty() => {}
        _ => places.push(place),
    }
}

fn another_of(expected: &Value, place: &str) -> Value {
    another(expected.pointer(place).unwrap())
}

/// Something else of the same kind.
fn another(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => match number.as_i64() {
            // Far enough from what any tolerance allows, and in range for every family.
            Some(integer) => json!(if integer > 1 { integer - 1 } else { integer + 1 }),
            None => json!(number.as_f64().unwrap() + 1.0),
        },
        // The last digit of hexadecimal, or the last letter.
        Value::String(text) => {
            let end = if text.ends_with('0') { "1" } else { "0" };
            let kept: String = text.chars().take(text.chars().count().saturating_sub(1)).collect();
            json!(format!("{kept}{end}"))
        }
        _ => json!(1),
    }
}

/// The command around it all.
const COMMAND: [(&str, fn()); 7] = [
    ("a_right_file_of_figures_passes", a_right_file_of_figures_passes),
    (
        "a_falsified_figure_exits_with_6_and_says_what_was_computed",
        a_falsified_figure_exits_with_6_and_says_what_was_computed,
    ),
    ("the_right_key_is_no_mistake", the_right_key_is_no_mistake),
    ("an_unknown_family_is_named_and_not_passed", an_unknown_family_is_named_and_not_passed),
    ("a_file_that_is_no_vectors_exits_with_3", a_file_that_is_no_vectors_exits_with_3),
    ("all_built_in_vectors_pass", all_built_in_vectors_pass),
    ("exported_vectors_are_read_again", exported_vectors_are_read_again),
];

const FIGURE: &str = r#"{ "schema": "cwa.crypto-vectors-extra/1", "metadata_decode": [
    { "metadata": "50f40000", "major": 1, "minor": 1, "calibration_confidence": 0, "tx_power_dbm": -12 } ] }"#;

fn cwa(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwa")).args(arguments).output().unwrap()
}

/// Runs the vectors of a file with this content; gives the exit code and the answer.
fn run_file(content: &str) -> (Option<i32>, Value) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vectors.json");
    fs::write(&path, content).unwrap();
    let output = cwa(&["vectors", "run", "--json", path.to_str().unwrap()]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn a_right_file_of_figures_passes() {
    let (code, answer) = run_file(FIGURE);
    assert_eq!((code, &answer["passed"], &answer["failed"]), (Some(0), &json!(1), &json!(0)), "{answer}");
    assert_eq!(answer["schema"], "cwa.vectors.run/1");
}

fn a_falsified_figure_exits_with_6_and_says_what_was_computed() {
    let (code, answer) = run_file(&FIGURE.replace("-12", "-13"));
    assert_eq!((code, &answer["passed"], &answer["failed"]), (Some(6), &json!(0), &json!(1)), "{answer}");
    let message = answer["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("-12") && message.contains("-13"), "{message}");
    assert_eq!(answer["failures"][0]["family"], "gaen.metadata");
}

fn the_right_key_is_no_mistake() {
    let figure = r#"{ "schema": "cwa.crypto-vectors-extra/1", "negative": [
        { "id": "right", "tek": "75c734c6dd1a782de7a965da5eb93125", "wrong_rpik": "RPIK", "expected": "differs_from_official" } ] }"#;
    assert_eq!(run_file(&figure.replace("RPIK", "20a460007f002b22ccf8f77d15eb8b3c")).0, Some(0));
    assert_eq!(run_file(&figure.replace("RPIK", "185ad91db69ec7dd048960f1f3ba6175")).0, Some(6));
}

fn an_unknown_family_is_named_and_not_passed() {
    let unknown =
        r#"{ "schema": "verify_vectors/1", "groups": [{ "id": "weather.rain", "cases": [{ "mm": 3 }] }] }"#;
    let (code, answer) = run_file(unknown);
    assert_eq!((code, &answer["passed"], &answer["failed"]), (Some(1), &json!(0), &json!(0)), "{answer}");
    assert_eq!(answer["skipped"][0]["family"], "weather.rain");
    assert!(answer["skipped"][0]["reason"].as_str().unwrap().contains("no family of this name"), "{answer}");
}

fn a_file_that_is_no_vectors_exits_with_3() {
    for content in [
        "",
        "{",
        "[]",
        r#"{ "schema": "weather/1" }"#,
        r#"{ "testGroups": [{ "type": "attenuation" }] }"#,
        "\u{feff}{}",
    ] {
        assert_eq!(run_file(content).0, Some(3), "{content:?}");
    }
    assert_eq!(cwa(&["vectors", "run", "/nonexistent/vectors.json"]).status.code(), Some(3));
}

fn all_built_in_vectors_pass() {
    let output = cwa(&["vectors", "run", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", answer["failures"]);
    assert_eq!(answer["failures"], json!([]));
    // The figures alone are about 200 cases.
    assert!(answer["passed"].as_u64().unwrap() > 200, "{}", answer["passed"]);
}

fn exported_vectors_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().to_str().unwrap();
    assert_eq!(cwa(&["vectors", "list", "--export", export]).status.code(), Some(0));
    let files: Vec<_> =
        fs::read_dir(directory.path().join("v1")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), builtin().count());
    assert!(directory.path().join("schemas/envelope_v1.json").is_file());
    let mut arguments = vec!["vectors", "list", "--json"];
    arguments.extend(files.iter().map(|path| path.to_str().unwrap()));
    let listed: Value = serde_json::from_slice(&cwa(&arguments).stdout).unwrap();
    let built_in: Value = serde_json::from_slice(&cwa(&["vectors", "list", "--json"]).stdout).unwrap();
    assert_eq!(listed["tests"], built_in["tests"]);
}
