//! The guard's last step: an admitted request goes on to its upstream, with header fields that identify the user.

use crate::flow::RequestContext;
use crate::flow::guard::access::Admitted;
use crate::flow::guard::token_exchange;
use crate::flow::refresh::UpstreamChange;
use crate::flow::responses::with_cookies;
use crate::guard::headers::SessionCookies;
use crate::guard::route::{IdentityHeaders, Route};
use crate::guard::{hops, trace};
use crate::log::{LogEvent, Record};
use crate::outcome::Outcome;
use crate::platform::{Forward, Meter, Platform};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::dpop;

impl<P: Platform> RequestContext<'_, P> {
    /// The last step: forwards the request.
    ///
    /// The upstream's response gets the session's new cookies, unless the session ended or got newer tokens while the
    /// upstream worked. The upstream sees a request in which the browser has these cookies already.
    pub(super) async fn forward(
        &self,
        admitted: Admitted<'_>,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let Admitted { route, session, token, cookies: renewed, is_personal, no_store, .. } = admitted;
        let Some(hops) = hops::next(self.request) else {
            return Outcome::Response(with_cookies(self.forwarding_loop(route.target), renewed));
        };
        if admitted.is_guarded_preflight {
            return Outcome::Response(self.forward_preflight(&route, hops).await);
        }
        let session = session.as_ref();
        let mut identity = match self.identity(&route, session).await {
            Ok(identity) => identity,
            Err(failed) => return Outcome::Response(with_cookies(failed, renewed)),
        };
        let bound = match &token {
            Some(token) => {
                token_exchange::add_to(&mut identity, token);
                token_exchange::bound_token(token, session)
            }
            None => session.and_then(|session| self.bound_token(session)),
        };
        let bound = bound.filter(|token| token.replaces_bearer(&mut identity));
        let config = self.config();
        let positions = if route.forward_session { self.session_positions() } else { Vec::new() };
        let replaced = if route.forward_session { self.session_without_dead_token(session) } else { None };
        let cookies =
            SessionCookies { positions: &positions, renewed: replaced.as_deref().unwrap_or(&renewed) };
        let mut changes = route.changes(&config.rules, &config.guarded, self.request, &identity, cookies);
        if admitted.has_used_proof && !route.sets_authorization() {
            changes.remove("authorization");
            changes.remove(dpop::PROOF);
        }
        changes.set(hops::HEADER, hops);
        trace::remove_invalid(&self.request.headers, &mut changes);
        let forward = Forward {
            target: route.target,
            strip_prefix: route.strip_prefix,
            request: self.request,
            changes,
            personal: is_personal,
            edge: config.edge,
        };
        if renewed.is_empty() && !no_store && route.cookies.is_empty() && bound.is_none() {
            if self.asks_for_icon() {
                return self.forward_icon(forward, body).await;
            }
            // A field can only be added to a response that has arrived.
            if !self.platform.meter().is_some_and(Meter::shows_time) {
                return self.platform.forward_streaming(forward, body).await;
            }
        }
        let answer = match bound {
            // Boxed: otherwise the future of every guarded request would have its size.
            Some(token) => Box::pin(self.forward_with_proof(forward, body, &token)).await,
            None => self.platform.forward(forward, body).await,
        };
        match answer {
            Ok(response) if route.cookies.is_empty() => {
                let cookies = self.cookies_still_valid(session, renewed).await;
                Outcome::Forwarded { response, cookies, no_store, server_timing: None }
            }
            Ok(response) => match self.take_upstream_cookies(&route, session, &identity, response).await {
                Ok((response, change)) => {
                    let cookies = self.cookies_after(change, session, renewed).await;
                    Outcome::Forwarded { response, cookies, no_store, server_timing: None }
                }
                Err(error) => {
                    self.log(error.record());
                    let cookies = self.cookies_still_valid(session, renewed).await;
                    Outcome::Response(with_cookies(error.answer(), cookies))
                }
            },
            Err(error) => {
                self.log(error.record());
                // Without new tokens nothing is lost: the next request renews the cookie.
                let has_new_tokens = session.is_some_and(|session| self.has_new_tokens(session));
                let cookies = if has_new_tokens { renewed } else { Vec::new() };
                let cookies = self.cookies_still_valid(session, cookies).await;
                Outcome::Response(with_cookies(error.answer(), cookies))
            }
        }
    }

    /// The cookies for the browser after what an upstream's answer did to the session.
    async fn cookies_after(
        &self,
        change: UpstreamChange,
        session: Option<&Session>,
        renewed: Vec<SetCookie>,
    ) -> Vec<SetCookie> {
        match change {
            UpstreamChange::None => self.cookies_still_valid(session, renewed).await,
            UpstreamChange::Ended => self.erased_session(),
            UpstreamChange::Renewed(session) => match self.session_cookies(&session) {
                Ok(cookies) => self.cookies_unless_signed_out(Some(&session), cookies).await,
                Err(too_large) => {
                    // The browser keeps the old tokens, by which a later request finds the new ones.
                    self.log(Record::new(LogEvent::SessionTooLarge, too_large));
                    Vec::new()
                }
            },
        }
    }

    /// The cookies of the session as the upstream gets them in place of the browser's, if its access token has expired for
    /// good: the upstream opens a session without the token, and reads the reason in `error`. The browser's own cookie
    /// stays as it is.
    fn session_without_dead_token(&self, session: Option<&Session>) -> Option<Vec<SetCookie>> {
        // A request that needed no session here carries one all the same.
        let session = match (session, self.session()) {
            (Some(session), _) => session.clone(),
            (None, SessionCookie::Valid(session)) => session,
            (None, _) => return None,
        };
        if !self.has_dead_token(&session) {
            return None;
        }
        Some(self.session_cookies(&session.with_token_expired()).unwrap_or_else(|too_large| {
            self.log(Record::new(LogEvent::SessionTooLarge, too_large));
            self.erased_session()
        }))
    }

    /// Forwards a preflight (Fetch Standard, "CORS-preflight request") for a path that is not public.
    ///
    /// In many frameworks an OPTIONS request runs the handler of the path. So the upstream gets no body, no query and no
    /// cookies, and the client gets only the CORS headers of its response.
    async fn forward_preflight(&self, route: &Route<'_>, hops: String) -> Response {
        let config = self.config();
        let mut changes = route.changes(
            &config.rules,
            &config.guarded,
            self.request,
            &IdentityHeaders::default(),
            SessionCookies::default(),
        );
        changes.remove("cookie");
        changes.remove("authorization");
        changes.set(hops::HEADER, hops);
        trace::remove_invalid(&self.request.headers, &mut changes);
        let forward = Forward {
            target: route.target,
            strip_prefix: route.strip_prefix,
            request: self.request,
            changes,
            personal: true,
            edge: config.edge,
        };
        match self.platform.forward_head(forward).await {
            Ok(mut response) => {
                let is_cors = |name: &str| {
                    let name = name.to_ascii_lowercase();
                    name.starts_with("access-control-") || matches!(name.as_str(), "vary" | "allow")
                };
                response.headers.retain(|name, _| is_cors(name));
                response.body.clear();
                response.with("cache-control", "private, no-store")
            }
            Err(error) => {
                self.log(error.record());
                error.answer()
            }
        }
    }
}
