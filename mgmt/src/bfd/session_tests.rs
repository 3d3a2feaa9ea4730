use std::num::NonZeroU32;

use super::super::auth::Kind;
use std::time::Duration;

use super::*;

const MS: Duration = Duration::from_millis(1);
const TEN: Micros = Micros(10_000);

fn discriminator(n: u32) -> Discriminator {
    Discriminator(NonZeroU32::new(n).unwrap())
}

fn settings(interval: Micros, multiplier: u8) -> Settings {
    Settings { interval, multiplier, auth: None }
}

fn new(now: Instant) -> Session {
    Session::new(settings(TEN, 3), discriminator(1), 42, now)
}

/// What a peer says that knows the session.
fn said(state: State) -> Control {
    Control {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        independent: false,
        demand: false,
        multiplier: 3,
        mine: discriminator(2),
        yours: Some(discriminator(1)),
        desired_tx: TEN,
        required_rx: TEN,
        required_echo: Micros(0),
    }
}

fn tell(session: &mut Session, now: Instant, control: Control) -> Vec<Control> {
    let bytes = control.emit(0);
    session.hear(now, &Packet::new_checked(&bytes).unwrap()).unwrap();
    sent(session)
}

fn sent(session: &mut Session) -> Vec<Control> {
    let actions = session.take_actions().into_iter().filter_map(|action| match action {
        Action::Send(bytes) => Some(Packet::new_checked(&bytes).unwrap().control),
        Action::Changed => None,
    });
    actions.collect()
}

fn in_state(state: State, now: Instant) -> Session {
    let mut session = new(now);
    match state {
        State::AdminDown => session.shut_down(now),
        State::Down => {}
        State::Init => _ = tell(&mut session, now, said(State::Down)),
        State::Up => _ = tell(&mut session, now, said(State::Init)),
    }
    session.take_actions();
    assert_eq!(session.state, state);
    session
}

#[test]
fn every_state_with_everything_heard() {
    use State::{AdminDown, Down, Init, Up};
    let table = [
        (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ];
    let now = crate::clock::now();
    for (from, after) in table {
        for (heard, expected) in State::ALL.into_iter().zip(after) {
            let mut session = in_state(from, now);
            let sent = tell(&mut session, now, said(heard));
            assert_eq!(session.state, expected, "{from:?} hears {heard:?}");
            assert_eq!(sent.len(), usize::from(from != expected), "{from:?} hears {heard:?}: said at once");
            let went_down = from != Down && expected == Down;
            let expected = if went_down { Diagnostic::NEIGHBOUR } else { session.diagnostic };
            assert_eq!(session.diagnostic, expected, "{from:?} hears {heard:?}");
        }
    }
}

#[test]
fn silence_in_every_state() {
    let now = crate::clock::now();
    let silence = 3 * 10 * MS;
    for (from, expected, why) in [
        (State::Init, State::Down, Some(Why::Silence(silence))),
        (State::Up, State::Down, Some(Why::Silence(silence))),
        (State::AdminDown, State::AdminDown, None),
    ] {
        let mut session = in_state(from, now);
        session.timers(now + silence - MS);
        assert_eq!(session.state, from, "not yet");
        session.timers(now + silence);
        assert_eq!(session.state, expected);
        if let Some(why) = why {
            assert_eq!(session.status().why, why);
            assert_eq!(session.diagnostic, Diagnostic::EXPIRED);
            assert_eq!(session.remote.discriminator, None, "section 6.8.1");
        }
    }
}

#[test]
fn before_it_is_up_nobody_is_pressed() {
    let start = crate::clock::now();
    let mut session = new(start);
    let (mut times, mut now) = (Vec::new(), start);
    for _ in 0..5 {
        session.timers(now);
        for control in sent(&mut session) {
            assert_eq!((control.desired_tx, control.required_rx), (Micros::SLOW, TEN));
            assert!(!control.poll, "nobody is there to be asked");
            times.push(now);
        }
        now = session.next_deadline().unwrap();
    }
    assert_eq!(times.len(), 5);
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.clone().all(|gap| (750 * MS..=1000 * MS).contains(&gap)), "{:?}", gaps.collect::<Vec<_>>());
}

