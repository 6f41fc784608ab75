//! How the German server derives a transmission risk level where a key has none, and how it publishes levels.
//!
//! Three tables it publishes, as a profile: nothing here happens unless it is called for.

use cwa_crypto::{DaysSinceOnsetOfSymptoms, ReportType, TransmissionRiskLevel};

use crate::key::ExportKey;

/// The level of a key that says only days since onset of symptoms, or one of the federated encodings of what is known
/// instead: values around 0 are days, around 200 to 2000 an onset within that many hundreds less two of days, around
/// 2000, 3000 and 4000 what is known without an onset. Values without an entry have level 1.
///
/// ```
/// use cwa_crypto::DaysSinceOnsetOfSymptoms;
/// use cwa_export::transmission_risk::level_from_days;
/// assert_eq!(level_from_days(DaysSinceOnsetOfSymptoms::try_from(2)?).get(), 6);
/// assert_eq!(level_from_days(DaysSinceOnsetOfSymptoms::try_from(14)?).get(), 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use]
pub fn level_from_days(days: DaysSinceOnsetOfSymptoms) -> TransmissionRiskLevel {
    let entry = LEVELS.iter().find_map(|(first, levels)| {
        let offset = usize::try_from(days.get().checked_sub(*first)?).ok()?;
        levels.get(offset).copied()
    });
    level(entry.unwrap_or(DEFAULT_LEVEL))
}

/// What is said of days since onset where a key has only a level: a federated encoding, from which
/// [`level_from_days`] gives back every level but 8, which becomes 7. `None` for level 0, which says nothing.
#[must_use]
pub fn days_from_level(level: TransmissionRiskLevel) -> Option<DaysSinceOnsetOfSymptoms> {
    let days: i64 = match level.get() {
        1 => 3986,
        2 => 3992,
        3 => 3993,
        4 => 3994,
        5 => 4000,
        6 => 3995,
        7 => 3996,
        8 => 3997,
        _ => return None,
    };
    DaysSinceOnsetOfSymptoms::try_from(days).ok()
}

/// The key as the German server publishes it for framework mode v2, whose report type and days since onset carry the
/// level: a report type for each pair of levels, days 1 or 2 for the lower or higher one.
///
/// A key with neither level nor days is returned as it is. Apps give the level back by the table `trl_encoding` of
/// their configuration.
///
/// ```
/// use cwa_crypto::{ReportType, TransmissionRiskLevel};
/// use cwa_export::{ExportKey, transmission_risk};
/// let mut key = ExportKey::new([7; 16]);
/// key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(6)?);
/// let published = transmission_risk::encode_level(key);
/// assert_eq!(published.report_type, Some(ReportType::ConfirmedClinicalDiagnosis));
/// assert_eq!(published.days_since_onset_of_symptoms.map(|days| days.get()), Some(2));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use]
pub fn encode_level(mut key: ExportKey) -> ExportKey {
    let given = key.transmission_risk_level.filter(|level| *level != TransmissionRiskLevel::UNUSED);
    let Some(level) = given.or_else(|| key.days_since_onset_of_symptoms.map(level_from_days)) else {
        return key;
    };
    key.transmission_risk_level = Some(level);
    key.report_type = Some(match level.get() {
        1 | 2 => ReportType::Recursive,
        3 | 4 => ReportType::SelfReport,
        5 | 6 => ReportType::ConfirmedClinicalDiagnosis,
        _ => ReportType::ConfirmedTest,
    });
    let days: i64 = if level.get() % 2 == 1 { 1 } else { 2 };
    key.days_since_onset_of_symptoms = DaysSinceOnsetOfSymptoms::try_from(days).ok();
    key
}

/// Level of everything that has no entry.
const DEFAULT_LEVEL: u8 = 1;

