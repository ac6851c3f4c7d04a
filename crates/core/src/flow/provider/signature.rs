//! Signatures that the keys of a provider verify, or those of a transmitter of security events.

use std::rc::Rc;

use super::cache::DocumentKind;
use super::{Document, Requester, Wanted, failed, provider_error};
use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::platform::Platform;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jwk::JwkSet;
use vestibule_oidc::jose::jws::{self, Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::jwks;
use vestibule_oidc::oauth::provider::{IdTokenAlgorithm, OAuthProvider};

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of an ID token from the token endpoint: with the client secret if HS256 is configured,
    /// otherwise with the provider's keys. For an unknown key the key set is [fetched again](super::newer_keys) at once.
    pub(crate) async fn verify_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let jws = match read_signed(provider, oauth, token)? {
            Signed::BySecret(verified) => return Ok(verified),
            Signed::ByKey(jws) => jws,
        };
        self.verify_given(provider, metadata, &jws, &id_token_algorithms(oauth, metadata)).await
    }

    /// Verifies the signature of an access token that a client sent. The metadata's algorithms are for ID tokens only, so
    /// each key decides which algorithm it is for. An unknown key causes the key set to be fetched again, at most once a
    /// minute.
    pub(crate) async fn verify_client_token(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        self.verify_token_of_keys(provider, oauth, jws, Requester::Anyone).await
    }

    /// The same for a token that this requester brought.
    pub(super) async fn verify_token_of_keys(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        jws: &UnverifiedJws<'_>,
        requester: Requester,
    ) -> Result<VerifiedPayload, Error> {
        let metadata = self.metadata_for(provider, oauth, Wanted::Current, requester).await?;
        let keys = PublishedKeys::of(provider, &metadata);
        self.verify_by_keys(keys, jws, &Algorithm::ALL, requester).await
    }

    /// The key set.
    pub(super) async fn published_keys(
        &self,
        PublishedKeys { cache_name, url }: PublishedKeys<'_>,
        wanted: Wanted,
        requester: Requester,
    ) -> Result<Rc<JwkSet>, Error> {
        let Some(url) = url else { return Err(failed(cache_name, JwsError::UnknownKey)) };
        let request = jwks::request(url);
        let document = Document { kind: DocumentKind::Keys, request, slot: |cached| &mut cached.keys };
        self.current_document(cache_name, wanted, requester, document).await
    }

    /// Verifies the signature of the answer to a question about a token (RFC 9701), with the algorithms that the metadata have
    /// for it.
    pub(crate) async fn verify_answer_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        let accepted = oauth.accepted(metadata.introspection().algorithms());
        self.verify_given(provider, metadata, jws, &accepted).await
    }

    /// Verifies the signature of an authorization response, with the algorithms that the metadata have for it.
    pub(crate) async fn verify_response_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
        jws: &UnverifiedJws<'_>,
    ) -> Result<VerifiedPayload, Error> {
        let accepted = oauth.accepted(metadata.requests().authorization_algorithms());
        let keys = PublishedKeys::of(provider, metadata);
        self.verify_by_keys(keys, jws, &accepted, Requester::User).await
    }
}

/// Where a provider, or a transmitter of security events, publishes its keys.
#[derive(Clone, Copy)]
pub(super) struct PublishedKeys<'a> {
    /// Its name in the [cache](super::cache).
    pub(super) cache_name: &'a str,
    /// `None` if it publishes none.
    pub(super) url: Option<&'a Url>,
}

impl<'a> PublishedKeys<'a> {
    pub(super) fn of(provider: &'a Provider, metadata: &'a ProviderMetadata) -> Self {
        Self { cache_name: &provider.id, url: metadata.jwks_uri() }
    }
}

/// Who signed a token of the provider.
pub(super) enum Signed<'a> {
    /// The holder of the client secret, which has verified it.
    BySecret(VerifiedPayload),
    /// The holder of a key. It is not verified yet.
    ByKey(Box<UnverifiedJws<'a>>),
}

/// Reads a token that is signed as ID tokens are: with the client secret if the configuration chose HS256 for them,
/// otherwise with one of the provider's keys.
pub(super) fn read_signed<'a>(
    provider: &Provider,
    oauth: &OAuthProvider,
    token: &'a str,
) -> Result<Signed<'a>, Error> {
    let is_hs256 = |algorithm| algorithm == Some(IdTokenAlgorithm::Hs256);
    let signed = if oauth.openid.as_ref().is_some_and(|openid| is_hs256(openid.id_token_algorithm)) {
        let secret = oauth.client.secret.as_ref().ok_or(JwsError::NotHs256);
        secret.and_then(|secret| jws::verify_hs256(token, secret)).map(Signed::BySecret)
    } else {
        UnverifiedJws::parse(token).map(Box::new).map(Signed::ByKey)
    };
    signed.map_err(|cause| provider_error(provider, cause))
}

/// The algorithms of which one signs the provider's ID tokens.
pub(super) fn id_token_algorithms(oauth: &OAuthProvider, metadata: &ProviderMetadata) -> Vec<Algorithm> {
    oauth.accepted(match oauth.openid.as_ref().and_then(|openid| openid.id_token_algorithm) {
        Some(IdTokenAlgorithm::Of(algorithm)) => vec![algorithm],
        Some(IdTokenAlgorithm::Hs256) | None => metadata.id_token_algorithms(),
    })
}

/// Whether a token may be signed with a key that is not known yet. One without a `kid` may, too, if the known keys say only that
/// none of them has signed it.
pub(super) fn may_have_new_key(jws: &UnverifiedJws<'_>, error: &JwsError) -> bool {
    match error {
        JwsError::UnknownKey => true,
        JwsError::Signature | JwsError::Key(_) | JwsError::TooManyCandidates(_) => jws.kid().is_none(),
        _ => false,
    }
}
