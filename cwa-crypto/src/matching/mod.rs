//! Which of the identifiers that were received belong to keys that were published since.
//!
//! ```
//! use cwa_crypto::matching::{Rules, Sighting, find};
//! use cwa_crypto::{AssociatedEncryptedMetadata, DiagnosisKey, ENIntervalNumber, RollingPeriod, UnixTime};
//!
//! let key_data = 0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes();
//! let key = DiagnosisKey::new(key_data, ENIntervalNumber::new(2_642_976), RollingPeriod::FULL_DAY);
//! let (rpi, aem) = ("8be6cd371c5c891604bfbe49df845096".parse()?, "72033874".parse()?);
//! let sighting = Sighting::new(rpi, aem, -42, UnixTime::from_secs(1_585_785_630));
//!
//! let matching = find([key], [sighting], Rules::SPEC);
//! assert_eq!(matching.matches[0].interval.get(), 2_642_976);
//! // Sent with 8 dBm, received with -42 dBm.
//! assert_eq!(matching.matches[0].attenuation.unwrap().db(), 50);
//! # Ok::<(), cwa_crypto::bytes::ByteStringError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;

use crate::aem::AssociatedEncryptedMetadata;
use crate::diagnosis::DiagnosisKey;
use crate::metadata::{Attenuation, BluetoothMetadata, CalibrationConfidence, MetadataError};
use crate::rpi::RollingProximityIdentifier;
use crate::time::{Day, ENIntervalNumber, RollingPeriod, UnixTime};

mod claims;
mod heard;
mod judge;
mod matcher;
#[cfg(test)]
mod naive;
mod rules;
mod scan;
mod statement;
mod store;

pub use matcher::{Checkpoint, CheckpointError, Matcher, Progress};
pub use rules::{
    Attenuations, Choice, Consequence, Copies, DayLookup, KeyRefusal, KeyRefusalReason, MalformedKeys,
    MetadataVersions, ReadKeys, Replay, ReportTypes, Revisions, RollingPeriods, Rule, Rules, StatedKey,
    Tolerance, TransmitPowers, UnknownRulesError,
};
pub use statement::{HeardIntervals, Statement};
pub use store::{ReceivedIdentifiers, STORE_MAGIC, Split, StoreError, StoreKey};

/// Finds out which `sightings` belong to `keys`, under `rules`.
///
/// Of keys with the same bytes the order is of consequence, as the rules' [`Copies`] say. Whoever asks more than
/// once for the same sightings, or has revised keys, keeps [`ReceivedIdentifiers`] and takes a [`Matcher`].
///
/// The [`StoreKey`] of the index, which no random generator is at hand for, is a constant. Whoever broadcasts
/// identifiers made up for it slows down the search for a key by a few binary searches among the identifiers, and no
/// more.
#[must_use]
pub fn find(
    keys: impl IntoIterator<Item = DiagnosisKey>,
    sightings: impl IntoIterator<Item = Sighting>,
    rules: Rules,
) -> Matching {
    ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([0; 16])).find(keys, rules)
}

/// One frame received from another phone: its content, how strong it was, and when.
///
/// Public as far as the protocol goes; but where it was received is as private as its receiver's day.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Sighting {
    /// The identifier in the frame.
    pub rpi: RollingProximityIdentifier,
    /// The encrypted metadata in the frame.
    pub aem: AssociatedEncryptedMetadata,
    /// The received signal strength in dBm, corrected for the receiving model.
    pub rssi_dbm: i8,
    /// When it was received, by the receiver's clock.
    pub seen_at: UnixTime,
}

impl Sighting {
    /// A frame received at `seen_at` with `rssi_dbm`.
    #[must_use]
    pub const fn new(
        rpi: RollingProximityIdentifier,
        aem: AssociatedEncryptedMetadata,
        rssi_dbm: i8,
        seen_at: UnixTime,
    ) -> Self {
        Self { rpi, aem, rssi_dbm, seen_at }
    }
}

/// What was found: sightings that are encounters, and sightings that a rule kept from being one.
///
/// Both are ordered by the time of the sighting. Sightings of identifiers of no key are in neither.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Matching {
    /// The encounters.
    pub matches: Vec<Match>,
    /// Sightings of a key's identifier that do not count, and by which rule.
    pub dropped: Vec<Dropped>,
}

/// A sighting of a diagnosis key's identifier, with all that speaks for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Match {
    /// The key whose owner was met.
    pub key: DiagnosisKey,
    /// The interval that the identifier was derived for.
    pub interval: ENIntervalNumber,
    /// The frame that was received.
    pub sighting: Sighting,
    /// The frame's metadata, decrypted; unauthenticated.
    pub metadata_bytes: [u8; BluetoothMetadata::LENGTH],
    /// What they say by the specification, whatever the rules; `Err` if they say nothing that a sender can mean.
    pub metadata: Result<BluetoothMetadata, MetadataError>,
    /// How much the signal was weakened on its way, by the rules; `None` if they leave the transmit power unknown,
    /// as for metadata of an unsupported major version.
    pub attenuation: Option<ComputedAttenuation>,
    /// How well the sender's transmit power is calibrated, if the rules read that from the metadata.
    pub calibration_confidence: Option<CalibrationConfidence>,
}

