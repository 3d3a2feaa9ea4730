//! Files of TLS, which are read again at each reload, and while they cannot be used whenever a check is due that needs them.
//! Each is read by a thread of its own: a disk or a file server that hangs must not stop the thread of the checks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::{Semaphore, watch};

use super::{Client, Settings, Unusable};
use crate::config::health::Tls;
use crate::files::aside;
use crate::health::check::socket::of_the_node;
use crate::health::tracker::Outcome;

/// From one reading of files that could not be used to the next.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// Readings at a time: those that hang must not use up all threads.
const READINGS: usize = 32;

/// What of a check's TLS is in files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Files {
    /// Whether certificates are verified.
    pub verify: bool,
    /// Whom to trust; `None`: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// What the check shows of itself: certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// Whether there are any.
    pub(in crate::health::check) fn are_any(&self) -> bool {
        self.verify || self.client.is_some()
    }
}

impl From<&Tls> for Files {
    fn from(Tls { verify, ca, client, sni: _, warn_before: _ }: &Tls) -> Self {
        Self { verify: *verify, ca: ca.clone(), client: client.clone() }
    }
}

type Made = Result<Arc<ClientConfig>, Unusable>;

/// One set of files, and what was made of it.
#[derive(Debug)]
struct Shelf {
    files: Files,
    state: Mutex<State>,
    /// A reading has ended.
    ended: watch::Sender<()>,
    /// The room for readings of all shelves.
    readings: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    made: Option<Made>,
    /// The files may be others by now.
    is_stale: bool,
    is_under_way: bool,
    read: Option<Instant>,
}

/// All sets of files of a configuration: thousands of backends share few.
#[derive(Debug)]
pub(in crate::health::check) struct Store {
    shelves: HashMap<Files, Weak<Shelf>>,
    readings: Arc<Semaphore>,
}

impl Default for Store {
    fn default() -> Self {
        Self { shelves: HashMap::new(), readings: Arc::new(Semaphore::new(READINGS)) }
    }
}

/// The checks' side of TLS, as one check is configured, once its files are read.
#[derive(Debug, Clone)]
pub struct Shelved {
    shelf: Arc<Shelf>,
    tls: Arc<Tls>,
}

impl Store {
    /// From now on, files are read anew. What was made of them before is in use until that has ended.
    pub(in crate::health::check) fn begin(&mut self) {
        self.shelves.retain(|_, shelf| match shelf.upgrade() {
            Some(shelf) => {
                shelf.state().is_stale = true;
                true
            }
            None => false,
        });
    }

    pub(in crate::health::check) fn client(&mut self, tls: &Arc<Tls>) -> Shelved {
        let files = Files::from(&**tls);
        let shelf = self.shelves.get(&files).and_then(Weak::upgrade).unwrap_or_else(|| {
            let state = State { made: None, is_stale: true, is_under_way: false, read: None };
            let (state, readings) = (Mutex::new(state), Arc::clone(&self.readings));
            let shelf = Shelf { files: files.clone(), state, ended: watch::Sender::new(()), readings };
            let shelf = Arc::new(shelf);
            self.shelves.insert(files, Arc::downgrade(&shelf));
            shelf
        });
        Shelved { shelf, tls: Arc::clone(tls) }
    }
}

impl Shelved {
    /// Waits for files that are read for the first time.
    pub(in crate::health::check) async fn client(&self) -> Result<Client, Outcome> {
        let config = self.shelf.config().await?;
        Ok(Client { config, sni: self.tls.sni.clone(), warn_before: self.tls.warn_before })
    }
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, Outcome> {
        let mut ended = self.ended.subscribe();
        loop {
            self.read_if_due(crate::clock::now())?;
            {
                let state = self.state();
                match &state.made {
                    Some(Ok(config)) => return Ok(Arc::clone(config)),
                    Some(Err(unusable)) if !state.is_under_way => return Err(Outcome::cannot_run(unusable)),
                    Some(Err(_)) | None => {}
                }
            }
            // The sender is in this shelf.
            let _: Result<(), _> = ended.changed().await;
        }
    }

    fn read_if_due(self: &Arc<Self>, now: Instant) -> Result<(), Outcome> {
        let mut state = self.state();
        let is_late = |at: Instant| now.saturating_duration_since(at) >= READ_AGAIN;
        let is_tried_again = matches!(state.made, Some(Err(_))) && state.read.is_none_or(is_late);
        if state.is_under_way || !(state.is_stale || is_tried_again) {
            return Ok(());
        }
        let Ok(permit) = Arc::clone(&self.readings).try_acquire_owned() else {
            return Err(Outcome::not_run("too many files of TLS are being read: their disk or server hangs"));
        };
        let shelf = Arc::clone(self);
        let reading = move || {
            shelf.put(Settings::default().config(&shelf.files));
            drop(permit);
        };
        if let Err(error) = aside("tls files", reading) {
            let of_the_node = of_the_node(&error);
            return Err(of_the_node.unwrap_or_else(|| Outcome::not_run(error)));
        }
        (state.is_stale, state.is_under_way, state.read) = (false, true, Some(now));
        Ok(())
    }

    fn put(&self, made: Made) {
        let mut state = self.state();
        (state.made, state.is_under_way) = (Some(made), false);
        drop(state);
        self.ended.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::health::tracker::Verdict;

    fn tls(ca: &Path, sni: &str) -> Arc<Tls> {
        let (ca, sni) = (Some(ca.to_owned()), Some(sni.to_owned()));
        Arc::new(Tls { sni, verify: true, ca, client: None, warn_before: Duration::ZERO })
    }

    fn certificate(path: &Path) {
        let key = path.with_extension("key");
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                "/CN=ca",
            ])
            .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), path.as_os_str()])
            .output()
            .unwrap();
        assert!(made.status.success());
    }

    #[tokio::test]
    async fn files_that_could_not_be_used_are_read_again_and_those_in_use_go_on_meanwhile() {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let ca = dir.join("ca.pem");
        let mut store = Store::default();
        let [one, other] = ["a.example", "b.example"].map(|sni| store.client(&tls(&ca, sni)));
        assert!(Arc::ptr_eq(&one.shelf, &other.shelf), "names need no reading of their own");
        let outcome = one.client().await.unwrap_err();
        assert_eq!(outcome.verdict, Verdict::CannotRun);
        assert!(outcome.said.contains("ca.pem: not found"), "{}", outcome.said);
        certificate(&ca);
        assert!(one.client().await.is_err(), "not more often than once a second");
        let read_again = async {
            while one.client().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read_again).await.expect("the file is there by now");
        store.begin();
        one.shelf.state().is_under_way = true;
        assert!(one.client().await.is_ok(), "a reading that hangs keeps no check from running");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn readings_that_hang_take_so_many_threads_and_no_more() {
        let mut store = Store::default();
        let client = store.client(&tls(Path::new("/nowhere/ca.pem"), "a.example"));
        let all = client.shelf.readings.clone().try_acquire_many_owned(u32::try_from(READINGS).unwrap());
        assert_eq!(client.client().await.unwrap_err().verdict, Verdict::NotRun);
        drop(all);
        assert_eq!(client.client().await.unwrap_err().verdict, Verdict::CannotRun);
    }
}
