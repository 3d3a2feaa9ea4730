//! Checks that cannot run here as they are configured: their backends do not count as up before they were checked.

use std::collections::BTreeSet;

use super::Finding;
use crate::config::health::{Bind, Check};
use crate::config::{Config, OwnAddresses, Service, Severity};
use crate::health::check::examine::{For, examine as examine_files};
use crate::net::NetState;

/// Files and users, as the daemon sees them; who is not root may not.
pub(super) fn files(config: &Config) -> Vec<Finding> {
    let is_root = rustix::process::geteuid().is_root();
    let findings = examine_files(config, if is_root { For::ThisDaemon } else { For::AnyMachine });
    let finding = |(severity, why)| match severity {
        Severity::Error => Finding::problem("checks", why, "backends are not up until it is there"),
        Severity::Warning => Finding::advice("checks", why, "run this as root to be sure"),
    };
    findings.into_iter().map(|found| finding((found.severity, found.message))).collect()
}

/// Addresses and interfaces that checks are to send from, each once.
pub(super) fn sources(config: &Config, own: &OwnAddresses, net: &NetState) -> Vec<Finding> {
    let missing = |check: &Check| match check.bind.as_ref()? {
        Bind::Address(address) => {
            own.interface_of(*address).is_none().then(|| format!("the address {address}"))
        }
        Bind::Interface(name) => net.link(name).is_none().then(|| format!("the interface {name}")),
    };
    let of = |service: &Service| {
        let health = service.backends.iter().filter_map(|backend| backend.health.as_ref());
        let missing: BTreeSet<_> =
            health.flat_map(|health| health.checks.iter().filter_map(missing)).collect();
        missing.into_iter().map(|what| (service.name.clone(), what)).collect::<Vec<_>>()
    };
    let found = config.services.iter().flat_map(of);
    found
        .map(|(service, what)| {
            Finding::problem(
                "checks",
                format!("service {service}: the node lacks {what}, which checks are to send from (`bind`)"),
                "backends are not up until it is there",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};
    use crate::doctor::State;

    fn config(keys: &str) -> Config {
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
             port = 80\nmode = \"router\"\nhealth = {{ {keys} }}\n\
             backend = [{{ address = \"10.0.1.11\" }}, {{ address = \"10.0.1.12\" }}]\n"
        );
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        load_str("lb.toml", &text, &machine).unwrap().0
    }

    #[test]
    fn what_a_check_needs_and_is_missing_is_a_problem_once() {
        let late = files(&config("check = \"https\", ca = \"/nowhere/ca.pem\""));
        let [finding] = &late[..] else { panic!("{late:?}") };
        assert!(finding.found.contains("/nowhere/ca.pem") && finding.state != State::Ok);
        assert_eq!(files(&config("check = \"https\", verify = false")), []);

        let own: OwnAddresses = [("10.0.1.1".parse().unwrap(), "eth1".to_owned())].into_iter().collect();
        let states = |keys: &str| {
            let found = sources(&config(keys), &own, &NetState::default());
            found.iter().map(|finding| finding.state).collect::<Vec<_>>()
        };
        assert_eq!(states("check = \"tcp\", bind = \"10.0.1.99\""), [State::Problem]);
        assert_eq!(states("check = \"tcp\", bind = \"10.0.1.1\""), []);
        assert_eq!(states("check = \"tcp\", bind = \"eth7\""), [State::Problem]);
        assert_eq!(states("check = \"tcp\""), []);
    }
}
