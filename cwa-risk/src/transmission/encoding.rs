//! The German encoding of a level in days since onset and report type.

use cwa_crypto::{DaysSinceOnsetOfSymptoms, ReportType, TransmissionRiskLevel};

/// What a German package says instead of a level: neither of the two is what its name says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "complete: the two fields that carry the level")]
pub struct PublishedLevel {
    /// 1 for the odd levels ("standard infectiousness"), 2 for the even ones ("high").
    pub days_since_onset_of_symptoms: DaysSinceOnsetOfSymptoms,
    /// Which pair of levels: recursive 1 and 2, self-report 3 and 4, clinical diagnosis 5 and 6, test 7 and 8.
    pub report_type: ReportType,
}

/// How the German server publishes a level for version 2 of the framework; `None` for level 0.
///
/// (`transmission-risk-encoding.yaml` of the Corona-Warn-App server, 2020-11-30.)
///
/// ```
/// use cwa_crypto::{ReportType, TransmissionRiskLevel};
/// use cwa_risk::transmission::{decode, encode};
///
/// let published = encode(TransmissionRiskLevel::try_from(5)?).unwrap();
/// assert_eq!(published.days_since_onset_of_symptoms.get(), 1);
/// assert_eq!(published.report_type, ReportType::ConfirmedClinicalDiagnosis);
/// assert_eq!(decode(published).map(TransmissionRiskLevel::get), Some(5));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use]
pub fn encode(level: TransmissionRiskLevel) -> Option<PublishedLevel> {
    let pair = level.get().checked_sub(1)?;
    let report_type = match pair / 2 {
        0 => ReportType::Recursive,
        1 => ReportType::SelfReport,
        2 => ReportType::ConfirmedClinicalDiagnosis,
        _ => ReportType::ConfirmedTest,
    };
    let days_since_onset_of_symptoms = DaysSinceOnsetOfSymptoms::try_from(i64::from(1 + pair % 2)).ok()?;
    Some(PublishedLevel { days_since_onset_of_symptoms, report_type })
}

/// The level that a German package means; `None` for what the encoding does not produce.
///
/// The app's configuration says it so: days 1 and 2 are standard and high infectiousness with offsets 1 and 2, and the
/// report types add 0, 2, 4 and 6.
#[must_use]
pub fn decode(published: PublishedLevel) -> Option<TransmissionRiskLevel> {
    let infectiousness_offset = match published.days_since_onset_of_symptoms.get() {
        1 => 1,
        2 => 2,
        _ => return None,
    };
    let report_type_offset = match published.report_type {
        ReportType::Recursive => 0,
        ReportType::SelfReport => 2,
        ReportType::ConfirmedClinicalDiagnosis => 4,
        ReportType::ConfirmedTest => 6,
        ReportType::Unknown | ReportType::Revoked => return None,
    };
    TransmissionRiskLevel::try_from(infectiousness_offset + report_type_offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_1_to_8_survive_the_way_through_a_package() {
        for number in 1..=8 {
            let level = TransmissionRiskLevel::try_from(number).unwrap();
            assert_eq!(encode(level).and_then(decode), Some(level));
        }
        assert_eq!(encode(TransmissionRiskLevel::UNUSED), None);
    }

    #[test]
    fn what_the_encoding_does_not_produce_means_no_level() {
        let published = |days: i64, report_type| PublishedLevel {
            days_since_onset_of_symptoms: DaysSinceOnsetOfSymptoms::try_from(days).unwrap(),
            report_type,
        };
        for days in [-1, 0, 3, 4000] {
            assert_eq!(decode(published(days, ReportType::ConfirmedTest)), None, "{days}");
        }
        assert_eq!(decode(published(1, ReportType::Unknown)), None);
        assert_eq!(decode(published(1, ReportType::Revoked)), None);
    }
}
