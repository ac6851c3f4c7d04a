//! `GET /frontchannel-logout`: a provider's logout page loads this address in a frame (OpenID Connect Front-Channel Logout 1.0).
//!
//! The frame belongs to another site, so the browser sends no `Lax` cookie with it: what ends is the provider's session that
//! the parameters name, in the store. Nothing proves that the provider asked for it. Who asks has to know the `sid`, an answer
//! never says whether there is such a session, and requests are limited, because each costs a write.

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::flow::attempts::WINDOW;
use crate::flow::provider::is_issuer;
use crate::flow::responses::with_cookies;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::CLOCK_TOLERANCE;
use crate::revocation::subject::Subject;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::oauth::logout_token;
use vestibule_oidc::oauth::provider::OpenId;

/// What a request asks for.
struct Request<'a> {
    /// Those with this issuer: a site may be several of its clients, and its logout page loads the same address for each.
    providers: Vec<&'a Provider>,
    openid: &'a OpenId,
    sid: &'a str,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Ends the provider's session that the parameters name, and removes this browser's cookie if it is there and belongs to
    /// that session.
    pub(crate) async fn frontchannel_logout(&self, query: &Params) -> Response {
        let (request, is_cookie_there) = match self.frontchannel_request(query) {
            Ok(request) => {
                let is_cookie_there = self.belongs_to(&request);
                (request, is_cookie_there)
            }
            Err(reason) => {
                self.log(Record::new(LogEvent::FrontchannelLogoutRejected, reason));
                return framed(400, "'none'");
            }
        };
        let ancestors =
            Url::parse(&request.openid.issuer).map_or("'none'".to_owned(), |url| url.origin().to_owned());
        if !is_cookie_there && !self.may_ask_unproven().await {
            let message = "too many front-channel logouts from one address, or in all";
            let record = Record::new(LogEvent::FrontchannelLogoutRejected, message);
            self.log(match request.providers.first() {
                Some(provider) => record.provider(&provider.id),
                None => record,
            });
            return framed(429, &ancestors).with("retry-after", WINDOW.as_secs().to_string());
        }
        // There is no time of the provider in the request. A new sign-in there has a new `sid`, so a tolerance ends no other
        // session.
        let at = self.platform.now().plus(CLOCK_TOLERANCE);
        let what = "one of its sessions, by a frame";
        let mut is_stored = true;
        for Provider { id, .. } in &request.providers {
            let subject = Subject::ProviderSession { provider: id.clone(), sid: request.sid.to_owned() };
            is_stored &= self.end_for_provider(id, subject, what, at).await;
        }
        let answer = framed(if is_stored { 200 } else { 503 }, &ancestors);
        if is_cookie_there { with_cookies(answer, self.erased_session()) } else { answer }
    }

    fn frontchannel_request<'a>(&'a self, query: &'a Params) -> Result<Request<'a>, &'static str> {
        // Without it anyone could make a browser do this by a link or a picture; an older browser does not send the field.
        let destination = self.request.headers.get("sec-fetch-dest");
        if destination.is_some_and(|destination| !matches!(destination, "iframe" | "frame")) {
            return Err("a front-channel logout must be loaded in a frame");
        }
        let (Ok(Some(issuer)), Ok(Some(sid))) = (query.one("iss"), query.one("sid")) else {
            return Err("a front-channel logout needs the parameters iss and sid, each once");
        };
        if !logout_token::is_identifier(sid) {
            return Err(
                "the sid of a front-channel logout must have 1 to 512 bytes without control characters",
            );
        }
        let listening = self.config().frontchannel_providers();
        let of_issuer: Vec<_> = listening.filter(|(.., openid)| is_issuer(openid, issuer)).collect();
        let (_, _, openid) = of_issuer
            .first()
            .ok_or("the iss of a front-channel logout is no provider with frontchannel_logout")?;
        let providers = of_issuer.iter().map(|(provider, ..)| *provider).collect();
        Ok(Request { providers, openid, sid })
    }

    /// Whether the request has the cookie of a session that belongs to the one that ends.
    fn belongs_to(&self, request: &Request<'_>) -> bool {
        let SessionCookie::Valid(session) = self.session() else { return false };
        let is_of_these = request.providers.iter().any(|provider| session.provider() == Some(&*provider.id));
        is_of_these && session.provider_session() == Some(request.sid)
    }
}

/// An empty page that only pages of this origin may have in a frame.
fn framed(status: u16, ancestors: &str) -> Response {
    let policy = format!("default-src 'none'; base-uri 'none'; frame-ancestors {ancestors}");
    Response::empty(status)
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("cache-control", "no-cache, no-store")
        .with("pragma", "no-cache")
}
