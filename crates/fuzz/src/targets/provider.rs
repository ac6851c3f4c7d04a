//! What providers and APIs answer.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url as BrowserUrl;
use vestibule_core::credentials::login::{self, LoginError};
use vestibule_core::credentials::provider::{ApiRefresh, Expiry, Login, TokenPaths};
use vestibule_core::credentials::refresh;
use vestibule_core::credentials::refusal::Refusals;
use vestibule_core::data::DataPath;
use vestibule_core::http::form::Params;
use vestibule_core::http::request::Method;
use vestibule_core::http::url::Url;
use vestibule_core::jose::base64url;
use vestibule_core::jose::jws::{sign_hs256, verify_hs256};
use vestibule_core::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_core::oauth::{authorize, id_token, revocation, token, userinfo};
use vestibule_core::outbound::ApiRequest;
use vestibule_core::secret::Secret;

use crate::input::{
    CODE, NOW, NOW_SECONDS, check_line, check_message, error_shape, first_line, response, shape, text,
};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "id_token",
        about: "the claims of an ID token, against the sentences of OpenID Connect Core 3.1.3.7",
        reads: &["oauth::id_token::verify"],
        run: id_token,
        slice: 1500,
    },
    Target {
        name: "token_response",
        about: "a token endpoint's answer: tokens fit into header fields, messages into a log",
        reads: &["oauth::token::parse", "oauth::revocation::parse"],
        run: token_response,
        slice: 1500,
    },
    Target {
        name: "userinfo",
        about: "userinfo and profiles: no other user's, and messages fit into a log",
        reads: &[
            "oauth::userinfo::parse",
            "oauth::userinfo::parse_decrypted",
            "oauth::userinfo::parse_profile",
        ],
        run: userinfo,
        slice: 1500,
    },
    Target {
        name: "discovery",
        about: "a provider's metadata: no endpoint that another URL parser reads as another server",
        reads: &["oauth::discovery::parse"],
        run: discovery,
        slice: 1500,
    },
    Target {
        name: "authorization_response",
        about: "the parameters that come back from a provider: this state, this issuer, no parameter twice",
        reads: &["oauth::authorize::parse_response"],
        run: authorization_response,
        slice: 1500,
    },
    Target {
        name: "api_answer",
        about: "an API's answer to a login and a refresh: what refuses, and messages without tokens",
        reads: &["credentials::login::parse", "credentials::refresh::parse"],
        run: api_answer,
        slice: 800,
    },
];

pub(super) const ISSUER: &str = "https://idp.example";

/// The claims of an ID token.
fn id_token(input: &[u8]) -> Shape {
    let secret = Secret::new("a client's secret of 32 characters");
    let Ok(Value::Object(claims)) = serde_json::from_slice::<Value>(input) else { return Shape::default() };
    let Ok(payload) = verify_hs256(&sign_hs256(&Value::Object(claims.clone()), &secret), &secret) else {
        return Shape::default();
    };
    let (nonce, access_token) = (Secret::new("a-nonce"), Secret::new("an-access-token"));
    let expected = id_token::Expected {
        issuer: ISSUER,
        client_id: "client",
        nonce: Some(&nonce),
        access_token: &access_token,
        max_age: Some(Duration::from_mins(10)),
    };
    let result = id_token::verify(payload, &expected, NOW);
    let is_good = is_good_id_token(&claims);
    match result {
        Ok(token) => {
            assert!(is_good, "accepted: {claims:?}");
            assert_eq!(token.claims(), &claims);
            assert_eq!(Some(token.subject()), claims["sub"].as_str());
            shape("accepted")
        }
        Err(error) => {
            assert!(!is_good, "rejected ({error}): {claims:?}");
            check_line(&error.to_string());
            error_shape(error)
        }
    }
}

/// The sentences of OpenID Connect Core 1.0 sections 2, 3.1.3.7 and 3.1.3.8, for a request with a nonce and `max_age`.
fn is_good_id_token(claims: &Map<String, Value>) -> bool {
    let now = NOW_SECONDS;
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let text = |name: &str| get(name).and_then(Value::as_str);
    let is_absent = |name: &str| get(name).is_none();
    let time =
        |name: &str| get(name).and_then(Value::as_f64).filter(|at| (0.0..=253_402_300_799.0).contains(at));
    let (is_for_us, has_several) = match get("aud") {
        Some(Value::String(one)) => (one == "client", false),
        Some(Value::Array(all)) => (
            all.len() <= 32 && all.iter().all(Value::is_string) && all.iter().any(|one| one == "client"),
            all.len() > 1,
        ),
        _ => (false, false),
    };
    let hash = base64url::encode(&Sha256::digest("an-access-token")[..16]);
    text("iss") == Some(ISSUER)
        && is_for_us
        && (text("azp") == Some("client") || (is_absent("azp") && !has_several))
        && time("exp").is_some_and(|at| at + 60.0 > now)
        && time("iat").is_some_and(|at| at - 60.0 <= now)
        && (get("nbf").is_none() || time("nbf").is_some_and(|at| at - 60.0 <= now))
        && text("nonce") == Some("a-nonce")
        && time("auth_time").is_some_and(|at| at + 600.0 + 60.0 >= now && at - 60.0 <= now)
        && (is_absent("at_hash") || text("at_hash") == Some(hash.as_str()))
        && text("sub").is_some_and(|sub| (1..=255).contains(&sub.len()) && !sub.chars().any(char::is_control))
}

