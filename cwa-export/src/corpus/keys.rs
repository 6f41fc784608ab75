//! Every key of a distribution, and the rules about where a key may stand.
//!
//! Keys are kept in 256 lists by their first byte, so that no list has to be moved as a whole when it grows, and sorted
//! once, at the end. Then the places of one key stand side by side.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{Day, DiagnosisKey, ENIntervalNumber, UnixTime};

use super::file::{Package, Place};
use super::randomness::{Counter, Randomness};
use super::{Sink, counted};
use crate::batch::PublicationPolicy;
use crate::country::Country;
use crate::finding::Code;

/// One key in one package: 24 bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct KeyEntry {
    key_data: [u64; 2],
    package: u32,
    /// The first interval after it.
    end: u32,
}

impl KeyEntry {
    pub(super) fn of(key: &DiagnosisKey) -> Self {
        let number = u128::from_be_bytes(key.key_data);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the number")]
        let key_data = [(number >> 64) as u64, number as u64];
        Self { key_data, package: 0, end: ENIntervalNumber::at(key.end()).get() }
    }

    fn number(self) -> u128 {
        let [high, low] = self.key_data;
        u128::from(high) << 64 | u128::from(low)
    }

    fn package(self) -> usize {
        usize::try_from(self.package).unwrap_or(usize::MAX)
    }

    fn is_retained(self, now: UnixTime) -> bool {
        PublicationPolicy::default().retains(ENIntervalNumber::new(self.end).start(), now)
    }
}

/// Every key with its packages.
#[derive(Debug)]
pub(super) struct KeyTable(Vec<Vec<KeyEntry>>);

/// The days of which every hour is known to be there.
pub(super) type CompleteDays = BTreeSet<(Country, Day)>;

/// What is left of the keys: how many there are, and how random they look.
#[derive(Debug)]
pub(super) struct Distinct {
    pub(super) keys: usize,
    pub(super) randomness: Randomness,
}

impl KeyTable {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, keys: Vec<KeyEntry>, package: usize) {
        const LISTS: usize = 256;
        self.0.resize(LISTS, Vec::new());
        let package = u32::try_from(package).unwrap_or(u32::MAX);
        for key in keys {
            let first_byte = usize::try_from(key.key_data[0] >> 56).unwrap_or(0);
            if let Some(list) = self.0.get_mut(first_byte) {
                list.push(KeyEntry { package, ..key });
            }
        }
    }

    /// Tells every key that stands where it must not, or not where it must.
    pub(super) fn check(
        &mut self,
        packages: &[Package],
        complete: &CompleteDays,
        now: UnixTime,
        sink: &mut Sink,
    ) -> Distinct {
        let mut comparison = Comparison::new(packages, complete, now);
        let mut counter = Counter::default();
        for list in &mut self.0 {
            list.sort_unstable();
            // The keys of an earlier copy are no sample of their own.
            let is_present =
                |entry: &KeyEntry| packages.get(entry.package()).is_some_and(|package| !package.is_earlier);
            for same in list.chunk_by(|one, other| one.key_data == other.key_data) {
                if same.iter().any(is_present)
                    && let Some(first) = same.first()
                {
                    counter.count(first.number());
                }
                comparison.compare(same);
            }
            // Each list is looked at once; its memory is free for what is found in the others.
            *list = Vec::new();
        }
        comparison.tell(sink);
        let (keys, randomness) = counter.finish();
        Distinct { keys, randomness }
    }
}

/// Places of one key that are compared with one another.
const MAX_PLACES: usize = 64;

/// What is counted for one pair of packages.
#[derive(Debug, Default)]
struct Tally {
    keys: usize,
    first: u128,
}

struct Comparison<'a> {
    packages: &'a [Package],
    complete: &'a CompleteDays,
    now: UnixTime,
    days: BTreeMap<(Country, Day), usize>,
    /// For each package, whether the other copy has it too.
    is_in_both: Vec<bool>,
    /// By code, the package that is told, and the other one.
    tallies: BTreeMap<(Code, usize, Option<usize>), Tally>,
}

impl<'a> Comparison<'a> {
    fn new(packages: &'a [Package], complete: &'a CompleteDays, now: UnixTime) -> Self {
        let read = || packages.iter().enumerate().filter(|(_, p)| !p.is_earlier && p.has_keys_read);
        let days = read().filter_map(|(number, package)| match package.place {
            Place::Day(country, day) => Some(((country, day), number)),
            _ => None,
        });
        let paths = |earlier| -> BTreeSet<&str> {
            let read =
                packages.iter().filter(|package| package.is_earlier == earlier && package.has_keys_read);
            read.map(|package| package.path.as_str()).collect()
        };
        let (present, earlier) = (paths(false), paths(true));
        let in_both = |p: &Package| present.contains(p.path.as_str()) && earlier.contains(p.path.as_str());
        let is_in_both = packages.iter().map(in_both).collect();
        Self { packages, complete, now, days: days.collect(), is_in_both, tallies: BTreeMap::new() }
    }

