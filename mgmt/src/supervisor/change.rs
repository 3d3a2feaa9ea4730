//! Changes of single backends by hand, and how they get into the file.

use dataplane::types::BackendId;

use super::Supervisor;
use super::requests::refused_by_the_data_plane;
use crate::api::request::{BackendRef, Refusal};
use crate::api::view;
use crate::config;
use crate::inventory::Member;
use crate::save::{Place, Wanted, edited, replace};

impl Supervisor {
    pub(super) fn set_backend(
        &mut self,
        which: &BackendRef,
        change: view::BackendChange,
    ) -> Result<view::Backend, Refusal> {
        let id = self.backend_of(which)?;
        let gone = || Refusal::failed("the backend has left the configuration");
        let member = self.inventory.get_mut(id).ok_or_else(gone)?;
        let before = member.clone();
        member.change(crate::clock::now(), |member| {
            member.admin = change.admin.unwrap_or(member.admin);
            member.weight = change.weight.unwrap_or(member.weight);
        });
        let after = member.clone();
        if let Err(error) = self.try_publish_choice(std::slice::from_ref(&after.service)) {
            self.inventory.get_mut(id).ok_or_else(gone)?.clone_from(&before);
            return Err(refused_by_the_data_plane(&error));
        }
        let saved = if change.save { self.save(&after, change).map(|()| true) } else { Ok(false) };
        audit(&before, &after, *saved.as_ref().unwrap_or(&false));
        saved.map_err(|why| Refusal::failed(format!("it is in force, but was not saved: {why}")))?;
        self.backend_view(id).ok_or_else(gone)
    }

    fn backend_of(&self, which: &BackendRef) -> Result<BackendId, Refusal> {
        let service = self.config.services.iter().find(|service| service.name == which.service);
        let service = service.ok_or_else(|| Refusal::unknown_service(&which.service))?;
        let place = which.find(service.backends.iter().map(|b| (b.address, b.port.map(|port| port.0))))?;
        let backend = &service.backends[place];
        let id = self.inventory.number(service, backend.address, backend.port);
        id.ok_or_else(|| Refusal::failed("the backend has no number: this is a defect"))
    }

    /// Writes the change, and nothing else, into the daemon's file. A text that would not be accepted is not
    /// written.
    fn save(&mut self, member: &Member, change: view::BackendChange) -> Result<(), String> {
        let file = self.file.display();
        let text = config::read_file(&self.file).map_err(|errors| errors.to_string())?;
        let port = member.port.map(|port| port.0);
        let place = Place { service: &member.service, address: member.address, port };
        let wanted = Wanted { weight: change.weight, admin: change.admin };
        let text = edited(&text, place, wanted).map_err(|why| format!("{file} {why}"))?;
        let read = config::load_str(&file.to_string(), &text, &self.machine);
        let (read, _) =
            read.map_err(|errors| format!("{file} is not as it was when it was read: {errors}"))?;
        replace(&self.file, &text).map_err(|error| format!("cannot write {file}: {error}"))?;
        // So that the next reload does not take what stands there for news.
        let now_said = read.services.iter().find(|service| service.name == member.service);
        let now_said = now_said.into_iter().flat_map(|service| &service.backends);
        let own = now_said.into_iter().find(|b| (b.address, b.port) == (member.address, member.port));
        if let Some(own) = own {
            self.inventory.was_saved(member, own);
        }
        Ok(())
    }
}

fn audit(before: &Member, after: &Member, saved: bool) {
    let (service, endpoint) = (&after.service, after.endpoint());
    let (was, is) = (before.admin.word(), after.admin.word());
    tracing::info!(
        event = "admin",
        service,
        backend = endpoint,
        admin_before = was,
        admin = is,
        weight_before = before.weight,
        weight = after.weight,
        saved,
        "backend set by hand"
    );
}
