//! The generator: a program that the kernel runs on frames of its own.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use aya::maps::PerCpuArray;
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use dataplane::types::Mac;

use crate::{GENERATOR, Result, VIP, VIP_PORT, device};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/generator.bpf.o"));

/// Without its FCS: with it, the shortest frame that Ethernet has.
const FRAME: usize = 60;
/// What the receiving end's NAPI takes in one go. More would overflow its queue of 256 frames.
const BATCH: u32 = 64;
/// The addresses of 198.18.0.0/15, each of them a flow.
const MAX_FLOWS: u32 = 1 << 17;

/// See the module's head. Runs on the core of whoever calls it, receiving end included.
#[derive(Debug)]
pub(crate) struct Generator {
    ebpf: Ebpf,
    frame: [u8; FRAME],
}

impl Generator {
    /// Sends to the MAC address `to`, as one of `flows` flows, a power of two.
    pub(crate) fn load(to: Mac, flows: u32) -> Result<Self> {
        if !flows.is_power_of_two() || flows > MAX_FLOWS {
            return Err(format!("{flows} flows: a power of two up to {MAX_FLOWS} is possible").into());
        }
        let (egress, flow_mask) = (device::index(GENERATOR)?, flows - 1);
        let mut loader = EbpfLoader::new();
        loader.override_global("egress", &egress, true).override_global("flow_mask", &flow_mask, true);
        let mut ebpf = loader.load(OBJECT)?;
        let program: &mut Xdp = ebpf.program_mut("generate").ok_or(NO_PROGRAM)?.try_into()?;
        program.load()?;
        Ok(Self { ebpf, frame: frame(device::mac(GENERATOR)?, to) })
    }

    /// Sends a few frames.
    pub(crate) fn probe(&self) -> Result<()> {
        self.send(BATCH)
    }

    /// Sends until `stop`, about `frames` frames at a time. A call has to be long: the kernel waits
    /// for RCU grace periods before and after each, tens of milliseconds without a frame.
    pub(crate) fn flood(&self, frames: u32, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.send(frames.max(BATCH))?;
        }
        Ok(())
    }

    /// Frames sent so far.
    pub(crate) fn sent(&self) -> Result<u64> {
        let map = self.ebpf.map("sent").ok_or("the generator's object has no map")?;
        Ok(PerCpuArray::<_, u64>::try_from(map)?.get(&0, 0)?.iter().sum())
    }

    fn send(&self, frames: u32) -> Result<()> {
        let program: &Xdp = self.ebpf.program("generate").ok_or(NO_PROGRAM)?.try_into()?;
        program.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        })?;
        Ok(())
    }
}

const NO_PROGRAM: &str = "the generator's object has no program";

/// What all flows have in common. UDP without a checksum, as IPv4 allows (RFC 768).
fn frame(from: Mac, to: Mac) -> [u8; FRAME] {
    let ip_length = (FRAME - 14).to_be_bytes();
    let udp_length = (FRAME - 34).to_be_bytes();
    let source = Ipv4Addr::UNSPECIFIED;
    let parts: [&[u8]; 13] = [
        &to.0,
        &from.0,
        &0x0800_u16.to_be_bytes(),
        &[0x45, 0],
        &ip_length[ip_length.len() - 2..],
        &[0, 0, 0x40, 0], // may not be fragmented
        &[64, 17, 0, 0],  // TTL, UDP, the program's checksum
        &source.octets(),
        &VIP.octets(),
        &[0, 0],
        &VIP_PORT.to_be_bytes(),
        &udp_length[udp_length.len() - 2..],
        &[0, 0],
    ];
    let mut frame = [0; FRAME];
    let headers = parts.concat();
    frame[..headers.len()].copy_from_slice(&headers);
    frame
}
