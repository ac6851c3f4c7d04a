//! Finds the error in a provider's response. RFC 6749 section 5.2 defines one form of errors; the APIs of providers use
//! many others.

use serde_json::{Map, Value};

use super::exchange::ErrorResponse;

/// The names of members that contain an error code, the standard one first.
const CODES: [&str; 15] = [
    "error",
    "Error",
    "error_code",
    "errcode",
    "errorType",
    "error_type",
    "ErrorStatus",
    "ECODE",
    "code",
    "resultcode",
    "statuscode",
    "type",
    "title",
    "status",
    "cause",
];

/// The names of members that contain a description.
const DESCRIPTIONS: [&str; 14] = [
    "error_description",
    "ErrorDescription",
    "error_message",
    "errorDetail",
    "errmsg",
    "error_msg",
    "message",
    "Message",
    "detail",
    "reason",
    "msg",
    "err",
    "title",
    "error_summary",
];

/// The names of objects that may contain both.
const CONTAINERS: [&str; 4] = ["error", "errors", "meta", "ocs"];

/// Maximum depth of nested objects that are searched.
const MAX_DEPTH: usize = 4;

/// The error in an unsuccessful response; `None` if nothing in it looks like one.
pub(super) fn of(body: &Map<String, Value>) -> Option<ErrorResponse> {
    within(body, MAX_DEPTH)
}

fn within(object: &Map<String, Value>, depth: usize) -> Option<ErrorResponse> {
    let inner = || {
        CONTAINERS.iter().find_map(|name| match object.get(*name)? {
            Value::Object(inner) => within(inner, depth.checked_sub(1)?),
            Value::Array(items) => match items.first()? {
                Value::Object(inner) => within(inner, depth.checked_sub(1)?),
                Value::String(text) => Some(ErrorResponse::new("error", Some(text))),
                _ => None,
            },
            _ => None,
        })
    };
    let first = |names: &[&str]| names.iter().find_map(|name| text(object.get(*name)?));
    // In the standard form, the member `error` is the whole error code.
    if let Some(Value::String(error)) = object.get("error").filter(|error| text(error).is_some()) {
        return Some(ErrorResponse::new(error, first(&DESCRIPTIONS).as_deref()));
    }
    let description = first(&DESCRIPTIONS);
    if let Some(inner) = inner() {
        // The outer object may have a description.
        return Some(match (inner.description, description) {
            (None, Some(description)) => ErrorResponse::new(&inner.error, Some(&description)),
            (description, _) => ErrorResponse { error: inner.error, description },
        });
    }
    // A type in words says more than a numeric code.
    let kind = object.get("type").filter(|_| object.get("code").is_some_and(Value::is_number)).and_then(text);
    let description = match (kind, description) {
        (Some(kind), Some(description)) => Some(format!("{kind}: {description}")),
        (kind, description) => description.or(kind),
    };
    match (first(&CODES), description) {
        (None, None) => None,
        (None, description) => Some(ErrorResponse::new("error", description.as_deref())),
        (Some(code), description) => Some(ErrorResponse::new(&code, description.as_deref())),
    }
}

/// A non-empty string, or a number as text. Zero is `None`, because it means success.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.as_i64() != Some(0) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::any_json;

    fn shown(body: &Value) -> Option<String> {
        of(body.as_object()?).map(|error| error.to_string())
    }

    #[test]
    fn errors_of_every_known_form_are_found() {
        for (body, said) in [
            (json!({ "error": "invalid_grant" }), "invalid_grant"),
            (json!({ "error": "invalid_grant", "error_description": "used" }), "invalid_grant (used)"),
            (json!({ "error": "bad", "message": "why", "status": 400 }), "bad (why)"),
            (
                json!({ "error": { "message": "Bad token", "type": "OAuthException", "code": 190 } }),
                "190 (OAuthException: Bad token)",
            ),
            (
                json!({ "error": { "code": "access_token_invalid", "message": "m", "log_id": "x" }, "data": {} }),
                "access_token_invalid (m)",
            ),
            (json!({ "errcode": 40029, "errmsg": "invalid code" }), "40029 (invalid code)"),
            (
                json!({ "resultcode": "024", "message": "Authentication failed" }),
                "024 (Authentication failed)",
            ),
            (json!({ "msg": "no such token", "code": -401 }), "-401 (no such token)"),
            (json!({ "status": 400, "message": "Invalid client secret" }), "400 (Invalid client secret)"),
            (json!({ "err": "Token invalid", "ECODE": "OAUTH_025" }), "OAUTH_025 (Token invalid)"),
            (
                json!({ "meta": { "code": 400, "errorType": "invalid_auth", "errorDetail": "d" }, "response": {} }),
                "invalid_auth (d)",
            ),
            (
                json!({ "ocs": { "meta": { "status": "failure", "statuscode": 997, "message": "Current user is not logged in" } } }),
                "997 (Current user is not logged in)",
            ),
            (json!({ "message": "Unauthorized", "error": 401 }), "401 (Unauthorized)"),
            (
                json!({ "title": "Unauthorized", "detail": "Unauthorized", "status": 401, "type": "about:blank" }),
                "about:blank (Unauthorized)",
            ),
            (json!({ "errors": [{ "message": "Not found", "code": "x" }] }), "x (Not found)"),
            (json!({ "errors": ["plain"] }), "error (plain)"),
            (
                json!({ "message": "Bad Request", "errors": [{ "field": "code", "code": "invalid" }] }),
                "invalid (Bad Request)",
            ),
            (json!({ "Error": "invalid_client", "ErrorDescription": "d" }), "invalid_client (d)"),
            (json!({ "response": "error", "cause": "INVALID_OAUTHTOKEN" }), "INVALID_OAUTHTOKEN"),
            (
                json!({ "error": true, "status": 400, "message": "Invalid refresh token" }),
                "400 (Invalid refresh token)",
            ),
            (
                json!({ "error_type": "OAuthException", "code": 400, "error_message": "Matching code was not found" }),
                "OAuthException (Matching code was not found)",
            ),
            (
                json!({ "ErrorCode": 99, "ErrorStatus": "WebAuthRequired", "Message": "Please sign-in" }),
                "WebAuthRequired (Please sign-in)",
            ),
        ] {
            assert_eq!(shown(&body).as_deref(), Some(said), "{body}");
        }
        for nothing in [
            json!({}),
            json!({ "errcode": 0 }),
            json!({ "error": null }),
            json!({ "error": "" }),
            json!({ "x": "y" }),
        ] {
            assert_eq!(shown(&nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_search_panic_and_descriptions_stay_short(body in any_json()) {
            prop_assert!(shown(&body).is_none_or(|description| description.chars().count() < 700));
        }
    }
}
