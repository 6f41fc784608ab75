//! A reader of protocol buffers for hostile input: borrows, allocates nothing, and tells what was unusual.
//!
//! It reads what prost reads, and is stricter where a file could mean two things: groups are refused, a varint of a
//! 32-bit field must fit, and everything that a strict profile looks at (numbers not in their shortest form) is
//! reported with the field.

use core::fmt;

/// The fields of one message, in order.
///
/// ```
/// use cwa_export::reader::{Fields, Value};
/// // Field 1, varint 150.
/// let field = Fields::new(&[0x08, 0x96, 0x01]).next().unwrap().unwrap();
/// assert_eq!((field.number, field.value), (1, Value::Varint(150)));
/// ```
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    /// Length of the whole message.
    length: usize,
    failed: bool,
}

/// One field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Its number, 1 to 536,870,911.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// Whether its tag, number or length is in its shortest form.
    pub is_minimal: bool,
    /// Where it begins, counted from the start of the message.
    pub offset: usize,
}

/// The value of a field, as the wire has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the wire types of protocol buffers, groups apart")]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: bytes, text, a message, packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// How a value stands on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the wire types of protocol buffers, groups apart")]
pub enum WireType {
    /// 0.
    Varint,
    /// 1.
    Fixed64,
    /// 2.
    Length,
    /// 5.
    Fixed32,
}

impl fmt::Display for WireType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "varint",
            Self::Fixed64 => "fixed64",
            Self::Length => "length-delimited",
            Self::Fixed32 => "fixed32",
        })
    }
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, length: message.len(), failed: false }
    }

    #[inline]
    fn field(&mut self) -> Result<Field<'a>, ReadError> {
        let offset = self.offset();
        let (tag, tag_minimal) = self.varint()?;
        let tag = u32::try_from(tag).map_err(|_| ReadError::Tag { offset })?;
        let number = tag >> 3;
        if number == 0 {
            return Err(ReadError::Tag { offset });
        }
        let (value, value_minimal) = match tag & 7 {
            0 => {
                let (value, minimal) = self.varint()?;
                (Value::Varint(value), minimal)
            }
            1 => (Value::Fixed64(u64::from_le_bytes(*self.array()?)), true),
            2 => {
                let (length, minimal) = self.varint()?;
                let length = usize::try_from(length).map_err(|_| ReadError::Truncated { offset })?;
                (Value::Bytes(self.take(length).ok_or(ReadError::Truncated { offset })?), minimal)
            }
            5 => (Value::Fixed32(u32::from_le_bytes(*self.array()?)), true),
            3 | 4 => return Err(ReadError::Group { offset }),
            _ => return Err(ReadError::Tag { offset }),
        };
        Ok(Field { number, value, is_minimal: tag_minimal && value_minimal, offset })
    }

    /// A varint and whether it is in its shortest form.
    #[inline]
    fn varint(&mut self) -> Result<(u64, bool), ReadError> {
        // Tags, lengths and most numbers of these formats are one byte.
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok((byte.into(), true))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<(u64, bool), ReadError> {
        let offset = self.offset();
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().copied().enumerate().take(10) {
            // The tenth byte holds the last bit of 64.
            if index == 9 && byte > 1 {
                return Err(ReadError::Varint { offset });
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.take(index + 1);
                return Ok((value, byte != 0 || index == 0));
            }
        }
        if self.rest.len() < 10 {
            Err(ReadError::Truncated { offset })
        } else {
            Err(ReadError::Varint { offset })
        }
    }

    /// The bytes of the next field if its tag is this one byte, and its length another one: as the keys of an export
    /// stand on the wire, of which a file has a million.
    #[inline]
    pub(crate) fn next_short(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.rest {
            [found, length @ 0..0x80, rest @ ..] if *found == tag => {
                let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// What is still to be read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Leaves out what is before `rest`, which is the end of what is still to be read.
    pub(crate) const fn go_on_at(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Number and length of the field that begins here and holds bytes, how long its tag and length are together, and
    /// whether both are in their shortest form. Nothing is read by it.
    pub(crate) fn peek_bytes(&self) -> Option<(u32, usize, usize, bool)> {
        let mut ahead = self.clone();
        let (tag, is_minimal) = ahead.varint().ok()?;
        let (length, has_minimal_length) = ahead.varint().ok()?;
        let number = u32::try_from(tag >> 3).ok().filter(|_| tag & 7 == 2)?;
        let before = self.rest.len().saturating_sub(ahead.rest.len());
        Some((number, usize::try_from(length).ok()?, before, is_minimal && has_minimal_length))
    }

    /// Where the rest begins, counted from the start of the message.
    #[inline]
    const fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ReadError> {
        let offset = self.offset();
        self.take(N).and_then(|bytes| bytes.try_into().ok()).ok_or(ReadError::Truncated { offset })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, ReadError>;

    /// The next field; after an error, nothing more.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let field = self.field();
        self.failed = field.is_err();
        Some(field)
    }
}

impl<'a> Field<'a> {
    /// How its value stands on the wire.
    #[must_use]
    pub const fn wire_type(&self) -> WireType {
        match self.value {
            Value::Varint(_) => WireType::Varint,
            Value::Fixed64(_) => WireType::Fixed64,
            Value::Bytes(_) => WireType::Length,
            Value::Fixed32(_) => WireType::Fixed32,
        }
    }

    /// The value as bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::WireType`] if the wire says otherwise.
    pub const fn bytes(&self) -> Result<&'a [u8], ReadError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type(WireType::Length)),
        }
    }

    /// The value as text of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::WireType`], [`ReadError::Text`] if it is not UTF-8, [`ReadError::TextLength`].
    pub fn text(&self, max: usize) -> Result<&'a str, ReadError> {
        let bytes = self.bytes()?;
        if bytes.len() > max {
            return Err(ReadError::TextLength { offset: self.offset, length: bytes.len(), max });
        }
        core::str::from_utf8(bytes).map_err(|_| ReadError::Text { offset: self.offset })
    }

    /// The value as a 64-bit number of fixed length.
    ///
    /// # Errors
    ///
    /// [`ReadError::WireType`] if the wire says otherwise.
    pub const fn fixed64(&self) -> Result<u64, ReadError> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_type(WireType::Fixed64)),
        }
    }

    /// The value as `int32`, and whether the varint was that number and nothing more.
    ///
    /// A negative number is sign-extended to ten bytes by every writer. Readers keep the low 32 bits, so a varint that
    /// is not the extension of its own low half means one thing to them and another to a reader that compares first.
    ///
    /// # Errors
    ///
    /// [`ReadError::WireType`] if the wire says otherwise.
    pub const fn int32(&self) -> Result<(i32, bool), ReadError> {
        match self.value {
            Value::Varint(value) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the low half is the number, and whether anything was lost is returned"
                )]
                let low = value as i32;
                #[expect(clippy::cast_sign_loss, reason = "sign extension is what is compared")]
                let extended = low as i64 as u64;
                Ok((low, extended == value))
            }
            _ => Err(self.wrong_type(WireType::Varint)),
        }
    }

    /// The value as `sint32` (zigzag), and whether the varint was that number and nothing more.
    ///
    /// # Errors
    ///
    /// [`ReadError::WireType`] if the wire says otherwise.
    pub const fn sint32(&self) -> Result<(i32, bool), ReadError> {
        match self.value {
            Value::Varint(value) => {
                #[expect(clippy::cast_possible_truncation, reason = "whether anything was lost is returned")]
                let low = value as u32;
                #[expect(clippy::cast_possible_wrap, reason = "zigzag: at most i32::MAX after the shift")]
                let number = (low >> 1) as i32 ^ -((low & 1) as i32);
                Ok((number, low as u64 == value))
            }
            _ => Err(self.wrong_type(WireType::Varint)),
        }
    }

    const fn wrong_type(&self, expected: WireType) -> ReadError {
        ReadError::WireType { offset: self.offset, number: self.number, expected, found: self.wire_type() }
    }
}

