//! TLS for the checks that need it.

mod certificate;
mod words;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::health::Tls;
use crate::files;
use crate::health::tracker::Outcome;
use words::{ends_in, refused};

/// The longest file of certificates, or of a key, in bytes: several times what a system trusts.
const MAX_PEM: usize = 4 << 20;

/// The checks' side of TLS, as one check is configured.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    sni: Option<String>,
    warn_before: Duration,
}

/// Settings that were made already, and the certificates that the system trusts: to read those for each of ten
/// thousand backends would take a while.
#[derive(Debug, Default)]
pub(super) struct Settings {
    made: Vec<(Arc<Tls>, Result<Client, String>)>,
    system: Option<Arc<RootCertStore>>,
}

impl Settings {
    pub(super) fn client(&mut self, tls: &Arc<Tls>) -> Result<Client, String> {
        if let Some((_, client)) = self.made.iter().find(|(other, _)| other == tls) {
            return client.clone();
        }
        let client = self.make(tls);
        self.made.push((Arc::clone(tls), client.clone()));
        client
    }

    fn make(&mut self, tls: &Tls) -> Result<Client, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match tls.verify {
            true => builder.with_root_certificates(self.roots(tls.ca.as_deref())?),
            false => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let mut config = match &tls.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key = pem(key).and_then(|pem| {
                    PrivateKeyDer::from_pem_slice(&pem)
                        .map_err(|error| format!("cannot read the key {}: {error}", key.display()))
                })?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    format!("cannot use the certificate {}: {error}", certificate.display())
                })?
            }
        };
        // A resumed session shows no certificate: one that has ended would go unnoticed.
        config.resumption = Resumption::disabled();
        Ok(Client { config: Arc::new(config), sni: tls.sni.clone(), warn_before: tls.warn_before })
    }

    fn roots(&mut self, ca: Option<&Path>) -> Result<Arc<RootCertStore>, String> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = ca {
            roots.add_parsable_certificates(certificates(ca)?);
            if roots.is_empty() {
                return Err(format!("{} has no certificate of an authority", ca.display()));
            }
            return Ok(Arc::new(roots));
        }
        if let Some(system) = &self.system {
            return Ok(Arc::clone(system));
        }
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("the system trusts no authority: install ca-certificates, or name one by `ca`".into());
        }
        Ok(Arc::clone(self.system.insert(Arc::new(roots))))
    }
}

/// The thread of the checks must not wait for a FIFO.
fn pem(path: &Path) -> Result<Vec<u8>, String> {
    match files::read(path, MAX_PEM + 1) {
        Ok(pem) if pem.len() > MAX_PEM => {
            Err(format!("{} is larger than {} MiB", path.display(), MAX_PEM >> 20))
        }
        Ok(pem) => Ok(pem),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = pem(path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(list) if list.is_empty() => Err(format!("{} has no certificate", path.display())),
        Ok(list) => Ok(list),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
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
        let stream = connector.connect(name, stream).await.map_err(|error| Outcome::fail(refused(&error)))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let end = certificates.and_then(<[_]>::first).and_then(|first| certificate::not_after(first));
        let now = UnixTime::now().as_secs();
        let is_near = |end: &u64| *end < now + self.warn_before.as_secs();
        Ok((stream, end.filter(is_near).map(|end| ends_in(end, now))))
    }
}

/// Takes any certificate, as `verify = false` asks. That the server has its key is still seen to.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
