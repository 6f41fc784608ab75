//! From what was heard of one key to the exposures that framework v1 makes of it.

use alloc::vec::Vec;

use cwa_crypto::{Attenuation, ENIntervalNumber, UnixTime};

use super::parameters::AttenuationThresholds;
use crate::exact::Exact;
use crate::explain::Step;

/// One received frame that a published key turned out to have sent.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_structs, reason = "complete: who, when and how strong is all a frame tells")]
pub struct Sighting {
    /// When it was received.
    pub seen_at: UnixTime,
    /// How much weaker it was received than sent.
    pub attenuation: Attenuation,
    /// The interval whose identifier it carried: tells one identifier of the key from the next.
    pub interval: ENIntervalNumber,
}

/// A scan in which a key was heard: when, and the attenuation of its strongest frame.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_structs, reason = "complete: when and how strong")]
pub struct Scan {
    /// When the strongest frame was received.
    pub at: UnixTime,
    /// The attenuation of the strongest frame.
    pub attenuation: Attenuation,
}

/// How far apart scans are and when an encounter ends; the defaults are the framework's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct EncounterRules {
    /// Seconds from scan to scan; half of it is added before the first and after the last scan of an encounter.
    pub scan_interval_seconds: u64,
    /// With more seconds than this between two scans the second one begins another encounter.
    pub maximum_gap_seconds: u64,
    /// Frames of one identifier that follow its first within this time belong to the same scan.
    pub scan_length_seconds: u64,
}

impl Default for EncounterRules {
    /// 300 s, 600 s, and 25 s: the framework's 25.5 s (1.5 times a scan of 4 s and a pause of 13 s) in whole seconds.
    fn default() -> Self {
        Self { scan_interval_seconds: 300, maximum_gap_seconds: 600, scan_length_seconds: 25 }
    }
}

/// The exposures to one key, in the order of time: one for every encounter without a gap of more than 10 minutes.
///
/// `sightings` are those of one key after matching (which drops replayed ones), in any order; the result does not
/// depend on the order. Frames of one identifier heard in one scan count as one, represented by the strongest. Of two
/// scans in the same second the stronger counts. (Google's `KeyExposureEvaluator`, published 2020.)
///
/// ```
/// use cwa_crypto::{Attenuation, ENIntervalNumber, UnixTime};
/// use cwa_risk::v1::{AttenuationThresholds, EncounterRules, Sighting, exposures};
///
/// let heard = |second, db| Sighting {
///     seen_at: UnixTime::from_secs(second),
///     attenuation: Attenuation::from_db(db),
///     interval: ENIntervalNumber::at(UnixTime::from_secs(second)),
/// };
/// let sightings = [heard(0, 40), heard(300, 60), heard(600, 80), heard(1300, 50)];
/// let thresholds = AttenuationThresholds::try_from((55, 63))?;
/// let exposures = exposures(&sightings, thresholds, EncounterRules::default());
/// assert_eq!(exposures.len(), 2);
/// assert_eq!(exposures[0].duration_seconds(), 900);
/// assert_eq!(exposures[0].attenuation().db(), 53);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use]
pub fn exposures(
    sightings: &[Sighting],
    thresholds: AttenuationThresholds,
    rules: EncounterRules,
) -> Vec<Exposure> {
    scans(sightings, rules)
        .chunk_by(|earlier, later| later.at.seconds_since(earlier.at) <= rules.maximum_gap_seconds)
        .filter_map(|encounter| Exposure::of(encounter, thresholds, rules))
        .collect()
}

