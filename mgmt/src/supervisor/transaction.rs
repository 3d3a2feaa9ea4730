//! A configuration as a transaction: put in force, confirmed or taken back, and remembered.

use std::future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::Supervisor;
use super::disk::{Done, Found};
use super::requests::reply;
use crate::api::request::{ConfigText, Refusal, Reply};
use crate::api::view;
use crate::compile::conflicts;
use crate::config::{self, Config};
use crate::health::check::file::Watched;
use crate::history::{Caller, Entry, History, Writing};

/// What was put in force, and what waits to be confirmed.
#[derive(Debug)]
pub(super) struct Transaction {
    history: History,
    /// The number of the one in force.
    in_force: u64,
    /// The number of the one before.
    before: Option<u64>,
    pending: Option<Pending>,
    /// Who has which name.
    users: Arc<Watched>,
}

/// How long an answer waits for the names of users.
const LOOK_UP: Duration = Duration::from_secs(2);
/// What is read of them.
const USERS: usize = 4 << 20;

/// A configuration that is taken back unless it is confirmed.
#[derive(Debug)]
struct Pending {
    deadline: Instant,
    name: String,
    /// What is put back, its number, and that of the one before it.
    before: (Box<Config>, u64, Option<u64>),
}

impl Transaction {
    /// At the start, with the file that was read.
    pub(super) fn begin(config: &Config, name: String, text: String) -> Self {
        let history = History::open(&config.node.state_dir.join("history"));
        let mut latest = history.entries().iter().rev();
        let last = latest.next();
        let is_same = last.is_some_and(|last| last.text == text);
        let (in_force, before) =
            (last.map_or(0, |last| last.number), latest.next().map(|entry| entry.number));
        let users = Arc::new(Watched::up_to(Path::new("/etc/passwd"), USERS));
        let mut transaction = Self { history, in_force, before, pending: None, users };
        if !is_same {
            let writing = transaction.record(Caller::default(), "start", ConfigText { name, text });
            recorded(&writing.write());
        }
        transaction
    }

    /// What is in force now; and what is to be written of it.
    #[must_use]
    fn record(
        &mut self,
        by: Caller,
        how: impl Into<String>,
        ConfigText { name, text }: ConfigText,
    ) -> Writing {
        let how = how.into();
        tracing::info!(event = "configuration", how, name, uid = by.uid, "in force is now");
        let at = crate::clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (number, writing) = self.history.add(Entry { number: 0, at, by, how, name, text });
        self.before = Some(self.in_force).filter(|number| *number > 0);
        self.in_force = number;
        writing
    }

    /// When something has to be taken back; never, if nothing waits.
    pub(super) async fn due(&self) {
        match &self.pending {
            Some(pending) => tokio::time::sleep_until(pending.deadline.into()).await,
            None => future::pending().await,
        }
    }

    /// Nothing else is put in force while something waits: what would be taken back then?
    fn refuse_while_pending(&self) -> Result<(), Refusal> {
        match &self.pending {
            None => Ok(()),
            Some(Pending { name, .. }) => Err(Refusal::conflict(format!(
                "{name} waits to be confirmed: `penstock confirm` keeps it, `penstock rollback` takes it back"
            ))),
        }
    }

    fn seconds_left(&self) -> Option<u64> {
        let pending = self.pending.as_ref()?;
        Some(pending.deadline.saturating_duration_since(crate::clock::now()).as_secs())
    }
}

/// It is in the memory of the daemon in any case.
pub(super) fn recorded(written: &std::io::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(%error, "the history of configurations cannot be written, and ends with the daemon");
    }
}

impl Supervisor {
    fn record(&mut self, by: Caller, how: impl Into<String>, text: ConfigText) {
        let writing = self.transaction.record(by, how, text);
        match self.disk.has_room() {
            Ok(()) => self.disk.run(move || Done::Recorded(writing.write())),
            Err(busy) => recorded(&Err(std::io::Error::other(busy))),
        }
    }

    pub(super) async fn apply(
        &mut self,
        text: &ConfigText,
        confirm: Option<Duration>,
        (caller, how): (Caller, &str),
        checks: Found,
    ) -> Result<view::Planned, Refusal> {
        self.transaction.refuse_while_pending()?;
        let mut planned = self.plan_without_forecast(text)?;
        if !planned.plan.needs_restart.is_empty() {
            return Err(Refusal::needs_restart(&text.name, &planned.plan.needs_restart));
        }
        let (config, _) = self.read(text)?;
        checks?;
        let mut conflicts = conflicts(&config, self.netlink.state());
        conflicts.extend(self.hidden_tags(&config));
        if !conflicts.is_empty() {
            return Err(Refusal::conflicts(&text.name, &conflicts));
        }
        let before = (Box::new(self.config.clone()), self.transaction.in_force, self.transaction.before);
        self.put_in_force(config).await?;
        for change in &planned.plan.changes {
            tracing::info!(event = "configuration", change, "configuration");
        }
        if !planned.plan.is_empty() || confirm.is_some() {
            self.record(caller, how, text.clone());
        }
        if let Some(time) = confirm {
            // A time that no clock reaches is never over.
            let deadline = crate::clock::now().checked_add(time);
            let name = text.name.clone();
            self.transaction.pending = deadline.map(|deadline| Pending { deadline, name, before });
            planned.confirm_within_seconds = Some(time.as_secs());
            tracing::info!(
                event = "configuration",
                seconds = time.as_secs(),
                "is taken back unless it is confirmed"
            );
        }
        planned.config_generation = self.config_generation;
        Ok(planned)
    }

