//! How far a phone's clock is off, and what that does to matching.

use core::fmt;

use crate::time::UnixTime;

/// The seconds by which a device's clock is ahead of a reference, such as the `Date` of a server's answer; negative if it
/// is behind.
///
/// Intervals are counted by each phone's own clock, and matching allows them to differ by 12 (Cryptography Specification
/// v1.2, "±2-hour tolerance"). Whoever is further off neither warns nor is warned, and nothing else tells: so the app
/// has to.
///
/// A `Date` has whole seconds and is as old as its way: take the time when the answer arrives, and do not worry about a
/// few seconds.
///
/// ```
/// use cwa_crypto::UnixTime;
/// use cwa_crypto::schedule::{ClockSkew, ClockSkewEffect};
///
/// let date = UnixTime::from_secs(1_595_376_000);
/// assert_eq!(ClockSkew::between(date.plus(7200), date).effect(), ClockSkewEffect::None);
/// let skew = ClockSkew::between(date.minus(9000), date);
/// assert_eq!((skew.seconds(), skew.effect()), (-9000, ClockSkewEffect::AllLost));
/// assert_eq!(skew.to_string(), "2 h 30 min behind");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClockSkew(i64);

impl ClockSkew {
    /// Up to this difference, both ways, nothing is lost: two hours.
    pub const TOLERANCE_SECONDS: u64 = 7200;

    /// What the clock that shows `device` is off, where `reference` is right; saturates.
    #[must_use]
    pub const fn between(device: UnixTime, reference: UnixTime) -> Self {
        let (ahead, behind) = (device.seconds_since(reference), reference.seconds_since(device));
        Self(to_signed(ahead).saturating_sub(to_signed(behind)))
    }

    /// The seconds, ahead (positive) or behind (negative).
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// Whether the owner has to be warned.
    #[must_use]
    pub const fn exceeds_tolerance(self) -> bool {
        self.0.unsigned_abs() > Self::TOLERANCE_SECONDS
    }

    /// What becomes of encounters with phones whose clocks are right.
    ///
    /// Between two hours and two hours ten it depends on the second within the interval.
    #[must_use]
    pub const fn effect(self) -> ClockSkewEffect {
        match self.0.unsigned_abs() {
            0..=Self::TOLERANCE_SECONDS => ClockSkewEffect::None,
            Self::ALL_LOST_SECONDS.. => ClockSkewEffect::AllLost,
            _ => ClockSkewEffect::SomeLost,
        }
    }

    const ALL_LOST_SECONDS: u64 = Self::TOLERANCE_SECONDS + crate::time::ENIntervalNumber::SECONDS;
}

impl fmt::Display for ClockSkew {
    /// `2 h 30 min behind`, `7 s ahead`, `right`: the two largest units, rounded down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.unsigned_abs();
        match seconds {
            0 => return f.write_str("right"),
            1..60 => write!(f, "{seconds} s")?,
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60)?,
            3600..86_400 => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60)?,
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3600 % 24)?,
        }
        f.write_str(if self.0 > 0 { " ahead" } else { " behind" })
    }
}

/// What a clock that is off does to encounters with phones whose clocks are right, in both directions: what it receives
/// does not match their keys, and what it sends does not match at their side.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: nothing, some or everything is lost")]
pub enum ClockSkewEffect {
    /// Every sighting lies within the tolerance.
    None,
    /// A part of the sightings lies outside of it.
    SomeLost,
    /// Every sighting lies outside of it.
    AllLost,
}

const fn to_signed(seconds: u64) -> i64 {
    #[expect(clippy::cast_possible_wrap, reason = "at most i64::MAX, compared in the same line")]
    if seconds > i64::MAX as u64 { i64::MAX } else { seconds as i64 }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::matching::{Rules, Sighting, find};
    use crate::{AssociatedEncryptedMetadata, DiagnosisKey, ENIntervalNumber, RollingPeriod};

    const NOON: UnixTime = UnixTime::from_secs(1_595_376_000 + 12 * 3600);

    /// How many of an interval's seconds match, if the receiver's clock is off by so much.
    fn matched_seconds(skew: i64) -> usize {
        let interval = ENIntervalNumber::at(NOON);
        let key = DiagnosisKey::new([5; 16], interval, RollingPeriod::try_from(1).unwrap());
        let (_, rpi) = key.identifiers().next().unwrap();
        (0..600)
            .filter(|second| {
                let seen_at = NOON.plus(*second).as_secs().checked_add_signed(skew).unwrap();
                let aem = AssociatedEncryptedMetadata::from_bytes([0; 4]);
                let sighting = Sighting::new(rpi, aem, -60, UnixTime::from_secs(seen_at));
                !find([key], [sighting], Rules::SPEC).matches.is_empty()
            })
            .count()
    }

    #[test]
    fn the_effect_is_what_matching_does() {
        for size in [0, 1, 7199, 7200, 7201, 7500, 7799, 7800, 7801, 20_000] {
            for skew in [size, -size] {
                let (matched, effect) = (matched_seconds(skew), ClockSkew(skew).effect());
                let expected = match matched {
                    600 => ClockSkewEffect::None,
                    0 => ClockSkewEffect::AllLost,
                    _ => ClockSkewEffect::SomeLost,
                };
                assert_eq!(effect, expected, "{skew} s: {matched} seconds match");
                assert_eq!(ClockSkew(skew).exceeds_tolerance(), effect != ClockSkewEffect::None);
            }
        }
    }

    #[test]
    fn the_sign_says_which_way_and_extremes_saturate() {
        let (zero, end) = (UnixTime::from_secs(0), UnixTime::from_secs(u64::MAX));
        assert_eq!(ClockSkew::between(end, zero).seconds(), i64::MAX);
        assert_eq!(ClockSkew::between(zero, end).seconds(), -i64::MAX);
        assert_eq!(ClockSkew::between(NOON.plus(3), NOON).seconds(), 3);
        assert_eq!(ClockSkew::between(NOON, NOON.plus(3)).seconds(), -3);
        assert!(ClockSkew::between(zero, end).exceeds_tolerance());
    }

    #[test]
    fn it_is_said_in_the_two_largest_units() {
        for (seconds, text) in [
            (0, "right"),
            (59, "59 s ahead"),
            (-60, "1 min 0 s behind"),
            (7265, "2 h 1 min ahead"),
            (-90_000, "1 d 1 h behind"),
        ] {
            assert_eq!(ClockSkew(seconds).to_string(), text);
        }
    }
}
