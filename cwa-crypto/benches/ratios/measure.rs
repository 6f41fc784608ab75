//! Takes turns: A, B, C, A, B, C, …, each over segments that are too short to be interrupted often.

use std::time::{Duration, Instant};

use cwa_crypto::DiagnosisKey;
use cwa_crypto_baselines::report::Time;

use crate::Effort;
use crate::input::SEGMENT;

/// Something that does work for each key, or for each of something else.
pub(crate) struct Contestant<'a> {
    name: String,
    work: Work<'a>,
    /// How many keys are given to one call.
    segment: usize,
    /// What the time of a call is divided by.
    units: usize,
    next: usize,
    spent: Duration,
    nanoseconds: Vec<f64>,
}

type Work<'a> = Box<dyn FnMut(&[DiagnosisKey]) + 'a>;

impl<'a> Contestant<'a> {
    /// Does `work` for up to [`SEGMENT`] keys.
    pub(crate) fn new(name: impl Into<String>, work: impl FnMut(&[DiagnosisKey]) + 'a) -> Self {
        Self::with_segment(name, SEGMENT, work)
    }

    /// Does `work` for `segment` keys, more than [`SEGMENT`]: where starting takes long.
    pub(crate) fn with_segment(
        name: impl Into<String>,
        segment: usize,
        work: impl FnMut(&[DiagnosisKey]) + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            work: Box::new(work),
            segment,
            units: segment,
            next: 0,
            spent: Duration::ZERO,
            nanoseconds: Vec::new(),
        }
    }

    /// Does `work` that has to do with no keys but with `units` of something else.
    pub(crate) fn without_keys(name: impl Into<String>, units: usize, mut work: impl FnMut() + 'a) -> Self {
        Self { units, ..Self::with_segment(name, 0, move |_| work()) }
    }

    /// Halves the segment until it is shorter than 200 µs, in which few interruptions fall.
    fn shorten(&mut self, keys: &[DiagnosisKey]) {
        while self.segment > 8 && self.segment <= SEGMENT && self.segment(keys) > Duration::from_micros(200) {
            self.segment /= 2;
            self.units = self.segment;
        }
    }

    fn segment(&mut self, keys: &[DiagnosisKey]) -> Duration {
        if self.next + self.segment > keys.len() {
            self.next = 0;
        }
        let keys = &keys[self.next..][..self.segment];
        self.next += self.segment;
        let begun = Instant::now();
        (self.work)(keys);
        begun.elapsed()
    }

    /// In its turn a contestant's tables come back to the caches, where they are too while a whole download is matched;
    /// each segment is a sample of its own.
    fn turn(&mut self, keys: &[DiagnosisKey], least: Duration) {
        let mut turn = Duration::ZERO;
        while turn < least {
            let elapsed = self.segment(keys);
            turn += elapsed;
            self.nanoseconds.push(elapsed.as_secs_f64() * 1e9 / self.units as f64);
        }
        self.spent += turn;
    }
}

/// Lets all take turns until each was measured for long enough.
pub(crate) fn race(mut contestants: Vec<Contestant<'_>>, keys: &[DiagnosisKey], effort: Effort) -> Vec<Time> {
    for contestant in &mut contestants {
        contestant.segment(keys);
        contestant.shorten(keys);
    }
    while contestants.iter().any(|contestant| contestant.spent < effort.least) {
        for contestant in &mut contestants {
            contestant.turn(keys, effort.turn);
        }
    }
    contestants.into_iter().map(|contestant| Time::of(contestant.name, contestant.nanoseconds)).collect()
}
