//! Traffic mixes.
