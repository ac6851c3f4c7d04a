//! Whether a sign-in brought the refresh token that the site needs, and what brings one.

use crate::config::Provider;
use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token::TokenResponse;

impl<P: Platform> RequestContext<'_, P> {
    /// Logs that no refresh token came, where the site uses the access token and the access token expires.
    pub(super) fn check_refresh_token(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        tokens: &TokenResponse,
    ) {
        let Some(lifetime) = tokens.expires_in.filter(|_| tokens.refresh_token.is_none()) else { return };
        if !self.config().uses_tokens() {
            return;
        }
        let (id, seconds, remedy) = (&provider.id, lifetime.as_secs(), remedy(oauth));
        let message = format_args!(
            "provider {id}: no refresh token came, and the access token expires in {seconds} s: it may take {remedy}"
        );
        self.log(Record::new(LogEvent::RefreshTokenMissing, message).provider(id));
    }
}

/// What probably brings a refresh token.
fn remedy(oauth: &OAuthProvider) -> String {
    let asks_for =
        |name: &str| oauth.scope.iter().flat_map(|scope| scope.split(' ')).any(|scope| scope == name);
    let asks_for_consent = oauth.authorization.params.iter().any(|(name, _)| name == "prompt");
    match oauth.missing_for_refresh_token() {
        Some(missing) => missing,
        // OpenID Connect Core 1.0 section 11.
        None if oauth.openid.is_some() && !asks_for("offline_access") => "the scope offline_access".to_owned(),
        None if oauth.openid.is_some() && !asks_for_consent => {
            "authorization_params = { prompt = \"consent\" }, or the grant type refresh_token in the client's settings \
             at the provider"
                .to_owned()
        }
        None => "the grant type refresh_token in the client's settings at the provider".to_owned(),
    }
}
