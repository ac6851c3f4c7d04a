//! In place of the shared store, in a component that is built for none.

use std::time::Duration;

use vestibule_core::platform::{Limit, StoreError};

/// There is none of it.
#[derive(Clone)]
pub(crate) enum SharedStore {}

#[allow(clippy::unused_async, reason = "the same as those of the other stores")]
impl SharedStore {
    pub(crate) async fn read(&self, _: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        match *self {}
    }

    pub(crate) async fn write(&self, _: &str, _: &str, _: Duration) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) async fn delete(&self, _: &str) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) async fn call_lock(&self, _: &str, _: &str) -> Result<String, StoreError> {
        match *self {}
    }

    pub(crate) async fn is_within_limit(&self, _: Limit, _: &str) -> Result<bool, StoreError> {
        match *self {}
    }
}
