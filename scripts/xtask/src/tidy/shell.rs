//! Shell scripts, by shellcheck where it is installed.

use std::path::Path;
use std::process::Command;

use super::Violation;
use super::tree::{File, Tree};
use crate::check;

pub(super) fn is_installed() -> bool {
    check::is_installed("shellcheck")
}

/// Whether `file` is a script for the shell.
pub(super) fn is_script(file: &File) -> bool {
    let first = file.text.lines().next().unwrap_or_default();
    let is_for_shell = first.starts_with("#!") && first.ends_with("sh");
    is_for_shell || file.path.ends_with(".sh")
}

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let scripts: Vec<&str> =
        tree.files.iter().filter(|file| is_script(file)).map(|f| f.path.as_str()).collect();
    if scripts.is_empty() || !is_installed() { Vec::new() } else { shellcheck(&tree.root, &scripts) }
}

fn shellcheck(root: &Path, scripts: &[&str]) -> Vec<Violation> {
    let arguments = ["--external-sources", "--format=gcc", "--"];
    match Command::new("shellcheck").args(arguments).args(scripts).current_dir(root).output() {
        Err(error) => vec![Violation::new("scripts", 1, format!("cannot run shellcheck: {error}"))],
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout);
            let mut violations: Vec<Violation> = told.lines().filter_map(read).collect();
            if !output.status.success() && violations.is_empty() {
                let what = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                violations.push(Violation::new("scripts", 1, format!("shellcheck failed: {what}")));
            }
            violations
        }
    }
}

/// `PATH:LINE:COLUMN: MESSAGE`
fn read(told: &str) -> Option<Violation> {
    let mut parts = told.splitn(4, ':');
    let (path, line, _, what) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Violation::new(path, line.parse().ok()?, what.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn a_script_is_known_by_its_first_line_or_its_name() {
        let tree = Tree::of(&[
            ("a", "#!/usr/bin/env bash\n"),
            ("b", "#!/usr/bin/python3\n"),
            ("c.sh", ""),
            ("d", "sh\n"),
        ]);
        let scripts: Vec<&str> =
            tree.files.iter().filter(|f| is_script(f)).map(|f| f.path.as_str()).collect();
        assert_eq!(scripts, ["a", "c.sh"]);
    }

    #[test]
    fn what_shellcheck_tells_is_a_violation_at_its_place() {
        let told = read("scripts/a:3:7: note: Double quote to prevent globbing. [SC2086]").unwrap();
        assert_eq!(places(&[told]), ["scripts/a:3"]);
        assert!(read("no place").is_none());
    }

    #[test]
    fn a_script_that_cannot_be_read_is_a_violation() {
        if is_installed() {
            assert_eq!(shellcheck(Path::new("/"), &["no-such-script.sh"]).len(), 1);
        }
    }
}
