//! A device of the daemon that packets with a mark leave by: those of checks that take the data path.
//!
//! What it takes of the kernel: a TUN device, which goes with the daemon; and for each family a rule, and a table
//! that leads there, or nowhere. Those are taken back at the end, and otherwise found again at the next start.

use std::net::{Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_route::route::RouteType;
use rtnetlink::packet_route::rule::RuleAction;
use rtnetlink::{Error, Handle, RouteMessageBuilder};
use tokio_tun::Tun;

use super::NetError;

/// The name of the device.
const NAME: &str = "penstock-check";
/// The metric of the route that leads nowhere.
const LAST: u32 = 9999;
/// Room for the largest outer header of a tunnel.
const MTU: i32 = 1400;

/// See the module's head.
pub struct SideDevice {
    device: Tun,
    handle: Handle,
    mark: u32,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SideDeviceError {
    /// The device.
    #[error("cannot make the device {NAME}: {0}; is there a /dev/net/tun, and no other daemon?")]
    Device(String),
    /// A rule or a route.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl SideDevice {
    /// Makes the device; packets with `mark` leave by it from now on.
    ///
    /// # Errors
    /// See [`SideDeviceError`].
    pub async fn new(handle: Handle, mark: u32) -> Result<Self, SideDeviceError> {
        let failed = |error: String| SideDeviceError::Device(error);
        let built = Tun::builder().name(NAME).mtu(MTU).up().build();
        let mut devices = built.map_err(|error| failed(error.to_string()))?;
        let device = devices.pop().ok_or_else(|| failed("the kernel gave none".to_owned()))?;
        let index = device.index().map_err(|error| failed(error.to_string()))?;
        let side = Self { device, handle, mark };
        side.lead_here(index).await?;
        Ok(side)
    }

    async fn lead_here(&self, index: u32) -> Result<(), NetError> {
        let failed = |error| NetError::request("the route of checks that take the data path")(error);
        let route4 =
            RouteMessageBuilder::<Ipv4Addr>::new().table_id(self.mark).output_interface(index).build();
        let route6 =
            RouteMessageBuilder::<Ipv6Addr>::new().table_id(self.mark).output_interface(index).build();
        // Without the device they go nowhere, rather than to whoever has the virtual IP.
        let kind = RouteType::Unreachable;
        let none4 = RouteMessageBuilder::<Ipv4Addr>::new().table_id(self.mark).kind(kind).priority(LAST);
        let none6 = RouteMessageBuilder::<Ipv6Addr>::new().table_id(self.mark).kind(kind).priority(LAST);
        for route in [route4, route6, none4.build(), none6.build()] {
            self.handle.route().add(route).replace().execute().await.map_err(failed)?;
        }
        for added in [self.rule().v4().execute().await, self.rule().v6().execute().await] {
            match added {
                Err(Error::NetlinkError(error)) if error.raw_code() == -libc::EEXIST => {}
                added => added.map_err(failed)?,
            }
        }
        Ok(())
    }

    fn rule(&self) -> rtnetlink::RuleAddRequest {
        let rule = self.handle.rule().add().fw_mark(self.mark).priority(self.mark);
        rule.table_id(self.mark).action(RuleAction::ToTable)
    }

    /// The next packet.
    ///
    /// # Errors
    /// The device is gone.
    pub async fn receive(&self, packet: &mut [u8]) -> std::io::Result<usize> {
        self.device.recv(packet).await
    }

    /// Takes the rules back.
    pub async fn release(self) {
        let messages = [self.rule().v4().message_mut().clone(), self.rule().v6().message_mut().clone()];
        for message in messages {
            if let Err(error) = self.handle.rule().del(message).execute().await {
                tracing::debug!(%error, "the rule of checks that take the data path stays");
            }
        }
    }
}

impl std::fmt::Debug for SideDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SideDevice(mark {:#x})", self.mark)
    }
}
