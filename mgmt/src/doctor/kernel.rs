//! The kernel: its version, and what it was built with.

use std::io::ErrorKind;

use socket2::{Domain, Socket, Type};

use super::{Finding, Sight};

/// The oldest that the data plane knows.
const NEEDED: (u32, u32) = (6, 1);

const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// `AF_XDP` of linux/socket.h.
const AF_XDP: i32 = 44;

pub(super) fn examine(sight: &Sight) -> Vec<Finding> {
    vec![version(sight), sockets(Socket::new(Domain::from(AF_XDP), Type::RAW, None).map(drop)), jit(sight)]
}

/// Its version's first two numbers.
pub(super) fn release(sight: &Sight) -> (u32, u32) {
    let release = sight.text(RELEASE).unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn version(sight: &Sight) -> Finding {
    let found = sight.text(RELEASE).unwrap_or_default();
    if release(sight) >= NEEDED {
        return Finding::ok("kernel", found);
    }
    let (major, minor) = NEEDED;
    Finding::problem("kernel", found, format!("{major}.{minor} or newer is needed"))
}

fn sockets(opened: std::io::Result<()>) -> Finding {
    match opened {
        Ok(()) => Finding::ok("af_xdp", "sockets can be opened"),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Finding::advice("af_xdp", "not known", "run this as root to try a socket")
        }
        Err(error) => Finding::problem(
            "af_xdp",
            error.to_string(),
            "the kernel has to be built with CONFIG_XDP_SOCKETS, as Debian's is",
        ),
    }
}

fn jit(sight: &Sight) -> Finding {
    match sight.number("/proc/sys/net/core/bpf_jit_enable") {
        Some(0) => Finding::advice(
            "bpf jit",
            "off",
            "sysctl net.core.bpf_jit_enable=1: the steering program is interpreted else",
        ),
        Some(_) => Finding::ok("bpf jit", "on"),
        // Kernels that have no other way have no switch.
        None => Finding::ok("bpf jit", "always on"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{Advice, Ok, Problem};
    use super::*;

    #[test]
    fn old_kernels_and_kernels_without_the_sockets_are_problems() {
        let kernel = |release| version(&Sight::of(&[("/proc/sys/kernel/osrelease", release)])).state;
        assert_eq!(["6.1.0-13-amd64\n", "6.12.3", "7.0"].map(kernel), [Ok; 3]);
        assert_eq!(["5.10.0", "6.0.9", ""].map(kernel), [Problem; 3]);
        let tried = |error: i32| sockets(Err(std::io::Error::from_raw_os_error(error))).state;
        assert_eq!([tried(97), tried(1), tried(13)], [Problem, Advice, Advice]);
        assert_eq!(jit(&Sight::of(&[("/proc/sys/net/core/bpf_jit_enable", "0\n")])).state, Advice);
        assert_eq!(jit(&Sight::of(&[])).state, Ok);
    }
}
