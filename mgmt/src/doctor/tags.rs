//! Where the VLAN tags of received frames are, as the data plane will find it: `dataplane/afxdp/src/program.rs`.

use dataplane::{TagOffload, XdpPreference};

use super::{Finding, Sight};
use crate::compile::hidden_tags;
use crate::config::{Config, Interface};
use crate::net::NetState;

/// The kernel that gives tags beside frames to a program.
const PUTS_BACK: (u32, u32) = (6, 8);

pub(super) fn examine(
    sight: &Sight,
    interface: &Interface,
    (config, net): (&Config, &NetState),
    what: String,
) -> Option<Finding> {
    let (name, device) = (&interface.name, (sight.device)(&interface.name));
    let is_generic = interface.xdp == XdpPreference::Generic;
    let hidden = |found: &str, advice: String| {
        let needed = hidden_tags(config, net, [name.as_str()]).pop_first();
        Some(match needed {
            Some(conflict) => Finding::problem(what.clone(), conflict.to_string(), advice),
            None => Finding::advice(what.clone(), found, advice),
        })
    };
    if device.is_veth {
        if !is_generic && super::kernel::release(sight) >= PUTS_BACK {
            return Some(Finding::ok(what, "tags beside frames are put back by the steering program"));
        }
        let advice =
            "ethtool -K PEER txvlan off, at the other end; or Linux 6.8 and xdp = \"auto\"".to_owned();
        return hidden("the other end decides whether workers see tags", advice);
    }
    if is_generic && !device.has_hardware {
        return hidden(
            "xdp = \"generic\": workers do not see tags",
            "name the device that it lies on as the [[interface]]".to_owned(),
        );
    }
    match device.tags? {
        TagOffload::Off => Some(Finding::ok(what, "off: tags stay in frames")),
        TagOffload::On { fixed: false } => Some(Finding::ok(what, "on, and off while the daemon runs")),
        TagOffload::On { fixed: true } => hidden(
            "on, and the driver lets nothing change it: workers do not see tags",
            format!("no tagged frames on {name}, or another driver"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::super::State::{self, Advice, Ok, Problem};
    use super::*;
    use crate::config::{Machine, load_str};
    use crate::net::{Event, Link};

    fn found(device: fn(&str) -> Device, kernel: &str, keys: &str, has_vlan: bool) -> Option<State> {
        let text = format!("[[interface]]\nname = \"eth0\"\n{keys}");
        let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
        let config = load_str("lb.toml", &text, &machine).unwrap().0;
        let sight = Sight::of(&[("/proc/sys/kernel/osrelease", kernel)]).with(device);
        let mut net = NetState::default();
        net.apply(Event::Link(Link { index: 2, name: "eth0".to_owned(), ..Link::default() }));
        if has_vlan {
            let name = "eth0.7".to_owned();
            net.apply(Event::Link(Link { index: 3, name, carrier_of_vlan: Some(2), ..Link::default() }));
        }
        examine(&sight, &config.interfaces[0], (&config, &net), String::new()).map(|finding| finding.state)
    }

    const NIC: Device = Device { is_veth: false, has_hardware: true, tags: None, queues: None };
    const BOUND: &str = "[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\nmode = \"dsr\"\nvlan = 7\n\
                         [[service.backend]]\naddress = \"10.0.0.11\"\n";

    #[test]
    fn tags_that_workers_do_not_see_are_a_problem_where_something_needs_them() {
        let fixed = |_: &str| Device { tags: Some(TagOffload::On { fixed: true }), ..NIC };
        assert_eq!(found(fixed, "6.1.0", "", false), Some(Advice));
        assert_eq!(found(fixed, "6.1.0", "", true), Some(Problem), "an interface of a VLAN");
        assert_eq!(found(fixed, "6.1.0", BOUND, false), Some(Problem), "a service with a vlan");
        let free = |_: &str| Device { tags: Some(TagOffload::On { fixed: false }), ..NIC };
        let off = |_: &str| Device { tags: Some(TagOffload::Off), ..NIC };
        for device in [free as fn(&str) -> Device, off] {
            assert_eq!(found(device, "6.1.0", BOUND, true), Some(Ok));
        }
        assert_eq!(found(|_| NIC, "6.1.0", BOUND, true), None, "a driver that does not say");
    }

    #[test]
    fn one_end_of_a_pair_needs_a_kernel_that_gives_tags_to_the_program() {
        let veth =
            |_: &str| Device { is_veth: true, has_hardware: false, tags: Some(TagOffload::Off), ..NIC };
        assert_eq!(found(veth, "6.8.0", BOUND, false), Some(Ok));
        assert_eq!(found(veth, "6.7.9", BOUND, false), Some(Problem));
        assert_eq!(found(veth, "6.7.9", "", false), Some(Advice));
        assert_eq!(found(veth, "6.8.0", "xdp = \"generic\"", false), Some(Advice));
    }
}
