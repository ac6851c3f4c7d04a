//! `BASE_PATH/verify`: another proxy (nginx's `auth_request`, Traefik's and Caddy's forward-auth) asks whether the
//! request in its hands may pass, and as whom.
//!
//! Anybody can ask, and a page's script looks just like nginx, which passes the browser's own header fields on. So
//! there are two kinds of answers. To a proxy that proves who it is, by the secret that it shares with us, what
//! [`protect`](super::protect) would do with the request that it tells of. To everybody else whether somebody is
//! signed in, and of them no more than `GET /session` shows.
//!
//! The answer is the proxy's to act by: nothing of what a client sends may change its form, and whatever is wrong
//! is a refusal.

use crate::config::Config;
use crate::flow::RequestContext;
use crate::flow::guard::admission::{Access, Admitted, DenialReason, Denied};
use crate::flow::responses::{self, with_cookies};
use crate::guard::forward_auth::{self, ForwardAuthHeaders};
use crate::guard::headers::VERIFY_SECRET;
use crate::guard::path::CanonicalPath;
use crate::guard::route::Route;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::upstream::Assertion;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Answers 204 with what the upstream is to know of the person, or why the request may not pass.
    pub(crate) async fn verify(&self) -> Response {
        let answer = match (self.proof(), self.config().verify.headers) {
            (ProxySecret::Invalid, _) => self.rejected("X-Vestibule-Verify is not AUTH_VERIFY_SECRET"),
            (ProxySecret::Absent, Some(_)) => {
                let why = "the proxy has to send AUTH_VERIFY_SECRET as X-Vestibule-Verify";
                self.rejected(why)
            }
            (ProxySecret::Valid, Some(fields)) => match self.original(fields) {
                Ok(original) => self.about(&original, fields).await,
                Err(why) => self.rejected(&why),
            },
            (proof, None) => self.about_the_session(proof).await,
        };
        answer.uncached()
    }

    fn proof(&self) -> ProxySecret {
        let mut shown = self.request.headers.get_all(VERIFY_SECRET);
        match (&self.config().verify.secret, shown.next(), shown.next()) {
            (None, ..) | (_, None, _) => ProxySecret::Absent,
            (Some(secret), Some(shown), None) if secret.matches(shown) => ProxySecret::Valid,
            _ => ProxySecret::Invalid,
        }
    }

    /// The request that the proxy asks about; or why there is none to decide about.
    fn original(&self, fields: ForwardAuthHeaders) -> Result<Request, String> {
        let original = forward_auth::original(self.request, fields).map_err(|why| why.to_string())?;
        // As in protect: a preflight passes because it does nothing.
        let methods_matter =
            original.method == Method::Options || self.config().rules.distinguishes_methods();
        match self.vestibule.guarded.misleading(&original, methods_matter) {
            Some(name) => Err(format!("the request has a field {name:?}, which misleads servers")),
            None => Ok(original),
        }
    }

    /// What becomes of the original request.
    async fn about(&self, original: &Request, fields: ForwardAuthHeaders) -> Response {
        let path = match CanonicalPath::new(&original.url.path) {
            Ok(path) => path,
            Err(denied) => return self.rejected(&denied.to_string()),
        };
        let Some(original) = RequestContext::new(self.vestibule, self.platform, original) else {
            return self.rejected("the original request's host is none");
        };
        let is_of_site =
            original.origin.host() == self.origin.host() || self.return_policy().trusts(&original.origin);
        if !is_of_site {
            let host = original.origin.host();
            return self.rejected(&format!("{host} is no host of this site: add it to trusted_hosts"));
        }
        if path.below(&self.config().base_path).is_some() {
            // Asked about its own sign-in page, it would send people to its sign-in page.
            let why = "the proxy asks about base_path, which has to reach Vestibule unasked";
            return self.rejected(why);
        }
        match original.admit(original.access(&path)).await {
            Ok(admitted) => original.allowed_response(admitted, Some(fields)).await,
            Err(denied) => for_proxy(original.denied_response(denied), fields),
        }
    }

    /// The guard's steps up to where a request is forwarded.
    async fn admit<'r>(&self, access: Access<'r>) -> Result<Admitted<'r>, Denied> {
        let principal = self.identify(&access).await;
        let permitted = self.authorize(&access, principal)?;
        self.ensure_token(access, permitted).await
    }

    /// Whether somebody is signed in: the rules are for requests, and of none is anything known.
    async fn about_the_session(&self, proof: ProxySecret) -> Response {
        let imitated = |name: &str| self.vestibule.guarded.is_confusable(name);
        if self.request.headers.iter().any(|(name, _)| imitated(name)) {
            return self.rejected("the request imitates a field that an upstream is sent");
        }
        let config = self.config();
        let mut route = Route::new(&config.upstreams, &self.request.url.authority, None);
        let mut shown;
        if proof != ProxySecret::Valid {
            shown = route.headers.to_vec();
            shown.retain(|(_, from)| is_shown(config, from));
            route.headers = &shown;
            route.authorization = route.authorization.filter(|from| is_shown(config, from));
            route.forward_session = false;
            // It is a proof for somebody else, and no page's.
            route.assertion = &Assertion::None;
        }
        match self.admit(Access::signed_in(route)).await {
            Ok(admitted) => self.allowed_response(admitted, None).await,
            Err(denied) => {
                let answer = match denied.reason {
                    DenialReason::SignIn | DenialReason::RefreshAtLoginHost(_) => {
                        responses::unauthorized(&self.login_route("signin"))
                    }
                    DenialReason::Forbidden | DenialReason::NotFound => responses::forbidden(),
                    DenialReason::Token(why) => responses::of_token(why),
                };
                with_cookies(answer, denied.cookies)
            }
        }
    }

    /// It may pass: what the upstream is to know, and cookies for the browser.
    async fn allowed_response(
        &self,
        Admitted { route, session, cookies, .. }: Admitted<'_>,
        fields: Option<ForwardAuthHeaders>,
    ) -> Response {
        let session = session.as_ref();
        let mut answer = Response::empty(204);
        let identity = match self.identity(&route, session).await {
            Ok(identity) => identity,
            Err(failed) => return failed,
        };
        for (name, value) in identity {
            if !value.contains(char::is_control) {
                answer.headers.set(&name, value);
            }
        }
        let cookies = self.cookies_still_valid(session, cookies).await;
        // nginx and Caddy know one value of a field. A part of a session's cookies would end it.
        if fields.is_some() {
            for (n, cookie) in cookies.iter().enumerate() {
                answer.headers.set(&format!("x-vestibule-set-cookie-{}", n + 1), cookie.to_string());
            }
        }
        let is_whole = cookies.len() == 1 || fields == Some(ForwardAuthHeaders::XForwarded);
        with_cookies(answer, if is_whole { cookies } else { Vec::new() })
    }

    fn rejected(&self, why: &str) -> Response {
        self.log(Record::new(LogEvent::ForwardAuthRejected, why));
        responses::forbidden()
    }
}

/// Whether it is the proxy who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxySecret {
    /// It has the secret.
    Valid,
    /// Somebody has another one: a proxy whose configuration is not ours, or who guesses.
    Invalid,
    /// Nobody says so.
    Absent,
}

/// Whether a page's script may see what is there in the session.
fn is_shown(config: &Config, from: &DataPath) -> bool {
    let is_standard = from.rest().len() == 0 && matches!(from.root(), "name" | "email" | "picture");
    is_standard || config.session.expose.iter().any(|(_, exposed)| from.is_within(exposed))
}

/// A refusal as the proxy can use it. nginx knows 401 and 403, and takes whatever is neither these nor a success
/// for an error of its own: the way to sign in is in `Location`, for `error_page` to send people there.
fn for_proxy(mut answer: Response, fields: ForwardAuthHeaders) -> Response {
    if fields == ForwardAuthHeaders::XForwarded {
        return answer;
    }
    match answer.status {
        302 => {
            answer.status = 401;
            answer.with("www-authenticate", "Bearer")
        }
        404 => {
            answer.status = 403;
            answer
        }
        _ => answer,
    }
}
