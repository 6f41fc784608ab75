//! A test's GUID, as printed in its QR code, and the two hashes that go over the wire in its place.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// The identifier printed in a test's QR code: 43 characters, `6-8-4-4-4-12` hexadecimal digits.
///
/// Case is kept exactly as scanned, because it is hashed as text: the same code printed in another case is another
/// test. The first six digits are a prefix (in some codes the start of the UUID, in others not) and are not checked.
/// Secret: whoever knows it can register the test first.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Guid(Zeroizing<String>);

impl Guid {
    /// Characters of a GUID.
    pub const LENGTH: usize = 43;

    /// Reads a GUID, in either case.
    ///
    /// # Errors
    ///
    /// Text of another length, or with another character than a digit or hyphen in its place.
    pub fn parse(text: &str) -> Result<Self, GuidError> {
        let length = text.chars().count();
        if length != Self::LENGTH {
            return Err(GuidError::Length { got: length });
        }
        let wrong = text.chars().enumerate().find(|&(index, character)| match index {
            6 | 15 | 20 | 25 | 30 => character != '-',
            _ => !character.is_ascii_hexdigit(),
        });
        match wrong {
            Some((index, _)) => Err(GuidError::Character { position: index + 1 }),
            None => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// The text, exactly as scanned.
    #[must_use]
    pub fn expose_text(&self) -> &str {
        &self.0
    }

    /// What the phone registers and the laboratory uploads under: SHA-256 of the text.
    ///
    /// ```
    /// use cwa_verify::Guid;
    /// let guid = Guid::parse("123456-12345678-1234-4DA7-B166-B86D85475064")?;
    /// assert_eq!(
    ///     *guid.hash().expose_hex(),
    ///     "a7f03e2e20f1f953e15cc67162593fd97fa2a7aac6a84d9123eb626ab2cc61ed",
    /// );
    /// # Ok::<(), cwa_verify::GuidError>(())
    /// ```
    #[must_use]
    pub fn hash(&self) -> HashedGuid {
        HashedGuid::of_text(&self.0)
    }

    /// The second hash, which only someone who knows the date of birth can compute.
    #[must_use]
    pub fn date_of_birth_key(&self, date_of_birth: DateOfBirth) -> DateOfBirthKey {
        DateOfBirthKey::of_text(&self.0, date_of_birth)
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for Guid {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guid").finish_non_exhaustive()
    }
}

/// SHA-256 of a [`Guid`]'s text; 32 bytes, 64 hexadecimal digits on the wire.
///
/// Secret towards everyone but phone, laboratory and the servers between them: until the test is registered, it is
/// all that is needed to register it.
#[derive(Clone, ZeroizeOnDrop)]
pub struct HashedGuid([u8; Self::LENGTH]);

impl HashedGuid {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// The hash of any text, UTF-8; [`Guid::hash`] is this after a check of the syntax.
    ///
    /// ```
    /// use cwa_verify::HashedGuid;
    /// assert_eq!(
    ///     *HashedGuid::of_text("testKeyGuid").expose_hex(),
    ///     "7620a19f93374e8d5acff090d3c10d0242a32fe140c50bbd40c95edf3c0af5b7",
    /// );
    /// ```
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits in either case. Both cases are the same hash, so that writing it in the other one
    /// does not register a test twice.
    ///
    /// # Errors
    ///
    /// Text of another length or with other characters; an `x` in front belongs to a [`DateOfBirthKey`].
    pub fn parse(text: &str) -> Result<Self, TestIdError> {
        digits(text, Marker::Refused).map(Self)
    }

    /// The secret bytes.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, for a message and nothing else.
    #[must_use]
    pub fn expose_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }
}

impl FromStr for HashedGuid {
    type Err = TestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for HashedGuid {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for HashedGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashedGuid").finish_non_exhaustive()
    }
}

/// `x` and 63 of the 64 hexadecimal digits of SHA-256(GUID ‖ `ddMMyyyy`): 252 bits. Secret.
///
/// The first digit gives way to the mark, so that this key is never taken for a [`HashedGuid`]. The laboratory
/// uploads the same result under both; a phone that registers both proves that it knows the date of birth.
#[derive(Clone, ZeroizeOnDrop)]
pub struct DateOfBirthKey([u8; Self::LENGTH]);

impl DateOfBirthKey {
    /// Bytes of a key; the upper half of the first one is zero.
    pub const LENGTH: usize = 32;

    /// The key of any text and a date; [`Guid::date_of_birth_key`] is this after a check of the syntax.
    ///
    /// ```
    /// use cwa_verify::{DateOfBirth, DateOfBirthKey};
    /// let date = "2000-01-01".parse::<DateOfBirth>()?;
    /// assert_eq!(
    ///     *DateOfBirthKey::of_text("E1277F-E1277F24-4AD2-40BC-AFF8-CBCCCD893E4B", date).expose_text(),
    ///     "xfa760e171f000ef5a7f863ab180f6f6e8185c4890224550395281d839d85458",
    /// );
    /// # Ok::<(), cwa_verify::DateOfBirthError>(())
    /// ```
    #[must_use]
    pub fn of_text(guid: &str, date_of_birth: DateOfBirth) -> Self {
        let mut hash = Sha256::new();
        hash.update(guid.as_bytes());
        let DateOfBirth { year, month, day } = date_of_birth;
        hash.update(Zeroizing::new(format!("{day:02}{month:02}{year:04}")).as_bytes());
        let mut bytes: [u8; Self::LENGTH] = hash.finalize().into();
        bytes[0] &= 0x0f;
        Self(bytes)
    }

    /// The secret bytes; the upper half of the first one is zero.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// `x` and 63 lower-case hexadecimal digits, for a message and nothing else.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(hex::encode(self.0));
        text.replace_range(..1, "x");
        text
    }
}

impl ConstantTimeEq for DateOfBirthKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for DateOfBirthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DateOfBirthKey").finish_non_exhaustive()
    }
}

