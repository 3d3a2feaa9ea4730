//! Drivers whose zero-copy does harm.

use std::path::Path;

/// The `MODULE_VERSION` of a `virtio_net` without the flaw; `packaging/image/driver` builds it.
pub const MENDED_VIRTIO_NET: &str = "xsk-hdr-in-zero-page";

/// Whether frames sent by zero-copy through this interface may be lost.
///
/// `virtio_net` of Linux 6.13 and later puts one header in front of all of them, a variable of its own that it has mapped
/// for the device as if it were memory of the kernel's image. Of a module, as distributions build it, it is not: the
/// device reads whatever lies at another place. Where that is not zero, hypervisors refuse the frame, and nobody counts it.
#[must_use]
pub fn zero_copy_loses_frames(interface: &str) -> bool {
    loses_frames(Path::new("/"), interface)
}

fn loses_frames(root: &Path, interface: &str) -> bool {
    let driver = std::fs::read_link(root.join(format!("sys/class/net/{interface}/device/driver")));
    let module = root.join("sys/module/virtio_net");
    // What is built into the kernel has no state.
    driver.is_ok_and(|path| path.ends_with("virtio_net"))
        && module.join("initstate").exists()
        && !std::fs::read_to_string(module.join("version"))
            .is_ok_and(|version| version.trim() == MENDED_VIRTIO_NET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_not_trusted_unless_it_says_that_it_is_mended() {
        let root = std::env::temp_dir().join(format!("penstock-flaws-{}", std::process::id()));
        let (device, module) = (root.join("sys/class/net/eth0/device"), root.join("sys/module/virtio_net"));
        std::fs::create_dir_all(&device).unwrap();
        std::fs::create_dir_all(&module).unwrap();
        assert!(!loses_frames(&root, "eth0"), "no driver");
        std::os::unix::fs::symlink("../../bus/virtio/drivers/virtio_net", device.join("driver")).unwrap();
        assert!(!loses_frames(&root, "eth0"), "built in");
        std::fs::write(module.join("initstate"), "live\n").unwrap();
        assert!(loses_frames(&root, "eth0"));
        std::fs::write(module.join("version"), format!("{MENDED_VIRTIO_NET}\n")).unwrap();
        assert!(!loses_frames(&root, "eth0"));
        std::fs::write(module.join("version"), "1.0\n").unwrap();
        assert!(loses_frames(&root, "eth0"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
