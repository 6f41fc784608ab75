//! Who competes in what; and that they all give the same answers.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cwa_crypto::DiagnosisKey;
use cwa_crypto_baselines::memory::CountingAllocator;
use cwa_crypto_baselines::report::{Better, Document, Race, Row, Time};
use cwa_export::corpus::{Corpus, CorpusAudit, FileBytes};
use cwa_export::stream::ExportStream;
use cwa_export::{Archive, Export, TrustStore, UnverifiedExport};
use prost::Message as _;

use crate::input::{self, END};
use crate::{Effort, FULL, theirs};

const DECODE: &str = "decode";
const READ: &str = "read";
const CREATE: &str = "create";
const AUDIT: &str = "audit";

const PROST: &str = "prost into vectors";
const STRUCTURE: &str = "cwa-export, structure and every rule for keys";
const KEYS: &str = "cwa-export, the same and every key as a device takes it";
const BOUND: &str = "inflate into a used buffer, and SHA-256";
const PIECES: &str = "cwa-export, in pieces: unzip, hash, verify, validate, statistics";
const WHOLE: &str = "cwa-export, as a whole: the same";
const CORPUS: &str = "cwa-export: examine every archive, compare them all";
const MADE: &str = "cwa-export: sort, encode, sign, deflate";

/// Holds the races whose names contain `only`.
pub(crate) fn run(effort: Effort, only: &str) -> Document {
    let keys = input::keys(1, effort.keys);
    let export = Export::new(END, END.plus(3600), "DE", keys.clone());
    let files = export.sign(&[&input::signer()]).unwrap();
    let archive = files.to_archive().unwrap();
    drop(export);
    let trusted = input::trusted();
    let (mut races, mut rows) = (Vec::new(), Vec::new());
    if DECODE.contains(only) {
        let race = decode(&files.export_bin, &files.export_sig, &trusted, effort);
        rows.push(
            Row::new("decode vs prost into vectors", "×", Better::Higher, |of| {
                race.time(PROST, of) / race.time(KEYS, of)
            })
            .bounds(10.0, 35.0),
        );
        races.push(race);
    }
    if READ.contains(only) {
        let race = read(&archive, &files.export_bin, &trusted, effort);
        for (name, how) in [(PIECES, "in pieces"), (WHOLE, "as a whole")] {
            let ratio =
                format!("unzip, hash, verify, validate, statistics vs inflate and SHA-256 alone, {how}");
            rows.push(
                Row::new(ratio, "×", Better::Lower, |of| race.time(name, of) / race.time(BOUND, of))
                    .bounds(1.6, 1.2),
            );
            let wall = format!("the same, wall, {how}");
            rows.push(
                Row::new(wall, " s", Better::Lower, |of| race.time(name, of) * effort.keys as f64 / 1e9)
                    .bounds(0.12, 0.08),
            );
        }
        races.push(race);
        rows.extend(memory(&archive, &unsorted(&keys), &trusted));
    }
    if CREATE.contains(only) {
        let race = create(&keys, &archive, effort);
        let name = format!("create, sort, sign, deflate, {} threads", threads());
        rows.push(
            Row::new(name, " s", Better::Lower, |of| race.time(MADE, of) * effort.keys as f64 / 1e9)
                .bounds(1.5, 0.9),
        );
        races.push(race);
    }
    if AUDIT.contains(only) {
        let race = audit(&trusted, effort);
        let name = format!("audit of {} archives of 1,000 keys, {} threads", effort.archives, threads());
        rows.push(
            Row::new(name, " s", Better::Lower, |of| {
                race.time(CORPUS, of) * (effort.archives * 1000) as f64 / 1e9
            })
            .bounds(60.0, 20.0),
        );
        races.push(race);
    }
    Document::new("cwa-export.ratios/1", races, rows, effort.turns < FULL.turns)
}

