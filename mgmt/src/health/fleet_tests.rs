//! The fleet under virtual time: checks end when the test says, with what the test says.

use std::time::Duration;

use super::*;
use crate::config::{Config, Machine, load_str};
use crate::health::Condition;
use crate::health::job::Observation;
use crate::health::plan::plan;
use crate::health::tracker::Share;

const MILLI: Duration = Duration::from_millis(1);

fn config(health: &str, backends: &[u8]) -> Config {
    let mut text = format!(
        "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
         mode = \"router\"\n{health}\n"
    );
    for last in backends {
        text += &format!("[[service.backend]]\naddress = \"10.0.1.{last}\"\n");
    }
    load_str("lb.toml", &text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
        .unwrap_or_else(|e| panic!("{e}"))
        .0
}

struct Sim {
    fleet: Fleet,
    board: Arc<Board>,
    now: Instant,
}

impl Sim {
    fn new() -> Self {
        let board = Arc::new(Board::default());
        Self {
            fleet: Fleet::new(Arc::clone(&board), Arc::default(), Room::default()),
            board,
            now: crate::clock::now(),
        }
    }

    fn follow(&mut self, health: &str, backends: &[u8]) {
        let plan = plan(&config(health, backends));
        self.fleet.follow(&plan, &mut Workshop::default(), self.now);
    }

    /// Lets the time pass up to the next check that is due, which takes `took` and then finds `outcome`.
    fn step(&mut self, took: Duration, outcome: Outcome) -> Vec<News> {
        let due = self.fleet.next().expect("something is due");
        self.now = self.now.max(due);
        let job = self.fleet.take(self.now).expect("it is due");
        self.end(job, took, outcome)
    }

    fn end(&mut self, job: Job, took: Duration, outcome: Outcome) -> Vec<News> {
        let Job { id, due, .. } = job;
        let began = self.now;
        self.now += took;
        self.fleet.ended(false, Ended { id, due, began, now: self.now, outcome })
    }

    fn told(&self) -> Vec<(u8, Condition)> {
        let last = |subject: &Subject| match subject.address {
            std::net::IpAddr::V4(v4) => v4.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        self.board.take_changed().iter().map(|(subject, condition)| (last(subject), *condition)).collect()
    }
}

const FAST: &str = "[service.health]\ncheck = \"tcp\"\ninterval = \"100ms\"\nrise = 2\nfall = 2\n\
                    initial = \"up\"\nwarmup = \"0s\"";

fn down() -> Condition {
    Condition { up: false, weight: None }
}

#[test]
fn a_backend_is_down_after_fall_failures_at_its_interval() {
    let mut sim = Sim::new();
    let start = sim.now;
    sim.follow(FAST, &[11]);
    assert_eq!(sim.told(), [(11, Condition::default())]);
    assert!(sim.step(MILLI, Outcome::fail("connection refused")).is_empty());
    assert!(sim.told().is_empty());
    let news = sim.step(MILLI, Outcome::fail("connection refused"));
    assert_eq!(sim.told(), [(11, down())]);
    assert_eq!(sim.now - start, 101 * MILLI);
    let [News::Changed { up: false, why, .. }] = &*news else { panic!("{news:?}") };
    assert_eq!(why, "tcp: connection refused");
    sim.step(MILLI, Outcome::pass("connected"));
    assert_eq!(sim.step(MILLI, Outcome::pass("connected")).len(), 1);
    assert_eq!(sim.told(), [(11, Condition::default())]);
    assert_eq!(sim.now - start, 301 * MILLI);
}

#[test]
fn state_survives_a_reload_and_a_check_of_something_else_begins_anew() {
    let mut sim = Sim::new();
    sim.follow(FAST, &[11, 12]);
    for _ in 0..4 {
        sim.step(MILLI, Outcome::fail("no"));
    }
    assert_eq!(sim.told(), [(11, down()), (12, down())]);
    sim.follow(FAST, &[12, 13]);
    assert_eq!(sim.told(), [(12, down()), (13, Condition::default())]);
    let subject = |last| Subject {
        service: "web".to_owned(),
        address: std::net::Ipv4Addr::new(10, 0, 1, last).into(),
        port: Some(dataplane::types::Port(80)),
    };
    assert!(sim.board.report(&subject(11)).is_none());
    let kept = sim.board.report(&subject(12)).unwrap();
    assert_eq!((kept.checks[0].runs, kept.history.len()), (2, 1));
    sim.follow(&FAST.replace("fall = 2", "fall = 3"), &[12]);
    assert_eq!(sim.told(), [(12, down())], "other rules make no server well");
    sim.follow(&FAST.replace("check = \"tcp\"", "check = \"ping\""), &[12]);
    assert_eq!(sim.told(), [(12, Condition::default())]);
}

#[test]
fn what_ends_after_its_backend_has_left_changes_nothing() {
    let mut sim = Sim::new();
    sim.follow(FAST, &[11]);
    let job = sim.fleet.take(sim.now).unwrap();
    sim.follow(FAST, &[12]);
    sim.told();
    assert!(sim.end(job, MILLI, Outcome::fail("no")).is_empty());
    assert!(sim.told().is_empty());
}

#[test]
fn a_weight_alone_is_a_change_of_condition_and_no_news() {
    let mut sim = Sim::new();
    sim.follow(FAST, &[11]);
    sim.told();
    assert!(sim.step(MILLI, Outcome::pass("").with_share(Share::Percent(50))).is_empty());
    assert_eq!(sim.told(), [(11, Condition { up: true, weight: Some(50) })]);
}

#[test]
fn a_warning_is_news_once() {
    let mut sim = Sim::new();
    sim.follow(FAST, &[11]);
    let warning =
        || Outcome { warning: Some("certificate ends in 3 days".into()), ..Outcome::pass("200 OK") };
    assert_eq!(sim.step(MILLI, warning()).len(), 1);
    assert_eq!(sim.step(MILLI, warning()).len(), 0);
    sim.step(MILLI, Outcome::pass("200 OK"));
    assert_eq!(sim.step(MILLI, warning()).len(), 1);
}

#[test]
fn several_checks_of_a_backend_go_together() {
    let text = "[[service.health]]\ncheck = \"tcp\"\nfall = 1\nwarmup = \"0s\"\n\
                [[service.health]]\ncheck = \"ping\"\nfall = 1\nwarmup = \"0s\"\n";
    let mut sim = Sim::new();
    sim.follow(text, &[11]);
    sim.told();
    sim.step(MILLI, Outcome::pass("connected"));
    sim.step(MILLI, Outcome::fail("no echo reply within 1s"));
    assert_eq!(sim.told(), [(11, down())]);
    let mut sim = Sim::new();
    sim.follow(&format!("health_needs = \"any\"\n{text}"), &[11]);
    sim.told();
    sim.step(MILLI, Outcome::pass("connected"));
    sim.step(MILLI, Outcome::fail("no echo reply within 1s"));
    assert!(sim.told().is_empty());
}

#[test]
fn what_clients_meet_counts_as_failures_and_a_success_ends_them() {
    let mut sim = Sim::new();
    sim.follow("health = { check = \"tcp\", fall = 3, rise = 1, retries = 2, initial = \"up\" }", &[11]);
    let subject = plan(&config("health = { check = \"tcp\" }", &[11])).remove(0).subject;
    let observed = |sim: &mut Sim, failures| {
        let said = "10 handshakes of clients in a row failed".to_owned();
        sim.fleet.observed(Observation { subject: subject.clone(), failures, said }, sim.now)
    };
    assert_eq!(observed(&mut sim, 2), []);
    sim.step(MILLI, Outcome::pass("connected"));
    assert_eq!(observed(&mut sim, 2), [], "the check has found it well in between");
    sim.told();
    let news = observed(&mut sim, 1);
    let why = "tcp: 10 handshakes of clients in a row failed".to_owned();
    assert_eq!(news, [News::Changed { subject: subject.clone(), up: false, why }]);
    let down = Condition { up: false, weight: None };
    assert_eq!(sim.told(), [(11, down)]);
    sim.step(MILLI, Outcome::pass("connected"));
    assert_eq!(sim.told(), [(11, Condition { up: true, weight: None })]);
}

#[test]
fn what_the_node_lacks_counts_against_no_backend_and_is_tried_again_soon() {
    let mut sim = Sim::new();
    sim.follow(
        "health = { check = \"tcp\", interval = \"5s\", fall = 1, rise = 1, retries = 2, warmup = \"0s\" }",
        &[11],
    );
    let subject = plan(&config("health = { check = \"tcp\" }", &[11])).remove(0).subject;
    let lacking = || Outcome::not_run("penstockd has too many open files");
    sim.step(MILLI, Outcome::pass("connected"));
    sim.told();
    let news = sim.step(MILLI, lacking());
    let why = "not checked, because of this node: penstockd has too many open files";
    assert_eq!(news, [News::NotRun { subject: subject.clone(), why: why.to_owned(), checks: 1 }]);
    let began = sim.now;
    for tried in 2..=5_u32 {
        assert_eq!(sim.step(MILLI, lacking()), [], "reported once");
        assert!(sim.now - began <= (tried - 1) * (Duration::from_secs(1) + MILLI), "it is tried again soon");
        assert!(sim.now - began >= (tried - 1) * Duration::from_millis(900), "it is no busy loop");
    }
    assert!(sim.told().is_empty());
    let report = sim.board.report(&subject).unwrap();
    assert!(report.passes && report.checks[0].up);
    let [check] = &report.checks[..] else { panic!("{report:?}") };
    assert_eq!((check.runs, check.failures, check.not_run), (1, 0, 5));
    assert_eq!(check.said.as_deref(), Some(why));
    assert_eq!(sim.step(MILLI, Outcome::pass("connected")), [News::AllRun]);
    assert_eq!(sim.board.report(&subject).unwrap().checks[0].said.as_deref(), Some("connected"));
    // Between two failures it neither counts nor begins the count again, also while a failure is tried again.
    for outcome in [Outcome::fail("no"), lacking(), Outcome::fail("no"), lacking(), lacking()] {
        sim.step(MILLI, outcome);
        assert!(sim.told().is_empty());
    }
    sim.step(MILLI, Outcome::fail("no"));
    assert_eq!(sim.told(), [(11, down())], "the third try of one check");
    // A backend that is down stays down.
    sim.step(MILLI, lacking());
    assert!(sim.told().is_empty());
}

#[test]
fn before_the_first_result_the_nodes_lack_leaves_what_was_assumed() {
    for (initial, up) in
        [("up", true), ("down", false), ("up-until-checked", true), ("down-until-checked", false)]
    {
        let mut sim = Sim::new();
        let text =
            format!("health = {{ check = \"tcp\", initial = \"{initial}\", fall = 1, warmup = \"0s\" }}");
        sim.follow(&text, &[11]);
        assert_eq!(sim.told(), [(11, Condition { up, weight: None })]);
        for _ in 0..5 {
            sim.step(MILLI, Outcome::not_run("out of memory"));
        }
        assert!(sim.told().is_empty(), "{initial}");
    }
}

#[test]
fn a_check_that_cannot_be_set_up_makes_no_backend_up_and_takes_none_down_that_was_found_up() {
    for initial in ["up", "up-until-checked", "down-until-checked"] {
        let text = format!(
            "health = {{ check = \"tcp\", initial = \"{initial}\", fall = 1, rise = 1, warmup = \"0s\" }}"
        );
        let mut sim = Sim::new();
        sim.follow(&text, &[11]);
        sim.told();
        sim.step(MILLI, Outcome::cannot_run("cannot read /nowhere/ca.pem: not found"));
        let told = sim.told().pop().map(|(_, condition)| condition);
        assert_eq!(told.unwrap_or_else(down), down(), "{initial}: nothing was ever found");
        let due = sim.fleet.next().unwrap();
        assert!(due - sim.now <= Duration::from_secs(1), "it is tried again");
        sim.step(MILLI, Outcome::fail("connection refused"));
        assert!(sim.told().is_empty(), "{initial}: a dead server");
        sim.step(MILLI, Outcome::pass("connected"));
        assert_eq!(sim.told(), [(11, Condition::default())], "{initial}");
        // What was found holds, also where another check takes the place of the one that has found it.
        sim.step(MILLI, Outcome::cannot_run("cannot read /nowhere/ca.pem: not found"));
        assert!(sim.told().is_empty(), "{initial}");
        for kind in ["ping", "udp"] {
            sim.follow(&text.replace("tcp", kind).replace("down-until", "up-until"), &[11]);
            sim.step(MILLI, Outcome::cannot_run("no address or port to send from"));
            assert_eq!(sim.told(), [(11, Condition::default())], "{initial}, {kind}");
        }
    }
}

#[test]
fn an_agents_state_weight_and_maintenance_are_three_things() {
    use crate::health::check::agent::heard;

    let mut sim = Sim::new();
    sim.follow("health = { check = \"agent\", port = 9777, warmup = \"0s\" }", &[11]);
    sim.told();
    let up = |weight| Some(Condition { up: true, weight });
    for (line, condition) in [
        ("50%", up(Some(50))),
        ("drain", up(Some(0))),
        // HAProxy: what the agent does not name does not change.
        ("80%", None),
        ("up", None),
        ("ready", up(Some(80))),
        ("maint", Some(Condition { up: false, weight: Some(80) })),
        ("up 100%", Some(Condition { up: false, weight: Some(100) })),
        ("hello", None),
        ("ready", up(Some(100))),
        ("fail", Some(Condition { up: false, weight: Some(100) })),
        ("ready", None),
        ("up", up(Some(100))),
        ("maint drain", up(Some(0))),
        ("ready", up(Some(100))),
    ] {
        sim.step(MILLI, heard(line));
        assert_eq!(sim.told().first().map(|(_, condition)| *condition), condition, "{line}");
    }
}
