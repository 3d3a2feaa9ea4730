//! Huge pages for the flow table, memory that may be locked, and descriptors.

use dataplane::HugePages;

use super::{Finding, Sight};
use crate::config::{Config, Dataplane};
use crate::health::room;

/// `dataplane/src/flow` says what for.
const BYTES_PER_FLOW: u64 = 86;

/// What each worker has of the table in hand, at most.
const BYTES_PER_WORKER: u64 = 1 << 20;

pub(super) fn examine(sight: &Sight, dataplane: &Dataplane) -> Vec<Finding> {
    let mut findings = vec![huge_pages(sight, dataplane), locked(sight)];
    findings.extend(room(sight, dataplane));
    findings
}

/// The table is in memory from the start.
fn room(sight: &Sight, dataplane: &Dataplane) -> Option<Finding> {
    let available = memory(sight, "MemAvailable")?;
    let needed = dataplane.flows as u64 * BYTES_PER_FLOW / 1024;
    let is_running = daemons(sight).next().is_some();
    (needed > available && dataplane.huge_pages != HugePages::Require && !is_running).then(|| {
        Finding::problem(
            "memory",
            format!("{} MiB are available, the flow table takes {}", available / 1024, needed / 1024),
            "a smaller number of `flows` in [dataplane]",
        )
    })
}

fn huge_pages(sight: &Sight, dataplane: &Dataplane) -> Finding {
    const WHAT: &str = "huge pages";
    let of = |name| memory(sight, name);
    let free = of("HugePages_Free").unwrap_or(0);
    let needed = needed(sight, dataplane);
    let held = held(sight);
    let found = match held {
        0 => format!("{free} free, the flow table takes {needed}"),
        held => format!("{free} free, penstockd has {held}, the flow table takes {needed}"),
    };
    let free = free + held;
    let total = of("HugePages_Total").unwrap_or(0) + needed.saturating_sub(free);
    let advice = format!("sysctl vm.nr_hugepages={total}, early after boot");
    match dataplane.huge_pages {
        HugePages::Off => Finding::ok(WHAT, "not asked for"),
        _ if free >= needed => Finding::ok(WHAT, found),
        HugePages::Auto => Finding::advice(WHAT, found, advice),
        HugePages::Require => Finding::problem(WHAT, found, advice),
    }
}

/// How many of its huge pages the flow table takes.
pub(super) fn needed(sight: &Sight, dataplane: &Dataplane) -> u64 {
    let size = memory(sight, "Hugepagesize").filter(|size| *size > 0).unwrap_or(2048) * 1024;
    (dataplane.flows as u64 * BYTES_PER_FLOW + dataplane.cores.len() as u64 * BYTES_PER_WORKER).div_ceil(size)
}

/// The numbers of daemons that run.
fn daemons(sight: &Sight) -> impl Iterator<Item = String> {
    let is_daemon =
        |process: &String| sight.text(&format!("/proc/{process}/comm")).as_deref() == Some("penstockd");
    let processes =
        sight.names("/proc").into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    processes.filter(is_daemon)
}

/// How many a daemon that runs has already.
fn held(sight: &Sight) -> u64 {
    let kilobytes = daemons(sight)
        .filter_map(|process| line_of(&sight.text(&format!("/proc/{process}/status"))?, "HugetlbPages"));
    kilobytes.sum::<u64>() / memory(sight, "Hugepagesize").filter(|size| *size > 0).unwrap_or(2048)
}

/// A line of `/proc/meminfo`.
fn memory(sight: &Sight, name: &str) -> Option<u64> {
    line_of(&sight.text("/proc/meminfo")?, name)
}

