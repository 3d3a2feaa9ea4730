//! A process of its own that says the last words of the daemon: when the daemon dies or hangs, in whatever way, it
//! tells the segment at once that this box is no longer master. Others then wait for their skew alone.
//!
//! The daemon writes to its standard input: an empty line is a sign of life, a line of JSON is what to say from now
//! on, and the end of the input is the daemon's. It needs nothing else, and nothing of the daemon's memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dataplane::LinkSocket;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use socket2::SockRef;

use super::sockets;
use crate::signals;

/// The daemon's hidden argument.
pub const GUARD: &str = "--guard";
/// One may get lost.
const TIMES: usize = 2;
/// More than all virtual routers have to say.
const LONGEST: usize = 16 << 20;

/// How long the daemon waits for the end of it.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// What is to be said, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWords {
    /// Without a sign of life for so long the daemon hangs.
    pub patience_us: u64,
    /// Frames by link.
    pub frames: Vec<(u32, Vec<u8>)>,
    /// Interface, its number, from, to, the payload of the IP packet.
    pub packets: Vec<(String, u32, IpAddr, IpAddr, Vec<u8>)>,
}

impl LastWords {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.frames.is_empty() && self.packets.is_empty()
    }
}

/// The daemon's end of it.
#[derive(Debug)]
pub(super) struct Guardian {
    process: Child,
    input: Option<OwnedFd>,
    /// What the pipe has not taken yet.
    waiting: Vec<u8>,
    has_ended: bool,
}

impl Guardian {
    /// Starts one. It is out of reach of what the daemon's terminal says.
    pub(super) fn start() -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(GUARD).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn()?;
        let input = process.stdin.take().map(OwnedFd::from).ok_or(io::ErrorKind::BrokenPipe)?;
        rustix::io::ioctl_fionbio(&input, true)?;
        Ok(Self { process, input: Some(input), waiting: Vec::new(), has_ended: false })
    }

    /// Says that the daemon lives.
    pub(super) fn beat(&mut self) {
        if self.waiting.is_empty() {
            self.waiting.push(b'\n');
        }
        self.flush();
    }

    /// Has other last words from now on.
    pub(super) fn prepare(&mut self, words: &LastWords) {
        // Only the last words matter, and the line that is written in part.
        let begun = self.waiting.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.waiting.truncate(begun);
        if let Ok(line) = serde_json::to_vec(words) {
            self.waiting.extend(line);
            self.waiting.push(b'\n');
        }
        self.flush();
    }

    /// Whether it was found to be gone, when something was to be said to it.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether the process ends by itself: one that is stopped does not.
    fn ends_within(&self, patience: Duration) -> bool {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            return true;
        };
        let timeout =
            Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() };
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) != Ok(0)
    }

    fn flush(&mut self) {
        let Some(input) = &self.input else { return };
        while !self.waiting.is_empty() {
            match rustix::io::write(input, &self.waiting) {
                Ok(written) => drop(self.waiting.drain(..written)),
                // Full, for a while.
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                // There is nobody to talk to.
                Err(_) => {
                    self.has_ended = true;
                    return;
                }
            }
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.prepare(&LastWords::default());
        self.input = None;
        if !self.ends_within(LAST_BREATH) {
            let _: io::Result<()> = self.process.kill();
        }
        let _: io::Result<std::process::ExitStatus> = self.process.wait();
    }
}

/// Becomes the guardian if the arguments, the program's own name left out, ask for that; `false`: they do not.
#[must_use]
pub fn become_guardian(arguments: &[OsString]) -> bool {
    if arguments.first().is_none_or(|word| word != GUARD) {
        return false;
    }
    // Without it the guardian is only later.
    let _: io::Result<()> = dataplane::go_first();
    // What ends all processes of a unit, or dumps their state, must not end it before the daemon.
    let _kept = signals::survive();
    let stdin = io::stdin();
    watch(stdin.as_fd(), |words, mouths| mouths.say(words));
    true
}

