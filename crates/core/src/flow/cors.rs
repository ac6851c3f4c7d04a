//! Vestibule's own responses to scripts of trusted origins (CORS): without its headers, a page learns nothing but that a
//! request failed, not even where to sign in.

use crate::flow::RequestContext;
use crate::guard::cors;
use crate::guard::cross_origin::TrustedOrigin;
use crate::platform::Platform;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::response::Response;

/// What a script of another origin may read below `base_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadableRoute {
    /// `session` and `csrf`, from an origin of `trusted_origins`.
    Session,
    /// `token`, from an origin of `token_origins`.
    Token,
}

impl ReadableRoute {
    /// The header fields that a script may send there: next-auth's client sends `Content-Type` also with GET.
    fn request_headers(self) -> &'static str {
        match self {
            Self::Session => "Content-Type",
            Self::Token => "Content-Type, X-Vestibule-Token",
        }
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// The response of an auth route, which the scripts of trusted origins may read.
    pub(crate) fn readable_route(&self, route: ReadableRoute, response: Response) -> Response {
        if !self.has_readers() {
            return response;
        }
        cors::readable(response, self.route_reader(route).as_ref())
    }

    /// The answer to a preflight for an auth route. `None` if the page may not read the route's response.
    pub(crate) fn preflight(&self, route: ReadableRoute) -> Option<Response> {
        let is_get = self.request.headers.get("access-control-request-method") == Some("GET");
        let reader = self.route_reader(route).filter(|_| is_get)?;
        Some(cors::preflight(&reader, route.request_headers()))
    }

    /// A denial by the guard, which the scripts of trusted origins may read: where to sign in, or when to try again.
    pub(crate) fn readable_denial(&self, response: Response) -> Response {
        let is_for_scripts =
            matches!(response.status, 401 | 403 | 414 | 503) && !self.request.is_navigation();
        if !is_for_scripts || !self.has_readers() {
            return response;
        }
        cors::readable(response, self.reader().as_ref())
    }

    /// Whether the page that sent the request may see tokens: a page of the own origin, or of `token_origins`.
    pub(crate) fn may_see_tokens(&self) -> bool {
        self.reader().is_none_or(|origin| self.config().token_origins.contains(&origin))
    }

    /// Whether a page of another origin, which is in `token_origins`, sent the request. Browsers that say nothing in
    /// `Sec-Fetch-Site` are too old to be trusted with a token.
    pub(crate) fn is_from_token_origin(&self) -> bool {
        let mut site = self.request.headers.get_all("sec-fetch-site");
        let is_same_site = (site.next(), site.next()) == (Some("same-site"), None);
        is_same_site && self.route_reader(ReadableRoute::Token).is_some()
    }

    fn route_reader(&self, route: ReadableRoute) -> Option<Origin> {
        let reader = self.reader()?;
        let is_allowed = route == ReadableRoute::Session || self.config().token_origins.contains(&reader);
        is_allowed.then_some(reader)
    }

    fn reader(&self) -> Option<Origin> {
        cors::reader(self.request, &self.origin, &self.config().trusted_origins)
    }

    fn has_readers(&self) -> bool {
        self.config().trusted_origins.iter().any(|trusted| matches!(trusted, TrustedOrigin::Exact(_)))
    }
}
