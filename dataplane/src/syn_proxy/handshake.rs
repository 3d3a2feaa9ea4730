//! A connection whose client has shown a valid cookie and whose backend has not answered yet.
//!
//! ```text
//!            ACK with a cookie            SYN-ACK
//!  (nothing) ─────────────────▶ Opening ──────────▶ Translation (for the life of the flow)
//!                               │  ▲  │
//!   0, 1, 3 s: SYN to backend ──┘──┘  └──▶ ended: RST of either side, 7 s without an answer,
//!                                          no timestamps where they are promised
//! ```
//!
//! The box speaks to the backend in the client's name and to the client in the backend's, each in the numbers and
//! words that the other would use. Translation and NAT come after, on the flow's ordinary way, as for any segment.
//! An `Opening` translates nothing yet: what is sent to the client counts from the cookie.
//!
//! The backend gets the SYN that the client has sent, as far as cookie and timestamp remember it: the same
//! sequence number, and what was agreed on with the client. The client's data, its FIN and its probes are kept
//! out meanwhile: there is no window for them, and it sends them again.

use super::Reason;
use super::cookie::{self, Claim, Secret};
use super::options::{self, Agreed, OptionBytes, SynOptions, Timestamps, WindowScale};
use super::promise::{Asked, Promise};
use super::segment::{Place, Segment, header};
use super::translate::Translation;
use crate::types::Tick;
use crate::wire::tcp::{Flags, Sequence, Tcp};

/// Milliseconds until the first SYN to the backend is due, and those that each is given then (RFC 6298
/// section 2.1, and doubled).
const PATIENCE: [u32; 4] = [0, 1000, 2000, 4000];

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The client's initial sequence number.
    isn: Sequence,
    /// The box's.
    cookie: Sequence,
    /// Of the client's ACK: its clock, and the box's.
    timestamps: Option<Timestamps>,
    /// The client's window as it stands in its ACK.
    window: u16,
    /// How many SYNs have been sent to the backend.
    tries: u8,
    /// The last one, or the client's ACK.
    sent: Moment,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing; the frame at hand is dropped.
    Drop(Reason),
    /// This goes to the backend.
    ToBackend(Segment),
    /// The backend is made to forget what it knows, and is asked anew if it has not been too often.
    Anew { reset: Segment, syn: Option<Segment> },
    /// The connection stands.
    Open(Opened),
    /// The connection has ended, and so has the flow; whoever does not know is told.
    End { to_client: Option<Segment>, to_backend: Option<Segment> },
}

/// A connection that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opened {
    /// What all segments from now on pass, the two below among them.
    pub(crate) translation: Translation,
    /// The client's answer to the SYN-ACK, in the client's words.
    pub(crate) acknowledgement: Segment,
    /// Opens the window for the client, in the backend's words.
    pub(crate) update: Segment,
}

/// A segment that belongs to no flow: it begins one if it acknowledges a cookie. The first SYN is due at once, so
/// the segment is then taken to [`Opening::on_client`].
///
/// A client whose ACK was lost is not told so, and probes the window: some with the byte before the next
/// one (as Linux does), so a segment without data is tried with this number, too.
pub(crate) fn open(frame: &[u8], place: &Place, secret: &Secret, now: Tick) -> Result<Opening, Reason> {
    let segment = frame.get(place.transport..place.end).ok_or(Reason::Broken)?;
    let tcp = header(segment)?;
    let flags = tcp.flags();
    if !flags.has(Flags::ACK) || flags.has(Flags::SYN) || flags.has(Flags::RST) {
        return Err(Reason::OutOfPlace);
    }
    let timestamps = options::timestamps(segment);
    let agreed = match timestamps {
        Some(timestamps) => Some(Agreed::decode(timestamps.echo).ok_or(Reason::BadCookie)?),
        None => None,
    };
    let (cookie, sequence) = (before(tcp.acknowledgement()), tcp.sequence());
    let is_known =
        |isn: &Sequence| secret.knows(&Claim { tuple: &place.tuple, isn: *isn, agreed }, cookie, now);
    let is_probe = segment.len() == tcp.header_length() && !flags.has(Flags::FIN);
    let tried = [Some(before(sequence)), is_probe.then_some(sequence)];
    let isn = tried.into_iter().flatten().find(is_known).ok_or(Reason::BadCookie)?;
    // Only now: forged segments are many, and may be long.
    place.segment(frame)?;
    Ok(Opening { isn, cookie, timestamps, window: tcp.window(), tries: 0, sent: Moment::of(now) })
}

