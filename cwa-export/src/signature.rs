//! Who signed, how signatures are made, and the strict form they are read in.

use core::error::Error;
use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::wire;

/// Object identifier of ECDSA with SHA-256 (ANSI X9.62): the only algorithm of the format.
pub const ECDSA_P256_SHA256: &str = "1.2.840.10045.4.3.2";

/// Object identifier of ECDSA with SHA-512, which Android takes too.
pub(crate) const ECDSA_P256_SHA512: &str = "1.2.840.10045.4.3.4";

/// Most signatures that one file may carry (Exposure Key Export File Format, "SignatureInfo").
pub const MAX_SIGNATURES: usize = 10;

/// Names the key that made a signature; absent fields stay absent.
///
/// The name is not protected by anything in `export.sig`, which is why a strict reader wants the same one in the
/// signed `export.bin`.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct SignatureInfo {
    /// Bundle id of the iOS app; dropped by later revisions of the format, still widely written.
    pub app_bundle_id: Option<String>,
    /// Package of the Android app; dropped by later revisions.
    pub android_package: Option<String>,
    /// Version of the key, for example `v1`.
    pub verification_key_version: Option<String>,
    /// Id of the key: by custom the mobile country code, for example `262`.
    pub verification_key_id: Option<String>,
    /// Object identifier of the algorithm, see [`ECDSA_P256_SHA256`].
    pub signature_algorithm: Option<String>,
}

impl SignatureInfo {
    /// Names a key by id and version, with the algorithm of the format.
    #[must_use]
    pub fn new(verification_key_id: impl Into<String>, verification_key_version: impl Into<String>) -> Self {
        Self {
            verification_key_id: Some(verification_key_id.into()),
            verification_key_version: Some(verification_key_version.into()),
            signature_algorithm: Some(ECDSA_P256_SHA256.into()),
            ..Self::default()
        }
    }

    /// The same, with the bundle id of an iOS app.
    #[must_use]
    pub fn with_app_bundle_id(mut self, app_bundle_id: impl Into<String>) -> Self {
        self.app_bundle_id = Some(app_bundle_id.into());
        self
    }

    /// The same, with the package of an Android app.
    #[must_use]
    pub fn with_android_package(mut self, android_package: impl Into<String>) -> Self {
        self.android_package = Some(android_package.into());
        self
    }

    pub(crate) fn to_wire(&self) -> wire::export::SignatureInfo {
        wire::export::SignatureInfo {
            app_bundle_id: self.app_bundle_id.clone(),
            android_package: self.android_package.clone(),
            verification_key_version: self.verification_key_version.clone(),
            verification_key_id: self.verification_key_id.clone(),
            signature_algorithm: self.signature_algorithm.clone(),
        }
    }
}

/// Makes signatures: a key in memory ([`SoftwareSigner`]), or one in a security module.
///
/// Implementations get the SHA-256 of the file and nothing else, so that a file never has to pass through them.
pub trait Signer {
    /// The name under which devices look up the public key.
    fn signature_info(&self) -> &SignatureInfo;

    /// The ECDSA P-256 signature over `digest`, the SHA-256 of what is signed.
    ///
    /// # Errors
    ///
    /// Whatever keeps the key from being used; a key in memory is always there.
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Signature, SignerError>;
}

/// A signature could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the signing key could not be used")]
#[non_exhaustive]
pub struct SignerError {
    /// What the key's keeper said.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl SignerError {
    /// Wraps what the key's keeper said.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

/// A signing key in memory, with deterministic nonces: the same file gives the same signature (RFC 6979).
///
/// Secret: redacted in `Debug`, zeroed when dropped.
#[derive(Clone)]
pub struct SoftwareSigner {
    key: SigningKey,
    info: SignatureInfo,
}

impl SoftwareSigner {
    /// A signer with this key under this name.
    #[must_use]
    pub const fn new(key: SigningKey, info: SignatureInfo) -> Self {
        Self { key, info }
    }

