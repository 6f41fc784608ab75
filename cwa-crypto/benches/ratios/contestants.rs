//! Who competes in what; and that they all give the same answers.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeSet;

use cwa_crypto::DiagnosisKey;
use cwa_crypto::derive::{self, Backend};
use cwa_crypto::matching::{Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StoreKey};
use cwa_crypto::rpi::Identifiers;
use cwa_crypto_baselines::bound;
#[cfg(feature = "baselines")]
use cwa_crypto_baselines::google;
use cwa_crypto_baselines::memory::CountingAllocator;
use cwa_crypto_baselines::report::{Better, Document, Race, Row};

use crate::Effort;
use crate::input::{self, PLANTED, SEGMENT};
use crate::measure::{Contestant, race};
use crate::naive;

const NAIVE: &str = "naive: RustCrypto, block by block";
const GOOGLE: &str = "aws-lc in Google's shape";
const NO_BASELINES: &str = "needs `--features baselines`";
const NOT_HERE: &str = "no AVX-512 here";

/// Holds the races whose names contain `only`.
pub(crate) fn run(effort: Effort, only: &str) -> Document {
    let keys = input::keys();
    let mut races = Vec::new();
    let (mut rows, mut speeds) = (Vec::new(), Vec::new());
    if "derive".contains(only) {
        let race = deriving("derive", &keys, effort);
        rows.extend(derive_rows(&race));
        races.push(race);
    }
    for count in [10_000, 100_000, 1_000_000].into_iter().filter(|count| *count <= effort.largest_store) {
        let size = if count < 1_000_000 { format!("{}k", count / 1000) } else { "1M".to_owned() };
        let name = format!("match, {size} stored");
        if name.contains(only) {
            // Tables of a million do not fit into the second-level cache: they take their time to come back.
            let effort = if count < 1_000_000 { effort } else { Effort { turn: 5 * effort.turn, ..effort } };
            let race = matching(&name, &keys, &input::sightings(count, &keys), effort);
            rows.extend(matching_rows(count, &size, &race));
            speeds.extend(speed_rows(count, &size, &race));
            races.push(race);
        }
    }
    rows.extend(speeds);
    if FLOOD.contains(only) {
        let (bytes, race) = flood(&keys, effort);
        rows.extend(bytes);
        rows.push(flood_row(&race));
        races.push(race);
    }
    if THREADS.contains(only) {
        let race = two_threads(&keys, effort);
        rows.push(two_threads_row(&race));
        races.push(race);
    }
    if BUILD.contains(only) {
        races.push(build(&keys, effort));
    }
    Document::new("cwa-crypto.ratios/1", races, rows, effort.least < crate::FULL.least)
}

/// Does the work of `keys` keys, for which no time is taken; `None` if there is no such work.
pub(crate) fn execute(work: &str, keys: usize) -> Option<()> {
    let all = input::keys();
    let mut keys = all.chunks(SEGMENT).cycle().take(keys.div_ceil(SEGMENT));
    match work {
        "naive" => {
            let mut block = [[0; 16]; 144];
            keys.by_ref().flatten().for_each(|key| naive::derive(key, black_box(&mut block)));
        }
        "derive" => {
            let mut out = vec![Identifiers::default(); SEGMENT];
            keys.for_each(|keys| derive::derive(keys, black_box(&mut out)).expect("as many places as keys"));
        }
        "match" => {
            let store = store(&input::sightings(10_000, &all), Split::Whole);
            let mut matcher = Matcher::new(&store);
            keys.for_each(|keys| matcher.push_keys(black_box(keys)));
            black_box(matcher.finish(Rules::SPEC));
        }
        _ => return None,
    }
    Some(())
}

// - Derivation.

fn deriving(name: &str, keys: &[DiagnosisKey], effort: Effort) -> Race {
    compare_derived(keys);
    let mut block = [[0; 16]; 144];
    let mut contestants = vec![Contestant::new(NAIVE, move |keys| {
        for key in keys {
            naive::derive(black_box(key), &mut block);
            black_box(&block);
        }
    })];
    #[cfg(feature = "baselines")]
    {
        let mut deriver = google::Deriver::new();
        contestants.push(Contestant::new(GOOGLE, move |keys| {
            for key in keys {
                black_box(deriver.derive(black_box(&key.key_data), key.rolling_start_interval_number.get()));
            }
        }));
    }
    for backend in Backend::all_available() {
        // A batch whose results stay in the second-level cache.
        let mut out = vec![Identifiers::default(); 32];
        contestants.push(Contestant::new(label(backend), move |keys| {
            for keys in keys.chunks(out.len()) {
                let out = &mut out[..keys.len()];
                derive::derive_with(backend, black_box(keys), out).expect("as many places as keys");
                black_box(out);
            }
        }));
    }
    if bound::is_available() {
        contestants.push(Contestant::new(BOUND_AES, |keys| bound::aes(keys.len())));
        contestants.push(Contestant::new(BOUND_SHA, |keys| bound::sha(keys.len())));
    }
    Race::new(name, "ns/key", race(contestants, keys, effort))
}

