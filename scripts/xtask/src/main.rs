//! The developers' loop, as `cargo xtask VERB`. See [`USAGE`].

mod check;
mod docs;
mod layers;
mod licences;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask check [--keep-going]   format, tidy, documents, lints, tests, rustdoc and licences, in this order
       cargo xtask tidy                   the architecture's invariants
       cargo xtask docs                   links of the documents, pages of the manual; builds it with mdbook
       cargo xtask layers                 the data plane's modules and their arrows
       cargo xtask licences               licences and origins of all packages, by deny.toml

Exit status: 0 all well, 1 something is wrong, 2 not understood.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = root();
    let is_well = match words.as_slice() {
        ["check"] => check::run(root, check::OnFailure::Stop),
        ["check", "--keep-going"] => check::run(root, check::OnFailure::KeepGoing),
        ["tidy"] => tidy::run(root),
        ["docs"] => docs::run(root),
        ["layers"] => layers::run(root),
        ["licences"] => licences::run(root),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            true
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The repository's root: two levels above this package.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}
