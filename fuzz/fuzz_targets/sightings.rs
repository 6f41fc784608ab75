//! Files of sightings: text, scan logs, captures; and rows of databases, behind a byte 0.
#![no_main]

use format::{Form, MicrogReader, RambleReader, Reading, Value};
use libfuzzer_sys::fuzz_target;

// The readers stand behind the command line, whose crate is no dependency for a fuzz target: the modules are taken as they
// are, and open no file.
#[allow(dead_code, reason = "the command line uses more of it")]
#[path = "../../cwa-cli/src/sightings/format/mod.rs"]
mod format;

fuzz_target!(|data: &[u8]| {
    if let [0, rows @ ..] = data {
        ramble(rows);
        microg(rows);
        return;
    }
    let form = Form::of(data);
    let Ok(reading) = form.read(data, None) else { return };
    check(&reading, data.len());
    let with = form.read(data, Some(-128)).expect("a signal strength makes no file unreadable");
    assert!(with.sightings.len() >= reading.sightings.len(), "a signal strength loses nothing");
    let lines: Vec<u8> = reading
        .sightings
        .iter()
        .flat_map(|sighting| {
            [serde_json::to_vec(sighting).expect("a sighting has a JSON form"), b"\n".to_vec()].concat()
        })
        .collect();
    let again = Form::of(&lines).read(&lines, None).expect("what was read can be written as JSON lines");
    assert_eq!(again.sightings, reading.sightings, "JSON lines say the same");
    assert!(again.skipped.is_empty(), "JSON lines say no more");
});

fn check(reading: &Reading, length: usize) {
    // The shortest row about two sightings is longer than 56 characters, the shortest record than 28 bytes.
    assert!(reading.sightings.len() <= length / 24, "no file is shorter than what it tells");
    let skipped: u64 = reading.skipped.values().sum();
    assert!(skipped <= length as u64, "nothing is counted that is not there");
}

fn ramble(mut bytes: &[u8]) {
    let mut reader = RambleReader::new(None);
    let mut locations = 0;
    while !bytes.is_empty() {
        if bytes[0] & 1 == 0 {
            let [id, service_data] = values(&mut bytes);
            reader.device(id, service_data).expect("there are few");
        } else {
            let [device_id, timestamp, rssi] = values(&mut bytes);
            reader.location(device_id, timestamp, rssi).expect("there are few");
            locations += 1;
        }
    }
    let reading = reader.finish();
    let skipped: u64 = reading.skipped.values().sum();
    assert_eq!(
        reading.sightings.len() as u64 + skipped,
        locations,
        "each location is a sighting, or counted"
    );
}

fn microg(mut bytes: &[u8]) {
    let mut reader = MicrogReader::new(None);
    let mut rows = 0;
    while !bytes.is_empty() {
        let [rpi, aem, timestamp, rssi, duration] = values(&mut bytes);
        reader.advertisement(rpi, aem, timestamp, rssi, duration).expect("there are few");
        rows += 1;
    }
    let reading = reader.finish();
    let skipped: u64 = reading.skipped.values().sum();
    let told = rows - skipped;
    assert!(
        (told..=2 * told).contains(&(reading.sightings.len() as u64)),
        "each row is one or two, or counted"
    );
}

/// Values from bytes: a kind, then what it needs.
fn values<'a, const N: usize>(bytes: &mut &'a [u8]) -> [Value<'a>; N] {
    core::array::from_fn(|_| {
        let Some((&kind, rest)) = bytes.split_first() else { return Value::Null };
        *bytes = rest;
        let mut take = |length: usize| {
            let (taken, rest) = bytes.split_at(length.min(bytes.len()));
            *bytes = rest;
            taken
        };
        match kind >> 1 & 3 {
            0 => Value::Null,
            1 => {
                let mut integer = [0; 8];
                let taken = take((kind >> 3).min(8).into());
                integer[..taken.len()].copy_from_slice(taken);
                Value::Integer(i64::from_le_bytes(integer))
            }
            2 => Value::Bytes(take((kind >> 3).into())),
            _ => Value::Other,
        }
    })
}
