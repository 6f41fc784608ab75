//! What the keys of a distribution tell, and how many people may be behind them.
//!
//! A key is counted where it was published: in a day's package, or in the hours that no day's package covers, or in a
//! file without a place. An earlier copy counts for nothing here.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{Day, UnixTime};
use serde::Serialize;

use super::file::{Package, Place, Said};
use super::keys::Distinct;
use super::randomness::Randomness;

/// What the keys tell.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Different keys.
    #[serde(skip)]
    pub keys: usize,
    /// Packages whose keys are counted below.
    pub counted_packages: usize,
    /// Keys in them; one that was published twice counts twice.
    pub counted_keys: u64,
    /// Begin of the first of these packages, in Unix seconds.
    pub start_timestamp: Option<u64>,
    /// End of the last.
    pub end_timestamp: Option<u64>,
    /// By the day on which the keys were on air: how many, and of which level.
    pub keys_by_day: Vec<KeysOfDay>,
    /// What the second axis of `profile` is.
    pub profile_axis: ProfileAxis,
    /// Keys by age, in days from their first to that of the package, and by what was said of them.
    pub profile: Vec<ProfileCell>,
    /// Keys by hour of publication and by age, in days from their end to that of the package; of packages that cover at
    /// most an hour, and none if there are none such.
    pub publication: Vec<PublicationCell>,
    /// By day of publication: packages, keys, and people.
    pub publication_days: Vec<PublicationDay>,
    /// How many keys were made up beside each real one.
    pub padding: Padding,
    /// How many people may be behind the keys.
    pub users: Users,
    /// Whether the bytes look random.
    pub randomness: Randomness,
    /// Which keys signed.
    pub signing_keys: Vec<SigningKeyUse>,
}

/// Keys that were on air from one day on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeysOfDay {
    /// The day, as yyyy-mm-dd.
    pub day: String,
    /// How many.
    pub keys: u64,
    /// By transmission risk level; keys without one are left out.
    pub levels: BTreeMap<u8, u64>,
}

/// What the second axis of the profile is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProfileAxis {
    /// Transmission risk levels.
    TransmissionRiskLevel,
    /// Days since onset of symptoms, where no key has a level.
    DaysSinceOnsetOfSymptoms,
}

/// Keys of one age of which the same was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProfileCell {
    /// Days from the key's first day to that of the package.
    pub age_days: i64,
    /// The level, or the days since onset; `None` where nothing was said.
    pub value: Option<i32>,
    /// How many.
    pub keys: u64,
}

/// Keys of one age that were published at one hour of the day.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PublicationCell {
    /// The hour of UTC in which the package ended, 0 to 23.
    pub hour: u8,
    /// Days from the key's end to the package's; -1 for keys that were still on air.
    pub age_days: i64,
    /// How many.
    pub keys: u64,
}

/// What was published on one day.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PublicationDay {
    /// The day, as yyyy-mm-dd.
    pub day: String,
    /// Packages.
    pub packages: usize,
    /// Keys in them.
    pub keys: u64,
    /// The multiplier that the keys of this day show by themselves; 1 if none can be seen.
    pub multiplier: u32,
    /// People, if that is the multiplier.
    pub users: Users,
}

/// The estimate of padding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Padding {
    /// Keys published for each real one, it included; 1 if nothing is to be seen of padding.
    pub multiplier: u32,
    /// How many different things are said of keys, package by package.
    pub groups: u64,
    /// For each multiplier that was tried.
    pub tried: Vec<MultiplierShare>,
    /// How it was found out.
    pub method: &'static str,
}

/// How well one multiplier explains the keys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MultiplierShare {
    /// The multiplier.
    pub multiplier: u32,
    /// The share of groups whose size it divides.
    pub share: f64,
    /// At most so probable is such a share, or a greater one, without padding.
    pub p: f64,
}

/// How many people may be behind keys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Users {
    /// At least, if each has one key a day.
    pub at_least: u64,
    /// If each has the keys of all days back to the first.
    pub estimate: u64,
    /// At most: one key each.
    pub at_most: u64,
    /// How they are counted.
    pub method: &'static str,
}

/// How often a key signed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SigningKeyUse {
    /// Its name in the trust store.
    pub key: String,
    /// Packages that it signed.
    pub packages: usize,
}

const PADDING_METHOD: &str = "made-up keys say what real ones say, so that with a multiplier n the keys of a package of which the same is said \
     are multiples of n; the greatest n from 1 to 10 that divides at least nine groups in ten, if by chance (one in n) \
     that is less probable than one in a thousand (Chernoff's bound)";

