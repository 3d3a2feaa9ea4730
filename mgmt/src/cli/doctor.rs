//! `penstock doctor`: what of this machine is in the way.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::render::Render;
use super::table::{Cell, Style, Table, Tone, row};
use super::{Failure, Session, invalid};
use crate::config::{self, Config, Machine};
use crate::doctor::{Finding, Needs, Sight, State, examine, examine_machine, listed, needs, reload};
use crate::net::{NetState, Netlink};

/// Where a package puts the configuration.
const USUAL: &str = "/etc/penstock/penstock.toml";

/// What the machine is for.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// The configuration that it is to run [default: /etc/penstock/penstock.toml; if there is none, the machine alone is
    /// looked at]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print what the configuration needs of the machine, as a shell reads it, and look at nothing
    #[arg(long)]
    pub needs: bool,
}

impl<O: Write, E: Write> Session<'_, O, E> {
    /// Fails if something keeps the box from running.
    pub(super) async fn doctor(&mut self, arguments: &DoctorArguments) -> Result<(), Failure> {
        let (sight, mut machine) = (Sight::default(), Machine::this());
        let netlink = Netlink::open().await;
        let none = NetState::default();
        let net = netlink.as_ref().map_or(&none, Netlink::state);
        machine.learn_names(net.names());
        let config = configuration(arguments, &machine)?;
        if arguments.needs {
            let config =
                config.ok_or_else(|| Failure::refused(format!("cannot read {USUAL}: there is none")))?;
            let needs = needs(&sight, &config);
            return match self.json {
                true => self.print_json(&needs),
                false => self.terminal.print(&needs.render(self.terminal.style)),
            };
        }
        let mut findings = match &config {
            Some(config) => examine(&sight, config, &machine, net),
            None => examine_machine(&sight, &machine, net),
        };
        findings.insert(0, reload(config.is_some(), arguments.config.as_deref().unwrap_or(USUAL.as_ref())));
        if let Err(error) = &netlink {
            findings.push(Finding::of_netlink(error));
        }
        match self.json {
            true => self.print_json(&findings)?,
            false => self.terminal.print(&findings.render(self.terminal.style))?,
        }
        let subject =
            if config.is_some() { "the box from running as configured" } else { "the box from running" };
        match findings.iter().filter(|finding| finding.state == State::Problem).count() {
            0 => Ok(()),
            1 => Err(Failure::refused(format!("one problem keeps {subject}"))),
            count => Err(Failure::refused(format!("{count} problems keep {subject}"))),
        }
    }
}

/// `None`: none is named, and there is none where a package puts it.
fn configuration(arguments: &DoctorArguments, machine: &Machine) -> Result<Option<Config>, Failure> {
    let usual = Path::new(USUAL);
    let is_missing =
        || std::fs::symlink_metadata(usual).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let file = match &arguments.config {
        Some(file) => file.as_path(),
        None if is_missing() => return Ok(None),
        None => usual,
    };
    config::load(file, machine).map(|(config, _)| Some(config)).map_err(|errors| invalid(file, errors))
}

impl Render for Needs {
    fn render(&self, _: Style) -> String {
        let Self { cores, interfaces, huge_pages } = self;
        format!("cores={}\ninterfaces='{}'\nhuge_pages={huge_pages}\n", listed(cores), interfaces.join(" "))
    }
}

impl Render for Vec<Finding> {
    fn render(&self, style: Style) -> String {
        let mut table = Table::new("STATE WHAT FOUND", style);
        let mut advice = String::new();
        for finding in self {
            let (word, tone) = match finding.state {
                State::Ok => ("ok", Tone::Good),
                State::Advice => ("advice", Tone::Attention),
                State::Problem => ("problem", Tone::Bad),
            };
            table.push(row![Cell::toned(word, tone), finding.what.replace(' ', "-"), &finding.found]);
            if !finding.advice.is_empty() {
                advice.push_str(&format!("{}: {}\n", finding.what, finding.advice));
            }
        }
        if advice.is_empty() { table.to_string() } else { format!("{table}\n{advice}") }
    }
}
