//! Fake requests, on the server's side: answered like real ones, without effect.
//!
//! A phone that has nothing to ask asks all the same, so that whoever watches cannot tell who was tested. Such a request
//! says so inside the encrypted connection; its answer has the same status, shape and size as a real one's.

use cwa_crypto::UnixTime;

use crate::message::TestResultAnswer;
use crate::test_result::TestResult;

/// Whether a phone means its request: the header `cwa-fake`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: a request is meant or it is not")]
pub enum Intent {
    /// It does.
    Real,
    /// It only makes traffic.
    Fake,
}

impl Intent {
    /// What the header says: `1` is fake, anything else and no header is real, as for the German verification server.
    ///
    /// ```
    /// use cwa_verify::fake::Intent;
    /// assert_eq!(Intent::of_header(Some("1")), Intent::Fake);
    /// assert_eq!(Intent::of_header(Some("0")), Intent::Real);
    /// assert_eq!(Intent::of_header(None), Intent::Real);
    /// ```
    #[must_use]
    pub fn of_header(value: Option<&str>) -> Self {
        if value == Some("1") { Self::Fake } else { Self::Real }
    }

    /// What a phone writes into the header.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Real => "0",
            Self::Fake => "1",
        }
    }
}

/// The result that every fake request for one is told: positive, from now. Never shown to anyone.
#[must_use]
pub const fn test_result(now: UnixTime) -> TestResultAnswer {
    TestResultAnswer::new(TestResult::Positive, now, None)
}

/// The German servers' estimate of how long an answer takes, in milliseconds, by which they delay answers to fakes.
///
/// `d ← d + (x − d) / n`, the quotient rounded towards zero. So a difference of less than `n` ms never changes it, and
/// answers delayed by it are told from real ones by their spread. It is here to be measured and compared; a server does
/// better to let every answer leave at a fixed time after its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MovingAverageDelay {
    milliseconds: u64,
    samples: core::num::NonZeroU32,
}

impl MovingAverageDelay {
    /// Begins with this estimate; `samples` is how slowly it changes (5 for verification, 10 for submission).
    #[must_use]
    pub const fn new(milliseconds: u64, samples: core::num::NonZeroU32) -> Self {
        Self { milliseconds, samples }
    }

    /// Takes the duration of a real answer into account.
    ///
    /// ```
    /// use cwa_verify::fake::MovingAverageDelay;
    /// let mut delay = MovingAverageDelay::new(1000, 2.try_into()?);
    /// delay.record(3000);
    /// assert_eq!(delay.milliseconds(), 2000);
    /// let mut delay = MovingAverageDelay::new(10, 5.try_into()?);
    /// delay.record(14);
    /// assert_eq!(delay.milliseconds(), 10);
    /// # Ok::<(), core::num::TryFromIntError>(())
    /// ```
    pub fn record(&mut self, milliseconds: u64) {
        let step = self.milliseconds.abs_diff(milliseconds) / u64::from(self.samples.get());
        self.milliseconds = if milliseconds >= self.milliseconds {
            self.milliseconds.saturating_add(step)
        } else {
            self.milliseconds.saturating_sub(step)
        };
    }

    /// The estimate.
    #[must_use]
    pub const fn milliseconds(&self) -> u64 {
        self.milliseconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_literal_1_is_fake() {
        for real in ["", "0", "01", "1 ", "true", "2"] {
            assert_eq!(Intent::of_header(Some(real)), Intent::Real, "{real:?}");
        }
        for intent in [Intent::Real, Intent::Fake] {
            assert_eq!(Intent::of_header(Some(intent.header())), intent);
        }
    }

    #[test]
    fn the_average_does_not_move_within_its_dead_zone_and_not_beyond_the_sample() {
        for (initial, samples, real, expected) in [
            (10, 10, 10, 10),
            (100, 10, 0, 90),
            (10, 10, 1, 10),
            (10, 10, 20, 11),
            (10, 1, 400, 400),
            (0, 1, u64::MAX, u64::MAX),
        ] {
            let mut delay = MovingAverageDelay::new(initial, core::num::NonZeroU32::new(samples).unwrap());
            delay.record(real);
            assert_eq!(delay.milliseconds(), expected, "{initial} {samples} {real}");
        }
    }
}
