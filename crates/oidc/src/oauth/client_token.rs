//! Which access tokens a client got for itself, without a user (RFC 6749 section 4.4, "client credentials").
//!
//! Every token has a subject, and providers show in different ways that it is the client itself. A token that shows it in
//! none of them counts as a user's.

use serde_json::{Map, Value};

use crate::oauth::identifier::is_identifier;

/// The claims in which providers name the client: RFC 9068 and RFC 7662, OpenID Connect, Microsoft Entra ID, Okta.
const CLIENT_IDS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// In bytes, of a client's identifier.
const MAX_ID: usize = 255;

/// The `client_id` of the client, if the token with these claims is its own. `configured` are further claims that mark such
/// a token, of each of which it needs one value.
pub(super) fn client(
    claims: &Map<String, Value>,
    subject: &str,
    configured: &[(String, Vec<Value>)],
) -> Option<String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let ids = || CLIENT_IDS.into_iter().filter_map(text).filter(|id| is_identifier(id, MAX_ID));
    let id = ids().next();
    // RFC 9068 section 2.2; Auth0 appends a word.
    let is_subject = ids().any(|id| id == subject || subject.strip_suffix("@clients") == Some(id));
    let is_auth0 = text("gty") == Some("client-credentials");
    // Entra: `idtyp` is an optional claim. The `oid` of a user's token is never its `sub`, which is different for each app.
    let is_entra = text("idtyp") == Some("app")
        || text("tid").is_some() && text("oid") == Some(subject) && !claims.contains_key("scp");
    // Keycloak: the client's own user. Only a user's token belongs to a session there, and users may choose their name.
    let is_keycloak = text("preferred_username")
        .and_then(|name| name.strip_prefix("service-account-"))
        .is_some_and(|name| ids().any(|id| id.eq_ignore_ascii_case(name)))
        && !["sid", "session_state"].iter().any(|session| claims.contains_key(*session));
    let is_configured = !configured.is_empty()
        && configured.iter().all(|(name, values)| match claims.get(name) {
            Some(Value::Array(found)) => found.iter().any(|found| values.contains(found)),
            Some(found) => values.contains(found),
            None => false,
        });
    (is_subject || is_auth0 || is_entra || is_keycloak || is_configured)
        .then(|| id.unwrap_or(subject).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: &Value) -> Option<String> {
        let subject = claims["sub"].as_str().unwrap_or_default();
        client(claims.as_object().unwrap(), subject, &[])
    }

    #[test]
    fn a_client_s_own_token_is_known_by_what_its_provider_writes() {
        for (claims, id) in [
            (json!({ "sub": "billing", "client_id": "billing" }), "billing"),
            (json!({ "sub": "0oa1", "cid": "0oa1", "scp": ["a"] }), "0oa1"),
            (json!({ "sub": "abc@clients", "azp": "abc", "gty": "client-credentials" }), "abc"),
            (json!({ "sub": "abc@clients", "azp": "abc" }), "abc"),
            (json!({ "sub": "o-1", "oid": "o-1", "tid": "t", "azp": "app" }), "app"),
            (json!({ "sub": "s-1", "oid": "o-1", "tid": "t", "appid": "app", "idtyp": "app" }), "app"),
            (json!({ "sub": "u-1", "azp": "Batch", "preferred_username": "service-account-batch" }), "Batch"),
        ] {
            assert_eq!(of(&claims).as_deref(), Some(id), "{claims}");
        }
    }

    #[test]
    fn a_user_s_token_is_not_taken_for_a_client_s() {
        for claims in [
            json!({ "sub": "alice-1", "client_id": "spa", "azp": "spa", "scope": "openid" }),
            json!({ "sub": "alice@clients", "azp": "spa" }),
            json!({ "sub": "alice-1", "azp": "spa", "gty": "password" }),
            json!({ "sub": "s-1", "oid": "o-1", "tid": "t", "azp": "spa", "scp": "read" }),
            json!({ "sub": "o-1", "oid": "o-1", "tid": "t", "azp": "spa", "scp": "read" }),
            json!({ "sub": "s-1", "oid": "o-1", "tid": "t", "azp": "spa" }),
            json!({ "sub": "o-1", "oid": "o-1", "azp": "spa" }),
            json!({ "sub": "u-1", "azp": "spa", "preferred_username": "service-account-spa", "sid": "s" }),
            json!({ "sub": "u-1", "azp": "spa", "preferred_username": "service-account-other" }),
            json!({ "sub": "", "client_id": "" }),
        ] {
            assert_eq!(of(&claims), None, "{claims}");
        }
    }

    #[test]
    fn configured_claims_mark_a_client_s_token_if_all_of_them_are_there() {
        let configured = [("kind".to_owned(), vec![json!("machine")]), ("x".to_owned(), vec![json!(1)])];
        let of = |claims: Value| client(claims.as_object().unwrap(), "m-1", &configured);
        assert_eq!(of(json!({ "kind": ["machine"], "x": 1 })).as_deref(), Some("m-1"));
        assert_eq!(of(json!({ "kind": "machine", "x": 1, "client_id": "c" })).as_deref(), Some("c"));
        assert_eq!(of(json!({ "kind": "machine" })), None);
        assert_eq!(of(json!({ "kind": "user", "x": 1 })), None);
    }
}
