//! Which server certificates a check takes.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::certificate::{self, Outline, VERIFIED};
use super::provider::{ANY_SCHEME, UNVERIFIED_SCHEMES, VERIFYING};

const NO_AUTHORITY: &str = "certificate issued by one that `ca` names, and that is no authority's (CA:TRUE and keyCertSign \
                            are missing): put the server's own certificate into `ca`, or issue it by an authority";

/// Takes certificates that a trusted authority stands behind, and those that are trusted themselves.
///
/// RFC 5280 section 6.1.1 leaves it open what makes a trust anchor. To name a server's own certificate as trusted is what
/// OpenSSL, curl, HAProxy and Keepalived take, also where it is self-signed with `CA:TRUE`, which is OpenSSL's default.
#[derive(Debug)]
pub(super) struct Trusted {
    /// `None`: none of the named certificates can be an authority's.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// Trusted as servers' own, byte for byte.
    named: Vec<CertificateDer<'static>>,
}

/// Why a certificate is refused, in words, where rustls has none for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        CertificateError::Other(OtherError(Arc::new(refused))).into()
    }
}

/// Those of some trusted certificates that others may be issued by.
pub(super) fn authorities(trusted: &[CertificateDer<'static>]) -> RootCertStore {
    let mut authorities = RootCertStore::empty();
    let is_one = |one: &&CertificateDer<'_>| certificate::outline(one).is_some_and(|one| one.is_authority());
    authorities.add_parsable_certificates(trusted.iter().filter(is_one).cloned());
    authorities
}

impl Trusted {
    /// `authorities`: may be empty.
    pub(super) fn new(
        authorities: Arc<RootCertStore>,
        named: Vec<CertificateDer<'static>>,
    ) -> Result<Self, String> {
        if authorities.is_empty() {
            return Ok(Self { authorities: None, named });
        }
        let builder = WebPkiServerVerifier::builder_with_provider(authorities, Arc::clone(&VERIFYING));
        let authorities = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { authorities: Some(authorities), named })
    }

    /// Whether a certificate of the same name as its issuer is trusted, and is no authority's.
    fn names_issuer(&self, issued: &CertificateDer<'_>) -> bool {
        let issued = certificate::outline(issued).filter(|issued| issued.issuer != issued.subject);
        let Some(issued) = issued else { return false };
        let mut named = self.named.iter().filter_map(|named| certificate::outline(named));
        named.any(|named| named.subject == issued.issuer && !named.is_authority())
    }

    /// Name and dates of a certificate that needs no authority.
    fn verify_named(
        end_entity: &CertificateDer<'_>,
        outline: &Outline<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let not_after = outline.not_after.ok_or(CertificateError::BadEncoding)?;
        if now.as_secs() > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after: at(not_after) }.into());
        }
        // One that cannot be read is before 1970.
        if let Some(not_before) = outline.not_before.filter(|not_before| now.as_secs() < *not_before) {
            let not_before = at(not_before);
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)
    }
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outline = certificate::outline(end_entity).ok_or(CertificateError::BadEncoding)?;
        if outline.version < 3 {
            let words = "certificate of X.509 version 1, which has no subjectAltName: issue one of version 3, \
                         or set `verify = false`";
            return Err(Refused(words.to_owned()).into());
        }
        // Here it has a name. The handshake's signature would be found to be wrong, for no reason that anyone could see.
        if let Some(key) = outline.unverified_key() {
            let words = format!(
                "certificate with {key}, which is not verified: give the server one of {VERIFIED}, \
                 or set `verify = false`"
            );
            return Err(Refused(words).into());
        }
        if self.named.iter().any(|named| named.as_ref() == end_entity.as_ref()) {
            Self::verify_named(end_entity, &outline, name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = match &self.authorities {
            Some(authorities) => {
                authorities.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            }
            None if outline.claims_authority() => {
                let why = OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity));
                Err(CertificateError::Other(why).into())
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        verified.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer)
                if [end_entity].into_iter().chain(intermediates).any(|one| self.names_issuer(one)) =>
            {
                Refused(NO_AUTHORITY.to_owned()).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &VERIFYING.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &VERIFYING.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = VERIFYING.signature_verification_algorithms.supported_schemes();
        // Otherwise a server with such a key would end the handshake without showing it.
        schemes.extend(UNVERIFIED_SCHEMES);
        schemes
    }
}

/// Takes any certificate, and any signature, as `verify = false` asks. A signature that was verified would prove no more than
/// that the server has the key of a certificate that may be any certificate.
#[derive(Debug)]
pub(super) struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ANY_SCHEME.to_vec()
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
pub(super) mod tests;
