//! What the clients of an API send, and what a provider says of their tokens.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url as BrowserUrl;
use vestibule_core::jose::base64url;
use vestibule_core::jose::jws::{
    Algorithm, UnverifiedJws, VerifiedPayload, sign_hs256, verify, verify_hs256,
};
use vestibule_core::jose::software::{self, SoftwareCrypto};
use vestibule_core::jose::{kdf, sign};
use vestibule_core::oauth::dpop::{self, DpopKey};
use vestibule_core::oauth::dpop_proof::{self, ExpectedProof};
use vestibule_core::oauth::introspection::{self, Answer, ExpectedSigned, Introspected, Wanted};
use vestibule_core::oauth::provider::AcceptBearer;
use vestibule_core::oauth::{access_token, revocation_request};
use vestibule_core::secret::Secret;

use crate::input::{
    CODE, NOW, NOW_SECONDS, at_once, check_line, check_message, error_shape, first_line, response, shape,
    text,
};
use crate::{Shape, Target, obvious};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "access_token",
        about: "the claims of an access token that a client sends, against the sentences of RFC 9068 section 4",
        reads: &["oauth::access_token::verify"],
        run: of_client,
        slice: 300,
    },
    Target {
        name: "introspection",
        about: "what a provider says of a token: active only where it says so, plainly or signed for this",
        reads: &[
            "oauth::introspection::parse",
            "oauth::introspection::verify_signed",
            "oauth::access_token::verify_active",
        ],
        run: introspected,
        slice: 800,
    },
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
    Target {
        name: "revocation_request",
        about: "a request to revoke a user's sessions: a caller that the provider signed for this, and one subject",
        reads: &[
            "oauth::revocation_request::verify",
            "oauth::revocation_request::precheck",
            "oauth::revocation_request::subject",
        ],
        run: revocation,
        slice: 1500,
    },
];

const ISSUER: &str = "https://idp.example";
const API: &str = "https://api.example";

fn accepted() -> AcceptBearer {
    AcceptBearer { audiences: vec![API.to_owned()], ..AcceptBearer::default() }
}

/// A token with these claims and this type, by a key that is known here, and verified.
fn signed(typ: &str, claims: &Value) -> Option<VerifiedPayload> {
    let key = kdf::p256_key(&Secret::new("a client's secret of 32 characters"), "fuzz");
    let public = software::public_key(&key, Algorithm::Es256).expect("a public key");
    let keys = [public].into_iter().collect();
    let token =
        at_once(sign::sign(&SoftwareCrypto, &key, Algorithm::Es256, typ, None, claims)).expect("signed");
    let jws = UnverifiedJws::parse(&token).ok()?;
    at_once(verify(&SoftwareCrypto, &jws, &keys, &[Algorithm::Es256])).ok()
}

/// The first line is the `typ` of a token, the rest are its claims.
fn of_client(input: &[u8]) -> Shape {
    let text = text(input);
    let (typ, claims) = first_line(&text);
    let Ok(Value::Object(claims)) = serde_json::from_str::<Value>(claims) else { return Shape::default() };
    let payload = match typ {
        // The type of every other JWT, without the work of a public key.
        "JWT" => {
            let secret = Secret::new("a client's secret of 32 characters");
            verify_hs256(&sign_hs256(&Value::Object(claims.clone()), &secret), &secret).ok()
        }
        typ => signed(typ, &Value::Object(claims.clone())),
    };
    let Some(payload) = payload else { return Shape::default() };
    let accepted = accepted();
    let expected = access_token::Expected { issuer: ISSUER, accepted: &accepted };
    match access_token::verify(payload, &expected, NOW) {
        Ok(token) => {
            let kind = typ.to_ascii_lowercase();
            let kind = kind.strip_prefix("application/").unwrap_or(&kind);
            assert!(matches!(kind, "at+jwt" | "jwt"), "{typ:?}");
            check_access_token(&claims, kind == "at+jwt", true);
            let is_bound = claims.get("cnf").is_some_and(|cnf| !cnf.is_null());
            let confirmed = token.confirmed_by(None);
            assert_eq!(
                confirmed.is_err(),
                is_bound,
                "a token that is bound counts without a proof: {claims:?}"
            );
            if let Ok(token) = &confirmed {
                assert_eq!(Some(token.subject()), claims["sub"].as_str());
                assert!(token.expires_at().seconds() + 60 > NOW.seconds());
            }
            shape(("accepted", is_bound, confirmed.is_ok_and(|token| token.client().is_some())))
        }
        Err(error) => {
            check_line(&error.to_string());
            error_shape(error)
        }
    }
}

