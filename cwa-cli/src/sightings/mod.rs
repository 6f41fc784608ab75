//! Received identifiers from files: the arguments that name them, the reading, and what is said of what was left out.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use cwa_crypto::matching::{ReceivedIdentifiers, STORE_MAGIC, Split, StoreKey};
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::input;
use crate::output::style;

mod format;
mod sqlite;
mod store;

use format::{Cause, ReadError};
pub(crate) use format::{Form, Reading};
pub(crate) use store::StoreBytes;

/// Which file holds what was received.
#[derive(Debug, clap::Args)]
pub(crate) struct SightingsArguments {
    /// What was received: JSON lines or CSV with rpi, aem, rssi_dbm, seen_at; the semicolon CSV of scan tools; a database of
    /// RaMBLE or microG; a capture of Bluetooth, as pcap, pcapng or btsnoop; the index that `cwa sightings index` makes. Told
    /// apart by content; - for standard input.
    #[arg(long, value_name = "FILE")]
    sightings: PathBuf,
    /// Take this signal strength, -127 to 20 dBm, where a scan log or a capture has none; without it such records are left
    /// out.
    #[arg(long, value_name = "DBM", allow_negative_numbers = true, value_parser = rssi)]
    missing_rssi: Option<i8>,
}

impl SightingsArguments {
    /// What was received, indexed: as the file has it, or else whole, under a new key. And what was left out of it.
    pub(crate) fn received(
        &self,
        global: &Global,
    ) -> Result<(ReceivedIdentifiers<StoreBytes>, Vec<Skipped>), Failure> {
        let content = match self.open()? {
            Source::Index(received) => return Ok((received, Vec::new())),
            Source::Other(content) => content,
        };
        let (_, reading) = self.read_content(content, global)?;
        let skipped = skipped(&reading);
        let key = StoreKey::generate(&mut global.rng());
        let received = ReceivedIdentifiers::build(reading.sightings, Split::Whole, &key);
        Ok((received.map_bytes(StoreBytes::Memory), skipped))
    }

    /// The name of the file's form, its sightings, and what was left out, which is told on standard error too, unless JSON tells
    /// it.
    pub(crate) fn read(&self, global: &Global) -> Result<(&'static str, Reading), Failure> {
        match self.open()? {
            Source::Index(received) => Ok(("index", in_order(&received))),
            Source::Other(content) => self.read_content(content, global),
        }
    }

    fn open(&self) -> Result<Source, Failure> {
        let path = &self.sightings;
        if let Some(received) = store::open(path)? {
            return Ok(Source::Index(received));
        }
        let content = input::read(path)?;
        if content.starts_with(&STORE_MAGIC) {
            return store::checked(StoreBytes::Memory(content), path).map(Source::Index);
        }
        Ok(Source::Other(content))
    }

    fn read_content(&self, content: Vec<u8>, global: &Global) -> Result<(&'static str, Reading), Failure> {
        let path = &self.sightings;
        let form = Form::of(&content);
        let reading = if form == Form::Sqlite {
            refuse_unfinished(path)?;
            sqlite::read(content, self.missing_rssi)
        } else {
            form.read(&content, self.missing_rssi).map(|reading| (form.name(), reading))
        };
        let (form, reading) = reading.map_err(|error| unreadable(path, error))?;
        if !(global.json || global.quiet) {
            let warning = style::WARNING;
            let mut stderr = anstream::stderr();
            for skipped in skipped(&reading) {
                writeln!(
                    stderr,
                    "{warning}left out: {} × {}{warning:#}: {}",
                    skipped.count, skipped.reason, skipped.meaning
                )?;
            }
        }
        Ok((form, reading))
    }
}

/// A signal strength as a controller reports it (Bluetooth Core Specification, volume 4, part E, 7.7.65.2), as a value of a
/// flag.
fn rssi(text: &str) -> Result<i8, &'static str> {
    let rssi_dbm = text.parse().ok().filter(|rssi_dbm| (-127..=20).contains(rssi_dbm));
    rssi_dbm.ok_or("a signal strength must be -127 to 20 dBm; 127 is said where there is none")
}

/// What a file is.
enum Source {
    Index(ReceivedIdentifiers<StoreBytes>),
    /// Some form, or none, and its bytes.
    Other(Vec<u8>),
}

/// The sightings in an index, by time.
fn in_order(received: &ReceivedIdentifiers<StoreBytes>) -> Reading {
    let mut sightings: Vec<_> = received.sightings().collect();
    sightings.sort_unstable_by_key(|sighting| (sighting.seen_at, *sighting));
    Reading { sightings, ..Reading::default() }
}

/// So many rows, records or reports are no sightings, for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    reason: &'static str,
    #[serde(skip)]
    meaning: String,
    count: u64,
}

/// What was left out of a reading, by reason.
pub(crate) fn skipped(reading: &Reading) -> Vec<Skipped> {
    let skipped = reading.skipped.iter();
    skipped
        .map(|(reason, &count)| Skipped { reason: reason.name(), meaning: reason.to_string(), count })
        .collect()
}

fn unreadable(path: &Path, error: ReadError) -> Failure {
    const FORMS: &str = "sightings are JSON lines such as {\"rpi\": \"8be6cd371c5c891604bfbe49df845096\", \
        \"aem\": \"72033874\", \"rssi_dbm\": -50, \"seen_at\": 1585785600}, CSV whose first line names these columns, \
        the semicolon CSV of scan tools, a database of RaMBLE or microG, or a capture of Bluetooth (pcap, pcapng, btsnoop)";
    let path = path.display();
    match error {
        ReadError { cause: Cause::NotText(error), .. } => {
            Failure::input("CWA-E0003", format!("{path} is not UTF-8 text")).caused_by(error)
        }
        error => {
            let failure = Failure::input("CWA-E0201", format!("{path}{error}"));
            match error.cause {
                Cause::Database(source) => failure.caused_by(source),
                _ => failure,
            }
        }
    }
    .help(FORMS)
}

/// A database that was copied while it was in use has its last rows, or how to undo half a transaction, in a second file,
/// which is not read here.
fn refuse_unfinished(path: &Path) -> Result<(), Failure> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (log, journal) = (beside("-wal"), beside("-journal"));
    let database = path.display();
    if log.metadata().is_ok_and(|metadata| metadata.len() > 0) {
        return Err(Failure::input(
            "CWA-E0201",
            format!("{database} has rows in {}, which would be missed", log.display()),
        )
        .help(format!(
            "`sqlite3 {database} 'PRAGMA wal_checkpoint(TRUNCATE)'` moves them into the database; remove the log to do without"
        )));
    }
    // A journal that is kept for the next transaction begins with zeros.
    let mut first = [0];
    let is_hot = std::fs::File::open(&journal).is_ok_and(|mut file| file.read_exact(&mut first).is_ok());
    if is_hot && first != [0] {
        return Err(Failure::input(
            "CWA-E0201",
            format!("{database} was copied within a transaction, which only {} can undo", journal.display()),
        )
        .help(format!(
            "`sqlite3 {database} 'PRAGMA schema_version'` undoes it; remove the journal to read what is there"
        )));
    }
    Ok(())
}
