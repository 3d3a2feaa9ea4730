//! A part of a snapshot that the next one has too, unless it is changed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use hashbrown::HashMap;

use super::Fate;
use crate::types::BackendId;

/// To clone it copies nothing; who changes it gets a copy of its own, if others have it.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

/// What becomes of backends' flows, where that is not simply that they go on.
#[derive(Debug, Clone, Default)]
pub struct Fates(Option<Arc<HashMap<BackendId, Fate>>>);

impl Fates {
    /// That of a backend.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, id: BackendId) -> Fate {
        match &self.0 {
            None => Fate::Stays,
            Some(fates) => fates.get(&id).copied().unwrap_or_default(),
        }
    }

    /// Whether all flows simply go on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Says what becomes of a backend's flows.
    pub fn set(&mut self, id: BackendId, fate: Fate) {
        if self.of(id) == fate {
            return;
        }
        let fates = Arc::make_mut(self.0.get_or_insert_default());
        match fate {
            Fate::Stays => _ = fates.remove(&id),
            _ => _ = fates.insert(id, fate),
        }
        if fates.is_empty() {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_copied_when_it_is_changed() {
        let first: Shared<Vec<u8>> = Shared::default();
        let mut second = first.clone();
        second.push(7);
        assert_eq!((first.len(), second.len()), (0, 1));
    }

    #[test]
    fn fates_are_remembered_until_the_flows_go_on() {
        let mut fates = Fates::default();
        fates.set(BackendId(3), Fate::Move);
        let before = fates.clone();
        fates.set(BackendId(3), Fate::Stays);
        assert_eq!((before.of(BackendId(3)), fates.of(BackendId(3))), (Fate::Move, Fate::Stays));
        assert!(fates.is_empty() && !before.is_empty());
    }
}
