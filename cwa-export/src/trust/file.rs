//! Trust stores as files: the built-in one, and those of users.

use std::collections::BTreeSet;

use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey as _;
use serde::{Deserialize, Serialize};

use super::{Environment, PublicKeyError, TrustStore, TrustedKey};

/// Why a text is no trust store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreError {
    /// Not JSON, or other members than a store has.
    #[error("the text is no trust store")]
    Json(#[source] serde_json::Error),
    /// Another kind of file, or a later revision of this one.
    #[error("the schema is {found:?}, not {SCHEMA:?}")]
    Schema {
        /// What the text says.
        found: String,
    },
    /// A key that is none.
    #[error("key {id:?} cannot be used")]
    Key {
        /// Its name.
        id: String,
        /// What is wrong with it.
        #[source]
        reason: PublicKeyError,
    },
    /// A key that is not the one whose digest stands beside it.
    #[error("key {id:?} does not have the digest that stands beside it")]
    Digest {
        /// Its name.
        id: String,
    },
    /// Two keys of one name.
    #[error("two keys have the name {id:?}")]
    Duplicate {
        /// The name.
        id: String,
    },
}

impl PartialEq for TrustStoreError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // Errors of the JSON library cannot be compared; what they say can.
            (Self::Json(one), Self::Json(other)) => one.to_string() == other.to_string(),
            (Self::Schema { found: one }, Self::Schema { found: other })
            | (Self::Digest { id: one }, Self::Digest { id: other })
            | (Self::Duplicate { id: one }, Self::Duplicate { id: other }) => one == other,
            (Self::Key { id: one, reason }, Self::Key { id: other, reason: other_reason }) => {
                one == other && reason == other_reason
            }
            _ => false,
        }
    }
}

/// Value of the member `version` of the built-in store; a test compares them.
pub(super) const BUILT_IN_VERSION: &str = "2026-11";

/// The built-in keys that sign exports, the sample keys included.
pub(super) fn built_in() -> Vec<TrustedKey> {
    #[expect(
        clippy::expect_used,
        reason = "the file is part of this crate, and a test reads every key of it"
    )]
    let file: File =
        serde_json::from_str(include_str!("../../data/trust.json")).expect("trust.json is well-formed");
    file.keys
        .into_iter()
        .filter(|entry| entry.signs_exports)
        .filter_map(|entry| {
            let verifying_key = VerifyingKey::from_public_key_pem(&entry.pem).ok()?;
            Some(entry.into_key(verifying_key))
        })
        .collect()
}

pub(super) fn read(text: &str) -> Result<TrustStore, TrustStoreError> {
    let file: File = serde_json::from_str(text).map_err(TrustStoreError::Json)?;
    if file.schema != SCHEMA {
        return Err(TrustStoreError::Schema { found: file.schema });
    }
    let mut names = BTreeSet::new();
    let mut store = TrustStore::empty();
    for entry in file.keys {
        if !names.insert(entry.id.clone()) {
            return Err(TrustStoreError::Duplicate { id: entry.id });
        }
        let key = TrustedKey::from_pem("", &entry.pem)
            .map_err(|reason| TrustStoreError::Key { id: entry.id.clone(), reason })?;
        let digest =
            key.spki_sha256().map_err(|reason| TrustStoreError::Key { id: entry.id.clone(), reason })?;
        if entry.spki_sha256.as_ref().is_some_and(|expected| *expected != hex::encode(digest)) {
            return Err(TrustStoreError::Digest { id: entry.id });
        }
        if entry.signs_exports {
            store.insert(entry.into_key(key.verifying_key));
        }
    }
    Ok(store)
}

pub(super) fn write(store: &TrustStore) -> Result<String, TrustStoreError> {
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for key in store.keys() {
        if !names.insert(key.id.as_str()) {
            return Err(TrustStoreError::Duplicate { id: key.id.clone() });
        }
        keys.push(Entry::of(key).map_err(|reason| TrustStoreError::Key { id: key.id.clone(), reason })?);
    }
    let file = File { schema: SCHEMA.to_owned(), version: None, keys };
    let mut text = serde_json::to_string_pretty(&file).map_err(TrustStoreError::Json)?;
    text.push('\n');
    Ok(text)
}

