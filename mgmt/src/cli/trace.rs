//! `penstock trace`: a packet in words, or as a frame.

use std::net::IpAddr;

use clap::Args;

use super::client::encoded;
use super::render::Render;
use super::table::Style;
use crate::api::view::{self, TraceProtocol};

/// The packet.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    penstock trace 192.0.2.7 10.0.0.100 --dport 80              a client's SYN, or a segment of its connection\n  \
    penstock trace 10.0.1.11 192.0.2.7 --sport 8080 --dport 40112    what the backend answers\n  \
    penstock trace 2001:db8::7 2001:db8::100 --protocol icmp\n  \
    penstock trace --hex 0200000000b0020000000002080045...")]
pub struct TraceArguments {
    /// Who sends it
    #[arg(value_name = "SRC", required_unless_present = "hex", requires = "destination")]
    source: Option<IpAddr>,
    /// Whom to
    #[arg(value_name = "DST")]
    destination: Option<IpAddr>,
    /// Of what it is; of icmp, an echo request
    #[arg(long, value_name = "P", value_enum, default_value = "tcp")]
    protocol: TraceProtocol,
    /// From which port [default: 49152]
    #[arg(long, value_name = "N")]
    sport: Option<u16>,
    /// To which port [default: that of the service there, if it is the only one]
    #[arg(long, value_name = "N")]
    dport: Option<u16>,
    /// By which interface it comes [default: the one that SRC is behind]
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// A frame instead, in hexadecimal, from the Ethernet header on
    #[arg(long, value_name = "FRAME", conflicts_with_all = ["source", "destination", "sport", "dport"])]
    hex: Option<String>,
}

impl TraceArguments {
    pub(super) fn path(&self) -> String {
        let mut given = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            given.extend(value.map(|value| format!("{name}={}", encoded(&value))));
        };
        say("source", self.source.map(|address| address.to_string()));
        say("destination", self.destination.map(|address| address.to_string()));
        if self.hex.is_none() {
            say("protocol", Some(self.protocol.word().to_owned()));
        }
        say("sport", self.sport.map(|port| port.to_string()));
        say("dport", self.dport.map(|port| port.to_string()));
        say("interface", self.interface.clone());
        say("frame", self.hex.clone());
        format!("/v1/trace?{}", given.join("&"))
    }
}

impl Render for view::Trace {
    fn render(&self, _: Style) -> String {
        self.steps.iter().map(|step| format!("{:<9}{}\n", step.stage, step.finding)).collect()
    }
}
