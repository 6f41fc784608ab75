//! The questions on which implementations differ, and their answers.

use core::fmt;

use crate::time::{Day, ENIntervalNumber, UnixTime};

/// What becomes of a key that is none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MalformedKeys {
    /// Nothing of its file is processed.
    RefuseFile,
    /// The key is skipped.
    RefuseKey,
}

impl fmt::Display for MalformedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefuseFile => "the file is refused",
            Self::RefuseKey => "the key is skipped",
        })
    }
}

/// What becomes of rolling periods outside 1 to 144. One that is absent is 144 under all rules.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RollingPeriods {
    /// Nothing of the key's file is processed.
    RefuseFile,
    /// 0 stands for 144; above, and below 0, which is above for numbers without a sign, the key is skipped.
    ZeroIsFullDay,
    /// The key has as many identifiers as it says: none at 0 and below; more than 144 up to a bound of our own, so
    /// that a number in a file is not a demand for memory and time.
    Trusted {
        /// Intervals beyond this are left out.
        max_intervals: u32,
    },
}

impl fmt::Display for RollingPeriods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefuseFile => f.write_str("0 and above 144: the file is refused"),
            Self::ZeroIsFullDay => f.write_str("0 is 144; above 144 the key is skipped"),
            Self::Trusted { max_intervals } => {
                write!(f, "0: no identifiers; above 144: as many (here at most {max_intervals})")
            }
        }
    }
}

/// Which of several statements about the same key data hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Copies {
    /// Of those whose period covers an interval, the last.
    LastStatement,
    /// The first that was heard, wherever a later one starts. A later one with the same period can change what is said
    /// of the key once, if its report type may follow the first one's: a self report can become a confirmed test, a
    /// clinical diagnosis or a revocation, a clinical diagnosis a confirmed test or a revocation.
    FirstWithTransition,
    /// The last of each batch; keys of different batches are different keys.
    LastOfBatch {
        /// Keys in a batch, counted over all that were pushed.
        keys: u64,
    },
    /// Every start and period is a key of its own; of equal ones the first holds. Of two keys that cover an interval,
    /// the later speaks.
    FirstOfStartAndPeriod,
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastStatement => f.write_str("the last that covers the interval holds"),
            Self::FirstWithTransition => {
                f.write_str("the first holds, but for one transition of report type")
            }
            Self::LastOfBatch { keys } => write!(f, "the last of each batch of {keys} holds"),
            Self::FirstOfStartAndPeriod => f.write_str("each start and period is a key of its own"),
        }
    }
}

/// What the revised keys of an export do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Revisions {
    /// They replace all that was said of the key before.
    Replace,
    /// They are copies like others.
    AreCopies,
    /// Nothing: they are not read.
    Unread,
    /// They change what is said of keys that matched before, but not when those were on air; others match nothing.
    OfMatchedKeys,
}

impl fmt::Display for Revisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace => "replace the whole key",
            Self::AreCopies => "are copies like others",
            Self::Unread => "are not read",
            Self::OfMatchedKeys => "change what is said of keys that matched before",
        })
    }
}

/// By which report types a key matches nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ReportTypes {
    /// Revoked.
    Revoked,
    /// Revoked, and recursive: a recursive key is not even remembered.
    RevokedOrRecursive,
    /// None: report types are not read.
    Unread,
}

impl fmt::Display for ReportTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "revoked matches nothing",
            Self::RevokedOrRecursive => "revoked and recursive match nothing",
            Self::Unread => "are not read",
        })
    }
}

/// How far from the identifier's interval a sighting may be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Tolerance {
    /// So many intervals between that of the sighting and the identifier's, either way.
    Intervals(u32),
    /// The same in arithmetic that wraps at 32 bits: where a bound does, no sighting is within both.
    WrappingIntervals(u32),
    /// So many seconds before the interval's first second, or after the next interval's.
    Seconds(u64),
}

impl Tolerance {
    /// Whether `seen_at` is near enough to `interval`.
    #[must_use]
    pub fn contains(self, interval: ENIntervalNumber, seen_at: UnixTime) -> bool {
        let distance = self.distance(interval, seen_at);
        match self {
            Self::Intervals(bound) => distance <= bound.into(),
            Self::WrappingIntervals(bound) => distance <= bound.into() && !self.is_wrapped_at(interval),
            Self::Seconds(bound) => distance <= bound,
        }
    }

