//! VLAN tags stay in the frames of the interfaces in use.

use super::Dataplane;
use super::ports::Ports;
use crate::xdp::{TagOffload, TagsLeft, VlanTags, is_veth, tag_offload};

impl Dataplane {
    /// Sees to it that VLAN tags stay in frames, also after another program has changed that.
    pub fn keep_tags(&mut self) {
        self.ports.keep_tags();
    }
}

impl Ports {
    /// Switches off again what takes VLAN tags out of frames, where it was switched on since.
    pub(super) fn keep_tags(&mut self) {
        let in_frame = self.ports.iter_mut().filter(|port| port.tags == Some(VlanTags::InFrame));
        for port in in_frame {
            let interface = &port.setup.name;
            if port.left.again(interface) {
                tracing::warn!(
                    event = "interface.vlan-offload-off",
                    interface,
                    "The interface was told to take VLAN tags out of frames; rxvlan is off again, or tags would be lost."
                );
            }
            if matches!(tag_offload(interface), Ok(TagOffload::On { .. })) {
                port.tags = Some(VlanTags::Hidden);
                tracing::error!(
                    event = "interface.vlan-tags-hidden",
                    interface,
                    "The interface takes VLAN tags out of frames and does not let that be switched off: workers do not see them."
                );
            }
        }
    }
}

/// Makes the interface leave VLAN tags in frames. At one end of a pair that changes nothing.
pub(super) fn leave_tags(interface: &str) -> TagsLeft {
    if is_veth(interface) {
        return TagsLeft::default();
    }
    let left = TagsLeft::in_frames_of(interface);
    if left.has_changed() {
        tracing::info!(
            event = "interface.vlan-offload-off",
            interface,
            "The interface took VLAN tags out of frames; rxvlan is off until the daemon ends."
        );
    }
    left
}
