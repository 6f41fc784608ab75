//! Reading an archive so that there is only one way to read it.

pub(crate) mod pieces;

use core::fmt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{CONTENT_BIN, CONTENT_SIG, EXPORT_BIN, EXPORT_SIG};
use crate::profile::Duplicates;

/// The members of an archive, inflated and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    export_bin: Vec<u8>,
    export_sig: Vec<u8>,
    content_sig: Option<Vec<u8>>,
    unexpected: Vec<String>,
}

impl Archive {
    /// Reads `bytes` within [`Limits::default`].
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] for anything that two readers could take differently, anything beyond the limits, and a
    /// missing member.
    pub fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        Self::read_within(bytes, &Limits::default())
    }

    /// Reads `bytes` within these limits.
    ///
    /// # Errors
    ///
    /// As [`Archive::read`].
    pub fn read_within(bytes: &[u8], limits: &Limits) -> Result<Self, ArchiveError> {
        Self::of_entries(&layout(bytes, limits, MemberNames::Unique)?)
    }

    /// What a reader sees that takes the first, or else the last, of two members with one name.
    pub(crate) fn read_duplicates(bytes: &[u8], which: Duplicates) -> Result<Self, ArchiveError> {
        let mut entries = layout(bytes, &Limits::default(), MemberNames::Any)?;
        if which == Duplicates::First {
            // What is read last counts.
            entries.reverse();
        }
        Self::of_entries(&entries)
    }

    fn of_entries(entries: &[Entry<'_>]) -> Result<Self, ArchiveError> {
        let (mut export_bin, mut export_sig, mut content_sig) = (None, None, None);
        let mut unexpected = Vec::new();
        for entry in entries {
            match entry.name {
                EXPORT_BIN => export_bin = Some(entry.content()?),
                EXPORT_SIG => export_sig = Some(entry.content()?),
                CONTENT_SIG => {
                    content_sig = Some(entry.content()?);
                    unexpected.push(CONTENT_SIG.to_owned());
                }
                // Not needed, but what an archive holds is whole, or the archive is refused.
                name => {
                    entry.content()?;
                    unexpected.push(name.to_owned());
                }
            }
        }
        Ok(Self {
            export_bin: export_bin.ok_or(ArchiveError::Missing { name: EXPORT_BIN })?,
            export_sig: export_sig.ok_or(ArchiveError::Missing { name: EXPORT_SIG })?,
            content_sig,
            unexpected,
        })
    }

    /// The member that is signed.
    #[must_use]
    pub fn export_bin(&self) -> &[u8] {
        &self.export_bin
    }

    /// The member that holds the signatures.
    #[must_use]
    pub fn export_sig(&self) -> &[u8] {
        &self.export_sig
    }

    /// The CMS signature that Dutch archives carry beside the other.
    #[must_use]
    pub fn content_sig(&self) -> Option<&[u8]> {
        self.content_sig.as_deref()
    }

    /// Names of further members, which phones refuse: `content.sig` in Dutch archives.
    #[must_use]
    pub fn unexpected_members(&self) -> &[String] {
        &self.unexpected
    }
}

/// An archive of the Dutch app that holds anything but keys: `content.bin`, and `content.sig` that signs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContentArchive {
    content_bin: Vec<u8>,
    content_sig: Vec<u8>,
}

impl ContentArchive {
    /// Reads `bytes` within [`Limits::default`].
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] as for [`Archive::read`], for the two other members; [`ArchiveError::Unexpected`] for a third.
    pub fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let (mut content_bin, mut content_sig) = (None, None);
        for entry in &layout(bytes, &Limits::default(), MemberNames::Unique)? {
            match entry.name {
                CONTENT_BIN => content_bin = Some(entry.content()?),
                CONTENT_SIG => content_sig = Some(entry.content()?),
                name => return Err(ArchiveError::Unexpected { name: name.to_owned() }),
            }
        }
        Ok(Self {
            content_bin: content_bin.ok_or(ArchiveError::Missing { name: CONTENT_BIN })?,
            content_sig: content_sig.ok_or(ArchiveError::Missing { name: CONTENT_SIG })?,
        })
    }

    /// The member that is signed.
    #[must_use]
    pub fn content_bin(&self) -> &[u8] {
        &self.content_bin
    }

    /// The member that signs it.
    #[must_use]
    pub fn content_sig(&self) -> &[u8] {
        &self.content_sig
    }
}

