//! When a key may be published, and in which package: embargo, threshold with shifting, padding, hours and days,
//! retention.
//!
//! Pure rules: the caller holds the keys, hands over the ones that no package has yet, and stores what comes back. An
//! assignment that was made is never made anew.

use core::fmt;
use core::ops::Range;

use cwa_crypto::{Day, DiagnosisKey, TransmissionRiskLevel, UnixTime};
use rand_core::CryptoRng;

use crate::padding::PaddingPolicy;

/// An hour of UTC, counted from 1970-01-01T00 as hour 0. The package of hour `h` covers `[h, h + 1)`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hour(u64);

impl Hour {
    /// Seconds in one hour.
    pub const SECONDS: u64 = 3600;

    /// The hour with this number since the epoch.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The hour that `time` lies in.
    #[must_use]
    pub const fn at(time: UnixTime) -> Self {
        Self(time.as_secs() / Self::SECONDS)
    }

    /// Hour `of_day` (0 to 23) of a day; `None` for another number.
    ///
    /// ```
    /// use cwa_crypto::Day;
    /// use cwa_export::batch::Hour;
    /// let day = Day::from_calendar(2020, 7, 22).unwrap();
    /// assert_eq!(Hour::of(day, 3).unwrap().start().as_secs(), 1_595_386_800);
    /// assert_eq!(Hour::of(day, 24), None);
    /// ```
    #[must_use]
    pub const fn of(day: Day, of_day: u8) -> Option<Self> {
        if of_day > 23 {
            return None;
        }
        Some(Self(day.get().saturating_mul(24).saturating_add(of_day as u64)))
    }

    /// Hours since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Its first second.
    #[must_use]
    pub const fn start(self) -> UnixTime {
        UnixTime::from_secs(self.0.saturating_mul(Self::SECONDS))
    }

    /// The first second after it: from then on it can be closed.
    #[must_use]
    pub const fn end(self) -> UnixTime {
        self.next().start()
    }

    /// The hour after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its day.
    #[must_use]
    pub const fn day(self) -> Day {
        Day::new(self.0 / 24)
    }

    /// Its number within its day, 0 to 23.
    #[must_use]
    pub const fn of_day(self) -> u8 {
        (self.0 % 24) as u8
    }
}

impl fmt::Display for Hour {
    /// `2020-07-22T03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}", self.day(), self.of_day())
    }
}

/// A key that was submitted and is in no package yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these two are all that the rules look at")]
pub struct PendingKey {
    /// The key.
    pub key: DiagnosisKey,
    /// The first hour that may hold it, as [`PublicationPolicy::earliest_hour`] said when it arrived. A store keeps this
    /// hour and not the moment of arrival, which nobody needs and which would tell keys of one upload apart from others.
    pub earliest_hour: Hour,
}

/// The rules a publisher follows. [`PublicationPolicy::default`] has the numbers of the German production server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PublicationPolicy {
    /// Seconds that must pass between a key's end and its publication: 7,200. Published earlier, a key could be
    /// broadcast again by somebody else while phones still accept it.
    pub embargo_seconds: u64,
    /// Fewest keys of a package that is not empty: 140. In a smaller one, a person's keys stand out.
    pub threshold: usize,
    /// For how many hours keys may be moved on before their package is filled up: 24.
    pub max_shift_hours: u64,
    /// For how many days after its end a key is kept: 14.
    pub retention_days: u64,
    /// For how many days hour packages are served: 2.
    pub hourly_package_days: u64,
    /// Keys with a level below this are never published; 1 publishes every key. A key without a level, or with level
    /// 0 (nothing said), is published whatever the minimum.
    pub minimum_transmission_risk_level: u8,
}

impl Default for PublicationPolicy {
    fn default() -> Self {
        Self {
            embargo_seconds: 2 * Hour::SECONDS,
            threshold: 140,
            max_shift_hours: 24,
            retention_days: 14,
            hourly_package_days: 2,
            minimum_transmission_risk_level: 1,
        }
    }
}

