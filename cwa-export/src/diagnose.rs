//! Why a signature does not verify: what was signed instead, as far as that can be tried out.

use p256::ecdsa::Signature;

use crate::finding::{Code, Finding};
use crate::header;
use crate::signature;
use crate::trust::TrustStore;

/// Tries the mistakes that publishers are known for, and says which one explains the signature.
///
/// Of the content: with its header, and without, which early servers signed. Of the key: every one in the trust store
/// and every sample key, whatever the signature calls itself.
pub(crate) fn signed_instead(
    number: usize,
    content: &[u8],
    signature: &Signature,
    trusted: &TrustStore,
) -> Option<Finding> {
    let whole = ("the whole file", signature::digest(content));
    let body = header::strip(content)
        .ok()
        .map(|body| ("the file without its 16-byte header", signature::digest(body)));
    let known = TrustStore::built_in_with_samples();
    for (what, digest) in [Some(whole), body].into_iter().flatten() {
        if let Some(key) = trusted.keys().chain(known.keys()).find(|key| key.verifies(&digest, signature)) {
            let message =
                format!("signature {number} is one over {what} by {}, a {} key", key.id, key.environment);
            return Some(Finding::new(Code::SignedInstead, message));
        }
    }
    None
}
