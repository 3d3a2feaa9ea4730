use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::vrrp::Version;
use crate::vrrp::advert::Heard;

const MS: Duration = Duration::from_millis(1);
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const LOWER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4));
const HIGHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));

fn interval(milliseconds: u64) -> AdvertInterval {
    AdvertInterval::new(Version::V3, Duration::from_millis(milliseconds)).unwrap()
}

fn settings() -> Settings {
    Settings {
        interval: interval(100),
        priority: Priority(100),
        own: OWN,
        preempt: true,
        preempt_delay: Duration::ZERO,
        start_delay: Duration::ZERO,
        announce: AnnouncePlan { repeats: Repeats(5), delay: 5000 * MS, refresh: Duration::ZERO },
        grouped: false,
    }
}

fn heard(priority: u8, source: IpAddr) -> Event {
    Event::Advert(Heard { source, priority: Priority(priority), interval: interval(100) })
}

/// A router and its time.
struct Station {
    router: VirtualRouter,
    now: Instant,
}

impl Station {
    fn new(settings: Settings) -> Self {
        Self { router: VirtualRouter::new(settings), now: crate::clock::now() }
    }

    fn started(settings: Settings) -> Self {
        let mut this = Self::new(settings);
        this.tell(Event::Start);
        this
    }

    /// As master, for longer than it is new.
    fn master(settings: Settings) -> Self {
        let mut this = Self::started(settings);
        this.until_due();
        assert_eq!(this.router.state(), State::Master);
        this
    }

    /// In a phase by its name.
    fn at(phase: &str) -> Self {
        match phase {
            "init" => Self::new(settings()),
            "backup" => Self::started(settings()),
            "master" => Self::master(settings()),
            "leaving" => Self::master(settings()).after(Event::HandOver),
            "stopping" => Self::master(settings()).after(Event::Shutdown),
            "fault" => Self::started(settings()).after(Event::Link(Link::Down)),
            other => panic!("{other}"),
        }
    }

    fn after(mut self, event: Event) -> Self {
        self.tell(event);
        self
    }

    fn tell(&mut self, event: Event) -> String {
        words(&self.router.handle(self.now, event))
    }

    /// Lets the time come for which it waits.
    fn until_due(&mut self) -> (Duration, String) {
        let due = self.router.next_deadline().unwrap();
        let waited = due - self.now;
        self.now = due;
        (waited, self.tell(Event::Timer))
    }

    fn due_in(&self) -> Duration {
        self.router.next_deadline().unwrap() - self.now
    }

    fn phase(&self) -> &'static str {
        match self.router.phase {
            Phase::Init => "init",
            Phase::Backup(_) => "backup",
            Phase::Master(_) => "master",
            Phase::Leaving(Leave { then: phase::Then::StandBy, .. }) => "leaving",
            Phase::Leaving(Leave { then: phase::Then::Stop, .. }) => "stopping",
            Phase::Fault => "fault",
        }
    }
}