/// What else somebody may have signed of an archive: other members, and members as they are compressed. Nothing of an
/// archive that cannot be read, and nothing longer than 16 MiB.
pub(crate) fn other_contents(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    const MAX: usize = 16 << 20;
    let entries = layout(bytes, &Limits::default(), MemberNames::Any).unwrap_or_default();
    let mut contents = Vec::new();
    for entry in &entries {
        if entry.method == DEFLATED && entry.name == EXPORT_BIN {
            contents.push((format!("{} as it is compressed", entry.name), entry.data.to_vec()));
        }
        if entry.name != EXPORT_BIN && entry.length <= MAX {
            contents
                .extend(entry.content().ok().map(|content| (format!("the member {}", entry.name), content)));
        }
    }
    contents
}

/// How large an archive and its members may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest archive, in bytes: 32 MiB, twice what publishers are advised to stay below.
    pub archive_bytes: usize,
    /// Most members: 8.
    pub members: usize,
    /// Longest member, in bytes: 64 MiB, room for 1.9 million keys.
    pub member_bytes: usize,
    /// Longest `export.sig`, in bytes: 64 KiB.
    pub signature_bytes: usize,
    /// Most bytes that one compressed byte may become: 200. Random keys do not compress; a bomb does.
    pub ratio: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 32 << 20,
            members: 8,
            member_bytes: 64 << 20,
            signature_bytes: 64 << 10,
            ratio: 200,
        }
    }
}

