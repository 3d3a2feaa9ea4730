//! An interface that carries packets of services: its driver, its queues, their interrupts, and what else works on its
//! packets.

use dataplane::XdpPreference;
use dataplane::limits::{MAX_MTU, MAX_QUEUES};

use super::{Finding, Sight, list, listed, tags, virtio};
use crate::config::{Config, Interface, Machine};
use crate::net::NetState;

/// Drivers with native XDP, and whether they give workers frames without a copy (kernel 6.1).
const DRIVERS: &[(&str, bool)] = &[
    ("i40e", true),
    ("ice", true),
    ("igb", false),
    ("igc", true),
    ("ixgbe", true),
    ("mlx5_core", true),
    ("stmmac", true),
    ("bnxt_en", false),
    ("ena", false),
    ("mlx4_en", false),
    ("nfp", true),
    ("qede", false),
    ("sfc", false),
    ("vmxnet3", false),
    ("hv_netvsc", false),
    ("veth", false),
];

pub(super) fn examine(
    sight: &Sight,
    interface: &Interface,
    (config, machine): (&Config, &Machine),
    net: &NetState,
) -> Vec<Finding> {
    let name = &interface.name;
    let what = |kind: &str| format!("{kind} {name}");
    if !sight.is_there(&format!("/sys/class/net/{name}")) {
        let all_names = |name: String| net.link(&name).map_or(name, crate::net::Link::names);
        let there: Vec<_> = sight.names("/sys/class/net").into_iter().map(all_names).collect();
        let there = there.join(", ");
        return vec![Finding::problem(
            what("interface"),
            format!("is not there; there are {there}"),
            "correct [[interface]] name, or create it",
        )];
    }
    let cores = &config.dataplane.cores;
    let mut findings = vec![
        link(sight, name, what("link")),
        driver(sight, name, what("driver")),
        queues(sight, name, (cores, *cores == machine.default_cores()), what("queues")),
        rp_filter(sight, name, what("rp_filter")),
    ];
    findings.extend(mtu(sight, name, what("mtu")));
    findings.extend(preference(sight, interface, what("xdp")));
    findings.extend(interrupts(sight, name, cores, what("interrupts")));
    findings.extend(numa(sight, name, cores, what("numa")));
    findings.extend(tags::examine(sight, interface, (config, net), what("rxvlan")));
    findings
}

/// A frame has to fit into a chunk of the workers' memory.
fn mtu(sight: &Sight, name: &str, what: String) -> Option<Finding> {
    let mtu = sight.number(&format!("/sys/class/net/{name}/mtu"))?;
    Some(match mtu {
        mtu if mtu <= MAX_MTU as u64 => Finding::ok(what, mtu.to_string()),
        mtu => Finding::problem(
            what,
            format!("{mtu}, packets of at most {MAX_MTU} fit"),
            format!("ip link set dev {name} mtu 1500, and the same on the hosts of its segment"),
        ),
    })
}

/// Zero-copy where it cannot be had keeps the daemon from starting.
fn preference(sight: &Sight, interface: &Interface, what: String) -> Option<Finding> {
    let driver = sight.link(&format!("/sys/class/net/{}/device/driver", interface.name));
    let has_it = driver.as_ref().is_some_and(|driver| {
        driver == virtio::NAME || DRIVERS.iter().all(|(known, zero_copy)| known != driver || *zero_copy)
    });
    (interface.xdp == XdpPreference::ZeroCopy && !has_it).then(|| {
        let driver = driver.unwrap_or_else(|| "a virtual interface".to_owned());
        Finding::problem(
            what,
            format!("zero-copy is wanted, and {driver} has none"),
            "xdp = \"auto\" in its [[interface]]",
        )
    })
}

fn link(sight: &Sight, name: &str, what: String) -> Finding {
    match sight.text(&format!("/sys/class/net/{name}/operstate")).as_deref() {
        // Virtual ones do not know.
        Some(state @ ("up" | "unknown")) => Finding::ok(what, state),
        state => {
            let advice = format!("ip link set dev {name} up, and look at the cable");
            Finding::problem(what, state.unwrap_or("not known"), advice)
        }
    }
}

fn driver(sight: &Sight, name: &str, what: String) -> Finding {
    let Some(driver) = sight.link(&format!("/sys/class/net/{name}/device/driver")) else {
        if (sight.device)(name).is_veth {
            return Finding::advice(
                what,
                "veth: native XDP, frames are copied, and workers finish the checksums that the other end leaves to a NIC",
                "for containers and tests: a NIC's own driver is far faster",
            );
        }
        return Finding::advice(what, "a virtual interface", "for tests: a NIC's own driver is far faster");
    };
    if driver == virtio::NAME {
        return virtio::driver(sight, name, what);
    }
    match DRIVERS.iter().find(|(known, _)| *known == driver) {
        Some((_, true)) => Finding::ok(what, format!("{driver}: native XDP, zero-copy")),
        Some((_, false)) => Finding::advice(
            what,
            format!("{driver}: native XDP, frames are copied"),
            "a NIC with zero-copy carries several times as much: i40e, ice, ixgbe, mlx5",
        ),
        None => Finding::advice(
            what,
            format!("{driver}: not known"),
            "penstock interfaces shows how it is driven: generic XDP costs nine tenths of the rate",
        ),
    }
}

