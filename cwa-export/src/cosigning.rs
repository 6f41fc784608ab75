//! Which keys must have signed: one of several sets (rotation), and of a set all keys (cosigning).

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use crate::trust::TrustedKey;

/// Which keys must have signed a file: all of one of these sets.
///
/// A publisher that replaces its key accepts either (`262-v1,262-v2`); one that wants two parties to agree names both
/// (`310-v1+310-v2`). The framework for Android knows such sets for each app (`SignatureVerifier`), without publishing
/// them. A key is named by its id and version as they stand in signatures, or by its name in the trust store.
///
/// ```
/// use cwa_export::cosigning::CosigningPolicy;
/// let policy: CosigningPolicy = "310-v1+310-v2,310-v3".parse()?;
/// assert_eq!(policy.to_string(), "310-v1+310-v2,310-v3");
/// # Ok::<(), cwa_export::cosigning::CosigningPolicyError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CosigningPolicy {
    sets: Vec<BTreeSet<String>>,
}

impl CosigningPolicy {
    /// Whether all keys of one set are among these.
    #[must_use]
    pub fn is_met_by<'a>(&self, signers: impl IntoIterator<Item = &'a TrustedKey>) -> bool {
        let mut signed = BTreeSet::new();
        for key in signers {
            signed.insert(key.id.clone());
            if let (Some(id), Some(version)) = (&key.verification_key_id, &key.verification_key_version) {
                signed.insert(format!("{id}-{version}"));
            }
        }
        self.sets.iter().any(|set| set.is_subset(&signed))
    }
}

impl FromStr for CosigningPolicy {
    type Err = CosigningPolicyError;

    /// Sets are separated by commas, the keys of a set by plus signs.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let set = |text: &str| {
            let keys: BTreeSet<String> = text.split('+').map(|key| key.trim().to_owned()).collect();
            if keys.contains("") { Err(CosigningPolicyError) } else { Ok(keys) }
        };
        Ok(Self { sets: text.split(',').map(set).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for CosigningPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, set) in self.sets.iter().enumerate() {
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            write!(f, "{}{}", if number > 0 { "," } else { "" }, set.join("+"))?;
        }
        Ok(())
    }
}

/// A set without keys, or a key without a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a key has no name; keys of a set are joined by +, sets by a comma: 262-v1+262-v2,262-v3")]
#[non_exhaustive]
pub struct CosigningPolicyError;

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;

    use super::*;

    fn key(id: &str, version: Option<&str>) -> TrustedKey {
        let verifying_key = *SigningKey::from_slice(&[7; 32]).unwrap().verifying_key();
        let mut key = TrustedKey::given(id, verifying_key);
        key.verification_key_id = version.map(|_| "310".to_owned());
        key.verification_key_version = version.map(str::to_owned);
        key
    }

    #[test]
    fn all_keys_of_one_set_are_enough_and_fewer_are_not() {
        let (first, second, third) = (key("a", Some("v1")), key("b", Some("v2")), key("signer.pem", None));
        let policy: CosigningPolicy = "310-v1+310-v2,signer.pem".parse().unwrap();
        for (signers, is_met) in [
            (vec![&first, &second], true),
            (vec![&second, &third, &first], true),
            (vec![&third], true),
            (vec![&first], false),
            (vec![&second], false),
            (vec![], false),
        ] {
            assert_eq!(policy.is_met_by(signers.clone()), is_met, "{signers:?}");
        }
        let by_name: CosigningPolicy = "a + b".parse().unwrap();
        assert!(by_name.is_met_by([&first, &second]));
        assert!(!by_name.is_met_by([&first, &first]), "one key twice is one key");
    }

    #[test]
    fn a_set_without_keys_would_be_met_by_nobody_and_is_refused() {
        for text in ["", ",", "310-v1,", "310-v1++310-v2", "+"] {
            assert_eq!(text.parse::<CosigningPolicy>(), Err(CosigningPolicyError), "{text:?}");
        }
    }
}
