//! What stands in an `export.bin`, read where it lies: nothing is copied, nothing is allocated for keys.

use core::fmt;

use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel, UnixTime,
};

use crate::export::Export;
use crate::header::{self, HeaderError};
use crate::key::{ExportKey, KeyError, RawKey};
use crate::reader::{Field, Fields, ReadError};
use crate::signature::{MAX_SIGNATURES, SignatureInfo};

/// Longest text these formats need, in bytes.
pub(crate) const MAX_TEXT: usize = 255;

/// Longest `export.bin` that is read: 64 MiB, room for 1.9 million keys.
pub const MAX_EXPORT_BYTES: usize = 64 << 20;

/// The content of an export, borrowed from the bytes of `export.bin`.
///
/// It exists only where the content was verified, or where somebody said that this does not matter.
#[derive(Clone, Debug)]
pub struct ExportContent<'a> {
    message: &'a [u8],
    region: Option<&'a str>,
    head: Head,
    anomalies: Anomalies,
}

impl<'a> ExportContent<'a> {
    /// Begin of the window in which the keys were published.
    #[must_use]
    pub const fn start_timestamp(&self) -> Option<UnixTime> {
        self.head.start_timestamp
    }

    /// End of that window.
    #[must_use]
    pub const fn end_timestamp(&self) -> Option<UnixTime> {
        self.head.end_timestamp
    }

    /// The region: a country code by custom.
    #[must_use]
    pub const fn region(&self) -> Option<&'a str> {
        self.region
    }

    /// Number of the file in its batch, from 1.
    #[must_use]
    pub const fn batch_num(&self) -> Option<i32> {
        self.head.batch_num
    }

    /// Files in the batch.
    #[must_use]
    pub const fn batch_size(&self) -> Option<i32> {
        self.head.batch_size
    }

    /// Who signed, as the export says.
    #[must_use]
    pub fn signature_infos(&self) -> &[SignatureInfo] {
        &self.head.signature_infos
    }

    /// Keys published for the first time.
    #[must_use]
    pub const fn key_count(&self) -> usize {
        self.head.keys
    }

    /// Keys published before that now say something else.
    #[must_use]
    pub const fn revised_key_count(&self) -> usize {
        self.head.revised_keys
    }

    /// What was unusual about the bytes.
    #[must_use]
    pub const fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// Whether every key and revised key can be used, so that [`keys`](Self::keys) and
    /// [`revised_keys`](Self::revised_keys) leave none out.
    #[must_use]
    pub const fn all_keys_are_usable(&self) -> bool {
        !self.head.has_unusable_keys
    }

    /// Whether the bytes of each key, revised or not, are greater than those of the key before it, so that no two are
    /// the same. Most publishers sort.
    pub(crate) const fn keys_ascend(&self) -> bool {
        !self.head.order.is_broken
    }

    /// The keys as a device takes them, in the order of the file. A key that cannot be used is left out.
    pub fn keys(&self) -> impl Iterator<Item = DiagnosisKey> + use<'a> {
        UsableKeys(self.raw(KEYS))
    }

    /// The revised keys as a device takes them, in the order of the file. A key that cannot be used is left out.
    pub fn revised_keys(&self) -> impl Iterator<Item = DiagnosisKey> + use<'a> {
        UsableKeys(self.raw(REVISED_KEYS))
    }

    /// The keys as they stand on the wire, usable or not.
    pub fn raw_keys(&self) -> impl Iterator<Item = RawKey<'a>> + use<'a> {
        self.raw(KEYS)
    }

    /// The revised keys as they stand on the wire, usable or not.
    pub fn raw_revised_keys(&self) -> impl Iterator<Item = RawKey<'a>> + use<'a> {
        self.raw(REVISED_KEYS)
    }

    /// The content as a value that can be written anew.
    ///
    /// # Errors
    ///
    /// [`ContentKeyError`] with the number of the first key that cannot be used.
    pub fn to_export(&self) -> Result<Export, ContentKeyError> {
        let collect = |field: u32| {
            self.raw(field)
                .enumerate()
                .map(|(index, raw)| {
                    let number = index.saturating_add(1);
                    let revised = field == REVISED_KEYS;
                    ExportKey::try_from(raw).map_err(|reason| ContentKeyError { number, revised, reason })
                })
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Export {
            start_timestamp: self.head.start_timestamp,
            end_timestamp: self.head.end_timestamp,
            region: self.region.map(Into::into),
            batch_num: self.head.batch_num,
            batch_size: self.head.batch_size,
            keys: collect(KEYS)?,
            revised_keys: collect(REVISED_KEYS)?,
        })
    }

    pub(crate) fn parse(export_bin: &'a [u8]) -> Result<Self, ParseContentError> {
        Self::parse_message(export_bin, header::strip(export_bin)?)
    }

    /// The same once the header was looked at; `message` is what stands behind it.
    pub(crate) fn parse_message(export_bin: &'a [u8], message: &'a [u8]) -> Result<Self, ParseContentError> {
        if export_bin.len() > MAX_EXPORT_BYTES {
            return Err(ParseContentError::TooLarge { length: export_bin.len(), max: MAX_EXPORT_BYTES });
        }
        let (mut walk, mut region) = (Walk::default(), None);
        let mut fields = Fields::new(message);
        loop {
            walk.usual_keys(&mut fields, |_| {});
            if let Some(message) = fields.next_short(KEYS_TAG) {
                _ = walk.key(message, false)?;
                continue;
            }
            let Some(field) = fields.next() else { break };
            match walk.field(&field.map_err(ParseContentError::Message)?)? {
                Read::Region(text) => region = Some(text),
                Read::Key(..) | Read::Other => {}
            }
        }
        Ok(Self::of_walk(walk, message, region))
    }

    /// What was walked through, with `message` to take keys from.
    pub(crate) fn of_walk(walk: Walk, message: &'a [u8], region: Option<&'a str>) -> Self {
        Self { message, region, head: walk.head, anomalies: walk.anomalies }
    }

    /// The keys of one field; `parse` has read every one of them without an error.
    fn raw(&self, number: u32) -> RawKeys<'a> {
        // `parse` has counted them: most files have no revised keys, and none is walked through for their sake.
        let (count, tag) = match number {
            KEYS => (self.head.keys, KEYS_TAG),
            _ => (self.head.revised_keys, REVISED_KEYS_TAG),
        };
        RawKeys { number, tag, fields: Fields::new(if count == 0 { &[] } else { self.message }) }
    }
}

