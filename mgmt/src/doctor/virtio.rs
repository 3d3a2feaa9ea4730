//! The driver of virtual NICs: zero-copy since 6.13, where the hypervisor plays along and the driver itself is right.

use super::{Finding, Sight};

pub(super) const NAME: &str = "virtio_net";

/// What a virtual NIC has to offer for zero-copy: frames of our memory take the kernel's mapping of DMA, and a queue is
/// stopped alone to be given to a worker.
const OFFERED: &[(usize, &str)] = &[(33, "iommu_platform"), (40, "queue_reset")];

pub(super) fn driver(sight: &Sight, name: &str, what: String) -> Finding {
    let copied = |why: String, advice: String| {
        Finding::advice(what.clone(), format!("{NAME}: native XDP, frames are copied: {why}"), advice)
    };
    if super::kernel::release(sight) < (6, 13) {
        return copied(
            "the kernel is older than 6.13".to_owned(),
            "a newer kernel, as of backports".to_owned(),
        );
    }
    let features = sight.text(&format!("/sys/class/net/{name}/device/features")).unwrap_or_default();
    let lacks = |(bit, _): &&(usize, &str)| features.as_bytes().get(*bit) != Some(&b'1');
    let lacks: Vec<_> = OFFERED.iter().filter(lacks).map(|(_, word)| *word).collect();
    let is = |file: &str, wanted: &str| {
        sight.text(&format!("/sys/module/{NAME}/{file}")).is_some_and(|text| text.trim().contains(wanted))
    };
    if lacks.is_empty() && is("initstate", "") && !is("version", dataplane::MENDED_VIRTIO_NET) {
        return copied(
            "as a module, this driver puts a wrong header before what it sends by zero-copy".to_owned(),
            "a kernel with virtio_net built in, or the module of the appliance's image; never xdp = \"zero-copy\" with this one"
                .to_owned(),
        );
    }
    match lacks.is_empty() {
        true => Finding::ok(what, format!("{NAME}: native XDP, zero-copy")),
        false => copied(
            format!("the hypervisor does not offer {}", lacks.join(", ")),
            "QEMU: -device virtio-net-pci,iommu_platform=on,queue_reset=on; libvirt: <driver iommu='on'/>"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::State::{Advice, Ok};
    use super::*;

    /// A NIC of the hypervisor's, with these features and this kernel.
    pub(in super::super) fn virtual_nic(kernel: &str, features: &str) -> Sight {
        const DEVICE: &str = "/sys/devices/virtio1";
        let sight = Sight::of(&[
            ("/proc/sys/kernel/osrelease", kernel),
            ("/sys/class/net/eth0/operstate", "up\n"),
            (&format!("{DEVICE}/features"), features),
            ("/sys/bus/drivers/virtio_net/uevent", ""),
            (
                "/proc/interrupts",
                " 45: 1 MSI virtio1-input.0\n 46: 0 MSI virtio1-output.0\n 47: 0 MSI virtio1-config\n",
            ),
            ("/proc/irq/45/smp_affinity_list", "1\n"),
            ("/proc/irq/46/smp_affinity_list", "1\n"),
            ("/proc/irq/47/smp_affinity_list", "0\n"),
        ]);
        let device = sight.at(DEVICE);
        std::os::unix::fs::symlink(sight.at("/sys/bus/drivers/virtio_net"), device.join("driver")).unwrap();
        std::os::unix::fs::symlink(device, sight.at("/sys/class/net/eth0/device")).unwrap();
        sight
    }

    #[test]
    fn a_virtual_nic_needs_a_kernel_and_a_hypervisor_for_zero_copy() {
        let features = |bits: &[usize]| -> String {
            (0..64).map(|bit| if bits.contains(&bit) { '1' } else { '0' }).chain(['\n']).collect()
        };
        let both = features(&[32, 33, 40]);
        let driver = |kernel, features: &str| driver(&virtual_nic(kernel, features), "eth0", String::new());
        assert_eq!(driver("6.13.0", &both).state, Ok);
        assert_eq!(driver("6.12.9", &both).state, Advice);
        let refused = driver("7.3.4+deb13-amd64", &features(&[32]));
        assert_eq!(refused.state, Advice);
        assert!(refused.found.ends_with("does not offer iommu_platform, queue_reset"), "{}", refused.found);
        assert_eq!(driver("7.0.0", "").state, Advice);
        for (version, wanted) in [("", Advice), (dataplane::MENDED_VIRTIO_NET, Ok)] {
            let sight = virtual_nic("7.3.4", &both);
            let module = sight.at("/sys/module/virtio_net");
            std::fs::create_dir_all(&module).unwrap();
            std::fs::write(module.join("initstate"), "live\n").unwrap();
            std::fs::write(module.join("version"), version).unwrap();
            assert_eq!(super::driver(&sight, "eth0", String::new()).state, wanted, "{version}");
        }
    }
}
