//! `content.sig`, the second signature of Dutch archives: CMS SignedData (RFC 5652), detached, over one member.
//!
//! The Dutch app verified it under the government's certificates before it handed the other two members to the phone;
//! configuration came in archives of `content.bin` and `content.sig` without any other signature.
//!
//! A certificate that is given is believed as it is: neither its dates nor its issuer nor its uses are looked at, and no
//! certificate that comes along within the signature is believed for anything.

use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::pkcs1v15;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, OctetStringRef};
use x509_cert::der::referenced::OwnedToRef as _;
use x509_cert::der::{Decode as _, DecodePem as _, Encode as _};
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use crate::signature;

/// A certificate whose holder's signatures are believed: RSA, or ECDSA with the curve P-256.
#[derive(Clone, Debug)]
pub struct SignerCertificate {
    id: String,
    certificate: Certificate,
    key: PublicKey,
}

impl SignerCertificate {
    /// Longest `content.sig` that is read: 64 KiB, ten times what comes with a chain of certificates.
    pub const MAX_SIGNATURE: usize = 64 << 10;

    /// Reads an X.509 certificate in DER; `id` is what findings call it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none, or has another kind of key.
    pub fn from_der(id: impl Into<String>, der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        Self::new(id.into(), certificate)
    }

    /// The same in PEM; of several, the first.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if there is none, or it has another kind of key.
    pub fn from_pem(id: impl Into<String>, pem: &str) -> Result<Self, CertificateError> {
        let begin = pem.find("-----BEGIN CERTIFICATE-----").ok_or(CertificateError::NotPem)?;
        const END: &str = "-----END CERTIFICATE-----";
        let block = pem.get(begin..).unwrap_or_default();
        let end = block.find(END).ok_or(CertificateError::NotPem)?;
        let block = block.get(..end.saturating_add(END.len())).unwrap_or_default();
        let certificate = Certificate::from_pem(block).map_err(|_| CertificateError::Malformed)?;
        Self::new(id.into(), certificate)
    }

    fn new(id: String, certificate: Certificate) -> Result<Self, CertificateError> {
        let spki = certificate.tbs_certificate().subject_public_key_info();
        let key = if let Ok(key) = rsa::PublicKey::try_from(spki.owned_to_ref()) {
            // The library's own bounds are 1024 and 8192 bits.
            if key.size() < MIN_RSA_BYTES {
                return Err(CertificateError::Key);
            }
            PublicKey::Rsa(Box::new(key))
        } else if let Ok(key) = VerifyingKey::try_from(spki.owned_to_ref()) {
            PublicKey::P256(key)
        } else {
            return Err(CertificateError::Key);
        };
        Ok(Self { id, certificate, key })
    }

    /// Its name, as it was given.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is: the distinguished name, for people.
    #[must_use]
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    /// Verifies a detached signature over `content` (RFC 5652, section 5).
    ///
    /// Of several signers, this certificate's is looked at. With signed attributes the signature is over those, and they
    /// have the type and the digest of the content, each once; without, it is over the content itself.
    ///
    /// # Errors
    ///
    /// [`CmsError`] says what is wrong first.
    pub fn verify(&self, content_sig: &[u8], content: &[u8]) -> Result<(), CmsError> {
        let length = content_sig.len();
        if length > Self::MAX_SIGNATURE {
            return Err(CmsError::TooLong { length, max: Self::MAX_SIGNATURE });
        }
        let info = ContentInfo::from_der(content_sig).map_err(|_| CmsError::Malformed)?;
        if info.content_type != SIGNED_DATA {
            return Err(CmsError::NotSignedData);
        }
        let signed: SignedData = info.content.decode_as().map_err(|_| CmsError::Malformed)?;
        if signed.encap_content_info.econtent_type != DATA {
            return Err(CmsError::ContentType);
        }
        if signed.encap_content_info.econtent.is_some() {
            return Err(CmsError::NotDetached);
        }
        let signer = signed.signer_infos.0.iter().find(|signer| self.is_named_by(&signer.sid));
        self.verify_signer(signer.ok_or(CmsError::OtherSigner)?, content)
    }

