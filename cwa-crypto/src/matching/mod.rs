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
use crate::time::{ENIntervalNumber, UnixTime};

mod heard;
mod judge;
mod matcher;
#[cfg(test)]
mod naive;
mod rules;
mod statement;
mod store;

pub use matcher::{Checkpoint, CheckpointError, Matcher, Progress};
pub use rules::{Rules, UnknownRulesError};
pub use statement::{HeardIntervals, Statement};
pub use store::{ReceivedIdentifiers, STORE_MAGIC, Split, StoreError, StoreKey};

/// Finds out which `sightings` belong to `keys`, under `rules`.
///
/// What is said last of a key and interval holds; the order of keys is of no other consequence. Whoever asks more than
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
    /// What the frame's metadata says; unauthenticated. `Err` if it says nothing that a sender can mean.
    pub metadata: Result<BluetoothMetadata, MetadataError>,
    /// How much the signal was weakened on its way; `None` if the metadata are of an unsupported major version or
    /// impossible, for then the transmit power is not known.
    pub attenuation: Option<Attenuation>,
}

impl Match {
    /// How well the sender's transmit power is calibrated, if the metadata are supported and say so.
    #[must_use]
    pub fn calibration_confidence(&self) -> Option<CalibrationConfidence> {
        self.metadata.ok().filter(|metadata| metadata.is_supported())?.calibration_confidence()
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

/// The rule that kept a sighting from being an encounter.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DropReason {
    /// It was received too long before or after the identifier's interval: a clock was wrong, or the frame replayed.
    OutsideTimeWindow {
        /// Between the interval of the sighting and that of the identifier.
        intervals_apart: u32,
    },
    /// It was received too long after the identifier was first received: the frame was replayed, since no phone keeps
    /// an identifier that long.
    Replayed {
        /// When the identifier was first received within the time window.
        first_seen_at: UnixTime,
    },
    /// The key was retired before the identifier's interval, or says so.
    OutsideRollingPeriod,
    /// The key was revoked.
    Revoked,
}

impl DropReason {
    /// The stable name of the rule, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutsideTimeWindow { .. } => "outside-time-window",
            Self::Replayed { .. } => "replayed",
            Self::OutsideRollingPeriod => "outside-rolling-period",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for DropReason {
    /// The rule's [name](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
