//! Signatures as published readers take them.

use p256::ecdsa::Signature;
use sha2::{Digest as _, Sha512};

use super::judgement::{Judgement, Listed, Outcome};
use crate::finding::Code;
use crate::profile::{Keys, ReaderRules, Signatures};
use crate::signature::{self, DerError, ECDSA_P256_SHA512, SignatureInfo};
use crate::signature_list::SignatureList;
use crate::trust::{Environment, LookUp, TrustStore, TrustedKey};

impl Judgement {
    /// The signatures by the rules of a reader; there is at least one.
    pub(super) fn as_reader(
        &mut self,
        rules: &ReaderRules,
        content: &[u8],
        list: &SignatureList<'_>,
        listed: Option<Listed<'_>>,
        trusted: &TrustStore,
    ) {
        if let Some(listed) = listed {
            let mut unclaimed: Vec<&SignatureInfo> = listed.infos.iter().collect();
            for (signature, number) in list.signatures.iter().zip(1..) {
                self.of_tie(number, signature, listed, &mut unclaimed);
            }
        }
        let looked_at = match rules.signatures {
            Signatures::First => 1,
            Signatures::Any | Signatures::All => list.signatures.len(),
        };
        let sha256 = signature::digest(content);
        let mut tried = Vec::new();
        for (listed, number) in list.signatures.iter().take(looked_at).zip(1..) {
            let info = listed.signature_info.clone().unwrap_or_default();
            let is_named = self.of_name(rules, number, &info);
            let bytes = listed.signature.unwrap_or_default();
            let read = signature::parse_der(bytes);
            let outcome = match &read {
                Ok(signature) if is_named => {
                    let (look_up, keys) = candidates(rules, &info, list.signatures.len(), trusted);
                    Outcome::among(&digest(rules, &info, content, sha256), &info, signature, look_up, &keys)
                }
                Ok(_) => Outcome::NoKey,
                Err(_) => Outcome::Unreadable,
            };
            tried.push(Tried { number, bytes, read, outcome });
        }
        if rules.signatures == Signatures::All {
            under_one_key(&mut tried);
        }
        let right = |tried: &Tried<'_>| matches!(tried.outcome, Outcome::Verified(..));
        let accepted = match rules.signatures {
            Signatures::First | Signatures::All => tried.iter().all(right),
            Signatures::Any => tried.iter().any(right),
        };
        for tried in &tried {
            self.of_tried(tried, accepted);
        }
        for number in looked_at.saturating_add(1)..=list.signatures.len() {
            let message = format!("signature {number} is not looked at: only the first is");
            self.find(Code::SignatureNotChecked, message);
        }
    }

    /// Whether the name of a signature is one that the reader goes by.
    fn of_name(&mut self, rules: &ReaderRules, number: usize, info: &SignatureInfo) -> bool {
        let algorithm = info.signature_algorithm.as_deref();
        let is_known = algorithm.is_some_and(|algorithm| rules.algorithms.contains(&algorithm));
        let is_usual = algorithm == Some(signature::ECDSA_P256_SHA256);
        if !is_known && !is_usual {
            let refuses = !rules.algorithms.is_empty();
            let message = signature::unknown_algorithm(number, algorithm);
            self.find_for_reader(Code::SignatureAlgorithm, refuses, message);
        }
        let is_named = !rules.needs_version || info.verification_key_version.is_some();
        if !is_named {
            let message = format!("signature {number} does not name the version of its key");
            self.find_for_reader(Code::SignatureInfoMismatch, true, message);
        }
        is_named
    }

    fn of_tried(&mut self, tried: &Tried<'_>, accepted: bool) {
        let number = tried.number;
        if let Outcome::Verified(key, look_up) = &tried.outcome {
            self.of_key(number, key, *look_up);
            return;
        }
        if let Err(error) = &tried.read {
            self.find_for_reader(Code::SignatureEncoding, !accepted, format!("signature {number}: {error}"));
            if !accepted {
                let meant = signature::guess(tried.bytes);
                self.unexplained.extend(meant.map(|signature| (number, signature)));
            }
        } else if accepted {
            let message = format!("no trusted key is known for signature {number}");
            self.find(Code::SignatureNotChecked, message);
        } else if let (Some(code), message) = tried.outcome.refusal(number) {
            self.find_for_reader(code, true, message);
            self.unexplained.extend(tried.read.ok().map(|signature| (number, signature)));
        }
    }
}

/// One signature, and what became of it.
struct Tried<'a> {
    number: usize,
    bytes: &'a [u8],
    read: Result<Signature, DerError>,
    outcome: Outcome,
}

/// The keys under which a reader tries a signature of this name.
fn candidates<'a>(
    rules: &ReaderRules,
    info: &SignatureInfo,
    signatures: usize,
    trusted: &'a TrustStore,
) -> (LookUp, Vec<&'a TrustedKey>) {
    let (look_up, mut keys) = trusted.candidates(info);
    match rules.keys {
        Keys::Every => return (LookUp::All, trusted.keys().collect()),
        Keys::Named { without_id } => {
            let needs_no_id = without_id && signatures == 1 && info.verification_key_id.is_none();
            if look_up == LookUp::All && !needs_no_id {
                keys.retain(|key| key.environment == Environment::Given && key.verification_key_id.is_none());
            }
        }
    }
    (look_up, keys)
}

/// Keeps what verified under the key that made the first signature.
fn under_one_key(tried: &mut [Tried<'_>]) {
    let Some(Outcome::Verified(first, _)) = tried.first().map(|tried| &tried.outcome) else { return };
    let (one, id) = (first.verifying_key, first.id.clone());
    for tried in tried {
        if matches!(&tried.outcome, Outcome::Verified(key, _) if key.verifying_key != one) {
            tried.outcome = Outcome::Mismatch { keys: vec![id.clone()], named: true };
        }
    }
}

/// SHA-256, or SHA-512 if the signature names it and the reader knows it.
fn digest(rules: &ReaderRules, info: &SignatureInfo, content: &[u8], sha256: [u8; 32]) -> Vec<u8> {
    let names_sha512 = info.signature_algorithm.as_deref() == Some(ECDSA_P256_SHA512);
    if names_sha512 && rules.algorithms.contains(&ECDSA_P256_SHA512) {
        Sha512::digest(content).to_vec()
    } else {
        sha256.to_vec()
    }
}
