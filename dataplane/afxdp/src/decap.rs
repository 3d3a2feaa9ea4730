//! The decapsulation program on one interface of a backend: loaded, told what to open, attached.
//!
//! It is for backends of tunnel-mode services whose kernel has no tunnel devices. As with the steering
//! program, the attachment goes with the process.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{HashMap, MapError, PerCpuArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};

use super::program::{explain, link, reason};
use super::steering::{AddressKey, address_key};
use super::{bpf, sys};
use crate::XdpAttachment;
use crate::XdpPreference;
use penstock_types::{Mac, Port};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/decap.bpf.o"));

/// What is opened, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecapsulationSetup {
    /// The interface that tunnelled packets come in by.
    pub interface: String,
    /// The outer destinations.
    pub addresses: Vec<IpAddr>,
    /// Where GUE is listened for.
    pub gue_port: Port,
    /// What is asked of the interface's driver.
    pub xdp: XdpPreference,
}

/// Why nothing is opened.
#[derive(Debug, thiserror::Error)]
pub enum DecapsulationError {
    /// The interface could not be asked about.
    #[error("{interface}: {error}: 'ip link' lists the interfaces there are")]
    Interface {
        /// Its name.
        interface: String,
        /// The kernel's answer.
        error: io::Error,
    },
    /// The program was refused.
    #[error(
        "cannot load the XDP decapsulation program: {reason}; this needs root or CAP_BPF and CAP_NET_ADMIN, and a kernel of 6.1 or newer"
    )]
    Program {
        /// The loader's words.
        reason: String,
    },
    /// The program could not be attached.
    #[error("{interface}: cannot attach the XDP decapsulation program: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// What is in the way, and what to do.
        reason: String,
    },
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decapsulated {
    /// Packets whose outer headers were taken off.
    pub opened: u64,
    /// Packets dropped because they met congestion and their ends do not understand the mark.
    pub dropped: u64,
}

/// The program at work; dropped, it is taken off the interface.
#[derive(Debug)]
pub struct Decapsulation {
    ebpf: Ebpf,
    link: OwnedFd,
    attachment: XdpAttachment,
}

impl Drop for Decapsulation {
    fn drop(&mut self) {
        bpf::unlink(self.link.as_fd());
    }
}

impl Decapsulation {
    /// Attaches the program. The interface's MAC address is looked up now: what is sent to another one
    /// that it gets later is not opened.
    ///
    /// # Errors
    ///
    /// If there is no such interface, or the kernel refuses the program.
    pub fn start(setup: &DecapsulationSetup) -> Result<Self, DecapsulationError> {
        let interface = &setup.interface;
        let unknown = |error| DecapsulationError::Interface { interface: interface.clone(), error };
        let index = index(interface).map_err(unknown)?;
        let mac = mac(interface).map_err(unknown)?;
        let mtu = sys::mtu(interface).map_err(unknown)?;
        let mut ebpf = load(mac, setup.gue_port, &setup.addresses)?;
        let linked = link(program(&mut ebpf)?.fd().map_err(|e| refused(&e))?.as_fd(), index, setup.xdp);
        let (link, attachment) = linked.map_err(|error| DecapsulationError::Attach {
            interface: interface.clone(),
            reason: explain(&error, interface, mtu),
        })?;
        Ok(Self { ebpf, link, attachment })
    }

    /// Where the program runs.
    #[must_use]
    pub fn attachment(&self) -> XdpAttachment {
        self.attachment
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Decapsulated {
        counts(&self.ebpf)
    }
}

fn counts(ebpf: &Ebpf) -> Decapsulated {
    let map = ebpf.map("counters").and_then(|map| PerCpuArray::<_, [u64; 2]>::try_from(map).ok());
    // A per-CPU array has all its places from the start, so reading one cannot fail.
    let Some(cpus) = map.and_then(|map| map.get(&0, 0).ok()) else { return Decapsulated::default() };
    cpus.iter().fold(Decapsulated::default(), |sum, [opened, dropped]| Decapsulated {
        opened: sum.opened + opened,
        dropped: sum.dropped + dropped,
    })
}

/// Loads the program, attached nowhere.
fn load(mac: Mac, gue_port: Port, addresses: &[IpAddr]) -> Result<Ebpf, DecapsulationError> {
    let mut wire = [0_u8; 8];
    wire[..6].copy_from_slice(&mac.0);
    let port = gue_port.0.to_be_bytes();
    let mut loader = EbpfLoader::new();
    loader.override_global("mac", &wire, true).override_global("gue_port", &port, true);
    let mut ebpf = loader.load(OBJECT).map_err(|error| refused(&error))?;
    program(&mut ebpf)?.load().map_err(|error| refused(&error))?;
    let map = ebpf.map_mut("locals").ok_or_else(|| MapError::InvalidName { name: "locals".into() });
    let locals = map.and_then(HashMap::<_, AddressKey, u8>::try_from);
    let mut locals = locals.map_err(|error| refused(&error))?;
    for address in addresses {
        locals.insert(address_key(*address), 1, 0).map_err(|error| refused(&error))?;
    }
    Ok(ebpf)
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, DecapsulationError> {
    let program = ebpf.program_mut("decapsulate").ok_or(aya::programs::ProgramError::NotLoaded);
    program.and_then(TryInto::try_into).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::error::Error) -> DecapsulationError {
    DecapsulationError::Program { reason: reason(error) }
}

/// The kernel's number for an interface.
fn index(interface: &str) -> io::Result<u32> {
    let empty = libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 };
    let answer = sys::interface_ioctl(interface, libc::SIOCGIFINDEX, empty)?;
    // SAFETY: this request answers with a number.
    Ok(unsafe { answer.ifr_ifru.ifru_ifindex }.cast_unsigned())
}

/// An interface's Ethernet address.
fn mac(interface: &str) -> io::Result<Mac> {
    let empty = libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 };
    let answer = sys::interface_ioctl(interface, libc::SIOCGIFHWADDR, empty)?;
    // SAFETY: this request answers with an address.
    let address = unsafe { answer.ifr_ifru.ifru_hwaddr };
    if address.sa_family != libc::ARPHRD_ETHER {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is no Ethernet interface"));
    }
    // Signed on some architectures.
    let [a, b, c, d, e, f, ..] = address.sa_data.map(|byte| byte.to_ne_bytes()[0]);
    Ok(Mac([a, b, c, d, e, f]))
}

/// The program in test runs of the kernel (`BPF_PROG_TEST_RUN`).
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct TestRuns(Ebpf);

#[cfg(any(test, feature = "testing"))]
impl TestRuns {
    /// Loads the program, attached nowhere.
    ///
    /// # Errors
    /// As [`Decapsulation::start`].
    pub fn load(mac: Mac, gue_port: Port, addresses: &[IpAddr]) -> Result<Self, DecapsulationError> {
        load(mac, gue_port, addresses).map(Self)
    }

    /// The verdict of XDP, and the frame after the run.
    ///
    /// # Panics
    /// When the kernel refuses the run.
    pub fn run(&mut self, frame: &[u8]) -> (u32, Vec<u8>) {
        use aya::programs::{TestRun, TestRunOptions};
        let mut out = [0; 2048];
        let options =
            TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), ..TestRunOptions::new() };
        let result = program(&mut self.0)
            .and_then(|program| program.test_run(options).map_err(|error| refused(&error)));
        let result = result.unwrap_or_else(|error| panic!("{error}"));
        (result.return_value, out[..result.data_size_out as usize].to_vec())
    }

    /// What it has counted.
    #[must_use]
    pub fn counts(&self) -> Decapsulated {
        counts(&self.0)
    }
}
