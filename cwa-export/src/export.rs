//! What an export says, and how it becomes a signed package.

use cwa_crypto::UnixTime;
use md5::{Digest as _, Md5};
use prost::Message as _;
use rand_core::CryptoRng;

use crate::archive::{self, WriteArchiveError};
use crate::header::HEADER;
use crate::key::ExportKey;
use crate::random;
use crate::signature::{self, SignError, SignatureInfo, Signer};
use crate::wire;

/// The content of an export: public, the presence of every field kept.
///
/// To be published it becomes a [`SignedFiles`] by [`sign`](Self::sign). The way back from bytes is
/// [`UnverifiedExport`](crate::UnverifiedExport).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Export {
    /// Begin of the window in which the keys were uploaded or published.
    pub start_timestamp: Option<UnixTime>,
    /// End of that window.
    pub end_timestamp: Option<UnixTime>,
    /// A country code by custom; free text by the format.
    pub region: Option<String>,
    /// Number of the file in its batch, from 1.
    pub batch_num: Option<i32>,
    /// Files in the batch.
    pub batch_size: Option<i32>,
    /// Keys published for the first time.
    pub keys: Vec<ExportKey>,
    /// Keys published before that now say something else.
    pub revised_keys: Vec<ExportKey>,
}

impl Export {
    /// An export of one file, its keys in an order that tells nothing: that of their bytes.
    ///
    /// Arrival order would show which keys belong to one person. The bytes are random, so their order shows nothing,
    /// and it is the same whenever the file is made anew.
    #[must_use]
    pub fn new(start: UnixTime, end: UnixTime, region: impl Into<String>, keys: Vec<ExportKey>) -> Self {
        let mut keys = keys;
        keys.sort_unstable();
        Self {
            start_timestamp: Some(start),
            end_timestamp: Some(end),
            region: Some(region.into()),
            batch_num: Some(1),
            batch_size: Some(1),
            keys,
            revised_keys: Vec::new(),
        }
    }

    /// Puts the keys into the order of their bytes, in which they tell nothing: revised ones too, and each kind for
    /// itself.
    pub fn sort(&mut self) {
        self.keys.sort_unstable();
        self.revised_keys.sort_unstable();
    }

    /// Puts the keys into an order that is drawn from `rng`, and tells nothing either: revised ones too, and each kind
    /// for itself. Other than that of [`sort`](Self::sort) it is another whenever the file is made anew.
    pub fn shuffle(&mut self, rng: &mut impl CryptoRng) {
        random::shuffle(&mut self.keys, rng);
        random::shuffle(&mut self.revised_keys, rng);
    }

    /// `export.bin`: header and message, fields in ascending order, keys in the order they are in.
    #[must_use]
    pub fn encode(&self, signature_infos: &[SignatureInfo]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.longest_encoded(signature_infos));
        bytes.extend_from_slice(&HEADER);
        self.head(signature_infos).encode_raw(&mut bytes);
        // The fields behind it. A million keys as values of prost would be a million allocations.
        self.keys.iter().for_each(|key| key.encode_as(KEYS_TAG, &mut bytes));
        self.revised_keys.iter().for_each(|key| key.encode_as(REVISED_KEYS_TAG, &mut bytes));
        bytes
    }

    /// No encoding of it is longer.
    pub(crate) fn longest_encoded(&self, signature_infos: &[SignatureInfo]) -> usize {
        let head = HEADER.len().saturating_add(self.head(signature_infos).encoded_len());
        head.saturating_add(self.key_count().saturating_mul(ExportKey::LONGEST_FIELD))
    }

    /// Everything but the keys.
    fn head(&self, signature_infos: &[SignatureInfo]) -> wire::export::TemporaryExposureKeyExport {
        wire::export::TemporaryExposureKeyExport {
            start_timestamp: self.start_timestamp.map(UnixTime::as_secs),
            end_timestamp: self.end_timestamp.map(UnixTime::as_secs),
            region: self.region.clone(),
            batch_num: self.batch_num,
            batch_size: self.batch_size,
            signature_infos: signature_infos.iter().map(SignatureInfo::to_wire).collect(),
            keys: Vec::new(),
            revised_keys: Vec::new(),
        }
    }

    /// Encodes and signs: one signature info and one signature for each signer, in their order, which should be newest
    /// key first, because some devices look at the first only.
    ///
    /// # Errors
    ///
    /// [`SignError`] if there is no signer, too many, or one cannot sign.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<SignedFiles, SignError> {
        let infos: Vec<_> = signers.iter().map(|signer| signer.signature_info().clone()).collect();
        let export_bin = self.encode(&infos);
        let export_sig = signature::sign_batch(&export_bin, signers, self.batch_num, self.batch_size)?;
        Ok(SignedFiles { export_bin, export_sig })
    }
}

