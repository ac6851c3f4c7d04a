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
    /// Languages that the first segment of a path may name there.
    pub locales: Vec<String>,
    /// Its framework, where it answers requests in ways that paths do not show.
    pub framework: Option<Framework>,
    /// Habits that it is known not to have when it reads a path.
    pub exact_paths: Vec<ServerReading>,
}

impl Upstream {
    /// The upstream of a host: the first one for it. `None` where there is none, and the zone's own origin answers.
    pub fn of_host<'a>(upstreams: &'a [Self], authority: &str) -> Option<&'a Self> {
        upstreams.iter().find(|upstream| upstream.host.as_ref().is_none_or(|host| host.matches(authority)))
    }
}

/// A framework that runs code which the path of a request does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// Next.js: a POST to any page runs the server function that it names.
    NextJs,
}

/// A habit of some servers: one way in which they read a path, beside how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerReading {
    /// Letters of either case are the same: Express, Koa's router, React Router, IIS.
    Case,
    /// Dots and spaces at the end of a segment, and what follows a colon with a dollar sign, are no part of it: Windows.
    FileName,
    /// What stands before the path is the script that answers it: `/index.php/admin`.
    Script,
    /// The first segment is a language ([`Upstream::locales`]).
    Locale,
    /// The path is that of a page's data, of its export or of its file: `/admin.json`, `/admin/index.html`.
    Suffix,
}

impl ServerReading {
    /// What such servers do, as it follows "servers".
    pub fn description(self) -> &'static str {
        match self {
            Self::Case => "that ignore case",
            Self::FileName => "that drop dots and spaces at the end of a name",
            Self::Script => "that run the script in front of it",
            Self::Locale => "that take the first segment for a language",
            Self::Suffix => "that answer under this name with the page, or its data",
        }
    }
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
