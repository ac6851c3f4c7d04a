//! A silent sign-in: the browser goes to the provider with `prompt=none` (OpenID Connect Core 1.0 section 3.1.2.1), and
//! comes back with new tokens for the same user, or with an error if the provider would have to ask. No page is shown.
//!
//! No form and no CSRF token begins it, so its result is only ever the session that the browser already has: the same
//! provider, the same subject, the same `sid`, and the time of the sign-in stays. Everything else ends at the sign-in
//! page, with the same return address.

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::signin::begin::Purpose;
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize::AuthorizationResponseError;

/// What a provider answers if it would have to ask the user (OpenID Connect Core 1.0 section 3.1.2.6).
const NEEDS_USER: [&str; 4] =
    ["login_required", "interaction_required", "consent_required", "account_selection_required"];

impl<P: Platform> RequestContext<'_, P> {
    /// The redirect to the session's provider, which confirms the user without asking; then the browser goes to
    /// `return_to`. Only for a request that a redirect can answer.
    ///
    /// `None` if it is not possible: the provider is not configured here, or does not speak OpenID Connect, or posts its
    /// response (the browser would send no session with it); this is not the login host; or the same page was sent to
    /// the provider within the last minute, which would be a redirect loop.
    pub(crate) async fn sign_in_silently(&self, session: &Session, return_to: &str) -> Option<Response> {
        if self.request.method != Method::Get || self.request.is_prefetch() || !self.signs_users_in() {
            return None;
        }
        let provider = self.provider(session.provider()?)?;
        let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
        if oauth.openid.is_none() || oauth.authorization.response_mode.is_posted() {
            return None;
        }
        let subject = session.subject().filter(|subject| !subject.is_empty())?;
        let return_to = self.return_policy().resolve(return_to)?;
        let marker = self.mark_renewal(return_to.as_str())?;
        let parameters = silent_parameters(&oauth.authorization.params, session);
        let purpose = Purpose::Silent { subject };
        let redirect = self.authorization_redirect(provider, oauth, &parameters, &return_to, purpose).await;
        self.marked_redirect(redirect, marker)
    }

    /// The session that a silent sign-in renews: the browser still has it, of this provider and this subject. Its user
    /// may have signed out meanwhile, in another tab or everywhere, or signed in as another user.
    pub(super) async fn session_to_confirm(&self, provider: &Provider, subject: &str) -> Option<Session> {
        match self.live_session().await {
            Ok(SessionCookie::Valid(session))
                if session.provider() == Some(provider.id.as_str()) && session.subject() == Some(subject) =>
            {
                Some(session)
            }
            _ => None,
        }
    }

    /// The answer to a silent sign-in that gave no session: the sign-in page.
    pub(super) fn sign_in_visibly(&self, transaction: &Transaction, error: Option<&Error>) -> Response {
        if let Some(error) = error.filter(|error| !needs_user(error)) {
            self.log(error.record());
        }
        Response::redirect(self.sign_in_page(&transaction.return_to))
    }
}

/// The parameters of the authorization request: the configured ones, without a question to the user, and with the
/// session's e-mail address as a hint for a browser that knows several users of this provider.
fn silent_parameters(configured: &[(String, String)], session: &Session) -> Vec<(String, String)> {
    let mut parameters: Vec<(String, String)> =
        configured.iter().filter(|(name, _)| name != "prompt").cloned().collect();
    parameters.push(("prompt".to_owned(), "none".to_owned()));
    let email = session.email().and_then(|email| email.as_str()).filter(|email| !email.is_empty());
    if let Some(email) = email
        && !configured.iter().any(|(name, _)| name == "login_hint")
    {
        parameters.push(("login_hint".to_owned(), email.to_owned()));
    }
    parameters
}

/// Whether the provider only says that it would have to ask the user.
fn needs_user(error: &Error) -> bool {
    match error {
        Error::Provider {
            cause: ProviderError::Authorization(AuthorizationResponseError::Error(response)),
            ..
        } => NEEDS_USER.contains(&response.error.as_str()),
        _ => false,
    }
}
