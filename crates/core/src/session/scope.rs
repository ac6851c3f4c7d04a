//! The scopes of an access token (RFC 6749 section 3.3).

use serde_json::{Map, Value};

/// The claim with the scopes, separated by spaces (RFC 9068 section 2.2.3, RFC 7662 section 2.2).
pub(crate) const SCOPE: &str = "scope";

/// The claim in which Microsoft Entra ID and Okta have them: a text, or a list.
pub(crate) const SCP: &str = "scp";

/// The scopes of a text, one by one.
pub(crate) fn list(scopes: &str) -> Value {
    scopes.split(' ').filter(|scope| !scope.is_empty()).map(Value::from).collect()
}

/// The scopes of a token with these claims, separated by spaces. `None` if it says nothing of them.
pub(crate) fn of_token(claims: &Map<String, Value>) -> Option<String> {
    [SCOPE, SCP].into_iter().find_map(|name| match claims.get(name)? {
        Value::String(scopes) => Some(scopes.clone()),
        Value::Array(scopes) => {
            let scopes: Option<Vec<&str>> = scopes.iter().map(Value::as_str).collect();
            Some(scopes?.join(" "))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_are_read_from_a_text_and_from_a_list() {
        for (claims, scopes) in [
            (json!({ "scope": "a b" }), Some("a b")),
            (json!({ "scp": ["a", "b"] }), Some("a b")),
            (json!({ "scp": "a b" }), Some("a b")),
            (json!({ "scope": ["a"] }), Some("a")),
            (json!({ "scope": "a", "scp": ["b"] }), Some("a")),
            (json!({ "scope": null, "scp": ["b"] }), Some("b")),
            (json!({ "scope": [1, "a"] }), None),
            (json!({ "scope": 7 }), None),
            (json!({}), None),
        ] {
            assert_eq!(of_token(claims.as_object().unwrap()).as_deref(), scopes, "{claims}");
        }
        assert_eq!(list(" a  b "), json!(["a", "b"]));
    }
}