const USERS_METHOD: &str = "keys divided by the multiplier, package by package: at least as many people as the day with most keys has, at most \
     one for each key; the estimate goes from the newest day back and counts a person wherever a day has more keys than \
     the one after it, since a person's keys are of consecutive days; who has keys in two packages counts in both";

pub(super) fn of(packages: &[Package], distinct: Distinct) -> Statistics {
    let counted = counted(packages);
    let periods = || counted.iter().filter_map(|package| package.period());
    let padding = Padding::of(&counted);
    let has_levels =
        counted.iter().flat_map(|package| &package.groups).any(|(said, _)| said.level().is_some());
    let axis =
        if has_levels { ProfileAxis::TransmissionRiskLevel } else { ProfileAxis::DaysSinceOnsetOfSymptoms };
    let mut users = Users { method: USERS_METHOD, ..Users::default() };
    for package in &counted {
        users.add(package, padding.multiplier);
    }
    Statistics {
        keys: distinct.keys,
        counted_packages: counted.len(),
        counted_keys: counted.iter().map(|package| package.said_keys()).sum(),
        start_timestamp: periods().map(|(start, _)| start.as_secs()).min(),
        end_timestamp: periods().map(|(_, end)| end.as_secs()).max(),
        keys_by_day: keys_by_day(&counted),
        profile_axis: axis,
        profile: profile(&counted, axis),
        publication: publication(packages),
        publication_days: publication_days(&counted),
        padding,
        users,
        randomness: distinct.randomness,
        signing_keys: signing_keys(packages),
    }
}

impl Package {
    /// The first second that is not in its period any more, less one: the last moment of publication.
    fn published(&self) -> Option<UnixTime> {
        self.period().map(|(_, end)| end.minus(1))
    }

    fn said_keys(&self) -> u64 {
        self.groups.iter().map(|(_, count)| u64::from(*count)).sum()
    }
}

/// Packages that count each key once: days, hours of other days, and files without a place.
fn counted(packages: &[Package]) -> Vec<&Package> {
    let present = || packages.iter().filter(|package| !package.is_earlier && package.has_keys_read);
    let days: BTreeSet<_> = present()
        .filter_map(|package| match package.place {
            Place::Day(country, day) => Some((country, day)),
            _ => None,
        })
        .collect();
    let is_counted = |package: &&Package| match package.place {
        Place::Hour(country, hour) => !days.contains(&(country, hour.day())),
        Place::Day(..) | Place::Loose => true,
    };
    let mut counted: Vec<_> = present().filter(is_counted).collect();
    counted.sort_by_key(|package| (package.period(), package.path.as_str()));
    counted
}

fn keys_by_day(counted: &[&Package]) -> Vec<KeysOfDay> {
    let mut days: BTreeMap<Day, (u64, BTreeMap<u8, u64>)> = BTreeMap::new();
    for (said, count) in counted.iter().flat_map(|package| &package.groups) {
        let (keys, levels) = days.entry(said.start_day()).or_default();
        *keys += u64::from(*count);
        if let Some(level) = said.level() {
            *levels.entry(level).or_default() += u64::from(*count);
        }
    }
    let day = |(day, (keys, levels)): (Day, _)| KeysOfDay { day: day.to_string(), keys, levels };
    days.into_iter().map(day).collect()
}

fn days_between(from: Day, to: Day) -> i64 {
    let number = |day: Day| i64::try_from(day.get()).unwrap_or(i64::MAX);
    number(to).saturating_sub(number(from))
}

fn profile(counted: &[&Package], axis: ProfileAxis) -> Vec<ProfileCell> {
    let mut cells: BTreeMap<(i64, Option<i32>), u64> = BTreeMap::new();
    for package in counted {
        let Some(published) = package.published() else { continue };
        for (said, count) in &package.groups {
            let value = match axis {
                ProfileAxis::TransmissionRiskLevel => said.level().map(i32::from),
                ProfileAxis::DaysSinceOnsetOfSymptoms => said.days_since_onset(),
            };
            let age = days_between(said.start_day(), published.day());
            *cells.entry((age, value)).or_default() += u64::from(*count);
        }
    }
    let cell = |((age_days, value), keys)| ProfileCell { age_days, value, keys };
    cells.into_iter().map(cell).collect()
}

