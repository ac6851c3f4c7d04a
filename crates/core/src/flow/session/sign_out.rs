//! `POST /signout`: ends the session, in every browser that has a copy of it, and at the provider if the configuration
//! says so.

use crate::config::ProviderKind;
use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::hooks::Event;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::Platform;
use crate::revocation::status::RevocationStatus;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::oauth::logout;

impl<P: Platform> RequestContext<'_, P> {
    /// Ends the session, or with `everywhere` all sessions of its user, in every browser; erases it in this one; and
    /// redirects to the return address, or first to the provider's logout endpoint.
    pub(crate) async fn sign_out(&self, query: &Params, body: &Params) -> Result<Response, ClientError> {
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;
        let mut next = form.return_to.as_str().to_owned();
        let mut is_complete = true;
        // A copy of a session that has ended may not end others, and its end need not be stored again.
        if let Some(session) = self.session_to_end().await {
            // Before its end deletes them.
            let session = self.with_tokens(&session).await.unwrap_or(session);
            // Providers know addresses of the site's own hosts, and not each preview.
            let home = TrustedUrl::clone(&form.return_to);
            let home = if self.is_preview_host() { self.login_home() } else { home };
            if let Some(url) = self.provider_logout_url(&session, &home).await {
                next = url;
            }
            if self.is_preview_host() {
                next = self.sign_out_at_login_host(&session, next);
            }
            let everywhere = body.one("everywhere")? == Some("true");
            is_complete = self.end_session(&session, everywhere).await;
            self.revoke_refresh_token_of(&session);
            self.vestibule.hooks.event(&Event::SignedOut { session: &session });
        }
        let answer =
            if is_complete { Response::redirect(next) } else { self.sign_out_incomplete(body, &next) };
        let mut cookies = form.cookies;
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

    /// Whether signing out of this session goes on to the provider's logout.
    pub(crate) fn has_provider_logout(&self, session: &Session) -> bool {
        let provider = session.provider().and_then(|id| self.provider(id));
        provider.is_some_and(|it| matches!(&it.kind, ProviderKind::OAuth(oauth) if oauth.logout.is_some()))
    }

    /// The URL that ends the provider's own session (OpenID Connect RP-Initiated Logout 1.0); `None` if the configuration
    /// has no logout. A provider whose endpoint is unknown does not prevent the sign-out here.
    async fn provider_logout_url(&self, session: &Session, return_to: &TrustedUrl) -> Option<String> {
        let provider = self.provider(session.provider()?)?;
        let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
        let logout = oauth.logout.as_ref()?;
        let metadata;
        let endpoint = if let Some(endpoint) = &logout.endpoint {
            endpoint
        } else {
            metadata = match self.metadata(provider, oauth).await {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.log(error.record_as(LogEvent::ProviderLogoutFailed));
                    return None;
                }
            };
            let Some(endpoint) = metadata.end_session_endpoint() else {
                let id = &provider.id;
                let message = format_args!(
                    "provider {id} publishes no end_session_endpoint: set `logout` to the URL of its logout endpoint"
                );
                let record = Record::new(LogEvent::ProviderLogoutFailed, message).provider(id);
                self.log(record.caused_by(ErrorSource::Configuration));
                return None;
            };
            endpoint
        };
        Some(logout::url(endpoint, &oauth.client.id, &logout.redirect_param, return_to.as_str()))
    }
}
