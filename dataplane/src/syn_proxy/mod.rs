//! SYN cookies.

mod answer;
mod cookie;
mod handshake;
mod options;
mod promise;
mod segment;
mod translate;

pub(crate) use answer::answer;
pub(crate) use cookie::Secret;
pub(crate) use handshake::{Opening, Step, open};
pub(crate) use options::SynOptions;
pub(crate) use promise::{Asked, Offer, Promise};
pub(crate) use segment::{Place, Segment};
pub(crate) use translate::Translation;

/// Why a segment goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The headers do not fit into the frame.
    Broken,
    /// The segment's checksum is wrong.
    BadChecksum,
    /// It was sent to many, or by nobody.
    NoHost,
    /// Its numbers or flags do not fit the handshake.
    OutOfPlace,
    /// The number that it acknowledges is no cookie of this box, or too old.
    BadCookie,
    /// The backend has not answered yet; the client sends it again.
    Waiting,
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
