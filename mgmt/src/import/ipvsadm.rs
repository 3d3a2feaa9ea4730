//! What `ipvsadm -S -n` prints: a line for each service (`-A`) and for each of its servers (`-a`).

use std::net::IpAddr;

use dataplane::types::{Mode, Prefix, Protocol};

use super::forward::{Method, port, scheduler};
use super::output::{Backend, Imported, Keys, Service};
use super::statement::{Statement, notes};
use super::value::{endpoint, mask, name, ports, problem, seconds};
use super::{Import, ParseError, finish};

/// Options that stand alone; all others have a value behind them.
const FLAGS: &[&str] = &[
    "-A",
    "-a",
    "--add-service",
    "--add-server",
    "-g",
    "-i",
    "-m",
    "--gatewaying",
    "--ipip",
    "--masquerading",
    "-o",
    "--ops",
    "-6",
    "--ipv6",
    "--tun-nocsum",
    "--tun-csum",
    "--tun-remcsum",
];

/// Reads what was saved; `file` is what comments call it.
pub(super) fn import(file: &str, text: &str) -> Result<Import, ParseError> {
    let lines = text
        .lines()
        .zip(1..)
        .map(|(line, number)| Statement::new(number, line.split_whitespace().map(str::to_owned).collect()));
    let is_said = |line: &Statement| !line.words.is_empty() && !line.keyword().starts_with('#');
    let statements: Vec<_> = lines.filter(is_said).collect();
    let mut imported = Imported::default();
    // What a service listens on, as it is written; which of those imported it is, and how its servers are reached.
    let mut listed: Vec<(String, usize, Option<Method>)> = Vec::new();
    for statement in &statements {
        let options = Options::of(statement);
        match statement.keyword() {
            "-A" | "--add-service" => {
                if let Some(service) = service(statement, &options) {
                    listed.push((options.listener().unwrap_or_default(), imported.services.len(), None));
                    imported.services.push(service);
                }
            }
            "-a" | "--add-server" => {
                let listener = options.listener();
                let of = listed.iter_mut().find(|(name, ..)| Some(name.as_str()) == listener.as_deref());
                match of {
                    Some((_, place, how)) => server(statement, &options, &mut imported.services[*place], how),
                    None => statement.lose("its service is not above"),
                }
            }
            _ => {}
        }
    }
    let reason = |_: &Statement| "is neither -A nor -a: the output of `ipvsadm -S -n` is read".to_owned();
    Ok(finish(file, text, imported, |imported| (imported.write(file), notes(&statements, reason))))
}

/// Option and value.
struct Options<'s>(Vec<(&'s str, &'s str)>);

impl<'s> Options<'s> {
    fn of(statement: &'s Statement) -> Self {
        let mut options = Vec::new();
        let mut words = statement.words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let takes = !FLAGS.contains(&word) && words.peek().is_some_and(|next| !is_option(next));
            let value = if takes { words.next() } else { None };
            options.push((word, value.unwrap_or_default()));
        }
        Self(options)
    }

    fn get(&self, names: &[&str]) -> Option<&'s str> {
        self.0.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| *value)
    }

    /// What names a service in both kinds of lines.
    fn listener(&self) -> Option<String> {
        const LISTENERS: &[&str] =
            &["-t", "--tcp-service", "-u", "--udp-service", "-f", "--fwmark-service", "--sctp-service"];
        self.0
            .iter()
            .find(|(name, _)| LISTENERS.contains(name))
            .map(|(name, value)| format!("{name} {value}"))
    }

    /// Tells of what is not among `known`.
    fn tell_of_others(&self, known: &[&str], statement: &Statement) {
        for (name, value) in self.0.iter().filter(|(name, _)| !known.contains(name)) {
            statement.carry_without(format!("`{}` has no counterpart", format!("{name} {value}").trim()));
        }
    }
}

/// A negative number is a value.
fn is_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()) || word == "-6")
}

fn service<'s>(statement: &'s Statement, options: &Options<'s>) -> Option<Service<'s>> {
    statement.carry();
    let (protocol, text) =
        match (options.get(&["-t", "--tcp-service"]), options.get(&["-u", "--udp-service"])) {
            (Some(text), _) => (Protocol::Tcp, text),
            (None, Some(text)) => (Protocol::Udp, text),
            (None, None) => {
                statement
                    .lose("services by mark, and of other protocols than TCP and UDP, have no counterpart");
                return None;
            }
        };
    let Some((address, ports)) = endpoint(text).and_then(|(ip, port)| Some((ip, ports(Some(port))?))) else {
        statement.lose("is no address with a port: save with -n");
        return None;
    };
    if let Some(problem) = problem(address) {
        statement.lose(format!("{address} {problem}"));
        return None;
    }
    let mut keys = Keys::default();
    let word = options.get(&["-s", "--scheduler"]).unwrap_or("wlc");
    let flags = options.get(&["-b", "--sched-flags"]).unwrap_or_default();
    if let Some(scheduler) = scheduler(word) {
        keys.set("scheduler", scheduler);
        if matches!(scheduler, "sh" | "maglev") {
            let has_port = flags.split(',').any(|flag| flag.ends_with("-port"));
            keys.set("hash_on", if has_port { "source+port" } else { "source" });
        }
    } else {
        statement.carry_without(format!("`-s {word}` is no scheduler here: the default, maglev, is taken"));
    }
    persistence(statement, options, address, &mut keys);
    options.tell_of_others(
        &[
            "-A",
            "--add-service",
            "-t",
            "--tcp-service",
            "-u",
            "--udp-service",
            "-s",
            "--scheduler",
            "-b",
            "--sched-flags",
            "-p",
            "--persistent",
            "-M",
            "--netmask",
            "-6",
            "--ipv6",
        ],
        statement,
    );
    let address = Prefix::host(address);
    let name = name(&format!("{address}-{ports}"));
    let (mode, backup, backends) = (Mode::Router, None, Vec::new());
    Some(Service { name, address, ports, protocol, mode, keys, backup, backends, source: statement })
}