impl PublicationPolicy {
    /// The first hour whose package may hold a key that ended at `key_end` and was submitted at `submitted_at`.
    ///
    /// Submitted before its embargo is over, a key waits until the hour that begins after it; later, it goes with the
    /// hour it arrived in (the German server's expiry policy).
    ///
    /// ```
    /// use cwa_crypto::{Day, UnixTime};
    /// use cwa_export::batch::{Hour, PublicationPolicy};
    /// let midnight = Day::from_calendar(2020, 7, 22).unwrap().start();
    /// let policy = PublicationPolicy::default();
    /// // Visible from 04:00: the package of hour 3 is closed then.
    /// assert_eq!(policy.earliest_hour(midnight, midnight.plus(60)), Hour::at(midnight.plus(3 * 3600)));
    /// assert_eq!(policy.earliest_hour(midnight, midnight.plus(9 * 3600)), Hour::at(midnight.plus(9 * 3600)));
    /// ```
    #[must_use]
    pub const fn earliest_hour(&self, key_end: UnixTime, submitted_at: UnixTime) -> Hour {
        let embargo_end = key_end.plus(self.embargo_seconds);
        // At the very second at which the embargo ends the German server still says "before", and its tests with it.
        if submitted_at.as_secs() <= embargo_end.as_secs() {
            Hour::at(embargo_end.plus(Hour::SECONDS))
        } else {
            Hour::at(submitted_at)
        }
    }

    /// Decides what the package of `hour` holds, given every key that no package has yet.
    ///
    /// Call it for one hour after the other, as [`hours_due`](Self::hours_due) lists them, and store the answer before
    /// the next: keys of `publish` and `padding` belong to this hour from then on, the others stay pending.
    ///
    /// Below the threshold the hour is empty and its keys move on. Once a key has been moved on for
    /// [`max_shift_hours`](Self::max_shift_hours), the package is filled up to the threshold with random keys from
    /// `rng` that say of themselves what the real ones say, so that a small country's keys are not held back for ever.
    pub fn close_hour(&self, hour: Hour, pending: &[PendingKey], rng: &mut impl CryptoRng) -> ClosedHour {
        let mut closed = ClosedHour { hour, publish: Vec::new(), padding: Vec::new(), shifted: Vec::new() };
        let mut longest_wait = 0;
        for (index, candidate) in pending.iter().enumerate() {
            let earliest = candidate.earliest_hour;
            if earliest <= hour && self.may_be_published(&candidate.key) {
                closed.publish.push(index);
                longest_wait = longest_wait.max(hour.get().saturating_sub(earliest.get()));
            }
        }
        if closed.publish.is_empty() || closed.publish.len() >= self.threshold {
            return closed;
        }
        if longest_wait < self.max_shift_hours {
            closed.shifted = core::mem::take(&mut closed.publish);
            return closed;
        }
        let real: Vec<_> =
            closed.publish.iter().filter_map(|index| pending.get(*index)).map(|due| due.key).collect();
        closed.padding = PaddingPolicy::Minimum { keys: self.threshold, range: 0 }.padding(&real, rng);
        closed
    }

    /// Whether the key's transmission risk level is one that is published.
    #[must_use]
    pub fn may_be_published(&self, key: &DiagnosisKey) -> bool {
        key.transmission_risk_level.is_none_or(|level| {
            level == TransmissionRiskLevel::UNUSED || level.get() >= self.minimum_transmission_risk_level
        })
    }

    /// The hours to close at `now`, oldest first, when `next` is the first one that is still open.
    ///
    /// Missed runs catch up: every hour gets its package, in order. The running hour is not among them.
    ///
    /// # Errors
    ///
    /// [`ClockBehind`] if `now` lies before the end of an hour that was already closed: publishing into the past would
    /// change what phones have downloaded.
    pub fn hours_due(&self, next: Hour, now: UnixTime) -> Result<HoursDue, ClockBehind> {
        if now < next.start() {
            return Err(ClockBehind { now, closed_until: next.start() });
        }
        Ok(HoursDue(next.get()..Hour::at(now).get()))
    }

    /// Whether a key that ended at `key_end` is still kept at `now`. A key that is not is deleted, and packages that
    /// held it are made anew without it.
    #[must_use]
    pub const fn retains(&self, key_end: UnixTime, now: UnixTime) -> bool {
        key_end.as_secs() >= now.minus(self.retention_days.saturating_mul(Day::SECONDS)).as_secs()
    }

    /// The day packages that are served at `now`, oldest first, when `next` is the first hour still open: whole days
    /// within retention whose every hour is closed.
    pub fn served_days(&self, next: Hour, now: UnixTime) -> impl DoubleEndedIterator<Item = Day> + use<> {
        let oldest = now.day().minus(self.retention_days).get();
        (oldest..next.day().get()).map(Day::new)
    }

    /// The hour packages that are served at `now`, oldest first, when `next` is the first hour still open: closed hours
    /// of the last days, and those that no day package covers yet.
    pub fn served_hours(&self, next: Hour, now: UnixTime) -> impl DoubleEndedIterator<Item = Hour> + use<> {
        let recent = Hour::at(now.minus(self.hourly_package_days.saturating_mul(Day::SECONDS)));
        let uncovered = Hour::at(next.day().start());
        (recent.min(uncovered).get()..next.get()).map(Hour::new)
    }
}

