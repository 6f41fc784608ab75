//! Which key is on air, how long keys are kept, and when they are handed over: the phone's state machine.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::broadcast::Advertisement;
use crate::diagnosis::DiagnosisKey;
use crate::metadata::BluetoothMetadata;
use crate::tek::TemporaryExposureKey;
use crate::time::{Day, ENIntervalNumber, RollingPeriod, UnixTime};

mod clock_skew;
mod consent;

pub use clock_skew::{ClockSkew, ClockSkewEffect};
pub use consent::{Consent, ConsentError};

/// The keys of one phone: a new one each day at 00:00 UTC, kept for 14 days; and the owner's consent to hand them over.
///
/// Secret: it holds the keys. Nothing here reads a clock; every transition is fed with `now`, and every transition is
/// legal at any time. Days on which nothing was asked leave no key behind, since nothing was on air.
///
/// A clock that is set back does not bring a day's second key: the key of that day is taken up again, unless it was
/// handed over in the meantime. A key that others have seen is never on air again, and of those that they have not seen
/// no two have an interval in common. Keys for a day later than tomorrow, left by a clock that was ahead, are forgotten;
/// so are, while a clock is ahead, the keys that are too old by it. [`ClockSkew`] tells when to warn of such a clock.
///
/// ```
/// use cwa_crypto::schedule::SameDayPolicy;
/// use cwa_crypto::{BluetoothMetadata, Day, KeySchedule, TransmitPower};
///
/// let mut rng = rand::rng();
/// let mut phone = KeySchedule::new(SameDayPolicy::AfterMidnight);
/// let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12)?);
/// let day = Day::from_calendar(2020, 7, 20).unwrap();
/// phone.advertisement(metadata, day.start(), &mut rng);
/// phone.advertisement(metadata, day.next().start(), &mut rng);
///
/// // A positive test on the second day: the first day's key goes at once, today's after midnight.
/// let asked = day.next().start().plus(14 * 3600);
/// phone.give_consent(asked);
/// let release = phone.release(asked, &mut rng)?;
/// assert_eq!(release.keys.len(), 1);
/// assert_eq!(release.day_key_at, Some(day.next().next().start()));
/// let second = phone.release_day_key(day.next().next().start().plus(20 * 60))?;
/// assert_eq!(second.len(), 1);
/// // A day after the consent the owner has to be asked again.
/// assert!(phone.release(asked.plus(24 * 3600 + 1), &mut rng).is_err());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeySchedule {
    policy: SameDayPolicy,
    /// Ordered by their start.
    keys: Vec<ScheduledKey>,
    /// The day of the last release that left its day's key to be handed over after midnight.
    released_on: Option<Day>,
    consent: Consent,
}

impl KeySchedule {
    /// For how long a key is kept after its end, in seconds: 14 days, the last second of which is the one before.
    ///
    /// So at every second exactly 14 keys of whole days have ended and are kept, also in that of midnight, and an upload
    /// never has more of them than a server takes.
    pub const RETENTION_SECONDS: u64 = 14 * Day::SECONDS;

    /// The schedule of a phone that has not been on air yet.
    #[must_use]
    pub const fn new(policy: SameDayPolicy) -> Self {
        Self { policy, keys: Vec::new(), released_on: None, consent: Consent::NotGiven }
    }

    /// The schedule of a phone that has stored its [`keys`](Self::keys), [`released_on`](Self::released_on) and
    /// [`consent`](Self::consent).
    #[must_use]
    pub fn restore(
        policy: SameDayPolicy,
        mut keys: Vec<ScheduledKey>,
        released_on: Option<Day>,
        consent: Consent,
    ) -> Self {
        keys.sort_by_key(|key| key.rolling_start_interval_number);
        Self { policy, keys, released_on, consent }
    }

    /// The secret keys, ordered by their start, for whoever stores them.
    #[must_use]
    pub fn keys(&self) -> &[ScheduledKey] {
        &self.keys
    }

    /// The day of the last release that left its day's key to be handed over after midnight.
    #[must_use]
    pub const fn released_on(&self) -> Option<Day> {
        self.released_on
    }

    /// The owner's consent, as of the last time that anything was asked.
    #[must_use]
    pub const fn consent(&self) -> Consent {
        self.consent
    }

    /// What is handed over when, on the day of a release.
    #[must_use]
    pub const fn policy(&self) -> SameDayPolicy {
        self.policy
    }

    /// The key that is on air at `now`: the day's key, made from `rng` if there is none yet. Forgets what is too old.
    ///
    /// A key starts at 00:00 UTC, whenever the phone was switched on, and is valid for 24 hours; only where keys are
    /// [retired early](SameDayPolicy::RetireEarly) the one that takes over starts later.
    pub fn live_key(&mut self, now: UnixTime, rng: &mut impl CryptoRng) -> ScheduledKey {
        self.forget(now);
        let interval = ENIntervalNumber::at(now);
        if let Some(live) = self.keys.iter().find(|key| !key.handed_over && key.covers(interval)) {
            return live.clone();
        }
        let start = self.room_before(interval);
        let key = ScheduledKey {
            key: TemporaryExposureKey::generate(rng),
            rolling_start_interval_number: start,
            rolling_period: self.room_after(start),
            handed_over: false,
        };
        let place = self.keys.partition_point(|other| other.rolling_start_interval_number <= start);
        self.keys.insert(place, key.clone());
        key
    }

