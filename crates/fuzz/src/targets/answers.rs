//! What a provider answers beside tokens and a profile.

use serde_json::{Map, Value};
use url::Url as BrowserUrl;
use vestibule_core::data::DataPath;
use vestibule_core::http::form::Params;
use vestibule_core::http::url::Url;
use vestibule_core::jose::jws::{sign_hs256, verify_hs256};
use vestibule_core::oauth::discovery::{self, Issuer, ProviderMetadata};
use vestibule_core::oauth::email::EmailVerification;
use vestibule_core::oauth::provider::{EmailsConfig, ExchangeDialect, GroupsOverage};
use vestibule_core::oauth::token::ParseOptions;
use vestibule_core::oauth::token_exchange::{self, ExchangeTarget, TokenExchange};
use vestibule_core::oauth::{groups, id_token, jarm, jwks, pushed, transmitter, userinfo};
use vestibule_core::secret::Secret;
use vestibule_core::time::Timestamp;

use super::provider::{ISSUER, check_endpoint, metadata};
use crate::input::{
    NOW, NOW_SECONDS, check_line, check_message, error_shape, first_line, json_of, response, shape, text,
};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "token_exchange",
        about: "a token in exchange for another: for the target, with no more scope, and no longer than it says",
        reads: &["oauth::token_exchange::parse"],
        run: exchanged,
        slice: 1500,
    },
    Target {
        name: "pushed_response",
        about: "the reference to a pushed request: the provider's, and visible ASCII",
        reads: &["oauth::pushed::parse"],
        run: pushed_request,
        slice: 1500,
    },
    Target {
        name: "signed_response",
        about: "a signed authorization response: its claims and nothing beside them, against the steps of JARM 2.4",
        reads: &["oauth::jarm::UnverifiedResponse::parse", "oauth::jarm::verify"],
        run: signed_response,
        slice: 800,
    },
    Target {
        name: "refreshed_id_token",
        about: "an ID token that comes with refreshed tokens: the same user's, against OpenID Connect Core 12.2",
        reads: &[
            "oauth::id_token::verify_refreshed",
            "oauth::id_token::session_expiry",
            "oauth::id_token::verify_param_claims",
        ],
        run: refreshed,
        slice: 1500,
    },
    Target {
        name: "other_metadata",
        about: "metadata of a transmitter and of a provider with tenants: that issuer's, with servers on the internet",
        reads: &[
            "oauth::transmitter::parse_metadata",
            "oauth::discovery::parse",
            "oauth::discovery::issuer_of_token",
            "oauth::jwks::parse",
        ],
        run: other_metadata,
        slice: 1500,
    },
    Target {
        name: "user_lists",
        about: "a user's groups and e-mail addresses: only those that the answer lists, verified only where it says so",
        reads: &["oauth::groups::parse", "oauth::userinfo::parse_emails"],
        run: lists,
        slice: 1500,
    },
];

