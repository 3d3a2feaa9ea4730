//! Completion scripts and man pages, out of the definition of what may be typed.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};

use super::daemon::DaemonArguments;
use super::{Cli, Failure, Session};

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) fn completion(&mut self, shell: clap_complete::Shell) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "penstock", &mut script);
        self.terminal.print(&String::from_utf8_lossy(&script))
    }

    /// A page for the tool, for each of its verbs, and for the daemon.
    pub(super) fn man(&self, folder: &Path) -> Result<(), Failure> {
        let failed =
            |error: io::Error| Failure::refused(format!("cannot write to {}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(failed)?;
        let mut tool = Cli::command();
        tool.build();
        page(&tool, "penstock".to_owned(), folder).map_err(failed)?;
        let mut daemon = Vec::new();
        clap_mangen::Man::new(DaemonArguments::command()).section("8").render(&mut daemon).map_err(failed)?;
        fs::write(folder.join("penstockd.8"), daemon).map_err(failed)
    }
}

fn page(command: &Command, name: String, folder: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        page(verb, format!("{name}-{}", verb.get_name()), folder)?;
    }
    let mut text = Vec::new();
    // clap wants names that live as long as the program.
    let named = command.clone().name(name.clone().leak() as &'static str).display_name(name.clone());
    clap_mangen::Man::new(named).render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)
}

#[cfg(test)]
mod tests {
    use super::super::Terminal;
    use super::*;

    #[test]
    fn there_is_a_page_for_each_verb_and_one_for_the_daemon() {
        let dir = crate::api::fake::fresh_dir();
        let mut terminal = Terminal::plain(io::sink(), io::sink());
        let session = Session { socket: dir.clone(), json: false, terminal: &mut terminal };
        session.man(&dir).unwrap();
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        for name in
            ["penstock.1", "penstock-apply.1", "penstock-backend-drain.1", "penstock-import-keepalived.1"]
        {
            assert!(
                read(name).starts_with(".ie") && read(name).contains("penstock"),
                "{name}: {}",
                read(name)
            );
        }
        assert!(read("penstock-apply.1").contains("Example"), "{}", read("penstock-apply.1"));
        assert!(read("penstockd.8").contains("SIGHUP"));
        assert!(!dir.join("penstock-man.1").exists(), "hidden verbs have none");
        fs::remove_dir_all(dir).unwrap();
    }
}
