//! The rules for a configuration of framework mode v1: the bounds of the German server, and what its bounds let pass.

use super::{
    AttenuationDuration, ConfigurationV1, MAX_RISK_SCORE, RiskScoreClass, RiskScoreClassification,
    RiskScoreParameters,
};
use crate::configuration::lint::{Findings, Place, first_fall};
use crate::finding::{Code, Finding};

impl ConfigurationV1 {
    /// What is wrong with the configuration, by the bounds of the German server and by what follows from its parameters.
    ///
    /// A range of scores without a class is a warning: it can be loaded and lived with, but not published.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let (mut findings, root) = (Findings::default(), Place::root());
        let score = root.member("min-risk-score");
        findings.number(&score, Code::RiskScoreOutOfRange, self.min_risk_score, 0, MAX_RISK_SCORE);
        self.exposure_config.look_at(&root.member("exposure-config"), &mut findings);
        self.risk_score_classes.look_at(&root.member("risk-score-classes"), &mut findings);
        self.attenuation_duration.look_at(&root.member("attenuation-duration"), &mut findings);
        self.reach(&mut findings);
        if let Some(versions) = self.app_version {
            for (app, version) in [("ios", versions.ios), ("android", versions.android)] {
                let (min, latest) = (version.min, version.latest);
                if min > latest {
                    findings.tell(Code::VersionsBackwards, || {
                        format!("app-version.{app}: the oldest version allowed, {min}, is newer than the newest, {latest}")
                    });
                }
            }
        }
        findings.features(&root.member("app-features"), &self.app_features);
        findings.countries(&root.member("supported-countries"), &self.supported_countries);
        for (name, downloads) in [
            ("ios-key-download-parameters", &self.ios_key_download_parameters),
            ("android-key-download-parameters", &self.android_key_download_parameters),
        ] {
            if let Some(downloads) = downloads {
                findings.downloads(&root.member(name), downloads);
            }
        }
        for (name, detections) in [
            ("ios-exposure-detection-parameters", &self.ios_exposure_detection_parameters),
            ("android-exposure-detection-parameters", &self.android_exposure_detection_parameters),
        ] {
            if let Some(detections) = detections {
                findings.detections(&root.member(name), detections);
            }
        }
        findings.finish()
    }

    /// Which scores there can be at all.
    ///
    /// The greatest total risk score is the product of the greatest level scores; a transmission risk level of 0 counts
    /// as 1. The combined score multiplies it with the weighted minutes, 30 at most in each range of attenuations.
    fn reach(&self, findings: &mut Findings) {
        const MINUTES: i64 = 30;
        let greatest = |scores: [(&str, i32); 8]| scores.iter().map(|(_, score)| *score).max().unwrap_or(0);
        let parameters = &self.exposure_config;
        if parameters.scores().iter().any(|(_, scores)| scores.iter().any(|(_, s)| !(0..=8).contains(s))) {
            return;
        }
        let total: i64 = [
            greatest(parameters.transmission.scores()).max(1),
            greatest(parameters.duration.scores()),
            greatest(parameters.days_since_last_exposure.scores()),
            greatest(parameters.attenuation.scores()),
        ]
        .into_iter()
        .map(i64::from)
        .fold(1, i64::saturating_mul);
        if i64::from(self.min_risk_score) > total {
            findings.tell(Code::MinimumTooHigh, || {
                format!("min-risk-score is {}, but no exposure has more than {total}", self.min_risk_score)
            });
        }
        let durations = &self.attenuation_duration;
        let AttenuationDuration { weights, default_bucket_offset: offset, .. } = durations;
        let weights = [weights.low, weights.mid, weights.high]
            .map(|weight| thousandths(weight).filter(|weight| (0..=1000).contains(weight)));
        let divisor = i64::from(durations.risk_score_normalization_divisor);
        let [Some(low), Some(mid), Some(high)] = weights else { return };
        if !(1..=1000).contains(&divisor) || !(0..=1).contains(offset) {
            return;
        }
        // In thousandths of a minute: at most 30 · 3000 + 1000, times 4096.
        let minutes = low.saturating_add(mid).saturating_add(high).saturating_mul(MINUTES);
        let minutes = minutes.saturating_add(i64::from(*offset).saturating_mul(1000));
        let combined = total.saturating_mul(minutes);
        if combined == 0 {
            let why = if total == 0 { "a category has no score but 0" } else { "no minute has a weight" };
            findings.tell(Code::NothingCounts, || format!("every combined score is 0: {why}"));
            return;
        }
        let scale = divisor.saturating_mul(1000);
        let shown = combined.checked_div(scale).unwrap_or(0);
        let classes = &self.risk_score_classes.risk_classes;
        for RiskScoreClass { label, min, .. } in classes {
            if i64::from(*min).saturating_mul(scale) > combined {
                findings.tell(Code::ClassUnreachable, || {
                    format!("class {label} begins at {min}, but no combined score is above {shown}")
                });
            }
        }
        if let Some(top) = classes.iter().map(|class| class.max).max()
            && combined > i64::from(top).saturating_mul(scale)
        {
            findings.tell(Code::ScoreAboveClasses, || {
                format!("combined scores reach {shown}, but the classes end at {top}")
            });
        }
    }
}

