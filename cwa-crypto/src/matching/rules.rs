use crate::time::UnixTime;

mod choices;
mod frame;
mod read;
mod table;

pub use choices::{
    Attenuations, Copies, DayLookup, MalformedKeys, MetadataVersions, Replay, ReportTypes, Revisions,
    RollingPeriods, Tolerance, TransmitPowers,
};
pub(super) use frame::{FrameReading, read_frame};
pub use read::{Consequence, KeyRefusal, KeyRefusalReason, ReadKeys, StatedKey};
pub use table::{Choice, Rule};

/// The rules by which a sighting of a key's identifier counts.
///
/// The texts leave room, and published implementations differ. Each set of rules has a name, and each question on
/// which sets differ is a [`Rule`] with a value that can be asked for and [printed](Self::choice).
///
/// `google`, `apple` and `microg` are what published code of 2020 does. The specification says nothing on most of it:
/// but for the tolerance, the metadata and the rolling period, all of it is implementation-defined.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rules {
    name: &'static str,
    malformed_keys: MalformedKeys,
    rolling_periods: RollingPeriods,
    copies: Copies,
    revisions: Revisions,
    report_types: ReportTypes,
    tolerance: Tolerance,
    day_lookup: DayLookup,
    max_sighting_age_seconds: Option<u64>,
    replay: Replay,
    metadata_versions: MetadataVersions,
    transmit_powers: TransmitPowers,
    attenuations: Attenuations,
    now: Option<UnixTime>,
}

impl Rules {
    /// `spec`: the specification's two hours of tolerance, and the frameworks' twenty minutes against replay.
    ///
    /// - The sighting's interval and the identifier's are at most 12 apart, either way.
    /// - A sighting more than 20 minutes after the first one of the same identifier within that window is dropped.
    /// - Keys may start at any interval; a rolling period of 0 or above 144 is refused, with its file.
    /// - Attenuation is transmit power less received strength, 0 if negative; 0 is kept. Metadata of another major
    ///   version than 1 match without attenuation.
    /// - Revoked keys match nothing, revised keys replace what was said before. Keys given twice are one key; the
    ///   later statement about an interval holds.
    pub const SPEC: Self = Self {
        name: "spec",
        malformed_keys: MalformedKeys::RefuseFile,
        rolling_periods: RollingPeriods::RefuseFile,
        copies: Copies::LastStatement,
        revisions: Revisions::Replace,
        report_types: ReportTypes::Revoked,
        tolerance: Tolerance::Intervals(12),
        day_lookup: DayLookup::EveryDay,
        max_sighting_age_seconds: None,
        replay: Replay::AfterFirstInWindow { seconds: 20 * 60 },
        metadata_versions: MetadataVersions::Major1,
        transmit_powers: TransmitPowers::Any,
        attenuations: Attenuations::AtLeastZero,
        now: None,
    };

    /// `google`: the framework for Android, as published in 2020.
    ///
    /// Its second stage alone decides; the first, which looks for all 144 identifiers of a key, decides nothing. Of
    /// two published answers about revised keys, ours is that of the phones' logs: they are read, as copies. In the
    /// published code a rolling period of 0 or above 144 stops it once the key was heard; here it does so always, so
    /// that what is processed does not depend on what was received.
    pub const GOOGLE: Self = Self {
        name: "google",
        malformed_keys: MalformedKeys::RefuseFile,
        rolling_periods: RollingPeriods::RefuseFile,
        copies: Copies::FirstWithTransition,
        revisions: Revisions::AreCopies,
        report_types: ReportTypes::RevokedOrRecursive,
        tolerance: Tolerance::Intervals(12),
        day_lookup: DayLookup::NeighbouringDays,
        max_sighting_age_seconds: None,
        replay: Replay::AfterFirstInWindow { seconds: 20 * 60 },
        metadata_versions: MetadataVersions::Unread,
        transmit_powers: TransmitPowers::Between { min_dbm: -50, max_dbm: 20 },
        attenuations: Attenuations::AtLeastZero,
        now: None,
    };

