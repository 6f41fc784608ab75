#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builtin;
mod families;
mod figures;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use builtin::{builtin, schemas};
pub use families::{Family, families};

/// The description of the format, for people who write a runner of their own.
pub const README: &str = include_str!("../README.md");

/// A file of known answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct File {
    /// The name of the JSON schema that describes the file, such as `crypto_v1.json`; for a converted file, what it said itself.
    pub schema: String,
    /// Who made the file.
    #[serde(default)]
    pub source: Source,
    /// The document whose rules the cases test.
    #[serde(default)]
    pub spec: String,
    /// What each flag of the tests means.
    #[serde(default)]
    pub notes: BTreeMap<String, Note>,
    /// The tests, grouped by family and by the data that several tests share.
    pub test_groups: Vec<Group>,
}

/// Name and version of a collection of vectors.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// The collection.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// What a flag means: the kind of mistake that the flagged tests find, or where they come from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Note {
    /// The kind of mistake, in capitals: `MISSING_STEP`, `EDGE_CASE`, …
    pub bug_type: String,
    /// What went wrong in an implementation that fails here.
    pub description: String,
}

/// Tests of one family that share data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Group {
    /// The family: what is computed, and which members `input` and `expected` have. See [`families`].
    #[serde(rename = "type")]
    pub family: String,
    /// The tests.
    pub tests: Vec<Test>,
    /// What the tests of the group share, such as a public key, and where they come from.
    #[serde(flatten)]
    pub data: Map<String, Value>,
}

/// One known answer: one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Test {
    /// The number of the test, unique in its file and stable for ever.
    pub tc_id: u32,
    /// What the test is about.
    #[serde(default)]
    pub comment: String,
    /// What the test has in common with others; explained in [`File::notes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Whether the input has to be accepted.
    pub result: Verdict,
    /// What is computed from. Bytes are lower-case hexadecimal, times are Unix seconds.
    #[serde(default)]
    pub input: Value,
    /// What comes out.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub expected: Value,
    /// The layer that has to refuse an invalid input, so that a later check does not hide that an earlier one is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Which rule of that layer, in words of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far a computed number may be from the expected one, where the published figure was rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Where the figure was published, where that differs from test to test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What a reader ought to know about the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What has to become of an input.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "complete: the three words of Wycheproof's file format")]
pub enum Verdict {
    /// It has to be accepted, and to give what is expected.
    Valid,
    /// It has to be refused.
    Invalid,
    /// Both are in order: the rules differ from one published implementation to the next.
    Acceptable,
}

/// A file could not be read as test vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not JSON, or its members are not those of the format.
    #[error("not a file of test vectors")]
    Json(#[from] serde_json::Error),
    /// It is JSON, but neither in this crate's format nor in one that is converted.
    #[error("schema \"{schema}\" has neither testGroups nor a form that can be converted")]
    UnknownSchema {
        /// The `schema` member; empty where there is none.
        schema: String,
    },
    /// A converted file has no such member, or it is of another type.
    #[error("{place}: member \"{member}\" is missing or of another type")]
    Member {
        /// The case, such as `groups[3].cases[0]`.
        place: String,
        /// The member's name.
        member: &'static str,
    },
    /// Two tests have the same number.
    #[error("the number {tc_id} is given to two tests")]
    DuplicateTcId {
        /// The number.
        tc_id: u32,
    },
    /// A test has a flag that the notes do not explain.
    #[error("test {tc_id} has the flag \"{flag}\", which notes does not explain")]
    UnknownFlag {
        /// The test.
        tc_id: u32,
        /// The flag.
        flag: String,
    },
}

/// Reads a file of test vectors: this crate's format, or one of the collections it is made from.
///
/// Besides files with `testGroups`, files with these values of `schema` are understood and converted, each case becoming one test:
/// `cwa.crypto-vectors/1`, `cwa.crypto-vectors-extra/1`, `risk_vectors/1`, `verify_vectors/1`, `export-public-keys/1`.
/// In a converted file tests are numbered from 1 in the order of the file.
///
/// # Errors
///
/// [`ParseError::Json`] with line and column if it is not JSON or a member is missing; [`ParseError::UnknownSchema`] for JSON of another kind;
/// [`ParseError::DuplicateTcId`] and [`ParseError::UnknownFlag`] if the file contradicts itself.
///
/// # Examples
///
/// ```
/// let file = cwa_test_vectors::parse(r#"{
///     "schema": "crypto_v1.json",
///     "testGroups": [{
///         "type": "gaen.metadata",
///         "tests": [{ "tcId": 1, "result": "valid", "input": { "metadata": "40080000" }, "expected": { "tx_power_dbm": 8 } }]
///     }]
/// }"#)?;
/// assert_eq!(file.test_groups[0].tests[0].expected["tx_power_dbm"], 8);
/// # Ok::<(), cwa_test_vectors::ParseError>(())
/// ```
pub fn parse(json: &str) -> Result<File, ParseError> {
    // Straight into the types where possible: their errors have a line and a column.
    let document: Value = serde_json::from_str(json)?;
    let file = if document.get("testGroups").is_some() {
        serde_json::from_str(json)?
    } else {
        figures::convert(&document)?
    };
    check(&file)?;
    Ok(file)
}

