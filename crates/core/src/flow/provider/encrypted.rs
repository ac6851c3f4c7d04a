//! Tokens that a provider encrypts for this client, ID tokens and the responses of userinfo; and the keys for that.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::provider_error;
use crate::platform::Platform;
use vestibule_oidc::jose::crypto::KeyError;
use vestibule_oidc::jose::encrypted::{self, Encryption};
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token::TokenResponse;
use vestibule_oidc::secret::Secret;

impl<P: Platform> RequestContext<'_, P> {
    /// The public half of the keys for which providers encrypt, as JWKs (RFC 7517 section 4): for each provider and each
    /// algorithm that it uses the newest. The older ones still decrypt.
    pub(super) async fn encryption_keys(&self) -> Result<Rc<[Value]>, KeyError> {
        if let Some(keys) = self.vestibule.encryption_keys.known() {
            return Ok(keys);
        }
        let mut keys: Vec<Value> = Vec::new();
        for provider in &self.config().providers {
            let ProviderKind::OAuth(oauth) = &provider.kind else { continue };
            let encryption = &oauth.response_encryption;
            for Encryption { management, .. } in encryption.id_token.iter().chain(&encryption.userinfo) {
                let Some(key) = encryption.keys.iter().find(|key| key.fits(*management)) else { continue };
                let public = self.platform.public_key(key.private(), key.algorithm()).await?;
                let kid = key.kid().map_or_else(|| public.thumbprint(), str::to_owned);
                let mut public = public.to_public_json();
                let parameters = [("kid", kid.as_str()), ("use", "enc"), ("alg", management.name())];
                if let Some(members) = public.as_object_mut() {
                    members.extend(parameters.map(|(name, value)| (name.to_owned(), value.into())));
                }
                if !keys.contains(&public) {
                    keys.push(public);
                }
            }
        }
        let keys: Rc<[Value]> = keys.into();
        self.vestibule.encryption_keys.keep(&keys);
        Ok(keys)
    }

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

    /// Puts the signed ID token in place of the encrypted one: as the hint for the provider's logout, only that can be read
    /// there (OpenID Connect Core 1.0 section 3.1.2.1, `id_token_hint`).
    pub(crate) async fn decrypt_id_token_of(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        tokens: &mut TokenResponse,
    ) -> Result<(), Error> {
        if let Some(id_token) = &tokens.id_token {
            let signed = self.decrypted_id_token(provider, oauth, id_token.expose()).await?;
            tokens.id_token = Some(Secret::new(signed));
        }
        Ok(())
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