impl RiskScoreClassification {
    /// What is wrong with the classes.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.look_at(&Place::root(), &mut findings);
        findings.finish()
    }

    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let place = place.member("risk-classes");
        let mut classes: Vec<&RiskScoreClass> = self.risk_classes.iter().collect();
        if classes.is_empty() {
            findings.tell(Code::NoClasses, || "there are no risk classes".to_owned());
            return;
        }
        for (class, index) in classes.iter().zip(0..) {
            let RiskScoreClass { label, min, max, .. } = class;
            let place = place.entry(index);
            match label.trim() {
                "" => findings.tell(Code::ClassInvalid, || format!("{place} has no label")),
                "LOW" | "HIGH" => {}
                _ => findings.tell(Code::ClassUnknown, || format!("{place} is called {label:?}")),
            }
            if min > max {
                findings.tell(Code::ClassInvalid, || {
                    format!("{place}: class {label} reaches from {min} to {max}, which is backwards")
                });
            }
            findings.number(&place.member("min"), Code::RiskScoreOutOfRange, *min, 0, MAX_RISK_SCORE);
            findings.number(&place.member("max"), Code::RiskScoreOutOfRange, *max, 0, MAX_RISK_SCORE);
        }
        findings.once(&place, classes.iter().map(|class| &class.label));
        classes.sort_by_key(|class| (class.min, class.max));
        let mut covered = 0;
        for class in classes {
            let (label, min) = (&class.label, class.min);
            if min > covered {
                gap(findings, covered, min);
            } else if min < covered && min >= 0 {
                findings.tell(Code::ClassesOverlap, || {
                    format!("class {label} begins at {min}, but the one before it ends at {covered}")
                });
            }
            covered = covered.max(class.max);
        }
        if covered < MAX_RISK_SCORE {
            gap(findings, covered, MAX_RISK_SCORE);
        }
    }
}

fn gap(findings: &mut Findings, from: i32, to: i32) {
    findings.tell(Code::ClassesGap, || format!("scores between {from} and {to} belong to no risk class"));
}

impl RiskScoreParameters {
    /// What is wrong with weights and scores.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.look_at(&Place::root(), &mut findings);
        findings.finish()
    }

    fn look_at(&self, place: &Place, findings: &mut Findings) {
        for (name, weight) in self.weights() {
            findings.weight(&place.member(name), Code::CategoryWeightOutOfRange, weight, 0.001, 100.0);
        }
        for (category, scores) in self.scores() {
            let place = place.member(category);
            for (name, score) in scores {
                findings.number(&place.member(name), Code::LevelScoreOutOfRange, score, 0, 8);
            }
            // Transmission risk levels are the app's own: they have no order.
            if category == "transmission" {
                continue;
            }
            let in_order = scores.map(|(_, score)| score);
            if let Some(at) = first_fall(&in_order)
                && let Some([(less, more_score), (more, less_score)]) =
                    scores.get(at..).and_then(<[_]>::first_chunk)
            {
                findings.tell(Code::ScoresNotMonotone, || {
                    format!(
                        "{place}: {less} scores {more_score}, and {more}, which is riskier, only {less_score}"
                    )
                });
            }
        }
    }
}

impl AttenuationDuration {
    /// What is wrong with thresholds, weights and divisor.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.look_at(&Place::root(), &mut findings);
        findings.finish()
    }

    fn look_at(&self, place: &Place, findings: &mut Findings) {
        let Self { thresholds, weights, default_bucket_offset, risk_score_normalization_divisor } = *self;
        let (lower, upper) = (thresholds.lower, thresholds.upper);
        let place_of_thresholds = place.member("thresholds");
        for (name, threshold) in [("lower", lower), ("upper", upper)] {
            findings.number(&place_of_thresholds.member(name), Code::ThresholdOutOfRange, threshold, 0, 100);
        }
        if lower > upper {
            findings.tell(Code::ThresholdsInvalid, || {
                format!("{place_of_thresholds}: the lower threshold {lower} is above the upper one {upper}")
            });
        }
        let place_of_weights = place.member("weights");
        for (name, weight) in [("low", weights.low), ("mid", weights.mid), ("high", weights.high)] {
            findings.weight(&place_of_weights.member(name), Code::DurationWeightOutOfRange, weight, 0.0, 1.0);
        }
        // From far to near, no weight may fall.
        if first_fall(&[weights.high, weights.mid, weights.low]).is_some() {
            findings.tell(Code::WeightsNotMonotone, || {
                format!("{place_of_weights}: a minute farther away counts more than one nearer by")
            });
        }
        let place_of_offset = place.member("default-bucket-offset");
        findings.number(&place_of_offset, Code::BucketOffsetOutOfRange, default_bucket_offset, 0, 1);
        let place_of_divisor = place.member("risk-score-normalization-divisor");
        match risk_score_normalization_divisor {
            0 => findings.tell(Code::DivisorZero, || format!("{place_of_divisor} is 0")),
            divisor => findings.number(&place_of_divisor, Code::DivisorOutOfRange, divisor, 1, 1000),
        }
    }
}

/// `value` in thousandths, the exact form of every weight these configurations allow; `None` if it has more decimals,
/// or is no number.
///
/// ```
/// use cwa_export::configuration::v1::thousandths;
/// assert_eq!(thousandths(0.8), Some(800));
/// assert_eq!(thousandths(0.0005), None);
/// ```
#[must_use]
pub fn thousandths(value: f64) -> Option<i64> {
    let scaled = value * 1000.0;
    let nearest = scaled.round();
    // Up to a million the nearest double of a number with three decimals is far closer to it than this.
    if !(nearest.abs() <= 1e9 && (scaled - nearest).abs() < 1e-6) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 1e9, compared just above")]
    Some(nearest as i64)
}
