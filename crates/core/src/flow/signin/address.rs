//! The address to which the browser is sent with an authorization request: with the request in it, plain or signed (RFC
//! 9101), or with a reference to the request, which is pushed to the provider first (RFC 9126).

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::platform::{Platform, random_id};
use vestibule_oidc::oauth::authorize::AuthorizationRequest;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::{pushed, request_object};
use vestibule_oidc::secret::Secret;

impl<P: Platform> RequestContext<'_, P> {
    /// The address at the provider for `request`. A reference is valid for about a minute and works once, so it is not
    /// kept: each redirect pushes its own request.
    pub(super) async fn authorization_address(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, Error> {
        let (config, published) = (&oauth.authorization, metadata.requests());
        let object = if config.request_object.applies(published.require_signed_request_object) {
            Some(self.request_object(provider, oauth, request).await?)
        } else {
            None
        };
        if !config.pushed.when.applies(published.require_pushed_authorization_requests) {
            return Ok(object.map_or_else(|| request.url(), |object| request.url_with_object(&object)));
        }
        let endpoint = config.pushed.endpoint.as_ref();
        let endpoint = endpoint.or(published.pushed_authorization_request_endpoint.as_ref()).ok_or_else(|| {
            Error::Configuration(format!(
                "provider {} publishes no pushed_authorization_request_endpoint: set pushed_authorization_requests to the \
                 URL of its endpoint, or to false",
                provider.id
            ))
        })?;
        let client = self.client(oauth, metadata).await?;
        let pushing = pushed::request(endpoint, &client, request, object.as_ref());
        let response = self.ask(provider, "pushed authorization request", pushing).await?;
        let reference =
            pushed::parse(&response, endpoint, metadata).map_err(|cause| provider_error(provider, cause))?;
        Ok(request.url_with_reference(reference.as_str()))
    }

    /// The request as a JWT that the client signs.
    async fn request_object(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        request: &AuthorizationRequest<'_>,
    ) -> Result<Secret, Error> {
        let id = &provider.id;
        let Some(issuer) = &oauth.issuer else {
            return Err(Error::Configuration(format!("provider {id} wants signed requests: set its issuer")));
        };
        if oauth.client.keys.is_empty() {
            return Err(Error::Configuration(format!(
                "provider {id} wants signed requests (require_signed_request_object): set the client's private key, or \
                 request_object = false"
            )));
        }
        let claims = request_object::claims(request, issuer, &random_id(self.platform), self.platform.now());
        self.signed_by_client(&oauth.client, request_object::TYPE, &claims).await
    }
}
