//! `POST /signout`: ends the session, in every browser that has a copy of it, and at the provider if the configuration
//! says so.

use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::hooks::Event;
use crate::log::LogEvent;
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

impl<P: Platform> RequestContext<'_, P> {
    /// Ends the session, or with `everywhere` all sessions of its user, in every browser; erases it in this one; and then
    /// redirects to the return address, or first to the provider's logout endpoint.
    pub(crate) async fn sign_out(&self, query: &Params, body: &Params) -> Result<Response, ClientError> {
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;
        let mut next = form.return_to.as_str().to_owned();
        let mut cookies = Vec::new();
        let mut is_complete = true;
        // A copy of a session that has ended may not end others, and its end need not be stored again.
        if let Some(session) = self.session_to_end().await {
            // Before its end deletes them.
            let session = self.with_newest_tokens(session).await;
            let session = self.with_tokens(&session).await.unwrap_or(session);
            if self.is_preview_host() {
                next = self.sign_out_at_login_host(&session, next);
            } else if let Some(provider) = session.provider()
                && let Some(logout) = self.provider_logout(provider, Some(&session), &form.return_to).await
            {
                next = logout.url;
                cookies.push(logout.cookie);
            }
            let everywhere = body.one("everywhere")? == Some("true");
            is_complete = self.end_session(&session, everywhere).await;
            self.revoke_refresh_token_of(&session);
            let message = match (everywhere, is_complete) {
                (false, true) => "a user signed out",
                (true, true) => "a user signed out everywhere",
                (_, false) => {
                    "a user signed out, and it could not be stored, so copies of the session may pass"
                }
            };
            self.audit(LogEvent::SignedOut, &session, message);
            self.vestibule.hooks.event(&Event::SignedOut { session: &session });
        }
        let answer = if is_complete {
            Response::redirect(next)
        } else {
            self.sign_out_incomplete(body, &next, &form.return_to)
        };
        cookies.extend(form.cookies);
        cookies.extend(self.erased_session());
        cookies.extend(self.forget_last_user());
        cookies.extend(self.mark_signed_out());
        Ok(with_cookies(answer, cookies))
    }

    /// The session of the request, unless it is known to have ended.
    async fn session_to_end(&self) -> Option<Session> {
        let SessionCookie::Valid(session) = self.session() else { return None };
        (self.revocation_status(&session).await != RevocationStatus::Revoked).then_some(session)
    }
}
