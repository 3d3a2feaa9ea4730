//! The supervisor's end of the thread of VRRP.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};

use super::board::Board;
use super::engine::Engine;
use crate::vrrp::wanted::Wanted;

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

/// The virtual routers, and the thread that drives them until this is dropped.
#[derive(Debug)]
pub struct Failover {
    commands: Sender<Command>,
    bell: Arc<OwnedFd>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

impl Failover {
    /// Begins with no virtual router. `epoch`: when the data plane's clock was zero.
    ///
    /// # Errors
    /// The kernel gives no thread, or no descriptor.
    pub fn start(epoch: Instant) -> io::Result<Self> {
        let (commands, orders) = channel();
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let board = Arc::new(Board::default());
        let mut engine = Engine::new(orders, Arc::clone(&bell), Arc::clone(&board), epoch);
        let thread = std::thread::Builder::new().name("vrrp".to_owned()).spawn(move || engine.run())?;
        Ok(Self { commands, bell, board, thread: Some(thread) })
    }

    fn command(&self, command: Command) {
        // A thread that has ended is told of nothing any more.
        let _: Result<(), _> = self.commands.send(command);
        self.ring();
    }

    fn ring(&self) {
        ring(&self.bell);
    }

    /// Is these virtual routers from now on, and no others.
    pub fn follow(&self, wanted: Vec<Wanted>) {
        self.command(Command::Follow(wanted));
    }

    /// Lets another box be master.
    pub fn hand_over(&self, name: &str) {
        self.command(Command::HandOver(name.to_owned()));
    }

    /// Announces the addresses of a virtual router again, if this box is its master.
    pub fn announce(&self, name: &str) {
        self.command(Command::Announce(name.to_owned()));
    }

    /// Lets other boxes be master of all; a second time: at once. The board says when that is done.
    pub fn shut_down(&self) {
        self.command(Command::ShutDown);
    }

    /// Tells the thread, without waiting, that a peer is dead.
    pub fn messenger(&self) -> impl Fn(IpAddr) + Send + use<> {
        let (commands, bell) = (self.commands.clone(), Arc::clone(&self.bell));
        move |peer| {
            let _: Result<(), _> = commands.send(Command::PeerDied(peer));
            ring(&bell);
        }
    }

    /// What is known.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }
}

fn ring(bell: &OwnedFd) {
    // The only failure is a counter at its end, and that is readable.
    let _: Result<usize, _> = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

impl Drop for Failover {
    fn drop(&mut self) {
        self.command(Command::End);
        if let Some(thread) = self.thread.take() {
            let _: Result<(), _> = thread.join();
        }
    }
}