fn label(backend: Backend) -> String {
    format!("cwa-crypto, {backend}")
}

const BOUND_AES: &str = "bound: 360 vaesenc of 64 bytes";
const BOUND_SHA: &str = "bound: 573 instructions of SHA-256 on 64 bytes";

fn compare_derived(keys: &[DiagnosisKey]) {
    let mut expected = [[0; 16]; 144];
    #[cfg(feature = "baselines")]
    let mut deriver = google::Deriver::new();
    for keys in keys.chunks(SEGMENT) {
        for backend in Backend::all_available() {
            let mut out = vec![Identifiers::default(); keys.len()];
            derive::derive_with(backend, keys, &mut out).expect("as many places as keys");
            for (key, out) in keys.iter().zip(out) {
                naive::derive(key, &mut expected);
                let identifiers: Vec<_> = out.map(|(_, rpi)| *rpi.as_bytes()).collect();
                assert_eq!(identifiers, expected, "{backend} and naive differ");
            }
        }
        #[cfg(feature = "baselines")]
        for key in keys {
            naive::derive(key, &mut expected);
            let start = key.rolling_start_interval_number.get();
            assert_eq!(deriver.derive(&key.key_data, start), &expected, "aws-lc and naive differ");
        }
    }
}

fn derive_rows(race: &Race) -> Vec<Row> {
    let versus = |name: &str, backend: Backend| {
        if !backend.is_available() {
            Row::missing(name, "×", Better::Higher, NOT_HERE)
        } else if !cfg!(feature = "baselines") {
            Row::missing(name, "×", Better::Higher, NO_BASELINES)
        } else {
            Row::new(name, "×", Better::Higher, |of| race.time(GOOGLE, of) / race.time(&label(backend), of))
        }
    };
    const SHARE: &str = "share of the sequential AES + SHA instruction bound, SIMD";
    let share = if Backend::Avx512.is_available() && bound::is_available() {
        Row::new(SHARE, " %", Better::Higher, |of| {
            let bound = race.time(BOUND_AES, of) + race.time(BOUND_SHA, of);
            100.0 * bound / race.time(&label(Backend::Avx512), of)
        })
    } else {
        Row::missing(SHARE, " %", Better::Higher, NOT_HERE)
    };
    vec![
        versus("derive vs aws-lc in Google's shape, SIMD", Backend::Avx512).bounds(5.0, 8.0),
        versus("derive vs aws-lc in Google's shape, safe path only", Backend::Portable).bounds(2.5, 3.0),
        share.bounds(65.0, 85.0),
    ]
}

// - Matching.

fn matching(name: &str, keys: &[DiagnosisKey], sightings: &[Sighting], effort: Effort) -> Race {
    let naive = naive::Received::new(sightings);
    let mut found = BTreeSet::new();
    naive.find(keys, |place| _ = found.insert(place));
    assert_eq!(found, BTreeSet::from(PLANTED), "naive");
    let (whole, by_day) = (store(sightings, Split::Whole), store(sightings, Split::ByDay));
    let contestants = vec![
        Contestant::new(NAIVE, |keys| naive.find(black_box(keys), |place| _ = black_box(place))),
        #[cfg(feature = "baselines")]
        google(keys, sightings, GOOGLE),
        ours(WHOLE_PORTABLE, SEGMENT, keys, &whole, Backend::Portable),
        ours(WHOLE, SEGMENT, keys, &whole, Backend::best()),
        ours(BY_DAY, SEGMENT, keys, &by_day, Backend::best()),
        // Whoever has more keys at hand can give them: then those of one day are looked for together.
        ours(BY_DAY_PIECES, PIECE, keys, &by_day, Backend::best()),
    ];
    Race::new(name, "ns/key", race(contestants, keys, effort))
}

const WHOLE_PORTABLE: &str = "cwa-crypto, whole store, safe path only";
const WHOLE: &str = "cwa-crypto, whole store";
const BY_DAY: &str = "cwa-crypto, store by day";
const BY_DAY_PIECES: &str = "cwa-crypto, store by day, 2,048 keys at a time";
const PIECE: usize = 2048;

fn store(sightings: &[Sighting], split: Split) -> ReceivedIdentifiers {
    // Any key will do: nobody chose these identifiers knowing it.
    ReceivedIdentifiers::build(sightings.iter().copied(), split, &StoreKey::from_bytes(*b"measuring speed."))
}