/// What a test result is filed under: either hash. Secret, as both are.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "complete by the protocol: the two hashes of one GUID")]
pub enum TestId {
    /// The hash of the GUID.
    Guid(HashedGuid),
    /// The hash of the GUID and a date of birth.
    DateOfBirth(DateOfBirthKey),
}

impl TestId {
    /// Reads `^[XxA-Fa-f0-9][A-Fa-f0-9]{63}$`: what a laboratory may upload under, and what `keyDob` may be.
    ///
    /// ```
    /// use cwa_verify::TestId;
    /// let digits = "0".repeat(63);
    /// assert!(matches!(TestId::parse(&format!("X{digits}")), Ok(TestId::DateOfBirth(_))));
    /// assert!(matches!(TestId::parse(&format!("0{digits}")), Ok(TestId::Guid(_))));
    /// assert!(TestId::parse(&format!("y{digits}")).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Text of another length or with other characters.
    pub fn parse(text: &str) -> Result<Self, TestIdError> {
        let bytes = digits(text, Marker::Allowed)?;
        Ok(if text.starts_with(['x', 'X']) {
            Self::DateOfBirth(DateOfBirthKey(bytes))
        } else {
            Self::Guid(HashedGuid(bytes))
        })
    }

    /// Bytes of [`TestId::expose_bytes`].
    pub const LENGTH: usize = 33;

    /// Kind (0 GUID, 1 date of birth) and hash.
    #[must_use]
    pub fn expose_bytes(&self) -> [u8; Self::LENGTH] {
        let (kind, hash) = match self {
            Self::Guid(HashedGuid(hash)) => (0, hash),
            Self::DateOfBirth(DateOfBirthKey(hash)) => (1, hash),
        };
        let mut bytes = [0; Self::LENGTH];
        let [first, rest @ ..] = &mut bytes;
        *first = kind;
        rest.copy_from_slice(hash);
        bytes
    }

    /// The inverse of [`TestId::expose_bytes`]; `None` for a kind that does not exist.
    pub(crate) fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let [kind, hash @ ..] = *bytes;
        match (kind, hash[0]) {
            (0, _) => Some(Self::Guid(HashedGuid(hash))),
            (1, 0..=0x0f) => Some(Self::DateOfBirth(DateOfBirthKey(hash))),
            _ => None,
        }
    }

    /// The text form, lower case, for a message and nothing else.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        match self {
            Self::Guid(hash) => hash.expose_hex(),
            Self::DateOfBirth(key) => key.expose_text(),
        }
    }
}

