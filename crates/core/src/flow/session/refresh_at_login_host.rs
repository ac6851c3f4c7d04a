//! A refresh at the login host: the access token has expired on a host whose deployment does not have the provider's
//! configuration, but the login host's deployment has. A navigation is redirected to the login host and back, once for
//! each page; a script gets 401 with the address.
//!
//! The hosts share only the secret and the cookie's domain. So the browser carries the session to the login host, and the
//! refreshed session back.

use std::time::Duration;

use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, Need, RefreshError};
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::renewal_marker::RETRY_AFTER;
use crate::flow::session::show::revocation_unavailable;
use crate::flow::session::tokens::TokensError;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::origin::Origin;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

/// What another host's request for a session comes to.
pub(crate) enum SessionForHost {
    /// The session, and the cookies that update it on this host.
    Found(FreshSession, Vec<SetCookie>),
    /// The answer to the browser, with these cookies.
    Answer(Response, Vec<SetCookie>),
}

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
            return self.token_expired(&self.return_address());
        }
        // A redirect would lose the body of a form.
        if request.method == Method::Post {
            return responses::token_unavailable(Duration::from_secs(1));
        }
        let Some(marker) = self.mark_renewal(&address) else {
            let login = login.as_str();
            let message = format_args!(
                "{login} sent the browser back without a valid access token: see its log, and check that both hosts have \
                 the same AUTH_SECRET and cookies.domain"
            );
            self.log(Record::new(LogEvent::TokenNotRefreshed, message));
            return responses::token_unavailable(RETRY_AFTER);
        };
        with_cookies(Response::redirect(self.renewal_url(login, &address)), vec![marker])
    }

    /// `GET /renew` on the login host: refreshes the access token if necessary, and redirects to the return address. It
    /// redirects there only with a valid token; otherwise the user signs in again, first silently, or gets 503 with
    /// `Retry-After`.
    ///
    /// It needs no CSRF token: a page of another site that sends the browser here causes a refresh, but not two in a
    /// minute.
    pub(crate) async fn refresh_at_login_host(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let return_to = form.return_to.as_str();
        let (response, cookies) = match self.session_for_host(Need::Confirmation, return_to).await {
            SessionForHost::Found(_, cookies) => (Response::redirect(return_to), cookies),
            SessionForHost::Answer(response, cookies) => (response, cookies),
        };
        Ok(with_cookies(with_cookies(response, cookies), form.cookies).uncached())
    }

    /// The session for another host, with what that host needs of it; or the answer to the browser, from which it comes to
    /// `return_to` with such a session, if it can.
    pub(crate) async fn session_for_host(&self, need: Need, return_to: &str) -> SessionForHost {
        let sign_in = || Response::redirect(self.sign_in_page(return_to));
        let answer = SessionForHost::Answer;
        let session = match self.live_session().await {
            Ok(SessionCookie::Valid(session)) if session.error().is_none() && session.names_user() => session,
            Ok(_) => return answer(sign_in(), Vec::new()),
            Err(_) => return answer(revocation_unavailable(), Vec::new()),
        };
        match self.fresh_session(session.clone(), need).await {
            Ok(fresh) => {
                let cookies = fresh.cookies(self);
                let cookies = self.cookies_unless_signed_out(Some(&fresh.session), cookies).await;
                let with_tokens = match need {
                    Need::AccessToken => self.with_tokens(&fresh.session).await,
                    Need::User | Need::Update | Need::Confirmation => Ok(fresh.session.clone()),
                };
                match with_tokens {
                    Ok(session) => SessionForHost::Found(fresh.with_session(session), cookies),
                    Err(TokensError::Unavailable(retry)) => {
                        answer(responses::token_unavailable(retry), cookies)
                    }
                    Err(TokensError::Lost) => {
                        let silently = self.sign_in_silently(&fresh.session, return_to);
                        answer(Box::pin(silently).await.unwrap_or_else(sign_in), cookies)
                    }
                }
            }
            Err(RefreshError::Unavailable(retry) | RefreshError::NotConfirmed(Some(retry))) => {
                answer(responses::token_unavailable(retry), Vec::new())
            }
            Err(RefreshError::Ended(ended)) => answer(sign_in(), ended.cookies(self)),
            Err(RefreshError::Expired(fresh)) => {
                let silently = self.sign_in_silently(&fresh.session, return_to);
                answer(Box::pin(silently).await.unwrap_or_else(sign_in), fresh.cookies(self))
            }
            Err(RefreshError::NotConfirmed(None)) => {
                let silently = self.sign_in_silently(&session, return_to);
                answer(Box::pin(silently).await.unwrap_or_else(sign_in), Vec::new())
            }
            Err(RefreshError::SignedOut | RefreshError::OnlyAtLoginHost(_)) => answer(sign_in(), Vec::new()),
        }
    }
}
