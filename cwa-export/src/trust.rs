//! Whose signatures are believed: public keys with where they come from, and how a signature finds its key.

mod file;

use core::fmt;
use core::str::FromStr;

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use serde::{Deserialize, Serialize};

use crate::signature::{self, SignatureInfo};

pub use file::TrustStoreError;

/// What a key is used for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a key is in use, under test, an example, or chosen by the caller"
)]
pub enum Environment {
    /// Signs what people's phones take.
    Production,
    /// Signs for an authority's own test phones.
    Test,
    /// An example whose private half is published, or a unit test's: anybody may have signed.
    Sample,
    /// Chosen by the caller, who knows what for.
    Given,
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Test => "test",
            Self::Sample => "sample",
            Self::Given => "given",
        })
    }
}

impl FromStr for Environment {
    type Err = EnvironmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Production, Self::Test, Self::Sample, Self::Given];
        all.into_iter().find(|environment| environment.to_string() == text).ok_or(EnvironmentError)
    }
}

/// No environment of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the environments are production, test, sample and given")]
#[non_exhaustive]
pub struct EnvironmentError;

/// A public key with the names it goes by and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TrustedKey {
    /// Its name in the store, for example `de-cwa-prod`.
    pub id: String,
    /// The country, if it is one country's.
    pub country: Option<String>,
    /// App bundles and packages that use it.
    pub packages: Vec<String>,
    /// `verification_key_id` of its signatures.
    pub verification_key_id: Option<String>,
    /// `verification_key_version` of its signatures.
    pub verification_key_version: Option<String>,
    /// What it is used for.
    pub environment: Environment,
    /// The key.
    pub verifying_key: VerifyingKey,
    /// When it was found: year and month, or day, as `2026-11` or `2026-11-24`.
    pub collected: Option<String>,
    /// Where it was found.
    pub sources: Vec<String>,
    /// What else is known.
    pub notes: Vec<String>,
}

impl TrustedKey {
    /// A key that the caller has chosen, from SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] if the text holds no such key of the curve P-256, or a private one, even beside it.
    pub fn from_pem(id: impl Into<String>, pem: &str) -> Result<Self, PublicKeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(PublicKeyError::Private);
        }
        let begin = pem.find("-----BEGIN PUBLIC KEY-----").ok_or(PublicKeyError::NotPem)?;
        let block = pem.get(begin..).ok_or(PublicKeyError::NotPem)?;
        let verifying_key =
            VerifyingKey::from_public_key_pem(block).map_err(|_| PublicKeyError::Malformed)?;
        Ok(Self::given(id, verifying_key))
    }

    /// A key that the caller has chosen.
    #[must_use]
    pub fn given(id: impl Into<String>, verifying_key: VerifyingKey) -> Self {
        Self {
            id: id.into(),
            country: None,
            packages: Vec::new(),
            verification_key_id: None,
            verification_key_version: None,
            environment: Environment::Given,
            verifying_key,
            collected: None,
            sources: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The key as SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError::Malformed`] if it cannot be expressed so, which no P-256 key is known for.
    pub fn to_pem(&self) -> Result<String, PublicKeyError> {
        self.verifying_key.to_public_key_pem(LineEnding::LF).map_err(|_| PublicKeyError::Malformed)
    }

    /// SHA-256 of its SubjectPublicKeyInfo in DER, by which others list it.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError::Malformed`] if it cannot be expressed so, which no P-256 key is known for.
    pub fn spki_sha256(&self) -> Result<[u8; 32], PublicKeyError> {
        let der = self.verifying_key.to_public_key_der().map_err(|_| PublicKeyError::Malformed)?;
        Ok(signature::digest(der.as_bytes()))
    }

    /// Whether `signature` over content with this SHA-256 was made by the private half of the key.
    #[must_use]
    pub fn verifies(&self, digest: &[u8; 32], signature: &Signature) -> bool {
        self.verifies_prehash(digest, signature)
    }

    /// The same for the digest of any hash function; of a longer one, the curve's 32 bytes count.
    pub(crate) fn verifies_prehash(&self, digest: &[u8], signature: &Signature) -> bool {
        self.verifying_key.verify_prehash(digest, signature).is_ok()
    }

    fn has_id_and_version(&self, info: &SignatureInfo) -> bool {
        self.verification_key_id.is_some()
            && self.verification_key_id == info.verification_key_id
            && self.verification_key_version.is_some()
            && self.verification_key_version == info.verification_key_version
    }

    fn has_package(&self, info: &SignatureInfo) -> bool {
        [&info.app_bundle_id, &info.android_package]
            .into_iter()
            .flatten()
            .any(|package| self.packages.contains(package))
    }
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// No PEM block of that kind.
    #[error("there is no `BEGIN PUBLIC KEY` block")]
    NotPem,
    /// A private key, which has no business where signatures are verified.
    #[error("the text holds a private key")]
    Private,
    /// The block does not hold a public key of the curve P-256.
    #[error("the block does not hold a public key of the curve P-256")]
    Malformed,
}

