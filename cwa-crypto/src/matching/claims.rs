//! Which of several statements about one key hold.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::statement::{HeardIntervals, Statement};
use super::store::Store;
use super::{Copies, DropReason, ReportTypes, Revisions, Rules};
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::tek::TemporaryExposureKey;
use crate::time::{ENIntervalNumber, RollingPeriod};

/// What one statement says, and whether that holds.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// The number of the statement.
    number: u64,
    /// The key, with what later statements changed about it.
    pub(super) key: DiagnosisKey,
    pub(super) heard: HeardIntervals,
    /// Why it does not hold.
    pub(super) ignored: Option<DropReason>,
}

/// What `statements` come to under the rules for copies and revisions: the claims about each key, those about one key
/// that hold, and those that do not, each in the order in which they were made.
pub(super) fn claims(
    statements: &[Statement],
    received: &Store<'_>,
    rules: Rules,
) -> impl Iterator<Item = Claim> {
    let mut keys: BTreeMap<[u8; TemporaryExposureKey::LENGTH], Claims> = BTreeMap::new();
    for statement in statements {
        keys.entry(statement.key.key_data).or_default().add(statement, received, rules);
    }
    keys.into_values().flat_map(|mut claims| {
        claims.tell_revision();
        // One that a later copy took the place of was ignored after those that came between.
        claims.ignored.sort_by_key(|claim| claim.number);
        claims.replaced.into_iter().chain(claims.ignored).chain(claims.holding)
    })
}

/// The claims about one key.
#[derive(Default)]
struct Claims {
    holding: Vec<Claim>,
    ignored: Vec<Claim>,
    /// What a revised key took the place of.
    replaced: Vec<Claim>,
    /// The batch that the last copy stood in.
    batch: Option<u64>,
    /// Starts and periods that hold.
    schedules: BTreeSet<(ENIntervalNumber, RollingPeriod)>,
    /// Whether a copy has changed the report type.
    is_changed: bool,
    /// Whether one of the key's identifiers was received in its time, whatever else there is to say about that.
    has_matched: bool,
    /// Intervals of whose identifiers nothing was received in time, so that copies need not ask again.
    unmatched: BTreeSet<ENIntervalNumber>,
    /// The last revised key, if it changes what was said before, and how many of the claims that hold it changes.
    revision: Option<(DiagnosisKey, usize)>,
}

impl Claims {
    fn add(&mut self, statement: &Statement, received: &Store<'_>, rules: Rules) {
        let claim =
            Claim { number: statement.number, key: statement.key, heard: statement.heard, ignored: None };
        let ignored =
            if statement.is_revised { self.revise(statement, rules) } else { self.copy(statement, rules) };
        if ignored.is_some() {
            self.ignored.push(Claim { ignored, ..claim });
            return;
        }
        if rules.revisions() == Revisions::OfMatchedKeys && !self.has_matched {
            self.has_matched = claim.was_in_time(received, rules, &mut self.unmatched);
        }
        self.holding.push(claim);
    }

    /// What a revised key does to the claims before it, and why it does not hold itself.
    fn revise(&mut self, statement: &Statement, rules: Rules) -> Option<DropReason> {
        match rules.revisions() {
            Revisions::Replace => {
                let mut replaced = core::mem::take(&mut self.replaced);
                let reason = Some(DropReason::Replaced);
                let before = self.ignored.drain(..).chain(self.holding.drain(..));
                replaced.extend(before.map(|claim| Claim { ignored: reason, ..claim }));
                *self = Self { replaced, ..Self::default() };
                None
            }
            Revisions::AreCopies => self.copy(statement, rules),
            Revisions::Unread => Some(DropReason::RevisionIgnored),
            Revisions::OfMatchedKeys => {
                if self.has_matched {
                    // Said at the end: a later revision changes all that this one does.
                    self.revision = Some((statement.key, self.holding.len()));
                }
                Some(DropReason::RevisionIgnored)
            }
        }
    }

    /// What a copy does to the claims before it, and why it does not hold itself.
    fn copy(&mut self, statement: &Statement, rules: Rules) -> Option<DropReason> {
        let key = statement.key;
        match rules.copies() {
            Copies::LastStatement => None,
            Copies::FirstWithTransition => self.copy_with_transition(key, rules),
            Copies::LastOfBatch { keys } => {
                let batch = statement.number.checked_div(keys);
                if batch == self.batch {
                    let earlier = self.holding.pop();
                    let ignored = Some(DropReason::CopyIgnored);
                    self.ignored.extend(earlier.map(|claim| Claim { ignored, ..claim }));
                }
                self.batch = batch;
                None
            }
            Copies::FirstOfStartAndPeriod => {
                let is_new = self.schedules.insert((key.rolling_start_interval_number, key.rolling_period));
                (!is_new).then_some(DropReason::CopyIgnored)
            }
        }
    }

    fn tell_revision(&mut self) {
        if let Some((key, count)) = self.revision {
            self.holding.iter_mut().take(count).for_each(|claim| claim.say(key));
        }
    }

    fn copy_with_transition(&mut self, key: DiagnosisKey, rules: Rules) -> Option<DropReason> {
        if rules.report_types() == ReportTypes::RevokedOrRecursive
            && key.report_type == Some(ReportType::Recursive)
        {
            return Some(DropReason::Recursive);
        }
        let first = self.holding.first_mut()?;
        let is_same_period = first.key.rolling_period == key.rolling_period;
        if is_same_period && !self.is_changed && may_follow(first.key.report_type, key.report_type) {
            first.say(key);
            self.is_changed = true;
        }
        Some(DropReason::CopyIgnored)
    }
}

impl Claim {
    /// Takes over what another statement says of the key, but not when the key was on air.
    const fn say(&mut self, other: DiagnosisKey) {
        self.key = DiagnosisKey {
            rolling_start_interval_number: self.key.rolling_start_interval_number,
            rolling_period: self.key.rolling_period,
            ..other
        };
    }

    /// Whether one of the key's identifiers was received in its time, asking but once for each interval.
    fn was_in_time(
        &self,
        received: &Store<'_>,
        rules: Rules,
        unmatched: &mut BTreeSet<ENIntervalNumber>,
    ) -> bool {
        let key = self.key;
        let rpik = key.temporary_exposure_key().rolling_proximity_identifier_key();
        let mut offsets = self.heard.iter().filter(|offset| *offset < key.rolling_period.get());
        offsets.any(|offset| {
            key.rolling_start_interval_number.checked_add(offset.into()).is_some_and(|interval| {
                unmatched.insert(interval) && {
                    let sightings = received.sightings_of(rpik.identifier(interval), interval);
                    sightings.iter().any(|sighting| rules.tolerance().contains(interval, sighting.seen_at))
                }
            })
        })
    }
}

/// Whether a report of type `later` may follow one of type `earlier` about the same key.
const fn may_follow(earlier: Option<ReportType>, later: Option<ReportType>) -> bool {
    use ReportType::{ConfirmedClinicalDiagnosis, ConfirmedTest, Revoked, SelfReport};
    match earlier {
        Some(SelfReport) => matches!(later, Some(ConfirmedTest | ConfirmedClinicalDiagnosis | Revoked)),
        Some(ConfirmedClinicalDiagnosis) => matches!(later, Some(ConfirmedTest | Revoked)),
        _ => false,
    }
}
