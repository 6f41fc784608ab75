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
    for archive in
        [make(&[hidden(), bin(), sig()]), make(&[bin(), hidden(), sig()]), make(&[bin(), sig(), hidden()])]
    {
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
    assert!(matches!(read(&two(Made { descriptor: Some(true), ..bin() })), Err(ArchiveError::Flags { .. })));
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
    let with = |data: &[u8], content: &[u8]| read(&two(Made { method: DEFLATED, data, content, ..bin() }));
    assert!(with(&data, BIN).is_ok());
    let mut longer = data.clone();
    longer.push(0);
    assert_eq!(with(&longer, BIN), Err(ArchiveError::TrailingData { name: "export.bin".into(), bytes: 1 }));
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
