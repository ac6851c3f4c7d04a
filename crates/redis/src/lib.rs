//! The store in a Redis server, for many processes, of one runtime or of several: all use the same keys and records.
//!
//! A lock's record is one value. A call reads it, with Redis's own time, computes the new record and replaces the old one if
//! it is still the same; otherwise it begins again. So no process holds anything in Redis while it thinks, and a record is
//! never half written. The record has the lease's holder, its end, and the generation of the newest tokens: tokens of a lower
//! one never replace those of a higher one.
//!
//! A replica may not have the newest record when it takes over. Then two processes can use one refresh token: Redis is no
//! lock across a failover.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Cmd, FromRedisValue, RedisError, Value, cmd};

use vestibule_core::lease::lock::{self, CallOutcome};
use vestibule_core::platform::{Limit, StoreError};
use vestibule_core::time::Timestamp;

pub use redis;

/// The secret with the address of Redis.
pub const URL: &str = "AUTH_REDIS_URL";

/// How long a command may take, connecting included.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// How long uses of a key are counted.
pub const WINDOW: Duration = Duration::from_mins(1);

/// The pauses of a call that waits: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// How often a record may change under a call before the call fails.
const MAX_CHANGES: usize = 100;

/// How many requests of one address may come to the operators' route in a minute.
const MAX_REVOKE: u32 = 60;

/// How many forms for one account one address may send in a minute.
const MAX_LOGIN: u32 = 10;

/// How many forms one address may send in a minute, and how many may be sent for one account. An office may have one address.
const MAX_LOGIN_LOOSE: u32 = 100;

/// A record, and the time in microseconds.
const READ: &str = "local t = redis.call('TIME') return {redis.call('GET', KEYS[1]), t[1], t[2]}";

/// Replaces a record by another one with a lifetime, if it is still the same. An empty text is no record.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then \
                       redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0";

/// Counts one more use, for a time.
const COUNT: &str = "local n = redis.call('INCR', KEYS[1]) \
                     if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n";

/// The connection of a runtime to a Redis server.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Link {
    /// Sends a command and returns the answer, within [`TIMEOUT`]. An answer that is an error is an error.
    ///
    /// If the future is dropped, the command may have been executed or not.
    async fn query(&self, command: &Cmd) -> Result<Value, StoreError>;

    /// Waits for at least `time`.
    async fn sleep(&self, time: Duration);
}

/// The store behind a connection.
#[derive(Clone)]
pub struct RedisStore<L> {
    link: L,
}

/// Reads the value of [`URL`] for a runtime that speaks plain TCP. The error does not quote it, because it may have a password.
///
/// # Errors
/// What is wrong, and how to fix it, if it is no address that can be used.
pub fn parse(url: &str) -> Result<Client, (&'static str, &'static str)> {
    // By its scheme: another crate of the same build may have brought the library TLS.
    let client = url.starts_with("redis://").then(|| Client::open(url).ok()).flatten();
    client.ok_or(("it is not the address of a Redis server", "write for example redis://127.0.0.1:6379"))
}

/// A failed command.
pub fn failed(error: &RedisError) -> StoreError {
    StoreError::Failed(format!("Redis: {}", reason(error)))
}

/// What an error is, with Redis's own word for it. Its detail can quote what was sent.
pub fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    // The library gives what the system says in a pointer only.
    let source = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    if let Some(io) = source.and_then(|source| source.downcast_ref::<io::Error>()) {
        return format!("{}: {io}", error.category());
    }
    let is_word = |code: &&str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match error.code().filter(is_word) {
        Some(code) => format!("{} ({code})", error.category()),
        None => error.category().to_owned(),
    }
}

/// The name of a limit, and how many uses it allows in [`WINDOW`].
pub fn limit(limit: Limit) -> (&'static str, u32) {
    match limit {
        Limit::Revoke => ("revoke", MAX_REVOKE),
        Limit::Login => ("login", MAX_LOGIN),
        Limit::LoginLoose => ("login-loose", MAX_LOGIN_LOOSE),
    }
}

