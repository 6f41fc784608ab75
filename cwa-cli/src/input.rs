//! What commands read: files or standard input, times, hex.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io::Read as _;
use std::path::Path;

use cwa_crypto::{Day, UnixTime};

use crate::failure::Failure;

/// Largest input any command reads, in bytes. Each format has tighter limits of its own.
const MAXIMUM_INPUT: u64 = 256 << 20;

/// The bytes of the file at `path`, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let name =
        || if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let unreadable =
        |error| Failure::input("CWA-E0001", format!("{} could not be read", name())).caused_by(error);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        // Who names it twice would get an empty file the second time, and a wrong answer.
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Err(Failure::usage("CWA-E0005", "standard input can stand for one file only"));
        }
        std::io::stdin().lock().take(MAXIMUM_INPUT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAXIMUM_INPUT + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
    }
    if bytes.len() as u64 > MAXIMUM_INPUT {
        return Err(Failure::input("CWA-E0001", format!("{} is larger than {MAXIMUM_INPUT} bytes", name())));
    }
    Ok(bytes)
}

/// The same as text; UTF-8 only.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|error| {
        Failure::input("CWA-E0003", format!("{} is not UTF-8 text", path.display())).caused_by(error)
    })
}

/// A value given on the command line, or for `-` the first line of standard input, where other users of the machine do
/// not see it.
pub(crate) fn argument(text: &str) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let all = read_text(Path::new("-"))?;
    Ok(all.lines().next().unwrap_or_default().to_owned())
}

/// Unix seconds or RFC 3339, as a value of a flag.
pub(crate) fn time(text: &str) -> Result<UnixTime, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(UnixTime::from_secs(seconds));
    }
    let timestamp: jiff::Timestamp = text
        .parse()
        .map_err(|_| "neither Unix seconds nor RFC 3339, such as 2020-07-22T00:00:00Z".to_owned())?;
    u64::try_from(timestamp.as_second()).map(UnixTime::from_secs).map_err(|_| "lies before 1970".to_owned())
}

/// A UTC day as yyyy-mm-dd, or by any moment in it, as a value of a flag.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    if let Ok(day) = text.parse() {
        return Ok(day);
    }
    time(text).map(UnixTime::day).map_err(|_| "neither yyyy-mm-dd nor a time from 1970 on".to_owned())
}

/// Exactly `N` bytes in hexadecimal, as a value of a flag.
pub(crate) fn hex<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| {
        format!("must be {} hexadecimal digits ({N} bytes), got {} characters", 2 * N, text.chars().count())
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_unix_seconds_or_rfc_3339() {
        assert_eq!(time("1595376000"), Ok(UnixTime::from_secs(1_595_376_000)));
        assert_eq!(time("2020-07-22T00:00:00Z"), Ok(UnixTime::from_secs(1_595_376_000)));
        assert_eq!(time("2020-07-22T02:00:00+02:00"), Ok(UnixTime::from_secs(1_595_376_000)));
        assert!(time("2020-07-22").is_err());
        assert!(time("-1").is_err());
        assert!(time("1969-12-31T00:00:00Z").is_err());
    }

    #[test]
    fn days_are_dates_or_times_in_them() {
        let day_of_release = Day::from_calendar(2020, 7, 22).unwrap();
        for text in ["2020-07-22", "1595376000", "2020-07-22T23:59:59Z"] {
            assert_eq!(day(text), Ok(day_of_release));
        }
        assert!(day("2020-02-30").is_err());
        assert!(day("22.7.2020").is_err());
    }

    #[test]
    fn hex_of_another_length_is_refused_with_both_lengths() {
        assert_eq!(hex::<2>("0aff"), Ok([0x0a, 0xff]));
        assert_eq!(hex::<2>("0af").unwrap_err(), "must be 4 hexadecimal digits (2 bytes), got 3 characters");
        assert!(hex::<2>("0afg").is_err());
    }
}
