//! Whether a provider publishes what sign-ins need, for the operator's health check.

use super::signature::PublishedKeys;
use super::{Requester, Wanted};
use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::provider::OAuthProvider;

impl<P: Platform> RequestContext<'_, P> {
    /// Reads the provider's metadata and keys, unless a copy is younger than a minute. `false` if it publishes neither.
    pub(crate) async fn check_documents(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
    ) -> Result<bool, Error> {
        let published = ProviderMetadata::configured(oauth).is_none();
        let metadata = self.metadata_for(provider, oauth, Wanted::Recent, Requester::Anyone).await?;
        let keys = PublishedKeys::of(provider, &metadata);
        if keys.url.is_none() {
            return Ok(published);
        }
        self.published_keys(keys, Wanted::Recent, Requester::Anyone).await?;
        Ok(true)
    }
}