const SCHEMA: &str = "cwa.trust/1";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    /// When the keys were last looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    keys: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    verification_key_id: Option<String>,
    #[serde(default)]
    verification_key_version: Option<String>,
    #[serde(default = "given")]
    environment: Environment,
    #[serde(default)]
    collected: Option<String>,
    pem: String,
    /// SHA-256 of the key's DER form, for comparison with what others list.
    #[serde(default)]
    spki_sha256: Option<String>,
    /// Keys of the same authorities that sign other things stand in the file so that nobody takes them for these.
    #[serde(default = "yes")]
    signs_exports: bool,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

const fn given() -> Environment {
    Environment::Given
}

const fn yes() -> bool {
    true
}

impl Entry {
    fn into_key(self, verifying_key: VerifyingKey) -> TrustedKey {
        TrustedKey {
            id: self.id,
            country: self.country,
            packages: self.packages,
            verification_key_id: self.verification_key_id,
            verification_key_version: self.verification_key_version,
            environment: self.environment,
            verifying_key,
            collected: self.collected,
            sources: self.sources,
            notes: self.notes,
        }
    }

    fn of(key: &TrustedKey) -> Result<Self, PublicKeyError> {
        Ok(Self {
            id: key.id.clone(),
            country: key.country.clone(),
            packages: key.packages.clone(),
            verification_key_id: key.verification_key_id.clone(),
            verification_key_version: key.verification_key_version.clone(),
            environment: key.environment,
            collected: key.collected.clone(),
            pem: key.to_pem()?,
            spki_sha256: Some(hex::encode(key.spki_sha256()?)),
            signs_exports: true,
            sources: key.sources.clone(),
            notes: key.notes.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with one key that says no more than it must.
    fn store(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let pem = TrustStore::built_in().key("de-cwa-prod").unwrap().to_pem().unwrap();
        let mut store =
            serde_json::json!({ "schema": "cwa.trust/1", "keys": [{ "id": "mine", "pem": pem }] });
        change(&mut store);
        store.to_string()
    }

    #[test]
    fn a_key_of_which_nothing_else_is_said_is_a_given_one() {
        let read = TrustStore::from_json(&store(|_| {})).unwrap();
        let key = read.key("mine").unwrap();
        assert_eq!(key.environment, Environment::Given);
        let known = TrustStore::built_in();
        assert_eq!(key.verifying_key, known.key("de-cwa-prod").unwrap().verifying_key);
    }

    #[test]
    fn what_is_written_is_read_and_every_word_about_a_key_is_kept() {
        let all = TrustStore::built_in_with_samples();
        assert_eq!(TrustStore::from_json(&all.to_json().unwrap()), Ok(all));
    }

    #[test]
    fn a_file_that_is_no_store_is_refused_and_told_why() {
        let refused = |change: fn(&mut serde_json::Value)| TrustStore::from_json(&store(change)).unwrap_err();
        let id = || "mine".to_owned();
        assert_eq!(
            refused(|store| store["schema"] = "cwa.trust/2".into()),
            TrustStoreError::Schema { found: "cwa.trust/2".into() }
        );
        assert_eq!(
            refused(|store| {
                let twice = store["keys"][0].clone();
                store["keys"].as_array_mut().unwrap().push(twice);
            }),
            TrustStoreError::Duplicate { id: id() }
        );
        assert_eq!(
            refused(|store| store["keys"][0]["pem"] = "-----BEGIN PRIVATE KEY-----".into()),
            TrustStoreError::Key { id: id(), reason: PublicKeyError::Private }
        );
        assert_eq!(
            refused(|store| store["keys"][0]["pem"] = "MFkw".into()),
            TrustStoreError::Key { id: id(), reason: PublicKeyError::NotPem }
        );
        assert_eq!(
            refused(|store| store["keys"][0]["spki_sha256"] = "00".repeat(32).into()),
            TrustStoreError::Digest { id: id() }
        );
        for change in [
            |store: &mut serde_json::Value| store["keys"][0]["trusted"] = true.into(),
            |store: &mut serde_json::Value| store["keys"][0]["environment"] = "staging".into(),
            |store: &mut serde_json::Value| store["keys"] = 5.into(),
        ] {
            assert!(matches!(refused(change), TrustStoreError::Json(_)));
        }
    }
}
