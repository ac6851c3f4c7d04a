//! Demonstrating proof of possession (DPoP, RFC 9449): a token is bound to a key, and each request that uses it has a
//! proof, a JWT that the key signs for exactly that request.

use std::fmt;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::http::client::FetchResponse;
use crate::jose::base64url;
use crate::jose::crypto::{Crypto, KeyError};
use crate::jose::jwk::Jwk;
use crate::jose::jws::Algorithm;
use crate::jose::sign::{self, PrivateKey};
use crate::json;
use crate::oauth::error_body;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The header field of a proof (RFC 9449 section 4.1).
pub const PROOF: &str = "dpop";
/// The header field in which a server gives the nonce for the next proof (RFC 9449 section 8).
pub const NONCE: &str = "dpop-nonce";
/// The algorithm of the proofs.
pub const ALGORITHM: Algorithm = Algorithm::Es256;

/// The error code of a server that wants a proof with its nonce (RFC 9449 sections 8 and 9).
const USE_NONCE: &str = "use_dpop_nonce";
/// In bytes. A nonce is sent with every request, so a longer one is no nonce but a mistake.
const MAX_NONCE: usize = 1024;
/// In bytes. A longer challenge is not read.
const MAX_CHALLENGE: usize = 8 * 1024;

/// The key to which the tokens of one session are bound: P-256.
#[derive(Clone)]
pub struct DpopKey {
    scalar: Zeroizing<[u8; 32]>,
    key: PrivateKey,
}

impl DpopKey {
    /// A new key, by rejection sampling (FIPS 186-5 appendix A.2.2).
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> Self {
        loop {
            let mut scalar = Zeroizing::new([0; 32]);
            random(&mut scalar[..]);
            if let Some(key) = PrivateKey::p256(&scalar) {
                return Self { scalar, key };
            }
        }
    }

    /// The key that [`to_text`](Self::to_text) wrote; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(base64url::decode(text).ok()?);
        let scalar = Zeroizing::new(<[u8; 32]>::try_from(&bytes[..]).ok()?);
        let key = PrivateKey::p256(&scalar)?;
        Some(Self { scalar, key })
    }

    /// The key as a text to be sealed: `d` of its JSON Web Key (RFC 7518 section 6.2.2.1), from which the rest follows.
    pub fn to_text(&self) -> Secret {
        Secret::new(base64url::encode(&self.scalar[..]))
    }

    /// The key that signs.
    pub fn private(&self) -> &PrivateKey {
        &self.key
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The request that a proof is for.
#[derive(Clone, Copy)]
pub struct ProvenRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The URL. Query and fragment are left out of the proof.
    pub url: &'a str,
    /// The access token of the request; `None` at the token endpoint.
    pub access_token: Option<&'a str>,
    /// The newest nonce of the server, if it gave one.
    pub nonce: Option<&'a str>,
}

/// A proof (RFC 9449 section 4.2): the value of the header field `DPoP`. `public` is the public key of `key`, and `id`
/// is unique.
pub async fn proof<C: Crypto>(
    crypto: &C,
    key: &DpopKey,
    public: &Jwk,
    request: ProvenRequest<'_>,
    id: &str,
    now: Timestamp,
) -> Result<String, KeyError> {
    let header = json!({ "typ": "dpop+jwt", "alg": ALGORITHM.name(), "jwk": public.to_public_json() });
    let mut claims = vec![
        ("jti", Value::from(id)),
        ("htm", request.method.into()),
        ("htu", target(request.url).into()),
        ("iat", now.seconds().into()),
    ];
    claims.extend(request.access_token.map(|token| ("ath", token_hash(token).into())));
    claims.extend(request.nonce.map(|nonce| ("nonce", nonce.into())));
    let claims = Value::Object(json::of(&claims));
    sign::sign_with_header(crypto, key.private(), ALGORITHM, &header, &claims).await
}

