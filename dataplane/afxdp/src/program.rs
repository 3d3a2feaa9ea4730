//! The steering program in the kernel: loaded, attached, and told of the sockets.
//!
//! Each attachment is a link that only this process holds. When the process ends, in whatever way,
//! the kernel closes the link and the interface's frames are Linux's again. That is why the loader's
//! own way to attach is not used: where the kernel refuses a link it falls back to a request that
//! outlives the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya::maps::{HashMap, PerCpuArray, XskMap};
use aya::programs::Xdp;

use super::bound::Bound;
use super::offloads::{TagOffload, VlanTags, has_hardware, is_veth, tag_offload};
use super::steering::Steering;
use super::{bpf, sys};
use crate::XdpAttachment;
use crate::error::{OpenError, SteeringError};
use crate::limits::{MAX_INTERFACES, MAX_MTU, MAX_QUEUES};
use crate::{InterfaceSetup, XdpPreference};
use penstock_types::{InterfaceId, QueueId};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/steering.bpf.o"));

/// See the module's head.
#[derive(Debug)]
pub struct Program {
    ebpf: aya::Ebpf,
    attached: [Option<Attached>; MAX_INTERFACES],
    /// The same for devices that have VLAN tags beside their frames.
    bound: Bound,
    /// The maps that follow the snapshot.
    pub steering: Steering,
}

/// An interface that the program runs on.
#[derive(Debug)]
struct Attached {
    index: u32,
    /// Attached for as long as this is open.
    link: OwnedFd,
}

impl Drop for Attached {
    fn drop(&mut self) {
        bpf::unlink(self.link.as_fd());
    }
}

/// Where the program sent an interface's frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SteeredFrames {
    /// To Linux.
    pub passed: u64,
    /// To a worker's socket.
    pub redirected: u64,
}

/// Whether the kernel takes the steering program, which is attached nowhere and gone afterwards.
///
/// # Errors
/// Why not.
pub fn try_program() -> Result<(), OpenError> {
    Program::load().map(drop)
}

impl Program {
    /// Loads the program, with empty maps and attached nowhere.
    pub fn load() -> Result<Self, OpenError> {
        let refuse = |error: &dyn std::error::Error| OpenError::Program { reason: reason(error) };
        let mut ebpf = aya::Ebpf::load(OBJECT).map_err(|error| refuse(&error))?;
        let program = ebpf.program_mut("steer").ok_or_else(missing)?;
        let program: &mut Xdp =
            program.try_into().map_err(|error: aya::programs::ProgramError| refuse(&error))?;
        program.load().map_err(|error| refuse(&error))?;
        let bound = Bound::new(&ebpf).map_err(|error| refuse(&error))?;
        let steering = Steering::new(&mut ebpf).map_err(|error| refuse(&error))?;
        Ok(Self { ebpf, attached: [const { None }; MAX_INTERFACES], bound, steering })
    }

    /// Attaches the program to an interface, in the driver or after it as the setup says.
    pub fn attach(
        &mut self,
        interface: &InterfaceSetup,
        id: InterfaceId,
    ) -> Result<(XdpAttachment, VlanTags), OpenError> {
        let refuse = |reason| OpenError::Attach { interface: interface.name.clone(), reason };
        let mtu = sys::mtu(&interface.name).map_err(|error| refuse(explain(&error, &interface.name, 0)))?;
        if mtu as usize > MAX_MTU {
            return Err(refuse(too_large(
                &interface.name,
                mtu,
                &format!("packets of at most {MAX_MTU} fit"),
            )));
        }
        self.detach(id);
        self.number(interface.index, id).map_err(|error| refuse(error.to_string()))?;

        match self.link(interface) {
            Ok((link, attachment, tags)) => {
                self.attached[id.index()] = Some(Attached { index: interface.index, link });
                Ok((attachment, tags))
            }
            Err(error) => {
                self.forget(interface.index);
                Err(refuse(explain(&error, &interface.name, mtu)))
            }
        }
    }

    /// The program on an interface: where VLAN tags may be beside the frames, the one that puts them back.
    fn link(&mut self, interface: &InterfaceSetup) -> io::Result<(OwnedFd, XdpAttachment, VlanTags)> {
        let (index, name) = (interface.index, &interface.name);
        let mut are_seen = tag_offload(name).is_ok_and(|offload| offload == TagOffload::Off);
        if is_veth(name) {
            if interface.xdp != XdpPreference::Generic {
                let bound =
                    self.bound.load(index).and_then(|program| bpf::link(program.as_fd(), index, false));
                match bound {
                    Ok(link) => return Ok((link, XdpAttachment::Native, VlanTags::PutBack)),
                    Err(error) => tracing::debug!(interface = name, %error, "VLAN tags cannot be put back"),
                }
            }
            are_seen = false;
        }
        let program = self.fd().map_err(|error| io::Error::other(reason(&error)))?;
        let (link, attachment) = link(program, index, interface.xdp)?;
        // What the kernel hands on from another device has had its tag taken out.
        are_seen &= attachment == XdpAttachment::Native || has_hardware(name);
        Ok((link, attachment, if are_seen { VlanTags::InFrame } else { VlanTags::Hidden }))
    }

