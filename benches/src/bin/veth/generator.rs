//! The generator: a program that the kernel runs on frames of its own.

use std::net::Ipv4Addr;

use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use dataplane::types::Mac;

use crate::{GENERATOR, Result, VIP, VIP_PORT, device};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/generator.bpf.o"));

/// Without its FCS: with it, the shortest frame that Ethernet has.
const FRAME: usize = 60;
/// What the receiving end's NAPI takes in one go. More would overflow its queue of 256 frames.
const BATCH: u32 = 64;
/// Frames of one system call: a few milliseconds.
const BURST: u32 = 128 * BATCH;
/// The addresses of 198.18.0.0/15, each of them a flow.
pub(crate) const MAX_FLOWS: u32 = 1 << 17;

/// See the module's head. Runs on the core of whoever calls it, receiving end included.
#[derive(Debug)]
pub(crate) struct Generator {
    ebpf: Ebpf,
    frame: [u8; FRAME],
    sent: u64,
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
        program(&mut ebpf)?.load()?;
        Ok(Self { ebpf, frame: frame(device::mac(GENERATOR)?, to), sent: 0 })
    }

    /// Sends a few milliseconds' worth of frames.
    pub(crate) fn burst(&mut self) -> Result<()> {
        self.send(BURST)
    }

    /// Sends a few frames.
    pub(crate) fn probe(&mut self) -> Result<()> {
        self.send(BATCH)
    }

    /// Frames sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    fn send(&mut self, frames: u32) -> Result<()> {
        program(&mut self.ebpf)?.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        })?;
        self.sent += u64::from(frames);
        Ok(())
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut("generate").ok_or("the generator's object has no program")?;
    Ok(program.try_into()?)
}

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