/// Hours tell it even where a day's package covers them.
fn publication(packages: &[Package]) -> Vec<PublicationCell> {
    const HOUR: u64 = 3600;
    let mut cells: BTreeMap<(u8, i64), u64> = BTreeMap::new();
    for package in packages.iter().filter(|package| !package.is_earlier) {
        let Some((start, end)) = package.period().filter(|(start, end)| end.seconds_since(*start) <= HOUR)
        else {
            continue;
        };
        let _ = start;
        let hour = u8::try_from(end.as_secs() % Day::SECONDS / HOUR).unwrap_or(0);
        for (said, count) in &package.groups {
            let age = if said.end() > end {
                -1
            } else {
                i64::try_from(end.seconds_since(said.end()) / Day::SECONDS).unwrap_or(i64::MAX)
            };
            *cells.entry((hour, age)).or_default() += u64::from(*count);
        }
    }
    cells.into_iter().map(|((hour, age_days), keys)| PublicationCell { hour, age_days, keys }).collect()
}

fn publication_days(counted: &[&Package]) -> Vec<PublicationDay> {
    let mut days: BTreeMap<Day, Vec<&Package>> = BTreeMap::new();
    for package in counted {
        if let Some(published) = package.published() {
            days.entry(published.day()).or_default().push(package);
        }
    }
    let of_day = |(day, packages): (Day, Vec<&Package>)| {
        let multiplier = Padding::of(&packages).multiplier;
        let mut users = Users { method: USERS_METHOD, ..Users::default() };
        for package in &packages {
            users.add(package, multiplier);
        }
        let keys = packages.iter().map(|package| package.said_keys()).sum();
        PublicationDay { day: day.to_string(), packages: packages.len(), keys, multiplier, users }
    };
    days.into_iter().map(of_day).collect()
}

fn signing_keys(packages: &[Package]) -> Vec<SigningKeyUse> {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for package in packages.iter().filter(|package| !package.is_earlier) {
        if let Some(key) = &package.signed_by {
            let count = uses.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
    uses.into_iter().map(|(key, packages)| SigningKeyUse { key: key.to_owned(), packages }).collect()
}

impl Padding {
    const MAX: u32 = 10;
    const SHARE: f64 = 0.9;
    const P: f64 = 1e-3;

    fn of(counted: &[&Package]) -> Self {
        let sizes = || counted.iter().flat_map(|package| &package.groups).map(|(_, count)| *count);
        let groups = u64::try_from(sizes().count()).unwrap_or(u64::MAX);
        let tried: Vec<_> = (1..=Self::MAX)
            .map(|multiplier| {
                let divided = sizes().filter(|size| size.is_multiple_of(multiplier)).count();
                MultiplierShare::of(multiplier, u64::try_from(divided).unwrap_or(u64::MAX), groups)
            })
            .collect();
        let explains = |tried: &&MultiplierShare| tried.share >= Self::SHARE && tried.p < Self::P;
        let multiplier = tried.iter().rev().find(explains).map_or(1, |tried| tried.multiplier);
        Self { multiplier, groups, tried, method: PADDING_METHOD }
    }
}

impl MultiplierShare {
    #[expect(clippy::cast_precision_loss, reason = "counts of groups, far below 2^53")]
    fn of(multiplier: u32, divided: u64, groups: u64) -> Self {
        let n = groups as f64;
        let share = if groups == 0 { 0.0 } else { divided as f64 / n };
        let chance = 1.0 / f64::from(multiplier);
        // Chernoff: P(share or more) <= exp(-n KL(share || chance)).
        let part = |share: f64, chance: f64| if share > 0.0 { share * (share / chance).ln() } else { 0.0 };
        let p = if share <= chance || multiplier == 1 {
            1.0
        } else {
            (-n * (part(share, chance) + part(1.0 - share, 1.0 - chance))).exp()
        };
        Self { multiplier, share, p }
    }
}

impl Users {
    fn add(&mut self, package: &Package, multiplier: u32) {
        let mut days: BTreeMap<Day, u64> = BTreeMap::new();
        for (said, count) in &package.groups {
            *days.entry(Said::start_day(*said)).or_default() += u64::from(*count);
        }
        let people = |keys: u64| keys.div_ceil(u64::from(multiplier).max(1));
        self.at_least += days.values().map(|keys| people(*keys)).max().unwrap_or(0);
        self.at_most += people(package.said_keys());
        let mut newer: Option<(Day, u64)> = None;
        for (day, keys) in days.into_iter().rev() {
            let keys = people(keys);
            let go_on = newer.filter(|(newer, _)| *newer == day.next()).map_or(0, |(_, keys)| keys);
            self.estimate += keys.saturating_sub(go_on);
            newer = Some((day, keys));
        }
    }
}
