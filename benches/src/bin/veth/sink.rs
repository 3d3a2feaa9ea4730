//! The sink: a program that counts what arrives.

use aya::maps::PerCpuArray;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

use crate::{BACKENDS, Result, SINK, VIP, device};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sink.bpf.o"));

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Sink(Ebpf);

/// What has arrived so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrived {
    /// Addressed to the sink.
    pub(crate) delivered: u64,
    /// All else.
    pub(crate) strange: u64,
}

impl Sink {
    pub(crate) fn attach() -> Result<Self> {
        let mac = device::mac(SINK)?.0;
        let vip = u32::from_ne_bytes(VIP.octets());
        let backends = u32::from_ne_bytes(BACKENDS.octets());
        let mut loader = EbpfLoader::new();
        loader.override_global("address", &mac, true).override_global("virtual_address", &vip, true);
        loader.override_global("backends", &backends, true);
        let mut ebpf = loader.load(OBJECT)?;
        let program = ebpf.program_mut("sink").ok_or("the sink's object has no program")?;
        let program: &mut Xdp = program.try_into()?;
        program.load()?;
        program.attach(SINK, XdpMode::Driver)?;
        Ok(Self(ebpf))
    }

    pub(crate) fn arrived(&self) -> Result<Arrived> {
        let map = self.0.map("counters").ok_or("the sink's object has no map")?;
        let cpus = PerCpuArray::<_, [u64; 2]>::try_from(map)?.get(&0, 0)?;
        let add = |sum: Arrived, [delivered, strange]: &[u64; 2]| Arrived {
            delivered: sum.delivered + delivered,
            strange: sum.strange + strange,
        };
        Ok(cpus.iter().fold(Arrived::default(), add))
    }
}