/// A key of an export that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}key {number} cannot be used", if *revised { "revised " } else { "" })]
#[non_exhaustive]
pub struct ContentKeyError {
    /// Its number among its kind, from 1.
    pub number: usize,
    /// Whether it is a revised one.
    pub revised: bool,
    /// What is wrong with it.
    #[source]
    pub reason: KeyError,
}

/// Why bytes are no export.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseContentError {
    /// Longer than the limit.
    #[error("export.bin has {length} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes found.
        length: usize,
        /// Most bytes.
        max: usize,
    },
    /// Not an export, or of another version.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No message; offsets count from behind the header.
    #[error("the message behind the header cannot be read")]
    Message(#[source] ReadError),
    /// A field of the format that is longer than can be held while a file is read in pieces.
    #[error("field {number} at byte {offset} is longer than {max} bytes")]
    FieldTooLong {
        /// Where it begins, counted from behind the header.
        offset: usize,
        /// Its number.
        number: u32,
        /// Most bytes.
        max: usize,
    },
    /// A signature info that is no message.
    #[error("signature info {number} cannot be read")]
    SignatureInfo {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        reason: ReadError,
    },
    /// More signature infos than the format allows.
    #[error("the export lists more than {MAX_SIGNATURES} signature infos")]
    TooManySignatureInfos,
    /// A key that is no message.
    #[error("{}key {number} cannot be read", if *revised { "revised " } else { "" })]
    Key {
        /// Its number among its kind, from 1.
        number: usize,
        /// Whether it is a revised one.
        revised: bool,
        /// What is wrong with it; offsets count from its start.
        #[source]
        reason: ReadError,
    },
}

/// What was unusual about the bytes of a message, without making it unreadable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Anomalies {
    /// Fields that the format does not know.
    pub unknown_fields: u64,
    /// Fields that may occur once and occurred again.
    pub repeated_fields: u64,
    /// Tags, lengths and numbers that are not in their shortest form.
    pub not_minimal: u64,
    /// Numbers of 64 bits in a field of 32.
    pub overflowing: u64,
}

impl Anomalies {
    pub(crate) const fn look_at(&mut self, field: &Field<'_>) {
        if !field.is_minimal {
            self.not_minimal += 1;
        }
    }

    pub(crate) fn int32(&mut self, field: &Field<'_>) -> Result<i32, ReadError> {
        self.number(field.int32()?)
    }