    /// What goes on air at `now`: the interval's identifier, and `metadata` sealed for it.
    pub fn advertisement(
        &mut self,
        metadata: BluetoothMetadata,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Advertisement {
        let key = self.live_key(now, rng).key;
        let rpi = key.rolling_proximity_identifier_key().identifier(ENIntervalNumber::at(now));
        Advertisement::new(rpi, key.associated_encrypted_metadata_key().seal(rpi, metadata))
    }

    /// The owner agrees at `now` that keys are handed over, for the next 24 hours.
    ///
    /// Next comes [`release`](Self::release).
    pub const fn give_consent(&mut self, now: UnixTime) {
        self.consent = Consent::given(now);
    }

    /// The owner takes the consent back: nothing is handed over any more, and no day's key follows.
    ///
    /// What was handed over cannot be called back; it is never on air again all the same.
    pub const fn withdraw_consent(&mut self) {
        self.consent = Consent::Withdrawn;
        self.released_on = None;
    }

    /// Hands over, after a positive test, every key that has ended and is still kept, ordered by start.
    ///
    /// What becomes of the day's own key is the [policy's](SameDayPolicy) business. A repeated call hands the same keys
    /// over again, so that an upload that failed can be repeated. Next comes
    /// [`release_day_key`](Self::release_day_key), if [`Release::day_key_at`] names its time; later than 24 hours after
    /// the consent, [`give_consent`](Self::give_consent).
    ///
    /// # Errors
    ///
    /// There is no [consent](Self::give_consent) at `now`; nothing is handed over and no key is retired.
    pub fn release(&mut self, now: UnixTime, rng: &mut impl CryptoRng) -> Result<Release, ConsentError> {
        self.forget(now);
        let consent_until = self.consent.check(now)?;
        // Without a live key there would be no day's key to speak of: the phone may have been off since midnight.
        let live = self.live_key(now, rng);
        let day_key_at = match self.policy {
            SameDayPolicy::RetireEarly => {
                self.retire(&live, ENIntervalNumber::at(now));
                self.released_on = None;
                None
            }
            // On the day after the consent there is nothing more to come: it ends before that day's key does.
            SameDayPolicy::AfterMidnight => {
                Some(now.day().next().start()).filter(|midnight| *midnight <= consent_until)
            }
        };
        if day_key_at.is_some() {
            self.released_on = Some(now.day());
        }
        Ok(Release { keys: self.hand_over(now, |_| true), day_key_at })
    }

    /// Hands over the key of the day of the last [`release`](Self::release), once it is no longer on air.
    ///
    /// The owner is not asked again, if the consent is not older than 24 hours. A repeated call hands the same keys over
    /// again. There is more than one only if the clock was set back on that day.
    ///
    /// # Errors
    ///
    /// There is no consent any more, no release has left a key for later, the key is still on air, or it is older than 14
    /// days and forgotten.
    pub fn release_day_key(&mut self, now: UnixTime) -> Result<Vec<DiagnosisKey>, DayKeyError> {
        self.forget(now);
        self.consent.check(now)?;
        let day = self.released_on.ok_or(DayKeyError::NothingPending)?;
        let ends = self.keys.iter().filter(|key| key.starts_on(day)).map(ScheduledKey::end);
        let until = ends.max().unwrap_or_default().max(day.next().start());
        if now < until {
            return Err(DayKeyError::StillLive { until });
        }
        let keys = self.hand_over(now, |key| key.starts_on(day));
        if keys.is_empty() { Err(DayKeyError::Forgotten { day }) } else { Ok(keys) }
    }

    /// Drops keys that ended 14 days ago, keys that a clock running ahead has left in the future, and a consent that
    /// is over.
    fn forget(&mut self, now: UnixTime) {
        let tomorrow = now.day().next();
        self.consent = self.consent.at(now);
        self.keys.retain(|key| {
            key.end().plus(Self::RETENTION_SECONDS) > now
                && key.rolling_start_interval_number.start().day() <= tomorrow
        });
    }

    /// Where a key begins that is needed in this interval, which no secret key covers.
    fn room_before(&self, interval: ENIntervalNumber) -> ENIntervalNumber {
        let day = interval.start().day();
        let mut of_day = self.keys.iter().filter(|key| key.touches(day));
        match self.policy {
            SameDayPolicy::RetireEarly if of_day.next().is_some() => interval,
            SameDayPolicy::RetireEarly => interval.floor_day(),
            // Servers that know this policy alone take keys of midnight only, also from a phone whose clock was set back
            // into the day of a public key.
            SameDayPolicy::AfterMidnight => {
                let ends = of_day.filter(|key| !key.handed_over).map(|key| ENIntervalNumber::at(key.end()));
                ends.filter(|end| *end <= interval).max().unwrap_or_default().max(interval.floor_day())
            }
        }
    }

    /// The intervals from `start` to the end of its day, or to the next key that is to be on air.
    fn room_after(&self, start: ENIntervalNumber) -> RollingPeriod {
        let to_come = self.keys.iter().filter(|key| !key.handed_over);
        to_come
            .filter_map(|key| RollingPeriod::between(start, key.rolling_start_interval_number))
            .chain([RollingPeriod::rest_of_day(start)])
            .min()
            .unwrap_or_default()
    }

    /// Ends the live key before its day does: the interval that is running belongs to its successor already.
    fn retire(&mut self, live: &ScheduledKey, interval: ENIntervalNumber) {
        // A key in its first interval has not been valid for even one; there is nothing to hand over.
        let Some(period) = RollingPeriod::between(live.rolling_start_interval_number, interval) else {
            return;
        };
        let is_live = |key: &&mut ScheduledKey| !key.handed_over && key.covers(interval);
        if let Some(key) = self.keys.iter_mut().find(is_live) {
            key.rolling_period = period;
        }
    }

    /// Marks and copies the keys that have ended by `now`, as far as they are `wanted`.
    fn hand_over(&mut self, now: UnixTime, wanted: impl Fn(&ScheduledKey) -> bool) -> Vec<DiagnosisKey> {
        let ended = self.keys.iter_mut().filter(|key| key.end() <= now && wanted(key));
        ended
            .map(|key| {
                key.handed_over = true;
                key.diagnosis_key()
            })
            .collect()
    }
}

/// What is handed over on the day of a positive test, while that day's key is still on air.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum SameDayPolicy {
    /// The day's key follows in a second upload, after it has been replaced at midnight (solution architecture of the
    /// Corona-Warn-App).
    #[default]
    AfterMidnight,
    /// The day's key is retired at once and handed over with the others; a new one takes its place on air. The server
    /// holds it back until [`DiagnosisKey::embargo_end`] (the frameworks' later behaviour).
    RetireEarly,
}

