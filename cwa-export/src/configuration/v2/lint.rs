//! The rules for a configuration of framework mode v2: what the framework and the apps ask of it, and what follows from
//! its parameters.

mod ranges;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConfigurationV2, DailySummaries, DiagnosisKeysDataMapping, ExposureConfiguration, Range, RiskCalculation,
    RiskLevelRange, TransmissionRiskEncodingFile, TransmissionRiskValue, TransmissionRiskValueMapping,
    TrlEncoding,
};
use crate::configuration::lint::{Findings, Place, first_fall};
use crate::finding::{Code, Finding};

impl ConfigurationV2 {
    /// What is wrong with the configuration.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let (mut findings, root) = (Findings::default(), Place::root());
        if self.min_version > self.latest_version {
            findings.tell(Code::VersionsBackwards, || {
                let Self { min_version, latest_version, .. } = self;
                format!(
                    "the oldest version allowed, {min_version}, is newer than the newest, {latest_version}"
                )
            });
        }
        findings.features(&root.member("app-features"), &self.app_features);
        findings.countries(&root.member("supported-countries"), &self.supported_countries);
        if let Some(downloads) = &self.key_download_parameters {
            findings.downloads(&root.member("key-download-parameters"), downloads);
        }
        if let Some(detections) = &self.exposure_detection_parameters {
            findings.detections(&root.member("exposure-detection-parameters"), detections);
        }
        if let Some(risk) = &self.risk_calculation {
            risk.look_at(&root.member("risk-calculation-parameters"), &mut findings);
        }
        if let Some(mapping) = &self.diagnosis_keys_data_mapping {
            mapping.look_at(&root.member("diagnosis-keys-data-mapping"), &mut findings);
        }
        if let Some(summaries) = &self.daily_summaries {
            summaries.look_at(&root.member("daily-summaries-config"), &mut findings);
        }
        if let Some(exposure) = &self.exposure_configuration {
            exposure.look_at(&root.member("exposure-configuration"), &mut findings);
        }
        findings.finish()
    }
}

/// A part that can be looked at alone, as the German server keeps it in a file of its own.
macro_rules! lint_alone {
    ($($part:ty)+) => { $(
        impl $part {
            /// What is wrong with this part alone.
            #[must_use]
            pub fn lint(&self) -> Vec<Finding> {
                let mut findings = Findings::default();
                self.look_at(&Place::root(), &mut findings);
                findings.finish()
            }
        }
    )+ };
}

lint_alone! {
    RiskCalculation
    TransmissionRiskValueMapping
    TransmissionRiskEncodingFile
    DiagnosisKeysDataMapping
    DailySummaries
    ExposureConfiguration
}

/// Low risk and high risk.
const LEVELS: [i32; 2] = [1, 2];

