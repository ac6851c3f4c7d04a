//! The host's `wasi:keyvalue` as the shared store.

use std::rc::Rc;
use std::time::Duration;

use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;
use vestibule_keyvalue::{Bucket, KeyValueStore, shared};
use vestibule_wasi_settings::values::BUCKET;

use crate::executor;
use crate::platform::{now, sleep};

/// The code that calls the host.
#[allow(unreachable_pub, missing_docs, clippy::all, clippy::pedantic, reason = "it is generated")]
mod host {
    wit_bindgen::generate!({ path: "wit/keyvalue.wit", world: "imports" });
}

use host::wasi::keyvalue::{atomics, store};

/// The shared store of the instances.
pub(crate) type SharedStore = KeyValueStore<HostBucket>;

/// A bucket of the host.
#[derive(Clone)]
pub(crate) struct HostBucket(Rc<store::Bucket>);

impl HostBucket {
    fn open() -> Result<Self, StoreError> {
        let name = std::env::var(BUCKET).unwrap_or_default();
        store::open(&name).map(|bucket| Self(Rc::new(bucket))).map_err(failed)
    }
}

/// The host's store, or why it is none that instances share.
pub(crate) fn shared_store() -> Result<SharedStore, String> {
    let shared = executor::at_once(shared(HostBucket::open));
    match shared.unwrap_or(Err(StoreError::Missing("answer"))) {
        Ok(Some(bucket)) => Ok(KeyValueStore::new(bucket)),
        Ok(None) => Err("the host's wasi:keyvalue forgets what is written".to_owned()),
        Err(error) => Err(format!("the host's wasi:keyvalue does not work: {error}")),
    }
}

fn failed(error: store::Error) -> StoreError {
    StoreError::Failed(match error {
        store::Error::NoSuchStore => format!("wasi:keyvalue: there is no bucket of this name: set {BUCKET}"),
        store::Error::AccessDenied => "wasi:keyvalue: the host does not let the component use it".to_owned(),
        store::Error::Other(reason) => format!("wasi:keyvalue: {reason}"),
    })
}

/// The host answers before it goes on with the instance.
impl Bucket for HostBucket {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).map_err(failed)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.set(key, value).map_err(failed)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).map_err(failed)
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        atomics::increment(&self.0, key, delta).map_err(failed)
    }

    fn now(&self) -> Timestamp {
        now()
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }
}
