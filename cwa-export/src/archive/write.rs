//! Writing an archive in the one way that gives the same bytes on every machine.
//!
//! Deflate takes longer than all else that a publisher does. Long members are therefore compressed in blocks that know
//! nothing of each other and can be compressed at once; each but the last ends with an empty stored block on a whole
//! byte (RFC 1951, 3.2.4), so that one behind the other they are one stream. Where a block ends depends on nothing but
//! the content, and so the bytes do not depend on how many threads there were.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::{EXPORT_BIN, EXPORT_SIG};

/// The archive of the two files, in this order, deflated, without anything that changes from run to run.
///
/// With the feature `rayon`, on all threads of the current pool; the bytes are the same.
///
/// # Errors
///
/// [`WriteArchiveError`] if a file is too large for an archive without ZIP64.
pub fn write(export_bin: &[u8], export_sig: &[u8]) -> Result<Vec<u8>, WriteArchiveError> {
    let members = [Member::deflate(EXPORT_BIN, export_bin)?, Member::deflate(EXPORT_SIG, export_sig)?];
    let mut archive =
        Vec::with_capacity(members.iter().map(Member::bytes).sum::<usize>().saturating_add(END));
    let mut directory = Vec::new();
    for member in &members {
        let offset = u32::try_from(archive.len()).map_err(|_| too_large(archive.len()))?;
        archive.extend_from_slice(b"PK\x03\x04");
        member.write_fields(&mut archive);
        archive.extend_from_slice(member.name.as_bytes());
        member.blocks.iter().for_each(|block| archive.extend_from_slice(block));

        // Made as by version 2.0 on Unix (3).
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        member.write_fields(&mut directory);
        // No comment, first disk, no internal attributes; a file that all may read and its owner may write.
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(0o100_644_u32 << 16).to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(member.name.as_bytes());
    }
    let start = u32::try_from(archive.len()).map_err(|_| too_large(archive.len()))?;
    let length = u32::try_from(directory.len()).map_err(|_| too_large(directory.len()))?;
    archive.append(&mut directory);
    // This disk, the directory's; entries here, entries at all.
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0\x02\0\x02\0");
    archive.extend_from_slice(&length.to_le_bytes());
    archive.extend_from_slice(&start.to_le_bytes());
    // No comment.
    archive.extend_from_slice(&[0; 2]);
    Ok(archive)
}

/// Length of the archive of two members whose compressed lengths these are.
pub(crate) const fn length(deflated_bin: usize, deflated_sig: usize) -> usize {
    let names = 2 * (EXPORT_BIN.len() + EXPORT_SIG.len());
    deflated_bin.saturating_add(deflated_sig).saturating_add(2 * (LOCAL + CENTRAL) + END + names)
}

/// The compressed length of `content`.
pub(crate) fn deflated_len(content: &[u8]) -> Result<usize, WriteArchiveError> {
    Ok(deflate(content)?.iter().map(|(block, _)| block.len()).sum())
}

/// No content of this length is longer when compressed: deflate takes at most nine bits for a byte (RFC 1951, 3.2.6),
/// and some bytes for each block.
pub(crate) const fn longest_deflated(length: usize) -> usize {
    let blocks = length / BLOCK + 1;
    length.saturating_add(length / 8).saturating_add(blocks.saturating_mul(16))
}

/// No archive with members of these lengths is longer.
pub(crate) const fn longest(bin: usize, sig: usize) -> usize {
    length(longest_deflated(bin), longest_deflated(sig))
}

/// A compressed file and what the headers say of it.
struct Member {
    name: &'static str,
    blocks: Vec<Vec<u8>>,
    crc: u32,
    deflated: u32,
    length: u32,
}

impl Member {
    fn deflate(name: &'static str, content: &[u8]) -> Result<Self, WriteArchiveError> {
        let length = u32::try_from(content.len()).map_err(|_| too_large(content.len()))?;
        let mut crc = Crc::new();
        let (mut blocks, mut deflated) = (Vec::new(), 0_usize);
        for (block, of_block) in deflate(content)? {
            crc.combine(&of_block);
            deflated = deflated.saturating_add(block.len());
            blocks.push(block);
        }
        let deflated = u32::try_from(deflated).map_err(|_| too_large(deflated))?;
        Ok(Self { name, blocks, crc: crc.sum(), deflated, length })
    }

    /// Bytes of the member with both of its headers.
    fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Vec::len).sum();
        blocks.saturating_add(LOCAL + CENTRAL + 2 * self.name.len())
    }

    /// The fields that both headers have, in the order in which both have them.
    fn write_fields(&self, header: &mut Vec<u8>) {
        // Version 2.0, no flags, deflated; 1980-01-01 00:00, the first time that the format can say.
        header.extend_from_slice(&[20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0]);
        header.extend_from_slice(&self.crc.to_le_bytes());
        header.extend_from_slice(&self.deflated.to_le_bytes());
        header.extend_from_slice(&self.length.to_le_bytes());
        header.extend_from_slice(&u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_le_bytes());
        // No extra field.
        header.extend_from_slice(&[0; 2]);
    }
}

