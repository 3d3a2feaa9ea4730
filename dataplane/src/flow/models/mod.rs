//! The table's algorithms, in all ways in which workers can meet. `scripts/models` runs them.
//!
//! What was broken to see the models fail, and what they showed:
//!
//! | broken | shown |
//! | --- | --- |
//! | no fence in `is_alone` | two workers each create the same flow; two flows have one return tuple |
//! | no fence in `step_back` | two workers each find the other's flow, and none is in the table |
//! | no fence in `Quiescence::pass`, or none in `mark` | an entry is cleared under a worker that has just found it |
//! | `end` marks the flow after its places are taken out, has no fence between, or `insert_return` does not look at the mark | a place for replies is left that leads to a flow that has ended |
//! | a flow that expires is not marked, or `gives_way` does not look at the mark | the same flow anew is refused as `TupleInUse`, because a half of it is still there |
//! | relaxed tag and slot in `Bucket::insert` | who finds a flow reads its entry as it was before |
//! | the tag cleared before the slot is emptied | a slot without a tag: whoever came next had its slot mixed with the old one's |
//! | a slot emptied without comparing it | two take the same place out, and the second frees the third's |
//! | a tag put in by a plain store | two workers get the same place |
//! | those elsewhere not counted, or taken off the count by everyone who tried to remove them | what is elsewhere is not found; two workers each create the same flow |
//! | relaxed `take_block` or `give_block`; a block taken without looking whether the bit was set | the former owner's last write ends up in the new owner's entry |
//! | `weigh_acknowledgement` stores what it has found without comparing | a FIN's number is lost to an older acknowledgement, and the flow stays for the time of an established one |
//!
//! What was broken and not shown:
//! * The Release in `Quiescence::pass` and the Acquire in `all_passed`, which keep a worker's reads before its quiescent
//!   state: loom lets nobody read what has not been written yet. For the same reason nothing is to be expected of
//!   `Bucket::remove`'s Release and `take_place`'s Acquire, which keep the emptying of a slot before its next use; that was
//!   not tried.
//! * Counting who goes elsewhere only after it is there: nobody in these models looks in between.
//!
//! Not modelled: the fence in `FlowTable::flows`, which is for listing.

mod closing;
mod index;
mod reuse;
mod slab;
mod table;