fn persistence(statement: &Statement, options: &Options<'_>, address: IpAddr, keys: &mut Keys) {
    let Some(text) = options.get(&["-p", "--persistent"]) else { return };
    let mut persistence = Keys::default();
    // ipvsadm(8): five minutes.
    match seconds(if text.is_empty() { "300" } else { text }).filter(|time| time.as_secs() > 0) {
        Some(time) => persistence.time("timeout", time),
        None => return statement.carry_without(format!("`-p {text}` is no time")),
    }
    if let Some(text) = options.get(&["-M", "--netmask"]) {
        match mask(text) {
            Some((length, is_v4)) if is_v4 == address.is_ipv4() => {
                persistence.set(if is_v4 { "mask4" } else { "mask6" }, i64::from(length));
            }
            _ => statement.carry_without(format!("`-M {text}` is no mask of that family")),
        }
    }
    keys.raw("persistence", persistence.inline());
}

/// The first server says how all of its service are reached.
fn server<'s>(
    statement: &'s Statement,
    options: &Options<'s>,
    service: &mut Service<'s>,
    how: &mut Option<Method>,
) {
    statement.carry();
    let Some((address, said)) = options.get(&["-r", "--real-server"]).and_then(endpoint) else {
        return statement.lose("names no server as ADDRESS:PORT: save with -n");
    };
    let own = method(options);
    let mode = own.mode;
    if let Some(problem) = problem(address) {
        return statement.lose(format!("{address} {problem}"));
    }
    if how.as_ref().is_some_and(|how| *how != own) {
        return statement.lose("goes another way than the first server: give it a service of its own");
    }
    if address.is_ipv4() != service.address.address().is_ipv4() && mode != Mode::Tunnel {
        return statement.lose(format!("{address} is of another family, which {mode} mode cannot reach"));
    }
    if how.is_none() {
        own.keys(&mut service.keys);
        service.mode = mode;
        *how = Some(own);
    }
    let port = port(statement, Some(said), service);
    if service.backends.iter().any(|before| (before.address, before.port) == (address, port)) {
        return statement.lose("is listed twice");
    }
    let keys = server_keys(statement, options);
    options.tell_of_others(
        &[
            "-a",
            "--add-server",
            "-t",
            "--tcp-service",
            "-u",
            "--udp-service",
            "-r",
            "--real-server",
            "-w",
            "--weight",
            "-x",
            "--u-threshold",
            "-y",
            "--l-threshold",
            "-g",
            "--gatewaying",
            "-i",
            "--ipip",
            "-m",
            "--masquerading",
            "--tun-type",
            "--tun-port",
            "--tun-nocsum",
            "-6",
            "--ipv6",
        ],
        statement,
    );
    service.backends.push(Backend { address, port, keys, checks: Vec::new(), source: statement });
}

fn server_keys(statement: &Statement, options: &Options<'_>) -> Keys {
    let mut keys = Keys::default();
    let number = |names: &[&str]| options.get(names).and_then(|text| text.parse::<u32>().ok());
    let weight = number(&["-w", "--weight"]).unwrap_or(1);
    if weight > u16::MAX.into() {
        statement.carry_without(format!("the weight {weight} is too large: {} is taken", u16::MAX));
    }
    keys.set("weight", i64::from(weight.min(u16::MAX.into())));
    for (names, key) in
        [(["-x", "--u-threshold"], "upper_threshold"), (["-y", "--l-threshold"], "lower_threshold")]
    {
        if let Some(number) = number(&names).filter(|number| *number > 0) {
            keys.set(key, i64::from(number));
        }
    }
    keys
}

/// ipvsadm(8): the default is -g.
fn method(options: &Options<'_>) -> Method {
    if options.get(&["-m", "--masquerading"]).is_some() {
        return Method::default();
    }
    if options.get(&["-i", "--ipip"]).is_none() {
        return Method { mode: Mode::Dsr, tunnel: None };
    }
    let kind = options.get(&["--tun-type"]).filter(|kind| ["gre", "gue"].contains(kind)).unwrap_or("ipip");
    let port = options.get(&["--tun-port"]).and_then(|text| text.parse().ok()).filter(|_| kind == "gue");
    Method { mode: Mode::Tunnel, tunnel: Some((kind.to_owned(), port)) }
}

#[cfg(test)]
mod tests;
