//! Protocol time: the only place that reads the machine's clock.
//!
//! The libraries take `now` as an argument. The shell gets it from a [`ProtocolClock`], which is the machine's clock in
//! operation and a clock set by hand in tests and in the tour. Deadlines of answers are no protocol time; they are
//! measured by the runtime (ARCHITECTURE.md).

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use cwa_crypto::UnixTime;

/// Where protocol time comes from; clones show the same time.
#[derive(Clone, Debug)]
pub struct ProtocolClock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// The machine's clock, so many seconds ahead (or behind).
    Shifted(i64),
    Manual(Arc<AtomicU64>),
}

impl ProtocolClock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that goes like the machine's and shows `now` at this moment.
    ///
    /// ```
    /// use cwa_cli::clock::ProtocolClock;
    /// use cwa_crypto::UnixTime;
    ///
    /// let clock = ProtocolClock::starting_at(UnixTime::from_secs(1_595_376_000));
    /// assert!((1_595_376_000..1_595_376_060).contains(&clock.now().as_secs()));
    /// ```
    #[must_use]
    pub fn starting_at(now: UnixTime) -> Self {
        Self(Source::Shifted(seconds(now).saturating_sub(seconds(system_time()))))
    }

    /// A clock that stands at `now` until it is set.
    ///
    /// ```
    /// use cwa_cli::clock::ProtocolClock;
    /// use cwa_crypto::UnixTime;
    ///
    /// let clock = ProtocolClock::manual(UnixTime::from_secs(1_595_376_000));
    /// let same = clock.clone();
    /// clock.advance(3600)?;
    /// assert_eq!(same.now().as_secs(), 1_595_379_600);
    /// # Ok::<(), cwa_cli::clock::NotManual>(())
    /// ```
    #[must_use]
    pub fn manual(now: UnixTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(now.as_secs()))))
    }

    /// The present, in whole seconds. A machine whose clock stands before 1970 gives the epoch.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        match &self.0 {
            Source::System => system_time(),
            Source::Shifted(ahead) => {
                let shifted = seconds(system_time()).saturating_add(*ahead);
                UnixTime::from_secs(u64::try_from(shifted).unwrap_or(0))
            }
            Source::Manual(seconds) => UnixTime::from_secs(seconds.load(Ordering::SeqCst)),
        }
    }

    /// Sets a manual clock, forwards or back, for every clone.
    ///
    /// # Errors
    ///
    /// The machine's clock is not ours to set.
    pub fn set(&self, now: UnixTime) -> Result<(), NotManual> {
        match &self.0 {
            Source::System | Source::Shifted(_) => Err(NotManual),
            Source::Manual(seconds) => {
                seconds.store(now.as_secs(), Ordering::SeqCst);
                Ok(())
            }
        }
    }

    /// Moves a manual clock forwards, for every clone; stops at the end of time.
    ///
    /// # Errors
    ///
    /// The machine's clock is not ours to set.
    pub fn advance(&self, seconds: u64) -> Result<(), NotManual> {
        self.set(self.now().plus(seconds))
    }
}

/// The clock is the machine's; only a manual one can be set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the protocol clock follows the machine's clock and cannot be set")]
#[non_exhaustive]
pub struct NotManual;

/// The machine's clock in whole seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the only reading of the clock; everything else is told the time"
)]
pub(crate) fn system_time() -> UnixTime {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime::from_secs(since_epoch.map_or(0, |duration| duration.as_secs()))
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_cannot_be_set() {
        let clock = ProtocolClock::system();
        assert_eq!(clock.set(UnixTime::from_secs(0)), Err(NotManual));
        assert!(clock.now() > UnixTime::from_secs(1_700_000_000));
    }

    #[test]
    fn a_manual_clock_moves_for_every_clone_and_can_go_back() {
        let clock = ProtocolClock::manual(UnixTime::from_secs(100));
        let clone = clock.clone();
        clone.set(UnixTime::from_secs(50)).unwrap();
        assert_eq!(clock.now(), UnixTime::from_secs(50));
        clock.advance(u64::MAX).unwrap();
        assert_eq!(clone.now(), UnixTime::from_secs(u64::MAX));
    }
}