fn check(file: &File) -> Result<(), ParseError> {
    let mut seen = BTreeSet::new();
    for test in file.test_groups.iter().flat_map(|group| &group.tests) {
        if !seen.insert(test.tc_id) {
            return Err(ParseError::DuplicateTcId { tc_id: test.tc_id });
        }
        if let Some(flag) = test.flags.iter().find(|flag| !file.notes.contains_key(*flag)) {
            return Err(ParseError::UnknownFlag { tc_id: test.tc_id, flag: flag.clone() });
        }
    }
    Ok(())
}

impl Group {
    /// The value itself, or, where it is a reference such as `#/cwa_v2_configs/android`, what the group's data has there.
    ///
    /// Large inputs that several tests share are written once, in the group.
    #[must_use]
    pub fn resolve<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        let Some(path) = value.as_str().and_then(|text| text.strip_prefix("#/")) else {
            return Some(value);
        };
        let mut steps = path.split('/');
        let first = self.data.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{ "schema": "x", "notes": { "F": { "bugType": "EDGE_CASE", "description": "d" } }, "testGroups": [
        { "type": "t", "shared": { "a": { "b": 5 } }, "tests": [
            { "tcId": 1, "result": "valid", "flags": ["F"], "input": "\#/shared/a" },
            { "tcId": 2, "result": "invalid", "input": 1, "error": "key" } ] } ] }"#;

    fn small() -> String {
        SMALL.replace("\\#", "#")
    }

    #[test]
    fn what_was_read_is_written_back_the_same() {
        let file = parse(&small()).unwrap();
        let written = serde_json::to_string(&file).unwrap();
        assert_eq!(parse(&written).unwrap(), file);
        assert_eq!(file.test_groups[0].tests[1].error.as_deref(), Some("key"));
    }

    #[test]
    fn a_reference_is_looked_up_in_the_data_of_the_group() {
        let file = parse(&small()).unwrap();
        let group = &file.test_groups[0];
        assert_eq!(group.resolve(&group.tests[0].input), Some(&serde_json::json!({ "b": 5 })));
        assert_eq!(group.resolve(&group.tests[1].input), Some(&serde_json::json!(1)));
        assert_eq!(group.resolve(&serde_json::json!("#/shared/c")), None);
        assert_eq!(group.resolve(&serde_json::json!("#/")), None);
    }

    #[test]
    fn two_tests_with_one_number_are_refused() {
        let error = parse(&small().replace("\"tcId\": 2", "\"tcId\": 1")).unwrap_err();
        assert!(matches!(error, ParseError::DuplicateTcId { tc_id: 1 }), "{error:?}");
    }

    #[test]
    fn a_flag_without_a_note_is_refused() {
        let error = parse(&small().replace("[\"F\"]", "[\"G\"]")).unwrap_err();
        assert!(matches!(error, ParseError::UnknownFlag { tc_id: 1, .. }), "{error:?}");
    }

    #[test]
    fn a_result_of_another_name_and_a_misspelt_member_are_refused_with_their_place() {
        for (from, to) in [("\"invalid\"", "\"wrong\""), ("\"error\"", "\"eror\"")] {
            let error = parse(&small().replace(from, to)).unwrap_err();
            let ParseError::Json(error) = error else { panic!("{error:?}") };
            assert_eq!(error.line(), 4, "{error}");
        }
    }

    #[test]
    fn json_of_another_kind_is_named() {
        let error = parse(r#"{ "schema": "weather/1" }"#).unwrap_err();
        assert!(error.to_string().contains("weather/1"), "{error}");
        assert!(matches!(parse("[]"), Err(ParseError::UnknownSchema { .. })));
        assert!(matches!(parse("{"), Err(ParseError::Json(_))));
    }

    #[test]
    fn every_builtin_file_is_read_and_has_only_known_families() {
        let known: BTreeSet<&str> = families().iter().map(|family| family.name).collect();
        let mut used = BTreeSet::new();
        for (name, json) in builtin() {
            let file = parse(json).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            for group in file.test_groups {
                assert!(known.contains(group.family.as_str()), "{name}: {}", group.family);
                assert!(!group.tests.is_empty(), "{name}: {}", group.family);
                used.insert(group.family);
            }
        }
        assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    }
}
