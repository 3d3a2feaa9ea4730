use std::collections::BTreeSet;

use super::super::reader::{asked, forget_asked};
use super::super::{Machine, load_str};
use super::*;

/// The one in the repository.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/reference.toml");

fn machine() -> Machine {
    Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() }
}

/// A file in which `key` of `table` says `value`.
fn file(table: &Table, key: &Key, value: &str) -> String {
    let service = "[[service]]\nname = \"web\"\naddress = \"10.0.0.1\"\nport = 80\nmode = \"router\"\n";
    let interface = "[[interface]]\nname = \"eth0\"\n";
    let needed = |table: &Table| {
        let others = table.keys.iter().filter(|other| other.name != key.name);
        let lines = others.filter_map(|other| match other.said {
            Said::Needed(value) => Some(format!("{} = {value}\n", other.name)),
            Said::Default(_) | Said::Example(..) => None,
        });
        lines.collect::<String>()
    };
    let own = format!("{}\n{} = {value}\n{}", table.header, key.name, needed(table));
    let own = match (table.name, of_kind(key)) {
        ("the check", Some(kind)) => own.replace("check = \"tcp\"", &format!("check = \"{kind}\"")),
        _ => own,
    };
    let router =
        "[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.0.0.100\"]\n";
    match table.header {
        "[[interface]]" | "[[service]]" => own,
        "[vrrp.garp]" | "[vrrp.bfd]" | "[[vrrp.track]]" => format!("{interface}{router}{own}"),
        header if header.starts_with("[service") || header.starts_with("[[service") => {
            format!("{interface}{service}{own}")
        }
        _ => format!("{own}{interface}"),
    }
}

/// The first kind of check that has the key alone.
fn of_kind(key: &Key) -> Option<&'static str> {
    key.meaning.split_once(": ").and_then(|(kinds, _)| kinds.split(", ").next())
}

fn errors(text: &str) -> String {
    load_str("file", text, &machine()).err().map(|errors| errors.to_string()).unwrap_or_default()
}

#[test]
fn the_file_in_the_repository_is_what_the_table_says() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, reference()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FILE).unwrap(), reference(), "BLESS=1 cargo test writes it anew");
}

#[test]
fn the_table_has_the_keys_that_the_reader_asks_for_and_no_others() {
    forget_asked();
    for table in tables() {
        for key in table.keys {
            errors(&file(table, key, "0"));
        }
    }
    const INNER: &[&str] =
        &["backup", "persistence", "drain", "tunnel", "dsr", "limits", "health", "backend"];
    // Tables in tables are told by their own keys.
    let is_table = |(table, key): &(&str, &str)| match *table {
        "the file" => true,
        "[dataplane]" => *key == "flow_timeouts",
        "[[service]]" | "[[service.backend]]" => INNER.contains(key),
        "[[vrrp]]" => matches!(*key, "garp" | "bfd" | "track"),
        _ => false,
    };
    let asked: BTreeSet<_> = asked().into_iter().filter(|asked| !is_table(asked)).collect();
    let known: BTreeSet<_> =
        tables().flat_map(|table| table.keys.iter().map(|key| (table.name, key.name))).collect();
    let missing: Vec<_> = asked.difference(&known).collect();
    let invented: Vec<_> = known.difference(&asked).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}; invented: {invented:?}");
}

#[test]
fn every_range_is_the_readers() {
    for table in tables() {
        for key in table.keys {
            let (value, expected) = match key.range {
                Range::Integer(range) => ("99999999999999999999", format!("must be from {range}")),
                Range::Time(range) => ("\"9999999days\"", format!("must be from {range}")),
                Range::Words(words) => {
                    ("0", format!("must be one of {}", super::super::value::listed(words)))
                }
                Range::Flag => ("0", "must be `true` or `false`".to_owned()),
                Range::Other(_) => ("true", "must be ".to_owned()),
            };
            let said = errors(&file(table, key, value));
            let named =
                said.contains(&format!("`{} = ", key.name)) || said.contains(&format!("`{}` ", key.name));
            assert!(
                named && said.contains(&expected),
                "{} {}: no {expected:?} in\n{said}",
                table.header,
                key.name
            );
        }
    }
}

#[test]
fn a_file_of_all_defaults_says_nothing_new() {
    let (said, warnings) =
        load_str("reference.toml", &reference(), &machine()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(warnings, []);
    let silent = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
                  port = 80\nmode = \"router\"\nbackend = [{ address = \"10.0.1.11\" }]\n";
    assert_eq!(load_str("short.toml", silent, &machine()).unwrap().0, said);
}

#[test]
fn every_example_is_accepted_where_it_belongs() {
    for table in tables() {
        for key in table.keys {
            let (Said::Default(value) | Said::Needed(value) | Said::Example(value, _)) = key.said;
            let said = errors(&file(table, key, value));
            assert!(
                !said.contains(&format!("`{}", key.name)) || is_of_another_mode(&said),
                "{} {}:\n{said}",
                table.header,
                key.name
            );
        }
    }
}

/// Some keys belong to other modes than the one of the file, to a second key, or stand beside `port`.
fn is_of_another_mode(said: &str) -> bool {
    ["mode", "needs `", "both `port` and `ports`", "one port alone"].iter().any(|text| said.contains(text))
}