/// A name, and what is timed.
type Contestant<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// Lets all take turns; nanoseconds for each key.
fn race(name: &str, keys: usize, turns: usize, mut contestants: Vec<Contestant<'_>>) -> Race {
    let mut samples = vec![Vec::new(); contestants.len()];
    // Once for the caches.
    contestants.iter_mut().for_each(|(_, work)| work());
    for _ in 0..turns {
        for ((_, work), samples) in contestants.iter_mut().zip(&mut samples) {
            let begun = Instant::now();
            work();
            samples.push(begun.elapsed().as_secs_f64() * 1e9 / keys as f64);
        }
    }
    let times =
        contestants.iter().zip(samples).map(|((name, _), samples)| Time::of(*name, samples)).collect();
    Race::new(name, "ns/key", times)
}

/// What is looked at of each key, so that nothing of the work is left out.
#[derive(Debug, Default, Eq, PartialEq)]
struct Statistics {
    levels: [u32; 9],
    intervals: u64,
    earliest: u32,
    data: u8,
}

impl Statistics {
    fn of(keys: impl Iterator<Item = DiagnosisKey>) -> Self {
        let mut statistics = Self { earliest: u32::MAX, ..Self::default() };
        keys.for_each(|key| statistics.add(key));
        statistics
    }

    fn add(&mut self, key: DiagnosisKey) {
        let level = key.transmission_risk_level.map_or(0, |level| level.get());
        self.levels[usize::from(level)] += 1;
        self.intervals += u64::from(key.rolling_period.get());
        self.earliest = self.earliest.min(key.rolling_start_interval_number.get());
        self.data ^= key.key_data[0];
    }

    fn of_theirs(export: &theirs::Export) -> Self {
        let mut statistics = Self { earliest: u32::MAX, ..Self::default() };
        for key in &export.keys {
            statistics.levels[usize::try_from(key.transmission_risk_level.unwrap()).unwrap()] += 1;
            statistics.intervals += u64::try_from(key.rolling_period.unwrap()).unwrap();
            let start = key.rolling_start_interval_number.unwrap().cast_unsigned();
            statistics.earliest = statistics.earliest.min(start);
            statistics.data ^= key.key_data.as_deref().unwrap()[0];
        }
        statistics
    }
}

fn decode(export_bin: &[u8], export_sig: &[u8], trusted: &TrustStore, effort: Effort) -> Race {
    let verified = UnverifiedExport::parse(export_bin, export_sig).unwrap().verify(trusted).unwrap();
    let message = &export_bin[16..];
    let theirs = theirs::Export::decode(message).unwrap();
    assert_eq!(Statistics::of(verified.keys()), Statistics::of_theirs(&theirs), "the same keys");
    assert_eq!(theirs.keys.len(), effort.keys);
    drop(theirs);
    race(
        DECODE,
        effort.keys,
        effort.turns,
        vec![
            (PROST, Box::new(|| drop(black_box(theirs::Export::decode(black_box(message)).unwrap())))),
            (
                STRUCTURE,
                Box::new(|| {
                    _ = black_box(UnverifiedExport::parse(black_box(export_bin), export_sig).unwrap())
                }),
            ),
            (
                KEYS,
                Box::new(|| {
                    black_box(UnverifiedExport::parse(black_box(export_bin), export_sig).unwrap());
                    // Those of the same bytes, verified before: only the walk is measured here.
                    verified.keys().for_each(|key| _ = black_box(key));
                }),
            ),
        ],
    )
}

/// What an auditor waits for, read in pieces.
fn statistics_of_pieces(archive: &[u8], trusted: &TrustStore) -> Statistics {
    let stream = ExportStream::open(archive).unwrap();
    let none = Statistics { earliest: u32::MAX, ..Statistics::default() };
    stream.verify_and_fold(trusted, none, Statistics::add).unwrap().1
}

/// The same, with all of `export.bin` in memory.
fn statistics(archive: &[u8], trusted: &TrustStore) -> Statistics {
    let archive = Archive::read(archive).unwrap();
    let export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).unwrap();
    let verified = export.verify(trusted).unwrap();
    Statistics::of(verified.keys())
}

