//! What was written: the file's keys with their places, each readable by itself, not yet checked
//! against each other. `None` is a key that is absent, or was refused when it was read.

use std::net::IpAddr;

use dataplane::schedule::Kind;
use dataplane::snapshot::FlowTimeouts;
use dataplane::types::{Mode, Protocol};
use dataplane::{HugePages, Poll, XdpPreference};
use toml::Spanned;

use super::diagnostic::Span;

#[derive(Debug)]
pub(super) struct Model {
    pub(super) node: Node,
    pub(super) dataplane: Dataplane,
    pub(super) interfaces: Vec<Interface>,
    pub(super) services: Vec<Service>,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: Option<Spanned<String>>,
    pub(super) run_dir: Option<Spanned<String>>,
    pub(super) cluster: Option<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct Dataplane {
    pub(super) cores: Option<Spanned<Vec<Spanned<usize>>>>,
    pub(super) poll: Poll,
    pub(super) flows: usize,
    pub(super) huge_pages: HugePages,
    pub(super) flow_timeouts: FlowTimeouts,
}

impl Default for Dataplane {
    fn default() -> Self {
        Self {
            cores: None,
            poll: Poll::Adaptive,
            flows: 1_048_576,
            huge_pages: HugePages::Auto,
            flow_timeouts: FlowTimeouts::default(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: Option<Spanned<String>>,
    pub(super) xdp: XdpPreference,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Option<Spanned<String>>,
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) protocol: Protocol,
    pub(super) mode: Option<Spanned<Mode>>,
    pub(super) scheduler: Kind,
    pub(super) backends: Vec<Backend>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) weight: Option<Spanned<u16>>,
    pub(super) span: Span,
}
