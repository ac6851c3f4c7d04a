//! JSON Web Signature (RFC 7515) in compact serialization, the form of ID tokens. Tokens are verified here;
//! [`sign`](super::sign) creates them.
//!
//! Keys come only from the provider's [`JwkSet`]; `jwk`, `jku`, `x5u` and `x5c` in a header are not read. A key
//! determines the algorithms that it may verify; the header's `alg` only selects one of them.
//!
//! jwt-compact parses a token and computes the HMAC of HS256. Before that, this module rejects what jwt-compact would
//! accept: duplicate header parameters, `crit`, `b64`, a `kid` of `null`, overlong tokens and headers. It also removes
//! the header parameters that must be ignored, because jwt-compact would reject some tokens for the form of these. Two
//! things are done without jwt-compact: public-key signatures, which some runtimes verify only asynchronously
//! ([`Crypto`]), and the parsing of claims, in which jwt-compact keeps neither fractions of a second nor `null`.

use std::fmt;

use jwt_compact::alg::{Hs256, Hs256Key, Hs256Signature};
use jwt_compact::{
    Algorithm as _, AlgorithmExt as _, AlgorithmSignature as _, Claims, ParseError, UntrustedToken,
};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

pub use super::algorithm::Algorithm;
use super::crypto::{Crypto, KeyError};
use super::jwk::{Jwk, JwkSet};
use super::{JoseHeader, base64url};
use crate::json;
use crate::secret::Secret;

/// Maximum length of a token in characters. It is checked before anything is decoded.
pub const MAX_TOKEN: usize = 64 * 1024;

/// Maximum length of an encoded header in characters. A header with a certificate chain, which is not read, has some
/// thousands.
const MAX_HEADER: usize = 16 * 1024;

/// Maximum number of keys that are tried for one signature: verifying a signature is the most expensive work that a
/// token can cause.
const MAX_CANDIDATES: usize = 5;

/// The length of an HMAC-SHA-256 signature in bytes (RFC 7518 section 3.2).
const HS256_LENGTH: usize = 32;

/// A token that is parsed and not verified.
pub struct UnverifiedJws<'a> {
    algorithm: Algorithm,
    token: UntrustedToken<'static>,
    parts: Parts<'a>,
}

impl<'a> UnverifiedJws<'a> {
    /// Parses a compact serialization (RFC 7515 section 5.2, steps 1 to 7).
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        let parts = Parts::of(token)?;
        let header = Header::parse(parts.header)?;
        let algorithm = Algorithm::from_name(&header.alg).ok_or(JwsError::Algorithm)?;
        let token = parts.untrusted(&header)?;
        Ok(Self { algorithm, token, parts })
    }

    /// `kid`: the key that the token names.
    pub fn kid(&self) -> Option<&str> {
        self.token.header().key_id.as_deref()
    }
}

/// Prints the algorithm only: an access token is a secret.
impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The encoded parts of a compact serialization.
struct Parts<'a> {
    /// Header and payload, with the dot between them.
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::TokenTooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
        if payload.contains('.') {
            return Err(JwsError::NotCompact);
        }
        Ok(Self { signing_input, header, payload, signature })
    }

    /// Parses the token with jwt-compact, with only the supported parameters in its header. Unknown parameters must be
    /// ignored (RFC 7515 section 4), but jwt-compact rejects some forms of `jku`, `x5u`, `x5t` and `cty`: some issuers
    /// write `"cty":"JWT"` although the payload is a claims set.
    fn untrusted(&self, supported: &Header) -> Result<UntrustedToken<'static>, JwsError> {
        // The header has only strings, so this cannot fail.
        let header = base64url::encode(&serde_json::to_vec(supported).unwrap_or_default());
        let token = format!("{header}.{}.{}", self.payload, self.signature);
        let token = UntrustedToken::new(&token).map_err(|error| self.parse_error(&error))?;
        if token.signature_bytes().is_empty() { Err(JwsError::Unsigned) } else { Ok(token.into_owned()) }
    }

    fn parse_error(&self, error: &ParseError) -> JwsError {
        match error {
            ParseError::InvalidBase64Encoding if base64url::decode(self.signature).is_err() => {
                JwsError::Encoding("signature")
            }
            ParseError::InvalidBase64Encoding => JwsError::Encoding("payload"),
            _ => JwsError::Header,
        }
    }

    /// The claims. Of duplicate names the last one counts (RFC 7519 section 4).
    fn claims(&self) -> Result<Map<String, Value>, JwsError> {
        let payload = base64url::decode(self.payload).map_err(|_| JwsError::Encoding("payload"))?;
        json::object(&payload).ok_or(JwsError::Payload)
    }
}

