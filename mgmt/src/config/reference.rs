//! Every key of the file, with its default, its range and what it means: one table, which the reference is written from and
//! which tests hold against the reader.

mod checks;
mod keys;
mod node;
mod page;
mod vrrp;

use std::fmt::Write;

pub use page::reference_page;

/// A table of the file.
#[derive(Debug)]
struct Table {
    /// As it is written: `[dataplane]`, `[[service.backend]]`.
    header: &'static str,
    /// What the reader calls it.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests find the reader's keys by it"))]
    name: &'static str,
    /// What it is for.
    about: &'static str,
    /// Whether a file without it says the same.
    is_off: bool,
    keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
struct Key {
    name: &'static str,
    said: Said,
    range: Range,
    meaning: &'static str,
}

/// What stands behind the key in the reference.
#[derive(Debug, Clone, Copy)]
enum Said {
    /// What it is without the key.
    Default(&'static str),
    /// It has to be there.
    Needed(&'static str),
    /// An example; and what it is without the key.
    Example(&'static str, &'static str),
}

/// What may stand there.
#[derive(Debug, Clone, Copy)]
enum Range {
    /// An integer; `1 to 65535`.
    Integer(&'static str),
    /// A duration; `1s to 1day`.
    Time(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// Anything that these words describe.
    Other(&'static str),
}

const HEAD: &str = "\
# Every key of the configuration file, with its default, its range and what it means. `penstock check --reference`
# prints it. What stands here without a # in front of a key is what a file says that has none of these keys, but for
# those that are needed.
";

/// The file of all keys.
#[must_use]
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for table in tables() {
        let comment = if table.is_off { "#" } else { "" };
        say(&mut text, format_args!("\n# {}\n{comment}{}", wrapped(table.about), table.header));
        for Key { name, said, range, meaning } in table.keys {
            let (mark, value, default) = match said {
                Said::Default(value) => (comment, value, String::new()),
                Said::Needed(value) => (comment, value, " Needed.".to_owned()),
                Said::Example(value, default) => ("#", value, format!(" Default: {default}.")),
            };
            say(
                &mut text,
                format_args!("\n# {}", wrapped(&format!("{meaning}. Range: {}.{default}", range.told()))),
            );
            say(&mut text, format_args!("{mark}{name} = {value}"));
        }
    }
    text
}

/// In the order of the file.
fn tables() -> impl Iterator<Item = &'static Table> {
    node::TABLES.iter().chain(vrrp::TABLES).chain(keys::TABLES).chain(checks::TABLES)
}

impl Range {
    fn told(self) -> String {
        match self {
            Self::Integer(range) | Self::Time(range) => range.to_owned(),
            Self::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                words.join(" | ")
            }
            Self::Flag => "true | false".to_owned(),
            Self::Other(what) => what.to_owned(),
        }
    }
}

/// In lines of a comment.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 108;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + word.len() >= WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n# ")
}

fn say(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{what}");
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
