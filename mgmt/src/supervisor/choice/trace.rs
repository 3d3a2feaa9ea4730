//! What would happen to a packet, in words.

use std::net::{IpAddr, SocketAddr};

use dataplane::Why;
use dataplane::snapshot::Fate;
use dataplane::trace::{Ends, Outcome, Question, Step, Traced, ends};
use dataplane::types::{BackendId, InterfaceId, Protocol, ServiceId};

use super::super::Supervisor;
use crate::api::request::Refusal;
use crate::api::view::{self, TraceProtocol, TraceQuery, TraceStep};
use crate::config;
use crate::inventory::Member;

impl Supervisor {
    /// By the code of the workers' stages. Nothing is sent, counted or remembered.
    pub(in super::super) fn trace(&mut self, query: &TraceQuery) -> Result<view::Trace, Refusal> {
        let (interface, question) = match query {
            TraceQuery::Described { source, destination, protocol, port, interface } => {
                let protocol = match protocol {
                    TraceProtocol::Tcp => Some(Protocol::Tcp),
                    TraceProtocol::Udp => Some(Protocol::Udp),
                    TraceProtocol::Icmp => None,
                };
                let (address, asked) = *destination;
                let to = asked.or_else(|| self.only_port(address, protocol?)).unwrap_or(0);
                let (source, destination) = (SocketAddr::new(*source, *port), SocketAddr::new(address, to));
                (interface, Ok(Question { source, destination, protocol }))
            }
            TraceQuery::Frame { bytes, interface } => (interface, Err(bytes.as_slice())),
        };
        let ingress = interface.as_deref().map(|name| self.interface_id(name)).transpose()?;
        let traced = self.dataplane.trace(ingress, question.as_ref().map_err(|bytes| *bytes));
        let failed = |error| Refusal::failed(format!("no memory to trace a packet in: {error}"));
        let mixed = || Refusal::conflict("source and destination are of different families");
        Ok(self.told(&traced.map_err(failed)?.ok_or_else(mixed)?))
    }

    fn interface_id(&self, name: &str) -> Result<InterfaceId, Refusal> {
        let main = self.machine.main_name(name);
        let place = (0..).zip(&self.config.interfaces).find(|(_, interface)| interface.name == main);
        let none = || {
            Refusal::not_found(format!("there is no interface {name:?}: `penstock interfaces` lists them"))
        };
        place.map(|(id, _)| InterfaceId(id)).ok_or_else(none)
    }

    /// The port of the service of an address, if there is one alone.
    fn only_port(&self, address: IpAddr, protocol: Protocol) -> Option<u16> {
        let is_there =
            |service: &&config::Service| service.address.contains(address) && service.protocol == protocol;
        let mut services = self.config.services.iter().filter(is_there);
        let (first, second) = (services.next()?, services.next());
        if second.is_some() { None } else { Some(first.ports.first.0) }
    }

    fn told(&self, traced: &Traced) -> view::Trace {
        let step = |(stage, finding): (&str, String)| TraceStep { stage: stage.to_owned(), finding };
        let mut steps: Vec<_> = traced.steps.iter().map(|found| step(self.finding(found))).collect();
        let (verdict, last) = self.outcome(&traced.outcome);
        let (mut interface, mut sent, mut reason) = (None, None, None);
        match &traced.outcome {
            Outcome::Forwarded { interface: id, frame } => {
                if let (Some(before), Some(after)) = (ends(&traced.frame), ends(frame)) {
                    steps.push(step(("rewrite", rewritten(&before, &after))));
                }
                (interface, sent) = (Some(self.interface_name(*id)), Some(hex(frame)));
            }
            Outcome::Dropped(why) => reason = Some(why.code().to_owned()),
            Outcome::Reset => reason = Some(dataplane::DropReason::NoFlow.code().to_owned()),
            Outcome::TooBig { .. } => reason = Some(dataplane::DropReason::TooLong.code().to_owned()),
            Outcome::ToLinux
            | Outcome::SentByLinux
            | Outcome::NotServed
            | Outcome::ToManagement
            | Outcome::Fragment
            | Outcome::Waits
            | Outcome::Answered => {}
        }
        steps.push(step(("verdict", last)));
        view::Trace { steps, verdict: verdict.to_owned(), reason, interface, frame: hex(&traced.frame), sent }
    }

