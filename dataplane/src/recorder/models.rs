//! A slot, in all ways in which its worker and a reader can meet.
//!
//! What was broken to see it fail, and what it showed:
//!
//! | broken | shown |
//! | --- | --- |
//! | the fence of the writer, or that of the reader, left out | words of two frames |
//! | the even number stored without release | words of two frames |

use loom::thread;

use super::*;
use crate::sync::{Arc, explore};

#[test]
fn nobody_reads_words_of_two_frames() {
    explore(3, || {
        let slot = Arc::new(Slot::new());
        let writer = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                for n in [1, 2] {
                    let seen = Glimpse { words: [n; WORDS], length: u16::try_from(n).unwrap_or(0) };
                    slot.write(InterfaceId(0), &seen, Tick(0));
                }
            }
        });
        if let Some((label, words)) = slot.copy() {
            assert!(words.iter().all(|word| *word == label & 0xffff), "{label} {words:?}");
        }
        writer.join().unwrap();
        assert_eq!(slot.copy().map(|(label, _)| label), Some(2));
    });
}
