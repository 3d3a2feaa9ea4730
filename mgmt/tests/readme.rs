//! What README says of drops is what the code says.

use dataplane::DropReason;

#[test]
fn readme_lists_every_drop_reason_with_its_meaning() {
    let readme = include_str!("../../README.md");
    let rows = DropReason::ALL.iter().map(|reason| format!("| `{}` | {} |", reason.code(), reason.meaning()));
    let missing: Vec<_> = rows.filter(|row| !readme.lines().any(|line| line == row)).collect();
    assert!(missing.is_empty(), "README.md lacks these rows:\n{}", missing.join("\n"));
}
