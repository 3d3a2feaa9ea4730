//! A sorted list that never changes, laid out for the cache: a tree of nodes of one line each, without
//! pointers. The children of node n are the nodes from n * (B + 1) + 1 on. Two hundred thousand IPv4
//! addresses are five lines deep, as many IPv6 addresses nine.

/// Keys of B to a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sorted<K, const B: usize> {
    nodes: Box<[Node<K, B>]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
struct Node<K, const B: usize> {
    keys: [K; B],
    /// A bit for each key.
    values: u32,
}

impl<K: Copy + Ord, const B: usize> Sorted<K, B> {
    /// `items` ascend by key. What is left of the last nodes is filled up with `largest`, the largest key
    /// there can be, and the last item's value.
    pub(super) fn new(items: &[(K, bool)], largest: K) -> Self {
        let count = items.len().div_ceil(B);
        let filler = (largest, items.last().is_some_and(|(_, value)| *value));
        let empty = Node { keys: [largest; B], values: 0 };
        let mut tree = Self { nodes: vec![empty; count].into_boxed_slice() };
        let mut rest = items.iter().copied().chain(std::iter::repeat(filler));
        tree.fill(0, &mut rest);
        tree
    }

    /// In the order of the keys: what is below a key comes before it.
    fn fill(&mut self, node: usize, rest: &mut impl Iterator<Item = (K, bool)>) {
        if node >= self.nodes.len() {
            return;
        }
        for place in 0..B {
            self.fill(child(node, place, B), rest);
            if let Some((key, value)) = rest.next() {
                self.nodes[node].keys[place] = key;
                self.nodes[node].values |= u32::from(value) << place;
            }
        }
        self.fill(child(node, B, B), rest);
    }

    /// The value of the largest key that is not above `key`; `None`: all are.
    #[inline]
    pub(super) fn floor(&self, key: K) -> Option<bool> {
        let (mut at, mut found) = (0, None);
        while let Some(node) = self.nodes.get(at) {
            // Without a branch: which of them is the last is not to be guessed.
            let below = node.keys.iter().filter(|own| **own <= key).count();
            if below > 0 {
                found = Some(node.values >> (below - 1) & 1 == 1);
            }
            at = child(at, below, B);
        }
        found
    }
}

fn child(node: usize, place: usize, keys: usize) -> usize {
    node * (keys + 1) + 1 + place
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_finds(
            mut keys in proptest::collection::btree_map(any::<u8>(), any::<bool>(), 0..200),
            also in any::<bool>(),
        ) {
            if also {
                keys.insert(0, true);
                keys.insert(255, false);
            }
            let items: Vec<_> = keys.iter().map(|(key, value)| (*key, *value)).collect();
            let tree = Sorted::<u8, 3>::new(&items, u8::MAX);
            for key in 0..=255 {
                let expected = keys.range(..=key).next_back().map(|(_, value)| *value);
                // The filler has the largest key, and the last item's value.
                prop_assert_eq!(tree.floor(key), expected, "{}", key);
            }
        }
    }
}
