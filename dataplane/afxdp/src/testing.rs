//! Network namespaces, packet sockets and frames for tests. Needs root.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small numbers that system calls want in odd types"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::ptr;
use std::time::Duration;

use crate::{Watched, poll};
use penstock_types::Mac;

/// Runs `test` on a thread of its own in an empty network namespace, which goes with the thread and
/// whatever still uses it.
pub fn in_namespace<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        // SAFETY: takes no pointers; moves this thread only.
        let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(
            result,
            0,
            "this test needs root, to make a network namespace: {}",
            io::Error::last_os_error()
        );
        // Without this the kernel's own neighbour discovery would mix with the test's frames.
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("IPv6 can be disabled");
        test()
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs `ip` with the words of `arguments` in this thread's namespace.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The MAC address of every near end, to which all frames go that do not say otherwise.
pub const BOX: Mac = Mac([2, 0, 0, 0, 0, 2]);

/// A pair of veth devices with two queues each, up.
pub fn veth(near: &str, far: &str) {
    let queues = "numrxqueues 2 numtxqueues 2";
    ip(&format!("link add {near} address {BOX} {queues} type veth peer name {far} {queues}"));
    ip(&format!("link set {far} up"));
    ip(&format!("link set {near} up"));
}

/// The kernel's number for an interface.
pub fn index_of(interface: &str) -> u32 {
    let name = std::ffi::CString::new(interface).unwrap();
    // SAFETY: a string that ends in zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "{interface} exists");
    index
}

/// A raw socket on one interface: the other end of the wire.
#[derive(Debug)]
pub struct Tap(OwnedFd);

impl Tap {
    /// A socket on that interface of this thread's namespace.
    pub fn open(interface: &str) -> Self {
        let all = u16::to_be(libc::ETH_P_ALL as u16);
        // SAFETY: takes no pointers.
        let fd =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, i32::from(all)) };
        assert!(fd >= 0, "a packet socket");
        // SAFETY: just opened, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all zeroes are a value of this structure of integers.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = all;
        address.sll_ifindex = index_of(interface) as i32;
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: pointer and length are those of `address`.
        let bound = unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(&address).cast(), length) };
        assert_eq!(bound, 0, "bound to {interface}");
        Self(fd)
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        // SAFETY: pointer and length are those of `frame`.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(usize::try_from(sent).ok(), Some(frame.len()), "{}", io::Error::last_os_error());
    }

    /// The next frame that came in by the interface; what went out is not shown.
    pub fn receive(&self, timeout: Duration) -> Option<Vec<u8>> {
        loop {
            let mut watched = [Watched::new(self.0.as_fd())];
            poll(&mut watched, timeout);
            let mut frame = vec![0; 4096];
            // SAFETY: all zeroes are a value of this structure of integers.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut length = size_of::<libc::sockaddr_ll>() as u32;
            // SAFETY: pointers and lengths are those of `frame` and `from`.
            let got = unsafe {
                let (frame, room) = (frame.as_mut_ptr().cast(), frame.len());
                let from = ptr::from_mut(&mut from).cast();
                libc::recvfrom(self.0.as_raw_fd(), frame, room, 0, from, &raw mut length)
            };
            frame.truncate(usize::try_from(got).ok()?);
            if from.sll_pkttype != libc::PACKET_OUTGOING {
                return Some(frame);
            }
        }
    }
}

/// Ethertype.
pub const IPV4: u16 = 0x0800;
/// Ethertype.
pub const IPV6: u16 = 0x86dd;
/// Ethertype.
pub const ARP: u16 = 0x0806;

/// An Ethernet frame around the parts of a packet.
pub fn ethernet(ethertype: u16, parts: &[&[u8]]) -> Vec<u8> {
    let mut frame = BOX.0.to_vec();
    frame.extend([2, 0, 0, 0, 0, 1]);
    frame.extend(ethertype.to_be_bytes());
    parts.iter().for_each(|part| frame.extend(*part));
    frame
}

/// An IPv4 header (lengths and checksum are not looked at by what is tested here).
pub fn ipv4(source: &str, destination: &str, protocol: u8, fragment: u16, options: usize) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let mut header = vec![0x45 + u8::try_from(options).unwrap(), 0, 0, 100, 0, 1];
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(address(source));
    header.extend(address(destination));
    header.resize(20 + options * 4, 1);
    header
}

/// An IPv6 header.
pub fn ipv6(source: &str, destination: &str, next: u8) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let mut header = vec![0x60, 0, 0, 0, 0, 60, next, 64];
    header.extend(address(source));
    header.extend(address(destination));
    header
}

/// The beginning of a TCP or UDP header, long enough for the latter.
pub fn ports(source: u16, destination: u16) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes(), [0, 8], [0, 0]].concat()
}

/// A UDP packet over IPv4, with a payload.
pub fn udp4(source: &str, destination: &str, from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &[&ipv4(source, destination, 17, 0, 0), &ports(from, to), payload])
}

/// An address by its text.
pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
