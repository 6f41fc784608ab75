//! Who may talk to the internal listener: bearer tokens, kept as hashes, compared in constant time.

use core::fmt;
use std::collections::BTreeSet;

use cwa_verify::service::Role;
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::error::ApiError;

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Permission {
    /// Report test results: `POST /api/v1/lab/results`.
    Laboratory,
    /// Have teleTANs issued for positive tests: `POST /version/v1/tan/teletan`, without a type or with `TEST`.
    Hotline,
    /// Have teleTANs issued for positive tests, with the type `TEST` only: a health authority.
    HealthAuthority,
    /// Have teleTANs issued for events: the same with `EVENT`.
    EventHotline,
    /// Act as another server of the system: redeem TANs, read test results.
    Server,
}

impl Permission {
    /// What the permission entitles to among teleTANs, if anything.
    pub(super) const fn role(self) -> Option<Role> {
        match self {
            Self::Hotline => Some(Role::Hotline),
            Self::HealthAuthority => Some(Role::HealthAuthority),
            Self::EventHotline => Some(Role::EventHotline),
            Self::Laboratory | Self::Server => None,
        }
    }
}

/// A bearer token (RFC 6750): whoever holds it has its permissions.
///
/// Secret: zeroed when dropped, redacted in `Debug`, never stored by the server, which keeps its hash.
#[derive(Clone, ZeroizeOnDrop)]
pub struct BearerToken(String);

impl BearerToken {
    /// A token that exists already. It should hold at least 128 random bits.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// A new token of 256 random bits, as 64 hexadecimal digits.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        let token = Self(hex::encode(bytes));
        bytes.zeroize();
        token
    }

    /// The token as it stands in the `Authorization` header. The one door out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").finish_non_exhaustive()
    }
}

/// Who holds a token, as the server keeps it: a name for people, permissions, and the token's SHA-256.
///
/// An unkeyed hash is enough here, unlike for teleTANs: a token of 256 random bits cannot be found by trying.
#[derive(Clone, Debug)]
pub struct Credential {
    name: String,
    permissions: BTreeSet<Permission>,
    token_sha256: [u8; 32],
}

impl Credential {
    /// A credential for the bearer of `token`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        permissions: impl IntoIterator<Item = Permission>,
        token: &BearerToken,
    ) -> Self {
        Self::from_hash(name, permissions, Sha256::digest(token.expose()).into())
    }

    /// A credential for the bearer of the token with this SHA-256, as it stands in a configuration file.
    #[must_use]
    pub fn from_hash(
        name: impl Into<String>,
        permissions: impl IntoIterator<Item = Permission>,
        token_sha256: [u8; 32],
    ) -> Self {
        Self { name: name.into(), permissions: permissions.into_iter().collect(), token_sha256 }
    }

    /// The name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Every credential of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials(Vec<Credential>);

impl Credentials {
    pub(super) fn new(credentials: Vec<Credential>) -> Self {
        Self(credentials)
    }

    /// What the bearer of `token` may do.
    ///
    /// Every credential is compared, in constant time, whichever matches: the time tells neither which nor how nearly.
    pub(super) fn permissions(&self, token: Option<&str>) -> Result<&BTreeSet<Permission>, ApiError> {
        let hash: [u8; 32] = Sha256::digest(token.ok_or(ApiError::Unauthorized)?).into();
        let mut found = None;
        for credential in &self.0 {
            if bool::from(credential.token_sha256.ct_eq(&hash)) {
                found = Some(&credential.permissions);
            }
        }
        found.ok_or(ApiError::Unauthorized)
    }

    /// Whether the bearer of `token` has `permission`.
    ///
    /// A known token without it gets the same answer as an unknown one, as from the German server.
    pub(super) fn permit(&self, token: Option<&str>, permission: Permission) -> Result<(), ApiError> {
        if self.permissions(token)?.contains(&permission) { Ok(()) } else { Err(ApiError::Unauthorized) }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_token_is_redacted_and_generated_from_256_bits() {
        let token = BearerToken::generate(&mut rand::rngs::StdRng::seed_from_u64(1));
        assert_eq!(token.expose().len(), 64);
        insta::assert_snapshot!(format!("{token:?}"), @"BearerToken { .. }");
    }

    #[test]
    fn each_permission_is_given_to_its_bearers_and_to_nobody_else() {
        use Permission::{EventHotline, HealthAuthority, Hotline, Laboratory, Server};
        let every = [Laboratory, Hotline, HealthAuthority, EventHotline, Server];
        let mut rng = rand::rngs::StdRng::seed_from_u64(2);
        let tokens: Vec<_> = every.iter().map(|_| BearerToken::generate(&mut rng)).collect();
        let credentials = Credentials::new(
            every
                .iter()
                .zip(&tokens)
                .map(|(permission, token)| Credential::new("test", [*permission], token))
                .collect(),
        );
        for (held, token) in every.iter().zip(&tokens) {
            for asked in every {
                let expected = if *held == asked { Ok(()) } else { Err(ApiError::Unauthorized) };
                assert_eq!(
                    credentials.permit(Some(token.expose()), asked),
                    expected,
                    "{held:?} asks {asked:?}"
                );
            }
        }
        for wrong in [None, Some(""), Some("wrong"), tokens[0].expose().get(1..)] {
            assert_eq!(credentials.permit(wrong, Laboratory), Err(ApiError::Unauthorized));
        }
    }
}
