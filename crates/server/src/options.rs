//! What the command line and the environment say of the process itself. What the site does is in the configuration.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser};
use tokio::sync::Semaphore;

use crate::log;
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
    #[arg(long, env = "VESTIBULE_LISTEN", default_value = "127.0.0.1:8080", value_parser = address, value_name = "ADDRESS:PORT")]
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
    #[arg(long, env = "VESTIBULE_METRICS", value_parser = address, value_name = "ADDRESS:PORT")]
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
    #[arg(long, env = EGRESS, value_name = "URL")]
    pub(crate) egress: Option<String>,

    /// The file that keeps revocations across a restart. Not with Redis, which keeps them itself.
    #[arg(long, env = "VESTIBULE_REVOCATIONS", value_name = "FILE")]
    pub(crate) revocations: Option<PathBuf>,

    /// How many threads serve requests. Each core has one unless this says otherwise.
    #[arg(long, env = "VESTIBULE_THREADS", value_parser = threads, value_name = "NUMBER")]
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

impl Options {
    /// Those of this process. A variable that is empty counts as one that is not set, and is named in a line; but not that of
    /// the gateway, without which all hosts would be asked directly. Ends the process where an option is wrong.
    pub(crate) fn read() -> Self {
        let is_empty = |name: &OsStr| {
            let is_empty = name != EGRESS && std::env::var_os(name).is_some_and(|value| value.is_empty());
            if is_empty {
                log::say(format_args!("the variable {} is empty, and counts as not set", name.display()));
            }
            is_empty
        };
        let command = Self::command().mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        });
        let read = command.clone().try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| error.exit())
    }

    /// The variables of the environment that are named like an option's and are none, such as `VESTIBULE_ORIGN`. What
    /// Kubernetes sets for a service of the name `vestibule` is not among them.
    pub(crate) fn unknown_variables(set: impl Iterator<Item = String>) -> Vec<String> {
        let command = Self::command();
        let known = |name: &str| command.get_arguments().any(|arg| arg.get_env() == Some(OsStr::new(name)));
        let of_kubernetes = |name: &str| name.contains("_SERVICE_") || name.contains("_PORT");
        set.filter(|name| name.starts_with(PREFIX) && !known(name) && !of_kubernetes(name)).collect()
    }
}

/// The variable of `--egress`.
const EGRESS: &str = "VESTIBULE_EGRESS";

/// How the names of the variables begin that stand for options.
const PREFIX: &str = "VESTIBULE_";

/// An address and a port. No name: it may be several addresses, and others later.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().unwrap_or_default();
        let port = if port.parse::<u16>().is_ok() { port } else { "8080" };
        format!(
            "write an IP address and a port: 127.0.0.1:{port} for this machine, 0.0.0.0:{port} or [::]:{port} for all; a name \
             such as localhost is not looked up"
        )
    })
}

/// How many threads there are.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a number from 1, or leave it out: one for each core".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_told_how_to_be_one() {
        for text in ["[::1]:80", "0.0.0.0:0"] {
            assert_eq!(address(text).unwrap().to_string(), text);
        }
        for (text, port) in [
            ("9000", "9000"),
            (":9000", "9000"),
            ("localhost:9000", "9000"),
            ("::1", "1"),
            ("a", "8080"),
            ("a:x", "8080"),
        ] {
            let said = address(text).unwrap_err();
            assert!(said.contains(&format!("0.0.0.0:{port} or [::]:{port}")), "{text}: {said}");
        }
    }

    #[test]
    fn a_number_of_threads_that_is_none_is_told_how_to_be_one() {
        for text in ["0", "-1", "x"] {
            assert!(threads(text).unwrap_err().starts_with("write a number from 1"), "{text}");
        }
        assert_eq!(threads("3").unwrap().get(), 3);
    }

    #[test]
    fn a_variable_that_is_named_like_an_option_and_is_none_is_known() {
        let set = [
            "VESTIBULE_ORIGIN",
            "VESTIBULE_ORIGN",
            "VESTIBULE_SERVICE_HOST",
            "VESTIBULE_PORT_80_TCP",
            "HOME",
        ];
        assert_eq!(Options::unknown_variables(set.map(str::to_owned).into_iter()), ["VESTIBULE_ORIGN"]);
    }
}