    /// Takes the program off an interface; its frames are Linux's from then on.
    pub fn detach(&mut self, id: InterfaceId) {
        if let Some(attached) = self.attached[id.index()].take() {
            self.forget(attached.index);
        }
    }

    fn forget(&mut self, index: u32) {
        if let Ok(mut numbers) = self.numbers() {
            // The only failure is that it is not there.
            let _ = numbers.remove(&index);
        }
    }

    /// Lets the program send a queue's frames to a socket. The kernel takes it out when it closes.
    pub fn set_socket(
        &mut self,
        id: InterfaceId,
        queue: QueueId,
        socket: BorrowedFd<'_>,
    ) -> Result<(), SteeringError> {
        let refuse = |reason| SteeringError { map: "xsks", reason };
        if queue.index() >= MAX_QUEUES {
            return Err(refuse(format!("queue {queue} is beyond the {MAX_QUEUES} that are possible")));
        }
        let map = self.ebpf.map_mut("xsks").ok_or_else(|| refuse(NO_MAP.into()))?;
        let mut sockets = XskMap::try_from(map).map_err(|error| refuse(reason(&error)))?;
        #[expect(clippy::cast_possible_truncation, reason = "MAX_INTERFACES * MAX_QUEUES at most")]
        let place = (id.index() * MAX_QUEUES + queue.index()) as u32;
        sockets.set(place, socket, 0).map_err(|error| refuse(reason(&error)))
    }

    /// Frames passed to Linux, on all interfaces.
    pub fn passed(&self) -> u64 {
        (0..).take(MAX_INTERFACES).map(|id| self.steered(InterfaceId(id)).passed).sum()
    }

    /// Where an interface's frames went, since the program was loaded.
    pub fn steered(&self, id: InterfaceId) -> SteeredFrames {
        let map = self.ebpf.map("counters").and_then(|map| PerCpuArray::<_, [u64; 2]>::try_from(map).ok());
        // A per-CPU array has all its places from the start, so reading one cannot fail.
        let Some(cpus) = map.and_then(|map| map.get(&u32::from(id.0), 0).ok()) else {
            return SteeredFrames::default();
        };
        cpus.iter().fold(SteeredFrames::default(), |sum, [passed, redirected]| SteeredFrames {
            passed: sum.passed + passed,
            redirected: sum.redirected + redirected,
        })
    }

    /// Maps the kernel's number of an interface to ours.
    #[cfg_attr(not(feature = "testing"), doc(hidden))]
    pub fn number(&mut self, index: u32, id: InterfaceId) -> Result<(), aya::maps::MapError> {
        self.numbers()?.insert(index, u32::from(id.0), 0)
    }

    fn numbers(&mut self) -> Result<HashMap<&mut aya::maps::MapData, u32, u32>, aya::maps::MapError> {
        let map = self.ebpf.map_mut("interfaces");
        HashMap::try_from(map.ok_or(aya::maps::MapError::InvalidName { name: "interfaces".into() })?)
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, aya::programs::ProgramError> {
        let program = self.ebpf.program("steer").ok_or(aya::programs::ProgramError::NotLoaded)?;
        let program: &Xdp = program.try_into()?;
        Ok(program.fd()?.as_fd())
    }

    /// The loaded object, for test runs.
    #[cfg(any(test, feature = "testing"))]
    pub fn ebpf(&mut self) -> &mut aya::Ebpf {
        &mut self.ebpf
    }
}

/// Attaches a program to the interface of that number, in the driver or after it.
pub(crate) fn link(
    program: BorrowedFd<'_>,
    index: u32,
    preference: XdpPreference,
) -> io::Result<(OwnedFd, XdpAttachment)> {
    let link = |generic| bpf::link(program, index, generic);
    match preference {
        XdpPreference::Generic => Ok((link(true)?, XdpAttachment::Generic)),
        preference => match link(false) {
            Err(error) if preference == XdpPreference::Auto && is_unsupported(&error) => {
                Ok((link(true)?, XdpAttachment::Generic))
            }
            result => Ok((result?, XdpAttachment::Native)),
        },
    }
}

const NO_MAP: &str = "the program has no such map";

fn missing() -> OpenError {
    OpenError::Program { reason: "the object has no program of that name".into() }
}

/// An error with those that caused it: the loader's own text often leaves out the kernel's answer.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A cause that is already quoted would stand there twice.
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL))
}

/// What is in the way of an attachment, and what to do.
pub(crate) fn explain(error: &io::Error, interface: &str, mtu: u32) -> String {
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => format!(
            "another XDP program is on {interface}: end whatever put it there ('ip link show dev {interface}' \
             names the program), or a second penstockd that runs with this interface"
        ),
        Some(libc::ERANGE) => {
            too_large(interface, mtu, "its driver takes XDP programs with smaller ones only")
        }
        Some(libc::EOPNOTSUPP) => {
            "its driver has no XDP: set xdp = \"auto\" or \"generic\" to run it behind the driver".into()
        }
        Some(libc::ENODEV) => "there is no such interface any more".into(),
        _ => error.to_string(),
    }
}

fn too_large(interface: &str, mtu: u32, why: &str) -> String {
    format!("its MTU of {mtu} is too large, {why}: set 'ip link set dev {interface} mtu 1500'")
}
