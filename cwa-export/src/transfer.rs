//! What a phone fetches next, and when: packages of days and hours, each of them once.
//!
//! Sans-IO. One run is: [`TransferPlanner::hour_indexes`] for the index of days, [`TransferPlanner::plan`] for both
//! indexes, the requests of the plan in their order over one connection with [`TransferPlanner::fetched`] after each,
//! and [`TransferPlanner::finish`], which says what to hand over to the framework in one call and when the next run is.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{Day, UnixTime};
use rand_core::Rng;

use crate::batch::Hour;
use crate::configuration::v1::KeyDownloadParameters;
use crate::country::Country;
use crate::index::DistributionPath;
use crate::random::below;

/// A package of keys, of a day or of an hour. Days come before hours, and each in order of time, as they are fetched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "complete by the distribution: days and hours")]
pub enum Package {
    /// The keys published on one day.
    Day(Day),
    /// The keys published in one hour.
    Hour(Hour),
}

impl Package {
    /// The day it belongs to.
    #[must_use]
    pub const fn day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Hour(hour) => hour.day(),
        }
    }

    /// Where it lies in the German tree.
    #[must_use]
    pub const fn path(self, country: Country) -> DistributionPath {
        match self {
            Self::Day(day) => DistributionPath::DayPackage { country, day },
            Self::Hour(hour) => DistributionPath::HourPackage { country, hour },
        }
    }
}

/// An entity tag (RFC 9110, 8.8.3): names one content of a resource. At most [`EntityTag::MAX_BYTES`] long.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EntityTag(String);

impl EntityTag {
    /// Longest tag that is kept, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Reads a tag as a header has it, `"…"` or `W/"…"`; or without quotes, as configurations may have it.
    ///
    /// `None` if it is empty, too long, or has something in it that no tag has.
    ///
    /// ```
    /// use cwa_export::transfer::EntityTag;
    /// assert_eq!(EntityTag::parse("W/\"a\"").unwrap().as_str(), "W/\"a\"");
    /// assert_eq!(EntityTag::parse("a").unwrap().as_str(), "\"a\"");
    /// assert_eq!(EntityTag::parse("a\r\nHost: elsewhere"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (weak, rest) = match text.strip_prefix("W/") {
            Some(rest) => ("W/", rest),
            None => ("", text),
        };
        let opaque = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(rest);
        let allowed = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte);
        let fits = !opaque.is_empty() && opaque.len() <= Self::MAX_BYTES && opaque.bytes().all(allowed);
        fits.then(|| Self(format!("{weak}\"{opaque}\"")))
    }

    /// As a header has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same content (weak comparison, RFC 9110, 8.8.3.2).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let strong = |tag: &'_ str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        strong(&self.0) == strong(&other.0)
    }
}

/// What to do about packages that are held already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between the two")]
pub enum HeldPackages {
    /// Keep them: a phone has handed their keys over.
    Keep,
    /// Ask whether they have changed: a mirror holds what is published now.
    AskAgain,
}

/// A package with this content must be thrown away, and fetched anew once it has another.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these two are what a revocation says")]
pub struct RevokedPackage {
    /// Which.
    pub package: Package,
    /// The content.
    pub etag: EntityTag,
}

impl RevokedPackage {
    /// What the key download parameters of a configuration revoke of one country. An entry that names nothing revokes
    /// nothing.
    pub fn of(parameters: &KeyDownloadParameters, country: Country) -> impl Iterator<Item = Self> {
        let region = country.to_string();
        let hours_region = region.clone();
        let days = parameters.revoked_day_packages.iter().filter(move |entry| entry.region == region);
        let days = days.filter_map(|entry| {
            let package = Package::Day(entry.date.parse().ok()?);
            Some(Self { package, etag: EntityTag::parse(&entry.etag)? })
        });
        let hours = parameters.revoked_hour_packages.iter().filter(move |entry| entry.region == hours_region);
        let hours = hours.filter_map(|entry| {
            let of_day = u8::try_from(entry.hour).ok()?;
            let package = Package::Hour(Hour::of(entry.date.parse().ok()?, of_day)?);
            Some(Self { package, etag: EntityTag::parse(&entry.etag)? })
        });
        days.chain(hours)
    }
}

