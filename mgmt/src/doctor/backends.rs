//! Backends that this machine itself would be.

use super::Finding;
use crate::config::{Config, OwnAddresses};

/// Each backend that has an address of this machine.
pub(super) fn examine(config: &Config, own: &OwnAddresses) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &config.services {
        for backend in service.members() {
            let Some(interface) = own.interface_of(backend.address) else { continue };
            findings.push(Finding::problem(
                format!("backend {} of {}", backend.name(), service.name),
                format!("its address is this machine's own, on {interface}: the backend counts as down"),
                "take it out of the service: frames from workers do not reach programs on the node itself",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};
    use crate::doctor::State;

    #[test]
    fn backends_and_backups_with_an_address_of_the_machine_are_problems() {
        let text = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
                    port = 80\nmode = \"router\"\nbackup = { address = \"10.0.1.1\" }\n\
                    backend = [{ address = \"10.0.1.11\" }, { address = \"10.0.1.2\" }]\n";
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        let (config, _) = load_str("lb.toml", text, &machine).unwrap();
        let own = ["10.0.1.1", "10.0.1.2"].map(|own| (own.parse().unwrap(), "eth1".to_owned()));
        let findings = examine(&config, &own.into_iter().collect());
        assert_eq!(findings.len(), 2);
        assert!(
            findings.iter().all(|f| f.state == State::Problem && f.found.contains("eth1")),
            "{findings:?}"
        );
        assert!(examine(&config, &OwnAddresses::default()).is_empty());
    }
}