impl RiskCalculation {
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let weights = self.weights(&place.member("minutes-at-attenuation-weights"), findings);
        self.filters(place, &weights, findings);
        let window = place.member("normalized-time-per-e-w-to-risk-level-mapping");
        let day = place.member("normalized-time-per-day-to-risk-level-mapping");
        let of_window = levels(&window, &self.normalized_time_per_ew_to_risk_level, findings);
        let of_day = levels(&day, &self.normalized_time_per_day_to_risk_level, findings);
        if let (Some((window, _)), Some((day, _))) = (of_window.first(), of_day.first())
            && (day.min, day.min_exclusive) > (window.min, window.min_exclusive)
        {
            findings.tell(Code::DayWithoutLevel, || {
                format!("windows have a risk level from {} on, days only from {} on", window.min, day.min)
            });
        }
        if let Some(encoding) = &self.trl_encoding {
            encoding.look_at(&place.member("trlEncoding"), findings);
        }
        let values = place.member("transmission-risk-value-mapping");
        look_at_values(&values, &self.transmission_risk_values, findings);
        let multiplier = place.member("transmission-risk-level-multiplier");
        let factor = self.transmission_risk_level_multiplier;
        findings.fraction(&multiplier, Code::WeightNegative, factor, 0.0, f64::MAX);
        findings.count(&place.member("max-encounter-age-in-days"), self.max_encounter_age_in_days);
        self.reach(&weights, (&window, &of_window), (&day, &of_day), findings);
    }

    /// The usable ranges of attenuations with their weights, from near to far.
    fn weights(&self, place: &Place, findings: &mut Findings) -> Vec<(Range, f64)> {
        let mut weights = Vec::new();
        for (weighted, index) in self.minutes_at_attenuation_weights.iter().zip(0..) {
            let place = place.entry(index);
            let range =
                ranges::usable(&place.member("attenuation-range"), weighted.attenuation_range, findings);
            let weight = weighted.weight;
            let usable =
                findings.fraction(&place.member("weight"), Code::WeightNegative, weight, 0.0, f64::MAX);
            if let Some(range) = range
                && usable
            {
                weights.push((range, weight));
            }
        }
        ranges::sort_and_compare(place, &mut weights, findings);
        if let Some((nearest, _)) = weights.first()
            && nearest.min > 0.0
        {
            findings.tell(Code::RangesGap, || format!("{place}: nothing covers 0 to {}", nearest.min));
        }
        let from_far: Vec<f64> = weights.iter().rev().map(|(_, weight)| *weight).collect();
        if first_fall(&from_far).is_some() {
            findings.tell(Code::WeightsNotMonotone, || {
                format!("{place}: a minute farther away counts more than one nearer by")
            });
        }
        weights
    }

    fn filters(&self, place: &Place, weights: &[(Range, f64)], findings: &mut Findings) {
        let filters = place.member("minutes-at-attenuation-filters");
        for (filter, index) in self.minutes_at_attenuation_filters.iter().zip(0..) {
            let place = filters.entry(index);
            let attenuations =
                ranges::usable(&place.member("attenuation-range"), filter.attenuation_range, findings);
            let minutes = place.member("drop-if-minutes-in-range");
            let minutes = ranges::usable(&minutes, filter.drop_if_minutes_in_range, findings);
            if let (Some(attenuations), Some((farthest, _))) = (attenuations, weights.last())
                && ranges::ends_after(&attenuations, farthest)
            {
                findings.tell(Code::FilterBeyondWeights, || {
                    format!(
                        "{place} counts minutes at {attenuations}, but none beyond {farthest} has a weight"
                    )
                });
            }
            // Whole minutes on one platform and fractions on the other differ only if the end belongs to the range.
            if minutes.is_some_and(|minutes| !minutes.max_exclusive) {
                findings.tell(Code::PlatformsDiffer, || {
                    format!(
                        "{place}: the greatest number of minutes is dropped too, and iOS counts whole minutes"
                    )
                });
            }
        }
        if self.minutes_at_attenuation_filters.len() > 1 {
            findings.tell(Code::PlatformsDiffer, || {
                format!("{filters}: of several filters Android looks at the first alone")
            });
        }
        for (filter, index) in self.trl_filters.iter().zip(0..) {
            let place = place.member("trl-filters").entry(index).member("drop-if-trl-in-range");
            ranges::usable(&place, filter.drop_if_trl_in_range, findings);
        }
    }

    /// Which normalized times there can be at all: of a window of 30 minutes, and of a day beside one other device.
    fn reach(
        &self,
        weights: &[(Range, f64)],
        (window, of_window): (&Place, &[(Range, i32)]),
        (day, of_day): (&Place, &[(Range, i32)]),
        findings: &mut Findings,
    ) {
        const MINUTES_OF_WINDOW: f64 = 30.0;
        const MINUTES_OF_DAY: f64 = 24.0 * 60.0;
        let weight = weights.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        let values = self.transmission_risk_values.iter().map(|value| value.transmission_risk_value);
        let factor = if self.transmission_risk_values.is_empty() {
            self.transmission_risk_level_multiplier * 8.0
        } else {
            values.fold(0.0, f64::max)
        };
        // Not `<= 0`: what is no number was told, and nothing follows from it.
        if weight * factor > 0.0 {
            let greatest = |minutes: f64| minutes * weight * factor;
            for (place, levels, minutes) in
                [(window, of_window, MINUTES_OF_WINDOW), (day, of_day, MINUTES_OF_DAY)]
            {
                let time = greatest(minutes);
                if let Some((top, _)) = levels.last()
                    && time > top.max
                {
                    findings.tell(Code::TimeBeyondLevels, || {
                        format!("{place}: {minutes} minutes give up to {time}, beyond {top}")
                    });
                }
            }
            // Of a day nothing follows: there can be many others.
            let time = greatest(MINUTES_OF_WINDOW);
            if let Some((range, level)) = of_window.iter().find(|(range, _)| range.min > time) {
                findings.tell(Code::LevelUnreachable, || {
                    format!("{window}: level {level} needs {range}, but a window gives {time} at most")
                });
            }
        } else if weight.is_finite() && factor.is_finite() {
            let why = if weight > 0.0 { "transmission risk level" } else { "minute" };
            findings
                .tell(Code::NothingCounts, || format!("every normalized time is 0: no {why} has a weight"));
        }
    }
}