/// How often, how far back, and within which bounds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TransferPolicy {
    /// Seconds between two publications: 3,600. A run falls at a random second of each interval.
    pub interval_seconds: u64,
    /// How many days before the newest listed one are fetched: 14.
    pub catch_up_days: u64,
    /// For how many days before today the distribution has hours: 2.
    pub hourly_days: u64,
    /// Calls of the framework within 24 hours: 6, in 2020 20. Intervals grow to whole hours that keep within it.
    pub calls_per_day: Option<u32>,
    /// Files that the framework takes within 24 hours: 15 up to iOS 13.5. Where they are fewer than a day of hours on
    /// top of a catch-up, only days are fetched.
    pub files_per_day: Option<u32>,
    /// The longest delay of the first retry, in seconds: 60. It doubles with every failure.
    pub first_retry_seconds: u64,
    /// The longest delay of any retry, in seconds: 3,600.
    pub longest_retry_seconds: u64,
    /// What to do about packages that are held already.
    pub held_packages: HeldPackages,
    /// What the configuration has revoked.
    pub revoked: Vec<RevokedPackage>,
}

impl Default for TransferPolicy {
    /// A phone of today: hourly packages, six calls a day.
    fn default() -> Self {
        Self {
            interval_seconds: Hour::SECONDS,
            catch_up_days: 14,
            hourly_days: 2,
            calls_per_day: Some(6),
            files_per_day: None,
            first_retry_seconds: 60,
            longest_retry_seconds: Hour::SECONDS,
            held_packages: HeldPackages::Keep,
            revoked: Vec::new(),
        }
    }
}

impl TransferPolicy {
    /// A phone with iOS 13.5 or older: 20 calls and 15 files a day, so that it takes no hours.
    #[must_use]
    pub fn ios_13_5() -> Self {
        Self { calls_per_day: Some(20), files_per_day: Some(15), ..Self::default() }
    }

    /// A mirror: everything that is listed, as it is now.
    #[must_use]
    pub fn mirror() -> Self {
        Self {
            catch_up_days: u64::MAX,
            calls_per_day: None,
            held_packages: HeldPackages::AskAgain,
            ..Self::default()
        }
    }

    /// Seconds of the interval in which one run falls: that of the publications, or the whole hours that the calls of
    /// a day leave for each.
    ///
    /// ```
    /// use cwa_export::transfer::TransferPolicy;
    /// assert_eq!(TransferPolicy::default().run_interval_seconds(), 4 * 3600);
    /// assert_eq!(TransferPolicy::mirror().run_interval_seconds(), 3600);
    /// ```
    #[must_use]
    pub fn run_interval_seconds(&self) -> u64 {
        let hours = self.calls_per_day.map_or(1, |calls| 24_u64.div_ceil(u64::from(calls.max(1))));
        hours.saturating_mul(Hour::SECONDS).max(self.interval_seconds).max(1)
    }

    /// Whether hours are worth their files.
    fn takes_hours(&self) -> bool {
        let most = self.catch_up_days.saturating_add(24 + 1);
        self.files_per_day.is_none_or(|files| u64::from(files) >= most)
    }

    fn has_revoked(&self, package: Package, etag: Option<&EntityTag>) -> bool {
        etag.is_some_and(|etag| {
            self.revoked.iter().any(|revoked| revoked.package == package && revoked.etag.matches(etag))
        })
    }
}

/// What the indexes of one country list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the distribution has these two kinds of index")]
pub struct Listing {
    /// The index of days.
    pub days: BTreeSet<Day>,
    /// The indexes of hours that could be had, by day.
    pub hours: BTreeMap<Day, BTreeSet<Hour>>,
}

/// One package to ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these two are all that a request needs")]
pub struct Request {
    /// Which.
    pub package: Package,
    /// For `If-None-Match`: a content that is held, or that must not be taken again.
    pub if_none_match: Option<EntityTag>,
}

/// What to ask for in one run, over one connection, in this order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The requests: days from the oldest, then hours from the oldest.
    pub requests: Vec<Request>,
    /// How many packages must wait, because of the framework's bounds.
    pub deferred: usize,
    /// Packages that were held and are revoked: their files are to be deleted.
    pub dropped: Vec<Package>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a run got everything it asked for, or not")]