impl ReadError {
    /// The same of a message whose first `by` bytes were left out.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        let (Self::Truncated { offset }
        | Self::Varint { offset }
        | Self::Tag { offset }
        | Self::Group { offset }
        | Self::WireType { offset, .. }
        | Self::Text { offset }
        | Self::TextLength { offset, .. }) = &mut self;
        *offset = offset.saturating_add(by);
        self
    }
}

/// Why bytes are no message; offsets count from the start of the message the field is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The message ends within a field.
    #[error("the message ends within the field at byte {offset}")]
    Truncated {
        /// Where the field begins.
        offset: usize,
    },
    /// A varint of more than 64 bits.
    #[error("the number at byte {offset} has more than 64 bits")]
    Varint {
        /// Where it begins.
        offset: usize,
    },
    /// A tag that names no field.
    #[error("there is no field tag at byte {offset}")]
    Tag {
        /// Where it begins.
        offset: usize,
    },
    /// A group, which no revision of these formats uses.
    #[error("the field at byte {offset} is a group")]
    Group {
        /// Where it begins.
        offset: usize,
    },
    /// A field with another wire type than the format gives it.
    #[error("field {number} at byte {offset} must be {expected}, not {found}")]
    WireType {
        /// Where it begins.
        offset: usize,
        /// Its number.
        number: u32,
        /// What the format says.
        expected: WireType,
        /// What the wire says.
        found: WireType,
    },
    /// Text that is not UTF-8.
    #[error("the text at byte {offset} is not UTF-8")]
    Text {
        /// Where its field begins.
        offset: usize,
    },
    /// Text longer than anything these formats need.
    #[error("the text at byte {offset} has {length} bytes; at most {max} are accepted")]
    TextLength {
        /// Where its field begins.
        offset: usize,
        /// Bytes found.
        length: usize,
        /// Most bytes.
        max: usize,
    },
}
