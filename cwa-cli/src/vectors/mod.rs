//! Running known answers against the libraries: which family is computed by what.
//!
//! A runner reads `input` by the members' names, computes, and compares with `expected`; it knows families, never single cases, so that
//! new cases of a family need no new code. What a runner cannot compare it refuses as failed: a test that compared nothing has not passed.

use core::fmt::Display;

use cwa_test_vectors::{Group, Test, Verdict};
use serde::de::DeserializeOwned;
use serde_json::Value;

mod audit;
mod crypto;
mod export;
mod key_life_cycle;
mod known_mistakes;
mod risk;
mod verification_http;
mod verify;
mod writer;

/// What became of one test.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: a test passes, fails, or cannot be run")]
pub enum Outcome {
    /// Everything expected was computed.
    Passed,
    /// Something else was computed; the sentence says what was expected and what was found.
    Failed(String),
    /// This program computes nothing of that family.
    NoRunner,
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

/// A runner: the family, the group with the data its tests share, the test.
type Runner = fn(&str, &Group, &Test) -> Outcome;

/// One runner a library; each answers [`Outcome::NoRunner`] for families that are not its own.
const RUNNERS: &[Runner] = &[audit::run, crypto::run, export::run, risk::run, verify::run, writer::run];

/// Runs one test of a group.
#[must_use]
pub fn run(group: &Group, test: &Test) -> Outcome {
    RUNNERS
        .iter()
        .map(|runner| runner(&group.family, group, test))
        .find(|outcome| *outcome != Outcome::NoRunner)
        .unwrap_or(Outcome::NoRunner)
}

/// Why a check did not succeed.
pub(crate) enum Problem {
    /// The library refused the input.
    Refused {
        /// The layer that did, as `error` of a test names it.
        layer: &'static str,
        message: String,
    },
    /// Something else was computed, or the test cannot be read.
    Wrong(String),
}

impl Problem {
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Refused { layer, message } => format!("refused by {layer}: {message}"),
            Self::Wrong(message) => message,
        }
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::Wrong(message)
    }
}

/// The library's error, for use in `map_err`.
pub(crate) fn refused<E: Display>(layer: &'static str) -> impl FnOnce(E) -> Problem {
    move |error| Problem::Refused { layer, message: error.to_string() }
}

/// Holds the outcome of a check against what has to become of the input.
pub(crate) fn judge(result: Result<(), Problem>, test: &Test) -> Result<(), String> {
    match (test.result, result) {
        (Verdict::Valid | Verdict::Acceptable, Ok(()))
        | (Verdict::Acceptable, Err(Problem::Refused { .. })) => Ok(()),
        (Verdict::Invalid, Ok(())) => Err("accepted, but has to be refused".to_owned()),
        (Verdict::Invalid, Err(Problem::Refused { layer, message })) => match &test.error {
            Some(expected) if expected != layer => {
                Err(format!("has to be refused by {expected}, but was by {layer}: {message}"))
            }
            _ => Ok(()),
        },
        (_, Err(problem)) => Err(problem.into_message()),
    }
}

/// A member of an input or of an expectation, as the type that is asked for.
pub(crate) fn member<T: DeserializeOwned>(value: &Value, name: &str) -> Result<T, String> {
    let found = value.get(name).ok_or_else(|| format!("there is no member \"{name}\""))?;
    T::deserialize(found).map_err(|error| format!("member \"{name}\" is {found}: {error}"))
}

/// The same, `None` where the member is absent or `null`.
pub(crate) fn optional<T: DeserializeOwned>(value: &Value, name: &str) -> Result<Option<T>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => member(value, name).map(Some),
    }
}

/// A member in hexadecimal, or a list of parts with how often each stands there, for files too long to be written out.
pub(crate) fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, String> {
    /// More than any limit that is tested.
    const MAX_BYTES: usize = 256 << 20;
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Bytes {
        Whole(String),
        Parts(Vec<(String, usize)>),
    }
    let decode = |text: &str| {
        hex::decode(text).map_err(|error| format!("member \"{name}\" is not hexadecimal: {error}"))
    };
    match member(value, name)? {
        Bytes::Whole(text) => decode(&text),
        Bytes::Parts(parts) => {
            let mut bytes = Vec::new();
            for (text, times) in parts {
                let part = decode(&text)?;
                if part.len().saturating_mul(times).saturating_add(bytes.len()) > MAX_BYTES {
                    return Err(format!("member \"{name}\" is longer than {MAX_BYTES} bytes"));
                }
                bytes.extend(part.repeat(times));
            }
            Ok(bytes)
        }
    }
}

/// Fails if what was computed is not what was expected.
pub(crate) fn same<T: PartialEq + core::fmt::Debug>(
    what: &str,
    computed: &T,
    expected: &T,
) -> Result<(), String> {
    if computed == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, computed {computed:?}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_read_as_what_is_asked_for_or_named_in_the_error() {
        let value = json!({ "a": 5, "b": "0aff", "c": null });
        assert_eq!(member::<u8>(&value, "a"), Ok(5));
        assert_eq!(bytes(&value, "b"), Ok(vec![0x0a, 0xff]));
        assert_eq!(optional::<u8>(&value, "c"), Ok(None));
        assert_eq!(optional::<u8>(&value, "d"), Ok(None));
        assert!(member::<String>(&value, "a").unwrap_err().contains("\"a\""));
        assert!(member::<u8>(&value, "d").unwrap_err().contains("\"d\""));
        assert!(optional::<u8>(&value, "b").is_err());
    }

    #[test]
    fn a_difference_names_both_sides() {
        assert_eq!(same("score", &1, &1), Ok(()));
        assert_eq!(same("score", &1, &2), Err("score: expected 2, computed 1".to_owned()));
        assert_eq!(
            Outcome::from(same("score", &1, &2)),
            Outcome::Failed("score: expected 2, computed 1".to_owned())
        );
    }

    #[test]
    fn a_family_that_nobody_computes_has_no_runner() {
        let file = r#"{ "schema": "x", "testGroups": [{ "type": "weather", "tests": [{ "tcId": 1, "result": "valid" }] }] }"#;
        let file = cwa_test_vectors::parse(file).unwrap();
        let group = &file.test_groups[0];
        assert_eq!(run(group, &group.tests[0]), Outcome::NoRunner);
    }
}