/// The scans that the sightings of one key come from, in the order of time, no two in the same second.
///
/// A frame belongs to the scan that its identifier's first frame began, if it came within
/// [`EncounterRules::scan_length_seconds`] of it.
#[must_use]
pub fn scans(sightings: &[Sighting], rules: EncounterRules) -> Vec<Scan> {
    let mut sightings = sightings.to_vec();
    sightings.sort_unstable_by_key(|sighting| (sighting.interval, sighting.seen_at, sighting.attenuation));
    let mut scans = Vec::new();
    let mut rest = sightings.as_slice();
    while let Some(first) = rest.first() {
        let belongs = |frame: &Sighting| {
            frame.interval == first.interval
                && frame.seen_at.seconds_since(first.seen_at) <= rules.scan_length_seconds
        };
        let (frames, others) = rest.split_at(rest.partition_point(belongs));
        let strongest = frames.iter().min_by_key(|frame| (frame.attenuation, frame.seen_at)).unwrap_or(first);
        scans.push(Scan { at: strongest.seen_at, attenuation: strongest.attenuation });
        rest = others;
    }
    in_order(&mut scans);
    scans
}

/// The time-weighted average of attenuations: exactly, and in whole dB with halves up. `None` without a scan.
///
/// The time from one scan to the next has the attenuation of the earlier one; half a scan interval (whole seconds) is
/// added before the first and after the last.
///
/// ```
/// use cwa_crypto::{Attenuation, UnixTime};
/// use cwa_risk::v1::{Scan, weighted_attenuation};
///
/// let scan = |second, db| Scan { at: UnixTime::from_secs(second), attenuation: Attenuation::from_db(db) };
/// // (6/2 * 1 + 10 * 1 + 40 * 4 + 6/2 * 5) / 56 = 3.36
/// let average = weighted_attenuation(&[scan(0, 1), scan(10, 4), scan(50, 5)], 6).unwrap();
/// assert_eq!(average.attenuation().db(), 3);
/// assert_eq!(format!("{:.2}", average.exact()), "3.36");
/// ```
#[must_use]
pub fn weighted_attenuation(scans: &[Scan], scan_interval_seconds: u64) -> Option<WeightedAttenuation> {
    let mut scans = scans.to_vec();
    in_order(&mut scans);
    WeightedAttenuation::of(&scans, scan_interval_seconds)
}

/// The duration of an encounter from the time between its first and its last scan: 300 s more, rounded to the nearest
/// 300 s, an exact half down. Not capped.
///
/// ```
/// use cwa_risk::v1::duration_seconds;
/// assert_eq!(duration_seconds(0), 300);
/// assert_eq!(duration_seconds(150), 300);
/// assert_eq!(duration_seconds(151), 600);
/// ```
#[must_use]
pub const fn duration_seconds(first_to_last_seconds: u64) -> u64 {
    const STEP: u64 = 300;
    let rest = first_to_last_seconds % STEP;
    let below = first_to_last_seconds - rest;
    below.saturating_add(if rest > STEP / 2 { 2 * STEP } else { STEP })
}

/// An encounter with one key, as framework v1 sees it (`ExposureInformation`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Exposure {
    first: UnixTime,
    last: UnixTime,
    weighted_attenuation: WeightedAttenuation,
    attenuation_durations: AttenuationDurations,
}

impl Exposure {
    /// The longest duration that the framework tells an app: 30 minutes.
    pub const REPORTED_DURATION_LIMIT_SECONDS: u64 = 1800;

    /// When the other phone was first heard.
    #[must_use]
    pub const fn first(&self) -> UnixTime {
        self.first
    }

    /// When it was last heard.
    #[must_use]
    pub const fn last(&self) -> UnixTime {
        self.last
    }

    /// The duration in seconds, a multiple of 300, at least 300 and without a cap: what the score is made of.
    #[must_use]
    pub const fn duration_seconds(&self) -> u64 {
        duration_seconds(self.last.seconds_since(self.first))
    }

    /// The duration in seconds as the framework tells it to the app: at most 30 minutes.
    #[must_use]
    pub fn reported_duration_seconds(&self) -> u64 {
        self.duration_seconds().min(Self::REPORTED_DURATION_LIMIT_SECONDS)
    }

    /// The attenuation averaged over time, in whole dB.
    #[must_use]
    pub fn attenuation(&self) -> Attenuation {
        self.weighted_attenuation.attenuation()
    }