/// Why an archive is refused. Offsets count from its first byte.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Longer than the limit.
    #[error("the archive has {length} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes found.
        length: usize,
        /// Most bytes.
        max: usize,
    },
    /// No end of a central directory.
    #[error("this is no ZIP archive, or its end is missing")]
    NotAnArchive,
    /// A comment, or anything else, behind the end.
    #[error("{length} bytes follow the end of the archive")]
    Trailing {
        /// How many.
        length: usize,
    },
    /// Several volumes.
    #[error("the archive is one of several volumes")]
    MultiVolume,
    /// ZIP64, which no archive of this size needs.
    #[error("the archive uses ZIP64")]
    Zip64,
    /// More members than the limit.
    #[error("the archive lists {count} members; at most {max} are read")]
    TooManyMembers {
        /// Members listed.
        count: usize,
        /// Most members.
        max: usize,
    },
    /// A central directory that does not end where it should, or is not one.
    #[error("the central directory cannot be read at byte {offset}")]
    CentralDirectory {
        /// Where.
        offset: usize,
    },
    /// An encrypted member.
    #[error("member {name} is encrypted")]
    Encrypted {
        /// Its name.
        name: String,
    },
    /// Flags without a meaning here.
    #[error("member {name} has the flags {flags:#06x}")]
    Flags {
        /// Its name.
        name: String,
        /// The flags.
        flags: u16,
    },
    /// Neither stored nor deflated.
    #[error("member {name} is compressed by method {method}; 0 (stored) and 8 (deflated) are read")]
    Method {
        /// Its name.
        name: String,
        /// The method.
        method: u16,
    },
    /// A name that could lead out of a directory, or is no plain text.
    #[error("the member name {} is not a plain file name", hex::encode(name))]
    Name {
        /// The name's bytes.
        name: Vec<u8>,
    },
    /// An extra field that gives the member another name or size, or is no field.
    #[error("member {name} has an extra field {id:#06x} that changes what it is")]
    Extra {
        /// Its name.
        name: String,
        /// The field's id.
        id: u16,
    },
    /// A directory or a symbolic link.
    #[error("member {name} is not a regular file")]
    NotAFile {
        /// Its name.
        name: String,
    },
    /// Two members of one name.
    #[error("member {name} occurs twice: readers disagree on which one counts")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Longer than the limit.
    #[error("member {name} has {length} bytes; at most {max} are read")]
    MemberTooLarge {
        /// Its name.
        name: String,
        /// Bytes announced.
        length: usize,
        /// Most bytes.
        max: usize,
    },
    /// Compressed too well.
    #[error("member {name} becomes {length} bytes from {compressed}; at most {max} for each are read")]
    Ratio {
        /// Its name.
        name: String,
        /// Bytes announced.
        length: usize,
        /// Bytes they come from.
        compressed: usize,
        /// Most bytes for each byte.
        max: usize,
    },
    /// A local header that is not there, or says something else than the central directory.
    #[error("the local header of member {name} and the central directory differ in {field}")]
    LocalHeader {
        /// Its name.
        name: String,
        /// In what.
        field: HeaderField,
    },
    /// A member that only readers of local headers see.
    #[error("at byte {offset} there is a member that the central directory does not list")]
    Hidden {
        /// Where its header begins.
        offset: usize,
    },
    /// Bytes that belong to nothing.
    #[error("{length} bytes at byte {offset} belong to no member")]
    Gap {
        /// Where they begin.
        offset: usize,
        /// How many there are.
        length: usize,
    },
    /// Two members that share bytes.
    #[error("member {name} begins at byte {offset}, within the one before it")]
    Overlap {
        /// Its name.
        name: String,
        /// Where it begins.
        offset: usize,
    },
    /// Compressed data that are none.
    #[error("member {name} cannot be inflated")]
    Inflate {
        /// Its name.
        name: String,
    },
    /// Another length than announced.
    #[error("member {name} does not have the {length} bytes it announces")]
    Length {
        /// Its name.
        name: String,
        /// Bytes announced.
        length: usize,
    },
    /// Bytes behind the end of the compressed data, but within the member.
    #[error("{bytes} bytes follow the compressed data of member {name}")]
    TrailingData {
        /// Its name.
        name: String,
        /// How many.
        bytes: usize,
    },
    /// A wrong checksum.
    #[error("member {name} has the checksum {found:08x}, not {expected:08x}")]
    Checksum {
        /// Its name.
        name: String,
        /// What the directory says.
        expected: u32,
        /// What was computed.
        found: u32,
    },
    /// A member that is none of the two.
    #[error("there is a further member {name}")]
    Unexpected {
        /// The name.
        name: String,
    },
    /// No member of that name.
    #[error("there is no member {name}")]
    Missing {
        /// The name.
        name: &'static str,
    },
}

/// What a local header and the central directory disagree about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the fields that both have")]
pub enum HeaderField {
    /// There is no local header.
    Presence,
    /// The member's name.
    Name,
    /// The flags.
    Flags,
    /// The method of compression.
    Method,
    /// The checksum.
    Checksum,
    /// One of the sizes.
    Size,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Presence => "whether there is one",
            Self::Name => "name",
            Self::Flags => "flags",
            Self::Method => "method",
            Self::Checksum => "checksum",
            Self::Size => "size",
        })
    }
}

// Signatures and lengths of the structures (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9, 4.3.12, 4.3.16).
const LOCAL_HEADER: u32 = 0x0403_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_LENGTH: usize = 22;

const FLAG_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Two bits of compression level, sizes behind the data, names in UTF-8: all that writers of these files set.
const FLAGS_KNOWN: u16 = 1 << 1 | 1 << 2 | FLAG_DESCRIPTOR | 1 << 11;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Extra fields that give a member other sizes (ZIP64) or another name (Info-ZIP Unicode path).
const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_UNICODE_PATH: u16 = 0x7075;

/// A member as both headers agree on it.
#[derive(Clone, Debug)]
struct Entry<'a> {
    name: &'a str,
    flags: u16,
    method: u16,
    checksum: u32,
    compressed: usize,
    length: usize,
    local_header: usize,
    data: &'a [u8],
}

