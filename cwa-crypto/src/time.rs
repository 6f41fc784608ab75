//! The protocol's time: Unix seconds, ten-minute intervals, UTC days.
//!
//! Nothing here reads a clock; `now` is always an argument.

use core::fmt;

/// A moment in seconds since the Unix epoch (1970-01-01 00:00:00 UTC, leap seconds not counted).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This moment `seconds` later; saturates at the end of time.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// This moment `seconds` earlier; saturates at the epoch.
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds from `earlier` to this moment; 0 if `earlier` is later.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day this moment lies in.
    #[must_use]
    pub const fn day(self) -> Day {
        Day(self.0 / Day::SECONDS)
    }

    /// The beginning of this moment's hour.
    #[must_use]
    pub const fn floor_hour(self) -> Self {
        Self(self.0 - self.0 % 3600)
    }
}

/// The number of a ten-minute interval since the Unix epoch; four bytes, little-endian in padded data.
///
/// `ENIntervalNumber(Timestamp) = Timestamp / (60 * 10)` (Cryptography Specification v1.2, "ENIntervalNumber").
///
/// ```
/// use cwa_crypto::{ENIntervalNumber, UnixTime};
/// assert_eq!(ENIntervalNumber::at(UnixTime::from_secs(1_585_785_600)).get(), 2_642_976);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ENIntervalNumber(u32);

impl ENIntervalNumber {
    /// Seconds in one interval.
    pub const SECONDS: u64 = 600;

    /// The interval with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The interval that `time` lies in; saturates at `u32::MAX` (in the year 83,000).
    #[must_use]
    pub const fn at(time: UnixTime) -> Self {
        let number = time.0 / Self::SECONDS;
        if number > u32::MAX as u64 {
            return Self(u32::MAX);
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX, compared just above")]
        Self(number as u32)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The interval's first second.
    #[must_use]
    pub const fn start(self) -> UnixTime {
        UnixTime(self.0 as u64 * Self::SECONDS)
    }

    /// The interval `count` later; `None` past `u32::MAX`.
    #[must_use]
    pub const fn checked_add(self, count: u32) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The distance to `other` in intervals, whichever is later.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> u32 {
        self.0.abs_diff(other.0)
    }

    /// The first interval of this interval's UTC day: `144 * floor(number / 144)`.
    #[must_use]
    pub const fn floor_day(self) -> Self {
        Self(self.0 - self.0 % RollingPeriod::FULL_DAY.get() as u32)
    }
}

impl fmt::Display for ENIntervalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// For how many ten-minute intervals a key is broadcast: 1 to 144 (`TEKRollingPeriod`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct RollingPeriod(u8);

impl RollingPeriod {
    /// 144 intervals: 24 hours, the nominal period and the default of the export format.
    pub const FULL_DAY: Self = Self(144);

    /// The number of intervals, 1 to 144.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The intervals from `start`, inclusive, to the end of its UTC day.
    ///
    /// ```
    /// use cwa_crypto::{ENIntervalNumber, RollingPeriod};
    /// assert_eq!(RollingPeriod::rest_of_day(ENIntervalNumber::new(2_642_976)), RollingPeriod::FULL_DAY);
    /// assert_eq!(RollingPeriod::rest_of_day(ENIntervalNumber::new(2_642_975)).get(), 1);
    /// ```
    #[must_use]
    pub const fn rest_of_day(start: ENIntervalNumber) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is at most 143")]
        Self(Self::FULL_DAY.0 - (start.0 % Self::FULL_DAY.0 as u32) as u8)
    }

    /// The intervals from `start`, inclusive, to `end`, exclusive; `None` unless they are 1 to 144.
    #[must_use]
    pub fn between(start: ENIntervalNumber, end: ENIntervalNumber) -> Option<Self> {
        Self::try_from(i64::from(end.0) - i64::from(start.0)).ok()
    }
}

impl Default for RollingPeriod {
    /// [`RollingPeriod::FULL_DAY`], as the export format has it (`rolling_period = 3 [default = 144]`).
    fn default() -> Self {
        Self::FULL_DAY
    }
}

impl TryFrom<i64> for RollingPeriod {
    type Error = RollingPeriodError;

    #[inline]
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u8::try_from(number) {
            Ok(n @ 1..=144) => Ok(Self(n)),
            _ => Err(RollingPeriodError { got: number }),
        }
    }
}

impl From<RollingPeriod> for i64 {
    fn from(period: RollingPeriod) -> Self {
        period.0.into()
    }
}

/// A rolling period outside 1..=144.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the rolling period must be 1 to 144 intervals, not {got}")]
#[non_exhaustive]
pub struct RollingPeriodError {
    /// The number found.
    pub got: i64,
}

