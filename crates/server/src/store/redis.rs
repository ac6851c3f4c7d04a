//! The connection of a thread to a Redis server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError,
    TlsCertificates, Value, cmd,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::log;
use crate::metrics::MaybeMetrics;
use vestibule_core::platform::StoreError;
use vestibule_redis::{Link, TIMEOUT, reason};

const NO_ADDRESS: &str =
    "AUTH_REDIS_URL is not the address of a Redis server: write for example redis://127.0.0.1:6379";
const NO_SENTINEL: &str = "AUTH_REDIS_URL: Redis Cluster and Sentinel are not supported: write the address of one server, or of a \
                           proxy or a name that leads to the primary (docs/server.md)";
const INSECURE: &str =
    "AUTH_REDIS_URL: #insecure is not supported: name the certification authority of Redis with --ca FILE";
const UNUSABLE: &str = "AUTH_REDIS_URL: rediss:// is not possible with the authorities of --ca, or with the certificate of \
                        --redis-certificate and its --redis-key: write each in PEM, and the key that belongs to the certificate";
const NO_PASSWORD: &str = "AUTH_REDIS_URL: Redis asks for a password: write it as redis://USER:PASSWORD@host:6379, with signs other than letters and \
     digits as %XX";
const NO_REDIS: &str = "AUTH_REDIS_URL: what answers there is no Redis server, or speaks by TLS only: write redis:// or rediss://, and \
                        Redis's port";
const NOT_BY_TLS: &str =
    "AUTH_REDIS_URL: --redis-certificate is for Redis by TLS: write rediss://, or leave the certificate out";

/// The connection, which every request of the thread uses at once.
#[derive(Clone)]
pub(crate) struct ThreadLink {
    client: Client,
    /// The connection, until a command on it fails.
    connection: Rc<RefCell<Option<Rc<MultiplexedConnection>>>>,
    /// Held by the command that connects, with how the last attempt failed.
    connecting: Rc<Mutex<Option<(Instant, RedisError)>>>,
    metrics: MaybeMetrics,
}

impl ThreadLink {
    /// Reads the address. `certificates` has the certification authorities in PEM, which `rediss://` trusts in place of those
    /// of the web, and how this server proves itself to Redis. The error does not quote the address, because it may have a
    /// password.
    pub(crate) fn parse(url: &str, certificates: TlsCertificates) -> Result<Client, &'static str> {
        let scheme = url.split("://").next().unwrap_or_default();
        if scheme.contains("sentinel") || scheme.contains("cluster") {
            return Err(NO_SENTINEL);
        }
        let info = url.into_connection_info().map_err(|_| NO_ADDRESS)?;
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(INSECURE),
            ConnectionAddr::TcpTls { .. } => Client::build_with_tls(info, certificates).map_err(|_| UNUSABLE),
            _ if certificates.client_tls.is_some() => Err(NOT_BY_TLS),
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
            let hello = match hello {
                Err(error) if error.code() == Some("NOAUTH") => return Err(error),
                // Servers before Redis 6 do not have it, and are no cluster that matters here; nor need the user have the right.
                hello => hello.unwrap_or_default(),
            };
            Ok::<_, RedisError>((hello, forbidden(&mut connection).await?))
        };
        let said = match timeout(TIMEOUT, asked).await {
            Ok(Ok((said, forbidden))) if forbidden.is_empty() => said,
            Ok(Ok((_, forbidden))) => {
                return Err(format!(
                    "AUTH_REDIS_URL: the user may not {} the keys vestibule:*: give it ~vestibule:* +get +mget +set +del +incr \
                     +pexpire +eval +time (docs/server.md)",
                    forbidden.join(", ")
                ));
            }
            Ok(Err(error)) if error.code() == Some("NOAUTH") => return Err(NO_PASSWORD.to_owned()),
            Ok(Err(error)) if error.kind() == ErrorKind::Parse => return Err(NO_REDIS.to_owned()),
            // Redis has answered the connection's own commands, of which one chooses the database.
            Ok(Err(error)) if error.code() == Some("ERR") => {
                let database = client.get_connection_info().redis_settings().db();
                return Err(format!(
                    "AUTH_REDIS_URL: Redis refuses the connection to its database {database}: write one that it has, such as /0"
                ));
            }
            Ok(Err(error)) if error.kind() == ErrorKind::AuthenticationFailed => {
                return Err("AUTH_REDIS_URL: Redis refuses the password or the user's name: write them as \
                            redis://USER:PASSWORD@host:6379, with signs other than letters and digits as %XX"
                    .to_owned());
            }
            Ok(Err(error)) if error.kind() == ErrorKind::InvalidClientConfig => {
                return Err(UNUSABLE.to_owned());
            }
            Ok(Err(error)) => {
                log::say(format_args!("Redis does not answer yet ({}): it is asked again", reason(&error)));
                return Ok(());
            }
            Err(_) => {
                let is_by_tls = matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. });
                let hint = if is_by_tls { "; rediss:// is for a port that speaks TLS" } else { "" };
                log::say(format_args!(
                    "Redis does not answer yet (no answer in time{hint}): it is asked again"
                ));
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

    /// The connection, for a command that began then. Commands that need one at the same time make one attempt together.
    async fn connection(&self, begun: Instant) -> Result<Rc<MultiplexedConnection>, RedisError> {
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
                let connection = Rc::new(connection);
                self.connection.replace(Some(Rc::clone(&connection)));
                Ok(connection)
            }
            Err(error) => {
                *last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn connected(&self) -> Option<Rc<MultiplexedConnection>> {
        self.connection.borrow().clone()
    }

    /// No command uses this connection any more. Many can fail on it, one after another, when there is a new one already.
    fn drop_connection(&self, connection: &Rc<MultiplexedConnection>) {
        self.connection.borrow_mut().take_if(|current| Rc::ptr_eq(current, connection));
    }
}

