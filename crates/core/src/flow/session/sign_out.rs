//! `POST /signout`: the session ends in this browser, and at the provider where the configuration wants that.

use crate::config::ProviderKind;
use crate::error::ClientError;
use crate::flow::RequestContext;
use crate::flow::responses::with_cookies;
use crate::hooks::Event;
use crate::log::{ErrorSource, LogEvent, Record};
use crate::platform::Platform;
use crate::session::claims::Session;
use crate::session::cookie::SessionCookie;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::oauth::logout;

impl<P: Platform> RequestContext<'_, P> {
    /// Erases the session and sends the browser to the return address, by way of the provider where people sign
    /// out there, too.
    pub(crate) async fn sign_out(&self, query: &Params, body: &Params) -> Result<Response, ClientError> {
        let form = self.form_context(query, Some(body))?;
        form.verify_csrf(body)?;
        let mut next = form.return_to.as_str().to_owned();
        if let SessionCookie::Valid(session) = self.session() {
            if let Some(url) = self.sign_out_at_provider(&session, &form.return_to).await {
                next = url;
            }
            self.record_sign_out(&session).await;
            self.vestibule.hooks.event(&Event::SignedOut { session: &session });
        }
        let erased = self.erased_session();
        Ok(with_cookies(with_cookies(Response::redirect(next), form.cookies), erased))
    }

    /// Where the provider's own session ends, where that is wanted. A provider that cannot be asked keeps nobody
    /// from signing out here.
    async fn sign_out_at_provider(&self, session: &Session, return_to: &TrustedUrl) -> Option<String> {
        let provider = self.provider(session.provider()?)?;
        let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
        let wanted = oauth.logout.as_ref()?;
        let published;
        let endpoint = if let Some(endpoint) = &wanted.endpoint {
            endpoint
        } else {
            published = match self.metadata(provider, oauth).await {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.log(error.record_as(LogEvent::ProviderLogoutFailed));
                    return None;
                }
            };
            let Some(endpoint) = published.end_session_endpoint() else {
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
        Some(logout::url(endpoint, &oauth.client.id, &wanted.redirect_param, return_to.as_str()))
    }
}
