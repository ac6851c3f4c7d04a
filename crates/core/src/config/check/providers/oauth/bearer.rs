//! Which access tokens clients may send in place of a session cookie.

use std::time::Duration;

use serde_json::Value;

use super::parameters::Parameters;
use crate::config::check::session::duration;
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::CLIENTS;
use crate::config::schema::scalars;
use crate::config::table::Table;
use vestibule_oidc::oauth::provider::{AcceptBearer, ClientAuthMethod, IntrospectionConfig};

/// More than any provider's audience has.
const MAX_AUDIENCE: usize = 512;

/// How long what the provider said of a token counts. A token that is revoked there passes so long.
const CACHED_FOR: Duration = Duration::from_mins(1);

/// Longer, and the revocation of a token would mean little.
const MAX_CACHED_FOR: Duration = Duration::from_mins(10);

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

pub(super) fn accept_bearer(
    method: Option<ClientAuthMethod>,
    parameters: &Parameters<'_>,
) -> Option<AcceptBearer> {
    let bearer = parameters.provider.table("accept_bearer");
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
        introspection: introspection(method, &bearer, parameters),
        dpop_nonce: bearer.flag("dpop_nonce").unwrap_or(false),
        clients_are_users: bearer.chosen("clients", &CLIENTS),
        client_claims: client_claims(&bearer.table("client_claims")),
    })
}

fn introspection(
    method: Option<ClientAuthMethod>,
    bearer: &Table<'_>,
    parameters: &Parameters<'_>,
) -> Option<IntrospectionConfig> {
    let endpoint = parameters.url(bearer, "introspection");
    let cached_for = duration(bearer, "introspection_cache", Duration::ZERO, MAX_CACHED_FOR);
    if matches!(bearer.value("introspection"), None | Some(Value::Bool(false))) {
        for key in ["introspection_cache", "introspection_signed_response"] {
            if bearer.has(key) {
                refuse!(
                    bearer.at(key),
                    "without introspection no one is asked about tokens",
                    "write introspection = true, or remove it"
                );
            }
        }
        return None;
    }
    if method == Some(ClientAuthMethod::None) {
        refuse!(
            bearer.at("introspection"),
            "the client does not authenticate, and providers tell nobody else about tokens (RFC 7662 section 2.1)",
            "register a confidential client, or remove introspection"
        );
    }
    Some(IntrospectionConfig {
        endpoint,
        cached_for: cached_for.unwrap_or(CACHED_FOR),
        is_signed: bearer.flag("introspection_signed_response"),
    })
}

fn client_claims(table: &Table<'_>) -> Vec<(String, Vec<Value>)> {
    if table.is_written() && table.names().is_empty() {
        refuse!(table.place, "names no claim", "leave it out, or write for example {{ kind = \"machine\" }}");
    }
    let mut claims = Vec::new();
    for (name, values) in table.names() {
        let values = scalars(values);
        if values.is_empty() {
            refuse!(table.at(name), "no value at all: no token would be marked");
        }
        claims.push((name.to_owned(), values.to_vec()));
    }
    claims
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
