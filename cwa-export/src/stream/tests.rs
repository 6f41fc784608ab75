use cwa_crypto::{ENIntervalNumber, ReportType, RollingPeriod, TransmissionRiskLevel};
use p256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::archive;
use crate::export::Export;
use crate::signature::{self, SoftwareSigner};
use crate::verify::{ParseExportError, UnverifiedExport};
use crate::{Archive, TrustedKey};

const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v9"))
}

fn trusted() -> TrustStore {
    [TrustedKey::given("mine", *signer().verifying_key())].into_iter().collect()
}

fn key(number: u64) -> ExportKey {
    let data = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).rotate_left(37);
    let start = ENIntervalNumber::at(START.minus(86_400 * (1 + number % 13)));
    let mut key = DiagnosisKey::new(data.to_be_bytes(), start, RollingPeriod::FULL_DAY);
    key.transmission_risk_level = TransmissionRiskLevel::try_from(i64::try_from(number % 9).unwrap()).ok();
    key.report_type = Some(ReportType::ConfirmedTest);
    key.into()
}

/// Keys, revised keys, region.
type Keys = (Vec<DiagnosisKey>, Vec<DiagnosisKey>, Option<String>);

/// What an archive gives when it is read in pieces.
fn streamed(archive: &[u8]) -> Result<Keys, StreamError> {
    let (verified, folded) =
        ExportStream::open(archive)?
            .verify_and_fold(&trusted(), Vec::new(), |keys: &mut Vec<_>, key| keys.push(key))?;
    let (mut keys, mut revised) = (Vec::new(), Vec::new());
    verified.for_each_key(|key| keys.push(key))?;
    verified.for_each_revised_key(|key| revised.push(key))?;
    assert_eq!(folded, keys, "both passes give the same keys");
    assert_eq!((verified.key_count(), verified.revised_key_count()), (keys.len(), revised.len()));
    Ok((keys, revised, verified.region().map(Into::into)))
}

/// The same of an archive that is read as a whole.
fn whole(archive: &[u8]) -> Result<Keys, StreamError> {
    let archive = Archive::read(archive)?;
    let export =
        UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).map_err(|error| match error {
            ParseExportError::Content(error) => StreamError::Content(error),
            ParseExportError::SignatureList(error) => error.into(),
        })?;
    let verified = export.verify(&trusted())?;
    let content = verified.content();
    Ok((verified.keys().collect(), content.revised_keys().collect(), content.region().map(Into::into)))
}

/// An archive of these bytes, signed as they are; members are stored or deflated.
fn signed(export_bin: &[u8]) -> Vec<u8> {
    archive::write(export_bin, &signature::sign(export_bin, &[&signer()]).unwrap()).unwrap()
}

#[test]
fn a_package_of_many_pieces_is_read_as_one_that_is_read_as_a_whole() {
    // A megabyte and more: several pieces, and keys that lie across their borders.
    let mut export = Export::new(START, START.plus(3600), "DE", (0..40_000).map(key).collect());
    export.revised_keys = (50_000..50_010).map(key).collect();
    let sorted = export.sign(&[&signer()]).unwrap().to_archive().unwrap();
    assert_eq!(streamed(&sorted), whole(&sorted));
    assert_eq!(streamed(&sorted).unwrap().0.len(), 40_000);
    export.keys.swap(3, 30_000);
    let unsorted = export.sign(&[&signer()]).unwrap().to_archive().unwrap();
    assert_eq!(streamed(&unsorted), whole(&unsorted));
    export.keys[7] = export.keys[39_000];
    let twice = export.sign(&[&signer()]).unwrap().to_archive().unwrap();
    assert!(matches!(streamed(&twice), Err(StreamError::Verify(VerifyError::Refused { .. }))));
    assert_eq!(streamed(&twice), whole(&twice));
}

#[test]
fn nothing_comes_out_of_a_package_whose_signature_is_wrong() {
    let files = Export::new(START, START.plus(3600), "DE", vec![key(1)]).sign(&[&signer()]).unwrap();
    let mut other = files.export_bin.clone();
    *other.last_mut().unwrap() ^= 1;
    let archive = archive::write(&other, &files.export_sig).unwrap();
    assert_eq!(streamed(&archive), Err(VerifyError::SignatureMismatch.into()));
}