    /// Reads a private key in PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or SEC 1 (`BEGIN EC PRIVATE KEY`, as OpenSSL's
    /// `ecparam -genkey` writes it). Text before the first `-----BEGIN` is passed over, and so is a block of curve
    /// parameters.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] if it is neither, or of another curve.
    pub fn from_pem(pem: &str, info: SignatureInfo) -> Result<Self, SigningKeyError> {
        if let Some(block) = pem_block(pem, "PRIVATE KEY") {
            let key = SigningKey::from_pkcs8_pem(block).map_err(|_| SigningKeyError::Malformed)?;
            return Ok(Self { key, info });
        }
        if let Some(block) = pem_block(pem, "EC PRIVATE KEY") {
            let secret = p256::SecretKey::from_sec1_pem(block).map_err(|_| SigningKeyError::Malformed)?;
            return Ok(Self { key: secret.into(), info });
        }
        Err(SigningKeyError::NotPem)
    }

    /// The public half, to hand out.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// The public half as SubjectPublicKeyInfo in PEM: what `openssl dgst -verify` and trust stores take.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Malformed`] if the key cannot be expressed so, which no P-256 key is known for.
    pub fn public_key_pem(&self) -> Result<String, SigningKeyError> {
        self.key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| SigningKeyError::Malformed)
    }
}

impl Signer for SoftwareSigner {
    fn signature_info(&self) -> &SignatureInfo {
        &self.info
    }

    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        self.key.sign_prehash(digest).map_err(SignerError::new)
    }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareSigner").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Why a text is no signing key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// Neither kind of PEM block.
    #[error("there is no `BEGIN PRIVATE KEY` or `BEGIN EC PRIVATE KEY` block")]
    NotPem,
    /// The block does not hold a private key of the curve P-256.
    #[error("the block does not hold an unencrypted private key of the curve P-256")]
    Malformed,
}

/// Reads a signature in the one DER form that two honest encoders agree on.
///
/// `SEQUENCE { INTEGER r, INTEGER s }` with lengths in one byte, integers of minimal length and positive,
/// `1 <= r, s < n`, nothing behind. There is no rule for a low `s`: devices accept both, and so does this.
///
/// # Errors
///
/// [`DerError`], which tells the raw 64-byte form apart: some servers published it, and no device accepts it.
///
/// ```
/// use cwa_export::signature::{DerError, parse_der};
/// assert_eq!(parse_der(&[7; 64]), Err(DerError::Raw));
/// assert_eq!(parse_der(&[0x30, 6, 2, 1, 0, 2, 1, 1]), Err(DerError::OutOfRange));
/// assert!(parse_der(&[0x30, 6, 2, 1, 1, 2, 1, 1]).is_ok());
/// ```
pub fn parse_der(bytes: &[u8]) -> Result<Signature, DerError> {
    if bytes.len() == 64 && Signature::from_slice(bytes).is_ok() && bytes.get(..2) != Some(&[0x30, 62]) {
        return Err(DerError::Raw);
    }
    let (sequence, rest) = element(bytes, 0x30)?;
    if !rest.is_empty() {
        return Err(DerError::Trailing { bytes: rest.len() });
    }
    let (r, rest) = element(sequence, 0x02)?;
    let (s, rest) = element(rest, 0x02)?;
    if !rest.is_empty() {
        return Err(DerError::Trailing { bytes: rest.len() });
    }
    Signature::from_scalars(scalar(r)?, scalar(s)?).map_err(|_| DerError::OutOfRange)
}

/// The form in which a signature came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: the two forms in which security modules answer")]
pub enum SignatureForm {
    /// As it stands in `export.sig`.
    Der,
    /// `r` and `s`, 32 bytes each, big-endian, side by side; no device accepts it so.
    Raw,
}

