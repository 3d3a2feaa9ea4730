//! Services that lose their quorum or find it again: a word in the log, and to the operator's script.

use std::collections::HashMap;

use super::Supervisor;

/// Whether a service had its quorum when it was looked at last, by its name.
#[derive(Debug, Default)]
pub(super) struct Quorums(HashMap<String, bool>);

impl Quorums {
    /// Takes in what is so now; whether it is to be told. A service that begins with its quorum is as expected.
    fn follow(&mut self, service: &str, has_quorum: bool) -> bool {
        match self.0.get_mut(service) {
            Some(had) => std::mem::replace(had, has_quorum) != has_quorum,
            None => {
                self.0.insert(service.to_owned(), has_quorum);
                !has_quorum
            }
        }
    }
}

impl Supervisor {
    /// Tells of those of these services whose quorum has changed.
    pub(super) fn tell_quorums(&mut self, is_meant: impl Fn(&str) -> bool) {
        for service in self.config.services.iter().filter(|service| is_meant(&service.name)) {
            let Some(outcome) = self.compiler.outcome(&service.name) else { continue };
            if !self.watched.quorums.follow(&service.name, outcome.has_quorum) {
                continue;
            }
            let (service_name, quorum) = (&service.name, service.choice.quorum.weight);
            if outcome.has_quorum {
                tracing::info!(event = "quorum", service = service_name, quorum, "has its quorum again");
            } else {
                let on_backup = outcome.on_backup;
                tracing::warn!(
                    event = "quorum",
                    service = service_name,
                    quorum,
                    on_backup,
                    "has lost its quorum"
                );
            }
            self.notifier.tell_quorum(service, outcome.has_quorum);
        }
    }

    /// Those that have left the configuration begin anew if they come back.
    pub(super) fn forget_quorums(&mut self) {
        let compiler = &self.compiler;
        self.watched.quorums.0.retain(|name, _| compiler.outcome(name).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_and_a_loss_at_the_beginning() {
        let mut quorums = Quorums::default();
        for (service, has_quorum, told) in [
            ("web", true, false),
            ("web", true, false),
            ("web", false, true),
            ("web", false, false),
            ("web", true, true),
            ("dns", false, true),
            ("dns", true, true),
        ] {
            assert_eq!(quorums.follow(service, has_quorum), told, "{service} {has_quorum}");
        }
    }
}