/// What the German distribution calls `cwa-hash`: the MD5 value of the raw MD5 value of `export.bin`.
///
/// Its archives differ whenever they are made, because signatures do; this tells whether what is in them does. It
/// protects nothing, and nothing may trust it.
///
/// ```
/// assert_eq!(hex::encode(cwa_export::cwa_hash(b"")), "59adb24ef3cdbe0297f05b395827453f");
/// ```
#[must_use]
pub fn cwa_hash(export_bin: &[u8]) -> [u8; 16] {
    Md5::digest(Md5::digest(export_bin)).into()
}

/// The two files of a package: what is signed, and the signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedFiles {
    /// `export.bin`.
    pub export_bin: Vec<u8>,
    /// `export.sig`.
    pub export_sig: Vec<u8>,
}

impl SignedFiles {
    /// Signs any other content in the same way: configuration, a manifest. It must not look like an export.
    ///
    /// # Errors
    ///
    /// [`SignContentError`] if it does look like one, or cannot be signed.
    pub fn sign_content(content: Vec<u8>, signers: &[&dyn Signer]) -> Result<Self, SignContentError> {
        if crate::header::is_export(&content) {
            return Err(SignContentError::LooksLikeExport);
        }
        let export_sig = signature::sign(&content, signers)?;
        Ok(Self { export_bin: content, export_sig })
    }

    /// The archive to publish: the same two files always give the same bytes.
    ///
    /// # Errors
    ///
    /// [`WriteArchiveError`] if a file is larger than an archive without ZIP64 can hold.
    pub fn to_archive(&self) -> Result<Vec<u8>, WriteArchiveError> {
        archive::write(&self.export_bin, &self.export_sig)
    }
}