/// The answer of a token endpoint, and of one for revocations.
fn token_response(input: &[u8]) -> Shape {
    let response = response(input);
    let mut shapes = Vec::new();
    for (is_strict, is_bound) in [(true, false), (true, true), (false, false)] {
        let options =
            token::ParseOptions { is_strict, response_path: None, invalid_grant_errors: &[], is_bound };
        match token::parse(&response, options) {
            Ok(tokens) => {
                assert!((200..300).contains(&response.status) && (!is_strict || response.status == 200));
                let token = tokens.access_token.expose();
                assert!(!token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()), "{token:?}");
                assert_eq!(tokens.raw["access_token"], token);
                if is_strict {
                    let kind = tokens.raw["token_type"].as_str().expect("a type").to_ascii_lowercase();
                    assert_eq!(kind, if is_bound { "dpop" } else { "bearer" });
                }
                assert!(tokens.expires_in.is_none_or(|lifetime| lifetime >= Duration::from_secs(1)));
                assert!(tokens.expires_at(NOW) > NOW);
                let printed = format!("{tokens:?}");
                assert!(
                    token.len() < 12
                        || tokens.raw.keys().any(|name| name.contains(token))
                        || !printed.contains(token)
                );
                shapes.push(shape((
                    tokens.refresh_token.is_some(),
                    tokens.id_token.is_some(),
                    tokens.expires_in.is_some(),
                )));
            }
            Err(error) => {
                check_message(&error);
                assert!(!(error.is_temporary() && error.is_invalid_grant()));
                // Only an answer of the provider ends a session.
                assert!(!error.is_invalid_grant() || response.status < 500, "{error}");
                shapes.push(error_shape(error));
            }
        }
    }
    if let Err(error) = revocation::parse(&response) {
        check_message(&error);
        shapes.push(error_shape(error));
    }
    shape(shapes)
}

/// An answer about a user.
fn userinfo(input: &[u8]) -> Shape {
    let response = response(input);
    let root = DataPath::parse("data.user").expect("a path");
    let mut shapes = Vec::new();
    for root in [None, Some(&root)] {
        match userinfo::parse(&response, root, "bob") {
            Ok(claims) => {
                assert_eq!(response.status, 200);
                assert_eq!(claims["sub"], "bob");
                shapes.push(shape(claims.len().min(4)));
            }
            Err(error) => {
                check_message(&error);
                shapes.push(error_shape(error));
            }
        }
        match userinfo::parse_profile(&response, root) {
            Ok((claims, error)) => {
                assert!((200..300).contains(&response.status));
                error.iter().for_each(check_message);
                shapes.push(shape((claims.len().min(4), error.is_some())));
            }
            Err(error) => {
                check_message(&error);
                shapes.push(error_shape(error));
            }
        }
        let text = String::from_utf8_lossy(&response.body);
        if let Ok(claims) = userinfo::parse_decrypted(&text, root, "bob") {
            assert_eq!(claims["sub"], "bob");
        }
    }
    shape(shapes)
}

/// The answer with a provider's metadata.
fn discovery(input: &[u8]) -> Shape {
    match discovery::parse(&Issuer::plain(ISSUER), &response(input)) {
        Ok(metadata) => {
            assert_eq!(metadata.issuer(), Some(ISSUER));
            let requests = metadata.requests().pushed_authorization_request_endpoint.as_ref();
            let optional = [
                metadata.jwks_uri(),
                metadata.userinfo_endpoint(),
                metadata.end_session_endpoint(),
                metadata.revocation_endpoint(),
                requests,
            ];
            let required = [metadata.authorization_endpoint(), metadata.token_endpoint()];
            for url in required.into_iter().chain(optional.into_iter().flatten()) {
                check_endpoint(url.as_str());
            }
            shape((
                optional.map(|url| url.is_some()),
                metadata.id_token_algorithms().len(),
                metadata.supports_pkce(),
            ))
        }
        Err(error) => {
            check_message(&error);
            error_shape(error)
        }
    }
}

/// An endpoint is a server on the internet, however a browser reads the URL.
pub(super) fn check_endpoint(url: &str) {
    let browser = BrowserUrl::parse(url).expect("a browser reads it");
    assert_eq!(browser.as_str(), url, "a browser would repair it");
    assert_eq!(browser.scheme(), "https");
    assert!(browser.username().is_empty() && browser.password().is_none(), "{url}");
    match browser.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            assert!(name != "localhost" && !name.ends_with(".localhost"), "{url}");
        }
        other => panic!("the host of {url} is {other:?}"),
    }
}

