//! The process: starts the threads, and does what signals say.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redis::{ClientTlsConfig, TlsCertificates};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::egress::Egress;
use crate::files;
use crate::health;
use crate::log;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::scrape;
use crate::settings::{Settings, SettingsError};
use crate::store::Sharing;
use crate::store::redis::ThreadLink;
use crate::thread::{Shared, run as serve};
use crate::tls;
use crate::upstreams::Upstreams;
use vestibule_core::log::{LogEvent, Record};
use vestibule_core::revocation::memory::RevocationMemory;

/// How many connections may wait until they are accepted.
const BACKLOG: i32 = 1024;

/// After which time without a sign of the other end a connection is given up.
const SILENCE: Duration = Duration::from_mins(1);

/// How long the threads may take until they use a new configuration, which none of them waits for.
const RELOAD_LIMIT: Duration = Duration::from_secs(5);

/// Runs until a signal ends the process. The error is a message for the operator.
pub(crate) fn run(options: Options) -> Result<(), String> {
    rustls::crypto::ring::default_provider().install_default().ok();
    if options.health {
        return health::ask(&options);
    }
    for name in
        Options::unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
    {
        log::say(format_args!("the variable {name} is set, and is none of this server's (docs/server.md)"));
    }
    let settings = Settings::read(&options).and_then(checked).map_err(|error| error.to_string())?;
    let upstreams = Upstreams::new(options.origin.as_deref(), &options.services, options.upstream_timeout)?;
    let egress = options.egress.as_deref().map(Egress::parse).transpose();
    let egress = egress.map_err(|error| error.to_string())?;
    let client_tls = tls::client(options.ca.as_deref()).map_err(|error| error.to_string())?;
    let redis = redis(&options, &settings)?;
    if options.check {
        log::say("the configuration is valid");
        return Ok(());
    }
    if let Some(client) = &redis {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(ThreadLink::check(client))?;
    }
    is_alone_or_shares(&options, redis.is_some())?;
    let sharing = Sharing::new(redis, options.revocations.as_deref())?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let count =
        options.threads.map(Into::into).or_else(|| thread::available_parallelism().ok().map(Into::into));
    let listeners =
        listen(options.listen, count.unwrap_or(1)).map_err(|error| not_listening(options.listen, &error))?;
    let metrics = options.metrics.map(|_| Arc::new(Metrics::new()));
    if let (Some(at), Some(metrics)) = (options.metrics, &metrics) {
        let at = scrape::listen(at, Arc::clone(metrics))?;
        log::say(format_args!("metrics at http://{at}/auth/metrics"));
    }
    let address = listeners.first().and_then(|listener| listener.local_addr().ok()).unwrap_or(options.listen);

    let (end, ends) = watch::channel(false);
    let (change, changes) = watch::channel(Arc::new(settings));
    let connections = Arc::new(Semaphore::new(connections(&options)));
    let options = Arc::new(options);
    let client_tls = Arc::new(client_tls);
    let shared = Shared {
        options,
        settings: changes,
        ends,
        sharing,
        revocations: RevocationMemory::default(),
        upstreams,
        client_tls,
        egress,
        connections,
        metrics,
    };
    let start = |(n, listener): (usize, TcpListener)| {
        let shared = shared.clone();
        thread::Builder::new().name(format!("serve-{n}")).spawn(move || serve(listener, shared))
    };
    let threads: Result<Vec<JoinHandle<_>>, _> = listeners.into_iter().enumerate().map(start).collect();
    let threads = threads.map_err(|error| format!("a thread cannot be started: {error}"))?;
    let (options, metrics) = (Arc::clone(&shared.options), shared.metrics.clone());
    drop(shared);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let failed = |error: std::io::Error| format!("signals cannot be received: {error}");
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
        log::say(format_args!("listening on {scheme}://{address}"));
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    let is_used = reload(&options, &change, threads.len()).await;
                    if let Some(metrics) = &metrics {
                        metrics.reloaded(is_used);
                    }
                }
                // A thread that ends by itself has failed.
                () = ended(&threads) => break,
            }
        }
        log::say("ending: no new connections, and what has begun is answered");
        Ok::<_, String>(())
    })?;
    end.send_replace(true);
    joined(threads, options.drain)
}

/// Waits for the threads, and says what was broken off.
fn joined(threads: Vec<JoinHandle<std::io::Result<usize>>>, drain: Duration) -> Result<(), String> {
    let mut broken_off = 0;
    for thread in threads {
        match thread.join() {
            Ok(result) => broken_off += result.map_err(|error| error.to_string())?,
            Err(_) => return Err("a thread has panicked".to_owned()),
        }
    }
    if broken_off > 0 {
        let seconds = drain.as_secs();
        log::say(format_args!(
            "broken off: {broken_off} requests, WebSockets or tasks had not ended after {seconds} seconds (--drain)"
        ));
    }
    Ok(())
}

