//! What the clients of an API send, and what a provider says of their tokens.

use serde_json::{Map, Value, json};
use vestibule_core::jose::jws::{
    Algorithm, UnverifiedJws, VerifiedPayload, sign_hs256, verify, verify_hs256,
};
use vestibule_core::jose::software::{self, SoftwareCrypto};
use vestibule_core::jose::{kdf, sign};
use vestibule_core::oauth::introspection::{self, Answer, ExpectedSigned, Introspected, Wanted};
use vestibule_core::oauth::provider::AcceptBearer;
use vestibule_core::oauth::{access_token, revocation_request};
use vestibule_core::secret::Secret;

use crate::input::{
    CODE, NOW, NOW_SECONDS, at_once, check_line, check_message, error_shape, first_line, json_of, response,
    shape, text,
};
use crate::{Shape, Target};

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
    let body = json_of(&response);
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
