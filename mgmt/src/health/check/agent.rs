//! An agent on the backend says how it does: the text protocol of HAProxy's agent check. Words of one line,
//! separated by spaces, commas or tabs.
//!
//! | word | what follows |
//! | --- | --- |
//! | `up` | it is up |
//! | `down`, `failed`, `stopped`, with `#text` | it is down |
//! | `75%`, `weight:75%` | so much of the configured weight |
//! | `weight:20` | that weight |
//! | `drain` | weight 0 |
//! | `maint` | it is down |
//! | `ready` | `drain` and `maint` are over |
//!
//! An agent that is not there changes nothing: its last word holds.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Target;
use super::socket::connect;
use crate::config::health::Agent;
use crate::health::tracker::{Outcome, Share, Verdict};

/// The longest line that is read.
const MAX_LINE: usize = 1024;

pub(super) async fn run(agent: &Agent, target: &Target) -> Result<Outcome, Outcome> {
    let silent = |why: std::borrow::Cow<'static, str>| Outcome::no_news(format!("no agent: {why}"));
    let mut stream = connect(target).await.map_err(|outcome| silent(outcome.said))?;
    let gone = |error| silent(super::socket::words(&error));
    if let Some(text) = &agent.send {
        stream.write_all(text.as_bytes()).await.map_err(gone)?;
    }
    let (mut line, mut buffer) = (Vec::new(), [0; 256]);
    loop {
        let length = stream.read(&mut buffer).await.map_err(gone)?;
        line.extend_from_slice(&buffer[..length]);
        let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        if let Some(end) = end.or((length == 0).then_some(line.len())) {
            return Ok(heard(&String::from_utf8_lossy(&line[..end])));
        }
        if line.len() > MAX_LINE {
            return Ok(Outcome::no_news("the agent's line is endless"));
        }
    }
}

/// What a line says.
#[must_use]
pub fn heard(line: &str) -> Outcome {
    let shown: String = line.trim().chars().take(80).collect();
    // A reason follows the sign and may have any words.
    let (words, reason) = line.split_once('#').map_or((line, None), |(words, why)| (words, Some(why)));
    let (mut verdict, mut share, mut known) = (Verdict::NoNews, Share::Unsaid, false);
    for word in words.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        known = true;
        match word.as_str() {
            "up" if verdict != Verdict::Fail => verdict = Verdict::Pass,
            "up" => {}
            "ready" => {
                share = Share::Configured;
                if verdict == Verdict::NoNews {
                    verdict = Verdict::Pass;
                }
            }
            "down" | "failed" | "stopped" | "maint" => verdict = Verdict::Fail,
            "drain" => share = Share::Weight(0),
            weight => match weight_of(weight) {
                Some(weight) => share = weight,
                None => known = weight.starts_with("maxconn:"),
            },
        }
    }
    let said = match (known, reason) {
        (false, _) if shown.is_empty() => "the agent said nothing".to_owned(),
        (false, _) => format!("the agent said {shown:?}, which is not understood"),
        (true, _) => format!("the agent said {shown:?}"),
    };
    Outcome { verdict, share, said: said.into(), warning: None }
}

fn weight_of(word: &str) -> Option<Share> {
    let number = word.strip_prefix("weight:").unwrap_or(word);
    match number.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(Share::Percent),
        None if number.len() < word.len() => number.parse().ok().map(Share::Weight),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(line: &str) -> (Verdict, Share) {
        let outcome = heard(line);
        (outcome.verdict, outcome.share)
    }

    #[test]
    fn the_words_of_haproxys_agents_are_understood() {
        use Share::{Configured, Percent, Unsaid, Weight};
        use Verdict::{Fail, NoNews, Pass};
        for (line, meant) in [
            ("up", (Pass, Unsaid)),
            ("down#out of memory", (Fail, Unsaid)),
            ("failed", (Fail, Unsaid)),
            ("stopped # up soon", (Fail, Unsaid)),
            ("75%", (NoNews, Percent(75))),
            ("up, 50%", (Pass, Percent(50))),
            ("weight:20", (NoNews, Weight(20))),
            ("weight:150%\tup", (Pass, Percent(150))),
            ("drain", (NoNews, Weight(0))),
            ("maint", (Fail, Unsaid)),
            ("ready", (Pass, Configured)),
            ("ready down", (Fail, Configured)),
            ("ready up 10% maxconn:30", (Pass, Percent(10))),
            ("UP", (Pass, Unsaid)),
            ("", (NoNews, Unsaid)),
            ("75", (NoNews, Unsaid)),
            ("99999999%", (NoNews, Unsaid)),
        ] {
            assert_eq!(says(line), meant, "{line:?}");
        }
    }

    #[test]
    fn its_own_words_are_shown() {
        assert_eq!(heard("down#disk full ").said, "the agent said \"down#disk full\"");
        assert_eq!(heard("hello").said, "the agent said \"hello\", which is not understood");
        assert_eq!(heard(" ").said, "the agent said nothing");
    }
}
