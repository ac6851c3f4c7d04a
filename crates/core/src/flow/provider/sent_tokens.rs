//! The signatures of tokens that providers and transmitters of security events send by themselves. Anyone can send such a
//! token, so the documents that it needs are fetched as for strangers: seldom, whatever `kid` it names.

use std::rc::Rc;

use crate::config::{Provider, ProviderKind};
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::provider::cache::{self, DocumentKind};
use crate::flow::provider::signature::{PublishedKeys, Signed, id_token_algorithms, read_signed};
use crate::flow::provider::{Document, Requester, Wanted, failed};
use crate::platform::Platform;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::jws::{Algorithm, JwsError, UnverifiedJws, VerifiedPayload};
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::transmitter::{self, EventTransmitter, TransmitterKeys};

impl<P: Platform> RequestContext<'_, P> {
    /// Verifies the signature of a logout token, with the keys and the algorithms of ID tokens (OpenID Connect Back-Channel
    /// Logout 1.0 section 2.6).
    pub(crate) async fn verify_logout_signature(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let jws = match read_signed(provider, oauth, token)? {
            Signed::BySecret(verified) => return Ok(verified),
            Signed::ByKey(jws) => jws,
        };
        let metadata = self.metadata_for(provider, oauth, Wanted::Current, Requester::Anyone).await?;
        let accepted = id_token_algorithms(oauth, &metadata);
        let keys = PublishedKeys::of(provider, &metadata);
        self.verify_by_keys(keys, &jws, &accepted, Requester::Sender).await
    }

    /// Verifies the signature of a token that a transmitter of security events signed. Each key decides which algorithm it is
    /// for.
    pub(crate) async fn verify_transmitter_signature(
        &self,
        transmitter: &EventTransmitter,
        token: &str,
    ) -> Result<VerifiedPayload, Error> {
        let cache_name = cache::transmitter_name(transmitter);
        let rejected = |cause: JwsError| failed(&cache_name, cause);
        let jws = UnverifiedJws::parse(token).map_err(rejected)?;
        let url = match &transmitter.keys {
            TransmitterKeys::OfProvider => {
                let provider = self.provider(&transmitter.provider);
                let Some((provider, ProviderKind::OAuth(oauth))) = provider.map(|it| (it, &it.kind)) else {
                    return Err(rejected(JwsError::UnknownKey));
                };
                return self.verify_token_of_keys(provider, oauth, &jws, Requester::Sender).await;
            }
            TransmitterKeys::At(url) => Rc::new(url.clone()),
            TransmitterKeys::Discovered => self.discovered_keys(&cache_name, transmitter).await?,
        };
        let keys = PublishedKeys { cache_name: &cache_name, url: Some(&url) };
        self.verify_by_keys(keys, &jws, &Algorithm::ALL, Requester::Sender).await
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
}
