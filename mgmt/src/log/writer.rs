//! The thread that writes the log: the only one that waits for whatever reads it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Queue;
use crate::events::Events;

/// Lost lines are reported once in this time while lines keep coming.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The writer thread, seen from the rest of the program.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    /// Disconnected once the thread has ended.
    end: Receiver<()>,
}

impl Writer {
    pub(super) fn start(queue: Arc<Queue>, events: Arc<Events>, out: OwnedFd) -> io::Result<Self> {
        let (ends, end) = sync_channel::<()>(1);
        let mut pen = Pen { queue: Arc::clone(&queue), events, out, is_torn: false, told: 0, told_at: None };
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || pen.run(ends))?;
        queue.attach(thread.thread().clone());
        // Lines that were put before that have woken no thread.
        thread.thread().unpark();
        Ok(Self { queue, end })
    }

    /// Has all that waits written, unless that takes longer than `patience`.
    pub(super) fn finish(self, patience: Duration) {
        self.queue.close();
        let _: Result<(), _> = self.end.recv_timeout(patience);
    }
}

struct Pen {
    queue: Arc<Queue>,
    events: Arc<Events>,
    out: OwnedFd,
    /// The last line was written in part.
    is_torn: bool,
    /// Lost lines that were reported, and when the last were.
    told: u64,
    told_at: Option<Instant>,
}

impl Pen {
    fn run(&mut self, ends: SyncSender<()>) {
        loop {
            match self.queue.take() {
                Some(line) => {
                    if !self.write(&line) {
                        self.queue.lose();
                    } else if self.told_at.is_none_or(|at| crate::clock::now() - at >= REPORT_EVERY) {
                        self.report();
                    }
                }
                None => {
                    let is_told = self.report();
                    if self.queue.is_closed() {
                        break;
                    }
                    match is_told {
                        true => std::thread::park(),
                        false => std::thread::park_timeout(REPORT_EVERY),
                    }
                }
            }
        }
        drop(ends);
    }

    /// Logs how many lines were lost since the last report; `false`: that cannot be written now.
    fn report(&mut self) -> bool {
        let lost = self.queue.lost();
        if lost == self.told {
            return true;
        }
        let line = super::lost_lines(self.queue.format(), &self.events, lost - self.told);
        let is_written = self.write(&line);
        if is_written {
            (self.told, self.told_at) = (lost, Some(crate::clock::now()));
        }
        is_written
    }

    /// Waits for as long as it takes; `false`: the line is lost, as on a full disk.
    fn write(&mut self, line: &[u8]) -> bool {
        if self.is_torn {
            match self.write_all(b"\n") {
                Ok(()) => self.is_torn = false,
                Err(_) => return false,
            }
        }
        self.write_all(line).is_ok()
    }

    fn write_all(&mut self, mut rest: &[u8]) -> Result<(), Errno> {
        let whole = rest.len();
        while !rest.is_empty() {
            match rustix::io::write(&self.out, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Another program that shares the descriptor does not want to wait.
                Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&self.out, PollFlags::OUT)], None),
                Err(error) => {
                    self.is_torn |= rest.len() < whole;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
