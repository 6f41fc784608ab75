//! Why a signature does not verify: what was signed instead, as far as that can be tried out.

use p256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::content::ExportContent;
use crate::export::Export;
use crate::finding::{Code, Finding};
use crate::header;
use crate::trust::{TrustStore, TrustedKey};

/// Every mistake that is tried for the signatures of one file, and the digests that would have been signed.
///
/// Of the content: whole, without its header, the header alone, nothing, the message written anew in five ways (each with
/// and without header), and what else an archive holds. Of the digest: five. Of the key: every one in the trust store and
/// every built-in one, whatever the signature calls itself.
///
/// The work is bounded: at most [`MAX_CONTENTS`] contents times five digests, and for each of these two recoveries of a
/// public key, which is then looked up, so that a large trust store costs no more than a small one. The message is
/// written anew only up to [`MAX_REWRITTEN`] bytes.
pub(crate) struct Search {
    digests: Vec<Tried>,
    keys: Vec<TrustedKey>,
}

/// One digest that may have been signed.
struct Tried {
    what: String,
    method: Method,
    digest: Vec<u8>,
}

/// Most contents that are tried.
const MAX_CONTENTS: usize = 32;

/// Longest content that is written anew, in bytes: 16 MiB, which is what publishers are advised to stay below.
const MAX_REWRITTEN: usize = 16 << 20;

impl Search {
    /// Prepares the search for `content`; `members` are the name and bytes of what else an archive holds.
    pub(crate) fn new(content: &[u8], members: &[(String, Vec<u8>)], trusted: &TrustStore) -> Self {
        let mut keys: Vec<TrustedKey> = trusted.keys().cloned().collect();
        for key in TrustStore::built_in_with_samples().keys() {
            if !keys.iter().any(|known| known.verifying_key == key.verifying_key) {
                keys.push(key.clone());
            }
        }
        let mut contents: Vec<(String, &[u8])> = vec![("the whole file".to_owned(), content)];
        if let Ok(body) = header::strip(content) {
            contents.push(("the file without its 16-byte header".to_owned(), body));
            contents.push(("the 16-byte header alone".to_owned(), &header::HEADER));
        }
        contents.push(("nothing".to_owned(), &[]));
        let rewritten = rewritten(content);
        for (what, bytes) in &rewritten {
            contents.push((what.clone(), bytes));
            if let Ok(body) = header::strip(bytes) {
                contents.push((format!("{what}, without its 16-byte header"), body));
            }
        }
        contents.extend(members.iter().map(|(what, bytes)| (what.clone(), bytes.as_slice())));
        contents.truncate(MAX_CONTENTS);
        // What most publishers get wrong comes first: the content, then the digest.
        let mut digests = Vec::new();
        for method in Method::ALL {
            for (what, bytes) in &contents {
                digests.push(Tried { what: what.clone(), method, digest: method.digest(bytes) });
            }
        }
        Self { digests, keys }
    }

    /// What signature `number` would have verified for, in one line; `None` if nothing that is tried explains it.
    pub(crate) fn explain(&self, number: usize, signature: &Signature) -> Option<Finding> {
        self.digests.iter().find_map(|tried| {
            let key = self.signer(&tried.digest, signature)?;
            let (what, method) = (&tried.what, tried.method.name());
            let message = format!(
                "signature {number} is one over {what} by {}, a {} key{method}",
                key.id, key.environment
            );
            Some(Finding::new(Code::SignedInstead, message))
        })
    }

    /// The known key that made this signature of this digest.
    fn signer(&self, digest: &[u8], signature: &Signature) -> Option<&TrustedKey> {
        // Of the four points that can stand behind a signature, the two beyond the order of the curve are as likely as
        // guessing a key.
        [false, true].into_iter().find_map(|is_odd| {
            let id = RecoveryId::new(is_odd, false);
            let signer = VerifyingKey::recover_from_prehash(digest, signature, id).ok()?;
            let key = self.keys.iter().find(|key| key.verifying_key == signer)?;
            key.verifies_prehash(digest, signature).then_some(key)
        })
    }
}

/// How a content may have become what was signed.
#[derive(Clone, Copy)]
enum Method {
    Sha256,
    Sha512,
    Sha384,
    Twice,
    OfHex,
}

impl Method {
    const ALL: [Self; 5] = [Self::Sha256, Self::Sha512, Self::Sha384, Self::Twice, Self::OfHex];

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Twice => Sha256::digest(Sha256::digest(bytes)).to_vec(),
            Self::OfHex => Sha256::digest(hex::encode(Sha256::digest(bytes))).to_vec(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "",
            Self::Sha512 => ", with SHA-512 instead of SHA-256",
            Self::Sha384 => ", with SHA-384 instead of SHA-256",
            Self::Twice => ", with SHA-256 twice: its digest was signed like a message",
            Self::OfHex => ", with SHA-256 twice: its digest in hexadecimal was signed like a message",
        }
    }
}

/// The same export written in other ways, as far as they are others.
fn rewritten(content: &[u8]) -> Vec<(String, Vec<u8>)> {
    if content.len() > MAX_REWRITTEN {
        return Vec::new();
    }
    let Ok(read) = ExportContent::parse(content) else { return Vec::new() };
    let Ok(export) = read.to_export() else { return Vec::new() };
    let infos = read.signature_infos();
    let changed = |change: fn(&mut Export)| {
        let mut export = export.clone();
        change(&mut export);
        export.encode(infos)
    };
    let mut forms: Vec<(String, Vec<u8>)> = Vec::new();
    for (what, bytes) in [
        ("the message written anew in canonical order", export.encode(infos)),
        ("the message before its signature infos were written", export.encode(&[])),
        ("the message with default values left out", changed(leave_out_defaults)),
        ("the message with default values written", changed(write_defaults)),
        ("the message with its keys sorted", changed(sort_keys)),
    ] {
        if bytes != content && !forms.iter().any(|(_, form)| *form == bytes) {
            forms.push((what.to_owned(), bytes));
        }
    }
    forms
}

fn leave_out_defaults(export: &mut Export) {
    for key in export.keys.iter_mut().chain(&mut export.revised_keys) {
        key.rolling_period = key.rolling_period.filter(|period| *period != Default::default());
        key.rolling_start_interval_number =
            key.rolling_start_interval_number.filter(|start| start.get() != 0);
        key.transmission_risk_level = key.transmission_risk_level.filter(|level| level.get() != 0);
        key.report_type = key.report_type.filter(|report_type| report_type.number() != 0);
        key.days_since_onset_of_symptoms = key.days_since_onset_of_symptoms.filter(|days| days.get() != 0);
    }
}

fn write_defaults(export: &mut Export) {
    for key in export.keys.iter_mut().chain(&mut export.revised_keys) {
        key.rolling_period.get_or_insert_default();
        key.rolling_start_interval_number.get_or_insert_default();
    }
}

fn sort_keys(export: &mut Export) {
    export.keys.sort_unstable();
    export.revised_keys.sort_unstable();
}
