//! The server's side of proofs of possession (DPoP, RFC 9449 sections 4.3 and 7): a client that sends a bound access token
//! proves for exactly this request that it has the key.
//!
//! The key of a proof comes with it, so a proof by itself says nothing: it counts only for a token that is bound to that
//! key ([`access_token`](crate::oauth::access_token)). Whether a proof was used before is for the caller to find out.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::http::url::Url;
use crate::jose::base64url;
use crate::jose::crypto::Crypto;
use crate::jose::jwk::{Jwk, JwkSet};
use crate::jose::jws::{self, Algorithm, JwsError, UnverifiedJws};
use crate::json;
use crate::oauth::dpop;
use crate::oauth::id_token::{self, ClaimError};
use crate::secret::constant_time_eq;
use crate::time::Timestamp;

/// In bytes. A proof has some claims and one public key; the largest key, RSA with 4096 bits, has seven hundred.
pub const MAX_PROOF: usize = 8 * 1024;

/// How far `iat` may be from our clock, in both directions (RFC 9449 section 11.1): a proof is made for one request, so this
/// is for clocks that differ.
pub const WINDOW: Duration = Duration::from_mins(1);

/// How long a proof that was used has to be remembered.
pub const RETENTION: Duration = Duration::from_secs(2 * WINDOW.as_secs() + 10);

/// The longest `jti`, in bytes.
const MAX_ID: usize = 512;

/// Members of keys that are not public (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The algorithms that a proof may have, as a challenge lists them (RFC 9449 section 7.1).
pub fn algorithms() -> String {
    Algorithm::ALL.map(Algorithm::name).join(" ")
}

/// The request that a proof must be for.
#[derive(Clone, Copy)]
pub struct ExpectedProof<'a> {
    /// The method.
    pub method: &'a str,
    /// The absolute URL, as the client requested it. Query and fragment do not count.
    pub url: &'a str,
    /// The access token of the request.
    pub access_token: &'a str,
}

/// A proof whose signature and claims are verified. Only [`verify`] creates one.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    thumbprint: String,
    id: String,
    nonce: Option<String>,
}

impl VerifiedProof {
    /// The thumbprint of its key (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its identifier: a hash of `jti` and of the key. No other key can use up the proofs of this one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `nonce`
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// Verifies the proof of a request, the values of its header fields `DPoP`, at the time `now`
/// ([RFC 9449 section 4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3)). The comments are the numbers of its steps.
pub async fn verify<'f, C: Crypto>(
    crypto: &C,
    mut fields: impl Iterator<Item = &'f str>,
    expected: &ExpectedProof<'_>,
    now: Timestamp,
) -> Result<VerifiedProof, ProofError> {
    let proof = fields.next().map(str::trim).filter(|proof| !proof.is_empty()).ok_or(ProofError::Missing)?;
    if fields.next().is_some() || proof.contains(',') {
        return Err(ProofError::Several); // 1
    }
    if proof.len() > MAX_PROOF {
        return Err(ProofError::TooLong);
    }
    let jws = UnverifiedJws::parse(proof)?; // 2, 5
    let key = public_key(proof)?;
    // What is wrong anyway need not cost the verification of a signature.
    let unverified = jws::decode_unverified(proof);
    let claims = unverified.as_object().ok_or(ProofError::Signature(JwsError::Payload))?;
    check(claims, expected, now)?;
    let thumbprint = key.thumbprint();
    let keys: JwkSet = [key].into_iter().collect();
    let payload = jws::verify(crypto, &jws, &keys, &Algorithm::ALL).await?; // 6
    if payload.typ().map(jws::type_name).as_deref() != Some("dpop+jwt") {
        return Err(ProofError::Type); // 4
    }
    let claims = payload.into_claims();
    check(&claims, expected, now)?;
    let jti = id_token::text(claims.get("jti")).map_err(|error| ProofError::Claim("jti", error))?;
    let id = format!("{thumbprint}.{jti}");
    Ok(VerifiedProof {
        id: base64url::encode(&Sha256::digest(id)),
        nonce: claims.get("nonce").and_then(Value::as_str).map(str::to_owned),
        thumbprint,
    })
}