    /// The attenuation averaged over time, before rounding.
    #[must_use]
    pub const fn weighted_attenuation(&self) -> WeightedAttenuation {
        self.weighted_attenuation
    }

    /// The time spent in each of the three attenuation ranges.
    ///
    /// The sum is the time from the first to the last scan and one scan interval: not the rounded duration.
    #[must_use]
    pub const fn attenuation_durations(&self) -> AttenuationDurations {
        self.attenuation_durations
    }

    /// How the attenuation was averaged.
    #[must_use]
    pub fn attenuation_step(&self) -> Step {
        let average = self.weighted_attenuation;
        Step::WeightedAttenuation { exact: average.exact(), attenuation_db: average.attenuation() }
    }

    /// The exposure that `scans` make, which are in order; `None` without a scan.
    fn of(scans: &[Scan], thresholds: AttenuationThresholds, rules: EncounterRules) -> Option<Self> {
        Some(Self {
            first: scans.first()?.at,
            last: scans.last()?.at,
            weighted_attenuation: WeightedAttenuation::of(scans, rules.scan_interval_seconds)?,
            attenuation_durations: AttenuationDurations::of(scans, rules.scan_interval_seconds, thresholds),
        })
    }
}

/// Attenuation averaged over time: exactly, and in whole dB.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct WeightedAttenuation {
    /// Not negative; saturates after more encounters than any memory holds.
    decibel_seconds: i128,
    /// Positive.
    seconds: i128,
}

impl WeightedAttenuation {
    /// The average before rounding, in dB.
    #[must_use]
    pub fn exact(self) -> Exact {
        Exact::lowest_terms(self.decibel_seconds, self.seconds)
    }

    /// The average in whole dB, halves up.
    #[must_use]
    pub fn attenuation(self) -> Attenuation {
        let (whole, rest) = (self.decibel_seconds / self.seconds, self.decibel_seconds % self.seconds);
        let rounded = if rest >= self.seconds - rest { whole + 1 } else { whole };
        // No average of bytes is above the largest byte.
        Attenuation::from_db(u8::try_from(rounded).unwrap_or(u8::MAX))
    }

    /// The average over the time of both.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            decibel_seconds: self.decibel_seconds.saturating_add(other.decibel_seconds),
            seconds: self.seconds.saturating_add(other.seconds),
        }
    }

    fn of(scans: &[Scan], scan_interval_seconds: u64) -> Option<Self> {
        let first = scans.first()?;
        let periods = periods(scans, scan_interval_seconds).map(|(seconds, attenuation)| Self {
            decibel_seconds: i128::from(seconds) * i128::from(attenuation.db()),
            seconds: seconds.into(),
        });
        let sum = periods.fold(Self { decibel_seconds: 0, seconds: 0 }, Self::plus);
        if sum.seconds == 0 {
            // One scan without an interval around it: nothing to average.
            return Some(Self { decibel_seconds: first.attenuation.db().into(), seconds: 1 });
        }
        Some(sum)
    }
}

/// Seconds spent in each of the three ranges that two attenuation thresholds make. Written `[low, mid, high]`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "[u64; 3]", into = "[u64; 3]")
)]
#[expect(clippy::exhaustive_structs, reason = "complete: two thresholds make three ranges")]
pub struct AttenuationDurations {
    /// Seconds below the low threshold.
    pub low: u64,
    /// Seconds from the low threshold to below the high one.
    pub mid: u64,
    /// Seconds from the high threshold on.
    pub high: u64,
}