/// Until the input ends.
fn watch(input: std::os::fd::BorrowedFd<'_>, mut say: impl FnMut(&LastWords, &mut Mouths)) {
    let (mut words, mut mouths, mut lines) = (LastWords::default(), Mouths::default(), Vec::new());
    let mut buffer = vec![0; 64 << 10];
    let mut deadline: Option<Instant> = None;
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(crate::clock::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut watched = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) => {
                say(&words, &mut mouths);
                // Said once: after the next sign of life it may be needed again.
                deadline = None;
                continue;
            }
            // A read would wait beyond the deadline.
            Err(_) => continue,
            Ok(_) => {}
        }
        match rustix::io::read(input, &mut *buffer) {
            Ok(0) => break,
            Ok(length) => lines.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
        }
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            if let Ok(next) = serde_json::from_slice(lines.get(..end).unwrap_or_default()) {
                words = next;
                mouths.open(&words);
            }
            lines.drain(..=end);
        }
        lines.truncate(LONGEST);
        let patience = Duration::from_micros(words.patience_us);
        deadline = (!words.are_none()).then(|| crate::clock::now() + patience);
    }
    say(&words, &mut mouths);
}

/// Sockets that are open before they are needed.
#[derive(Debug, Default)]
struct Mouths {
    links: BTreeMap<u32, LinkSocket>,
    peers: BTreeMap<(u32, IpAddr), socket2::Socket>,
}

impl Mouths {
    fn open(&mut self, words: &LastWords) {
        self.links.retain(|link, _| words.frames.iter().any(|(other, _)| other == link));
        self.peers.retain(|key, _| words.packets.iter().any(|(_, link, own, ..)| *key == (*link, *own)));
        for (link, _) in &words.frames {
            if !self.links.contains_key(link)
                && let Ok(socket) = LinkSocket::open(*link)
                && socket.listen(0).is_ok()
            {
                let _: io::Result<()> = SockRef::from(&socket).set_priority(sockets::FIRST);
                self.links.insert(*link, socket);
            }
        }
        for (interface, link, own, ..) in &words.packets {
            if !self.peers.contains_key(&(*link, *own))
                && let Ok(socket) = sockets::unicast(interface, *own, *link)
            {
                self.peers.insert((*link, *own), socket);
            }
        }
    }

    /// What cannot be sent now cannot be sent at all.
    fn say(&self, words: &LastWords) {
        for _ in 0..TIMES {
            for (link, frame) in &words.frames {
                if let Some(socket) = self.links.get(link) {
                    let _: Result<usize, _> = rustix::io::write(socket, frame);
                }
            }
            for (_, link, own, peer, message) in &words.packets {
                if let Some(socket) = self.peers.get(&(*link, *own)) {
                    let to = sockets::with_scope(*peer, *link).into();
                    let _: io::Result<usize> = socket.send_to(message, &to);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    /// What it says, one item for each time.
    fn guarded() -> (UnixStream, mpsc::Receiver<LastWords>, std::thread::JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, said) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            watch(theirs.as_fd(), |words, _| sender.send(words.clone()).unwrap());
        });
        (ours, said, thread)
    }

    fn words(patience_us: u64) -> LastWords {
        LastWords { patience_us, frames: vec![(7, vec![1, 2, 3])], packets: Vec::new() }
    }

    fn prepare(input: &mut UnixStream, words: &LastWords) {
        let mut line = serde_json::to_vec(words).unwrap();
        line.push(b'\n');
        // In pieces, as pipes may deliver it.
        let (head, tail) = line.split_at(line.len() / 2);
        input.write_all(head).unwrap();
        input.write_all(tail).unwrap();
    }

    #[test]
    fn it_speaks_when_the_daemon_is_gone_and_says_what_was_prepared_last() {
        let (mut input, said, thread) = guarded();
        prepare(&mut input, &words(60_000_000));
        prepare(&mut input, &words(61_000_000));
        input.write_all(b"\n\n").unwrap();
        assert!(said.recv_timeout(Duration::from_millis(50)).is_err(), "the daemon lives");
        drop(input);
        assert_eq!(said.recv_timeout(Duration::from_secs(5)), Ok(words(61_000_000)));
        thread.join().unwrap();
    }

    #[test]
    fn it_speaks_once_when_the_daemon_hangs() {
        let (mut input, said, thread) = guarded();
        prepare(&mut input, &words(20_000));
        assert_eq!(said.recv_timeout(Duration::from_secs(5)), Ok(words(20_000)));
        assert!(said.recv_timeout(Duration::from_millis(100)).is_err(), "once");
        input.write_all(b"\n").unwrap();
        assert_eq!(
            said.recv_timeout(Duration::from_secs(5)),
            Ok(words(20_000)),
            "again after a sign of life"
        );
        prepare(&mut input, &LastWords::default());
        drop(input);
        assert_eq!(said.recv_timeout(Duration::from_secs(5)), Ok(LastWords::default()), "nothing to say");
        thread.join().unwrap();
    }
}
