//! `/callback/:provider`: the browser comes back from the provider, and the session begins.
//!
//! The order of the checks is the order of trust: first that this browser began this sign-in with this
//! provider ([`Transaction`]), then that the response is the provider's answer to it
//! ([`authorize::parse_response`]), then what the provider says over the back channel ([`token`], and the
//! [`VerifiedIdToken`]); only then is there a person to make a session for.

use serde_json::{Map, Value, json};

use crate::config::{OidcProvider, Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::establish::{self, Established, Person};
use crate::flow::hosts::Standing;
use crate::flow::{Exchange, provider, sign_in, with_cookies};
use crate::http::cookie::SetCookie;
use crate::http::form::Params;
use crate::http::response::Response;
use crate::oauth::authorize::{self, AuthorizationCode};
use crate::oauth::discovery::ProviderMetadata;
use crate::oauth::id_token::{self, VerifiedIdToken};
use crate::oauth::token::{self, TokenResponse};
use crate::oauth::userinfo;
use crate::platform::Platform;
use crate::session::transaction::Transaction;

/// Finishes a sign-in. `params` are the authorization response's: the query, or the body of a form post.
pub(crate) async fn callback<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider_id: &str,
    params: &Params,
) -> Result<Response, Error> {
    // Whatever cookies are there: this host sent nobody to a provider.
    if let Standing::SendsTo(_) = exchange.standing {
        let expected = sign_in::redirect_uri(exchange, provider_id);
        return Err(ClientError::NotTheLoginHost { expected }.into());
    }
    let Some(provider) = exchange.provider(provider_id) else {
        return Err(ClientError::UnsupportedAction("the callback names no configured provider").into());
    };
    let ProviderKind::Oidc(oidc) = &provider.kind else {
        return Err(ClientError::UnsupportedAction("nobody comes back from this kind of provider").into());
    };
    let state = params.one("state").map_err(ClientError::from)?;
    let transaction = Transaction::open(
        state,
        &provider.id,
        &exchange.cookies,
        &exchange.config().keys,
        &exchange.names,
        exchange.now,
    )
    .map_err(ClientError::from)?;

    let finished = SetCookie::expired(transaction.cookie_name(&exchange.names));
    // An attempt that failed keeps its cookie: where the reason passes, the same callback may still succeed.
    let response = finish(exchange, provider, oidc, &transaction, params).await?;
    Ok(with_cookies(response, [finished]))
}

async fn finish<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oidc: &OidcProvider,
    transaction: &Transaction,
    params: &Params,
) -> Result<Response, Error> {
    let metadata = provider::metadata(exchange, provider, oidc).await?;
    let code = authorize::parse_response(params, &transaction.state, &metadata)
        .map_err(|cause| provider::blame(provider, cause))?;
    let tokens = exchange_code(exchange, provider, oidc, &metadata, transaction, &code).await?;
    let id_token = verify_id_token(exchange, provider, oidc, &metadata, transaction, &tokens).await?;
    let profile = profile(exchange, provider, oidc, &metadata, &tokens, &id_token).await?;

    let person = person(exchange, provider, tokens, &id_token, profile);
    Ok(match establish::establish(exchange, person).await? {
        Established::Session(cookies) => with_cookies(Response::redirect(&transaction.return_to), cookies),
        Established::Elsewhere(address) => Response::redirect(address.as_str()),
    })
}

/// The code for tokens (OpenID Connect Core 1.0 section 3.1.3).
async fn exchange_code<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oidc: &OidcProvider,
    metadata: &ProviderMetadata,
    transaction: &Transaction,
    code: &AuthorizationCode,
) -> Result<TokenResponse, Error> {
    let redirect_uri = sign_in::redirect_uri(exchange, &provider.id);
    let client = provider::client(oidc, metadata);
    let request =
        token::code_request(metadata.token_endpoint(), &client, code, &redirect_uri, &transaction.verifier);
    let response = provider::ask(exchange, provider, "token", request).await?;
    token::parse(&response).map_err(|cause| provider::blame(provider, cause))
}

