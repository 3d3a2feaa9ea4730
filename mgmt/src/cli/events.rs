//! `penstock events`: what has happened, and with `--follow` what happens.

use std::io::Write;

use super::client::{Call, ClientError, listen};
use super::render::Render;
use super::table::Style;
use super::{Failure, Session};
use crate::api::view;

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) async fn events(&mut self, after: u64, follow: bool) -> Result<(), Failure> {
        let path = format!("/v1/events?after={after}&follow={follow}");
        if !follow {
            return self.show::<Vec<view::Event>>(&path).await;
        }
        let mut stream = listen(&self.socket, Call::get(path)).await?;
        if !stream.status.is_success() {
            let body = stream.rest().await?;
            return Err(self.refusal(&body));
        }
        let mut rest = Vec::new();
        while let Some(bytes) = stream.next().await? {
            rest.extend(bytes);
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines: Vec<u8> = rest.drain(..whole).collect();
            let text = String::from_utf8_lossy(&lines).into_owned();
            let text = if self.json { text } else { self.told(&text)? };
            self.terminal.print(&text)?;
        }
        Ok(())
    }

    fn told(&self, lines: &str) -> Result<String, Failure> {
        let mut text = String::new();
        for line in lines.lines() {
            let event: view::Event = serde_json::from_str(line).map_err(|error| ClientError::Protocol {
                path: self.socket.clone(),
                error: Box::new(error),
            })?;
            text += &told(&event, self.terminal.style);
        }
        Ok(text)
    }
}

fn told(event: &view::Event, style: Style) -> String {
    let view::Event { at, level, kind, text, .. } = event;
    // What is in it comes from files and from the network, and must not reach the terminal as commands.
    let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let colour = match (style, level.as_str()) {
        (Style::Coloured, "warn") => "\x1b[33m",
        (Style::Coloured, "error") => "\x1b[31m",
        _ => "",
    };
    let end = if colour.is_empty() { "" } else { "\x1b[0m" };
    format!("{at}  {colour}{level:<5}{end}  {kind:<13}  {text}\n")
}

impl Render for Vec<view::Event> {
    fn render(&self, style: Style) -> String {
        self.iter().map(|event| told(event, style)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_coloured_by_how_bad_it_is_and_commands_nothing() {
        let event = view::Event {
            number: 1,
            at: "2026-01-02T03:04:05.678Z".to_owned(),
            level: "warn".to_owned(),
            kind: "backend".to_owned(),
            text: "backend is down why=\x1b[2J".to_owned(),
        };
        let plain = "2026-01-02T03:04:05.678Z  warn   backend        backend is down why=?[2J\n";
        assert_eq!(told(&event, Style::Plain), plain);
        assert!(told(&event, Style::Coloured).contains("\x1b[33mwarn \x1b[0m"));
    }
}
