//! What tests and benches share: frames built field by field, and a worker over vectors.

pub(crate) use crate::wire::frames;
pub(crate) mod offer;
pub(crate) mod rig;

#[cfg(test)]
pub(crate) mod classifier;
#[cfg(test)]
mod decap;
#[cfg(test)]
mod packets;
