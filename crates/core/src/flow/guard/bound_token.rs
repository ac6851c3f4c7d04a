//! An upstream that gets an access token that is bound to a key (DPoP, RFC 9449 section 7): each request carries a proof for
//! exactly that request.

use crate::config::ProviderKind;
use crate::flow::RequestContext;
use crate::flow::dpop::{ProofFor, Server};
use crate::guard::route::IdentityHeaders;
use crate::platform::{BodyError, Forward, ForwardError, Platform};
use crate::session::claims::Session;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::oauth::dpop::{self, DpopKey};

/// The largest body that is kept to be sent a second time, in bytes: a form or a JSON document. A larger one is streamed.
const MAX_KEPT_BODY: usize = 64 * 1024;

/// The access token of a session, and the key to which it is bound.
pub(crate) struct BoundToken {
    token: String,
    key: DpopKey,
}

impl BoundToken {
    pub(super) fn new(token: String, key: DpopKey) -> Self {
        Self { token, key }
    }

    /// Sends the token as a bound one where the upstream would get it as a bearer token in `Authorization`. Whether it would.
    pub(super) fn replaces_bearer(&self, identity: &mut IdentityHeaders) -> bool {
        let mut is_sent = false;
        for (name, value) in &mut identity.fields {
            if name == "authorization" && dpop::is_bearer(Some(value), &self.token) {
                *value = dpop::authorization(&self.token);
                is_sent = true;
            }
        }
        is_sent
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// The session's access token, if it is bound to a key.
    pub(crate) fn bound_token(&self, session: &Session) -> Option<BoundToken> {
        match session.provider().and_then(|id| self.provider(id)).map(|provider| &provider.kind) {
            // Another host of the site signs users in, and only its configuration has the provider.
            None => {}
            Some(ProviderKind::OAuth(oauth)) if oauth.dpop => {}
            Some(ProviderKind::OAuth(_) | ProviderKind::Credentials(_)) => return None,
        }
        let token = session.access_token().filter(|token| !token.is_empty())?.to_owned();
        Some(BoundToken::new(token, session.dpop_key()?))
    }

    /// Forwards a request with a proof. If the upstream wants its nonce in the proof, the request is sent once more, if
    /// there is no body or a small one. Otherwise the client gets that answer, and the next request has the nonce.
    pub(super) async fn forward_with_proof(
        &self,
        forward: Forward<'_>,
        body: P::Body,
        token: &BoundToken,
    ) -> Result<P::UpstreamResponse, ForwardError> {
        let url = forward.url().unwrap_or_else(|| {
            let url = &forward.request.url;
            format!("{}{}", url.origin(), url.path)
        });
        let kept = match self.kept_body(&forward, body).await? {
            KeptBody::Kept(bytes) => bytes,
            KeptBody::Streamed(body) => {
                let proven = self.with_proof(forward, &url, token).await?;
                let response = self.platform.forward(proven, body).await?;
                self.remember_upstream_nonce(&url, &response);
                return Ok(response);
            }
        };
        let again = Forward { changes: forward.changes.clone(), ..forward };
        let first = self.with_proof(forward, &url, token).await?;
        let response = self.platform.forward(first, self.body_of(&kept)?).await?;
        let has_nonce = self.remember_upstream_nonce(&url, &response);
        let (status, challenges) =
            (self.platform.status(&response), self.platform.field(&response, "www-authenticate"));
        if !(has_nonce && dpop::resource_demands_nonce(status, &challenges.unwrap_or_default())) {
            return Ok(response);
        }
        self.platform.discard(response);
        let second = self.with_proof(again, &url, token).await?;
        let response = self.platform.forward(second, self.body_of(&kept)?).await?;
        self.remember_upstream_nonce(&url, &response);
        Ok(response)
    }

    /// The request with its proof, in place of any that the client sent.
    async fn with_proof<'f>(
        &self,
        mut forward: Forward<'f>,
        url: &str,
        token: &BoundToken,
    ) -> Result<Forward<'f>, ForwardError> {
        let proof_for = ProofFor {
            server: Server::Resource,
            method: forward.request.method.as_str(),
            url,
            access_token: Some(&token.token),
        };
        let proof = self.dpop_proof(&token.key, proof_for).await;
        let proof = proof.map_err(|error| ForwardError::NoProof(error.to_string()))?;
        forward.changes.set(dpop::PROOF, proof);
        Ok(forward)
    }

    fn remember_upstream_nonce(&self, url: &str, response: &P::UpstreamResponse) -> bool {
        let nonce = self.platform.field(response, dpop::NONCE);
        self.remember_dpop_nonce(Server::Resource, url, nonce.as_deref())
    }

    /// Reads the body if it says that it is small. Without a body nothing is kept.
    async fn kept_body(
        &self,
        forward: &Forward<'_>,
        body: P::Body,
    ) -> Result<KeptBody<P::Body>, ForwardError> {
        if !self.platform.has_body(&body) {
            return Ok(KeptBody::Kept(Vec::new()));
        }
        let request = forward.request;
        let length =
            request.headers.get("content-length").and_then(|length| length.trim().parse::<usize>().ok());
        // A GET request with a body cannot be made once more.
        let may_be_kept = !matches!(request.method, Method::Get | Method::Head);
        if !(may_be_kept && length.is_some_and(|length| length <= MAX_KEPT_BODY)) {
            return Ok(KeptBody::Streamed(body));
        }
        self.platform.read_body(body, MAX_KEPT_BODY).await.map(KeptBody::Kept).map_err(|error| unread(&error))
    }

    fn body_of(&self, bytes: &[u8]) -> Result<P::Body, ForwardError> {
        self.platform.body_again(bytes).map_err(|error| unread(&error))
    }
}

fn unread(error: &BodyError) -> ForwardError {
    ForwardError::Unreachable(format!("the request could not be read: {error}"))
}

/// The body of a request.
enum KeptBody<B> {
    /// It can be sent twice.
    Kept(Vec<u8>),
    /// It goes through once.
    Streamed(B),
}
