//! The four categories and their eight ranges each.

use core::fmt;

use cwa_crypto::{Attenuation, TransmissionRiskLevel};

/// One of the four categories that the total risk score multiplies.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "complete by framework v1")]
pub enum Category {
    /// Signal attenuation, averaged over the time of the encounter, in dB.
    Attenuation,
    /// Days from the beginning of the other person's key to now.
    Days,
    /// Duration of the encounter.
    Duration,
    /// The transmission risk level that came with the key.
    Transmission,
}

impl Category {
    /// The unit its values are in.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Attenuation => "dB",
            Self::Days => "days",
            Self::Duration => "min",
            Self::Transmission => "level",
        }
    }

    /// The range of values that a bucket of this category holds, for people.
    #[must_use]
    pub const fn range(self, bucket: Bucket) -> &'static str {
        let texts = match self {
            Self::Attenuation => [
                "over 73 dB",
                "over 63 to 73 dB",
                "over 51 to 63 dB",
                "over 33 to 51 dB",
                "over 27 to 33 dB",
                "over 15 to 27 dB",
                "over 10 to 15 dB",
                "up to 10 dB",
            ],
            Self::Days => [
                "14 days and more",
                "12 to 13 days",
                "10 to 11 days",
                "8 to 9 days",
                "6 to 7 days",
                "4 to 5 days",
                "2 to 3 days",
                "0 to 1 day",
            ],
            Self::Duration => [
                "0 min",
                "over 0 to 5 min",
                "over 5 to 10 min",
                "over 10 to 15 min",
                "over 15 to 20 min",
                "over 20 to 25 min",
                "over 25 to 30 min",
                "over 30 min",
            ],
            Self::Transmission => {
                ["level 1", "level 2", "level 3", "level 4", "level 5", "level 6", "level 7", "level 8"]
            }
        };
        bucket.of(&texts)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Attenuation => "attenuation",
            Self::Days => "days since exposure",
            Self::Duration => "duration",
            Self::Transmission => "transmission risk level",
        })
    }
}

/// One of a category's eight ranges of values, counted from 1 (least risk) to 8 (most).
///
/// Google's `RiskScoreCalculator` and Apple's `ENExposureConfiguration` order the ranges alike.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(into = "u8"))]
pub struct Bucket(
    /// 0 to 7.
    u8,
);

impl Bucket {
    /// The bucket of an attenuation: over 73 dB is 1, then over 63, 51, 33, 27, 15 and 10 dB; up to 10 dB is 8.
    ///
    /// ```
    /// use cwa_risk::v1::Bucket;
    /// use cwa_crypto::Attenuation;
    /// assert_eq!(Bucket::of_attenuation(Attenuation::from_db(73)).number(), 2);
    /// assert_eq!(Bucket::of_attenuation(Attenuation::from_db(74)).number(), 1);
    /// ```
    #[must_use]
    pub const fn of_attenuation(attenuation: Attenuation) -> Self {
        Self(match attenuation.db() {
            74.. => 0,
            64..=73 => 1,
            52..=63 => 2,
            34..=51 => 3,
            28..=33 => 4,
            16..=27 => 5,
            11..=15 => 6,
            0..=10 => 7,
        })
    }

    /// The bucket of whole days since the exposure: 14 days and more is 1, then two days each; 0 and 1 is 8.
    ///
    /// ```
    /// use cwa_risk::v1::Bucket;
    /// assert_eq!(Bucket::of_days(13).number(), 2);
    /// assert_eq!(Bucket::of_days(14).number(), 1);
    /// ```
    #[must_use]
    pub const fn of_days(days: u64) -> Self {
        Self(match days {
            14.. => 0,
            12..=13 => 1,
            10..=11 => 2,
            8..=9 => 3,
            6..=7 => 4,
            4..=5 => 5,
            2..=3 => 6,
            0..=1 => 7,
        })
    }

    /// The bucket of a duration: 0 min is 1, then up to 5, 10, 15, 20, 25 and 30 min; over 30 min is 8.
    ///
    /// Seconds are cut to whole minutes first, as the framework does: 59 s is 0 min, and 30 min 59 s is 30 min.
    ///
    /// ```
    /// use cwa_risk::v1::Bucket;
    /// assert_eq!(Bucket::of_duration(59).number(), 1);
    /// assert_eq!(Bucket::of_duration(359).number(), 2);
    /// assert_eq!(Bucket::of_duration(360).number(), 3);
    /// ```
    #[must_use]
    pub const fn of_duration(duration_seconds: u64) -> Self {
        Self(match duration_seconds / 60 {
            0 => 0,
            1..=5 => 1,
            6..=10 => 2,
            11..=15 => 3,
            16..=20 => 4,
            21..=25 => 5,
            26..=30 => 6,
            31.. => 7,
        })
    }

    /// The bucket of a transmission risk level: its own number; level 0 has none.
    #[must_use]
    pub const fn of_transmission_risk_level(level: TransmissionRiskLevel) -> Option<Self> {
        match level.get() {
            number @ 1..=8 => Some(Self(number - 1)),
            _ => None,
        }
    }

    /// 1 to 8.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0 + 1
    }

    /// What a row of eight has for this bucket.
    #[must_use]
    pub const fn of<T: Copy>(self, row: &[T; 8]) -> T {
        #[expect(clippy::indexing_slicing, reason = "every constructor gives 0 to 7")]
        row[self.0 as usize]
    }
}

impl From<Bucket> for u8 {
    fn from(bucket: Bucket) -> Self {
        bucket.number()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest value of each bucket from the most risk to the least, as the published tables have them.
    fn assert_edges(name: &str, lowest: [u64; 7], bucket: impl Fn(u64) -> Bucket, ascending: bool) {
        let mut row = if ascending { 1 } else { 8 };
        for value in 0..=255 {
            if lowest.contains(&value) {
                row = if ascending { row + 1 } else { row - 1 };
            }
            assert_eq!(bucket(value).number(), row, "{name} {value}");
        }
    }

    #[test]
    fn every_bucket_edge_is_where_the_framework_has_it() {
        let attenuation = |db| Bucket::of_attenuation(Attenuation::from_db(u8::try_from(db).unwrap()));
        assert_edges("attenuation", [11, 16, 28, 34, 52, 64, 74], attenuation, false);
        assert_edges("days", [2, 4, 6, 8, 10, 12, 14], Bucket::of_days, false);
        assert_edges(
            "minutes",
            [1, 6, 11, 16, 21, 26, 31],
            |minutes| Bucket::of_duration(minutes * 60),
            true,
        );
        assert_edges(
            "minutes",
            [1, 6, 11, 16, 21, 26, 31],
            |minutes| Bucket::of_duration(minutes * 60 + 59),
            true,
        );
    }

    #[test]
    fn transmission_risk_level_0_has_no_bucket() {
        for number in 1..=8 {
            let level = TransmissionRiskLevel::try_from(number).unwrap();
            assert_eq!(
                Bucket::of_transmission_risk_level(level).map(|b| i64::from(b.number())),
                Some(number)
            );
        }
        assert_eq!(Bucket::of_transmission_risk_level(TransmissionRiskLevel::UNUSED), None);
    }

    #[test]
    fn the_largest_values_have_a_bucket() {
        assert_eq!(Bucket::of_days(u64::MAX).number(), 1);
        assert_eq!(Bucket::of_duration(u64::MAX).number(), 8);
    }
}
