//! Keys that belong to one kind of check.

use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;

use super::super::diagnostic::Span;
use super::super::health::{Digest, HttpVersion, StatusSet};
use crate::bfd::auth::Auth;

/// Keys of `http` and `https`.
#[derive(Debug)]
pub(in super::super) struct HttpCheck {
    pub(in super::super) method: Option<Spanned<String>>,
    pub(in super::super) path: Option<Spanned<String>>,
    pub(in super::super) host: Option<Spanned<String>>,
    pub(in super::super) headers: Vec<(Spanned<String>, Spanned<String>)>,
    pub(in super::super) version: HttpVersion,
    pub(in super::super) status: Option<StatusSet>,
    pub(in super::super) body: Option<String>,
    pub(in super::super) body_regex: Option<regex::bytes::Regex>,
    pub(in super::super) digest: Option<Digest>,
}

/// Keys of TLS.
#[derive(Debug)]
pub(in super::super) struct TlsKeys {
    pub(in super::super) sni: Option<Spanned<String>>,
    pub(in super::super) verify: Option<Spanned<bool>>,
    pub(in super::super) ca: Option<Spanned<String>>,
    pub(in super::super) client_certificate: Option<Spanned<String>>,
    pub(in super::super) client_key: Option<Spanned<String>>,
    pub(in super::super) warn_before: Option<Duration>,
}

/// Keys of `bfd`, beside its interval.
#[derive(Debug)]
pub(in super::super) struct BfdKeys {
    pub(in super::super) multiplier: u8,
    pub(in super::super) multihop: bool,
    pub(in super::super) auth: Option<Auth>,
}

/// `bfd = { … }` of a virtual router.
#[derive(Debug)]
pub(in super::super) struct PeerWatch {
    pub(in super::super) peers: Option<Spanned<Vec<Spanned<IpAddr>>>>,
    pub(in super::super) interval: Option<Spanned<Duration>>,
    pub(in super::super) keys: BfdKeys,
    pub(in super::super) span: Span,
}
