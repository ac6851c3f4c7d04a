//! The errors of starting the Worker, and of the client's requests.

use std::{io, path::PathBuf, time::Duration};

/// Why the Worker did not start. The `Debug` text contains the whole reason, so that a test can use `expect`.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The wrangler configuration cannot be read, or is invalid.
    #[error("{path}: {reason}", path = .path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The problem, with the key if there is one.
        reason: String,
    },
    /// The configuration has a binding that the harness does not support.
    #[error("{path}: `{section}` is not supported by the harness; remove it with `without_section(\"{section}\")` if the test does not need it", path = .path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key in the file.
        section: String,
    },
    /// The Worker's main module does not exist.
    #[error("the Worker's main module {path} does not exist; build the Worker first", path = .path.display())]
    NotBuilt {
        /// Its path.
        path: PathBuf,
    },
    /// A tool that `npm ci` installs was not found.
    #[error("{tool} was not found in any node_modules from {from} upwards; run `npm ci`, or set {variable} to its path", from = .from.display())]
    ToolMissing {
        /// The tool.
        tool: &'static str,
        /// The directory in which the search began.
        from: PathBuf,
        /// The environment variable for its path.
        variable: &'static str,
    },
    /// The runtime ended or timed out before it was ready.
    #[error("{what} did not start ({why}); it printed:\n{output}")]
    Runtime {
        /// `workerd` or `wrangler dev`.
        what: &'static str,
        /// Whether it ended or timed out.
        why: String,
        /// Its whole output.
        output: String,
    },
    /// An operation on the machine failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// The operation, as an infinitive: `read FILE`.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

impl StartError {
    /// For `map_err`. `what` is the operation, as an infinitive.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Why a request of the test's client did not get a complete response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not `http(s)://host[:port][/path][?query]`.
    #[error("{url:?} is not an absolute http or https URL")]
    Url {
        /// The URL as given.
        url: String,
    },
    /// The method, the path or a header field contains bytes that HTTP does not allow there.
    #[error("{method} {url}: {source}; `Client::raw` sends any bytes")]
    NotHttp {
        /// The request's method.
        method: String,
        /// The request's URL.
        url: String,
        /// The reason.
        source: ureq::http::Error,
    },
    /// The connection failed, or the client's timeout elapsed.
    #[error("{method} {url}: {source} (timeout {timeout:?})")]
    Io {
        /// The request's method.
        method: String,
        /// The request's URL.
        url: String,
        /// The client's timeout.
        timeout: Duration,
        /// The cause.
        source: io::Error,
    },
    /// There were more redirects than a browser follows.
    #[error("{url}: more than 20 redirects")]
    Redirects {
        /// The last URL.
        url: String,
    },
}
