//! What framework v1 hands to an app: exposures by key, by key and day, and a summary of all.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use cwa_crypto::{Attenuation, Day, TransmissionRiskLevel, UnixTime};

use super::exposure::{
    AttenuationDurations, EncounterRules, Exposure, Sighting, WeightedAttenuation, exposures,
};
use super::parameters::Parameters;
use super::score::{ExposureValues, TotalRiskScore, days_since_exposure, total_risk_score};

/// All exposures to one published key, scored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyExposures {
    /// Whole days from the key's beginning to now.
    pub days_since_exposure: u64,
    /// The level that came with the key.
    pub transmission_risk_level: TransmissionRiskLevel,
    /// In the order of time; at least one for a key that was sighted.
    pub exposures: Vec<ScoredExposure>,
}

impl KeyExposures {
    /// The exposures that the sightings of one key make, and their scores.
    ///
    /// `key_start` is the beginning of the key's first interval. `sightings` come from matching, in any order.
    ///
    /// ```
    /// use cwa_crypto::{Attenuation, ENIntervalNumber, TransmissionRiskLevel, UnixTime};
    /// use cwa_risk::v1::{EncounterRules, KeyExposures, Parameters, Sighting};
    ///
    /// let midnight = UnixTime::from_secs(1_595_376_000);
    /// let sightings: Vec<_> = (0..6).map(|n| midnight.plus(36_000 + 300 * n)).map(|seen_at| Sighting {
    ///     seen_at,
    ///     attenuation: Attenuation::from_db(50),
    ///     interval: ENIntervalNumber::at(seen_at),
    /// }).collect();
    /// let level = TransmissionRiskLevel::try_from(5)?;
    /// let now = midnight.plus(3 * 86_400);
    /// let key = KeyExposures::evaluate(
    ///     &sightings, midnight, level, &Parameters::default(), EncounterRules::default(), now,
    /// );
    /// assert_eq!(key.exposures.len(), 1);
    /// assert_eq!(key.exposures[0].exposure.duration_seconds(), 1800);
    /// assert_eq!(key.exposures[0].risk.score(), 4 * 4 * 4 * 4);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn evaluate(
        sightings: &[Sighting],
        key_start: UnixTime,
        transmission_risk_level: TransmissionRiskLevel,
        parameters: &Parameters,
        rules: EncounterRules,
        now: UnixTime,
    ) -> Self {
        let days_since_exposure = days_since_exposure(key_start, now);
        let exposures = exposures(sightings, parameters.attenuation_thresholds, rules);
        Self::score(exposures, days_since_exposure, transmission_risk_level, parameters)
    }

    /// The same from exposures that are already known.
    #[must_use]
    pub fn score(
        exposures: impl IntoIterator<Item = Exposure>,
        days_since_exposure: u64,
        transmission_risk_level: TransmissionRiskLevel,
        parameters: &Parameters,
    ) -> Self {
        let scored = |exposure: Exposure| {
            let values = ExposureValues {
                attenuation: exposure.attenuation(),
                duration_seconds: exposure.duration_seconds(),
                days_since_exposure,
                transmission_risk_level,
            };
            ScoredExposure { exposure, risk: total_risk_score(&values, parameters) }
        };
        Self {
            days_since_exposure,
            transmission_risk_level,
            exposures: exposures.into_iter().map(scored).collect(),
        }
    }

    /// The same exposures put together by UTC day, in the order of days.
    ///
    /// The architecture defines an exposure so: all encounters with one person on one calendar day. A key lives one
    /// day, so this is all that can be known of a person.
    #[must_use]
    pub fn by_day(&self) -> Vec<DayExposure> {
        let mut days: BTreeMap<Day, Vec<&ScoredExposure>> = BTreeMap::new();
        for scored in &self.exposures {
            days.entry(scored.exposure.first().day()).or_default().push(scored);
        }
        days.into_iter()
            .filter_map(|(day, encounters)| DayExposure::of(day, &encounters, self.transmission_risk_level))
            .collect()
    }
}

/// An exposure and its score.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair with names")]
pub struct ScoredExposure {
    /// The encounter.
    pub exposure: Exposure,
    /// Its risk.
    pub risk: TotalRiskScore,
}

