//! What the verification leaves out of a certificate, or cannot name in words, out of its DER (RFC 5280 section 4.1). Pure.

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Kinds of keys that checks can verify signatures of, for messages about those that they cannot.
pub(super) const VERIFIED: &str = "RSA of 2048 to 8192 bits, P-256, P-384, P-521 and Ed25519";

/// The fields that are of interest here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outline<'c> {
    /// X.509 version: 1 to 3.
    pub version: u8,
    /// `notBefore`, in seconds since 1970; `None` where that is unreadable, or before 1970.
    pub not_before: Option<u64>,
    /// `notAfter`, the same.
    pub not_after: Option<u64>,
    /// Content of the name.
    pub issuer: &'c [u8],
    /// The same.
    pub subject: &'c [u8],
    key: &'c [u8],
    /// What follows the key.
    rest: &'c [u8],
}

/// `None` if these bytes are no certificate as far as its key.
pub(super) fn outline(certificate: &[u8]) -> Option<Outline<'_>> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    let mut version = 1;
    if fields.first() == Some(&VERSION) {
        let (number, rest) = element(fields, VERSION)?;
        (version, fields) = (element(number, INTEGER)?.0.last()?.checked_add(1)?, rest);
    }
    let (_serial, fields) = element(fields, INTEGER)?;
    let (_signature, fields) = element(fields, SEQUENCE)?;
    let (issuer, fields) = element(fields, SEQUENCE)?;
    let (validity, fields) = element(fields, SEQUENCE)?;
    let (subject, fields) = element(fields, SEQUENCE)?;
    let (key, rest) = element(fields, SEQUENCE)?;
    let (_not_before, end) = next(validity)?;
    let (not_before, not_after) = (time(validity), time(end));
    Some(Outline { version, not_before, not_after, issuer, subject, key, rest })
}

impl Outline<'_> {
    /// Whether others may be issued by it, as OpenSSL decides (`X509_check_ca(3)`): RFC 5280 sections 4.2.1.3 and 4.2.1.9,
    /// and roots of version 1. webpki itself takes whatever is trusted for an authority.
    pub(super) fn is_authority(&self) -> bool {
        if self.extension(oid::KEY_USAGE).is_some_and(|usage| !signs_certificates(usage)) {
            return false;
        }
        match self.extension(oid::BASIC_CONSTRAINTS) {
            Some(constraints) => is_ca(constraints),
            None if self.version == 1 => self.issuer == self.subject,
            None => self.extension(oid::KEY_USAGE).is_some(),
        }
    }

    /// Whether it says that it is an authority's (`CA:TRUE`).
    pub(super) fn claims_authority(&self) -> bool {
        self.extension(oid::BASIC_CONSTRAINTS).is_some_and(is_ca)
    }

    /// The value of an extension.
    fn extension(&self, wanted: &[u8]) -> Option<&[u8]> {
        let mut rest = self.rest;
        while rest.first().is_some_and(|tag| *tag != EXTENSIONS) {
            // Unique identifiers of old versions.
            rest = next(rest)?.1;
        }
        let (list, _) = element(rest, EXTENSIONS)?;
        let (mut list, _) = element(list, SEQUENCE)?;
        while !list.is_empty() {
            let (extension, others) = element(list, SEQUENCE)?;
            let (kind, value) = element(extension, OID)?;
            if kind == wanted {
                let value = element(value, BOOLEAN).map_or(value, |(_critical, value)| value);
                return Some(element(value, OCTET_STRING)?.0);
            }
            list = others;
        }
        None
    }

    /// The kind of the key, if signatures by it are not verified. `None` also for keys that cannot be read.
    pub(super) fn unverified_key(&self) -> Option<String> {
        let (algorithm, rest) = element(self.key, SEQUENCE)?;
        let (kind, parameters) = element(algorithm, OID)?;
        match kind {
            oid::RSA => {
                let bits = rsa_bits(rest)?;
                (!(2048..=8192).contains(&bits)).then(|| format!("an RSA key of {bits} bits"))
            }
            oid::EC => {
                let is_known =
                    element(parameters, OID).is_some_and(|(curve, _)| oid::CURVES.contains(&curve));
                (!is_known).then(|| "an EC key of another curve".to_owned())
            }
            oid::ED25519 => None,
            oid::RSA_PSS => Some("an RSA-PSS key".to_owned()),
            oid::DSA => Some("a DSA key".to_owned()),
            oid::ED448 => Some("an Ed448 key".to_owned()),
            _ => Some("a key of a rare kind".to_owned()),
        }
    }
}