impl Entry<'_> {
    fn content(&self) -> Result<Vec<u8>, ArchiveError> {
        let content = if self.method == STORED { self.data.to_vec() } else { self.inflate()? };
        let mut crc = Crc::new();
        crc.update(&content);
        if crc.sum() == self.checksum {
            Ok(content)
        } else {
            Err(ArchiveError::Checksum { name: self.name.into(), expected: self.checksum, found: crc.sum() })
        }
    }

    fn inflate(&self) -> Result<Vec<u8>, ArchiveError> {
        // One byte more than announced, so that a member that goes on is seen to go on.
        let mut content = Vec::with_capacity(self.length.saturating_add(1));
        let mut inflater = Decompress::new(false);
        let status = inflater
            .decompress_vec(self.data, &mut content, FlushDecompress::Finish)
            .map_err(|_| ArchiveError::Inflate { name: self.name.into() })?;
        if content.len() != self.length {
            return Err(ArchiveError::Length { name: self.name.into(), length: self.length });
        }
        if status != Status::StreamEnd {
            return Err(ArchiveError::Inflate { name: self.name.into() });
        }
        let read = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        match self.data.len().saturating_sub(read) {
            0 => Ok(content),
            bytes => Err(ArchiveError::TrailingData { name: self.name.into(), bytes }),
        }
    }
}

/// Whether two members may have one name.
#[derive(Clone, Copy, Eq, PartialEq)]
enum MemberNames {
    Unique,
    Any,
}

/// The members, in the order of their data, after every header was found to agree with every other.
fn layout<'a>(bytes: &'a [u8], limits: &Limits, names: MemberNames) -> Result<Vec<Entry<'a>>, ArchiveError> {
    if bytes.len() > limits.archive_bytes {
        return Err(ArchiveError::TooLarge { length: bytes.len(), max: limits.archive_bytes });
    }
    let end = End::find(bytes)?;
    if end.count > limits.members {
        return Err(ArchiveError::TooManyMembers { count: end.count, max: limits.members });
    }
    let mut directory = Cursor::new(bytes, end.directory);
    let mut entries = Vec::with_capacity(end.count);
    for _ in 0..end.count {
        let entry = central_header(&mut directory, limits)?;
        if names == MemberNames::Unique
            && entries.iter().any(|earlier: &Entry<'_>| earlier.name == entry.name)
        {
            return Err(ArchiveError::Duplicate { name: entry.name.into() });
        }
        entries.push(entry);
    }
    if directory.offset != end.offset {
        return Err(ArchiveError::CentralDirectory { offset: directory.offset });
    }

    entries.sort_by_key(|entry| entry.local_header);
    let mut next = 0;
    for entry in &mut entries {
        nothing_between(bytes, next, entry.local_header, entry.name)?;
        next = local_header(bytes, entry)?;
    }
    nothing_between(bytes, next, end.directory, "")?;
    Ok(entries)
}

/// The record at the end.
struct End {
    offset: usize,
    count: usize,
    directory: usize,
}

impl End {
    fn find(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let last = bytes.len().checked_sub(END_LENGTH).ok_or(ArchiveError::NotAnArchive)?;
        // A comment, and so the distance from the end, is at most 65,535 bytes long.
        let offset = (last.saturating_sub(0xffff)..=last)
            .rev()
            .find(|offset| Cursor::new(bytes, *offset).u32() == Some(END))
            .ok_or(ArchiveError::NotAnArchive)?;
        if offset != last {
            return Err(ArchiveError::Trailing { length: last - offset });
        }
        let mut record = Cursor::new(bytes, offset + 4);
        let mut word = || record.u16().ok_or(ArchiveError::NotAnArchive);
        let (disk, directory_disk, here, count) = (word()?, word()?, word()?, word()?);
        let mut double = || record.u32().ok_or(ArchiveError::NotAnArchive);
        let (size, directory) = (double()?, double()?);
        if here == 0xffff || count == 0xffff || size == u32::MAX || directory == u32::MAX {
            return Err(ArchiveError::Zip64);
        }
        if disk != 0 || directory_disk != 0 || here != count {
            return Err(ArchiveError::MultiVolume);
        }
        if record.u16() != Some(0) {
            return Err(ArchiveError::NotAnArchive);
        }
        let directory = to_usize(directory);
        if directory.checked_add(to_usize(size)) != Some(offset) {
            return Err(ArchiveError::CentralDirectory { offset: directory });
        }
        Ok(Self { offset, count: usize::from(count), directory })
    }
}

