//! `GET /session`: what the page may know of the session. `GET /token`: its access token, where that is shown anyway.

use serde_json::{Map, Value, json};

use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, RefreshError};
use crate::flow::responses::{self, with_cookies};
use crate::hooks::DefaultSession;
use crate::platform::{Level, Platform};
use crate::session::claims::Session;
use crate::session::cookie::{self, SessionCookie};
use crate::session::dialect::Dialect;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Answers the session, or that there is none.
    pub(crate) async fn show_session(&self, query: &Params) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        let answer = match self.session() {
            SessionCookie::Valid(session) => match self.current_session(session.clone()).await {
                Ok(fresh) | Err(RefreshError::Ended(fresh)) => {
                    let cookies = fresh.cookies(self);
                    self.shown(&fresh.session, cookies).await?
                }
                // A page that got no answer would think nobody signed in.
                Err(RefreshError::Unavailable(_) | RefreshError::OnlyAtLoginHost(_)) => {
                    self.shown(&session.without_access_token(), Vec::new()).await?
                }
                Err(RefreshError::SignedOut) => self.no_session(SessionCookie::Absent),
            },
            other => self.no_session(other),
        };
        Ok(with_cookies(answer.uncached(), form.cookies))
    }

    /// The session, with an access token that lives where a page may see it.
    pub(super) async fn current_session(&self, session: Session) -> Result<FreshSession, RefreshError> {
        if session.error().is_some() || !self.config().session.exposes_token() {
            return Ok(FreshSession::unchanged(session));
        }
        self.fresh_session(session).await
    }

    async fn shown(&self, session: &Session, cookies: Vec<SetCookie>) -> Result<Response, Error> {
        let is_due = session.needs_update(self.config().session.update_age, self.now);
        let kept = session.expires_at().filter(|_| !is_due && cookies.is_empty());
        let expires = kept.unwrap_or_else(|| self.end_if_sealed_now(session));
        let answer = Response::json(200, &self.view(session, expires)?);
        Ok(with_cookies(answer, self.cookies_still_valid(Some(session), cookies).await))
    }

    /// `GET /token`: the access token for a script of the page, where `session.expose` shows it anyway.
    ///
    /// A page of another site can neither read the answer nor make the request: `Sec-Fetch-Site` is the browser's
    /// word, and a header of one's own needs a preflight that nobody grants.
    pub(crate) async fn show_token(&self) -> Result<Response, Error> {
        let headers = &self.request.headers;
        if !self.config().session.expose.iter().any(|(_, from)| from.root() == "access_token") {
            let message = "session.expose does not show the access token";
            return Err(ClientError::UnsupportedAction(message).into());
        }
        if headers.get("sec-fetch-site") != Some("same-origin")
            || headers.get("x-vestibule-token") != Some("1")
        {
            return Ok(responses::forbidden().uncached());
        }
        let signed_out = || Response::json(401, &json!({ "error": "unauthorized" }));
        let (answer, cookies) = match self.session() {
            SessionCookie::Valid(session) if session.error().is_none() => {
                match self.fresh_session(session).await {
                    Ok(fresh) => {
                        let (session, cookies) = (&fresh.session, fresh.cookies(self));
                        let token = json!({
                            "access_token": session.access_token(),
                            "expires_at": session.token_expires_at().map(Timestamp::seconds),
                        });
                        let cookies = self.cookies_still_valid(Some(session), cookies).await;
                        (Response::json(200, &token), cookies)
                    }
                    Err(RefreshError::Unavailable(retry)) => (responses::no_token(retry), Vec::new()),
                    Err(RefreshError::OnlyAtLoginHost(login)) => {
                        (self.token_expired(&login, self.origin.as_str()), Vec::new())
                    }
                    Err(RefreshError::Ended(ended)) => (signed_out(), ended.cookies(self)),
                    Err(RefreshError::SignedOut) => (signed_out(), Vec::new()),
                }
            }
            _ => (signed_out(), Vec::new()),
        };
        Ok(with_cookies(answer, cookies).uncached())
    }

    /// Nobody is signed in; what only looks like a session is cleared away.
    pub(super) fn no_session(&self, presented: SessionCookie) -> Response {
        let answer = match self.config().dialect {
            Dialect::AuthJsV5 => Response::json(200, &Value::Null),
            // The client of v5 takes `{}` for somebody signed in, that of v4 cannot read `null`.
            Dialect::NextAuthV4 => Response::json(200, &json!({})),
        };
        if let SessionCookie::Invalid(reason) = presented {
            self.log(Level::Info, "session_refused", &reason);
        }
        // Also where nothing was read there may be cookies: chunks whose first one is lost.
        with_cookies(answer, self.erased_session())
    }

    /// What the page sees: name, e-mail and image, until when, what `session.expose` adds, and what the hooks
    /// make of it.
    pub(super) fn view(&self, session: &Session, expires: Timestamp) -> Result<Value, Error> {
        let config = self.config();
        let mut user = Map::new();
        for (shown, value) in
            [("name", session.name()), ("email", session.email()), ("image", session.picture())]
        {
            if let Some(value) = value {
                user.insert(shown.to_owned(), value.clone());
            }
        }
        let mut view = Map::new();
        view.insert("user".to_owned(), Value::Object(user));
        view.insert("expires".to_owned(), expires.to_rfc3339().into());
        if let Some(error) = session.error() {
            view.insert("error".to_owned(), error.into());
        }
        for (to, from) in &config.session.expose {
            if let Some(value) = from.lookup(session.claims()) {
                to.place(&mut view, value.clone());
            }
        }
        self.vestibule
            .hooks
            .session(session, DefaultSession(view))
            .map_err(|cause| hook_session_error(&cause))
    }

    pub(super) fn end_if_sealed_now(&self, session: &Session) -> Timestamp {
        self.now.plus(cookie::lifetime(&self.config().session, session, self.now))
    }
}

pub(super) fn hook_session_error(cause: &serde_json::Error) -> Error {
    Error::Configuration(format!("a hook's session cannot be written as JSON: {cause}"))
}
