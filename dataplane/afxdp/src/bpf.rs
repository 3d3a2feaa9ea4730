//! Calls of bpf(2) that `aya` has no function for, or one that falls back to something else.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya_obj::Function;
use libc::c_int;

use super::sys::check;

/// The first fields of bpf(2)'s `link_create`; the kernel takes those that are missing for zero.
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// Attaches an XDP program to an interface, for as long as the returned descriptor is open.
pub(crate) fn link(program: BorrowedFd<'_>, index: u32, generic: bool) -> io::Result<OwnedFd> {
    const BPF_LINK_CREATE: libc::c_long = 28;
    const BPF_XDP: u32 = 37;
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
    let create = LinkCreate {
        program: program.as_raw_fd().cast_unsigned(),
        target: index,
        attach_type: BPF_XDP,
        flags: if generic { XDP_FLAGS_SKB_MODE } else { XDP_FLAGS_DRV_MODE },
    };
    // SAFETY: pointer and length are those of `create`, which outlives the call.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_CREATE, &raw const create, size_of::<LinkCreate>()) };
    opened(fd)
}

/// The descriptor that a call has opened.
fn opened(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = c_int::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(check(fd)?) })
}

/// The first fields of bpf(2)'s `btf_load`.
#[repr(C)]
struct TypesLoad {
    types: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    /// The kernel's: so that the structure has no bytes of no value at its end.
    log_true_size: u32,
}

/// Loads the types of a program (BTF).
pub(crate) fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    const BPF_BTF_LOAD: libc::c_long = 18;
    let load = TypesLoad {
        types: types.as_ptr().expose_provenance() as u64,
        log: 0,
        size: u32::try_from(types.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        log_size: 0,
        log_level: 0,
        log_true_size: 0,
    };
    // SAFETY: pointer and length are those of `load`, which outlives the call, as do the types. The kernel only reads them.
    opened(unsafe { libc::syscall(libc::SYS_bpf, BPF_BTF_LOAD, &raw const load, size_of::<TypesLoad>()) })
}

/// The first fields of bpf(2)'s `prog_load`.
#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
    types: u32,
    function_info_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    /// Without it the structure would end in bytes of no value, which the kernel takes for this.
    attach_types_id: u32,
}

/// Loads an XDP program that runs on the device of that number alone, and may ask about its frames' metadata.
pub(crate) fn load_for_device(
    index: u32,
    program: &Function,
    license: &CStr,
    types: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_PROG_TYPE_XDP: u32 = 6;
    const BPF_XDP: u32 = 37;
    const BPF_F_XDP_DEV_BOUND_ONLY: u32 = 1 << 6;
    let count = |length: usize| u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput);
    let functions = program.func_info.func_info_bytes();
    let mut name = [0; 16];
    name[..5].copy_from_slice(b"steer");
    let load = ProgramLoad {
        kind: BPF_PROG_TYPE_XDP,
        instruction_count: count(program.instructions.len())?,
        instructions: program.instructions.as_ptr().expose_provenance() as u64,
        license: license.as_ptr().expose_provenance() as u64,
        flags: BPF_F_XDP_DEV_BOUND_ONLY,
        name,
        interface: index,
        attach_type: BPF_XDP,
        types: types.as_raw_fd().cast_unsigned(),
        function_info_size: count(program.func_info_rec_size)?,
        function_info: functions.as_ptr().expose_provenance() as u64,
        function_info_count: count(program.func_info.len())?,
        ..ProgramLoad::default()
    };
    // SAFETY: pointer and length are those of `load`, which outlives the call, as does all that it points to. The kernel
    // only reads it.
    opened(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<ProgramLoad>()) })
}

/// Takes an attached program off its interface, also if a child process that is just being started
/// has a copy of the descriptor.
pub(crate) fn unlink(link: BorrowedFd<'_>) {
    const BPF_LINK_DETACH: libc::c_long = 34;
    let link = link.as_raw_fd();
    // SAFETY: pointer and length are those of `link`, the structure's only field. The only failure is
    // that the interface is gone.
    unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_DETACH, &raw const link, size_of::<c_int>()) };
}

/// bpf(2)'s `batch`.
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// Puts `keys`, whose size is the map's, each with its value, into a map of the kernel's. Says how many it has taken, and
/// why no more.
pub(crate) fn put<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    keys: &[K],
    values: &[V],
) -> (usize, io::Result<()>) {
    const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;
    let all = keys.len().min(values.len());
    let mut batch = Batch {
        keys: keys.as_ptr().expose_provenance() as u64,
        values: values.as_ptr().expose_provenance() as u64,
        count: u32::try_from(all).unwrap_or(0),
        map: map.as_raw_fd().cast_unsigned(),
        ..Batch::default()
    };
    // SAFETY: pointer and length are those of `batch`, which outlives the call, as do both slices. The kernel only reads
    // them, as many of them as there are, and writes into `batch` how many it has done.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_UPDATE_BATCH, &raw mut batch, size_of::<Batch>()) };
    match result {
        0 => (all, Ok(())),
        _ => (all.min(batch.count as usize), Err(io::Error::last_os_error())),
    }
}