/// A key of the phone's own, with the time it is meant for.
///
/// Secret: it holds the key.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what a phone has to store of a key, and nothing else")]
pub struct ScheduledKey {
    /// The key.
    pub key: TemporaryExposureKey,
    /// The first interval it is valid in.
    pub rolling_start_interval_number: ENIntervalNumber,
    /// For how many intervals it is valid.
    pub rolling_period: RollingPeriod,
    /// Whether it was handed over. Then others may know it, and it is never on air again.
    pub handed_over: bool,
}

impl ScheduledKey {
    /// The moment from which the key is no longer on air.
    #[must_use]
    pub const fn end(&self) -> UnixTime {
        let seconds = self.rolling_period.get() as u64 * ENIntervalNumber::SECONDS;
        self.rolling_start_interval_number.start().plus(seconds)
    }

    fn starts_on(&self, day: Day) -> bool {
        self.rolling_start_interval_number.start().day() == day
    }

    /// Whether the key is for at least one interval of the day.
    fn touches(&self, day: Day) -> bool {
        self.rolling_start_interval_number.start() < day.next().start() && self.end() > day.start()
    }

    const fn covers(&self, interval: ENIntervalNumber) -> bool {
        let start = self.rolling_start_interval_number.get();
        interval.get() >= start && interval.get() - start < self.rolling_period.get() as u32
    }

    const fn diagnosis_key(&self) -> DiagnosisKey {
        let key_data = *self.key.expose_bytes();
        DiagnosisKey::new(key_data, self.rolling_start_interval_number, self.rolling_period)
    }
}

/// What a [`KeySchedule::release`] hands over.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Release {
    /// The keys, now public, ordered by their start; without statements about risk, which are the owner's to add.
    ///
    /// Keys of whole days are 14 at most, unless the clock was set back into a day whose key was public: that day has
    /// two. Where a server takes no more, leave out the first.
    pub keys: Vec<DiagnosisKey>,
    /// From when [`KeySchedule::release_day_key`] hands over the key of the day; `None` if there is nothing to come under
    /// this consent.
    pub day_key_at: Option<UnixTime>,
}

/// Why the key of the day is not handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DayKeyError {
    /// There is no consent any more.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// No release has left a key for later.
    #[error("no release has left a day's key for later")]
    NothingPending,
    /// The key is still on air.
    #[error("the day's key is on air until {}", until.as_secs())]
    StillLive {
        /// The moment from which it is not.
        until: UnixTime,
    },
    /// The key is older than the retention of 14 days.
    #[error("the key of {day} was older than 14 days and is forgotten")]
    Forgotten {
        /// The day of the release.
        day: Day,
    },
}

#[cfg(test)]
mod tests;
