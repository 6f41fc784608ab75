//! Captures of Bluetooth Low Energy traffic: of a host's controller (HCI) or of the air (link layer).
//!
//! Containers are read into records; a record is read by its encapsulation into advertising data, signal strength and
//! time; advertising data is walked by `Advertisement::decode`.

use cwa_crypto::UnixTime;

use super::{Cause, Collector, SkipReason};

mod btsnoop;
mod hci;
mod link_layer;
mod pcap;
#[cfg(test)]
mod tests;

pub(super) use btsnoop::MAGIC as BTSNOOP_MAGIC;
pub(super) use pcap::{PCAP_MAGICS, PCAPNG_MAGIC};
pub(super) use {btsnoop::read as read_btsnoop, pcap::read_pcap, pcap::read_pcapng};

/// What is wrong with a capture as a whole, so that nothing after it can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("the header must be {expected} bytes long, not {got}")]
    Header { expected: usize, got: usize },
    #[error("btsnoop version {got}; only 1 is known")]
    Version { got: u32 },
    #[error("link type {got} is none of Bluetooth; known are {}", known_link_types())]
    LinkType { got: i32 },
    #[error("data link {got} is not known; known are 1001 (HCI), 1002 (H4), 2001 (Linux monitor)")]
    DataLink { got: u32 },
    #[error("a record of {got} bytes; the longest is {MAXIMUM_RECORD}")]
    RecordLength { got: u64 },
    #[error("a block of {got} bytes; the longest is {MAXIMUM_BLOCK}")]
    BlockLength { got: u32 },
    #[error("a block that breaks the rules of pcapng")]
    Block,
    #[error("a record of interface {got}, and {described} are described")]
    Interface { got: u32, described: usize },
}

/// Bytes of the longest record: far more than any Bluetooth packet, and what other readers take as the bound.
const MAXIMUM_RECORD: usize = 262_144;

/// Bytes of the longest block of pcapng.
const MAXIMUM_BLOCK: u32 = 16 << 20;

/// How the bytes of a record are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Encapsulation {
    /// HCI packets, each with its type in front.
    H4,
    /// The same behind a direction of 4 bytes.
    H4WithDirection,
    /// An HCI event without a type in front.
    Event,
    /// Linux monitor: adapter and opcode, then an HCI packet without a type in front.
    LinuxMonitor,
    /// A link-layer packet from its access address to its checksum; no signal strength.
    LinkLayer,
    /// The same behind a header of 10 bytes that has the signal strength.
    LinkLayerWithHeader,
    /// What Nordic Semiconductor's sniffer writes.
    Nordic,
}

impl Encapsulation {
    /// The link types of pcap and pcapng that hold Bluetooth Low Energy, as tcpdump.org assigns them.
    const LINK_TYPES: [(i32, Self); 6] = [
        (187, Self::H4),
        (201, Self::H4WithDirection),
        (251, Self::LinkLayer),
        (254, Self::LinuxMonitor),
        (256, Self::LinkLayerWithHeader),
        (272, Self::Nordic),
    ];

    fn of_link_type(link_type: i32) -> Option<Self> {
        Self::LINK_TYPES.into_iter().find(|&(number, _)| number == link_type).map(|(_, found)| found)
    }

    /// Reads a record of which every byte was captured, unless `is_cut`.
    fn read(
        self,
        data: &[u8],
        is_cut: bool,
        seen_at: UnixTime,
        collector: &mut Collector,
    ) -> Result<(), Cause> {
        let read = match self {
            Self::H4 => hci::read_h4(data, seen_at, collector),
            Self::H4WithDirection => match data.split_first_chunk::<4>() {
                Some((_, packet)) => hci::read_h4(packet, seen_at, collector),
                None => Err(Unread::Skip(SkipReason::MalformedRecord)),
            },
            Self::Event => hci::read_event(data, seen_at, collector),
            Self::LinuxMonitor => hci::read_monitor(data, seen_at, collector),
            Self::LinkLayer => link_layer::read(data, None, None, seen_at, collector),
            Self::LinkLayerWithHeader => link_layer::read_with_header(data, seen_at, collector),
            Self::Nordic => link_layer::read_nordic(data, seen_at, collector),
        };
        match read {
            Ok(()) => Ok(()),
            Err(Unread::Skip(reason)) => {
                let cut = is_cut && reason == SkipReason::MalformedRecord;
                collector.skip(if cut { SkipReason::CutShort } else { reason });
                Ok(())
            }
            Err(Unread::Stop(cause)) => Err(cause),
        }
    }
}

/// Why the rest of a record is not read.
enum Unread {
    /// It is none of what is looked for, or malformed.
    Skip(SkipReason),
    /// Reading must end altogether.
    Stop(Cause),
}

impl From<SkipReason> for Unread {
    fn from(reason: SkipReason) -> Self {
        Self::Skip(reason)
    }
}

impl From<super::TooMany> for Unread {
    fn from(error: super::TooMany) -> Self {
        Self::Stop(error.into())
    }
}

fn known_link_types() -> String {
    Encapsulation::LINK_TYPES.map(|(number, _)| number.to_string()).join(", ")
}
