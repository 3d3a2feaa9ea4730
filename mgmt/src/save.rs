//! Writes what was changed live into the configuration's text, and leaves all else of it as it is: comments,
//! order, spacing.

mod replace;

use std::net::IpAddr;

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::api::view::Admin;

pub use replace::replace;

/// Which backend, as the file may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The backend's address.
    pub address: IpAddr,
    /// Its port.
    pub port: Option<u16>,
}

/// What the file is to say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its weight.
    pub weight: Option<u16>,
    /// What the operator wants of it.
    pub admin: Option<Admin>,
}

/// The text with the change; why there is none: it is not TOML, or has no such backend.
pub fn edited(text: &str, place: Place<'_>, wanted: Wanted) -> Result<String, String> {
    let mut file: DocumentMut = text.parse().map_err(|error| format!("is not TOML: {error}"))?;
    let missing = || format!("has no backend {} of service {}", place.address, place.service);
    let services = file.get_mut("service").ok_or_else(missing)?;
    let backend = tables(services).into_iter().find(|service| is_text(*service, "name", place.service));
    let backends = backend.and_then(|service| service.get_mut("backend")).ok_or_else(missing)?;
    let mut found = tables(backends).into_iter().filter(|backend| is_meant(*backend, place));
    let backend = found.next().ok_or_else(missing)?;
    if let Some(weight) = wanted.weight {
        set(backend, "weight", i64::from(weight).into());
    }
    match wanted.admin {
        // The default need not be said where it was not.
        Some(Admin::Enabled) if !backend.contains_key("admin") => {}
        Some(admin) => set(backend, "admin", admin.word().into()),
        None => {}
    }
    Ok(with_line_ends_of(text, &file.to_string()))
}

/// The editor ends all lines by LF. Lines that are as they were get their own ends back, and those in between the end
/// of the line before them.
fn with_line_ends_of(before: &str, after: &str) -> String {
    let (bom, before) = before.strip_prefix('\u{feff}').map_or(("", before), |rest| ("\u{feff}", rest));
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.trim_start_matches('\u{feff}').split_inclusive('\n').collect();
    let is_same = |(old, new): &(&&str, &&str)| content(old) == content(new);
    let head = old.iter().zip(&new).take_while(is_same).count();
    let shorter = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(is_same).count();
    let end = old[..head].last().or(old.first()).map_or("\n", |line| &line[content(line).len()..]);
    let changed = new[head..new.len() - tail].iter().map(|line| match line.strip_suffix('\n') {
        Some(line) => line.to_owned() + if end.is_empty() { "\n" } else { end },
        None => (*line).to_owned(),
    });
    let changed: String = changed.collect();
    [bom.to_owned(), old[..head].concat(), changed, old[old.len() - tail..].concat()].concat()
}

/// A line without its end.
fn content(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// Keeps what stands around the old value, a comment behind it too.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            // The space in front of a closing brace stays there.
            let last = table.iter_mut().last().and_then(|(_, item)| item.as_value_mut());
            let space = last.and_then(|last| {
                let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str()).map(str::to_owned);
                let space = suffix.filter(|suffix| suffix.chars().all(|c| c == ' '))?;
                last.decor_mut().set_suffix("");
                Some(space)
            });
            if let Some(space) = space {
                value.decor_mut().set_suffix(space);
            }
            table.insert(key, Item::Value(value));
        }
    }
}

/// The tables of a list, however written.
fn tables(item: &mut Item) -> Vec<&mut dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().map(|table: &mut Table| table as &mut dyn TableLike).collect()
        }
        Item::Value(Value::Array(list)) => {
            let inline = list.iter_mut().filter_map(Value::as_inline_table_mut);
            inline.map(|table: &mut InlineTable| table as &mut dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

fn is_text(table: &dyn TableLike, key: &str, text: &str) -> bool {
    table.get(key).and_then(Item::as_str) == Some(text)
}

/// A port that the file does not say is the service's, which a backend that is looked for has, too.
fn is_meant(table: &dyn TableLike, place: Place<'_>) -> bool {
    let address = table.get("address").and_then(Item::as_str).and_then(|text| text.parse().ok());
    let port = table.get("port").and_then(Item::as_integer);
    address == Some(place.address) && port.is_none_or(|port| place.port.map(i64::from) == Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# the shop\n[[service]]\nname = \"web\" # do not rename\n\n  [[service.backend]]\n  \
                        address = \"10.0.1.11\"\n  weight = 100   # old box\n\n  [[service.backend]]\n  # new\n  \
                        address = \"10.0.1.12\"\n  port = 8080\n\n[[service]]\nname = \"dns\"\n\
                        backend = [{ address = \"10.0.1.11\" }, { address = \"fd00::1\", weight = 5 }] # two\n";

    fn edit(service: &str, address: &str, port: Option<u16>, wanted: Wanted) -> Result<String, String> {
        let address = address.parse().unwrap();
        edited(FILE, Place { service, address, port }, wanted)
    }

    #[test]
    fn what_is_not_changed_stays_to_the_letter() {
        let weight = |weight| Wanted { weight: Some(weight), admin: None };
        let drain = Wanted { weight: None, admin: Some(Admin::Drain) };
        let cases = [
            (edit("web", "10.0.1.11", Some(80), weight(7)), "weight = 100   # old", "weight = 7   # old"),
            (edit("web", "10.0.1.12", Some(8080), weight(7)), "port = 8080\n", "port = 8080\nweight = 7\n"),
            (
                edit("dns", "10.0.1.11", Some(53), drain),
                "\"10.0.1.11\" }",
                "\"10.0.1.11\", admin = \"drain\" }",
            ),
            (edit("dns", "fd00::1", Some(53), weight(0)), "weight = 5 ", "weight = 0 "),
            (
                edit("web", "10.0.1.11", Some(80), Wanted { weight: None, admin: Some(Admin::Enabled) }),
                "web",
                "web",
            ),
        ];
        for (found, from, to) in cases {
            assert_eq!(found.unwrap(), FILE.replace(from, to));
        }
    }

    #[test]
    fn line_ends_stay_as_they_were() {
        let weight = Wanted { weight: Some(7), admin: None };
        let place = |address: &str, port| Place { service: "web", address: address.parse().unwrap(), port };
        let (crlf, mixed) = (FILE.replace('\n', "\r\n"), FILE.replacen('\n', "\r\n", 3));
        for text in [crlf.clone(), mixed, format!("\u{feff}{crlf}"), crlf.trim_end().to_owned()] {
            let found = edited(&text, place("10.0.1.11", Some(80)), weight).unwrap();
            assert_eq!(found, text.replace("weight = 100 ", "weight = 7 "));
        }
        let found = edited(&crlf, place("10.0.1.12", Some(8080)), weight).unwrap();
        assert_eq!(found, crlf.replace("port = 8080\r\n", "port = 8080\r\nweight = 7\r\n"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let weight = Wanted { weight: Some(1), admin: None };
        assert!(edit("nope", "10.0.1.11", None, weight).is_err());
        assert!(edit("web", "10.0.1.13", None, weight).is_err());
        assert!(edit("web", "10.0.1.12", Some(80), weight).is_err(), "another port");
        let place = Place { service: "web", address: "10.0.1.11".parse().unwrap(), port: None };
        assert!(edited("[[service", place, weight).is_err());
    }
}
