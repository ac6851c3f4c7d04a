//! The access token has ended on a host whose deployment does not know the provider that could give another: the login
//! host's does. A person is sent through there and comes back, once for each page; a script is told.
//!
//! Both hosts share the secret and the cookie's domain and need share nothing else, so the browser carries what
//! there is to say: the session to the login host, the renewed one back.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::RefreshError;
use crate::flow::responses::{self, with_cookies};
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;

/// How long a page that was sent to the login host in vain is not sent there again.
const PAUSE: Duration = Duration::from_mins(1);

/// How many pages may be on their way there: a browser opens all its tabs at once. More looks like a loop.
const MAX_PAGES: usize = 8;

impl<P: Platform> RequestContext<'_, P> {
    /// The answer to a request that cannot go on without a token from the login host.
    pub(crate) fn redirect_to_refresh(&self, login: &Origin) -> Response {
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
        // Of several cookies all count: behind one that another app planted, the browser would go around in a circle.
        let sent: Vec<&str> = self.cookies.get_all(name).flat_map(|sent| sent.split('.')).collect();
        let page = fingerprint(&address);
        if sent.contains(&page.as_str()) || sent.len() >= MAX_PAGES {
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
        with_cookies(Response::redirect(self.login_host_refresh_url(login, &address)), vec![cookie])
    }

    /// The cookie that forgets which pages were sent to the login host, for when the token lives again.
    pub(crate) fn clear_refresh_marker(&self) -> Option<SetCookie> {
        let name = self.names.renewal();
        self.cookies.get(name).map(|_| SetCookie::expired(name))
    }

    /// What a script is told: a person who opens `signInUrl` has a token afterwards, and is at `return_to`.
    pub(crate) fn token_expired(&self, login: &Origin, return_to: &str) -> Response {
        let there = self.login_host_refresh_url(login, return_to);
        Response::json(401, &json!({ "error": "token_expired", "signInUrl": there }))
    }

    /// The login host's address that renews and comes back to `return_to`.
    fn login_host_refresh_url(&self, login: &Origin, return_to: &str) -> String {
        let route = format!("{}{}/renew", login.as_str(), self.config().base_path);
        with_parameters(&route, &[("callbackUrl", return_to)])
    }

    /// `GET /renew` on the login host: renews the access token where it has to be, and goes to the return address. It
    /// goes there only with a token that lives; otherwise the person signs in again, or is asked to wait.
    ///
    /// It needs no csrf token: whoever makes a browser go there renews what the next request would renew anyway.
    pub(crate) async fn refresh_at_login_host(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let sign_in = || Response::redirect(self.sign_in_page(form.return_to.as_str()));
        let (response, cookies) = match self.session() {
            SessionCookie::Valid(session) if session.error().is_none() => {
                match self.fresh_session(session).await {
                    Ok(fresh) if self.has_valid_token(&fresh.session) => {
                        let cookies = fresh.cookies(self);
                        let cookies = self.cookies_still_valid(Some(&fresh.session), cookies).await;
                        (Response::redirect(form.return_to.as_str()), cookies)
                    }
                    Err(RefreshError::Unavailable(retry)) => (responses::no_token(retry), Vec::new()),
                    Err(RefreshError::Ended(ended)) => (sign_in(), ended.cookies(self)),
                    Ok(_) | Err(RefreshError::SignedOut | RefreshError::OnlyAtLoginHost(_)) => {
                        (sign_in(), Vec::new())
                    }
                }
            }
            _ => (sign_in(), Vec::new()),
        };
        Ok(with_cookies(with_cookies(response, cookies), form.cookies).uncached())
    }

    fn has_valid_token(&self, session: &Session) -> bool {
        session.token_expires_at().is_none_or(|at| at > self.platform.now())
    }
}

/// A page in few characters: it is compared with itself only.
fn fingerprint(address: &str) -> String {
    let mut mark = base64url::encode(&Sha256::digest(address));
    mark.truncate(10);
    mark
}
