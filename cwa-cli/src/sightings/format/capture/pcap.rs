//! pcap and pcapng. The containers are read by `pcap-parser`, what they mean here.

use cwa_crypto::UnixTime;
use pcap_parser::pcapng::{
    EPB_MAGIC, EnhancedPacketBlock, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, SHB_MAGIC, SPB_MAGIC,
    parse_enhancedpacketblock_be, parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock,
};
use pcap_parser::{LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::super::{Collector, Place, ReadError, SkipReason, time};
use super::{CaptureError, Encapsulation, MAXIMUM_BLOCK, MAXIMUM_RECORD};

/// What a file of pcap begins with: microseconds or nanoseconds, in either byte order.
pub(in super::super) const PCAP_MAGICS: [&[u8]; 4] =
    [b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1"];

/// What a file of pcapng begins with, in either byte order.
pub(in super::super) const PCAPNG_MAGIC: &[u8] = b"\x0a\x0d\x0d\x0a";

pub(in super::super) fn read_pcap(content: &[u8], collector: &mut Collector) -> Result<(), ReadError> {
    let (mut rest, header) = parse_pcap_header(content)
        .map_err(|_| Place::File.error(CaptureError::Header { expected: 24, got: content.len() }))?;
    // Above the type stands how long the checksum of frames is, which Bluetooth does not use.
    let link_type = header.network.0 & 0xffff;
    let encapsulation = Encapsulation::of_link_type(link_type)
        .ok_or_else(|| Place::File.error(CaptureError::LinkType { got: link_type }))?;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let place = Place::Record { number, offset: content.len() - rest.len() };
        let Some(record) = record(&mut rest, &header).map_err(|error| place.error(error))? else {
            // The capture was interrupted, or copied while it was written.
            collector.skip(SkipReason::FileCutShort);
            return Ok(());
        };
        let seen_at = UnixTime::from_secs(record.ts_sec.into());
        let is_cut = record.caplen < record.origlen;
        encapsulation.read(record.data, is_cut, seen_at, collector).map_err(|error| place.error(error))?;
    }
    Ok(())
}

/// Takes a record off the beginning; `None` if there is none whole.
fn record<'a>(
    content: &mut &'a [u8],
    header: &PcapHeader,
) -> Result<Option<LegacyPcapBlock<'a>>, CaptureError> {
    let is_big_endian = header.is_bigendian();
    // 0..=7 time | 8..=11 length here | 12..=15 length on the wire
    if let Some(&[_, _, _, _, _, _, _, _, l0, l1, l2, l3]) = content.first_chunk() {
        let length = number([l0, l1, l2, l3], is_big_endian);
        if u64::from(length) > MAXIMUM_RECORD as u64 {
            return Err(CaptureError::RecordLength { got: length.into() });
        }
    }
    let parse = if is_big_endian { parse_pcap_frame_be } else { parse_pcap_frame };
    let Ok((rest, record)) = parse(content) else { return Ok(None) };
    *content = rest;
    Ok(Some(record))
}

pub(in super::super) fn read_pcapng(content: &[u8], collector: &mut Collector) -> Result<(), ReadError> {
    let mut rest = content;
    let mut is_big_endian = false;
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let place = Place::Record { number, offset: content.len() - rest.len() };
        is_big_endian = byte_order(rest).unwrap_or(is_big_endian);
        let Some(block) = Block::split(&mut rest, is_big_endian).map_err(|error| place.error(error))? else {
            if number == 1 {
                return Err(place.error(CaptureError::Block));
            }
            collector.skip(SkipReason::FileCutShort);
            return Ok(());
        };
        match block {
            // A section has interfaces of its own.
            Block::Section => interfaces.clear(),
            Block::Interface(interface) => interfaces.push(interface),
            Block::Packet(packet) => {
                let interface = usize::try_from(packet.if_id).ok().and_then(|number| interfaces.get(number));
                let interface = interface.ok_or_else(|| {
                    place.error(CaptureError::Interface { got: packet.if_id, described: interfaces.len() })
                })?;
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = usize::try_from(packet.caplen).ok().and_then(|length| packet.data.get(..length));
                let data = data.ok_or_else(|| place.error(CaptureError::Block))?;
                match (interface.encapsulation, interface.time(units)) {
                    (None, _) => collector.skip(SkipReason::OtherLinkType),
                    (_, None) => collector.skip(SkipReason::ValueOutOfRange),
                    (Some(encapsulation), Some(seen_at)) => encapsulation
                        .read(data, packet.caplen < packet.origlen, seen_at, collector)
                        .map_err(|error| place.error(error))?,
                }
            }
            Block::PacketWithoutTime => collector.skip(SkipReason::NoTime),
            Block::ObsoletePacket => collector.skip(SkipReason::UnsupportedRecord),
            Block::Other => {}
        }
    }
    Ok(())
}