/// The first line says how the parameters came (`query` or `json`), the rest are the parameters.
fn authorization_response(input: &[u8]) -> Shape {
    let text = text(input);
    let (kind, rest) = first_line(&text);
    let params = match kind {
        "json" => Params::from_json(rest.as_bytes()).unwrap_or_default(),
        _ => Params::from_urlencoded(rest.as_bytes()),
    };
    let all = |name: &str| {
        params.iter().filter(|(n, _)| *n == name).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let requires_issuer = kind.len() % 2 == 0;
    match authorize::parse_response(&params, &Secret::new("a-state"), &metadata(), requires_issuer) {
        Ok(code) => {
            assert_eq!(all("code"), [code.expose()]);
            assert!(!code.expose().is_empty());
            assert_eq!(all("state"), ["a-state"]);
            assert!(
                all("iss") == [ISSUER] || (all("iss").is_empty() && !requires_issuer),
                "{:?}",
                all("iss")
            );
            assert!(
                all("error").iter().all(String::is_empty)
                    && all("id_token").is_empty()
                    && all("access_token").is_empty()
            );
            shape("a code")
        }
        Err(error) => {
            // Another issuer is quoted, as it is.
            if all("iss").iter().all(|issuer| !issuer.contains(CODE)) {
                check_message(&error);
            }
            error_shape(error)
        }
    }
}

pub(super) fn metadata() -> ProviderMetadata {
    let document = format!(
        "200 application/json\n{{\"issuer\":\"{ISSUER}\",\"authorization_endpoint\":\"{ISSUER}/a\",\"token_endpoint\":\"{ISSUER}/t\",\"jwks_uri\":\"{ISSUER}/j\"}}"
    );
    discovery::parse(&Issuer::plain(ISSUER), &response(document.as_bytes())).expect("metadata")
}

/// The answer of an API to a login and to a refresh.
fn api_answer(input: &[u8]) -> Shape {
    let response = response(input);
    let path = |text: &str| DataPath::parse(text).expect("a path");
    let request = ApiRequest {
        method: Method::Post,
        url: Url::parse("https://api.example.com/login").expect("a URL"),
        headers: Vec::new(),
        body: None,
    };
    let tokens = TokenPaths {
        access_token: path("body.access_token"),
        refresh_token: Some(path("body.refresh_token")),
        expires: Some(Expiry::In(path("body.expires_in"))),
        refresh_expires: Some(Expiry::At(path("body.refresh_expires_at"))),
    };
    let refusals = |errors: Option<&[&str]>| Refusals {
        error: Some(path("body.error")),
        errors: errors.map(|errors| errors.iter().map(ToString::to_string).collect()),
        statuses: vec![401, 403],
        success: vec!["none".to_owned()],
    };
    let mut shapes = Vec::new();
    for errors in [None, Some(&["refused"][..])] {
        let login = Login { request: request.clone(), tokens: tokens.clone(), refusals: refusals(errors) };
        match login::parse(&login, &response, NOW) {
            Ok(answers) => {
                assert!((200..300).contains(&response.status));
                match login::tokens("login", &tokens, &answers, NOW) {
                    Ok(tokens) => {
                        let fits = |token: &Secret| {
                            !token.is_empty() && !token.expose().contains(|c: char| c.is_control())
                        };
                        assert!(fits(&tokens.access_token) && tokens.refresh_token.as_ref().is_none_or(fits));
                        shapes.push(shape((tokens.expires_at.is_some(), tokens.refresh_token.is_some())));
                    }
                    Err(error) => {
                        check_message(&error);
                        shapes.push(error_shape(error));
                    }
                }
            }
            Err(LoginError::Rejected(rejected)) => {
                assert!(response.status < 500, "a failure is no refusal");
                // A code of the API; the flow drops one that repeats what was sent.
                check_line(&rejected.code);
                shapes.push(shape("rejected"));
            }
            Err(LoginError::Api(error)) => {
                check_line(&error.to_string());
                shapes.push(error_shape(error));
            }
        }
        let refresh = ApiRefresh {
            request: request.clone(),
            cookies: Vec::new(),
            tokens: tokens.clone(),
            refusals: refusals(errors),
            needs_refresh_token: true,
            kept_cookies: Vec::new(),
        };
        match refresh::parse(&refresh, &response, NOW) {
            Ok(_) => assert!((200..300).contains(&response.status)),
            Err(refresh::RefreshError::Rejected { status }) => {
                assert!(status < 500 && !matches!(status, 408 | 425 | 429), "{status} ends a session");
                shapes.push(shape("refused"));
            }
            Err(refresh::RefreshError::Api(error)) => {
                check_message(error.clone().without_code_in(|code| code.contains(CODE)));
                shapes.push(error_shape(error));
            }
        }
    }
    shape(shapes)
}