impl FromStr for TestId {
    type Err = TestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for TestId {
    fn ct_eq(&self, other: &Self) -> Choice {
        let (mut a, mut b) = (self.expose_bytes(), other.expose_bytes());
        let equal = a.ct_eq(&b);
        a.zeroize();
        b.zeroize();
        equal
    }
}

impl From<HashedGuid> for TestId {
    fn from(hash: HashedGuid) -> Self {
        Self::Guid(hash)
    }
}

impl From<DateOfBirthKey> for TestId {
    fn from(key: DateOfBirthKey) -> Self {
        Self::DateOfBirth(key)
    }
}

/// A calendar date on which someone can have been born: a day that exists, from 1850 to 2199.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct DateOfBirth {
    year: u16,
    month: u8,
    day: u8,
}

impl DateOfBirth {
    /// The date with this year, month (1 to 12) and day of month (1 to 31).
    ///
    /// # Errors
    ///
    /// A day that the Gregorian calendar does not have, or a year outside 1850 to 2199.
    pub const fn new(year: u16, month: u8, day: u8) -> Result<Self, DateOfBirthError> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        if year < 1850 || year > 2199 || day == 0 || day > days {
            return Err(DateOfBirthError);
        }
        Ok(Self { year, month, day })
    }
}

impl FromStr for DateOfBirth {
    type Err = DateOfBirthError;

    /// Reads `yyyy-mm-dd`, exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape_is_right = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shape_is_right {
            return Err(DateOfBirthError);
        }
        let part = |range: core::ops::Range<usize>| text.get(range).ok_or(DateOfBirthError);
        Self::new(
            part(0..4)?.parse().map_err(|_| DateOfBirthError)?,
            part(5..7)?.parse().map_err(|_| DateOfBirthError)?,
            part(8..10)?.parse().map_err(|_| DateOfBirthError)?,
        )
    }
}

impl fmt::Debug for DateOfBirth {
    /// A date of birth identifies a person; it stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DateOfBirth").finish_non_exhaustive()
    }
}

/// Text that is not a GUID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GuidError {
    /// Not 43 characters.
    #[error("a test's GUID has {} characters, not {got}", Guid::LENGTH)]
    Length {
        /// The number of characters found.
        got: usize,
    },
    /// A character that is neither the hyphen nor the hexadecimal digit that belongs in its place.
    #[error("character {position} does not belong there in 6-8-4-4-4-12 hexadecimal digits")]
    Character {
        /// Its position, counted from 1.
        position: usize,
    },
}

/// Text that is not the hash a test result is filed under.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TestIdError {
    /// Not 64 characters.
    #[error("the hash of a test has 64 characters, not {got}")]
    Length {
        /// The number of characters found.
        got: usize,
    },
    /// A character that is not a hexadecimal digit (nor, in front, an `x` where one is allowed).
    #[error("character {position} of the hash of a test is not a hexadecimal digit")]
    Character {
        /// Its position, counted from 1.
        position: usize,
    },
}

/// Not a date of the form `yyyy-mm-dd` from 1850 to 2199.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a date of birth of the form yyyy-mm-dd from 1850 to 2199")]
#[non_exhaustive]
pub struct DateOfBirthError;

enum Marker {
    Allowed,
    Refused,
}

