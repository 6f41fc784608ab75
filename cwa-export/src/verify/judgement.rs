//! The rules a file is judged by, and what was found.

use std::collections::BTreeSet;

use p256::ecdsa::Signature;

use super::{SignedBy, Signer, VerifyError};
use crate::content::{Anomalies, ExportContent, Place};
use crate::finding::{Code, Finding, Severity};
use crate::key::{ExportKey, KeyError, RawKey};
use crate::profile::{Profile, ReaderRules};
use crate::signature::{self, DerError, ECDSA_P256_SHA256, SignatureInfo};
use crate::signature_list::{ListedSignature, SignatureList};
use crate::trust::{Environment, LookUp, TrustStore, TrustedKey};

/// What an export says about its own signatures.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) infos: &'a [SignatureInfo],
    pub(super) batch: (Option<i32>, Option<i32>),
}

/// Everything that was found, and who signed.
pub(crate) struct Judgement {
    profile: Profile,
    pub(crate) findings: Vec<Finding>,
    /// Who made which signature, in the order of the file.
    pub(crate) signers: Vec<Signer>,
    /// Signatures, by number, that no trusted key made.
    pub(crate) unexplained: Vec<(usize, Signature)>,
    /// Whether the profile's reader refuses the file, which is less than that it is not valid.
    pub(crate) reader_refuses: bool,
}

impl Judgement {
    pub(crate) const fn new(profile: Profile) -> Self {
        Self {
            profile,
            findings: Vec::new(),
            signers: Vec::new(),
            unexplained: Vec::new(),
            reader_refuses: false,
        }
    }

    pub(crate) fn find(&mut self, code: Code, message: impl Into<String>) {
        let (finding, refuses) = self.profile.weigh(Finding::new(code, message));
        self.reader_refuses |= refuses;
        self.findings.push(finding);
    }

    /// What a reader refuses in some cases and passes over in others.
    pub(crate) fn find_for_reader(&mut self, code: Code, refuses: bool, message: impl Into<String>) {
        let mut finding = Finding::new(code, message);
        finding.severity = if refuses { Severity::Error } else { Severity::Warning };
        self.reader_refuses |= refuses;
        self.findings.push(finding);
    }

    /// What a reader passes over unless `refuses`; of the two profiles that are ours, what they say.
    fn find_unless_passed(
        &mut self,
        code: Code,
        refuses: impl FnOnce(&ReaderRules) -> bool,
        message: String,
    ) {
        match self.profile.reader() {
            Some(rules) => self.find_for_reader(code, refuses(rules), message),
            None => self.find(code, message),
        }
    }

    pub(super) fn into_result(mut self) -> Result<SignedBy, VerifyError> {
        let refused: Vec<_> =
            self.findings.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
        match refused.as_slice() {
            [] => {}
            [only] if only.code == Code::NoTrustedKey => return Err(VerifyError::NoTrustedKey),
            [only] if only.code == Code::SignatureMismatch => return Err(VerifyError::SignatureMismatch),
            _ => return Err(VerifyError::Refused { findings: refused }),
        }
        let findings = core::mem::take(&mut self.findings);
        let Signer { key, look_up, .. } = self.signers.first().cloned().ok_or(VerifyError::NoTrustedKey)?;
        Ok(SignedBy { key, look_up, signers: self.signers, findings })
    }

    /// The rules for `export.bin` alone.
    pub(super) fn of_content(content: &ExportContent<'_>, profile: Profile) -> Self {
        let mut judgement = Self::new(profile);
        judgement.of_anomalies(content.anomalies());
        judgement.of_head(content);
        judgement.of_keys(content);
        judgement
    }

    /// The same for content that was read in pieces by the strict profile: of the keys that cannot be used, the first.
    pub(super) fn of_read(content: &ExportContent<'_>, unusable: Option<(Place, KeyError)>) -> Self {
        let mut judgement = Self::new(Profile::Strict);
        judgement.of_anomalies(content.anomalies());
        judgement.of_head(content);
        if let Some((Place { number, revised }, reason)) = unusable {
            let kind = if revised { "revised key" } else { "key" };
            judgement.find(Code::KeyInvalid, format!("{kind} {number}: {reason}"));
        }
        judgement
    }

