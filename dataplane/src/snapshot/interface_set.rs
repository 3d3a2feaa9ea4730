//! Some of the data plane's interfaces, a bit each.

use crate::limits::MAX_INTERFACES;
use crate::types::InterfaceId;

/// See the module's head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceSet(u32);

const _: () = assert!(MAX_INTERFACES <= u32::BITS as usize, "a bit for each interface");

impl InterfaceSet {
    /// Whether none is in it.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is in it.
    #[inline(always)]
    #[must_use]
    pub fn contains(self, id: InterfaceId) -> bool {
        self.0.checked_shr(u32::from(id.0)).unwrap_or(0) & 1 != 0
    }
}

impl FromIterator<InterfaceId> for InterfaceSet {
    fn from_iter<I: IntoIterator<Item = InterfaceId>>(ids: I) -> Self {
        let bit = |id: InterfaceId| 1_u32.checked_shl(u32::from(id.0)).unwrap_or(0);
        Self(ids.into_iter().fold(0, |bits, id| bits | bit(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_a_bit_and_numbers_of_none_are_in_no_set() {
        let set: InterfaceSet = [InterfaceId(0), InterfaceId(31), InterfaceId::NOWHERE].into_iter().collect();
        let found: Vec<_> = (0..64).map(InterfaceId).filter(|id| set.contains(*id)).collect();
        assert_eq!(found, [InterfaceId(0), InterfaceId(31)]);
        assert!(!set.contains(InterfaceId::NOWHERE) && !set.is_empty() && InterfaceSet::default().is_empty());
    }
}
