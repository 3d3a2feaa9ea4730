//! Where the table's memory comes from: the best pages that the configuration asks for.

use crate::error::StartError;
use crate::flow::HugePages;
use crate::mem::{Mapping, PageKind};

/// Memory for a table of `flows` flows.
pub(super) fn map(bytes: usize, flows: usize, wanted: HugePages) -> Result<(Mapping, PageKind), StartError> {
    let need_mib = bytes.div_ceil(1 << 20);
    let order: &[PageKind] = match wanted {
        HugePages::Auto => &[PageKind::Huge, PageKind::Transparent],
        HugePages::Require => &[PageKind::Huge],
        HugePages::Off => &[PageKind::Ordinary],
    };
    let mut refusal = None;
    for &kind in order {
        match Mapping::new(bytes, kind) {
            Ok(mapping) => return Ok((mapping, kind)),
            Err(error) => refusal = Some(error),
        }
    }
    Err(match (wanted, refusal) {
        (HugePages::Require, _) => StartError::HugePages { flows, need_mib, pages: need_mib.div_ceil(2) },
        (_, error) => {
            let error = error.unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory));
            StartError::Memory { flows, need_mib, error }
        }
    })
}