impl Opening {
    /// The number of the first byte that the client sends.
    pub(crate) fn first_byte(&self) -> Sequence {
        after(self.isn)
    }

    /// How many SYNs have been sent to the backend.
    pub(crate) fn tries(&self) -> u8 {
        self.tries
    }

    /// The SYN for the backend, in the client's words.
    fn syn(&self) -> Segment {
        let agreed = self.agreed();
        let scale = self.client_scale();
        let window = u32::from(self.window) << scale.unwrap_or_default().shift();
        let options = SynOptions {
            mss: Some(cookie::mss(self.cookie)),
            window_scale: scale,
            sack_permitted: agreed.is_some_and(|agreed| agreed.sack),
            timestamps: self.timestamps.map(|own| Timestamps { echo: 0, ..own }),
        };
        Segment {
            sequence: self.isn,
            acknowledgement: Sequence(0),
            flags: Flags(Flags::SYN),
            // RFC 7323 section 2.2: not scaled.
            window: u16::try_from(window).unwrap_or(u16::MAX),
            options: options.write(),
        }
    }

    /// A segment of the client: dropped, or taken for the SYN to go out when its time has come.
    pub(crate) fn on_client(&mut self, frame: &[u8], place: &Place, now: Tick) -> Step {
        match self.of_client(frame, place) {
            // RFC 5961 section 3.2: with a window of zero only the next number is in it.
            Ok(tcp) if tcp.flags().has(Flags::RST) && tcp.sequence() == after(self.isn) => {
                Step::End { to_client: None, to_backend: Some(self.reset_backend()) }
            }
            Ok(tcp) if self.is_acknowledged_by(&tcp) => {
                self.on_timer(now).unwrap_or(Step::Drop(Reason::Waiting))
            }
            Ok(_) => Step::Drop(Reason::OutOfPlace),
            Err(reason) => Step::Drop(reason),
        }
    }

