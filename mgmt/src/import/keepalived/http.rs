//! `HTTP_GET` and `SSL_GET`: a check for each `url`.

use super::super::output::Keys;
use super::super::statement::Statement;
use super::super::value::{is_status, is_word};
use super::check::{Elsewhere, Levels, connecting, flag};

pub(super) fn checks(
    kind: &'static str,
    checker: &Statement,
    levels: Levels<'_>,
    elsewhere: &Elsewhere<'_>,
) -> Vec<Keys> {
    let mut check = connecting(kind, checker, levels);
    if let Some(version) = checker.find(&["http_protocol"]) {
        match version.argument() {
            Some("1.1") => check.set("version", "1.1"),
            Some("1.0" | "1.0C" | "1.0c") => check.set("version", "1.0"),
            _ => version.lose("is no version of HTTP: 1.1 is spoken"),
        }
    } else {
        // Keepalived's default.
        check.set("version", "1.0");
    }
    if kind == "https" {
        tls(checker, elsewhere, &mut check);
    }
    let urls: Vec<_> = checker.block().iter().filter(|inside| inside.keyword() == "url").collect();
    if urls.is_empty() {
        return vec![check];
    }
    if urls.len() > 1 && flag("fast_recovery", checker, levels) {
        checker.carry_without("with several `url` each is a check of its own, all at the same time");
    }
    urls.into_iter().map(|page| url(page, &check, levels)).collect()
}

/// Keepalived verifies no certificate.
fn tls(checker: &Statement, elsewhere: &Elsewhere<'_>, check: &mut Keys) {
    check.set("verify", false);
    checker.find(&["enable_sni"]).into_iter().for_each(Statement::carry);
    let Some(tls) = elsewhere.tls else { return };
    tls.carry();
    let paths = ["certificate", "key"].map(|key| tls.find(&[key]));
    if let [Some(certificate), Some(key)] = paths
        && let [Some(own), Some(secret)] = [certificate, key].map(Statement::argument)
    {
        check.set("client_certificate", own);
        check.set("client_key", secret);
    }
}

fn url(page: &Statement, check: &Keys, levels: Levels<'_>) -> Keys {
    page.carry();
    let mut check = check.clone();
    if let Some(path) = page.find(&["path"]) {
        match path.argument() {
            Some(text) => check.set("path", encoded(text)),
            None => path.lose("names no path"),
        }
    }
    let hosts = [page, levels.server, levels.service].map(|place| place.find(&["virtualhost"]));
    hosts.iter().flatten().for_each(|host| host.carry());
    let host = hosts.into_iter().flatten().next();
    if let Some(host) = host.and_then(|host| host.fitting(is_word, "is no host's name")) {
        check.set("host", host);
    }
    if let Some(status) = page.find(&["status_code"]) {
        match status.arguments().iter().all(|word| is_status(word)) {
            true if !status.arguments().is_empty() => {
                status.carry();
                check.set("status", status.arguments().join(","));
            }
            _ => status.lose("are no codes of HTTP"),
        }
    }
    if let Some(digest) = page.find(&["digest"]) {
        match digest.argument().filter(|text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            Some(text) => check.set("digest", format!("md5:{text}")),
            None => digest.lose("is no MD5 sum of 32 hexadecimal digits"),
        }
    }
    if let Some(regex) = page.find(&["regex"]) {
        pattern(regex, page, &mut check);
    }
    check
}

/// A path as it goes into a request: it begins with a slash, and spaces do not end it.
fn encoded(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let safe = |c: char| match c {
        c if c.is_whitespace() || c.is_control() => {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
        }
        c => c.to_string(),
    };
    format!("{slash}{}", path.chars().map(safe).collect::<String>())
}

fn pattern(regex: &Statement, page: &Statement, check: &mut Keys) {
    let options = page.find(&["regex_options"]);
    let words = options.map(Statement::arguments).unwrap_or_default();
    let letter = |word: &String| match word.as_str() {
        "caseless" => Some('i'),
        "dotall" => Some('s'),
        "multiline" => Some('m'),
        "extended" => Some('x'),
        _ => None,
    };
    let letters: String = words.iter().filter_map(letter).collect();
    if let Some(options) = options {
        options.carry();
        let unknown: Vec<_> = words.iter().filter(|word| letter(word).is_none()).cloned().collect();
        if !unknown.is_empty() {
            options.carry_without(format!("`{}` has no counterpart", unknown.join(" ")));
        }
    }
    let text = regex.argument().unwrap_or_default();
    let text = if letters.is_empty() { text.to_owned() } else { format!("(?{letters}){text}") };
    if let Some(reversed) = page.find(&["regex_no_match"]) {
        reversed.lose("a text that must not occur has no counterpart");
        regex.lose("`regex_no_match` turns it round, which has no counterpart");
    } else if let Err(error) = regex::bytes::Regex::new(&text) {
        let why = error.to_string();
        regex.lose(format!("is no regular expression here: {}", why.lines().last().unwrap_or_default()));
    } else {
        check.set("body_regex", text);
    }
}
