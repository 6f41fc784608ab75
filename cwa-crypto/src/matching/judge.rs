//! From what was heard to what counts: the rules applied to the statements that keys make.

use alloc::collections::BTreeMap;

use super::statement::Statement;
use super::store::Store;
use super::{DropReason, Dropped, Match, Matching, Rules, Sighting};
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::metadata::Attenuation;
use crate::tek::TemporaryExposureKey;
use crate::time::ENIntervalNumber;

type KeyData = [u8; TemporaryExposureKey::LENGTH];

/// Judges what `statements`, in the order in which they were made, say about the sightings in `received`.
pub(super) fn judge(statements: &[Statement], received: &Store<'_>, rules: Rules) -> Matching {
    let mut matching = Matching::default();
    for ((_, interval), spoken) in last_words(statements) {
        let sightings = received.sightings_of(
            spoken.key.temporary_exposure_key().rolling_proximity_identifier_key().identifier(interval),
            interval,
        );
        matching.judge(spoken, interval, &sightings, rules);
    }
    matching.matches.sort_by_key(|m| (m.sighting.seen_at, m.sighting, m.interval, m.key));
    matching.dropped.sort_by_key(|d| (d.sighting.seen_at, d.sighting, d.interval, d.key));
    matching
}

/// The statement about an interval that holds.
#[derive(Clone, Copy)]
struct Spoken {
    key: DiagnosisKey,
    /// Whether the interval lies within the statement's rolling period.
    is_valid: bool,
}

/// For each key and interval that was heard, what is said of it last.
///
/// A revised key replaces all that was said of the key before. A mere copy, even with a shorter period, hides nothing:
/// it speaks of its own intervals only.
fn last_words(statements: &[Statement]) -> BTreeMap<(KeyData, ENIntervalNumber), Spoken> {
    let mut words: BTreeMap<(KeyData, ENIntervalNumber), Spoken> = BTreeMap::new();
    for statement in statements {
        let key = statement.key;
        if statement.is_revised {
            words.retain(|(key_data, _), _| *key_data != key.key_data);
        }
        for offset in statement.heard.iter() {
            let Some(interval) = key.rolling_start_interval_number.checked_add(offset.into()) else {
                continue;
            };
            let spoken = Spoken { key, is_valid: offset < key.rolling_period.get() };
            let word = words.entry((key.key_data, interval)).or_insert(spoken);
            if spoken.is_valid || !word.is_valid {
                *word = spoken;
            }
        }
    }
    words
}

impl Matching {
    /// Sorts the sightings of one identifier, which are ordered by time, into matches and drops.
    fn judge(&mut self, spoken: Spoken, interval: ENIntervalNumber, sightings: &[Sighting], rules: Rules) {
        let key = spoken.key;
        let aemk = key.temporary_exposure_key().associated_encrypted_metadata_key();
        let mut first_seen_at = None;
        for &sighting in sightings {
            let intervals_apart = interval.abs_diff(ENIntervalNumber::at(sighting.seen_at));
            let reason = if key.report_type == Some(ReportType::Revoked) {
                DropReason::Revoked
            } else if !spoken.is_valid {
                DropReason::OutsideRollingPeriod
            } else if intervals_apart > rules.tolerance_intervals() {
                DropReason::OutsideTimeWindow { intervals_apart }
            } else {
                let first_seen_at = *first_seen_at.get_or_insert(sighting.seen_at);
                if sighting.seen_at.seconds_since(first_seen_at) <= rules.replay_seconds() {
                    let metadata = aemk.open_unauthenticated(sighting.rpi, sighting.aem);
                    let supported = metadata.ok().filter(|metadata| metadata.is_supported());
                    let attenuation = supported
                        .map(|metadata| Attenuation::between(metadata.transmit_power(), sighting.rssi_dbm));
                    self.matches.push(Match { key, interval, sighting, metadata, attenuation });
                    continue;
                }
                DropReason::Replayed { first_seen_at }
            };
            self.dropped.push(Dropped { key, interval, sighting, reason });
        }
    }
}