/// Reads a signature as security modules give it: in strict DER, or as 64 raw bytes.
///
/// The one value in 65,536 of `r` that begins like DER is taken for it only if all of it is. `s` stays as it is: `n − s`
/// would be as good, so that anybody can make a second signature out of one. What identifies a package is therefore the
/// hash of `export.bin`, never that of its archive.
///
/// # Errors
///
/// [`DerError`] of [`parse_der`] if it is neither.
///
/// ```
/// use cwa_export::signature::{SignatureForm, parse_der_or_raw};
/// let (signature, form) = parse_der_or_raw(&[7; 64]).unwrap();
/// assert_eq!(form, SignatureForm::Raw);
/// assert_eq!(parse_der_or_raw(signature.to_der().as_bytes()), Ok((signature, SignatureForm::Der)));
/// ```
pub fn parse_der_or_raw(bytes: &[u8]) -> Result<(Signature, SignatureForm), DerError> {
    match parse_der(bytes) {
        Ok(signature) => Ok((signature, SignatureForm::Der)),
        Err(error) => match Signature::from_slice(bytes) {
            Ok(signature) => Ok((signature, SignatureForm::Raw)),
            Err(_) => Err(error),
        },
    }
}

/// What a signature that is not in strict DER was meant to be: r and s side by side, lengths in a long form, integers
/// with zeros too many or without the one that makes them positive, something behind. To explain it, never to accept it.
pub(crate) fn guess(bytes: &[u8]) -> Option<Signature> {
    if bytes.len() == 64
        && let Ok(signature) = Signature::from_slice(bytes)
    {
        return Some(signature);
    }
    let (sequence, _) = loose_element(bytes, 0x30)?;
    let (r, rest) = loose_element(sequence, 0x02)?;
    let (s, _) = loose_element(rest, 0x02)?;
    let scalar = |integer: &[u8]| {
        let digits = integer.iter().position(|byte| *byte != 0).and_then(|first| integer.get(first..))?;
        let mut scalar = [0; 32];
        let offset = scalar.len().checked_sub(digits.len())?;
        scalar.get_mut(offset..)?.copy_from_slice(digits);
        Some(scalar)
    };
    Signature::from_scalars(scalar(r)?, scalar(s)?).ok()
}

/// Why bytes are no signature in strict DER.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DerError {
    /// Two 32-byte numbers side by side.
    #[error("the signature is 64 raw bytes, r and s side by side, instead of DER")]
    Raw,
    /// No `SEQUENCE` of two `INTEGER`s.
    #[error("the signature is not a DER sequence of two integers")]
    Structure,
    /// Something behind the signature, or inside behind the second integer.
    #[error("{bytes} bytes follow the signature's integers")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// An integer with a leading zero too many.
    #[error("an integer of the signature is not in its shortest form")]
    NotMinimal,
    /// An integer that is not between 1 and the order of the curve.
    #[error("an integer of the signature is not between 1 and the order of the curve")]
    OutOfRange,
}

/// Signs `content` with every signer and gives what `export.sig` holds: one signature for each, batch 1 of 1.
///
/// # Errors
///
/// [`SignError`] if there is no signer, more than [`MAX_SIGNATURES`], or one cannot sign.
pub fn sign(content: &[u8], signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    sign_batch(content, signers, Some(1), Some(1))
}

pub(crate) fn sign_batch(
    content: &[u8],
    signers: &[&dyn Signer],
    batch_num: Option<i32>,
    batch_size: Option<i32>,
) -> Result<Vec<u8>, SignError> {
    if signers.is_empty() || signers.len() > MAX_SIGNATURES {
        return Err(SignError::SignerCount { got: signers.len() });
    }
    let digest = digest(content);
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        signatures.push((signer.signature_info(), signer.sign_digest(&digest)?));
    }
    let signatures =
        signatures.iter().map(|(info, signature)| (*info, signature.to_der().as_bytes().to_vec()));
    Ok(export_sig(signatures, batch_num, batch_size))
}