/// How many connections may be open. Says so where that is fewer than the operator wants.
fn connections(options: &Options) -> usize {
    let (wanted, possible) = (options.connections.get(), files::connections(options.connections.get()));
    if possible < wanted {
        log::say(format_args!(
            "at most {possible} connections are served at the same moment, not {wanted}: the process may not have more files \
             open; raise its limit (ulimit -n, LimitNOFILE), or write a lower --connections"
        ));
    }
    possible
}

/// The Redis server, if there is one. It is not asked anything yet.
fn redis(options: &Options, settings: &Settings) -> Result<Option<::redis::Client>, String> {
    let Some(url) = settings.redis() else {
        let has_certificate = options.redis_certificate.is_some();
        let missing = "--redis-certificate is for Redis: set AUTH_REDIS_URL, or leave the certificate out";
        return if has_certificate { Err(missing.to_owned()) } else { Ok(None) };
    };
    let unreadable = |path: &Path, error| format!("{} cannot be read: {error}", path.display());
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| unreadable(path, error));
    let client_tls = match (&options.redis_certificate, &options.redis_key) {
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        _ => None,
    };
    let root_cert = options.ca.as_ref().map(read).transpose()?;
    Ok(Some(ThreadLink::parse(&url, TlsCertificates { client_tls, root_cert })?))
}

/// The settings, if they are valid. Writes advice into the log.
fn checked(settings: Settings) -> Result<Settings, SettingsError> {
    let config = settings.config()?;
    for advice in settings.advice(&config) {
        log::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
    }
    Ok(settings)
}

/// Reads the configuration, the secrets and the certificate again. What is wrong changes nothing. Says whether they are used.
async fn reload(options: &Options, change: &watch::Sender<Arc<Settings>>, threads: usize) -> bool {
    match Settings::read(options).and_then(checked) {
        Ok(settings) if settings.redis() != change.borrow().redis() => {
            log::say("AUTH_REDIS_URL has changed, which needs a restart: nothing was reloaded");
            false
        }
        Ok(settings) => {
            let settings = Arc::new(settings);
            change.send_replace(Arc::clone(&settings));
            let used = async {
                while settings.used_by.load(Ordering::Relaxed) < threads {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(RELOAD_LIMIT, used).await.ok();
            log::say("reloaded: new requests see the new configuration");
            true
        }
        Err(SettingsError::Invalid(errors)) => {
            for error in errors.iter() {
                log::write(&Record::new(LogEvent::ConfigurationInvalid, error).outside_requests());
            }
            log::say("not reloaded: the configuration is wrong, and the old one stays");
            false
        }
        Err(error) => {
            log::say(format_args!("not reloaded: {error}"));
            false
        }
    }
}

async fn ended<T>(threads: &[JoinHandle<T>]) {
    while !threads.iter().any(JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Refuses an address of another process, unless both share Redis. Says where a file of revocations is not used.
fn is_alone_or_shares(options: &Options, has_redis: bool) -> Result<(), String> {
    if let (true, Some(file)) = (has_redis, &options.revocations) {
        log::say(format_args!(
            "AUTH_REDIS_URL is set, so revocations are kept in Redis, and the file of --revocations, {}, is not used",
            file.display()
        ));
    }
    if !has_redis && is_taken(options.listen) {
        let at = options.listen;
        return Err(format!(
            "{at} is used by another process: end it, or write another --listen; several servers at one address need Redis \
             (AUTH_REDIS_URL)"
        ));
    }
    Ok(())
}

/// Whether another process listens there. Two servers may share an address, and then each would keep revocations and leases
/// to itself.
fn is_taken(address: SocketAddr) -> bool {
    let bound = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Connections of a process that has ended do not count.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    };
    address.port() != 0 && bound().is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// A socket for each thread, all at the same address.
fn listen(address: SocketAddr, count: usize) -> std::io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    // The kernel has chosen the port if it was 0.
    let address = first.local_addr()?;
    let others = (1..count).map(|_| socket(address));
    std::iter::once(Ok(first)).chain(others).collect()
}

/// Why an address cannot be listened on.
fn not_listening(address: SocketAddr, error: &std::io::Error) -> String {
    let fix = match error.kind() {
        std::io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "; a port below 1024 needs root or CAP_NET_BIND_SERVICE: grant it (of systemd AmbientCapabilities), or write another --listen"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "; write an address of this machine, or 0.0.0.0 for all of them"
        }
        std::io::ErrorKind::AddrInUse => "; end what listens there, or write another --listen",
        _ => "",
    };
    format!("{address} cannot be listened on: {error}{fix}")
}

fn socket(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE))?;
    // Also where the other end is there and reads nothing. Connections inherit it.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};

    #[test]
    fn an_address_that_cannot_be_listened_on_is_said_with_what_to_do() {
        for (address, kind, fix) in [
            ("0.0.0.0:443", PermissionDenied, "CAP_NET_BIND_SERVICE"),
            ("192.0.2.1:8080", AddrNotAvailable, "0.0.0.0 for all"),
            ("127.0.0.1:8080", AddrInUse, "another --listen"),
        ] {
            let said = not_listening(address.parse().unwrap(), &kind.into());
            assert!(said.starts_with(address) && said.contains(fix), "{said}");
        }
    }
}
