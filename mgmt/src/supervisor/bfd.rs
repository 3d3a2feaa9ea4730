//! Sessions of BFD: who asks for which, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Supervisor;
use crate::api::view;
use crate::bfd::board::News;
use crate::bfd::engine::Bfd;
use crate::bfd::fleet::Wanted;
use crate::config::health::{Bind, Kind};
use crate::config::{Tracking, Vrrp};
use crate::health::plan::plan;

/// The thread, and what it was told last.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) thread: Bfd,
    pub(super) said: BTreeSet<Wanted>,
}

impl Supervisor {
    /// Has the sessions of the configuration, and no others.
    pub(super) fn follow_bfd(&mut self) {
        let wanted = self.wanted_sessions();
        if wanted != self.bfd.said {
            self.bfd.thread.follow(wanted.iter().cloned().collect());
            self.bfd.said = wanted;
        }
    }

    fn wanted_sessions(&self) -> BTreeSet<Wanted> {
        let mut wanted = BTreeSet::new();
        for assignment in plan(&self.config) {
            for check in &assignment.health.checks {
                if let Kind::Bfd(bfd) = &check.kind {
                    let address = check.address.unwrap_or(assignment.subject.address);
                    wanted.insert(bfd.wanted(bfd.peer(address, check.bind.clone())));
                }
            }
        }
        self.config.vrrp.iter().for_each(|instance| wanted.extend(of_vrrp(instance)));
        wanted
    }

    /// The sessions that a virtual router asks for, as they are.
    pub(super) fn bfd_of(&self, instance: &Vrrp) -> Vec<view::BfdSession> {
        let session = |wanted: Wanted| {
            let status = self.bfd.thread.board().status(&wanted.peer);
            let (state, said) = (status.state.word().to_owned(), status.to_string());
            view::BfdSession { peer: wanted.peer.address, state, said }
        };
        of_vrrp(instance).map(session).collect()
    }

    pub(super) fn bfd_refused(&self) -> BTreeMap<String, u64> {
        let refused = self.bfd.thread.board().refused();
        refused.map(|(why, count)| (why.code().to_owned(), count)).collect()
    }

    pub(super) fn hear_bfd(&mut self) {
        for news in self.bfd.thread.board().take_news() {
            match news {
                News::Changed(peer, status) if status.has_failed() == Some(true) => {
                    tracing::warn!(event = "bfd", peer = %peer.address, %status, "bfd");
                }
                News::Changed(peer, status) => {
                    tracing::info!(event = "bfd", peer = %peer.address, %status, "bfd");
                }
                News::Refused(from, why) => tracing::warn!(%from, %why, "packet of BFD refused"),
                News::Trouble(trouble) => tracing::warn!(event = "bfd", trouble, "bfd"),
            }
        }
        self.follow_vrrp();
    }
}

fn of_vrrp(instance: &Vrrp) -> impl Iterator<Item = Wanted> {
    let tracked = instance.track.iter().filter_map(|track| match &track.what {
        Tracking::Bfd(peer, bfd) => Some(bfd.wanted(bfd.peer(*peer, None))),
        Tracking::Interface(_) | Tracking::Script { .. } | Tracking::File { .. } | Tracking::Service(_) => {
            None
        }
    });
    let watched = instance.bfd.iter().flat_map(|watch| {
        let bind = Bind::Interface(instance.interface.clone());
        let session = |peer| watch.session.wanted(watch.session.peer(peer, Some(bind.clone())));
        watch.peers.iter().copied().map(session).collect::<Vec<_>>()
    });
    tracked.chain(watched)
}