/// The commands that the user of this connection may not use, of those that the store needs.
async fn forbidden(connection: &mut MultiplexedConnection) -> Result<Vec<&'static str>, RedisError> {
    const KEY: &str = "vestibule:start";
    let mut forbidden = Vec::new();
    for (name, arguments) in [
        ("TIME", &[][..]),
        ("SET", &[KEY, "1", "PX", "1000"]),
        ("GET", &[KEY]),
        ("MGET", &[KEY]),
        ("INCR", &[KEY]),
        ("PEXPIRE", &[KEY, "1000"]),
        ("EVAL", &["return 1", "1", KEY]),
        ("DEL", &[KEY]),
    ] {
        match cmd(name).arg(arguments).query_async::<Value>(connection).await {
            Err(error) if error.code() == Some("NOPERM") => forbidden.push(name),
            Err(error) if error.code() == Some("NOAUTH") || error.is_io_error() => return Err(error),
            // A replica or a full memory takes no writes now.
            _ => {}
        }
    }
    Ok(forbidden)
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

impl Link for ThreadLink {
    async fn query(&self, command: &Cmd) -> Result<Value, StoreError> {
        let begun = Instant::now();
        let used = RefCell::new(None);
        let answer = async {
            let connection = self.connection(begun).await?;
            used.replace(Some(Rc::clone(&connection)));
            command.query_async(&mut MultiplexedConnection::clone(&connection)).await
        };
        let answer = match timeout(TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|error| (needs_connection(&error), reason(&error))),
            Err(_) => Err((true, "no answer in time".to_owned())),
        };
        if let Some(metrics) = &self.metrics {
            metrics.redis(answer.is_ok(), begun.elapsed());
        }
        answer.map_err(|(needs_connection, reason)| {
            if let (true, Some(connection)) = (needs_connection, used.take()) {
                self.drop_connection(&connection);
            }
            StoreError::Failed(format!("Redis: {reason}"))
        })
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::{JoinHandle, LocalSet, spawn_local};
    use tokio::time::sleep;

    use super::*;

    /// Answers every command of a connection with nothing, but for a silent one's that reads.
    async fn answer(mut stream: TcpStream, is_silent: bool) -> Option<()> {
        let mut bytes = [0; 4096];
        loop {
            let length = stream.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
            let commands = bytes.get(..length)?;
            let count = memchr::memchr_iter(b'*', commands).count();
            if is_silent && commands.windows(3).any(|three| three == b"GET") {
                continue;
            }
            stream.write_all(&b"$-1\r\n".repeat(count)).await.ok()?;
        }
    }

    #[test]
    fn commands_that_fail_on_an_old_connection_leave_the_new_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("redis://{}", listener.local_addr().unwrap());
            let connections = Rc::new(RefCell::new(0));
            let count = Rc::clone(&connections);
            drop(spawn_local(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    *count.borrow_mut() += 1;
                    let is_first = *count.borrow() == 1;
                    drop(spawn_local(answer(stream, is_first)));
                }
            }));
            let link = ThreadLink::new(Client::open(url).unwrap(), None);
            let get = || {
                let link = link.clone();
                spawn_local(async move { link.query(cmd("GET").arg("a")).await.is_ok() })
            };
            let mut lost: Vec<JoinHandle<bool>> = Vec::new();
            for _ in 0..10 {
                lost.push(get());
                sleep(Duration::from_millis(50)).await;
            }
            sleep(TIMEOUT.saturating_sub(Duration::from_millis(450))).await;
            while lost.iter().any(|lost| !lost.is_finished()) {
                assert!(get().await.unwrap());
                sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(*connections.borrow(), 2);
        });
    }
}
