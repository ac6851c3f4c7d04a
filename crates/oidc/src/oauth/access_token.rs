//! The checks of an access token that a client sends (RFC 9068 section 4, RFC 7519 section 4.1, RFC 8725), or of what the
//! provider says of one (RFC 7662 section 2.2).
//!
//! A token is accepted only if it has one of the configured audiences and shows that it is an access token. An ID token is
//! not secret from its client, so someone who obtains one must not be able to use it as an access token. If it is bound to a
//! key, only a proof of that key makes it acceptable (RFC 9449 section 7).

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::{self, VerifiedPayload};
use crate::oauth::client_token;
use crate::oauth::dpop_proof::VerifiedProof;
use crate::oauth::id_token::{self, ClaimError, ParamClaimError};
use crate::oauth::introspection::ActiveToken;
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

/// The claims of an access token that is valid, except that it may be bound to a key. Only [`verify`] and [`verify_active`]
/// create one.
#[derive(Clone)]
pub struct UnconfirmedAccessToken {
    token: VerifiedAccessToken,
    /// The thumbprint of the key that it is bound to.
    key: Option<String>,
}

impl UnconfirmedAccessToken {
    /// The token, if it is bound to the key of the request's proof, or if neither is there (RFC 9449 section 7.1). A token
    /// that is not bound is not accepted with a proof: the client would take it for one that no thief can use.
    pub fn confirmed_by(
        self,
        proof: Option<&VerifiedProof>,
    ) -> Result<VerifiedAccessToken, AccessTokenError> {
        match (self.key, proof) {
            (None, None) => Ok(self.token),
            (Some(key), Some(proof)) if key == proof.thumbprint() => Ok(self.token),
            (Some(_), Some(_)) => Err(AccessTokenError::OtherKey),
            (Some(_), None) => Err(AccessTokenError::Unproven),
            (None, Some(_)) => Err(AccessTokenError::NotBound),
        }
    }
}

/// The claims of an access token that is valid. Only [`UnconfirmedAccessToken::confirmed_by`] gives one.
#[derive(Clone)]
pub struct VerifiedAccessToken {
    subject: String,
    expires_at: Timestamp,
    client: Option<String>,
    claims: Map<String, Value>,
}

impl VerifiedAccessToken {
    /// The `client_id` of the client that got the token for itself, without a user; `None` if a user is behind it.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// `sub`, unique for its issuer: what [`is_subject`](id_token::is_subject) accepts.
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
    /// It is bound to a key in a way that cannot be verified here (RFC 7800): to the certificate of a connection, for example
    /// (`x5t#S256`, RFC 8705).
    #[error("access token: it is bound (\"cnf\") by something else than the thumbprint of a key (\"jkt\")")]
    Bound,
    /// It is bound to a key (`jkt`), and was sent as a bearer token, without a proof.
    #[error(
        "access token: it is bound to a key (\"cnf\"), and the client does not prove that it has the key"
    )]
    Unproven,
    /// It is bound to another key than that of the proof.
    #[error("access token: it is bound to another key than that of the proof")]
    OtherKey,
    /// It was sent with a proof, and is bound to no key.
    #[error("access token: the client proves that it has a key, and the token is not bound to one")]
    NotBound,
    /// The provider says that it is not active.
    #[error("access token: the provider says that it is not active")]
    Inactive,
    /// It is unknown whether its proof was used before; the error message of the lock that knows it.
    #[error("access token: it is unknown whether the proof was used before: {0}")]
    ProofNotChecked(String),
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
) -> Result<UnconfirmedAccessToken, AccessTokenError> {
    let is_declared = is_declared_access_token(payload.typ())?;
    check(payload.into_claims(), Origin::Signature { is_declared }, expected, now)
}

/// Verifies at the time `now` what the provider says of an active token. `iss` may be missing: the provider was asked at its
/// own endpoint.
pub fn verify_active(
    token: ActiveToken,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<UnconfirmedAccessToken, AccessTokenError> {
    check(token.into_claims(), Origin::Introspection, expected, now)
}

/// Who says what is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The token itself, which the provider signed. `is_declared`: its header says that it is an access token.
    Signature { is_declared: bool },
    /// The provider, which was asked.
    Introspection,
}