/// Verifies a token that is signed with a shared secret (RFC 7518 section 3.2). The caller knows from the configuration
/// that the secret signs tokens; a header with another algorithm is rejected.
pub fn verify_hs256(token: &str, secret: &Secret) -> Result<VerifiedPayload, JwsError> {
    let parts = Parts::of(token)?;
    let header = Header::parse(parts.header)?;
    if header.alg != "HS256" {
        return Err(JwsError::NotHs256);
    }
    let token = parts.untrusted(&header)?;
    // jwt-compact panics if the signature has another length.
    if token.signature_bytes().len() != HS256_LENGTH {
        return Err(JwsError::Signature);
    }
    let signature =
        Hs256Signature::try_from_slice(token.signature_bytes()).map_err(|_| JwsError::Signature)?;
    if !Hs256.verify_signature(&signature, &hs256_key(secret), parts.signing_input.as_bytes()) {
        return Err(JwsError::Signature);
    }
    Ok(VerifiedPayload { claims: parts.claims()?, algorithm: None, typ: token.header().token_type.clone() })
}

/// Signs `claims`, a JSON object, with a shared secret. Returns the compact serialization.
pub fn sign_hs256(claims: &Value, secret: &Secret) -> String {
    let header = jwt_compact::Header::empty().with_token_type("JWT");
    // The keys of the object are strings, so this cannot fail.
    Hs256.token(&header, &Claims::new(claims), &hs256_key(secret)).unwrap_or_default()
}

/// HMAC accepts keys of any length (RFC 2104 section 2).
fn hs256_key(secret: &Secret) -> Hs256Key {
    Hs256Key::new(secret.expose().as_bytes())
}

/// The payload of a JWT without verification; `null` if the token is not a JWT. Only for a token that came from its
/// issuer itself over TLS, such as an access token, whose signature the API verifies.
pub fn decode_unverified(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or(Value::Null)
}

/// Claims that are signed by one of the provider's keys or with a shared secret. Only [`verify`] and [`verify_hs256`]
/// create this type.
#[derive(Clone)]
pub struct VerifiedPayload {
    claims: Map<String, Value>,
    algorithm: Option<Algorithm>,
    typ: Option<String>,
}

/// Prints the names of the claims only: the values are personal data.
impl fmt::Debug for VerifiedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPayload")
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .field("algorithm", &self.algorithm)
            .field("typ", &self.typ)
            .finish()
    }
}

/// The name in a `typ`, to be compared: in lower case, because a media type is case-insensitive, and without `application/`,
/// which may be left out (RFC 7515 section 4.1.9).
pub fn type_name(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map_or_else(|| typ.clone(), str::to_owned)
}

impl VerifiedPayload {
    /// The claims (RFC 7519 section 4). Their signature is verified, their values are not checked.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Returns the claims by value.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }

    /// The header's `typ` (RFC 7515 section 4.1.9), which is signed as well. A value that is not a string is returned
    /// as JSON.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The algorithm of the signature, whose hash function is also that of `at_hash` and `c_hash`. `None` means HS256.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }
}

