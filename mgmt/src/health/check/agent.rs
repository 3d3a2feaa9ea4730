//! An agent on the backend reports how the backend does, by the text protocol of HAProxy's agent check: one line, ended by CR,
//! LF or the end of the connection, of words that are separated by spaces, commas or tabs. The case of letters does not matter.
//!
//! | word | what follows |
//! | --- | --- |
//! | `up` | it is up |
//! | `down`, `fail`, `failed`, `stopped`, with `#text` | it is down |
//! | `75%`, `weight:75%` | a percentage of the configured weight |
//! | `weight:20` | that weight |
//! | `drain` | weight 0, until `ready` |
//! | `maint` | down, until `ready` |
//! | `ready` | `drain` and `maint` are over |
//! | `maxconn:30` | nothing: Penstock limits no connections of a backend by an agent's word |
//!
//! State, weight and `drain`/`maint`/`ready` are three things: a line changes those that it names, and of each the last word in
//! the line holds. A word that is not understood is reported, and the others of its line hold. An agent that is not there
//! changes nothing.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Target;
use super::socket::{connect, failed};
use crate::config::health::Agent;
use crate::health::tracker::{Admin, Outcome, Share, Verdict};

/// The longest line that is read.
const MAX_LINE: usize = 1024;

pub(super) async fn run(agent: &Agent, target: &Target) -> Result<Outcome, Outcome> {
    // An agent that is not there takes nothing back that it has said.
    let silent = |outcome: Outcome| match outcome.verdict {
        Verdict::NotRun | Verdict::CannotRun => outcome,
        Verdict::Pass | Verdict::Fail | Verdict::NoNews => {
            Outcome::no_news(format!("no agent: {}", outcome.said))
        }
    };
    let mut stream = connect(target).await.map_err(silent)?;
    let gone = |error| silent(failed(error));
    if let Some(text) = &agent.send {
        stream.write_all(text.as_bytes()).await.map_err(gone)?;
    }
    let (mut line, mut buffer) = (Vec::new(), [0; 256]);
    loop {
        let length = stream.read(&mut buffer).await.map_err(gone)?;
        line.extend_from_slice(&buffer[..length]);
        if let Some(whole) = first_line(&line) {
            return Ok(heard(&whole));
        }
        if length == 0 {
            return Ok(heard(&String::from_utf8_lossy(&line)));
        }
        if line.len() > MAX_LINE {
            return Ok(Outcome::no_news("the agent's line is endless"));
        }
    }
}

/// Without its end; `None` while that has not come.
fn first_line(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// What a line means.
#[must_use]
pub fn heard(line: &str) -> Outcome {
    let shown: String = line.trim().chars().take(80).collect();
    // A reason follows the sign and may have any words.
    let words = line.split('#').next().unwrap_or_default();
    let (mut verdict, mut share, mut admin) = (Verdict::NoNews, Share::Unsaid, None);
    let mut unknown = None;
    for word in words.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "up" => verdict = Verdict::Pass,
            // HAProxy knows `fail`, and its documentation had `failed` for years.
            "down" | "fail" | "failed" | "stopped" => verdict = Verdict::Fail,
            "ready" => admin = Some(Admin::Ready),
            "drain" => admin = Some(Admin::Drain),
            "maint" => admin = Some(Admin::Maintenance),
            known if is_maxconn(known) => {}
            other => match weight_of(other) {
                Some(weight) => share = weight,
                None => unknown = unknown.or(Some(word)),
            },
        }
    }
    let said = match unknown {
        None if shown.is_empty() => "the agent said nothing".to_owned(),
        None => format!("the agent said {shown:?}"),
        Some(word) if word == shown => format!("the agent said {shown:?}, which is not understood"),
        Some(word) => {
            let word: String = word.chars().take(40).collect();
            format!("the agent said {shown:?}, of which {word:?} is not understood")
        }
    };
    Outcome { verdict, share, admin, said: said.into(), warning: None }
}

