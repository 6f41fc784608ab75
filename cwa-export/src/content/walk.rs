//! One pass over the message: what stands at its head, and what is said of its keys on the way.

use cwa_crypto::UnixTime;

use super::keys::usual_field;
use super::{Anomalies, MAX_TEXT, ParseContentError, Seen};
use crate::key::{ExportKey, KeyError, RawKey};
use crate::reader::{Field, Fields, ReadError};
use crate::signature::{MAX_SIGNATURES, SignatureInfo};

// Field numbers of TemporaryExposureKeyExport.
const START_TIMESTAMP: u32 = 1;
const END_TIMESTAMP: u32 = 2;
const REGION: u32 = 3;
const BATCH_NUM: u32 = 4;
const BATCH_SIZE: u32 = 5;
const SIGNATURE_INFOS: u32 = 6;
pub(super) const KEYS: u32 = 7;
pub(super) const REVISED_KEYS: u32 = 8;

// Their tags: number and wire type, length-delimited.
pub(super) const KEYS_TAG: u8 = 7 << 3 | 2;
pub(super) const REVISED_KEYS_TAG: u8 = 8 << 3 | 2;

/// What is known of a message as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    pub(super) head: Head,
    pub(super) anomalies: Anomalies,
    seen: Seen,
}

/// What a field was.
pub(crate) enum Read<'a> {
    Region(&'a str),
    Key(Result<ExportKey, KeyError>, Place),
    Other,
}

/// Which key of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Its number among its kind, from 1.
    pub(crate) number: usize,
    pub(crate) revised: bool,
}

impl Walk {
    /// The tag of keys, by which [`Fields::next_short`] finds most of them.
    pub(crate) const KEYS_TAG: u8 = KEYS_TAG;

    /// Whether a field of this number is held as a whole, to be read; others are passed over.
    pub(crate) const fn knows(number: u32) -> bool {
        matches!(number, START_TIMESTAMP..=REVISED_KEYS)
    }

    /// Takes the next field of the message.
    pub(crate) fn field<'a>(&mut self, field: &Field<'a>) -> Result<Read<'a>, ParseContentError> {
        use ParseContentError::Message;
        let (head, anomalies) = (&mut self.head, &mut self.anomalies);
        anomalies.look_at(field);
        if field.number <= REGION || field.number == BATCH_NUM || field.number == BATCH_SIZE {
            anomalies.repeated_fields += self.seen.again(field.number);
        }
        match field.number {
            START_TIMESTAMP => {
                head.start_timestamp = Some(UnixTime::from_secs(field.fixed64().map_err(Message)?));
            }
            END_TIMESTAMP => {
                head.end_timestamp = Some(UnixTime::from_secs(field.fixed64().map_err(Message)?));
            }
            REGION => return Ok(Read::Region(field.text(MAX_TEXT).map_err(Message)?)),
            BATCH_NUM => head.batch_num = Some(anomalies.int32(field).map_err(Message)?),
            BATCH_SIZE => head.batch_size = Some(anomalies.int32(field).map_err(Message)?),
            SIGNATURE_INFOS => {
                let number = head.signature_infos.len().saturating_add(1);
                if number > MAX_SIGNATURES {
                    return Err(ParseContentError::TooManySignatureInfos);
                }
                let info = SignatureInfo::read(field.bytes().map_err(Message)?, anomalies)
                    .map_err(|reason| ParseContentError::SignatureInfo { number, reason })?;
                head.signature_infos.push(info);
            }
            KEYS | REVISED_KEYS => {
                let revised = field.number == REVISED_KEYS;
                let (key, place) = self.key(field.bytes().map_err(Message)?, revised)?;
                return Ok(Read::Key(key, place));
            }
            _ => anomalies.unknown_fields += 1,
        }
        Ok(Read::Other)
    }

    /// Takes keys as long as they stand one behind the other as most publishers write them, counts them, and notes what
    /// spares a second look. The next one is for [`key`](Self::key), or no key.
    #[inline]
    pub(crate) fn usual_keys<'a>(&mut self, fields: &mut Fields<'a>, mut each: impl FnMut(ExportKey)) {
        // All that changes from key to key stays in registers.
        let (mut count, mut order, mut rest) = (self.head.keys, self.head.order, fields.rest());
        while let Some((key, behind)) = usual_field(KEYS_TAG, rest) {
            count = count.saturating_add(1);
            order.next(u128::from_be_bytes(key.key_data));
            each(key);
            rest = behind;
        }
        (self.head.keys, self.head.order) = (count, order);
        fields.go_on_at(rest);
    }

    /// Takes a key however it is written.
    pub(crate) fn key(
        &mut self,
        message: &[u8],
        revised: bool,
    ) -> Result<(Result<ExportKey, KeyError>, Place), ParseContentError> {
        let head = &mut self.head;
        let count = if revised { &mut head.revised_keys } else { &mut head.keys };
        *count = count.saturating_add(1);
        let place = Place { number: *count, revised };
        Ok((self.unusual_key(message, place)?, place))
    }

    #[inline(never)]
    fn unusual_key(
        &mut self,
        message: &[u8],
        Place { number, revised }: Place,
    ) -> Result<Result<ExportKey, KeyError>, ParseContentError> {
        let key = RawKey::read(message, &mut self.anomalies).map_err(|reason| ParseContentError::Key {
            number,
            revised,
            reason,
        })?;
        let usable = ExportKey::try_from(key);
        self.head.has_unusable_keys |= usable.is_err();
        if let Some(number) = key.number() {
            self.head.order.next(number);
        }
        Ok(usable)
    }

    /// Takes a field that no revision of the format has, which is not there as a whole.
    pub(crate) const fn pass_over(&mut self, is_minimal: bool) {
        self.anomalies.unknown_fields += 1;
        self.anomalies.not_minimal += !is_minimal as u64;
    }
}

/// Whether keys are in the order of their bytes, as numbers, which are quicker to compare.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    last: u128,
    has_last: bool,
    pub(super) is_broken: bool,
}

impl Order {
    #[inline]
    const fn next(&mut self, key_data: u128) {
        self.is_broken |= self.has_last & (key_data <= self.last);
        (self.last, self.has_last) = (key_data, true);
    }
}

/// Everything but keys and region.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) start_timestamp: Option<UnixTime>,
    pub(super) end_timestamp: Option<UnixTime>,
    pub(super) batch_num: Option<i32>,
    pub(super) batch_size: Option<i32>,
    pub(super) signature_infos: Vec<SignatureInfo>,
    pub(super) keys: usize,
    pub(super) revised_keys: usize,
    pub(super) has_unusable_keys: bool,
    pub(super) order: Order,
}

impl SignatureInfo {
    pub(crate) fn read(message: &[u8], anomalies: &mut Anomalies) -> Result<Self, ReadError> {
        let mut info = Self::default();
        let mut seen = Seen::default();
        for field in Fields::new(message) {
            let field = field?;
            anomalies.look_at(&field);
            let slot = match field.number {
                1 => &mut info.app_bundle_id,
                2 => &mut info.android_package,
                3 => &mut info.verification_key_version,
                4 => &mut info.verification_key_id,
                5 => &mut info.signature_algorithm,
                _ => {
                    anomalies.unknown_fields += 1;
                    continue;
                }
            };
            anomalies.repeated_fields += seen.again(field.number);
            *slot = Some(field.text(MAX_TEXT)?.into());
        }
        Ok(info)
    }
}
