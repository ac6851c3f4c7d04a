//! Request objects: an authorization request as a JWT that the client signs (RFC 9101), so that nothing on its way
//! through the browser can change it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::oauth::authorize::AuthorizationRequest;
use crate::time::Timestamp;

/// `typ`: a token of another type cannot be used as a request object, nor a request object as another token (RFC 9101
/// section 10.8).
pub const TYPE: &str = "oauth-authz-req+jwt";

/// How long a request object is valid. It is sent at once, by this process or by a redirect; the rest is for a slow
/// network and for clocks that differ.
const LIFETIME: Duration = Duration::from_mins(5);

/// The claims of the request object of `request` (RFC 9101 section 4). `issuer` is the provider's issuer identifier, and
/// `id` has never been used before.
pub fn claims(request: &AuthorizationRequest<'_>, issuer: &str, id: &str, now: Timestamp) -> Value {
    let mut claims = Map::new();
    for (name, value) in request.parameters() {
        let value = json_value(name, &value);
        claims.insert(name.to_owned(), value);
    }
    // A request object without `sub` is no client assertion (RFC 9101 section 10.8). The other claims come last, so no
    // parameter can replace them.
    claims.remove("sub");
    let registered = [
        ("iss", request.client_id.into()),
        ("aud", issuer.into()),
        ("client_id", request.client_id.into()),
        ("iat", now.seconds().into()),
        ("nbf", now.seconds().into()),
        ("exp", now.plus(LIFETIME).seconds().into()),
        ("jti", id.into()),
    ];
    claims.extend(registered.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(claims)
}

/// The value of a parameter in JSON: a number for `max_age`, JSON for the parameters that are JSON in a query, and text
/// for all others (RFC 9101 section 4, OpenID Connect Core 1.0 section 6.1, RFC 9396 section 3).
fn json_value(name: &str, value: &str) -> Value {
    let json = match name {
        "max_age" => value.parse::<u32>().ok().map(Value::from),
        "claims" | "authorization_details" => serde_json::from_str(value).ok(),
        _ => None,
    };
    json.unwrap_or_else(|| value.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::with_request;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn claims_of(parameters: &[(&str, &str)]) -> Value {
        with_request("https://idp.example/authorize", parameters, |request| {
            claims(request, "https://idp.example", "id-1", NOW)
        })
    }

    #[test]
    fn a_request_object_has_all_parameters_in_json_and_is_for_one_provider_and_a_short_time() {
        let details = r#"[{"type":"account","actions":["read"]}]"#;
        let claims = claims_of(&[
            ("prompt", "login"),
            ("max_age", "300"),
            ("claims", r#"{"userinfo":{"name":null}}"#),
            ("authorization_details", details),
            ("acr_values", "7"),
        ]);
        assert_eq!(
            claims,
            json!({
                "iss": "gid",
                "aud": "https://idp.example",
                "client_id": "gid",
                "iat": 1_000_000,
                "nbf": 1_000_000,
                "exp": 1_000_300,
                "jti": "id-1",
                "response_type": "code",
                "redirect_uri": "https://app.example.com/auth/callback/google",
                "prompt": "login",
                "max_age": 300,
                "claims": { "userinfo": { "name": null } },
                "authorization_details": [{ "type": "account", "actions": ["read"] }],
                "acr_values": "7",
                "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                "code_challenge_method": "S256",
                "scope": "openid profile email",
                "state": "s t&a=te",
                "nonce": "n~é",
            })
        );
    }

    #[test]
    fn no_parameter_replaces_a_claim_that_binds_the_request_object() {
        let claims = claims_of(&[
            ("iss", "other"),
            ("aud", "https://evil.example"),
            ("exp", "9999999999"),
            ("jti", "x"),
            ("sub", "gid"),
            ("request_uri", "https://evil.example"),
            ("state", "evil"),
        ]);
        assert_eq!(claims["aud"], "https://idp.example");
        assert_eq!((&claims["iss"], &claims["exp"]), (&json!("gid"), &json!(1_000_300)));
        assert_eq!((&claims["jti"], &claims["state"]), (&json!("id-1"), &json!("s t&a=te")));
        assert!(claims.get("sub").is_none() && claims.get("request_uri").is_none(), "{claims}");
    }

    #[test]
    fn what_is_not_json_stays_text() {
        let claims = claims_of(&[("max_age", "soon"), ("claims", "{")]);
        assert_eq!((&claims["max_age"], &claims["claims"]), (&json!("soon"), &json!("{")));
    }
}
