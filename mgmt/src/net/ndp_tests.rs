use super::*;
use proptest::prelude::*;

const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
const PEER: Mac = Mac([2, 0, 0, 0, 0, 2]);
const SLLA: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 2];

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn vip() -> Ipv6Addr {
    ip("fd00::100")
}

/// A solicitation for the VIP, with the checksum right.
fn solicitation(source: &str, destination: &str, options: &[u8]) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(vip().octets());
    message.extend(options);
    let mut packet = vec![0x60, 0, 0, 0, 0, u8::try_from(message.len()).unwrap(), ICMPV6, HOP_LIMIT];
    packet.extend(ip(source).octets());
    packet.extend(ip(destination).octets());
    packet.extend(message);
    sealed(frame::build(Mac::of_ipv6_group(ip(destination)), PEER, &[], ETHERTYPE, &packet))
}

/// Puts the right checksum into a frame that was changed on purpose.
fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
    frame[56..58].fill(0);
    let (header, message) = frame[14..].split_at(40);
    let header: &[u8; 40] = header.try_into().unwrap();
    let sum = icmpv6_checksum(address(header, 8), address(header, 24), message).to_be_bytes();
    frame[56..58].copy_from_slice(&sum);
    frame
}

fn asked() -> Vec<u8> {
    solicitation("fd00::2", "ff02::1:ff00:100", &SLLA)
}

#[test]
fn a_tagged_solicitation_gets_the_same_answer_behind_the_same_tags() {
    let answer = |frame: &[u8]| respond(frame, |address, _| (address == vip()).then_some(OWN)).unwrap();
    let (request, plain) = (asked(), answer(&asked()));
    for tags in [&[0x81, 0, 0xe0, 7][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]] {
        let reply = answer(&[&request[..12], tags, &request[12..]].concat());
        assert_eq!(reply, [&plain[..12], tags, &plain[12..]].concat());
    }
}

fn answer(frame: &[u8]) -> Result<Vec<u8>, Silence> {
    respond(frame, |address, _| (address == vip()).then_some(OWN))
}

fn changed(at: usize, bytes: &[u8]) -> Result<Vec<u8>, Silence> {
    let mut frame = asked();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    answer(&sealed(frame))
}

#[rustfmt::skip]
const KNOWN_ADVERTISEMENT: [u8; 86] = [
    2, 0, 0, 0, 0, 2,  2, 0, 0, 0, 0, 1,  0x86, 0xdd,
    0x60, 0, 0, 0,  0, 32,  58,  255,
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
    136, 0,  0x1a, 0x9e,  0x60, 0, 0, 0,
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    2, 1,  2, 0, 0, 0, 0, 1,
];

#[test]
fn a_solicitation_for_a_vip_is_answered_byte_for_byte_as_rfc_4861_says() {
    assert_eq!(answer(&asked()), Ok(KNOWN_ADVERTISEMENT.to_vec()));
}

#[test]
fn without_a_link_layer_option_the_answer_goes_to_the_frame_s_sender() {
    let unicast = solicitation("fd00::2", "fd00::100", &[]);
    assert_eq!(answer(&unicast), Ok(KNOWN_ADVERTISEMENT.to_vec()));
}

#[test]
fn duplicate_address_detection_is_answered_to_all_nodes_and_not_as_solicited() {
    let reply = answer(&solicitation("::", "ff02::1:ff00:100", &[])).unwrap();
    assert_eq!(reply[..6], [0x33, 0x33, 0, 0, 0, 1]);
    assert_eq!(reply[38..54], ALL_NODES.octets());
    assert_eq!(reply[58], FLAG_OVERRIDE);
    assert_eq!(reply, unsolicited_na(vip(), OWN));
}

