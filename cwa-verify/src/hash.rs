//! What a database may hold of a secret: keyed hashes, and the one secret they depend on.
//!
//! The German server stores plain SHA-256; a stolen table of teleTANs (44.6 bits each) is inverted within the hour.
//! Here every value at rest is an HMAC-SHA-256 under a key that is not in the database.

use core::fmt;

use cwa_crypto::UnixTime;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::guid::TestId;
use crate::message::BodyDigest;
use crate::registration::{RegistrationToken, TokenSalt};
use crate::tan::{Tan, TanNumber};
use crate::tele_tan::TeleTan;

/// The server's secret ("pepper") that everything at rest is hashed under, and its id; 32 secret bytes.
///
/// It lives outside the database. One key serves all kinds of values: each kind has a label of its own that is hashed
/// first, so that a TAN and a registration token of the same bytes have nothing in common at rest.
#[derive(Clone, ZeroizeOnDrop)]
pub struct HashKey {
    #[zeroize(skip)]
    id: HashKeyId,
    secret: [u8; Self::LENGTH],
}

impl HashKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 32;

    /// The key with this id and these bytes, for example one that was read from a secret file.
    #[must_use]
    pub const fn new(id: HashKeyId, secret: [u8; Self::LENGTH]) -> Self {
        Self { id, secret }
    }

    /// A new key from `rng`.
    pub fn generate(id: HashKeyId, rng: &mut impl CryptoRng) -> Self {
        let mut secret = [0; Self::LENGTH];
        rng.fill_bytes(&mut secret);
        Self { id, secret }
    }

    /// The id that every hash under this key carries.
    #[must_use]
    pub const fn id(&self) -> HashKeyId {
        self.id
    }

    /// The secret bytes, for storing them where secrets are kept. Whoever holds them can test guesses against the database.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.secret
    }

    /// What is stored of a registration token.
    #[must_use]
    pub fn registration_token(&self, token: &RegistrationToken) -> RegistrationTokenHash {
        RegistrationTokenHash(self.stored(b"registration token", &[token.expose_bytes()]))
    }

    /// What is stored of a TAN.
    #[must_use]
    pub fn tan(&self, tan: &Tan) -> TanHash {
        TanHash(self.stored(b"tan", &[tan.expose_bytes()]))
    }

    /// What is stored of a teleTAN.
    #[must_use]
    pub fn tele_tan(&self, tele_tan: &TeleTan) -> TeleTanHash {
        TeleTanHash(self.stored(b"teletan", &[tele_tan.expose_text().as_bytes()]))
    }

    /// What is stored of the hash of a GUID, or of a GUID and a date of birth.
    #[must_use]
    pub fn test_id(&self, id: &TestId) -> TestIdHash {
        let mut bytes = id.expose_bytes();
        let hash = self.stored(b"test id", &[&bytes]);
        bytes.zeroize();
        TestIdHash(hash)
    }

    /// What is stored of the body of a registration request, to recognise its repetition.
    #[must_use]
    pub fn request(&self, body: &BodyDigest) -> RequestDigest {
        RequestDigest(self.stored(b"registration request", &[body.as_bytes()]))
    }

    /// `HMAC(TAN ‖ digest)`: names the upload of this payload with this TAN, before it happens and after.
    #[must_use]
    pub fn reservation(&self, tan: &Tan, digest: &PayloadDigest) -> ReservationId {
        ReservationId(self.stored(b"reservation", &[tan.expose_bytes(), digest.as_bytes()]))
    }

    /// The registration token that belongs to this salt and, if it may be repeated, this request.
    ///
    /// Derived, so that a repeated request can get the same token although nothing of it is stored in clear. The salt
    /// is random and has as many bits as the token; the digest binds it to whoever can repeat the request.
    #[must_use]
    pub fn derive_registration_token(
        &self,
        salt: &TokenSalt,
        request: Option<&RequestDigest>,
    ) -> RegistrationToken {
        let request = request.map_or(&[][..], |request| request.as_bytes());
        let mut mac = self.mac(b"derive registration token", &[salt.as_bytes(), request]);
        let token = RegistrationToken::from_prf(&mac);
        mac.zeroize();
        token
    }

    /// The TANs of this registration token.
    #[must_use]
    pub fn tan_series(&self, token: &RegistrationToken) -> TanSeries {
        TanSeries { series: self.mac(b"tan series", &[token.expose_bytes()]), hash_key: self.clone() }
    }

    /// 64 bytes that only this key and this registration token give, to seal what belongs to its session.
    pub(crate) fn seal_stream(&self, label: &[u8], token: &RegistrationToken) -> [u8; 64] {
        let mut stream = [0; 64];
        for (block, half) in (0_u8..).zip(stream.chunks_exact_mut(32)) {
            half.copy_from_slice(&self.mac(label, &[&[block], token.expose_bytes()]));
        }
        stream
    }

    // 0..4 key id, big-endian | 4..36 HMAC-SHA-256(secret, label ‖ 0 ‖ parts)
    fn stored(&self, label: &[u8], parts: &[&[u8]]) -> [u8; STORED_LENGTH] {
        let mut stored = [0; STORED_LENGTH];
        let (id, mac) = stored.split_at_mut(4);
        id.copy_from_slice(&self.id.0.to_be_bytes());
        mac.copy_from_slice(&self.mac(label, parts));
        stored
    }

    /// Every label has one number of parts, all of fixed length but the last: different inputs are different texts.
    fn mac(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac(&self.secret);
        mac.update(label);
        mac.update(&[0]);
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl ConstantTimeEq for HashKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.id.0.ct_eq(&other.id.0) & self.secret.ct_eq(&other.secret)
    }
}