#[test]
fn who_never_answers_has_failed_after_a_while() {
    let now = crate::clock::now();
    let mut session = new(now);
    session.timers(now + 4999 * MS);
    assert_eq!(session.status().has_failed(), None, "nothing is known yet");
    session.timers(now + 5000 * MS);
    assert_eq!(
        (session.status().has_failed(), session.status().to_string().as_str()),
        (Some(true), "no session after 5s")
    );
    assert!(session.take_actions().contains(&Action::Changed));
    let mut session = in_state(State::Up, now);
    session.timers(now + 5 * MS);
    tell(&mut session, now + 4995 * MS, said(State::Up));
    session.timers(now + 5000 * MS);
    assert_eq!(session.status().has_failed(), Some(false));
}

#[test]
fn once_up_it_asks_for_its_pace_until_it_is_answered() {
    let now = crate::clock::now();
    let mut session = new(now);
    let sent_up = tell(&mut session, now, said(State::Init));
    assert_eq!((sent_up[0].state, sent_up[0].desired_tx, sent_up[0].poll), (State::Up, TEN, true));
    assert!(session.next_deadline().unwrap() <= now + 10 * MS);
    session.timers(now + 10 * MS);
    assert!(sent(&mut session)[0].poll, "until it is answered");
    tell(&mut session, now + 11 * MS, Control { is_final: true, ..said(State::Up) });
    session.timers(now + 21 * MS);
    assert!(!sent(&mut session)[0].poll);
}

#[test]
fn polls_are_answered_at_once_and_not_with_another_poll() {
    let now = crate::clock::now();
    let mut session = in_state(State::Up, now);
    let answers = tell(&mut session, now, Control { poll: true, ..said(State::Up) });
    assert_eq!(answers.len(), 1);
    assert!(answers[0].is_final && !answers[0].poll, "section 6.8.7: never both");
}

#[test]
fn slower_packets_and_a_shorter_patience_wait_for_the_answer() {
    let now = crate::clock::now();
    let mut session = in_state(State::Up, now);
    tell(&mut session, now, Control { is_final: true, ..said(State::Up) });
    session.reconfigure(settings(Micros(50_000), 3), now);
    assert_eq!((session.tx, session.rx), (TEN, Micros(50_000)), "the peer still expects the old pace");
    tell(&mut session, now, Control { is_final: true, ..said(State::Up) });
    assert_eq!(session.tx, Micros(50_000));
    session.reconfigure(settings(TEN, 3), now);
    assert_eq!((session.tx, session.rx), (TEN, Micros(50_000)), "the peer still sends at the old pace");
    tell(&mut session, now, Control { is_final: true, ..said(State::Up) });
    assert_eq!((session.tx, session.rx), (TEN, TEN));
}

#[test]
fn the_slower_side_sets_the_pace_and_the_patience() {
    let now = crate::clock::now();
    let mut session = in_state(State::Up, now);
    let slow = Control { desired_tx: Micros(40_000), required_rx: Micros(80_000), ..said(State::Up) };
    tell(&mut session, now, Control { multiplier: 5, ..slow });
    assert_eq!(session.detection_time(), 200 * MS, "its multiplier, its pace");
    session.send(now, false);
    assert!(session.send_at >= now + 60 * MS, "80 ms less a quarter");
}

#[test]
fn who_wants_no_packets_gets_none_but_answers() {
    let now = crate::clock::now();
    let mut session = in_state(State::Up, now);
    tell(&mut session, now, Control { required_rx: Micros(0), ..said(State::Up) });
    session.timers(now + 20 * MS);
    assert_eq!(sent(&mut session).len(), 0);
    let demand = Control { demand: true, is_final: true, ..said(State::Up) };
    tell(&mut session, now + 20 * MS, demand);
    session.timers(now + 40 * MS);
    assert_eq!(sent(&mut session).len(), 0, "demand mode, section 6.6");
    assert_eq!(tell(&mut session, now + 40 * MS, Control { poll: true, ..demand }).len(), 1);
}