/// The usable ranges with their levels, from short to long.
fn levels(place: &Place, mapping: &[RiskLevelRange], findings: &mut Findings) -> Vec<(Range, i32)> {
    let mut levels = Vec::new();
    for (entry, index) in mapping.iter().zip(0..) {
        let (place, level) = (place.entry(index), entry.risk_level);
        let range = place.member("normalized-time-range");
        let range = ranges::usable(&range, entry.normalized_time_range, findings);
        if !LEVELS.contains(&level) {
            findings
                .tell(Code::RiskLevelUnknown, || format!("{place}: the risk level is {level}, not 1 or 2"));
        } else if let Some(range) = range {
            levels.push((range, level));
        }
    }
    ranges::sort_and_compare(place, &mut levels, findings);
    let ascending: Vec<i32> = levels.iter().map(|(_, level)| *level).collect();
    if first_fall(&ascending).is_some() {
        findings.tell(Code::LevelsNotMonotone, || format!("{place}: a longer time has a lower risk level"));
    }
    for level in LEVELS {
        if !ascending.contains(&level) {
            findings.tell(Code::LevelUnreachable, || format!("{place}: no time has level {level}"));
        }
    }
    levels
}

impl TrlEncoding {
    /// Each pair of infectiousness and report type must give a level of its own, 1 to 8.
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let infectiousness =
            [("standard", self.infectiousness_offset_standard), ("high", self.infectiousness_offset_high)];
        let report_types = [
            ("recursive", self.report_type_offset_recursive),
            ("self report", self.report_type_offset_self_report),
            ("confirmed clinical diagnosis", self.report_type_offset_confirmed_clinical_diagnosis),
            ("confirmed test", self.report_type_offset_confirmed_test),
        ];
        let mut seen = BTreeMap::new();
        for (one, offset) in infectiousness {
            for (other, further) in report_types {
                let level = offset.saturating_add(further);
                let pair = format!("{one} and {other}");
                if !(1..=8).contains(&level) {
                    findings.tell(Code::EncodingInvalid, || {
                        format!("{place}: {pair} give level {level}, not 1 to 8")
                    });
                } else if let Some(earlier) = seen.get(&level) {
                    findings.tell(Code::EncodingInvalid, || {
                        format!("{place}: {pair} give level {level}, as {earlier} do")
                    });
                } else {
                    seen.insert(level, pair);
                }
            }
        }
    }
}

impl TransmissionRiskEncodingFile {
    /// Each level must have days and report type that no other has.
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let (place, encoding) =
            (place.member("transmission-risk-encoding"), &self.transmission_risk_encoding);
        let (days, report_types) = (&encoding.days_since_onset, &encoding.report_type);
        let levels: BTreeSet<i32> = days.keys().chain(report_types.keys()).copied().collect();
        let mut seen = BTreeMap::new();
        for level in levels {
            if !(1..=8).contains(&level) {
                findings.tell(Code::TransmissionRiskLevelInvalid, || {
                    format!("{place}: level {level} is not 1 to 8")
                });
            }
            let (Some(days), Some(report_type)) = (days.get(&level), report_types.get(&level)) else {
                findings.tell(Code::EncodingInvalid, || format!("{place}: level {level} is in one map only"));
                continue;
            };
            if !(-14..=14).contains(days) {
                findings.tell(Code::DaysInvalid, || {
                    format!("{place}: {days} days since onset are not -14 to 14")
                });
            }
            if !(1..=4).contains(report_type) {
                findings.tell(Code::ReportTypeInvalid, || {
                    format!("{place}: report type {report_type} is not 1 to 4")
                });
            }
            if let Some(other) = seen.insert((days, report_type), level) {
                findings.tell(Code::EncodingInvalid, || {
                    format!("{place}: levels {other} and {level} have the same days and report type")
                });
            }
        }
    }
}

