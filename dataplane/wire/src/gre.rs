//! GRE (RFC 2784), over IPv4 and IPv6 (RFC 7676).

/// Bytes of a header without checksum, key and sequence number.
pub const LENGTH: usize = 4;

/// Protocol number in the IP header.
pub const PROTOCOL: u8 = 47;

/// The header in front of a packet with this EtherType: no flags, version 0.
#[inline(always)]
pub fn header(ethertype: u16) -> [u8; LENGTH] {
    let [high, low] = ethertype.to_be_bytes();
    [0, 0, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_an_ethertype() {
        assert_eq!(header(0x86dd), [0, 0, 0x86, 0xdd]);
    }
}
