//! The authorization response: its parameters, which a provider may sign (JARM), and the transaction that they belong to.

use std::borrow::Cow;

use crate::config::{Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::{RequestContext, provider};
use crate::platform::Platform;
use crate::session::transaction::Transaction;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::oauth::discovery::ProviderMetadata;
use vestibule_oidc::oauth::jarm::{self, JarmError, UnverifiedResponse};
use vestibule_oidc::oauth::provider::OAuthProvider;

/// An authorization response that belongs to a transaction of this browser. Nothing else of it is checked.
pub(super) struct AuthorizationResponse<'a> {
    params: &'a Params,
    /// The JWT with the parameters, if the provider is to sign them.
    signed: Option<UnverifiedResponse<'a>>,
    pub(super) transaction: Transaction,
}

impl<P: Platform> RequestContext<'_, P> {
    /// Finds the transaction of this browser that a response names. No signature is verified before: without a
    /// transaction, a response costs nothing.
    pub(super) fn authorization_response<'a>(
        &self,
        provider: &Provider,
        oauth: &OAuthProvider,
        params: &'a Params,
    ) -> Result<AuthorizationResponse<'a>, Error> {
        let open = |state: Option<&str>| {
            let (keys, cookies) = (&self.config().keys, &self.cookies);
            Transaction::open(state, &provider.id, cookies, keys, &self.names, self.now)
                .map_err(ClientError::from)
        };
        if !oauth.authorization.response_mode.is_signed() {
            let transaction = open(params.one("state").map_err(ClientError::from)?)?;
            return Ok(AuthorizationResponse { params, signed: None, transaction });
        }
        match UnverifiedResponse::parse(params) {
            Ok(signed) => {
                let transaction = open(signed.state())?;
                Ok(AuthorizationResponse { params, signed: Some(signed), transaction })
            }
            Err(error) => {
                // It is the provider's error only if this browser began the sign-in; otherwise anyone may have sent it.
                if error == JarmError::NotSigned {
                    open(params.one("state").map_err(ClientError::from)?)?;
                }
                Err(provider::provider_error(provider, error))
            }
        }
    }

    /// The `state` of a response, for the page after an error: it opens a transaction of this browser or none.
    pub(super) fn state_of_response(&self, provider_id: &str, params: &Params) -> Option<String> {
        let provider = self.provider(provider_id)?;
        match &provider.kind {
            ProviderKind::OAuth(oauth) if oauth.authorization.response_mode.is_signed() => {
                UnverifiedResponse::parse(params).ok()?.state().map(str::to_owned)
            }
            _ => params.one("state").ok().flatten().map(str::to_owned),
        }
    }
}

impl<'a> AuthorizationResponse<'a> {
    /// The parameters of the response. If they are signed, only after the signature and its claims are verified.
    pub(super) async fn parameters<P: Platform>(
        &self,
        context: &RequestContext<'_, P>,
        provider: &Provider,
        oauth: &OAuthProvider,
        metadata: &ProviderMetadata,
    ) -> Result<Cow<'a, Params>, Error> {
        let Some(signed) = &self.signed else { return Ok(Cow::Borrowed(self.params)) };
        let payload = context.verify_response_signature(provider, oauth, metadata, signed.jws()).await?;
        let issuer = match &oauth.openid {
            Some(openid) => provider::issuer_of_token(openid, metadata, payload.claims())
                .map_err(|cause| provider::provider_error(provider, cause))?,
            None => metadata.issuer().unwrap_or_default().to_owned(),
        };
        jarm::verify(payload, &issuer, &oauth.client.id, context.now)
            .map(Cow::Owned)
            .map_err(|cause| provider::provider_error(provider, cause))
    }
}