    fn sint32(&mut self, field: &Field<'_>) -> Result<i32, ReadError> {
        self.number(field.sint32()?)
    }

    #[expect(clippy::unnecessary_wraps, reason = "called with `?` in one expression")]
    fn number(&mut self, (number, whole): (i32, bool)) -> Result<i32, ReadError> {
        self.overflowing += u64::from(!whole);
        Ok(number)
    }
}

impl fmt::Display for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} unknown fields, {} repeated fields, {} numbers not in shortest form, {} numbers too large",
            self.unknown_fields, self.repeated_fields, self.not_minimal, self.overflowing
        )
    }
}

/// Which of the first field numbers have occurred.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// 1 if the number occurred before.
    pub(crate) fn again(&mut self, number: u32) -> u64 {
        let bit = 1_u32.checked_shl(number).unwrap_or(0);
        let again = self.0 & bit != 0;
        self.0 |= bit;
        again.into()
    }
}

// Field numbers of TemporaryExposureKeyExport.
const START_TIMESTAMP: u32 = 1;
const END_TIMESTAMP: u32 = 2;
const REGION: u32 = 3;
const BATCH_NUM: u32 = 4;
const BATCH_SIZE: u32 = 5;
const SIGNATURE_INFOS: u32 = 6;
const KEYS: u32 = 7;
const REVISED_KEYS: u32 = 8;

// Their tags: number and wire type, length-delimited.
const KEYS_TAG: u8 = 7 << 3 | 2;
const REVISED_KEYS_TAG: u8 = 8 << 3 | 2;

/// What is known of a message as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    head: Head,
    anomalies: Anomalies,
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
struct Order {
    last: u128,
    has_last: bool,
    is_broken: bool,
}

impl Order {
    #[inline]
    const fn next(&mut self, key_data: u128) {
        self.is_broken |= self.has_last & (key_data <= self.last);
        (self.last, self.has_last) = (key_data, true);
    }
}

/// The key of a field with this tag that is written as most publishers do, and what is behind it.
#[inline(always)]
fn usual_field(tag: u8, bytes: &[u8]) -> Option<(ExportKey, &[u8])> {
    let [found, length @ 0..0x80, rest @ ..] = bytes else { return None };
    let (message, behind) = rest.split_at_checked(usize::from(*length))?;
    let key = ExportKey::read_usual(message).filter(|_| *found == tag)?;
    Some((key, behind))
}

/// Everything but keys and region.
#[derive(Clone, Debug, Default)]
struct Head {
    start_timestamp: Option<UnixTime>,
    end_timestamp: Option<UnixTime>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
    signature_infos: Vec<SignatureInfo>,
    keys: usize,
    revised_keys: usize,
    has_unusable_keys: bool,
    order: Order,
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

// Inlined, as is what follows: a key that is returned through memory is written field by field and read back several
// fields at once, for which a processor waits longer than all of the reading takes.
impl ExportKey {
    /// A key as the servers of Germany and of Google write one that can be used: key data, level, start and period, all
    /// there and in this order, then report type and days since onset or neither. `None` says nothing about the message
    /// but that it takes a closer look.
    #[inline(always)]
    fn read_usual(message: &[u8]) -> Option<Self> {
        // 0 0x0a | 1 16 | 2..18 key data | 18 0x10 | 19 level | 20 0x18 | 21..25 start | 25 0x20 | 26..28 period
        let (head, tail) = message.split_first_chunk::<28>()?;
        let (key_head, numbers) = head.split_first_chunk::<18>()?;
        let ([KEY_DATA_TAG, 16], key_data) = key_head.split_first_chunk::<2>()? else { return None };
        let (numbers, [low, high]) = numbers.split_first_chunk::<8>()? else { return None };
        let numbers = u64::from_le_bytes(*numbers);
        // Tags are compared whole; of a number, whether it goes on: level no, start four bytes.
        const LOOKED_AT: u64 = u64::from_le_bytes([0xff, 0x80, 0xff, 0x80, 0x80, 0x80, 0x80, 0xff]);
        const EXPECTED: u64 = u64::from_le_bytes([0x10, 0, 0x18, 0x80, 0x80, 0x80, 0, 0x20]);
        let seven = |byte: u32| (numbers >> (8 * byte) & 0x7f) as u32;
        let is_usual = numbers & LOOKED_AT == EXPECTED
            // A last byte of 0 adds nothing, so that this would not be the shortest form.
            && seven(6) != 0
            && *low >= 0x80
            && matches!(high, 1..0x80);
        if !is_usual {
            return None;
        }
        let start = seven(3) | seven(4) << 7 | seven(5) << 14 | seven(6) << 21;
        let period = i64::from(low & 0x7f) | i64::from(*high) << 7;
        let (report_type, days) = match tail {
            [] => (None, None),
            [0x28, report_type @ 0..0x80, 0x30, zigzag @ 0..0x80] => {
                let days = i64::from(zigzag >> 1) ^ -i64::from(zigzag & 1);
                (
                    Some(ReportType::try_from(i64::from(*report_type)).ok()?),
                    Some(DaysSinceOnsetOfSymptoms::try_from(days).ok()?),
                )
            }
            _ => return None,
        };
        let mut key = Self::new(key_data.try_into().ok()?);
        key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(i64::from(seven(1))).ok()?);
        // 28 bits: with any period it ends below 2^31.
        key.rolling_start_interval_number = Some(ENIntervalNumber::new(start));
        key.rolling_period = Some(RollingPeriod::try_from(period).ok()?);
        key.report_type = report_type;
        key.days_since_onset_of_symptoms = days;
        Some(key)
    }
}

