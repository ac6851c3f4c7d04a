//! What providers send by themselves: logout tokens and security events.

use serde_json::{Map, Value};
use vestibule_core::jose::jws::{sign_hs256, verify_hs256};
use vestibule_core::oauth::logout_token::{self, Ended};
use vestibule_core::oauth::security_event;
use vestibule_core::oauth::subject_id::{self, SimpleId, SubjectId};
use vestibule_core::secret::Secret;
use vestibule_core::time::Timestamp;

use crate::input::{NOW, NOW_SECONDS, check_line, error_shape, first_line, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "logout_token",
        about: "the claims of a logout token, against the steps of Back-Channel Logout 2.6",
        reads: &["oauth::logout_token::verify", "oauth::logout_token::precheck"],
        run: logout_token,
        slice: 1500,
    },
    Target {
        name: "security_event",
        about: "the claims of a security event and its subject",
        reads: &[
            "oauth::security_event::verify",
            "oauth::security_event::precheck",
            "oauth::subject_id::parse",
        ],
        run: security_event,
        slice: 1500,
    },
];

const ISSUER: &str = "https://idp.example";

/// The claims of a logout token.
fn logout_token(input: &[u8]) -> Shape {
    let secret = Secret::new("a client's secret of 32 characters");
    let Ok(Value::Object(claims)) = serde_json::from_slice::<Value>(input) else { return Shape::default() };
    let token = sign_hs256(&Value::Object(claims.clone()), &secret);
    let Ok(payload) = verify_hs256(&token, &secret) else { return Shape::default() };
    let expected = logout_token::Expected { issuer: ISSUER, client_id: "client" };
    let checked = logout_token::precheck(&claims, &expected, NOW);
    match logout_token::verify(&payload, &expected, NOW) {
        Ok(token) => {
            assert!(checked.is_ok());
            check_claims(&claims, &["client"]);
            assert!(!claims.contains_key("nonce"));
            let event = &claims["events"]["http://schemas.openid.net/event/backchannel-logout"];
            assert!(event.is_object());
            let now = NOW_SECONDS;
            assert!(claims["exp"].as_f64().expect("exp") + 60.0 > now);
            assert!(claims["iat"].as_f64().expect("iat") + 660.0 > now);
            let issued_at = claims["iat"].as_f64().expect("iat");
            assert_eq!(token.issued_at(), Timestamp::from_fractional_seconds(issued_at));
            let id = match token.ended() {
                Ended::Session(sid) => (claims["sid"].as_str(), sid),
                Ended::User(sub) => {
                    assert!(claims.get("sid").is_none_or(Value::is_null));
                    (claims["sub"].as_str(), sub)
                }
            };
            assert_eq!(id.0, Some(id.1.as_str()));
            assert!(!id.1.is_empty() && !id.1.chars().any(char::is_control));
            shape(matches!(token.ended(), Ended::User(_)))
        }
        Err(error) => {
            check_line(&error.to_string());
            let description = error.description();
            check_line(&description);
            assert!(description.len() < 80, "{description}");
            error_shape(error)
        }
    }
}

/// `iss`, `aud`, `iat` and `jti`.
fn check_claims(claims: &Map<String, Value>, audiences: &[&str]) {
    assert_eq!(claims["iss"], ISSUER);
    let is_ours = |value: &Value| value.as_str().is_some_and(|aud| audiences.contains(&aud));
    assert!(
        is_ours(&claims["aud"]) || claims["aud"].as_array().is_some_and(|all| all.iter().any(is_ours)),
        "{claims:?}"
    );
    assert!(claims["iat"].as_f64().expect("iat") - 60.0 <= NOW_SECONDS);
    assert!(claims["jti"].as_str().is_some_and(|id| (1..=512).contains(&id.len())));
}

/// The first line is the `typ` of a security event token, the rest are its claims.
fn security_event(input: &[u8]) -> Shape {
    let text = text(input);
    let (_, claims) = first_line(&text);
    let Ok(Value::Object(claims)) = serde_json::from_str::<Value>(claims) else { return Shape::default() };
    let audiences = ["https://sp.example".to_owned(), "client".to_owned()];
    let expected = security_event::Expected { issuer: ISSUER, audiences: &audiences };
    let parsed = claims.get("sub_id").map(subject_id::parse);
    if let Some(Ok(subject)) = &parsed {
        check_subject(subject, &claims["sub_id"]);
    }
    // Signed with a secret, a token has the type of every JWT: `verify` refuses it.
    let secret = Secret::new("a client's secret of 32 characters");
    if let Ok(payload) = verify_hs256(&sign_hs256(&Value::Object(claims.clone()), &secret), &secret) {
        assert!(
            security_event::verify(&payload, &expected, NOW).is_err(),
            "another type of token is accepted"
        );
    }
    match security_event::precheck(&claims, &expected, NOW) {
        Ok(()) => {
            check_claims(&claims, &["https://sp.example", "client"]);
            assert!(!claims.contains_key("exp"));
            let events = claims["events"].as_object().expect("events");
            assert!((1..=16).contains(&events.len()) && events.values().all(Value::is_object));
            let ends = ["session-revoked", "credential-change"]
                .map(|name| format!("https://schemas.openid.net/secevent/caep/event-type/{name}"));
            if events.keys().any(|name| ends.contains(name)) {
                assert!(matches!(parsed, Some(Ok(_))), "it ends the sessions of nobody: {claims:?}");
            }
            shape(("accepted", events.len(), parsed.map(|parsed| parsed.is_ok())))
        }
        Err(error) => {
            check_line(&error.to_string());
            check_line(&error.description());
            error_shape(error)
        }
    }
}

pub(super) fn check_subject(subject: &SubjectId, written: &Value) {
    let text = written.to_string();
    let check = |id: &SimpleId| match id {
        SimpleId::IssuerSubject { issuer, subject } => {
            assert!(!issuer.is_empty() && !subject.is_empty());
            assert!(text.contains(&Value::from(subject.as_str()).to_string()));
        }
        SimpleId::Opaque(id) => {
            assert!(!id.is_empty() && text.contains(&Value::from(id.as_str()).to_string()));
        }
        SimpleId::Aliases(ids) => assert!((1..=16).contains(&ids.len())),
        SimpleId::Other(_) => {}
    };
    match subject {
        SubjectId::Simple(id) => check(id),
        SubjectId::Complex { user, session } => user.iter().chain(session).for_each(check),
    }
    // Nothing that prints it shows a name.
    if let SubjectId::Simple(SimpleId::Opaque(id)) = subject {
        assert!(id.len() < 12 || !format!("{subject:?}").contains(id.as_str()));
    }
}
