//! What of checks has to do with clients' packets: what is seen of them, and the way that they take.

use super::super::super::diagnostic::Report;
use super::super::super::health::{Kind, Via};
use super::super::super::model;
use super::Around;

pub(super) fn observe(written: &model::Health, around: Around<'_>, report: &mut Report<'_>) {
    let Some(observe) = written.observe.as_ref().filter(|observe| *observe.get_ref() > 0) else { return };
    if !around.sees_answers {
        let message = "`observe` is for TCP services whose replies come back through the box";
        report.error(&observe.span(), message).help(
            "take it out: in modes \"dsr\" and \"tunnel\", and with UDP, the box does not see a backend refuse",
        );
    } else if !around.has_checks {
        let message = "`observe` needs a check beside it";
        report.error(&observe.span(), message).help(
            "add [service.health]: what is observed counts as its failure, and it finds the backend well again",
        );
    }
}

/// The node is no client of its own virtual IPs.
pub(super) fn target(written: &model::Check, around: Around<'_>, report: &mut Report<'_>) {
    let Some(address) = &written.address else { return };
    let ip = *address.get_ref();
    let Some((_, span)) = around.vips.find(ip) else { return };
    let message = format!(
        "{ip} is a virtual IP of this node, which is no client of its own services: the check fails while the \
         node answers for the address"
    );
    report
        .warning(&address.span(), message)
        .help("check a backend's own address")
        .note("it is a service's", span);
}

/// Where no backend has the virtual IP, nothing can be asked for it.
pub(super) fn via(written: &model::Check, kind: &Kind, around: Around<'_>, report: &mut Report<'_>) -> Via {
    let Some(via) = written.via.as_ref().filter(|via| *via.get_ref() == Via::DataPath) else {
        return Via::Socket;
    };
    let is_connected = match kind {
        Kind::Tcp | Kind::Http(_) | Kind::Https(..) | Kind::Smtp(_) | Kind::Dns(_) | Kind::Udp(_) => true,
        Kind::Ping | Kind::Script(_) | Kind::File(_) | Kind::Agent(_) | Kind::Bfd(_) => false,
    };
    let wrong = if !around.has_the_vip {
        Some(("backends have the virtual IP in modes \"dsr\" and \"tunnel\" alone", "take it out"))
    } else if !is_connected {
        Some(("no packets of this kind of check can take it", "use tcp, http, https, smtp, dns or udp"))
    } else if written.address.is_some() || written.bind.is_some() {
        let why = "such a check asks for the virtual IP, from the address that leads to the backend";
        Some((why, "take out `address` and `bind`"))
    } else {
        None
    };
    if let Some((why, help)) = wrong {
        report.error(&via.span(), format!("`via = \"data-path\"`: {why}")).help(help);
    }
    Via::DataPath
}
