//! The thread of VRRP.

mod announce;
mod guard;
mod oversee;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use announce::Announcement;

use super::board::{Board, News, Post};
use super::guardian::{Guardian, LastWords};
use super::handle::Command;
use super::sockets::Sockets;
use crate::config::Vrrp;
use crate::net::{LinkNews, LinkWatch};
use crate::pulse::{Beat, Watch};
use crate::vrrp::fleet::Fleet;
use crate::vrrp::wanted::{Effect, Wanted};

/// Frames taken from a socket before anything else has its turn.
const BURST: usize = 256;
/// How long the next announcements wait after a burst: switches and hosts must be able to follow.
const PACE: Duration = Duration::from_millis(1);
/// Counters are read by humans.
const POST_EVERY: Duration = Duration::from_millis(50);
/// Signs of life for the guardian: a part of the advert interval, within bounds. Without real time it has to have more
/// patience than a process that is not scheduled for a while needs.
const BEATS_IN_INTERVAL: u32 = 4;
const SHORTEST_BEAT: Duration = Duration::from_micros(2500);
const LONGEST_BEAT: Duration = Duration::from_millis(3);
const MISSED_BEATS: u32 = 3;
const SLOW_BEAT: Duration = Duration::from_millis(50);

/// No advert is longer.
const LONGEST: usize = 9216;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Engine {
    orders: Receiver<Command>,
    bell: Arc<OwnedFd>,
    board: Arc<Board>,
    fleet: Fleet,
    /// As the supervisor wants them.
    wanted: Vec<Wanted>,
    supervisor: Watch,
    sockets: Sockets,
    /// Tells of a lost link before anybody else does.
    links: Option<LinkWatch>,
    announcements: VecDeque<Announcement>,
    post: Post,
    posted: Instant,
    is_ending: bool,
    /// `None`: there was nothing to guard yet, or it cannot be started.
    guardian: Option<Guardian>,
    /// When it was started last.
    guarded_at: Option<Instant>,
    last_words: LastWords,
    /// Somebody is master who was not, or the reverse.
    has_other_words: bool,
    beat_at: Option<Instant>,
    beat: Duration,
    is_real_time: bool,
    /// Since when nothing can be sent, and that was said.
    mute: Option<Instant>,
}

impl Engine {
    pub(super) fn new(
        orders: Receiver<Command>,
        bell: Arc<OwnedFd>,
        board: Arc<Board>,
        (epoch, supervisor): (Instant, Arc<Beat>),
    ) -> Self {
        Self {
            orders,
            bell,
            board,
            fleet: Fleet::new(epoch),
            wanted: Vec::new(),
            supervisor: Watch::new(supervisor),
            sockets: Sockets::default(),
            links: None,
            announcements: VecDeque::new(),
            post: Post::default(),
            posted: epoch,
            is_ending: false,
            guardian: None,
            guarded_at: None,
            last_words: LastWords::default(),
            has_other_words: false,
            beat_at: None,
            beat: LONGEST_BEAT,
            is_real_time: false,
            mute: None,
        }
    }

    /// Until nobody commands any more.
    pub(super) fn run(&mut self) {
        let priority = dataplane::go_first();
        self.is_real_time = priority.is_ok();
        if let Err(error) = priority {
            let trouble = format!("no priority of real time for VRRP, its adverts may be late: {error}");
            self.post.news.push(News::Trouble(trouble));
        }
        let later = |error| News::Trouble(format!("a lost link is found later than it could be: {error}"));
        self.links = LinkWatch::open().map_err(|error| self.post.news.push(later(error))).ok();
        let mut buffer = vec![0; LONGEST];
        loop {
            self.wait();
            // Adverts before timers: who was not scheduled for a while must hear the master that lives.
            let now = crate::clock::now();
            self.listen(now, &mut buffer);
            self.watch_links(now);
            if !self.obey(now) {
                return;
            }
            self.oversee(now);
            self.fleet.timers(now);
            self.carry_out(now);
            self.announce(now);
            let touched = self.fleet.take_touched();
            self.guard(now);
            self.post(now, &touched);
        }
    }

