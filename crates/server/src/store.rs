//! What requests share: the key-value store, the locks of leases and revocations, and the counts of attempts.

pub(crate) mod counts;
pub(crate) mod journal;
pub(crate) mod memory;
pub(crate) mod redis;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::journal::Journal;
use self::memory::Memory;
use self::redis::ThreadLink;
use crate::metrics::MaybeMetrics;
use vestibule_core::platform::{Limit, StoreError};
use vestibule_redis::RedisStore;

/// Where it is shared.
#[derive(Clone)]
pub(crate) enum Store {
    /// Among the threads of this process.
    Memory(Arc<Memory>),
    /// Among all processes that use the same Redis server.
    Redis(Box<RedisStore<ThreadLink>>),
}

/// What the threads share, before each of them has its own connection.
#[derive(Clone)]
pub(crate) enum Sharing {
    Memory(Arc<Memory>),
    Redis(Box<::redis::Client>),
}

impl Sharing {
    /// In this Redis server, or in memory with this file of revocations. The error is a message for the operator.
    pub(crate) fn new(redis: Option<::redis::Client>, revocations: Option<&Path>) -> Result<Self, String> {
        if let Some(client) = redis {
            return Ok(Self::Redis(Box::new(client)));
        }
        let journal = revocations.map(Journal::open).transpose().map_err(|error| error.to_string())?;
        Ok(Self::Memory(Arc::new(Memory::new(journal))))
    }

    /// The store of one thread.
    pub(crate) fn into_store(self, metrics: MaybeMetrics) -> Store {
        match self {
            Self::Memory(memory) => Store::Memory(memory),
            Self::Redis(client) => Store::Redis(Box::new(RedisStore::new(ThreadLink::new(*client, metrics)))),
        }
    }
}

impl Store {
    /// The values of these keys, in their order.
    pub(crate) async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(keys)),
            Self::Redis(redis) => redis.read(keys).await,
        }
    }

    /// Writes a value that expires after `lifetime`.
    pub(crate) async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.write(key, value, lifetime);
                Ok(())
            }
            Self::Redis(redis) => redis.write(key, value, lifetime).await,
        }
    }

    /// Deletes a value.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.delete(key);
                Ok(())
            }
            Self::Redis(redis) => redis.delete(key).await,
        }
    }

    /// Calls the lock of this name.
    pub(crate) async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        match self {
            Self::Memory(memory) => memory.call_lock(name, call).await,
            Self::Redis(redis) => redis.call_lock(name, call).await,
        }
    }

    /// Counts one more use by `key`, and says whether it is within this limit.
    pub(crate) async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.is_within_limit(limit, key)),
            Self::Redis(redis) => redis.is_within_limit(limit, key).await,
        }
    }
}
