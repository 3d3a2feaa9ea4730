//! Authentication (RFC 5880 sections 4.2 to 4.4 and 6.7): none, a password in plain text, or keyed SHA1.
//!
//! Keyed MD5 is not here: section 6.7.3 itself advises against it.

use std::fmt;

use sha1::{Digest, Sha1};

use super::packet::{Control, LENGTH, Packet, Refusal};

const SIMPLE: u8 = 1;
const SHA1: u8 = 4;
const METICULOUS_SHA1: u8 = 5;
/// Of a hash, and of the longest key (section 4.4).
const HASH: usize = 20;
const SHA1_SECTION: u8 = 28;
/// Section 4.2.
const LONGEST_PASSWORD: usize = 16;

/// What both ends know. Its text is never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Auth {
    kind: Kind,
    id: u8,
    secret: Vec<u8>,
}

/// `auth`, its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Section 6.7.2.
    Simple,
    /// Section 6.7.4, with a sequence number that may stand still.
    Sha1,
    /// The same, with one that must not.
    MeticulousSha1,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with key {}", self.kind, self.id)
    }
}

impl Auth {
    /// `None`: the secret is empty, or longer than packets can carry.
    #[must_use]
    pub fn new(kind: Kind, id: u8, secret: &str) -> Option<Self> {
        let longest = match kind {
            Kind::Simple => LONGEST_PASSWORD,
            Kind::Sha1 | Kind::MeticulousSha1 => HASH,
        };
        let secret = secret.as_bytes().to_vec();
        (1..=longest).contains(&secret.len()).then_some(Self { kind, id, secret })
    }

    /// A whole packet.
    #[must_use]
    pub fn emit(auth: Option<&Self>, control: &Control, sequence: u32) -> Vec<u8> {
        let Some(auth) = auth else { return control.emit(0).to_vec() };
        match auth.kind {
            Kind::Simple => {
                let length = u8::try_from(auth.secret.len()).unwrap_or(u8::MAX).saturating_add(3);
                let mut bytes = control.emit(length).to_vec();
                bytes.extend([SIMPLE, length, auth.id]);
                bytes.extend(&auth.secret);
                bytes
            }
            Kind::Sha1 | Kind::MeticulousSha1 => {
                let mut bytes = control.emit(SHA1_SECTION).to_vec();
                bytes.extend([auth.number(), SHA1_SECTION, auth.id, 0]);
                bytes.extend(sequence.to_be_bytes());
                let hash = auth.hash(&bytes);
                bytes.extend(hash);
                bytes
            }
        }
    }

    fn number(&self) -> u8 {
        match self.kind {
            Kind::Simple => SIMPLE,
            Kind::Sha1 => SHA1,
            Kind::MeticulousSha1 => METICULOUS_SHA1,
        }
    }

    /// Of a packet up to its hash: the key, filled up with zeros, stands in the hash's place.
    fn hash(&self, before: &[u8]) -> [u8; HASH] {
        let mut key = [0; HASH];
        key[..self.secret.len()].copy_from_slice(&self.secret);
        Sha1::new().chain_update(before).chain_update(key).finalize().into()
    }

    /// Whether a packet is from somebody who knows the secret, and not one that was sent before (section 6.7).
    pub(super) fn admit(
        auth: Option<&Self>,
        known: &mut Sequence,
        packet: &Packet<'_>,
    ) -> Result<(), Refusal> {
        let (auth, section) = match (auth, packet.auth) {
            (None, None) => return Ok(()),
            (Some(auth), Some(section)) => (auth, section),
            (None, Some(_)) | (Some(_), None) => return Err(Refusal::AuthType),
        };
        match section {
            Section::Simple { id, password } if auth.kind == Kind::Simple => {
                let is_it = id == auth.id && is_same(password, &auth.secret);
                if is_it { Ok(()) } else { Err(Refusal::AuthKey) }
            }
            Section::Sha1 { number, id, sequence, hash } if number == auth.number() => {
                let before = packet.bytes.get(..LENGTH + 8).ok_or(Refusal::Length)?;
                if id != auth.id || !is_same(hash, &auth.hash(before)) {
                    return Err(Refusal::AuthKey);
                }
                let first = u32::from(auth.kind == Kind::MeticulousSha1);
                known.admit(sequence, first, packet.control.multiplier)
            }
            Section::Simple { .. } | Section::Sha1 { .. } | Section::Other => Err(Refusal::AuthType),
        }
    }
}

/// Takes as long wherever they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// The last sequence number that was heard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sequence(Option<u32>);

impl Sequence {
    /// Section 6.7.4: not before the last one, and not more than three detection times ahead of it.
    fn admit(&mut self, heard: u32, first: u32, multiplier: u8) -> Result<(), Refusal> {
        let ahead = self.0.map(|last| heard.wrapping_sub(last));
        if ahead.is_some_and(|ahead| !(first..=3 * u32::from(multiplier)).contains(&ahead)) {
            return Err(Refusal::AuthSequence);
        }
        self.0 = Some(heard);
        Ok(())
    }

    /// Nothing was heard for so long that the peer may have begun anew (section 6.8.1, bfd.AuthSeqKnown).
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

/// The authentication section of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section<'p> {
    /// Section 4.2.
    Simple {
        /// Of the key.
        id: u8,
        /// In plain text.
        password: &'p [u8],
    },
    /// Section 4.4.
    Sha1 {
        /// 4 or 5.
        number: u8,
        /// Of the key.
        id: u8,
        /// Grows.
        sequence: u32,
        /// Over the packet and the key.
        hash: &'p [u8],
    },
    /// One that is not spoken here.
    Other,
}

impl<'p> Section<'p> {
    /// Of the bytes behind the mandatory section: it must fill them.
    pub(super) fn new_checked(bytes: &'p [u8]) -> Result<Self, Refusal> {
        let [number, length, rest @ ..] = bytes else { return Err(Refusal::Length) };
        if usize::from(*length) != bytes.len() {
            return Err(Refusal::Length);
        }
        match (*number, rest) {
            (SIMPLE, [id, password @ ..]) if (1..=LONGEST_PASSWORD).contains(&password.len()) => {
                Ok(Self::Simple { id: *id, password })
            }
            (number @ (SHA1 | METICULOUS_SHA1), [id, _, a, b, c, d, hash @ ..]) if hash.len() == HASH => {
                Ok(Self::Sha1 { number, id: *id, sequence: u32::from_be_bytes([*a, *b, *c, *d]), hash })
            }
            (SIMPLE | SHA1 | METICULOUS_SHA1, _) => Err(Refusal::Length),
            _ => Ok(Self::Other),
        }
    }
}
