//! Where requests go that may pass, and what the server there is told.

use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::RequestUrl;
use vestibule_oidc::http::url::Url;

/// Where the requests of one host go, and with what.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Which hosts; `None` is every host.
    pub host: Option<HostPattern>,
    /// Where to.
    pub target: Target,
    /// `Authorization: Bearer` from this place in the session.
    pub authorization: Option<DataPath>,
    /// Header's name in lower case, and the place in the session whose value it carries.
    pub headers: Vec<(String, DataPath)>,
    /// Whether the upstream gets the sealed session cookie.
    pub forward_session: bool,
    /// Whether it is told in a signed token who it is.
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

/// Whether an upstream gets `X-Vestibule-Assertion`, and whom that is for (`aud`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Assertion {
    /// It gets none.
    #[default]
    None,
    /// For where the request goes.
    ForTarget,
    /// For an audience of that name.
    For(String),
}

impl Assertion {
    pub(crate) fn is_made(&self) -> bool {
        *self != Self::None
    }
}

/// Where a request is sent on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The zone's own origin: the same URL.
    Origin,
    /// Something that the runtime calls by itself, of that name: the same URL.
    Service(String),
    /// Another origin: `https`, or `http` on loopback; path and query stay. It has no path of its own.
    Url(Url),
}

impl Target {
    /// A redirect's `Location` for the browser, where it has to be another than the target says: a server of an
    /// origin of its own, which builds addresses from the host that it knows, means the origin that was asked, and
    /// browsers have no business at its own. All else stays as it is.
    pub fn location(&self, location: &str, asked: &RequestUrl) -> Option<String> {
        let Self::Url(url) = self else { return None };
        let origin = url.origin();
        let (_, without_scheme) = origin.split_once(':')?;
        let rest = [origin, without_scheme].iter().find_map(|own| location.strip_prefix(own))?;
        let is_its_own = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        is_its_own.then(|| format!("{}{rest}", asked.origin()))
    }
}
