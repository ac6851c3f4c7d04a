//! The shared store that the component is built for.

#[cfg(feature = "preparation")]
use vestibule_core::config::Runtime;
#[cfg(feature = "preparation")]
use vestibule_wasi_settings::values::{self, KEY_VALUE_RUNTIME};
use vestibule_wasi_settings::{Settings, StoreKind};

#[cfg(feature = "keyvalue")]
pub(crate) use crate::keyvalue::SharedStore;
#[cfg(not(any(feature = "keyvalue", feature = "redis")))]
pub(crate) use crate::no_store::SharedStore;
#[cfg(all(feature = "redis", not(feature = "keyvalue")))]
pub(crate) use crate::redis::SharedStore;

/// The values that the configuration accepts with this store.
#[cfg(feature = "preparation")]
pub(crate) const RUNTIME: &Runtime =
    if cfg!(feature = "keyvalue") { &KEY_VALUE_RUNTIME } else { &values::RUNTIME };

/// What the settings are told of the store, and the store itself if it needs no settings.
#[cfg(feature = "keyvalue")]
pub(crate) fn find() -> (StoreKind, Option<SharedStore>) {
    match crate::keyvalue::shared_store() {
        Ok(store) => (StoreKind::KeyValue(Ok(())), Some(store)),
        Err(why) => (StoreKind::KeyValue(Err(why)), None),
    }
}

/// What the settings are told of the store, and the store itself if it needs no settings.
#[cfg(not(feature = "keyvalue"))]
pub(crate) fn find() -> (StoreKind, Option<SharedStore>) {
    (if cfg!(feature = "redis") { StoreKind::Redis } else { StoreKind::None }, None)
}

/// The store that the settings name.
#[cfg(all(feature = "redis", not(feature = "keyvalue")))]
pub(crate) fn named_by(settings: &Settings) -> Option<SharedStore> {
    settings.redis.clone().map(crate::redis::shared_store)
}

/// The store that the settings name.
#[cfg(any(feature = "keyvalue", not(feature = "redis")))]
pub(crate) fn named_by(_: &Settings) -> Option<SharedStore> {
    None
}