    fn is_named_by(&self, sid: &SignerIdentifier) -> bool {
        let certificate = self.certificate.tbs_certificate();
        match sid {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                name.issuer == *certificate.issuer() && name.serial_number == *certificate.serial_number()
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                matches!(certificate.get_extension::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if own == *id)
            }
        }
    }

    fn verify_signer(&self, signer: &SignerInfo, content: &[u8]) -> Result<(), CmsError> {
        let digest = Digest::of(signer.digest_alg.oid).ok_or(CmsError::DigestAlgorithm)?;
        let Some(attributes) = &signer.signed_attrs else {
            return self.verify_bytes(signer, digest, content);
        };
        let value = |wanted: ObjectIdentifier| {
            let mut of_type = attributes.iter().filter(|attribute| attribute.oid == wanted);
            match (of_type.next().map(|attribute| attribute.values.as_slice()), of_type.next()) {
                (Some([value]), None) => Ok(value),
                _ => Err(CmsError::Attributes),
            }
        };
        let content_type: ObjectIdentifier =
            value(CONTENT_TYPE)?.decode_as().map_err(|_| CmsError::Attributes)?;
        let message_digest: &OctetStringRef =
            value(MESSAGE_DIGEST)?.decode_as().map_err(|_| CmsError::Attributes)?;
        if content_type != DATA {
            return Err(CmsError::ContentType);
        }
        // What is signed is the set as such, not as it stands behind its own tag (RFC 5652, section 5.4).
        let bytes = attributes.to_der().map_err(|_| CmsError::Malformed)?;
        self.verify_bytes(signer, digest, &bytes)?;
        if message_digest.as_bytes() != digest.hash(content) {
            return Err(CmsError::OtherContent);
        }
        Ok(())
    }

    fn verify_bytes(&self, signer: &SignerInfo, digest: Digest, bytes: &[u8]) -> Result<(), CmsError> {
        let (algorithm, signature) = (signer.signature_algorithm.oid, signer.signature.as_bytes());
        let hash = digest.hash(bytes);
        let is_right = match &self.key {
            PublicKey::Rsa(key) if algorithm == RSA || algorithm == digest.with_rsa() => {
                let signature =
                    pkcs1v15::Signature::try_from(signature).map_err(|_| CmsError::SignatureMismatch)?;
                let key = key.as_ref().clone();
                match digest {
                    Digest::Sha256 => {
                        pkcs1v15::VerifyingKey::<Sha256>::new(key).verify_prehash(&hash, &signature)
                    }
                    Digest::Sha384 => {
                        pkcs1v15::VerifyingKey::<Sha384>::new(key).verify_prehash(&hash, &signature)
                    }
                    Digest::Sha512 => {
                        pkcs1v15::VerifyingKey::<Sha512>::new(key).verify_prehash(&hash, &signature)
                    }
                }
                .is_ok()
            }
            PublicKey::P256(key) if algorithm == digest.with_ecdsa() => {
                let signature = signature::parse_der(signature).map_err(|_| CmsError::SignatureMismatch)?;
                key.verify_prehash(&hash, &signature).is_ok()
            }
            PublicKey::Rsa(_) | PublicKey::P256(_) => return Err(CmsError::SignatureAlgorithm),
        };
        if is_right { Ok(()) } else { Err(CmsError::SignatureMismatch) }
    }
}

/// Why a certificate cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No block of that name.
    #[error("there is no `BEGIN CERTIFICATE` block")]
    NotPem,
    /// Not a certificate.
    #[error("this is no X.509 certificate in DER")]
    Malformed,
    /// Another kind of public key.
    #[error("the certificate's key is neither RSA of 2048 to 8192 bits nor ECDSA with P-256")]
    Key,
}

/// Why `content.sig` is not right.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// Longer than the limit.
    #[error("it has {length} bytes; at most {max} are read")]
    TooLong {
        /// Bytes found.
        length: usize,
        /// Most bytes.
        max: usize,
    },
    /// Not in DER, cut short, or with something behind.
    #[error("it is no CMS message in DER")]
    Malformed,
    /// CMS, but no signature.
    #[error("it is CMS of another kind than SignedData")]
    NotSignedData,
    /// Signed content of another type.
    #[error("what it signs is not plain data")]
    ContentType,
    /// It brings content of its own.
    #[error("it carries content of its own instead of being detached")]
    NotDetached,
    /// Nobody signed who has this certificate.
    #[error("it names another certificate")]
    OtherSigner,
    /// Another digest.
    #[error("its digest is none of SHA-256, SHA-384 and SHA-512")]
    DigestAlgorithm,
    /// Another algorithm, or not the certificate's.
    #[error("its algorithm is not that of the certificate's key with the digest it names")]
    SignatureAlgorithm,
    /// Type or digest of the content are missing from the signed attributes, or there twice.
    #[error("its signed attributes do not have one type and one digest of the content")]
    Attributes,
    /// The digest of other content was signed.
    #[error("it was made over other content")]
    OtherContent,
    /// Not made with the certificate's key, or over other bytes.
    #[error("it does not verify under the certificate")]
    SignatureMismatch,
}

#[derive(Clone, Debug)]
enum PublicKey {
    Rsa(Box<rsa::PublicKey>),
    P256(VerifyingKey),
}

/// 2048 bits.
const MIN_RSA_BYTES: usize = 256;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// `rsaEncryption`: the digest is the one that stands beside it.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

#[derive(Clone, Copy)]
enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    fn of(algorithm: ObjectIdentifier) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|digest| digest.oid() == algorithm)
    }

    const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        })
    }

    const fn with_rsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Sha384 => "1.2.840.113549.1.1.12",
            Self::Sha512 => "1.2.840.113549.1.1.13",
        })
    }

    const fn with_ecdsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "1.2.840.10045.4.3.2",
            Self::Sha384 => "1.2.840.10045.4.3.3",
            Self::Sha512 => "1.2.840.10045.4.3.4",
        })
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}