#[test]
fn duplicate_address_detection_is_told_from_a_question() {
    let hosts_only = |frame: &[u8]| respond(frame, |_, asker| (asker == Asker::Host).then_some(OWN));
    assert!(hosts_only(&asked()).is_ok());
    assert_eq!(hosts_only(&solicitation("::", "ff02::1:ff00:100", &[])), Err(Silence::NotOurs));
}

#[test]
fn the_unspecified_source_may_send_neither_a_link_layer_option_nor_to_another_group() {
    assert_eq!(answer(&solicitation("::", "ff02::1:ff00:100", &SLLA)), Err(Silence::BadSource));
    assert_eq!(answer(&solicitation("::", "ff02::1", &[])), Err(Silence::BadSource));
}

#[test]
fn each_wrong_frame_has_its_own_reason() {
    assert_eq!(answer(&asked()[..13]), Err(Silence::Truncated));
    assert_eq!(answer(&asked()[..53]), Err(Silence::Truncated));
    assert_eq!(answer(&asked()[..85]), Err(Silence::Truncated));
    assert_eq!(changed(18, &[0, 23]), Err(Silence::Truncated));
    assert_eq!(changed(12, &[0x08, 0x00]), Err(Silence::NotSolicitation));
    assert_eq!(changed(14, &[0x40]), Err(Silence::NotSolicitation));
    assert_eq!(changed(20, &[0]), Err(Silence::NotSolicitation));
    assert_eq!(changed(54, &[ADVERTISEMENT]), Err(Silence::NotSolicitation));
    assert_eq!(changed(21, &[254]), Err(Silence::HopLimit));
    assert_eq!(changed(55, &[1]), Err(Silence::Code));
    assert_eq!(changed(62, &[0xff, 2]), Err(Silence::BadTarget));
    assert_eq!(changed(79, &[0]), Err(Silence::BadOption));
    assert_eq!(changed(79, &[2]), Err(Silence::BadOption));
    assert_eq!(changed(22, &[0xff]), Err(Silence::BadSource));
    assert_eq!(changed(80, &[0xff; 6]), Err(Silence::BadSource));
    assert_eq!(changed(77, &[1]), Err(Silence::NotOurs));
    let mut damaged = asked();
    damaged[85] ^= 1;
    assert_eq!(answer(&damaged), Err(Silence::Checksum));
}

#[test]
fn padding_behind_the_packet_and_unknown_options_do_not_matter() {
    let mut padded = asked();
    padded.extend([0; 7]);
    assert_eq!(answer(&padded), Ok(KNOWN_ADVERTISEMENT.to_vec()));
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let options = [nonce, SLLA].concat();
    assert_eq!(
        answer(&solicitation("fd00::2", "ff02::1:ff00:100", &options)),
        Ok(KNOWN_ADVERTISEMENT.to_vec())
    );
}

#[test]
fn an_advertisement_claims_its_target_for_the_link_layer_address_in_it() {
    let vip: Ipv6Addr = "fd00::100".parse().unwrap();
    let claimed = unsolicited_na(vip, OWN);
    assert_eq!(claim(&claimed), Some((vip, OWN)));
    assert_eq!(claim(&asked()), None, "a solicitation asks");
    for (at, byte) in [(21, 254), (55, 1), (58, FLAG_SOLICITED), (85, 0xff)] {
        let mut wrong = claimed.clone();
        wrong[at] = byte;
        assert_eq!(claim(&wrong), None, "{at}");
    }
    assert_eq!(claim(&claimed[..80]), None);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = respond(&bytes, |_, _| Some(OWN));
        let _ = claim(&bytes);
    }

    #[test]
    fn arbitrary_options_never_panic_and_answers_carry_a_right_checksum(
        options in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        if let Ok(reply) = answer(&solicitation("fd00::2", "ff02::1:ff00:100", &options)) {
            let header: &[u8; 40] = reply[14..54].try_into().unwrap();
            prop_assert_eq!(icmpv6_checksum(address(header, 8), address(header, 24), &reply[54..]), 0);
        }
    }
}