impl<L: Link> RedisStore<L> {
    /// The store behind this connection.
    pub fn new(link: L) -> Self {
        Self { link }
    }

    /// The values of these keys.
    pub async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| value_key(key)).collect();
        let values: Vec<Option<Vec<u8>>> = self.query(cmd("MGET").arg(keys)).await?;
        // What is no text is none of Vestibule's, and Redis gives none for a key of another type.
        Ok(values.into_iter().map(|value| value.and_then(|value| String::from_utf8(value).ok())).collect())
    }

    /// Writes a value.
    pub async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        let millis = millis(lifetime);
        self.query(cmd("SET").arg(value_key(key)).arg(value).arg("PX").arg(millis)).await
    }

    /// Deletes a value.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.query(cmd("DEL").arg(value_key(key))).await
    }

    /// Counts one more use of a key, and says whether there were at most `max` in [`WINDOW`].
    async fn count(&self, key: &str, max: u32) -> Result<bool, StoreError> {
        let key = format!("vestibule:count:{key}");
        let count: u64 = self.query(cmd("EVAL").arg(COUNT).arg(1).arg(key).arg(millis(WINDOW))).await?;
        Ok(count <= u64::from(max))
    }

    /// Counts one more use by `key`, and says whether it is within this limit.
    pub async fn is_within_limit(&self, of: Limit, key: &str) -> Result<bool, StoreError> {
        let (name, max) = limit(of);
        self.count(&format!("{name}/{key}"), max).await
    }

    /// Calls the lock of this name, and waits for its answer.
    pub async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let key = format!("vestibule:lock:{name}");
        let mut arrived = None;
        let mut changes = 0;
        let [mut pause, max_pause] = PAUSES;
        loop {
            let (record, seconds, micros): (Option<String>, u64, u64) =
                self.query(cmd("EVAL").arg(READ).arg(1).arg(&key)).await?;
            let now = Timestamp::from_millis(seconds * 1000 + micros / 1000);
            let arrived = *arrived.get_or_insert(now);
            let served = lock::serve(record.as_deref(), call, arrived, now);
            let served = served.map_err(|error| StoreError::Failed(error.to_string()))?;
            if let Some((new, until)) = served.remember {
                let lifetime = millis(until.since(now)).max(1);
                let old = record.unwrap_or_default();
                let replace = &mut cmd("EVAL");
                replace.arg(REPLACE).arg(1).arg(&key).arg(old).arg(new).arg(lifetime);
                if self.query::<u8>(replace).await? == 0 {
                    changes += 1;
                    if changes > MAX_CHANGES {
                        return Err(StoreError::Busy);
                    }
                    continue;
                }
            }
            match served.outcome {
                CallOutcome::Answer(answer) => return Ok(answer),
                CallOutcome::Wait { until, .. } => {
                    self.link.sleep(pause.min(until.since(now))).await;
                    pause = (2 * pause).min(max_pause);
                }
            }
        }
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let value = self.link.query(command).await?;
        T::from_redis_value(value).map_err(|error| failed(&error.into()))
    }
}

fn value_key(key: &str) -> String {
    format!("vestibule:value:{key}")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_of_a_connection_is_the_reason() {
        let refused =
            RedisError::from(io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused"));
        assert_eq!(reason(&refused), "I/O error: Connection refused");
        assert_eq!(reason(&RedisError::from(io::Error::from(io::ErrorKind::TimedOut))), "no answer in time");
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_and_not_quoted() {
        for good in ["redis://127.0.0.1:6379", "redis://:hunter2@redis.internal:6380/3"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "redis",
            "http://127.0.0.1:6379",
            "redis://:hunter2@redis.example:port",
            "rediss://:hunter2@redis.example:6379",
        ] {
            let (problem, fix) = parse(wrong).unwrap_err();
            assert!(!problem.contains("hunter2") && !fix.contains("hunter2"), "{wrong}");
        }
    }
}
