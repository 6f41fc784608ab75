//! What stands in the bytes of a configuration beyond its parameters: fields that the format does not know, fields that
//! occur again, and numbers that are longer than they need to be.

use std::collections::BTreeSet;

use super::lint::Findings;
use crate::finding::Code;
use crate::reader::{Fields, Value};

use Kind::{Many, Message, Messages, One};

/// Tells it of a message that was decoded.
pub(super) fn look_at(content: &[u8], shape: Shape, findings: &mut Findings) {
    look_into(content, shape, "", findings);
}

/// A message: its fields by their numbers, from 1.
pub(super) type Shape = &'static [Kind];

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A number, text or bytes.
    One,
    /// Several of them, or a map, whose entries are numbers.
    Many,
    /// A message.
    Message(Shape),
    /// Several of one form.
    Messages(Shape),
}

/// Goes no deeper than the shape does.
fn look_into(content: &[u8], shape: Shape, place: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for field in Fields::new(content).flatten() {
        let number = field.number;
        let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        let Some(kind) = shape.get(index) else {
            findings.tell(Code::UnknownField, || format!("field {place}{number} is not known"));
            continue;
        };
        if !field.is_minimal {
            findings
                .tell(Code::NotCanonical, || format!("field {place}{number} is longer than it needs to be"));
        }
        if matches!(kind, One | Message(_)) && !seen.insert(number) {
            findings.tell(Code::RepeatedField, || format!("field {place}{number} occurs again"));
        }
        if let (Message(shape) | Messages(shape), Value::Bytes(content)) = (kind, field.value) {
            look_into(content, shape, &format!("{place}{number}."), findings);
        }
    }
}

const VERSION: Kind = Message(&[One; 3]);
const FEATURES: Kind = Message(&[Messages(&[One; 2])]);
const DAYS: Kind = Messages(&[One; 3]);
const HOURS: Kind = Messages(&[One; 4]);

/// Framework mode v1.
pub(super) const V1: Shape = &[
    One,
    Message(&[Messages(&[One; 4])]),
    Message(&[SCORES, One, SCORES, One, SCORES, One, SCORES, One]),
    Message(&[Message(&[One; 2]), Message(&[One; 3]), One, One]),
    Message(&[Message(&[VERSION; 2]); 2]),
    FEATURES,
    Many,
    Message(&[DAYS, HOURS]),
    Message(&[DAYS, HOURS, One, One]),
    Message(&[One]),
    Message(&[One; 2]),
];
const SCORES: Kind = Message(&[One; 8]);

/// Framework mode v2, Android.
pub(super) const V2_ANDROID: Shape = &[
    One,
    One,
    FEATURES,
    Many,
    Message(&[DAYS, HOURS, One, One, Messages(&[One])]),
    Message(&[One; 2]),
    RISK_CALCULATION,
    Message(&[Many, One, One]),
    Message(&[Many, Many, One, Many, One, Many]),
    One,
    One,
    One,
    One,
    One,
    One,
    One,
];

/// Framework mode v2, iOS.
pub(super) const V2_IOS: Shape = &[
    VERSION,
    VERSION,
    FEATURES,
    Many,
    Message(&[DAYS, HOURS, Messages(&[One])]),
    Message(&[One]),
    RISK_CALCULATION,
    Message(&[Many, One, Many, One, One, One, One, One, One, One, One, One, One, One]),
    One,
    One,
    One,
    One,
    One,
    One,
    One,
];

const RISK_CALCULATION: Kind = Message(&[
    Messages(&[RANGE, RANGE]),
    Messages(&[RANGE]),
    Messages(&[RANGE, One]),
    Messages(&[RANGE, One]),
    Messages(&[RANGE, One]),
    Message(&[One; 6]),
    One,
    Messages(&[One; 2]),
    One,
]);
const RANGE: Kind = Message(&[One; 4]);
