//! The rules for a file as a whole.

use cwa_crypto::UnixTime;

use super::Sink;
use crate::content::ExportContent;
use crate::finding::Code;
use crate::profile::Profile;
use crate::signature::{ECDSA_P256_SHA256, SignatureInfo};

/// Whether a finding of an [`Audit`](crate::audit::Audit) is about the file rather than about who signed it. Findings
/// about keys are told in more detail by lint itself.
pub(super) fn can_be_seen_without_a_key(code: Code) -> bool {
    matches!(
        code,
        Code::ArchiveUnreadable
            | Code::UnexpectedMember
            | Code::NotAnExport
            | Code::Malformed
            | Code::UnknownField
            | Code::RepeatedField
            | Code::NotCanonical
            | Code::NumberOverflow
            | Code::BatchInvalid
            | Code::TimesInvalid
            | Code::SignatureListMalformed
            | Code::Unsigned
            | Code::SignatureEncoding
            | Code::SignatureInfoMismatch
            | Code::SignatureCount
            | Code::SignatureBatch
            | Code::SignatureAlgorithm
            | Code::LegacySignatureInfo
            | Code::TooManySignatures
    )
}

/// Whether sizes stand behind a member's data: bit 3 of the flags in its entry of the central directory.
pub(super) fn uses_descriptors(archive: &[u8]) -> bool {
    const CENTRAL: &[u8] = b"PK\x01\x02";
    // An archive that was read has no comment: its last 22 bytes tell where the directory begins.
    let offset = archive.len().checked_sub(6).and_then(|at| archive.get(at..at.saturating_add(4)));
    let offset = offset.and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)));
    let Some(mut entry) = offset.and_then(|offset| archive.get(usize::try_from(offset).ok()?..)) else {
        return false;
    };
    let field = |entry: &[u8], at: usize| -> Option<usize> {
        Some(u16::from_le_bytes([*entry.get(at)?, *entry.get(at.saturating_add(1))?]).into())
    };
    while entry.starts_with(CENTRAL) {
        if field(entry, 8).is_some_and(|flags| flags & 8 != 0) {
            return true;
        }
        let lengths = [28, 30, 32].into_iter().filter_map(|at| field(entry, at));
        let length = lengths.fold(46_usize, usize::saturating_add);
        entry = entry.get(length..).unwrap_or_default();
    }
    false
}

pub(super) fn look_at(
    content: &ExportContent<'_>,
    size: usize,
    profile: Profile,
    now: Option<UnixTime>,
    sink: &mut Sink,
) {
    times(content, now, sink);
    batch(content, sink);
    region(content.region(), sink);
    for (info, number) in content.signature_infos().iter().zip(1..) {
        signature_info(info, number, sink);
    }
    newest_first(content.signature_infos(), sink);
    counts(content, size, profile, sink);
}

fn times(content: &ExportContent<'_>, now: Option<UnixTime>, sink: &mut Sink) {
    match (content.start_timestamp(), content.end_timestamp()) {
        (Some(_), Some(_)) => {}
        (None, Some(_)) => sink.file(Code::TimesMissing, "the export has no start_timestamp"),
        (Some(_), None) => sink.file(Code::TimesMissing, "the export has no end_timestamp"),
        (None, None) => {
            sink.file(Code::TimesMissing, "the export has neither start_timestamp nor end_timestamp")
        }
    }
    if let (Some(now), Some(end)) = (now, content.end_timestamp())
        && end > now
    {
        let message = format!("the export ends at {}, after {}", end.as_secs(), now.as_secs());
        sink.file(Code::EndsInFuture, message);
    }
}

fn batch(content: &ExportContent<'_>, sink: &mut Sink) {
    match (content.batch_num(), content.batch_size()) {
        (None, None) => sink.file(Code::BatchMissing, "the export has neither batch_num nor batch_size"),
        (Some(num), Some(size)) if (num, size) != (1, 1) => {
            sink.file(Code::BatchNotSingle, format!("the file is number {num} of {size}"));
        }
        _ => {}
    }
}

