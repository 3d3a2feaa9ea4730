//! When a certificate ends, out of its DER (RFC 5280 section 4.1). Pure. Everything else about it is rustls's.

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// `notAfter`, in seconds since 1970.
#[must_use]
pub(super) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields, VERSION)?.1;
    }
    let (_serial, fields) = element(fields, INTEGER)?;
    let (_signature, fields) = element(fields, SEQUENCE)?;
    let (_issuer, fields) = element(fields, SEQUENCE)?;
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_not_before, rest) = next(validity)?;
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
        ];
        wrap(SEQUENCE, &wrap(SEQUENCE, &parts.concat()))
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
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..400) {
            let _ = not_after(&bytes);
            let whole = certificate(&[&[GENERALIZED_TIME, 15], &b"20520229235959Z"[..]].concat());
            let _ = not_after(&whole[..cut.min(whole.len())]);
        }
    }
}
