//! What is wrong with a TLS handshake, in an operator's words, and what to do about it.

use std::io;

use rustls::{
    AlertDescription, CertificateError, Error, ExtendedKeyPurpose, PeerIncompatible, PeerMisbehaved,
};

use super::certificate::{VERIFIED, oid};
use super::verifier::Refused;

const DAY: u64 = 86_400;
const HOUR: u64 = 3600;

/// The words for TLS's own error in an error of a stream.
pub(in super::super) fn words_of(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<Error>().map(of_tls)
}

pub(super) fn of_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        Error::AlertReceived(alert) => alert_received(*alert),
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "the server and the check have no key exchange group in common: checks know X25519, P-256, P-384 and P-521"
                .to_owned()
        }
        // What else a client can find incompatible is missing in old versions alone.
        Error::PeerIncompatible(_) => TOO_OLD.to_owned(),
        Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => {
            "the server signs with a kind of key that checks do not take in TLS 1.2, RSA-PSS or DSA: offer TLS 1.3, or \
             give it a key of another kind"
                .to_owned()
        }
        Error::PeerMisbehaved(how) => format!("the server breaks the rules of TLS: {}", spaced(&format!("{how:?}"))),
        Error::NoCertificatesPresented => "the server has no certificate".to_owned(),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server breaks the rules of TLS: a message out of turn".to_owned()
        }
        error => format!("TLS: {error}"),
    }
}

const TOO_OLD: &str = "the server offers only old versions of TLS: checks speak TLS 1.2 and 1.3";

fn alert_received(alert: AlertDescription) -> String {
    let client = |what: &str| {
        format!(
            "the server refuses the client certificate, {what}: see `client_certificate` and what the server trusts"
        )
    };
    match alert {
        AlertDescription::ProtocolVersion => TOO_OLD.to_owned(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the server ended the TLS handshake: it has no cipher suite in common with the check, or it wants a client \
             certificate. Checks speak TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305"
                .to_owned()
        }
        AlertDescription::CertificateRequired => {
            "the server wants a client certificate: see `client_certificate`".to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "the server does not know the name asked for: see `sni` and `host`".to_owned()
        }
        AlertDescription::BadCertificate => client("which it cannot verify"),
        AlertDescription::UnsupportedCertificate => client("which is of a kind that it does not take"),
        AlertDescription::CertificateRevoked => client("which is revoked"),
        AlertDescription::CertificateExpired => client("which has expired"),
        AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => client("which it does not accept"),
        AlertDescription::UnknownCA => client("of an authority that it does not know"),
        AlertDescription::NoApplicationProtocol => {
            "the server ended the TLS handshake: it wants a protocol to be negotiated (ALPN)".to_owned()
        }
        alert => format!("the server ended the TLS handshake: {}", spaced(&format!("{alert:?}"))),
    }
}

/// `DecodeError` is what programs call it: `decode error`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    let is_part = |c: &char| c.is_ascii_alphanumeric();
    for letter in name.chars().take_while(is_part) {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn certificate(wrong: &CertificateError) -> String {
    match wrong {
        CertificateError::Expired => "certificate expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("certificate expired {} ago", span(time.as_secs().saturating_sub(not_after.as_secs())))
        }
        CertificateError::NotValidYet => "certificate not valid yet".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("certificate valid in {}", span(not_before.as_secs().saturating_sub(time.as_secs())))
        }
        CertificateError::UnknownIssuer => "certificate of an unknown authority: put that authority's certificate, or the \
                                            server's own, into `ca`, or have the server send the intermediate ones, too"
            .to_owned(),
        CertificateError::NotValidForName => "certificate of another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            // RFC 9525 section 2: a common name is no name of a server.
            format!(
                "certificate without subjectAltName: wanted {}, and the common name does not count; issue one with \
                 that name in subjectAltName",
                expected.to_str()
            )
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // Each is told as `DnsName("…")` or `IpAddress(…)`; a certificate may have very many.
            let names: Vec<_> = presented.iter().take(3).map(|name| presented_name(name)).collect();
            format!("certificate of another name: wanted {}, it has {}", expected.to_str(), names.join(", "))
        }
        CertificateError::Revoked => "certificate revoked".to_owned(),
        CertificateError::BadEncoding => {
            "certificate unreadable: it is no right X.509; issue another one, or set `verify = false`".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "certificate with a critical extension that is not known: issue one without it, or set `verify = false`"
                .to_owned()
        }
        CertificateError::BadSignature => format!(
            "a signature of the certificate or of the handshake is wrong, or by a key of a kind or size that is \
             not verified ({VERIFIED} are)"
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            unverified_signature(oid::signature(signature_algorithm_id))
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: algorithm,
            ..
        } => unverified_signature(oid::signature(algorithm)),
        CertificateError::InvalidPurpose => not_for_servers("other purposes"),
        CertificateError::InvalidPurposeContext { presented, .. } => {
            let purposes: Vec<_> = presented.iter().map(purpose).collect();
            not_for_servers(&purposes.join(", "))
        }
        CertificateError::Other(other) => {
            if let Some(Refused(words)) = other.0.downcast_ref() {
                return words.clone();
            }
            other.0.downcast_ref().map_or_else(of_rules, of_webpki)
        }
        // Revocation lists and OCSP, of which checks have none.
        _ => of_rules(),
    }
}