pub enum Outcome {
    /// Every request was answered.
    Complete,
    /// Something could not be had.
    Failed,
}

/// What comes after a run.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// What to hand over to the framework now, in one call; nothing if there is nothing, or no call is left today, or
    /// the run has failed and the last call is not an interval ago.
    pub hand_over: Vec<Package>,
    /// When the next run is.
    pub next_run: UnixTime,
}

/// Why a package is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchedError {
    /// The distribution still serves what the configuration has revoked.
    #[error("the package has the revoked content still")]
    Revoked,
}

/// What one phone (or mirror) holds of one country's packages, and what it does next.
#[derive(Clone, Debug)]
pub struct TransferPlanner {
    policy: TransferPolicy,
    held: BTreeMap<Package, Option<EntityTag>>,
    /// Days of which every hour is held and that are over.
    complete: BTreeSet<Day>,
    /// Days that are complete as soon as these are held.
    completing: BTreeMap<Day, BTreeSet<Hour>>,
    /// What was thrown away because it is revoked.
    thrown_away: BTreeMap<Package, EntityTag>,
    /// Fetched, not handed over.
    pending: BTreeSet<Package>,
    /// When the framework was called.
    calls: Vec<UnixTime>,
    /// When it was given a file; the moment stands as often as there were files.
    files: Vec<UnixTime>,
    failures: u32,
    next_run: Option<UnixTime>,
}

impl TransferPlanner {
    /// A planner that holds nothing. Next: [`first_run`](Self::first_run), or a run at once.
    #[must_use]
    pub const fn new(policy: TransferPolicy) -> Self {
        Self {
            policy,
            held: BTreeMap::new(),
            complete: BTreeSet::new(),
            completing: BTreeMap::new(),
            thrown_away: BTreeMap::new(),
            pending: BTreeSet::new(),
            calls: Vec::new(),
            files: Vec::new(),
            failures: 0,
            next_run: None,
        }
    }

    /// Says that a package is there from former runs, and was handed over.
    pub fn hold(&mut self, package: Package, etag: Option<EntityTag>) {
        self.held.insert(package, etag);
    }

    /// What is held.
    pub fn held(&self) -> impl Iterator<Item = (Package, Option<&EntityTag>)> {
        self.held.iter().map(|(package, etag)| (*package, etag.as_ref()))
    }

    /// Takes the bounds and revocations of a new configuration.
    pub fn set_policy(&mut self, policy: TransferPolicy) {
        self.policy = policy;
    }

    /// When the first run is: seconds until the beginning of the next interval, and a random number of seconds of it
    /// (solution architecture, "Scalability and performance").
    ///
    /// ```
    /// use cwa_crypto::UnixTime;
    /// use cwa_export::transfer::{TransferPlanner, TransferPolicy};
    /// # use rand::SeedableRng as _;
    /// # let mut rng = rand::rngs::StdRng::seed_from_u64(1);
    /// let mut planner = TransferPlanner::new(TransferPolicy::mirror());
    /// let first = planner.first_run(UnixTime::from_secs(3_599), &mut rng).as_secs();
    /// assert!((3_600..7_200).contains(&first));
    /// ```
    pub fn first_run(&mut self, now: UnixTime, rng: &mut impl Rng) -> UnixTime {
        let at = self.in_next_interval(now, rng);
        self.next_run = Some(at);
        at
    }

