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

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::aem::AssociatedEncryptedMetadata;
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::metadata::{Attenuation, BluetoothMetadata, CalibrationConfidence, MetadataError};
use crate::rpi::RollingProximityIdentifier;
use crate::time::{ENIntervalNumber, UnixTime};

mod index;
#[cfg(test)]
mod naive;

pub use index::ReceivedIdentifiers;

/// Finds out which `sightings` belong to `keys`, under `rules`.
///
/// Whoever asks more than once for the same sightings keeps [`ReceivedIdentifiers`], which say what is found and how
/// long it takes.
#[must_use]
pub fn find(
    keys: impl IntoIterator<Item = DiagnosisKey>,
    sightings: impl IntoIterator<Item = Sighting>,
    rules: Rules,
) -> Matching {
    ReceivedIdentifiers::new(sightings).find(keys, rules)
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

/// The rules by which a sighting of a key's identifier counts.
///
/// The texts leave room, and published implementations differ. Each set of rules has a name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rules {
    name: &'static str,
    tolerance_intervals: u32,
    replay_seconds: u64,
}

impl Rules {
    /// `spec`: the specification's two hours of tolerance, and the frameworks' twenty minutes against replay.
    ///
    /// - The sighting's interval and the identifier's are at most 12 apart, either way.
    /// - A sighting more than 20 minutes after the first one of the same identifier within that window is dropped.
    /// - Keys may start at any interval, and an absent rolling period was 144 when the key was read.
    /// - Attenuation is transmit power less received strength, 0 if negative; 0 is kept. Metadata of another major
    ///   version than 1 match without attenuation.
    /// - Revoked keys match nothing. Keys given twice are one key; the later statement about a key holds.
    pub const SPEC: Self = Self { name: "spec", tolerance_intervals: 12, replay_seconds: 20 * 60 };

    /// The rules' name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How far the interval of the sighting may be from the identifier's, in intervals.
    #[must_use]
    pub const fn tolerance_intervals(&self) -> u32 {
        self.tolerance_intervals
    }

    /// For how long after its first sighting an identifier counts, in seconds.
    #[must_use]
    pub const fn replay_seconds(&self) -> u64 {
        self.replay_seconds
    }
}

impl Default for Rules {
    /// [`Rules::SPEC`].
    fn default() -> Self {
        Self::SPEC
    }
}

impl core::str::FromStr for Rules {
    type Err = UnknownRulesError;

    /// Looks rules up by name: `spec`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == Self::SPEC.name { Ok(Self::SPEC) } else { Err(UnknownRulesError) }
    }
}

/// A name that no rules have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are no matching rules of this name; there is: spec")]
#[non_exhaustive]
pub struct UnknownRulesError;

impl ReceivedIdentifiers {
    /// Finds out which of the sightings belong to `keys`, under `rules`.
    ///
    /// If a key comes more than once, what is said last holds: append revised keys to the keys they revise. The order
    /// of keys is of no other consequence. Takes `O(k * log n)` for `k` keys and `n` sightings, whatever identifiers an
    /// attacker chose to broadcast, and memory for the sightings of these keys alone.
    #[must_use]
    pub fn find(&self, keys: impl IntoIterator<Item = DiagnosisKey>, rules: Rules) -> Matching {
        let mut heard = BTreeMap::new();
        for key in keys {
            for (interval, rpi) in key.identifiers() {
                let sightings = self.sightings_of(rpi);
                if !sightings.is_empty() {
                    // The same bytes with another start or period are the same identifiers where they overlap.
                    heard.insert((key.key_data, interval), (key, sightings));
                }
            }
        }
        let mut matching = Matching::default();
        for ((_, interval), (key, sightings)) in heard {
            matching.judge(key, interval, sightings, rules);
        }
        matching.matches.sort_by_key(|m| (m.sighting.seen_at, m.sighting, m.interval, m.key));
        matching.dropped.sort_by_key(|d| (d.sighting.seen_at, d.sighting, d.interval, d.key));
        matching
    }
}

impl Matching {
    /// Sorts the sightings of one identifier, which are ordered by time, into matches and drops.
    fn judge(&mut self, key: DiagnosisKey, interval: ENIntervalNumber, sightings: &[Sighting], rules: Rules) {
        let aemk = key.temporary_exposure_key().associated_encrypted_metadata_key();
        let mut first_seen_at = None;
        for &sighting in sightings {
            let intervals_apart = interval.abs_diff(ENIntervalNumber::at(sighting.seen_at));
            let reason = if key.report_type == Some(ReportType::Revoked) {
                DropReason::Revoked
            } else if intervals_apart > rules.tolerance_intervals {
                DropReason::OutsideTimeWindow { intervals_apart }
            } else {
                let first_seen_at = *first_seen_at.get_or_insert(sighting.seen_at);
                if sighting.seen_at.seconds_since(first_seen_at) <= rules.replay_seconds {
                    let metadata = aemk.open_unauthenticated(sighting.rpi, sighting.aem);
                    let supported = metadata.ok().filter(|metadata| metadata.is_supported());
                    let attenuation = supported
                        .map(|metadata| Attenuation::between(metadata.transmit_power(), sighting.rssi_dbm));
                    self.matches.push(Match { key, interval, sighting, metadata, attenuation });
                    continue;
                }
                DropReason::Replayed { first_seen_at }
            };
            self.dropped.push(Dropped { key, interval, sighting, reason });
        }
    }
}

#[cfg(test)]
mod tests;
