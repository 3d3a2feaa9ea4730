//! Compiles the generator and the sink of the bench on veth with clang.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [&str; 2] = ["generator", "sink"];

fn main() {
    println!("cargo::rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    for program in PROGRAMS {
        let source = format!("xdp/{program}.bpf.c");
        println!("cargo::rerun-if-changed={source}");
        let mut compile = Command::new(&clang);
        compile
            .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"])
            .args(architecture_headers())
            .args(["-c", &source, "-o"])
            .arg(out.join(format!("{program}.bpf.o")));
        let done = compile.status().is_ok_and(|status| status.success());
        assert!(
            done,
            "{clang} could not compile {source}: the Debian packages clang and libbpf-dev are needed"
        );
    }
}

/// Debian keeps `asm/types.h` in a directory per architecture, which clang does not search when it
/// compiles for BPF.
fn architecture_headers() -> Option<String> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").ok()?;
    let directory = format!("/usr/include/{architecture}-linux-gnu");
    Path::new(&directory).is_dir().then(|| format!("-I{directory}"))
}