/// The key in the header of a proof.
fn public_key(proof: &str) -> Result<Jwk, ProofError> {
    let header = proof.split('.').next().and_then(|header| base64url::decode(header).ok());
    let mut header = header.as_deref().and_then(json::unambiguous_object).ok_or(JwsError::Header)?;
    let Some(Value::Object(mut key)) = header.remove("jwk") else { return Err(ProofError::Key) };
    if PRIVATE.iter().any(|member| key.contains_key(*member)) {
        return Err(ProofError::PrivateKey); // 7
    }
    // The key is the one in the header, whatever name the header has for it.
    match header.remove("kid") {
        Some(kid) => key.insert("kid".to_owned(), kid),
        None => key.remove("kid"),
    };
    Jwk::parse(&Value::Object(key)).map_err(|_| ProofError::Key)
}

fn check(
    claims: &Map<String, Value>,
    expected: &ExpectedProof<'_>,
    now: Timestamp,
) -> Result<(), ProofError> {
    let wrong = |name| move |error| ProofError::Claim(name, error);
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let id = id_token::text(get("jti")).map_err(wrong("jti"))?; // 3
    if id.is_empty() || id.len() > MAX_ID {
        return Err(wrong("jti")(ClaimError::Malformed("1 to 512 bytes")));
    }
    let method = id_token::text(get("htm")).map_err(wrong("htm"))?; // 8
    if method != expected.method {
        return Err(wrong("htm")(id_token::other(&method.into(), expected.method)));
    }
    let url = id_token::text(get("htu")).map_err(wrong("htu"))?; // 9
    if !is_same_target(url, expected.url) {
        let target = expected.url.split(['?', '#']).next().unwrap_or_default();
        return Err(wrong("htu")(id_token::other(&url.into(), target)));
    }
    let issued = id_token::numeric_date(get("iat")).map_err(wrong("iat"))?; // 11
    if issued.plus(WINDOW) < now || issued > now.plus(WINDOW) {
        let (found, now) = (issued.seconds(), now.seconds());
        return Err(wrong("iat")(ClaimError::Time { found, now }));
    }
    let hash = id_token::text(get("ath")).map_err(wrong("ath"))?; // 12
    if !constant_time_eq(hash.as_bytes(), dpop::token_hash(expected.access_token).as_bytes()) {
        return Err(wrong("ath")(ClaimError::Mismatch));
    }
    match get("nonce") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(wrong("nonce")(ClaimError::Malformed("a string"))),
    }
}

/// Whether both URLs are the same without query and fragment, after syntax-based and scheme-based normalization (RFC 3986
/// sections 6.2.2 and 6.2.3).
fn is_same_target(one: &str, other: &str) -> bool {
    let without_query = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
    let (one, other) = (without_query(one), without_query(other));
    if one == other {
        return true;
    }
    match (Url::parse(&one), Url::parse(&other)) {
        (Ok(one), Ok(other)) => {
            one.origin() == other.origin() && normalized(one.path()) == normalized(other.path())
        }
        _ => false,
    }
}

/// A path with its percent-encoding in one form: of unreserved characters none, of all others in upper case.
fn normalized(path: &str) -> Vec<u8> {
    let mut rest = path.as_bytes();
    let mut normalized = Vec::with_capacity(rest.len());
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                rest = behind;
                let byte = digit(*high).unwrap_or(0) * 16 + digit(*low).unwrap_or(0);
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normalized.push(byte);
                } else {
                    normalized.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
                }
            }
            _ => normalized.push(first),
        }
    }
    normalized
}

