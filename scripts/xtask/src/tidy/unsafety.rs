//! Where unsafe code may be, and what it must say.

use super::Violation;
use super::exception::{Exception, apply};
use super::rust::Rust;
use super::tree::{File, Tree};

const HOMES: &[&str] = &["dataplane/afxdp/src/", "dataplane/src/mem/"];

/// How far above an unsafe block its proof may start.
const NEAR: usize = 6;

pub(super) const EXCEPTIONS: &[Exception] = &[];

pub(super) fn check(tree: &Tree, exceptions: &[Exception]) -> Vec<Violation> {
    let mut away = Vec::new();
    let mut unproven = Vec::new();
    for (file, rust) in tree.rust_under(&[""]) {
        for line in rust.lines_with("unsafe") {
            if !HOMES.iter().any(|home| file.path.starts_with(home)) {
                away.push(Violation::new(&file.path, line, "unsafe code outside its folders"));
            }
            unproven.extend(without_proof(file, rust, line));
        }
    }
    let mut violations = apply(tree, away, exceptions);
    violations.extend(unproven);
    violations
}

fn without_proof(file: &File, rust: &Rust, line: usize) -> Option<Violation> {
    let code = rust.code.lines().nth(line - 1).unwrap_or_default();
    let declares =
        code.contains("unsafe fn") || code.contains("unsafe extern") || code.contains("unsafe trait");
    if declares && !code.contains("trait") && code.trim_start().starts_with("pub") {
        return Some(Violation::new(&file.path, line, "pub unsafe fn: let the types carry the rule"));
    }
    // What a declaration asks of its callers stands in its documentation.
    let proof = if declares { "# Safety" } else { "SAFETY:" };
    let near = file.text.lines().take(line).skip(line.saturating_sub(NEAR + 1));
    let is_proven = near.map(str::trim_start).any(|above| above.contains("//") && above.contains(proof));
    (!is_proven).then(|| Violation::new(&file.path, line, format!("no `{proof}` within {NEAR} lines above")))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const PROVEN: &str = "// SAFETY: reasons.\nlet a = unsafe { b() };\n";

    #[test]
    fn unsafe_code_is_for_two_folders() {
        let tree = Tree::of(&[
            ("dataplane/src/flow/a.rs", PROVEN),
            ("dataplane/src/mem/a.rs", PROVEN),
            ("dataplane/afxdp/src/a.rs", PROVEN),
            ("mgmt/tests/a.rs", PROVEN),
        ]);
        assert_eq!(places(&check(&tree, &[])), ["dataplane/src/flow/a.rs:2", "mgmt/tests/a.rs:2"]);
    }

    #[test]
    fn unsafe_code_needs_its_proof_near_above() {
        let far = format!("// SAFETY: reasons.\n{}unsafe impl Send for A {{}}\n", "\n".repeat(NEAR));
        let string = "let a = \"SAFETY:\";\nlet b = unsafe { c() };\n";
        for text in [far.as_str(), string, "unsafe { a() }\n", "/// SAFETY: none asked.\nunsafe trait T {}\n"]
        {
            assert_eq!(check(&Tree::of(&[("dataplane/src/mem/a.rs", text)]), &[]).len(), 1, "{text}");
        }
        let trait_ = "/// # Safety\n/// All bits are allowed.\nunsafe trait T {}\n";
        assert!(check(&Tree::of(&[("dataplane/src/mem/a.rs", trait_)]), &[]).is_empty());
    }

    #[test]
    fn no_unsafe_function_is_public() {
        for visibility in ["pub", "pub(crate)", "pub(super)"] {
            let text = format!("/// # Safety\n/// Careful.\n{visibility} const unsafe fn a() {{}}\n");
            assert_eq!(check(&Tree::of(&[("dataplane/src/mem/a.rs", &text)]), &[]).len(), 1, "{text}");
        }
        let private = "/// # Safety\n/// Careful.\nunsafe fn a() {}\n";
        assert!(check(&Tree::of(&[("dataplane/src/mem/a.rs", private)]), &[]).is_empty());
    }
}
