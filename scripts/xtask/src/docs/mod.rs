//! `cargo xtask docs`: the manual lists all of its pages, every relative link in the documents resolves, and mdBook builds
//! the manual where it is installed.

mod markdown;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::check::{is_installed, succeeds};

/// Documents outside the manual.
const DOCUMENTS: &[&str] =
    &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"];
/// The folder of the manual's pages. mdBook publishes nothing outside it.
const BOOK: &str = "docs/src/";
const SUMMARY: &str = "docs/src/SUMMARY.md";

/// Text of each page, by its path from the root.
type Pages = BTreeMap<String, String>;

/// A faulty place in a document.
#[derive(Debug)]
struct Fault {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Prints the faults and returns whether there are none.
pub(crate) fn run(root: &Path) -> bool {
    let pages = match read(root) {
        Ok(pages) => pages,
        Err(error) => {
            println!("docs: cannot read the documents: {error}");
            return false;
        }
    };
    let mut faults = missing_from_summary(&pages);
    faults.extend(broken_links(&pages, &|path| target(root, path)));
    faults.iter().for_each(|fault| println!("  {fault}"));
    println!("docs: {} pages, {} faults", pages.len(), faults.len());
    faults.is_empty() && build(root)
}

fn build(root: &Path) -> bool {
    if !is_installed("mdbook") {
        println!("left out: mdbook is not installed (cargo install mdbook)");
        return true;
    }
    succeeds(Command::new("mdbook").args(["build", "docs"]).current_dir(root))
}

fn read(root: &Path) -> io::Result<Pages> {
    let mut pages = Pages::new();
    for path in DOCUMENTS {
        pages.insert((*path).to_owned(), std::fs::read_to_string(root.join(path))?);
    }
    read_folder(root, "docs", &mut pages)?;
    Ok(pages)
}

fn read_folder(root: &Path, folder: &str, pages: &mut Pages) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().display());
        if entry.file_type()?.is_dir() {
            read_folder(root, &path, pages)?;
        } else if is_markdown(&path) {
            let text = std::fs::read_to_string(entry.path())?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

fn is_markdown(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

/// Text of the file at `path`; empty for a folder or a file that is not Markdown.
fn target(root: &Path, path: &str) -> Option<String> {
    let file = root.join(path);
    match is_markdown(path) {
        true => std::fs::read_to_string(file).ok(),
        false => file.exists().then(String::new),
    }
}

/// Pages of the manual that its table of contents does not name exactly once.
fn missing_from_summary(pages: &Pages) -> Vec<Fault> {
    let Some(summary) = pages.get(SUMMARY) else {
        return vec![Fault { path: SUMMARY.to_owned(), line: 1, what: "the file is missing".to_owned() }];
    };
    let named: Vec<_> = markdown::links(summary)
        .iter()
        .filter_map(|link| resolved(SUMMARY, &link.target))
        .map(|(path, _)| path)
        .collect();
    let book = pages.keys().filter(|path| path.starts_with(BOOK) && *path != SUMMARY);
    let faulty = book.filter_map(|path| match named.iter().filter(|name| *name == path).count() {
        1 => None,
        count => Some((path, count)),
    });
    let fault = |(path, count): (&String, usize)| Fault {
        path: path.clone(),
        line: 1,
        what: format!("{SUMMARY} names this page {count} times; it must name it once"),
    };
    faulty.map(fault).collect()
}

/// Relative links without a target. `target` returns the text of the file at a path.
fn broken_links(pages: &Pages, target: &dyn Fn(&str) -> Option<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in pages {
        for link in markdown::links(text) {
            if let Some(why) = broken(path, &link.target, target) {
                let what = format!("link `{}` {why}", link.target);
                faults.push(Fault { path: path.clone(), line: link.line, what });
            }
        }
    }
    faults
}

fn broken(page: &str, link: &str, target: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let Some((path, anchor)) = resolved(page, link) else {
        return Some("leads out of the repository".to_owned());
    };
    if page.starts_with(BOOK) && !path.starts_with(BOOK) {
        return Some(format!(
            "leads out of {BOOK}, where the published manual has no file: name `{path}` as code"
        ));
    }
    let Some(text) = target(&path) else {
        return Some(format!("leads to {path}, which does not exist"));
    };
    let anchor = anchor?;
    let anchors = markdown::anchors(&text);
    (!anchors.contains(&anchor)).then(|| format!("leads to `#{anchor}`, and {path} has no such heading"))
}

/// Path from the root and anchor of a link in `page`; `None` for a path that leaves the root.
fn resolved(page: &str, link: &str) -> Option<(String, Option<String>)> {
    let (path, anchor) =
        link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor.to_owned())));
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(files: &[(&str, &str)]) -> Pages {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let pages = pages(files);
        broken_links(&pages, &|path| pages.get(path).cloned()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_to_files_folders_and_anchors_that_exist_are_accepted() {
        let faults = faults(&[
            (
                "README.md",
                "[a](docs/src/a.md) [b](docs/src/a.md#two-words) [own](#here)\n# Here\n![plot](plots/a.svg)\n",
            ),
            (
                "docs/src/a.md",
                "# One\n## Two words\n[up](../src/b/c.md) [web](https://example.org/#x) [m](mailto:a@b.c)\n",
            ),
            ("docs/src/b/c.md", "[back](../a.md#one)"),
            ("plots/a.svg", ""),
        ]);
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn each_broken_link_is_reported_with_its_line_and_reason() {
        let faults = faults(&[
            (
                "README.md",
                "# A\n\n[gone](docs/src/gone.md)\n[no heading](docs/src/a.md#none) [out](../x.md)\n",
            ),
            ("docs/src/a.md", "[own](#nowhere)\n[code](../../README.md)\n"),
        ]);
        assert_eq!(
            faults,
            [
                "README.md:3: link `docs/src/gone.md` leads to docs/src/gone.md, which does not exist",
                "README.md:4: link `docs/src/a.md#none` leads to `#none`, and docs/src/a.md has no such heading",
                "README.md:4: link `../x.md` leads out of the repository",
                "docs/src/a.md:1: link `#nowhere` leads to `#nowhere`, and docs/src/a.md has no such heading",
                "docs/src/a.md:2: link `../../README.md` leads out of docs/src/, where the published manual has no \
                 file: name `README.md` as code",
            ]
        );
    }

    #[test]
    fn the_summary_names_every_page_once() {
        let summary = "# Summary\n\n- [A](a.md)\n- [B](b/b.md)\n- [B again](b/b.md)\n";
        let pages = pages(&[
            (SUMMARY, summary),
            ("docs/src/a.md", ""),
            ("docs/src/b/b.md", ""),
            ("docs/src/c.md", ""),
        ]);
        let faults: Vec<_> = missing_from_summary(&pages)
            .iter()
            .map(|fault| (fault.path.clone(), fault.what.clone()))
            .collect();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].0 == "docs/src/b/b.md" && faults[0].1.contains("2 times"), "{faults:?}");
        assert!(faults[1].0 == "docs/src/c.md" && faults[1].1.contains("0 times"), "{faults:?}");
    }

    #[test]
    fn a_manual_without_a_summary_is_faulty() {
        assert_eq!(missing_from_summary(&Pages::new()).len(), 1);
    }
}
