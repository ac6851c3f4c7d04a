//! `profile = "fapi2"`: what the [FAPI 2.0 Security Profile](https://openid.net/specs/fapi-security-profile-2_0-final.html)
//! demands of a client. Keys that nobody wrote get the values that it demands; a written key that contradicts it is refused.

use serde_json::{Map, Value, json};

use crate::config::place::refuse;
use crate::config::table::Table;
use vestibule_oidc::jose::jws::Algorithm;
use vestibule_oidc::oauth::profile::SecurityProfile;

const NAME: &str = "fapi2";

/// Writes the values that the profile demands where none are written, before the schema is checked.
pub(in crate::config::check) fn with_defaults(provider: &mut Map<String, Value>) {
    let text = |key: &str| provider.get(key).and_then(Value::as_str);
    if text("profile") != Some(NAME) || text("type").is_some_and(|kind| kind != "oidc") {
        return;
    }
    let demanded = [
        ("pushed_authorization_requests", json!(true)),
        ("dpop", json!(true)),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("client_assertion_audience", json!("issuer")),
    ];
    for (key, value) in demanded {
        let written = provider.entry(key).or_insert(Value::Null);
        if written.is_null() {
            *written = value;
        }
    }
}

/// Keys with the only value that the profile allows, and why.
const VALUES: [(&str, &str, &str); 10] = [
    (
        "pushed_authorization_requests",
        "true",
        "requests are pushed to the endpoint of the metadata (section 5.3.3.2)",
    ),
    ("dpop", "true", "access tokens are bound to a key (section 5.3.3.1)"),
    (
        "token_endpoint_auth_method",
        "private_key_jwt",
        "the client authenticates with a key (section 5.3.3.1)",
    ),
    (
        "client_assertion_audience",
        "issuer",
        "the issuer is the only audience of an assertion (section 5.3.3.1)",
    ),
    ("response_type", "code", "no token comes through the browser (section 5.3.2.2)"),
    ("pkce", "true", "requests use PKCE with S256 (section 5.3.3.2)"),
    ("client_id_param", "client_id", "the browser carries client_id and request_uri (section 5.3.3.2)"),
    ("initiate_login", "false", "a page of another site must not begin a sign-in (section 5.3.3.2)"),
    ("token.method", "POST", "a token request has nothing in its URL (RFC 6749 section 3.2)"),
    ("userinfo.send_access_token", "true", HEADER),
];

/// Keys that the profile does not allow, and why.
const KEYS: [(&str, &str); 10] = [
    ("authorization", METADATA),
    ("token.url", METADATA),
    ("token.refresh_url", METADATA),
    ("jwks", METADATA),
    ("userinfo.url", METADATA),
    ("token_issuer", "a provider has one issuer (section 5.3.3.1)"),
    ("userinfo.params", HEADER),
    ("userinfo.body", HEADER),
    ("client_secret_from_key", "the client has no secret (section 5.3.3.1)"),
    (
        "accept_bearer",
        "access tokens are bound to a key, and clients would send them without a proof (section 5.3.4)",
    ),
];

const METADATA: &str =
    "endpoints and keys come from the metadata that the provider publishes (section 5.3.3.1)";
const HEADER: &str = "an access token is sent in the header only (section 5.3.3.1)";

/// Refuses what contradicts the profile, if the provider has it.
pub(super) fn check(is_openid: bool, provider: &Table<'_>) {
    if provider.str("profile") != Some(NAME) {
        return;
    }
    if !is_openid {
        refuse!(
            provider.at("profile"),
            "the profile needs the metadata of the provider, which an OAuth 2 provider does not publish",
            "write type = \"oidc\", or remove the profile"
        );
        return;
    }
    for (key, allowed, why) in VALUES {
        let (table, last) = inside(provider, key);
        let written =
            table.value(last).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if written.is_some_and(|written| written != allowed) {
            let is_bare = matches!(allowed, "true" | "false");
            let value = if is_bare { allowed.to_owned() } else { format!("{allowed:?}") };
            contradicts(&table, last, why, &format!("write {last} = {value}, or remove the profile"));
        }
    }
    for (key, why) in KEYS {
        let (table, last) = inside(provider, key);
        if table.has(last) {
            contradicts(&table, last, why, "remove it, or the profile");
        }
    }
    for key in ["id_token_signed_response_alg", "token_endpoint_auth_signing_alg"] {
        let is_allowed =
            |name| Algorithm::from_name(name).is_some_and(|known| SecurityProfile::Fapi2.allows(known));
        if provider.str(key).is_some_and(|name| !is_allowed(name)) {
            let why = "signatures are made with PS256, ES256 or EdDSA (section 5.4.1)";
            contradicts(provider, key, why, "write one of these, or remove the profile");
        }
    }
}

/// The table that has a key, which may be one of a table in it, and the key's last part.
fn inside<'a>(provider: &'a Table<'_>, key: &'a str) -> (Table<'a>, &'a str) {
    match key.split_once('.') {
        Some((table, last)) => (provider.table(table), last),
        None => (*provider, key),
    }
}

fn contradicts(table: &Table<'_>, key: &str, why: &str, fix: &str) {
    refuse!(table.at(key), "this contradicts profile = {NAME:?}: {why}", "{fix}");
}

/// Refuses what lets a link of another site begin a sign-in with such a provider.
pub(in crate::config::check) fn refuse_straight_way(auth: &Table<'_>) {
    let has_profile = auth.tables("providers").iter().any(|provider| provider.str("profile") == Some(NAME));
    let pages = auth.table("pages");
    if has_profile && pages.flag("straight_to_provider") == Some(true) {
        refuse!(
            pages.at("straight_to_provider"),
            "this contradicts profile = {NAME:?} of the provider: a link of another site must not begin a sign-in (section 5.3.3.2)",
            "remove it, or the profile"
        );
    }
}