fn check(
    claims: Map<String, Value>,
    origin: Origin,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<UnconfirmedAccessToken, AccessTokenError> {
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    // Claims of ID tokens (OpenID Connect Core 1.0 sections 2 and 3.3.2.11), logout tokens and event tokens (RFC 8417).
    for name in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        if get(name).is_some() {
            return Err(AccessTokenError::OtherKind(name));
        }
    }
    let is_declared = match origin {
        Origin::Signature { is_declared } => is_declared,
        Origin::Introspection => has_access_token_type(&claims)?,
    };
    let key = bound_key(get("cnf"))?;
    let is_marked =
        is_marked_access_token(&claims, key.is_some())? | has_configured_claims(&claims, expected.accepted)?;
    let wrong = AccessTokenError::Claim;
    match id_token::check_issuer(get("iss"), expected.issuer) {
        Err(ClaimError::Missing) if origin == Origin::Introspection => {}
        issuer => issuer.map_err(|error| wrong("iss", error))?,
    }
    audience(get("aud"), &expected.accepted.audiences).map_err(|error| wrong("aud", error))?;
    let expires_at = id_token::check_expiration(get("exp"), now).map_err(|error| wrong("exp", error))?;
    id_token::check_not_before(get("nbf"), now).map_err(|error| wrong("nbf", error))?;
    match id_token::check_issued_at(get("iat"), now) {
        Ok(()) | Err(ClaimError::Missing) => {}
        Err(error) => return Err(wrong("iat", error)),
    }
    let (subject, client) = match get("sub") {
        // RFC 7662 section 2.2: `sub` is usually the user, so without one there may be none.
        None if origin == Origin::Introspection && get("username").is_none() => {
            let id = id_token::subject(get("client_id")).map_err(|_| wrong("sub", ClaimError::Missing))?;
            (id.clone(), Some(id))
        }
        subject => {
            let subject = id_token::subject(subject).map_err(|error| wrong("sub", error))?;
            let client = client_token::client(&claims, &subject, &expected.accepted.client_claims);
            (subject, client)
        }
    };
    let has_scope = get("scope").or_else(|| get("scp")).is_some();
    if !is_declared && !is_marked && !has_scope {
        return Err(AccessTokenError::Ambiguous);
    }
    Ok(UnconfirmedAccessToken { token: VerifiedAccessToken { subject, expires_at, client, claims }, key })
}

/// The thumbprint of the key that the token is bound to (RFC 9449 section 6); `None` if it is not bound. An error if it is
/// bound in another way, or in another way as well: what is not verified must not be ignored.
fn bound_key(confirmation: Option<&Value>) -> Result<Option<String>, AccessTokenError> {
    /// Of a SHA-256 hash in base64url.
    const LENGTH: usize = 43;
    let Some(confirmation) = confirmation else { return Ok(None) };
    let members = confirmation.as_object().filter(|members| members.len() == 1);
    let key = members.and_then(|members| members.get("jkt")).and_then(Value::as_str);
    let key = key.filter(|key| key.len() == LENGTH).ok_or(AccessTokenError::Bound)?;
    Ok(Some(key.to_owned()))
}

/// Whether `token_type` of an introspection is that of an access token (RFC 6749 section 7.1). An error if it is another.
fn has_access_token_type(claims: &Map<String, Value>) -> Result<bool, AccessTokenError> {
    match claims.get("token_type").filter(|value| !value.is_null()) {
        None => Ok(false),
        Some(Value::String(name))
            if ["bearer", "dpop", "access_token"].iter().any(|known| name.eq_ignore_ascii_case(known)) =>
        {
            Ok(true)
        }
        Some(_) => Err(AccessTokenError::OtherKind("token_type")),
    }
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

/// Whether the claims by which some providers distinguish kinds of tokens mark an access token: Keycloak's `typ`, which is
/// `DPoP` if the token is bound, and `token_use` of Cognito and Hydra.
fn is_marked_access_token(claims: &Map<String, Value>, is_bound: bool) -> Result<bool, AccessTokenError> {
    let mut is_marked = false;
    let typ = if is_bound { &["Bearer", "DPoP"][..] } else { &["Bearer"] };
    for (name, wanted) in [("typ", typ), ("token_use", &["access", "access_token"])] {
        match claims.get(name) {
            None => {}
            Some(Value::String(kind)) if wanted.iter().any(|wanted| kind.eq_ignore_ascii_case(wanted)) => {
                is_marked = true;
            }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bearer_tokens_not_fully_checked_a_signed_token_names_its_issuer_and_a_user() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let accepted = AcceptBearer { audiences: vec!["api".to_owned()], ..AcceptBearer::default() };
        let expected = Expected { issuer: "https://idp.example", accepted: &accepted };
        let checked = |missing: &str, origin| {
            let mut claims = json!({
                "iss": "https://idp.example", "aud": "api", "sub": "alice", "client_id": "app",
                "exp": now.seconds() + 60, "scope": "read",
            });
            let claims = claims.as_object_mut().unwrap();
            claims.remove(missing);
            check(claims.clone(), origin, &expected, now)
        };
        let signed = Origin::Signature { is_declared: true };
        assert!(checked("", signed).is_ok() && checked("client_id", signed).is_ok());
        for missing in ["iss", "sub", "aud", "exp"] {
            assert!(
                matches!(checked(missing, signed), Err(AccessTokenError::Claim(name, _)) if name == missing),
                "{missing}"
            );
        }
        // Who was asked for a token is its issuer, and may know no user of it.
        for missing in ["", "iss", "sub"] {
            assert!(checked(missing, Origin::Introspection).is_ok(), "{missing}");
        }
    }

    #[test]
    fn a_verified_token_is_printed_without_the_values_of_its_claims() {
        let claims = serde_json::json!({ "sub": "alice" }).as_object().cloned().unwrap_or_default();
        let (subject, expires_at) = ("alice".to_owned(), Timestamp::from_seconds(1));
        let token = VerifiedAccessToken { subject, expires_at, client: None, claims };
        assert_eq!(format!("{token:?}"), r#"VerifiedAccessToken { claims: ["sub"], .. }"#);
    }
}
