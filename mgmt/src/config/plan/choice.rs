//! What would change of a service's choice among its backends.

use std::path::PathBuf;

use super::Changes;
use crate::config::{Choice, Persistence, backend_name, read};

pub(super) fn choice(changes: &mut Changes, name: impl Fn(&str) -> String, old: &Choice, new: &Choice) {
    let [before, after] = [old, new].map(|c| read::hash_on_word(c.hash_on));
    changes.field(&name("hash_on"), before, after);
    changes.field(&name("hash_fallback"), old.fallback, new.fallback);
    changes.field(&name("group_minimum"), old.group_minimum, new.group_minimum);
    changes.field(&name("quorum"), old.quorum.weight, new.quorum.weight);
    changes.field(&name("hysteresis"), old.quorum.hysteresis, new.quorum.hysteresis);
    changes.field(&name("notify"), file(&old.notify), file(&new.notify));
    let backup = |choice: &Choice| {
        choice.backup.map_or_else(|| "none".to_owned(), |backup| backend_name(backup.address, backup.port))
    };
    changes.field(&name("backup"), backup(old), backup(new));
    let [before, after] = [old, new].map(|c| humantime::format_duration(c.slow_start));
    changes.field(&name("slow_start"), before, after);
    changes.field(&name("persistence"), persistence(old), persistence(new));
    let [before, after] = [old, new].map(|c| read::on_failure_word(c.on_failure));
    changes.field(&name("on_backend_failure"), before, after);
    changes.field(&name("drain"), drain(old), drain(new));
}

fn file(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string())
}

fn persistence(choice: &Choice) -> String {
    let Some(Persistence { timeout, masks: (v4, v6), group }) = &choice.persistence else {
        return "off".to_owned();
    };
    let group = group.as_ref().map(|group| format!(", group {group}")).unwrap_or_default();
    format!("{}, /{v4} and /{v6}{group}", humantime::format_duration(*timeout))
}

fn drain(choice: &Choice) -> String {
    let then = read::then_word(choice.drain.then);
    match choice.drain.deadline {
        Some(deadline) => format!("{}, then {then}", humantime::format_duration(deadline)),
        None => "no deadline".to_owned(),
    }
}
