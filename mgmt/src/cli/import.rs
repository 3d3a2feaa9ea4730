//! `penstock import`: other people's configurations.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Failure, Terminal, render};
use crate::config::{self, MAX_FILE, Machine};
use crate::import::{Import, Source, import};

/// Whose configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ImportVerb {
    /// A keepalived.conf; the files that it includes are not read
    #[command(after_help = "Example:\n  \
        penstock import keepalived /etc/keepalived/keepalived.conf > penstock.toml && penstock check penstock.toml")]
    Keepalived {
        /// The file, or - for the standard input
        file: PathBuf,
    },
    /// What `ipvsadm -S -n` prints
    #[command(after_help = "Example:\n  ipvsadm -S -n | penstock import ipvsadm - > penstock.toml")]
    Ipvsadm {
        /// The file, or - for the standard input
        file: PathBuf,
    },
}

/// Writes the configuration, and names on the standard error what it does not say. It fails if the result is not
/// yet one that the daemon takes.
pub(super) fn run<O: Write, E: Write>(
    verb: &ImportVerb,
    terminal: &mut Terminal<O, E>,
) -> Result<(), Failure> {
    let (source, file) = match verb {
        ImportVerb::Keepalived { file } => (Source::Keepalived, file),
        ImportVerb::Ipvsadm { file } => (Source::Ipvsadm, file),
    };
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let text = read(file)?;
    let Import { config, notes } =
        import(source, &name, &text).map_err(|error| Failure::refused(format!("{name}: {error}")))?;
    terminal.print(&config)?;
    let lines = text.lines().collect::<Vec<_>>();
    for note in notes {
        let said = lines.get(note.line - 1).map_or("", |line| line.trim());
        let more = if note.last > note.line { format!(" (to line {})", note.last) } else { String::new() };
        terminal.tell(&format!("{name}:{}: {said}{more}: {}\n", note.line, note.reason));
    }
    match config::load_str("the result", &config, &Machine::this()) {
        Ok((_, warnings)) => {
            terminal.tell(&render::diagnostics(&warnings));
            Ok(())
        }
        Err(errors) => Err(Failure::Refused {
            findings: render::diagnostics(&errors.0),
            message: "penstockd does not take the result as it is: correct it by hand".to_owned(),
        }),
    }
}

/// Of others' files bytes that are no UTF-8 are to be expected, in comments.
fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::refused(format!("cannot read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    let limit = MAX_FILE as u64;
    match file == Path::new("-") {
        true => std::io::stdin().take(limit).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    }
    .map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
