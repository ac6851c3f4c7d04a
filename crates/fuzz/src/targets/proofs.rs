//! Proofs of possession, and the nonces that servers demand in them.

use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url as BrowserUrl;
use vestibule_core::jose::base64url;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::software::{self, SoftwareCrypto};
use vestibule_core::jose::{kdf, sign};
use vestibule_core::oauth::dpop::{self, DpopKey};
use vestibule_core::oauth::dpop_proof::{self, ExpectedProof};
use vestibule_core::secret::Secret;

use crate::input::{NOW, NOW_SECONDS, at_once, check_line, error_shape, first_line, response, shape, text};
use crate::{Shape, Target, obvious};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "dpop_proof",
        about: "proofs of possession, against the steps of RFC 9449 section 4.3",
        reads: &["oauth::dpop_proof::verify"],
        run: proof,
        slice: 200,
    },
    Target {
        name: "dpop_nonce",
        about: "nonces and the challenges that demand one, against an obvious parser of challenges",
        reads: &[
            "oauth::dpop::nonce",
            "oauth::dpop::resource_demands_nonce",
            "oauth::dpop::token_endpoint_demands_nonce",
            "oauth::dpop::DpopKey::parse",
        ],
        run: nonce,
        slice: 1500,
    },
];

/// The method and the URL of a request in two lines, then two lines of JSON: the header of a proof, to which the key is
/// added where it has `"jwk": true`, and its claims, where `"ath": true` is the hash of the token.
fn proof(input: &[u8]) -> Shape {
    let text = text(input);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, url, header, claims) = (line(), line(), line(), line());
    let (Ok(mut header @ Value::Object(_)), Ok(mut claims @ Value::Object(_))) =
        (serde_json::from_str::<Value>(header), serde_json::from_str::<Value>(claims))
    else {
        return Shape::default();
    };
    let (token, other) = ("an-access-token", "another-access-token");
    let hash = |token: &str| base64url::encode(&Sha256::digest(token));
    let key = kdf::p256_key(&Secret::new("a client's secret of 32 characters"), "proof");
    let public = software::public_key(&key, Algorithm::Es256).expect("a public key");
    let has_key = header["jwk"] == true;
    if has_key {
        header["jwk"] = public.to_public_json();
    }
    match &claims["ath"] {
        Value::Bool(true) => claims["ath"] = hash(token).into(),
        Value::Bool(false) => claims["ath"] = hash(other).into(),
        _ => {}
    }
    let signing = sign::sign_with_header(&SoftwareCrypto, &key, Algorithm::Es256, &header, &claims);
    let proof = at_once(signing).expect("signed");
    let expected = ExpectedProof { method, url, access_token: token };
    let result = at_once(dpop_proof::verify(&SoftwareCrypto, [proof.as_str()].into_iter(), &expected, NOW));
    // What is wrong with one proof is wrong with two.
    let twice = [proof.as_str(), proof.as_str()].into_iter();
    assert!(at_once(dpop_proof::verify(&SoftwareCrypto, twice, &expected, NOW)).is_err());
    match result {
        Ok(verified) => {
            assert_eq!(header["alg"], "ES256", "step 5");
            let typ = header["typ"].as_str().expect("step 4").to_ascii_lowercase();
            assert!(matches!(typ.as_str(), "dpop+jwt" | "application/dpop+jwt"), "step 4: {typ}");
            assert!(header["jwk"].get("d").is_none(), "step 7");
            assert_eq!(header["jwk"]["x"], public.to_public_json()["x"], "another key: step 6");
            assert_eq!(claims["htm"], method, "step 8");
            let target = |url: &str| {
                let mut url = BrowserUrl::parse(url).ok()?;
                url.set_query(None);
                url.set_fragment(None);
                Some((url.origin().ascii_serialization(), obvious::unescaped(url.path())))
            };
            let htu = claims["htu"].as_str().expect("step 9");
            let without = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
            assert!(
                without(htu) == without(url) || target(htu) == target(url),
                "step 9: {htu:?} and {url:?}"
            );
            let issued = claims["iat"].as_f64().expect("step 11");
            assert!((issued - NOW_SECONDS).abs() <= 61.0, "step 11: {issued}");
            assert_eq!(claims["ath"], hash(token).as_str(), "step 12");
            assert!(claims["jti"].as_str().is_some_and(|id| (1..=512).contains(&id.len())), "step 3");
            assert_eq!(verified.thumbprint(), public.thumbprint());
            assert_eq!(verified.nonce(), claims["nonce"].as_str());
            shape(("verified", verified.nonce().is_some(), htu == url))
        }
        Err(error) => {
            check_line(&error.to_string());
            error_shape(error)
        }
    }
}

/// The first line is a value of `DPoP-Nonce`, the second one of `WWW-Authenticate`, the rest the response of a token endpoint.
fn nonce(input: &[u8]) -> Shape {
    let text = text(input);
    let (value, rest) = first_line(&text);
    let (challenges, answer) = first_line(rest);
    let nonce = dpop::nonce(value);
    if let Some(nonce) = nonce {
        // RFC 9449 section 8.1: NQCHAR of RFC 6749 appendix A.
        let is_good = |c: char| c == '!' || ('#'..='[').contains(&c) || (']'..='~').contains(&c);
        assert!(!nonce.is_empty() && nonce.chars().all(is_good) && value.contains(nonce), "{nonce:?}");
    } else {
        let is_bad = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\\');
        let value = value.trim();
        assert!(value.is_empty() || value.len() > 1024 || value.contains(is_bad), "{value:?}");
    }
    let demanded = dpop::resource_demands_nonce(401, challenges);
    let expected = obvious::challenges(challenges);
    if let Some(expected) = &expected {
        let is_demand = |(scheme, params): &(String, Vec<(String, String)>)| {
            scheme == "dpop"
                && params.iter().any(|(name, value)| name == "error" && value == "use_dpop_nonce")
        };
        assert_eq!(demanded, expected.iter().any(is_demand), "{challenges:?}: {expected:?}");
    }
    assert!(!dpop::resource_demands_nonce(403, challenges));
    let response = response(answer.as_bytes());
    let of_endpoint = dpop::token_endpoint_demands_nonce(&response);
    if of_endpoint {
        assert!(matches!(response.status, 400 | 401));
        assert!(String::from_utf8_lossy(&response.body).contains("nonce"));
    }
    if let Some(key) = DpopKey::parse(value) {
        assert_eq!(key.to_text().expose(), value, "a key is written as it was read");
        assert!(!format!("{key:?}").contains(value));
    }
    shape((nonce.is_some(), demanded, expected.map(|all| all.len().min(4)), of_endpoint))
}