/// The blocks of the compressed content, each with the checksum of what is in it.
fn deflate(content: &[u8]) -> Result<Vec<(Vec<u8>, Crc)>, WriteArchiveError> {
    let count = content.len().div_ceil(BLOCK).max(1);
    let block = |index: usize| {
        let from = index.saturating_mul(BLOCK);
        let part = content.get(from..).unwrap_or_default();
        let part = part.get(..BLOCK).unwrap_or(part);
        deflate_block(part, index.saturating_add(1) == count)
    };
    if count == 1 {
        return Ok(vec![block(0)?]);
    }
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().map(block).collect()
    }
    #[cfg(not(feature = "rayon"))]
    (0..count).map(block).collect()
}

fn deflate_block(part: &[u8], is_last: bool) -> Result<(Vec<u8>, Crc), WriteArchiveError> {
    let mut crc = Crc::new();
    crc.update(part);
    // Room for all, so that one call is enough: what a compressor gives out must not depend on the room it has.
    let mut deflated = Vec::with_capacity(longest_deflated(part.len()));
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let status = compress.compress_vec(part, &mut deflated, flush);
    let is_whole = match status {
        Ok(Status::StreamEnd) => is_last,
        Ok(_) => !is_last && compress.total_in() == part.len() as u64 && deflated.len() < deflated.capacity(),
        Err(_) => false,
    };
    if !is_whole {
        return Err(WriteArchiveError::Deflate);
    }
    deflated.shrink_to_fit();
    Ok((deflated, crc))
}

/// The archive could not be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteArchiveError {
    /// Too long for the 32-bit numbers of an archive without ZIP64.
    #[error("an archive without ZIP64 holds at most {} bytes, not {bytes}", u32::MAX)]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
    },
    /// The compressor stopped.
    #[error("the archive could not be compressed")]
    Deflate,
}

const fn too_large(bytes: usize) -> WriteArchiveError {
    WriteArchiveError::TooLarge { bytes }
}

/// Bytes of content that are compressed on their own: small enough to keep several threads at work, and large enough
/// that what a block cannot refer to is one part in thirty.
const BLOCK: usize = 1 << 20;
/// How hard the compressor looks: the usual 6. Keys are random; more finds next to nothing.
const LEVEL: u32 = 6;
/// Bytes of a local header, of one in the directory, and of the end of the directory, without names.
const LOCAL: usize = 30;
const CENTRAL: usize = 46;
const END: usize = 22;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::Archive;

    /// As another implementation reads it.
    fn read(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let mut members = Vec::new();
        for index in 0..archive.len() {
            let mut member = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            member.read_to_end(&mut content).unwrap();
            members.push((member.name().unwrap().into_owned(), content));
        }
        members
    }

    /// Half of it random.
    fn content(length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        StdRng::seed_from_u64(1).fill_bytes(&mut content);
        content.iter_mut().step_by(2).for_each(|byte| *byte = 7);
        content
    }

    #[test]
    fn others_read_what_was_written_whatever_its_length() {
        for length in [0, 1, 151, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 17] {
            let (bin, sig) = (content(length), content(130));
            let archive = write(&bin, &sig).unwrap();
            let members = read(&archive);
            assert_eq!(members, [(EXPORT_BIN.to_owned(), bin.clone()), (EXPORT_SIG.to_owned(), sig.clone())]);
            let ours = Archive::read(&archive).unwrap();
            assert_eq!((ours.export_bin(), ours.export_sig()), (bin.as_slice(), sig.as_slice()));
            assert_eq!(archive.len(), length_of(&bin, &sig));
            assert!(archive.len() <= longest(bin.len(), sig.len()));
        }
    }

    fn length_of(bin: &[u8], sig: &[u8]) -> usize {
        length(deflated_len(bin).unwrap(), deflated_len(sig).unwrap())
    }

    #[test]
    fn what_cannot_be_compressed_grows_by_less_than_the_bound() {
        for length in [0, 1, 100, 70_000, BLOCK, 2 * BLOCK + 5] {
            let mut random = vec![0; length];
            StdRng::seed_from_u64(2).fill_bytes(&mut random);
            assert!(deflated_len(&random).unwrap() <= longest_deflated(length), "{length}");
        }
    }

    #[test]
    fn a_block_compressed_alone_is_the_same_as_among_others() {
        let content = content(2 * BLOCK + 9);
        let blocks = deflate(&content).unwrap();
        for (index, part) in content.chunks(BLOCK).enumerate() {
            assert_eq!(blocks[index].0, deflate_block(part, index == 2).unwrap().0);
        }
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn the_bytes_do_not_depend_on_the_number_of_threads() {
        let content = content(5 * BLOCK);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| write(&content, b"").unwrap())
        };
        assert_eq!(with(1), with(3));
    }
}