/// `export.sig` with these signatures in DER.
pub(crate) fn export_sig<'a>(
    signatures: impl Iterator<Item = (&'a SignatureInfo, Vec<u8>)>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
) -> Vec<u8> {
    signature_list(signatures, batch_num, batch_size).encode_to_vec()
}

/// The longest `export.sig` under these names.
pub(crate) fn longest_export_sig(signature_infos: &[SignatureInfo]) -> usize {
    // Two integers of 33 bytes with their heads, and the head of the sequence; and the longest batch numbers.
    let longest = signature_infos.iter().map(|info| (info, vec![0; 2 + 2 * (2 + 33)]));
    signature_list(longest, Some(-1), Some(-1)).encoded_len()
}

fn signature_list<'a>(
    signatures: impl Iterator<Item = (&'a SignatureInfo, Vec<u8>)>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
) -> wire::export::TekSignatureList {
    let signatures = signatures.map(|(info, der)| wire::export::TekSignature {
        signature_info: Some(info.to_wire()),
        batch_num,
        batch_size,
        signature: Some(der),
    });
    wire::export::TekSignatureList { signatures: signatures.collect() }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No signer, or too many.
    #[error("a file carries 1 to {MAX_SIGNATURES} signatures, not {got}")]
    SignerCount {
        /// How many signers there were.
        got: usize,
    },
    /// A signer failed.
    #[error("a signature could not be made")]
    Signer(#[from] SignerError),
}

/// What is to be said of a signature whose algorithm is not the one of the format.
pub(crate) fn unknown_algorithm(number: usize, algorithm: Option<&str>) -> String {
    match algorithm {
        None => format!("signature {number} names no algorithm"),
        Some(text) if text.contains(|letter: char| !letter.is_ascii_digit() && letter != '.') => format!(
            "the algorithm of signature {number} is named as the text {text:?}; devices want the object identifier \
             {ECDSA_P256_SHA256}"
        ),
        Some(text) => format!("the algorithm of signature {number} is {text:?}, not {ECDSA_P256_SHA256}"),
    }
}

/// SHA-256.
pub(crate) fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// From `-----BEGIN label-----` to the end of the text.
fn pem_block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let from = text.find(&begin)?;
    let block = text.get(from..)?;
    let to = block.find(&end)?.checked_add(end.len())?;
    block.get(..to)
}

/// The content of the element with this tag at the start of `bytes`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), DerError> {
    let [found, length, rest @ ..] = bytes else {
        return Err(DerError::Structure);
    };
    // Lengths over 127 take the long form, which no P-256 signature needs.
    if *found != tag || *length > 127 {
        return Err(DerError::Structure);
    }
    rest.split_at_checked(usize::from(*length)).ok_or(DerError::Structure)
}

/// The same with a length in any definite form; of what is cut short, what is there.
fn loose_element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = bytes else { return None };
    let (length, rest) = match *length {
        length @ ..0x80 => (usize::from(length), rest),
        long => {
            let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
            (length, rest)
        }
    };
    (*found == tag).then(|| rest.split_at(length.min(rest.len())))
}