    pub(super) fn confirm(&mut self, caller: Caller) -> Result<view::Confirmed, Refusal> {
        let nothing =
            || Refusal::conflict("nothing waits to be confirmed: `penstock history` has what happened");
        let Pending { name, .. } = self.transaction.pending.take().ok_or_else(nothing)?;
        tracing::info!(event = "configuration", name, uid = caller.uid, "configuration confirmed");
        Ok(view::Confirmed { number: self.transaction.in_force, name })
    }

    /// Nobody has confirmed in time.
    pub(super) async fn take_back(&mut self) {
        match self.put_back(Caller::default(), "not confirmed").await {
            Ok(_) => tracing::warn!(
                event = "configuration",
                "the configuration was not confirmed in time, and was taken back"
            ),
            Err(refusal) => tracing::error!("{}", refusal.message),
        }
    }

    /// What waits to be confirmed is taken back at once; else the one before, or the one that is asked for.
    pub(super) async fn rollback(
        &mut self,
        to: Option<u64>,
        caller: Caller,
    ) -> Result<view::Planned, Refusal> {
        if self.transaction.pending.is_some() {
            return match to {
                None => self.put_back(caller, "rollback").await,
                Some(_) => Err(Refusal::conflict(
                    "something waits to be confirmed: `penstock rollback` without a number takes it back first",
                )),
            };
        }
        let none =
            || Refusal::conflict("there is no configuration before this one: `penstock history` lists them");
        let number = to.or(self.transaction.before).ok_or_else(none)?;
        let missing = || {
            Refusal::not_found(format!("there is no configuration {number}: `penstock history` lists them"))
        };
        let entry = self.transaction.history.get(number).ok_or_else(missing)?;
        let text = ConfigText { name: entry.name.clone(), text: entry.text.clone() };
        let how = format!("rollback to {number}");
        // A rollback is for emergencies, and checks that cannot run leave their backends as they are.
        self.apply(&text, None, (caller, &how), Ok(())).await
    }

    async fn put_back(&mut self, caller: Caller, why: &str) -> Result<view::Planned, Refusal> {
        let gone = || Refusal::conflict("nothing waits to be confirmed");
        let Pending { before: (config, number, earlier), .. } =
            self.transaction.pending.take().ok_or_else(gone)?;
        let plan = config::plan::plan(&self.config, &config);
        self.put_in_force(*config).await?;
        for change in &plan.changes {
            tracing::info!(event = "configuration", change, "configuration");
        }
        if let Some(entry) = self.transaction.history.get(number) {
            let text = ConfigText { name: entry.name.clone(), text: entry.text.clone() };
            self.record(caller, format!("{why}: back to {number}"), text);
        }
        // What was not wanted is nothing to go back to.
        self.transaction.before = earlier;
        let (config_generation, diagnostics) = (self.config_generation, Vec::new());
        Ok(view::Planned {
            plan,
            config_generation,
            diagnostics,
            forecast: None,
            confirm_within_seconds: None,
        })
    }

    /// With the names of users, if the disk has them soon.
    pub(super) fn answer_history(&self, to: Reply<Vec<view::Applied>>) {
        let (mut entries, users) = (self.history(), Arc::clone(&self.transaction.users));
        tokio::spawn(async move {
            let users = tokio::time::timeout(LOOK_UP, users.read()).await;
            let users = users.ok().and_then(Result::ok).unwrap_or_default();
            for entry in &mut entries {
                entry.user = entry.uid.and_then(|uid| user_name(&users, uid));
            }
            reply(to, Ok(entries));
        });
    }

    fn history(&self) -> Vec<view::Applied> {
        let Transaction { history, in_force, .. } = &self.transaction;
        let view = |entry: &Entry| {
            let is_in_force = entry.number == *in_force;
            view::Applied {
                number: entry.number,
                at: humantime::format_rfc3339_seconds(entry.time()).to_string(),
                uid: entry.by.uid,
                user: None,
                how: entry.how.clone(),
                name: entry.name.clone(),
                in_force: is_in_force,
                confirm_within_seconds: self.transaction.seconds_left().filter(|_| is_in_force),
            }
        };
        history.entries().iter().map(view).collect()
    }

    pub(super) fn history_text(&self, number: u64) -> Result<String, Refusal> {
        let missing = || {
            Refusal::not_found(format!("there is no configuration {number}: `penstock history` lists them"))
        };
        self.transaction.history.get(number).map(|entry| entry.text.clone()).ok_or_else(missing)
    }
}

/// From the text of `/etc/passwd` (passwd(5)).
fn user_name(users: &str, uid: u32) -> Option<String> {
    let mut lines = users.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0:root:/x:/bin/sh\nbroken\nalice:x:1000:1000::/x:/bin/sh\n";
        assert_eq!(user_name(users, 1000).as_deref(), Some("alice"));
        assert_eq!(user_name(users, 1), None);
    }

    #[test]
    fn a_restart_with_the_same_file_is_no_other_configuration() {
        let dir = crate::api::fake::fresh_dir();
        let text = format!("[node]\nstate_dir = \"{}\"\n[[interface]]\nname = \"eth0\"\n", dir.display());
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        let config = load_str("lb.toml", &text, &machine).unwrap().0;
        let begin = |text: &str| Transaction::begin(&config, "lb.toml".to_owned(), text.to_owned());
        let first = begin(&text);
        assert_eq!((first.in_force, first.before), (1, None));
        let again = begin(&text);
        assert_eq!((again.in_force, again.before, again.history.entries().len()), (1, None, 1));
        let other = begin("# other");
        assert_eq!((other.in_force, other.before), (2, Some(1)));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
