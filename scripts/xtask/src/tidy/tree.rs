//! The text files of the repository.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::rust::Rust;

#[derive(Debug)]
pub(crate) struct Tree {
    /// Where the files are, for rules that run a program on them.
    pub(super) root: PathBuf,
    /// Ordered by path.
    pub(super) files: Vec<File>,
}

#[derive(Debug)]
pub(crate) struct File {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(super) text: String,
    /// For Rust files.
    pub(super) rust: Option<Rust>,
}

impl Tree {
    /// Reads all text files under `root` but those of version control and of builds.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        Ok(Self::new(root, files))
    }

    /// A tree of these files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self::new(Path::new("/nowhere"), files)
    }

    fn new(root: &Path, mut files: Vec<(String, String)>) -> Self {
        files.sort();
        let files = files.into_iter().map(|(path, text)| {
            let rust = path.ends_with(".rs").then(|| Rust::new(&text));
            File { path, text, rust }
        });
        let mut tree = Self { root: root.to_owned(), files: files.collect() };
        tree.mark_tests();
        tree
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of a line, counted from 1; empty if there is none.
    pub(super) fn line(&self, path: &str, line: usize) -> &str {
        let text = self.file(path).map_or("", |file| &file.text);
        text.lines().nth(line.saturating_sub(1)).unwrap_or_default()
    }

    /// The Rust files whose path starts with one of `prefixes`.
    pub(crate) fn rust_under<'t>(
        &'t self,
        prefixes: &'t [&str],
    ) -> impl Iterator<Item = (&'t File, &'t Rust)> {
        let files = self.files.iter().filter(|file| prefixes.iter().any(|p| file.path.starts_with(p)));
        files.filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    /// Marks files that only tests are compiled from: those of a package's `tests` folder, and those
    /// that a module declares so.
    fn mark_tests(&mut self) {
        let mut declared = HashSet::new();
        for (file, rust) in self.rust_under(&[""]) {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let stem = name.trim_end_matches(".rs");
            let own = if ["mod", "lib", "main"].contains(&stem) {
                folder.into()
            } else {
                format!("{folder}/{stem}")
            };
            for module in &rust.test_modules {
                declared.insert(match &module.path {
                    Some(path) => format!("{folder}/{path}"),
                    None => format!("{own}/{}.rs", module.name),
                });
                declared.insert(format!("{own}/{}/", module.name));
            }
        }
        for file in &mut self.files {
            let is_declared = declared.iter().any(|test| match test.strip_suffix('/') {
                Some(_) => file.path.starts_with(test),
                None => file.path == *test,
            });
            let is_in_tests_folder = file.path.split('/').nth(1) == Some("tests");
            if let Some(rust) = file.rust.as_mut().filter(|_| is_declared || is_in_tests_folder) {
                rust.mark_as_tests();
            }
        }
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && ![".git", "target"].contains(&name.as_str()) {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && name != ".git" {
            // What is not UTF-8 is no text: a capture, say.
            files.extend(String::from_utf8(std::fs::read(entry.path())?).ok().map(|text| (path, text)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_test(tree: &Tree, path: &str) -> bool {
        tree.file(path).unwrap().rust.as_ref().unwrap().is_test(1)
    }

    #[test]
    fn files_that_modules_declare_for_tests_are_tests() {
        let declares = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"odd.rs\"]\nmod named;\n";
        let own = "fn a() {}\n";
        let tree = Tree::of(&[
            ("p/src/a/mod.rs", declares),
            ("p/src/a/tests.rs", own),
            ("p/src/a/tests/deep.rs", own),
            ("p/src/a/odd.rs", own),
            ("p/src/a/real.rs", own),
            ("p/src/b.rs", declares),
            ("p/src/b/tests.rs", own),
            ("p/src/tests.rs", own),
            ("p/tests/whole.rs", own),
        ]);
        let tests = [
            "p/src/a/tests.rs",
            "p/src/a/tests/deep.rs",
            "p/src/a/odd.rs",
            "p/src/b/tests.rs",
            "p/tests/whole.rs",
        ];
        assert!(tests.iter().all(|path| is_test(&tree, path)));
        assert!(!["p/src/a/real.rs", "p/src/tests.rs"].iter().any(|path| is_test(&tree, path)));
    }

    #[test]
    fn the_repository_is_read_without_what_builds_leave() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tree = Tree::read(root).unwrap();
        assert!(tree.file("src/tidy/tree.rs").is_some());
        assert!(tree.line("src/tidy/tree.rs", 1).starts_with("//!"));
        assert!(!tree.files.iter().any(|file| file.path.starts_with("target/")));
    }
}
