//! Collections of known answers as they were gathered, turned into test groups.
//!
//! The rules are mechanical: a case becomes a test, its members keep their names, and a table says which of them are answers.
//! Nothing here knows a particular case, so that new cases of a family need no new code.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{File, Group, Note, ParseError, Source, Test, Verdict};

/// Turns a collection into a file of tests.
pub(crate) fn convert(document: &Value) -> Result<File, ParseError> {
    let schema = document.get("schema").and_then(Value::as_str).unwrap_or_default();
    let mut builder = Builder { next: 1, groups: Vec::new() };
    match schema {
        "cwa.crypto-vectors/1" => crypto(document, &mut builder)?,
        "cwa.crypto-vectors-extra/1" => extra_crypto(document, &mut builder)?,
        "risk_vectors/1" => risk(document, &mut builder)?,
        "verify_vectors/1" => verify(document, &mut builder)?,
        "export-public-keys/1" => public_keys(document, &mut builder)?,
        _ => return Err(ParseError::UnknownSchema { schema: schema.to_owned() }),
    }
    let note = |bug_type: &str, description: &str| Note {
        bug_type: bug_type.into(),
        description: description.into(),
    };
    Ok(File {
        schema: schema.to_owned(),
        source: Source { name: "figures".to_owned(), version: "1".to_owned() },
        spec: String::new(),
        notes: BTreeMap::from([
            (
                "Published".to_owned(),
                note("INTEROPERABILITY", "asserted by a test or a document of a published implementation"),
            ),
            (
                "Derived".to_owned(),
                note("EDGE_CASE", "follows from a rule that was read in a published implementation"),
            ),
            (
                "KnownMistake".to_owned(),
                note("WRONG_PRIMITIVE", "what an implementation with a known mistake computes"),
            ),
        ]),
        test_groups: builder.groups,
    })
}

/// Which members of a case of `verify_vectors/1` are answers; the others are input.
const ANSWERS: &[(&str, &[&str])] = &[
    ("client.request_padding_250", &["padding", "body_bytes", "expected_body_bytes"]),
    ("client.submission_sizes", &["bytes"]),
    ("cwa.distribution.expiry_policy", &["distribution_hour"]),
    ("cwa.distribution.shifting_policy", &["expect"]),
    ("cwa.submission_validation", &["status", "stored", "header", "origin_defaulted"]),
    ("cwa.trl_dsos_maps", &["dsos_from_trl", "trl_from_dsos", "default_trl", "trl_from_dsos_entries"]),
    ("cwa.verification_http", &["status"]),
    ("efgs.canonical", &["canonical_ascii", "sha256", "collides"]),
    ("efgs.canonical.csharp_cross_language", &["canonical_b64"]),
    ("efgs.canonical.proto_files", &["rollingStart", "rollingPeriod", "trl_raw", "canonical_ascii"]),
    ("efgs.http", &["status"]),
    ("efgs.upload_validation", &["valid"]),
    ("google.days_since_onset", &["days"]),
    ("google.publish_overlap", &["ok"]),
    ("google.publish_validation", &["ok"]),
    ("google.report_type_tr_backfill", &["tr_out"]),
    ("google.report_type_transition", &["ok"]),
    ("google.tekmac", &["cleartext", "hmac_b64"]),
    ("guid_hash.syntax", &["valid"]),
    ("hash.dob_guid", &["key_dob"]),
    ("hash.sha256_hex_at_rest", &["sha256"]),
    ("key_dob.syntax", &["valid"]),
    ("nl.luhn_mod_n", &["valid"]),
    ("qr.pcr_v1", &["valid", "guid", "guid_sha256"]),
    (
        "qr.rapid",
        &[
            "payload",
            "hash_preimage",
            "computed_hash",
            "valid",
            "incomplete_personal_data",
            "registration_key_sha256_of_hash",
        ],
    ),
    ("server.fake_delay_moving_average", &["expected_ms"]),
    ("server.response_sizes", &["json_bytes"]),
    ("teletan.alphabet", &["alphabet", "size", "body_len", "check_len", "body_entropy_bits", "space"]),
    ("teletan.check_digit", &["check"]),
    ("teletan.full.android", &["valid", "reason"]),
    ("teletan.full.ios", &["format_ok", "checksum_ok"]),
    ("teletan.server_syntax", &["server_syntax_ok", "checksum_ok"]),
    ("uuid4.syntax", &["valid"]),
];

/// Answers that say no when they are `false`.
const VERDICTS: &[&str] = &["valid", "ok", "format_ok", "checksum_ok", "server_syntax_ok"];

/// Families whose scenario is told by the name of the case alone, so that the name is input.
const NAMED: &[&str] = &["cwa.submission_validation", "efgs.canonical"];

