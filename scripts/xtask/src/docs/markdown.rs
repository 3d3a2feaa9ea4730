//! Links and anchors of a Markdown page.

use std::collections::HashMap;

/// A link or image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Counted from 1.
    pub(super) line: usize,
    /// As written, without its title.
    pub(super) target: String,
}

/// All inline links, images and reference definitions outside code.
pub(super) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, number) in without_spans(&without_fences(text)).lines().zip(1..) {
        let mut push = |target: &str| {
            let target = target.split_whitespace().next().unwrap_or_default();
            let target = target.trim_start_matches('<').trim_end_matches('>').to_owned();
            links.push(Link { line: number, target });
        };
        for rest in line.split("](").skip(1) {
            push(rest.split(')').next().unwrap_or_default());
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            push(target);
        }
    }
    links
}

/// The anchors of all headings, as GitHub and mdBook form them.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let fenceless = without_fences(text);
    let headings = fenceless.lines().filter_map(heading);
    let mut numbered = |slug: String| {
        let count = seen.entry(slug.clone()).or_default();
        *count += 1;
        match *count {
            1 => slug,
            count => format!("{slug}-{}", count - 1),
        }
    };
    headings.map(|heading| numbered(slug(heading))).collect()
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level).then(|| text.strip_prefix(' ')).flatten().map(str::trim)
}

fn slug(heading: &str) -> String {
    let mut plain = String::new();
    // Of a link its text alone.
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let kept = plain.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then_some(c),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The text with empty lines for fenced code.
fn without_fences(text: &str) -> String {
    let mut plain = String::new();
    let mut fence = None;
    for line in text.lines() {
        let mark = line.trim_start();
        match fence {
            Some(open) if mark.starts_with(open) => fence = None,
            Some(_) => {}
            None => {
                fence = ["```", "~~~"].into_iter().find(|fence| mark.starts_with(fence));
                if fence.is_none() {
                    plain.push_str(line);
                }
            }
        }
        plain.push('\n');
    }
    plain
}

/// The text without its code spans; line ends remain.
fn without_spans(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let (before, from) = rest.split_at(start);
        plain.push_str(before);
        let ticks = from.len() - from.trim_start_matches('`').len();
        let (mark, inside) = from.split_at(ticks);
        // A span does not reach beyond its paragraph.
        let paragraph = inside.split("\n\n").next().unwrap_or_default();
        match closing(paragraph, mark) {
            Some(end) => {
                plain.extend(inside[..end].chars().filter(|&c| c == '\n'));
                rest = &inside[end + ticks..];
            }
            None => rest = inside,
        }
    }
    plain.push_str(rest);
    plain
}

/// The place of a run of backticks that is exactly `mark`.
fn closing(text: &str, mark: &str) -> Option<usize> {
    let is_whole =
        |&(at, _): &(usize, &str)| !text[..at].ends_with('`') && !text[at + mark.len()..].starts_with('`');
    text.match_indices(mark).find(is_whole).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<(usize, String)> {
        links(text).into_iter().map(|link| (link.line, link.target)).collect()
    }

    #[test]
    fn links_images_and_definitions_are_found_with_their_lines() {
        let text =
            "[a](one.md) and [`b`](two.md#x)\n![c](three.svg \"title\")\n\n[d\ne](four.md)\n\n[f]: five.md\n";
        let expected = [(1, "one.md"), (1, "two.md#x"), (2, "three.svg"), (5, "four.md"), (7, "five.md")];
        assert_eq!(targets(text), expected.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn code_has_no_links() {
        for text in
            ["`[a](b)`", "``[a](b) ` ``", "```text\n[a](b)\n```", "~~~\n[a](b)\n~~~", "`over\n[a](b)`"]
        {
            assert_eq!(targets(text), [], "{text}");
        }
        assert_eq!(targets("a lone ` and\n\n[a](b) `"), [(3, "b".to_owned())]);
    }

    #[test]
    fn anchors_are_those_of_github_and_mdbook() {
        let text = "# The machine\n## `[[service.backend]]`\n## ICMP errors, fragments & size\n## See [x](y.md)\n\
                    ```text\n# no heading\n```\n## The machine\n#none\n";
        let expected =
            ["the-machine", "servicebackend", "icmp-errors-fragments--size", "see-x", "the-machine-1"];
        assert_eq!(anchors(text), expected);
    }
}
