//! NICs that take VLAN tags out of frames as they receive them: the tag then travels beside the frame, where a program of
//! XDP does not see it, and a redirect to a socket loses it.

use std::io;

use super::sys::{self, Plain};

const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;
/// `ETH_SS_FEATURES`: the string set with the names of features.
const FEATURES: u32 = 4;
/// `ETH_GSTRING_LEN`.
const NAME: usize = 32;
/// Room for the names of so many features; Linux 6.18 has 64.
const ROOM: usize = 256;
const BLOCKS: usize = ROOM / 32;

/// What takes tags out: of 802.1Q, and of 802.1ad.
const TAKE_TAGS_OUT: [&str; 2] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];

/// `struct ethtool_drvinfo`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Driver {
    command: u32,
    name: [u8; 32],
    others: [u8; 160],
}

/// `struct ethtool_sset_info` for one set.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Sizes {
    command: u32,
    reserved: u32,
    mask: u64,
    count: u32,
}

/// `struct ethtool_gstrings`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Names {
    command: u32,
    set: u32,
    count: u32,
    names: [[u8; NAME]; ROOM],
}

/// `struct ethtool_gfeatures`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Get {
    command: u32,
    blocks: u32,
    features: [Block; BLOCKS],
}

/// `struct ethtool_get_features_block`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Block {
    available: u32,
    requested: u32,
    active: u32,
    never_changed: u32,
}

/// `struct ethtool_sfeatures`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Set {
    command: u32,
    blocks: u32,
    /// Which are to change, and to what.
    features: [[u32; 2]; BLOCKS],
}

// SAFETY: integers only.
unsafe impl Plain for Driver {}
// SAFETY: integers only.
unsafe impl Plain for Sizes {}
// SAFETY: integers only.
unsafe impl Plain for Names {}
// SAFETY: integers only.
unsafe impl Plain for Get {}
// SAFETY: integers only.
unsafe impl Plain for Set {}

/// What a device does with the VLAN tags of frames that it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagOffload {
    /// They stay in the frame.
    Off,
    /// It takes them out.
    On {
        /// And does not let that be changed.
        fixed: bool,
    },
}

/// What the interface does with tags, its ports included if it is a bond.
///
/// # Errors
/// The interface is gone.
pub fn tag_offload(interface: &str) -> io::Result<TagOffload> {
    let mut found = TagOffload::Off;
    for device in devices(interface) {
        for feature in features(&device)?.into_iter().filter(|feature| feature.is_active) {
            let fixed = feature.is_fixed || found == TagOffload::On { fixed: true };
            found = TagOffload::On { fixed };
        }
    }
    Ok(found)
}

/// Where the VLAN tag of a received frame is when a worker gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VlanTags {
    /// In the frame: the device leaves it there.
    InFrame,
    /// The device takes it out, and the steering program puts it back.
    PutBack,
    /// The device takes it out, and a worker cannot see it.
    Hidden,
}

/// Whether it is one end of a pair: then the other end, which may be in another namespace, decides where tags are, and
/// whether checksums are finished.
#[must_use]
pub fn is_veth(interface: &str) -> bool {
    let mut driver = Driver { command: ETHTOOL_GDRVINFO, name: [0; 32], others: [0; 160] };
    sys::ethtool(interface, &mut driver).is_ok() && driver.name.starts_with(b"veth\0")
}

/// Whether frames come from a wire, and not from another device of Linux.
#[must_use]
pub fn has_hardware(interface: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(interface).join("device").exists()
}

/// Tags are left in frames for as long as this is there; afterwards the device does as before.
#[derive(Debug, Default)]
pub struct TagsLeft(Vec<(String, Feature)>);

impl TagsLeft {
    /// Switches off what can be switched off. What could not shows in [`tag_offload`].
    pub fn in_frames_of(interface: &str) -> Self {
        let mut left = Self::default();
        left.again(interface);
        left
    }

    /// The same, for what was switched on since; whether there was anything.
    pub fn again(&mut self, interface: &str) -> bool {
        let mut has_changed = false;
        for device in devices(interface) {
            let active =
                features(&device).unwrap_or_default().into_iter().filter(|f| f.is_active && !f.is_fixed);
            for feature in active {
                if set(&device, feature, false).is_ok() {
                    has_changed = true;
                    if !self.0.contains(&(device.clone(), feature)) {
                        self.0.push((device.clone(), feature));
                    }
                }
            }
        }
        has_changed
    }

