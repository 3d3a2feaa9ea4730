//! The reference pages of the manual that are written from the code, and the examples in it.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use dataplane::DropReason;
use mgmt::cli::{Cli, daemon::DaemonArguments};
use mgmt::config::{self, Machine};
use penstock_decap::DecapArguments;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const COMMAND: &str = "UPDATE_DOCS=1 cargo test -p penstock-mgmt --test docs";

/// Compares `docs/src/reference/{name}` with the page, or writes it.
fn holds(name: &str, title: &str, introduction: &str, body: &str) {
    let text = format!(
        "<!-- Generated. Do not edit: {COMMAND} -->\n\n# {title}\n\n{introduction}\n\n{}\n",
        body.trim_end()
    );
    let file = Path::new(ROOT).join("docs/src/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).position(|(found, wanted)| found != wanted);
    let line = differs.unwrap_or_else(|| found.lines().count().min(text.lines().count()));
    assert!(
        found == text,
        "docs/src/reference/{name} differs from the code in line {}\n  file: {}\n  code: {}\nto write it again: {COMMAND}",
        line + 1,
        found.lines().nth(line).unwrap_or("(the file ends)"),
        text.lines().nth(line).unwrap_or("(the page ends)"),
    );
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn drop_reasons() {
    let mut body = "| code | meaning |\n| --- | --- |\n".to_owned();
    for reason in DropReason::ALL {
        writeln!(body, "| `{}` | {} |", reason.code(), cell(reason.meaning())).unwrap();
    }
    let introduction = "Every received frame has exactly one outcome: received = forwarded + to Linux + to \
        management + dropped. `penstock stats` shows the counts. A dropped frame is counted under one of these codes; \
        `penstock drops` shows the last frames of each.";
    holds("drop-reasons.md", "Drop reasons", introduction, &body);
}

#[test]
fn configuration_keys() {
    let introduction = "Every key of the configuration file. `penstock check --reference` prints the same as a \
        TOML file (`configs/reference.toml`). Unknown keys are errors.";
    holds("configuration.md", "Configuration", introduction, &config::reference_page());
}

#[test]
fn metrics() {
    let mut body = "| metric | type | help |\n| --- | --- | --- |\n".to_owned();
    for family in mgmt::api::metric_families() {
        writeln!(body, "| `{}` | {} | {} |", family.name, family.kind, cell(&family.help)).unwrap();
    }
    let introduction = "Prometheus text of `/metrics`, on the control socket and on `[metrics] listen`. Counters start \
        at zero with the daemon.";
    holds("metrics.md", "Metrics", introduction, &body);
}

#[test]
fn command_line() {
    let mut body = String::new();
    for command in [Cli::command(), DaemonArguments::command(), DecapArguments::command()] {
        let mut command = command.term_width(100);
        command.build();
        let name = command.get_name().to_owned();
        write_command(&mut body, &mut command, &name, &[]);
    }
    let introduction = "Three programs: `penstock` is the operator's tool, `penstockd` the daemon, and `penstock-decap` \
        decapsulates on backends of tunnel mode. The options of `penstock` itself may stand behind every verb.";
    holds("command-line.md", "Command line", introduction, &body);
}

fn write_command(body: &mut String, command: &mut Command, name: &str, inherited: &[String]) {
    let usage = command.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).unwrap_or_default().to_string();
    writeln!(body, "## `{name}`\n\n{}\n", about.trim()).unwrap();
    writeln!(body, "```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim_end()).unwrap();
    let is_shown = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        !arg.is_hide_set()
            && !["help", "version"].contains(&id)
            && !inherited.iter().any(|global| global == id)
    };
    let rows: String = command.get_arguments().filter(is_shown).map(argument).collect();
    if !rows.is_empty() {
        writeln!(body, "| argument | meaning |\n| --- | --- |\n{rows}").unwrap();
    }
    if let Some(after) = command.get_after_help() {
        writeln!(body, "```text\n{}\n```\n", after.to_string().trim()).unwrap();
    }
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    let inherited: Vec<_> = globals.map(|arg| arg.get_id().to_string()).collect();
    for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
    {
        let name = format!("{name} {}", verb.get_name());
        write_command(body, verb, &name, &inherited);
    }
}

fn argument(arg: &Arg) -> String {
    let mut meaning = arg.get_long_help().or(arg.get_help()).unwrap_or_default().to_string();
    let takes_value = arg.get_action().takes_values();
    let values = arg.get_possible_values();
    if takes_value && !values.is_empty() {
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        write!(meaning, ": {}", values.join(", ")).unwrap();
    }
    if let Some(default) = arg.get_default_values().first().filter(|_| takes_value) {
        write!(meaning, ". Default: `{}`", default.display()).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(meaning, ". Environment: `{}`", variable.display()).unwrap();
    }
    format!("| `{}` | {} |\n", cell(&arg.to_string()), cell(&meaning))
}

/// The public constants of a `limits.rs`: name and documentation.
fn documented(source: &str) -> Vec<(String, String)> {
    let (mut found, mut words) = (Vec::new(), Vec::new());
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            words.push(text.trim().to_owned());
        } else if let Some((name, _)) = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(':'))
        {
            found.push((name.to_owned(), words.join(" ")));
            words.clear();
        } else {
            words.clear();
        }
    }
    found
}