    /// Whether a run is due. A moment that lies farther ahead than any this planner names was named under another
    /// clock, and does not count.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        let farthest = now.plus(2 * self.policy.run_interval_seconds()).plus(Day::SECONDS);
        self.next_run.is_none_or(|at| at <= now || at > farthest)
    }

    /// Of which days to ask for the index of hours, given the index of days. A day without one (404) has none.
    ///
    /// Those of today and of the days before that have hours and that no day package covers, or that are held in part.
    /// The day after the newest listed one is among them, whatever the phone's clock says.
    #[must_use]
    pub fn hour_indexes(&self, days: &BTreeSet<Day>, now: UnixTime) -> Vec<Day> {
        if !self.policy.takes_hours() {
            return Vec::new();
        }
        let today = now.day();
        let mut asked: BTreeSet<Day> = (0..=self.policy.hourly_days).map(|ago| today.minus(ago)).collect();
        asked.extend(days.last().map(|newest| newest.next()));
        let mirror = self.policy.held_packages == HeldPackages::AskAgain;
        asked.retain(|day| {
            mirror || (!self.has(*day) && (!days.contains(day) || self.held_hours(*day).next().is_some()))
        });
        asked.into_iter().collect()
    }

    /// What to ask for, given both kinds of index. Next: each request, with [`fetched`](Self::fetched) after it.
    ///
    /// A listed day of which nothing is held is fetched as a day; one of which hours are held is completed by hours, so
    /// that no key comes twice, as long as the distribution has them. What no day covers is fetched by hours.
    pub fn plan(&mut self, listing: &Listing, now: UnixTime) -> Plan {
        self.forget(listing, now);
        let dropped = self.throw_away_revoked();
        let wanted = self.wanted(listing, now);
        let allowance = self.allowance(now);
        let deferred = wanted.len().saturating_sub(allowance);
        let requests = wanted.into_iter().take(allowance).map(|package| {
            let held = self.held.get(&package).cloned().flatten();
            Request { package, if_none_match: held.or_else(|| self.thrown_away.get(&package).cloned()) }
        });
        Plan { requests: requests.collect(), deferred, dropped }
    }

    /// A package came, whole. One that was asked for and is unchanged (304) needs no word.
    ///
    /// # Errors
    ///
    /// [`FetchedError::Revoked`] if it is what was revoked: it must not be used, and the run has failed.
    pub fn fetched(&mut self, package: Package, etag: Option<EntityTag>) -> Result<(), FetchedError> {
        if self.policy.has_revoked(package, etag.as_ref()) {
            return Err(FetchedError::Revoked);
        }
        self.thrown_away.remove(&package);
        self.held.insert(package, etag);
        self.pending.insert(package);
        Ok(())
    }

    /// Ends a run: says what to hand over, and when the next one is.
    ///
    /// After a failure that is soon, at random, and within bounds that double with each; else in the next interval, or
    /// when the framework can be called again.
    pub fn finish(&mut self, outcome: Outcome, now: UnixTime, rng: &mut impl Rng) -> Finished {
        self.complete_days();
        let mut hand_over = Vec::new();
        // What a failed run has got is worth a call only once an interval, or failures would use the calls up.
        let rested = self
            .calls
            .last()
            .is_none_or(|last| now.as_secs() >= last.plus(self.policy.run_interval_seconds()).as_secs());
        let worth_it = outcome == Outcome::Complete || rested;
        if !self.pending.is_empty() && worth_it && self.call_is_left(now) {
            hand_over = core::mem::take(&mut self.pending).into_iter().collect();
            self.calls.push(now);
            self.files.extend(hand_over.iter().map(|_| now));
        }
        let next_run = match outcome {
            Outcome::Complete => {
                self.failures = 0;
                self.in_next_interval(now, rng)
            }
            Outcome::Failed => {
                let doubled = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
                let bound = self.policy.first_retry_seconds.saturating_mul(doubled);
                self.failures = self.failures.saturating_add(1);
                now.plus(1).plus(below(bound.min(self.policy.longest_retry_seconds), rng))
            }
        };
        let next_run = match self.calls.first() {
            Some(first) if !self.call_is_left(now) => next_run.max(first.plus(Day::SECONDS)),
            _ => next_run,
        };
        self.next_run = Some(next_run);
        Finished { hand_over, next_run }
    }

    fn wanted(&mut self, listing: &Listing, now: UnixTime) -> BTreeSet<Package> {
        let mut wanted = BTreeSet::new();
        self.completing.clear();
        let oldest = self.oldest(listing, now);
        let most = usize::try_from(self.policy.catch_up_days).unwrap_or(usize::MAX).saturating_add(1);
        for &day in listing.days.iter().rev().take(most).filter(|day| **day >= oldest) {
            if self.has(day) {
                continue;
            }
            match listing.hours.get(&day) {
                Some(hours) if !hours.is_empty() && self.held_hours(day).next().is_some() => {
                    wanted.extend(self.missing(hours));
                    if now.as_secs() >= day.next().start().plus(SETTLED_SECONDS).as_secs() {
                        self.completing.insert(day, hours.clone());
                    }
                }
                _ => {
                    wanted.insert(Package::Day(day));
                }
            }
        }
        let covered = |day: &Day| listing.days.contains(day) || self.has(*day);
        for (_, hours) in listing.hours.iter().filter(|(day, _)| !covered(day)) {
            wanted.extend(self.missing(hours));
        }
        self.complete_days();
        if self.policy.held_packages == HeldPackages::AskAgain {
            wanted.extend(listing.days.iter().copied().map(Package::Day));
            wanted.extend(listing.hours.values().flatten().copied().map(Package::Hour));
        }
        wanted
    }

    fn missing<'a>(&'a self, hours: &'a BTreeSet<Hour>) -> impl Iterator<Item = Package> + 'a {
        hours.iter().copied().map(Package::Hour).filter(|package| !self.held.contains_key(package))
    }

    fn held_hours(&self, day: Day) -> impl Iterator<Item = Package> {
        self.held.keys().copied().filter(move |held| matches!(held, Package::Hour(hour) if hour.day() == day))
    }

    /// Whether every key of a day is held.
    fn has(&self, day: Day) -> bool {
        self.complete.contains(&day) || self.held.contains_key(&Package::Day(day))
    }

    fn complete_days(&mut self) {
        let held = &self.held;
        let is_complete =
            |hours: &BTreeSet<Hour>| hours.iter().all(|hour| held.contains_key(&Package::Hour(*hour)));
        self.complete
            .extend(self.completing.iter().filter(|(_, hours)| is_complete(hours)).map(|(day, _)| *day));
    }

    /// The oldest day that matters: a phone whose clock is far ahead, or an index that is, must not forget what it has;
    /// nor one that is told of nothing.
    fn oldest(&self, listing: &Listing, now: UnixTime) -> Day {
        let newest = listing.days.last().map_or(Day::new(0), |newest| now.day().min(*newest));
        newest.minus(self.policy.catch_up_days.min(newest.get()))
    }

    fn forget(&mut self, listing: &Listing, now: UnixTime) {
        let oldest = self.oldest(listing, now);
        let kept = |day: &Day| *day >= oldest || listing.days.contains(day);
        self.held.retain(|package, _| kept(&package.day()));
        self.thrown_away.retain(|package, _| kept(&package.day()));
        self.complete.retain(kept);
        for times in [&mut self.calls, &mut self.files] {
            // Under a clock that was set back, what was later counts as now.
            times.iter_mut().for_each(|time| *time = (*time).min(now));
            times.retain(|time| time.plus(Day::SECONDS) > now);
        }
    }

    fn throw_away_revoked(&mut self) -> Vec<Package> {
        let mut dropped = Vec::new();
        for revoked in &self.policy.revoked {
            let package = revoked.package;
            let held = self.held.get(&package).and_then(Option::as_ref);
            if held.is_some_and(|etag| etag.matches(&revoked.etag)) {
                self.held.remove(&package);
                self.pending.remove(&package);
                self.complete.remove(&package.day());
                self.thrown_away.insert(package, revoked.etag.clone());
                dropped.push(package);
            }
        }
        dropped
    }

    /// How many files may be fetched, so that they can be handed over.
    fn allowance(&self, now: UnixTime) -> usize {
        if !self.call_is_left(now) {
            return 0;
        }
        let spent = self.files.len().saturating_add(self.pending.len());
        self.policy
            .files_per_day
            .map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(spent))
    }

    fn call_is_left(&self, now: UnixTime) -> bool {
        let calls = self.calls.iter().filter(|time| time.plus(Day::SECONDS) > now).count();
        self.policy.calls_per_day.is_none_or(|most| u32::try_from(calls).is_ok_and(|calls| calls < most))
    }

    fn in_next_interval(&self, now: UnixTime, rng: &mut impl Rng) -> UnixTime {
        let interval = self.policy.run_interval_seconds();
        let begin = (now.as_secs() / interval).saturating_add(1).saturating_mul(interval);
        UnixTime::from_secs(begin).plus(below(interval, rng))
    }
}

/// How long after its end the hours of a day are taken to be all there. Caches keep indexes for minutes: an index of
/// days that is newer than that of hours must not make the last hour be missed.
const SETTLED_SECONDS: u64 = 3600;

#[cfg(test)]
mod tests;