    /// Looks at all the places of one key.
    fn compare(&mut self, same: &[KeyEntry]) {
        if let [entry] = same {
            return self.alone(*entry);
        }
        // Few in order: an hour, a day, and the two of an earlier copy.
        let mut places: Vec<(KeyEntry, &'a Package)> =
            same.iter().filter_map(|entry| Some((*entry, self.packages.get(entry.package())?))).collect();
        places.sort_by_key(|(_, package)| (package.period(), package.place, package.path.as_str()));
        let (earlier, present): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|(_, package)| package.is_earlier);
        self.twice(&present);
        // Where a key is in so many places that all is said by that, comparing each with each would only take time.
        for (entry, package) in present.iter().take(MAX_PLACES) {
            match package.place {
                Place::Hour(country, hour) => {
                    let has = |other: &Package| other.place == Place::Day(country, hour.day());
                    if !present.iter().any(|(_, other)| has(other)) {
                        self.day_lacks(*entry, (country, hour.day()));
                    }
                }
                Place::Day(country, day) => {
                    let has = |other: &Package| matches!(other.place, Place::Hour(c, h) if c == country && h.day() == day);
                    if !present.iter().any(|(_, other)| has(other)) {
                        self.day_has_more(*entry, (country, day));
                    }
                }
                Place::Loose => {}
            }
            self.grew(*entry, package, &earlier);
        }
        if present.is_empty() {
            self.vanished(&earlier);
        }
    }

    /// The same for a key with one place, as nearly all keys of a corpus of hours or days are.
    fn alone(&mut self, entry: KeyEntry) {
        let Some(package) = self.packages.get(entry.package()) else { return };
        if package.is_earlier {
            return self.vanished(&[(entry, package)]);
        }
        match package.place {
            Place::Hour(country, hour) => self.day_lacks(entry, (country, hour.day())),
            Place::Day(country, day) => self.day_has_more(entry, (country, day)),
            Place::Loose => {}
        }
        self.grew(entry, package, &[]);
    }

    /// Two hours, two days, or two files without a place that do not contain one another.
    fn twice(&mut self, present: &[(KeyEntry, &'a Package)]) {
        for (at, (entry, package)) in present.iter().take(MAX_PLACES).enumerate() {
            let before = present.iter().take(at).find(|(_, other)| match (other.place, package.place) {
                (Place::Day(one, _), Place::Day(other, _)) | (Place::Hour(one, _), Place::Hour(other, _)) => {
                    one == other
                }
                (Place::Loose, Place::Loose) => !nest(other, package),
                _ => false,
            });
            if let Some((first, _)) = before {
                self.count(Code::PublishedTwice, *entry, Some(first.package()));
            }
        }
    }

    fn day_lacks(&mut self, entry: KeyEntry, day: (Country, Day)) {
        // A day is made anew without the keys that are not kept any more; hours are not served for so long.
        if let Some(number) = self.days.get(&day).copied()
            && entry.is_retained(self.now)
        {
            self.tally(Code::DayLacksKeys, number, Some(entry.package()), entry);
        }
    }

    fn day_has_more(&mut self, entry: KeyEntry, day: (Country, Day)) {
        if self.complete.contains(&day) {
            self.count(Code::DayHasMoreKeys, entry, None);
        }
    }

    /// A package that was there before has a key that it had not.
    fn grew(&mut self, entry: KeyEntry, package: &Package, earlier: &[(KeyEntry, &'a Package)]) {
        let had_it = || earlier.iter().take(MAX_PLACES).any(|(_, before)| before.path == package.path);
        if self.is_in_both.get(entry.package()).is_some_and(|both| *both) && !had_it() {
            self.count(Code::PackageGrew, entry, None);
        }
    }

    fn vanished(&mut self, earlier: &[(KeyEntry, &'a Package)]) {
        if let Some((entry, _)) = earlier.first()
            && entry.is_retained(self.now)
        {
            self.count(Code::KeysVanished, *entry, None);
        }
    }

    fn count(&mut self, code: Code, entry: KeyEntry, other: Option<usize>) {
        self.tally(code, entry.package(), other, entry);
    }

    fn tally(&mut self, code: Code, package: usize, other: Option<usize>, entry: KeyEntry) {
        let tally = self.tallies.entry((code, package, other)).or_default();
        if tally.keys == 0 {
            tally.first = entry.number();
        }
        tally.keys = tally.keys.saturating_add(1);
    }

    fn tell(&self, sink: &mut Sink) {
        for ((code, package, other), Tally { keys, first }) in &self.tallies {
            let both = self.is_in_both.get(*package).is_some_and(|both| *both);
            let Some(package) = self.packages.get(*package) else { continue };
            let other = other.and_then(|other| self.packages.get(other)).map_or("", |other| &other.path);
            let (count, be) = (counted(*keys, "key"), if *keys == 1 { "is" } else { "are" });
            let first = format!("the first is {first:032x}");
            let message = match code {
                Code::PublishedTwice => format!("{count} {be} in {other} already; {first}"),
                Code::DayLacksKeys => format!("{count} of {other} {be} not in the day; {first}"),
                Code::DayHasMoreKeys => format!("{count} {be} in none of its hours; {first}"),
                Code::PackageGrew => format!("{count} {be} new since the earlier copy; {first}"),
                _ => {
                    let where_from = if both { "that was here" } else { "that is gone too" };
                    format!(
                        "{count} of the earlier copy of this package, {where_from}, {be} nowhere now; {first}"
                    )
                }
            };
            sink.file(&package.path, *code, message);
        }
    }
}

/// Whether the window of one package lies within that of the other.
fn nest(one: &Package, other: &Package) -> bool {
    match (one.period(), other.period()) {
        (Some(one), Some(other)) => {
            one != other && ((one.0 <= other.0 && other.1 <= one.1) || (other.0 <= one.0 && one.1 <= other.1))
        }
        _ => false,
    }
}