/// The first line is the dialect (`rfc` or anything else) and the scopes that are asked for, the rest a response.
fn exchanged(input: &[u8]) -> Shape {
    let (line, rest) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let line = text(line);
    let response = response(rest.strip_prefix(b"\n").unwrap_or(rest));
    let mut words = line.split_ascii_whitespace();
    let is_rfc = words.next() == Some("rfc");
    let target = ExchangeTarget { scopes: words.map(str::to_owned).collect(), ..ExchangeTarget::default() };
    let subject_token = Secret::new("the-session's-access-token");
    let dialect = if is_rfc { ExchangeDialect::TokenExchange } else { ExchangeDialect::OnBehalfOf };
    let exchange = TokenExchange { target: &target, dialect, subject_token: &subject_token };
    let options =
        ParseOptions { is_strict: true, response_path: None, invalid_grant_errors: &[], is_bound: false };
    match token_exchange::parse(&response, options, &exchange, NOW) {
        Ok(token) => {
            let body = json_of(&response).expect("an answer is JSON");
            let text = token.access_token.expose();
            assert_eq!(response.status, 200);
            assert!(text.bytes().all(|b| b.is_ascii_graphic()) && (1..=16 * 1024).contains(&text.len()));
            assert_ne!(text, subject_token.expose(), "the session's own token");
            assert_eq!(body["access_token"], text);
            if is_rfc {
                let kind = body["issued_token_type"].as_str().expect("a type");
                assert!(
                    ["access_token", "jwt"]
                        .iter()
                        .any(|it| kind == format!("urn:ietf:params:oauth:token-type:{it}"))
                );
                if let (false, Some(scope)) = (target.scopes.is_empty(), body["scope"].as_str()) {
                    let is_asked = |scope: &str| target.scopes.iter().any(|asked| asked == scope);
                    assert!(scope.split_ascii_whitespace().all(is_asked), "{scope:?} of {:?}", target.scopes);
                }
            }
            assert!(token.expires_at > NOW);
            if let Some(lifetime) = body["expires_in"].as_f64().filter(|lifetime| *lifetime >= 1.0) {
                let left = token.expires_at.since(NOW).as_secs_f64();
                assert!(left <= lifetime, "it is used for {left} s of {lifetime}");
            }
            shape(("exchanged", is_rfc, target.scopes.len().min(3)))
        }
        Err(error) => {
            check_message(&error);
            error_shape(error)
        }
    }
}

fn pushed_request(input: &[u8]) -> Shape {
    let response = response(input);
    let endpoint = Url::parse("https://par.idp.example/par").expect("a URL");
    match pushed::parse(&response, &endpoint, &metadata()) {
        Ok(reference) => {
            assert!(matches!(response.status, 200 | 201));
            let uri = reference.as_str();
            let body = json_of(&response).expect("an answer is JSON");
            assert_eq!(body["request_uri"], uri);
            assert!(!uri.is_empty() && uri.bytes().all(|b| b.is_ascii_graphic()));
            let url = BrowserUrl::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
            if url.scheme() != "urn" {
                let origin = url.origin().ascii_serialization();
                assert!(
                    [ISSUER, "https://par.idp.example"].contains(&origin.as_str()),
                    "a reference at {origin}"
                );
            }
            shape(("a reference", url.scheme() == "urn", body["expires_in"].is_null()))
        }
        Err(error) => {
            check_message(&error);
            error_shape(error)
        }
    }
}

/// The first line has further parameters as a form, the rest are claims, which are signed.
fn signed_response(input: &[u8]) -> Shape {
    let text = text(input);
    let (beside, claims) = first_line(&text);
    let secret = Secret::new("a client's secret of 32 characters");
    let Ok(Value::Object(claims)) = serde_json::from_str::<Value>(claims) else { return Shape::default() };
    let token = sign_hs256(&Value::Object(claims.clone()), &secret);
    let mut form = beside.replace("{response}", &format!("response={token}"));
    if form.is_empty() {
        form = format!("response={token}");
    }
    let params = Params::from_urlencoded(form.as_bytes());
    let names: Vec<&str> = params.iter().map(|(name, _)| name).collect();
    let unverified = match jarm::UnverifiedResponse::parse(&params) {
        Ok(unverified) => unverified,
        Err(error) => {
            check_line(&error.to_string());
            return error_shape(error);
        }
    };
    assert_eq!(names.iter().filter(|name| **name == "response").count(), 1);
    assert!(
        !names
            .iter()
            .any(|name| matches!(*name, "code" | "state" | "iss" | "error" | "id_token" | "access_token"))
    );
    if params.one("response") != Ok(Some(token.as_str())) {
        return shape("another token");
    }
    assert_eq!(unverified.state(), claims.get("state").and_then(Value::as_str));
    let Ok(payload) = verify_hs256(&token, &secret) else { return Shape::default() };
    match jarm::verify(payload, ISSUER, "client", NOW) {
        Ok(params) => {
            let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
            assert!(get("iss").is_some_and(|issuer| issuer == ISSUER));
            let audience = get("aud").expect("aud");
            assert!(audience == "client" || audience == &serde_json::json!(["client"]), "{audience}");
            assert!(get("exp").and_then(Value::as_f64).is_some_and(|at| at + 60.0 > NOW_SECONDS));
            for name in ["nbf", "iat"] {
                assert!(
                    get(name).is_none_or(|at| at.as_f64().is_some_and(|at| at - 60.0 <= NOW_SECONDS)),
                    "{name}"
                );
            }
            let read: Map<String, Value> =
                params.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let expected: Map<String, Value> =
                claims.into_iter().filter(|(_, value)| value.is_string()).collect();
            assert_eq!(read, expected, "the parameters are the claims that are texts");
            shape(("verified", read.len().min(6)))
        }
        Err(error) => {
            check_line(&error.to_string());
            error_shape(error)
        }
    }
}

