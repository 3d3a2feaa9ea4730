//! What the checks have to know of the machine, and nothing else reads from it.

use std::collections::BTreeMap;
use std::fs;

use dataplane::limits::MAX_WORKERS;

use crate::net::altnames;

/// What a configuration is checked against and takes defaults from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// How many cores there are; they are counted from 0.
    pub cores: usize,
    /// The default of `node.name`.
    pub hostname: String,
    /// Other names of interfaces, each with the main name. One that is not known stands for itself.
    pub altnames: BTreeMap<String, String>,
}

impl Machine {
    /// The kernel's main name of an interface that has this name.
    #[must_use]
    pub fn main_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.altnames.get(name).map_or(name, String::as_str)
    }

    /// Takes other names of interfaces in. Those of an interface that has vanished are remembered: it may come back.
    pub fn learn_altnames<'n>(&mut self, names: impl Iterator<Item = (&'n str, &'n str)>) {
        self.altnames.extend(names.map(|(other, main)| (other.to_owned(), main.to_owned())));
    }

    /// The machine that this runs on.
    #[must_use]
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let hostname = read("/proc/sys/kernel/hostname").trim().to_owned();
        let cores = last_of(&read("/sys/devices/system/cpu/present")).map(|last| last + 1);
        // Counts only the cores that this process may run on: good enough where there is no sysfs.
        let allowed = || std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cores: cores.unwrap_or_else(allowed),
            hostname: if hostname.is_empty() { "localhost".to_owned() } else { hostname },
            // Without netlink no name is known: the kernel's own are used then.
            altnames: altnames().unwrap_or_default(),
        }
    }

    /// The default of `dataplane.cores`: every core but the first, which is left to Linux and to the
    /// management thread.
    #[must_use]
    pub fn default_cores(&self) -> Vec<usize> {
        match self.cores {
            0 | 1 => vec![0],
            cores => (1..cores).take(MAX_WORKERS).collect(),
        }
    }
}

/// The last number of a list like `0-3,8-11`.
fn last_of(list: &str) -> Option<usize> {
    list.trim().rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_core_counts() {
        assert_eq!(last_of("0-3\n"), Some(3));
        assert_eq!(last_of("0"), Some(0));
        assert_eq!(last_of("0-3,8-11"), Some(11));
        assert_eq!(last_of(""), None);
    }

    #[test]
    fn this_machine_has_a_core_and_a_name() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && !machine.hostname.is_empty());
    }
}