/// The keys whose signatures are believed.
///
/// ```
/// use cwa_export::trust::TrustStore;
/// let store = TrustStore::built_in();
/// assert!(store.keys().any(|key| key.id == "de-cwa-prod"));
/// assert!(!store.keys().any(|key| key.id == "google-310-v1"), "samples need to be asked for");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustStore {
    keys: Vec<TrustedKey>,
}

impl TrustStore {
    /// A store that believes nobody yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { keys: Vec::new() }
    }

    /// The production and test keys that authorities have published, as far as they were found.
    #[must_use]
    pub fn built_in() -> Self {
        let mut keys = file::built_in();
        keys.retain(|key| matches!(key.environment, Environment::Production | Environment::Test));
        Self { keys }
    }

    /// The same with the sample keys, under which anybody may have signed.
    #[must_use]
    pub fn built_in_with_samples() -> Self {
        Self { keys: file::built_in() }
    }

    /// Believes one more key.
    pub fn insert(&mut self, key: TrustedKey) {
        self.keys.push(key);
    }

    /// The keys, in the order they were put in.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.iter()
    }

    /// The keys to try for a signature of this name, best match first: those of the same package, id and version; if
    /// there are none, those of the same id and version; if there are none, all.
    ///
    /// The name is only a hint. What counts is whether the signature verifies.
    #[must_use]
    pub fn candidates(&self, info: &SignatureInfo) -> (LookUp, Vec<&TrustedKey>) {
        let named: Vec<_> = self.keys.iter().filter(|key| key.has_id_and_version(info)).collect();
        let of_package: Vec<_> = named.iter().copied().filter(|key| key.has_package(info)).collect();
        if !of_package.is_empty() {
            (LookUp::PackageIdVersion, of_package)
        } else if !named.is_empty() {
            (LookUp::IdVersion, named)
        } else {
            (LookUp::All, self.keys.iter().collect())
        }
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&TrustedKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The version of the built-in keys: the month in which they were last looked for.
    #[must_use]
    pub fn built_in_version() -> &'static str {
        file::BUILT_IN_VERSION
    }

    /// Reads a store of one's own: JSON of the schema `cwa.trust/1`, as [`to_json`](Self::to_json) writes it. Of a key,
    /// `id` and `pem` must be there; its environment is `given` unless it says another.
    ///
    /// # Errors
    ///
    /// [`TrustStoreError`] for anything else than such a store: other members, keys that are none or private, two keys of
    /// one name, a digest that is not the key's.
    ///
    /// ```
    /// use cwa_export::trust::{TrustStore, TrustStoreError};
    /// let written = TrustStore::built_in().to_json()?;
    /// assert_eq!(TrustStore::from_json(&written), Ok(TrustStore::built_in()));
    /// # Ok::<(), TrustStoreError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, TrustStoreError> {
        file::read(text)
    }

    /// The store as JSON of the schema `cwa.trust/1`.
    ///
    /// # Errors
    ///
    /// [`TrustStoreError`] if a key cannot be expressed, or two have the same name.
    pub fn to_json(&self) -> Result<String, TrustStoreError> {
        file::write(self)
    }
}

