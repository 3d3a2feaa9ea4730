//! Changes of single backends by hand, and how they get into the file.

use std::path::Path;

use dataplane::types::BackendId;

use super::Supervisor;
use super::disk::Done;
use super::requests::{refused_by_the_data_plane, reply};
use crate::api::request::{BackendRef, Refusal, Reply};
use crate::api::view;
use crate::config::{self, Backend, Machine};
use crate::files;
use crate::inventory::Member;
use crate::save::{Place, Wanted, edited, replace};

/// A change that was written into the file, or not.
#[derive(Debug)]
pub(super) struct Saved {
    id: BackendId,
    members: (Member, Member),
    /// The backend as the file has it now.
    written: Result<Option<Backend>, String>,
    to: Reply<view::Backend>,
}

impl Supervisor {
    pub(super) fn set_backend(
        &mut self,
        which: &BackendRef,
        change: view::BackendChange,
        to: Reply<view::Backend>,
    ) {
        let (id, before, after) = match self.change_backend(which, change) {
            Ok(changed) => changed,
            Err(refusal) => return reply(to, Err(refusal)),
        };
        if !change.save {
            audit(&before, &after, false);
            return reply(to, self.backend_view(id).ok_or_else(gone));
        }
        let (file, machine) = (self.file.clone(), self.machine.clone());
        if let Err(busy) = self.disk.has_room() {
            audit(&before, &after, false);
            return reply(to, Err(not_saved(&busy.to_string())));
        }
        self.disk.run(move || {
            let written = save(&file, &machine, &after, change);
            Done::Saved(Box::new(Saved { id, members: (before, after), written, to }))
        });
    }

    fn change_backend(
        &mut self,
        which: &BackendRef,
        change: view::BackendChange,
    ) -> Result<(BackendId, Member, Member), Refusal> {
        let id = self.backend_of(which)?;
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
        Ok((id, before, after))
    }

    fn backend_of(&self, which: &BackendRef) -> Result<BackendId, Refusal> {
        let service = self.config.services.iter().find(|service| service.name == which.service);
        let service = service.ok_or_else(|| Refusal::unknown_service(&which.service))?;
        let place = which.find(service.backends.iter().map(|b| (b.address, b.port.map(|port| port.0))))?;
        let backend = &service.backends[place];
        let id = self.inventory.number(service, backend.address, backend.port);
        id.ok_or_else(|| Refusal::failed("the backend has no number: this is a defect"))
    }

    /// So that the next reload does not take what stands in the file for news.
    pub(super) fn was_saved(&mut self, Saved { id, members: (before, after), written, to }: Saved) {
        audit(&before, &after, written.is_ok());
        let answer = match written {
            Ok(own) => {
                if let Some(own) = own {
                    self.inventory.was_saved(&after, &own);
                }
                self.backend_view(id).ok_or_else(gone)
            }
            Err(why) => Err(not_saved(&why)),
        };
        reply(to, answer);
    }
}

fn gone() -> Refusal {
    Refusal::failed("the backend has left the configuration")
}

fn not_saved(why: &str) -> Refusal {
    Refusal::failed(format!("it is in force, but was not saved: {why}"))
}

/// Writes the change, and nothing else, into the daemon's file; gives the backend as the file has it then. A text that
/// would not be accepted is not written.
fn save(
    file: &Path,
    machine: &Machine,
    member: &Member,
    change: view::BackendChange,
) -> Result<Option<Backend>, String> {
    let name = file.display();
    let text = files::configuration(file).map_err(|errors| errors.to_string())?;
    let port = member.port.map(|port| port.0);
    let place = Place { service: &member.service, address: member.address, port };
    let wanted = Wanted { weight: change.weight, admin: change.admin };
    let text = edited(&text, place, wanted).map_err(|why| format!("{name} {why}"))?;
    let read = config::load_str(&name.to_string(), &text, machine);
    let (read, _) = read.map_err(|errors| format!("{name} is not as it was when it was read: {errors}"))?;
    replace(file, &text).map_err(|error| format!("cannot write {name}: {error}"))?;
    let service = read.services.into_iter().find(|service| service.name == member.service);
    let mut backends = service.into_iter().flat_map(|service| service.backends);
    Ok(backends.find(|b| (b.address, b.port) == (member.address, member.port)))
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