/// What an access token that is accepted says (RFC 9068 section 4). `is_declared`: its type says that it is one.
fn check_access_token(claims: &Map<String, Value>, is_declared: bool, needs_issuer: bool) {
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let is_ours = |value: &Value| value == API;
    let audience = &claims["aud"];
    assert!(
        is_ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_ours)),
        "{claims:?}"
    );
    assert!(
        get("iss").is_some_and(|issuer| issuer == ISSUER) || (!needs_issuer && get("iss").is_none()),
        "{claims:?}"
    );
    let time = |name: &str| get(name).map(|value| value.as_f64().expect("a number"));
    assert!(time("exp").is_some_and(|at| at + 60.0 > NOW_SECONDS), "{claims:?}");
    assert!(time("nbf").is_none_or(|at| at - 60.0 <= NOW_SECONDS), "{claims:?}");
    assert!(time("iat").is_none_or(|at| at - 60.0 <= NOW_SECONDS), "{claims:?}");
    for other in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        assert!(get(other).is_none(), "an ID token or an event is accepted: {claims:?}");
    }
    // Something has to tell it from an ID token.
    let is_access = |name: &str, words: &[&str]| {
        get(name)
            .and_then(Value::as_str)
            .is_some_and(|kind| words.contains(&kind.to_ascii_lowercase().as_str()))
    };
    assert!(
        is_declared
            || get("scope").is_some()
            || get("scp").is_some()
            || is_access("typ", &["bearer", "dpop"])
            || is_access("token_use", &["access", "access_token"])
            || is_access("token_type", &["bearer", "dpop", "access_token"]),
        "it could be an ID token: {claims:?}"
    );
    if let Some(confirmation) = get("cnf") {
        let members = confirmation.as_object().expect("an object");
        assert!(
            members.len() == 1 && members["jkt"].as_str().is_some_and(|key| key.len() == 43),
            "{claims:?}"
        );
    }
}

/// The first line is the token that was asked about, the rest a response. Its body is also what a signed answer says.
fn introspected(input: &[u8]) -> Shape {
    let (token, rest) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let token = text(token);
    let response = response(rest.strip_prefix(b"\n").unwrap_or(rest));
    let body = serde_json::from_slice::<Value>(&response.body);
    let is_active = |claims: &Value| {
        let is_other = |name: &str| claims[name].as_str().is_some_and(|about| about != token);
        claims["active"] == true && !is_other("token") && !is_other("access_token")
    };
    let accepted = accepted();
    let expected = access_token::Expected { issuer: ISSUER, accepted: &accepted };
    let mut shapes = Vec::new();
    for wanted in [Wanted::Plain, Wanted::SignedIfOffered, Wanted::Signed] {
        match introspection::parse(&response, &token, wanted) {
            Ok(Answer::Plain(answer)) => {
                assert!(wanted != Wanted::Signed && (200..300).contains(&response.status));
                let body = body.as_ref().expect("an answer is JSON");
                match answer {
                    Introspected::Active(active) => {
                        assert!(is_active(body), "active: {body}");
                        let printed = format!("{active:?}");
                        assert!(
                            !printed.contains(CODE) || active.claims().keys().any(|name| name.contains(CODE))
                        );
                        let claims = active.claims().clone();
                        match access_token::verify_active(active, &expected, NOW) {
                            Ok(_) => {
                                check_access_token(&claims, false, false);
                                shapes.push(shape("a token"));
                            }
                            Err(error) => {
                                check_line(&error.to_string());
                                shapes.push(error_shape(error));
                            }
                        }
                    }
                    Introspected::Inactive => {
                        assert_eq!(body["active"], false);
                        shapes.push(shape("inactive"));
                    }
                }
            }
            Ok(Answer::Signed(jwt)) => {
                assert!(wanted != Wanted::Plain && response.headers.get("content-type").is_some());
                assert!(!jwt.starts_with(char::is_whitespace));
                shapes.push(shape("signed"));
            }
            Err(error) => {
                check_message(&error);
                shapes.push(error_shape(error));
            }
        }
    }
    if let Ok(body @ Value::Object(_)) = &body {
        shapes.push(signed_answer(&token, body, &is_active));
    }
    shape(shapes)
}

