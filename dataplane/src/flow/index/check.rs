//! What must hold of an index while nobody changes it.

use std::collections::HashMap;

use super::*;
use crate::sync::Ordering::Relaxed;

impl Index {
    /// Panics unless tags and slots fit each other, each slot is where its hash may be, and each bucket
    /// counts those that went elsewhere. `hash_of` tells what belongs to a slot.
    pub(in crate::flow) fn check(&self, hash_of: impl Fn(Slot) -> FlowHash) {
        let mut elsewhere: HashMap<usize, u64> = HashMap::new();
        for (number, words) in self.buckets().iter().enumerate() {
            let bucket = Bucket(words);
            for place in 0..PLACES {
                let slot = bucket.slot(place);
                let tag = (words[place / 8].load(Relaxed) >> (8 * (place % 8))).to_le_bytes()[0];
                assert_eq!(tag != 0, slot.is_somebody(), "tag {tag:#x} and {slot:?} in place {place}");
                if slot.is_somebody() {
                    let hash = hash_of(slot);
                    let Home { first, others } = self.home(hash);
                    assert_eq!(tag, Bucket::tag(hash), "of {slot:?}");
                    assert!(number == first || others.contains(&number), "{slot:?} is in bucket {number}");
                    *elsewhere.entry(first).or_default() += u64::from(number != first);
                }
            }
        }
        for number in 0..self.buckets().len() {
            let counted = self.bucket(number).elsewhere().load(Relaxed) / ONE_ELSEWHERE;
            assert_eq!(counted, elsewhere.get(&number).copied().unwrap_or(0), "elsewhere than in {number}");
        }
    }
}
