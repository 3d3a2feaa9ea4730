use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn refused(line: &str) -> (ErrorKind, i32) {
    let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
    (error.kind(), error.exit_code())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_of_the_contract_is_understood() {
    for line in [
        "check lb.toml",
        "check --reference",
        "doctor --config lb.toml",
        "doctor --needs",
        "services --watch",
        "services web --watch=500ms",
        "plan lb.toml",
        "apply lb.toml",
        "apply lb.toml --confirm 60s",
        "confirm",
        "rollback",
        "rollback 7",
        "history",
        "history 7",
        "reload",
        "status --json",
        "services",
        "services web",
        "flows --service web --limit 5",
        "vrrp",
        "vrrp failover outside",
        "interfaces",
        "neighbours",
        "--socket /tmp/s stats",
        "top",
        "drops --code no-flow",
        "events --follow --after 7",
        "capture --service web --client 10.0.0.1 --drop no-flow --limit 5 --duration 3s -w -",
        "backend enable web 10.0.1.11",
        "backend disable web 10.0.1.11:80",
        "backend drain web [2001:db8::1]:80",
        "backend weight web 10.0.1.11 0",
        "backend weight web 10.0.1.11 0 --save",
        "persistence --service web",
        "persistence flush --service web --client 192.0.2.7",
        "explain web --client 192.0.2.7:40112",
        "trace 10.0.0.1 10.0.0.100 --protocol tcp --dport 80",
        "import keepalived keepalived.conf",
        "import ipvsadm -",
        "version",
        "completion zsh",
    ] {
        let words = std::iter::once("penstock").chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

#[test]
fn what_is_not_understood_ends_with_status_2() {
    assert_eq!(refused("penstock frobnicate"), (ErrorKind::InvalidSubcommand, 2));
    assert_eq!(refused("penstock backend weight web 10.0.1.11 65536"), (ErrorKind::ValueValidation, 2));
    assert_eq!(refused("penstock check"), (ErrorKind::MissingRequiredArgument, 2));
    assert_eq!(refused("penstock --help"), (ErrorKind::DisplayHelp, 0));
}

#[test]
fn every_verb_has_an_example_in_its_help() {
    fn lacking(command: &clap::Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
        let inside = verbs.iter().flat_map(|verb| lacking(verb, &path));
        let has_one = command.clone().render_long_help().to_string().contains("Example");
        let own = (verbs.is_empty() && !has_one).then(|| path.clone());
        own.into_iter().chain(inside).collect()
    }
    assert_eq!(lacking(&Cli::command(), ""), [""; 0]);
}