    /// Whether a bound around `interval` wraps, so that nothing is near enough to it.
    #[must_use]
    pub const fn is_wrapped_at(self, interval: ENIntervalNumber) -> bool {
        match self {
            Self::WrappingIntervals(bound) => {
                interval.get() < bound || interval.get().checked_add(bound).is_none()
            }
            Self::Intervals(_) | Self::Seconds(_) => false,
        }
    }

    /// How far `seen_at` is from `interval`, in intervals or seconds as the tolerance counts.
    #[must_use]
    pub fn distance(self, interval: ENIntervalNumber, seen_at: UnixTime) -> u64 {
        match self {
            Self::Intervals(_) | Self::WrappingIntervals(_) => {
                ENIntervalNumber::at(seen_at).abs_diff(interval).into()
            }
            Self::Seconds(_) => {
                let end = interval.start().plus(ENIntervalNumber::SECONDS);
                interval.start().seconds_since(seen_at).max(seen_at.seconds_since(end))
            }
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intervals(bound) => write!(f, "{bound} intervals either way"),
            Self::WrappingIntervals(bound) => {
                write!(f, "{bound} intervals either way; none for intervals below {bound}")
            }
            Self::Seconds(bound) => write!(f, "{bound} s before and after the interval"),
        }
    }
}

/// The days on which sightings of a key's identifiers are looked up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DayLookup {
    /// All.
    EveryDay,
    /// The UTC day that the key starts on, the one before and the one after. A key that starts late in its day lives
    /// into the next one, and can be heard in the first hours of the third.
    NeighbouringDays,
}

impl DayLookup {
    /// Whether a sighting of `seen_on` is looked up for a key that starts on `starts_on`.
    #[must_use]
    pub const fn contains(self, starts_on: Day, seen_on: Day) -> bool {
        match self {
            Self::EveryDay => true,
            Self::NeighbouringDays => starts_on.get().abs_diff(seen_on.get()) <= 1,
        }
    }
}

impl fmt::Display for DayLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EveryDay => "every day",
            Self::NeighbouringDays => "the day the key starts, the one before, the one after",
        })
    }
}

/// For how long an identifier counts once it was heard: no phone keeps one much longer than its interval.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Replay {
    /// For ever.
    Unchecked,
    /// From its first sighting within the tolerance on, whether that one counts or not.
    AfterFirstInWindow {
        /// For so many seconds.
        seconds: u64,
    },
    /// From the first of its sightings on that passed every other rule.
    AfterFirstThatCounts {
        /// For so many seconds.
        seconds: u64,
    },
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchecked => f.write_str("not looked for"),
            Self::AfterFirstInWindow { seconds } => write!(f, "{seconds} s after the first in the window"),
            Self::AfterFirstThatCounts { seconds } => write!(f, "{seconds} s after the first that counts"),
        }
    }
}

/// What the version of the metadata decides.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MetadataVersions {
    /// Metadata of another major version than 1 say nothing; calibration confidence is read from minor version 1 on.
    Major1,
    /// Nothing: transmit power and calibration confidence are read of all.
    Unread,
    /// All are read as version 1.0: there is a transmit power and no calibration confidence.
    AsVersion1_0,
    /// The first byte is compared as a number with a sign, so that major versions 2 and 3 count as older than 1.0, and
    /// older metadata as unknown: an average over devices stands in for them, which is not known here. Calibration
    /// confidence is read from byte 50 on.
    SignedByte,
}

impl fmt::Display for MetadataVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Major1 => "major 1 only; confidence from 1.1 on",
            Self::Unread => "not looked at; confidence of all",
            Self::AsVersion1_0 => "not looked at; no confidence",
            Self::SignedByte => "2 and 3 count as older than 1.0; confidence from 1.1 on",
        })
    }
}

/// Which transmit powers are believed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TransmitPowers {
    /// Whatever the metadata say.
    Any,
    /// From one bound to the other, both included; a sighting with another is dropped.
    Between {
        /// The least.
        min_dbm: i8,
        /// The greatest.
        max_dbm: i8,
    },
}

impl fmt::Display for TransmitPowers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Between { min_dbm, max_dbm } => write!(f, "{min_dbm} to {max_dbm} dBm"),
        }
    }
}

/// How transmit power and received strength make an attenuation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Attenuations {
    /// Their difference, 0 if it is negative.
    AtLeastZero,
    /// The same, and 0 for a received strength of 127 dBm, which stands for a saturated receiver; 0 is dropped.
    AboveZero,
    /// Their difference, negative or not.
    Signed,
}

impl fmt::Display for Attenuations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeastZero => "0 if negative; 0 counts",
            Self::AboveZero => "0 if negative or saturated; 0 is dropped",
            Self::Signed => "may be negative",
        })
    }
}
