//! The few words that a mail server is asked (RFC 5321), as a state machine. Pure, and of bounded memory.

use super::super::super::tracker::Outcome;

/// RFC 5321 section 4.5.3.1.5 allows 512; some servers write more into their banners.
const MAX_LINE: usize = 2048;
/// Lines of one reply.
const MAX_LINES: usize = 100;

/// What the server is to say next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Hello { encrypted: bool },
    StartTls,
    Quit,
}

/// What to do after a piece of the server's words.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read on.
    Wait,
    /// Send this.
    Send(String),
    /// Begin TLS, then call [`Dialogue::encrypted`].
    BeginTls,
    /// The check is over.
    Done(Outcome),
}

/// See the module's head.
#[derive(Debug)]
pub struct Dialogue<'c> {
    state: State,
    line: Vec<u8>,
    lines: usize,
    helo: &'c str,
    starttls: bool,
    offers_tls: bool,
}

impl<'c> Dialogue<'c> {
    /// Before the greeting.
    #[must_use]
    pub fn new(helo: &'c str, starttls: bool) -> Self {
        Self { state: State::Greeting, line: Vec::new(), lines: 0, helo, starttls, offers_tls: false }
    }

    /// What it waits for, for who asks.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self.state {
            State::Greeting => "waiting for the greeting",
            State::Hello { .. } => "waiting for the answer to HELO",
            State::StartTls => "waiting for the answer to STARTTLS",
            State::Quit => "waiting for the answer to QUIT",
        }
    }

    /// What came from the server. It says no more before it is asked.
    pub fn push(&mut self, bytes: &[u8]) -> Step {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > MAX_LINE {
                    return failed("the server's line is endless");
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match self.whole_line(line.trim_ascii_end()) {
                Step::Wait => {}
                step @ (Step::Send(_) | Step::BeginTls | Step::Done(_)) => return step,
            }
        }
        Step::Wait
    }

    /// Section 4.2: `250-` goes on, `250 ` is the last line of a reply.
    fn whole_line(&mut self, line: &[u8]) -> Step {
        let (Some(Ok(code)), separator) = (line.get(..3).map(std::str::from_utf8), line.get(3)) else {
            return failed("the server does not speak SMTP");
        };
        let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
        let is_last = match separator {
            None | Some(b' ') if is_code => true,
            Some(b'-') if is_code => false,
            None | Some(_) => return failed("the server does not speak SMTP"),
        };
        self.lines += 1;
        if self.lines > MAX_LINES {
            return failed("the server's reply is endless");
        }
        let keyword = line.get(4..).unwrap_or_default().trim_ascii();
        self.offers_tls |= keyword.eq_ignore_ascii_case(b"STARTTLS");
        if !is_last {
            return Step::Wait;
        }
        self.lines = 0;
        self.reply(code, &String::from_utf8_lossy(line))
    }

    fn reply(&mut self, code: &str, line: &str) -> Step {
        let line: String = line.chars().take(80).collect();
        match self.state {
            State::Greeting if code == "220" => {
                self.state = State::Hello { encrypted: false };
                Step::Send(format!("{} {}\r\n", if self.starttls { "EHLO" } else { "HELO" }, self.helo))
            }
            State::Hello { encrypted: false } if code == "250" && self.starttls => {
                if !self.offers_tls {
                    return failed("the server does not offer STARTTLS");
                }
                self.state = State::StartTls;
                Step::Send("STARTTLS\r\n".to_owned())
            }
            State::StartTls if code == "220" => Step::BeginTls,
            State::Hello { .. } if code == "250" => {
                self.state = State::Quit;
                Step::Send("QUIT\r\n".to_owned())
            }
            State::Quit if code == "221" => Step::Done(Outcome::pass("greeted")),
            State::Greeting => failed(format!("greeting {line:?}, wanted 220")),
            State::Hello { .. } => failed(format!("answer {line:?} to HELO, wanted 250")),
            State::StartTls => failed(format!("answer {line:?} to STARTTLS, wanted 220")),
            State::Quit => failed(format!("answer {line:?} to QUIT, wanted 221")),
        }
    }

    /// TLS has begun: RFC 3207 section 4.2 has the client greet anew. Gives what to send.
    pub fn encrypted(&mut self) -> String {
        self.line.clear();
        self.state = State::Hello { encrypted: true };
        format!("EHLO {}\r\n", self.helo)
    }
}

fn failed(why: impl Into<std::borrow::Cow<'static, str>>) -> Step {
    Step::Done(Outcome::fail(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(text: &str) -> Step {
        Step::Send(text.to_owned())
    }

    fn why(step: Step) -> String {
        match step {
            Step::Done(outcome) => outcome.said.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_greets_is_greeted_and_left() {
        let mut dialogue = Dialogue::new("lb1", false);
        assert_eq!(dialogue.push(b"220-mail.example.org\r\n220 ES"), Step::Wait);
        assert_eq!(dialogue.push(b"MTP\r\n"), send("HELO lb1\r\n"));
        assert_eq!(dialogue.push(b"250 hello\r\n"), send("QUIT\r\n"));
        assert_eq!(dialogue.push(b"221\r\n"), Step::Done(Outcome::pass("greeted")));
    }

    #[test]
    fn tls_begins_where_it_is_offered_and_the_server_is_greeted_anew() {
        let mut dialogue = Dialogue::new("lb1", true);
        assert_eq!(dialogue.push(b"220 x\r\n"), send("EHLO lb1\r\n"));
        assert_eq!(dialogue.push(b"250-x\r\n250-starttls\r\n250 SIZE\r\n"), send("STARTTLS\r\n"));
        assert_eq!(dialogue.push(b"220 go\r\n"), Step::BeginTls);
        assert_eq!(dialogue.encrypted(), "EHLO lb1\r\n");
        assert_eq!(dialogue.push(b"250 x\r\n"), send("QUIT\r\n"));
        let mut without = Dialogue::new("lb1", true);
        without.push(b"220 x\r\n");
        assert_eq!(why(without.push(b"250 x\r\n")), "the server does not offer STARTTLS");
    }

    #[test]
    fn what_is_wrong_is_told_in_the_servers_own_words() {
        let first = |bytes: &[u8]| why(Dialogue::new("lb1", false).push(bytes));
        assert_eq!(first(b"554 go away\r\n"), "greeting \"554 go away\", wanted 220");
        assert_eq!(first(b"HTTP/1.1 400 Bad Request\r\n"), "the server does not speak SMTP");
        assert_eq!(first(&[b'2'; MAX_LINE + 1]), "the server's line is endless");
        assert_eq!(first(&b"220-x\r\n".repeat(MAX_LINES + 1)), "the server's reply is endless");
        let mut dialogue = Dialogue::new("lb1", false);
        dialogue.push(b"220 x\r\n");
        assert_eq!(why(dialogue.push(b"421 busy\r\n")), "answer \"421 busy\" to HELO, wanted 250");
    }
}