fn is_maxconn(word: &str) -> bool {
    let number = word.strip_prefix("maxconn:");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn weight_of(word: &str) -> Option<Share> {
    let number = word.strip_prefix("weight:").unwrap_or(word);
    // `parse` would take a sign.
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    match number.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(Share::Percent),
        None if number.len() < word.len() => number.parse().ok().map(Share::Weight),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(line: &str) -> (Verdict, Share, Option<Admin>) {
        let outcome = heard(line);
        (outcome.verdict, outcome.share, outcome.admin)
    }

    /// HAProxy 3.0, configuration manual section 5.2, `agent-check`, and what its source does where that is silent.
    #[test]
    fn the_words_of_haproxys_agents_are_understood() {
        use Admin::{Drain, Maintenance, Ready};
        use Share::{Percent, Unsaid, Weight};
        use Verdict::{Fail, NoNews, Pass};
        for (line, meant) in [
            ("up", (Pass, Unsaid, None)),
            ("UP", (Pass, Unsaid, None)),
            ("down", (Fail, Unsaid, None)),
            ("fail", (Fail, Unsaid, None)),
            ("Fail", (Fail, Unsaid, None)),
            ("failed", (Fail, Unsaid, None)),
            ("stopped", (Fail, Unsaid, None)),
            ("down#out of memory", (Fail, Unsaid, None)),
            ("fail #up ready 100%", (Fail, Unsaid, None)),
            ("fail\t#", (Fail, Unsaid, None)),
            ("#down", (NoNews, Unsaid, None)),
            ("stopped # up soon", (Fail, Unsaid, None)),
            ("ready", (NoNews, Unsaid, Some(Ready))),
            ("drain", (NoNews, Unsaid, Some(Drain))),
            ("maint", (NoNews, Unsaid, Some(Maintenance))),
            ("MAINT,up", (Pass, Unsaid, Some(Maintenance))),
            ("ready down", (Fail, Unsaid, Some(Ready))),
            ("75%", (NoNews, Percent(75), None)),
            ("0%", (NoNews, Percent(0), None)),
            ("up, 50%", (Pass, Percent(50), None)),
            (" ,\tup ,, 50%\t", (Pass, Percent(50), None)),
            ("weight:20", (NoNews, Weight(20), None)),
            ("weight:150%\tup", (Pass, Percent(150), None)),
            ("ready up 10% maxconn:30", (Pass, Percent(10), Some(Ready))),
            ("maxconn:30", (NoNews, Unsaid, None)),
            // The last word of each kind holds.
            ("down up", (Pass, Unsaid, None)),
            ("up down", (Fail, Unsaid, None)),
            ("10% 20%", (NoNews, Percent(20), None)),
            ("maint ready", (NoNews, Unsaid, Some(Ready))),
            // Of words that are not understood, the others are left.
            ("down out of memory", (Fail, Unsaid, None)),
            ("hello up", (Pass, Unsaid, None)),
            ("", (NoNews, Unsaid, None)),
            ("75", (NoNews, Unsaid, None)),
            ("-5%", (NoNews, Unsaid, None)),
            ("+5%", (NoNews, Unsaid, None)),
            ("%", (NoNews, Unsaid, None)),
            ("weight:", (NoNews, Unsaid, None)),
            ("99999999%", (NoNews, Unsaid, None)),
            ("upp", (NoNews, Unsaid, None)),
        ] {
            assert_eq!(says(line), meant, "{line:?}");
        }
    }

    #[test]
    fn its_own_words_are_shown() {
        let said = |line| heard(line).said.into_owned();
        assert_eq!(said("down#disk full "), "the agent said \"down#disk full\"");
        assert_eq!(said("maxconn:30"), "the agent said \"maxconn:30\"");
        assert_eq!(said("hello"), "the agent said \"hello\", which is not understood");
        let reported = "the agent said \"down hello\", of which \"hello\" is not understood";
        assert_eq!(said("down hello"), reported);
        assert_eq!(said("maxconn:many"), "the agent said \"maxconn:many\", which is not understood");
        assert_eq!(said(" "), "the agent said nothing");
    }

    /// The line, as it comes from the network: in pieces, and with what may follow it.
    #[test]
    fn a_line_ends_with_cr_or_lf_or_with_the_connection() {
        for (bytes, line) in [
            (&b"up\r\ndown\n"[..], Some("up")),
            (b"fail\r", Some("fail")),
            (b"fail\n\n", Some("fail")),
            (b"\nfail\n", Some("")),
            (b"fail", None),
        ] {
            assert_eq!(first_line(bytes).as_deref(), line, "{bytes:?}");
        }
    }
}