/// Verifies a token's signature (RFC 7515 section 5.2, step 8) and parses its claims. It uses the keys of `keys` that
/// may verify one of the `accepted` algorithms.
///
/// A token with a `kid` is verified with the keys of that name only; a token without one with all keys that fit its
/// algorithm, but at most five. [`JwsError::UnknownKey`] means that the set may be outdated.
pub async fn verify<C: Crypto>(
    crypto: &C,
    jws: &UnverifiedJws<'_>,
    keys: &JwkSet,
    accepted: &[Algorithm],
) -> Result<VerifiedPayload, JwsError> {
    let mut unusable = None;
    for key in candidates(jws, keys, accepted)? {
        let (message, signature) = (jws.parts.signing_input.as_bytes(), jws.token.signature_bytes());
        match crypto.verify(jws.algorithm, key, message, signature).await {
            Ok(true) => {
                let (algorithm, typ) = (Some(jws.algorithm), jws.token.header().token_type.clone());
                return Ok(VerifiedPayload { claims: jws.parts.claims()?, algorithm, typ });
            }
            Ok(false) => {}
            Err(error) => unusable = Some(error),
        }
    }
    Err(unusable.map_or(JwsError::Signature, JwsError::Key))
}

/// The keys that may have created the signature: each may verify the token's algorithm, which is accepted.
fn candidates<'k>(
    jws: &UnverifiedJws<'_>,
    keys: &'k JwkSet,
    accepted: &[Algorithm],
) -> Result<Vec<&'k Jwk>, JwsError> {
    if !accepted.contains(&jws.algorithm) {
        return Err(JwsError::NotAccepted(jws.algorithm.name()));
    }
    let mut is_named = false;
    let mut fitting = Vec::new();
    for key in keys.keys() {
        if jws.kid().is_none() || key.kid() == jws.kid() {
            is_named = jws.kid().is_some();
            if key.algorithms().contains(&jws.algorithm) {
                fitting.push(key);
            }
        }
    }
    match fitting.len() {
        1..=MAX_CANDIDATES => Ok(fitting),
        0 if is_named => Err(JwsError::KeyMismatch(jws.algorithm.name())),
        0 => Err(JwsError::UnknownKey),
        n => Err(JwsError::TooManyCandidates(n)),
    }
}