/// All encounters with one key on one UTC day, as the architecture's app is told of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DayExposure {
    /// The day on which the encounters began.
    pub day: Day,
    /// How many encounters there were.
    pub encounter_count: usize,
    /// Their durations together, in seconds, without a cap.
    pub duration_seconds: u64,
    /// Their attenuation averaged over their durations, in whole dB, halves up.
    pub attenuation: Attenuation,
    /// The time spent in each attenuation range, without a cap.
    pub attenuation_durations: AttenuationDurations,
    /// The level that came with the key.
    pub transmission_risk_level: TransmissionRiskLevel,
    /// The highest score of the encounters.
    pub maximum_risk_score: u16,
}

impl DayExposure {
    /// The duration in seconds as an app is told it: at most 30 minutes.
    #[must_use]
    pub fn reported_duration_seconds(&self) -> u64 {
        self.duration_seconds.min(Exposure::REPORTED_DURATION_LIMIT_SECONDS)
    }

    fn of(day: Day, encounters: &[&ScoredExposure], level: TransmissionRiskLevel) -> Option<Self> {
        let exposures = || encounters.iter().map(|scored| scored.exposure);
        Some(Self {
            day,
            encounter_count: encounters.len(),
            duration_seconds: exposures()
                .map(|exposure| exposure.duration_seconds())
                .fold(0, u64::saturating_add),
            attenuation: exposures()
                .map(|exposure| exposure.weighted_attenuation())
                .reduce(WeightedAttenuation::plus)?
                .attenuation(),
            attenuation_durations: exposures()
                .map(|exposure| exposure.attenuation_durations())
                .fold(AttenuationDurations::default(), AttenuationDurations::plus),
            transmission_risk_level: level,
            maximum_risk_score: encounters.iter().map(|scored| scored.risk.score()).max()?,
        })
    }
}

/// What an app is told about all keys together (`ExposureSummary`, `ENExposureDetectionSummary`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExposureSummary {
    /// How many published keys were sighted; those below the minimum count too.
    pub matched_key_count: usize,
    /// Whole days since the latest key began; `None` without an exposure.
    pub days_since_last_exposure: Option<u64>,
    /// The highest score of all exposures.
    pub maximum_risk_score: u16,
    /// The sum of the scores of all exposures.
    pub summation_risk_score: u64,
    /// The time spent in each attenuation range, over all exposures, without a cap.
    #[cfg_attr(feature = "serde", serde(rename = "attenuation_durations_s"))]
    pub attenuation_durations: AttenuationDurations,
}

impl ExposureSummary {
    /// The summary of the exposures to all keys, in any order.
    ///
    /// ```
    /// use cwa_risk::v1::{BelowMinimum, ExposureSummary};
    /// assert_eq!(ExposureSummary::of(&[], BelowMinimum::ScoreIsZero).maximum_risk_score, 0);
    /// ```
    #[must_use]
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a KeyExposures>, below_minimum: BelowMinimum) -> Self {
        let mut summary = Self::default();
        for key in keys {
            summary.matched_key_count += usize::from(!key.exposures.is_empty());
            for ScoredExposure { exposure, risk } in &key.exposures {
                summary.include(
                    risk,
                    exposure.attenuation_durations(),
                    key.days_since_exposure,
                    below_minimum,
                );
            }
        }
        summary
    }

    /// Adds one exposure, in any order; the count of keys stays as it is.
    pub fn include(
        &mut self,
        risk: &TotalRiskScore,
        attenuation_durations: AttenuationDurations,
        days_since_exposure: u64,
        below_minimum: BelowMinimum,
    ) {
        if risk.is_below_minimum() && below_minimum == BelowMinimum::Dropped {
            return;
        }
        let days = self.days_since_last_exposure.get_or_insert(days_since_exposure);
        *days = days_since_exposure.min(*days);
        self.maximum_risk_score = self.maximum_risk_score.max(risk.score());
        self.summation_risk_score = self.summation_risk_score.saturating_add(risk.score().into());
        self.attenuation_durations = self.attenuation_durations.plus(attenuation_durations);
    }

    /// The attenuation durations as the frameworks document them for apps: at most 30 minutes each.
    #[must_use]
    pub fn reported_attenuation_durations(&self) -> AttenuationDurations {
        self.attenuation_durations.capped_at(Exposure::REPORTED_DURATION_LIMIT_SECONDS)
    }
}

/// What becomes of an exposure whose score is below the minimum.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum BelowMinimum {
    /// Its score counts as 0, its time counts: Android, as its documentation says.
    ScoreIsZero,
    /// It counts nowhere but in the number of keys: iOS, as its users measured.
    Dropped,
}

#[cfg(test)]
mod tests {
    use cwa_crypto::ENIntervalNumber;

    use super::super::parameters::{MinimumRiskScore, RiskLevelValue};
    use super::*;

