//! Bad configuration files beside the message that each must give: `config_errors/NAME.toml` and
//! `config_errors/NAME.stderr`. `BLESS=1 cargo test` writes the messages anew, to be read in review.

use std::path::{Path, PathBuf};

use mgmt::config::{self, Errors, Machine, OwnAddresses, Severity};
use proptest::prelude::*;

fn machine() -> Machine {
    Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn errors(name: &str, text: &str) -> Errors {
    config::load_str(name, text, &machine()).expect_err(name)
}

#[test]
fn every_bad_file_gets_the_message_beside_it() {
    let files = files("tests/config_errors");
    assert!(files.len() >= 25, "only {} files were found", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let message = format!("{}\n", errors(&name, &text));
        let beside = path.with_extension("stderr");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&beside, &message).unwrap();
        }
        assert_eq!(message, std::fs::read_to_string(&beside).unwrap_or_default(), "{name}");
    }
}

#[test]
fn every_mode_has_an_example_that_is_accepted_without_a_warning() {
    let mut files = files("../configs");
    files.retain(|path| !path.ends_with("reference.toml"));
    for path in &files {
        let (config, warnings) = config::load(path, &machine()).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(warnings, [], "{}", path.display());
        let mode = path.file_stem().unwrap().to_string_lossy();
        assert!(config.services.iter().all(|service| service.mode().to_string() == mode), "{mode}");
    }
    let names: Vec<_> = files.iter().map(|path| path.file_stem().unwrap().to_string_lossy()).collect();
    assert_eq!(names, ["bridge", "dsr", "one-arm", "router", "tunnel"]);
}

/// In all modes and families, of backends and of what stands in for them.
#[test]
fn an_address_of_the_node_cannot_be_a_backend() {
    let own: OwnAddresses =
        ["10.0.1.1", "fd00:1::1"].map(|own| (own.parse().unwrap(), "eth1".to_owned())).into_iter().collect();
    for (mode, keys) in [
        ("router", ""),
        ("bridge", ""),
        ("one-arm", "snat_pool = [\"10.0.1.110\", \"fd00:1::110\"]\n"),
        ("dsr", ""),
        ("dsr", "dsr = { dscp = 3 }\n"),
        ("tunnel", "tunnel = { kind = \"ipip\" }\n"),
    ] {
        for (vip, address) in [("10.0.0.100", "10.0.1.1"), ("fd00::100", "fd00:1::1")] {
            let text = format!(
                "[[interface]]\nname = \"eth0\"\nbridge = \"br\"\n[[interface]]\nname = \"eth1\"\nbridge = \"br\"\n\
                 [[service]]\nname = \"web\"\naddress = \"{vip}\"\nport = 80\nmode = \"{mode}\"\n{keys}\
                 backup = {{ address = \"{address}\" }}\n[[service.backend]]\naddress = \"{address}\"\n"
            );
            let known = |own| config::load_str_on("lb.toml", &text, &machine(), own);
            let nobody = OwnAddresses::default();
            known(&nobody).unwrap_or_else(|errors| panic!("{mode}: {errors}"));
            let errors = known(&own).expect_err(mode);
            assert_eq!(errors.count(), 2, "{mode}: {errors}");
            let told = errors.to_string();
            for part in [address, "`eth1`", "lb.toml:", "another machine"] {
                assert!(told.contains(part), "{mode}: no {part} in {told}");
            }
        }
    }
}

#[test]
fn a_file_with_five_errors_reports_five() {
    let text = include_str!("config_errors/five_errors.toml");
    assert_eq!(errors("five_errors.toml", text).count(), 5);
}

#[test]
fn the_default_cores_leave_the_first_one_to_linux() {
    let text = "[[interface]]\nname = \"eth0\"\n";
    let cores = |cores| {
        let machine = Machine { cores, hostname: "lb1".to_owned(), ..Machine::default() };
        config::load_str("lb.toml", text, &machine).unwrap().0.dataplane.cores
    };
    assert_eq!([cores(1), cores(2), cores(4)], [vec![0], vec![1], vec![1, 2, 3]]);
}

#[test]
fn a_file_that_is_not_there_is_an_error_without_a_place() {
    let errors = config::load(Path::new("/nowhere/lb.toml"), &machine()).unwrap_err();
    assert!(errors.to_string().starts_with("error: cannot read /nowhere/lb.toml: "), "{errors}");
    assert_eq!(errors.0[0].severity, Severity::Error);
    assert!(errors.0[0].place.is_none());
}

/// Pieces of real files in any order reach far deeper than random characters.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[[service]]\n"),
        Just("[[service.backend]]\n"),
        Just("[[interface]]\n"),
        Just("[service.health]\n"),
        Just("[dataplane]\n"),
        Just("name = \"é\t\"\n"),
        Just("address = \"10.0.0.1\"\n"),
        Just("port = 80\n"),
        Just("mode = \"dsr\"\n"),
        Just("dsr = { dscp = 0 }\n"),
        Just("limits = { flows = [ }\n"),
        Just("flow_timeouts = { udp = \"99999999999999999999y\" }\n"),
        Just("cores = [1, 1, 0x7fffffffffffffff]\n"),
        Just("backend = [{}, 1]\n"),
        Just("vrrp = \"\"\"\n\u{1f980}\n\"\"\"\n"),
        Just("= \" [ { \u{0}\r"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![pieces(), any::<String>()]) {
        match config::load_str("any.toml", &text, &machine()) {
            Ok((config, _)) => prop_assert!(!config.interfaces.is_empty()),
            Err(errors) => {
                prop_assert!(errors.count() > 0);
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_the_end_of_the_process() {
    const DEEP: usize = 200_000;
    for text in [
        format!("a = {}", "[".repeat(DEEP)),
        format!("a = {}", "{b=".repeat(DEEP)),
        format!("a{} = 1", ".a".repeat(DEEP)),
        format!("[a{}]\nb = 1", ".a".repeat(DEEP)),
    ] {
        assert!(errors("deep.toml", &text).count() > 0);
    }
}

#[test]
fn a_large_file_is_read_and_compared_in_no_time() {
    use std::fmt::Write;
    let mut text = "[[interface]]\nname = \"eth0\"\n".to_owned();
    for service in 0..20 {
        let address = format!("10.0.0.{}", service + 1);
        write!(
            text,
            "[[service]]\nname = \"s{service}\"\naddress = \"{address}\"\nport = 80\nmode = \"router\"\n"
        )
        .unwrap();
        for backend in 0..1000 {
            let address = format!("10.{}.{}.{}", service + 1, backend / 250, backend % 250 + 1);
            write!(text, "[[service.backend]]\naddress = \"{address}\"\n").unwrap();
        }
    }
    let (old, _) = config::load_str("large.toml", &text, &machine()).unwrap();
    let (new, _) = config::load_str("large.toml", &text.replace(".3.250\"", ".3.251\""), &machine()).unwrap();
    assert_eq!(config::plan::plan(&old, &new).changes.len(), 40);
}
