//! The load: short connections, so many at a time, as fast as they go or at a steady rate.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use penstock_benches::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::LocalSet;
use tokio::time::{sleep_until, timeout};

use crate::{REPLY, REQUEST, Result};

/// A connection that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(10);

/// One that only asks whether there is anybody.
const PROBE_LIMIT: Duration = Duration::from_millis(300);

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) to: SocketAddrV4,
    /// The first of the addresses to connect from, and how many there are: one alone would run out of
    /// ports, which stay taken for a minute after each connection.
    pub(crate) from: (Ipv4Addr, u32),
    pub(crate) connections: u32,
    pub(crate) at_a_time: u32,
    /// Connections per second; 0: as fast as they go.
    pub(crate) rate: u32,
}

/// What has become of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) completed: u32,
    pub(crate) failed: u32,
    /// Why the first of them did.
    pub(crate) reason: Option<String>,
    pub(crate) seconds: f64,
    /// The time from `connect` to the reply's last byte, ordered.
    pub(crate) times: Vec<Duration>,
}

impl Done {
    /// The time that this part of all connections took at most.
    pub(crate) fn quantile(&self, hundredths: usize) -> Duration {
        let place = self.times.len() * hundredths / 100;
        self.times.get(place).or(self.times.last()).copied().unwrap_or_default()
    }
}

/// Does it, on this thread.
pub(crate) fn run(load: Load) -> Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Rc::new(Cell::new(0));
    let done = Rc::new(RefCell::new(Done::default()));
    let start = Stopwatch::start();
    let tasks = LocalSet::new();
    for _ in 0..load.at_a_time {
        tasks.spawn_local(connect_again_and_again(load, start, Rc::clone(&next), Rc::clone(&done)));
    }
    runtime.block_on(tasks);
    let mut done = done.take();
    done.seconds = start.elapsed().as_secs_f64();
    done.times.sort();
    Ok(done)
}

async fn connect_again_and_again(load: Load, start: Stopwatch, next: Rc<Cell<u32>>, done: Rc<RefCell<Done>>) {
    loop {
        let number = next.get();
        if number >= load.connections {
            return;
        }
        next.set(number + 1);
        if load.rate > 0 {
            let due = start.after(Duration::from_secs(number.into()) / load.rate);
            sleep_until(due.into()).await;
        }
        let began = Stopwatch::start();
        let outcome = timeout(LIMIT, connect(load, number)).await;
        let mut done = done.borrow_mut();
        let reason = match outcome {
            Ok(Ok(())) => {
                done.completed += 1;
                done.times.push(began.elapsed());
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no reply in time".into(),
        };
        done.failed += 1;
        done.reason.get_or_insert(reason);
    }
}

async fn connect(load: Load, number: u32) -> std::io::Result<()> {
    let source = Ipv4Addr::from_bits(load.from.0.to_bits() + number % load.from.1);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source, 0)))?;
    let mut stream = socket.connect(load.to.into()).await?;
    stream.write_all(&[b'?'; REQUEST]).await?;
    stream.read_exact(&mut [0; REPLY]).await?;
    Ok(())
}

/// Whether a connection gets through within a moment.
pub(crate) fn probe(to: SocketAddrV4, from: Ipv4Addr) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let load = Load { to, from: (from, 1), connections: 1, at_a_time: 1, rate: 0 };
    let connected =
        runtime.map(|runtime| runtime.block_on(async { timeout(PROBE_LIMIT, connect(load, 0)).await }));
    matches!(connected, Ok(Ok(Ok(()))))
}
