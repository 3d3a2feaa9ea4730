//! The sample configurations of Debian's keepalived package, which `scripts/keepalived-samples` fetches: each is
//! imported and accepted, and no address or path of a line that has no note is missing in the result.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mgmt::config::{self, Machine};
use mgmt::import::{Import, Source, import};

fn samples() -> Vec<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/keepalived-samples");
    let folders = [PathBuf::from("/usr/share/doc/keepalived/samples"), fetched];
    let Some(folder) = folders.into_iter().find_map(|folder| std::fs::read_dir(folder).ok()) else {
        println!("left out: run scripts/keepalived-samples to fetch the samples");
        return Vec::new();
    };
    let files = folder.map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("keepalived.conf")).collect()
}

fn imported(path: &Path) -> (String, Import) {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let name = path.file_name().unwrap().to_string_lossy();
    let import = import(Source::Keepalived, &name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
    (text, import)
}

#[test]
fn every_sample_is_imported_and_accepted() {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let vrrp = config::load_str("vrrp", "[[vrrp]]\n", &machine).unwrap_err().to_string();
    for path in samples() {
        let (_, import) = imported(&path);
        let mut file: toml_edit::DocumentMut = import.config.parse().unwrap();
        // A version that does not read it yet refuses it by name.
        if vrrp.contains("is not available in this version") {
            file.remove("vrrp");
        }
        let text = file.to_string();
        if let Err(errors) = config::load_str("imported.toml", &text, &machine) {
            panic!("{}:\n{errors}\n{text}", path.display());
        }
    }
}

#[test]
fn no_address_and_no_path_is_lost_in_silence() {
    for path in samples() {
        let (text, import) = imported(&path);
        let body: String = import.config.lines().filter(|line| !line.starts_with('#')).collect();
        let has_note = |line: usize| import.notes.iter().any(|note| (note.line..=note.last).contains(&line));
        for (line, number) in text.lines().zip(1..).filter(|(_, number)| !has_note(*number)) {
            let meant = line.split(['#', '!']).next().unwrap_or_default();
            let words = meant.split_whitespace().map(|word| word.trim_matches('"'));
            for word in words.filter(|word| word.parse::<IpAddr>().is_ok() || word.starts_with('/')) {
                assert!(body.contains(word), "{}:{number}: {word} is not in\n{body}", path.display());
            }
        }
    }
}