fn line_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The words of a line of `/proc/self/limits`: the soft limit, the hard one, and the unit.
fn limit(sight: &Sight, name: &str) -> Vec<String> {
    let limits = sight.text("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

/// Descriptors that the daemon has open besides those of checks, as a rule.
const OPEN: usize = 100;

/// Each check that runs has a socket, and all of them may run at the same time where backends hang.
pub(super) fn descriptors(sight: &Sight, config: &Config) -> Finding {
    const WHAT: &str = "descriptors";
    let backends = config.services.iter().flat_map(|service| &service.backends);
    let checks = backends.filter_map(|backend| Some(backend.health.as_ref()?.checks.len())).sum();
    let needed = room::needed(checks, OPEN);
    // The daemon raises the soft limit.
    let hard = limit(sight, "Max open files").into_iter().nth(1).unwrap_or_default();
    let of_checks = format!("{hard} at most in this shell, for {checks} checks");
    match hard.parse::<usize>() {
        Ok(hard) if hard < needed => Finding::advice(
            WHAT,
            of_checks,
            format!(
                "LimitNOFILE={needed} in the unit, in a shell ulimit -Hn {needed}: with fewer, checks wait for each \
                 other where backends hang"
            ),
        ),
        Ok(_) | Err(_) => Finding::ok(WHAT, of_checks),
    }
}

/// Rings and frames of AF_XDP are locked memory.
fn locked(sight: &Sight) -> Finding {
    const WHAT: &str = "memlock";
    match limit(sight, "Max locked memory").first().map(String::as_str) {
        Some("unlimited") => Finding::ok(WHAT, "unlimited"),
        found => Finding::advice(
            WHAT,
            format!("{} bytes in this shell", found.unwrap_or("unknown")),
            "LimitMEMLOCK=infinity in the unit, as in configs/penstockd.service; in a shell: ulimit -l unlimited",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{Advice, Ok, Problem};
    use super::*;
    use crate::config::{Machine, load_str};

    #[test]
    fn the_table_has_to_fit_into_the_pages_that_are_free() {
        let dataplane = |keys: &str| {
            let text = format!("[dataplane]\nflows = 1_000_000\n{keys}\n[[interface]]\nname = \"eth0\"\n");
            let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
            load_str("lb.toml", &text, &machine).unwrap().0.dataplane
        };
        let info = |free: u32| {
            format!("MemTotal: 1 kB\nHugePages_Total: 50\nHugePages_Free: {free}\nHugepagesize: 2048 kB\n")
        };
        let with =
            |free, keys: &str| huge_pages(&Sight::of(&[("/proc/meminfo", &info(free))]), &dataplane(keys));
        assert_eq!(with(43, "").state, Ok);
        assert_eq!(with(42, "").state, Advice);
        assert_eq!(with(41, "hugepages = \"require\"").state, Problem);
        assert_eq!(with(41, "").advice, "sysctl vm.nr_hugepages=52, early after boot");
        assert_eq!(with(0, "hugepages = \"off\"").state, Ok);
    }

    #[test]
    fn what_the_daemon_has_already_counts_as_free() {
        let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
        let text = "[dataplane]\nflows = 65_536\n[[interface]]\nname = \"eth0\"\n";
        let dataplane = load_str("lb.toml", text, &machine).unwrap().0.dataplane;
        let sight = Sight::of(&[
            ("/proc/meminfo", "HugePages_Total: 4\nHugePages_Free: 0\nHugepagesize: 2048 kB\n"),
            ("/proc/77/comm", "penstockd\n"),
            ("/proc/77/status", "Name: penstockd\nHugetlbPages:\t    8192 kB\n"),
            ("/proc/78/comm", "other\n"),
            ("/proc/78/status", "Name: other\nHugetlbPages:\t    8192 kB\n"),
        ]);
        let found = huge_pages(&sight, &dataplane);
        assert_eq!(
            (found.state, found.found.as_str()),
            (Ok, "0 free, penstockd has 4, the flow table takes 4")
        );
    }

    #[test]
    fn descriptors_have_to_suffice_for_all_checks_at_once() {
        let with = |hard: &str, checks: usize| {
            let mut text = String::from(
                "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
                 port = 80\nmode = \"router\"\nhealth = { check = \"tcp\" }\n",
            );
            for n in 0..checks {
                text += &format!("[[service.backend]]\naddress = \"10.1.{}.{}\"\n", n / 250, n % 250 + 1);
            }
            let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
            let (config, _) = load_str("lb.toml", &text, &machine).unwrap();
            let limits = format!("Limit  Soft Limit\nMax open files            100   {hard}   files\n");
            descriptors(&Sight::of(&[("/proc/self/limits", &limits)]), &config)
        };
        assert_eq!([with("1024", 3).state, with("524288", 200).state], [Ok, Ok]);
        assert_eq!(with("unlimited", 200).state, Ok);
        let few = with("256", 200);
        assert_eq!(few.state, Advice);
        assert_eq!(few.found, "256 at most in this shell, for 200 checks");
        assert!(few.advice.starts_with("LimitNOFILE=428 in the unit"), "{}", few.advice);
    }

    #[test]
    fn the_table_has_to_fit_into_memory() {
        let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
        let text = "[dataplane]\nflows = 1_000_000\n[[interface]]\nname = \"eth0\"\n";
        let dataplane = load_str("lb.toml", text, &machine).unwrap().0.dataplane;
        let with = |files: &[(&str, &str)]| room(&Sight::of(files), &dataplane).map(|finding| finding.state);
        assert_eq!(with(&[("/proc/meminfo", "MemAvailable: 84000 kB\n")]), None);
        assert_eq!(with(&[("/proc/meminfo", "MemAvailable: 83000 kB\n")]), Some(Problem));
        let running = [("/proc/meminfo", "MemAvailable: 83000 kB\n"), ("/proc/77/comm", "penstockd\n")];
        assert_eq!(with(&running), None, "it has its table");
    }

    #[test]
    fn the_limit_of_locked_memory_is_read() {
        let limits = |limit: &str| {
            let text = format!("Limit  Soft Limit\nMax locked memory         {limit}   {limit}   bytes\n");
            locked(&Sight::of(&[("/proc/self/limits", &text)])).state
        };
        assert_eq!([limits("unlimited"), limits("8388608")], [Ok, Advice]);
    }
}
