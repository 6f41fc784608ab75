//! Levels by what is known of the onset of symptoms.

use cwa_crypto::TransmissionRiskLevel;

/// What a person says about symptoms when handing over keys.
///
/// The days count back from the day of the upload, as the key's age does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SymptomStatus {
    /// Symptoms, first felt this many days ago.
    OnsetDaysAgo(u8),
    /// Symptoms, and nothing said about their onset.
    OnsetUnknown,
    /// Symptoms that began in the last seven days.
    OnsetInLastSevenDays,
    /// Symptoms that began one to two weeks ago.
    OnsetOneToTwoWeeksAgo,
    /// Symptoms that began more than two weeks ago.
    OnsetMoreThanTwoWeeksAgo,
    /// No symptoms.
    NoSymptoms,
    /// Nothing said about symptoms.
    NoInformation,
}

impl SymptomStatus {
    /// Levels of the keys of the day of the upload and of each of the 14 days before, in this order; 1 to 8 each.
    ///
    /// The table of the Corona-Warn-App (`TransmissionRiskVectorDeterminer.kt`, `SymptomsOnset.swift`, 2020-10), which follows
    /// from its epidemiological document `transmission_risk.Rmd`.
    ///
    /// ```
    /// use cwa_risk::transmission::SymptomStatus;
    /// let levels = SymptomStatus::OnsetDaysAgo(2).levels().map(|level| level.get());
    /// assert_eq!(levels, [6, 8, 8, 8, 7, 6, 4, 2, 1, 1, 1, 1, 1, 1, 1]);
    /// ```
    #[must_use]
    pub fn levels(self) -> [TransmissionRiskLevel; Self::KEY_AGES] {
        let numbers = match self {
            Self::OnsetDaysAgo(days_ago) => {
                return core::array::from_fn(|age| {
                    let age = i64::try_from(age).unwrap_or(i64::MAX);
                    level_by_days_since_onset(i64::from(days_ago) - age)
                });
            }
            Self::OnsetUnknown => [5, 6, 8, 8, 8, 7, 5, 3, 2, 1, 1, 1, 1, 1, 1],
            Self::OnsetInLastSevenDays => [4, 5, 6, 7, 7, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1],
            Self::OnsetOneToTwoWeeksAgo => [1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 6, 6, 4],
            Self::OnsetMoreThanTwoWeeksAgo => [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5],
            Self::NoSymptoms => [4, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            Self::NoInformation => [5, 6, 7, 7, 7, 6, 4, 3, 2, 1, 1, 1, 1, 1, 1],
        };
        numbers.map(level)
    }

    /// The level of a key of `days_ago` days before the upload; `None` for keys of more than 14 days, which are not handed
    /// over.
    #[must_use]
    pub fn level_of_key(self, days_ago: u64) -> Option<TransmissionRiskLevel> {
        self.levels().get(usize::try_from(days_ago).ok()?).copied()
    }

    /// How many days' keys are handed over: the day of the upload and the 14 before.
    pub const KEY_AGES: usize = 15;
}

/// The level of a day so many days after the onset of symptoms (negative: before): 8 from the day before the onset to
/// the day after, falling to 1.
///
/// ```
/// use cwa_risk::transmission::level_by_days_since_onset;
/// assert_eq!(level_by_days_since_onset(0).get(), 8);
/// assert_eq!(level_by_days_since_onset(-4).get(), 4);
/// assert_eq!(level_by_days_since_onset(7).get(), 1);
/// ```
#[must_use]
pub fn level_by_days_since_onset(days: i64) -> TransmissionRiskLevel {
    level(match days {
        -1..=1 => 8,
        -2 => 7,
        -3 | 2 => 6,
        3 => 5,
        -4 => 4,
        4 => 3,
        -5 | 5 | 6 => 2,
        _ => 1,
    })
}

#[expect(clippy::expect_used, reason = "every number of this module's tables is 1 to 8")]
pub(super) fn level(number: u8) -> TransmissionRiskLevel {
    TransmissionRiskLevel::try_from(i64::from(number)).expect("1 to 8 is a transmission risk level")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_holds_levels_from_1_to_8() {
        let onsets = (0..=u8::MAX).map(SymptomStatus::OnsetDaysAgo);
        let others = [
            SymptomStatus::OnsetUnknown,
            SymptomStatus::OnsetInLastSevenDays,
            SymptomStatus::OnsetOneToTwoWeeksAgo,
            SymptomStatus::OnsetMoreThanTwoWeeksAgo,
            SymptomStatus::NoSymptoms,
            SymptomStatus::NoInformation,
        ];
        for status in onsets.chain(others) {
            assert!(status.levels().iter().all(|level| (1..=8).contains(&level.get())), "{status:?}");
        }
    }

    #[test]
    fn a_level_rises_to_the_onset_and_falls_after_it() {
        let levels: alloc::vec::Vec<_> = (-14..=20).map(|day| level_by_days_since_onset(day).get()).collect();
        let peak = levels.iter().position(|level| *level == 8).unwrap();
        assert!(levels[..=peak].is_sorted());
        assert!(levels[peak..].iter().rev().is_sorted());
    }

    #[test]
    fn an_onset_three_weeks_ago_says_nothing_about_the_last_fourteen_days() {
        for days_ago in [21, 22, u8::MAX] {
            assert!(SymptomStatus::OnsetDaysAgo(days_ago).levels().iter().all(|level| level.get() == 1));
        }
        assert_eq!(SymptomStatus::OnsetDaysAgo(20).level_of_key(14).map(TransmissionRiskLevel::get), Some(2));
    }

    #[test]
    fn keys_of_more_than_14_days_have_no_level() {
        assert!(SymptomStatus::NoSymptoms.level_of_key(14).is_some());
        assert_eq!(SymptomStatus::NoSymptoms.level_of_key(15), None);
        assert_eq!(SymptomStatus::NoSymptoms.level_of_key(u64::MAX), None);
    }
}
