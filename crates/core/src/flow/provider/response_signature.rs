//! The signature of an authorization response (JARM).

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::Requester;
use crate::platform::Platform;
use vestibule_oidc::jose::jws::{UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::provider::OAuthProvider;

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of an authorization response, with the algorithms that the metadata have for it.
    pub(crate) async fn verify_response_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        let accepted = oauth.accepted(metadata.requests().authorization_algorithms());
        self.verify_by_keys(provider, metadata, jws, &accepted, Requester::User).await
    }
}