/// An attenuation as rules compute it, in dB: -255 to 255.
///
/// Only rules that do not stop at 0 give negative ones.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct ComputedAttenuation(i16);

impl ComputedAttenuation {
    const fn from_db(db: i16) -> Self {
        Self(db)
    }

    /// The attenuation in dB.
    #[must_use]
    pub const fn db(self) -> i16 {
        self.0
    }

    /// The attenuation to score, 0 if it is negative.
    #[must_use]
    pub fn at_least_zero(self) -> Attenuation {
        Attenuation::from_db(u8::try_from(self.0.max(0)).unwrap_or(u8::MAX))
    }
}

impl fmt::Display for ComputedAttenuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sighting of a diagnosis key's identifier that does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dropped {
    /// The key that the identifier was derived from.
    pub key: DiagnosisKey,
    /// The interval that it was derived for.
    pub interval: ENIntervalNumber,
    /// The frame that was received.
    pub sighting: Sighting,
    /// The rule it fell under.
    pub reason: DropReason,
}

/// The rule that kept a sighting from being an encounter, with its bound and what was found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DropReason {
    /// It was received too long before or after the identifier's interval: a clock was wrong, or the frame replayed.
    OutsideTimeWindow {
        /// Between the sighting and the identifier's interval, in intervals or seconds as the tolerance counts.
        distance: u64,
        /// How far is near enough.
        tolerance: Tolerance,
    },
    /// It was received in time, but on a day on which nothing is looked up for the key.
    DayNotLookedUp {
        /// The day that the key starts on; its neighbours are looked up, too.
        starts_on: Day,
        /// The day of the sighting.
        seen_on: Day,
    },
    /// It was received too long before the moment of the question.
    SightingTooOld {
        /// For how long.
        age_seconds: u64,
        /// For how long it counts.
        at_most_seconds: u64,
    },
    /// It was received too long after the identifier was first received: the frame was replayed, since no phone keeps
    /// an identifier that long.
    Replayed {
        /// When the identifier was first received, as the rules count.
        first_seen_at: UnixTime,
        /// For how long after that it counts.
        at_most_seconds: u64,
    },
    /// The transmit power in its metadata is not believed.
    TransmitPowerOutOfBounds {
        /// The power found.
        got_dbm: i8,
        /// The least that is believed.
        min_dbm: i8,
        /// The greatest that is believed.
        max_dbm: i8,
    },
    /// It was received as strong as it was sent, or stronger, or the receiver was saturated.
    ZeroAttenuation {
        /// The power that it was sent with.
        transmit_power_dbm: i8,
    },
    /// The key was retired before the identifier's interval, or says so.
    OutsideRollingPeriod {
        /// The place of the interval among the key's, from 0.
        offset: u8,
        /// How many the key has.
        rolling_period: RollingPeriod,
    },
    /// The key was revoked.
    Revoked,
    /// The key is of report type recursive, which is not matched.
    Recursive,
    /// Another copy of the key holds.
    CopyIgnored,
    /// A revised key took the place of the one that the identifier is of, and does not cover the interval.
    Replaced,
    /// The key is a revised one, and the rules do not take this one in its own right.
    RevisionIgnored,
}

impl DropReason {
    /// The stable name of the reason, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutsideTimeWindow { .. } => "outside-time-window",
            Self::DayNotLookedUp { .. } => "day-not-looked-up",
            Self::SightingTooOld { .. } => "sighting-too-old",
            Self::Replayed { .. } => "replayed",
            Self::TransmitPowerOutOfBounds { .. } => "transmit-power-out-of-bounds",
            Self::ZeroAttenuation { .. } => "zero-attenuation",
            Self::OutsideRollingPeriod { .. } => "outside-rolling-period",
            Self::Revoked => "revoked",
            Self::Recursive => "recursive",
            Self::CopyIgnored => "copy-ignored",
            Self::Replaced => "replaced",
            Self::RevisionIgnored => "revision-ignored",
        }
    }

    /// The rule that gives this reason.
    #[must_use]
    pub const fn rule(self) -> Rule {
        match self {
            Self::OutsideTimeWindow { .. } => Rule::Tolerance,
            Self::DayNotLookedUp { .. } => Rule::DayLookup,
            Self::SightingTooOld { .. } => Rule::SightingAge,
            Self::Replayed { .. } => Rule::Replay,
            Self::TransmitPowerOutOfBounds { .. } => Rule::TransmitPowers,
            Self::ZeroAttenuation { .. } => Rule::Attenuations,
            Self::OutsideRollingPeriod { .. } => Rule::RollingPeriods,
            Self::Revoked | Self::Recursive => Rule::ReportTypes,
            Self::CopyIgnored => Rule::Copies,
            Self::Replaced | Self::RevisionIgnored => Rule::Revisions,
        }
    }
}

impl fmt::Display for DropReason {
    /// The reason's [name](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;
