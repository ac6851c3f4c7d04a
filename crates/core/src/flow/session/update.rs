//! `POST /session`: the page changes what it may of the session.

use serde_json::Value;

use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::refresh::RefreshError;
use crate::flow::responses::with_cookies;
use crate::flow::session::show::hook_session_error;
use crate::hooks::TokenOccasion;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::json;

impl<P: Platform> RequestContext<'_, P> {
    /// Changes the claims that `session.updatable` names to what a page of this site sends, and answers the
    /// session as it is then.
    pub(crate) async fn update_session(&self, query: &Params, update: Update) -> Result<Response, Error> {
        let form = self.form_context(query, None)?;
        form.csrf.verify(update.csrf_token.as_ref().and_then(Value::as_str)).map_err(ClientError::from)?;
        let answer = match self.session() {
            SessionCookie::Valid(session) => {
                // With the newest tokens, or this cookie would put older ones in their place.
                let (session, has_token) = match self.current_session(session.clone()).await {
                    Ok(fresh) => (fresh.session, true),
                    Err(RefreshError::Ended(over)) if over.has_changed() => (over.session, true),
                    Err(
                        RefreshError::Ended(_)
                        | RefreshError::Unavailable(_)
                        | RefreshError::OnlyAtLoginHost(_),
                    ) => (session, false),
                    Err(RefreshError::SignedOut) => {
                        return Ok(with_cookies(self.no_session(SessionCookie::Absent), form.cookies));
                    }
                };
                let session = self.updated(&session, &update.data).await?;
                let cookies = self.session_cookies(&session).map_err(|_| ClientError::UpdateTooLarge)?;
                let expires = self.end_if_sealed_now(&session);
                // A token that has ended stays for its renewal, and is none for the page.
                let seen = if has_token { session } else { session.without_access_token() };
                with_cookies(Response::json(200, &self.view(&seen, expires)?), cookies)
            }
            other => self.no_session(other),
        };
        Ok(with_cookies(answer, form.cookies))
    }

    async fn updated(&self, session: &Session, data: &Value) -> Result<Session, Error> {
        let mut claims = session.claims().clone();
        for claim in &self.config().session.updatable {
            // The page knows the session as it is shown to it: below `user`, and the picture as the image.
            let shown = if claim == "picture" { "image" } else { claim };
            if let Some(value) = data.get(shown).or_else(|| data.get("user")?.get(shown)) {
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
    /// `None` where the body is no object, or an ambiguous one.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut members = json::unambiguous_object(body)?;
        Some(Self {
            csrf_token: members.remove("csrfToken"),
            data: members.remove("data").unwrap_or_default(),
        })
    }
}