fn read(archive: &[u8], export_bin: &[u8], trusted: &TrustStore, effort: Effort) -> Race {
    let deflated = theirs::first_member(archive);
    let mut buffer = Vec::with_capacity(export_bin.len() + 1);
    theirs::inflate_and_hash(deflated, &mut buffer);
    assert_eq!(buffer, export_bin, "the same file");
    assert_eq!(statistics(archive, trusted), statistics_of_pieces(archive, trusted), "the same keys");
    race(
        READ,
        effort.keys,
        effort.turns,
        vec![
            (BOUND, Box::new(|| _ = black_box(theirs::inflate_and_hash(black_box(deflated), &mut buffer)))),
            (PIECES, Box::new(|| _ = black_box(statistics_of_pieces(black_box(archive), trusted)))),
            (WHOLE, Box::new(|| _ = black_box(statistics(black_box(archive), trusted)))),
        ],
    )
}

/// The same keys in no order: whether one stands there twice has to be found out.
fn unsorted(keys: &[cwa_export::ExportKey]) -> Vec<u8> {
    let mut export = Export::new(END, END.plus(3600), "DE", Vec::new());
    export.keys = keys.to_vec();
    export.sign(&[&input::signer()]).unwrap().to_archive().unwrap()
}

/// What is allocated at most beyond the archive.
fn memory(sorted: &[u8], unsorted: &[u8], trusted: &TrustStore) -> [Row; 3] {
    let row = |how: &str, archive: &[u8], work: fn(&[u8], &TrustStore) -> Statistics| {
        let (_, peak) = CountingAllocator::peak_of(|| black_box(work(archive, trusted)));
        let mebibytes = peak as f64 / f64::from(1 << 20);
        let name = format!("memory beyond the archive, {how}");
        Row::new(name, " MiB", Better::Lower, |_| mebibytes).bounds(32.0, 8.0)
    };
    [
        row("in pieces", sorted, statistics_of_pieces),
        row("in pieces, keys in no order", unsorted, statistics_of_pieces),
        row("as a whole", sorted, statistics),
    ]
}

fn create(keys: &[cwa_export::ExportKey], archive: &[u8], effort: Effort) -> Race {
    let signer = input::signer();
    let made = |keys: Vec<_>| {
        Export::new(END, END.plus(3600), "DE", keys).sign(&[&signer]).unwrap().to_archive().unwrap()
    };
    assert!(made(keys.to_vec()) == archive, "the same archive");
    let turns = effort.turns.min(5);
    race(CREATE, effort.keys, turns, vec![(MADE, Box::new(|| _ = black_box(made(black_box(keys).to_vec()))))])
}

/// A distribution of hour packages, from memory: what a disk takes is not measured.
fn audit(trusted: &TrustStore, effort: Effort) -> Race {
    let signer = input::signer();
    let archives: Vec<_> = (0_u64..)
        .take(effort.archives)
        .map(|number| {
            let start = END.plus(3600 * number);
            let export = Export::new(start, start.plus(3600), "DE", input::keys(number, 1000));
            export.sign(&[&signer]).unwrap().to_archive().unwrap()
        })
        .collect();
    let work = || {
        let audit = CorpusAudit::new(trusted);
        let examine =
            |number: usize| audit.examine(&format!("keys/{number}.zip"), FileBytes::Whole(&archives[number]));
        let next = AtomicUsize::new(0);
        let take = || {
            let numbers = core::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            numbers.take_while(|number| *number < archives.len()).map(examine).collect::<Vec<_>>()
        };
        let mut corpus = Corpus::new(&audit);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads()).map(|_| scope.spawn(take)).collect();
            for worker in workers {
                worker.join().unwrap().into_iter().for_each(|file| corpus.add(file));
            }
        });
        let report = corpus.finish();
        assert_eq!((report.keys, report.refused_packages), (1000 * archives.len(), 0));
    };
    race(AUDIT, 1000 * archives.len(), 1, vec![(CORPUS, Box::new(work))])
}

/// On how many threads archives are made and audited.
fn threads() -> usize {
    if cfg!(feature = "rayon") { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 }
}
