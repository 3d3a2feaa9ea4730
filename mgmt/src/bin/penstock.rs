//! The operator's CLI. Exit status: 0 done, 1 refused or failed, 2 not understood.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use mgmt::cli::{self, Cli, Terminal};

fn main() -> ExitCode {
    // Ends the process with status 2 and the usage if it does not understand.
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("penstock: cannot start: {error}")),
    };
    match runtime.block_on(cli::run(cli, &mut Terminal::standard())) {
        Err(failure) if !failure.is_broken_pipe() => fail(&failure.to_string()),
        _ => ExitCode::SUCCESS,
    }
}

fn fail(message: &str) -> ExitCode {
    // Nobody reads the standard error: the exit status is all that is left to say.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}
