//! The signatures of tokens that providers and transmitters of security events send by themselves. Anyone can send such a
//! token, so the documents that it needs are fetched as for strangers: seldom, whatever `kid` it names.

use std::rc::Rc;

use crate::config::{Provider, ProviderKind};
use crate::error::{Error, ProviderError};
use crate::flow::RequestContext;
use crate::flow::provider::cache::DocumentKind;
use crate::flow::provider::{Document, Requester, Wanted, provider_error};
use crate::platform::Platform;
use vestibule_oidc::http::client::FetchRequest;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::jwks;
use vestibule_oidc::oauth::provider::{IdTokenAlgorithm, OAuthProvider};
use vestibule_oidc::oauth::transmitter::{self, EventTransmitter, TransmitterKeys};

/// What a transmitter's name in the cache begins with. No provider's id has a colon.
const CACHE_PREFIX: &str = "transmitter:";

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of a logout token, with the keys and the algorithms of ID tokens (OpenID Connect Back-Channel
    /// Logout 1.0 section 2.6).
    pub(crate) async fn verify_logout_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let rejected = |cause: JwsError| provider_error(provider, cause);
        let chosen = oauth.openid.as_ref().and_then(|openid| openid.id_token_algorithm);
        if chosen == Some(IdTokenAlgorithm::Hs256) {
            let Some(secret) = &oauth.client.secret else { return Err(rejected(JwsError::NotHs256)) };
            return jws::verify_hs256(token, secret).map_err(rejected);
        }
        let jws = UnverifiedJws::parse(token).map_err(rejected)?;
        let metadata = self.metadata_for(provider, oauth, Requester::Anyone).await?;
        let accepted = match chosen {
            Some(IdTokenAlgorithm::Of(algorithm)) => vec![algorithm],
            _ => metadata.id_token_algorithms(),
        };
        self.verify_by_keys(provider, &metadata, &jws, &accepted, Requester::Anyone).await
    }

    /// Verifies the signature of a token that a transmitter of security events signed. Each key decides which algorithm it is
    /// for.
    pub(crate) async fn verify_transmitter_signature(
        &self,
        transmitter: &EventTransmitter,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let cache_name = format!("{CACHE_PREFIX}{}", transmitter.issuer);
        let failed = |cause: ProviderError| Error::Provider { provider: cache_name.clone(), cause };
        let rejected = |cause: JwsError| failed(cause.into());
        let jws = UnverifiedJws::parse(token).map_err(rejected)?;
        let url = match &transmitter.keys {
            TransmitterKeys::OfProvider => {
                let provider = self.provider(&transmitter.provider);
                let Some((provider, ProviderKind::OAuth(oauth))) = provider.map(|it| (it, &it.kind)) else {
                    return Err(rejected(JwsError::UnknownKey));
                };
                return self.verify_client_token(provider, oauth, &jws).await;
            }
            TransmitterKeys::At(url) => Rc::new(url.clone()),
            TransmitterKeys::Discovered => self.discovered_keys(&cache_name, transmitter).await?,
        };
        let keys = self.keys_of_transmitter(&cache_name, &url, Wanted::Current).await?;
        let error = match jws::verify(self.platform, &jws, &keys, &Algorithm::ALL).await {
            Err(error) if error == JwsError::UnknownKey || jws.kid().is_none() => error,
            verified => return verified.map_err(rejected),
        };
        match self.keys_of_transmitter(&cache_name, &url, Wanted::Newer).await {
            Ok(newer) => jws::verify(self.platform, &jws, &newer, &Algorithm::ALL).await.map_err(rejected),
            Err(_) => Err(rejected(error)),
        }
    }

    /// Where the keys are that the transmitter's metadata name.
    async fn discovered_keys(
        &self,
        cache_name: &str,
        transmitter: &EventTransmitter,
    ) -> Result<Rc<Url>, Error> {
        // The configuration checks that it is a URL.
        let issuer = Url::parse(&transmitter.issuer).map_err(|_| {
            Error::Configuration("the issuer of an event transmitter is not a URL".to_owned())
        })?;
        let request = transmitter::metadata_request(&issuer);
        let document = Document { kind: DocumentKind::JwksUri, request, slot: |cached| &mut cached.jwks_uri };
        self.current_document(cache_name, Wanted::Current, Requester::Anyone, document).await
    }

    async fn keys_of_transmitter(
        &self,
        cache_name: &str,
        url: &Url,
        wanted: Wanted,
    ) -> Result<Rc<JwkSet>, Error> {
        let request: FetchRequest = jwks::request_to(url);
        let document = Document { kind: DocumentKind::Keys, request, slot: |cached| &mut cached.keys };
        self.current_document(cache_name, wanted, Requester::Anyone, document).await
    }
}

/// The issuer of a transmitter, from its name in the cache.
pub(super) fn transmitter_of_cache(name: &str) -> &str {
    name.strip_prefix(CACHE_PREFIX).unwrap_or(name)
}