/// Actions in short: `100` an advert, `+` take, `-` release, `!` announce, `=state`, `?` report.
fn words(actions: &[Action]) -> String {
    let word = |action: &Action| match action {
        Action::Send { priority, .. } => priority.to_string(),
        Action::Take => "+".to_owned(),
        Action::Release => "-".to_owned(),
        Action::Announce(_) => "!".to_owned(),
        Action::Notify(state) => format!("={state:?}").to_lowercase(),
        Action::Report(_) => "?".to_owned(),
    };
    actions.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Each event in each state: what is done, and where it leads.
#[test]
fn the_table_of_all_pairs() {
    let phases = ["init", "backup", "master", "leaving", "stopping", "fault"];
    let lower_fit = Event::Track(Standing::Fit(Priority(50)));
    // In the order of the phases; "": nothing, and it stays.
    let table: [(&str, Event, [&str; 6]); 17] = [
        ("start", Event::Start, ["=backup", "", "", "", "", ""]),
        ("release", heard(0, HIGHER), ["", "", "100", "", "", ""]),
        ("worse", heard(99, HIGHER), ["", "", "100 ! ?", "- =backup", "- =init", ""]),
        ("better", heard(101, LOWER), ["", "", "100 - =backup", "- =backup", "- =init", ""]),
        ("equal, lower", heard(100, LOWER), ["", "", "100 ! ?", "- =backup", "- =init", ""]),
        ("equal, higher", heard(100, HIGHER), ["", "", "100 - =backup", "- =backup", "- =init", ""]),
        ("early timer", Event::Timer, ["", "", "", "", "", ""]),
        ("up", Event::Link(Link::Up), ["", "", "", "", "", "=backup"]),
        ("down", Event::Link(Link::Down), ["", "=fault", "- =fault", "- =fault", "- =init", ""]),
        ("fit", lower_fit, ["", "", "", "", "", ""]),
        ("unfit", Event::Track(Standing::Unfit), ["", "=fault", "0 - =fault", "- =fault", "- =init", ""]),
        ("take", Event::Group(Order::Take), ["", "+ 100 ! =master", "", "100", "", ""]),
        ("notice", Event::Group(Order::Notice), ["", "", "", "", "", ""]),
        ("announce", Event::Group(Order::Announce), ["", "", "!", "", "", ""]),
        ("yield", Event::Group(Order::Yield), ["", "", "0 - =backup", "", "", ""]),
        ("hand over", Event::HandOver, ["", "", "0", "", "", ""]),
        ("shutdown", Event::Shutdown, ["", "=init", "0", "", "- =init", "=init"]),
    ];
    for (name, event, done) in table {
        for (phase, done) in phases.into_iter().zip(done) {
            let mut router = Station::at(phase);
            assert_eq!(router.tell(event), done, "{name} in {phase}");
            let next = match (name, phase, done.rsplit_once('=')) {
                (_, _, Some((_, state))) => state,
                ("hand over", "master", None) => "leaving",
                ("shutdown", "master" | "leaving", None) => "stopping",
                ("take", "leaving", None) => "master",
                (_, stays, None) => stays,
            };
            assert_eq!(router.phase(), next, "after {name} in {phase}");
        }
    }
    for (order, fault) in [(Order::Hold, true), (Order::Release, false)] {
        let done = [("backup", "=fault"), ("master", "0 - =fault"), ("leaving", "- =fault"), ("init", "")];
        for (phase, done) in done {
            let done = if fault { done } else { "" };
            assert_eq!(Station::at(phase).tell(Event::Group(order)), done, "{order:?} in {phase}");
        }
    }
}

#[test]
fn a_backup_takes_over_after_the_masters_time_and_counts_it_from_the_last_advert() {
    let mut router = Station::started(settings());
    assert_eq!(router.due_in(), master_down(interval(100), Priority(100)));
    router.now += 300 * MS;
    router.tell(heard(200, HIGHER));
    assert_eq!(router.router.master(), Some(HIGHER));
    let (waited, done) = router.until_due();
    assert_eq!(waited, master_down(interval(100), Priority(100)));
    assert_eq!(done, "+ 100 ! =master");
}

#[test]
fn the_masters_interval_is_learnt_and_forgotten_with_the_master() {
    let mut router = Station::started(settings());
    router.tell(Event::Advert(Heard { source: HIGHER, priority: Priority(200), interval: interval(1000) }));
    assert_eq!(router.due_in(), master_down(interval(1000), Priority(100)));
    router.until_due();
    assert_eq!(router.due_in(), 100 * MS);
}

#[test]
fn a_release_leaves_the_skew_and_coming_twice_no_more() {
    let mut router = Station::started(settings());
    router.tell(heard(0, HIGHER));
    let skew = timing::skew(interval(100), Priority(100));
    assert_eq!(router.due_in(), skew);
    router.now += skew / 2;
    router.tell(heard(0, HIGHER));
    assert_eq!(router.due_in(), skew - skew / 2);
}

#[test]
fn preemption_is_by_the_settings() {
    // By default the timer runs on.
    let mut router = Station::started(settings());
    router.now += 200 * MS;
    router.tell(heard(50, HIGHER));
    assert_eq!(router.due_in(), master_down(interval(100), Priority(100)) - 200 * MS);

    let mut patient = Station::started(Settings { preempt: false, ..settings() });
    for _ in 0..100 {
        patient.now += 100 * MS;
        assert_eq!(patient.tell(Event::Timer) + &patient.tell(heard(50, HIGHER)), "");
    }

    let mut delayed = Station::started(Settings { preempt_delay: 2000 * MS, ..settings() });
    let begin = delayed.now;
    while delayed.router.state() == State::Backup {
        delayed.now += 100 * MS;
        delayed.tell(heard(50, HIGHER));
        delayed.tell(Event::Timer);
    }
    assert_eq!(delayed.now - begin, 2100 * MS);
}

#[test]
fn who_fails_as_master_again_and_again_lets_a_worse_one_be_for_longer_each_time() {
    let mut router = Station::master(settings());
    let waits: Vec<_> = (0..4)
        .map(|_| {
            router.tell(Event::Link(Link::Down));
            router.tell(Event::Link(Link::Up));
            let begin = router.now;
            while router.router.state() == State::Backup {
                router.now += 10 * MS;
                router.tell(heard(50, HIGHER));
                router.tell(Event::Timer);
            }
            router.now - begin
        })
        .collect();
    let usual = master_down(interval(100), Priority(100)) + 10 * MS;
    assert!(waits[..2].iter().all(|wait| *wait < usual), "{waits:?}");
    assert_eq!(waits[2..], [1010 * MS, 2010 * MS]);
    // With nobody there, none of this counts.
    router.tell(Event::Link(Link::Down));
    router.tell(Event::Link(Link::Up));
    assert_eq!(router.until_due().0, master_down(interval(100), Priority(100)));
}

#[test]
fn a_delayed_preemption_does_not_delay_the_takeover_from_a_dead_master() {
    let mut router = Station::started(Settings { preempt_delay: 60_000 * MS, ..settings() });
    router.tell(heard(50, HIGHER));
    assert_eq!(router.until_due().0, master_down(interval(100), Priority(100)));
    assert_eq!(router.router.state(), State::Master);
}

#[test]
fn the_owner_is_master_at_once_and_never_answers_another_owner() {
    let mut owner = Station::new(Settings { priority: Priority::OWNER, preempt: false, ..settings() });
    assert_eq!(owner.tell(Event::Start), "+ 255 ! =master");
    assert_eq!(owner.tell(heard(255, HIGHER)), "?");
    assert_eq!(owner.tell(heard(254, HIGHER)), "255 ! ?");
}

#[test]
fn adverts_leave_by_the_interval_also_after_a_late_one() {
    let mut router = Station::master(settings());
    assert_eq!(router.until_due(), (100 * MS, "100".to_owned()));
    router.now += 130 * MS;
    assert_eq!(router.tell(Event::Timer), "100");
    assert_eq!(router.due_in(), 70 * MS);
    router.now += 1000 * MS;
    assert_eq!(router.tell(Event::Timer), "100");
    assert_eq!(router.due_in(), 50 * MS);
}

#[test]
fn announcements_come_in_two_sets_and_by_the_refresh() {
    let announce = AnnouncePlan { refresh: 2000 * MS, ..settings().announce };
    let mut router = Station::master(Settings { announce, ..settings() });
    let (begin, mut announced) = (router.now, Vec::new());
    while router.now - begin < 6050 * MS {
        if router.until_due().1.contains('!') {
            announced.push((router.now - begin).as_millis());
        }
    }
    assert_eq!(announced, [2000, 4000, 5000, 6000]);
}

#[test]
fn a_second_master_that_does_not_hear_is_answered_each_time_but_not_by_a_storm() {
    let mut router = Station::master(settings());
    let mut announced = 0;
    for _ in 0..100 {
        router.now += 50 * MS;
        let done = router.tell(heard(50, HIGHER));
        assert!(done.starts_with("100"), "{done}");
        announced += done.matches('!').count();
    }
    assert_eq!(announced, 5);
}

#[test]
fn a_second_master_that_comes_again_is_put_right_again() {
    let mut router = Station::master(settings());
    for _ in 0..3 {
        router.now += 300 * MS;
        assert_eq!(router.tell(heard(50, HIGHER)), "100 ! ?");
        router.now += 20 * MS;
        assert_eq!(router.tell(heard(50, HIGHER)), "100");
    }
}

#[test]
fn a_member_of_a_group_waits_for_all_of_it_and_not_for_a_master_that_is_back() {
    let mut member = Station::started(Settings { grouped: true, ..settings() });
    assert_eq!(member.until_due(), (master_down(interval(100), Priority(100)), String::new()));
    assert!(member.router.member().is_ripe && member.router.next_deadline().is_none());
    member.tell(heard(200, HIGHER));
    assert!(!member.router.member().is_ripe);
    assert_eq!(member.due_in(), master_down(interval(100), Priority(100)));
    member.tell(Event::Group(Order::Notice));
    assert_eq!(member.until_due(), (timing::skew(interval(100), Priority(100)), String::new()));
    // What its master said in this moment is of no use any more to it.
    assert_eq!(member.tell(heard(0, HIGHER)), "");
    assert!(member.router.member().is_ripe);
    // Without its group it goes on by itself.
    member.router.reconfigure(settings());
    assert_eq!(member.until_due().1, "+ 100 ! =master");

    let grouped = Station::started(Settings { grouped: true, ..settings() });
    assert_eq!(grouped.after(Event::Group(Order::Take)).phase(), "master");
}

#[test]
fn who_leaves_says_so_until_heard_and_stays_when_nobody_comes() {
    let mut router = Station::master(settings()).after(Event::HandOver);
    assert_eq!(router.router.state(), State::Master);
    for _ in 0..3 {
        assert_eq!(router.until_due(), (100 * MS, "0".to_owned()));
    }
    assert_eq!(router.until_due().1, "? 100");
    assert_eq!(router.phase(), "master");

    let mut stopping = Station::master(settings()).after(Event::Shutdown);
    let done = std::iter::repeat_with(|| stopping.until_due().1).take(4).collect::<Vec<_>>();
    assert_eq!(done, ["0", "0", "0", "- =init"]);
    assert_eq!(stopping.router.next_deadline(), None);
}

#[test]
fn who_has_handed_over_does_not_take_back_from_a_worse_master_but_from_a_dead_one() {
    let mut router = Station::master(settings()).after(Event::HandOver);
    for _ in 0..50 {
        router.tell(heard(50, HIGHER));
        router.now += 100 * MS;
        router.tell(Event::Timer);
        assert_eq!(router.router.state(), State::Backup);
    }
    router.until_due();
    assert_eq!(router.router.state(), State::Master);
}

#[test]
fn a_changed_priority_moves_the_running_timer() {
    let mut router = Station::started(settings());
    router.now += 100 * MS;
    router.tell(Event::Track(Standing::Fit(Priority(200))));
    assert_eq!(router.due_in(), master_down(interval(100), Priority(200)) - 100 * MS);
    router.tell(Event::Track(Standing::Fit(Priority(100))));
    assert_eq!(router.due_in(), master_down(interval(100), Priority(100)) - 100 * MS);
}

#[test]
fn all_faults_must_be_over() {
    let mut router =
        Station::at("fault").after(Event::Track(Standing::Unfit)).after(Event::Group(Order::Hold));
    assert_eq!(router.tell(Event::Link(Link::Up)), "");
    assert_eq!(router.tell(Event::Group(Order::Release)), "");
    assert_eq!(router.tell(Event::Track(Standing::Fit(Priority(100)))), "=backup");
}

#[test]
fn the_start_may_be_delayed() {
    let router = Station::started(Settings { start_delay: 3000 * MS, ..settings() });
    assert_eq!(router.due_in(), 3000 * MS + master_down(interval(100), Priority(100)));
}
