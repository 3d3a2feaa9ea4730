//! `track_interface` and `track_script`: what moves an instance's priority.

use super::super::output::Keys;
use super::super::statement::Statement;
use super::super::value::{command, is_word, seconds};
use super::vrrp::Around;

/// What moves the priority, or takes the instance out.
pub(super) fn track(instance: &Statement, around: &Around<'_>, keys: &mut Keys) {
    let mut tracked = Vec::new();
    let lines =
        |block: &str| instance.find(&[block]).into_iter().inspect(|b| b.carry()).flat_map(Statement::block);
    for line in lines("track_interface") {
        if let Some(weight) = weight(line.arguments(), line) {
            tracked.push(weighted(Keys::default().with("interface", line.keyword()), weight));
        }
    }
    for line in lines("track_script") {
        let Some(definition) = around.scripts.get(line.keyword()) else {
            line.lose("there is no vrrp_script of that name");
            continue;
        };
        definition.carry();
        line.carry();
        let run = definition.find(&["script"]);
        let Some(path) = run.and_then(|run| script(run.arguments())) else {
            let why = "a script is one program, named by its whole path: put this line into one";
            run.unwrap_or(definition).lose(why);
            line.lose("its vrrp_script has no counterpart");
            continue;
        };
        run.into_iter().for_each(Statement::carry);
        let default = definition.find(&["weight"]);
        let own = line.arguments();
        let weight = match default {
            _ if !own.is_empty() => weight(own, line),
            Some(default) => weight(&default.words, default),
            None => weight(own, line),
        };
        let Some(weight) = weight else { continue };
        let mut keys = Keys::default().with("script", path);
        let interval = definition.find(&["interval"]).and_then(Statement::argument).and_then(seconds);
        keys.time("interval", interval.unwrap_or(std::time::Duration::from_secs(1)));
        details(definition, &mut keys);
        tracked.push(weighted(keys, weight));
    }
    if !tracked.is_empty() {
        keys.raw("track", format!("[\n    {},\n]", tracked.join(",\n    ")));
    }
}

/// How long a script may take, and how many of its results count.
fn details(definition: &Statement, keys: &mut Keys) {
    if let Some(limit) = definition.find(&["timeout"]) {
        match limit.argument().and_then(seconds).filter(|time| !time.is_zero()) {
            Some(time) => keys.time("timeout", time),
            None => limit.lose("is no time in seconds"),
        }
    }
    for key in ["rise", "fall"] {
        let Some(found) = definition.find(&[key]) else { continue };
        match found.argument().and_then(|text| text.parse::<u16>().ok()).filter(|n| (1..=1000).contains(n)) {
            Some(count) => keys.set(key, i64::from(count)),
            None => found.lose("is no number of 1 to 1000"),
        }
    }
    if let Some(user) = definition.find(&["user"]).and_then(|user| user.fitting(is_word, "is no user's name"))
    {
        keys.set("user", user);
    }
}

/// `weight N`; nothing is 0, which is a fault.
fn weight(words: &[String], source: &Statement) -> Option<i64> {
    source.carry();
    match words {
        [] => Some(0),
        [key, number] if key == "weight" && number.parse().is_ok_and(|n: i64| (-253..=253).contains(&n)) => {
            number.parse().ok()
        }
        _ => {
            source.lose("but for `weight N` nothing has a counterpart");
            None
        }
    }
}

fn weighted(keys: Keys, weight: i64) -> String {
    if weight == 0 { keys.inline() } else { keys.with("weight", weight).inline() }
}

/// A program by its whole path, and nothing more.
pub(super) fn script(words: &[String]) -> Option<String> {
    match command(&words.join(" ")).as_slice() {
        [path] if path.starts_with('/') => Some(path.clone()),
        _ => None,
    }
}