fn unverified_signature(algorithm: &str) -> String {
    format!(
        "certificate signed with {algorithm}, which is not verified: issue one that is signed with SHA-256 or better, \
         put this one into `ca`, or set `verify = false`"
    )
}

fn not_for_servers(purposes: &str) -> String {
    format!(
        "certificate that is not for servers but for {purposes}: issue one with extendedKeyUsage serverAuth, or put this \
         one into `ca`"
    )
}

fn purpose(purpose: &ExtendedKeyPurpose) -> String {
    match purpose {
        ExtendedKeyPurpose::ClientAuth => "clients".to_owned(),
        ExtendedKeyPurpose::ServerAuth => "servers".to_owned(),
        ExtendedKeyPurpose::Other(_) => "another purpose".to_owned(),
    }
}

fn presented_name(name: &str) -> String {
    let address = || name.strip_prefix("IpAddress(")?.strip_suffix(')');
    name.split('"').nth(1).or_else(address).unwrap_or(name).to_owned()
}

fn of_rules() -> String {
    "certificate that breaks the rules of RFC 5280: issue another one, put this one into `ca`, or set `verify = false`".to_owned()
}

/// Those that rustls has no words for.
fn of_webpki(error: &webpki::Error) -> String {
    use webpki::Error;
    let of_authority = "an authority's certificate";
    match error {
        Error::CaUsedAsEndEntity => {
            "certificate that claims to be an authority's (CA:TRUE): put this very certificate \
                                     into `ca`, or issue one with CA:FALSE"
                .to_owned()
        }
        Error::EndEntityUsedAsCa => {
            "certificate issued by one that is no authority's (CA:FALSE): issue it by an \
                                     authority, or put the server's own certificate into `ca`"
                .to_owned()
        }
        Error::UnsupportedCertVersion => {
            format!("{of_authority} in the chain is not of X.509 version 3: issue one that is")
        }
        Error::PathLenConstraintViolated => {
            format!("{of_authority} in the chain allows fewer authorities below it (pathlen)")
        }
        Error::NameConstraintViolation => {
            format!("{of_authority} in the chain may not issue for this name (nameConstraints)")
        }
        Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => {
            "the certificate's chain is too long: put the authority that has issued it into `ca`".to_owned()
        }
        _ => of_rules(),
    }
}

/// What to warn of.
pub(super) fn ends_in(end: u64, now: u64) -> String {
    match end.checked_sub(now) {
        Some(left) => format!("certificate ends in {}", span(left)),
        None => format!("certificate expired {} ago", span(now - end)),
    }
}

fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..HOUR => (seconds / 60, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY.. => (seconds / DAY, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::OtherError;
    use rustls::pki_types::UnixTime;

    use super::*;

    #[test]
    fn an_end_is_told_in_days() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext { time: at(4 * DAY), not_after: at(DAY - 5) };
        assert_eq!(certificate(&expired), "certificate expired 3 days ago");
        assert_eq!(ends_in(DAY + 5, 0), "certificate ends in 1 day");
        assert_eq!(ends_in(0, 2 * HOUR), "certificate expired 2 hours ago");
        assert_eq!(ends_in(90, 0), "certificate ends in 1 minute");
    }

    #[test]
    fn no_result_is_the_name_of_a_type() {
        let webpki = |error: webpki::Error| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
        };
        let errors = [
            webpki(webpki::Error::CaUsedAsEndEntity),
            webpki(webpki::Error::EndEntityUsedAsCa),
            webpki(webpki::Error::InvalidSerialNumber),
            webpki(webpki::Error::NameConstraintViolation),
            CertificateError::UnknownIssuer.into(),
            CertificateError::BadSignature.into(),
            CertificateError::UnknownRevocationStatus.into(),
            CertificateError::UnhandledCriticalExtension.into(),
            CertificateError::InvalidPurposeContext {
                required: ExtendedKeyPurpose::ServerAuth,
                presented: vec![ExtendedKeyPurpose::ClientAuth],
            }
            .into(),
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            Error::AlertReceived(AlertDescription::InternalError),
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
        ];
        for error in errors {
            let words = of_tls(&error);
            let is_name = |word: &str| {
                let inner = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).chars().skip(1);
                let has_both = word.contains(|c: char| c.is_ascii_lowercase());
                let known = ["subjectAltName", "serverAuth", "extendedKeyUsage", "nameConstraints"];
                has_both
                    && inner.clone().any(|c| c.is_ascii_uppercase())
                    && !known.iter().any(|k| word.contains(k))
            };
            let names: Vec<_> = words.split(' ').filter(|word| is_name(word)).collect();
            assert!(names.iter().all(|name| name.contains("ChaCha20")), "{words}: {names:?}");
        }
        assert_eq!(spaced("SelectedUnofferedCipherSuite"), "selected unoffered cipher suite");
        assert_eq!(spaced("Unknown(77)"), "unknown");
    }
}