impl AttenuationDurations {
    /// The sum, range by range; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            low: self.low.saturating_add(other.low),
            mid: self.mid.saturating_add(other.mid),
            high: self.high.saturating_add(other.high),
        }
    }

    /// Each range cut off at `seconds`: 1800 gives the values that the framework documents for its summary.
    #[must_use]
    pub fn capped_at(self, seconds: u64) -> Self {
        Self { low: self.low.min(seconds), mid: self.mid.min(seconds), high: self.high.min(seconds) }
    }

    fn of(scans: &[Scan], scan_interval_seconds: u64, thresholds: AttenuationThresholds) -> Self {
        periods(scans, scan_interval_seconds).fold(Self::default(), |durations, (seconds, attenuation)| {
            durations.plus(match attenuation {
                close if close < thresholds.low() => Self { low: seconds, ..Self::default() },
                middle if middle < thresholds.high() => Self { mid: seconds, ..Self::default() },
                _ => Self { high: seconds, ..Self::default() },
            })
        })
    }
}

impl From<[u64; 3]> for AttenuationDurations {
    fn from([low, mid, high]: [u64; 3]) -> Self {
        Self { low, mid, high }
    }
}

impl From<AttenuationDurations> for [u64; 3] {
    fn from(durations: AttenuationDurations) -> Self {
        [durations.low, durations.mid, durations.high]
    }
}

/// The time of an encounter in pieces of one attenuation each: seconds and attenuation.
fn periods(scans: &[Scan], scan_interval_seconds: u64) -> impl Iterator<Item = (u64, Attenuation)> {
    let half = scan_interval_seconds / 2;
    let before = scans.first().map(|first| (half, first.attenuation));
    let after = scans.last().map(|last| (half, last.attenuation));
    let between =
        scans.iter().zip(scans.iter().skip(1)).map(|(a, b)| (b.at.seconds_since(a.at), a.attenuation));
    before.into_iter().chain(between).chain(after)
}

