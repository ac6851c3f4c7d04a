//! A provider's own words for what went wrong, in whatever shape it has them. RFC 6749 section 5.2 knows one
//! shape; APIs around it have a dozen.

use serde_json::{Map, Value};

use super::exchange::ErrorResponse;

/// Where a code stands, the specification's place first.
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

/// Where the words stand.
const WORDS: [&str; 14] = [
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

/// Objects in which both may stand.
const AROUND: [&str; 4] = ["error", "errors", "meta", "ocs"];

/// How deep a complaint can be.
const DEEPEST: usize = 4;

/// The complaint in an answer that is no success, `None` where nothing in it looks like one.
pub(super) fn of(answer: &Map<String, Value>) -> Option<ErrorResponse> {
    within(answer, DEEPEST)
}

fn within(object: &Map<String, Value>, depth: usize) -> Option<ErrorResponse> {
    let inner = || {
        AROUND.iter().find_map(|name| match object.get(*name)? {
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
    // The specification's own shape is the whole of it.
    if let Some(Value::String(error)) = object.get("error").filter(|error| text(error).is_some()) {
        return Some(ErrorResponse::new(error, first(&WORDS).as_deref()));
    }
    let words = first(&WORDS);
    if let Some(inner) = inner() {
        // What is around it may say more.
        return Some(match (inner.description, words) {
            (None, Some(words)) => ErrorResponse::new(&inner.error, Some(&words)),
            (description, _) => ErrorResponse { error: inner.error, description },
        });
    }
    // A number says less than the name of what it is one of.
    let kind = object.get("type").filter(|_| object.get("code").is_some_and(Value::is_number)).and_then(text);
    let words = match (kind, words) {
        (Some(kind), Some(words)) => Some(format!("{kind}: {words}")),
        (kind, words) => words.or(kind),
    };
    match (first(&CODES), words) {
        (None, None) => None,
        (None, words) => Some(ErrorResponse::new("error", words.as_deref())),
        (Some(code), words) => Some(ErrorResponse::new(&code, words.as_deref())),
    }
}

/// A text, or a number as text; zero is none, because it stands for success.
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

    fn words(answer: &Value) -> Option<String> {
        of(answer.as_object()?).map(|error| error.to_string())
    }

    #[test]
    fn every_shape_in_the_field_is_read() {
        for (answer, said) in [
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
            assert_eq!(words(&answer).as_deref(), Some(said), "{answer}");
        }
        for nothing in [
            json!({}),
            json!({ "errcode": 0 }),
            json!({ "error": null }),
            json!({ "error": "" }),
            json!({ "x": "y" }),
        ] {
            assert_eq!(words(&nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_and_words_stay_short(answer in any_json()) {
            prop_assert!(words(&answer).is_none_or(|words| words.chars().count() < 700));
        }
    }
}