/// The 32 bytes of a non-negative integer in its shortest form.
fn scalar(integer: &[u8]) -> Result<[u8; 32], DerError> {
    let magnitude = match integer {
        [] => return Err(DerError::Structure),
        [0, rest @ ..] if rest.first().is_some_and(|byte| *byte < 0x80) => return Err(DerError::NotMinimal),
        [0, rest @ ..] => rest,
        [first, ..] if *first >= 0x80 => return Err(DerError::OutOfRange),
        all => all,
    };
    let mut scalar = [0; 32];
    let offset = scalar.len().checked_sub(magnitude.len()).ok_or(DerError::OutOfRange)?;
    if let Some(tail) = scalar.get_mut(offset..) {
        tail.copy_from_slice(magnitude);
    }
    Ok(scalar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> SoftwareSigner {
        SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v1"))
    }

    #[test]
    fn the_nonce_of_rfc_6979_gives_the_published_signature() {
        // RFC 6979 A.2.5, message "sample", SHA-256.
        let key = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap();
        let signer = SoftwareSigner::new(SigningKey::from_slice(&key).unwrap(), SignatureInfo::default());
        let signature = signer.sign_digest(&digest(b"sample")).unwrap();
        let (r, s) = signature.split_bytes();
        assert_eq!(hex::encode_upper(r), "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716");
        assert_eq!(hex::encode_upper(s), "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    }

    #[test]
    fn der_is_read_back_as_it_was_written_high_s_included() {
        let signature = signer().sign_digest(&[1; 32]).unwrap();
        let other = Signature::from_scalars(signature.r(), -*signature.s()).unwrap();
        for signature in [signature, other] {
            assert_eq!(parse_der(signature.to_der().as_bytes()), Ok(signature));
        }
    }

    #[test]
    fn der_in_any_other_form_is_refused() {
        let good = signer().sign_digest(&[1; 32]).unwrap().to_der().as_bytes().to_vec();
        let mut trailing = good.clone();
        trailing.push(0);
        assert_eq!(parse_der(&trailing), Err(DerError::Trailing { bytes: 1 }));
        assert_eq!(parse_der(&[0x30, 7, 2, 2, 0, 1, 2, 1, 1]), Err(DerError::NotMinimal));
        assert_eq!(parse_der(&[0x30, 6, 2, 1, 1, 2, 1, 0]), Err(DerError::OutOfRange));
        assert_eq!(parse_der(&[0x30, 6, 2, 1, 0x81, 2, 1, 1]), Err(DerError::OutOfRange));
        assert_eq!(parse_der(&[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1]), Err(DerError::Structure));
        assert_eq!(parse_der(&[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1]), Err(DerError::Trailing { bytes: 3 }));
        assert_eq!(parse_der(&[0x30, 5, 2, 0, 2, 1, 1]), Err(DerError::Structure));
        assert_eq!(parse_der(&[]), Err(DerError::Structure));
        let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
        let r = [&[0x30, 0x26, 2, 0x21, 0][..], &order, &[2, 1, 1]].concat();
        assert_eq!(parse_der(&r), Err(DerError::OutOfRange));
    }

    #[test]
    fn both_kinds_of_private_key_file_are_read() {
        use p256::pkcs8::EncodePrivateKey as _;
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let pkcs8 = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
        let sec1 = secret.to_sec1_pem(LineEnding::LF).unwrap();
        let with_parameters = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
            sec1.as_str()
        );
        for pem in [pkcs8.as_str(), sec1.as_str(), &with_parameters] {
            let read = SoftwareSigner::from_pem(pem, SignatureInfo::default()).unwrap();
            assert_eq!(read.verifying_key(), signer().verifying_key());
        }
        let public = signer().public_key_pem().unwrap();
        assert_eq!(
            SoftwareSigner::from_pem(&public, SignatureInfo::default()).unwrap_err(),
            SigningKeyError::NotPem
        );
        let broken = pkcs8.replace("MIG", "MIH");
        assert_eq!(
            SoftwareSigner::from_pem(&broken, SignatureInfo::default()).unwrap_err(),
            SigningKeyError::Malformed
        );
    }

    #[test]
    fn a_signer_does_not_print_its_key() {
        insta::assert_snapshot!(
            format!("{:?}", signer()),
            @r#"SoftwareSigner { info: SignatureInfo { app_bundle_id: None, android_package: None, verification_key_version: Some("v1"), verification_key_id: Some("262"), signature_algorithm: Some("1.2.840.10045.4.3.2") }, .. }"#
        );
    }

    #[test]
    fn nothing_is_signed_by_nobody_or_by_too_many() {
        let signer = signer();
        assert!(matches!(sign(b"", &[]), Err(SignError::SignerCount { got: 0 })));
        let eleven: Vec<&dyn Signer> = vec![&signer; 11];
        assert!(matches!(sign(b"", &eleven), Err(SignError::SignerCount { got: 11 })));
    }
}