    /// Whether anything was switched off.
    pub fn has_changed(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Drop for TagsLeft {
    fn drop(&mut self) {
        for (device, feature) in &self.0 {
            // The only failure is that the device is gone.
            let _ = set(device, *feature, true);
        }
    }
}

/// The interface, and the ports of a bond, which is where its frames come in.
fn devices(interface: &str) -> Vec<String> {
    let ports =
        std::fs::read_to_string(format!("/sys/class/net/{interface}/bonding/slaves")).unwrap_or_default();
    std::iter::once(interface.to_owned()).chain(ports.split_whitespace().map(str::to_owned)).collect()
}

/// One of [`TAKE_TAGS_OUT`] that the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Feature {
    number: usize,
    /// In how many blocks the kernel wants to be told of features.
    blocks: u32,
    is_active: bool,
    is_fixed: bool,
}

fn features(device: &str) -> io::Result<Vec<Feature>> {
    let mut get =
        Get { command: ETHTOOL_GFEATURES, blocks: BLOCKS_ASKED, features: [Block::default(); BLOCKS] };
    if !is_known(sys::ethtool(device, &mut get))? {
        return Ok(Vec::new());
    }
    let feature = |number: usize| {
        let (block, bit) = (get.features.get(number / 32)?, 1 << (number % 32));
        let is_fixed = block.never_changed & bit != 0 || block.available & bit == 0;
        Some(Feature { number, blocks: get.blocks, is_active: block.active & bit != 0, is_fixed })
    };
    Ok(numbers(device)?.into_iter().filter_map(feature).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "eight")]
const BLOCKS_ASKED: u32 = BLOCKS as u32;

/// The kernel's numbers of [`TAKE_TAGS_OUT`].
fn numbers(device: &str) -> io::Result<Vec<usize>> {
    let mut sizes = Sizes { command: ETHTOOL_GSSET_INFO, reserved: 0, mask: 1 << FEATURES, count: 0 };
    if !is_known(sys::ethtool(device, &mut sizes))? || sizes.count as usize > ROOM {
        return Ok(Vec::new());
    }
    let empty =
        Names { command: ETHTOOL_GSTRINGS, set: FEATURES, count: sizes.count, names: [[0; NAME]; ROOM] };
    let mut names = Box::new(empty);
    sys::ethtool(device, &mut *names)?;
    let is_wanted = |name: &[u8; NAME]| {
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        TAKE_TAGS_OUT.iter().any(|wanted| wanted.as_bytes() == &name[..end])
    };
    Ok(names.names.iter().enumerate().filter(|(_, name)| is_wanted(name)).map(|(number, _)| number).collect())
}

fn set(device: &str, feature: Feature, on: bool) -> io::Result<()> {
    let mut request = Set { command: ETHTOOL_SFEATURES, blocks: feature.blocks, features: [[0; 2]; BLOCKS] };
    let bit = 1 << (feature.number % 32);
    if let Some(block) = request.features.get_mut(feature.number / 32) {
        *block = [bit, if on { bit } else { 0 }];
    }
    sys::ethtool(device, &mut request)
}

fn is_known(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        result => result.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{in_namespace, ip, veth};

    #[test]
    fn tags_stay_in_frames_for_a_while_and_the_device_is_as_before_afterwards() {
        in_namespace(|| {
            veth("near", "far");
            assert_eq!(tag_offload("near").unwrap(), TagOffload::On { fixed: false });
            let mut left = TagsLeft::in_frames_of("near");
            assert!(left.has_changed());
            assert_eq!(tag_offload("near").unwrap(), TagOffload::Off);
            assert_eq!(tag_offload("far").unwrap(), TagOffload::On { fixed: false }, "another device");
            assert!(!left.again("near"), "nothing has changed");
            set("near", features("near").unwrap()[0], true).unwrap();
            assert!(left.again("near"), "an operator has switched it on");
            assert_eq!(tag_offload("near").unwrap(), TagOffload::Off);
            drop(left);
            assert_eq!(tag_offload("near").unwrap(), TagOffload::On { fixed: false });
        });
    }

    #[test]
    fn what_was_off_before_stays_off() {
        in_namespace(|| {
            veth("near", "far");
            for feature in features("near").unwrap() {
                set("near", feature, false).unwrap();
            }
            let left = TagsLeft::in_frames_of("near");
            assert!(!left.has_changed());
            drop(left);
            assert_eq!(tag_offload("near").unwrap(), TagOffload::Off);
        });
    }

    #[test]
    fn a_device_without_the_feature_takes_no_tags_out_and_one_that_is_not_there_is_an_error() {
        in_namespace(|| {
            ip("link set lo up");
            assert_eq!(tag_offload("lo").unwrap(), TagOffload::Off);
            assert_eq!(tag_offload("nothing").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        });
    }
}