/// A signed answer, whose claims are the body's.
fn signed_answer(token: &str, claims: &Value, is_active: &dyn Fn(&Value) -> bool) -> Shape {
    let audiences = ["client".to_owned(), API.to_owned()];
    let expected = ExpectedSigned { issuer: ISSUER, audiences: &audiences };
    // With the type of any other JWT it is no answer.
    let secret = Secret::new("a client's secret of 32 characters");
    if let Ok(payload) = verify_hs256(&sign_hs256(claims, &secret), &secret) {
        assert!(introspection::verify_signed(payload, token, &expected, NOW).is_err());
    }
    let Some(inner) = claims.get("token_introspection") else { return shape("no signed answer") };
    let Some(payload) = signed("token-introspection+jwt", claims) else { return shape("too large") };
    match introspection::verify_signed(payload, token, &expected, NOW) {
        Ok(answer) => {
            assert_eq!(claims["iss"], ISSUER);
            let is_ours = |value: &Value| audiences.iter().any(|audience| value == audience.as_str());
            let audience = &claims["aud"];
            assert!(is_ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_ours)));
            assert!(claims["iat"].as_f64().is_some_and(|at| at - 60.0 <= NOW_SECONDS), "{claims}");
            let says_active = matches!(answer, Introspected::Active(_));
            assert!(if says_active { is_active(inner) } else { inner["active"] == false }, "{claims}");
            shape(("a signed answer", says_active))
        }
        Err(error) => {
            // As of every signed token: who it says that it is of and for is shown.
            check_line(&error.to_string());
            error_shape(error)
        }
    }
}

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

/// The first line is the `typ` of the caller's JWT, the second one are its claims, the rest is the body of the request.
fn revocation(input: &[u8]) -> Shape {
    let text = text(input);
    let (typ, rest) = first_line(&text);
    let (claims, body) = first_line(rest);
    let subject = revocation_request::subject(body.as_bytes());
    if let Ok(subject) = &subject {
        let body: Value = serde_json::from_str(body).expect("a body is JSON");
        super::events::check_subject(subject, &body["sub_id"]);
    }
    let subject = subject.map_err(error_shape).err();
    let Ok(Value::Object(claims)) = serde_json::from_str::<Value>(claims) else { return shape(subject) };
    let audiences = ["client".to_owned(), API.to_owned()];
    let expected = revocation_request::Expected { issuer: ISSUER, audiences: &audiences };
    let precheck = revocation_request::precheck(&claims, &expected, NOW);
    let secret = Secret::new("a client's secret of 32 characters");
    if let Ok(payload) = verify_hs256(&sign_hs256(&json!(claims), &secret), &secret) {
        assert!(
            revocation_request::verify(&payload, &expected, NOW).is_err(),
            "another type of token is accepted"
        );
    }
    match precheck {
        Ok(()) => {
            assert_eq!(claims["iss"], ISSUER);
            let is_ours = |value: &Value| audiences.iter().any(|audience| value == audience.as_str());
            assert!(
                is_ours(&claims["aud"])
                    || claims["aud"].as_array().is_some_and(|all| all.iter().any(is_ours))
            );
            let issued = claims["iat"].as_f64().expect("iat");
            assert!(issued - 60.0 <= NOW_SECONDS && issued + 661.0 > NOW_SECONDS, "{issued}");
            let Some(payload) = signed(typ, &json!(claims)) else { return shape("too large") };
            let verified = revocation_request::verify(&payload, &expected, NOW);
            let is_typed =
                typ.to_ascii_lowercase().trim_start_matches("application/") == "global-token-revocation+jwt";
            assert_eq!(verified.is_ok(), is_typed, "{typ:?}");
            shape(("accepted", is_typed, subject))
        }
        Err(error) => {
            check_line(&error.to_string());
            shape((error_shape(error), subject))
        }
    }
}