/// Sorts by time; of several scans in one second the strongest remains.
fn in_order(scans: &mut Vec<Scan>) {
    scans.sort_unstable_by_key(|scan| (scan.at, scan.attenuation));
    scans.dedup_by_key(|scan| scan.at);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn heard(second: u64, db: u8) -> Sighting {
        Sighting {
            seen_at: UnixTime::from_secs(second),
            attenuation: Attenuation::from_db(db),
            interval: ENIntervalNumber::new(7),
        }
    }

    fn scan(second: u64, db: u8) -> Scan {
        Scan { at: UnixTime::from_secs(second), attenuation: Attenuation::from_db(db) }
    }

    fn exposures_to(sightings: &[Sighting]) -> Vec<Exposure> {
        exposures(sightings, AttenuationThresholds::try_from((55, 63)).unwrap(), EncounterRules::default())
    }

    #[test]
    fn nothing_heard_is_no_exposure() {
        assert_eq!(exposures_to(&[]), []);
        assert_eq!(weighted_attenuation(&[], 300), None);
    }

    #[test]
    fn one_frame_is_an_exposure_of_five_minutes() {
        let [exposure] = exposures_to(&[heard(1000, 40)]).try_into().unwrap();
        assert_eq!(exposure.duration_seconds(), 300);
        assert_eq!(exposure.attenuation().db(), 40);
        assert_eq!(exposure.attenuation_durations(), [300, 0, 0].into());
    }

    #[test]
    fn a_gap_of_600_seconds_continues_an_encounter_and_601_seconds_begin_another() {
        assert_eq!(exposures_to(&[heard(0, 40), heard(600, 40)]).len(), 1);
        assert_eq!(exposures_to(&[heard(0, 40), heard(601, 40)]).len(), 2);
    }

    #[test]
    fn frames_of_one_identifier_within_25_seconds_are_one_scan_of_the_strongest() {
        let rules = EncounterRules::default();
        assert_eq!(scans(&[heard(0, 60), heard(3, 50), heard(25, 55)], rules), [scan(3, 50)]);
        assert_eq!(scans(&[heard(0, 60), heard(26, 50)], rules), [scan(0, 60), scan(26, 50)]);
        // Measured from the scan's first frame, so that one frame a second all day does not become one scan.
        let every_second: Vec<_> = (0..60).map(|second| heard(second, 50)).collect();
        assert_eq!(scans(&every_second, rules), [scan(0, 50), scan(26, 50), scan(52, 50)]);
    }

    #[test]
    fn two_identifiers_of_a_key_are_two_scans() {
        let next = Sighting { interval: ENIntervalNumber::new(8), ..heard(603, 50) };
        assert_eq!(scans(&[next, heard(600, 60)], EncounterRules::default()), [scan(600, 60), scan(603, 50)]);
    }

    #[test]
    fn of_two_scans_in_one_second_the_stronger_counts() {
        let next = Sighting { interval: ENIntervalNumber::new(8), ..heard(600, 50) };
        assert_eq!(scans(&[heard(600, 60), next], EncounterRules::default()), [scan(600, 50)]);
        let both = weighted_attenuation(&[scan(0, 9), scan(0, 5), scan(10, 5)], 6).unwrap();
        assert_eq!(both.exact(), Exact::from(5_u8));
    }

    #[test]
    fn an_average_of_exactly_a_half_is_rounded_up() {
        let average = weighted_attenuation(&[scan(0, 52), scan(300, 53)], 600).unwrap();
        // 300 s at 52, 300 s at 52, 300 s at 53
        assert_eq!((average.exact(), average.attenuation().db()), (Exact::ratio(157, 3).unwrap(), 52));
        let average = weighted_attenuation(&[scan(0, 52), scan(0, 52), scan(1, 53)], 2).unwrap();
        assert_eq!((average.exact(), average.attenuation().db()), (Exact::ratio(157, 3).unwrap(), 52));
        let average = weighted_attenuation(&[scan(0, 52), scan(200, 53), scan(400, 53)], 0).unwrap();
        assert_eq!((average.exact(), average.attenuation().db()), ("52.5".parse().unwrap(), 53));
    }

    #[test]
    fn an_odd_scan_interval_is_halved_in_whole_seconds() {
        let average = weighted_attenuation(&[scan(0, 10), scan(1, 20)], 3).unwrap();
        // 1 s at 10, 1 s at 10, 1 s at 20
        assert_eq!(average.exact(), Exact::ratio(40, 3).unwrap());
        assert_eq!(weighted_attenuation(&[scan(5, 17)], 1).unwrap().exact(), Exact::from(17_u8));
    }

    #[test]
    fn time_at_a_threshold_belongs_to_the_range_above() {
        let exposures = exposures_to(&[heard(0, 54), heard(300, 55), heard(600, 62), heard(900, 63)]);
        let durations: Vec<_> = exposures.iter().map(Exposure::attenuation_durations).collect();
        assert_eq!(durations, vec![AttenuationDurations::from([450, 600, 150])]);
    }

    #[test]
    fn durations_are_rounded_to_five_minutes_and_reported_up_to_thirty() {
        for (span, duration) in [
            (0, 300),
            (150, 300),
            (151, 600),
            (299, 600),
            (450, 600),
            (451, 900),
            (1500, 1800),
            (1650, 1800),
            (1651, 2100),
        ] {
            assert_eq!(duration_seconds(span), duration, "{span}");
        }
        let long: Vec<_> = (0..=8).map(|n| heard(300 * n, 40)).collect();
        let [exposure] = exposures_to(&long).try_into().unwrap();
        assert_eq!((exposure.duration_seconds(), exposure.reported_duration_seconds()), (2700, 1800));
        assert_eq!(exposure.attenuation_durations().capped_at(1800), [1800, 0, 0].into());
    }

    #[test]
    fn times_at_the_end_of_time_do_not_overflow() {
        let exposures = exposures(
            &[heard(0, 255), heard(u64::MAX, 255)],
            AttenuationThresholds::default(),
            EncounterRules {
                scan_interval_seconds: u64::MAX,
                maximum_gap_seconds: u64::MAX,
                scan_length_seconds: 0,
            },
        );
        assert_eq!(exposures.len(), 1);
        assert_eq!(exposures[0].attenuation().db(), 255);
        assert_eq!(exposures[0].duration_seconds(), u64::MAX);
    }
}