    /// Key data that occurs more than once.
    pub(super) fn of_duplicates(&mut self, duplicates: BTreeSet<u128>) {
        let mut capped = Capped::default();
        for key_data in duplicates {
            capped.push(self, Code::DuplicateKey, || format!("key {key_data:032x} occurs more than once"));
        }
        capped.finish(self, Code::DuplicateKey, "keys that occur more than once");
    }

    fn of_anomalies(&mut self, anomalies: Anomalies) {
        let Anomalies { unknown_fields, repeated_fields, not_minimal, overflowing } = anomalies;
        if unknown_fields > 0 {
            self.find(
                Code::UnknownField,
                format!("export.bin has {unknown_fields} fields that the format does not know"),
            );
        }
        if repeated_fields > 0 {
            let message =
                format!("export.bin has {repeated_fields} fields that may occur once and occur again");
            self.find(Code::RepeatedField, message);
        }
        if not_minimal > 0 {
            self.find(
                Code::NotCanonical,
                format!("export.bin has {not_minimal} numbers not in their shortest form"),
            );
        }
        if overflowing > 0 {
            self.find(
                Code::NumberOverflow,
                format!("export.bin has {overflowing} numbers too large for their field"),
            );
        }
    }

    fn of_head(&mut self, content: &ExportContent<'_>) {
        /// Most files of a batch (framework for Android, key file metadata).
        const MAX_BATCH: i32 = 1_000_000;
        let message = match (content.batch_num(), content.batch_size()) {
            (None, None) => None,
            (Some(num), Some(size)) if 1 <= num && num <= size && size <= MAX_BATCH => None,
            (Some(num), Some(size)) => Some(format!("the file is number {num} of {size}")),
            (Some(_), None) => Some("the file has a batch_num and no batch_size".to_owned()),
            (None, Some(_)) => Some("the file has a batch_size and no batch_num".to_owned()),
        };
        if let Some(message) = message {
            // Android takes a file without a size for a single one, whatever its number.
            let has_size = content.batch_size().is_some();
            self.find_unless_passed(Code::BatchInvalid, |rules| rules.batch && has_size, message);
        }
        if let (Some(start), Some(end)) = (content.start_timestamp(), content.end_timestamp())
            && start >= end
        {
            let message = format!("the export starts at {} and ends at {}", start.as_secs(), end.as_secs());
            self.find(Code::TimesInvalid, message);
        }
    }

