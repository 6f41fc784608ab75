//! Fixed-length public byte strings: hex on paper, raw on the wire.

/// What is wrong with the bytes or the hex digits of a public value of fixed length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ByteStringError {
    /// Raw bytes of the wrong length.
    #[error("must be {expected} bytes, not {got}")]
    Length {
        /// The length required, in bytes.
        expected: usize,
        /// The length found, in bytes.
        got: usize,
    },
    /// Text of the wrong length.
    #[error("must be {expected} hex digits, not {got}")]
    HexLength {
        /// The number of digits required.
        expected: usize,
        /// The length found, in bytes of text.
        got: usize,
    },
    /// Something other than a hex digit in the text.
    #[error("not a hex digit at position {offset}")]
    HexDigit {
        /// Where it is, in bytes from the beginning of the text.
        offset: usize,
    },
}

/// Reads hex digits of either case into a fixed-length array.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ByteStringError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map(|()| bytes).map_err(|error| match error {
        hex::FromHexError::InvalidHexCharacter { index, .. } => ByteStringError::HexDigit { offset: index },
        _ => ByteStringError::HexLength { expected: 2 * N, got: text.len() },
    })
}

/// The conversions of a public newtype over `[u8; Self::LENGTH]`: raw, hex text, `Debug`, and `serde` as hex.
macro_rules! public_bytes {
    ($name:ident) => {
        impl $name {
            /// The value with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
                Self(bytes)
            }

            /// The bytes, in the order they have on air.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = $crate::bytes::ByteStringError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                let error =
                    $crate::bytes::ByteStringError::Length { expected: Self::LENGTH, got: bytes.len() };
                bytes.try_into().map(Self).map_err(|_| error)
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::bytes::ByteStringError;

            /// Reads hex digits of either case, two for each byte.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::bytes::parse_hex(text).map(Self)
            }
        }

        impl core::fmt::Display for $name {
            /// Lower-case hex.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = alloc::string::String::deserialize(deserializer)?;
                // The name of the type: serde's errors do not say which member they are about.
                text.parse().map_err(|error: $crate::bytes::ByteStringError| {
                    serde::de::Error::custom(format_args!("{}: {error}", stringify!($name)))
                })
            }
        }
    };
}
pub(crate) use public_bytes;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_either_case_is_read() {
        assert_eq!(parse_hex::<2>("aB09"), Ok([0xab, 0x09]));
    }

    #[test]
    fn wrong_text_is_refused_with_its_place() {
        let length = |got| Err(ByteStringError::HexLength { expected: 4, got });
        assert_eq!(parse_hex::<2>(""), length(0));
        assert_eq!(parse_hex::<2>("abc"), length(3));
        assert_eq!(parse_hex::<2>("abcdef"), length(6));
        assert_eq!(parse_hex::<2>("ab0g"), Err(ByteStringError::HexDigit { offset: 3 }));
        assert_eq!(parse_hex::<2>("0xab"), Err(ByteStringError::HexDigit { offset: 1 }));
        assert_eq!(parse_hex::<2>("äb0"), Err(ByteStringError::HexDigit { offset: 0 }));
    }
}