/// What the package of one hour holds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClosedHour {
    /// The hour.
    pub hour: Hour,
    /// Indices of the pending keys that are published with it.
    pub publish: Vec<usize>,
    /// Random keys that are published with them; to be stored like real ones, so that a package can be made anew.
    pub padding: Vec<DiagnosisKey>,
    /// Indices of the pending keys that were due and move on, because there were too few of them.
    pub shifted: Vec<usize>,
}

impl ClosedHour {
    /// How many keys the package holds; 0 for an empty one, which is signed and published all the same.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.publish.len().saturating_add(self.padding.len())
    }
}

/// Hours to close, oldest first.
#[derive(Clone, Debug)]
pub struct HoursDue(Range<u64>);

impl Iterator for HoursDue {
    type Item = Hour;

    fn next(&mut self) -> Option<Hour> {
        self.0.next().map(Hour)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The publisher's clock is behind what it already published.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "it is {} now, but every hour before {} is already closed",
    now.as_secs(),
    closed_until.as_secs()
)]
#[non_exhaustive]
pub struct ClockBehind {
    /// The time that was given.
    pub now: UnixTime,
    /// The end of the last closed hour.
    pub closed_until: UnixTime,
}

#[cfg(test)]
mod tests {
    use cwa_crypto::{ENIntervalNumber, RollingPeriod};
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use rstest::rstest;

    use super::*;

    const MIDNIGHT: UnixTime = UnixTime::from_secs(1_595_376_000);

    fn policy(threshold: usize) -> PublicationPolicy {
        PublicationPolicy { threshold, ..PublicationPolicy::default() }
    }

    /// A key of a full day that ends `hours` after `MIDNIGHT`.
    fn key(id: u8, end: UnixTime) -> DiagnosisKey {
        DiagnosisKey::new([id; 16], ENIntervalNumber::at(end.minus(Day::SECONDS)), RollingPeriod::FULL_DAY)
    }

