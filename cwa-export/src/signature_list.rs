//! What stands in an `export.sig`. Nothing protects these bytes, so a strict reader takes only the one form that a
//! writer gives them.

use crate::content::{Anomalies, Seen};
use crate::reader::{Fields, ReadError};
use crate::signature::{MAX_SIGNATURES, SignatureInfo};

/// Longest `export.sig` that is read, in bytes: 64 KiB.
pub const MAX_SIGNATURE_BYTES: usize = 64 << 10;

/// The signatures of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SignatureList<'a> {
    pub(crate) signatures: Vec<ListedSignature<'a>>,
    pub(crate) anomalies: Anomalies,
}

/// One signature and the name of its key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ListedSignature<'a> {
    pub(crate) signature_info: Option<SignatureInfo>,
    pub(crate) batch_num: Option<i32>,
    pub(crate) batch_size: Option<i32>,
    pub(crate) signature: Option<&'a [u8]>,
}

impl<'a> SignatureList<'a> {
    pub(crate) fn parse(export_sig: &'a [u8]) -> Result<Self, ParseSignatureListError> {
        if export_sig.len() > MAX_SIGNATURE_BYTES {
            return Err(ParseSignatureListError::TooLarge {
                length: export_sig.len(),
                max: MAX_SIGNATURE_BYTES,
            });
        }
        let mut list = Self::default();
        for field in Fields::new(export_sig) {
            let field = field.map_err(ParseSignatureListError::Message)?;
            list.anomalies.look_at(&field);
            if field.number != 1 {
                list.anomalies.unknown_fields += 1;
                continue;
            }
            let number = list.signatures.len().saturating_add(1);
            if number > MAX_SIGNATURES {
                return Err(ParseSignatureListError::TooMany);
            }
            let message = field.bytes().map_err(ParseSignatureListError::Message)?;
            let signature = ListedSignature::read(message, &mut list.anomalies)
                .map_err(|reason| ParseSignatureListError::Signature { number, reason })?;
            list.signatures.push(signature);
        }
        Ok(list)
    }
}

impl<'a> ListedSignature<'a> {
    fn read(message: &'a [u8], anomalies: &mut Anomalies) -> Result<Self, ReadError> {
        let mut listed = Self::default();
        let mut seen = Seen::default();
        for field in Fields::new(message) {
            let field = field?;
            anomalies.look_at(&field);
            match field.number {
                1 => listed.signature_info = Some(SignatureInfo::read(field.bytes()?, anomalies)?),
                2 => listed.batch_num = Some(anomalies.int32(&field)?),
                3 => listed.batch_size = Some(anomalies.int32(&field)?),
                4 => listed.signature = Some(field.bytes()?),
                _ => {
                    anomalies.unknown_fields += 1;
                    continue;
                }
            }
            anomalies.repeated_fields += seen.again(field.number);
        }
        Ok(listed)
    }
}

/// Why bytes are no signature list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSignatureListError {
    /// Longer than the limit.
    #[error("export.sig has {length} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes found.
        length: usize,
        /// Most bytes.
        max: usize,
    },
    /// No message.
    #[error("export.sig cannot be read")]
    Message(#[source] ReadError),
    /// A signature that is no message.
    #[error("signature {number} cannot be read")]
    Signature {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it; offsets count from its start.
        #[source]
        reason: ReadError,
    },
    /// More signatures than the format allows.
    #[error("export.sig holds more than {MAX_SIGNATURES} signatures")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_signatures_or_64_kib_are_too_much() {
        assert_eq!(SignatureList::parse(&[0x0a, 0x00].repeat(10)).unwrap().signatures.len(), 10);
        assert_eq!(SignatureList::parse(&[0x0a, 0x00].repeat(11)), Err(ParseSignatureListError::TooMany));
        let large = vec![0; MAX_SIGNATURE_BYTES + 1];
        assert!(matches!(SignatureList::parse(&large), Err(ParseSignatureListError::TooLarge { .. })));
    }

    #[test]
    fn repeated_and_unknown_fields_are_counted() {
        // A signature with batch_num twice and field 7; beside it field 2.
        let list = SignatureList::parse(&[0x0a, 6, 0x10, 1, 0x10, 1, 0x38, 1, 0x10, 0]).unwrap();
        assert_eq!((list.anomalies.repeated_fields, list.anomalies.unknown_fields), (1, 2));
    }
}
