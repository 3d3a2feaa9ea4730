use std::sync::atomic::{AtomicU64, Ordering};

use super::super::State;
use super::super::packet::Control;
use super::super::session::Why;
use super::*;

const MS: Duration = Duration::from_millis(1);

fn random() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed) << 32 | 0x5555
}

fn peer(last: u8, hops: Hops) -> Peer {
    Peer { address: [10, 0, 0, last].into(), hops, bind: None }
}

fn wanted(peer: Peer, millis: u64, multiplier: u8) -> Wanted {
    Wanted { peer, interval: Duration::from_millis(millis), multiplier, auth: None }
}

/// What was sent to a peer, last.
fn sent(effects: &[Effect], to: &Peer) -> Option<Control> {
    let mut sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(peer, bytes) if peer == to => Some(Packet::new_checked(bytes).unwrap().control),
        _ => None,
    });
    sent.next_back()
}

fn refused(fleet: &mut Fleet) -> Vec<Refusal> {
    let effects = fleet.take_effects().into_iter();
    effects.filter_map(|effect| if let Effect::Refused(_, why) = effect { Some(why) } else { None }).collect()
}

#[test]
fn who_asks_for_the_same_peer_shares_a_session_as_quick_as_the_quickest() {
    let now = crate::clock::now();
    let mut fleet = Fleet::new(random);
    let near = peer(2, Hops::Single);
    fleet.follow(&[wanted(near.clone(), 300, 3), wanted(near.clone(), 50, 5)], now);
    fleet.timers(now);
    let effects = fleet.take_effects();
    assert_eq!(effects.len(), 1, "{effects:?}");
    let control = sent(&effects, &near).unwrap();
    assert_eq!((control.required_rx, control.multiplier), (Micros(50_000), 3));
}

#[test]
fn packets_find_their_session_by_discriminator_and_before_by_address() {
    let now = crate::clock::now();
    let mut fleet = Fleet::new(random);
    let peers = [peer(2, Hops::Single), peer(2, Hops::Multi), peer(3, Hops::Single)];
    fleet.follow(&peers.clone().map(|peer| wanted(peer, 10, 3)), now);
    fleet.timers(now);
    let effects = fleet.take_effects();
    let [near, far, other] = peers.each_ref().map(|peer| sent(&effects, peer).unwrap());
    assert!(near.mine != far.mine && near.mine != other.mine);
    let theirs = Control { mine: other.mine, state: State::Down, yours: None, ..near };
    fleet.hear(now, Hops::Multi, [10, 0, 0, 2].into(), Some(&theirs.emit(0)));
    let effects = fleet.take_effects();
    assert_eq!(sent(&effects, &peers[1]).unwrap().state, State::Init, "that of the port");
    assert_eq!(sent(&effects, &peers[0]), None);
    // The address does not matter once the discriminator is known.
    let known = Control { state: State::Init, yours: Some(near.mine), ..theirs };
    fleet.hear(now, Hops::Single, [10, 9, 9, 9].into(), Some(&known.emit(0)));
    let effects = fleet.take_effects();
    let up = Status { state: State::Up, why: Why::New };
    assert!(effects.contains(&Effect::Changed(peers[0].clone(), up)), "{effects:?}");
}

#[test]
fn what_is_refused_is_said_once_a_minute() {
    let now = crate::clock::now();
    let mut fleet = Fleet::new(random);
    fleet.follow(&[wanted(peer(2, Hops::Single), 10, 3)], now);
    fleet.timers(now);
    let own = sent(&fleet.take_effects(), &peer(2, Hops::Single)).unwrap();
    let stranger = Control { yours: None, ..own };
    fleet.hear(now, Hops::Single, [10, 0, 0, 9].into(), Some(&stranger.emit(0)));
    assert_eq!(refused(&mut fleet), [Refusal::NoSession]);
    fleet.hear(now + MS, Hops::Single, [10, 0, 0, 9].into(), Some(&stranger.emit(0)));
    assert_eq!(refused(&mut fleet), []);
    fleet.hear(now + SAY_AGAIN, Hops::Single, [10, 0, 0, 9].into(), Some(&stranger.emit(0)));
    assert_eq!(refused(&mut fleet), [Refusal::NoSession]);
    fleet.hear(now, Hops::Single, [10, 0, 0, 2].into(), None);
    assert_eq!(refused(&mut fleet), [Refusal::HopLimit]);
    let lost = Control { yours: NonZeroU32::new(7).map(Discriminator), ..own };
    fleet.hear(now, Hops::Single, [10, 0, 0, 2].into(), Some(&lost.emit(0)));
    assert_eq!(refused(&mut fleet), [Refusal::YourDiscriminator]);
    let routed = Control { yours: Some(own.mine), ..own };
    fleet.hear(now + SAY_AGAIN * 2, Hops::Multi, [10, 0, 0, 2].into(), Some(&routed.emit(0)));
    assert_eq!(refused(&mut fleet), [Refusal::NoSession], "by the port that takes any hop limit");
    let counts = Refusal::ALL.into_iter().zip(fleet.refused()).filter(|(_, count)| *count > 0);
    let all = [(Refusal::HopLimit, 1), (Refusal::YourDiscriminator, 1), (Refusal::NoSession, 4)];
    assert_eq!(counts.collect::<Vec<_>>(), all, "and each is counted");
}

#[test]
fn who_is_no_longer_wanted_says_so() {
    let now = crate::clock::now();
    let mut fleet = Fleet::new(random);
    fleet.follow(&[wanted(peer(2, Hops::Single), 10, 3)], now);
    fleet.timers(now);
    fleet.take_effects();
    fleet.follow(&[], now + MS);
    let last = sent(&fleet.take_effects(), &peer(2, Hops::Single)).unwrap();
    assert_eq!(last.state, State::AdminDown);
    assert_eq!(fleet.next(), None);
}

#[test]
fn contradictions_are_told() {
    let now = crate::clock::now();
    let mut fleet = Fleet::new(random);
    let auth = Auth::new(super::super::auth::Kind::Simple, 1, "word");
    let plain = wanted(peer(2, Hops::Single), 10, 3);
    fleet.follow(&[plain.clone(), Wanted { auth, ..plain }], now);
    assert!(fleet.take_effects().contains(&Effect::Contradiction(peer(2, Hops::Single))));
}
