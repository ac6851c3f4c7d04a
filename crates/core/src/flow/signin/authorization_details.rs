//! What the provider says that a token may do (RFC 9396), at a sign-in and at a refresh.

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::oauth::authorization_details;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token::TokenResponse;

impl<P: Platform> RequestContext<'_, P> {
    /// Logs what the provider grants besides what was requested, and drops what is malformed or too long to keep. Only
    /// for a provider whose configuration requests details: no other response is read for them.
    pub(crate) fn check_authorization_details(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        tokens: &mut TokenResponse,
    ) {
        let requested = &oauth.authorization.details;
        if requested.is_empty() {
            return;
        }
        if let Err(error) = authorization_details::check(requested, &mut tokens.raw) {
            let id = &provider.id;
            let message = format_args!("provider {id}: {error}");
            self.log(Record::new(LogEvent::AuthorizationDetailsUnexpected, message).provider(id));
        }
    }
}
