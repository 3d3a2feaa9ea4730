//! `penstock top` as it is drawn.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style as Look};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table};

use super::state::{FLOWS, Sample, State, short};
use crate::cli::render::time;
use crate::cli::table::Style;

const KEYS: &str = " q leave   ? keys   p pause   arrows, page keys: services";

const HELP: &str = "\
q, Esc, Ctrl-C   leave
?, h             these keys
p, space         pause, and go on
up, down, k, j   through the services
page up, down    the same, ten lines at a time
Home             to the first service";

/// Draws everything. In plain style nothing is coloured.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, style: Style) {
    let [head, services, below, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(6),
        Constraint::Length(11),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(header(state, style)), head);
    draw_services(frame, services, state, style);
    let [clients, failover, drops] = Layout::horizontal([
        Constraint::Percentage(32),
        Constraint::Percentage(34),
        Constraint::Percentage(34),
    ])
    .spacing(2)
    .areas(below);
    draw_clients(frame, clients, state);
    draw_failover(frame, failover, state, style);
    draw_drops(frame, drops, state);
    frame.render_widget(Paragraph::new(KEYS).style(Look::new().add_modifier(Modifier::REVERSED)), foot);
    if state.helps {
        draw_help(frame);
    }
}

/// What is in names comes from files and from the network.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn toned(text: String, tone: Color, style: Style) -> Span<'static> {
    match style {
        Style::Coloured => Span::styled(text, Look::new().fg(tone)),
        Style::Plain => Span::raw(text),
    }
}

fn tone(state: &str) -> Color {
    match state {
        "up" | "master" => Color::Green,
        "down" | "fault" => Color::Red,
        "drain" | "disabled" | "backup" => Color::Yellow,
        _ => Color::Reset,
    }
}

fn header(state: &State, style: Style) -> Vec<Text<'static>> {
    let Some(Sample { status, .. }) = &state.now else {
        let why = state.trouble.clone().unwrap_or_else(|| "asking the daemon".to_owned());
        return vec![Text::raw(plain(&why))];
    };
    let flows = &status.flows;
    let about = format!(
        "{}  penstockd {}, up for {}, configuration {}, flows {} of {}",
        plain(&status.node),
        plain(&status.version),
        time(status.uptime_seconds),
        status.config_generation,
        flows.active,
        flows.capacity
    );
    let busy: Vec<_> = status.workers.iter().map(|w| format!("{:.0}%", w.busy_ratio * 100.0)).collect();
    let mut rates = vec![Span::raw(format!(
        "forwarded {}/s, new flows {}/s, dropped {}/s, workers {}",
        short(state.forwarded()),
        short(state.new_flows()),
        short(state.dropped()),
        busy.join(" ")
    ))];
    if let Some(why) = &state.trouble {
        rates.push(toned(format!("  old: {}", plain(why)), Color::Red, style));
    }
    if state.pauses {
        rates.push(toned("  paused".to_owned(), Color::Yellow, style));
    }
    vec![Text::styled(about, Look::new().add_modifier(Modifier::BOLD)), Text::from(rates)]
}

fn titled(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

fn right(text: String) -> Cell<'static> {
    Cell::new(Text::from(text).right_aligned())
}

fn draw_services(frame: &mut Frame<'_>, area: Rect, state: &State, style: Style) {
    let lines = state.lines();
    let rows = lines.iter().skip(state.scrolled).map(|line| {
        let name = if line.is_service { plain(&line.name) } else { format!("  {}", plain(&line.name)) };
        let look = if line.is_service { Look::new().add_modifier(Modifier::BOLD) } else { Look::new() };
        let cells = [
            Cell::new(name),
            Cell::new(toned(line.state.clone(), tone(&line.state), style)),
            right(line.flows.to_string()),
            right(short(line.new_per_second)),
            right(short(line.packets_per_second)),
            right(short(line.bits_per_second)),
        ];
        Row::new(cells).style(look)
    });
    let numbers = ["FLOWS", "NEW/S", "PACKETS/S", "BITS/S"].map(|name| right(name.to_owned()));
    let head = [Cell::new("SERVICE, BACKENDS"), Cell::new("STATE")].into_iter().chain(numbers);
    let widths = [
        Constraint::Min(30),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(9),
    ];
    let title = format!("Services {}", if lines.is_empty() { "(none)" } else { "" });
    frame.render_widget(Table::new(rows, widths).header(Row::new(head)).block(titled(title)), area);
}

fn draw_clients(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.clients().into_iter().map(|client| {
        Row::new([
            Cell::new(client.address.to_string()),
            right(client.flows.to_string()),
            right(short(client.packets as f64)),
        ])
    });
    let widths = [Constraint::Min(15), Constraint::Length(6), Constraint::Length(8)];
    let head = Row::new([Cell::new("CLIENT"), right("FLOWS".to_owned()), right("PACKETS".to_owned())]);
    let is_part = state.now.as_ref().is_some_and(|now| now.flows.len() >= FLOWS);
    let title = if is_part { format!("Clients, of {FLOWS} flows") } else { "Clients".to_owned() };
    frame.render_widget(Table::new(rows, widths).header(head).block(titled(title)), area);
}

fn draw_failover(frame: &mut Frame<'_>, area: Rect, state: &State, style: Style) {
    let routers = state.now.iter().flat_map(|now| &now.vrrp).map(|router| {
        let since = router.last_transition_seconds.map(|s| format!(" for {}", time(s))).unwrap_or_default();
        Text::from(vec![
            Span::raw(format!("{} ", plain(&router.name))),
            toned(router.state.clone(), tone(&router.state), style),
            Span::raw(format!("{since}, priority {}", router.effective_priority)),
        ])
    });
    let events = state.now.iter().flat_map(|now| now.events.iter().rev()).map(|event| {
        let color = match event.level.as_str() {
            "error" => Color::Red,
            "warn" => Color::Yellow,
            _ => Color::Reset,
        };
        let clock = event.at.get(11..19).unwrap_or(&event.at);
        Text::from(vec![Span::raw(format!("{clock} ")), toned(plain(&event.text), color, style)])
    });
    let lines: Vec<_> = routers.chain(events).collect();
    frame
        .render_widget(Paragraph::new(lines).block(titled("Virtual routers, events (UTC)".to_owned())), area);
}

fn draw_drops(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.drops().into_iter().map(|(code, rate, count)| {
        Row::new([Cell::new(code), right(short(rate)), right(short(count as f64))])
    });
    let widths = [Constraint::Min(16), Constraint::Length(8), Constraint::Length(8)];
    let head = Row::new([Cell::new("DROPPED"), right("A SECOND".to_owned()), right("ALL".to_owned())]);
    frame.render_widget(Table::new(rows, widths).header(head).block(titled("Drops".to_owned())), area);
}

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area().centered(Constraint::Length(52), Constraint::Length(8));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title("Keys")), area);
}
