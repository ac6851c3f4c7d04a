//! What an access token that a client brings has to say before it is believed (RFC 9068 section 4, RFC 7519
//! section 4.1, RFC 8725).
//!
//! Only a JWT that says that it is for us, by an audience of the configuration, and that can be nothing but an
//! access token: whoever gets hold of an ID token, which is no secret to its client, must not pass with it.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::jose::jws::VerifiedPayload;
use crate::oauth::id_token::{self, ClaimError};
use crate::time::Timestamp;

/// What a provider's access tokens must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// Whom tokens may be for; one of them is enough.
    pub audiences: &'a [String],
    /// Our own `client_id`, for which ID tokens are.
    pub client_id: &'a str,
}

/// The claims of an access token whose signature and claims are both verified. Only [`verify`] makes one.
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

/// Names only: claims say who a person is, which is nothing for a log.
impl std::fmt::Debug for VerifiedAccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedAccessToken")
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why an access token is not believed. The client is to blame, which brought it, or the provider, which made it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessTokenError {
    /// Its header says that it is something else (RFC 8725 section 3.11).
    #[error("access token: \"typ\" is neither at+jwt nor JWT: it is another kind of token")]
    Type,
    /// A claim is there that only other kinds of tokens have.
    #[error("access token: it has {0:?}, so it is another kind of token")]
    OtherKind(&'static str),
    /// It is for our own client, as ID tokens are, and does not say that it is none.
    #[error("access token: nothing tells it from an id_token: no \"typ\" at+jwt, no \"scope\"")]
    Ambiguous,
    /// It is bound to a key (RFC 7800), and whether the client has that key is not looked at.
    #[error("access token: it is bound to a key (\"cnf\"), of which a bearer proves nothing")]
    Bound,
    /// A claim is wrong.
    #[error("access token: {0:?} {1}")]
    Claim(&'static str, ClaimError),
}

impl AccessTokenError {
    /// Whether the client only has to get the next one.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Claim("exp", ClaimError::Time { .. }))
    }
}

/// Checks the claims of a token whose signature is verified, at the time `now`.
pub fn verify(
    payload: VerifiedPayload,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedAccessToken, AccessTokenError> {
    let is_declared = is_declared_access_token(payload.typ())?;
    let claims = payload.into_claims();
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    // Of ID tokens (OpenID Connect Core 1.0 sections 2 and 3.3.2.11), of logout and other event tokens (RFC 8417).
    for name in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        if get(name).is_some() {
            return Err(AccessTokenError::OtherKind(name));
        }
    }
    let is_marked = is_marked_access_token(&claims)?;
    if get("cnf").is_some() {
        return Err(AccessTokenError::Bound);
    }
    let wrong = AccessTokenError::Claim;
    id_token::check_issuer(get("iss"), expected.issuer).map_err(|flaw| wrong("iss", flaw))?;
    let audience = audience(get("aud"), expected.audiences).map_err(|flaw| wrong("aud", flaw))?;
    let expires_at = id_token::check_expiration(get("exp"), now).map_err(|flaw| wrong("exp", flaw))?;
    id_token::check_not_before(get("nbf"), now).map_err(|flaw| wrong("nbf", flaw))?;
    match id_token::check_issued_at(get("iat"), now) {
        Ok(()) | Err(ClaimError::Missing) => {}
        Err(flaw) => return Err(wrong("iat", flaw)),
    }
    let subject = id_token::subject(get("sub")).map_err(|flaw| wrong("sub", flaw))?;
    let has_scope = get("scope").or_else(|| get("scp")).is_some();
    if audience == expected.client_id && !is_declared && !is_marked && !has_scope {
        return Err(AccessTokenError::Ambiguous);
    }
    Ok(VerifiedAccessToken { subject, expires_at, claims })
}

/// Whether the header says that it is an access token (RFC 9068 section 2.1); an error where it is something else.
fn is_declared_access_token(typ: Option<&str>) -> Result<bool, AccessTokenError> {
    let Some(typ) = typ else { return Ok(false) };
    // A media type: without regard to case, and with or without what is before the slash (RFC 7515 section 4.1.9).
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "at+jwt" => Ok(true),
        "jwt" => Ok(false),
        _ => Err(AccessTokenError::Type),
    }
}

/// Whether the claims by which some providers tell kinds of tokens apart say that it is an access token: Keycloak's
/// `typ`, Cognito's `token_use`.
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

/// The first of `wanted` that a token with this `aud` is for (RFC 7519 section 4.1.3).
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
