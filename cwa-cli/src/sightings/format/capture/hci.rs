//! What a controller tells its host: HCI events (Bluetooth Core Specification, volume 4, part E).

use cwa_crypto::UnixTime;

use super::super::{Collector, SkipReason};
use super::Unread;

/// H4: the type of a packet stands in front of it (volume 4, part A, 2).
pub(super) fn read_h4(packet: &[u8], seen_at: UnixTime, collector: &mut Collector) -> Result<(), Unread> {
    match packet.split_first() {
        Some((&H4_EVENT, event)) => read_event(event, seen_at, collector),
        Some(_) => Err(SkipReason::NotAnAdvertisement.into()),
        None => Err(SkipReason::MalformedRecord.into()),
    }
}

/// Linux monitor: 0..=1 adapter | 2..=3 opcode, big-endian | 4.. packet.
pub(super) fn read_monitor(
    record: &[u8],
    seen_at: UnixTime,
    collector: &mut Collector,
) -> Result<(), Unread> {
    match record.split_first_chunk() {
        Some((&[_, _, high, low], packet)) => {
            if u16::from_be_bytes([high, low]) == MONITOR_EVENT {
                read_event(packet, seen_at, collector)
            } else {
                Err(SkipReason::NotAnAdvertisement.into())
            }
        }
        None => Err(SkipReason::MalformedRecord.into()),
    }
}

/// An event: 0 code | 1 length of what follows | 2.. parameters.
pub(super) fn read_event(event: &[u8], seen_at: UnixTime, collector: &mut Collector) -> Result<(), Unread> {
    let (&[code, length], parameters) = event.split_first_chunk().ok_or(SkipReason::MalformedRecord)?;
    if code != LE_META {
        return Err(SkipReason::NotAnAdvertisement.into());
    }
    let parameters = parameters.get(..length.into()).ok_or(SkipReason::MalformedRecord)?;
    // 0 subevent | 1 number of reports | 2.. reports, one after the other
    let (&[subevent, count], reports) =
        parameters.split_first_chunk().ok_or(SkipReason::NotAnAdvertisement)?;
    match subevent {
        LE_ADVERTISING_REPORT => advertising_reports(count, reports, seen_at, collector),
        LE_EXTENDED_ADVERTISING_REPORT => extended_advertising_reports(count, reports, seen_at, collector),
        _ => Err(SkipReason::NotAnAdvertisement.into()),
    }
}

/// 7.7.65.2: 0 event type | 1 address type | 2..=7 address | 8 length | 9.. data | then RSSI.
fn advertising_reports(
    count: u8,
    mut reports: &[u8],
    seen_at: UnixTime,
    collector: &mut Collector,
) -> Result<(), Unread> {
    for _ in 0..count {
        let (&[.., length], rest) = reports.split_first_chunk::<9>().ok_or(SkipReason::MalformedRecord)?;
        let (data, rest) = rest.split_at_checked(length.into()).ok_or(SkipReason::MalformedRecord)?;
        let (&rssi, rest) = rest.split_first().ok_or(SkipReason::MalformedRecord)?;
        collector.advertising(data, Some(rssi.cast_signed()), seen_at)?;
        reports = rest;
    }
    Ok(())
}

/// 7.7.65.13: 0..=1 event type | 2 address type | 3..=8 address | 9 primary PHY | 10 secondary PHY | 11 advertising SID |
/// 12 transmit power | 13 RSSI | 14..=15 interval | 16 direct address type | 17..=22 direct address | 23 length | 24.. data.
fn extended_advertising_reports(
    count: u8,
    mut reports: &[u8],
    seen_at: UnixTime,
    collector: &mut Collector,
) -> Result<(), Unread> {
    for _ in 0..count {
        let (header, rest) = reports.split_first_chunk::<24>().ok_or(SkipReason::MalformedRecord)?;
        let &[event_type, _, _, _, _, _, _, _, _, _, _, _, _, rssi, .., length] = header;
        let (data, rest) = rest.split_at_checked(length.into()).ok_or(SkipReason::MalformedRecord)?;
        // Bits 5 and 6: whether all of the data is here.
        if event_type & 0b0110_0000 == 0 {
            collector.advertising(data, Some(rssi.cast_signed()), seen_at)?;
        } else {
            collector.skip(SkipReason::Fragment);
        }
        reports = rest;
    }
    Ok(())
}

const H4_EVENT: u8 = 0x04;
const MONITOR_EVENT: u16 = 3;
const LE_META: u8 = 0x3e;
const LE_ADVERTISING_REPORT: u8 = 0x02;
const LE_EXTENDED_ADVERTISING_REPORT: u8 = 0x0d;