/// Runs of consecutive values: the first value, and the level of each from there on.
const LEVELS: &[(i16, &[u8])] = &[
    (-5, &[2, 4, 6, 7, 8, 8, 8, 6, 5, 3, 2, 2]),
    (194, &[2, 3, 5, 7, 8, 8, 8, 7, 5, 4, 3, 2]),
    (294, &[3, 4, 5, 8, 8, 8, 7, 7, 6, 5, 3, 2, 2]),
    (393, &[2, 4, 5, 7, 8, 8, 7, 6, 5, 4, 3, 2]),
    (492, &[2, 3, 5, 6, 8, 8, 7, 7, 5, 4, 3, 2, 2]),
    (591, &[2, 3, 4, 6, 7, 8, 7, 7, 6, 4, 4, 3, 2]),
    (690, &[2, 3, 4, 5, 6, 7, 7, 7, 6, 5, 4, 3, 2, 2]),
    (790, &[2, 4, 5, 6, 7, 7, 7, 6, 5, 4, 3, 3, 2, 2]),
    (889, &[2, 3, 4, 5, 6, 7, 7, 6, 5, 5, 4, 3, 2, 2]),
    (988, &[2, 3, 4, 5, 6, 6, 6, 6, 6, 5, 4, 3, 3, 2, 2]),
    (1087, &[2, 3, 4, 5, 5, 6, 6, 6, 5, 5, 4, 4, 3, 2, 2, 2]),
    (1186, &[2, 3, 4, 4, 5, 6, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2]),
    (1286, &[2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 4, 3, 3, 2, 2, 2]),
    (1386, &[3, 4, 5, 5, 5, 5, 5, 5, 5, 4, 4, 3, 3, 2, 2]),
    (1486, &[4, 4, 5, 5, 5, 5, 5, 4, 4, 4, 3, 3, 2, 2, 2]),
    (1586, &[4, 4, 5, 5, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2]),
    (1686, &[4, 4, 5, 5, 4, 4, 4, 4, 4, 3, 3, 2, 2, 2]),
    (1786, &[4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 2, 2, 2]),
    (1992, &[2, 3, 5, 7, 8, 8, 8, 6, 5]),
    (2997, &[2, 3, 4, 4]),
    (3992, &[2, 3, 4, 6, 7, 7, 7, 6, 5]),
];

fn level(number: u8) -> TransmissionRiskLevel {
    // The table holds 1 to 8 only, as a test shows.
    TransmissionRiskLevel::try_from(i64::from(number)).unwrap_or(TransmissionRiskLevel::UNUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_level_from_1_to_8() {
        for days in -15..=4000 {
            let days = DaysSinceOnsetOfSymptoms::try_from(days).unwrap();
            assert!((1..=8).contains(&level_from_days(days).get()), "{days:?}");
        }
        assert_eq!(LEVELS.iter().map(|(_, levels)| levels.len()).sum::<usize>(), 274);
    }

    #[test]
    fn the_two_tables_are_inverse_for_every_level_but_8() {
        let back = |number| {
            let level = TransmissionRiskLevel::try_from(number).unwrap();
            i64::from(level_from_days(days_from_level(level).unwrap()).get())
        };
        assert_eq!((1..=8).map(back).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 7]);
        assert_eq!(days_from_level(TransmissionRiskLevel::UNUSED), None);
    }

    #[test]
    fn a_published_level_can_be_read_back() {
        for number in 1..=8 {
            let mut key = ExportKey::new([1; 16]);
            key.transmission_risk_level = TransmissionRiskLevel::try_from(number).ok();
            let published = encode_level(key);
            // The offsets of the German configuration: infectiousness 1 and 2, report types 0, 2, 4 and 6.
            let infectiousness = i64::from(published.days_since_onset_of_symptoms.unwrap().get());
            let report_type = match published.report_type.unwrap() {
                ReportType::Recursive => 0,
                ReportType::SelfReport => 2,
                ReportType::ConfirmedClinicalDiagnosis => 4,
                _ => 6,
            };
            assert_eq!(infectiousness + report_type, number);
        }
    }

    #[test]
    fn a_key_that_says_nothing_stays_as_it_is() {
        let key = ExportKey::new([1; 16]);
        assert_eq!(encode_level(key), key);
    }
}
