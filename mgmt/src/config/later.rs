//! Words of the contract whose feature this version does not have.
//!
//! Such a word is known by name; asking for the feature is refused, never ignored. A feature that arrives takes
//! its word away, and reads it where its table is read.

/// Words of `check`.
pub(super) const CHECKS: &[&str] = &[];

/// Words of `scheduler`.
pub(super) const SCHEDULERS: &[&str] = &[];
