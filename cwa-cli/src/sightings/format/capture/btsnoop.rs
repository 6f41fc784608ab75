//! btsnoop, version 1: what Android and Linux write of their Bluetooth controller.
//!
//! All integers are big-endian. 16 bytes of header, and 24 in front of each record: no crate is worth what it brings.
//!
//! ```text
//! file    0..=7 "btsnoop\0" | 8..=11 version | 12..=15 data link
//! record  0..=3 length on the wire | 4..=7 length here | 8..=11 flags | 12..=15 drops so far | 16..=23 time | 24.. packet
//! ```

use super::super::{Collector, Place, ReadError, SkipReason, time};
use super::{CaptureError, Encapsulation, MAXIMUM_RECORD};

/// What a file begins with.
pub(in super::super) const MAGIC: &[u8] = b"btsnoop\0";

pub(in super::super) fn read(content: &[u8], collector: &mut Collector) -> Result<(), ReadError> {
    let (header, mut rest) = content
        .split_first_chunk::<16>()
        .ok_or_else(|| Place::File.error(CaptureError::Header { expected: 16, got: content.len() }))?;
    let &[_, _, _, _, _, _, _, _, v0, v1, v2, v3, d0, d1, d2, d3] = header;
    let version = u32::from_be_bytes([v0, v1, v2, v3]);
    if version != 1 {
        return Err(Place::File.error(CaptureError::Version { got: version }));
    }
    let data_link =
        DataLink::try_from(u32::from_be_bytes([d0, d1, d2, d3])).map_err(|error| Place::File.error(error))?;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let place = Place::Record { number, offset: content.len() - rest.len() };
        let Some(record) = Record::split(&mut rest).map_err(|error| place.error(error))? else {
            // The log was copied while it was written.
            collector.skip(SkipReason::FileCutShort);
            return Ok(());
        };
        let Some(encapsulation) = data_link.encapsulation(record.flags) else {
            collector.skip(SkipReason::NotAnAdvertisement);
            continue;
        };
        let microseconds = record.time.checked_sub(EPOCH);
        let Some(seen_at) = microseconds.and_then(|microseconds| time(microseconds.div_euclid(1_000_000)))
        else {
            collector.skip(SkipReason::ValueOutOfRange);
            continue;
        };
        encapsulation
            .read(record.data, record.is_cut, seen_at, collector)
            .map_err(|error| place.error(error))?;
    }
    Ok(())
}

/// Microseconds from midnight of 1 January of the year 0 to the Unix epoch.
const EPOCH: i64 = 0x00dc_ddb3_0f2f_8000;

/// What the packets of a file are, by the number in its header.
#[derive(Clone, Copy, Debug)]
enum DataLink {
    /// HCI packets without a type in front; the flags say of which kind each is.
    Hci,
    H4,
    /// The flags are adapter and opcode.
    LinuxMonitor,
}

impl TryFrom<u32> for DataLink {
    type Error = CaptureError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            1001 => Ok(Self::Hci),
            1002 => Ok(Self::H4),
            2001 => Ok(Self::LinuxMonitor),
            got => Err(CaptureError::DataLink { got }),
        }
    }
}

impl DataLink {
    /// How a record with these flags is to be read; `None` if it is no event.
    const fn encapsulation(self, flags: u32) -> Option<Encapsulation> {
        // Bit 0: received by the host; bit 1: command or event, not data.
        const RECEIVED_EVENT: u32 = 0b11;
        const MONITOR_EVENT: u32 = 3;
        match self {
            Self::Hci if flags & RECEIVED_EVENT == RECEIVED_EVENT => Some(Encapsulation::Event),
            Self::LinuxMonitor if flags & 0xffff == MONITOR_EVENT => Some(Encapsulation::Event),
            Self::H4 => Some(Encapsulation::H4),
            Self::Hci | Self::LinuxMonitor => None,
        }
    }
}

struct Record<'a> {
    flags: u32,
    /// Microseconds since midnight of 1 January of the year 0.
    time: i64,
    data: &'a [u8],
    /// Whether there was more on the wire.
    is_cut: bool,
}

impl<'a> Record<'a> {
    /// Takes a record off the beginning; `None` if there is none whole.
    fn split(content: &mut &'a [u8]) -> Result<Option<Self>, CaptureError> {
        let Some((header, rest)) = content.split_first_chunk::<24>() else { return Ok(None) };
        let &[o0, o1, o2, o3, l0, l1, l2, l3, f0, f1, f2, f3, _, _, _, _, t0, t1, t2, t3, t4, t5, t6, t7] =
            header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if u64::from(length) > MAXIMUM_RECORD as u64 {
            return Err(CaptureError::RecordLength { got: length.into() });
        }
        let Some((data, rest)) =
            usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
        else {
            return Ok(None);
        };
        *content = rest;
        Ok(Some(Self {
            flags: u32::from_be_bytes([f0, f1, f2, f3]),
            time: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            data,
            is_cut: length < u32::from_be_bytes([o0, o1, o2, o3]),
        }))
    }
}
