//! Files are read and written by a thread of its own: a disk, or a file server, that hangs must not stop the supervisor.
//! Files that checks of a configuration name may be on other disks: each such examination has a thread of its own and a
//! deadline, so that those do not stop what is done with the configuration file.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::change::Saved;
use super::requests::{Examined, Read};
use super::{Supervisor, transaction};
use crate::api::request::Refusal;
use crate::files::aside;

/// Jobs that wait for the disk.
const WAITING: usize = 32;
/// How long the end of the daemon waits for them.
const LAST_JOBS: Duration = Duration::from_secs(2);

/// How long files that checks name may take: whoever asks waits for ten seconds.
const EXAMINATION: Duration = Duration::from_secs(4);
/// Examinations whose files hang: beyond them, only configurations whose checks name no files are taken.
const HUNG: usize = 32;

type Job = Box<dyn FnOnce() -> Done + Send>;
/// What is found of the checks of a configuration.
pub(super) type Found = Result<(), Refusal>;
type Examination = (Box<dyn FnOnce(May) -> Found + Send>, Box<dyn FnOnce(Found) -> Examined + Send>);

/// Whether an examination may read files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Read,
    /// Too many have not ended.
    NotRead,
}

/// What the supervisor goes on with.
#[derive(Debug)]
pub(super) enum Done {
    /// The configuration file was read.
    Read(Read),
    /// A change by hand was written into it.
    Saved(Box<Saved>),
    /// The history of configurations has one more entry.
    Recorded(std::io::Result<()>),
    /// Whether the checks of a configuration can run here.
    Examined(Box<Examined>),
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
    examinations: mpsc::Sender<Examination>,
    done: mpsc::Receiver<Done>,
    /// Jobs whose end was not taken yet.
    waiting: usize,
}

impl Disk {
    pub(super) fn start() -> std::io::Result<Self> {
        let (jobs, taken) = sync_channel::<Job>(WAITING);
        let (sender, done) = mpsc::channel(WAITING);
        let (examinations, asked) = mpsc::channel(WAITING);
        tokio::spawn(examine(asked, sender.clone()));
        std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
            for job in taken {
                // Waits for the supervisor, which waits for nothing here; at the end there is none.
                if sender.blocking_send(job()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), examinations, done, waiting: 0 })
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

    /// Has the files of checks examined, in the order of these calls; without room that is dropped.
    pub(super) fn examine(
        &mut self,
        job: impl FnOnce(May) -> Found + Send + 'static,
        then: impl FnOnce(Found) -> Examined + Send + 'static,
    ) {
        let sent = self.examinations.try_send((Box::new(job), Box::new(then)));
        self.waiting += usize::from(sent.is_ok());
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
        self.examinations = mpsc::channel(1).0;
        let all = async { while self.done.recv().await.is_some() {} };
        let _: Result<(), _> = tokio::time::timeout(LAST_JOBS, all).await;
    }
}

/// One after the other: what was asked for last is put in force last.
async fn examine(mut asked: mpsc::Receiver<Examination>, done: mpsc::Sender<Done>) {
    let room = Arc::new(Semaphore::new(HUNG));
    while let Some((job, then)) = asked.recv().await {
        let found = match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => in_time(move || (job(May::Read), permit).0).await,
            Err(_) => job(May::NotRead),
        };
        if done.send(Done::Examined(Box::new(then(found)))).await.is_err() {
            return;
        }
    }
}

async fn in_time(job: impl FnOnce() -> Found + Send + 'static) -> Found {
    let no_thread = |error| Refusal::failed(format!("the files that checks name are not examined: {error}"));
    let found = aside("examine", job).map_err(no_thread)?;
    match tokio::time::timeout(EXAMINATION, found).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(Refusal::failed("the examination of checks failed by itself: this is a defect")),
        Err(_) => Err(Refusal::failed(format!(
            "a file that a check names was not read within {}s: its disk or server hangs",
            EXAMINATION.as_secs()
        ))),
    }
}

impl Supervisor {
    pub(super) async fn go_on(&mut self, done: Done) {
        match done {
            Done::Read(read) => self.examine_read(read),
            Done::Saved(saved) => self.was_saved(*saved),
            Done::Recorded(written) => transaction::recorded(&written),
            Done::Examined(examined) => self.examined(*examined).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::requests::Then;
    use super::*;
    use crate::api::request::ConfigText;
    use crate::history::Caller;

    fn then(found: Found) -> Examined {
        let text = ConfigText { name: String::new(), text: String::new() };
        Examined { text, found, then: Then::Reload((Caller::default(), "reload"), None) }
    }

    #[tokio::test]
    async fn an_examination_that_hangs_is_given_up_and_those_behind_it_come_in_their_order() {
        let mut disk = Disk::start().unwrap();
        let (goes_on, hangs) = std::sync::mpsc::channel::<()>();
        disk.examine(
            move |_| {
                _ = hangs.recv();
                Ok(())
            },
            then,
        );
        disk.examine(|_| Ok(()), then);
        let found = |done| match done {
            Done::Examined(examined) => examined.found.map_err(|refusal| refusal.message),
            _ => panic!("not an examination"),
        };
        let refused = found(disk.done().await).unwrap_err();
        assert!(refused.contains("not read within 4s"), "{refused}");
        assert_eq!(found(disk.done().await), Ok(()));
        drop(goes_on);
    }

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
