//! Policy rules and routes that the data plane cannot follow as Linux does.

use super::Finding;
use crate::compile::ports;
use crate::config::Config;
use crate::net::NetState;

const WHAT: &str = "policy rules";

pub(super) fn examine(net: &NetState, config: &Config) -> Vec<Finding> {
    let mut findings = vec![rules(net, config)];
    if !config.services.is_empty() {
        // Nothing is wrong; programs of the node may count on it.
        let found = "not for this node itself, in any mode: it is no client of its own virtual IPs";
        findings.push(Finding::ok("services", found));
    }
    findings
}

fn rules(net: &NetState, config: &Config) -> Finding {
    let ports = ports(config);
    let not_followed = net.not_followed(&ports);
    if !not_followed.is_empty() {
        let advice = "workers choose paths as if these were not there: say the same by source, destination, iif \
                      and table, or keep such rules for what does not concern the services";
        return Finding::advice(WHAT, not_followed.join("; "), advice);
    }
    let found = if net.has_rules(&ports) { "followed" } else { "the kernel's own alone" };
    Finding::ok(WHAT, found)
}
