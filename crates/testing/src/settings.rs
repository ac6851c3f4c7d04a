//! The default configuration of tests.

use serde_json::{Value, json};

/// The secret that seals sessions.
pub const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
/// The site's origin.
pub const APP: &str = "https://app.example.com";

/// The default settings. A test changes what it needs.
pub fn settings() -> Value {
    json!({
        "providers": [{ "id": "acme", "type": "oidc", "name": "Acme", "issuer": "https://idp.example" }],
        "claims": { "roles": "profile.roles" },
        "session": { "expose": { "access_token": "access_token", "user.roles": "roles" } },
        "rules": [
            { "match": ["/", "/about", "/static/:path*"], "access": "public" },
            { "match": "/admin/:path*", "require": { "roles": ["admin"] } },
        ],
        "upstreams": [{
            "to": "https://upstream.example",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
        }],
    })
}

/// The default environment: the secrets and variables that these settings need.
pub fn environment(name: &str) -> Option<String> {
    let value = match name {
        "AUTH_SECRET" => SECRET,
        "AUTH_ACME_ID" => "vestibule",
        "AUTH_ACME_SECRET" => "acme-secret",
        _ => return None,
    };
    Some(value.to_owned())
}