impl<'a> RawKey<'a> {
    #[inline(always)]
    pub(crate) fn read(message: &'a [u8], anomalies: &mut Anomalies) -> Result<Self, ReadError> {
        match Self::read_canonical(message) {
            Some(key) => Ok(key),
            None => Self::read_any(message, anomalies),
        }
    }

    /// A key as every known publisher writes it: known fields in ascending order, each once, each number not negative
    /// and in its shortest form. `None` says nothing about the message but that it takes a closer look.
    #[inline(always)]
    fn read_canonical(message: &'a [u8]) -> Option<Self> {
        let (key_data, rest) = match message {
            [KEY_DATA_TAG, length @ 0..0x80, rest @ ..] => {
                let (data, rest) = rest.split_at_checked(usize::from(*length))?;
                (Some(data), rest)
            }
            _ => (None, message),
        };
        let (transmission_risk_level, rest) = canonical_number(0x10, rest)?;
        let (rolling_start_interval_number, rest) = canonical_number(0x18, rest)?;
        let (rolling_period, rest) = canonical_number(0x20, rest)?;
        let (report_type, rest) = canonical_number(0x28, rest)?;
        let (zigzag, rest) = canonical_number(0x30, rest)?;
        let days_since_onset_of_symptoms = zigzag.map(|number| number >> 1 ^ -(number & 1));
        let (variant_of_concern, rest) = canonical_number(0x40, rest)?;
        rest.is_empty().then_some(Self {
            key_data,
            transmission_risk_level,
            rolling_start_interval_number,
            rolling_period,
            report_type,
            days_since_onset_of_symptoms,
            variant_of_concern,
        })
    }

    #[cold]
    fn read_any(message: &'a [u8], anomalies: &mut Anomalies) -> Result<Self, ReadError> {
        let mut key = Self::default();
        let mut seen = Seen::default();
        for field in Fields::new(message) {
            let field = field?;
            anomalies.look_at(&field);
            match field.number {
                1 => key.key_data = Some(field.bytes()?),
                2 => key.transmission_risk_level = Some(anomalies.int32(&field)?),
                3 => key.rolling_start_interval_number = Some(anomalies.int32(&field)?),
                4 => key.rolling_period = Some(anomalies.int32(&field)?),
                5 => key.report_type = Some(anomalies.int32(&field)?),
                6 => key.days_since_onset_of_symptoms = Some(anomalies.sint32(&field)?),
                8 => key.variant_of_concern = Some(anomalies.int32(&field)?),
                _ => {
                    anomalies.unknown_fields += 1;
                    continue;
                }
            }
            anomalies.repeated_fields += seen.again(field.number);
        }
        Ok(key)
    }
}

/// Field 1, length-delimited. The tags of the numbers are `field << 3`, up to 0x40 for field 8.
const KEY_DATA_TAG: u8 = 0x0a;

/// The number of the field with this tag if the field is there, and what is behind it. `None` for a number that is
/// negative, too long, or not in its shortest form.
#[inline(always)]
fn canonical_number(tag: u8, bytes: &[u8]) -> Option<(Option<i32>, &[u8])> {
    match bytes {
        [found, number @ 0..0x80, rest @ ..] if *found == tag => Some((Some((*number).into()), rest)),
        [found, rest @ ..] if *found == tag => {
            let (mut number, mut rest) = (0, rest);
            for shift in [0, 7, 14, 21, 28] {
                let (&byte, behind) = rest.split_first()?;
                rest = behind;
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    // A last byte of 0 adds nothing.
                    let is_shortest = byte != 0;
                    return i32::try_from(number)
                        .ok()
                        .filter(|_| is_shortest)
                        .map(|number| (Some(number), rest));
                }
            }
            None
        }
        _ => Some((None, bytes)),
    }
}

