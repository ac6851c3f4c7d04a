//! Where a configuration is to run.

use serde::Deserialize;
use vestibule_core::config::Runtime;
use vestibule_server_settings::{IN_MEMORY, IN_REDIS};
use vestibule_wasi_settings::values as wasi;
use vestibule_workers::RUNTIME as WORKERS;

/// What runs the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunsOn {
    /// Cloudflare Workers.
    #[default]
    Workers,
    /// A server of your own: `vestibule-server`.
    Native,
    /// A component for wasi:http, that is built for this store.
    Wasi(ComponentStore),
}

/// The shared store that a component is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentStore {
    /// Redis, if its address is set where the component starts.
    Redis,
    /// The host's `wasi:keyvalue`, if it is a shared store.
    KeyValue,
    /// None.
    None,
}

impl RunsOn {
    /// What the configuration can say there, if there is a shared store or if there is none.
    pub(crate) fn runtime(self, has_store: bool) -> &'static Runtime {
        match self {
            Self::Workers => &WORKERS,
            Self::Native if has_store => &IN_REDIS,
            Self::Native => &IN_MEMORY,
            Self::Wasi(ComponentStore::KeyValue) => &wasi::KEY_VALUE_RUNTIME,
            Self::Wasi(ComponentStore::Redis | ComponentStore::None) => &wasi::RUNTIME,
        }
    }
}
