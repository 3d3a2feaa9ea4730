//! The steering program once more, bound to one device: with VLAN tags that the kernel carries beside a frame put back.
//!
//! The kernel gives such a tag to a function that only a program bound to a device may call (Linux 6.8), and which is
//! named by its number in the kernel's own types. The loader of `aya` knows neither; its parser and linker are used.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::maps::Map;
use aya_obj::Object;
use aya_obj::btf::{Btf, BtfKind};

use super::bpf;
use super::program::reason;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/steering-tags.bpf.o"));

/// Of `xdp/steering/tag.h`.
const VLAN_TAG_PLACEHOLDER: i32 = 0x7e57_a601;
/// What takes its place.
const VLAN_TAG: &str = "bpf_xdp_metadata_rx_vlan_tag";
/// A call of a kernel function: `BPF_PSEUDO_KFUNC_CALL` of linux/bpf.h.
const KERNEL_FUNCTION: u8 = 2;

/// The maps that the bound programs share with the one that is bound to none, and what the kernel calls the function.
#[derive(Debug)]
pub(crate) struct Bound {
    maps: Vec<(String, OwnedFd)>,
    function: Option<u32>,
}

impl Bound {
    /// With the maps of a program whose maps nothing has been taken out of yet.
    pub(crate) fn new(ebpf: &aya::Ebpf) -> io::Result<Self> {
        let mut maps = Vec::new();
        for (name, map) in ebpf.maps() {
            if let Some(fd) = data_of(map) {
                maps.push((name.to_owned(), fd.as_fd().try_clone_to_owned()?));
            }
        }
        Ok(Self { maps, function: None })
    }

    /// A program for the device of that number alone. It may be attached in the driver only.
    pub(crate) fn load(&mut self, index: u32) -> io::Result<OwnedFd> {
        let function = match self.function {
            Some(function) => function,
            None => *self.function.insert(function()?),
        };
        let mut object = Object::parse(OBJECT).map_err(|error| other(&error))?;
        let types = aya::features().btf().ok_or(io::ErrorKind::Unsupported)?;
        let types = object.fixup_and_sanitize_btf(types).map_err(|error| other(&error))?;
        let types = bpf::load_types(&types.ok_or(io::ErrorKind::Unsupported)?.to_bytes())?;
        let declared = std::mem::take(&mut object.maps);
        let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let maps = self.maps.iter().filter_map(|(name, fd)| {
            declared.get_key_value(name).map(|(name, map)| (name.as_str(), fd.as_raw_fd(), map))
        });
        object.relocate_maps(maps, &sections).map_err(|error| other(&error))?;
        object.relocate_calls(&sections).map_err(|error| other(&error))?;
        let program = object.programs.get("steer").ok_or(io::ErrorKind::NotFound)?;
        let mut whole = object.functions.get(&program.function_key()).ok_or(io::ErrorKind::NotFound)?.clone();
        for instruction in &mut whole.instructions {
            if instruction.imm == VLAN_TAG_PLACEHOLDER {
                instruction.set_src_reg(KERNEL_FUNCTION);
                instruction.imm = function.cast_signed();
            }
        }
        bpf::load_for_device(index, &whole, &program.license, types.as_fd())
    }
}

/// What the kernel calls the function that knows the tag; kernels before 6.8 have none.
fn function() -> io::Result<u32> {
    let types = Btf::from_sys_fs().map_err(|error| other(&error))?;
    let missing =
        |_| io::Error::new(io::ErrorKind::Unsupported, format!("the kernel has no {VLAN_TAG} (6.8)"));
    types.id_by_type_name_kind(VLAN_TAG, BtfKind::Func).map_err(missing)
}

fn data_of(map: &Map) -> Option<&aya::maps::MapFd> {
    match map {
        Map::HashMap(data)
        | Map::LpmTrie(data)
        | Map::XskMap(data)
        | Map::PerCpuArray(data)
        | Map::Array(data) => Some(data.fd()),
        _ => None,
    }
}

fn other(error: &dyn std::error::Error) -> io::Error {
    io::Error::other(reason(error))
}
