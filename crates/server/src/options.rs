//! What the command line and the environment say of the process itself. What the site does is in the configuration.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::sync::Semaphore;

use crate::network::Network;

/// Signs people in and guards paths, in front of an app or for a proxy that asks.
#[derive(Clone, Debug, Parser)]
#[command(name = "vestibule-server", version)]
pub(crate) struct Options {
    /// The configuration: what stands below `[vars.AUTH]` on Workers. `AUTH` in the environment overrides it, as JSON.
    #[arg(long, env = "VESTIBULE_CONFIG", default_value = "vestibule.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// A folder of secrets: each file is named like its secret, such as `AUTH_SECRET`. `NAME_FILE` in the environment names
    /// a single file.
    #[arg(long, env = "VESTIBULE_SECRETS", value_name = "FOLDER")]
    pub(crate) secrets: Option<PathBuf>,

    /// The address to listen on.
    #[arg(long, env = "VESTIBULE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,

    /// The app behind `to = "origin"`, which is also where requests go without an upstream. It gets the request's own `Host`.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL")]
    pub(crate) origin: Option<String>,

    /// Servers behind `to = "service:NAME"`, for example `API=http://api:4000`. They get the request's own `Host`.
    #[arg(long, env = "VESTIBULE_SERVICES", value_name = "NAME=URL", value_delimiter = ',')]
    pub(crate) services: Vec<String>,

    /// The proxies in front, as addresses or networks such as `10.0.0.0/8`: only what they say of the client's address in
    /// `X-Forwarded-For` counts.
    #[arg(long, env = "VESTIBULE_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<Network>,

    /// The certificate chain for TLS, in PEM. Without it the server speaks plain http.
    #[arg(long, env = "VESTIBULE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, in PEM.
    #[arg(long, env = "VESTIBULE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The address of the metrics, which is not that of the site. Without it nothing is counted.
    #[arg(long, env = "VESTIBULE_METRICS", value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,

    /// Further certification authorities for outgoing requests, in PEM, besides those of the web.
    #[arg(long, env = "VESTIBULE_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// The certificate chain that Redis asks this server for, in PEM, where it trusts its clients by certificates.
    #[arg(long, env = "VESTIBULE_REDIS_CERTIFICATE", value_name = "FILE", requires = "redis_key")]
    pub(crate) redis_certificate: Option<PathBuf>,

    /// The private key of that certificate, in PEM.
    #[arg(long, env = "VESTIBULE_REDIS_KEY", value_name = "FILE", requires = "redis_certificate")]
    pub(crate) redis_key: Option<PathBuf>,

    /// The gateway that requests to other hosts pass, such as `https://egress.internal:8443`. It learns from
    /// `Vestibule-Egress-Origin` which origin a request is for. The origin and services are asked without it.
    #[arg(long, env = "VESTIBULE_EGRESS", value_name = "URL")]
    pub(crate) egress: Option<String>,

    /// The file that keeps revocations across a restart. Not with Redis, which keeps them itself.
    #[arg(long, env = "VESTIBULE_REVOCATIONS", value_name = "FILE")]
    pub(crate) revocations: Option<PathBuf>,

    /// How many threads serve requests. Each core has one unless this says otherwise.
    #[arg(long, env = "VESTIBULE_THREADS", value_name = "NUMBER")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// How many connections may be open. More wait until one is closed.
    #[arg(long, env = "VESTIBULE_CONNECTIONS", default_value = "10000", value_parser = connections, value_name = "NUMBER")]
    pub(crate) connections: NonZeroUsize,

    /// How long an upstream may take until the head of its answer is there, once it has the request, in seconds.
    #[arg(long, env = "VESTIBULE_UPSTREAM_TIMEOUT", default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) upstream_timeout: Duration,

    /// How long a client may take to send the head of a request, in seconds.
    #[arg(long, env = "VESTIBULE_HEADER_TIMEOUT", default_value = "30", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) header_timeout: Duration,

    /// How long a client may pause in a body: in that of its request, and over HTTP/2 in reading the answer, in seconds.
    #[arg(long, env = "VESTIBULE_BODY_TIMEOUT", default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) body_timeout: Duration,

    /// How long a process that ends waits for its requests, in seconds.
    #[arg(long, env = "VESTIBULE_DRAIN", default_value = "30", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub(crate) drain: Duration,

    /// Checks the configuration and ends.
    #[arg(long)]
    pub(crate) check: bool,

    /// Asks the server at `--listen` whether it answers, and ends: for the health check of a container.
    #[arg(long, conflicts_with = "check")]
    pub(crate) health: bool,
}

/// The longest time that an option can say, in seconds: a week.
const MAX_SECONDS: u64 = 7 * 24 * 60 * 60;

/// A time, of which none would let no request pass.
fn seconds(text: &str) -> Result<Duration, String> {
    seconds_from(1, text)
}

/// A time that may be none.
fn seconds_or_none(text: &str) -> Result<Duration, String> {
    seconds_from(0, text)
}

fn seconds_from(min: u64, text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (min..=MAX_SECONDS).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("write a number of seconds from {min} to {MAX_SECONDS}"))
}

/// How many connections there may be: a number that the server can count to.
fn connections(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= Semaphore::MAX_PERMITS);
    number.ok_or_else(|| format!("write a number from 1 to {}", Semaphore::MAX_PERMITS))
}
