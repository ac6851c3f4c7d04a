//! Requests to resources of the provider that the access token opens, such as userinfo (RFC 9449 section 7).

use crate::config::Provider;
use crate::error::Error;
use crate::flow::RequestContext;
use crate::flow::dpop::memory::Server;
use crate::flow::dpop::{ProofFor, unusable};
use crate::platform::Platform;
use vestibule_oidc::http::client::{FetchRequest, FetchResponse};
use vestibule_oidc::oauth::dpop::{self, DpopKey};
use vestibule_oidc::secret::Secret;

impl<P: Platform> RequestContext<'_, P> {
    /// Sends a request that has the access token in it. Where the token is bound to a key, and the header `Authorization`
    /// has it, the request gets a proof. If the server wants its nonce in the proof, the request is sent once more.
    pub(crate) async fn ask_with_token(
        &self,
        provider: &Provider,
        endpoint: &'static str,
        request: FetchRequest,
        access_token: &Secret,
        key: Option<&DpopKey>,
    ) -> Result<FetchResponse, Error> {
        let sends_token = dpop::is_bearer(request.headers.get("authorization"), access_token.expose());
        let Some(key) = key.filter(|_| sends_token) else {
            return self.ask(provider, endpoint, request).await;
        };
        let mut is_first = true;
        loop {
            let mut proven = request.clone();
            proven.headers.set("authorization", dpop::authorization(access_token.expose()));
            let proof_for = ProofFor {
                server: Server::Resource,
                method: request.method.as_str(),
                url: &request.url,
                access_token: Some(access_token.expose()),
            };
            let proof = self.dpop_proof(key, proof_for).await.map_err(|error| unusable(&error))?;
            proven.headers.set(dpop::PROOF, proof);
            let response = self.ask(provider, endpoint, proven).await?;
            let nonce = response.headers.get(dpop::NONCE);
            let has_nonce = self.remember_dpop_nonce(Server::Resource, &request.url, nonce);
            let challenges = response.headers.joined("www-authenticate");
            if !(is_first && has_nonce && dpop::resource_demands_nonce(response.status, &challenges)) {
                return Ok(response);
            }
            is_first = false;
        }
    }
}
