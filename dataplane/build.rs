//! Compiles the steering program with clang. Its bounds are those of `src/limits.rs`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/limits.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for the library; the program needs three of its bounds"
)]
mod limits;

const SOURCE: &str = "xdp/steering.bpf.c";
/// What it includes.
const HEADERS: &str = "xdp/steering";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed={HEADERS}");
    println!("cargo::rerun-if-changed=src/limits.rs");
    println!("cargo::rerun-if-env-changed=CLANG");
    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("steering.bpf.o");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let mut compile = Command::new(&clang);
    compile
        .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"])
        .arg(format!("-DMAX_INTERFACES={}", limits::MAX_INTERFACES))
        .arg(format!("-DMAX_QUEUES={}", limits::MAX_QUEUES))
        .arg(format!("-DMAX_EXTENSION_HEADERS={}", limits::MAX_EXTENSION_HEADERS))
        .args(architecture_headers())
        .args(["-c", SOURCE, "-o"])
        .arg(&object);
    match compile.output() {
        Err(error) => {
            fail(&format!("cannot run {clang}: {error}; install the Debian packages clang and libbpf-dev"))
        }
        Ok(output) if !output.status.success() => fail(&format!(
            "{clang} could not compile {SOURCE} (a missing header comes with the Debian packages libbpf-dev \
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