/// A UTC day, counted from 1970-01-01 as day 0.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Day(u64);

impl Day {
    /// Seconds in one day.
    pub const SECONDS: u64 = 86_400;

    /// The day with this number since the epoch.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The day a calendar date names (proleptic Gregorian, UTC); `None` for a date that does not exist or lies before 1970.
    ///
    /// ```
    /// use cwa_crypto::Day;
    /// assert_eq!(Day::from_calendar(2020, 7, 22).unwrap().start().as_secs(), 1_595_376_000);
    /// assert_eq!(Day::from_calendar(2021, 2, 29), None);
    /// ```
    #[must_use]
    pub fn from_calendar(year: u16, month: u8, day: u8) -> Option<Self> {
        // Counting years from March puts the leap day last, so that month lengths follow one linear formula.
        let (year64, month64, day64) = (u64::from(year), u64::from(month), u64::from(day));
        if year < 1970 || !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        let years = if month <= 2 { year64 - 1 } else { year64 };
        let day_of_year = (153 * ((month64 + 9) % 12) + 2) / 5 + day64 - 1;
        let days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year;
        let candidate = Self(days.checked_sub(DAYS_BEFORE_EPOCH)?);
        (candidate.calendar() == (year64, month, day)).then_some(candidate)
    }

    /// Year, month (1 to 12) and day of month (1 to 31) in the Gregorian calendar.
    ///
    /// ```
    /// use cwa_crypto::{Day, UnixTime};
    /// assert_eq!(UnixTime::from_secs(1_582_934_400).day().calendar(), (2020, 2, 29));
    /// ```
    #[must_use]
    pub const fn calendar(self) -> (u64, u8, u8) {
        const DAYS_PER_400_YEARS: u64 = 146_097;
        let days = self.0.saturating_add(DAYS_BEFORE_EPOCH);
        let era = days / DAYS_PER_400_YEARS;
        let day_of_era = days % DAYS_PER_400_YEARS;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * months + 2) / 5 + 1;
        let month = if months < 10 { months + 3 } else { months - 9 };
        let year = era * 400 + year_of_era + (month <= 2) as u64;
        #[expect(clippy::cast_possible_truncation, reason = "month is at most 12 and day at most 31")]
        (year, month as u8, day as u8)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// 00:00:00 UTC of this day.
    #[must_use]
    pub const fn start(self) -> UnixTime {
        UnixTime(self.0.saturating_mul(Self::SECONDS))
    }

    /// The following day.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day `count` days before; saturates at the epoch.
    #[must_use]
    pub const fn minus(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }
}

impl fmt::Display for Day {
    /// `yyyy-mm-dd`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl core::str::FromStr for Day {
    type Err = DayParseError;

    /// Reads `yyyy-mm-dd`, exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape_is_right = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shape_is_right {
            return Err(DayParseError);
        }
        let part = |range: core::ops::Range<usize>| text.get(range).ok_or(DayParseError);
        let year = part(0..4)?.parse().map_err(|_| DayParseError)?;
        let month = part(5..7)?.parse().map_err(|_| DayParseError)?;
        let day = part(8..10)?.parse().map_err(|_| DayParseError)?;
        Self::from_calendar(year, month, day).ok_or(DayParseError)
    }
}

/// Not a calendar date of the form `yyyy-mm-dd` from 1970 on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a calendar date of the form yyyy-mm-dd, from 1970 on")]
#[non_exhaustive]
pub struct DayParseError;

/// Days from 0000-03-01, where the calendar arithmetic starts, to 1970-01-01.
const DAYS_BEFORE_EPOCH: u64 = 719_468;

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn every_day_until_2400_survives_the_way_through_the_calendar_and_back() {
        for number in 0..157_000 {
            let day = Day::new(number);
            let (year, month, of_month) = day.calendar();
            assert_eq!(Day::from_calendar(u16::try_from(year).unwrap(), month, of_month), Some(day));
            assert_eq!(day.to_string().parse(), Ok(day));
        }
    }

    #[test]
    fn rolling_period_is_1_to_144() {
        assert!(RollingPeriod::try_from(1).is_ok());
        assert_eq!(RollingPeriod::try_from(144), Ok(RollingPeriod::FULL_DAY));
        for got in [i64::MIN, -1, 0, 145, 400, i64::MAX] {
            assert_eq!(RollingPeriod::try_from(got), Err(RollingPeriodError { got }));
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "2021-02-29",
            "2020-13-01",
            "2020-00-10",
            "2020-04-31",
            "1969-12-31",
            "2020-1-1",
            "2020-01-01 ",
            "+020-01-01",
        ] {
            assert_eq!(text.parse::<Day>(), Err(DayParseError), "{text}");
        }
    }
}
