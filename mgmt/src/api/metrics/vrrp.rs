//! Virtual routers.

use super::{Labels, Page};
use crate::api::view::Vrrp;

/// Name, kind, help, value.
type OfRouter = (&'static str, &'static str, &'static str, fn(&Vrrp) -> u64);

const ROUTERS: &[OfRouter] = &[
    ("vrrp_priority", "gauge", "Priority, after tracking.", |v| v.effective_priority.into()),
    ("vrrp_transitions_total", "counter", "Changes of state.", |v| v.transitions),
    ("vrrp_adverts_sent_total", "counter", "Adverts sent.", |v| v.adverts_sent),
    ("vrrp_adverts_received_total", "counter", "Adverts listened to.", |v| v.adverts_received),
    ("vrrp_other_addresses_total", "counter", "Adverts with other addresses.", |v| v.other_addresses),
    ("vrrp_other_interval_total", "counter", "Adverts with another interval.", |v| v.other_interval),
    ("vrrp_other_checksum_total", "counter", "Adverts whose checksum is over something else.", |v| {
        v.other_checksum
    }),
    ("vrrp_stalls_total", "counter", "Times that this master was not scheduled for too long.", |v| v.stalls),
    ("vrrp_second_masters_total", "counter", "Worse masters at the same time.", |v| v.second_masters),
];

const STATES: [&str; 4] = ["init", "backup", "master", "fault"];

pub(super) fn routers(page: &mut Page, routers: &[Vrrp]) {
    page.metric("vrrp_state", "gauge", "1 for the state that a virtual router is in.");
    for router in routers {
        for state in STATES {
            let labels: Labels<'_> = &[("vrrp", &router.name), ("state", &state)];
            page.value("vrrp_state", labels, u8::from(router.state == state));
        }
    }
    for (name, kind, help, value) in ROUTERS {
        page.metric(name, kind, help);
        for router in routers {
            page.value(name, &[("vrrp", &router.name)], value(router));
        }
    }
    page.metric("vrrp_adverts_refused_total", "counter", "Adverts refused, by reason.");
    for router in routers {
        for (reason, count) in &router.adverts_refused {
            page.value("vrrp_adverts_refused_total", &[("vrrp", &router.name), ("reason", reason)], count);
        }
    }
}
