//! Groups that an ID token leaves out because the user is in too many of them, as Microsoft Entra ID does ("groups
//! overage"): an aggregated or distributed claim (OpenID Connect Core 1.0 section 5.6.2) names them instead. The endpoint in
//! it is not used: it belongs to an API that no longer exists, and a token must not choose where a request goes.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::http::client::{FetchRequest, FetchResponse};
use crate::http::request::Method;
use crate::http::url::Url;
use crate::oauth::exchange;
use crate::oauth::provider::GroupsOverage;
use crate::oauth::userinfo::{self, UserinfoError};
use crate::secret::Secret;

/// As for userinfo: the user waits.
const TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes. Microsoft Graph gives at most 11,000 groups.
const LIMIT: usize = 512 * 1024;

/// The claim.
pub const GROUPS: &str = "groups";

/// Whether the claims of an ID token say that its groups are left out.
pub fn are_left_out(claims: &Map<String, Value>) -> bool {
    let names = claims.get("_claim_names").and_then(Value::as_object);
    let says_so = names.is_some_and(|names| names.contains_key(GROUPS))
        || claims.get("hasgroups").is_some_and(|has| *has == Value::Bool(true) || has == "true");
    says_so && !claims.contains_key(GROUPS)
}

/// The request for all security groups of the user whom the access token belongs to.
pub fn request(url: &Url, access_token: &Secret) -> FetchRequest {
    let mut request = exchange::get(url.as_str(), TIMEOUT, LIMIT);
    request.method = Method::Post;
    request.headers.set("authorization", userinfo::bearer(access_token));
    request.headers.set("content-type", "application/json");
    request.body = br#"{"securityEnabledOnly":true}"#.to_vec();
    request
}

/// The identifiers of the groups in the response, of which only those that are kept.
pub fn parse(response: &FetchResponse, config: &GroupsOverage) -> Result<Vec<Value>, UserinfoError> {
    if let Err(status) = exchange::check_status(response.status) {
        return Err(userinfo::rejection(status, exchange::object(response).ok().as_ref()));
    }
    let mut body = exchange::object(response)?;
    let Some(Value::Array(mut groups)) = body.remove("value") else {
        return Err(UserinfoError::NoGroups);
    };
    let is_kept = |id: &str| config.keep.is_empty() || config.keep.iter().any(|kept| kept == id);
    groups.retain(|group| group.as_str().is_some_and(is_kept));
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::{any_json, json_response};

    fn config(keep: &[&str]) -> GroupsOverage {
        let url = Url::parse("https://graph.example/groups").unwrap();
        GroupsOverage { url, keep: keep.iter().map(|id| (*id).to_owned()).collect() }
    }

    #[test]
    fn only_claims_without_groups_that_name_them_elsewhere_leave_them_out() {
        for (claims, expected) in [
            (json!({}), false),
            (json!({ "groups": ["a"] }), false),
            (json!({ "_claim_names": { "groups": "src1" } }), true),
            (json!({ "_claim_names": { "groups": "src1" }, "groups": ["a"] }), false),
            (json!({ "_claim_names": { "roles": "src1" } }), false),
            (json!({ "_claim_names": "groups" }), false),
            (json!({ "hasgroups": true }), true),
            (json!({ "hasgroups": "true" }), true),
            (json!({ "hasgroups": false }), false),
        ] {
            assert_eq!(are_left_out(claims.as_object().unwrap()), expected, "{claims}");
        }
    }

    #[test]
    fn the_request_asks_for_security_groups_with_the_users_token() {
        let request = request(&config(&[]).url, &Secret::new("token"));
        assert_eq!((request.method, &*request.url), (Method::Post, "https://graph.example/groups"));
        assert_eq!(request.headers.get("authorization"), Some("Bearer token"));
        assert_eq!(request.body, br#"{"securityEnabledOnly":true}"#);
        assert_eq!(request.limit, 524_288);
    }

    #[test]
    fn only_groups_that_are_kept_come_out_of_the_response() {
        let body = json!({ "value": ["a", "b", 3, null, "c"] });
        let read = |keep: &[&str]| parse(&json_response(200, &body), &config(keep)).unwrap();
        assert_eq!(read(&[]), [json!("a"), json!("b"), json!("c")]);
        assert_eq!(read(&["c", "x"]), [json!("c")]);
        assert_eq!(parse(&json_response(200, &json!({})), &config(&[])), Err(UserinfoError::NoGroups));
        assert!(parse(&json_response(503, &body), &config(&[])).unwrap_err().is_temporary());
        assert!(!parse(&json_response(403, &body), &config(&[])).unwrap_err().is_temporary());
    }

    proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(body in any_json()) {
            let _ = parse(&json_response(200, &body), &config(&[]));
            let _ = parse(&json_response(200, &json!({ "value": body.clone() })), &config(&["a"]));
            let _ = body.as_object().map(are_left_out);
        }
    }
}
