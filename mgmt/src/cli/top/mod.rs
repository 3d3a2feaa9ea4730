//! `penstock top`: the box on a terminal, as it changes. Keys come from a thread of their own, what is shown from
//! `state`, how from `screen`.

mod screen;
mod state;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::client::{Call, send};
use super::table::Style;
use super::{Failure, Session};
use state::{FLOWS, Key, Sample, State};

/// How often the daemon is asked.
const EVERY: Duration = Duration::from_secs(1);

impl<O: Write, E: Write> Session<'_, O, E> {
    pub(super) async fn top(&mut self) -> Result<(), Failure> {
        if self.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            let advice = "top is for a terminal: `penstock services --watch` or --json elsewhere";
            return Err(Failure::refused(advice));
        }
        // Who cannot be reached is said before the screen is taken.
        let first = sample(&self.socket).await.map_err(Failure::refused)?;
        let mut state = State::default();
        state.hear(Ok(first));
        let mut terminal = ratatui::try_init()?;
        let shown = show(&mut terminal, &mut state, &self.socket, self.terminal.style).await;
        ratatui::try_restore()?;
        Ok(shown?)
    }
}

async fn show(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    socket: &Path,
    style: Style,
) -> io::Result<()> {
    let mut keys = listen_to_keys();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        terminal.draw(|frame| screen::draw(frame, state, style))?;
        tokio::select! {
            pressed = keys.recv() => match pressed {
                Some(Some(key)) if !state.press(key) => return Ok(()),
                // Another key, or another size: it is drawn again.
                Some(_) => {}
                None => return Ok(()),
            },
            _ = tick.tick(), if !state.pauses => state.hear(sample(socket).await),
        }
    }
}

/// Reading a terminal blocks; the thread ends with the process.
fn listen_to_keys() -> mpsc::Receiver<Option<Key>> {
    let (sender, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(pressed) if pressed.kind != KeyEventKind::Release => meaning(pressed),
                _ => None,
            };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    keys
}

fn meaning(key: KeyEvent) -> Option<Key> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if is_control => Key::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('?' | 'h') => Key::Help,
        KeyCode::Char('p' | ' ') => Key::Pause,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        _ => return None,
    })
}

async fn sample(socket: &Path) -> Result<Sample, String> {
    Ok(Sample {
        status: ask(socket, "/v1/status").await?,
        services: ask(socket, "/v1/services").await?,
        stats: ask(socket, "/v1/stats").await?,
        vrrp: ask(socket, "/v1/vrrp").await?,
        flows: ask(socket, &format!("/v1/flows?limit={FLOWS}")).await?,
        events: ask(socket, "/v1/events").await?,
        at: crate::clock::now(),
    })
}

async fn ask<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T, String> {
    let answer = send(socket, Call::get(path)).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&answer.body).map_err(|error| format!("{path} is not understood: {error}"))
}