/// Object identifiers, as their DER has them.
pub(super) mod oid {
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(super) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    /// P-256, P-384 and P-521.
    pub(super) const CURVES: [&[u8]; 3] =
        [&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], &[0x2b, 0x81, 4, 0, 34], &[0x2b, 0x81, 4, 0, 35]];
    pub(super) const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 112];
    pub(super) const ED448: &[u8] = &[0x2b, 0x65, 113];
    pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    const MD5_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    const SHA1_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];

    /// What an algorithm is called that certificates are signed with, of those that are not verified.
    pub(in super::super) fn signature(algorithm: &[u8]) -> &'static str {
        let is = |oid: &[u8]| algorithm.windows(oid.len()).any(|part| part == oid);
        match () {
            () if is(MD5_RSA) => "MD5",
            () if is(SHA1_RSA) || is(SHA1_ECDSA) => "SHA-1",
            () if is(RSA_PSS) => "RSA-PSS with rare parameters",
            () if is(ED448) => "Ed448",
            () if is(DSA) => "DSA",
            () => "a rare algorithm",
        }
    }
}

/// `cA` of basicConstraints, which is false where it is left out.
fn is_ca(constraints: &[u8]) -> bool {
    let list = element(constraints, SEQUENCE).map_or(&[][..], |(list, _)| list);
    element(list, BOOLEAN).is_some_and(|(value, _)| value.iter().any(|byte| *byte != 0))
}

/// `keyCertSign` of keyUsage: bit 5, counted from the first byte's highest.
fn signs_certificates(usage: &[u8]) -> bool {
    // The first byte is the number of unused bits.
    element(usage, BIT_STRING).and_then(|(bits, _)| bits.get(1)).is_some_and(|bits| bits & 0x04 != 0)
}

/// Of an RSA key: how long its modulus is.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (bits, _) = element(key, BIT_STRING)?;
    let (numbers, _) = element(bits.get(1..)?, SEQUENCE)?;
    let (modulus, _) = element(numbers, INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[zeros..];
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

fn time(rest: &[u8]) -> Option<u64> {
    match *rest.first()? {
        UTC_TIME => {
            let (digits, _) = element(rest, UTC_TIME)?;
            let year = number(digits.get(..2)?)?;
            // Section 4.1.2.5.1.
            let century = if year >= 50 { 1900 } else { 2000 };
            seconds(century + year, digits.get(2..)?)
        }
        GENERALIZED_TIME => {
            let (digits, _) = element(rest, GENERALIZED_TIME)?;
            seconds(number(digits.get(..4)?)?, digits.get(4..)?)
        }
        _ => None,
    }
}

/// The content of the element at the beginning, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if bytes.first() == Some(&tag) { next(bytes) } else { None }
}

fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.get(1..)?.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // So many bytes of length; more than four have no place in memory.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

/// `rest`: `MMDDHHMMSSZ`, as both forms end.
fn seconds(year: u64, rest: &[u8]) -> Option<u64> {
    let two = |place: usize| number(rest.get(place..place + 2)?);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if rest.get(10..) != Some(b"Z") || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin with March put the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let since_1970 = days.checked_sub(719_468)?;
    Some(((since_1970 * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fields that matter, in the order of a certificate.
    fn certificate(time: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, length[0], length[1]], content].concat()
        };
        let validity = [&wrap(UTC_TIME, b"200101000000Z"), time].concat();
        let parts = [
            wrap(VERSION, &[2, 1, 2]),
            wrap(INTEGER, &[7]),
            wrap(SEQUENCE, b""),
            wrap(SEQUENCE, &[0; 300]),
            wrap(SEQUENCE, &validity),
            wrap(SEQUENCE, b""),
            wrap(SEQUENCE, b""),
        ];
        wrap(SEQUENCE, &wrap(SEQUENCE, &parts.concat()))
    }

    fn not_after(certificate: &[u8]) -> Option<u64> {
        outline(certificate)?.not_after
    }

    #[test]
    fn both_forms_of_time_are_read() {
        // As `date --utc --date=... +%s` gives them.
        let utc = [&[UTC_TIME, 13], &b"261124163000Z"[..]].concat();
        assert_eq!(not_after(&certificate(&utc)), Some(1_795_537_800));
        let general = [&[GENERALIZED_TIME, 15], &b"20520229235959Z"[..]].concat();
        assert_eq!(not_after(&certificate(&general)), Some(2_592_863_999));
        let ancient = [&[UTC_TIME, 13], &b"700101000000Z"[..]].concat();
        assert_eq!(not_after(&certificate(&ancient)), Some(0));
        let wrong = [&[UTC_TIME, 13], &b"261324163000Z"[..]].concat();
        assert_eq!(not_after(&certificate(&wrong)), None);
        assert_eq!(outline(&certificate(&utc)).unwrap().not_before, Some(1_577_836_800));
        assert_eq!(outline(&certificate(&utc)).unwrap().version, 3);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..400) {
            let _ = outline(&bytes).and_then(|outline| outline.is_authority().then(|| outline.unverified_key()));
            let whole = certificate(&[&[GENERALIZED_TIME, 15], &b"20520229235959Z"[..]].concat());
            let _ = outline(&whole[..cut.min(whole.len())]);
            // As what follows the key.
            let rest = outline(&whole).map(|outline| Outline { rest: &bytes, ..outline });
            let _ = rest.map(|rest| rest.is_authority());
        }
    }
}
