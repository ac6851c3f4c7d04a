//! Which access tokens clients may send in place of a session cookie.

use serde_json::Value;

use crate::config::place::refuse;
use crate::config::schema::scalars;
use crate::config::table::Table;
use vestibule_oidc::oauth::provider::AcceptBearer;

/// More than any provider's audience has.
const MAX_AUDIENCE: usize = 512;

/// Claims of ID tokens (OpenID Connect Core 1.0 sections 2 and 5.1): they distinguish no access token.
const ID_TOKEN_CLAIMS: [&str; 22] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "email",
    "email_verified",
    "exp",
    "iat",
    "iss",
    "jti",
    "locale",
    "name",
    "nbf",
    "nonce",
    "picture",
    "preferred_username",
    "s_hash",
    "sid",
    "sub",
];

pub(super) fn accept_bearer(provider: &Table<'_>) -> Option<AcceptBearer> {
    let bearer = provider.table("accept_bearer");
    if !bearer.is_written() {
        return None;
    }
    let audiences = bearer.texts("audience");
    if audiences.is_empty() {
        refuse!(
            bearer.at("audience"),
            "the audience is missing; without it, tokens for other services would be accepted",
            "write the \"aud\" of access tokens for this site, for example \"https://api.example.com\"",
        );
    }
    for text in audiences {
        let is_good = (1..=MAX_AUDIENCE).contains(&text.text.len())
            && !text.text.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_good {
            refuse!(text, "an audience must have 1 to 512 characters without white space");
        }
    }
    Some(AcceptBearer {
        audiences: bearer.strings("audience"),
        access_token_claims: access_token_claims(&bearer.table("access_token_claims")),
    })
}

fn access_token_claims(table: &Table<'_>) -> Vec<(String, Vec<Value>)> {
    if table.is_written() && table.names().is_empty() {
        refuse!(
            table.place,
            "names no claim",
            "leave it out, or write for example {{ token_type = \"access\" }}"
        );
    }
    let mut claims = Vec::new();
    for (name, values) in table.names() {
        let values = scalars(values);
        if ID_TOKEN_CLAIMS.contains(&name) {
            refuse!(
                table.at(name),
                "ID tokens have this claim, too, so it does not show that a token is an access token",
                "name a claim that only access tokens of this provider have"
            );
        }
        if values.is_empty() {
            refuse!(table.at(name), "no value at all: no token would be accepted");
        }
        claims.push((name.to_owned(), values.to_vec()));
    }
    claims
}
