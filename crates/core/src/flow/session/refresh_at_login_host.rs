//! A refresh at the login host: the access token has expired on a host whose deployment does not have the provider's
//! configuration, but the login host's deployment has. A navigation is redirected to the login host and back, once for
//! each page; a script gets 401 with the address.
//!
//! The hosts share only the secret and the cookie's domain. So the browser carries the session to the login host, and the
//! refreshed session back.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::refresh::{Need, RefreshError};
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::show::revocation_unavailable;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::base64url;

/// How long to wait before a page is sent to the login host again, if it came back without a valid token.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// How many pages may be at the login host at the same time, because a browser may open all its tabs at once. More are
/// taken for a redirect loop.
const MAX_PAGES: usize = 8;

impl<P: Platform> RequestContext<'_, P> {
    /// The response to a request that needs a token from the login host.
    pub(crate) fn redirect_to_refresh(&self, login: &Origin) -> Response {
        let request = self.request;
        let address = self.address();
        // The user may never look at a prefetched page.
        if request.is_prefetch() {
            return responses::token_unavailable(Duration::from_secs(1));
        }
        if !request.is_navigation() {
            return self
                .token_expired(login, &self.return_address())
                .with("www-authenticate", "Bearer error=\"invalid_token\"")
                .with("cache-control", "private, no-store");
        }
        // A redirect would lose the body of a form.
        if request.method == Method::Post {
            return responses::token_unavailable(Duration::from_secs(1));
        }
        let name = self.names.renewal();
        // All cookies of the name count: one that another app has set must not hide the pages, or the browser would be
        // redirected again and again.
        let sent: Vec<&str> = self.cookies.get_all(name).flat_map(|pages| pages.split('.')).collect();
        let page = fingerprint(&address);
        if sent.contains(&page.as_str()) || sent.len() >= MAX_PAGES {
            let message = format_args!(
                "{} sent the browser back without a valid access token: see its log, and check that both hosts have \
                 the same AUTH_SECRET and cookies.domain",
                login.as_str()
            );
            self.log(Record::new(LogEvent::TokenNotRefreshed, message));
            return responses::token_unavailable(RETRY_AFTER);
        }
        let sent = sent.into_iter().chain([page.as_str()]).collect::<Vec<_>>().join(".");
        let cookie = SetCookie::new(name, &sent).max_age(RETRY_AFTER);
        with_cookies(Response::redirect(self.login_host_refresh_url(login, &address)), vec![cookie])
    }

    /// The cookie that clears the list of pages that were sent to the login host. It is set when the token is valid again.
    pub(crate) fn clear_refresh_marker(&self) -> Option<SetCookie> {
        let name = self.names.renewal();
        self.cookies.get(name).map(|_| SetCookie::expired(name))
    }

    /// 401 for a script: a user who opens `signInUrl` gets a token and comes back to `return_to`.
    pub(crate) fn token_expired(&self, login: &Origin, return_to: &str) -> Response {
        let there = self.login_host_refresh_url(login, return_to);
        Response::json(401, &json!({ "error": "token_expired", "signInUrl": there }))
    }

    /// The address of `GET /renew` on the login host, with the return address.
    fn login_host_refresh_url(&self, login: &Origin, return_to: &str) -> String {
        let route = format!("{}{}/renew", login.as_str(), self.config().base_path);
        with_parameters(&route, &[("callbackUrl", return_to)])
    }

    /// `GET /renew` on the login host: refreshes the access token if necessary, and redirects to the return address. It
    /// redirects there only with a valid token; otherwise the user signs in again, or gets 503 with `Retry-After`.
    ///
    /// It needs no CSRF token: a page of another site that sends the browser here causes a refresh, but not two in a
    /// minute.
    pub(crate) async fn refresh_at_login_host(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let sign_in = || Response::redirect(self.sign_in_page(form.return_to.as_str()));
        let Ok(cookie) = self.live_session().await else { return Ok(revocation_unavailable()) };
        let (response, cookies) = match cookie {
            SessionCookie::Valid(session) if session.error().is_none() => {
                match self.fresh_session(session, Need::Confirmation).await {
                    Ok(fresh) if self.has_valid_token(&fresh.session) => {
                        let cookies = fresh.cookies(self);
                        let cookies = self.cookies_unless_signed_out(Some(&fresh.session), cookies).await;
                        (Response::redirect(form.return_to.as_str()), cookies)
                    }
                    Err(RefreshError::Unavailable(retry) | RefreshError::NotConfirmed(Some(retry))) => {
                        (responses::token_unavailable(retry), Vec::new())
                    }
                    Err(RefreshError::Ended(ended)) => (sign_in(), ended.cookies(self)),
                    Ok(_)
                    | Err(
                        RefreshError::SignedOut
                        | RefreshError::OnlyAtLoginHost(_)
                        | RefreshError::NotConfirmed(None),
                    ) => (sign_in(), Vec::new()),
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

/// A short hash of a page's address. It is short because the cookie holds several. A collision only causes a 503.
fn fingerprint(address: &str) -> String {
    let mut hash = base64url::encode(&Sha256::digest(address));
    hash.truncate(10);
    hash
}
