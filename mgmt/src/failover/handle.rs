//! The supervisor's end of the thread of VRRP.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};

use super::board::Board;
use super::engine::Engine;
use crate::pulse::Beat;
use crate::vrrp::wanted::Wanted;

/// Commands that wait for the thread. It takes all of them in each turn.
const WAITING: usize = 256;

/// What the thread is to do.
#[derive(Debug)]
pub(super) enum Command {
    Follow(Vec<Wanted>),
    HandOver(String),
    Announce(String),
    ShutDown,
    /// A peer is dead: BFD has heard nothing of it.
    PeerDied(IpAddr),
    End,
}

/// The thread of VRRP takes no commands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread of VRRP takes no commands: {WAITING} wait for it")]
pub struct Busy;

/// The virtual routers, and the thread that drives them until this is dropped.
#[derive(Debug)]
pub struct Failover {
    commands: SyncSender<Command>,
    bell: Arc<OwnedFd>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

impl Failover {
    /// Begins with no virtual router. `epoch`: when the data plane's clock was zero. `supervisor`: the turns of the
    /// thread without which this node has to leave the election.
    ///
    /// # Errors
    /// The kernel gives no thread, or no descriptor.
    pub fn start(epoch: Instant, supervisor: Arc<Beat>) -> io::Result<Self> {
        let (commands, orders) = sync_channel(WAITING);
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let board = Arc::new(Board::default());
        let mut engine = Engine::new(orders, Arc::clone(&bell), Arc::clone(&board), (epoch, supervisor));
        let thread = std::thread::Builder::new().name("vrrp".to_owned()).spawn(move || engine.run())?;
        Ok(Self { commands, bell, board, thread: Some(thread) })
    }

    fn command(&self, command: Command) -> Result<(), Busy> {
        command_to(&self.commands, &self.bell, command)
    }

    /// Is these virtual routers from now on, and no others.
    ///
    /// # Errors
    /// The thread takes no commands, and goes on as it was.
    pub fn follow(&self, wanted: Vec<Wanted>) -> Result<(), Busy> {
        self.command(Command::Follow(wanted))
    }

    /// Lets another box be master.
    ///
    /// # Errors
    /// The thread takes no commands.
    pub fn hand_over(&self, name: &str) -> Result<(), Busy> {
        self.command(Command::HandOver(name.to_owned()))
    }

    /// Announces the addresses of a virtual router again, if this box is its master.
    ///
    /// # Errors
    /// The thread takes no commands.
    pub fn announce(&self, name: &str) -> Result<(), Busy> {
        self.command(Command::Announce(name.to_owned()))
    }

    /// Lets other boxes be master of all; a second time: at once. The board says when that is done.
    ///
    /// # Errors
    /// The thread takes no commands.
    pub fn shut_down(&self) -> Result<(), Busy> {
        self.command(Command::ShutDown)
    }

    /// Tells the thread, without waiting, that a peer is dead.
    pub fn messenger(&self) -> impl Fn(IpAddr) + Send + use<> {
        let (commands, bell) = (self.commands.clone(), Arc::clone(&self.bell));
        move |peer| {
            // A thread that takes nothing is no longer master: its lease of the addresses has ended.
            let _: Result<(), Busy> = command_to(&commands, &bell, Command::PeerDied(peer));
        }
    }

    /// What is known.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }
}

fn command_to(commands: &SyncSender<Command>, bell: &OwnedFd, command: Command) -> Result<(), Busy> {
    let sent = match commands.try_send(command) {
        // A thread that has ended is told of nothing any more.
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err(Busy),
    };
    ring(bell);
    sent
}

fn ring(bell: &OwnedFd) {
    // The only failure is a counter at its end, and that is readable.
    let _: Result<usize, _> = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

impl Drop for Failover {
    fn drop(&mut self) {
        // Waits for room where there is none: the thread is waited for in any case.
        let _: Result<(), _> = self.commands.send(Command::End);
        ring(&self.bell);
        if let Some(thread) = self.thread.take() {
            let _: Result<(), _> = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_takes_nothing_makes_nobody_wait() {
        let (commands, orders) = sync_channel(WAITING);
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        for _ in 0..WAITING {
            assert_eq!(command_to(&commands, &bell, Command::ShutDown), Ok(()));
        }
        assert_eq!(command_to(&commands, &bell, Command::ShutDown), Err(Busy));
        assert!(orders.try_recv().is_ok());
        assert_eq!(command_to(&commands, &bell, Command::ShutDown), Ok(()));
        drop(orders);
        assert_eq!(command_to(&commands, &bell, Command::ShutDown), Ok(()), "there is no thread");
    }
}
