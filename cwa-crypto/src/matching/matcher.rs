use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::judge::judge;
use super::statement::{HeardIntervals, Statement};
use super::{Matching, ReceivedIdentifiers, Rules};
use crate::diagnosis::DiagnosisKey;
use crate::tek::TemporaryExposureKey;
use crate::time::RollingPeriod;

/// Matches keys, which come in any number of pieces, against one store of received identifiers.
///
/// Pushing finds out which keys were heard; [`finish`](Self::finish) judges that under rules, as often as wanted.
/// Memory is needed for the keys that were heard, not for those that were pushed.
#[derive(Clone, Debug)]
pub struct Matcher<'a> {
    received: &'a ReceivedIdentifiers,
    keys_pushed: u64,
    statements: Vec<Statement>,
    /// The keys that statements are about.
    heard: BTreeSet<[u8; TemporaryExposureKey::LENGTH]>,
}

impl<'a> Matcher<'a> {
    /// A matcher that no key was pushed to.
    #[must_use]
    pub const fn new(received: &'a ReceivedIdentifiers) -> Self {
        Self { received, keys_pushed: 0, statements: Vec::new(), heard: BTreeSet::new() }
    }

    /// Looks for the identifiers of `keys`.
    pub fn push_keys(&mut self, keys: &[DiagnosisKey]) {
        self.push(keys, false);
    }

    /// Looks for the identifiers of keys that stood among the revised ones of their export, and replace what was said
    /// of them before.
    pub fn push_revised_keys(&mut self, keys: &[DiagnosisKey]) {
        self.push(keys, true);
    }

    /// The number of keys that were pushed, revised ones included.
    #[must_use]
    pub const fn keys_pushed(&self) -> u64 {
        self.keys_pushed
    }

    /// What the keys that were pushed say about what was received, in their order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What counts under `rules`, of all that was found so far.
    #[must_use]
    pub fn finish(&self, rules: Rules) -> Matching {
        judge(&self.statements, self.received, rules)
    }

    fn push(&mut self, keys: &[DiagnosisKey], is_revised: bool) {
        for &key in keys {
            let whole_day = DiagnosisKey { rolling_period: RollingPeriod::FULL_DAY, ..key };
            let mut heard = HeardIntervals::NONE;
            for (offset, (_, rpi)) in (0..).zip(whole_day.identifiers()) {
                if !self.received.sightings_of(rpi).is_empty() {
                    heard.insert(offset);
                }
            }
            if !heard.is_empty() || self.heard.contains(&key.key_data) {
                self.heard.insert(key.key_data);
                self.statements.push(Statement { number: self.keys_pushed, key, is_revised, heard });
            }
            self.keys_pushed += 1;
        }
    }
}

impl ReceivedIdentifiers {
    /// Finds out which of the sightings belong to `keys`, under `rules`.
    ///
    /// What is said last of a key and interval holds; the order of keys is of no other consequence. For keys that come
    /// in pieces, and for revised keys, there is [`Matcher`].
    #[must_use]
    pub fn find(&self, keys: impl IntoIterator<Item = DiagnosisKey>, rules: Rules) -> Matching {
        let mut matcher = Matcher::new(self);
        for key in keys {
            matcher.push_keys(&[key]);
        }
        matcher.finish(rules)
    }
}
