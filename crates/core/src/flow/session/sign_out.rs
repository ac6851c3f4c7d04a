//! `POST /signout`: ends the session, or the sessions, of the request, in every browser that has a copy, and at the provider
//! if the configuration says so.

use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::hooks::Event;
use crate::log::LogEvent;
use crate::platform::{Platform, join_all};
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::read;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

/// A session that a sign-out ends.
struct ToEnd {
    session: Session,
    /// Whether all sessions of its user end with it.
    everywhere: bool,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Ends the session, or with `everywhere` all sessions of its user, in every browser; erases it in this one; and then
    /// redirects to the return address, or first to the provider's logout endpoint.
    ///
    /// If the request has several sessions, all of them end: the browser loses them all, and their copies would pass.
    pub(crate) async fn sign_out(&self, query: &Params, body: &Params) -> Result<Response, ClientError> {
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;
        let everywhere = body.one("everywhere")? == Some("true");
        let to_end = self.sessions_to_end(everywhere).await;
        let mut next = form.return_to.as_str().to_owned();
        let mut cookies = Vec::new();
        if self.is_preview_host() {
            if let Some(ToEnd { session, .. }) = to_end.first() {
                next = self.sign_out_at_login_host(session, next);
            }
        } else {
            let sessions = to_end.iter().map(|ended| &ended.session);
            if let Some(logout) = self.first_provider_logout(sessions, &form.return_to).await {
                next = logout.url;
                cookies.push(logout.cookie);
            }
        }
        let ended = join_all(to_end.iter().map(|ended| self.end_signed_out(ended))).await;
        let answer = if ended.into_iter().all(|is_complete| is_complete) {
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

    /// The sessions of the request, each with its newest tokens, unless it is known to have ended: a copy of such a session may
    /// not end others, and its end need not be stored again. The one that counts is first.
    ///
    /// *Everywhere* is about the user who is signed in; if the request has sessions of several, so that no one is, about each.
    async fn sessions_to_end(&self, everywhere: bool) -> Vec<ToEnd> {
        let signed_in = match self.session() {
            SessionCookie::Valid(session) => Some(session),
            _ => None,
        };
        let live = join_all(self.all_sessions().into_iter().enumerate().map(|(at, session)| {
            let signed_in = signed_in.as_ref().filter(|_| at == 0);
            async move {
                let status = match signed_in {
                    Some(session) => self.revocation_status(session).await,
                    None => self.look_up(&session).await,
                };
                if status == RevocationStatus::Revoked {
                    return None;
                }
                // Before its end deletes them.
                let session = self.with_newest_tokens(session).await;
                Some(self.with_tokens(&session).await.unwrap_or(session))
            }
        }));
        let mut to_end: Vec<ToEnd> = Vec::new();
        for session in live.await.into_iter().flatten() {
            let is_of_user =
                signed_in.as_ref().is_none_or(|signed_in| read::is_same_user(signed_in, &session));
            // One fact about the user is enough.
            let is_first = !to_end.iter().any(|ended| read::is_same_user(&ended.session, &session));
            to_end.push(ToEnd { session, everywhere: everywhere && is_of_user && is_first });
        }
        to_end
    }

    /// Ends one of them. Returns whether every process learns of it.
    async fn end_signed_out(&self, ToEnd { session, everywhere }: &ToEnd) -> bool {
        let is_complete = self.end_session(session, *everywhere).await;
        self.revoke_refresh_token_of(session);
        let message = match (everywhere, is_complete) {
            (false, true) => "a user signed out",
            (true, true) => "a user signed out everywhere",
            (_, false) => "a user signed out, and it could not be stored, so copies of the session may pass",
        };
        self.audit(LogEvent::SignedOut, session, message);
        self.vestibule.hooks.event(&Event::SignedOut { session });
        is_complete
    }
}
