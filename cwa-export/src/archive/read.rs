//! Reading an archive so that there is only one way to read it.

use core::fmt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{EXPORT_BIN, EXPORT_SIG};

/// The members of an archive, inflated and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    export_bin: Vec<u8>,
    export_sig: Vec<u8>,
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
        let entries = layout(bytes, limits)?;
        let (mut export_bin, mut export_sig, mut unexpected) = (None, None, Vec::new());
        for entry in &entries {
            match entry.name {
                EXPORT_BIN => export_bin = Some(entry.content()?),
                EXPORT_SIG => export_sig = Some(entry.content()?),
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

    /// Names of further members, which phones refuse: `content.sig` in Dutch archives.
    #[must_use]
    pub fn unexpected_members(&self) -> &[String] {
        &self.unexpected
    }
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

/// The members, in the order of their data, after every header was found to agree with every other.
fn layout<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<Entry<'a>>, ArchiveError> {
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
        if entries.iter().any(|earlier: &Entry<'_>| earlier.name == entry.name) {
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
mod tests {
    use super::super::write;
    use super::*;

    const BIN: &[u8] = b"EK Export v1    and something that is said and said and said again";
    const SIG: &[u8] = b"signatures";

    fn good() -> Vec<u8> {
        write(BIN, SIG).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ArchiveError> {
        Archive::read(bytes).map(|archive| (archive.export_bin, archive.export_sig))
    }

    /// One member, written byte by byte.
    struct Made<'a> {
        name: &'a [u8],
        local_name: &'a [u8],
        flags: u16,
        method: u16,
        data: &'a [u8],
        content: &'a [u8],
        descriptor: Option<bool>,
        extra: &'a [u8],
        attributes: u32,
        in_directory: bool,
        before: &'a [u8],
    }

    impl<'a> Made<'a> {
        fn stored(name: &'a [u8], content: &'a [u8]) -> Self {
            Made {
                name,
                local_name: name,
                flags: 0,
                method: STORED,
                data: content,
                content,
                descriptor: None,
                extra: &[],
                attributes: 0,
                in_directory: true,
                before: &[],
            }
        }
    }

    fn make(members: &[Made<'_>]) -> Vec<u8> {
        let (mut archive, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
        for member in members {
            archive.extend_from_slice(member.before);
            let offset = u32::try_from(archive.len()).unwrap();
            let mut crc = Crc::new();
            crc.update(member.content);
            let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
            let numbers: Vec<u8> = [crc.sum(), length(member.data), length(member.content)]
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            let short = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_le_bytes();
            let flags = member.flags | if member.descriptor.is_some() { FLAG_DESCRIPTOR } else { 0 };

            archive.extend_from_slice(&LOCAL_HEADER.to_le_bytes());
            archive.extend_from_slice(&20_u16.to_le_bytes());
            archive.extend_from_slice(&flags.to_le_bytes());
            archive.extend_from_slice(&member.method.to_le_bytes());
            archive.extend_from_slice(&[0; 4]);
            archive.extend_from_slice(if member.descriptor.is_some() { &[0; 12] } else { &numbers });
            archive.extend_from_slice(&short(member.local_name));
            archive.extend_from_slice(&short(&[]));
            archive.extend_from_slice(member.local_name);
            archive.extend_from_slice(member.data);
            if let Some(with_signature) = member.descriptor {
                if with_signature {
                    archive.extend_from_slice(&DATA_DESCRIPTOR.to_le_bytes());
                }
                archive.extend_from_slice(&numbers);
            }
            if !member.in_directory {
                continue;
            }
            count += 1;
            directory.extend_from_slice(&CENTRAL_HEADER.to_le_bytes());
            directory.extend_from_slice(&[20, 3, 20, 0]);
            directory.extend_from_slice(&flags.to_le_bytes());
            directory.extend_from_slice(&member.method.to_le_bytes());
            directory.extend_from_slice(&[0; 4]);
            directory.extend_from_slice(&numbers);
            directory.extend_from_slice(&short(member.name));
            directory.extend_from_slice(&short(member.extra));
            directory.extend_from_slice(&[0; 6]);
            directory.extend_from_slice(&member.attributes.to_le_bytes());
            directory.extend_from_slice(&offset.to_le_bytes());
            directory.extend_from_slice(member.name);
            directory.extend_from_slice(member.extra);
        }
        let (size, offset) = (u32::try_from(directory.len()).unwrap(), u32::try_from(archive.len()).unwrap());
        archive.extend_from_slice(&directory);
        archive.extend_from_slice(&END.to_le_bytes());
        archive.extend_from_slice(&[0; 4]);
        archive.extend_from_slice(&count.to_le_bytes());
        archive.extend_from_slice(&count.to_le_bytes());
        archive.extend_from_slice(&size.to_le_bytes());
        archive.extend_from_slice(&offset.to_le_bytes());
        archive.extend_from_slice(&[0; 2]);
        archive
    }

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(1024 + content.len());
        let status = flate2::Compress::new(flate2::Compression::best(), false)
            .compress_vec(content, &mut data, flate2::FlushCompress::Finish)
            .unwrap();
        assert_eq!(status, Status::StreamEnd);
        data
    }

    fn two(bin: Made<'_>) -> Vec<u8> {
        make(&[bin, Made::stored(b"export.sig", SIG)])
    }

    fn bin() -> Made<'static> {
        Made::stored(b"export.bin", BIN)
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&good()), Ok((BIN.to_vec(), SIG.to_vec())));
        assert_eq!(read(&two(bin())), Ok((BIN.to_vec(), SIG.to_vec())));
        assert_eq!(read(&write(b"", b"").unwrap()), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn sizes_behind_the_data_are_read_with_and_without_their_signature() {
        let data = deflated(BIN);
        for with_signature in [true, false] {
            let bin = Made { method: DEFLATED, data: &data, descriptor: Some(with_signature), ..bin() };
            assert_eq!(read(&two(bin)), Ok((BIN.to_vec(), SIG.to_vec())));
        }
    }

    #[test]
    fn the_zip_library_reads_what_was_written() {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(good())).unwrap();
        let names: Vec<_> =
            (0..archive.len()).map(|i| archive.by_index(i).unwrap().name().unwrap().into_owned()).collect();
        assert_eq!(names, ["export.bin", "export.sig"]);
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name("export.bin").unwrap(), &mut content).unwrap();
        assert_eq!(content, BIN);
    }

    #[test]
    fn a_further_member_is_read_and_named() {
        let archive = make(&[bin(), Made::stored(b"export.sig", SIG), Made::stored(b"content.sig", b"x")]);
        assert_eq!(Archive::read(&archive).unwrap().unexpected_members(), ["content.sig"]);
    }

    #[test]
    fn a_member_that_occurs_twice_is_refused() {
        let archive = make(&[bin(), bin(), Made::stored(b"export.sig", SIG)]);
        assert_eq!(read(&archive), Err(ArchiveError::Duplicate { name: "export.bin".into() }));
    }

    #[test]
    fn a_member_that_the_directory_does_not_list_is_refused_wherever_it_is() {
        let hidden = || Made { in_directory: false, ..bin() };
        let sig = || Made::stored(b"export.sig", SIG);
        for archive in [
            make(&[hidden(), bin(), sig()]),
            make(&[bin(), hidden(), sig()]),
            make(&[bin(), sig(), hidden()]),
        ] {
            assert!(matches!(read(&archive), Err(ArchiveError::Hidden { .. })));
        }
    }

    #[test]
    fn bytes_before_between_and_behind_are_refused() {
        let prepended = make(&[Made { before: b"#!/bin/sh", ..bin() }, Made::stored(b"export.sig", SIG)]);
        assert_eq!(read(&prepended), Err(ArchiveError::Gap { offset: 0, length: 9 }));
        let between = make(&[bin(), Made { before: b"gap", ..Made::stored(b"export.sig", SIG) }]);
        assert!(matches!(read(&between), Err(ArchiveError::Gap { length: 3, .. })));
        let mut behind = good();
        behind.extend_from_slice(b"tail");
        assert_eq!(read(&behind), Err(ArchiveError::Trailing { length: 4 }));
        let mut shifted = b"xx".to_vec();
        shifted.extend(good());
        assert!(matches!(read(&shifted), Err(ArchiveError::CentralDirectory { .. })));
    }

    #[test]
    fn headers_that_disagree_are_refused() {
        let renamed = two(Made { local_name: b"export.bim", ..bin() });
        let error = ArchiveError::LocalHeader { name: "export.bin".into(), field: HeaderField::Name };
        assert_eq!(read(&renamed), Err(error));

        // Byte by byte: flags 6, method 8, checksum 14, size 18 and 22 of the first local header.
        for (at, field) in [
            (6, HeaderField::Flags),
            (8, HeaderField::Method),
            (14, HeaderField::Checksum),
            (18, HeaderField::Size),
            (22, HeaderField::Size),
        ] {
            let mut archive = two(bin());
            archive[at] ^= 2;
            let error = ArchiveError::LocalHeader { name: "export.bin".into(), field };
            assert_eq!(read(&archive), Err(error));
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            &b"../export.bin"[..],
            b"/export.bin",
            b"a/export.bin",
            b"..\\export.bin",
            b"C:export.bin",
            b"export.bin\0",
            b".export.bin",
            b"",
            b"expo\xffrt.bin",
            b"dir/",
        ] {
            let archive = two(Made::stored(name, BIN));
            assert_eq!(read(&archive), Err(ArchiveError::Name { name: name.to_vec() }));
        }
        let archive = make(&[Made::stored(b"EXPORT.BIN", BIN), Made::stored(b"export.sig", SIG)]);
        assert_eq!(read(&archive), Err(ArchiveError::Missing { name: "export.bin" }));
        assert_eq!(read(&make(&[bin()])), Err(ArchiveError::Missing { name: "export.sig" }));
    }

    #[test]
    fn directories_links_and_other_extras_are_refused() {
        let not_a_file = Err(ArchiveError::NotAFile { name: "export.bin".into() });
        assert_eq!(read(&two(Made { attributes: 0x10, ..bin() })), not_a_file);
        assert_eq!(read(&two(Made { attributes: 0o120_777 << 16, ..bin() })), not_a_file);
        assert!(read(&two(Made { attributes: 0o100_644 << 16, ..bin() })).is_ok());
        let extra = |extra| read(&two(Made { extra, ..bin() }));
        assert_eq!(extra(&[1, 0, 0, 0]), Err(ArchiveError::Extra { name: "export.bin".into(), id: 1 }));
        assert!(matches!(extra(&[0x75, 0x70, 0, 0]), Err(ArchiveError::Extra { .. })));
        assert!(matches!(extra(&[9, 9, 9]), Err(ArchiveError::Extra { .. })));
        assert!(extra(&[0x55, 0x54, 1, 0, 7]).is_ok());
    }

    #[test]
    fn encryption_other_methods_and_unknown_flags_are_refused() {
        let name = || "export.bin".to_owned();
        for flags in [1, 1 << 6, 1 << 13] {
            assert_eq!(read(&two(Made { flags, ..bin() })), Err(ArchiveError::Encrypted { name: name() }));
        }
        assert_eq!(
            read(&two(Made { flags: 1 << 5, ..bin() })),
            Err(ArchiveError::Flags { name: name(), flags: 32 })
        );
        assert!(matches!(
            read(&two(Made { descriptor: Some(true), ..bin() })),
            Err(ArchiveError::Flags { .. })
        ));
        assert_eq!(
            read(&two(Made { method: 12, ..bin() })),
            Err(ArchiveError::Method { name: name(), method: 12 })
        );
    }

    #[test]
    fn bombs_and_large_members_are_refused_before_they_are_inflated() {
        let zeros = vec![0; 1 << 20];
        let data = deflated(&zeros);
        let bomb = two(Made { method: DEFLATED, data: &data, content: &zeros, ..bin() });
        assert!(matches!(read(&bomb), Err(ArchiveError::Ratio { length: 1_048_576, max: 200, .. })));

        let tight = Limits { member_bytes: 10, ..Limits::default() };
        assert!(matches!(
            Archive::read_within(&good(), &tight),
            Err(ArchiveError::MemberTooLarge { max: 10, .. })
        ));
        let tight = Limits { archive_bytes: 10, ..Limits::default() };
        assert!(matches!(Archive::read_within(&good(), &tight), Err(ArchiveError::TooLarge { max: 10, .. })));
        let many: Vec<String> = (0..9).map(|number| format!("m{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| Made::stored(name.as_bytes(), b"")).collect();
        assert_eq!(read(&make(&many)), Err(ArchiveError::TooManyMembers { count: 9, max: 8 }));
    }

    #[test]
    fn compressed_data_must_be_whole_and_nothing_more() {
        let data = deflated(BIN);
        let with =
            |data: &[u8], content: &[u8]| read(&two(Made { method: DEFLATED, data, content, ..bin() }));
        assert!(with(&data, BIN).is_ok());
        let mut longer = data.clone();
        longer.push(0);
        assert_eq!(
            with(&longer, BIN),
            Err(ArchiveError::TrailingData { name: "export.bin".into(), bytes: 1 })
        );
        assert!(with(&data[..data.len() - 1], BIN).is_err());
        assert!(matches!(with(&data, &BIN[..10]), Err(ArchiveError::Length { length: 10, .. })));
        assert!(matches!(with(&[0xff; 20], BIN), Err(ArchiveError::Inflate { .. })));
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let mut archive = two(bin());
        let content_at = archive.windows(4).position(|window| window == b"said").unwrap();
        archive[content_at] ^= 1;
        assert!(matches!(read(&archive), Err(ArchiveError::Checksum { .. })));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_gives_an_error_or_the_same_content() {
        let archive = good();
        for length in 0..archive.len() {
            assert!(read(&archive[..length]).is_err(), "cut to {length}");
        }
        let whole = read(&archive);
        for bit in 0..archive.len() * 8 {
            let mut flipped = archive.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Times, versions and permissions carry nothing; whatever is still read is what was written.
            let read = read(&flipped);
            assert!(read.is_err() || read == whole, "bit {bit}");
        }
    }

    #[test]
    fn an_archive_that_lies_about_itself_is_refused() {
        assert_eq!(read(b""), Err(ArchiveError::NotAnArchive));
        assert_eq!(read(&[0; 100]), Err(ArchiveError::NotAnArchive));
        let end = good().len() - END_LENGTH;
        let change = |at: usize, bytes: &[u8]| {
            let mut archive = good();
            archive[end + at..end + at + bytes.len()].copy_from_slice(bytes);
            read(&archive)
        };
        assert_eq!(change(4, &[1, 0]), Err(ArchiveError::MultiVolume));
        assert_eq!(change(8, &[0xff; 4]), Err(ArchiveError::Zip64));
        assert_eq!(change(16, &[0xff; 4]), Err(ArchiveError::Zip64));
        assert!(matches!(change(8, &[1, 0, 1, 0]), Err(ArchiveError::CentralDirectory { .. })));
        assert!(matches!(change(8, &[3, 0, 3, 0]), Err(ArchiveError::CentralDirectory { .. })));
    }
}
