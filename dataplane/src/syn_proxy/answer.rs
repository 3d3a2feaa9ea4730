//! A client's SYN becomes the SYN-ACK that answers it. Nothing is remembered of it.

use super::Reason;
use super::cookie::{Claim, Secret};
use super::options::{SynOptions, Timestamps};
use super::promise::Offer;
use super::segment::{Place, Segment, header};
use crate::io::Frame;
use crate::types::Tick;
use crate::wire::answer::{is_host, turn_around};
use crate::wire::tcp::{Flags, Sequence};

/// Turns the frame into the answer to its SYN, in the service's name, to be sent by the interface that it
/// came from. After an error it is to be dropped.
///
/// The window is zero: there is nobody yet who would take the client's data (RFC 9293 section 3.8.6.1 has
/// it probe until there is). Data that the SYN carries (RFC 7413) is not acknowledged, so that the client
/// sends it again, and ECN is not agreed on (RFC 3168 section 6.1.1): what the backend thinks of it comes
/// too late.
pub(crate) fn answer(
    frame: &mut Frame,
    place: &Place,
    secret: &Secret,
    offer: &Offer,
    now: Tick,
) -> Result<(), Reason> {
    let segment = place.segment(frame.bytes())?;
    let tcp = header(segment)?;
    if !tcp.flags().opens() {
        return Err(Reason::OutOfPlace);
    }
    let addresses = place.tuple.addresses;
    if !is_host(addresses.source()) || !is_host(addresses.destination()) {
        return Err(Reason::NoHost);
    }
    let (isn, client) = (tcp.sequence(), SynOptions::read(segment));
    let agreed = offer.agree(&client);
    let issued = secret.issue(&Claim { tuple: &place.tuple, isn, agreed }, client.mss, now);
    let timestamps = agreed
        .zip(client.timestamps)
        .map(|(agreed, theirs)| Timestamps { value: issued.timestamp | agreed.encode(), echo: theirs.value });
    let scales = agreed.and_then(|agreed| agreed.scales);
    let options = SynOptions {
        mss: Some(offer.mss),
        window_scale: scales.map(|scales| scales.promised),
        sack_permitted: agreed.is_some_and(|agreed| agreed.sack),
        timestamps,
    };
    let answer = Segment {
        sequence: issued.cookie,
        acknowledgement: Sequence(isn.0.wrapping_add(1)),
        flags: Flags(Flags::SYN | Flags::ACK),
        window: 0,
        options: options.write(),
    };
    turn_around(frame.bytes_mut()).ok_or(Reason::NoHost)?;
    answer.put(frame, place.network, &place.tuple.reversed()).ok_or(Reason::Broken)
}

#[cfg(test)]
mod tests;
