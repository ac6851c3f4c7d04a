//! Tokens that a provider encrypts for this client: ID tokens, and the responses of userinfo.

use std::borrow::Cow;

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::platform::Platform;
use vestibule_oidc::jose::encrypted::{self, Encryption};
use vestibule_oidc::oauth::provider::OAuthProvider;

impl<P: Platform> RequestContext<'_, P> {
    /// The signed ID token, decrypted if the configuration says that it is encrypted. Then a token without encryption is
    /// refused. Nothing of it is verified here: anyone can encrypt.
    pub(crate) async fn decrypted_id_token<'t>(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &'t str,
    ) -> Result<Cow<'t, str>, Error> {
        self.decrypted(provider, oauth, oauth.response_encryption.id_token, token).await
    }

    /// The same for the response of userinfo: inside is a signed token, or the claims themselves.
    pub(crate) async fn decrypted_userinfo<'t>(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &'t str,
    ) -> Result<Cow<'t, str>, Error> {
        self.decrypted(provider, oauth, oauth.response_encryption.userinfo, token).await
    }

    async fn decrypted<'t>(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        encryption: Option<Encryption>,
        token: &'t str,
    ) -> Result<Cow<'t, str>, Error> {
        let Some(encryption) = encryption else { return Ok(Cow::Borrowed(token)) };
        let keys = &oauth.response_encryption.keys;
        let decrypted = encrypted::decrypt(self.platform, token, encryption, keys).await;
        decrypted.map(Cow::Owned).map_err(|cause| provider_error(provider, cause))
    }
}