fn region(region: Option<&str>, sink: &mut Sink) {
    match region {
        None => sink.file(Code::RegionForm, "the export has no region"),
        Some(region) if region.len() == 2 && region.bytes().all(|c| c.is_ascii_uppercase()) => {}
        Some(region) => sink.file(Code::RegionForm, format!("the region is {region:?}")),
    }
}

fn signature_info(info: &SignatureInfo, number: usize, sink: &mut Sink) {
    // Key version and id, by the fields of May 2020: the algorithm stands where the id should.
    if info.verification_key_id.as_deref() == Some(ECDSA_P256_SHA256) {
        if !sink.has(Code::LegacySignatureInfo) {
            let message = format!("signature info {number} of the export has the field numbers of May 2020");
            sink.file(Code::LegacySignatureInfo, message);
        }
        return;
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (id, version) = (text(&info.verification_key_id), text(&info.verification_key_version));
    for (name, value, full_stop) in
        [("verification_key_id", &id, true), ("verification_key_version", &version, false)]
    {
        if value.is_empty() {
            sink.file(Code::KeyNameMissing, format!("signature info {number} has no {name}"));
        } else if !value.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || full_stop && c == b'.') {
            sink.file(Code::KeyNameCharacters, format!("{name} of signature info {number} is {value:?}"));
        }
    }
    for (name, value) in [
        ("app_bundle_id", &info.app_bundle_id),
        ("android_package", &info.android_package),
        ("verification_key_id", &info.verification_key_id),
        ("verification_key_version", &info.verification_key_version),
    ] {
        let Some(value) = value else { continue };
        if value.trim() != value {
            sink.file(Code::BlankInName, format!("{name} of signature info {number} is {value:?}"));
        }
        if name.starts_with("a") {
            sink.file(Code::ReservedField, format!("signature info {number} has {name} {value:?}"));
        }
    }
    let algorithm = info.signature_algorithm.as_deref();
    if algorithm != Some(ECDSA_P256_SHA256) && !sink.has(Code::SignatureAlgorithm) {
        let found = algorithm.map_or_else(|| "absent".to_owned(), |text| format!("{text:?}"));
        let message = format!("the algorithm of signature info {number} is {found}, not {ECDSA_P256_SHA256}");
        sink.file(Code::SignatureAlgorithm, message);
    }
}

/// Versions of one key id descend, as far as they are numbers.
fn newest_first(infos: &[SignatureInfo], sink: &mut Sink) {
    let version = |info: &SignatureInfo| -> Option<u32> {
        info.verification_key_version.as_deref()?.trim_start_matches(['v', 'V']).parse().ok()
    };
    let Some(first) = infos.first() else { return };
    let of_the_key = infos.iter().filter(|info| info.verification_key_id == first.verification_key_id);
    if let (Some(own), Some(newest)) = (version(first), of_the_key.filter_map(version).max())
        && own < newest
    {
        let message = format!("version {own} of the key stands before version {newest}");
        sink.file(Code::InfosNotNewestFirst, message);
    }
}

fn counts(content: &ExportContent<'_>, size: usize, profile: Profile, sink: &mut Sink) {
    /// What phones are promised at most.
    const MAX_KEYS: usize = 750_000;
    const MAX_BYTES: usize = 16 << 20;
    let count = content.key_count().saturating_add(content.revised_key_count());
    if count > MAX_KEYS {
        sink.file(Code::TooManyKeys, format!("the file has {count} keys; {MAX_KEYS} are promised to work"));
    }
    if size > MAX_BYTES {
        sink.file(Code::TooManyKeys, format!("the file has {size} bytes; {MAX_BYTES} are promised to work"));
    }
    let fewest = profile.fewest_keys();
    if count == 0 {
        sink.file(Code::NoKeys, "the file has no keys");
    } else if count < fewest {
        sink.file(
            Code::FewKeys,
            format!("the file has {count} of the {fewest} keys that it should have at least"),
        );
    }
}
