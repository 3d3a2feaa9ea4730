//! `--watch`: the same answer again and again, until somebody has seen enough.

use std::io::Write;
use std::time::Duration;

use super::table::Style;
use super::{Cli, Failure, Terminal, Verb, run_once};

/// Erases the screen and goes to its upper left corner (ECMA-48 sections 8.3.39 and 8.3.21).
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Less often than this nobody sees more, and the daemon has other work.
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) async fn watch<O: Write, E: Write>(
    cli: Cli,
    every: Duration,
    terminal: &mut Terminal<O, E>,
) -> Result<(), Failure> {
    if !prints_state(&cli.verb) {
        return Err(Failure::refused(
            "--watch is for verbs that print state: status, services, flows, stats and their like",
        ));
    }
    let mut tick = tokio::time::interval(every.max(SHORTEST));
    loop {
        tick.tick().await;
        if terminal.style == Style::Coloured {
            terminal.print(CLEAR)?;
        }
        run_once(cli.clone(), terminal).await?;
    }
}

fn prints_state(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Status
            | Verb::Services { .. }
            | Verb::Flows { .. }
            | Verb::Vrrp { what: None }
            | Verb::Interfaces
            | Verb::Neighbours
            | Verb::Stats
            | Verb::Drops { .. }
            | Verb::Events { follow: false, .. }
            | Verb::History { number: None }
            | Verb::Explain { .. }
            | Verb::Trace(_)
            | Verb::Persistence { what: None, .. }
    )
}
