//! Client authentication at a provider's token endpoint, and the JWTs that it signs.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::error::Error;
use crate::flow::RequestContext;
use crate::platform::{Platform, random_id};
use vestibule_oidc::jose::crypto::KeyError;
use vestibule_oidc::jose::{jws, sign};
use vestibule_oidc::oauth::client::{self, Client, ClientAuthentication};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::provider::{
    AssertionAudience, ClientAuthMethod, ClientConfig, KeyId, OAuthProvider,
};
use vestibule_oidc::secret::Secret;

/// How long such a JWT is valid, in seconds. It is used at once; the rest is for clocks that differ.
const ASSERTION_LIFETIME: u64 = 60;

impl<P: Platform> RequestContext<'_, P> {
    /// The client as it authenticates to the token endpoint (RFC 6749 section 2.3, OpenID Connect Core 1.0 section 9).
    pub(crate) async fn client<'a>(
        &self,
        oauth: &'a OAuthProvider,
        metadata: &ProviderMetadata,
    ) -> Result<Client<'a>, Error> {
        let client = &oauth.client;
        let method = client::method(oauth.client.method, metadata.token_endpoint_auth_methods_supported());
        let audience = || match (client.assertion_audience, &oauth.issuer) {
            (AssertionAudience::Issuer, Some(issuer)) => issuer.as_str(),
            _ => metadata.token_endpoint().as_str(),
        };
        let authentication = match (method, &client.secret) {
            (ClientAuthMethod::PrivateKeyJwt, _) => {
                let claims = self.client_assertion(&client.id, audience());
                ClientAuthentication::Assertion(self.signed_by_client(client, "JWT", &claims).await?)
            }
            (ClientAuthMethod::SecretJwt, Some(secret)) => {
                let claims = self.client_assertion(&client.id, audience());
                ClientAuthentication::Assertion(Secret::new(jws::sign_hs256(&claims, secret)))
            }
            (ClientAuthMethod::Basic, Some(secret)) => ClientAuthentication::Basic(secret),
            (ClientAuthMethod::Post, Some(secret)) => ClientAuthentication::Post(Cow::Borrowed(secret)),
            (_, None) if client.secret_from_key.is_some() => {
                let claims = self.client_secret_claims(client);
                ClientAuthentication::Post(Cow::Owned(self.signed_by_client(client, "JWT", &claims).await?))
            }
            (ClientAuthMethod::None, _) | (_, None) => ClientAuthentication::None,
        };
        Ok(Client {
            id: &client.id,
            id_param: &client.id_param,
            secret_param: &client.secret_param,
            secret: client.secret.as_ref(),
            authentication,
        })
    }

    /// The claims of a client assertion (RFC 7523 section 3, OpenID Connect Core 1.0 section 9).
    fn client_assertion(&self, client_id: &str, audience: &str) -> Value {
        let now = self.platform.now().seconds();
        json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": random_id(self.platform),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        })
    }

    /// The claims of a client secret that is a JWT, as Apple requires it.
    fn client_secret_claims(&self, client: &ClientConfig) -> Value {
        let (audience, issuer) = client.secret_from_key.clone().unwrap_or_default();
        let now = self.platform.now().seconds();
        json!({ "iss": issuer, "iat": now, "exp": now + ASSERTION_LIFETIME, "aud": audience, "sub": client.id })
    }

    /// A JWT of this type with these claims, signed with the newest of the client's private keys.
    pub(crate) async fn signed_by_client(
        &self,
        client: &ClientConfig,
        typ: &str,
        claims: &Value,
    ) -> Result<Secret, Error> {
        let Some(key) = client.keys.first() else {
            return Err(Error::Configuration(
                "the client has no private key: set its private_key".to_owned(),
            ));
        };
        let failed = |error: KeyError| {
            Error::Configuration(format!("cannot sign with the client's private key: {error}"))
        };
        let named;
        let kid = match &key.id {
            KeyId::Named(name) => Some(name.as_str()),
            KeyId::Unpublished => None,
            KeyId::Thumbprint => {
                named = self.vestibule.client_keys.published(self.platform, key).await.map_err(failed)?;
                Some(named.kid.as_str())
            }
        };
        let signed = sign::sign(self.platform, &key.key, key.algorithm, typ, kid, claims);
        signed.await.map(Secret::new).map_err(failed)
    }
}