impl TransmissionRiskValueMapping {
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let place = place.member("transmission-risk-value-mapping");
        look_at_values(&place, &self.transmission_risk_value_mapping, findings);
    }
}

fn look_at_values(place: &Place, values: &[TransmissionRiskValue], findings: &mut Findings) {
    let mut by_level = Vec::new();
    for (entry, index) in values.iter().zip(0..) {
        let place = place.entry(index);
        let TransmissionRiskValue { transmission_risk_level: level, transmission_risk_value: value } = *entry;
        findings.number(
            &place.member("transmission-risk-level"),
            Code::TransmissionRiskLevelInvalid,
            level,
            1,
            8,
        );
        let place = place.member("transmission-risk-value");
        if findings.fraction(&place, Code::WeightNegative, value, 0.0, f64::MAX) {
            by_level.push((level, value));
        }
    }
    findings.once(place, values.iter().map(|value| value.transmission_risk_level));
    by_level.sort_by_key(|(level, _)| *level);
    let ascending: Vec<f64> = by_level.iter().map(|(_, value)| *value).collect();
    if first_fall(&ascending).is_some() {
        findings.tell(Code::WeightsNotMonotone, || {
            format!("{place}: a higher level counts less than a lower one")
        });
    }
}

impl DiagnosisKeysDataMapping {
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let mapping = &self.days_since_onset_to_infectiousness;
        infectiousness(&place.member("days-since-onset-to-infectiousness"), mapping, findings);
        let missing = self.infectiousness_when_days_since_onset_missing;
        let place_of_missing = place.member("infectiousness-when-days-since-onset-missing");
        findings.number(&place_of_missing, Code::InfectiousnessInvalid, missing, 0, 2);
        if missing == 0 && mapping.values().all(|infectiousness| *infectiousness == 0) {
            findings.tell(Code::NothingCounts, || format!("{place_of_missing}: no key is infectious"));
        }
        missing_report_type(
            &place.member("report-type-when-missing"),
            self.report_type_when_missing,
            findings,
        );
    }
}

/// Infectiousness by days since onset.
fn infectiousness(place: &Place, mapping: &BTreeMap<i32, i32>, findings: &mut Findings) {
    for (days, infectiousness) in mapping {
        if !(-14..=14).contains(days) {
            findings
                .tell(Code::DaysInvalid, || format!("{place}: {days} days since onset are not -14 to 14"));
        }
        findings.number(&place.entry(days), Code::InfectiousnessInvalid, *infectiousness, 0, 2);
    }
}

fn missing_report_type(place: &Place, report_type: i32, findings: &mut Findings) {
    findings.number(place, Code::ReportTypeInvalid, report_type, 0, 4);
    if report_type == 0 {
        findings.tell(Code::MissingReportTypeUnknown, || format!("{place} is 0"));
    }
}

/// Greatest weight that the framework takes.
const MAX_WEIGHT: f64 = 2.5;