    fn wait(&self) {
        let now = crate::clock::now();
        let announced = self.announcements.iter().map(|announcement| announcement.due.max(now + PACE)).min();
        let pace = (!self.post.news.is_empty()).then(|| now + PACE);
        let unposted = (!self.post.reports.is_empty()).then(|| self.posted + POST_EVERY);
        let due = [self.fleet.next(), announced, pace, unposted, self.beat_at, self.next_look()];
        let next = due.into_iter().flatten().min();
        let timeout = next.map(|next| {
            let left = next.saturating_duration_since(now);
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
        let ears: Vec<_> = self.sockets.ears().map(|(_, fd)| fd).collect();
        watched.extend(ears.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        watched.extend(self.links.iter().map(|links| PollFd::new(links, PollFlags::IN)));
        // An interrupted wait is a short one.
        let _: Result<usize, _> = poll(&mut watched, timeout.as_ref());
    }

    fn listen(&mut self, now: Instant, buffer: &mut [u8]) {
        for ((link, _), socket) in self.sockets.ears() {
            for _ in 0..BURST {
                match rustix::io::read(socket, &mut *buffer) {
                    Ok(length) => self.fleet.frame(now, link, buffer.get(..length).unwrap_or_default()),
                    // Nothing more, or the link is down: then it is let go soon.
                    Err(_) => break,
                }
            }
        }
    }

    fn watch_links(&mut self, now: Instant) {
        for _ in 0..BURST {
            match self.links.as_ref().and_then(LinkWatch::next) {
                Some(LinkNews::Is(link, carries)) => self.fleet.link(now, Some(link), carries),
                Some(LinkNews::Missed) => self.fleet.link(now, None, true),
                None => break,
            }
        }
    }

    /// `false`: nobody will command any more.
    fn obey(&mut self, now: Instant) -> bool {
        let mut count = [0; 8];
        let _: Result<usize, _> = rustix::io::read(self.bell.as_fd(), &mut count);
        loop {
            match self.orders.try_recv() {
                Ok(Command::Follow(wanted)) => self.follow(wanted, now),
                Ok(Command::HandOver(name)) => _ = self.fleet.hand_over(&name, now),
                Ok(Command::Announce(name)) => self.fleet.announce(&name),
                Ok(Command::PeerDied(peer)) => self.fleet.peer_died(peer, now),
                Ok(Command::ShutDown) => {
                    self.is_ending = true;
                    self.fleet.shut_down(now);
                }
                Err(TryRecvError::Empty) => return true,
                Ok(Command::End) | Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn follow(&mut self, wanted: Vec<Wanted>, now: Instant) {
        let troubles = self.sockets.open(&wanted);
        self.post.news.extend(troubles.into_iter().map(News::Trouble));
        self.fleet.follow(oversee::effective(&wanted, self.supervisor.is_stalled()), now);
        self.carry_out(now);
        self.sockets.close(&wanted);
        if self.guardian.is_none() && !wanted.is_empty() {
            self.start_guardian(now);
        }
        self.wanted = wanted;
        self.has_other_words = true;
        self.post.is_whole = true;
        self.post.reports = self.fleet.reports().map(|report| (report.config.name.clone(), report)).collect();
    }

    fn carry_out(&mut self, now: Instant) {
        for (config, effect) in self.fleet.take_effects() {
            match effect {
                Effect::Frame(link, bytes) => {
                    let sent = self.sockets.frame((link, config.is_ipv4()), &bytes);
                    self.sent(now, &config, sent);
                }
                Effect::Packet { link, own, peer, message } => {
                    let sent = self.sockets.packet(&config, link, (own, peer), &message);
                    self.sent(now, &config, sent);
                }
                Effect::Announce(link, mac, config, repeats) => {
                    let rounds = repeats.0;
                    let same =
                        |a: &&mut Announcement| a.next == 0 && a.link == link && a.config.name == config.name;
                    match self.announcements.iter_mut().find(same) {
                        Some(same) => (same.mac, same.rounds) = (mac, same.rounds.max(rounds)),
                        None => {
                            let announcement = Announcement { link, mac, config, rounds, next: 0, due: now };
                            self.announcements.push_back(announcement);
                        }
                    }
                }
                Effect::Hush => self.announcements.retain(|a| a.config.name != config.name),
                Effect::State(state, priority) => {
                    self.has_other_words = true;
                    self.post.news.push(News::State(config, state, priority));
                }
                Effect::Incident(incident) => self.post.news.push(News::Incident(config, incident)),
                Effect::Remark(from, remark) => self.post.news.push(News::Remark(config, from, remark)),
            }
        }
    }

    fn sent(&mut self, now: Instant, config: &Vrrp, sent: io::Result<()>) {
        const SAY_AGAIN: Duration = Duration::from_secs(60);
        let Err(error) = sent else { return };
        if self.mute.is_none_or(|at| now.saturating_duration_since(at) >= SAY_AGAIN) {
            self.mute = Some(now);
            let trouble = format!("{}: an advert could not be sent: {error}", config.name);
            self.post.news.push(News::Trouble(trouble));
        }
    }

    fn post(&mut self, now: Instant, touched: &BTreeSet<String>) {
        if !touched.is_empty() {
            let reports = self.fleet.reports().filter(|report| touched.contains(&report.config.name));
            self.post.reports.extend(reports.map(|report| (report.config.name.clone(), report)));
        }
        self.post.has_ended = self.is_ending && self.fleet.has_ended();
        let is_urgent = !self.post.news.is_empty() || self.post.has_ended || self.post.is_whole;
        let is_due = now.saturating_duration_since(self.posted) >= POST_EVERY;
        if (is_urgent || is_due && !self.post.reports.is_empty()) && self.board.post(&mut self.post) {
            self.posted = now;
        }
    }
}
