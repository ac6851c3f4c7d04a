//! What can go wrong before a test has begun, and on the client's connection.

use std::{io, path::PathBuf, time::Duration};

/// Why the Worker did not start. The text is complete: a test's `expect` shows all of it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The wrangler configuration cannot be read or is not what wrangler accepts.
    #[error("{path}: {reason}", path = .path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong, with the key where there is one.
        reason: String,
    },
    /// The configuration asks for a binding that the harness cannot provide.
    #[error("{path}: `{section}` is not supported by the harness; remove it with `without_section(\"{section}\")` if the test does not need it", path = .path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key in the file.
        section: String,
    },
    /// The Worker's main module is not there.
    #[error("the Worker's main module {path} does not exist; build the Worker first", path = .path.display())]
    NotBuilt {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A tool that `npm ci` installs is not there.
    #[error("{tool} was not found in any node_modules from {from} upwards; run `npm ci`, or set {variable} to its path", from = .from.display())]
    ToolMissing {
        /// The tool.
        tool: &'static str,
        /// Where the search began.
        from: PathBuf,
        /// The environment variable that names it explicitly.
        variable: &'static str,
    },
    /// The runtime ended, or said nothing, before it was ready.
    #[error("{what} did not start ({why}); it printed:\n{output}")]
    Runtime {
        /// `workerd` or `wrangler dev`.
        what: &'static str,
        /// Ended, or waited for in vain.
        why: String,
        /// All it printed.
        output: String,
    },
    /// An operation on the machine failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

impl StartError {
    /// For `map_err`: names what was attempted.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Why a request of the test's client got no complete response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not `http(s)://host[:port][/path][?query]`.
    #[error("{url:?} is not an absolute http or https URL")]
    Url {
        /// The URL as given.
        url: String,
    },
    /// The method, the path or a header field has bytes that HTTP does not allow there.
    #[error("{method} {url}: {source}; `Client::raw` sends any bytes")]
    NotHttp {
        /// The request's method.
        method: String,
        /// The request's URL.
        url: String,
        /// What is not allowed.
        source: ureq::http::Error,
    },
    /// The connection broke, or nothing came within the client's timeout.
    #[error("{method} {url}: {source} (timeout {timeout:?})")]
    Io {
        /// The request's method.
        method: String,
        /// The request's URL.
        url: String,
        /// The timeout in force.
        timeout: Duration,
        /// The cause.
        source: io::Error,
    },
    /// Redirects did not end after as many as a browser follows.
    #[error("{url}: more than 20 redirects")]
    Redirects {
        /// The last URL.
        url: String,
    },
}
