//! Policy rules (ip-rule(8)) as the kernel reports them.

use std::fmt;

use dataplane::snapshot::{Ingress, RuleAction};
use dataplane::types::Prefix;
use rtnetlink::packet_core::Nla;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::rule::{self as wire, RuleAttribute, RuleFlags, RuleMessage};

/// Attributes of linux/fib_rules.h that `netlink-packet-route` does not name. The masks come with their values.
const FRA_DSCP: u16 = 25;
const FRA_FLOWLABEL: u16 = 26;
const FRA_DSCP_MASK: u16 = 30;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Lower ones come first.
    pub priority: u32,
    /// Of which family.
    pub is_v4: bool,
    /// Prefix of the source; `None`: any.
    pub from: Option<Prefix>,
    /// Prefix of the destination; `None`: any.
    pub to: Option<Prefix>,
    /// The name of the interface that packets come in by; `lo`: the node's own.
    pub iif: Option<String>,
    /// No packet of the data plane matches it: it is for a mark, for an interface that a socket is bound to, for
    /// a VRF or for a tunnel's key.
    pub never_matches: bool,
    /// It applies to packets that do not match.
    pub is_inverted: bool,
    /// What it does.
    pub action: Action,
    /// What of it the data plane does not know, in the words of ip-rule(8).
    pub unknown: Vec<&'static str>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Looks the route up in a table; routes of prefixes no longer than `suppress` do not count.
    LookUp {
        /// The table's number.
        table: u32,
        /// See above.
        suppress: Option<u8>,
    },
    /// Blackhole, unreachable, prohibit.
    Refuse,
    /// Nothing.
    Nothing,
}

impl PolicyRule {
    /// `None` for rules of other families.
    pub(crate) fn from_message(message: &RuleMessage) -> Option<Self> {
        let header = &message.header;
        let is_v4 = match header.family {
            AddressFamily::Inet => true,
            AddressFamily::Inet6 => false,
            _ => return None,
        };
        let mut rule = Self {
            priority: 0,
            is_v4,
            from: None,
            to: None,
            iif: None,
            never_matches: false,
            is_inverted: header.flags.contains(RuleFlags::Invert),
            action: Action::Nothing,
            unknown: Vec::new(),
        };
        if header.tos != 0 {
            rule.unknown.push("tos");
        }
        let (mut table, mut suppress, mut mark) = (u32::from(header.table), None, (0, u32::MAX));
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(number) => rule.priority = *number,
                RuleAttribute::Table(number) => table = *number,
                RuleAttribute::SuppressPrefixLen(length) => suppress = u8::try_from(*length).ok(),
                RuleAttribute::FwMark(number) => mark.0 = *number,
                RuleAttribute::FwMask(mask) => mark.1 = *mask,
                RuleAttribute::Source(address) => {
                    rule.from = condition(Prefix::new(*address, header.src_len)?);
                }
                RuleAttribute::Destination(address) => {
                    rule.to = condition(Prefix::new(*address, header.dst_len)?);
                }
                RuleAttribute::Iifname(name) => rule.iif = Some(name.clone()),
                RuleAttribute::Oifname(_) | RuleAttribute::L3MDev(true) => rule.never_matches = true,
                RuleAttribute::TunId(key) => rule.never_matches |= *key != 0,
                other => rule.unknown.extend(unknown(other)),
            }
        }
        rule.unknown.sort_unstable();
        // Packets of the data plane have no mark.
        rule.never_matches |= mark.0 & mark.1 != 0;
        rule.action = match header.action {
            wire::RuleAction::ToTable => Action::LookUp { table, suppress },
            wire::RuleAction::Blackhole | wire::RuleAction::Unreachable | wire::RuleAction::Prohibit => {
                Action::Refuse
            }
            wire::RuleAction::Goto => {
                rule.unknown.push("goto");
                Action::Nothing
            }
            _ => Action::Nothing,
        };
        Some(rule)
    }

    /// Whether packets of the data plane may match it.
    #[must_use]
    pub fn may_match(&self) -> bool {
        !self.never_matches || self.is_inverted
    }

    /// Whether all packets of the data plane match it, whatever interfaces there are.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        if !self.unknown.is_empty() {
            return false;
        }
        if self.never_matches {
            return self.is_inverted;
        }
        !self.is_inverted && self.from.is_none() && self.to.is_none() && self.iif.is_none()
    }

    /// The table that it leads to, if packets of the data plane may match it.
    #[must_use]
    pub fn table(&self) -> Option<u32> {
        match self.action {
            Action::LookUp { table, .. } if self.may_match() => Some(table),
            _ => None,
        }
    }

    /// The rule for the data plane. `None`: it has no effect there. `ingress`: what a name of an interface
    /// means, `None`: no interface of the data plane. `number`: that of a table, `None`: it has no routes.
    pub(super) fn compile(
        &self,
        ingress: impl FnOnce(&str) -> Option<Ingress>,
        number: impl FnOnce(u32, Ingress) -> Option<usize>,
    ) -> Option<dataplane::snapshot::Rule> {
        let coming = match &self.iif {
            None => Some(Ingress::Any),
            Some(name) => ingress(name),
        };
        let mut rule = dataplane::snapshot::Rule {
            from: self.from,
            to: self.to,
            ingress: coming.unwrap_or_default(),
            is_inverted: self.is_inverted,
            action: RuleAction::Refuse,
        };
        if self.never_matches || coming.is_none() {
            // What never matches applies to all packets if it is inverted, and to none otherwise.
            if !self.is_inverted {
                return None;
            }
            (rule.from, rule.to, rule.ingress, rule.is_inverted) = (None, None, Ingress::Any, false);
        }
        match self.action {
            Action::Nothing => return None,
            Action::Refuse => {}
            Action::LookUp { table, suppress } => {
                let table = number(table, rule.ingress)?;
                rule.action = RuleAction::LookUp { table, suppress };
            }
        }
        Some(rule)
    }
}

/// A prefix that has every address is no condition.
fn condition(prefix: Prefix) -> Option<Prefix> {
    Some(prefix).filter(|prefix| prefix.length() > 0)
}

fn unknown(attribute: &RuleAttribute) -> Option<&'static str> {
    match attribute {
        RuleAttribute::UidRange(_) => Some("uidrange"),
        RuleAttribute::IpProtocol(_) => Some("ipproto"),
        RuleAttribute::SourcePortRange(_) => Some("sport"),
        RuleAttribute::DestinationPortRange(_) => Some("dport"),
        RuleAttribute::SuppressIfGroup(group) if *group != u32::MAX => Some("suppress_ifgroup"),
        RuleAttribute::Other(other) => match other.kind() {
            FRA_DSCP => Some("dscp"),
            FRA_FLOWLABEL => Some("flowlabel"),
            kind if kind > FRA_DSCP_MASK => Some("a condition that is newer"),
            _ => None,
        },
        _ => None,
    }
}

/// As an operator finds it again: `IPv4 rule 100 (from 10.0.0.100)`.
impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.is_inverted { "not " } else { "" };
        write!(f, "{} rule {} ({not}from ", if self.is_v4 { "IPv4" } else { "IPv6" }, self.priority)?;
        match self.from {
            Some(from) => write!(f, "{from}")?,
            None => f.write_str("all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        if let Some(iif) = &self.iif {
            write!(f, " iif {iif}")?;
        }
        if let Action::LookUp { table, .. } = self.action {
            write!(f, " lookup {table}")?;
        }
        f.write_str(")")
    }
}
