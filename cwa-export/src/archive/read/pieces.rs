//! A member inflated piece by piece, for those who do not hold it as a whole.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::super::{EXPORT_BIN, EXPORT_SIG};
use super::{ArchiveError, Entry, Limits, MemberNames, STORED, layout};

/// The members of an archive; `export.bin` is still compressed.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<'a> {
    export_bin: Entry<'a>,
    export_sig: Vec<u8>,
    unexpected: Vec<String>,
}

/// What is held of a member at the moment.
pub(crate) struct Piece<'b> {
    /// What was not consumed of earlier pieces, and what is new.
    pub(crate) bytes: &'b [u8],
    /// How much of it was held before.
    pub(crate) held: usize,
    /// Whether the member ends with it.
    pub(crate) is_last: bool,
}

impl Piece<'_> {
    /// What was not there before.
    pub(crate) fn new_bytes(&self) -> &[u8] {
        self.bytes.get(self.held..).unwrap_or_default()
    }
}

impl<'a> Pieces<'a> {
    /// Checks the archive as [`Archive::read`](super::Archive::read) does, all but the content of `export.bin`.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let (mut export_bin, mut export_sig, mut unexpected) = (None, None, Vec::new());
        for entry in layout(bytes, &Limits::default(), MemberNames::Unique)? {
            match entry.name {
                EXPORT_BIN => export_bin = Some(entry),
                EXPORT_SIG => export_sig = Some(entry.content()?),
                name => {
                    entry.pieces(|piece| Ok::<_, ArchiveError>(piece.bytes.len()))?;
                    unexpected.push(name.to_owned());
                }
            }
        }
        Ok(Self {
            export_bin: export_bin.ok_or(ArchiveError::Missing { name: EXPORT_BIN })?,
            export_sig: export_sig.ok_or(ArchiveError::Missing { name: EXPORT_SIG })?,
            unexpected,
        })
    }

    /// Gives `export.bin` piece by piece. `take` says how many bytes it has done with; the others come again, with more
    /// behind them.
    pub(crate) fn export_bin<E: From<ArchiveError>>(
        &self,
        take: impl FnMut(&Piece<'_>) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.export_bin.pieces(take)
    }

    pub(crate) fn export_sig(&self) -> &[u8] {
        &self.export_sig
    }

    pub(crate) fn unexpected(&self) -> &[String] {
        &self.unexpected
    }
}

/// Bytes held at once: they stay in the processor's second-level cache from inflating to hashing and reading.
pub(crate) const HELD: usize = 256 << 10;

impl Entry<'_> {
    fn pieces<E: From<ArchiveError>>(
        &self,
        mut take: impl FnMut(&Piece<'_>) -> Result<usize, E>,
    ) -> Result<(), E> {
        if self.method == STORED {
            self.check(crc_of(self.data))?;
            return Self::stored(self.data, take);
        }
        let length = || ArchiveError::Length { name: self.name.into(), length: self.length };
        let mut inflater = Decompress::new(false);
        let mut crc = Crc::new();
        let mut buffer = vec![0; HELD];
        let (mut data, mut held, mut written) = (self.data, 0_usize, 0_usize);
        loop {
            let room = buffer.get_mut(held..).unwrap_or_default();
            let (in_before, out_before) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(data, room, FlushDecompress::None)
                .map_err(|_| ArchiveError::Inflate { name: self.name.into() })?;
            let difference =
                |now: u64, before| usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
            let read = difference(inflater.total_in(), in_before);
            let got = difference(inflater.total_out(), out_before);
            data = data.get(read..).unwrap_or_default();
            crc.update(room.get(..got).unwrap_or_default());
            written = written.saturating_add(got);
            let is_last = status == Status::StreamEnd;
            if written > self.length || (is_last && written != self.length) {
                return Err(length().into());
            }
            if is_last {
                if !data.is_empty() {
                    let (name, bytes) = (self.name.into(), data.len());
                    return Err(ArchiveError::TrailingData { name, bytes }.into());
                }
                self.check(crc.sum())?;
            } else if got == 0 && read == 0 {
                // It stops before its end, or needs room that a reader who does not go on leaves no more.
                let error = if written == self.length {
                    ArchiveError::Inflate { name: self.name.into() }
                } else {
                    length()
                };
                return Err(error.into());
            }
            let end = held.saturating_add(got);
            let piece = Piece { bytes: buffer.get(..end).unwrap_or_default(), held, is_last };
            let used = take(&piece)?.min(end);
            if is_last {
                return Ok(());
            }
            buffer.copy_within(used..end, 0);
            held = end.saturating_sub(used);
        }
    }

    /// The same for bytes that lie there as they are.
    fn stored<E>(data: &[u8], mut take: impl FnMut(&Piece<'_>) -> Result<usize, E>) -> Result<(), E> {
        let (mut begin, mut end) = (0_usize, 0_usize);
        loop {
            let held = end.saturating_sub(begin);
            end = end.saturating_add(HELD).min(data.len());
            let is_last = end == data.len();
            let piece = Piece { bytes: data.get(begin..end).unwrap_or_default(), held, is_last };
            let used = take(&piece)?;
            if is_last {
                return Ok(());
            }
            begin = begin.saturating_add(used).min(end);
        }
    }

    fn check(&self, found: u32) -> Result<(), ArchiveError> {
        if found == self.checksum {
            return Ok(());
        }
        Err(ArchiveError::Checksum { name: self.name.into(), expected: self.checksum, found })
    }
}

fn crc_of(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}