/// Why content was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignContentError {
    /// It begins with the header of an export; signed as something else it would still verify as keys.
    #[error("the content begins like an exposure key export")]
    LooksLikeExport,
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Tags of fields 7 and 8: number and wire type, length-delimited.
const KEYS_TAG: u8 = 7 << 3 | 2;
const REVISED_KEYS_TAG: u8 = 8 << 3 | 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SoftwareSigner;

    fn key(id: u8) -> ExportKey {
        let mut key = ExportKey::new([id; 16]);
        key.rolling_start_interval_number = Some(cwa_crypto::ENIntervalNumber::new(2_642_976));
        key.rolling_period = Some(cwa_crypto::RollingPeriod::FULL_DAY);
        key.transmission_risk_level = Some(cwa_crypto::TransmissionRiskLevel::try_from(5).unwrap());
        key.report_type = Some(cwa_crypto::ReportType::ConfirmedTest);
        key.days_since_onset_of_symptoms = Some(cwa_crypto::DaysSinceOnsetOfSymptoms::try_from(-1).unwrap());
        key
    }

    fn signer() -> SoftwareSigner {
        let info = SignatureInfo::new("262", "v1").with_app_bundle_id("de.rki.coronawarnapp");
        SoftwareSigner::new(p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap(), info)
    }

    fn export() -> Export {
        let (start, end) = (UnixTime::from_secs(1_585_785_600), UnixTime::from_secs(1_585_872_000));
        Export::new(start, end, "DE", vec![key(2), key(1)])
    }

    #[test]
    fn the_bytes_of_an_export_are_these() {
        insta::assert_snapshot!(
            hex::encode(export().encode(&[signer().signature_info().clone()])),
            @"454b204578706f72742076312020202009002b855e0000000011807c865e000000001a0244452001280132340a1464652e726b692e636f726f6e617761726e6170701a02763122033236322a13312e322e3834302e31303034352e342e332e323a200a1001010101010101010101010101010101100518a0a8a101209001280130013a200a1002020202020202020202020202020202100518a0a8a10120900128013001"
        );
    }

    #[test]
    fn absent_fields_are_not_written() {
        let empty = Export { keys: vec![ExportKey::new([9; 16])], ..Export::default() };
        insta::assert_snapshot!(
            hex::encode(empty.encode(&[])),
            @"454b204578706f7274207631202020203a120a1009090909090909090909090909090909"
        );
    }

    #[test]
    fn keys_are_written_as_by_a_library_for_protocol_buffers() {
        let start = |n| Some(cwa_crypto::ENIntervalNumber::new(n));
        let days = |n| Some(cwa_crypto::DaysSinceOnsetOfSymptoms::try_from(n).unwrap());
        let mut keys = vec![ExportKey::new([9; 16]), key(1)];
        for n in [0, 1, 127, 128, 16_383, 16_384, 2_097_152, 268_435_456, i32::MAX.unsigned_abs(), u32::MAX] {
            keys.push(ExportKey { rolling_start_interval_number: start(n), ..key(2) });
        }
        for n in [-15, -1, 0, 63, 64, 4000] {
            keys.push(ExportKey { days_since_onset_of_symptoms: days(n), ..key(3) });
        }
        keys.push(ExportKey {
            variant_of_concern: Some(crate::key::VariantOfConcern::try_from(4).unwrap()),
            report_type: None,
            ..key(4)
        });
        let export = Export { revised_keys: keys.split_off(9), keys, ..export() };
        let message = wire::export::TemporaryExposureKeyExport {
            keys: export.keys.iter().map(|key| key.to_wire()).collect(),
            revised_keys: export.revised_keys.iter().map(|key| key.to_wire()).collect(),
            ..export.head(&[])
        };
        let encoded = export.encode(&[]);
        assert_eq!(encoded, [&HEADER, message.encode_to_vec().as_slice()].concat());
        assert!(encoded.len() <= export.longest_encoded(&[]));
    }

    #[test]
    fn a_shuffled_export_has_the_same_keys() {
        use rand::SeedableRng as _;
        let mut shuffled = Export { keys: (0..50).map(key_of_nothing).collect(), ..export() };
        shuffled.shuffle(&mut rand::rngs::StdRng::seed_from_u64(1));
        assert!(!shuffled.keys.is_sorted());
        shuffled.sort();
        assert_eq!(shuffled.keys, (0..50).map(key_of_nothing).collect::<Vec<_>>());
    }

    fn key_of_nothing(id: u8) -> ExportKey {
        ExportKey::new([id; 16])
    }

    #[test]
    fn signing_twice_gives_the_same_archive() {
        let once = export().sign(&[&signer()]).unwrap().to_archive().unwrap();
        let twice = export().sign(&[&signer()]).unwrap().to_archive().unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn keys_stand_in_the_order_of_their_bytes() {
        assert_eq!(export().keys, [key(1), key(2)]);
    }

    #[test]
    fn nothing_that_looks_like_keys_is_signed_as_something_else() {
        let content = export().encode(&[]);
        assert!(matches!(
            SignedFiles::sign_content(content, &[&signer()]),
            Err(SignContentError::LooksLikeExport)
        ));
    }
}