/// Keys as they come out of a download, `segment` at a time, into one matcher.
fn ours<'a>(
    name: &str,
    segment: usize,
    keys: &[DiagnosisKey],
    store: &'a ReceivedIdentifiers,
    backend: Backend,
) -> Contestant<'a> {
    let mut matcher = Matcher::with_backend(store, backend);
    for keys in keys.chunks(segment) {
        matcher.push_keys(keys);
    }
    let matching = matcher.finish(Rules::SPEC);
    assert_eq!(matching.dropped, [], "{name}");
    let met: BTreeSet<_> = matching.matches.iter().map(|found| found.key).collect();
    let met: BTreeSet<_> = (0..keys.len()).filter(|place| met.contains(&keys[*place])).collect();
    assert_eq!(met, BTreeSet::from(PLANTED), "{name}");

    let mut matcher = Matcher::with_backend(store, backend);
    Contestant::with_segment(name, segment, move |keys| matcher.push_keys(black_box(keys)))
}

#[cfg(feature = "baselines")]
fn google<'a>(keys: &[DiagnosisKey], sightings: &[Sighting], name: &str) -> Contestant<'a> {
    let map = google::PrefixIdMap::new(sightings.iter().map(|sighting| *sighting.rpi.as_bytes()).collect());
    let mut deriver = google::Deriver::new();
    let mut matches = move |key: &DiagnosisKey| {
        map.matches(&mut deriver, &key.key_data, key.rolling_start_interval_number.get())
    };
    let met: BTreeSet<_> = (0..keys.len()).filter(|place| matches(&keys[*place])).collect();
    assert_eq!(met, BTreeSet::from(PLANTED), "aws-lc");
    Contestant::new(name, move |keys| {
        for key in keys {
            black_box(matches(black_box(key)));
        }
    })
}

fn matching_rows(count: usize, size: &str, race: &Race) -> Vec<Row> {
    let mut rows = Vec::new();
    for ours in [WHOLE, BY_DAY] {
        let split = ours.trim_start_matches("cwa-crypto, ");
        let mut versus = |title: &str, other: &str, (at_least, aim): (f64, f64)| {
            let title = format!("match {size} stored vs {title}, {split}");
            let row = if race.times.iter().any(|time| time.name == other) {
                Row::new(title, "×", Better::Higher, |of| race.time(other, of) / race.time(ours, of))
            } else {
                Row::missing(title, "×", Better::Higher, NO_BASELINES)
            };
            rows.push(row.bounds(at_least, aim));
        };
        match count {
            100_000 => {
                versus("naive", NAIVE, (20.0, 40.0));
                versus("Google's shape", GOOGLE, (8.0, 12.0));
            }
            1_000_000 => versus("Google's shape", GOOGLE, (20.0, 40.0)),
            _ => {}
        }
    }
    rows
}

fn speed_rows(count: usize, size: &str, race: &Race) -> Vec<Row> {
    let (at_least, aim) = match count {
        10_000 => (4.0, 6.0),
        100_000 => (4.0, 5.5),
        _ => (2.5, 4.0),
    };
    let row = |ours: &str| {
        let split = ours.trim_start_matches("cwa-crypto, ");
        let title = format!("keys per second and core, {size} stored, {split}");
        Row::new(title, " M", Better::Higher, |of| 1e3 / race.time(ours, of)).bounds(at_least, aim)
    };
    vec![row(WHOLE), row(BY_DAY)]
}

// - A flood of identifiers with a common prefix.

const BYTES_INDEX: &str = "bytes per stored identifier, all but when and how it was seen";
const BYTES_EVERYTHING: &str = "bytes per stored identifier, with one sighting of it";
const FLOOD: &str = "flood of 10^5 identifiers with one prefix";
const RANDOM: &str = "cwa-crypto, 10^5 random";
const FLOODED: &str = "cwa-crypto, 10^5 that share 16 bits";

fn flood(keys: &[DiagnosisKey], effort: Effort) -> (Vec<Row>, Race) {
    const COUNT: usize = 100_000;
    let random = input::sightings(COUNT, keys);
    let flooded = input::flood(COUNT, keys);

    let before = CountingAllocator::live_bytes();
    let even = store(&random, Split::Whole);
    let everything = CountingAllocator::live_bytes() - before + size_of_val(&even);
    let row = |name, bytes: usize| {
        let each = bytes as f64 / COUNT as f64;
        Row::new(name, " B", Better::Lower, |_| each)
    };
    // What was seen beside an identifier takes the same wherever it is kept; contestants keep none of it.
    let bytes = vec![
        row(BYTES_INDEX, everything - even.payload_size()).bounds(24.0, 20.0),
        row(BYTES_EVERYTHING, everything),
    ];

    let crowded = store(&flooded, Split::Whole);
    let contestants = vec![
        ours(RANDOM, SEGMENT, keys, &even, Backend::best()),
        ours(FLOODED, SEGMENT, keys, &crowded, Backend::best()),
        #[cfg(feature = "baselines")]
        google(keys, &random, GOOGLE_RANDOM),
        #[cfg(feature = "baselines")]
        google(keys, &flooded, GOOGLE_FLOODED),
    ];
    let times = race(contestants, keys, effort);
    (bytes, Race::new(FLOOD, "ns/key", times))
}