/// Why a request has no proof that counts. The error is the client's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// There is no header field `DPoP`.
    #[error("DPoP proof: the request has none")]
    Missing,
    /// There are several.
    #[error("DPoP proof: the request has several")]
    Several,
    /// It has more than [`MAX_PROOF`] bytes.
    #[error("DPoP proof: it has more than {MAX_PROOF} bytes")]
    TooLong,
    /// Its header names another type of token.
    #[error("DPoP proof: \"typ\" is not dpop+jwt")]
    Type,
    /// Its header has no public key that is supported.
    #[error("DPoP proof: \"jwk\" is no public key that can verify signatures")]
    Key,
    /// Its header has a private key.
    #[error("DPoP proof: \"jwk\" has private members")]
    PrivateKey,
    /// It is no JWT with a supported algorithm, or its key did not sign it.
    #[error("DPoP proof: {0}")]
    Signature(#[from] JwsError),
    /// A claim is wrong.
    #[error("DPoP proof: {0:?} {1}")]
    Claim(&'static str, ClaimError),
    /// It does not have our nonce, or an old one (RFC 9449 section 9).
    #[error("DPoP proof: it does not have the newest \"nonce\"")]
    Nonce,
    /// It was used before.
    #[error("DPoP proof: it was used before")]
    Replayed,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::jose::sign;
    use crate::jose::software::{self, SoftwareCrypto};
    use crate::oauth::dpop::{ALGORITHM, DpopKey, ProvenRequest};
    use crate::oauth::testing::ready;

    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const URL: &str = "https://resource.example.org/protected/a%20b?x=1";
    const NOW: Timestamp = Timestamp::from_seconds(1_562_262_616);

    #[test]
    fn a_target_is_the_same_in_every_spelling_of_its_escapes_and_no_other_is() {
        for (one, other, is_same) in [
            ("https://a.example/%7Ea%2f", "https://A.example:443/~a%2F?x#y", true),
            ("https://a.example/%7E", "https://a.example/%7e", true),
            ("https://a.example/a%2Fb", "https://a.example/a/b", false),
            // These are no escapes.
            ("https://a.example/%4g", "https://a.example/%4G", false),
            ("https://a.example/%g4", "https://a.example/%G4", false),
            ("https://a.example/%4", "https://a.example/%4", true),
        ] {
            assert_eq!(is_same_target(one, other), is_same, "{one} {other}");
        }
    }

    fn key(seed: u8) -> DpopKey {
        DpopKey::generate(&mut |bytes| bytes.fill(seed))
    }

    fn read(fields: &[&str]) -> Result<VerifiedProof, ProofError> {
        let expected = ExpectedProof { method: "GET", url: URL, access_token: TOKEN };
        ready(verify(&SoftwareCrypto, fields.iter().copied(), &expected, NOW))
    }

    fn claims() -> Value {
        json!({
            "jti": "id-1", "htm": "GET", "htu": "https://resource.example.org/protected/a%20b",
            "iat": NOW.seconds(), "ath": dpop::token_hash(TOKEN), "nonce": "n",
        })
    }

    fn signed(header: &Value, claims: &Value) -> String {
        ready(sign::sign_with_header(&SoftwareCrypto, key(7).private(), ALGORITHM, header, claims)).unwrap()
    }

    fn jwk() -> Value {
        software::public_key(key(7).private(), ALGORITHM).unwrap().to_public_json()
    }

    fn header() -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk() })
    }

    #[test]
    fn a_proof_of_the_client_s_side_is_verified() {
        let public = software::public_key(key(7).private(), ALGORITHM).unwrap();
        let request =
            ProvenRequest { method: "GET", url: URL, access_token: Some(TOKEN), nonce: Some("n-1") };
        let proof = ready(dpop::proof(&SoftwareCrypto, &key(7), &public, request, "id-1", NOW)).unwrap();
        let verified = read(&[&proof]).unwrap();
        assert_eq!((verified.thumbprint(), verified.nonce()), (public.thumbprint().as_str(), Some("n-1")));
        assert_eq!(verified.id().len(), 43);
    }

    #[test]
    fn each_claim_and_each_header_parameter_counts() {
        assert!(read(&[&signed(&header(), &claims())]).is_ok());
        let seconds = NOW.seconds();
        for (name, value) in [
            ("jti", json!(null)),
            ("jti", json!("")),
            ("jti", json!(7)),
            ("jti", json!("x".repeat(513))),
            ("htm", json!("get")),
            ("htm", json!("POST")),
            ("htm", json!(null)),
            ("htu", json!("https://resource.example.org/protected")),
            ("htu", json!("http://resource.example.org/protected/a%20b")),
            ("htu", json!("https://resource.example.org:8443/protected/a%20b")),
            ("htu", json!("https://evil.example/protected/a%20b")),
            ("htu", json!("/protected/a%20b")),
            ("htu", json!("https://resource.example.org/protected/a%20b/")),
            ("htu", json!("https://resource.example.org/PROTECTED/a%20b")),
            ("htu", json!(["https://resource.example.org/protected/a%20b"])),
            ("iat", json!(seconds - 61)),
            ("iat", json!(seconds + 61)),
            ("iat", json!("now")),
            ("iat", json!(null)),
            ("ath", json!(null)),
            ("ath", json!(dpop::token_hash("other"))),
            ("nonce", json!(7)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            let error = read(&[&signed(&header(), &claims)]).unwrap_err();
            assert!(matches!(error, ProofError::Claim(wrong, _) if wrong == name), "{name} {value}: {error}");
        }
        for (name, value) in [
            ("htu", json!("HTTPS://Resource.Example.org:443/protected/a%20b#f")),
            ("htu", json!("https://resource.example.org/%70rotected/a%20b?y=2")),
            ("jti", json!("x".repeat(MAX_ID))),
            ("iat", json!(seconds - 60)),
            ("iat", json!(seconds + 60)),
            ("nonce", json!(null)),
            ("exp", json!(1)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert!(read(&[&signed(&header(), &claims)]).is_ok(), "{name} {value}");
        }
        for (name, value) in [
            ("typ", json!("JWT")),
            ("typ", json!("at+jwt")),
            ("typ", json!(null)),
            ("jwk", json!(null)),
            ("jwk", json!("x")),
            ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("RS256")),
            ("crit", json!(["x"])),
        ] {
            let mut header = header();
            header[name] = value.clone();
            assert!(read(&[&signed(&header, &claims())]).is_err(), "{name} {value}");
        }
        let mut private = header();
        private["jwk"]["d"] = json!(key(7).to_text().expose());
        assert_eq!(read(&[&signed(&private, &claims())]).unwrap_err(), ProofError::PrivateKey);
        let mut named = header();
        (named["kid"], named["jwk"]["kid"]) = (json!("a"), json!("b"));
        assert!(read(&[&signed(&named, &claims())]).is_ok(), "the key is the one in the header");
    }

    #[test]
    fn a_proof_that_another_key_signed_is_refused_and_so_are_several_and_none() {
        let mut foreign = header();
        foreign["jwk"] = software::public_key(key(9).private(), ALGORITHM).unwrap().to_public_json();
        assert_eq!(
            read(&[&signed(&foreign, &claims())]).unwrap_err(),
            ProofError::Signature(JwsError::Signature)
        );
        let proof = signed(&header(), &claims());
        assert_eq!(read(&[]).unwrap_err(), ProofError::Missing);
        assert_eq!(read(&[""]).unwrap_err(), ProofError::Missing);
        assert_eq!(read(&[&proof, &proof]).unwrap_err(), ProofError::Several);
        assert_eq!(read(&[&format!("{proof}, {proof}")]).unwrap_err(), ProofError::Several);
        assert_eq!(read(&[&"x".repeat(MAX_PROOF + 1)]).unwrap_err(), ProofError::TooLong);
        let not_compact = ProofError::Signature(JwsError::NotCompact);
        assert_eq!(read(&[&"x".repeat(MAX_PROOF)]).unwrap_err(), not_compact);
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_counts_and_hardly_longer() {
        let is_accepted_at = |now: Timestamp| {
            let mut claims = claims();
            claims["iat"] = json!(NOW.plus(WINDOW).seconds());
            let proof = signed(&header(), &claims);
            let expected = ExpectedProof { method: "GET", url: URL, access_token: TOKEN };
            ready(verify(&SoftwareCrypto, std::iter::once(proof.as_str()), &expected, now)).is_ok()
        };
        assert!(is_accepted_at(NOW) && is_accepted_at(NOW.plus(WINDOW * 2)));
        assert!(!is_accepted_at(NOW.plus(RETENTION)));
        assert!(RETENTION < WINDOW * 3, "the memory for it is bounded");
    }

    #[test]
    fn a_message_is_short_however_long_the_url_of_the_request_is() {
        let url = format!("https://other.example/{}", "\"".repeat(8000));
        let proof = signed(&header(), &claims());
        let expected = ExpectedProof { method: "GET", url: &url, access_token: TOKEN };
        let error =
            ready(verify(&SoftwareCrypto, std::iter::once(proof.as_str()), &expected, NOW)).unwrap_err();
        assert!(matches!(error, ProofError::Claim("htu", _)), "{error}");
        assert!(error.to_string().len() < 1200, "{error}");
    }

    #[test]
    fn the_identifier_is_of_the_key_and_of_the_proof() {
        let id = |claims: &Value| read(&[&signed(&header(), claims)]).unwrap().id().to_owned();
        let mut other = claims();
        other["jti"] = json!("id-2");
        assert_eq!(id(&claims()), id(&claims()));
        assert_ne!(id(&claims()), id(&other));
    }

    proptest! {
        #[test]
        fn no_proof_makes_the_reader_panic(text in "[A-Za-z0-9_.-]{0,80}|.{0,60}", path in ".{0,40}") {
            let _ = read(&[&text]);
            let _ = normalized(&path);
        }
    }
}