    fn of_keys(&mut self, content: &ExportContent<'_>) {
        if !content.all_keys_are_usable() {
            // Counted apart, so that many keys that a reader skips do not hide the one for which it refuses the file.
            let (mut capped, mut refused) = (Capped::default(), Capped::default());
            let mut look_at = |kind: &str, number: usize, raw: RawKey<'_>| {
                let Err(reason) = ExportKey::try_from(raw) else { return };
                let message = || format!("{kind} {number}: {reason}");
                match self.profile.reader() {
                    Some(rules) if (rules.refuses_key)(&reason) => {
                        refused.push_with(self, |judgement| {
                            judgement.find_for_reader(Code::KeyInvalid, true, message());
                        });
                    }
                    _ => capped.push(self, Code::KeyInvalid, message),
                }
            };
            for (raw, number) in content.raw_keys().zip(1..) {
                look_at("key", number, raw);
            }
            for (raw, number) in content.raw_revised_keys().zip(1..) {
                look_at("revised key", number, raw);
            }
            refused.finish(self, Code::KeyInvalid, "keys for which the file is refused");
            capped.finish(self, Code::KeyInvalid, "keys that cannot be used");
        }
        if !content.keys_ascend() {
            self.of_duplicates(duplicates(content));
        }
    }

    /// The signatures, and the rules that tie them to what they sign.
    pub(super) fn of_signatures(
        &mut self,
        content: &[u8],
        list: &SignatureList<'_>,
        listed: Option<Listed<'_>>,
        trusted: &TrustStore,
    ) {
        if !self.of_list(list, listed) {
            return;
        }
        match self.profile.reader() {
            Some(rules) => self.as_reader(rules, content, list, listed, trusted),
            None => self.of_digest(signature::digest(content), list, listed, trusted),
        }
    }

    /// The list of signatures, and whether there are any.
    pub(super) fn of_list(&mut self, list: &SignatureList<'_>, listed: Option<Listed<'_>>) -> bool {
        let anomalies = list.anomalies;
        if anomalies != Anomalies::default() {
            self.find(Code::SignatureListMalformed, format!("export.sig has {anomalies}"));
        }
        if list.signatures.is_empty() {
            self.find(Code::Unsigned, "export.sig holds no signature");
            return false;
        }
        if let Some(listed) = listed
            && listed.infos.len() != list.signatures.len()
        {
            let (infos, signatures) = (listed.infos.len(), list.signatures.len());
            let message = format!(
                "the export lists {infos} signature infos, and export.sig holds {signatures} signatures"
            );
            self.find(Code::SignatureCount, message);
        }
        true
    }

    /// The signatures of content with this SHA-256, by the rules of the two profiles that are ours.
    pub(super) fn of_digest(
        &mut self,
        digest: [u8; 32],
        list: &SignatureList<'_>,
        listed: Option<Listed<'_>>,
        trusted: &TrustStore,
    ) {
        let mut outcomes = Vec::new();
        // Each listed info stands for one signature: two signatures under one name are as wrong as an unknown name.
        let mut unclaimed: Vec<&SignatureInfo> =
            listed.map(|listed| listed.infos.iter().collect()).unwrap_or_default();
        for (index, signature) in list.signatures.iter().enumerate() {
            let number = index.saturating_add(1);
            if let Some(listed) = listed {
                self.of_tie(number, signature, listed, &mut unclaimed);
            }
            let info = self.of_info(number, signature);
            let read = self.of_encoding(number, signature);
            outcomes.push((number, read, Outcome::of(&digest, &info, read.as_ref(), trusted)));
        }
        self.conclude(&outcomes);
    }

    /// The name and the batch beside a signature are those that the signed export gives.
    pub(super) fn of_tie(
        &mut self,
        number: usize,
        signature: &ListedSignature<'_>,
        listed: Listed<'_>,
        unclaimed: &mut Vec<&SignatureInfo>,
    ) {
        let info = signature.signature_info.as_ref();
        match info.and_then(|info| unclaimed.iter().position(|listed| *listed == info)) {
            Some(position) => {
                unclaimed.swap_remove(position);
            }
            None => {
                let message = format!(
                    "the signature info of signature {number} is not one that the export lists for it"
                );
                self.find(Code::SignatureInfoMismatch, message);
            }
        }
        let (num, size) = listed.batch;
        for (name, beside, within) in
            [("batch_num", signature.batch_num, num), ("batch_size", signature.batch_size, size)]
        {
            if beside.is_none() || beside != within {
                let text = |number: Option<i32>| {
                    number.map_or_else(|| "absent".to_owned(), |number| number.to_string())
                };
                let message = format!(
                    "{name} of signature {number} is {}, and that of the export {}",
                    text(beside),
                    text(within)
                );
                self.find(Code::SignatureBatch, message);
            }
        }
    }

    /// The name of the key, brought into today's form.
    fn of_info(&mut self, number: usize, signature: &ListedSignature<'_>) -> SignatureInfo {
        let info = signature.signature_info.clone().unwrap_or_default();
        if let Some(modern) = modern(&info) {
            let message =
                format!("the signature info of signature {number} has the field numbers of May 2020");
            self.find(Code::LegacySignatureInfo, message);
            return modern;
        }
        match info.signature_algorithm.as_deref() {
            Some(ECDSA_P256_SHA256) => {}
            Some(text) => {
                self.find(Code::SignatureAlgorithm, signature::unknown_algorithm(number, Some(text)));
            }
            None => self.find(Code::SignatureAlgorithm, signature::unknown_algorithm(number, None)),
        }
        info
    }

    fn of_encoding(&mut self, number: usize, signature: &ListedSignature<'_>) -> Option<Signature> {
        let bytes = signature.signature.unwrap_or_default();
        match signature::parse_der(bytes) {
            Ok(signature) => Some(signature),
            Err(error) => {
                self.find(Code::SignatureEncoding, format!("signature {number}: {error}"));
                // A raw signature is read all the same: a lenient profile may let it pass. What else it was meant to be
                // helps to say what was signed.
                if error == DerError::Raw {
                    return Signature::from_slice(bytes).ok();
                }
                self.unexplained.extend(signature::guess(bytes).map(|signature| (number, signature)));
                None
            }
        }
    }

    fn conclude(&mut self, outcomes: &[(usize, Option<Signature>, Outcome)]) {
        let made_one: BTreeSet<&str> = outcomes
            .iter()
            .filter_map(|(_, _, outcome)| match outcome {
                Outcome::Verified(key, _) => Some(key.id.as_str()),
                _ => None,
            })
            .collect();
        // Either no key is known for it, or every key that the caller chose has made another one.
        let is_somebody_elses = |outcome: &Outcome| match outcome {
            Outcome::NoKey => !made_one.is_empty(),
            Outcome::Mismatch { keys, named: false } => keys.iter().all(|id| made_one.contains(id.as_str())),
            _ => false,
        };
        for (number, signature, outcome) in outcomes {
            match outcome {
                Outcome::Verified(key, look_up) => self.of_key(*number, key, *look_up),
                outcome if is_somebody_elses(outcome) => {
                    self.find(
                        Code::SignatureNotChecked,
                        format!("no trusted key is known for signature {number}"),
                    );
                }
                outcome => {
                    let (code, message) = outcome.refusal(*number);
                    if let Some(code) = code {
                        self.find(code, message);
                        self.unexplained.extend(signature.map(|signature| (*number, signature)));
                    }
                }
            }
        }
        // A profile that lets pass how a signature is written does not let pass that nobody made it.
        let is_refused = self.findings.iter().any(|finding| finding.severity == Severity::Error);
        if self.signers.is_empty() && !is_refused {
            self.find(Code::SignatureMismatch, "no signature can be read, so nothing shows who signed");
        }
    }

    /// Which key made a signature.
    pub(super) fn of_key(&mut self, number: usize, key: &TrustedKey, look_up: LookUp) {
        self.signers.push(Signer { signature: number, key: key.clone(), look_up });
        let environment = key.environment;
        let message = format!("signature {number} was made by {}, found by {look_up}", key.id);
        if look_up == LookUp::IdVersion && environment != Environment::Given {
            // The same id and version belong to different keys of different apps.
            let message = format!("{message}: it names no app that is known to use this key");
            self.find_for_reader(Code::KeyLookUp, false, message);
        } else {
            self.find(Code::KeyLookUp, message);
        }
        let message = format!("{} is a {environment} key", key.id);
        match environment {
            Environment::Test => self.find(Code::TestKey, message),
            Environment::Sample => self.find(Code::SampleKey, message),
            Environment::Production | Environment::Given => {}
        }
    }
}