    /// `apple`: the framework for iOS, as published in 2020.
    ///
    /// Sightings older than 14 days when it is asked do not count; that needs [`at`](Self::at).
    pub const APPLE: Self = Self {
        name: "apple",
        malformed_keys: MalformedKeys::RefuseKey,
        rolling_periods: RollingPeriods::ZeroIsFullDay,
        copies: Copies::LastOfBatch { keys: 256 },
        revisions: Revisions::Unread,
        report_types: ReportTypes::Unread,
        tolerance: Tolerance::WrappingIntervals(12),
        day_lookup: DayLookup::EveryDay,
        max_sighting_age_seconds: Some(14 * 86_400),
        replay: Replay::AfterFirstThatCounts { seconds: 20 * 60 },
        metadata_versions: MetadataVersions::AsVersion1_0,
        transmit_powers: TransmitPowers::Between { min_dbm: -60, max_dbm: 20 },
        attenuations: Attenuations::AboveZero,
        now: None,
    };

    /// `microg`: the free implementation of the framework for Android.
    ///
    /// It also skips keys that ended more than an hour before the oldest identifier that was received. Nothing follows
    /// from that: every sighting of such a key is outside its tolerance.
    pub const MICROG: Self = Self {
        name: "microg",
        malformed_keys: MalformedKeys::RefuseFile,
        rolling_periods: RollingPeriods::Trusted { max_intervals: 14 * 144 },
        copies: Copies::FirstOfStartAndPeriod,
        revisions: Revisions::OfMatchedKeys,
        report_types: ReportTypes::Revoked,
        tolerance: Tolerance::Seconds(60 * 60),
        day_lookup: DayLookup::EveryDay,
        max_sighting_age_seconds: None,
        replay: Replay::Unchecked,
        metadata_versions: MetadataVersions::SignedByte,
        transmit_powers: TransmitPowers::Any,
        attenuations: Attenuations::Signed,
        now: None,
    };

    /// All sets of rules there are.
    pub const ALL: [Self; 4] = [Self::SPEC, Self::GOOGLE, Self::APPLE, Self::MICROG];

    /// The rules as of `now`, for those that count from the moment of the question: the age of sightings.
    #[must_use]
    pub const fn at(self, now: UnixTime) -> Self {
        Self { now: Some(now), ..self }
    }

    /// The rules' name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The moment of the question, if one was [given](Self::at).
    #[must_use]
    pub const fn now(&self) -> Option<UnixTime> {
        self.now
    }

    /// The rule that cannot be evaluated for want of a [moment](Self::at).
    #[must_use]
    pub const fn unevaluated(&self) -> Option<Rule> {
        match (self.max_sighting_age_seconds, self.now) {
            (Some(_), None) => Some(Rule::SightingAge),
            _ => None,
        }
    }

    /// What becomes of a key that is none: key data of another length than 16 bytes, numbers out of range.
    #[must_use]
    pub const fn malformed_keys(&self) -> MalformedKeys {
        self.malformed_keys
    }

    /// What becomes of rolling periods outside 1 to 144.
    #[must_use]
    pub const fn rolling_periods(&self) -> RollingPeriods {
        self.rolling_periods
    }

    /// Which of several statements about the same key data hold.
    #[must_use]
    pub const fn copies(&self) -> Copies {
        self.copies
    }

    /// What the revised keys of an export do.
    #[must_use]
    pub const fn revisions(&self) -> Revisions {
        self.revisions
    }

    /// By which report types a key matches nothing.
    #[must_use]
    pub const fn report_types(&self) -> ReportTypes {
        self.report_types
    }

    /// How far from the identifier's interval a sighting may be.
    #[must_use]
    pub const fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// The days on which sightings of a key's identifiers are looked up.
    #[must_use]
    pub const fn day_lookup(&self) -> DayLookup {
        self.day_lookup
    }

    /// How old a sighting may be at the [moment of the question](Self::now), in seconds.
    #[must_use]
    pub const fn max_sighting_age_seconds(&self) -> Option<u64> {
        self.max_sighting_age_seconds
    }

    /// For how long an identifier counts once it was heard.
    #[must_use]
    pub const fn replay(&self) -> Replay {
        self.replay
    }

    /// What the version of the metadata decides.
    #[must_use]
    pub const fn metadata_versions(&self) -> MetadataVersions {
        self.metadata_versions
    }

    /// Which transmit powers are believed.
    #[must_use]
    pub const fn transmit_powers(&self) -> TransmitPowers {
        self.transmit_powers
    }

    /// How transmit power and received strength make an attenuation.
    #[must_use]
    pub const fn attenuations(&self) -> Attenuations {
        self.attenuations
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

    /// Looks rules up by name: `spec`, `google`, `apple`, `microg`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|rules| rules.name == name).ok_or(UnknownRulesError)
    }
}

/// A name that no rules have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are no matching rules of this name; there are: spec, google, apple, microg")]
#[non_exhaustive]
pub struct UnknownRulesError;
