//! `BASE_PATH/verify`, forward authentication: another proxy (nginx's `auth_request`, Traefik's and Caddy's forward-auth,
//! HAProxy, Envoy's `ext_authz`) asks whether the request that it received may pass, and which user makes it.
//!
//! Anyone can send such a request, and a page's script looks like nginx, which passes on the browser's own header
//! fields. So there are two kinds of answers. A proxy that proves itself by the shared secret learns what
//! [`protect`](super::protect) would decide about the original request. Every other client learns whether its user is
//! signed in, and no more about the user than `GET /session` shows.
//!
//! The proxy acts on the answer. So nothing that a client sends may change the answer's form, and every error denies the
//! request.

use crate::config::Config;
use crate::flow::RequestContext;
use crate::flow::guard::access::{Access, Admitted};
use crate::flow::guard::admission::Browser;
use crate::flow::guard::denied::DenialReason;
use crate::flow::guard::token_exchange;
use crate::flow::responses::{self, with_cookies};
use crate::guard::forward_auth::{self, ForwardAuthHeaders};
use crate::guard::headers::VERIFY_SECRET;
use crate::guard::route::Route;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::logout_hint;
use crate::upstream::Assertion;
use crate::upstream::bearer_token::BearerToken;
use crate::upstream::header_value::has_control;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Answers 204, with the header fields that identify the user to the upstream, if the request may pass; otherwise the
    /// denial.
    pub(crate) async fn forward_auth(&self) -> Response {
        let answer = match (self.proxy_secret(), self.config().verify.headers) {
            (ProxySecret::Invalid, _) => self.rejected("X-Vestibule-Verify is not AUTH_VERIFY_SECRET"),
            (ProxySecret::Absent, Some(_)) => {
                self.rejected("the proxy must send AUTH_VERIFY_SECRET in the header X-Vestibule-Verify")
            }
            (ProxySecret::Valid, Some(headers)) => match self.original_request(headers) {
                Ok(original) => self.decide_original(&original, headers).await,
                Err(reason) => self.rejected(&reason),
            },
            (secret, None) => self.decide_signed_in(secret).await,
        };
        answer.uncached()
    }

    fn proxy_secret(&self) -> ProxySecret {
        let mut sent = self.request.headers.get_all(VERIFY_SECRET);
        match (&self.config().verify.secret, sent.next(), sent.next()) {
            (None, ..) | (_, None, _) => ProxySecret::Absent,
            (Some(secret), Some(sent), None) if secret.matches(sent) => ProxySecret::Valid,
            _ => ProxySecret::Invalid,
        }
    }

    /// The request that the proxy asks about. An error says why no decision about it is possible.
    fn original_request(&self, headers: ForwardAuthHeaders) -> Result<Request, String> {
        let original = forward_auth::original(self.request, headers, &self.config().base_path)
            .map_err(|error| error.to_string())?;
        // As in `protect`: a preflight passes because it has no effect, so its method must be certain.
        let methods_matter =
            original.method == Method::Options || self.config().rules.distinguishes_methods();
        match self.config().guarded.misleading(&original, methods_matter) {
            Some(name) => Err(format!("the request has a header {name:?}, which servers may misread")),
            None => Ok(self.vestibule.at_scheme_of_site(original)),
        }
    }

    /// Decides about the original request, by the guard's steps.
    async fn decide_original(&self, original: &Request, headers: ForwardAuthHeaders) -> Response {
        let (rules, base_path) = (&self.config().rules, &self.config().base_path);
        let known = match self.vestibule.path_memory.path(rules, base_path, original) {
            Ok(known) => known,
            Err(error) => return self.rejected(&error.to_string()),
        };
        let Some(original) = RequestContext::new(self.vestibule, self.platform, original) else {
            return self.rejected("the host of the original request is not a valid host");
        };
        let is_of_site =
            original.origin.host() == self.origin.host() || self.return_policy().trusts(&original.origin);
        if !is_of_site {
            let host = original.origin.host();
            return self.rejected(&format!("{host} is not a host of this site: add it to trusted_hosts"));
        }
        if known.path.below(base_path).is_some() {
            // The answer would redirect from the sign-in page to the sign-in page.
            return self.rejected(
                "the proxy asks about a path below base_path: let it send these requests to Vestibule directly",
            );
        }
        let admitted = match original.access(&known) {
            Ok(access) if access.sets_cookies() => {
                return self.rejected(
                    "the upstream gets cookies, and another proxy would forward a client's own: let Vestibule forward \
                     these requests, or remove `cookies` from the upstream and its rules",
                );
            }
            Ok(access) => original.admit(access, Browser::BehindProxy).await,
            Err(denied) => {
                original.count_early_denial(&denied);
                Err(denied)
            }
        };
        match admitted {
            Ok(admitted) => original.allowed_response(admitted, Some(headers)).await,
            Err(denied) => for_proxy(original.denied_response(denied), headers),
        }
    }

    /// Decides only whether a user is signed in. The original request is unknown, so the rules cannot be applied.
    async fn decide_signed_in(&self, secret: ProxySecret) -> Response {
        let is_imitation = |name: &str| self.config().guarded.is_confusable(name);
        if self.request.headers.iter().any(|(name, _)| is_imitation(name)) {
            return self.rejected("the request has a header that looks like one that Vestibule sets");
        }
        self.is_about_any_method.set(true);
        let config = self.config();
        let mut route = Route::new(self.upstream(), None);
        // The proxy forwards the browser's own cookies.
        route.cookies = &[];
        let mut exposed;
        if secret != ProxySecret::Valid {
            exposed = route.headers.to_vec();
            // A secret is for the upstream alone.
            exposed.retain(|(_, value)| {
                value.is_of_session()
                    && !value.has_secret()
                    && value.paths().into_iter().all(|from| is_exposed(config, from))
            });
            route.headers = &exposed;
            // A token for an upstream is for that alone.
            let is_shown =
                |token: &&BearerToken| token.as_claim().is_some_and(|from| is_exposed(config, from));
            route.authorization = route.authorization.filter(is_shown);
            route.forward_session = false;
            // An assertion proves the user's identity to an upstream. A page's script must not get one.
            route.assertion = &Assertion::None;
        }
        match self.admit(Access::signed_in(route, &self.config().cookie_naming), Browser::BehindProxy).await {
            Ok(admitted) => self.allowed_response(admitted, None).await,
            Err(denied) => {
                let answer = match denied.reason {
                    DenialReason::SignIn
                    | DenialReason::RefreshAtLoginHost(_)
                    | DenialReason::TokenExpired
                    | DenialReason::AskProvider(_) => responses::unauthorized(&self.login_route("signin")),
                    DenialReason::ClientsOnly => responses::clients_only(),
                    DenialReason::CrossOrigin => responses::cross_origin(),
                    DenialReason::Forbidden
                    | DenialReason::NotFound
                    | DenialReason::ServerFunction
                    | DenialReason::PathTooLong
                    | DenialReason::StepUp(_) => responses::forbidden(),
                    DenialReason::Token(denied) => self.token_denied(denied),
                    DenialReason::Resource(answer) => *answer,
                };
                with_cookies(answer, denied.cookies)
            }
        }
    }

    /// Whether this is a request of Envoy's `ext_authz`, which asks with the path of the original request, so with every
    /// path. What has the proxy's field is one, too: Envoy takes any 200 for permission, also that of a page which a path
    /// leads to that something on the way has shortened (`/auth/verify/../session`).
    pub(crate) fn is_of_envoy(&self) -> bool {
        self.config().verify.headers == Some(ForwardAuthHeaders::Envoy)
            && (self.request.headers.contains(VERIFY_SECRET)
                || forward_auth::path_below(self.request, &self.config().base_path).is_some())
    }

    /// 204, or 200 for Envoy: the request may pass. The response has the header fields for the upstream, and the cookies for
    /// the browser.
    async fn allowed_response(
        &self,
        Admitted { route, session, token, cookies, .. }: Admitted<'_>,
        headers: Option<ForwardAuthHeaders>,
    ) -> Response {
        let session = session.as_ref();
        let is_envoy = headers == Some(ForwardAuthHeaders::Envoy);
        let mut answer = Response::empty(if is_envoy { 200 } else { 204 });
        let mut identity = match self.identity(&route, session).await {
            Ok(identity) => identity,
            Err(failed) => return failed,
        };
        if let Some(token) = &token {
            token_exchange::add_to(&mut identity, token);
        }
        for (name, value) in identity.fields {
            if !has_control(&value) {
                answer.headers.set(&name, value);
            }
        }
        if is_envoy {
            let removed = self.names_without_value(route.authorization.is_some(), &answer);
            answer.headers.set("x-envoy-auth-headers-to-remove", removed);
        }
        let mut cookies = self.cookies_still_valid(session, cookies).await;
        // Proxies have a line for each cookie of a session, and the hint of an earlier ID token is good, too.
        cookies.retain(|cookie| !logout_hint::is_hint(&self.names, cookie.name()));
        if headers.is_some() && !cookies.is_empty() {
            // For the proxy to set as `Cache-Control`: no cache may keep a response that sets a cookie.
            answer.headers.set("x-vestibule-cache-control", "private, no-store");
        }
        // nginx and Caddy copy only one value of a header field. A part of a session's cookies would end the session, so
        // each cookie has its own field.
        if headers.is_some() && !is_envoy {
            // A proxy with fewer lines than cookies loses the last ones. These are what removes a cookie of another
            // deployment, on this host only or on the whole domain, and not a part of the session.
            let has_domain = self.cookie_domain().is_some();
            let mut by_need: Vec<&SetCookie> = cookies.iter().collect();
            by_need.sort_by_key(|cookie| cookie.has_domain() != has_domain);
            for (n, cookie) in by_need.into_iter().enumerate() {
                answer.headers.set(&format!("x-vestibule-set-cookie-{}", n + 1), cookie.to_string());
            }
        }
        let is_complete = cookies.len() == 1
            || matches!(headers, Some(ForwardAuthHeaders::XForwarded | ForwardAuthHeaders::Envoy));
        with_cookies(answer, if is_complete { cookies } else { Vec::new() })
    }

    /// The names of the header fields for an app that the answer does not have, separated by commas. Envoy removes a client's
    /// own, where other proxies do it themselves.
    fn names_without_value(&self, sets_authorization: bool, answer: &Response) -> String {
        // A proof belongs to the token in `Authorization`.
        let of_token = ["authorization", "dpop"].into_iter().filter(|_| sets_authorization);
        let names = self.config().guarded.names().chain(of_token).chain([VERIFY_SECRET]);
        let absent: Vec<&str> = names.filter(|name| !answer.headers.contains(name)).collect();
        absent.join(",")
    }

    fn rejected(&self, why: &str) -> Response {
        self.log(Record::new(LogEvent::ForwardAuthRejected, why));
        responses::forbidden()
    }
}