const NONE: &[&str] = &[];

fn crypto(document: &Value, builder: &mut Builder) -> Result<(), ParseError> {
    let source = text(document, "source");
    let tests = cases(document, "cases")?
        .map(|(place, case)| {
            let mut split = Split::new(case, &place)?;
            split.answers(&["rpik", "aemk", "intervals"]);
            Ok(builder.test(split, &[]))
        })
        .collect::<Result<_, ParseError>>()?;
    builder.group("gaen.key_schedule", [("source", source)], tests);
    Ok(())
}

fn extra_crypto(document: &Value, builder: &mut Builder) -> Result<(), ParseError> {
    let lists: [(&str, &str, &[&str]); 4] = [
        ("cases", "gaen.identifiers", &["rpik", "aemk", "observations"]),
        ("ble_frames", "gaen.ble_frame", &["flags", "service_uuid16", "rpi", "aem"]),
        ("negative", "gaen.known_mistakes", &[]),
        ("metadata_decode", "gaen.metadata", &["major", "minor", "calibration_confidence", "tx_power_dbm"]),
    ];
    for (list, family, answers) in lists {
        if document.get(list).is_none() {
            continue;
        }
        let tests = cases(document, list)?
            .map(|(place, case)| {
                let mut split = Split::new(case, &place)?;
                if family == "gaen.known_mistakes" {
                    split.answers_that(|name| name.starts_with("wrong_"));
                    split.verdict = Verdict::Invalid;
                    split.input.remove("expected");
                    Ok(builder.test(split, &["KnownMistake"]))
                } else {
                    split.answers(answers);
                    Ok(builder.test(split, &[]))
                }
            })
            .collect::<Result<_, ParseError>>()?;
        builder.group(family, [], tests);
    }
    Ok(())
}

fn risk(document: &Value, builder: &mut Builder) -> Result<(), ParseError> {
    let mut families: Vec<(String, Vec<Test>)> = Vec::new();
    for (place, case) in cases(document, "vectors")? {
        let member = |member| ParseError::Member { place: place.clone(), member };
        let family = case.get("family").and_then(Value::as_str).ok_or_else(|| member("family"))?;
        let mut split = Split::new(case, &place)?;
        let input = split.input.remove("input").ok_or_else(|| member("input"))?;
        let expected = split.input.remove("expected").ok_or_else(|| member("expected"))?;
        let flag: &[&str] = match split.input.get("origin").and_then(Value::as_str) {
            Some("peer") => &["Published"],
            Some("derived") => &["Derived"],
            _ => &[],
        };
        let mut test = builder.test(split, flag);
        test.input = input;
        test.expected = expected;
        test.tolerance = case.get("tolerance").and_then(Value::as_f64);
        match families.iter_mut().find(|(name, _)| name == family) {
            Some((_, tests)) => tests.push(test),
            None => families.push((family.to_owned(), vec![test])),
        }
    }
    // Numbers follow the order in which the tests stand, not that in which the families were mixed.
    builder.next = 1;
    for (family, mut tests) in families {
        for test in &mut tests {
            test.tc_id = builder.number();
        }
        // Inputs refer to whatever tables the file has beside its cases.
        let tables = document.as_object().into_iter().flatten();
        let tables = tables.filter(|(name, value)| {
            let reference = format!("#/{name}/");
            value.is_object() && tests.iter().any(|test| refers(&test.input, &reference))
        });
        let tables: Vec<(&str, Option<Value>)> =
            tables.map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
        builder.group(&family, tables, tests);
    }
    Ok(())
}

fn verify(document: &Value, builder: &mut Builder) -> Result<(), ParseError> {
    for (place, group) in cases(document, "groups")? {
        let family = group
            .get("id")
            .and_then(Value::as_str)
            .ok_or_else(|| ParseError::Member { place: place.clone(), member: "id" })?;
        let answers = ANSWERS.iter().find(|(name, _)| *name == family).map_or(NONE, |(_, answers)| *answers);
        let flag: &[&str] = match group.get("kind").and_then(Value::as_str) {
            Some("vector") => &["Published"],
            Some(_) => &["Derived"],
            None => &[],
        };
        let mut tests = Vec::new();
        for (index, case) in cases(group, "cases")? {
            let mut split = Split::new(case, &format!("{place}.{index}"))?;
            if NAMED.contains(&family)
                && let Some(name) = case.get("name")
            {
                split.input.insert("name".to_owned(), name.clone());
            }
            split.answers(answers);
            tests.push(builder.test(split, flag));
        }
        let data = group.as_object().into_iter().flatten();
        let data = data.filter(|(name, _)| !["id", "cases", "type", "tests"].contains(&name.as_str()));
        let data: Vec<(&str, Option<Value>)> =
            data.map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
        builder.group(family, data, tests);
    }
    Ok(())
}

