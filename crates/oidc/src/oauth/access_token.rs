//! The checks of an access token that a client sends (RFC 9068 section 4, RFC 7519 section 4.1, RFC 8725).
//!
//! Only a JWT is accepted, and only if it has one of the configured audiences and shows that it is an access token. An
//! ID token is not secret from its client, so someone who obtains one must not be able to use it as an access token.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::{self, VerifiedPayload};
use crate::oauth::id_token::{self, ClaimError, ParamClaimError};
use crate::oauth::provider::AcceptBearer;
use crate::time::Timestamp;

/// The values that a provider's access tokens must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// The accepted audiences, and the claims that only the provider's access tokens have.
    pub accepted: &'a AcceptBearer,
}

/// The claims of an access token whose signature and claims are both verified. Only [`verify`] creates one.
#[derive(Clone)]
pub struct VerifiedAccessToken {
    subject: String,
    expires_at: Timestamp,
    claims: Map<String, Value>,
}

impl VerifiedAccessToken {
    /// `sub`: 1 to 255 bytes without control characters, unique for its issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `exp`
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// All claims.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}

/// Prints the names only: the values are personal data.
impl std::fmt::Debug for VerifiedAccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedAccessToken")
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why an access token is rejected. The error is that of the client, which sent it, or of the provider, which issued
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessTokenError {
    /// Its header names another type of token (RFC 8725 section 3.11).
    #[error("access token: \"typ\" is neither at+jwt nor JWT: it is another kind of token")]
    Type,
    /// It has a claim of another kind of token.
    #[error("access token: it has {0:?}, so it is another kind of token")]
    OtherKind(&'static str),
    /// Nothing shows that it is an access token. The audience does not: it may be the client id of another client, whose
    /// ID tokens have it.
    #[error(
        "access token: it could be an id_token: it has neither \"typ\" at+jwt nor \"scope\"; if this provider's access \
         tokens have another claim that its ID tokens lack, write it into accept_bearer.access_token_claims"
    )]
    Ambiguous,
    /// It does not have a claim that the provider's access tokens have.
    #[error("access token: {0:?} is not what accept_bearer.access_token_claims says")]
    NotMarked(String),
    /// It does not repeat a parameter of the authorization request.
    #[error("access token: {0}")]
    ParamClaim(#[from] ParamClaimError),
    /// It does not say who the user is.
    #[error("access token: it has no value for the user's id (AUTH.providers, user.id)")]
    NoUserId,
    /// All sessions of its user that began before it was issued were revoked.
    #[error("access token: the sessions of its user were revoked after it was issued")]
    Revoked,
    /// It is unknown whether the sessions of its user were revoked.
    #[error("access token: it is unknown whether the sessions of its user were revoked")]
    RevocationUnknown,
    /// It is bound to a key (RFC 7800). Whether the client has that key is not verified here.
    #[error(
        "access token: it is bound to a key (\"cnf\"), and the client does not prove that it has the key"
    )]
    Bound,
    /// A claim is wrong.
    #[error("access token: {0:?} {1}")]
    Claim(&'static str, ClaimError),
}

impl AccessTokenError {
    /// Whether the token has expired, so that the client only needs a new one.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Claim("exp", ClaimError::Time { .. }))
    }
}

/// Verifies the claims of a token at the time `now`. Its signature is already verified.
pub fn verify(
    payload: VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedAccessToken, AccessTokenError> {
    let is_declared = is_declared_access_token(payload.typ())?;
    let claims = payload.into_claims();
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    // Claims of ID tokens (OpenID Connect Core 1.0 sections 2 and 3.3.2.11), logout tokens and event tokens (RFC 8417).
    for name in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        if get(name).is_some() {
            return Err(AccessTokenError::OtherKind(name));
        }
    }
    let is_marked = is_marked_access_token(&claims)? | has_configured_claims(&claims, expected.accepted)?;
    if get("cnf").is_some() {
        return Err(AccessTokenError::Bound);
    }
    let wrong = AccessTokenError::Claim;
    id_token::check_issuer(get("iss"), expected.issuer).map_err(|error| wrong("iss", error))?;
    audience(get("aud"), &expected.accepted.audiences).map_err(|error| wrong("aud", error))?;
    let expires_at = id_token::check_expiration(get("exp"), now).map_err(|error| wrong("exp", error))?;
    id_token::check_not_before(get("nbf"), now).map_err(|error| wrong("nbf", error))?;
    match id_token::check_issued_at(get("iat"), now) {
        Ok(()) | Err(ClaimError::Missing) => {}
        Err(error) => return Err(wrong("iat", error)),
    }
    let subject = id_token::subject(get("sub")).map_err(|error| wrong("sub", error))?;
    let has_scope = get("scope").or_else(|| get("scp")).is_some();
    if !is_declared && !is_marked && !has_scope {
        return Err(AccessTokenError::Ambiguous);
    }
    Ok(VerifiedAccessToken { subject, expires_at, claims })
}

/// Whether the header declares an access token (RFC 9068 section 2.1). An error if it declares another type.
fn is_declared_access_token(typ: Option<&str>) -> Result<bool, AccessTokenError> {
    let Some(typ) = typ else { return Ok(false) };
    match jws::type_name(typ).as_str() {
        "at+jwt" => Ok(true),
        "jwt" => Ok(false),
        _ => Err(AccessTokenError::Type),
    }
}

/// Whether the claims by which some providers distinguish kinds of tokens mark an access token: Keycloak's `typ`, and
/// Cognito's `token_use`.
fn is_marked_access_token(claims: &Map<String, Value>) -> Result<bool, AccessTokenError> {
    let mut is_marked = false;
    for (name, wanted) in [("typ", "Bearer"), ("token_use", "access")] {
        match claims.get(name) {
            None => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case(wanted) => is_marked = true,
            Some(_) => return Err(AccessTokenError::OtherKind(name)),
        }
    }
    Ok(is_marked)
}

/// Whether the token has the configured claims of access tokens. An error if it lacks one of them; false if none is
/// configured.
fn has_configured_claims(
    claims: &Map<String, Value>,
    accepted: &AcceptBearer,
) -> Result<bool, AccessTokenError> {
    for (name, values) in &accepted.access_token_claims {
        let found = match claims.get(name) {
            Some(Value::Array(found)) => found,
            Some(found) => std::slice::from_ref(found),
            None => &[],
        };
        if !found.iter().any(|found| values.contains(found)) {
            return Err(AccessTokenError::NotMarked(name.clone()));
        }
    }
    Ok(!accepted.access_token_claims.is_empty())
}

/// The first of `wanted` that is among the audiences `aud` of a token (RFC 7519 section 4.1.3).
pub fn audience<'a>(claim: Option<&Value>, wanted: &'a [String]) -> Result<&'a str, ClaimError> {
    let all = match claim {
        None => return Err(ClaimError::Missing),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(Value::Array(all))
            if all.len() <= id_token::AUDIENCE_LIMIT && all.iter().all(Value::is_string) =>
        {
            all
        }
        Some(_) => return Err(ClaimError::Malformed("a string or a list of at most 32 strings")),
    };
    let found = wanted.iter().find(|wanted| all.iter().any(|one| one == wanted.as_str()));
    let other = || id_token::other(&Value::from(all.to_vec()), &wanted.join("\" or \""));
    found.map(String::as_str).ok_or_else(other)
}