    fn pending(id: u8, submitted_at: UnixTime) -> PendingKey {
        let key = key(id, MIDNIGHT.minus(Day::SECONDS));
        PendingKey { key, earliest_hour: policy(1).earliest_hour(key.end(), submitted_at) }
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[rstest]
    // ProdDiagnosisKeyBundlerExpiryPolicyTest of the German server.
    #[case(5, 0, 27)]
    #[case(5, 24, 27)]
    #[case(5, 27, 27)]
    #[case(6, 0, 28)]
    #[case(6, 28, 28)]
    #[case(5, 28, 28)]
    fn the_expiry_policy_is_the_german_one(#[case] start: u32, #[case] submitted: u64, #[case] hour: u64) {
        let key = DiagnosisKey::new([0; 16], ENIntervalNumber::new(start), RollingPeriod::FULL_DAY);
        let earliest = policy(1).earliest_hour(key.end(), Hour::new(submitted).start());
        assert_eq!(earliest, Hour::new(hour));
    }

    #[rstest]
    #[case::a_second_before_the_embargo_ends(2 * 3600 - 1, 3)]
    #[case::when_it_ends(2 * 3600, 3)]
    #[case::a_second_after_it_has_ended(2 * 3600 + 1, 2)]
    #[case::just_before_the_next_hour(3 * 3600 - 1, 2)]
    fn a_key_is_not_published_until_two_hours_after_it_expired(#[case] submitted: u64, #[case] hour: u64) {
        let earliest = policy(1).earliest_hour(MIDNIGHT, MIDNIGHT.plus(submitted));
        assert_eq!(earliest, Hour::at(MIDNIGHT.plus(hour * 3600)));
        assert!(earliest.end() >= MIDNIGHT.plus(7200));
    }

    #[test]
    fn keys_below_the_threshold_move_on_until_there_are_enough() {
        let start = Hour::at(MIDNIGHT);
        let mut waiting = Vec::new();
        let mut held = Vec::new();
        for (hour, arriving) in [(0, 1), (1, 1), (2, 1), (3, 0), (4, 0), (5, 1), (6, 1)] {
            let hour = Hour::new(start.get() + hour);
            for _ in 0..arriving {
                waiting.push(pending(u8::try_from(waiting.len()).unwrap(), hour.start()));
            }
            let closed = policy(5).close_hour(hour, &waiting, &mut rng());
            held.push(closed.key_count());
            assert_eq!(closed.shifted.len() + closed.publish.len(), waiting.len());
        }
        assert_eq!(held, [0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn after_a_day_of_shifting_the_package_is_filled_up() {
        let start = Hour::at(MIDNIGHT);
        let mut real = pending(1, start.start());
        real.key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
        let before = Hour::new(start.get() + 23);
        assert_eq!(policy(140).close_hour(before, &[real], &mut rng()).shifted, [0]);

        let at_last = Hour::new(start.get() + 24);
        let closed = policy(140).close_hour(at_last, &[real], &mut rng());
        assert_eq!((closed.publish.as_slice(), closed.padding.len()), (&[0][..], 139));
        for padding in &closed.padding {
            assert_ne!(padding.key_data, real.key.key_data);
            let mut same_but_for_its_bytes = *padding;
            same_but_for_its_bytes.key_data = real.key.key_data;
            assert_eq!(same_but_for_its_bytes, real.key);
        }
        let mut distinct: Vec<_> = closed.padding.iter().map(|key| key.key_data).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 139);
    }

    #[test]
    fn an_hour_without_keys_is_empty_and_not_filled_up() {
        let closed = policy(140).close_hour(Hour::at(MIDNIGHT), &[], &mut rng());
        assert_eq!(closed.key_count(), 0);
    }

    #[test]
    fn a_key_under_embargo_counts_for_nothing() {
        let earliest_hour = policy(2).earliest_hour(MIDNIGHT, MIDNIGHT.plus(1200));
        let live = PendingKey { key: key(9, MIDNIGHT), earliest_hour };
        let due = pending(1, MIDNIGHT);
        let closed = policy(2).close_hour(Hour::at(MIDNIGHT.plus(2 * 3600)), &[live, due], &mut rng());
        assert_eq!((closed.publish.as_slice(), closed.shifted.as_slice()), (&[][..], &[1][..]));
        let closed = policy(2).close_hour(Hour::at(MIDNIGHT.plus(3 * 3600)), &[live, due], &mut rng());
        assert_eq!(closed.publish, [0, 1]);
    }

    #[test]
    fn keys_below_the_minimum_level_are_not_published() {
        let level = |n| Some(TransmissionRiskLevel::try_from(n).unwrap());
        let mut keys = [pending(1, MIDNIGHT), pending(2, MIDNIGHT), pending(3, MIDNIGHT)];
        keys[0].key.transmission_risk_level = level(2);
        keys[1].key.transmission_risk_level = level(3);
        let strict = PublicationPolicy { minimum_transmission_risk_level: 3, ..policy(1) };
        assert_eq!(strict.close_hour(Hour::at(MIDNIGHT), &keys, &mut rng()).publish, [1, 2]);
    }

    #[test]
    fn missed_hours_are_closed_in_order_and_the_running_one_is_not() {
        let next = Hour::at(MIDNIGHT);
        let due: Vec<_> = policy(1).hours_due(next, MIDNIGHT.plus(3 * 3600 + 59)).unwrap().collect();
        assert_eq!(due, [next, next.next(), next.next().next()]);
        assert_eq!(policy(1).hours_due(next, MIDNIGHT.plus(59)).unwrap().count(), 0);
    }

    #[test]
    fn a_clock_before_the_last_closed_hour_is_refused() {
        let error = policy(1).hours_due(Hour::at(MIDNIGHT), MIDNIGHT.minus(1)).unwrap_err();
        assert_eq!(error, ClockBehind { now: MIDNIGHT.minus(1), closed_until: MIDNIGHT });
    }

    #[test]
    fn a_key_is_kept_for_fourteen_days_after_its_end() {
        let end = MIDNIGHT;
        assert!(policy(1).retains(end, end.plus(14 * Day::SECONDS)));
        assert!(!policy(1).retains(end, end.plus(14 * Day::SECONDS + 1)));
    }

    #[test]
    fn days_and_hours_are_served_for_their_time() {
        let now = MIDNIGHT.plus(5 * 3600 + 7);
        let next = Hour::at(now);
        let days: Vec<_> = policy(1).served_days(next, now).collect();
        assert_eq!(days.len(), 14);
        assert_eq!(days.last(), Some(&MIDNIGHT.day().minus(1)));
        let hours: Vec<_> = policy(1).served_hours(next, now).collect();
        assert_eq!(hours.first(), Some(&Hour::at(now.minus(2 * Day::SECONDS))));
        assert_eq!(hours.last(), Some(&Hour::at(MIDNIGHT.plus(4 * 3600))));

        // A publisher that is three days behind keeps the hours of the day it has not finished.
        let behind = Hour::at(MIDNIGHT.minus(3 * Day::SECONDS).plus(2 * 3600));
        let hours: Vec<_> = policy(1).served_hours(behind, now).collect();
        assert_eq!(hours.len(), 2);
    }

    #[test]
    fn hours_print_as_date_and_hour() {
        assert_eq!(Hour::at(MIDNIGHT.plus(4 * 3600)).to_string(), "2020-07-22T04");
    }
}
