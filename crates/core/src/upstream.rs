//! Upstreams: the servers that requests are forwarded to, and what they get from the session.

use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::RequestUrl;
use vestibule_oidc::http::url::Url;

/// The upstream of some hosts, and what it gets from the session.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The hosts whose requests go to this upstream. `None` is every host.
    pub host: Option<HostPattern>,
    /// The server that the requests go to.
    pub target: Target,
    /// The path in the session of the token for `Authorization: Bearer`.
    pub authorization: Option<DataPath>,
    /// For each header, its name in lower case and the path of its value in the session.
    pub headers: Vec<(String, DataPath)>,
    /// Whether the upstream gets the sealed session cookie.
    pub forward_session: bool,
    /// Whether the upstream gets a signed assertion about the user.
    pub assertion: Assertion,
}

/// Whether an upstream gets `X-Vestibule-Assertion`, and for which audience (`aud`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Assertion {
    /// The upstream gets no assertion.
    #[default]
    None,
    /// The audience is derived from the target.
    ForTarget,
    /// The audience is this text.
    For(String),
}

impl Assertion {
    pub(crate) fn is_made(&self) -> bool {
        *self != Self::None
    }
}

/// The server that a request is forwarded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The site's own origin server, at the same URL.
    Origin,
    /// A service with this name that the runtime calls directly, at the same URL.
    Service(String),
    /// Another origin, with the same path and query: `https`, or `http` on a loopback address. The URL has no path.
    Url(Url),
}

impl Target {
    /// The `Location` of a redirect for the browser, if it must differ from `location`, which the target sent. A
    /// server at another origin builds URLs with its own host, but means the origin that the browser `requested`, and
    /// the browser must not go to the server directly. `None` if the `Location` stays unchanged.
    pub fn location(&self, location: &str, requested: &RequestUrl) -> Option<String> {
        let Self::Url(url) = self else { return None };
        let origin = url.origin();
        let (_, without_scheme) = origin.split_once(':')?;
        let rest = [origin, without_scheme].iter().find_map(|own| location.strip_prefix(own))?;
        let is_same_origin = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        is_same_origin.then(|| format!("{}{rest}", requested.origin()))
    }
}
