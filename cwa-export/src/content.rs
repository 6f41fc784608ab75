//! What stands in an `export.bin`, read where it lies: nothing is copied, nothing is allocated for keys.

mod keys;
mod walk;

use core::fmt;

use cwa_crypto::{DiagnosisKey, UnixTime};

use crate::export::Export;
use crate::header::{self, HeaderError};
use crate::key::{ExportKey, KeyError, RawKey};
use crate::reader::{Field, Fields, ReadError};
use crate::signature::{MAX_SIGNATURES, SignatureInfo};

use keys::{RawKeys, UsableKeys};
use walk::{Head, KEYS, KEYS_TAG, REVISED_KEYS, REVISED_KEYS_TAG};
pub(crate) use walk::{Place, Read, Walk};

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

#[cfg(test)]
mod tests;