impl FromIterator<TrustedKey> for TrustStore {
    fn from_iter<I: IntoIterator<Item = TrustedKey>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

/// By what a signature's key was looked up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the three steps of the look-up")]
pub enum LookUp {
    /// App package, key id and key version.
    PackageIdVersion,
    /// Key id and key version.
    IdVersion,
    /// Nothing fitted, so every key was tried.
    All,
}

impl fmt::Display for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PackageIdVersion => "package, key id and version",
            Self::IdVersion => "key id and version",
            Self::All => "trying every key",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(package: Option<&str>, id: &str, version: &str) -> SignatureInfo {
        let mut info = SignatureInfo::new(id, version);
        info.app_bundle_id = package.map(Into::into);
        info
    }

    fn ids(keys: &[&TrustedKey]) -> Vec<String> {
        keys.iter().map(|key| key.id.clone()).collect()
    }

    #[test]
    fn every_key_of_the_file_is_a_key_and_has_a_source() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../data/trust.json")).unwrap();
        for entry in file["keys"].as_array().unwrap() {
            let key = VerifyingKey::from_public_key_pem(entry["pem"].as_str().unwrap()).unwrap();
            let der = key.to_public_key_der().unwrap();
            assert_eq!(
                hex::encode(signature::digest(der.as_bytes())),
                entry["spki_sha256"],
                "{}",
                entry["id"]
            );
            assert!(!entry["sources"].as_array().unwrap().is_empty());
            assert!(entry["collected"].as_str().unwrap() <= TrustStore::built_in_version());
        }
        assert_eq!(file["version"], TrustStore::built_in_version());
        let listed =
            file["keys"].as_array().unwrap().iter().filter(|entry| entry["signs_exports"] == true).count();
        assert_eq!(TrustStore::built_in_with_samples().keys().count(), listed);
    }

    #[test]
    fn a_signature_finds_its_key_by_package_then_by_name_then_by_trying() {
        let store = TrustStore::built_in();
        let (how, keys) = store.candidates(&info(Some("de.rki.coronawarnapp"), "262", "v1"));
        assert_eq!((how, ids(&keys)), (LookUp::PackageIdVersion, vec!["de-cwa-prod".to_owned()]));
        let (how, keys) = store.candidates(&info(Some("com.example"), "262", "v1"));
        assert_eq!((how, keys.len()), (LookUp::IdVersion, 3));
        let (how, keys) = store.candidates(&info(None, "999", "v1"));
        assert_eq!((how, keys.len()), (LookUp::All, store.keys().count()));
        let (how, _) = store.candidates(&SignatureInfo::default());
        assert_eq!(how, LookUp::All);
    }

    #[test]
    fn sample_keys_are_believed_only_when_asked_for() {
        let sample = |store: TrustStore| store.keys().any(|key| key.environment == Environment::Sample);
        assert!(!sample(TrustStore::built_in()));
        assert!(sample(TrustStore::built_in_with_samples()));
    }

    #[test]
    fn a_given_key_is_read_from_pem() {
        let pem = TrustStore::built_in()
            .keys
            .remove(0)
            .verifying_key
            .to_public_key_pem(Default::default())
            .unwrap();
        assert_eq!(TrustedKey::from_pem("mine", &pem).unwrap().environment, Environment::Given);
        assert!(TrustedKey::from_pem("mine", &format!("a comment\n{pem}")).is_ok());
        assert_eq!(TrustedKey::from_pem("mine", "").unwrap_err(), PublicKeyError::NotPem);
        let private = format!("{pem}-----BEGIN EC PRIVATE KEY-----\n");
        assert_eq!(TrustedKey::from_pem("mine", &private).unwrap_err(), PublicKeyError::Private);
        assert_eq!(
            TrustedKey::from_pem("mine", &pem.replace("MFk", "MFl")).unwrap_err(),
            PublicKeyError::Malformed
        );
    }
}