/// What became of one signature.
pub(super) enum Outcome {
    Verified(Box<TrustedKey>, LookUp),
    /// None of these keys made it. Either it names them, or the caller chose them; then it may be one of several
    /// signers' whose key the caller does not have.
    Mismatch {
        keys: Vec<String>,
        named: bool,
    },
    NoKey,
    Unreadable,
}

impl Outcome {
    fn of(
        digest: &[u8; 32],
        info: &SignatureInfo,
        signature: Option<&Signature>,
        trusted: &TrustStore,
    ) -> Self {
        let Some(signature) = signature else {
            return Self::Unreadable;
        };
        let (look_up, candidates) = trusted.candidates(info);
        Self::among(digest, info, signature, look_up, &candidates)
    }

    /// Tries these keys, which were found by `look_up`.
    pub(super) fn among(
        digest: &[u8],
        info: &SignatureInfo,
        signature: &Signature,
        look_up: LookUp,
        candidates: &[&TrustedKey],
    ) -> Self {
        if let Some(key) = candidates.iter().find(|key| key.verifies_prehash(digest, signature)) {
            return Self::Verified(Box::new((*key).clone()), look_up);
        }
        // Whose signature it was meant to be is known if the caller chose the keys, or if a key has every name that the
        // signature gives. The same id and version for another app is another key.
        let chosen = candidates.iter().any(|key| key.environment == Environment::Given);
        let names_an_app = info.app_bundle_id.is_some() || info.android_package.is_some();
        let named = match look_up {
            LookUp::PackageIdVersion => true,
            LookUp::IdVersion => !names_an_app,
            LookUp::All => false,
        };
        if !named && !chosen {
            return Self::NoKey;
        }
        Self::Mismatch { keys: candidates.iter().map(|key| key.id.clone()).collect(), named }
    }

