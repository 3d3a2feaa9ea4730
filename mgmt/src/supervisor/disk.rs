//! Files are read and written by a thread of its own: a disk, or a file server, that hangs must not stop the supervisor.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::change::Saved;
use super::requests::Read;

/// Jobs that wait for the disk.
const WAITING: usize = 32;
/// How long the end of the daemon waits for them.
const LAST_JOBS: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce() -> Done + Send>;

/// What the supervisor goes on with.
#[derive(Debug)]
pub(super) enum Done {
    /// The configuration file was read.
    Read(Read),
    /// A change by hand was written into it.
    Saved(Box<Saved>),
    /// The history of configurations has one more entry.
    Recorded(std::io::Result<()>),
}

/// The disk does not keep up.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "{WAITING} jobs wait for the disk, which hangs: look at the disk of the configuration file and of state_dir"
)]
pub(super) struct Busy;

/// The thread, and what it has done.
#[derive(Debug)]
pub(super) struct Disk {
    jobs: Option<SyncSender<Job>>,
    done: mpsc::Receiver<Done>,
    /// Jobs whose end was not taken yet.
    waiting: usize,
}

impl Disk {
    pub(super) fn start() -> std::io::Result<Self> {
        let (jobs, taken) = sync_channel::<Job>(WAITING);
        let (sender, done) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
            for job in taken {
                // Waits for the supervisor, which waits for nothing here; at the end there is none.
                if sender.blocking_send(job()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), done, waiting: 0 })
    }

    /// Whether a job more can be taken.
    pub(super) fn has_room(&self) -> Result<(), Busy> {
        if self.waiting < WAITING { Ok(()) } else { Err(Busy) }
    }

    /// Has a job done, after those that wait; without room it is dropped.
    pub(super) fn run(&mut self, job: impl FnOnce() -> Done + Send + 'static) {
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send(Box::new(job)));
        self.waiting += usize::from(matches!(sent, Some(Ok(()))));
    }

    /// The next job that is done. Loses nothing when it is dropped.
    pub(super) async fn done(&mut self) -> Done {
        match self.done.recv().await {
            Some(done) => {
                self.waiting -= 1;
                done
            }
            None => std::future::pending().await,
        }
    }

    /// Lets what waits be done, for a while.
    pub(super) async fn finish(mut self) {
        self.jobs = None;
        let all = async { while self.done.recv().await.is_some() {} };
        let _: Result<(), _> = tokio::time::timeout(LAST_JOBS, all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_takes_so_many_jobs_and_delays_nothing() {
        let mut disk = Disk::start().unwrap();
        let (goes_on, hangs) = std::sync::mpsc::channel::<()>();
        let job = move || {
            _ = hangs.recv();
            Done::Recorded(Ok(()))
        };
        disk.run(job);
        while disk.has_room().is_ok() {
            disk.run(|| Done::Recorded(Ok(())));
        }
        disk.run(|| panic!("there is no room for this one"));
        assert!(tokio::time::timeout(Duration::from_millis(20), disk.done()).await.is_err());
        drop(goes_on);
        for _ in 0..WAITING {
            let done = tokio::time::timeout(Duration::from_secs(20), disk.done()).await;
            assert!(matches!(done, Ok(Done::Recorded(Ok(())))));
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        disk.run(move || Done::Recorded(sender.send(()).map_err(std::io::Error::other)));
        disk.finish().await;
        assert_eq!(receiver.try_recv(), Ok(()), "the end waits for what is under way");
    }
}
