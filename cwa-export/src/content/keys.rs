//! Keys as they stand on the wire: as most publishers write them by a few masks, and as any may write them.

use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel,
};

use super::{Anomalies, Seen};
use crate::key::{ExportKey, RawKey};
use crate::reader::{Fields, ReadError};

// Inlined, as is what follows: a key that is returned through memory is written field by field and read back several
// fields at once, for which a processor waits longer than all of the reading takes.
impl ExportKey {
    /// A key as the servers of Germany and of Google write one that can be used: key data, level, start and period, all
    /// there and in this order, then report type and days since onset or neither. `None` says nothing about the message
    /// but that it takes a closer look.
    #[inline(always)]
    pub(super) fn read_usual(message: &[u8]) -> Option<Self> {
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
    pub(super) fn read_canonical(message: &'a [u8]) -> Option<Self> {
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
    pub(super) fn read_any(message: &'a [u8], anomalies: &mut Anomalies) -> Result<Self, ReadError> {
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
pub(super) struct RawKeys<'a> {
    pub(super) number: u32,
    pub(super) tag: u8,
    pub(super) fields: Fields<'a>,
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
pub(super) struct UsableKeys<'a>(pub(super) RawKeys<'a>);

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

/// The key of a field with this tag that is written as most publishers do, and what is behind it.
#[inline(always)]
pub(super) fn usual_field(tag: u8, bytes: &[u8]) -> Option<(ExportKey, &[u8])> {
    let [found, length @ 0..0x80, rest @ ..] = bytes else { return None };
    let (message, behind) = rest.split_at_checked(usize::from(*length))?;
    let key = ExportKey::read_usual(message).filter(|_| *found == tag)?;
    Some((key, behind))
}
