//! From what is true now to what the workers read.

use std::collections::HashSet;

use dataplane::SteeringError;
use dataplane::snapshot::Snapshot;

use super::Supervisor;
use crate::compile::Facts;

impl Supervisor {
    /// Compiles and puts in force what is true now; if that fails, what was in force stays.
    pub(super) fn try_publish(&mut self) -> Result<(), SteeringError> {
        let snapshot = self.compile();
        let published = self.dataplane.publish(snapshot);
        // What is in force may be something in between, and has to be compiled whole.
        self.is_behind = published.is_err();
        self.tell_quorums(|_| true);
        self.forget_quorums();
        published
    }

    /// The same where nothing but the choices of some services can have changed.
    pub(super) fn try_publish_choice(&mut self, of: &[String]) -> Result<(), SteeringError> {
        let (config, inventory, net) = (&self.config, &self.inventory, self.netlink.state());
        let (rss, workers, now) = (&*self.rss, self.workers, crate::clock::now());
        let facts = Facts { config, inventory, net, rss, workers, now };
        let snapshot = self.dataplane.snapshot();
        if self.is_behind {
            return self.try_publish();
        }
        let of: HashSet<_> = of.iter().map(String::as_str).collect();
        match self.compiler.amend(&snapshot, &facts, |service| of.contains(service.name.as_str())) {
            Some(next) => {
                self.dataplane.publish_choice(next);
                self.tell_quorums(|service| of.contains(service));
                Ok(())
            }
            None => self.try_publish(),
        }
    }

    pub(super) fn warm_up(&mut self) {
        let services: Vec<_> = self.compiler.warming_up().map(str::to_owned).collect();
        if let Err(error) = self.try_publish_choice(&services) {
            tracing::error!(event = "worker", %error, "the data plane cannot follow, and goes on as it was");
        }
    }

    pub(super) fn compile(&mut self) -> Snapshot {
        let (config, inventory, net) = (&self.config, &self.inventory, self.netlink.state());
        let (rss, workers) = (&*self.rss, self.workers);
        let now = crate::clock::now();
        self.compiler.compile(&Facts { config, inventory, net, rss, workers, now })
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        let (config, inventory, net) = (&self.config, &self.inventory, self.netlink.state());
        Facts { config, inventory, net, rss: &self.rss, workers: self.workers, now: crate::clock::now() }
    }

    /// The same where nobody waits for an answer.
    pub(super) fn publish(&mut self) {
        if let Err(error) = self.try_publish() {
            tracing::error!(event = "worker", %error, "the data plane cannot follow, and goes on as it was");
        }
    }
}
