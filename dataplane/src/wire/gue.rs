//! Generic UDP Encapsulation (draft-ietf-intarea-gue-09), the header of variant 0.
//!
//! Variant 1 has none: where variant 0 has its variant bits, `00`, an IP packet has the first two bits
//! of its version, `01` for both 4 and 6 (section 4).

/// Bytes of a header without optional fields.
pub(crate) const LENGTH: usize = 4;

/// The header in front of a packet of that IP protocol number: a data message, no flags, no extension
/// fields (section 3.1).
#[inline(always)]
pub(crate) fn header(protocol: u8) -> [u8; LENGTH] {
    [0, protocol, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_follows_the_variant_and_the_length() {
        assert_eq!(header(41), [0, 41, 0, 0]);
    }
}
