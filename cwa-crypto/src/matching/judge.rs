//! From what was heard to what counts: the rules applied to the statements that keys make.

use alloc::collections::BTreeMap;

use super::claims::{Claim, claims};
use super::rules::{FrameReading, read_frame};
use super::statement::Statement;
use super::store::Store;
use super::{DropReason, Dropped, Match, Matching, Replay, ReportTypes, Rules, Sighting};
use crate::aem::AssociatedEncryptedMetadataKey;
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::metadata::BluetoothMetadata;
use crate::tek::TemporaryExposureKey;
use crate::time::{ENIntervalNumber, UnixTime};

type KeyData = [u8; TemporaryExposureKey::LENGTH];

/// Judges what `statements`, in the order in which they were made, say about the sightings in `received`.
pub(super) fn judge(statements: &[Statement], received: &Store<'_>, rules: Rules) -> Matching {
    let mut matching = Matching::default();
    for ((_, interval), word) in last_words(claims(statements, received, rules), rules) {
        let tek = word.key.temporary_exposure_key();
        let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
        let mut judge = Judge {
            rules,
            word,
            interval,
            aemk: tek.associated_encrypted_metadata_key(),
            first_seen_at: None,
        };
        for sighting in received.sightings_of(rpi, interval) {
            match judge.weigh(sighting) {
                Ok(found) => matching.matches.push(found),
                Err(reason) => {
                    matching.dropped.push(Dropped { key: word.key, interval, sighting, reason });
                }
            }
        }
    }
    matching.matches.sort_by_key(|m| (m.sighting.seen_at, m.sighting, m.interval, m.key));
    matching.dropped.sort_by_key(|d| (d.sighting.seen_at, d.sighting, d.interval, d.key));
    matching
}

/// What is said about an interval.
#[derive(Clone, Copy)]
struct Word {
    key: DiagnosisKey,
    /// Why no sighting of its identifier counts.
    against: Option<DropReason>,
    /// How much it weighs: a claim that holds and covers the interval, one that would but does not hold, one that holds
    /// and does not cover it, one that does neither, one that a revised key took the place of.
    weight: u8,
}

impl Word {
    fn new(claim: &Claim, offset: u8, rules: Rules) -> Self {
        let key = claim.key;
        let covers = offset < key.rolling_period.get();
        let outside = (!covers)
            .then_some(DropReason::OutsideRollingPeriod { offset, rolling_period: key.rolling_period });
        let weight = match (claim.ignored, covers) {
            (Some(DropReason::Replaced), _) => 0,
            (None, true) => 4,
            (Some(_), true) => 3,
            (None, false) => 2,
            (Some(_), false) => 1,
        };
        Self { key, against: claim.ignored.or_else(|| by_report_type(key, rules)).or(outside), weight }
    }
}

/// Recursive keys make no claim that holds where they match nothing.
fn by_report_type(key: DiagnosisKey, rules: Rules) -> Option<DropReason> {
    let is_read = rules.report_types() != ReportTypes::Unread;
    (is_read && key.report_type == Some(ReportType::Revoked)).then_some(DropReason::Revoked)
}

/// For each key and interval that was heard, what is said of it last by those who weigh most.
///
/// A claim that covers an interval outweighs one that does not: a mere copy, even with a shorter period, hides nothing.
fn last_words(
    claims: impl Iterator<Item = Claim>,
    rules: Rules,
) -> BTreeMap<(KeyData, ENIntervalNumber), Word> {
    let mut words: BTreeMap<(KeyData, ENIntervalNumber), Word> = BTreeMap::new();
    for claim in claims {
        for offset in claim.heard.iter() {
            let Some(interval) = claim.key.rolling_start_interval_number.checked_add(offset.into()) else {
                continue;
            };
            let spoken = Word::new(&claim, offset, rules);
            let word = words.entry((claim.key.key_data, interval)).or_insert(spoken);
            if spoken.weight >= word.weight {
                *word = spoken;
            }
        }
    }
    words
}

/// Weighs the sightings of one identifier, which come ordered by time.
struct Judge {
    rules: Rules,
    word: Word,
    interval: ENIntervalNumber,
    aemk: AssociatedEncryptedMetadataKey,
    /// What the replay rule counts from.
    first_seen_at: Option<UnixTime>,
}

impl Judge {
    fn weigh(&mut self, sighting: Sighting) -> Result<Match, DropReason> {
        if let Some(reason) = self.word.against {
            return Err(reason);
        }
        self.in_time(sighting.seen_at)?;
        if let Replay::AfterFirstInWindow { seconds } = self.rules.replay() {
            self.not_replayed(sighting.seen_at, seconds)?;
        }
        let keystream = self.aemk.keystream(sighting.rpi);
        let mut metadata_bytes = *sighting.aem.as_bytes();
        metadata_bytes.iter_mut().zip(keystream).for_each(|(byte, key)| *byte ^= key);
        let FrameReading { attenuation, calibration_confidence } =
            read_frame(self.rules, metadata_bytes, sighting.rssi_dbm)?;
        if let Replay::AfterFirstThatCounts { seconds } = self.rules.replay() {
            self.not_replayed(sighting.seen_at, seconds)?;
        }
        Ok(Match {
            key: self.word.key,
            interval: self.interval,
            sighting,
            metadata_bytes,
            metadata: BluetoothMetadata::decode(metadata_bytes),
            attenuation,
            calibration_confidence,
        })
    }

    fn in_time(&self, seen_at: UnixTime) -> Result<(), DropReason> {
        let tolerance = self.rules.tolerance();
        if !tolerance.contains(self.interval, seen_at) {
            let distance = tolerance.distance(self.interval, seen_at);
            return Err(DropReason::OutsideTimeWindow { distance, tolerance });
        }
        let starts_on = self.word.key.rolling_start_interval_number.start().day();
        if !self.rules.day_lookup().contains(starts_on, seen_at.day()) {
            return Err(DropReason::DayNotLookedUp { starts_on, seen_on: seen_at.day() });
        }
        match (self.rules.max_sighting_age_seconds(), self.rules.now()) {
            (Some(at_most_seconds), Some(now)) if now.seconds_since(seen_at) > at_most_seconds => {
                Err(DropReason::SightingTooOld { age_seconds: now.seconds_since(seen_at), at_most_seconds })
            }
            _ => Ok(()),
        }
    }

    fn not_replayed(&mut self, seen_at: UnixTime, at_most_seconds: u64) -> Result<(), DropReason> {
        let first_seen_at = *self.first_seen_at.get_or_insert(seen_at);
        if seen_at.seconds_since(first_seen_at) > at_most_seconds {
            return Err(DropReason::Replayed { first_seen_at, at_most_seconds });
        }
        Ok(())
    }
}