/// Each worker needs a queue on each interface, and each queue a worker.
fn queues(sight: &Sight, name: &str, (cores, are_default): (&[usize], bool), what: String) -> Finding {
    let names = sight.names(&format!("/sys/class/net/{name}/queues"));
    let listed = names.iter().filter(|name| name.starts_with("rx-")).count();
    let (queues, workers) = ((sight.device)(name).queues.unwrap_or(listed), cores.len());
    let found = format!("{queues} for {workers} workers");
    match queues {
        queues if queues == workers => Finding::ok(what, found),
        queues if queues > MAX_QUEUES => Finding::problem(
            what,
            format!("{queues}, at most {MAX_QUEUES} are possible"),
            format!("ethtool -L {name} combined {workers}"),
        ),
        // Of the default as many start as there are queues for.
        queues if queues < workers && !are_default => Finding::problem(
            what,
            found,
            format!(
                "ethtool -L {name} combined {workers}, or name at most {queues} cores in [dataplane] cores"
            ),
        ),
        queues if queues < workers => Finding::advice(
            what,
            found,
            format!(
                "ethtool -L {name} combined {workers}, or list fewer cores: a worker without a queue has nothing to do"
            ),
        ),
        _ => Finding::advice(
            what,
            found,
            format!(
                "ethtool -L {name} combined {workers}: a worker with several queues is the first to be full"
            ),
        ),
    }
}

/// Strict filtering drops the replies to checks where the way there is another than the way back.
fn rp_filter(sight: &Sight, name: &str, what: String) -> Finding {
    let of = |name: &str| sight.number(&format!("/proc/sys/net/ipv4/conf/{name}/rp_filter")).unwrap_or(0);
    match of(name).max(of("all")) {
        1 => Finding::advice(
            what,
            "strict",
            format!(
                "sysctl net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{name}.rp_filter=2, where packets come another way than they go"
            ),
        ),
        0 => Finding::ok(what, "off"),
        _ => Finding::ok(what, "loose"),
    }
}

/// Those of the queues should be served by the cores of the workers, where the frames are wanted.
fn interrupts(sight: &Sight, name: &str, cores: &[usize], what: String) -> Option<Finding> {
    let table = sight.text("/proc/interrupts").unwrap_or_default();
    // Virtual ones have the device's name; what tells of changes in their configuration is no queue's.
    let device = sight.link(&format!("/sys/class/net/{name}/device")).unwrap_or_default();
    let queues = [format!("{name}-"), format!("{device}-input."), format!("{device}-output.")];
    let is_its = |line: &&str| {
        line.split_whitespace()
            .next_back()
            .is_some_and(|last| last == name || queues.iter().any(|queue| last.starts_with(queue)))
    };
    let numbers =
        table.lines().filter(is_its).filter_map(|line| line.split(':').next()?.trim().parse::<u32>().ok());
    let mut astray = Vec::new();
    let mut count = 0;
    for number in numbers {
        count += 1;
        let allowed = list(&sight.text(&format!("/proc/irq/{number}/smp_affinity_list")).unwrap_or_default());
        if allowed.iter().any(|core| !cores.contains(core)) {
            astray.push(number);
        }
    }
    let astray: Vec<_> = astray.iter().map(u32::to_string).collect();
    (count > 0).then(|| match astray.is_empty() {
        true => Finding::ok(what, format!("on the cores {}", listed(cores))),
        false => Finding::advice(
            what,
            format!(
                "{} of {count} may be served by cores without a worker: {}",
                astray.len(),
                astray.join(", ")
            ),
            "stop irqbalance; echo CORE > /proc/irq/NUMBER/smp_affinity_list, a queue's to its worker's core",
        ),
    })
}