/// The keys of one field, one after the other.
struct RawKeys<'a> {
    number: u32,
    tag: u8,
    fields: Fields<'a>,
}

impl<'a> RawKeys<'a> {
    /// The next key's bytes.
    #[inline]
    fn message(&mut self) -> Option<&'a [u8]> {
        match self.fields.next_short(self.tag) {
            Some(message) => Some(message),
            None => self.search(),
        }
    }

    /// The next key's bytes where its tag or length is longer than publishers write it, or another field is before it.
    #[inline(never)]
    fn search(&mut self) -> Option<&'a [u8]> {
        loop {
            let field = self.fields.next()?.ok()?;
            if field.number == self.number {
                return field.bytes().ok();
            }
        }
    }
}

impl<'a> Iterator for RawKeys<'a> {
    type Item = RawKey<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawKey<'a>> {
        RawKey::read(self.message()?, &mut Anomalies::default()).ok()
    }
}

/// The keys of one field that can be used.
struct UsableKeys<'a>(RawKeys<'a>);

impl Iterator for UsableKeys<'_> {
    type Item = DiagnosisKey;

    #[inline]
    fn next(&mut self) -> Option<DiagnosisKey> {
        loop {
            let message = self.0.message()?;
            if let Some(key) = ExportKey::read_usual(message) {
                return Some(key.diagnosis_key());
            }
            if let Some(key) = unusual(message) {
                return Some(key);
            }
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, DiagnosisKey) -> B>(mut self, init: B, mut each: F) -> B {
        let mut folded = init;
        loop {
            let mut rest = self.0.fields.rest();
            while let Some((key, behind)) = usual_field(self.0.tag, rest) {
                folded = each(folded, key.diagnosis_key());
                rest = behind;
            }
            self.0.fields.go_on_at(rest);
            match self.next() {
                Some(key) => folded = each(folded, key),
                None => return folded,
            }
        }
    }
}

