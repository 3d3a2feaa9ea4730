//! Certificates and keys of the configuration, out of their files.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};

use super::certificate::VERIFIED;
use super::provider::VERIFYING;
use super::words;
use crate::files;

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// It cannot be read at all: another machine may have it, or another user.
    pub is_out_of_reach: bool,
    /// In words, with the file's name.
    pub why: String,
}

impl Unusable {
    fn content(why: impl Into<String>) -> Self {
        Self { is_out_of_reach: false, why: why.into() }
    }

    fn unread(path: &Path, error: &io::Error) -> Self {
        let why = format!("cannot read {}: {}", path.display(), super::super::socket::words(error));
        Self { is_out_of_reach: true, why }
    }
}

/// The longest file of certificates, or of a key, in bytes: several times what a system trusts.
const MAX_PEM: usize = 4 << 20;

/// The thread of the checks must not wait for a FIFO.
fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let pem = files::read(path, MAX_PEM + 1).map_err(|error| Unusable::unread(path, &error))?;
    if pem.len() > MAX_PEM {
        return Err(Unusable::content(format!("{} is larger than {} MiB", path.display(), MAX_PEM >> 20)));
    }
    Ok(pem)
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// At least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let text = read(path)?;
    let name = path.display();
    match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
        Ok(list) if list.is_empty() => Err(Unusable::content(format!(
            "{name} has no certificate: it needs one in PEM form (BEGIN CERTIFICATE)"
        ))),
        Ok(list) => Ok(list),
        Err(error) => Err(Unusable::content(format!("{name} is no right PEM file: {}", of_pem(&error)))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    let text = read(path)?;
    let name = path.display();
    // PKCS#8 has a label of its own for it, PKCS#1 and SEC1 a header (RFC 1421 section 4.6.1.1).
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let marks = [&b"-----BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
    if lines.any(|line| marks.iter().any(|mark| line.trim_ascii().starts_with(mark))) {
        return Err(Unusable::content(format!(
            "the key {name} is encrypted, and there is no passphrase for it: store it without one, as \
             `openssl pkey -in {name} -out FILE` does, for root alone to read"
        )));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => Unusable::content(format!(
            "{name} has no private key: it needs one in PEM form (BEGIN PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY)"
        )),
        error => Unusable::content(format!("{name} is no right PEM file: {}", of_pem(&error))),
    })
}

fn of_pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "an END line is missing",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is wrong",
        pem::Error::Base64Decode(_) => "what is between BEGIN and END is not base64",
        _ => "it cannot be read",
    }
}

/// What the check shows of itself.
pub(super) fn client(certificate: &Path, key_file: &Path) -> Result<Arc<dyn ResolvesClientCert>, Unusable> {
    let chain = certificates(certificate)?;
    let (certificate, name) = (certificate.display(), key_file.display());
    let key = key(key_file)?;
    let key = VERIFYING.key_provider.load_private_key(key).map_err(|_| {
        Unusable::content(format!(
            "the key {name} is of a kind that cannot be used, or damaged: use {VERIFIED}"
        ))
    })?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            return Err(Unusable::content(format!(
                "the certificate {certificate} is not for the key {name}: the first certificate in the file must be the key's"
            )));
        }
        Err(error) => {
            let why = words::of_tls(&error);
            return Err(Unusable::content(format!("cannot use the certificate {certificate}: {why}")));
        }
    }
    Ok(Arc::new(SingleCertAndKey::from(pair)))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