/// Whether a section that begins here is big-endian; `None` if none does.
fn byte_order(content: &[u8]) -> Option<bool> {
    // 0..=3 type | 4..=7 length | 8..=11 byte-order magic
    let &[t0, t1, t2, t3, _, _, _, _, b0, b1, b2, b3] = content.first_chunk()?;
    ([t0, t1, t2, t3] == PCAPNG_MAGIC).then(|| [b0, b1, b2, b3] == [0x1a, 0x2b, 0x3c, 0x4d])
}

/// What counts of a block.
enum Block<'a> {
    Section,
    Interface(Interface),
    Packet(EnhancedPacketBlock<'a>),
    PacketWithoutTime,
    /// Of a kind that nothing has written for many years.
    ObsoletePacket,
    /// Names, statistics, secrets and the like.
    Other,
}

impl<'a> Block<'a> {
    /// Takes a block off the beginning; `None` if there is none whole.
    ///
    /// Only the kinds that are needed are given to the parser: it panics at some that are shorter than their own header.
    fn split(content: &mut &'a [u8], is_big_endian: bool) -> Result<Option<Self>, CaptureError> {
        // 0..=3 type | 4..=7 length | content | the length again
        let Some(&[t0, t1, t2, t3, l0, l1, l2, l3]) = content.first_chunk() else { return Ok(None) };
        let kind = number([t0, t1, t2, t3], is_big_endian);
        let length = number([l0, l1, l2, l3], is_big_endian);
        if length > MAXIMUM_BLOCK {
            return Err(CaptureError::BlockLength { got: length });
        }
        if length < 12 {
            return Err(CaptureError::Block);
        }
        let block = usize::try_from(length).ok().and_then(|length| content.split_at_checked(length));
        let Some((block, rest)) = block else { return Ok(None) };
        *content = rest;
        let read = match kind {
            SHB_MAGIC => parse_sectionheaderblock(block).map(|_| Self::Section),
            IDB_MAGIC => {
                let parse = if is_big_endian {
                    parse_interfacedescriptionblock_be
                } else {
                    parse_interfacedescriptionblock_le
                };
                parse(block).map(|(_, block)| Self::Interface(Interface::new(&block, is_big_endian)))
            }
            EPB_MAGIC => {
                let parse =
                    if is_big_endian { parse_enhancedpacketblock_be } else { parse_enhancedpacketblock_le };
                parse(block).map(|(_, block)| Self::Packet(block))
            }
            SPB_MAGIC => Ok(Self::PacketWithoutTime),
            2 => Ok(Self::ObsoletePacket),
            _ => Ok(Self::Other),
        };
        read.map(Some).map_err(|_| CaptureError::Block)
    }
}

const fn number(bytes: [u8; 4], is_big_endian: bool) -> u32 {
    if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// What an interface description says of the packets of that interface.
struct Interface {
    /// `None` if it is not of Bluetooth Low Energy.
    encapsulation: Option<Encapsulation>,
    /// Units of time in a second; `None` if they are more than numbers of 64 bits count.
    units_per_second: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

impl Interface {
    fn new(description: &InterfaceDescriptionBlock<'_>, is_big_endian: bool) -> Self {
        let option = |code| {
            let option = description.options.iter().find(|option| option.code == code);
            option.map(|option| option.value())
        };
        // The most significant bit: a power of 2, not of 10.
        let resolution = option(OptionCode::IfTsresol).and_then(|value| value.first().copied()).unwrap_or(6);
        let (base, exponent): (u64, u8) =
            if resolution & 0x80 == 0 { (10, resolution) } else { (2, resolution & 0x7f) };
        let offset =
            option(OptionCode::IfTsoffset).and_then(|value| value.first_chunk().copied()).unwrap_or_default();
        Self {
            encapsulation: Encapsulation::of_link_type(description.linktype.0),
            units_per_second: base.checked_pow(exponent.into()),
            offset: if is_big_endian { i64::from_be_bytes(offset) } else { i64::from_le_bytes(offset) },
        }
    }

    fn time(&self, units: u64) -> Option<UnixTime> {
        let seconds = self.units_per_second.map_or(0, |units_per_second| units / units_per_second);
        time(i64::try_from(seconds).ok()?.checked_add(self.offset)?)
    }
}