impl fmt::Debug for HashKey {
    /// The id is not secret, the key is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Names a [`HashKey`]; public. Stored in front of every hash, so that a key can be replaced while rows live.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HashKeyId(u32);

impl HashKeyId {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The TANs of one registration token, as a function of their number; secret.
///
/// A store gets it to find, inside its transaction, the hash of the TAN whose number it has just decided. It owns what
/// it needs (`'static`, `Send`), so that it can be moved to a thread that blocks.
#[derive(Clone, ZeroizeOnDrop)]
pub struct TanSeries {
    series: [u8; 32],
    hash_key: HashKey,
}

impl TanSeries {
    /// The TAN with this number: a pseudo-random function of registration token and number, as a version 4 UUID.
    #[must_use]
    pub fn tan(&self, number: TanNumber) -> Tan {
        let mut mac = hmac(&self.series);
        mac.update(&number.get().to_be_bytes());
        Tan::from_prf(&mac.finalize().into_bytes().into())
    }

    /// What is stored of the TAN with this number.
    #[must_use]
    pub fn hash(&self, number: TanNumber) -> TanHash {
        self.hash_key.tan(&self.tan(number))
    }
}

impl fmt::Debug for TanSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TanSeries").finish_non_exhaustive()
    }
}

/// SHA-256 of the payload of a submission, 32 bytes; public.
///
/// The submission role computes it over the body as received; two requests are the same upload if it is equal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PayloadDigest([u8; Self::LENGTH]);

impl PayloadDigest {
    /// Bytes of a digest.
    pub const LENGTH: usize = 32;

    /// The digest of this payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self(Sha256::digest(payload).into())
    }

    /// The digest with these bytes, for example one that another role has computed.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Which registration request may be repeated, and until when: the same request gets the same token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must write every field; a new one has to break it")]
pub struct RetryWindow {
    /// The request that may be repeated, byte for byte.
    pub request: RequestDigest,
    /// The first moment at which it may not be repeated any more.
    pub until: UnixTime,
}

/// Bytes that are not a stored hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a stored hash has {STORED_LENGTH} bytes, not {got}")]
#[non_exhaustive]
pub struct StoredHashError {
    /// The length found, in bytes.
    pub got: usize,
}

/// Key id and HMAC-SHA-256.
const STORED_LENGTH: usize = 4 + 32;

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, section 2)")]
    Hmac::<Sha256>::new_from_slice(key).expect("any length")
}

