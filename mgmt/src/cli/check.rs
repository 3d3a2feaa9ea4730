//! `penstock check FILE`: whether a file is right, without a daemon.

use std::io::Write;
use std::path::Path;

use super::{Failure, Session, invalid, name_of};
use crate::api::request::Refusal;
use crate::api::view;
use crate::config::{self, Config, Diagnostic, Errors, Machine, OwnAddresses, Severity};
use crate::health::check::examine::{For, examine};

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) fn check(&mut self, file: &Path, own: &OwnAddresses) -> Result<(), Failure> {
        let (config, diagnostics) = match checked(file, own) {
            Ok(loaded) => loaded,
            Err(errors) if self.json => {
                let Refusal { message: error, details, .. } = Refusal::invalid(&name_of(file), errors);
                self.print_json(&view::Refused { error: error.clone(), details })?;
                return Err(Failure::refused(error));
            }
            Err(errors) => return Err(invalid(file, errors)),
        };
        let services = config.services.len();
        let backends = config.services.iter().map(|service| service.backends.len()).sum();
        if self.json {
            return self.print_json(&view::Checked { services, backends, diagnostics });
        }
        self.terminal.warn(&diagnostics);
        self.terminal
            .print(&format!("{}: correct; services: {services}, backends: {backends}\n", file.display()))
    }
}

/// The configuration, and what there is to warn of. Its checks have to be able to run with the files that they name.
fn checked(file: &Path, own: &OwnAddresses) -> Result<(Config, Vec<Diagnostic>), Errors> {
    let (config, mut diagnostics) = config::load_on(file, &Machine::this(), own)?;
    diagnostics.extend(examine(&config, For::AnyMachine));
    let is_refused = diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    if is_refused { Err(Errors(diagnostics)) } else { Ok((config, diagnostics)) }
}
