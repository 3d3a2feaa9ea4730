//! What is wrong with a TLS handshake, in an operator's words.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::super::socket;

const DAY: u64 = 86_400;
const HOUR: u64 = 3600;

/// Why the handshake failed.
pub(super) fn refused(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => of_tls(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "connection closed in the TLS handshake".into()
        }
        None => socket::words(error).into_owned(),
    }
}

fn of_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server wants a client certificate".to_owned(),
            AlertDescription::UnrecognisedName => "the server does not know the name asked for".to_owned(),
            alert => format!("the server ended the TLS handshake: {alert:?}"),
        },
        Error::PeerIncompatible(_) => "the server's TLS is too old".to_owned(),
        error => format!("TLS: {error}"),
    }
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
        CertificateError::UnknownIssuer => "certificate of an unknown authority".to_owned(),
        CertificateError::NotValidForName => "certificate of another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            // Each is told as `DnsName("…")`; a certificate may have very many.
            let quoted = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names: Vec<_> = presented.iter().take(3).map(quoted).collect();
            format!("certificate of another name: wanted {}, it has {}", expected.to_str(), names.join(", "))
        }
        CertificateError::Revoked => "certificate revoked".to_owned(),
        CertificateError::BadEncoding => "certificate unreadable".to_owned(),
        other => format!("certificate refused: {other:?}"),
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
    use std::time::Duration;

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
    fn what_speaks_no_tls_is_told_as_such() {
        let error = Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(refused(&io::Error::other(error)), "the server does not speak TLS");
        assert_eq!(refused(&io::ErrorKind::ConnectionReset.into()), "connection reset");
    }
}