    fn of_client<'f>(&self, frame: &'f [u8], place: &Place) -> Result<Tcp<'f>, Reason> {
        header(place.segment(frame)?)
    }

    fn is_acknowledged_by(&self, tcp: &Tcp<'_>) -> bool {
        let flags = tcp.flags();
        let is_plain = flags.has(Flags::ACK) && !flags.has(Flags::SYN) && !flags.has(Flags::RST);
        is_plain && tcp.acknowledgement() == after(self.cookie)
    }

    /// A segment of the backend. `promise`: what it is held to, and learns.
    pub(crate) fn on_backend(&mut self, frame: &[u8], place: &Place, promise: &Promise, now: Tick) -> Step {
        let segment = match place.segment(frame) {
            Ok(segment) => segment,
            Err(reason) => return Step::Drop(reason),
        };
        let tcp = match header(segment) {
            Ok(tcp) => tcp,
            Err(reason) => return Step::Drop(reason),
        };
        let flags = tcp.flags();
        let answers = flags.has(Flags::ACK) && tcp.acknowledgement() == after(self.isn);
        // RFC 9293 section 3.10.7.3, the state SYN-SENT.
        match (flags.has(Flags::RST), flags.has(Flags::SYN)) {
            (true, _) if answers => Step::End { to_client: Some(self.reset_client()), to_backend: None },
            // It knows an older connection: with a reset it forgets that, and takes the next SYN. The client has
            // been told that it is connected, and should not have to wait for a second for that.
            (false, _) if flags.has(Flags::ACK) && !answers => {
                Step::Anew { reset: Segment::reset(tcp.acknowledgement(), None), syn: self.again(now) }
            }
            (false, true) if answers => self.on_syn_ack(&tcp, &SynOptions::read(segment), promise),
            _ => Step::Drop(Reason::OutOfPlace),
        }
    }

    fn on_syn_ack(&self, tcp: &Tcp<'_>, answer: &SynOptions, promise: &Promise) -> Step {
        let agreed = self.agreed();
        let sack = agreed.is_some_and(|agreed| agreed.sack);
        let scales = agreed.and_then(|agreed| agreed.scales);
        promise.learn(Asked { window_scale: scales.is_some(), sack, timestamps: agreed.is_some() }, answer);
        if self.timestamps.is_some() && answer.timestamps.is_none() {
            // See the table of `promise`.
            return self.give_up();
        }
        let (own, backend) = (self.timestamps.unwrap_or_default(), answer.timestamps.unwrap_or_default());
        let scale = answer.window_scale.filter(|_| scales.is_some());
        let window = tcp.window() >> scale.unwrap_or_default().shift();
        let shift = |scale: WindowScale| scale.shift().cast_signed();
        let translation = Translation {
            delta: self.cookie.0.wrapping_sub(tcp.sequence().0),
            ts_delta: if agreed.is_some() { own.echo.wrapping_sub(backend.value) } else { 0 },
            window_to_client: scales
                .map_or(0, |scales| shift(scale.unwrap_or_default()) - shift(scales.promised)),
            window_to_backend: match (scales, scale) {
                // RFC 7323 section 2.2: where one side has none, neither scales.
                (Some(scales), None) => scales.client.shift(),
                _ => 0,
            },
            strips_sack: sack && !answer.sack_permitted,
        };
        let acknowledgement = Segment {
            sequence: after(self.isn),
            acknowledgement: after(self.cookie),
            flags: Flags(Flags::ACK),
            window: self.window,
            options: OptionBytes::of(self.timestamps),
        };
        let update = Segment {
            sequence: after(tcp.sequence()),
            acknowledgement: after(self.isn),
            flags: Flags(Flags::ACK),
            // That of a SYN is not scaled, and this is none.
            window,
            options: OptionBytes::of(self.timestamps.and(answer.timestamps)),
        };
        Step::Open(Opened { translation, acknowledgement, update })
    }

    /// What is to be done for no other reason than that time has passed.
    pub(crate) fn on_timer(&mut self, now: Tick) -> Option<Step> {
        if self.sent.millis_until(now) < self.patience() {
            return None;
        }
        Some(self.again(now).map_or_else(|| self.give_up(), Step::ToBackend))
    }

    /// One more SYN; `None`: there have been enough.
    fn again(&mut self, now: Tick) -> Option<Segment> {
        if usize::from(self.tries) + 1 >= PATIENCE.len() {
            return None;
        }
        self.tries += 1;
        self.sent = Moment::of(now);
        Some(self.syn())
    }

    /// When [`Self::on_timer`] next has something to do: `now` if it has already.
    pub(crate) fn next_deadline(&self, now: Tick) -> Tick {
        let left = self.patience().saturating_sub(self.sent.millis_until(now));
        Tick(now.0.wrapping_add(left))
    }

    fn patience(&self) -> u32 {
        PATIENCE.get(usize::from(self.tries)).copied().unwrap_or_default()
    }

    fn give_up(&self) -> Step {
        Step::End { to_client: Some(self.reset_client()), to_backend: Some(self.reset_backend()) }
    }

    fn reset_client(&self) -> Segment {
        Segment::reset(after(self.cookie), Some(after(self.isn)))
    }

    fn reset_backend(&self) -> Segment {
        Segment::reset(after(self.isn), None)
    }

    fn agreed(&self) -> Option<Agreed> {
        self.timestamps.and_then(|timestamps| Agreed::decode(timestamps.echo))
    }

    fn client_scale(&self) -> Option<WindowScale> {
        self.agreed().and_then(|agreed| agreed.scales).map(|scales| scales.client)
    }
}

mod words;
use words::Moment;

/// The number before.
fn before(sequence: Sequence) -> Sequence {
    Sequence(sequence.0.wrapping_sub(1))
}

/// The number after: what follows a SYN.
fn after(sequence: Sequence) -> Sequence {
    Sequence(sequence.0.wrapping_add(1))
}

#[cfg(test)]
mod tests;