/// A key that is written in another way, if it can be used.
#[inline(never)]
fn unusual(message: &[u8]) -> Option<DiagnosisKey> {
    let raw = RawKey::read(message, &mut Anomalies::default()).ok()?;
    Some(ExportKey::try_from(raw).ok()?.diagnosis_key())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::header::HEADER;
    use crate::wire::export as wire;

    fn with_header(message: &[u8]) -> Vec<u8> {
        [&HEADER, message].concat()
    }

    fn key() -> impl Strategy<Value = wire::TemporaryExposureKey> {
        let number =
            || proptest::option::of(prop_oneof![any::<i32>(), 0..300, Just(i32::MAX), Just(1 << 28)]);
        (
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
            number(),
            number(),
            number(),
            number(),
            number(),
            number(),
        )
            .prop_map(|(key_data, level, start, period, report_type, days, variant_of_concern)| {
                wire::TemporaryExposureKey {
                    key_data,
                    transmission_risk_level: level,
                    rolling_start_interval_number: start,
                    rolling_period: period,
                    report_type,
                    days_since_onset_of_symptoms: days,
                    variant_of_concern,
                }
            })
    }

    fn info() -> impl Strategy<Value = wire::SignatureInfo> {
        let text = || proptest::option::of("[a-z.0-9]{0,20}");
        (text(), text(), text(), text(), text()).prop_map(|(bundle, package, version, id, algorithm)| {
            wire::SignatureInfo {
                app_bundle_id: bundle,
                android_package: package,
                verification_key_version: version,
                verification_key_id: id,
                signature_algorithm: algorithm,
            }
        })
    }

    fn message() -> impl Strategy<Value = wire::TemporaryExposureKeyExport> {
        let time = || proptest::option::of(any::<u64>());
        let number =
            || proptest::option::of(prop_oneof![any::<i32>(), 0..300, Just(i32::MAX), Just(1 << 28)]);
        let keys = || proptest::collection::vec(key(), 0..5);
        (
            time(),
            time(),
            proptest::option::of("\\PC{0,10}"),
            number(),
            number(),
            proptest::collection::vec(info(), 0..3),
            keys(),
            keys(),
        )
            .prop_map(|(start, end, region, num, size, infos, keys, revised_keys)| {
                wire::TemporaryExposureKeyExport {
                    start_timestamp: start,
                    end_timestamp: end,
                    region,
                    batch_num: num,
                    batch_size: size,
                    signature_infos: infos,
                    keys,
                    revised_keys,
                }
            })
    }

    /// What this reader makes of bytes, in prost's types.
    fn as_prost(content: &ExportContent<'_>) -> wire::TemporaryExposureKeyExport {
        let key = |raw: RawKey<'_>| wire::TemporaryExposureKey {
            key_data: raw.key_data.map(<[u8]>::to_vec),
            transmission_risk_level: raw.transmission_risk_level,
            rolling_start_interval_number: raw.rolling_start_interval_number,
            rolling_period: raw.rolling_period,
            report_type: raw.report_type,
            days_since_onset_of_symptoms: raw.days_since_onset_of_symptoms,
            variant_of_concern: raw.variant_of_concern,
        };
        wire::TemporaryExposureKeyExport {
            start_timestamp: content.start_timestamp().map(UnixTime::as_secs),
            end_timestamp: content.end_timestamp().map(UnixTime::as_secs),
            region: content.region().map(Into::into),
            batch_num: content.batch_num(),
            batch_size: content.batch_size(),
            signature_infos: content.signature_infos().iter().map(SignatureInfo::to_wire).collect(),
            keys: content.raw_keys().map(key).collect(),
            revised_keys: content.raw_revised_keys().map(key).collect(),
        }
    }

    /// A varint with up to two bytes more than it needs.
    fn varint(number: u64, padding: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(number, &mut bytes);
        for _ in 0..padding.min(10 - bytes.len()) {
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.push(0);
        }
        bytes
    }

    /// Some field, known or not, with the wire type that it has or another one, its numbers in any form.
    fn field(content: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let number = prop_oneof![8 => 1..=9_u64, 1 => 10..20_u64, 1 => Just(536_870_911)];
        let wire_type = prop_oneof![8 => Just(None), 1 => (0..6_u64).prop_map(Some)];
        let value = prop_oneof![
            0..300_u64,
            any::<u64>(),
            any::<i32>().prop_map(|number| i64::from(number).cast_unsigned())
        ];
        (number, wire_type, value, content, 0..3_usize, 0..3_usize).prop_map(
            |(number, wire_type, value, content, pad_tag, pad_value)| {
                let usual = match number {
                    1 | 2 => 1,
                    3 | 6..=9 => 2,
                    _ => 0,
                };
                let wire_type = wire_type.unwrap_or(usual);
                let mut bytes = varint(number << 3 | wire_type, pad_tag);
                match wire_type {
                    0 => bytes.extend(varint(value, pad_value)),
                    1 => bytes.extend(value.to_le_bytes()),
                    2 => {
                        bytes.extend(varint(content.len() as u64, pad_value));
                        bytes.extend(content);
                    }
                    3 => bytes.extend(varint(number << 3 | 4, 0)),
                    5 => bytes.extend(&value.to_le_bytes()[..4]),
                    _ => {}
                }
                bytes
            },
        )
    }

    /// Messages in every form that the wire has for them, most of them well formed.
    fn any_encoding() -> impl Strategy<Value = Vec<u8>> {
        let text = || {
            prop_oneof![
                Just(Vec::new()),
                "[a-z]{1,4}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..3)
            ]
        };
        let infos = (1..=6_u64, text(), 0..3_usize).prop_map(|(number, text, padding)| {
            [varint(number << 3 | 2, 0), varint(text.len() as u64, padding), text].concat()
        });
        let keys = key().prop_map(|key| key.encode_to_vec());
        let odd_keys =
            proptest::collection::vec((1..=9_u64, any::<u64>(), 0..3_usize), 0..4).prop_map(|fields| {
                fields
                    .into_iter()
                    .flat_map(|(number, value, padding)| {
                        [varint(number << 3, 0), varint(value, padding)].concat()
                    })
                    .collect()
            });
        let content = prop_oneof![2 => text(), 2 => infos, 3 => keys, 2 => odd_keys];
        proptest::collection::vec(field(content), 0..8).prop_map(|fields| fields.concat())
    }

    /// Whether this reader is the stricter one: groups, long texts and many infos are refused by no other.
    fn is_stricter(error: &ParseContentError) -> bool {
        let of_message =
            |reason: &ReadError| matches!(reason, ReadError::Group { .. } | ReadError::TextLength { .. });
        match error {
            ParseContentError::Message(reason)
            | ParseContentError::Key { reason, .. }
            | ParseContentError::SignatureInfo { reason, .. } => of_message(reason),
            ParseContentError::TooManySignatureInfos => true,
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

        #[test]
        fn in_whatever_form_prost_reads_a_message_this_reader_reads_the_same(body in any_encoding()) {
            let theirs = wire::TemporaryExposureKeyExport::decode(body.as_slice());
            let bytes = with_header(&body);
            match ExportContent::parse(&bytes) {
                Ok(content) => prop_assert_eq!(theirs, Ok(as_prost(&content))),
                Err(error) => prop_assert!(theirs.is_err() || is_stricter(&error), "{:?} is read by prost", error),
            }
        }

        #[test]
        fn this_reader_reads_what_prost_wrote(message in message()) {
            let bytes = with_header(&message.encode_to_vec());
            let content = ExportContent::parse(&bytes).unwrap();
            prop_assert_eq!(as_prost(&content), message);
            prop_assert_eq!(content.anomalies(), Anomalies::default());
        }

        #[test]
        fn what_is_noted_of_keys_while_they_are_read_is_so(
            keys in proptest::collection::vec((0..6_u8, 15..=17_usize, 143..=145_i32, any::<bool>()), 0..5),
        ) {
            // Keys of 16 bytes in most cases, usable in most.
            let key = |&(byte, length, period, is_odd): &(u8, usize, i32, bool)| wire::TemporaryExposureKey {
                key_data: Some(vec![byte; if is_odd { length } else { 16 }]),
                rolling_period: Some(if is_odd { period } else { 144 }),
                ..Default::default()
            };
            let (keys, revised_keys) = keys.split_at(keys.len() * 3 / 4);
            let message = wire::TemporaryExposureKeyExport {
                keys: keys.iter().map(key).collect(),
                revised_keys: revised_keys.iter().map(key).collect(),
                ..Default::default()
            };
            let all: Vec<_> = message.keys.iter().chain(&message.revised_keys).collect();
            let bytes = with_header(&message.encode_to_vec());
            let content = ExportContent::parse(&bytes).unwrap();
            let is_usable = |key: &&wire::TemporaryExposureKey| {
                key.key_data.as_ref().unwrap().len() == 16 && key.rolling_period != Some(145)
            };
            prop_assert_eq!(content.all_keys_are_usable(), all.iter().all(is_usable));
            let data: Vec<_> = all.iter().filter_map(|key| key.key_data.as_ref().filter(|data| data.len() == 16)).collect();
            prop_assert_eq!(content.keys_ascend(), data.windows(2).all(|pair| pair[0] < pair[1]));
            let usable: Vec<_> = all.iter().copied().filter(is_usable).map(|key| key.key_data.clone().unwrap()).collect();
            let read: Vec<_> = content.keys().chain(content.revised_keys()).map(|key| key.key_data.to_vec()).collect();
            prop_assert_eq!(read, usable);
        }

        #[test]
        fn the_shortest_way_to_read_a_key_is_the_long_way_too(
            data in any::<[u8; 16]>(), level in 0..10_i32, start in prop_oneof![1 << 21..1 << 28, any::<i32>()],
            period in 120..150_i32, more in proptest::option::of((0..7_i32, -70..70_i32)), flip in 0..1000_usize,
        ) {
            let mut message = wire::TemporaryExposureKey {
                key_data: Some(data.to_vec()),
                transmission_risk_level: Some(level),
                rolling_start_interval_number: Some(start),
                rolling_period: Some(period),
                report_type: more.map(|(report_type, _)| report_type),
                days_since_onset_of_symptoms: more.map(|(_, days)| days),
                variant_of_concern: None,
            }
            .encode_to_vec();
            // In one of four, one bit is another.
            if let Some(byte) = message.get_mut(flip / 8) {
                *byte ^= 1 << (flip % 8);
            }
            let mut anomalies = Anomalies::default();
            let long = RawKey::read_any(&message, &mut anomalies).map(ExportKey::try_from);
            match ExportKey::read_usual(&message) {
                Some(usual) => {
                    prop_assert_eq!(long, Ok(Ok(usual)));
                    prop_assert_eq!(anomalies, Anomalies::default());
                }
                // What is as publishers write it does go this way.
                None => prop_assert!(
                    flip / 8 < message.len() || !matches!(long, Ok(Ok(_))) || period < 128 || !(1 << 21..1 << 28).contains(&start)
                        || more.is_some_and(|(_, days)| !(-64..=63).contains(&days))
                ),
            }
        }

        #[test]
        fn the_short_way_to_read_a_key_is_the_long_way(key in key(), flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..3)) {
            let mut message = key.encode_to_vec();
            for (at, bit) in flips {
                if !message.is_empty() {
                    let at = at.index(message.len());
                    message[at] ^= 1 << bit;
                }
            }
            let any = RawKey::read_any(&message, &mut Anomalies::default());
            if let Some(usual) = ExportKey::read_usual(&message) {
                prop_assert_eq!(any.map(ExportKey::try_from), Ok(Ok(usual)));
            }
            if let Some(short) = RawKey::read_canonical(&message) {
                let mut anomalies = Anomalies::default();
                prop_assert_eq!(RawKey::read_any(&message, &mut anomalies), Ok(short));
                prop_assert_eq!(anomalies, Anomalies::default());
            }
        }

        #[test]
        fn what_this_reader_takes_prost_reads_the_same(message in message(), flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..4)) {
            let mut body = message.encode_to_vec();
            for (at, bit) in flips {
                if !body.is_empty() {
                    let at = at.index(body.len());
                    body[at] ^= 1 << bit;
                }
            }
            let bytes = with_header(&body);
            if let Ok(content) = ExportContent::parse(&bytes) {
                let theirs = wire::TemporaryExposureKeyExport::decode(body.as_slice());
                prop_assert_eq!(theirs, Ok(as_prost(&content)));
            }
        }
    }

    #[test]
    fn what_is_unusual_is_counted() {
        // Field 9 is unknown; batch_num twice, the second 1 in two bytes; a start of 2^33 in a key.
        let bytes = with_header(&[
            0x48, 0x01, 0x20, 0x01, 0x20, 0x81, 0x00, 0x3a, 0x07, 0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
        ]);
        let content = ExportContent::parse(&bytes).unwrap();
        assert_eq!(
            content.anomalies(),
            Anomalies { unknown_fields: 1, repeated_fields: 1, not_minimal: 1, overflowing: 1 }
        );
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        // A key behind a revised one and an unknown field, its tag in two bytes; then one whose length is.
        let bytes = with_header(&[
            0x42, 0x02, 0x20, 0x01, 0x48, 0x01, 0xba, 0x00, 0x02, 0x20, 0x02, 0x3a, 0x82, 0x00, 0x20, 0x03,
        ]);
        let content = ExportContent::parse(&bytes).unwrap();
        let periods = |keys: &mut dyn Iterator<Item = RawKey<'_>>| -> Vec<_> {
            keys.map(|key| key.rolling_period.unwrap()).collect()
        };
        assert_eq!(periods(&mut content.raw_keys()), [2, 3]);
        assert_eq!(periods(&mut content.raw_revised_keys()), [1]);
        assert_eq!((content.key_count(), content.revised_key_count()), (2, 1));
    }

    #[test]
    fn a_key_out_of_shape_has_its_number_in_the_error() {
        let message = wire::TemporaryExposureKeyExport {
            keys: vec![
                wire::TemporaryExposureKey { key_data: Some(vec![1; 16]), ..Default::default() },
                wire::TemporaryExposureKey { key_data: Some(vec![1; 15]), ..Default::default() },
            ],
            ..Default::default()
        };
        let bytes = with_header(&message.encode_to_vec());
        let content = ExportContent::parse(&bytes).unwrap();
        let error = content.to_export().unwrap_err();
        assert_eq!(
            error,
            ContentKeyError { number: 2, revised: false, reason: KeyError::Length { length: 15 } }
        );
        assert_eq!((content.key_count(), content.keys().count()), (2, 1));
    }

    #[test]
    fn too_many_infos_and_wrong_types_are_refused() {
        let eleven = with_header(&[0x32, 0x00].repeat(11));
        assert_eq!(ExportContent::parse(&eleven).unwrap_err(), ParseContentError::TooManySignatureInfos);
        let number_as_key = with_header(&[0x38, 0x01]);
        assert!(matches!(ExportContent::parse(&number_as_key), Err(ParseContentError::Message(_))));
        let key_with_text_as_level = with_header(&[0x3a, 0x02, 0x12, 0x00]);
        assert!(matches!(
            ExportContent::parse(&key_with_text_as_level),
            Err(ParseContentError::Key { number: 1, revised: false, .. })
        ));
    }
}
