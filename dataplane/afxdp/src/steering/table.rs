//! One map of the program, and what we have put into it: only what changes is written.

use std::hash::Hash;
use std::os::fd::{AsFd, OwnedFd};

use aya::Pod;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{self, Map, MapData, MapError};
use hashbrown::HashMap;

use super::keys::{AddressKey, PrefixKey};
use crate::bpf;
use crate::error::SteeringError;
use crate::program::reason;

/// From keys to flags; of no use to who wants a set but for being there.
#[derive(Debug)]
pub(super) struct Table<M: Kernel> {
    name: &'static str,
    map: M,
    /// The same map, if it takes many keys at once.
    many: Option<OwnedFd>,
    held: HashMap<M::Key, u8>,
}

/// What the kernel looks its keys up in.
pub(super) trait Kernel: TryFrom<Map, Error = MapError> {
    type Key: Copy + Eq + Hash;

    fn put(&mut self, key: Self::Key, flags: u8) -> Result<(), MapError>;

    fn take(&mut self, key: Self::Key) -> Result<(), MapError>;
}

/// By the whole key.
pub(super) type Exact<K> = maps::HashMap<MapData, K, u8>;
/// By the longest prefix.
pub(super) type Longest = LpmTrie<MapData, AddressKey, u8>;

impl<K: Pod + Eq + Hash> Kernel for Exact<K> {
    type Key = K;

    fn put(&mut self, key: K, flags: u8) -> Result<(), MapError> {
        self.insert(key, flags, 0)
    }

    fn take(&mut self, key: K) -> Result<(), MapError> {
        self.remove(&key)
    }
}

impl Kernel for Longest {
    type Key = PrefixKey;

    fn put(&mut self, key: PrefixKey, flags: u8) -> Result<(), MapError> {
        self.insert(&Key::new(key.length, key.address), flags, 0)
    }

    fn take(&mut self, key: PrefixKey) -> Result<(), MapError> {
        self.remove(&Key::new(key.length, key.address))
    }
}

impl<M: Kernel> Table<M> {
    pub(super) fn new(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<Self, SteeringError> {
        let map = ebpf.take_map(name).ok_or_else(|| MapError::InvalidName { name: name.into() });
        let map = map.map_err(|error| refused(name, &error))?;
        let many = match &map {
            Map::HashMap(data) => data.fd().as_fd().try_clone_to_owned().ok(),
            _ => None,
        };
        let map = M::try_from(map).map_err(|error| refused(name, &error))?;
        Ok(Self { name, map, many, held: HashMap::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Nothing is lost: a key that is there keeps its flags beside the new ones.
    pub(super) fn add(&mut self, wanted: impl Iterator<Item = (M::Key, u8)>) -> Result<(), SteeringError> {
        let mut new: HashMap<M::Key, u8> = HashMap::new();
        for (key, flags) in wanted {
            let held = new.get(&key).or_else(|| self.held.get(&key)).copied();
            let flags = held.unwrap_or(0) | flags;
            if held != Some(flags) {
                new.insert(key, flags);
            }
        }
        let (keys, flags): (Vec<_>, Vec<_>) = new.into_iter().unzip();
        // A hundred thousand calls take a third of a second.
        let done = match &self.many {
            Some(map) if keys.len() > 1 => bpf::put(map.as_fd(), &keys, &flags).0,
            _ => 0,
        };
        self.held.extend(keys.iter().copied().zip(flags.iter().copied()).take(done));
        // What the kernel has refused tells its reason when it is asked for by itself.
        for (key, flags) in keys.into_iter().zip(flags).skip(done) {
            self.put(key, flags)?;
        }
        Ok(())
    }

    /// Nothing but what is wanted stays, keys and flags.
    pub(super) fn keep(&mut self, wanted: impl Iterator<Item = (M::Key, u8)>) -> Result<(), SteeringError> {
        let mut kept = HashMap::with_capacity(self.held.len());
        wanted.for_each(|(key, flags)| *kept.entry(key).or_insert(0) |= flags);
        let held: Vec<_> = self.held.iter().map(|(key, flags)| (*key, *flags)).collect();
        for (key, flags) in held {
            match kept.get(&key) {
                Some(wanted) if flags & wanted != flags => self.put(key, flags & wanted)?,
                Some(_) => {}
                None => {
                    self.map.take(key).map_err(|error| refused(self.name, &error))?;
                    self.held.remove(&key);
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, key: M::Key, flags: u8) -> Result<(), SteeringError> {
        self.map.put(key, flags).map_err(|error| refused(self.name, &error))?;
        self.held.insert(key, flags);
        Ok(())
    }
}

fn refused(map: &'static str, error: &MapError) -> SteeringError {
    // A trie answers ENOSPC.
    let full = matches!(
        error,
        MapError::SyscallError(call)
            if matches!(call.io_error.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC))
    );
    let reason = if full { "it is full".into() } else { reason(error) };
    SteeringError { map, reason }
}