/// Why a token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN`].
    #[error("the token has more than {MAX_TOKEN} characters")]
    TokenTooLong,
    /// Not three parts.
    #[error("the token is not a compact JWS: it does not have three parts (RFC 7515 section 7.1)")]
    NotCompact,
    /// That part is not base64url.
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// The header is too long.
    #[error("the token's header has more than {MAX_HEADER} characters")]
    HeaderTooLong,
    /// The header is not a JSON object with a string `alg` and, optionally, a string `kid`.
    #[error("the token's header is not a JSON object with exactly one string alg and at most one string kid")]
    Header,
    /// The header has `crit` or `b64`.
    #[error("the token's header has {0}: no extension is supported")]
    Critical(&'static str),
    /// `alg` is not one of [`Algorithm`]: it is `none`, symmetric, or unknown.
    #[error("the token's alg is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA")]
    Algorithm,
    /// The token is not signed with the client's secret, as the configuration requires.
    #[error("the token's alg is not HS256, which the configuration requires of this provider")]
    NotHs256,
    /// There is no signature.
    #[error("the token is not signed")]
    Unsigned,
    /// The caller does not accept the algorithm.
    #[error("the token is signed with {0}, which is not accepted from this provider")]
    NotAccepted(&'static str),
    /// The set does not contain the token's key. The set may be outdated: fetch it again.
    #[error("the provider's JWK Set does not contain the key that the token names")]
    UnknownKey,
    /// The key that the token names may not verify its algorithm.
    #[error("the key that the token names is not for {0}")]
    KeyMismatch(&'static str),
    /// Too many keys could have signed the token.
    #[error(
        "{0} keys of the provider's JWK Set could have signed the token; at most {MAX_CANDIDATES} are tried"
    )]
    TooManyCandidates(usize),
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// The runtime cannot use the provider's key.
    #[error("the provider's key cannot be used: {0}")]
    Key(#[source] KeyError),
    /// The signature is valid, but the payload is not a JSON object.
    #[error("the token's payload is not a JSON object")]
    Payload,
}

/// The header parameters that are supported.
#[derive(Serialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

impl Header {
    fn parse(header: &str) -> Result<Self, JwsError> {
        if header.len() > MAX_HEADER {
            return Err(JwsError::HeaderTooLong);
        }
        let bytes = base64url::decode(header).map_err(|_| JwsError::Encoding("header"))?;
        let header = JoseHeader::parse(&bytes).ok_or(JwsError::Header)?;
        let alg = header.text("alg").ok_or(JwsError::Header)?;
        let kid = header.kid().map_err(|_| JwsError::Header)?;
        if header.has("crit") {
            return Err(JwsError::Critical("crit"));
        }
        // RFC 7797: without `crit`, `b64` has no meaning, but for some implementations it still changes what is signed.
        if header.has("b64") {
            return Err(JwsError::Critical("b64"));
        }
        Ok(Self { alg: alg.to_owned(), kid, typ: header.typ() })
    }
}

#[cfg(test)]
mod differential;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AAAA", base64url::encode(header.as_bytes()))
    }

    #[test]
    fn algorithm_and_key_confusion_other_headers_are_rejected() {
        for (header, error) in [
            (r#"{"alg":"none"}"#, JwsError::Algorithm),
            (r#"{"alg":"None"}"#, JwsError::Algorithm),
            (r#"{"alg":"HS256"}"#, JwsError::Algorithm),
            (r#"{"alg":"HS512"}"#, JwsError::Algorithm),
            (r#"{"alg":"ES256K"}"#, JwsError::Algorithm),
            (r#"{"alg":"rs256"}"#, JwsError::Algorithm),
            (r#"{"alg":""}"#, JwsError::Algorithm),
            (r#"{"alg":"dir","enc":"A256GCM"}"#, JwsError::Algorithm),
            (r#"{"typ":"JWT"}"#, JwsError::Header),
            (r#"{"alg":null}"#, JwsError::Header),
            (r#"{"alg":["RS256"]}"#, JwsError::Header),
            (r#"{"alg":"HS256","alg":"RS256"}"#, JwsError::Header),
            (r#"{"alg":"RS256","kid":null}"#, JwsError::Header),
            (r#"{"alg":"RS256","kid":"a","kid":"b"}"#, JwsError::Header),
            (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, JwsError::Critical("crit")),
            (r#"{"alg":"RS256","crit":null}"#, JwsError::Critical("crit")),
            (r#"{"alg":"RS256","b64":true}"#, JwsError::Critical("b64")),
            (r#"["RS256"]"#, JwsError::Header),
            ("", JwsError::Header),
        ] {
            assert_eq!(UnverifiedJws::parse(&token(header)).unwrap_err(), error, "{header}");
        }
        let known = token(r#" {"jwk":{},"alg":"RS256","jku":"https://evil.example","kid":"a"}"#);
        assert_eq!(UnverifiedJws::parse(&known).unwrap().kid(), Some("a"));
    }

    #[test]
    fn a_token_is_printed_without_what_it_says() {
        let secret = Secret::new("the secret of the client, which is long enough");
        let token = sign_hs256(&serde_json::json!({ "sub": "alice" }), &secret);
        let printed = format!("{:?}", verify_hs256(&token, &secret).unwrap());
        assert!(printed.contains("sub") && !printed.contains("alice"), "{printed}");
        let unverified = self::token(r#"{"alg":"ES256"}"#);
        let printed = format!("{:?}", UnverifiedJws::parse(&unverified).unwrap());
        assert_eq!(printed, "UnverifiedJws { algorithm: Es256, .. }");
    }

    #[test]
    fn decompression_and_work_bombs_are_rejected_before_any_work() {
        let long = "A".repeat(MAX_TOKEN + 1);
        assert_eq!(UnverifiedJws::parse(&long).unwrap_err(), JwsError::TokenTooLong);
        let header = token(&format!(r#"{{"alg":"RS256","x":"{}"}}"#, "a".repeat(MAX_HEADER)));
        assert_eq!(UnverifiedJws::parse(&header).unwrap_err(), JwsError::HeaderTooLong);
        let deep = token(&format!(r#"{{"alg":"RS256","x":{}"#, "[".repeat(10_000)));
        assert_eq!(UnverifiedJws::parse(&deep).unwrap_err(), JwsError::Header);
    }

    #[test]
    fn a_token_and_a_header_of_exactly_the_largest_size_are_read() {
        assert_eq!(UnverifiedJws::parse(&"A".repeat(MAX_TOKEN)).unwrap_err(), JwsError::NotCompact);
        // Four characters stand for three bytes.
        let header = |length: usize| format!(r#"{{"alg":"RS256","x":"{}"}}"#, "a".repeat(length - 22));
        let longest = token(&header(MAX_HEADER / 4 * 3));
        assert_eq!(longest.find('.'), Some(MAX_HEADER));
        assert!(UnverifiedJws::parse(&longest).is_ok());
    }

    #[test]
    fn malformed_parts_are_rejected() {
        let header = base64url::encode(br#"{"alg":"ES256"}"#);
        for (token, error) in [
            (String::new(), JwsError::NotCompact),
            (header.clone(), JwsError::NotCompact),
            (format!("{header}.e30"), JwsError::NotCompact),
            (format!("{header}.e30.AAAA.AAAA"), JwsError::NotCompact),
            (format!("{header}.e30."), JwsError::Unsigned),
            (format!("{header}.e30.A"), JwsError::Encoding("signature")),
            (format!("{header}=.e30.AAAA"), JwsError::Encoding("header")),
        ] {
            assert_eq!(UnverifiedJws::parse(&token).unwrap_err(), error, "{token}");
        }
    }

    /// The second token is the example that many JWT tools show.
    #[test]
    fn algorithm_and_key_confusion_a_shared_secret_verifies_hs256_only() {
        let secret = Secret::new("your-256-bit-secret");
        let claims = serde_json::json!({ "sub": "1234567890", "iat": 1_516_239_022 });
        let token = sign_hs256(&claims, &secret);
        assert_eq!(verify_hs256(&token, &secret).unwrap().claims()["sub"], "1234567890");
        assert_eq!(
            verify_hs256(
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0Ijox\
                 NTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
                &secret
            )
            .unwrap()
            .claims()["name"],
            "John Doe"
        );
        let (signed, _) = token.rsplit_once('.').unwrap();
        let with_header = |header: &str| {
            let (_, payload) = signed.split_once('.').unwrap();
            let input = format!("{}.{payload}", base64url::encode(header.as_bytes()));
            format!(
                "{input}.{}",
                base64url::encode(&Hs256.sign(&hs256_key(&secret), input.as_bytes()).as_bytes())
            )
        };
        for (token, error) in [
            (token.clone() + "A", JwsError::Signature),
            (format!("{signed}.AAAA"), JwsError::Signature),
            (format!("{signed}."), JwsError::Unsigned),
            (with_header(r#"{"alg":"none"}"#), JwsError::NotHs256),
            (with_header(r#"{"alg":"RS256"}"#), JwsError::NotHs256),
            (with_header(r#"{"alg":"HS512"}"#), JwsError::NotHs256),
            (with_header(r#"{"alg":"HS256","crit":["x"]}"#), JwsError::Critical("crit")),
        ] {
            assert_eq!(verify_hs256(&token, &secret).unwrap_err(), error, "{token}");
        }
        let another = Secret::new("your-256-bit-secre");
        assert_eq!(verify_hs256(&token, &another).unwrap_err(), JwsError::Signature);
    }

    #[test]
    fn names_and_algorithms_are_one_to_one() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String, parts in prop::collection::vec("[A-Za-z0-9_-]{0,24}", 0..5)) {
            prop_assert!(UnverifiedJws::parse(&text).is_err());
            prop_assert!(UnverifiedJws::parse(&parts.join(".")).is_err());
        }
    }
}
