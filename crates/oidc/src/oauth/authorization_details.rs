//! Rich authorization requests (RFC 9396): what a token may do, as `authorization_details` in a request and in a token
//! response.

use serde_json::{Map, Value};
use thiserror::Error;

/// The name of the parameter, and of the response's member.
pub const NAME: &str = "authorization_details";

/// In bytes of JSON. A session must fit into cookies, so what is longer could not be kept.
const MAX_LEN: usize = 8 * 1024;
/// A token for more single things is a mistake.
const MAX_ITEMS: usize = 64;

/// Members with lists: a granted list may have no more in it than the requested one (RFC 9396 section 2.2).
const LISTS: [&str; 4] = ["locations", "actions", "datatypes", "privileges"];

/// Whether a value is `authorization_details`: an array of objects, each with a `type` (RFC 9396 section 2).
pub fn is_valid(details: &Value) -> bool {
    let is_item = |item: &Value| {
        item.get("type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty())
            && LISTS.iter().all(|list| item.get(list).is_none_or(is_list_of_texts))
            && item.get("identifier").is_none_or(Value::is_string)
    };
    details.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_item))
}

/// Checks what a token response says the token may do (RFC 9396 section 7), against what was `requested`. What is not
/// `authorization_details`, or too much to keep, is removed from the `response`.
pub fn check(
    requested: &[Value],
    response: &mut Map<String, Value>,
) -> Result<(), AuthorizationDetailsError> {
    let Some(granted) = response.get(NAME).filter(|granted| !granted.is_null()) else { return Ok(()) };
    let error = match granted.as_array() {
        Some(items) if items.len() > MAX_ITEMS || granted.to_string().len() > MAX_LEN => {
            AuthorizationDetailsError::TooLong
        }
        Some(items) if items.is_empty() => return Ok(()),
        Some(items) if is_valid(granted) => {
            let exceeding = items.iter().find(|item| !requested.iter().any(|asked| is_within(item, asked)));
            return exceeding.map_or(Ok(()), |item| Err(AuthorizationDetailsError::Exceeded(kind(item))));
        }
        _ => AuthorizationDetailsError::Malformed,
    };
    response.remove(NAME);
    Err(error)
}

/// Whether a granted item is no more than a requested one: of the same type, and its lists have nothing besides. A list
/// that was not requested was left to the provider and the user (RFC 9396 section 7.1).
fn is_within(granted: &Value, requested: &Value) -> bool {
    let same = |name: &str| match requested.get(name) {
        Some(asked) => granted.get(name) == Some(asked),
        None => true,
    };
    let is_covered = |list: &&str| match (granted.get(*list), requested.get(*list)) {
        (_, None) => true,
        (Some(Value::Array(granted)), Some(Value::Array(asked))) => {
            granted.iter().all(|one| asked.contains(one))
        }
        // Without the list, the grant is not limited in this respect.
        _ => false,
    };
    granted.get("type") == requested.get("type") && same("identifier") && LISTS.iter().all(is_covered)
}

fn is_list_of_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
}

fn kind(item: &Value) -> String {
    /// In characters. A type is a short name or a URL.
    const MAX_KIND: usize = 100;
    super::exchange::name_excerpt(item.get("type").and_then(Value::as_str).unwrap_or_default(), MAX_KIND)
}

/// What is odd about the `authorization_details` of a token response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationDetailsError {
    /// The token may do more than was requested. Contains the item's type.
    #[error(
        "token response: its authorization_details grant more than was requested: {0:?} has other actions, locations, \
         datatypes, privileges or another identifier, or was not requested at all"
    )]
    Exceeded(String),
    /// It is not an array of objects with a `type`.
    #[error(
        "token response: its authorization_details are not an array of objects that each have a type; they are ignored"
    )]
    Malformed,
    /// More than 64 items, or more than 8 kB.
    #[error(
        "token response: its authorization_details have more than {MAX_ITEMS} items or {MAX_LEN} bytes; they are ignored"
    )]
    TooLong,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::any_json;

    fn requested() -> Value {
        json!([
            { "type": "account", "actions": ["read", "list"], "locations": ["https://api.example"] },
            { "type": "payment", "identifier": "1", "instructedAmount": { "currency": "EUR", "amount": "1.00" } },
        ])
    }

    fn checked(granted: Value) -> (Result<(), AuthorizationDetailsError>, bool) {
        let mut response = Map::new();
        response.insert(NAME.to_owned(), granted);
        let result = check(requested().as_array().unwrap(), &mut response);
        (result, response.contains_key(NAME))
    }

    #[test]
    fn what_was_requested_or_less_or_more_precisely_is_granted_in_silence() {
        for granted in [
            requested(),
            json!([{ "type": "account", "actions": ["read"], "locations": [] }]),
            json!([{ "type": "account", "actions": ["list"], "locations": ["https://api.example"], "accounts": ["1"] }]),
            json!([{ "type": "payment", "identifier": "1" }]),
            json!([{ "type": "payment", "identifier": "1", "actions": ["chosen by the user"] }]),
            json!([]),
        ] {
            assert_eq!(checked(granted.clone()), (Ok(()), true), "{granted}");
        }
        assert_eq!(check(&[], &mut Map::new()), Ok(()));
    }

    #[test]
    fn more_than_was_requested_is_reported_and_kept() {
        for (granted, kind) in [
            (json!([{ "type": "admin" }]), "admin"),
            (json!([{ "type": "account", "actions": ["read", "write"], "locations": [] }]), "account"),
            (json!([{ "type": "account", "actions": ["read"] }]), "account"),
            (json!([{ "type": "payment", "identifier": "2" }]), "payment"),
            (json!([{ "type": "payment" }]), "payment"),
            (json!([{ "type": "payment", "identifier": "1" }, { "type": "Account" }]), "Account"),
        ] {
            let error = AuthorizationDetailsError::Exceeded(kind.to_owned());
            assert_eq!(checked(granted.clone()), (Err(error), true), "{granted}");
        }
    }

    #[test]
    fn what_is_malformed_or_too_long_is_not_kept() {
        let many: Vec<Value> = vec![json!({ "type": "account" }); 65];
        for (granted, error) in [
            (json!("account"), AuthorizationDetailsError::Malformed),
            (json!({ "type": "account" }), AuthorizationDetailsError::Malformed),
            (json!(["account"]), AuthorizationDetailsError::Malformed),
            (json!([{ "type": 7 }]), AuthorizationDetailsError::Malformed),
            (json!([{ "type": "" }]), AuthorizationDetailsError::Malformed),
            (json!([{ "type": "account", "actions": "read" }]), AuthorizationDetailsError::Malformed),
            (json!([{ "type": "account", "actions": [1] }]), AuthorizationDetailsError::Malformed),
            (json!(many), AuthorizationDetailsError::TooLong),
            (json!([{ "type": "account", "x": "x".repeat(9000) }]), AuthorizationDetailsError::TooLong),
        ] {
            assert_eq!(checked(granted.clone()), (Err(error), false), "{granted}");
        }
    }

    proptest! {
        #[test]
        fn crash_by_input_no_details_crash(details in any_json(), asked in any_json()) {
            let mut response = Map::new();
            response.insert(NAME.to_owned(), json!([details]));
            let _ = check(&[asked], &mut response);
            response.insert(NAME.to_owned(), details);
            let _ = check(&[], &mut response);
        }
    }
}
