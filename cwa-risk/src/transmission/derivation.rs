//! What the German server makes of keys that carry only one of level and days since onset.

use cwa_crypto::{DaysSinceOnsetOfSymptoms, TransmissionRiskLevel};

use super::levels::level;

/// The days since onset that the German server assumes for a level; `None` for level 0.
///
/// They are of the encoding "nothing known about symptoms", 4000 less the days from the key to the upload. Not the
/// inverse of [`level_from_days_since_onset`]: levels 1 and 8 come back as 1 (by default) and 7.
/// (`derivation-maps.yaml` of the Corona-Warn-App server, `dsos-from-trl`.)
///
/// ```
/// use cwa_crypto::TransmissionRiskLevel;
/// use cwa_risk::transmission::days_since_onset_from_level;
/// let days = days_since_onset_from_level(TransmissionRiskLevel::try_from(5)?).unwrap();
/// assert_eq!(days.get(), 4000);
/// # Ok::<(), cwa_crypto::diagnosis::TransmissionRiskLevelError>(())
/// ```
#[must_use]
pub fn days_since_onset_from_level(level: TransmissionRiskLevel) -> Option<DaysSinceOnsetOfSymptoms> {
    let days = match level.get() {
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

/// The level that the German server derives from days since onset in the federated European encodings; 1 for what its
/// table does not have.
///
/// (`derivation-maps.yaml` of the Corona-Warn-App server, `trl-from-dsos` and `default-trl`.)
///
/// ```
/// use cwa_crypto::DaysSinceOnsetOfSymptoms;
/// use cwa_risk::transmission::level_from_days_since_onset;
/// // The onset lies in an interval of 3 days, whose last day the key is on.
/// assert_eq!(level_from_days_since_onset(DaysSinceOnsetOfSymptoms::try_from(300)?).get(), 7);
/// # Ok::<(), cwa_crypto::diagnosis::DaysSinceOnsetOfSymptomsError>(())
/// ```
#[must_use]
pub fn level_from_days_since_onset(days: DaysSinceOnsetOfSymptoms) -> TransmissionRiskLevel {
    let number = LEVELS.iter().find_map(|(first, levels)| {
        let index = usize::try_from(days.get().checked_sub(*first)?).ok()?;
        levels.get(index).copied()
    });
    level(number.unwrap_or(DEFAULT_LEVEL))
}

const DEFAULT_LEVEL: u8 = 1;

/// First encoded day and the levels from it on. The runs are the encodings: onset known to the day, in an interval of 2
/// to 18 days (hundreds), unknown (2000), no symptoms (3000), nothing known (4000).
const LEVELS: [(i16, &[u8]); 21] = [
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

#[cfg(test)]
mod tests {
    use super::super::level_by_days_since_onset;
    use super::*;

    fn derived(days: i64) -> u8 {
        level_from_days_since_onset(DaysSinceOnsetOfSymptoms::try_from(days).unwrap()).get()
    }

    #[test]
    fn where_the_onset_is_known_the_server_agrees_with_the_phones() {
        for days in -14..=21 {
            assert_eq!(derived(days), level_by_days_since_onset(days).get(), "{days}");
        }
    }

    #[test]
    fn what_the_table_does_not_have_is_level_1() {
        for days in [-15, 7, 193, 206, 1991, 2001, 2996, 3001, 3986, 3991] {
            assert_eq!(derived(days), 1, "{days}");
        }
    }

    #[test]
    fn levels_2_to_7_survive_the_way_there_and_back() {
        let back = |number| {
            let days = days_since_onset_from_level(TransmissionRiskLevel::try_from(number).unwrap());
            i64::from(derived(i64::from(days.unwrap())))
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(back), [1, 2, 3, 4, 5, 6, 7, 7]);
        assert_eq!(days_since_onset_from_level(TransmissionRiskLevel::UNUSED), None);
    }

    #[test]
    fn the_runs_of_the_table_do_not_touch() {
        for pair in LEVELS.windows(2) {
            let end = i64::from(pair[0].0) + i64::try_from(pair[0].1.len()).unwrap();
            assert!(end < i64::from(pair[1].0));
        }
    }
}
