//! What the log reports of the data plane's start.

use crate::flow::FlowTable;
use crate::mem::PageKind;

/// The memory of the flow table.
pub(super) fn pages(table: &FlowTable) {
    let pages = match table.pages() {
        PageKind::Huge => "reserved huge pages",
        PageKind::Transparent => "transparent huge pages",
        PageKind::Ordinary => "ordinary pages",
    };
    tracing::info!(flows = table.capacity(), pages, "flow table allocated");
}
