//! The access token has ended on a host whose deployment does not know the provider that could give another: the login
//! host's does. A person is sent through there and comes back, once for each page; a script is told.
//!
//! Both hosts share the secret and the cookie's domain and need share nothing else, so the browser carries what
//! there is to say: the session to the login host, the renewed one back.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::flow::Exchange;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::NotReady;
use crate::flow::responses::{self, with_cookies};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::Presented;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;

/// How long a page that was sent to the login host in vain is not sent there again.
const PAUSE: Duration = Duration::from_mins(1);

/// How many pages may be on their way there: a browser opens all its tabs at once. More looks like a loop.
const MOST_PAGES: usize = 8;

impl<P: Platform> Exchange<'_, P> {
    /// The answer to a request that cannot go on without a token from the login host.
    pub(crate) fn send_to_renew(&self, login: &Origin) -> Response {
        let request = self.request;
        let address = self.address();
        // What is fetched in advance nobody may look at.
        if request.is_prefetch() {
            return responses::no_token(Duration::from_secs(1));
        }
        if !request.is_navigation() {
            return self
                .token_expired(login, &address)
                .with("www-authenticate", "Bearer error=\"invalid_token\"")
                .with("cache-control", "private, no-store");
        }
        // What a form sent would be lost on the way.
        if request.method == Method::Post {
            return responses::no_token(Duration::from_secs(1));
        }
        let name = self.names.renewal();
        let sent: Vec<&str> =
            self.cookies.get(name).map(|sent| sent.split('.').collect()).unwrap_or_default();
        let page = mark(&address);
        if sent.contains(&page.as_str()) || sent.len() >= MOST_PAGES {
            self.log(
                Level::Warn,
                "token_not_renewed",
                &format!(
                    "{} sent the browser back without an access token that lives: see its log, and that both have the \
                     same AUTH_SECRET and cookies.domain",
                    login.as_str()
                ),
            );
            return responses::no_token(PAUSE);
        }
        let sent = sent.into_iter().chain([page.as_str()]).collect::<Vec<_>>().join(".");
        let cookie = SetCookie::new(name, &sent).max_age(PAUSE);
        with_cookies(Response::redirect(self.renewal_url(login, &address)), vec![cookie])
    }

    /// The cookie that forgets which pages were sent to the login host, for when the token lives again.
    pub(crate) fn renewal_done(&self) -> Option<SetCookie> {
        let name = self.names.renewal();
        self.cookies.get(name).map(|_| SetCookie::expired(name))
    }

    /// What a script is told: a person who opens `signInUrl` has a token afterwards, and is at `return_to`.
    pub(crate) fn token_expired(&self, login: &Origin, return_to: &str) -> Response {
        let there = self.renewal_url(login, return_to);
        Response::json(401, &json!({ "error": "token_expired", "signInUrl": there }))
    }

    /// The login host's address that renews and comes back to `return_to`.
    fn renewal_url(&self, login: &Origin, return_to: &str) -> String {
        let route = format!("{}{}/renew", login.as_str(), self.config().base_path);
        with_parameters(&route, &[("callbackUrl", return_to)])
    }

    /// `GET /renew` on the login host: renews the access token where it has to be, and goes to the return address. It
    /// goes there only with a token that lives; otherwise the person signs in again, or is asked to wait.
    ///
    /// It needs no csrf token: whoever makes a browser go there renews what the next request would renew anyway.
    pub(crate) async fn renew(&self, query: &Params) -> Result<Response, Error> {
        let visit = self.visit(query, None)?;
        let sign_in = || Response::redirect(self.sign_in_page(visit.return_to.as_str()));
        let (response, cookies) = match self.session() {
            Presented::Good(session) if session.error().is_none() => match self.ready(session).await {
                Ok(ready) if self.lives(&ready.session) => {
                    let cookies = ready.cookies(self);
                    let cookies = self.still_wanted(Some(&ready.session), cookies).await;
                    (Response::redirect(visit.return_to.as_str()), cookies)
                }
                Err(NotReady::Unavailable(retry)) => (responses::no_token(retry), Vec::new()),
                Err(NotReady::Ended(over)) => (sign_in(), over.cookies(self)),
                Ok(_) | Err(NotReady::SignedOut | NotReady::Elsewhere(_)) => (sign_in(), Vec::new()),
            },
            _ => (sign_in(), Vec::new()),
        };
        Ok(with_cookies(with_cookies(response, cookies), visit.cookies).uncached())
    }

    fn lives(&self, session: &Session) -> bool {
        session.token_expires_at().is_none_or(|at| at > self.platform.now())
    }
}

/// A page in few characters: it is compared with itself only.
fn mark(address: &str) -> String {
    let mut mark = base64url::encode(&Sha256::digest(address));
    mark.truncate(10);
    mark
}
