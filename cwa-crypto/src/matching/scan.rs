//! Looking for the identifiers of keys while they are derived.

#![expect(
    clippy::indexing_slicing,
    reason = "places are taken modulo the length, offsets are below 144, and a queue has room for all offsets of all days"
)]

use alloc::vec::Vec;

use super::Split;
use super::statement::HeardIntervals;
use super::store::{Filter, Near, Store};
use crate::derive::{self, Backend, Days, Meanwhile};
use crate::diagnosis::DiagnosisKey;
use crate::rpi::{DayBlocks, RollingProximityIdentifier};
use crate::time::ENIntervalNumber;

/// A key of which something was received, by its place in the piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) place: usize,
    pub(super) heard: HeardIntervals,
}

/// What scanning a piece of keys fills, kept so that the next piece allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// In the order of the piece.
    pub(super) found: Vec<Found>,
    /// The keys that are worth deriving, and where they are in the piece; ordered by their first interval.
    keys: Vec<DiagnosisKey>,
    places: Vec<(ENIntervalNumber, u32)>,
}

/// Looks for the identifiers of a piece of keys.
pub(super) fn scan(store: &Store<'_>, backend: Backend, piece: &[DiagnosisKey], scratch: &mut Scratch) {
    let Scratch { found, keys, places } = scratch;
    found.clear();
    match store.split() {
        Split::Whole => Scan::run(store, backend, piece, found),
        Split::ByDay => {
            places.clear();
            let starts = piece.iter().map(|key| key.rolling_start_interval_number);
            places.extend(starts.zip(0..).filter(|(start, _)| store.is_near(*start)));
            // Day by day, so that the part of each is fetched once for all its keys.
            places.sort_unstable();
            let place_of = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
            keys.clear();
            keys.extend(places.iter().filter_map(|(_, place)| piece.get(place_of(*place))));
            Scan::run(store, backend, keys, found);
            for found in found.iter_mut() {
                found.place = places.get(found.place).map_or(usize::MAX, |(_, place)| place_of(*place));
            }
            found.sort_unstable_by_key(|found| found.place);
        }
    }
}

/// Looks up the identifiers of keys while those of the next keys are derived.
///
/// Deriving keeps the vector units of a processor busy, and nothing else; the filter needs everything else. So a key's
/// identifiers are asked about while the next key's are encrypted. Which of them have to be looked up is found out for
/// some keys at once, as far as that goes without a branch: each one that the processor guesses wrong would stop both.
struct Scan<'s, 'a> {
    store: &'s Store<'a>,
    keys: &'s [DiagnosisKey],
    found: &'s mut Vec<Found>,
    /// The days of the last keys, each at its place modulo their number.
    days: [DayBlocks; LAST],
    /// Which identifiers of these keys passed the filter, in thirds.
    passed: [[u64; 3]; LAST],
    /// Where all of them can meet anything.
    near: Near<'s, 'a>,
    /// All keys before this place were looked up.
    looked_up: usize,
    /// How many thirds of the last complete day were asked about.
    asked: usize,
    queue: Queue,
}

/// Keys that are kept until they are looked up together.
const LAST: usize = 8;

impl<'s, 'a> Scan<'s, 'a> {
    fn run(store: &'s Store<'a>, backend: Backend, keys: &'s [DiagnosisKey], found: &'s mut Vec<Found>) {
        let Some(first) = keys.first() else { return };
        let mut scan = Self {
            store,
            keys,
            found,
            days: [DayBlocks::ZERO; LAST],
            passed: [[0; 3]; LAST],
            near: store.near(first.rolling_start_interval_number),
            looked_up: 0,
            asked: 0,
            queue: Queue::EMPTY,
        };
        derive::run(backend, keys, &mut scan);
        scan.ask(keys.len());
        scan.look_up(keys.len());
    }

    /// Asks about what is left of the day before this place.
    fn ask(&mut self, place: usize) {
        for third in self.asked..3 {
            let ask = self.meanwhile(place, third);
            let passed = (0..8).fold(0, |passed, eighth| ask.step(passed, eighth));
            self.did_meanwhile(place, third, passed);
        }
    }

