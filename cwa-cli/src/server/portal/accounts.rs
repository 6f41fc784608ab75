//! The health officers' accounts: a local file, passwords as Argon2id.

use core::fmt;
use std::collections::BTreeSet;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use cwa_verify::TeleTanType;
use cwa_verify::service::Role;
use rand::{CryptoRng, RngExt as _};
use zeroize::ZeroizeOnDrop;

use crate::server::credentials::Permission;

/// A password of a portal account.
///
/// Secret: zeroed when dropped, redacted in `Debug`, stored as Argon2id (RFC 9106) only.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// A password that exists already.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// A new password: 24 letters and digits, 120 random bits, without those that are mistaken for others.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let characters = (0..24).map(|_| {
            let index: usize = rng.random_range(0..ALPHABET.len());
            char::from(ALPHABET.get(index).copied().unwrap_or(b'a'))
        });
        Self(characters.collect())
    }

    /// The password as it is typed. The one door out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").finish_non_exhaustive()
    }
}

/// A health officer's account.
#[derive(Clone, Debug)]
pub struct PortalAccount {
    user: String,
    password_hash: String,
    permissions: BTreeSet<Permission>,
}

impl PortalAccount {
    /// An account for `user` with this password; the salt is drawn from `rng`.
    ///
    /// `permissions` are those about teleTANs; others mean nothing here.
    ///
    /// # Errors
    ///
    /// There is no memory to hash the password.
    pub fn new(
        user: impl Into<String>,
        password: &Password,
        permissions: impl IntoIterator<Item = Permission>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PasswordHashError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(password.0.as_bytes(), &salt)
            .map_err(|_| PasswordHashError)?;
        Self::from_hash(user, hash.to_string(), permissions)
    }

    /// An account whose password's hash is in the file of accounts: a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    ///
    /// The text is not such a string.
    pub fn from_hash(
        user: impl Into<String>,
        password_hash: impl Into<String>,
        permissions: impl IntoIterator<Item = Permission>,
    ) -> Result<Self, PasswordHashError> {
        let password_hash = password_hash.into();
        let parsed = PasswordHash::new(&password_hash).map_err(|_| PasswordHashError)?;
        if parsed.algorithm.as_str() != "argon2id" || parsed.hash.is_none() {
            return Err(PasswordHashError);
        }
        Ok(Self { user: user.into(), password_hash, permissions: permissions.into_iter().collect() })
    }

    /// The name to sign in with.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The hash as it stands in the file of accounts.
    #[must_use]
    pub fn password_hash(&self) -> &str {
        &self.password_hash
    }

    /// The roles among teleTANs that the permissions give.
    pub(super) fn roles(&self) -> Vec<Role> {
        self.permissions.iter().filter_map(|permission| permission.role()).collect()
    }

    /// Whether the account may have teleTANs of this type issued. What decides is
    /// [`VerificationService::issue_tele_tan`](cwa_verify::service::VerificationService::issue_tele_tan); this is which
    /// buttons are shown.
    pub(super) fn may_issue(&self, kind: TeleTanType) -> bool {
        self.roles().iter().any(|role| match kind {
            TeleTanType::Test => matches!(role, Role::Hotline | Role::HealthAuthority),
            TeleTanType::Event => matches!(role, Role::EventHotline),
        })
    }

    /// Whether this is the account's password. Takes tens of milliseconds and 19 MiB, on purpose.
    pub(super) fn accepts(&self, password: &Password) -> bool {
        PasswordHash::new(&self.password_hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok())
    }
}

/// A password could not be hashed, or its hash is not an Argon2id string in PHC format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an Argon2id password hash in PHC string format, such as $argon2id$v=19$m=19456,t=2,p=1$…$…")]
#[non_exhaustive]
pub struct PasswordHashError;

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn an_account_accepts_its_password_only_and_survives_its_file() {
        let mut rng = StdRng::seed_from_u64(1);
        let password = Password::generate(&mut rng);
        let account = PortalAccount::new("officer", &password, [Permission::Hotline], &mut rng).unwrap();
        let stored = PortalAccount::from_hash("officer", account.password_hash(), []).unwrap();
        assert!(stored.accepts(&password));
        assert!(!stored.accepts(&Password::new("wrong")));
        assert!(!stored.accepts(&Password::new("")));
    }

    #[test]
    fn other_hashes_are_refused_when_the_file_is_read() {
        for text in [
            "",
            "secret",
            "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAA",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
        ] {
            assert_eq!(PortalAccount::from_hash("u", text, []).unwrap_err(), PasswordHashError, "{text}");
        }
    }

    #[test]
    fn a_password_is_redacted() {
        insta::assert_snapshot!(format!("{:?}", Password::new("secret")), @"Password { .. }");
    }
}
