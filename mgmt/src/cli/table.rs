//! Aligned columns: with colours on a terminal, the same without in a pipe.
//!
//! A cell is never empty and never holds a space but in the last column, so that `awk` and `cut` see
//! the same columns as the operator.

use std::fmt::{self, Display};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// For a pipe or a file.
    Plain,
    /// For a terminal.
    Coloured,
}

/// What a cell's colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Neutral,
    Good,
    Attention,
    Bad,
}

impl Tone {
    /// ECMA-48 section 8.3.117, Select Graphic Rendition.
    fn code(self) -> &'static str {
        match self {
            Self::Neutral => "",
            Self::Good => "\x1b[32m",
            Self::Attention => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn toned(text: impl Display, tone: Tone) -> Self {
        Self { tone, ..text.to_string().into() }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        // Control characters must not reach the terminal; names come from files and from the network.
        let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, tone: Tone::Neutral }
    }
}

/// A row of cells: `row![a, b, Cell::toned(..)]`, each something that can be displayed.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::cli::table::IntoCell::into_cell($cell)),*] };
}
pub(super) use row;

/// Anything that can stand in a cell.
pub(super) trait IntoCell {
    fn into_cell(self) -> Cell;
}

impl IntoCell for Cell {
    fn into_cell(self) -> Cell {
        self
    }
}

macro_rules! cells {
    ($($type:ty),*) => {
        $(impl IntoCell for $type {
            fn into_cell(self) -> Cell {
                self.to_string().into()
            }
        })*
    };
}
cells!(&str, String, &String, u8, u16, u32, u64, usize, std::net::IpAddr, std::net::SocketAddr);

/// See the module's head.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    style: Style,
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    is_number: bool,
}

impl Table {
    /// The columns' names, separated by spaces; a `>` in front stands for a column of numbers, which
    /// are aligned to the right.
    pub(super) fn new(columns: &'static str, style: Style) -> Self {
        let column = |word: &'static str| match word.strip_prefix('>') {
            Some(name) => Column { name, is_number: true },
            None => Column { name: word, is_number: false },
        };
        Self { columns: columns.split_whitespace().map(column).collect(), rows: Vec::new(), style }
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0);
        widest.max(self.columns[column].name.len())
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, widths: &[usize], cells: &[Cell], start: &str) -> fmt::Result {
        let end = |code: &str| if code.is_empty() { "" } else { "\x1b[0m" };
        for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let gap = if place == 0 { "" } else { "  " };
            let padding = " ".repeat(width - cell.text.chars().count().min(*width));
            let tone = if start.is_empty() { cell.tone.code() } else { start };
            let tone = if self.style == Style::Coloured { tone } else { "" };
            let text = &cell.text;
            let is_last = place + 1 == cells.len();
            match self.columns[place].is_number {
                true => write!(f, "{gap}{padding}{tone}{text}{}", end(tone))?,
                false if is_last => write!(f, "{gap}{tone}{text}{}", end(tone))?,
                false => write!(f, "{gap}{tone}{text}{}{padding}", end(tone))?,
            }
        }
        writeln!(f)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BOLD: &str = "\x1b[1m";
        let widths: Vec<_> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let names: Vec<Cell> = self.columns.iter().map(|c| c.name.to_owned().into()).collect();
        self.line(f, &widths, &names, BOLD)?;
        self.rows.iter().try_for_each(|row| self.line(f, &widths, row, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(style: Style) -> String {
        let mut table = Table::new("NAME >COUNT STATE", style);
        table.push(row!["web", 7_u64, Cell::toned("up", Tone::Good)]);
        table.push(row!["", 1000_u64, "a\x1b[2Jb"]);
        table.to_string()
    }

    #[test]
    fn columns_are_aligned_and_free_of_control_characters() {
        assert_eq!(table(Style::Plain), "NAME  COUNT  STATE\nweb       7  up\n-      1000  a?[2Jb\n");
    }

    #[test]
    fn colours_change_no_width() {
        let mut plain = table(Style::Coloured);
        assert!(plain.contains("\x1b[32mup\x1b[0m"));
        for code in ["\x1b[32m", "\x1b[1m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, table(Style::Plain));
    }
}
