//! Calls of bpf(2) that `aya` has no function for, or one that falls back to something else.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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
pub(super) fn link(program: BorrowedFd<'_>, index: u32, generic: bool) -> io::Result<OwnedFd> {
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
    let fd = c_int::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(check(fd)?) })
}

/// Takes an attached program off its interface, also if a child process that is just being started
/// has a copy of the descriptor.
pub(super) fn unlink(link: BorrowedFd<'_>) {
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
pub(super) fn put<K: Copy, V: Copy>(
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
