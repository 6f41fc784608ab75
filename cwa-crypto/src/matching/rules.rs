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
