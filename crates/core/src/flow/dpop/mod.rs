//! Tokens that are bound to a key of the session (DPoP, RFC 9449): the proofs that requests carry, and the nonces that
//! servers demand in them.

mod memory;
mod resource;
mod token;

use crate::error::Error;
use crate::flow::RequestContext;
pub(crate) use crate::flow::dpop::memory::{DpopMemory, Server};
pub(crate) use crate::flow::dpop::token::TokenAnswer;
use crate::platform::{Platform, random_id};
use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::crypto::KeyError;
use vestibule_oidc::oauth::dpop::{self, DpopKey, ProvenRequest};

/// The request that a proof is for.
#[derive(Clone, Copy)]
pub(crate) struct ProofFor<'a> {
    /// What the request goes to.
    pub(crate) server: Server,
    /// The method.
    pub(crate) method: &'a str,
    /// The absolute URL.
    pub(crate) url: &'a str,
    /// The access token of the request; `None` at the token endpoint.
    pub(crate) access_token: Option<&'a str>,
}

impl<P: Platform> RequestContext<'_, P> {
    /// A new key for the tokens of one session.
    pub(crate) fn new_dpop_key(&self) -> DpopKey {
        DpopKey::generate(&mut |bytes| self.platform.fill_random(bytes))
    }

    /// The thumbprint of the key, to which the provider binds the code (RFC 9449 section 10).
    pub(crate) async fn dpop_thumbprint(&self, key: &DpopKey) -> Result<String, Error> {
        let public =
            self.vestibule.dpop.public_key(self.platform, key).await.map_err(|error| unusable(&error))?;
        Ok(public.thumbprint())
    }

    /// The proof for one request, with the newest nonce of its server.
    pub(crate) async fn dpop_proof(&self, key: &DpopKey, request: ProofFor<'_>) -> Result<String, KeyError> {
        let memory = &self.vestibule.dpop;
        let public = memory.public_key(self.platform, key).await?;
        let nonce = memory.nonce(request.server, &origin(request.url));
        let proven = ProvenRequest {
            method: request.method,
            url: request.url,
            access_token: request.access_token,
            nonce: nonce.as_deref(),
        };
        dpop::proof(self.platform, key, &public, proven, &random_id(self.platform), self.platform.now()).await
    }

    /// Remembers the nonce of an answer, if it has one, for the next proof to the same server. Whether it has one.
    pub(crate) fn remember_dpop_nonce(&self, server: Server, url: &str, field: Option<&str>) -> bool {
        let nonce = field.and_then(dpop::nonce);
        if let Some(nonce) = nonce {
            self.vestibule.dpop.remember(server, origin(url), nonce);
        }
        nonce.is_some()
    }
}

/// The origin of a checked URL.
fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().to_owned()).unwrap_or_default()
}

fn unusable(error: &KeyError) -> Error {
    Error::Configuration(format!("cannot sign a proof of possession (dpop): {error}"))
}
