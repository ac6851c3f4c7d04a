//! `GET /session`: the part of the session that a page may see. `GET /token`: the access token, if the session shows it.

use serde_json::{Map, Value, json};

use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, Need, RefreshError};
use crate::flow::responses::{self, with_cookies};
use crate::flow::session::tokens::TokensError;
use crate::flow::session::tokens_hidden::{is_from_token, without_tokens};
use crate::hooks::DefaultSession;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::status::RevocationUnavailable;
use crate::session::claims::Session;
use crate::session::cookie::{self, SessionCookie};
use crate::session::dialect::Dialect;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// `GET /session`: the session as the page sees it, or an empty answer if no one is signed in.
    pub(crate) async fn show_session(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let Ok(cookie) = self.live_session().await else { return Ok(revocation_unavailable()) };
        let answer = match cookie {
            SessionCookie::Valid(session) => {
                match self.current_session(session.clone(), self.need_of_page()).await {
                    Ok(fresh) | Err(RefreshError::Ended(fresh) | RefreshError::Expired(fresh)) => {
                        let cookies = fresh.cookies(self);
                        self.shown(&fresh.session, cookies).await?
                    }
                    // Without the token rather than with an error: Auth.js's client would show the user as signed out.
                    Err(
                        RefreshError::Unavailable(_)
                        | RefreshError::OnlyAtLoginHost(_)
                        | RefreshError::NotConfirmed(_),
                    ) => self.shown(&session.without_access_token(), Vec::new()).await?,
                    Err(RefreshError::SignedOut) => self.no_session(SessionCookie::Absent),
                }
            }
            other => self.no_session(other),
        };
        Ok(with_cookies(answer.uncached(), form.cookies))
    }

    /// The session, confirmed by its provider if that is due, and with a token that has not expired if that is needed. One that
    /// has ended stays as it is.
    pub(super) async fn current_session(
        &self,
        session: Session,
        need: Need,
    ) -> Result<FreshSession, RefreshError> {
        if session.error().is_some() {
            return Ok(FreshSession::unchanged(session));
        }
        self.fresh_session(session, need).await
    }

    /// If the page sees the access token, an expired one is refreshed first.
    fn need_of_page(&self) -> Need {
        if self.shows_token() { Need::AccessToken } else { Need::User }
    }

    /// Whether the page sees the access token, or its expiry.
    fn shows_token(&self) -> bool {
        self.config().session.exposes_token() && self.may_see_tokens()
    }

    async fn shown(&self, session: &Session, cookies: Vec<SetCookie>) -> Result<Response, Error> {
        let unchanged = session.expires_at().filter(|_| cookies.is_empty());
        let expires = unchanged.unwrap_or_else(|| self.expiry_if_sealed_now(session));
        let session = &self.with_shown_tokens(session).await;
        let answer = Response::json(200, &self.view(session, expires)?);
        Ok(with_cookies(answer, self.cookies_still_valid(Some(session), cookies).await))
    }

    /// The session with those of its tokens that the page sees. If they are unavailable, it is shown without them rather than
    /// with an error: Auth.js's client would show the user as signed out.
    pub(super) async fn with_shown_tokens(&self, session: &Session) -> Session {
        let mut exposed = self.config().session.expose.iter().map(|(_, from)| from.root());
        if !self.may_see_tokens() || !exposed.any(|claim| session.lacks(claim)) {
            return session.clone();
        }
        match self.with_tokens(session).await {
            Ok(session) => session,
            Err(TokensError::Unavailable(_)) => session.without_entry(),
            Err(TokensError::Lost) => session.without_entry().with_token_expired(),
        }
    }

    /// `GET /token`: the access token for a script of the page, if `session.expose` shows it.
    ///
    /// A page of another origin can neither send this request nor read the answer, unless it is in `token_origins`: the
    /// browser sets `Sec-Fetch-Site`, and the custom header needs a CORS preflight, which is not granted.
    pub(crate) async fn show_token(&self) -> Result<Response, Error> {
        let headers = &self.request.headers;
        if !self.config().session.expose.iter().any(|(_, from)| from.root() == "access_token") {
            let message = "session.expose does not include the access token";
            return Err(ClientError::UnsupportedAction(message).into());
        }
        let is_same_origin = headers.get("sec-fetch-site") == Some("same-origin");
        if !(is_same_origin || self.is_from_token_origin()) || headers.get("x-vestibule-token") != Some("1") {
            return Ok(responses::forbidden().uncached());
        }
        let signed_out = || Response::json(401, &json!({ "error": "unauthorized" }));
        let Ok(cookie) = self.live_session().await else { return Ok(revocation_unavailable()) };
        let (answer, cookies) = match cookie {
            SessionCookie::Valid(session) if session.error().is_none() => {
                match self.fresh_session(session, Need::AccessToken).await {
                    Ok(fresh) => {
                        let cookies = fresh.cookies(self);
                        let session = match self.with_tokens(&fresh.session).await {
                            Ok(session) => session,
                            Err(TokensError::Unavailable(retry)) => {
                                return Ok(responses::token_unavailable(retry).uncached());
                            }
                            Err(TokensError::Lost) => {
                                return Ok(self.token_expired(&self.token_return_address()).uncached());
                            }
                        };
                        let session = &session;
                        let mut token = Map::new();
                        let expires_at = session.token_expires_at().map(Timestamp::seconds);
                        token.insert("access_token".to_owned(), session.access_token().into());
                        token.insert("expires_at".to_owned(), expires_at.into());
                        if self.bound_token(session).is_some() {
                            // The page does not have the key, and is to know why the token does not work.
                            token.insert("token_type".to_owned(), "DPoP".into());
                        }
                        let cookies = self.cookies_still_valid(Some(session), cookies).await;
                        (Response::json(200, &Value::Object(token)), cookies)
                    }
                    Err(RefreshError::Unavailable(retry)) => {
                        (responses::token_unavailable(retry), Vec::new())
                    }
                    Err(RefreshError::OnlyAtLoginHost(_)) => {
                        (self.token_expired(&self.token_return_address()), Vec::new())
                    }
                    Err(RefreshError::Expired(fresh)) => {
                        let cookies = fresh.cookies(self);
                        let cookies = self.cookies_still_valid(Some(&fresh.session), cookies).await;
                        (self.token_expired(&self.token_return_address()), cookies)
                    }
                    Err(RefreshError::NotConfirmed(_)) => {
                        let sign_in = self.sign_in_page(&self.token_return_address());
                        (responses::unauthorized(&sign_in), Vec::new())
                    }
                    Err(RefreshError::Ended(ended)) => (signed_out(), ended.cookies(self)),
                    Err(RefreshError::SignedOut) => (signed_out(), Vec::new()),
                }
            }
            _ => (signed_out(), Vec::new()),
        };
        Ok(with_cookies(answer, cookies).uncached())
    }

    /// Where a user comes back to with a new token: the page, or else the start page.
    fn token_return_address(&self) -> String {
        self.page().map_or_else(|| self.origin.as_str().to_owned(), |page| page.as_str().to_owned())
    }

    /// The answer when no one is signed in. It also removes a session cookie that is not valid.
    pub(crate) fn no_session(&self, cookie: SessionCookie) -> Response {
        let answer = match self.config().dialect {
            Dialect::AuthJsV5 => Response::json(200, &Value::Null),
            // v5's client takes `{}` for a signed-in user, and v4's client cannot read `null`.
            Dialect::NextAuthV4 => Response::json(200, &json!({})),
        };
        if let SessionCookie::Invalid(reason) = cookie {
            self.log(Record::new(LogEvent::SessionCookieInvalid, reason));
        }
        // An absent session may have left cookies, too: chunks without the first one.
        with_cookies(answer, self.erased_session())
    }

    /// The session as the page sees it: name, e-mail address, image, expiry and the values of `session.expose`. The hooks
    /// may change it. Where the page may not see tokens, the hooks do not see them either. Nobody sees a token that has
    /// expired for good; a page that would see it learns so from `error`.
    pub(super) fn view(&self, session: &Session, expires: Timestamp) -> Result<Value, Error> {
        let config = self.config();
        let session = match (self.has_dead_token(session), self.shows_token()) {
            (true, true) => &session.with_token_expired(),
            (true, false) => &session.without_access_token(),
            (false, _) => session,
        };
        let hides_tokens = !self.may_see_tokens();
        let session = if hides_tokens { &without_tokens(session, config) } else { session };
        let mut user = Map::new();
        for (name, value) in
            [("name", session.name()), ("email", session.email()), ("image", session.picture())]
        {
            if let Some(value) = value {
                user.insert(name.to_owned(), value.clone());
            }
        }
        let mut view = Map::new();
        view.insert("user".to_owned(), Value::Object(user));
        view.insert("expires".to_owned(), expires.to_rfc3339().into());
        if let Some(error) = session.error() {
            view.insert("error".to_owned(), error.into());
        }
        for (to, from) in &config.session.expose {
            if hides_tokens && is_from_token(from) {
                continue;
            }
            if let Some(value) = from.lookup(session.claims()) {
                to.place(&mut view, value.clone());
            }
        }
        self.vestibule
            .hooks
            .session(session, DefaultSession(view))
            .map_err(|cause| hook_session_error(&cause))
    }

    /// When the session would expire if it were sealed now.
    pub(super) fn expiry_if_sealed_now(&self, session: &Session) -> Timestamp {
        self.now.plus(cookie::lifetime(&self.config().session, session, self.now))
    }
}

/// 503: it is unknown whether the session was revoked, and the configuration lets no session pass then.
pub(crate) fn revocation_unavailable() -> Response {
    responses::token_unavailable(RevocationUnavailable::RETRY_AFTER).uncached()
}

pub(super) fn hook_session_error(cause: &serde_json::Error) -> Error {
    Error::Configuration(format!("the session that a hook returned cannot be written as JSON: {cause}"))
}
