//! What else makes a start fail: the daemon's sockets, the steering program, and a network that does not go with the
//! configuration. A daemon that runs already has its sockets, and is no problem.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use dataplane::try_program;

use super::{Finding, Sight};
use crate::compile::conflicts;
use crate::config::Config;
use crate::net::NetState;
use crate::net::bridges::check;

/// `sun_path` of unix(7), its closing zero aside.
const SOCKET_PATH: usize = 107;

pub(super) fn examine(sight: &Sight, config: &Config, net: &NetState) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sight.is_real() {
        let runs = UnixStream::connect(config.node.control_socket()).is_ok();
        let sockets = [config.node.control_socket(), config.node.view_socket()];
        findings.push(match runs {
            true => Finding::ok("control socket", "a daemon answers"),
            false => {
                sockets.iter().map(|path| socket(path)).find(is_bad).unwrap_or_else(|| socket(&sockets[0]))
            }
        });
        findings.extend(
            config
                .metrics
                .listen
                .filter(|_| !runs)
                .map(|address| metrics(address, TcpListener::bind(address))),
        );
        findings.push(program());
    }
    findings.extend(network(config, net));
    findings
}

fn is_bad(finding: &Finding) -> bool {
    finding.state != super::State::Ok
}

fn socket(path: &Path) -> Finding {
    const WHAT: &str = "control socket";
    let shown = path.display().to_string();
    if shown.len() > SOCKET_PATH {
        let advice = "set run_dir in [node] to a shorter path";
        return Finding::problem(WHAT, format!("{shown} is longer than {SOCKET_PATH} bytes"), advice);
    }
    if let Ok(metadata) = fs::symlink_metadata(path) {
        return match metadata.file_type().is_socket() {
            true => Finding::ok(WHAT, shown),
            false => Finding::problem(WHAT, format!("{shown} is not a socket"), "move it away"),
        };
    }
    // The directory is made at the start: what is there of it has to be one.
    let there = path.ancestors().skip(1).find(|above| above.exists());
    match there {
        Some(above) if !above.is_dir() => {
            Finding::problem(WHAT, format!("{} is not a directory", above.display()), "set run_dir in [node]")
        }
        _ => Finding::ok(WHAT, shown),
    }
}

fn metrics(address: std::net::SocketAddr, bound: std::io::Result<TcpListener>) -> Finding {
    const WHAT: &str = "metrics";
    match bound {
        Ok(_) => Finding::ok(WHAT, address.to_string()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Finding::advice(WHAT, "not known", "run this as root to try the address")
        }
        Err(error) => Finding::problem(
            WHAT,
            format!("cannot listen at {address}: {error}"),
            "`listen` in [metrics] names the address",
        ),
    }
}

fn program() -> Finding {
    const WHAT: &str = "steering program";
    match try_program() {
        Ok(()) => Finding::ok(WHAT, "the kernel takes it"),
        Err(error)
            if !caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_BPF).unwrap_or(false) =>
        {
            Finding::advice(WHAT, "not known", format!("run this as root to try it ({error})"))
        }
        Err(error) => Finding::problem(WHAT, error.to_string(), "a kernel of 6.1 or newer, as Debian's"),
    }
}

/// Addresses that are taken, and bridges that cannot be had.
fn network(config: &Config, net: &NetState) -> Vec<Finding> {
    let taken = conflicts(config, net).into_iter().map(|conflict| conflict.to_string());
    let bridges = config.bridges().into_iter().filter_map(|bridge| {
        // That a port is not there is found at the interface.
        let is_there = config.ports_of(bridge).iter().all(|port| net.link(port).is_some());
        check(net, bridge, &config.ports_of(bridge)).err().filter(|_| is_there).map(|error| error.to_string())
    });
    let wrong: Vec<_> = taken.chain(bridges).collect();
    match wrong.is_empty() {
        true => vec![Finding::ok("network", "goes with the configuration")],
        false => wrong
            .into_iter()
            .map(|why| Finding::problem("network", why, "correct the one or the other"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{self, Ok, Problem};
    use super::*;
    use crate::config::{Machine, load_str};
    use crate::net::{Event, Link};

    fn config(text: &str) -> Config {
        let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
        load_str("lb.toml", text, &machine).unwrap_or_else(|e| panic!("{e}")).0
    }

    fn net() -> NetState {
        let mut net = NetState::default();
        for (index, name, master) in
            [(2, "eth0", None), (3, "eth1", None), (4, "eth2", Some(9)), (9, "bond0", None)]
        {
            net.apply(Event::Link(Link { index, name: name.to_owned(), master, ..Link::default() }));
        }
        net.apply(Event::Address(2, "10.0.0.1".parse().unwrap()));
        net
    }

    fn states(text: &str) -> Vec<State> {
        network(&config(text), &net()).iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn a_network_that_does_not_go_with_the_configuration_is_a_problem() {
        const ETH0: &str = "[[interface]]\nname = \"eth0\"\n";
        let bridge =
            |port: &str, bridge: &str| format!("[[interface]]\nname = \"{port}\"\nbridge = \"{bridge}\"\n");
        let service = |keys: &str| {
            format!(
                "[[service]]\nname = \"web\"\nport = 80\n{keys}\n[[service.backend]]\naddress = \"10.0.0.77\"\n"
            )
        };
        assert_eq!(states(ETH0), [Ok]);
        let own = "address = \"10.0.0.100\"\nmode = \"one-arm\"\nsnat_pool = [\"10.0.0.1\"]";
        assert_eq!(states(&format!("{ETH0}{}", service(own))), [Problem], "a pool address of the box");
        let prefix = "address = \"10.0.0.0/28\"\nmode = \"dsr\"";
        assert_eq!(states(&format!("{ETH0}{}", service(prefix))), [Problem], "a prefix with the box in it");
        assert_eq!(states(&(bridge("eth0", "br0") + &bridge("eth1", "br0"))), [Ok]);
        assert_eq!(
            states(&(bridge("eth0", "br0") + &bridge("eth2", "br0"))),
            [Problem],
            "another one's port"
        );
        assert_eq!(states(&(bridge("eth0", "bond0") + &bridge("eth1", "bond0"))), [Problem,], "no bridge");
        assert_eq!(
            states(&(bridge("eth0", "br0") + &bridge("eth7", "br0"))),
            [Ok],
            "told of at the interface"
        );
    }

    #[test]
    fn sockets_need_a_place_and_an_address_that_is_free() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        assert_eq!(socket(&dir.join("new/control.sock")).state, Ok);
        assert_eq!(socket(&dir.join("file")).state, Problem, "no socket");
        assert_eq!(socket(&dir.join("file/control.sock")).state, Problem, "no directory");
        assert_eq!(socket(&dir.join("x".repeat(110))).state, Problem, "too long");
        fs::remove_dir_all(dir).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(metrics(address, TcpListener::bind(address)).state, Problem);
        drop(taken);
        assert_eq!(metrics(address, TcpListener::bind(address)).state, Ok);
    }
}