#[cfg(feature = "baselines")]
const GOOGLE_RANDOM: &str = "aws-lc in Google's shape, 10^5 random";
#[cfg(feature = "baselines")]
const GOOGLE_FLOODED: &str = "aws-lc in Google's shape, 10^5 that share 16 bits";

fn flood_row(race: &Race) -> Row {
    Row::new("10^5 identifiers that share 16 bits vs random ones", "×", Better::Lower, |of| {
        race.time(FLOODED, of) / race.time(RANDOM, of)
    })
    .bounds(1.3, 1.05)
}

// - Two threads that share a store.

const THREADS: &str = "two threads, 100k stored";
const ONE_THREAD: &str = "one thread";
const TWO_THREADS: &str = "two threads";

fn two_threads(keys: &[DiagnosisKey], effort: Effort) -> Race {
    // Enough for each that starting and stopping it does not count.
    const EACH: usize = 128;
    let sightings = input::sightings(100_000.min(effort.largest_store), keys);
    let store = store(&sightings, Split::Whole);
    let helper = Helper::default();
    let times = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut matcher = Matcher::new(&store);
            helper.serve(|place| matcher.push_keys(&keys[place..][..EACH]));
        });
        let (mut alone, mut matcher) = (Matcher::new(&store), Matcher::new(&store));
        let contestants = vec![
            Contestant::with_segment(ONE_THREAD, EACH, move |keys| alone.push_keys(black_box(keys))),
            Contestant::with_segment(TWO_THREADS, 2 * EACH, |segment| {
                let (mine, others) = segment.split_at(EACH);
                let place = (others.as_ptr().addr() - keys.as_ptr().addr()) / size_of::<DiagnosisKey>();
                helper.begin(place);
                matcher.push_keys(black_box(mine));
                helper.wait();
            }),
        ];
        let times = race(contestants, keys, effort);
        helper.end();
        times
    });
    Race::new(THREADS, "ns/key", times)
}

fn two_threads_row(race: &Race) -> Row {
    Row::new("two threads vs one", "×", Better::Higher, |of| {
        race.time(ONE_THREAD, of) / race.time(TWO_THREADS, of)
    })
    .bounds(1.8, 1.95)
}

/// A second thread that waits without sleeping, since waking up takes longer than a segment.
#[derive(Default)]
struct Helper {
    /// 0: wait; 1: end; else a task and two.
    task: AtomicUsize,
}

impl Helper {
    fn begin(&self, task: usize) {
        self.task.store(task + 2, Ordering::Release);
    }

    fn wait(&self) {
        while self.task.load(Ordering::Acquire) != 0 {
            core::hint::spin_loop();
        }
    }

    fn end(&self) {
        self.task.store(1, Ordering::Release);
    }

    fn serve(&self, mut work: impl FnMut(usize)) {
        loop {
            match self.task.load(Ordering::Acquire) {
                0 => core::hint::spin_loop(),
                1 => return,
                task => {
                    work(task - 2);
                    self.task.store(0, Ordering::Release);
                }
            }
        }
    }
}

// - Building a store.

const BUILD: &str = "building a store, 100k";
const NAIVE_SET: &str = "naive: hash set";

fn build(keys: &[DiagnosisKey], effort: Effort) -> Race {
    const COUNT: usize = 100_000;
    let sightings = input::sightings(COUNT, keys);
    let sightings = sightings.as_slice();
    let contestants = vec![
        Contestant::without_keys(NAIVE_SET, COUNT, || drop(black_box(naive::Received::new(sightings)))),
        Contestant::without_keys(WHOLE, COUNT, || drop(black_box(store(sightings, Split::Whole)))),
        Contestant::without_keys(BY_DAY, COUNT, || drop(black_box(store(sightings, Split::ByDay)))),
        #[cfg(feature = "baselines")]
        Contestant::without_keys(GOOGLE, COUNT, || {
            let identifiers = sightings.iter().map(|sighting| *sighting.rpi.as_bytes()).collect();
            drop(black_box(google::PrefixIdMap::new(identifiers)));
        }),
    ];
    let times = race(contestants, keys, effort);
    Race::new(BUILD, "ns/identifier", times)
}