/// The ID token, signature and claims (OpenID Connect Core 1.0 section 3.1.3.7).
async fn verify_id_token<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oidc: &OidcProvider,
    metadata: &ProviderMetadata,
    transaction: &Transaction,
    tokens: &TokenResponse,
) -> Result<VerifiedIdToken, Error> {
    let id_token = tokens.require_id_token().map_err(|cause| provider::blame(provider, cause))?;
    let payload = provider::verify_signature(exchange, provider, metadata, id_token.expose()).await?;
    let expected = id_token::Expected {
        issuer: metadata.issuer(),
        client_id: &oidc.client_id,
        nonce: &transaction.nonce,
        access_token: &tokens.access_token,
        max_age: transaction.max_age,
    };
    id_token::verify(payload, &expected, exchange.now).map_err(|cause| provider::blame(provider, cause))
}

/// What the provider says about the person: the ID token's claims, and the userinfo endpoint's where those
/// lack something that is asked for.
async fn profile<P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &Provider,
    oidc: &OidcProvider,
    metadata: &ProviderMetadata,
    tokens: &TokenResponse,
    id_token: &VerifiedIdToken,
) -> Result<Map<String, Value>, Error> {
    let mut profile = id_token.claims().clone();
    let endpoint = match metadata.userinfo_endpoint() {
        Some(endpoint) if lacks_something(exchange, oidc, &profile) => endpoint,
        _ => return Ok(profile),
    };
    let request = userinfo::request(endpoint, &tokens.access_token);
    let response = provider::ask(exchange, provider, "userinfo", request).await?;
    let claims = userinfo::parse(&response, id_token).map_err(|cause| provider::blame(provider, cause))?;
    profile.extend(claims);
    Ok(profile)
}

/// Whether the ID token leaves open what a scope promises (OpenID Connect Core 1.0 section 5.4) or a
/// configured claim wants.
fn lacks_something<P: Platform>(
    exchange: &Exchange<'_, P>,
    oidc: &OidcProvider,
    id_token: &Map<String, Value>,
) -> bool {
    let promised = [("profile", "name"), ("email", "email")];
    let scopes = || oidc.scope.split_ascii_whitespace();
    let scope_open =
        promised.iter().any(|(scope, claim)| scopes().any(|s| s == *scope) && !id_token.contains_key(*claim));
    let roots = crate::json::of(&[("profile", Value::Object(id_token.clone()))]);
    let claim_open = exchange
        .config()
        .claims
        .iter()
        .any(|(_, from)| from.root() == "profile" && from.lookup(&roots).is_none());
    scope_open || claim_open
}

/// Whom the provider signed in, with OpenID Connect's standard claims (OpenID Connect Core 1.0 section 5.1)
/// for name, e-mail and image.
fn person<'a, P: Platform>(
    exchange: &Exchange<'_, P>,
    provider: &'a Provider,
    tokens: TokenResponse,
    id_token: &VerifiedIdToken,
    profile: Map<String, Value>,
) -> Person<'a> {
    let first = |names: &[&str]| names.iter().find_map(|name| profile.get(*name)).cloned();
    Person {
        provider,
        subject: id_token.subject().to_owned(),
        name: first(&["name", "nickname", "preferred_username"]),
        email: first(&["email"]),
        image: first(&["picture"]),
        // Where nobody says when the token ends and nothing can follow it, it is used until it does.
        expires_at: (tokens.expires_in.is_some() || tokens.refresh_token.is_some())
            .then(|| tokens.expires_at(exchange.now)),
        access_token: Some(tokens.access_token),
        refresh_token: tokens.refresh_token,
        kept: Vec::new(),
        account: tokens.raw,
        sources: vec![("profile", Value::Object(profile)), ("id_token", json!(id_token.claims()))],
    }
}
