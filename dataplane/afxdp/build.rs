//! Compiles the XDP programs of `../xdp` with clang. Their bounds are those of `src/limits.rs` and of the wire crate.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/limits.rs"]
#[allow(dead_code, unreachable_pub, reason = "written for the library; the programs need two of its bounds")]
mod limits;

/// Each `xdp/NAME.bpf.c` becomes an `OBJECT.bpf.o`, with these definitions.
const PROGRAMS: [(&str, &str, &[&str]); 3] = [
    ("steering", "steering", &[]),
    // For devices whose frames have their VLAN tag beside them.
    ("steering", "steering-tags", &["-DREAD_VLAN_TAG"]),
    ("decap", "decap", &[]),
];
/// What the steering program includes.
const HEADERS: &str = "../xdp/steering";

fn main() {
    println!("cargo::rerun-if-changed=src/limits.rs");
    println!("cargo::rerun-if-changed={HEADERS}");
    println!("cargo::rerun-if-env-changed=CLANG");
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for (program, object, definitions) in PROGRAMS {
        let source = format!("../xdp/{program}.bpf.c");
        println!("cargo::rerun-if-changed={source}");
        compile(&source, &directory.join(format!("{object}.bpf.o")), definitions);
    }
}

fn compile(source: &str, object: &Path, definitions: &[&str]) {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let mut compile = Command::new(&clang);
    compile
        .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"])
        .arg(format!("-DMAX_INTERFACES={}", limits::MAX_INTERFACES))
        .arg(format!("-DMAX_QUEUES={}", limits::MAX_QUEUES))
        .arg(format!("-DMAX_EXTENSION_HEADERS={}", penstock_wire::limits::MAX_EXTENSION_HEADERS))
        .args(definitions)
        .args(architecture_headers())
        .args(["-c", source, "-o"])
        .arg(object);
    match compile.output() {
        Err(error) => {
            fail(&format!("cannot run {clang}: {error}; install the Debian packages clang and libbpf-dev"))
        }
        Ok(output) if !output.status.success() => fail(&format!(
            "{clang} could not compile {source} (a missing header comes with the Debian packages libbpf-dev \
             and linux-libc-dev):\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Ok(_) => {}
    }
}

/// Debian keeps `asm/types.h` in a directory per architecture, which clang does not search when it
/// compiles for BPF.
fn architecture_headers() -> Option<String> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").ok()?;
    let directory = format!("/usr/include/{architecture}-linux-gnu");
    Path::new(&directory).is_dir().then(|| format!("-I{directory}"))
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1);
}
