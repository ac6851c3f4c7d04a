//! Whether the provider accepts the client's secret: a token request with a refresh token that was never issued. A provider
//! that accepts the client refuses the token (`invalid_grant`), any other refuses the client (RFC 6749 section 5.2).

use std::borrow::Cow;

use vestibule_core::http::origin::{Origin, is_same_site_host};
use vestibule_core::oauth::client::{self, Client, ClientAuthentication};
use vestibule_core::oauth::discovery::ProviderMetadata;
use vestibule_core::oauth::provider::ClientAuthMethod;
use vestibule_core::oauth::token::{self, Grant, ParseOptions, TokenError};
use vestibule_core::secret::Secret;

use super::Asked;
use super::wire::Answer;

impl Asked<'_, '_> {
    /// Tries the client's secret at the provider's own token endpoint, and nowhere else.
    pub(super) fn client_secret(&mut self, metadata: &ProviderMetadata, site: &str) {
        let client = &self.oauth.client;
        let Some(secret) = client.secret.as_ref().filter(|_| self.knows("ID") && self.knows("SECRET")) else {
            return;
        };
        let method = client::method(client.method, metadata.token_endpoint_auth_methods_supported());
        let authentication = match method {
            ClientAuthMethod::Basic => ClientAuthentication::Basic(secret),
            ClientAuthMethod::Post => ClientAuthentication::Post(Cow::Borrowed(secret)),
            _ => return,
        };
        let endpoint = metadata.token_endpoint();
        if !self.is_own(metadata) {
            let problem = format!(
                "its token endpoint is at another site, {}, so the client's secret was not tried",
                endpoint.host()
            );
            return self.advise("", problem, "");
        }
        let client = Client {
            id: &client.id,
            id_param: &client.id_param,
            secret_param: &client.secret_param,
            secret: Some(secret),
            authentication,
        };
        let never_issued = Secret::new("vestibule-check-never-issued");
        let redirect_uri = format!("{site}{}/callback/{}", self.context.config.base_path, self.provider.id);
        let grant = Grant::Refresh { refresh_token: &never_issued, redirect_uri: &redirect_uri };
        let request = token::request(endpoint, &client, &self.oauth.token, grant);
        let id = self.id("client");
        let Some(Answer::Received(received)) = self.context.fetch(&id, &request) else { return };
        let options = ParseOptions {
            is_strict: self.oauth.openid.is_some(),
            response_path: self.oauth.token.response_path.as_ref(),
            invalid_grant_errors: &self.oauth.token.invalid_grant_errors,
            is_bound: false,
        };
        let Err(TokenError::InvalidClient(error)) = token::parse(&received.response(), options) else {
            return;
        };
        if error.error == "invalid_client" {
            let problem = format!("the provider refuses the client: {error}");
            let fix = format!(
                "set {} and {} anew, as the provider shows them",
                self.variable("ID"),
                self.variable("SECRET")
            );
            self.refuse("", problem, fix);
        }
    }

    /// Whether the token endpoint is the provider's own: it is configured, or at the same site as the issuer that names it.
    fn is_own(&self, metadata: &ProviderMetadata) -> bool {
        let endpoint = metadata.token_endpoint();
        if self.oauth.token.endpoint.as_ref() == Some(endpoint) {
            return true;
        }
        let issuer = metadata.issuer().and_then(|issuer| vestibule_core::http::url::Url::parse(issuer).ok());
        issuer.is_some_and(|issuer| {
            let issuer = Origin::of(&issuer);
            issuer.host() == endpoint.host() || is_same_site_host(issuer.host(), endpoint.host())
        })
    }
}