fn central_header<'a>(directory: &mut Cursor<'a>, limits: &Limits) -> Result<Entry<'a>, ArchiveError> {
    let at = directory.offset;
    let broken = ArchiveError::CentralDirectory { offset: at };
    let mut read = || {
        if directory.u32()? != CENTRAL_HEADER {
            return None;
        }
        let made_by = directory.u16()?;
        let _needed = directory.u16()?;
        let (flags, method) = (directory.u16()?, directory.u16()?);
        let _time_and_date = directory.u32()?;
        let (checksum, compressed, length) = (directory.u32()?, directory.u32()?, directory.u32()?);
        let (name_length, extra_length, comment_length) =
            (directory.u16()?, directory.u16()?, directory.u16()?);
        let disk = directory.u16()?;
        let _internal = directory.u16()?;
        let (attributes, local_header) = (directory.u32()?, directory.u32()?);
        let name = directory.take(usize::from(name_length))?;
        let extra = directory.take(usize::from(extra_length))?;
        let _comment = directory.take(usize::from(comment_length))?;
        Some((
            made_by,
            flags,
            method,
            checksum,
            compressed,
            length,
            disk,
            attributes,
            local_header,
            name,
            extra,
        ))
    };
    let Some((
        made_by,
        flags,
        method,
        checksum,
        compressed,
        length,
        disk,
        attributes,
        local_header,
        name,
        extra,
    )) = read()
    else {
        return Err(broken);
    };

    let name = plain_name(name)?;
    if compressed == u32::MAX || length == u32::MAX || local_header == u32::MAX {
        return Err(ArchiveError::Zip64);
    }
    if disk != 0 {
        return Err(ArchiveError::MultiVolume);
    }
    check_extra(name, extra)?;
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(ArchiveError::Encrypted { name: name.into() });
    }
    if flags & !FLAGS_KNOWN != 0 {
        return Err(ArchiveError::Flags { name: name.into(), flags });
    }
    // Only a deflated member shows by itself where it ends, so only there may the sizes stand behind the data.
    if method == STORED && flags & FLAG_DESCRIPTOR != 0 {
        return Err(ArchiveError::Flags { name: name.into(), flags });
    }
    if method != STORED && method != DEFLATED {
        return Err(ArchiveError::Method { name: name.into(), method });
    }
    if !is_regular_file(made_by, attributes) {
        return Err(ArchiveError::NotAFile { name: name.into() });
    }
    let (compressed, length) = (to_usize(compressed), to_usize(length));
    let max = if name == EXPORT_SIG { limits.signature_bytes } else { limits.member_bytes };
    if length > max {
        return Err(ArchiveError::MemberTooLarge { name: name.into(), length, max });
    }
    if method == STORED && compressed != length {
        return Err(ArchiveError::Length { name: name.into(), length });
    }
    if length > compressed.saturating_mul(limits.ratio) {
        return Err(ArchiveError::Ratio { name: name.into(), length, compressed, max: limits.ratio });
    }
    let local_header = to_usize(local_header);
    Ok(Entry { name, flags, method, checksum, compressed, length, local_header, data: &[] })
}