/// The claims of an ID token.
fn refreshed(input: &[u8]) -> Shape {
    let Ok(Value::Object(claims)) = serde_json::from_slice::<Value>(input) else { return Shape::default() };
    let get = |name: &str| claims.get(name).filter(|value| !value.is_null());
    let mut shapes = Vec::new();
    for subject in [None, Some("bob")] {
        match id_token::verify_refreshed(claims.clone(), ISSUER, "client", subject, NOW) {
            Ok(token) => {
                assert!(get("iss").is_some_and(|issuer| issuer == ISSUER));
                let audience = get("aud").expect("aud");
                let is_several = audience.as_array().is_some_and(|all| all.len() > 1);
                let is_ours = |value: &Value| value == "client";
                assert!(is_ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_ours)));
                assert!(get("azp").map_or(!is_several, is_ours), "it was issued to another client");
                let found = get("sub").and_then(Value::as_str).expect("sub");
                assert!(subject.is_none_or(|subject| subject == found), "another user's: {found}");
                if let Some(token) = &token {
                    assert_eq!(token.subject(), found);
                    assert!(get("exp").and_then(Value::as_f64).is_some_and(|at| at + 60.0 > NOW_SECONDS));
                    assert!(get("iat").and_then(Value::as_f64).is_some_and(|at| at - 60.0 <= NOW_SECONDS));
                }
                shapes.push(shape(("accepted", token.is_some())));
            }
            Err(error) => {
                check_line(&error.to_string());
                shapes.push(error_shape(error));
            }
        }
    }
    match id_token::session_expiry(&claims, NOW) {
        Ok(end) => assert_eq!(end.map(Timestamp::seconds), get("session_expiry").and_then(Value::as_u64)),
        Err(error) => check_line(&error.to_string()),
    }
    let names = ["organization".to_owned(), "org_id".to_owned()];
    for wanted in ["acme", "*"] {
        let texts =
            names.iter().filter_map(|name| get(name).and_then(Value::as_str)).filter(|text| !text.is_empty());
        let has_it = texts.into_iter().any(|text| wanted == "*" || text == wanted);
        assert_eq!(id_token::verify_param_claims(&claims, wanted, &names).is_ok(), has_it);
        shapes.push(shape(has_it));
    }
    shape(shapes)
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// The first line is the `tid` of a token, the rest a response.
fn other_metadata(input: &[u8]) -> Shape {
    let (tenant, rest) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let tenant = text(tenant);
    let response = response(rest.strip_prefix(b"\n").unwrap_or(rest));
    let body = json_of(&response).unwrap_or_default();
    let mut shapes = Vec::new();
    match transmitter::parse_metadata(ISSUER, &response) {
        Ok(url) => {
            assert_eq!(body["issuer"], ISSUER);
            let written = body["jwks_uri"].as_str().and_then(|url| BrowserUrl::parse(url).ok());
            assert_eq!(written.expect("a URL").as_str(), url.as_str());
            check_endpoint(url.as_str());
            shapes.push(shape("keys"));
        }
        Err(error) => {
            check_message(&error);
            shapes.push(error_shape(error));
        }
    }
    if let Err(error) = jwks::parse(&response) {
        check_line(&error.to_string());
    }
    for of in ["organizations", "contoso.example", TENANT] {
        let identifier = format!("https://login.example/{of}/v2.0");
        let issuer = Issuer {
            identifier: &identifier,
            template: Some("https://login.example/{tid}/v2.0"),
            well_known: None,
        };
        match discovery::parse(&issuer, &response) {
            Ok(metadata) => shapes.push(of_tenants(&issuer, &metadata, of, &tenant)),
            Err(error) => {
                check_message(&error);
                shapes.push(error_shape(error));
            }
        }
    }
    shape(shapes)
}

