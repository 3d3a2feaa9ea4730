use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::state::{Client, short};
use super::*;
use crate::api::{fake, view};

/// What the daemon says, `seconds` after another time.
fn told(seconds: u64, more: u64) -> Sample {
    let mut service = fake::service();
    service.packets_in += more;
    service.bytes_in += 100 * more;
    service.backends[0].total_flows += more;
    let mut stats = fake::stats();
    stats.frames.forwarded += more;
    stats.drops[1].count += more;
    let flow = |client: &str| view::Flow { client: client.parse().unwrap(), ..fake::flow() };
    let events = fake::events().after(0);
    Sample {
        at: crate::clock::now() + Duration::from_secs(seconds),
        status: fake::status(),
        services: vec![service],
        stats,
        vrrp: Vec::new(),
        flows: vec![flow("10.0.0.3:1"), flow("10.0.0.2:1"), flow("10.0.0.2:2")],
        events: events.iter().map(view::Event::from).collect(),
    }
}

fn state() -> State {
    let mut state = State::default();
    let first = told(0, 0);
    let second = Sample { at: first.at + Duration::from_secs(2), ..told(0, 3000) };
    state.hear(Ok(first));
    state.hear(Ok(second));
    state
}

fn drawn(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::draw(frame, state, Style::Plain)).unwrap();
    let buffer = terminal.backend().buffer();
    let line =
        |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned() + "\n";
    (0..height).map(line).collect()
}

#[test]
fn rates_are_what_has_grown_in_a_second() {
    let state = state();
    assert_eq!((state.forwarded(), state.new_flows(), state.dropped()), (1500.0, 0.0, 0.0));
    let lines = state.lines();
    assert_eq!((lines[0].packets_per_second, lines[0].bits_per_second), (1500.0, 1_200_000.0));
    assert_eq!(
        (lines[0].new_per_second, lines[1].new_per_second, lines[2].new_per_second),
        (1500.0, 1500.0, 0.0)
    );
    assert_eq!(state.drops()[0], ("truncated".to_owned(), 1500.0, 3000), "the quickest first");
    let mut again = state;
    // A daemon that has begun anew counts from nothing.
    again.hear(Ok(told(9, 0)));
    assert_eq!(again.forwarded(), 0.0);
}

#[test]
fn clients_are_in_the_order_of_their_flows() {
    let client = |address: &str, flows, packets| Client { address: address.parse().unwrap(), flows, packets };
    assert_eq!(state().clients(), [client("10.0.0.2", 2, 14), client("10.0.0.3", 1, 7)]);
}

#[test]
fn everything_is_on_the_screen() {
    let screen = drawn(&state(), 120, 30);
    for part in [
        "lb1  penstockd 0.1.0, up for 12s, configuration 1, flows 3 of 1048576",
        "forwarded 1.5 k/s, new flows 0/s, dropped 0/s, workers 2%",
        "web  10.0.0.100:80/tcp",
        "  10.0.1.11:8080",
        "1.2 M",
        "10.0.0.2",
        "03:04:05 backend is down service=web",
        "truncated",
        " q leave   ? keys",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    assert!(!screen.contains("leave\n?"), "{screen}");
    // No size is too small to be drawn on.
    for (width, height) in [(80, 24), (40, 10), (10, 3), (1, 1)] {
        drawn(&state(), width, height);
    }
}

#[test]
fn keys_do_what_the_help_says() {
    let mut state = state();
    assert!(state.press(Key::Help) && drawn(&state, 100, 30).contains("these keys"));
    assert!(state.press(Key::Quit) && !state.helps, "first the help goes");
    for _ in 0..9 {
        assert!(state.press(Key::Down));
    }
    assert_eq!(state.scrolled, 2, "no further than the last line");
    assert!(!drawn(&state, 100, 30).contains("10.0.1.11:8080"));
    assert!(state.press(Key::Up) && state.scrolled == 1 && state.press(Key::Home) && state.scrolled == 0);
    assert!(
        state.press(Key::PageDown) && state.scrolled == 2 && state.press(Key::PageUp) && state.scrolled == 0
    );
    assert!(state.press(Key::Pause) && drawn(&state, 100, 30).contains("paused"));
    assert!(!state.press(Key::Quit));
    let key = |code| meaning(KeyEvent::new(code, KeyModifiers::NONE));
    assert_eq!([KeyCode::Char('q'), KeyCode::Esc].map(key), [Some(Key::Quit); 2]);
    assert_eq!(meaning(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Key::Quit));
    assert_eq!(key(KeyCode::Char('c')), None);
}

#[test]
fn what_is_old_is_said_to_be_and_names_command_nothing() {
    let mut state = state();
    state.hear(Err("cannot reach \x1b[2J the daemon".to_owned()));
    let screen = drawn(&state, 120, 30);
    assert!(
        screen.contains("old: cannot reach ?[2J the daemon") && screen.contains("10.0.1.11:8080"),
        "{screen}"
    );
    state.hear(Ok(told(9, 0)));
    assert_eq!(state.trouble, None);
    assert!(drawn(&State::default(), 80, 24).starts_with("asking the daemon"));
}

#[test]
fn numbers_are_short() {
    let shown = [0.0, 0.26, 9.0, 999.4, 1234.0, 2_500_000.0, 7.1e9].map(short);
    assert_eq!(shown, ["0", "0.3", "9", "999", "1.2 k", "2.5 M", "7.1 G"]);
}

#[tokio::test]
async fn a_daemon_is_asked_through_the_socket_of_who_may_only_look() {
    let daemon = fake::FakeDaemon::start_with(crate::api::Rights::View);
    let sample = sample(&daemon.socket).await.unwrap();
    assert_eq!((sample.services.len(), sample.flows.len(), sample.events.len()), (1, 3, 3));
}
