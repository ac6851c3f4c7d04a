//! `POST /session`: a page updates the claims that the configuration lets it update.

use std::time::Duration;

use serde_json::Value;

use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::refresh::{FreshSession, Need, RefreshError};
use crate::flow::responses::{token_unavailable, with_cookies};
use crate::flow::session::show::{hook_session_error, revocation_unavailable};
use crate::hooks::TokenOccasion;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::json;

/// How long an update waits for another request or process that refreshes the session.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How often it looks whether that is done.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// When the page may send an update again that was not stored.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl<P: Platform> RequestContext<'_, P> {
    /// Sets the claims in `session.updatable` to the values that a page of this site sends, and answers the updated
    /// session.
    pub(crate) async fn update_session(&self, query: &Params, update: Update) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        form.csrf.verify(update.csrf_token.as_ref().and_then(Value::as_str)).map_err(ClientError::from)?;
        let Ok(cookie) = self.live_session().await else { return Ok(revocation_unavailable()) };
        let answer = match cookie {
            // The update writes the cookie, and so renews the session.
            SessionCookie::Valid(_) if !self.may_renew() => revocation_unavailable(),
            SessionCookie::Valid(session) => {
                // The newest tokens first: otherwise the new cookie would replace them with older ones.
                let (session, has_token) = match self.newest_session(&session).await {
                    Ok(fresh) if fresh.is_overtaken() => {
                        return Ok(with_cookies(token_unavailable(RETRY_AFTER), form.cookies));
                    }
                    Ok(fresh) | Err(RefreshError::Expired(fresh)) => (fresh.session, true),
                    Err(RefreshError::Ended(ended)) if ended.has_changed() => (ended.session, true),
                    // The provider may know the user no more. A cookie that is as good as new would keep it from being asked.
                    Err(RefreshError::Ended(_)) if self.is_confirmation_due(&session) => {
                        return Ok(with_cookies(token_unavailable(RETRY_AFTER), form.cookies));
                    }
                    Err(
                        RefreshError::Ended(_)
                        | RefreshError::Unavailable(_)
                        | RefreshError::OnlyAtLoginHost(_)
                        | RefreshError::NotConfirmed(_),
                    ) => (session, false),
                    Err(RefreshError::SignedOut) => {
                        return Ok(with_cookies(self.no_session(SessionCookie::Absent), form.cookies));
                    }
                };
                let session = self.updated(&session, &update.data).await?;
                let lifetime = self.lifetime_after_update(&session);
                let cookies =
                    self.session_cookies_for(&session, lifetime).map_err(|_| ClientError::UpdateTooLarge)?;
                let cookies = self.cookies_unless_signed_out(Some(&session), cookies).await;
                if cookies.is_empty() {
                    // Nothing is stored: the browser has newer cookies, or will have.
                    return Ok(with_cookies(token_unavailable(RETRY_AFTER), form.cookies));
                }
                let expires = self.expiry_if_sealed_now(&session).min(self.now.plus(lifetime));
                // An expired token stays in the cookie until it is refreshed, but the page does not get it.
                let visible = if has_token {
                    self.with_shown_tokens(&session).await
                } else {
                    session.without_entry().without_access_token()
                };
                with_cookies(Response::json(200, &self.view(&visible, expires)?), cookies)
            }
            other => self.no_session(other),
        };
        Ok(with_cookies(answer, form.cookies))
    }

    /// The session with the newest tokens, also if the page does not see them. Waits while another request or process
    /// refreshes it: its answer, which may come first, has newer tokens than an update of this session would keep.
    async fn newest_session(&self, session: &Session) -> Result<FreshSession, RefreshError> {
        let deadline = self.platform.now().plus(MAX_WAIT);
        loop {
            let fresh = self.current_session(session.clone(), Need::Update).await?;
            if !fresh.is_overtaken() || self.platform.now() >= deadline {
                return Ok(fresh);
            }
            self.platform.sleep(POLL_INTERVAL).await;
        }
    }

    /// How long a session lasts at most that a page has changed. If its provider has not confirmed the user for long, it gets no
    /// later end, as with a renewal.
    fn lifetime_after_update(&self, session: &Session) -> Duration {
        let max_age = self.config().session.max_age;
        match session.expires_at() {
            Some(end) if !self.was_confirmed(session) => end.since(self.now).min(max_age),
            _ => max_age,
        }
    }

    async fn updated(&self, session: &Session, data: &Value) -> Result<Session, Error> {
        let mut claims = session.claims().clone();
        for claim in &self.config().session.updatable {
            // A page knows the names of `GET /session`: `image` for `picture`, and values below `user`.
            let name = if claim == "picture" { "image" } else { claim };
            if let Some(value) = data.get(name).or_else(|| data.get("user")?.get(name)) {
                claims.insert(claim.clone(), value.clone());
                if claim == "email" {
                    // What the provider verified is another address.
                    claims.insert("email_verified".to_owned(), Value::Bool(false));
                }
            }
        }
        let hooks = &self.vestibule.hooks;
        hooks
            .token(&mut claims, TokenOccasion::Update(data))
            .await
            .map_err(|cause| hook_session_error(&cause))?;
        Ok(Session::new(claims))
    }
}

/// The body of an update, as Auth.js's client sends it.
#[derive(Default)]
pub(crate) struct Update {
    csrf_token: Option<Value>,
    data: Value,
}

impl Update {
    /// `None` if the body is not a JSON object, or repeats a name.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut members = json::unambiguous_object(body)?;
        Some(Self {
            csrf_token: members.remove("csrfToken"),
            data: members.remove("data").unwrap_or_default(),
        })
    }
}
