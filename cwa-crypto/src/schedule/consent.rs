//! The owner's consent to hand keys over, and how long it holds.

use crate::time::{Day, UnixTime};

/// Whether the owner lets keys be handed over: a state that is moved by the owner and by time.
///
/// A consent holds for 24 hours, to the second and with both ends, so that it also covers the key of its own day, which
/// is handed over after midnight without another question (solution architecture of the Corona-Warn-App, "the framework
/// grants a 24-hour grace period"); a consent of 00:00:00 just reaches the next 00:00:00. After that the owner is asked
/// anew. A clock that is set back by up to two hours, the protocol's tolerance, leaves a consent as it is. One that is set
/// back further ends it: otherwise a consent from a clock a year ahead would hold for a year. What has ended does not
/// come back, whatever the clock says later.
///
/// ```
/// use cwa_crypto::UnixTime;
/// use cwa_crypto::schedule::{Consent, ConsentError};
///
/// let asked = UnixTime::from_secs(1_595_376_000);
/// let consent = Consent::given(asked);
/// assert_eq!(consent.check(asked.plus(86_400)), Ok(asked.plus(86_400)));
/// assert_eq!(consent.check(asked.plus(86_401)), Err(ConsentError::Expired { given_at: asked }));
/// assert_eq!(consent.at(asked.plus(86_401)).check(asked), Err(ConsentError::Expired { given_at: asked }));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "complete: whoever stores the state stores each of these")]
pub enum Consent {
    /// The owner was not asked, or did not agree.
    #[default]
    NotGiven,
    /// The owner has agreed.
    Given {
        /// When.
        at: UnixTime,
    },
    /// The owner had agreed, and 24 hours have passed or the clock was set back beyond the tolerance.
    Expired {
        /// When the owner had agreed.
        given_at: UnixTime,
    },
    /// The owner has taken the consent back.
    Withdrawn,
}

impl Consent {
    /// For how long a consent holds, in seconds: 24 hours.
    pub const SECONDS: u64 = Day::SECONDS;

    /// The state after the owner has agreed at `now`, whatever it was before.
    #[must_use]
    pub const fn given(now: UnixTime) -> Self {
        Self::Given { at: now }
    }

    /// The last second in which a consent that was given holds; `None` in the other states.
    #[must_use]
    pub const fn expires_at(self) -> Option<UnixTime> {
        match self {
            Self::Given { at } => Some(at.plus(Self::SECONDS)),
            Self::NotGiven | Self::Expired { .. } | Self::Withdrawn => None,
        }
    }

    /// The state once the clock has shown `now`.
    #[must_use]
    pub const fn at(self, now: UnixTime) -> Self {
        match self {
            Self::Given { at }
                if now.seconds_since(at) > Self::SECONDS
                    || at.seconds_since(now) > Self::CLOCK_TOLERANCE_SECONDS =>
            {
                Self::Expired { given_at: at }
            }
            state => state,
        }
    }

    /// The last second of the consent, if keys may be handed over at `now`.
    ///
    /// # Errors
    ///
    /// There is no consent at `now`, and why.
    pub const fn check(self, now: UnixTime) -> Result<UnixTime, ConsentError> {
        match self.at(now) {
            Self::Given { at } => Ok(at.plus(Self::SECONDS)),
            Self::NotGiven => Err(ConsentError::NotGiven),
            Self::Expired { given_at } => Err(ConsentError::Expired { given_at }),
            Self::Withdrawn => Err(ConsentError::Withdrawn),
        }
    }

    const CLOCK_TOLERANCE_SECONDS: u64 = super::ClockSkew::TOLERANCE_SECONDS;
}

/// Why no key is handed over: the owner has to be asked (again).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// The owner was not asked, or did not agree.
    #[error("there is no consent to hand keys over")]
    NotGiven,
    /// The consent has ended.
    #[error("the consent given at {} held for {} s and is over", given_at.as_secs(), Consent::SECONDS)]
    Expired {
        /// When it was given.
        given_at: UnixTime,
    },
    /// The owner has taken the consent back.
    #[error("the consent to hand keys over was withdrawn")]
    Withdrawn,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: UnixTime = UnixTime::from_secs(1_595_424_000);
    const EXPIRED: ConsentError = ConsentError::Expired { given_at: ASKED };

    #[test]
    fn a_consent_holds_for_24_hours_with_both_ends() {
        let consent = Consent::given(ASKED);
        let end = ASKED.plus(86_400);
        assert_eq!(consent.expires_at(), Some(end));
        for seconds in [0, 1, 86_399, 86_400] {
            assert_eq!(consent.check(ASKED.plus(seconds)), Ok(end), "{seconds}");
        }
        assert_eq!(consent.check(end.plus(1)), Err(EXPIRED));
        assert_eq!(consent.check(UnixTime::from_secs(u64::MAX)), Err(EXPIRED));
    }

    #[test]
    fn a_clock_set_back_within_the_tolerance_keeps_it_and_beyond_ends_it_for_good() {
        let consent = Consent::given(ASKED);
        assert!(consent.check(ASKED.minus(7200)).is_ok());
        assert_eq!(consent.at(ASKED.minus(7200)), consent);
        assert_eq!(consent.check(ASKED.minus(7201)), Err(EXPIRED));
        assert_eq!(consent.at(ASKED.minus(7201)).check(ASKED), Err(EXPIRED));
        assert_eq!(consent.at(ASKED.plus(86_401)).at(ASKED).expires_at(), None);
    }

    #[test]
    fn without_a_consent_time_changes_nothing() {
        for (state, error) in
            [(Consent::NotGiven, ConsentError::NotGiven), (Consent::Withdrawn, ConsentError::Withdrawn)]
        {
            for now in [0, 1_595_424_000, u64::MAX].map(UnixTime::from_secs) {
                assert_eq!(state.at(now), state);
                assert_eq!(state.check(now), Err(error));
            }
        }
    }
}
