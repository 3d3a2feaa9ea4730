//! Generic UDP Encapsulation (draft-ietf-intarea-gue-09), the header of variant 0.
//!
//! Variant 1 has no header: the variant bits `01` are the first two bits of the version, 4 or 6, of the
//! IP packet itself (section 4).

/// Bytes of a header without optional fields.
pub const LENGTH: usize = 4;

/// The header in front of a packet with this IP protocol number: a data message without flags and
/// extension fields (section 3.1).
#[inline(always)]
pub fn header(protocol: u8) -> [u8; LENGTH] {
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
