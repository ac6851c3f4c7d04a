//! Upstreams: the servers that requests are forwarded to, and what they get from the session.

pub mod bearer_token;
pub mod cookie_name;
pub mod header_value;
pub mod path_prefix;
pub mod value;

use crate::upstream::bearer_token::BearerToken;
use crate::upstream::header_value::HeaderEncoding;
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::value::UpstreamValue;
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
    /// What it gets as `Authorization: Bearer`.
    pub authorization: Option<BearerToken>,
    /// For each header, its name in lower case and its value.
    pub headers: Vec<(String, UpstreamValue)>,
    /// For each cookie, its name and its value.
    pub cookies: Vec<(String, UpstreamValue)>,
    /// How characters outside ASCII are written in `headers`.
    pub header_encoding: HeaderEncoding,
    /// Whether the upstream gets the sealed session cookie.
    pub forward_session: bool,
    /// Whether the upstream gets a signed assertion about the user.
    pub assertion: Assertion,
    /// Languages that the first segment of a path may name there.
    pub locales: Vec<String>,
    /// The beginning of a request's path that it does not get.
    pub strip_prefix: Option<PathPrefix>,
    /// Its framework, where it answers requests in ways that paths do not show.
    pub framework: Option<Framework>,
    /// Habits that it is known not to have when it reads a path.
    pub exact_paths: Vec<ServerReading>,
}

impl Upstream {
    /// The upstream of a host: the first one for it. `None` where there is none, and the zone's own origin answers.
    pub fn of_host<'a>(upstreams: &'a [Self], authority: &str) -> Option<&'a Self> {
        upstreams.get(Self::position(upstreams, authority)?)
    }

    /// The place of that upstream among all.
    pub(crate) fn position(upstreams: &[Self], authority: &str) -> Option<usize> {
        let is_for = |upstream: &Self| upstream.host.as_ref().is_none_or(|host| host.matches(authority));
        upstreams.iter().position(is_for)
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
    /// What stands before the path is the script that answers it, `/index.php/admin`; what stands behind a script is not part of
    /// its name, `/admin.php/x`.
    Script,
    /// The first segment is a language ([`Upstream::locales`]).
    Locale,
    /// The path is that of a page's data, of its export or of its file: `/admin.json`, `/admin/index.html`.
    Suffix,
    /// A slash at the end begins an empty segment: what is below `/area/` has `/area/` itself.
    Slash,
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
            Self::Slash => "to which the slash at the end is part of it",
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
    /// The `Location` of a redirect for the browser, if it must differ from `location`, which the target sent. `None` if the
    /// `Location` stays unchanged.
    ///
    /// A server at another origin builds URLs with its own host, but means the origin that the browser `requested`, and the
    /// browser must not go to the server directly. A server that gets paths without a prefix means its own ones: the prefix is
    /// put back.
    pub fn location(
        &self,
        location: &str,
        requested: &RequestUrl,
        stripped: Option<&PathPrefix>,
    ) -> Option<String> {
        let (own, requested) = (self.own_origin(requested), requested.origin());
        let (_, without_scheme) = own.split_once(':')?;
        let rest = [own.as_str(), without_scheme].iter().find_map(|own| location.strip_prefix(own));
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#'])) else {
            let is_path =
                location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
            return stripped.filter(|_| is_path).map(|prefix| format!("{prefix}{location}"));
        };
        if stripped.is_none() && matches!(self, Self::Origin | Self::Service(_)) {
            return None;
        }
        Some(format!("{requested}{}{rest}", stripped.map_or("", PathPrefix::as_str)))
    }

    /// The origin that the target takes for its own.
    fn own_origin(&self, requested: &RequestUrl) -> String {
        match self {
            Self::Url(url) => url.origin().to_owned(),
            Self::Origin | Self::Service(_) => requested.origin(),
        }
    }

    /// The URL to which a request for `requested` goes, if it is another one.
    pub fn url(&self, requested: &RequestUrl, stripped: Option<&PathPrefix>) -> Option<String> {
        if stripped.is_none() && matches!(self, Self::Origin | Self::Service(_)) {
            return None;
        }
        Some(self.own_origin(requested) + &upstream_path_and_query(requested, stripped))
    }
}

/// The path of a request as its upstream gets it.
pub fn upstream_path<'a>(requested: &'a RequestUrl, stripped: Option<&PathPrefix>) -> &'a str {
    stripped.and_then(|prefix| prefix.strip(&requested.path)).unwrap_or(&requested.path)
}

/// The same with the query.
pub fn upstream_path_and_query(requested: &RequestUrl, stripped: Option<&PathPrefix>) -> String {
    let query = requested.query.as_deref().map_or(String::new(), |query| format!("?{query}"));
    format!("{}{query}", upstream_path(requested, stripped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested() -> RequestUrl {
        RequestUrl::parse("https://app.example.com/api/x?y=1").unwrap()
    }

    #[test]
    fn a_redirect_to_the_own_origin_leads_back_with_the_prefix() {
        let prefix = PathPrefix::parse("/api").unwrap();
        let (origin, other) =
            (Target::Origin, Target::Url(Url::parse("https://backend.example.net").unwrap()));
        for (target, stripped, sent, arrives) in [
            (&other, None, "https://backend.example.net/a?b", Some("https://app.example.com/a?b")),
            (&other, None, "//backend.example.net/a", Some("https://app.example.com/a")),
            (&other, None, "/a", None),
            (&other, None, "https://app.example.com/a", None),
            (&other, None, "https://backend.example.net.evil.example/", None),
            (&other, Some(&prefix), "https://backend.example.net/a", Some("https://app.example.com/api/a")),
            (&other, Some(&prefix), "https://backend.example.net", Some("https://app.example.com/api")),
            (&other, Some(&prefix), "/a?b#c", Some("/api/a?b#c")),
            (&other, Some(&prefix), "/", Some("/api/")),
            (&other, Some(&prefix), "a", None),
            (&other, Some(&prefix), "?a", None),
            (&other, Some(&prefix), "//evil.example/a", None),
            (&other, Some(&prefix), "/\\evil.example", None),
            (&other, Some(&prefix), "https://app.example.com/auth/signin", None),
            (&origin, None, "https://app.example.com/a", None),
            (&origin, Some(&prefix), "https://app.example.com/a", Some("https://app.example.com/api/a")),
            (&origin, Some(&prefix), "//app.example.com/a", Some("https://app.example.com/api/a")),
            (&origin, Some(&prefix), "https://other.example/a", None),
        ] {
            assert_eq!(
                target.location(sent, &requested(), stripped).as_deref(),
                arrives,
                "{target:?} {sent}"
            );
        }
    }

    #[test]
    fn a_request_goes_to_the_target_s_origin_without_the_prefix() {
        let prefix = PathPrefix::parse("/api").unwrap();
        let (origin, other) =
            (Target::Origin, Target::Url(Url::parse("https://backend.example.net").unwrap()));
        assert_eq!(origin.url(&requested(), None), None);
        assert_eq!(origin.url(&requested(), Some(&prefix)).unwrap(), "https://app.example.com/x?y=1");
        assert_eq!(other.url(&requested(), None).unwrap(), "https://backend.example.net/api/x?y=1");
        assert_eq!(other.url(&requested(), Some(&prefix)).unwrap(), "https://backend.example.net/x?y=1");
    }
}
