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

    /// Takes in the names of all links that there are: the main one of each, and its others. Those of a link that has
    /// vanished are remembered, since it may come back; unless another link has that name as its main one.
    pub fn learn_names<'n>(&mut self, links: impl IntoIterator<Item = (&'n str, &'n [String])>) {
        let links: BTreeMap<_, _> = links.into_iter().collect();
        let is_still = |other: &String, main: &String| {
            let its = links.get(main.as_str());
            !links.contains_key(other.as_str()) && its.is_none_or(|its| its.contains(other))
        };
        self.altnames.retain(|other, main| is_still(other, main));
        for (main, others) in links {
            self.altnames.extend(others.iter().map(|other| (other.clone(), main.to_owned())));
        }
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

    #[test]
    fn other_names_are_those_that_links_have_and_had_when_they_left() {
        let mut machine = Machine::default();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (both, one) = (names(&["front", "enp3s0f0"]), names(&["enp3s0f0"]));
        machine.learn_names([("eth0", &both[..]), ("eth1", &[])]);
        assert_eq!(machine.main_name("front"), "eth0");
        assert_eq!(machine.main_name("eth1"), "eth1");
        machine.learn_names([("eth1", &[][..])]);
        assert_eq!(machine.main_name("front"), "eth0", "its link may come back");
        machine.learn_names([("eth1", &[][..]), ("front", &[])]);
        assert_eq!(machine.main_name("front"), "front", "it is another link's main name");
        assert_eq!(machine.main_name("enp3s0f0"), "eth0");
        machine.learn_names([("eth0", &both[..])]);
        assert_eq!(machine.main_name("front"), "eth0");
        machine.learn_names([("eth0", &one[..])]);
        assert_eq!(machine.main_name("front"), "front", "its link has it no more");
        assert_eq!(machine.main_name("enp3s0f0"), "eth0");
        machine.learn_names([("lan0", &one[..])]);
        assert_eq!(machine.main_name("enp3s0f0"), "lan0", "the link has another main name");
        machine.learn_names([("eth0", &[][..]), ("lan0", &one[..])]);
        assert_eq!(machine.main_name("enp3s0f0"), "lan0", "another link has it now");
    }
}
