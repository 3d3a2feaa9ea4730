//! Which backend a client gets, and who is remembered.

use super::{Render, time};
use crate::api::view;
use crate::cli::table::{Style, Table, row};

impl Render for Vec<view::Client> {
    fn render(&self, style: Style) -> String {
        if self.is_empty() {
            return "nobody is remembered\n".to_owned();
        }
        let mut table = Table::new("CLIENT SERVER LEFT SERVICES", style);
        for client in self {
            let services = client.services.join(", ");
            table.push(row![&client.client, &client.server, time(client.left_seconds), services]);
        }
        table.to_string()
    }
}

impl Render for view::Forgotten {
    fn render(&self, _: Style) -> String {
        format!("clients forgotten: {}\n", self.forgotten)
    }
}

impl Render for view::Explained {
    fn render(&self, style: Style) -> String {
        let answer = match (&self.backend, &self.refused) {
            (Some(backend), _) => backend.clone(),
            (None, Some(code)) => format!("nobody ({code})"),
            (None, None) => "nobody".to_owned(),
        };
        let why: String = self.why.iter().map(|sentence| format!("  {sentence}\n")).collect();
        let mut table = Table::new("BACKEND >WEIGHT >FLOWS NOTE", style);
        for candidate in &self.backends {
            table.push(row![&candidate.backend, candidate.weight, candidate.active_flows, &candidate.note]);
        }
        format!("{}: {} to {} gets {answer}\n{why}\n{table}", self.service, self.client, self.vip)
    }
}