/// `htu`: the URL without query and fragment.
fn target(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// `ath`: the hash of the access token.
pub(super) fn token_hash(token: &str) -> String {
    base64url::encode(&Sha256::digest(token))
}

/// The value of `Authorization` that sends a bound access token (RFC 9449 section 7.1).
pub fn authorization(access_token: &str) -> String {
    format!("DPoP {access_token}")
}

/// Whether the value of `Authorization` sends this access token as a bearer token (RFC 6750 section 2.1), or as a bound one.
pub fn is_bearer(authorization: Option<&str>, access_token: &str) -> bool {
    let scheme_and_token = authorization.and_then(|value| value.split_once(' '));
    scheme_and_token.is_some_and(|(scheme, token)| {
        let is_scheme = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop");
        is_scheme && !access_token.is_empty() && token.trim() == access_token
    })
}

/// The nonce that a header field gives; `None` if the value cannot be one (RFC 9449 section 8.1).
pub fn nonce(value: &str) -> Option<&str> {
    let value = value.trim();
    let is_nonce_char = |b: u8| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~');
    ((1..=MAX_NONCE).contains(&value.len()) && value.bytes().all(is_nonce_char)).then_some(value)
}

/// Whether a token endpoint demands a proof with its nonce (RFC 9449 section 8).
pub fn token_endpoint_demands_nonce(response: &FetchResponse) -> bool {
    let body = || serde_json::from_slice::<Value>(&response.body).ok();
    matches!(response.status, 400 | 401)
        && body().is_some_and(|body| {
            body.as_object().and_then(error_body::of).is_some_and(|error| error.error == USE_NONCE)
        })
}

/// Whether a resource demands a proof with its nonce: status 401, and the `WWW-Authenticate` of a response (RFC 9449
/// section 9). Several challenges may stand in one field.
pub fn resource_demands_nonce(status: u16, challenges: &str) -> bool {
    status == 401
        && challenges.len() <= MAX_CHALLENGE
        && dpop_errors(challenges).any(|error| error == USE_NONCE)
}

/// The values of `error` of the challenges with the scheme DPoP (RFC 9110 section 11.6.1). Schemes and names of
/// parameters have any case.
fn dpop_errors(challenges: &str) -> impl Iterator<Item = String> {
    let mut is_dpop = false;
    // Empty elements of the list are ignored (RFC 9110 section 5.6.1.2).
    split_unquoted(challenges).map(str::trim).filter(|item| !item.is_empty()).filter_map(move |item| {
        // A scheme is a word in front of the first parameter, or stands alone.
        let (word, rest) = item.split_once([' ', '\t']).unwrap_or((item, ""));
        let parameter = if word.contains('=') || rest.trim_start().starts_with('=') {
            item
        } else {
            is_dpop = word.eq_ignore_ascii_case("dpop");
            rest.trim_start()
        };
        let (name, value) = parameter.split_once('=').filter(|_| is_dpop)?;
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        name.trim().eq_ignore_ascii_case("error").then(|| quoted.map_or_else(|| value.to_owned(), unescaped))
    })
}

/// The text of a quoted string, in which a backslash stands before a character (RFC 9110 section 5.6.4).
fn unescaped(quoted: &str) -> String {
    let mut chars = quoted.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// The parts between the commas that are in no quoted string (RFC 9110 section 5.6.4).
fn split_unquoted(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c: char| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match c {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        c == ',' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jose::jws::{self, UnverifiedJws};
    use crate::jose::software::{self, SoftwareCrypto};
    use crate::oauth::testing::{json_response, ready};

    fn key() -> DpopKey {
        DpopKey::generate(&mut |bytes| bytes.fill(7))
    }

    fn part(token: &str, at: usize) -> Value {
        serde_json::from_slice(&base64url::decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
    }

    fn made(request: ProvenRequest<'_>) -> String {
        let key = key();
        let public = software::public_key(key.private(), ALGORITHM).unwrap();
        ready(proof(&SoftwareCrypto, &key, &public, request, "id-1", Timestamp::from_seconds(1_562_262_616)))
            .unwrap()
    }

    /// RFC 9449 sections 6.1 and 7.1.
    #[test]
    fn thumbprint_and_token_hash_equal_those_of_rfc_9449() {
        let jwk = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        assert_eq!(Jwk::parse(&jwk).unwrap().thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(token_hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn a_proof_names_exactly_its_request_and_its_key_verifies_it() {
        let proof = made(ProvenRequest {
            method: "POST",
            url: "https://server.example.com/token?tenant=a#f",
            access_token: None,
            nonce: None,
        });
        let header = part(&proof, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        assert!(header["jwk"].get("d").is_none(), "the private key is not in the proof");
        let keys = [Jwk::parse(&header["jwk"]).unwrap()].into_iter().collect();
        let jws = UnverifiedJws::parse(&proof).unwrap();
        let verified = ready(jws::verify(&SoftwareCrypto, &jws, &keys, &[ALGORITHM])).unwrap();
        let expected = json!({
            "jti": "id-1", "htm": "POST", "htu": "https://server.example.com/token", "iat": 1_562_262_616,
        });
        assert_eq!(Value::Object(verified.into_claims()), expected);
    }

    #[test]
    fn a_proof_for_a_resource_names_the_token_and_the_nonce() {
        let proof = made(ProvenRequest {
            method: "GET",
            url: "https://resource.example.org/protected",
            access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            nonce: Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"),
        });
        let claims = part(&proof, 1);
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!(claims["nonce"], "eyJ7S_zG.eyJH0-Z.HX4w-7v");
    }

    #[test]
    fn a_key_survives_being_written_and_no_other_text_is_one() {
        let text = key().to_text();
        assert!(DpopKey::parse(text.expose()).unwrap().private().matches(key().private()));
        let (zero, short) = (base64url::encode(&[0; 32]), base64url::encode(&[7; 31]));
        let large = base64url::encode(&[0xff; 32]);
        for text in ["", "#", &zero, &short, &large, &format!("{}=", text.expose())] {
            assert!(DpopKey::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{:?}", key()), "[redacted]");
    }

    #[test]
    fn numbers_that_are_no_keys_are_drawn_again() {
        let mut drawn = 0;
        let key = DpopKey::generate(&mut |bytes| {
            drawn += 1;
            bytes.fill(if drawn < 3 { 0xff } else { 7 });
        });
        assert_eq!(drawn, 3);
        assert!(key.private().matches(super::tests::key().private()));
    }

    #[test]
    fn an_authorization_field_sends_this_token_in_either_scheme_or_not() {
        for (field, is_sent) in [
            (Some("Bearer a.b"), true),
            (Some("bearer  a.b "), true),
            (Some("DPoP a.b"), true),
            (Some("Basic a.b"), false),
            (Some("Bearer a.c"), false),
            (Some("a.b"), false),
            (Some("Bearer"), false),
            (None, false),
        ] {
            assert_eq!(is_bearer(field, "a.b"), is_sent, "{field:?}");
        }
        assert!(!is_bearer(Some("Bearer "), ""), "no token is none");
    }

    #[test]
    fn a_token_endpoint_demands_a_nonce_by_its_error_only() {
        let demands = |status, body: Value| token_endpoint_demands_nonce(&json_response(status, &body));
        assert!(demands(400, json!({ "error": "use_dpop_nonce" })));
        assert!(demands(401, json!({ "error": "use_dpop_nonce", "error_description": "x" })));
        for (status, body) in [
            (200, json!({ "error": "use_dpop_nonce" })),
            (500, json!({ "error": "use_dpop_nonce" })),
            (400, json!({ "error": "invalid_dpop_proof" })),
            (400, json!({ "error": ["use_dpop_nonce"] })),
            (400, json!(["use_dpop_nonce"])),
            (400, json!({})),
        ] {
            assert!(!demands(status, body.clone()), "{status} {body}");
        }
    }

    #[test]
    fn a_resource_demands_a_nonce_in_a_dpop_challenge_in_any_spelling() {
        for challenge in [
            r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof""#,
            r#"dpop error="use_dpop_nonce""#,
            r#"DPOP algs="ES256 PS256", ERROR = "use_dpop_nonce""#,
            "DPoP error=use_dpop_nonce",
            r#"Bearer realm="a, b", DPoP error="use_dpop_nonce""#,
            r#"Bearer realm="say \"DPoP\", no", DPoP realm="x", error="use_dpop_nonce""#,
            r#"Negotiate, DPoP error="use_dpop_nonce""#,
            r#"DPoP algs="ES256", error="use_dpop_nonce", Basic realm="x""#,
            r#", DPoP algs="ES256", , ,error="use_dpop_nonce",,"#,
            r#"DPoP error="use\_dpop_nonce""#,
            r#"Basic realm="\"", DPoP error="use_dpop_nonce""#,
            // A backslash is special in a quoted string only.
            r#"Basic realm=a\, DPoP error="use_dpop_nonce""#,
        ] {
            assert!(resource_demands_nonce(401, challenge), "{challenge}");
            assert!(!resource_demands_nonce(403, challenge) && !resource_demands_nonce(200, challenge));
        }
        for challenge in [
            "",
            "DPoP",
            r#"DPoP error="invalid_token""#,
            r#"Bearer error="use_dpop_nonce""#,
            r#"DPoP realm="error=use_dpop_nonce""#,
            r#"DPoP realm="a, error=use_dpop_nonce""#,
            r#"DPoP realm="a, error=use_dpop_nonce, b""#,
            r#"DPoP algs="ES256", Bearer error="use_dpop_nonce""#,
            r#"X-DPoP error="use_dpop_nonce""#,
            r#"DPoP error_description="use_dpop_nonce""#,
            r#"DPoP error="use\\_dpop_nonce""#,
        ] {
            assert!(!resource_demands_nonce(401, challenge), "{challenge}");
        }
        let long = format!(r#"DPoP realm="{}", error="use_dpop_nonce""#, "x".repeat(MAX_CHALLENGE));
        assert!(!resource_demands_nonce(401, &long));
    }

    #[test]
    fn only_a_value_of_nonce_characters_is_a_nonce() {
        assert_eq!(nonce(" eyJ7S_zG.eyJH0-Z.HX4w-7v "), Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"));
        let long = "n".repeat(MAX_NONCE + 1);
        for text in ["", " ", "a b", "a\"b", "a\\b", "a, b", "é", "a\nb", &long] {
            assert_eq!(nonce(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_challenge_makes_the_reader_panic(text in "[DdPpOo,=\"\\\\ a-z_]{0,60}|.{0,60}") {
            let _ = resource_demands_nonce(401, &text);
            let _ = nonce(&text);
        }
    }
}
