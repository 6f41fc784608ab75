//! TLS towards PostgreSQL, as `sslmode` says.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::settings::{PostgresSettings, TlsMode};

/// What protects connections to this database.
pub(super) fn client_config(settings: &PostgresSettings) -> Result<ClientConfig, PostgresTlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(PostgresTlsError::Rustls)?;
    let config = match settings.tls {
        TlsMode::VerifyFull => {
            let roots = roots(settings.root_certificates.as_deref())?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        mode => {
            // libpq: a file of root certificates makes `require` check the chain.
            let checks_chain = mode == TlsMode::VerifyCa
                || (mode == TlsMode::Require && settings.root_certificates.is_some());
            let chain = if checks_chain {
                let roots = Arc::new(roots(settings.root_certificates.as_deref())?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(verifier.map_err(|_| PostgresTlsError::NoRoots)?)
            } else {
                None
            };
            let verifier = Arc::new(WithoutName { chain, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(config)
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, PostgresTlsError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(|_| PostgresTlsError::NoRoots)? {
                let certificate = certificate.map_err(|_| PostgresTlsError::NoRoots)?;
                roots.add(certificate).map_err(PostgresTlsError::Rustls)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() { Err(PostgresTlsError::NoRoots) } else { Ok(roots) }
}

/// What `require` and `verify-ca` mean: the server's name is not looked at, nor, without roots, who vouches for it.
#[derive(Debug)]
struct WithoutName {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for WithoutName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why no connection to PostgreSQL can be protected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresTlsError {
    /// No root certificate was found.
    #[error("no root certificate was found for the database's TLS: see sslrootcert")]
    NoRoots,
    /// TLS cannot be set up.
    #[error("TLS towards the database cannot be set up")]
    Rustls(#[source] rustls::Error),
}
