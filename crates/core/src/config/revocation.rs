//! Checks that the runtime has what the configured revocation store needs, and says what its absence means.

use super::Config;
use super::error::ConfigErrors;
use super::place::{Loading, Place, refuse};
use super::runtime::Runtime;
use crate::revocation::kind::RevocationStore;

impl Config {
    /// Checks that the runtime has what the revocation store needs; `is_available` says so for a kind of store. Where the
    /// configuration chooses no store and the default is not available, there is none.
    ///
    /// # Errors
    /// The chosen store is not available, or an operator's secret is set and there is no store.
    pub fn check_revocation(
        mut self,
        runtime: &Runtime,
        is_available: &dyn Fn(RevocationStore) -> bool,
    ) -> Result<Self, ConfigErrors> {
        let kind = self.revocation.store;
        if kind == RevocationStore::None || is_available(kind) {
            return Ok(self);
        }
        let is_needed = self.revocation.store_is_chosen || self.revocation.operator.are_set();
        let Some(store) = runtime.revocation(kind).filter(|_| is_needed) else {
            self.revocation.store = RevocationStore::None;
            return Ok(self);
        };
        let loading = Loading::new(&|_| None, runtime);
        let root = Place::root(&loading);
        let revocation = root.key("revocation");
        let (value, missing, add) = (store.value, store.missing, store.add);
        refuse!(revocation.key("store"), "\"{value}\" {missing}", "{add}");
        loading.problems.unless_any(None)
    }

    /// What it means that there is no store, and where the configuration does not choose that, what to do about it.
    pub(super) fn revocation_advice(&self, runtime: &Runtime) -> Vec<String> {
        if self.revocation.store != RevocationStore::None {
            return Vec::new();
        }
        let signs_out_elsewhere = if self.providers.is_empty() {
            "a sign-out at another host of the site does not end copies of the session here"
        } else {
            "a sign-out only removes the cookie, and a copy of it stays valid until it expires"
        };
        let wanted = runtime.revocation(runtime.default_revocation());
        match wanted.filter(|_| !self.revocation.store_is_chosen) {
            Some(wanted) => vec![format!("AUTH.revocation.store: {signs_out_elsewhere}: {}", wanted.advice)],
            None => vec![format!("AUTH.revocation.store = \"none\": {signs_out_elsewhere}")],
        }
    }
}
