//! An export whose signatures are made elsewhere: in a security module, on a machine without a network.

use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use crate::content::{ExportContent, ParseContentError};
use crate::export::{Export, SignedFiles};
use crate::signature::{self, MAX_SIGNATURES, SignatureInfo};

/// An `export.bin` that is ready to be signed: its bytes are fixed, and it names the keys that are to sign it.
///
/// Made by [`Export::prepare`] or [`parse`](Self::parse). Next: a signature over [`digest`](Self::digest) for each of
/// the [`signature_infos`](Self::signature_infos), and [`attach`](Self::attach).
#[derive(Clone, Eq, PartialEq)]
pub struct UnsignedExport {
    export_bin: Vec<u8>,
    signature_infos: Vec<SignatureInfo>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
}

impl Export {
    /// Fixes the bytes of an export that keys of these names will sign, newest first.
    #[must_use]
    pub fn prepare(&self, signature_infos: Vec<SignatureInfo>) -> UnsignedExport {
        UnsignedExport {
            export_bin: self.encode(&signature_infos),
            signature_infos,
            batch_num: self.batch_num,
            batch_size: self.batch_size,
        }
    }
}

impl UnsignedExport {
    /// Reads an `export.bin`; whose signatures it awaits stands in it.
    ///
    /// # Errors
    ///
    /// [`ParseContentError`] if it is no export.
    pub fn parse(export_bin: Vec<u8>) -> Result<Self, ParseContentError> {
        let content = ExportContent::parse(&export_bin)?;
        let (batch_num, batch_size) = (content.batch_num(), content.batch_size());
        let signature_infos = content.signature_infos().to_vec();
        Ok(Self { export_bin, signature_infos, batch_num, batch_size })
    }

    /// `export.bin`.
    #[must_use]
    pub fn export_bin(&self) -> &[u8] {
        &self.export_bin
    }

    /// Whose signatures it awaits, in their order.
    #[must_use]
    pub fn signature_infos(&self) -> &[SignatureInfo] {
        &self.signature_infos
    }

    /// What each of them signs: the SHA-256 of `export.bin`, its header included.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        signature::digest(&self.export_bin)
    }

    /// Joins the export with its signatures, one for each signature info and in their order, after each was verified:
    /// a package with a wrong one never comes into being. Which public key goes by which name is for the caller to know.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if there are not as many as the export names, it names none or too many, or one was not made
    /// over this export by its key.
    pub fn attach(self, signatures: &[OfferedSignature]) -> Result<SignedFiles, AttachError> {
        let expected = self.signature_infos.len();
        if expected == 0 || expected > MAX_SIGNATURES {
            return Err(AttachError::Named { infos: expected });
        }
        if signatures.len() != expected {
            return Err(AttachError::Count { expected, got: signatures.len() });
        }
        let digest = self.digest();
        for (number, offered) in (1..).zip(signatures) {
            if offered.verifying_key.verify_prehash(&digest, &offered.signature).is_err() {
                return Err(AttachError::Mismatch { number });
            }
        }
        let ders = signatures.iter().map(|offered| offered.signature.to_der().as_bytes().to_vec());
        let export_sig =
            signature::export_sig(self.signature_infos.iter().zip(ders), self.batch_num, self.batch_size);
        Ok(SignedFiles { export_bin: self.export_bin, export_sig })
    }
}

impl fmt::Debug for UnsignedExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedExport")
            .field("bytes", &self.export_bin.len())
            .field("signature_infos", &self.signature_infos)
            .finish_non_exhaustive()
    }
}

/// A signature, and the public key under which it has to verify.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "neither is worth anything without the other")]
pub struct OfferedSignature {
    /// The signature; [`parse_der_or_raw`](signature::parse_der_or_raw) reads it.
    pub signature: Signature,
    /// The key that should have made it.
    pub verifying_key: VerifyingKey,
}

/// Why signatures were not attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The export does not say who signs it, or says too many.
    #[error("the export names {infos} keys that sign it, not 1 to {MAX_SIGNATURES}")]
    Named {
        /// How many it names.
        infos: usize,
    },
    /// Another number of signatures.
    #[error("the export awaits {expected} signatures, not {got}")]
    Count {
        /// How many keys it names.
        expected: usize,
        /// How many signatures there are.
        got: usize,
    },
    /// A signature that was made over something else, or by another key.
    #[error("signature {number} was not made over this export by the key given for it")]
    Mismatch {
        /// Its number, from 1.
        number: usize,
    },
}

#[cfg(test)]
mod tests {
    use cwa_crypto::UnixTime;
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::{ExportKey, Signer as _, SoftwareSigner};

    fn signer(scalar: u8) -> SoftwareSigner {
        let info = SignatureInfo::new("262", format!("v{scalar}"));
        SoftwareSigner::new(SigningKey::from_slice(&[scalar; 32]).unwrap(), info)
    }

    fn export() -> Export {
        let key = ExportKey::new([1; 16]);
        Export::new(UnixTime::from_secs(3_600), UnixTime::from_secs(7_200), "DE", vec![key])
    }

    fn unsigned() -> UnsignedExport {
        export().prepare(vec![signer(2).signature_info().clone(), signer(1).signature_info().clone()])
    }

    fn offered(scalar: u8, digest: &[u8; 32]) -> OfferedSignature {
        let signature = signer(scalar).sign_digest(digest).unwrap();
        OfferedSignature { signature, verifying_key: *signer(scalar).verifying_key() }
    }

    #[test]
    fn signing_elsewhere_gives_the_same_files_as_signing_here() {
        let digest = unsigned().digest();
        let attached = unsigned().attach(&[offered(2, &digest), offered(1, &digest)]).unwrap();
        assert_eq!(attached, export().sign(&[&signer(2), &signer(1)]).unwrap());
        assert_eq!(UnsignedExport::parse(unsigned().export_bin().to_vec()).unwrap(), unsigned());
    }

    #[test]
    fn the_other_form_of_s_is_attached_as_it_is() {
        let digest = unsigned().digest();
        let mut malleated = offered(1, &digest);
        let (r, s) = malleated.signature.split_scalars();
        malleated.signature = Signature::from_scalars(r, -s).unwrap();
        let attached = unsigned().attach(&[offered(2, &digest), malleated]).unwrap();
        assert_eq!(attached.export_bin, unsigned().export_bin());
        assert_ne!(attached, export().sign(&[&signer(2), &signer(1)]).unwrap());
    }

    #[test]
    fn nothing_comes_of_a_wrong_signature() {
        let digest = unsigned().digest();
        let (first, second) = (offered(2, &digest), offered(1, &digest));
        let attach = |signatures: &[OfferedSignature]| unsigned().attach(signatures).unwrap_err();
        assert_eq!(attach(&[offered(2, &[1; 32]), second]), AttachError::Mismatch { number: 1 });
        assert_eq!(attach(&[first, offered(1, &[0; 32])]), AttachError::Mismatch { number: 2 });
        let swapped = OfferedSignature { verifying_key: first.verifying_key, ..second };
        assert_eq!(attach(&[first, swapped]), AttachError::Mismatch { number: 2 });
        assert_eq!(attach(&[first]), AttachError::Count { expected: 2, got: 1 });
        assert_eq!(attach(&[first, second, second]), AttachError::Count { expected: 2, got: 3 });
        assert_eq!(export().prepare(Vec::new()).attach(&[]), Err(AttachError::Named { infos: 0 }));
        let eleven = export().prepare(vec![SignatureInfo::default(); 11]);
        assert_eq!(eleven.attach(&[first; 11]), Err(AttachError::Named { infos: 11 }));
    }
}