#[test]
fn unknown_fields_of_any_length_are_passed_over_and_known_ones_are_not_held_without_bound() {
    let files = Export::new(START, START.plus(3600), "DE", vec![key(1)]).sign(&[&signer()]).unwrap();
    let field = |tag: u8, length: usize| {
        let mut field = vec![tag];
        prost::encoding::encode_varint(length as u64, &mut field);
        // Does not compress by more than an archive may.
        field.extend((0..length).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[5]));
        field
    };
    let with = |field: &[u8]| signed(&[files.export_bin.as_slice(), field, &[0x78, 1]].concat());
    // Field 15, bytes; behind it field 15 as a number.
    for length in [0, 100, MAX_FIELD, 5 * MAX_FIELD, 9 * MAX_FIELD + 17] {
        let archive = with(&field(0x7a, length));
        assert_eq!(streamed(&archive), whole(&archive), "{length} bytes");
        let verified = ExportStream::open(&archive).unwrap().verify(&trusted()).unwrap();
        assert_eq!(verified.anomalies().unknown_fields, 2);
    }
    // Cut off within: the length says one more than there is.
    let mut cut = field(0x7a, 9 * MAX_FIELD);
    cut.truncate(8 * MAX_FIELD);
    let archive = signed(&[files.export_bin.as_slice(), &cut].concat());
    assert_eq!(streamed(&archive), whole(&archive));
    let archive = with(&field(0x3a, 9 * MAX_FIELD));
    let offset = files.export_bin.len() - 16;
    let error = ParseContentError::FieldTooLong { offset, number: 7, max: MAX_FIELD };
    assert_eq!(streamed(&archive), Err(error.into()));
}

#[test]
fn an_archive_that_is_read_in_pieces_is_checked_like_one_that_is_read_as_a_whole() {
    let files = Export::new(START, START.plus(3600), "DE", vec![key(1), key(2)]).sign(&[&signer()]).unwrap();
    let archive = files.to_archive().unwrap();
    let all = whole(&archive);
    for length in 0..archive.len() {
        assert!(streamed(&archive[..length]).is_err(), "cut to {length}");
    }
    for bit in 0..archive.len() * 8 {
        let mut flipped = archive.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = streamed(&flipped);
        assert_eq!(read.is_ok(), whole(&flipped).is_ok(), "bit {bit}");
        assert!(read.is_err() || read == all, "bit {bit}");
    }
}

proptest! {
    #[test]
    fn whatever_stands_in_an_export_it_is_read_in_pieces_as_a_whole(
        keys in proptest::collection::vec(any::<u64>(), 0..20),
        junk in proptest::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
        splits in proptest::collection::vec(1..60_usize, 1..30),
    ) {
        let files = Export::new(START, START.plus(3600), "DE", keys.into_iter().map(key).collect()).sign(&[&signer()]).unwrap();
        let mut bytes = files.export_bin;
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..at, junk);
        // In pieces as small as they may come.
        let (mut reading, mut keys, mut held, mut begin, mut error) = (Reading::default(), Vec::new(), 0, 0, None);
        let ends = splits.iter().cycle().scan(0, |end, size| { *end += size; Some(*end) });
        for end in ends.map(|end| end.min(bytes.len())) {
            let piece = Piece { bytes: &bytes[begin..end], held, is_last: end == bytes.len() };
            let took = reading.take(&piece, |key| {
                keys.extend(key.ok().filter(|(_, revised)| !revised).map(|(key, _)| key.diagnosis_key()));
            });
            match took {
                Ok(used) => (held, begin) = (end - begin - used, begin + used),
                Err(found) => error = Some(found),
            }
            if error.is_some() || end == bytes.len() {
                break;
            }
        }
        match ExportContent::parse(&bytes) {
            Ok(content) => {
                prop_assert_eq!(error, None);
                prop_assert_eq!(keys, content.keys().collect::<Vec<_>>());
                let (read, region) = reading.finish();
                prop_assert_eq!(region.as_deref(), content.region());
                prop_assert_eq!(read.anomalies(), content.anomalies());
                prop_assert_eq!(read.keys_ascend(), content.keys_ascend());
                prop_assert_eq!(read.signature_infos(), content.signature_infos());
            }
            // What is too long to be held would not be there either.
            Err(ParseContentError::Message(ReadError::Truncated { offset }))
                if matches!(error, Some(StreamError::Content(ParseContentError::FieldTooLong { .. }))) =>
            {
                let is_there = matches!(error, Some(StreamError::Content(ParseContentError::FieldTooLong { offset: at, .. })) if at == offset);
                prop_assert!(is_there, "{:?} at {}", error, offset);
            }
            Err(expected) => prop_assert_eq!(error, Some(expected.into())),
        }
    }
}