/// The issuer that a token must name if its claim `tid` is `tenant`.
fn of_tenants(issuer: &Issuer<'_>, metadata: &ProviderMetadata, of: &str, tenant: &str) -> Shape {
    let is_id =
        |text: &str| text.len() == 36 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let named = metadata.issuer().expect("an issuer");
    let middle = named.strip_prefix("https://login.example/").and_then(|rest| rest.strip_suffix("/v2.0"));
    let middle = middle.unwrap_or_else(|| panic!("the document of {named} is accepted"));
    assert!(middle == of || (of != TENANT && (is_id(middle) || middle == "{tenantid}")), "{named} for {of}");
    let found = discovery::issuer_of_token(issuer, metadata, Some(tenant));
    match &found {
        None => assert!(middle == "{tenantid}", "{named}"),
        Some(found) if middle == "{tenantid}" => {
            assert!(is_id(tenant));
            assert_eq!(*found, format!("https://login.example/{tenant}/v2.0"));
        }
        Some(found) => assert_eq!(found, named),
    }
    assert!(discovery::issuer_of_token(issuer, metadata, None).is_none() || middle != "{tenantid}");
    shape((of, middle == of, middle == "{tenantid}", found.is_some()))
}

/// A response.
fn lists(input: &[u8]) -> Shape {
    let response = response(input);
    let body = json_of(&response).unwrap_or_default();
    let mut shapes = Vec::new();
    let url = Url::parse("https://graph.example/groups").expect("a URL");
    for keep in [Vec::new(), vec!["admins".to_owned(), "staff".to_owned()]] {
        let is_kept = |group: &Value| {
            group.as_str().is_some_and(|id| keep.is_empty() || keep.iter().any(|kept| kept == id))
        };
        match groups::parse(&response, &GroupsOverage { url: url.clone(), keep: keep.clone() }) {
            Ok(groups) => {
                let listed = body["value"].as_array().expect("a list");
                assert_eq!(groups, listed.iter().filter(|group| is_kept(group)).cloned().collect::<Vec<_>>());
                shapes.push(shape(groups.len().min(4)));
            }
            Err(error) => {
                check_message(&error);
                shapes.push(error_shape(error));
            }
        }
    }
    let config = EmailsConfig {
        url: None,
        list: Some(DataPath::parse("value").expect("a path")),
        conditions: vec![("primary".to_owned(), Value::Bool(true))],
        address: "email".to_owned(),
        verified: Some("verified".to_owned()),
    };
    match userinfo::parse_emails(&response, &config) {
        Ok(Some(email)) => {
            let items = body["value"].as_array().expect("a list");
            let item = items.iter().find(|item| item["primary"] == true).expect("a primary address");
            assert_eq!(item["email"], email.address.as_str());
            let said = &item["verified"];
            let is_yes = *said == true || said == "true" || said == "1" || said.as_u64() == Some(1);
            assert_eq!(email.verification == EmailVerification::Verified, is_yes, "{said}");
            assert_eq!(email.verification == EmailVerification::Unstated, said.is_null(), "{said}");
            assert!(!email.address.is_empty() && response.status == 200);
            shapes.push(shape(("an address", is_yes)));
        }
        Ok(None) => shapes.push(shape("no address")),
        Err(error) => {
            check_message(&error);
            shapes.push(error_shape(error));
        }
    }
    shape(shapes)
}
