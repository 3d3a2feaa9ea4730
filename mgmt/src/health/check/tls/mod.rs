//! TLS for the checks that need it.

mod certificate;
mod files;
mod provider;
mod store;
mod verifier;
mod words;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::socket;
use crate::health::tracker::Outcome;
pub use files::Unusable;
pub(super) use store::Store;
pub use store::{Files, Shelved};
use verifier::{Anything, Trusted, authorities};
pub(super) use words::words_of;

/// The checks' side of TLS, as one check is configured.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    sni: Option<String>,
    warn_before: Duration,
}

/// What settings are made with: the certificates that the system trusts, which take a while to read.
#[derive(Debug, Default)]
pub(super) struct Settings {
    system: Option<Arc<RootCertStore>>,
}

impl Settings {
    /// Reads files, for as long as their disk takes.
    pub(super) fn config(&mut self, tls: &Files) -> Result<Arc<ClientConfig>, Unusable> {
        let unusable = |why: String| Unusable { is_out_of_reach: false, why };
        let (provider, verifier): (_, Arc<dyn ServerCertVerifier>) = match tls.verify {
            true => (&provider::VERIFYING, Arc::new(self.trusted(tls.ca.as_deref())?)),
            false => (&provider::UNVERIFYING, Arc::new(Anything)),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &tls.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder.with_client_cert_resolver(files::client(certificate, key)?),
        };
        // A resumed session shows no certificate: one that has ended would go unnoticed.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    fn trusted(&mut self, ca: Option<&Path>) -> Result<Trusted, Unusable> {
        let unusable = |why: String| Unusable { is_out_of_reach: false, why };
        let (authorities, named) = match ca {
            Some(ca) => {
                let named = files::certificates(ca)?;
                // Those that are no authority's are trusted as servers' own nevertheless.
                (Arc::new(authorities(&named)), named)
            }
            None => (self.system()?, Vec::new()),
        };
        Trusted::new(authorities, named).map_err(unusable)
    }

    fn system(&mut self) -> Result<Arc<RootCertStore>, Unusable> {
        if let Some(system) = &self.system {
            return Ok(Arc::clone(system));
        }
        let roots = authorities(&rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let why =
                "the system trusts no authority: install ca-certificates, or name one by `ca`".to_owned();
            return Err(Unusable { is_out_of_reach: true, why });
        }
        Ok(Arc::clone(self.system.insert(Arc::new(roots))))
    }
}

impl Client {
    /// Whom the certificate has to name.
    pub(super) fn name(&self, host: Option<&str>, address: IpAddr) -> Result<ServerName<'static>, Outcome> {
        let Some(name) = self.sni.as_deref().or(host) else { return Ok(ServerName::from(address)) };
        let name = name.to_owned();
        ServerName::try_from(name.clone())
            .map_err(|_| Outcome::fail(format!("{name:?} is no name that a certificate could have")))
    }

    /// Gives what there is to warn of, too.
    pub(super) async fn handshake(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<String>), Outcome> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, stream).await.map_err(ended)?;
        let certificates = stream.get_ref().1.peer_certificates();
        let end = certificates.and_then(<[CertificateDer<'_>]>::first);
        let end = end.and_then(|first| certificate::outline(first)?.not_after);
        let now = UnixTime::now().as_secs();
        let is_near = |end: &u64| *end < now + self.warn_before.as_secs();
        Ok((stream, end.filter(is_near).map(|end| words::ends_in(end, now))))
    }
}

/// What follows from a handshake that failed.
fn ended(error: io::Error) -> Outcome {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Outcome::fail("connection closed in the TLS handshake");
    }
    socket::failed(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_fails_is_told_by_its_reason() {
        let said = |error: io::Error| ended(error).said.into_owned();
        assert_eq!(said(io::ErrorKind::UnexpectedEof.into()), "connection closed in the TLS handshake");
        assert_eq!(said(io::ErrorKind::ConnectionReset.into()), "connection reset");
        let error = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(said(io::Error::other(error)), "the server does not speak TLS");
    }
}