fn public_keys(document: &Value, builder: &mut Builder) -> Result<(), ParseError> {
    let tests = cases(document, "keys")?
        .map(|(place, case)| {
            let mut split = Split::new(case, &place)?;
            split.answers(&["spki_sha256"]);
            split.source = joined(split.input.remove("sources"));
            split.note = joined(split.input.remove("notes"));
            if let Some(id) = case.get("id") {
                split.input.insert("id".to_owned(), id.clone());
            }
            Ok(builder.test(split, &[]))
        })
        .collect::<Result<_, ParseError>>()?;
    builder.group("export.public_key", [], tests);
    Ok(())
}

/// Gives tests their numbers and collects the groups.
struct Builder {
    next: u32,
    groups: Vec<Group>,
}

impl Builder {
    fn number(&mut self) -> u32 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    fn test(&mut self, split: Split, flags: &[&str]) -> Test {
        Test {
            tc_id: self.number(),
            comment: split.comment.clone().or_else(|| first_scalar(&split.input)).unwrap_or_default(),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            result: split.verdict,
            input: Value::Object(split.input),
            expected: Value::Object(split.expected),
            error: None,
            reason: None,
            tolerance: None,
            source: split.source,
            note: split.note,
        }
    }

    fn group<'a>(
        &mut self,
        family: &str,
        data: impl IntoIterator<Item = (&'a str, Option<Value>)>,
        tests: Vec<Test>,
    ) {
        let data = data.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        self.groups.push(Group { family: family.to_owned(), tests, data: data.collect() });
    }
}

/// A case, taken apart into what is given and what is asked.
struct Split {
    comment: Option<String>,
    source: Option<String>,
    note: Option<String>,
    verdict: Verdict,
    input: Map<String, Value>,
    expected: Map<String, Value>,
}

impl Split {
    fn new(case: &Value, place: &str) -> Result<Self, ParseError> {
        let mut input = case
            .as_object()
            .cloned()
            .ok_or_else(|| ParseError::Member { place: place.to_owned(), member: "{}" })?;
        // Members about the case rather than of it.
        let id = input.remove("id").and_then(into_text);
        let name = input.remove("name").and_then(into_text);
        let source = input.remove("source").and_then(into_text);
        let note = input.remove("note").and_then(into_text);
        for about in ["recomputed", "verified", "rpi_computed_here", "kind"] {
            input.remove(about);
        }
        Ok(Self { comment: id.or(name), source, note, verdict: Verdict::Valid, input, expected: Map::new() })
    }

    fn answers(&mut self, names: &[&str]) {
        self.answers_that(|name| names.contains(&name));
    }

    fn answers_that(&mut self, is_answer: impl Fn(&str) -> bool) {
        let members = core::mem::take(&mut self.input);
        (self.expected, self.input) = members.into_iter().partition(|(name, _)| is_answer(name));
        let no = VERDICTS.iter().any(|name| self.expected.get(*name) == Some(&Value::Bool(false)));
        let refused = self.expected.get("status").and_then(Value::as_u64).is_some_and(|status| status >= 400);
        if no || refused {
            self.verdict = Verdict::Invalid;
        }
    }
}

/// The elements of a list with their places, such as `cases[3]`.
fn cases<'a>(
    document: &'a Value,
    list: &'static str,
) -> Result<impl Iterator<Item = (String, &'a Value)>, ParseError> {
    let elements = document
        .get(list)
        .and_then(Value::as_array)
        .ok_or(ParseError::Member { place: "the file".to_owned(), member: list })?;
    Ok(elements.iter().enumerate().map(move |(index, element)| (format!("{list}[{index}]"), element)))
}

fn text(document: &Value, member: &str) -> Option<Value> {
    document.get(member).filter(|value| value.is_string()).cloned()
}

/// What a case without a name is about: its first plain member.
fn first_scalar(input: &Map<String, Value>) -> Option<String> {
    input.iter().find_map(|(name, value)| match value {
        Value::String(text) if !text.is_empty() => Some(format!("{name} {text}")),
        Value::Number(number) => Some(format!("{name} {number}")),
        _ => None,
    })
}

fn into_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Several sentences as one.
fn joined(value: Option<Value>) -> Option<String> {
    let Some(Value::Array(texts)) = value else { return None };
    Some(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
}

fn refers(value: &Value, reference: &str) -> bool {
    match value {
        Value::String(text) => text.starts_with(reference),
        Value::Array(elements) => elements.iter().any(|element| refers(element, reference)),
        Value::Object(members) => members.values().any(|member| refers(member, reference)),
        _ => false,
    }
}