/// Checks the local header and the descriptor of `entry` against the central directory, and gives the end of the member.
fn local_header<'a>(bytes: &'a [u8], entry: &mut Entry<'a>) -> Result<usize, ArchiveError> {
    let differs = |field| ArchiveError::LocalHeader { name: entry.name.into(), field };
    let absent = || differs(HeaderField::Presence);
    let mut cursor = Cursor::new(bytes, entry.local_header);
    if cursor.u32() != Some(LOCAL_HEADER) {
        return Err(absent());
    }
    let mut read = || {
        let _needed = cursor.u16()?;
        let (flags, method) = (cursor.u16()?, cursor.u16()?);
        let _time_and_date = cursor.u32()?;
        let numbers = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let (name_length, extra_length) = (cursor.u16()?, cursor.u16()?);
        let name = cursor.take(usize::from(name_length))?;
        let extra = cursor.take(usize::from(extra_length))?;
        Some((flags, method, numbers, name, extra))
    };
    let (flags, method, numbers, name, extra) = read().ok_or_else(absent)?;
    if name != entry.name.as_bytes() {
        return Err(differs(HeaderField::Name));
    }
    check_extra(entry.name, extra)?;
    if flags != entry.flags {
        return Err(differs(HeaderField::Flags));
    }
    if method != entry.method {
        return Err(differs(HeaderField::Method));
    }
    let same = |(checksum, compressed, length): (u32, u32, u32)| {
        if checksum != entry.checksum {
            Err(differs(HeaderField::Checksum))
        } else if to_usize(compressed) != entry.compressed || to_usize(length) != entry.length {
            Err(differs(HeaderField::Size))
        } else {
            Ok(())
        }
    };
    let data = cursor.take(entry.compressed).ok_or_else(absent)?;
    if flags & FLAG_DESCRIPTOR == 0 {
        same(numbers)?;
    } else {
        // What is not known yet is 0 in the local header; some writers know the length before they know the rest.
        let known = |number: u32, expected: u32| if number == 0 { expected } else { number };
        let (checksum, compressed, length) = numbers;
        let of_entry = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        same((
            known(checksum, entry.checksum),
            known(compressed, of_entry(entry.compressed)),
            known(length, of_entry(entry.length)),
        ))?;
        // The signature of the descriptor may be left out; a checksum that looks like it is told by what follows.
        let descriptor = |cursor: &mut Cursor<'_>| Some((cursor.u32()?, cursor.u32()?, cursor.u32()?));
        let mut signed = cursor;
        let has_signature = signed.u32() == Some(DATA_DESCRIPTOR);
        let with_signature = descriptor(&mut signed).filter(|_| has_signature);
        match with_signature {
            Some(numbers) if same(numbers).is_ok() => cursor = signed,
            _ => same(descriptor(&mut cursor).ok_or_else(absent)?)?,
        }
    }
    entry.data = data;
    Ok(cursor.offset)
}

/// Refuses anything between the end of one member and the beginning of the next.
fn nothing_between(bytes: &[u8], end: usize, begin: usize, name: &str) -> Result<(), ArchiveError> {
    if begin < end {
        return Err(ArchiveError::Overlap { name: name.into(), offset: begin });
    }
    if begin == end {
        return Ok(());
    }
    if Cursor::new(bytes, end).u32() == Some(LOCAL_HEADER) {
        Err(ArchiveError::Hidden { offset: end })
    } else {
        Err(ArchiveError::Gap { offset: end, length: begin - end })
    }
}

/// A file name in the root: printable ASCII without separators, drive letters or leading dots.
fn plain_name(name: &[u8]) -> Result<&str, ArchiveError> {
    let is_plain = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(b".")
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    core::str::from_utf8(name)
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| ArchiveError::Name { name: name.iter().copied().take(255).collect() })
}

fn check_extra(name: &str, extra: &[u8]) -> Result<(), ArchiveError> {
    let mut cursor = Cursor::new(extra, 0);
    while cursor.offset < extra.len() {
        let id = cursor.u16().unwrap_or_default();
        let field = cursor.u16().and_then(|length| cursor.take(usize::from(length)));
        if field.is_none() || id == EXTRA_ZIP64 || id == EXTRA_UNICODE_PATH {
            return Err(ArchiveError::Extra { name: name.into(), id });
        }
    }
    Ok(())
}

/// Whether the attributes name a regular file, or nothing.
const fn is_regular_file(made_by: u16, attributes: u32) -> bool {
    const DOS_DIRECTORY: u32 = 0x10;
    const UNIX: u16 = 3;
    let unix_kind = (attributes >> 16) & 0o170_000;
    attributes & DOS_DIRECTORY == 0 && (made_by >> 8 != UNIX || unix_kind == 0 || unix_kind == 0o100_000)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Reads little-endian numbers one after the other.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.offset.checked_add(length)?;
        let taken = self.bytes.get(self.offset..end)?;
        self.offset = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests;
