//! Which keys appear, vanish or change from one export to another.

use core::cmp::Ordering;

use crate::content::ExportContent;
use crate::key::RawKey;

/// The difference between the keys of two exports, in the order of their key data.
///
/// A key is the same if its bytes are, among new keys and among revised keys apart: one that is new in the first export
/// and revised in the second was removed there and added here. Takes O(n log n) time and 80 bytes for each key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ExportDiff<'a> {
    /// Keys of the second export alone.
    pub added: Vec<DiffKey<'a>>,
    /// Keys of the first export alone.
    pub removed: Vec<DiffKey<'a>>,
    /// Keys of both that say something else.
    pub changed: Vec<ChangedKey<'a>>,
}

impl<'a> ExportDiff<'a> {
    /// Compares the keys of two exports as they stand on the wire, usable or not.
    #[must_use]
    pub fn between(before: &ExportContent<'a>, after: &ExportContent<'a>) -> Self {
        Self::of(sorted(before), sorted(after))
    }

    /// Whether both have the same keys, each saying the same.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn of(before: Vec<DiffKey<'a>>, after: Vec<DiffKey<'a>>) -> Self {
        // First what is equal in everything, so that of several copies the one that changed is told.
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        merge(
            before,
            after,
            |one, other| one.whole().cmp(&other.whole()),
            |pair| match pair {
                (Some(one), None) => gone.push(one),
                (None, Some(other)) => new.push(other),
                _ => {}
            },
        );
        let mut diff = Self::default();
        merge(
            gone,
            new,
            |one, other| one.name().cmp(&other.name()),
            |pair| match pair {
                (Some(one), Some(other)) => {
                    diff.changed.push(ChangedKey { revised: one.revised, before: one.key, after: other.key })
                }
                (Some(one), None) => diff.removed.push(one),
                (None, Some(other)) => diff.added.push(other),
                (None, None) => {}
            },
        );
        diff
    }
}

/// A key of one of two exports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DiffKey<'a> {
    /// Whether it is a revised one.
    pub revised: bool,
    /// What stands in the file.
    pub key: RawKey<'a>,
}

/// Key data, and whether it is a revised key.
type Name<'a> = (Option<&'a [u8]>, bool);

impl<'a> DiffKey<'a> {
    /// By what it is the same key.
    const fn name(&self) -> Name<'a> {
        (self.key.key_data, self.revised)
    }

    /// The same, and what is said of it.
    const fn whole(&self) -> (Name<'a>, [Option<i32>; MEMBERS.len()]) {
        (self.name(), numbers(&self.key))
    }
}

/// A key of both exports that says something else in the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChangedKey<'a> {
    /// Whether it is a revised one.
    pub revised: bool,
    /// What the first export says.
    pub before: RawKey<'a>,
    /// What the second says.
    pub after: RawKey<'a>,
}

impl ChangedKey<'_> {
    /// The members that differ, by their names in the format, with what they were and what they are.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, Option<i32>, Option<i32>)> {
        let pairs = numbers(&self.before).into_iter().zip(numbers(&self.after));
        MEMBERS
            .into_iter()
            .zip(pairs)
            .filter(|(_, (before, after))| before != after)
            .map(|(name, (before, after))| (name, before, after))
    }
}

/// The members beside the key data, by their names in the format.
const MEMBERS: [&str; 6] = [
    "transmission_risk_level",
    "rolling_start_interval_number",
    "rolling_period",
    "report_type",
    "days_since_onset_of_symptoms",
    "variant_of_concern",
];

const fn numbers(key: &RawKey<'_>) -> [Option<i32>; MEMBERS.len()] {
    [
        key.transmission_risk_level,
        key.rolling_start_interval_number,
        key.rolling_period,
        key.report_type,
        key.days_since_onset_of_symptoms,
        key.variant_of_concern,
    ]
}

fn sorted<'a>(content: &ExportContent<'a>) -> Vec<DiffKey<'a>> {
    let new = content.raw_keys().map(|key| DiffKey { revised: false, key });
    let revised = content.raw_revised_keys().map(|key| DiffKey { revised: true, key });
    let mut keys: Vec<_> = new.chain(revised).collect();
    keys.sort_unstable_by_key(DiffKey::whole);
    keys
}

/// Walks through two sorted lists at once: what is equal in both comes as a pair.
fn merge<T>(
    before: Vec<T>,
    after: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
    mut take: impl FnMut((Option<T>, Option<T>)),
) {
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => compare(one, other),
        };
        let one = if order.is_le() { before.next() } else { None };
        let other = if order.is_ge() { after.next() } else { None };
        take((one, other));
    }
}

#[cfg(test)]
mod tests {
    use cwa_crypto::{RollingPeriod, UnixTime};

    use super::*;
    use crate::{Export, ExportKey};

    fn key(id: u8, period: u8) -> ExportKey {
        let mut key = ExportKey::new([id; 16]);
        key.rolling_period = Some(RollingPeriod::try_from(i64::from(period)).unwrap());
        key
    }

    fn export(keys: Vec<ExportKey>, revised: Vec<ExportKey>) -> Vec<u8> {
        let time = UnixTime::from_secs(1_595_376_000);
        let mut export = Export::new(time, time.plus(3600), "DE", Vec::new());
        (export.keys, export.revised_keys) = (keys, revised);
        export.encode(&[])
    }

    /// The first bytes of what was added, removed, changed.
    fn diff(before: &[u8], after: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (before, after) = (ExportContent::parse(before).unwrap(), ExportContent::parse(after).unwrap());
        let diff = ExportDiff::between(&before, &after);
        let id = |key: &RawKey<'_>| key.key_data.unwrap()[0];
        (
            diff.added.iter().map(|key| id(&key.key)).collect(),
            diff.removed.iter().map(|key| id(&key.key)).collect(),
            diff.changed.iter().map(|key| id(&key.before)).collect(),
        )
    }

    #[test]
    fn keys_appear_vanish_and_change_whatever_their_order() {
        let before = export(vec![key(3, 144), key(1, 144), key(2, 144)], vec![]);
        let after = export(vec![key(2, 144), key(4, 144), key(3, 100)], vec![]);
        assert_eq!(diff(&before, &after), (vec![4], vec![1], vec![3]));
        assert_eq!(diff(&before, &before), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_key_that_is_revised_now_was_removed_from_the_new_ones() {
        let before = export(vec![key(1, 144)], vec![]);
        let after = export(vec![], vec![key(1, 144)]);
        assert_eq!(diff(&before, &after), (vec![1], vec![1], vec![]));
    }

    #[test]
    fn of_several_copies_only_the_one_that_differs_is_told() {
        let before = export(vec![key(1, 10), key(1, 20)], vec![]);
        let after = export(vec![key(1, 20), key(1, 30), key(1, 40)], vec![]);
        assert_eq!(diff(&before, &after), (vec![1], vec![], vec![1]));
    }

    #[test]
    fn the_members_that_differ_have_their_names() {
        let (before, after) =
            (export(vec![key(1, 10)], vec![]), export(vec![ExportKey::new([1; 16])], vec![]));
        let (before, after) = (ExportContent::parse(&before).unwrap(), ExportContent::parse(&after).unwrap());
        let diff = ExportDiff::between(&before, &after);
        let members: Vec<_> = diff.changed[0].members().collect();
        assert_eq!(members, [("rolling_period", Some(10), None)]);
    }
}