    fn finding(&self, found: &Step) -> (&'static str, String) {
        match found {
            Step::Arrives(id) => ("arrives", format!("by {}", self.interface_name(*id))),
            Step::OwnAddress => {
                let what =
                    "by no interface: the source is an address of this node, so Linux sends the packet";
                ("arrives", what.to_owned())
            }
            Step::Parsed { source, destination, protocol, kind, length, vlan } => {
                let tag = if vlan.0 == 0 { String::new() } else { format!(", VLAN {}", vlan.0) };
                let what = format!("{kind}, {protocol}, {source} to {destination}, {length} bytes{tag}");
                ("parse", what)
            }
            Step::Master(true) => ("vrrp", "this box is master of the address's virtual router".to_owned()),
            Step::Master(false) => {
                ("vrrp", "another box is master of the address's virtual router".to_owned())
            }
            Step::Flow { backend, is_reply, state, fate } => {
                let way = if *is_reply { "a reply of" } else { "a packet to" };
                let state = view::flow_state_word(*state);
                let mut said = format!("{way} {}, of a flow in state {state}", self.backend_called(*backend));
                said += match fate {
                    Fate::Stays => "",
                    Fate::Leave => "; the backend takes no new flows, those it has go on",
                    Fate::Reset => "; the backend's flows are reset",
                    Fate::Move => "; the backend's flows move to others",
                    Fate::Review => "; flows of datagrams that could not begin as they are begin anew",
                };
                ("lookup", said)
            }
            Step::NoFlow => ("lookup", "no flow is known for it".to_owned()),
            Step::BeginsAnew => ("lookup", "that flow is over: the packet may begin another one".to_owned()),
            Step::IsReset => ("lookup", "both sides get a reset in its place".to_owned()),
            Step::Service(id) => ("service", self.service_called(*id)),
            Step::AsItIs => ("service", "none: a backend's own traffic, which goes on as it is".to_owned()),
            Step::Access(true) => ("access", "the client may use the service".to_owned()),
            Step::Access(false) => ("access", "the service's allow and deny do not let it in".to_owned()),
            Step::Stray => ("choose", "it is from the middle of a connection".to_owned()),
            Step::Chosen { backend, why } => {
                ("choose", format!("{}: {}", self.backend_called(*backend), self.why(*backend, *why)))
            }
        }
    }

    fn why(&self, backend: BackendId, why: Option<Why>) -> String {
        let member = self.inventory.get(backend);
        let service = member.and_then(|m| self.config.services.iter().find(|s| s.name == m.service));
        let scheduler = service.map_or("unknown", |service| config::scheduler_word(service.scheduler));
        match why {
            Some(Why::Persistence) => "persistence: the client's last flow went there".to_owned(),
            Some(Why::Schedule) => format!("scheduler {scheduler} chooses it"),
            Some(Why::Instead) => {
                format!("scheduler {scheduler} found nobody with room, so another one was asked")
            }
            Some(Why::Clash) => super::clash(scheduler),
            None => "nobody remembers its flow: the hash of its ends says so".to_owned(),
        }
    }

    fn outcome(&self, outcome: &Outcome) -> (&'static str, String) {
        match outcome {
            Outcome::Forwarded { interface, .. } => {
                ("forwarded", format!("it leaves by {}", self.interface_name(*interface)))
            }
            Outcome::ToLinux => {
                let why =
                    "it is for no virtual IP and from no backend: it is left to Linux, no worker sees it";
                ("to_linux", why.to_owned())
            }
            Outcome::SentByLinux => {
                ("to_linux", "Linux sends it as any packet of its own, no worker sees it".to_owned())
            }
            Outcome::NotServed => {
                let why = "this node is no client of its own virtual IPs, in any mode: Linux finds no host that \
                           has the address, and no worker sees the packet; ask from another host, or ask a \
                           backend's own address";
                ("not_served", why.to_owned())
            }
            Outcome::ToManagement => {
                ("to_management", "a control protocol: it goes to the management thread".to_owned())
            }
            Outcome::Fragment => {
                ("waits", "it gets the ports of its packet's first fragment, or waits for that".to_owned())
            }
            Outcome::Waits => {
                let why = "it waits until the MAC address of its next hop is known, or is dropped as neighbour-missing";
                ("waits", why.to_owned())
            }
            Outcome::Answered => ("answered", "the box answers it itself".to_owned()),
            Outcome::Reset => {
                ("dropped", "its connection is not known or is to end: its sender gets a reset".to_owned())
            }
            Outcome::TooBig { mtu } => {
                let what = "it is cut into fragments if it may be, else its sender is told";
                ("dropped", format!("the way ahead takes {mtu} bytes of it: {what}"))
            }
            Outcome::Dropped(reason) => ("dropped", format!("{}: {}", reason.code(), reason.meaning())),
        }
    }

    pub(in super::super) fn interface_name(&self, id: InterfaceId) -> String {
        self.config.interfaces.get(id.index()).map_or_else(|| id.to_string(), |found| found.name.clone())
    }

    fn backend_called(&self, id: BackendId) -> String {
        self.inventory.get(id).map_or_else(|| "a backend that has left".to_owned(), Member::endpoint)
    }

    fn service_called(&self, id: ServiceId) -> String {
        let Some(service) = self.config.services.get(id.index()) else { return "unknown".to_owned() };
        format!("{}, in mode {}", service.name, service.mode())
    }
}

/// What has changed between two frames.
fn rewritten(before: &Ends, after: &Ends) -> String {
    let told = |ends: &Ends| {
        let end = |address: IpAddr, port: Option<u16>| match port {
            // What full NAT draws for a new flow.
            Some(0) => format!("{address}, any free port"),
            Some(port) => SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        let (source, destination) = ends.addresses;
        let ports = ends.ports.map_or((None, None), |(a, b)| (Some(a), Some(b)));
        format!("{} to {}", end(source, ports.0), end(destination, ports.1))
    };
    let is_same = (before.addresses, before.ports) == (after.addresses, after.ports);
    let is_wrapped =
        before.protocol != after.protocol && before.addresses.0.is_ipv4() == after.addresses.0.is_ipv4();
    let what = match (is_same, is_wrapped) {
        (true, _) => "its ends stay as they are".to_owned(),
        (false, true) => format!("in a tunnel, {}", told(after)),
        (false, false) => told(after),
    };
    let marked = if before.traffic_class == after.traffic_class {
        String::new()
    } else {
        format!(", DSCP {}", after.traffic_class >> 2)
    };
    format!("{what}{marked}; from {} to {}", after.source_mac, after.destination_mac)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
