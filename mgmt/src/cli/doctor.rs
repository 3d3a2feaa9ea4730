//! `penstock doctor`: what of this machine is in the way.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::render::Render;
use super::table::{Cell, Style, Table, Tone, row};
use super::{Failure, Session, invalid};
use crate::config::{self, Machine, OwnAddresses};
use crate::doctor::{Finding, Needs, Sight, State, examine, listed, needs};

/// Where a package puts the configuration.
const USUAL: &str = "/etc/penstock/penstock.toml";

/// What the machine is for.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// The configuration that it is to run
    #[arg(long, value_name = "FILE", default_value = USUAL)]
    pub config: PathBuf,
    /// Print what the configuration needs of the machine, as a shell reads it, and look at nothing
    #[arg(long)]
    pub needs: bool,
}

impl<O: Write, E: Write> Session<'_, O, E> {
    /// Fails if something keeps the box from running.
    pub(super) fn doctor(&mut self, arguments: &DoctorArguments, own: &OwnAddresses) -> Result<(), Failure> {
        let file = arguments.config.as_path();
        let (config, _) = config::load(file, &Machine::this()).map_err(|errors| invalid(file, errors))?;
        if arguments.needs {
            let needs = needs(&Sight::default(), &config);
            return match self.json {
                true => self.print_json(&needs),
                false => self.terminal.print(&needs.render(self.terminal.style)),
            };
        }
        let findings = examine(&Sight::default(), &config, own);
        match self.json {
            true => self.print_json(&findings)?,
            false => self.terminal.print(&findings.render(self.terminal.style))?,
        }
        match findings.iter().filter(|finding| finding.state == State::Problem).count() {
            0 => Ok(()),
            1 => Err(Failure::refused("one problem keeps the box from running as configured")),
            count => {
                Err(Failure::refused(format!("{count} problems keep the box from running as configured")))
            }
        }
    }
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
