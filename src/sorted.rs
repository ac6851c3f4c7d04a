//! A map for few entries: sorted, in one piece. The standard library's B-tree is fifty times its code, once for each
//! type of key and value.

use std::borrow::Borrow;

/// Keys and their values, in the order of the keys. Finding takes the logarithm of their number, adding moves what
/// is behind: for hundreds of entries, not for millions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// The index of a key, or where it would have to be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Adds an entry, in place of that of the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Ok(at) = self.find(key) {
            self.0.remove(at);
        }
    }

    /// The value of a key, made where there is none.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, new()));
            at
        });
        #[allow(clippy::indexing_slicing, reason = "it was found, or put, there")]
        &mut self.0[at].1
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u8..20, any::<u8>(), 0_u8..3), 0..100)) {
            let (mut sorted, mut model) = (SortedMap::default(), BTreeMap::new());
            for (key, value, step) in steps {
                match step {
                    0 => {
                        sorted.insert(key, value);
                        model.insert(key, value);
                    }
                    1 => {
                        sorted.remove(&key);
                        model.remove(&key);
                    }
                    _ => prop_assert_eq!(sorted.entry(key, || value), model.entry(key).or_insert(value)),
                }
                prop_assert_eq!(sorted.get(&key), model.get(&key));
                prop_assert_eq!(sorted.contains_key(&key), model.contains_key(&key));
                prop_assert!(sorted.iter().eq(model.iter()));
                prop_assert_eq!((sorted.len(), sorted.is_empty()), (model.len(), model.is_empty()));
            }
            sorted.retain(|_, value| value % 2 == 0);
            model.retain(|_, value| *value % 2 == 0);
            prop_assert!(sorted.iter().eq(model.iter()));
        }
    }
}