    /// What is to be said if this signature should have been right; no code if that was said before.
    pub(super) fn refusal(&self, number: usize) -> (Option<Code>, String) {
        match self {
            Self::Mismatch { keys, .. } => {
                let message = format!("signature {number} does not verify under {}", keys.join(", "));
                (Some(Code::SignatureMismatch), message)
            }
            Self::NoKey => (Some(Code::NoTrustedKey), format!("no trusted key made signature {number}")),
            Self::Verified(..) | Self::Unreadable => (None, String::new()),
        }
    }
}

/// The first findings of one kind, so that a file with a million bad keys does not give a million findings.
#[derive(Default)]
pub(crate) struct Capped {
    count: usize,
}

impl Capped {
    const MAX: usize = 20;

    pub(crate) fn push(&mut self, judgement: &mut Judgement, code: Code, message: impl FnOnce() -> String) {
        self.push_with(judgement, |judgement| judgement.find(code, message()));
    }

    fn push_with(&mut self, judgement: &mut Judgement, find: impl FnOnce(&mut Judgement)) {
        self.count = self.count.saturating_add(1);
        if self.count <= Self::MAX {
            find(judgement);
        }
    }

    pub(crate) fn finish(self, judgement: &mut Judgement, code: Code, what: &str) {
        if let Some(more @ 1..) = self.count.checked_sub(Self::MAX) {
            judgement.find(code, format!("and {more} more {what}"));
        }
    }
}

/// The info with today's field numbers, if it has those of May 2020: there 2 was the version, 3 the id, 4 the algorithm.
fn modern(info: &SignatureInfo) -> Option<SignatureInfo> {
    let is_oid = info.verification_key_id.as_deref() == Some(ECDSA_P256_SHA256);
    (is_oid && info.signature_algorithm.is_none()).then(|| SignatureInfo {
        app_bundle_id: info.app_bundle_id.clone(),
        android_package: None,
        verification_key_version: info.android_package.clone(),
        verification_key_id: info.verification_key_version.clone(),
        signature_algorithm: info.verification_key_id.clone(),
    })
}

/// Key data that occurs more than once, among keys and revised keys taken together.
fn duplicates(content: &ExportContent<'_>) -> BTreeSet<u128> {
    let key_data = || content.raw_keys().chain(content.raw_revised_keys()).filter_map(|key| key.number());
    let first_half = |key_data: u128| (key_data >> 64) as u64;
    // Keys are random, and half of one is as good as all of it to say that it occurs once, and sorted sooner.
    let suspect = repeated(key_data().map(first_half).collect());
    if suspect.is_empty() {
        return BTreeSet::new();
    }
    repeated(key_data().filter(|key_data| suspect.contains(&first_half(*key_data))).collect())
}

/// The numbers that occur more than once.
pub(crate) fn repeated<T: Copy + Ord>(mut numbers: Vec<T>) -> BTreeSet<T> {
    numbers.sort_unstable();
    numbers
        .windows(2)
        .filter(|pair| pair.first() == pair.last())
        .filter_map(|pair| pair.first().copied())
        .collect()
}
