//! A session's test ids, readable only with the registration token.
//!
//! The server needs the hashed GUID when the phone asks for its result (to ask the test result server, and for the
//! internal endpoint that names the test); at rest nothing may tell which test a session belongs to. So it is stored
//! sealed: exclusive-or with a stream that depends on the server's key and on the registration token, which is
//! different for every session and not stored. This hides; it does not detect a change of the database.

use core::fmt;

use zeroize::Zeroize as _;

use crate::guid::TestId;
use crate::hash::HashKey;
use crate::registration::RegistrationToken;

/// A hashed GUID and, if the phone gave one, a date-of-birth hash, sealed for the holder of the registration token.
///
/// For the database: 33 or 66 bytes that look random.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SealedTestIds {
    guid: [u8; TestId::LENGTH],
    date_of_birth: Option<[u8; TestId::LENGTH]>,
}

impl SealedTestIds {
    /// Seals.
    #[must_use]
    pub fn seal(
        guid: &TestId,
        date_of_birth: Option<&TestId>,
        token: &RegistrationToken,
        key: &HashKey,
    ) -> Self {
        Self {
            guid: exclusive_or(guid.expose_bytes(), GUID_LABEL, token, key),
            date_of_birth: date_of_birth
                .map(|id| exclusive_or(id.expose_bytes(), DATE_OF_BIRTH_LABEL, token, key)),
        }
    }

    /// Unseals: hashed GUID and date-of-birth hash. `None` if this is not what was sealed for this token and key.
    #[must_use]
    pub fn open(&self, token: &RegistrationToken, key: &HashKey) -> Option<(TestId, Option<TestId>)> {
        let guid = TestId::from_bytes(&exclusive_or(self.guid, GUID_LABEL, token, key))?;
        let date_of_birth = match self.date_of_birth {
            Some(bytes) => Some(TestId::from_bytes(&exclusive_or(bytes, DATE_OF_BIRTH_LABEL, token, key))?),
            None => None,
        };
        Some((guid, date_of_birth))
    }

    /// The bytes for the database: 33, or 66 with a date-of-birth hash.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.guid.to_vec();
        bytes.extend(self.date_of_birth.iter().flatten());
        bytes
    }
}

impl TryFrom<&[u8]> for SealedTestIds {
    type Error = SealedTestIdsError;

    /// Reads the bytes from the database.
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let wrong = SealedTestIdsError { got: bytes.len() };
        let (guid, rest) = bytes.split_first_chunk().ok_or(wrong)?;
        let date_of_birth = match rest {
            [] => None,
            rest => Some(rest.try_into().map_err(|_| wrong)?),
        };
        Ok(Self { guid: *guid, date_of_birth })
    }
}

impl fmt::Debug for SealedTestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedTestIds").finish_non_exhaustive()
    }
}

/// Bytes that are not sealed test ids.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("sealed test ids have {} or {} bytes, not {got}", TestId::LENGTH, 2 * TestId::LENGTH)]
#[non_exhaustive]
pub struct SealedTestIdsError {
    /// The length found, in bytes.
    pub got: usize,
}

const GUID_LABEL: &[u8] = b"seal guid";
const DATE_OF_BIRTH_LABEL: &[u8] = b"seal date of birth";

fn exclusive_or(
    mut bytes: [u8; TestId::LENGTH],
    label: &[u8],
    token: &RegistrationToken,
    key: &HashKey,
) -> [u8; TestId::LENGTH] {
    let mut stream = key.seal_stream(label, token);
    for (byte, mask) in bytes.iter_mut().zip(stream) {
        *byte ^= mask;
    }
    stream.zeroize();
    bytes
}

#[cfg(test)]
mod tests {
    use subtle::ConstantTimeEq as _;

    use super::*;
    use crate::guid::HashedGuid;
    use crate::hash::HashKeyId;

    #[test]
    fn the_ids_come_back_with_the_token_and_the_key_only() {
        let key = HashKey::new(HashKeyId::new(1), [1; 32]);
        let token = RegistrationToken::from_prf(&[2; 32]);
        let guid = TestId::from(HashedGuid::of_text("a"));
        let date_of_birth = TestId::parse(&format!("x{}", "1".repeat(63))).unwrap();
        for date_of_birth in [None, Some(date_of_birth)] {
            let sealed = SealedTestIds::seal(&guid, date_of_birth.as_ref(), &token, &key);
            let sealed = SealedTestIds::try_from(&sealed.to_bytes()[..]).unwrap();
            let (opened, opened_date) = sealed.open(&token, &key).unwrap();
            assert!(bool::from(opened.ct_eq(&guid)));
            assert_eq!(opened_date.is_some(), date_of_birth.is_some());
            assert!(opened_date.zip(date_of_birth).is_none_or(|(a, b)| bool::from(a.ct_eq(&b))));
            let other = RegistrationToken::from_prf(&[3; 32]);
            let wrong = sealed.open(&other, &key);
            assert!(wrong.is_none_or(|(wrong, _)| !bool::from(wrong.ct_eq(&guid))));
        }
        assert_eq!(SealedTestIds::try_from(&[0; 34][..]), Err(SealedTestIdsError { got: 34 }));
        assert_eq!(SealedTestIds::try_from(&[0; 32][..]), Err(SealedTestIdsError { got: 32 }));
    }

    #[test]
    fn nothing_sealed_looks_like_what_it_hides() {
        let key = HashKey::new(HashKeyId::new(1), [1; 32]);
        let token = RegistrationToken::from_prf(&[2; 32]);
        let id = TestId::from(HashedGuid::of_text("a"));
        let sealed = SealedTestIds::seal(&id, Some(&id), &token, &key).to_bytes();
        let (first, second) = sealed.split_at(TestId::LENGTH);
        assert_ne!(first, second);
        assert!(!sealed.windows(4).any(|window| id.expose_bytes().windows(4).any(|bytes| bytes == window)));
    }
}