macro_rules! values {
    ($module:path: $($name:ident)*) => {{
        use $module as module;
        [$((stringify!($name), format!("{:?}", module::$name))),*]
    }};
}

/// A table of the constants, each with the value that is compiled in.
fn limits_of(source: &str, values: &[(&str, String)]) -> String {
    let documented = documented(source);
    let listed: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    let declared: Vec<_> = documented.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, declared, "list the public constants in this test, in the order of their file");
    let mut table = "| limit | value | meaning |\n| --- | --- | --- |\n".to_owned();
    for ((name, value), (_, meaning)) in values.iter().zip(&documented) {
        let value = value.replace(&usize::MAX.to_string(), "any");
        writeln!(table, "| `{name}` | {value} | {} |", cell(meaning)).unwrap();
    }
    table
}

#[test]
fn limits() {
    let afxdp =
        values!(dataplane::limits: BATCH RING CHUNK HEADROOM MAX_FRAME MAX_MTU MAX_QUEUES MAX_INTERFACES);
    let dataplane = values!(dataplane::limits: MAX_WORKERS MAX_BACKENDS PUNT_QUEUE SHOTS SOURCE_SETS);
    let schedulers = values!(dataplane::schedule::limits: MAGLEV_SLOTS HASH_SLOTS MAX_HASH_SLOTS DESTINATIONS BACKEND_TRIES);
    let body = format!(
        "## Frames\n\n{}\n## Data plane\n\n{}\n## Schedulers\n\n{}",
        limits_of(include_str!("../../dataplane/afxdp/src/limits.rs"), &afxdp),
        limits_of(include_str!("../../dataplane/src/limits.rs"), &dataplane),
        limits_of(include_str!("../../dataplane/schedulers/src/limits.rs"), &schedulers)
    );
    let introduction = "Bounds that are compiled in. The ranges of configuration keys are in \
        [Configuration](configuration.md).";
    holds("limits.md", "Limits", introduction, &body);
}

/// The fenced TOML blocks of a page.
fn toml_blocks(page: &str) -> Vec<&str> {
    page.split("\n```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
        .collect()
}

#[test]
fn complete_configurations_in_the_documents_are_accepted() {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let mut count = 0;
    for page in ["README.md", "docs/src/tutorials/first-pair.md", "docs/src/tutorials/one-node.md"] {
        let text = std::fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        for block in toml_blocks(&text).iter().filter(|block| block.contains("[[interface]]")) {
            let loaded = config::load_str(page, block, &machine);
            assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} configurations found");
}