/// 32 bytes from 64 hexadecimal digits, of which an allowed marker counts as 0.
fn digits(text: &str, marker: Marker) -> Result<[u8; 32], TestIdError> {
    let length = text.chars().count();
    if length != 64 {
        return Err(TestIdError::Length { got: length });
    }
    let mut bytes = [0_u8; 32];
    for (index, character) in text.chars().enumerate() {
        let digit = match (index, character, &marker) {
            (0, 'x' | 'X', Marker::Allowed) => Some(0),
            _ => character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()),
        };
        let (Some(digit), Some(byte)) = (digit, bytes.get_mut(index / 2)) else {
            bytes.zeroize();
            return Err(TestIdError::Character { position: index + 1 });
        };
        *byte = *byte << 4 | digit;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "F1EE0D-F1EE0D4D-4346-4B63-B9CF-1522D9200915";

    #[test]
    fn the_same_code_in_another_case_is_another_test() {
        let (upper, lower) = (Guid::parse(GUID).unwrap(), Guid::parse(&GUID.to_lowercase()).unwrap());
        assert!(!bool::from(upper.hash().ct_eq(&lower.hash())));
    }

    #[test]
    fn the_same_hash_in_another_case_is_the_same_hash() {
        let hash = Guid::parse(GUID).unwrap().hash();
        let upper = HashedGuid::parse(&hash.expose_hex().to_uppercase()).unwrap();
        assert!(bool::from(upper.ct_eq(&hash)));
    }

    #[test]
    fn wrong_guids_are_refused_with_the_place() {
        assert_eq!(Guid::parse("").unwrap_err(), GuidError::Length { got: 0 });
        let short = "3567F3F2-4DCF-43A3-8737-4CD1F87D6FDA";
        assert_eq!(Guid::parse(short).unwrap_err(), GuidError::Length { got: 36 });
        for (wrong, position) in [
            ("F1EE0D_F1EE0D4D-4346-4B63-B9CF-1522D9200915", 7),
            ("F1EE0D-F1EE0D4D-4346-4B63-B9CF-1522D920091G", 43),
            ("ß1EE0D-F1EE0D4D-4346-4B63-B9CF-1522D9200915", 1),
        ] {
            assert_eq!(Guid::parse(wrong).unwrap_err(), GuidError::Character { position }, "{wrong}");
        }
    }

    #[test]
    fn a_marked_hash_is_no_hashed_guid_and_a_plain_one_is_no_date_of_birth_key() {
        let key = Guid::parse(GUID).unwrap().date_of_birth_key("1995-06-07".parse().unwrap());
        let text = key.expose_text();
        assert_eq!(*text, "x4a7788ef394bc7d52112014b127fe2bf142c51fe1bbb385214280e9db670193");
        assert_eq!(HashedGuid::parse(&text).unwrap_err(), TestIdError::Character { position: 1 });
        // The same digits without the mark are another id.
        let unmarked = TestId::parse(&text.replace('x', "0")).unwrap();
        assert!(!bool::from(unmarked.ct_eq(&TestId::parse(&text).unwrap())));
        for id in [TestId::from(key), unmarked] {
            assert!(bool::from(TestId::from_bytes(&id.expose_bytes()).unwrap().ct_eq(&id)));
            assert!(bool::from(TestId::parse(&id.expose_text()).unwrap().ct_eq(&id)));
        }
        assert!(TestId::from_bytes(&[2; 33]).is_none());
        assert!(TestId::from_bytes(&[1; 33]).is_some());
        assert!(
            TestId::from_bytes(&{
                let mut b = [0x10; 33];
                b[0] = 1;
                b
            })
            .is_none()
        );
    }

    #[test]
    fn hashes_have_64_digits_to_the_end() {
        for (wrong, error) in [
            ("0".to_owned(), TestIdError::Length { got: 1 }),
            ("0".repeat(65), TestIdError::Length { got: 65 }),
            (format!("{}\n", "0".repeat(63)), TestIdError::Character { position: 64 }),
            (format!("{}\n", "0".repeat(64)), TestIdError::Length { got: 65 }),
            (format!("0x{}", "0".repeat(62)), TestIdError::Character { position: 2 }),
            (format!("{}ß", "0".repeat(63)), TestIdError::Character { position: 64 }),
        ] {
            assert_eq!(TestId::parse(&wrong).unwrap_err(), error, "{wrong:?}");
            assert_eq!(HashedGuid::parse(&wrong).unwrap_err(), error, "{wrong:?}");
        }
    }

    #[test]
    fn dates_of_birth_exist() {
        for right in ["1999-12-31", "1850-01-01", "2199-12-31", "2000-02-29", "1904-02-29"] {
            assert!(right.parse::<DateOfBirth>().is_ok(), "{right}");
        }
        for wrong in
            ["1900-02-29", "2001-02-29", "1849-12-31", "2200-01-01", "2000-00-01", "2000-04-31", "2000-1-1"]
        {
            assert_eq!(wrong.parse::<DateOfBirth>(), Err(DateOfBirthError), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_neither_the_guid_nor_its_hashes_nor_the_date() {
        let guid = Guid::parse(GUID).unwrap();
        let date = "1995-06-07".parse().unwrap();
        insta::assert_snapshot!(format!("{guid:?}"), @"Guid { .. }");
        insta::assert_snapshot!(format!("{:?}", guid.hash()), @"HashedGuid { .. }");
        insta::assert_snapshot!(format!("{:?}", guid.date_of_birth_key(date)), @"DateOfBirthKey { .. }");
        insta::assert_snapshot!(format!("{:?}", TestId::from(guid.hash())), @"Guid(HashedGuid { .. })");
        insta::assert_snapshot!(format!("{date:?}"), @"DateOfBirth { .. }");
    }
}
