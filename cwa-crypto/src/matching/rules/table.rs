//! All differences between rules, as a table.

use core::fmt;

use super::Rules;

/// A question on which sets of rules differ.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Rule {
    /// Keys with bytes of another length or numbers out of range.
    MalformedKeys,
    /// Rolling periods of 0 and above 144.
    RollingPeriods,
    /// Several statements about the same key data.
    Copies,
    /// Revised keys.
    Revisions,
    /// Revoked and recursive keys.
    ReportTypes,
    /// How far in time a sighting may be from the identifier's interval.
    Tolerance,
    /// The days on which sightings are looked up.
    DayLookup,
    /// The age of sightings at the moment of the question.
    SightingAge,
    /// For how long an identifier counts after its first sighting.
    Replay,
    /// The version of the metadata, and their calibration confidence.
    MetadataVersions,
    /// The bounds of the transmit power.
    TransmitPowers,
    /// Attenuations of 0 and below.
    Attenuations,
}

impl Rule {
    /// Every rule, in the order in which they are applied.
    pub const ALL: [Self; 12] = [
        Self::MalformedKeys,
        Self::RollingPeriods,
        Self::Copies,
        Self::Revisions,
        Self::ReportTypes,
        Self::Tolerance,
        Self::DayLookup,
        Self::SightingAge,
        Self::Replay,
        Self::MetadataVersions,
        Self::TransmitPowers,
        Self::Attenuations,
    ];

    /// The stable name of the rule, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedKeys => "malformed-keys",
            Self::RollingPeriods => "rolling-periods",
            Self::Copies => "copies",
            Self::Revisions => "revisions",
            Self::ReportTypes => "report-types",
            Self::Tolerance => "tolerance",
            Self::DayLookup => "day-lookup",
            Self::SightingAge => "sighting-age",
            Self::Replay => "replay",
            Self::MetadataVersions => "metadata-versions",
            Self::TransmitPowers => "transmit-powers",
            Self::Attenuations => "attenuations",
        }
    }

    /// Whether the specification is silent, so that published code is all there is to go by.
    #[must_use]
    pub const fn is_implementation_defined(self) -> bool {
        !matches!(self, Self::RollingPeriods | Self::Tolerance | Self::MetadataVersions)
    }
}

impl fmt::Display for Rule {
    /// The rule's [name](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Rules {
    /// What these rules say to one question, to be printed.
    ///
    /// ```
    /// use cwa_crypto::matching::{Rule, Rules};
    /// assert_eq!(Rules::GOOGLE.choice(Rule::TransmitPowers).to_string(), "-50 to 20 dBm");
    /// ```
    #[must_use]
    pub const fn choice(&self, rule: Rule) -> Choice {
        Choice { rules: *self, rule }
    }

    /// The questions to which these rules and `other` give different answers.
    pub fn differences(&self, other: &Self) -> impl Iterator<Item = Rule> + use<> {
        let (these, other) = (*self, *other);
        Rule::ALL.into_iter().filter(move |rule| match rule {
            Rule::MalformedKeys => these.malformed_keys != other.malformed_keys,
            Rule::RollingPeriods => these.rolling_periods != other.rolling_periods,
            Rule::Copies => these.copies != other.copies,
            Rule::Revisions => these.revisions != other.revisions,
            Rule::ReportTypes => these.report_types != other.report_types,
            Rule::Tolerance => these.tolerance != other.tolerance,
            Rule::DayLookup => these.day_lookup != other.day_lookup,
            Rule::SightingAge => these.max_sighting_age_seconds != other.max_sighting_age_seconds,
            Rule::Replay => these.replay != other.replay,
            Rule::MetadataVersions => these.metadata_versions != other.metadata_versions,
            Rule::TransmitPowers => these.transmit_powers != other.transmit_powers,
            Rule::Attenuations => these.attenuations != other.attenuations,
        })
    }
}

/// What one set of rules says to one question; its `Display` is a few words for people.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    rules: Rules,
    rule: Rule,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = &self.rules;
        match self.rule {
            Rule::MalformedKeys => rules.malformed_keys.fmt(f),
            Rule::RollingPeriods => rules.rolling_periods.fmt(f),
            Rule::Copies => rules.copies.fmt(f),
            Rule::Revisions => rules.revisions.fmt(f),
            Rule::ReportTypes => rules.report_types.fmt(f),
            Rule::Tolerance => rules.tolerance.fmt(f),
            Rule::DayLookup => rules.day_lookup.fmt(f),
            Rule::SightingAge => match rules.max_sighting_age_seconds {
                Some(seconds) => write!(f, "at most {} days", seconds / 86_400),
                None => f.write_str("any"),
            },
            Rule::Replay => rules.replay.fmt(f),
            Rule::MetadataVersions => rules.metadata_versions.fmt(f),
            Rule::TransmitPowers => rules.transmit_powers.fmt(f),
            Rule::Attenuations => rules.attenuations.fmt(f),
        }
    }
}