/// Nothing, where memory is the same for all cores.
fn numa(sight: &Sight, name: &str, cores: &[usize], what: String) -> Option<Finding> {
    let node = sight.number(&format!("/sys/class/net/{name}/device/numa_node"))?;
    let near = list(&sight.text(&format!("/sys/devices/system/node/node{node}/cpulist"))?);
    let far: Vec<_> = cores.iter().copied().filter(|core| !near.contains(core)).collect();
    Some(match far.is_empty() {
        true => Finding::ok(what, format!("node {node}, as the workers")),
        false => Finding::advice(
            what,
            format!("node {node}; cores {} are of another one", listed(&far)),
            format!("list cores of {} in [dataplane] cores", listed(&near)),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::State::{Advice, Ok, Problem};
    use super::*;
    use crate::config::{Machine, load_str};

    fn examined(files: &[(&str, &str)]) -> Vec<(String, State)> {
        examined_with("", files)
    }

    fn examined_with(keys: &str, files: &[(&str, &str)]) -> Vec<(String, State)> {
        let text = &format!("[dataplane]\ncores = [1, 2]\n[[interface]]\nname = \"eth0\"\n{keys}");
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        let config = load_str("lb.toml", text, &machine).unwrap().0;
        let findings =
            examine(&Sight::of(files), &config.interfaces[0], (&config, &machine), &NetState::default());
        findings.into_iter().map(|finding| (finding.what, finding.state)).collect()
    }

    #[test]
    fn an_interface_that_is_not_there_is_a_problem() {
        assert_eq!(
            examined(&[("/sys/class/net/eth1/mtu", "1500")]),
            [("interface eth0".to_owned(), Problem)]
        );
    }

    #[test]
    fn interrupts_of_a_virtual_nic_are_found_by_its_device() {
        let sight = virtio::tests::virtual_nic("7.0.0", "");
        assert_eq!(interrupts(&sight, "eth0", &[1], String::new()).unwrap().state, Ok);
        let astray = interrupts(&sight, "eth0", &[2], String::new()).unwrap();
        assert!(astray.found.starts_with("2 of 2 "), "what tells of changes is no queue's: {}", astray.found);
    }

    #[test]
    fn queues_interrupts_and_filters_are_told_one_by_one() {
        const NET: &str = "/sys/class/net/eth0";
        let good = [
            (format!("{NET}/operstate"), "up\n"),
            (format!("{NET}/queues/rx-0/rps"), ""),
            (format!("{NET}/queues/rx-1/rps"), ""),
            (format!("{NET}/queues/tx-0/xps"), ""),
            (format!("{NET}/device/numa_node"), "0\n"),
            ("/sys/devices/system/node/node0/cpulist".to_owned(), "0-3\n"),
            (
                "/proc/interrupts".to_owned(),
                "  CPU0\n 45: 1 2 PCI-MSI eth0-TxRx-0\n 46: 0 0 PCI-MSI eth0-TxRx-1\n 47: 1 1 PCI-MSI eth01-0\n",
            ),
            ("/proc/irq/45/smp_affinity_list".to_owned(), "1\n"),
            ("/proc/irq/46/smp_affinity_list".to_owned(), "2\n"),
            ("/proc/irq/47/smp_affinity_list".to_owned(), "0-3\n"),
            ("/proc/sys/net/ipv4/conf/eth0/rp_filter".to_owned(), "2\n"),
        ];
        let states = |changes: &[(&str, &str)]| -> Vec<(String, State)> {
            let changed = |path: &str| changes.iter().any(|(other, _)| *other == path);
            let kept =
                good.iter().filter(|(path, _)| !changed(path)).map(|(path, text)| (path.as_str(), *text));
            let files: Vec<_> = kept.chain(changes.iter().copied()).collect();
            examined(&files)
                .into_iter()
                .filter(|(what, state)| *state != Ok && what != "driver eth0")
                .collect()
        };
        assert_eq!(states(&[]), []);
        for (path, text, what, state) in [
            ("/sys/class/net/eth0/operstate", "down", "link eth0", Problem),
            ("/sys/class/net/eth0/queues/rx-2/rps", "", "queues eth0", Advice),
            ("/sys/class/net/eth0/mtu", "1775", "mtu eth0", Problem),
            ("/sys/class/net/eth0/mtu", "9000", "mtu eth0", Problem),
            ("/proc/irq/45/smp_affinity_list", "0-3", "interrupts eth0", Advice),
            ("/proc/sys/net/ipv4/conf/eth0/rp_filter", "1", "rp_filter eth0", Advice),
            ("/sys/devices/system/node/node0/cpulist", "0-1", "numa eth0", Advice),
        ] {
            assert_eq!(states(&[(path, text)]), [(what.to_owned(), state)], "{path} {text}");
        }
        assert_eq!(states(&[("/sys/class/net/eth0/mtu", "1774")]), []);
        let fewer = [("/sys/class/net/eth0/operstate", "up"), ("/sys/class/net/eth0/queues/rx-0/rps", "")];
        let found = examined(&fewer);
        assert!(found.contains(&("queues eth0".to_owned(), Problem)), "a worker without a queue: {found:?}");
        let many: Vec<_> = (0..65).map(|n| format!("/sys/class/net/eth0/queues/rx-{n}/rps")).collect();
        let many: Vec<_> = many.iter().map(|path| (path.as_str(), "")).collect();
        assert!(examined(&many).contains(&("queues eth0".to_owned(), Problem)), "more than workers may own");
        let zero_copy = examined_with("xdp = \"zero-copy\"\n", &fewer);
        assert!(zero_copy.contains(&("xdp eth0".to_owned(), Problem)), "no driver: {zero_copy:?}");
    }
}
