//! Whether a service's handshakes are answered by cookie.

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynProxy {
    /// Never.
    #[default]
    Off,
    /// While there are many handshakes that nobody finishes.
    Auto,
    /// Always.
    Always,
}

/// Above a quarter of the service's own room cookies begin, at an eighth they end: in between it stays as
/// it was, so that it does not sway.
pub(super) fn is_flooded(half_open: u32, own_room: u32, was_flooded: bool) -> bool {
    half_open > if was_flooded { own_room / 8 } else { own_room / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_above_a_quarter_and_ends_at_an_eighth() {
        let mut is_on = false;
        let seen = [200, 250, 251, 200, 126, 125, 250, 251, 0].map(|half_open| {
            is_on = is_flooded(half_open, 1000, is_on);
            is_on
        });
        assert_eq!(seen, [false, false, true, true, true, false, false, true, false]);
    }
}
