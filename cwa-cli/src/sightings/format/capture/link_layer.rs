//! What a sniffer hears: packets of the link layer (Bluetooth Core Specification, volume 6, part B, 2).

use cwa_crypto::UnixTime;

use super::super::{Collector, SkipReason};
use super::Unread;

/// What a sniffer says of a checksum that it compared itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Checksum {
    Right,
    Wrong,
}

/// A packet from its access address on: 0..=3 access address | 4..=5 header | 6.. payload | 3 bytes CRC.
///
/// Without a word of the sniffer's the checksum is computed.
pub(super) fn read(
    packet: &[u8],
    checksum: Option<Checksum>,
    rssi_dbm: Option<i8>,
    seen_at: UnixTime,
    collector: &mut Collector,
) -> Result<(), Unread> {
    let (&access_address, rest) = packet.split_first_chunk().ok_or(SkipReason::MalformedRecord)?;
    if u32::from_le_bytes(access_address) != ADVERTISING_ACCESS_ADDRESS {
        return Err(SkipReason::NotAnAdvertisement.into());
    }
    let (&[pdu_type, length], _) = rest.split_first_chunk().ok_or(SkipReason::MalformedRecord)?;
    let (pdu, rest) = rest.split_at_checked(2 + usize::from(length)).ok_or(SkipReason::MalformedRecord)?;
    let checksum = match checksum {
        Some(checksum) => checksum,
        None => {
            let (found, _) = rest.split_first_chunk().ok_or(SkipReason::MalformedRecord)?;
            if crc(pdu) == *found { Checksum::Right } else { Checksum::Wrong }
        }
    };
    if checksum == Checksum::Wrong {
        return Err(SkipReason::Checksum.into());
    }
    match pdu_type & 0x0f {
        // 0..=1 header | 2..=7 the sender's address | 8.. data
        ADV_IND | ADV_NONCONN_IND | SCAN_RSP | ADV_SCAN_IND => {
            let data = pdu.get(8..).ok_or(SkipReason::MalformedRecord)?;
            Ok(collector.advertising(data, rssi_dbm, seen_at)?)
        }
        _ => Err(SkipReason::NotAnAdvertisement.into()),
    }
}

/// LINKTYPE_BLUETOOTH_LE_LL_WITH_PHDR: 0 channel | 1 signal power | 2 noise power | 3 offenses of the access address |
/// 4..=7 reference access address | 8..=9 flags | 10.. packet.
pub(super) fn read_with_header(
    record: &[u8],
    seen_at: UnixTime,
    collector: &mut Collector,
) -> Result<(), Unread> {
    let (&[_, signal_power, .., low, high], packet) =
        record.split_first_chunk::<10>().ok_or(SkipReason::MalformedRecord)?;
    let flags = u16::from_le_bytes([low, high]);
    let has = |flag: u16| flags & flag != 0;
    if !has(FLAG_DEWHITENED) {
        return Err(SkipReason::Whitened.into());
    }
    // Other PHYs than that of 1 Mbit/s carry no advertising but extended one, in packets of another shape.
    if has(FLAGS_PHY) {
        return Err(SkipReason::NotAnAdvertisement.into());
    }
    let checksum = has(FLAG_CHECKSUM_CHECKED)
        .then(|| if has(FLAG_CHECKSUM_RIGHT) { Checksum::Right } else { Checksum::Wrong });
    let rssi_dbm = has(FLAG_SIGNAL_POWER).then_some(signal_power.cast_signed());
    read(packet, checksum, rssi_dbm, seen_at, collector)
}

/// LINKTYPE_NORDIC_BLE: 0 board | 1..=2 lengths | 3 version of the protocol | 4..=5 counter | 6 kind of packet, and for
/// packets of the air 7 length of the next six fields and this one | 8 flags | 9 channel | 10 strength, in -dBm |
/// 11..=12 counter | 13..=16 time | 17.. packet.
pub(super) fn read_nordic(record: &[u8], seen_at: UnixTime, collector: &mut Collector) -> Result<(), Unread> {
    let (&[_, _, _, version, _, _, kind], rest) =
        record.split_first_chunk().ok_or(SkipReason::MalformedRecord)?;
    if !(1..=3).contains(&version) {
        return Err(SkipReason::UnsupportedRecord.into());
    }
    if !matches!(kind, NORDIC_ADVERTISING | NORDIC_DATA) {
        return Err(SkipReason::NotAnAdvertisement.into());
    }
    let (&[length, flags, _, strength, ..], packet) =
        rest.split_first_chunk::<10>().ok_or(SkipReason::MalformedRecord)?;
    if length != 10 {
        return Err(SkipReason::UnsupportedRecord.into());
    }
    if flags & NORDIC_FLAGS_PHY != 0 {
        return Err(SkipReason::NotAnAdvertisement.into());
    }
    let checksum = if flags & NORDIC_FLAG_CHECKSUM_RIGHT != 0 { Checksum::Right } else { Checksum::Wrong };
    // 0 is no strength that a receiver measures.
    let rssi_dbm = i8::try_from(-i16::from(strength)).ok().filter(|&rssi_dbm| rssi_dbm != 0);
    read(packet, Some(checksum), rssi_dbm, seen_at, collector)
}

/// The CRC of a PDU of an advertising channel (3.1.1), as it is sent: x²⁴ + x¹⁰ + x⁹ + x⁶ + x⁴ + x³ + x + 1 from 0x555555,
/// every byte and the CRC itself with their least significant bit on air first.
fn crc(pdu: &[u8]) -> [u8; 3] {
    // Bits are kept in the order of the air: the polynomial and its start mirrored.
    const POLYNOMIAL: u32 = 0x00da_6000;
    const START: u32 = 0x00aa_aaaa;
    let register = pdu.iter().fold(START, |register, &byte| {
        (0..8).fold(register ^ u32::from(byte), |register, _| {
            (register >> 1) ^ if register & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    });
    let [first, second, third, _] = register.to_le_bytes();
    [first, second, third]
}

const ADVERTISING_ACCESS_ADDRESS: u32 = 0x8e89_bed6;

const ADV_IND: u8 = 0;
const ADV_NONCONN_IND: u8 = 2;
const SCAN_RSP: u8 = 4;
const ADV_SCAN_IND: u8 = 6;

const FLAG_DEWHITENED: u16 = 0x0001;
const FLAG_SIGNAL_POWER: u16 = 0x0002;
const FLAG_CHECKSUM_CHECKED: u16 = 0x0400;
const FLAG_CHECKSUM_RIGHT: u16 = 0x0800;
const FLAGS_PHY: u16 = 0xc000;

/// All packets of advertising channels in version 2 and later.
const NORDIC_ADVERTISING: u8 = 0x02;
/// All packets of the air in version 1.
const NORDIC_DATA: u8 = 0x06;
const NORDIC_FLAG_CHECKSUM_RIGHT: u8 = 0x01;
const NORDIC_FLAGS_PHY: u8 = 0x70;
