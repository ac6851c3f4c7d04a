//! The store in a Redis server, for many processes.
//!
//! A lock's record is one value. A call reads it, with Redis's own time, computes the new record and replaces the old one if
//! it is still the same; otherwise it begins again. So no process holds anything in Redis while it thinks, and a record is
//! never half written. The record has the lease's holder, its end, and the generation of the newest tokens: tokens of a lower
//! one never replace those of a higher one.
//!
//! A replica may not have the newest record when it takes over. Then two processes can use one refresh token: Redis is no
//! lock across a failover.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, cmd};

use super::counts::WINDOW;
use vestibule_core::lease::lock::{self, CallOutcome};
use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;

/// How long Redis may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The pauses of a call that waits: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// How often a record may change under a call before the call fails.
const MAX_CHANGES: usize = 100;

/// A record, and the time in microseconds.
const READ: &str = "local t = redis.call('TIME') return {redis.call('GET', KEYS[1]), t[1], t[2]}";

/// Replaces a record by another one with a lifetime, if it is still the same. An empty text is no record.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then \
                       redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0";

/// Counts one more use, for a time.
const COUNT: &str = "local n = redis.call('INCR', KEYS[1]) \
                     if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n";

/// The connection of one thread to a Redis server.
#[derive(Clone)]
pub(crate) struct Redis {
    client: Client,
    /// The connection, until a command on it fails.
    connection: Rc<RefCell<Option<MultiplexedConnection>>>,
}

impl Redis {
    /// Reads the address. The error does not quote it, because it may have a password.
    pub(crate) fn parse(url: &str) -> Result<Client, &'static str> {
        Client::open(url).map_err(|_| {
            "AUTH_REDIS_URL is not the address of a Redis server: write for example redis://127.0.0.1:6379"
        })
    }

    /// The server at this address. The first command connects.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, connection: Rc::default() }
    }

    /// The values of these keys.
    pub(crate) async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| value_key(key)).collect();
        self.query(cmd("MGET").arg(keys)).await
    }

    /// Writes a value.
    pub(crate) async fn write(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        let millis = millis(lifetime);
        self.query(cmd("SET").arg(value_key(key)).arg(value).arg("PX").arg(millis)).await
    }

    /// Deletes a value.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.query(cmd("DEL").arg(value_key(key))).await
    }

    /// Counts one more use of a key.
    pub(crate) async fn count(&self, key: &str, max: u32) -> Result<bool, StoreError> {
        let key = format!("vestibule:count:{key}");
        let count: u64 = self.query(cmd("EVAL").arg(COUNT).arg(1).arg(key).arg(millis(WINDOW))).await?;
        Ok(count <= u64::from(max))
    }

    /// Calls the lock of this name, and waits for its answer.
    pub(crate) async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
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
                    tokio::time::sleep(pause.min(until.since(now))).await;
                    pause = (2 * pause).min(max_pause);
                }
            }
        }
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection().await.map_err(|error| failed(&error))?;
        let answered = command.query_async(&mut connection).await;
        answered.map_err(|error| {
            if error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error() {
                self.connection.take();
            }
            failed(&error)
        })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let connected = self.connection.borrow().clone();
        if let Some(connection) = connected {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.connection.replace(Some(connection.clone()));
        Ok(connection)
    }
}

fn value_key(key: &str) -> String {
    format!("vestibule:value:{key}")
}

fn failed(error: &RedisError) -> StoreError {
    // The detail can quote what was sent.
    StoreError::Failed(format!("Redis: {}", error.category()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
