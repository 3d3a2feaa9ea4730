//! The table of keys as a page of the manual.

use std::fmt::Write;

use super::{Key, Said, tables};

/// Every table of the file with its keys, in Markdown.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::new();
    for table in tables() {
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "## `{}`\n\n{}\n\n| key | default | example | range | meaning |\n| --- | --- | --- | --- | --- |\n",
            table.header,
            cell(table.about)
        );
        table.keys.iter().for_each(|key| page.push_str(&row(key)));
        page.push('\n');
    }
    page
}

fn row(Key { name, said, range, meaning }: &Key) -> String {
    let (default, example) = match said {
        Said::Default(value) => (format!("`{value}`"), String::new()),
        Said::Needed(value) => ("required".to_owned(), format!("`{value}`")),
        Said::Example(value, default) => ((*default).to_owned(), format!("`{value}`")),
    };
    let (key, range) = (format!("`{name}`"), range.told().replace(" | ", ", "));
    let cells = [key.as_str(), &default, &example, &range, meaning];
    format!("| {} |\n", cells.map(cell).join(" | "))
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
