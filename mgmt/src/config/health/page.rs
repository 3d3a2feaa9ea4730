//! What a page has to be, and how it is asked for.

use std::fmt;

/// Keys of `http` and `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Default: GET.
    pub method: String,
    /// Default: `/`.
    pub path: String,
    /// The `Host` header. Default: address and port.
    pub host: Option<String>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// Default: 1.1.
    pub version: HttpVersion,
    /// Default: 200-299.
    pub status: StatusSet,
    /// What the body has to be.
    pub body: Body,
}

/// Of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.0
    Ten,
    /// HTTP/1.1
    #[default]
    Eleven,
}

/// Ranges of status codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(pub Vec<(u16, u16)>);

impl StatusSet {
    /// Whether a code is in it.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&code))
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// What a page has to be. Several hold together.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// `body`: occurs in it.
    pub text: Option<String>,
    /// `body_regex`: matches somewhere in it.
    pub regex: Option<regex::bytes::Regex>,
    /// `digest`: of all of it.
    pub digest: Option<Digest>,
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        let pattern = |body: &Self| body.regex.as_ref().map(|regex| regex.as_str().to_owned());
        self.text == other.text && pattern(self) == pattern(other) && self.digest == other.digest
    }
}

impl Eq for Body {}

/// A digest of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// `sha256:…`
    Sha256([u8; 32]),
    /// `md5:…`
    Md5([u8; 16]),
}