macro_rules! stored_hash {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        ///
        /// 36 bytes for a database column: the [`HashKeyId`] (4 bytes, big-endian) and an HMAC-SHA-256 under that
        /// key. Says nothing without the key; `Debug` leaves it out all the same, because it names one person's row.
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; Self::LENGTH]);

        impl $name {
            /// Bytes of the stored form.
            pub const LENGTH: usize = STORED_LENGTH;

            /// The stored form.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
                &self.0
            }

            /// The key it was made with.
            #[must_use]
            pub const fn key_id(&self) -> HashKeyId {
                let [a, b, c, d, ..] = self.0;
                HashKeyId(u32::from_be_bytes([a, b, c, d]))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = StoredHashError;

            /// Reads the stored form.
            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self).map_err(|_| StoredHashError { got: bytes.len() })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

stored_hash! {
    /// What is stored of a [`RegistrationToken`].
    RegistrationTokenHash
    /// What is stored of a [`Tan`].
    TanHash
    /// What is stored of a [`TeleTan`].
    TeleTanHash
    /// What is stored of a [`TestId`]: the one space in which hashed GUIDs and date-of-birth hashes are unique.
    TestIdHash
    /// What is stored of the body of a registration request.
    RequestDigest
    /// `HMAC(TAN ‖ payload digest)`: one upload. Held by the submission role, and kept after the TAN is gone.
    ReservationId
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> HashKey {
        HashKey::new(HashKeyId::new(7), [byte; 32])
    }

    #[test]
    fn a_stored_hash_names_its_key_and_survives_the_database() {
        let hash = key(1).tan(&Tan::from_prf(&[3; 32]));
        assert_eq!(hash.key_id(), HashKeyId::new(7));
        assert_eq!(TanHash::try_from(&hash.as_bytes()[..]), Ok(hash));
        assert_eq!(TanHash::try_from(&hash.as_bytes()[1..]), Err(StoredHashError { got: 35 }));
    }

    #[test]
    fn the_same_bytes_as_another_kind_of_secret_have_another_hash() {
        let token = RegistrationToken::from_prf(&[3; 32]);
        let tan = Tan::from_prf(&[3; 32]);
        assert_eq!(token.expose_bytes(), tan.expose_bytes());
        assert_ne!(key(1).registration_token(&token).as_bytes(), key(1).tan(&tan).as_bytes());
    }

    #[test]
    fn another_key_gives_other_hashes_and_other_tans() {
        let token = RegistrationToken::from_prf(&[3; 32]);
        assert_ne!(key(1).registration_token(&token), key(2).registration_token(&token));
        let (a, b) = (key(1).tan_series(&token), key(2).tan_series(&token));
        assert_ne!(a.hash(TanNumber::FIRST), b.hash(TanNumber::FIRST));
        assert_ne!(a.tan(TanNumber::FIRST).expose_bytes(), b.tan(TanNumber::FIRST).expose_bytes());
    }

    #[test]
    fn a_series_gives_the_same_tan_for_the_same_number_only() {
        let series = key(1).tan_series(&RegistrationToken::from_prf(&[3; 32]));
        let (first, second) = (TanNumber::FIRST, TanNumber::FIRST.next());
        assert_eq!(series.tan(first).expose_bytes(), series.clone().tan(first).expose_bytes());
        assert_ne!(series.tan(first).expose_bytes(), series.tan(second).expose_bytes());
        assert_eq!(series.hash(first), key(1).tan(&series.tan(first)));
    }

    #[test]
    fn a_reservation_names_one_tan_with_one_payload() {
        let (tan, other_tan) = (Tan::from_prf(&[3; 32]), Tan::from_prf(&[4; 32]));
        let (a, b) = (PayloadDigest::of(b"a"), PayloadDigest::of(b"b"));
        assert_eq!(key(1).reservation(&tan, &a), key(1).reservation(&tan, &a));
        assert_ne!(key(1).reservation(&tan, &a), key(1).reservation(&tan, &b));
        assert_ne!(key(1).reservation(&tan, &a), key(1).reservation(&other_tan, &a));
    }

    #[test]
    fn debug_shows_neither_keys_nor_hashes() {
        insta::assert_snapshot!(format!("{:?}", key(1)), @"HashKey { id: HashKeyId(7), .. }");
        let token = RegistrationToken::from_prf(&[3; 32]);
        insta::assert_snapshot!(format!("{:?}", key(1).tan_series(&token)), @"TanSeries { .. }");
        insta::assert_snapshot!(format!("{:?}", key(1).registration_token(&token)), @"RegistrationTokenHash { .. }");
    }
}