/// The request's header `X-Vestibule-Verify`, by which a proxy proves itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxySecret {
    /// It is the configured secret.
    Valid,
    /// It is something else, or is repeated: the proxy is misconfigured, or a client guesses.
    Invalid,
    /// The header is absent, or no secret is configured.
    Absent,
}

/// Whether a page's script may read this value of the session.
fn is_exposed(config: &Config, from: &DataPath) -> bool {
    let is_standard = from.rest().len() == 0 && matches!(from.root(), "name" | "email" | "picture");
    is_standard || config.session.expose.iter().any(|(_, exposed)| from.is_within(exposed))
}

/// A denial in the form that the proxy understands. nginx's `auth_request` understands 401 and 403, and answers 500 to
/// any other status outside 2xx. The address of the sign-in page stays in `Location`, for nginx's `error_page`.
fn for_proxy(mut answer: Response, headers: ForwardAuthHeaders) -> Response {
    if headers != ForwardAuthHeaders::XOriginal {
        return answer;
    }
    match answer.status {
        302 => {
            answer.status = 401;
            // Who has to step up is told what is asked.
            if !answer.headers.contains("www-authenticate") {
                answer.headers.set("www-authenticate", "Bearer");
            }
            answer
        }
        404 => {
            answer.status = 403;
            answer
        }
        _ => answer,
    }
}