#[test]
fn down_on_purpose_is_no_failure_however_silent() {
    let now = crate::clock::now();
    let mut session = in_state(State::Up, now);
    assert_eq!(session.status().has_failed(), Some(false));
    tell(&mut session, now, said(State::AdminDown));
    assert_eq!(
        (session.status().has_failed(), session.status().to_string().as_str()),
        (None, "peer says admin down")
    );
    session.timers(now + 10_000 * MS);
    assert_eq!(session.status().why, Why::PeerAdminDown);
    tell(&mut session, now + 10_001 * MS, said(State::Down));
    tell(&mut session, now + 10_002 * MS, said(State::Up));
    assert_eq!(session.status().has_failed(), Some(false));
    session.timers(now + 20_000 * MS);
    assert_eq!(
        (session.status().has_failed(), session.status().to_string().as_str()),
        (Some(true), "no packets for 30ms")
    );
}

#[test]
fn replayed_and_forged_packets_keep_no_session_alive() {
    let now = crate::clock::now();
    let auth = |secret| Auth::new(Kind::MeticulousSha1, 1, secret);
    let mut session = in_state(State::Up, now);
    session.settings.auth = auth("secret");
    let mut hear = |auth: Option<Auth>, sequence| {
        let bytes = Auth::emit(auth.as_ref(), &said(State::Up), sequence);
        session.hear(now + 5 * MS, &Packet::new_checked(&bytes).unwrap())
    };
    assert_eq!(hear(None, 0), Err(Refusal::AuthType));
    assert_eq!(hear(auth("other"), 7), Err(Refusal::AuthKey));
    assert_eq!(hear(Auth::new(Kind::Sha1, 1, "secret"), 7), Err(Refusal::AuthType));
    assert_eq!(hear(Auth::new(Kind::MeticulousSha1, 2, "secret"), 7), Err(Refusal::AuthKey), "another key");
    assert_eq!(hear(auth("secret"), u32::MAX), Ok(()), "any to begin with");
    assert_eq!(hear(auth("secret"), u32::MAX), Err(Refusal::AuthSequence));
    assert_eq!(hear(auth("secret"), 0), Ok(()), "behind the last one there is the first");
    assert_eq!(hear(auth("secret"), 10), Err(Refusal::AuthSequence), "more than three detection times ahead");
    assert_eq!(hear(auth("secret"), 9), Ok(()));
    session.timers(now + 5 * MS + 30 * MS);
    assert_eq!(session.state, State::Down);
    session.timers(now + 5 * MS + 60 * MS);
    let bytes = Auth::emit(auth("secret").as_ref(), &said(State::Down), 3);
    assert_eq!(
        session.hear(now + 70 * MS, &Packet::new_checked(&bytes).unwrap()),
        Ok(()),
        "it has begun anew"
    );
}

/// Two sessions with a way between them that loses what it is told to.
#[test]
fn two_of_them_come_up_agree_and_notice_the_end_of_the_way() {
    let start = crate::clock::now();
    let mut ends = [
        Session::new(settings(TEN, 3), discriminator(1), 5, start),
        Session::new(settings(Micros(30_000), 4), discriminator(2), 6, start),
    ];
    let mut run = |from: Instant, until: Instant, is_cut: bool| {
        let mut now = from;
        while now < until {
            for id in [0, 1] {
                ends[id].timers(now);
                for action in ends[id].take_actions() {
                    if let Action::Send(bytes) = action
                        && !is_cut
                    {
                        ends[1 - id].hear(now, &Packet::new_checked(&bytes).unwrap()).unwrap();
                    }
                }
            }
            now += MS;
        }
        let [one, other] = &ends;
        ((one.state, one.polls, one.detection_time()), (other.state, other.polls, other.detection_time()))
    };
    let up = run(start, start + 4000 * MS, false);
    assert_eq!(up, ((State::Up, false, 120 * MS), (State::Up, false, 90 * MS)));
    let (one, other) = run(start + 4000 * MS, start + 4090 * MS, true);
    assert_eq!((one.0, other.0), (State::Up, State::Down), "the less patient one first");
    let (one, _) = run(start + 4090 * MS, start + 4121 * MS, true);
    assert_eq!(one.0, State::Down);
    let (one, other) = run(start + 4121 * MS, start + 9000 * MS, false);
    assert_eq!((one.0, other.0), (State::Up, State::Up));
}