    /// Looks up what passed the filter of the keys before this place.
    #[inline(never)]
    fn look_up(&mut self, place: usize) {
        let Self { store, near, keys, days, queue, .. } = self;
        let places = self.looked_up..place;
        self.looked_up = place;
        queue.length = 0;
        for place in places.clone() {
            for (passed, first) in self.passed[place % LAST].into_iter().zip([0, 48, 96]) {
                queue.push(passed, place % LAST, first);
            }
        }
        queue.retain(|day, offset| store.may_have(near, &days[day].0[offset]));
        if queue.length == 0 && !near.is_divided() {
            return;
        }
        let mut queued = queue.iter().peekable();
        for place in places {
            let Some(start) = keys.get(place).map(|key| key.rolling_start_interval_number) else { continue };
            let day = &days[place % LAST];
            let mut heard = HeardIntervals::NONE;
            while let Some((_, offset)) = queued.next_if(|(day, _)| *day == place % LAST) {
                if store.has(near, start, offset, day) {
                    heard.insert(offset);
                }
            }
            if near.is_divided() {
                store.look_up_elsewhere(near, start, day, &mut heard);
            }
            if !heard.is_empty() {
                self.found.push(Found { place, heard });
            }
        }
    }
}

impl Days for Scan<'_, '_> {
    type Meanwhile<'b>
        = AskFilter<'b>
    where
        Self: 'b;

    #[inline(always)]
    fn blocks(&mut self, place: usize) -> &mut DayBlocks {
        &mut self.days[place % LAST]
    }

    #[inline(always)]
    fn meanwhile(&self, place: usize, third: usize) -> AskFilter<'_> {
        let before = place.wrapping_sub(1) % LAST;
        AskFilter { identifiers: &self.days[before].0.as_chunks().0[third % 3], filter: self.near.filter() }
    }

    #[inline(always)]
    fn did_meanwhile(&mut self, place: usize, third: usize, passed: u64) {
        self.passed[place.wrapping_sub(1) % LAST][third % 3] = passed;
        self.asked += 1;
    }

    #[inline(always)]
    fn complete(&mut self, place: usize) {
        if self.asked < 3 && place > 0 {
            self.ask(place);
        }
        self.asked = 0;
        let start = self.keys.get(place).map(|key| key.rolling_start_interval_number).unwrap_or_default();
        let is_near = self.near.is_for(start);
        if place - self.looked_up == LAST - 1 || !is_near {
            self.look_up(place);
        }
        if !is_near {
            self.near = self.store.near(start);
        }
    }
}

/// Asks the filter about a third of a day, from its end to its beginning.
#[derive(Clone, Copy)]
struct AskFilter<'a> {
    identifiers: &'a [[u8; RollingProximityIdentifier::LENGTH]; 48],
    filter: Filter<'a>,
}

impl Meanwhile for AskFilter<'_> {
    #[inline(always)]
    fn step(&self, passed: u64, eighth: usize) -> u64 {
        self.filter.ask(passed, &self.identifiers.as_chunks::<6>().0[7 - eighth % 8])
    }
}

/// What passed the filter: a day, by its place in [`Scan::days`], and an offset in it.
struct Queue {
    length: usize,
    entries: [(u8, u8); LAST * 144 + 2],
}

impl Queue {
    const EMPTY: Self = Self { length: 0, entries: [(0, 0); LAST * 144 + 2] };

    /// Adds the offsets, counted from `first`, that stand in a mask.
    #[inline(always)]
    fn push(&mut self, mut mask: u64, day: usize, first: u8) {
        #[expect(clippy::cast_possible_truncation, reason = "less than 8, and at most 64")]
        let mut push = |mask: u64, is_one: bool| {
            self.entries[self.length] = (day as u8, first + mask.trailing_zeros() as u8);
            self.length += usize::from(is_one);
        };
        // Most masks have no more than two: so many without asking whether there are.
        for _ in 0..2 {
            push(mask, mask != 0);
            mask &= mask.wrapping_sub(1);
        }
        while mask != 0 {
            push(mask, true);
            mask &= mask - 1;
        }
    }

    fn retain(&mut self, keep: impl Fn(usize, usize) -> bool) {
        let mut kept = 0;
        for place in 0..self.length {
            let (day, offset) = self.entries[place];
            self.entries[kept] = (day, offset);
            kept += usize::from(keep(usize::from(day), usize::from(offset)));
        }
        self.length = kept;
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u8)> {
        self.entries[..self.length].iter().map(|(day, offset)| (usize::from(*day), *offset))
    }
}
