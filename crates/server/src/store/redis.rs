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
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisError, TlsCertificates, Value, cmd,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::counts::WINDOW;
use crate::log;
use crate::metrics::MaybeMetrics;
use vestibule_core::lease::lock::{self, CallOutcome};
use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;

/// How long a command may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The pauses of a call that waits: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// How often a record may change under a call before the call fails.
const MAX_CHANGES: usize = 100;

const NO_ADDRESS: &str =
    "AUTH_REDIS_URL is not the address of a Redis server: write for example redis://127.0.0.1:6379";
const NO_SENTINEL: &str = "AUTH_REDIS_URL: Redis Cluster and Sentinel are not supported: write the address of one server, or of a \
                           proxy or a name that leads to the primary (docs/server.md)";
const INSECURE: &str =
    "AUTH_REDIS_URL: #insecure is not supported: name the certification authority of Redis with --ca FILE";
const NO_AUTHORITIES: &str =
    "AUTH_REDIS_URL: the file of --ca has no certificates that can be used for rediss://";

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
    /// Held by the command that connects, with how the last attempt failed.
    connecting: Rc<Mutex<Option<(Instant, RedisError)>>>,
    metrics: MaybeMetrics,
}

impl Redis {
    /// Reads the address. `authorities` are certification authorities in PEM, which `rediss://` trusts in place of those of
    /// the web. The error does not quote the address, because it may have a password.
    pub(crate) fn parse(url: &str, authorities: Option<Vec<u8>>) -> Result<Client, &'static str> {
        let scheme = url.split("://").next().unwrap_or_default();
        if scheme.contains("sentinel") || scheme.contains("cluster") {
            return Err(NO_SENTINEL);
        }
        let info = url.into_connection_info().map_err(|_| NO_ADDRESS)?;
        match (info.addr(), authorities) {
            (ConnectionAddr::TcpTls { insecure: true, .. }, _) => Err(INSECURE),
            (ConnectionAddr::TcpTls { .. }, root_cert) => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
                    .map_err(|_| NO_AUTHORITIES)
            }
            _ => Client::open(info).map_err(|_| NO_ADDRESS),
        }
    }

    /// The server at this address. The first command connects.
    pub(crate) fn new(client: Client, metrics: MaybeMetrics) -> Self {
        Self { client, connection: Rc::default(), connecting: Rc::default(), metrics }
    }

    /// Whether the server is one that can be used. The error says why it never can be. One that does not answer now may
    /// answer later, so that is only said.
    pub(crate) async fn check(client: &Client) -> Result<(), String> {
        let asked = async {
            let mut connection = connect(client).await?;
            let hello = cmd("HELLO").query_async::<BTreeMap<String, Value>>(&mut connection).await;
            // Servers before Redis 6 do not have it, and are no cluster that matters here.
            Ok::<_, RedisError>(hello.unwrap_or_default())
        };
        let said = match timeout(TIMEOUT, asked).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) if error.kind() == ErrorKind::AuthenticationFailed => {
                return Err("AUTH_REDIS_URL: Redis refuses the password or the user's name: write them as \
                            redis://USER:PASSWORD@host:6379, with signs other than letters and digits as %XX"
                    .to_owned());
            }
            Ok(Err(error)) => {
                log::say(format_args!("Redis does not answer yet ({}): it is asked again", reason(&error)));
                return Ok(());
            }
            Err(_) => {
                log::say("Redis does not answer yet (no answer in time): it is asked again");
                return Ok(());
            }
        };
        let text = |name: &str| match said.get(name) {
            Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(Value::SimpleString(text)) => text.clone(),
            _ => String::new(),
        };
        if matches!(text("mode").as_str(), "cluster" | "sentinel") {
            return Err(NO_SENTINEL.to_owned());
        }
        if matches!(text("role").as_str(), "replica" | "slave") {
            log::say(
                "Redis at AUTH_REDIS_URL is a replica now: no one can sign out or refresh until it is the primary",
            );
        }
        Ok(())
    }

    /// The values of these keys.
    pub(crate) async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| value_key(key)).collect();
        let values: Vec<Option<Vec<u8>>> = self.query(cmd("MGET").arg(keys)).await?;
        // What is no text is none of this server's, and Redis gives none for a key of another type.
        Ok(values.into_iter().map(|value| value.and_then(|value| String::from_utf8(value).ok())).collect())
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
        let begun = Instant::now();
        let answer = async {
            let mut connection = self.connection(begun).await?;
            command.query_async(&mut connection).await
        };
        let answer = match timeout(TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|error| (needs_connection(&error), reason(&error))),
            Err(_) => Err((true, "no answer in time".to_owned())),
        };
        if let Some(metrics) = &self.metrics {
            metrics.redis(answer.is_ok(), begun.elapsed());
        }
        answer.map_err(|(needs_connection, reason)| {
            if needs_connection {
                self.connection.take();
            }
            StoreError::Failed(format!("Redis: {reason}"))
        })
    }

    /// The connection, for a command that began then. Commands that need one at the same time make one attempt together.
    async fn connection(&self, begun: Instant) -> Result<MultiplexedConnection, RedisError> {
        if let Some(connection) = self.connected() {
            return Ok(connection);
        }
        let mut last_failure = self.connecting.lock().await;
        if let Some(connection) = self.connected() {
            return Ok(connection);
        }
        if let Some((_, error)) = last_failure.as_ref().filter(|(at, _)| *at >= begun) {
            return Err(error.clone());
        }
        match connect(&self.client).await {
            Ok(connection) => {
                self.connection.replace(Some(connection.clone()));
                Ok(connection)
            }
            Err(error) => {
                *last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn connected(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }
}

/// Connects, within the time that a command may take.
async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Whether the next command needs a new connection. After a failover the old primary is a replica, and a new connection may
/// lead to the new primary.
fn needs_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_timeout()
        || error.is_io_error()
        || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING" | "NOAUTH" | "NOPERM"))
}

fn value_key(key: &str) -> String {
    format!("vestibule:value:{key}")
}

/// What an error is, with Redis's own word for it. Its detail can quote what was sent.
fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let is_word = |code: &&str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match error.code().filter(is_word) {
        Some(code) => format!("{} ({code})", error.category()),
        None => error.category().to_owned(),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