impl DailySummaries {
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        thresholds(
            &place.member("attenuation-bucket-threshold-db"),
            &self.attenuation_bucket_threshold_db,
            findings,
        );
        let weights = &self.attenuation_bucket_weights;
        let place_of_weights = place.member("attenuation-bucket-weights");
        if weights.len() != 4 {
            findings.tell(Code::BucketCount, || {
                format!("{place_of_weights} has {} weights, not 4", weights.len())
            });
        }
        bucket_weights(&place_of_weights, weights, findings);
        findings.count(&place.member("days-since-exposure-threshold"), self.days_since_exposure_threshold);
        let place_of_infectiousness = place.member("infectiousness-weights");
        for (infectiousness, weight) in &self.infectiousness_weights {
            let place = place_of_infectiousness.entry(infectiousness);
            if !(0..=2).contains(infectiousness) {
                findings.tell(Code::InfectiousnessInvalid, || format!("{place}: infectiousness is 0 to 2"));
            }
            findings.fraction(&place, Code::SummaryWeightOutOfRange, *weight, 0.0, MAX_WEIGHT);
        }
        let minimum = place.member("minimum-window-score");
        findings.fraction(&minimum, Code::WeightNegative, self.minimum_window_score, 0.0, f64::MAX);
        let place_of_report_types = place.member("report-type-weights");
        for (report_type, weight) in &self.report_type_weights {
            let place = place_of_report_types.entry(report_type);
            if !(1..=4).contains(report_type) {
                findings.tell(Code::ReportTypeInvalid, || {
                    format!("{place}: report types with weights are 1 to 4")
                });
            }
            findings.fraction(&place, Code::SummaryWeightOutOfRange, *weight, 0.0, MAX_WEIGHT);
        }
        for (name, part) in [
            ("infectiousness-weights", &self.infectiousness_weights),
            ("report-type-weights", &self.report_type_weights),
        ] {
            if part.values().all(|weight| *weight <= 0.0) {
                let place = place.member(name);
                findings.tell(Code::NothingCounts, || format!("{place}: every daily summary is 0"));
            }
        }
    }
}

impl ExposureConfiguration {
    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let days = place.member("infectiousness-for-days-since-onset-of-symptoms");
        infectiousness(&days, &self.infectiousness_for_days_since_onset_of_symptoms, findings);
        missing_report_type(&place.member("report-type-none-map"), self.report_type_none_map, findings);
        let place_of_thresholds = place.member("attenuation-duration-thresholds");
        thresholds(&place_of_thresholds, &self.attenuation_duration_thresholds, findings);
        let buckets = [
            self.immediate_duration_weight,
            self.near_duration_weight,
            self.medium_duration_weight,
            self.other_duration_weight,
        ];
        bucket_weights(&place.member("duration-weights"), &buckets, findings);
        findings.count(
            &place.member("days-since-last-exposure-threshold"),
            self.days_since_last_exposure_threshold,
        );
        for (name, weight) in [
            ("infectiousness-standard-weight", self.infectiousness_standard_weight),
            ("infectiousness-high-weight", self.infectiousness_high_weight),
            ("report-type-confirmed-test-weight", self.report_type_confirmed_test_weight),
            (
                "report-type-confirmed-clinical-diagnosis-weight",
                self.report_type_confirmed_clinical_diagnosis_weight,
            ),
            ("report-type-self-reported-weight", self.report_type_self_reported_weight),
            ("report-type-recursive-weight", self.report_type_recursive_weight),
        ] {
            findings.fraction(&place.member(name), Code::SummaryWeightOutOfRange, weight, 0.0, MAX_WEIGHT);
        }
    }
}

/// Three attenuations that part four buckets.
fn thresholds(place: &Place, thresholds: &[i32], findings: &mut Findings) {
    if thresholds.len() != 3 {
        findings.tell(Code::BucketCount, || format!("{place} has {} thresholds, not 3", thresholds.len()));
    }
    for (threshold, index) in thresholds.iter().zip(0..) {
        findings.number(&place.entry(index), Code::ThresholdOutOfRange, *threshold, 0, 255);
    }
    if !thresholds.is_sorted_by(|one, other| one < other) {
        findings.tell(Code::ThresholdsInvalid, || format!("{place}: thresholds must ascend"));
    }
}

/// Weights of the buckets, from near to far.
fn bucket_weights(place: &Place, weights: &[f64], findings: &mut Findings) {
    for (weight, index) in weights.iter().zip(0..) {
        findings.fraction(&place.entry(index), Code::SummaryWeightOutOfRange, *weight, 0.0, MAX_WEIGHT);
    }
    let from_far: Vec<f64> = weights.iter().rev().copied().collect();
    if first_fall(&from_far).is_some() {
        findings.tell(Code::WeightsNotMonotone, || {
            format!("{place}: a minute farther away counts more than one nearer by")
        });
    }
}