    const MIDNIGHT: UnixTime = UnixTime::from_secs(1_595_376_000);

    fn parameters(minimum: i64) -> Parameters {
        let row = |values| RiskLevelValue::row(values).unwrap();
        let mut parameters = Parameters::new(
            row([0, 1, 1, 1, 1, 1, 1, 1]),
            row([5; 8]),
            row([0, 0, 0, 1, 1, 1, 1, 1]),
            row([1, 2, 3, 4, 5, 6, 7, 8]),
            MinimumRiskScore::try_from(minimum).unwrap(),
        );
        parameters.attenuation_thresholds = (55, 63).try_into().unwrap();
        parameters
    }

    /// Scans every five minutes from `second` of the day on, at these attenuations.
    fn heard(second: u64, attenuations: &[u8]) -> impl Iterator<Item = Sighting> {
        (0..).zip(attenuations).map(move |(n, db)| {
            let seen_at = MIDNIGHT.plus(second + 300 * n);
            Sighting {
                seen_at,
                attenuation: Attenuation::from_db(*db),
                interval: ENIntervalNumber::at(seen_at),
            }
        })
    }

    fn key(sightings: impl Iterator<Item = Sighting>, level: i64, minimum: i64) -> KeyExposures {
        KeyExposures::evaluate(
            &sightings.collect::<Vec<_>>(),
            MIDNIGHT,
            TransmissionRiskLevel::try_from(level).unwrap(),
            &parameters(minimum),
            EncounterRules::default(),
            MIDNIGHT.plus(2 * 86_400),
        )
    }

    #[test]
    fn encounters_with_one_key_on_one_utc_day_are_one_exposure() {
        let morning_and_evening =
            heard(30_000, &[50, 50, 50, 50]).chain(heard(60_000, &[60])).chain(heard(86_400 + 100, &[70]));
        let days = key(morning_and_evening, 5, 1).by_day();
        assert_eq!(days.len(), 2);
        assert_eq!(days[0].day, MIDNIGHT.day());
        assert_eq!(days[0].encounter_count, 2);
        assert_eq!(days[0].duration_seconds, 1200 + 300);
        assert_eq!(days[0].attenuation.db(), 52, "1200 s at 50 dB and 300 s at 60 dB");
        assert_eq!(days[0].attenuation_durations, [1200, 300, 0].into());
        assert_eq!(days[0].maximum_risk_score, 25, "the five minutes of the evening score 0");
        assert_eq!(days[1].day, MIDNIGHT.day().next());
        assert_eq!(days[1].attenuation_durations, [0, 0, 300].into());
    }

    #[test]
    fn a_day_is_reported_with_at_most_thirty_minutes() {
        let [day] = key(heard(30_000, &[50; 12]), 5, 1).by_day().try_into().unwrap();
        assert_eq!((day.duration_seconds, day.reported_duration_seconds()), (3600, 1800));
    }

    #[test]
    fn below_the_minimum_android_keeps_the_time_and_ios_drops_the_exposure() {
        let keys = [key(heard(30_000, &[50; 4]), 5, 26), key(heard(40_000, &[60; 4]), 6, 26)];
        let android = ExposureSummary::of(&keys, BelowMinimum::ScoreIsZero);
        assert_eq!((android.matched_key_count, android.maximum_risk_score), (2, 30));
        assert_eq!(android.summation_risk_score, 30);
        assert_eq!(android.attenuation_durations, [1200, 1200, 0].into());
        let ios = ExposureSummary::of(&keys, BelowMinimum::Dropped);
        assert_eq!((ios.matched_key_count, ios.maximum_risk_score), (2, 30));
        assert_eq!(ios.attenuation_durations, [0, 1200, 0].into());
        assert_eq!(ios.days_since_last_exposure, Some(2));
    }

    #[test]
    fn a_summary_reports_at_most_thirty_minutes_in_each_range() {
        let keys = [key(heard(30_000, &[50; 5]), 5, 1), key(heard(40_000, &[50; 4]), 6, 1)];
        let summary = ExposureSummary::of(&keys, BelowMinimum::ScoreIsZero);
        assert_eq!(summary.attenuation_durations, [2700, 0, 0].into());
        assert_eq!(summary.reported_attenuation_durations(), [1800, 0, 0].into());
    }

    #[test]
    fn a_key_that_was_not_sighted_is_not_counted() {
        let unseen = key(heard(0, &[]), 5, 1);
        let summary = ExposureSummary::of([&unseen], BelowMinimum::ScoreIsZero);
        assert_eq!(summary, ExposureSummary::default());
    }
}
