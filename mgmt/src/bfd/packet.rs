//! The control packet (RFC 5880 section 4.1).

use std::num::NonZeroU32;

use super::auth::Section;
use super::{Diagnostic, Discriminator, Micros, State};

/// Of RFC 5880.
const VERSION: u8 = 1;
/// The mandatory section.
pub const LENGTH: usize = 24;
/// The same, with the shortest authentication there can be.
const LENGTH_WITH_AUTH: usize = 26;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTH: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// Why a packet is not listened to (section 6.8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The hop limit is not 255: it may come from anywhere (RFC 5881 section 5).
    #[error("its hop limit is not 255: it does not come from this network")]
    HopLimit,
    /// `version`
    #[error("its version is not 1")]
    Version,
    /// `length`
    #[error("its length is wrong")]
    Length,
    /// `multiplier`
    #[error("its detection multiplier is 0")]
    Multiplier,
    /// `multipoint`
    #[error("it is for many receivers")]
    Multipoint,
    /// `my-discriminator`
    #[error("its sender has no discriminator")]
    MyDiscriminator,
    /// `your-discriminator`
    #[error("it is for a session that is not here")]
    YourDiscriminator,
    /// `state`
    #[error("its sender does not know this box, and says that the session is not down")]
    State,
    /// `no-session`
    #[error("there is no session with its sender")]
    NoSession,
    /// `auth-type`
    #[error("its authentication is another one than configured")]
    AuthType,
    /// `auth-key`
    #[error("its key or password is another one")]
    AuthKey,
    /// `auth-sequence`
    #[error("its sequence number is old: it is one that was sent before")]
    AuthSequence,
}

impl Refusal {
    /// Each once, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::HopLimit,
        Self::Version,
        Self::Length,
        Self::Multiplier,
        Self::Multipoint,
        Self::MyDiscriminator,
        Self::YourDiscriminator,
        Self::State,
        Self::NoSession,
        Self::AuthType,
        Self::AuthKey,
        Self::AuthSequence,
    ];

    /// On the control socket.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HopLimit => "hop-limit",
            Self::Version => "version",
            Self::Length => "length",
            Self::Multiplier => "multiplier",
            Self::Multipoint => "multipoint",
            Self::MyDiscriminator => "my-discriminator",
            Self::YourDiscriminator => "your-discriminator",
            Self::State => "state",
            Self::NoSession => "no-session",
            Self::AuthType => "auth-type",
            Self::AuthKey => "auth-key",
            Self::AuthSequence => "auth-sequence",
        }
    }
}

/// What a packet says, beside its authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Why its sender's session went down last.
    pub diagnostic: Diagnostic,
    /// Where its sender stands.
    pub state: State,
    /// Its sender wants an answer at once.
    pub poll: bool,
    /// It is that answer.
    pub is_final: bool,
    /// Its sender's BFD lives or dies with its forwarding.
    pub independent: bool,
    /// Its sender wants no periodic packets once both are up.
    pub demand: bool,
    /// So many packets missed are too many.
    pub multiplier: u8,
    /// The sender's.
    pub mine: Discriminator,
    /// The receiver's, if the sender knows it.
    pub yours: Option<Discriminator>,
    /// Its sender wants to send so often.
    pub desired_tx: Micros,
    /// Its sender can take packets so often; 0: wants none.
    pub required_rx: Micros,
    /// The same of echo packets; 0: does not send them back.
    pub required_echo: Micros,
}

/// A packet that is well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'p> {
    /// What it says.
    pub control: Control,
    /// What it proves it with.
    pub auth: Option<Section<'p>>,
    /// All of it, as far as its length says.
    pub bytes: &'p [u8],
}

impl<'p> Packet<'p> {
    /// The checks of section 6.8.6 that need no session, in its order.
    pub fn new_checked(payload: &'p [u8]) -> Result<Self, Refusal> {
        let head: &[u8; LENGTH] = payload.first_chunk().ok_or(Refusal::Length)?;
        let [first, flags, multiplier, length, ..] = *head;
        if first >> 5 != VERSION {
            return Err(Refusal::Version);
        }
        let has_auth = flags & AUTH != 0;
        let shortest = if has_auth { LENGTH_WITH_AUTH } else { LENGTH };
        let bytes = payload.get(..usize::from(length)).filter(|bytes| bytes.len() >= shortest);
        let bytes = bytes.ok_or(Refusal::Length)?;
        if multiplier == 0 {
            return Err(Refusal::Multiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(Refusal::Multipoint);
        }
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let discriminator = |at| NonZeroU32::new(word(at)).map(Discriminator);
        let mine = discriminator(4).ok_or(Refusal::MyDiscriminator)?;
        let yours = discriminator(8);
        let state = State::ALL[usize::from(flags >> 6)];
        if yours.is_none() && !matches!(state, State::Down | State::AdminDown) {
            return Err(Refusal::State);
        }
        let auth = if has_auth { Some(Section::new_checked(&bytes[LENGTH..])?) } else { None };
        let control = Control {
            diagnostic: Diagnostic(first & 0x1f),
            state,
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            independent: flags & INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            multiplier,
            mine,
            yours,
            desired_tx: Micros(word(12)),
            required_rx: Micros(word(16)),
            required_echo: Micros(word(20)),
        };
        Ok(Self { control, auth, bytes })
    }
}

impl Control {
    /// The mandatory section, of a packet with so many bytes of authentication.
    #[must_use]
    pub fn emit(&self, auth: u8) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION << 5 | self.diagnostic.0 & 0x1f;
        let number: u8 = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        };
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        bytes[1] = number << 6
            | flag(self.poll, POLL)
            | flag(self.is_final, FINAL)
            | flag(self.independent, INDEPENDENT)
            | flag(auth > 0, AUTH)
            | flag(self.demand, DEMAND);
        bytes[2] = self.multiplier;
        // The mandatory section is 24 bytes, authentication at most 28.
        bytes[3] = 24_u8.saturating_add(auth);
        let words = [
            self.mine.0.get(),
            self.yours.map_or(0, |yours| yours.0.get()),
            self.desired_tx.0,
            self.required_rx.0,
            self.required_echo.0,
        ];
        for (place, word) in bytes[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
