//! The token request, with a proof where tokens are bound (RFC 9449 section 5).

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::dpop::memory::Server;
use crate::flow::dpop::{ProofFor, unusable};
use crate::platform::Platform;
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::http::url::Url;
use vestibule_oidc::oauth::client::Client;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::dpop::{self, DpopKey};
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token::{self, Grant};
use vestibule_oidc::time::Timestamp;

/// A provider's answer to a token request.
pub(crate) struct TokenAnswer {
    pub(crate) response: FetchResponse,
    /// When the request was sent that it answers.
    pub(crate) sent: Timestamp,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Exchanges `grant` at `endpoint`. With a key the request has a proof; if the provider wants its nonce in it, the
    /// request is sent once more, and not again: a nonce that changes with every answer does not make a loop.
    pub(crate) async fn exchange(
        &self,
        provider: &Provider,
        (oauth, metadata): (&OAuthProvider, &ProviderMetadata),
        endpoint: &Url,
        grant: Grant<'_>,
        key: Option<&DpopKey>,
    ) -> Result<TokenAnswer, Error> {
        let request = |client: &Client<'_>| token::request(endpoint, client, &oauth.token, grant);
        self.ask_token_endpoint(provider, (oauth, metadata), endpoint, key, &request).await
    }

    /// The same for any request to the token endpoint: `request` makes it for the client, each time that it is sent.
    pub(crate) async fn ask_token_endpoint(
        &self,
        provider: &Provider,
        (oauth, metadata): (&OAuthProvider, &ProviderMetadata),
        endpoint: &Url,
        key: Option<&DpopKey>,
        request: &dyn Fn(&Client<'_>) -> FetchRequest,
    ) -> Result<TokenAnswer, Error> {
        let mut is_first = true;
        loop {
            // A client assertion can be used once, so each request has its own.
            let client = self.client(oauth, metadata).await?;
            let mut request = request(&client);
            if let Some(key) = key {
                let proof_for = ProofFor {
                    server: Server::Authorization,
                    method: request.method.as_str(),
                    url: &request.url,
                    access_token: None,
                };
                let proof = self.dpop_proof(key, proof_for).await.map_err(|error| unusable(&error))?;
                request.headers.set(dpop::PROOF, proof);
            }
            let sent = self.platform.now();
            let response = self.ask(provider, "token", request).await?;
            if key.is_none() {
                return Ok(TokenAnswer { response, sent });
            }
            let nonce = response.headers.get(dpop::NONCE);
            let has_nonce = self.remember_dpop_nonce(Server::Authorization, endpoint.as_str(), nonce);
            if !(is_first && has_nonce && dpop::token_endpoint_demands_nonce(&response)) {
                return Ok(TokenAnswer { response, sent });
            }
            is_first = false;
        }
    }
}
