//! Describes the configuration: every key, secret, placeholder and root of a path. docs/configuration.md and the JSON
//! Schema for editors are generated from it.
//!
//! It reads the tables that the checks use, so it cannot differ from them. It is compiled only with the feature
//! `reference`, which a release build does not have.

use serde_json::Value;

use super::Runtime;
use super::check::{names, secrets, session};
use super::schema::providers::PROVIDER;
use super::schema::providers::credentials::CREDENTIALS;
use super::schema::providers::oauth::{OAUTH, OPENID};
use super::schema::providers::requests::REQUESTS;
use super::schema::{AUTH, CLAIM_TEST, Keys, Kind};
use crate::texts::Text;

/// A key of the configuration.
#[derive(Clone, Debug)]
pub struct KeyReference {
    /// Its name in its table.
    pub name: &'static str,
    /// What can be written for it.
    pub value: ValueType,
    /// What it does.
    pub about: String,
    /// The allowed values, where only some words are allowed; otherwise empty.
    pub values: Vec<String>,
    /// The value that a missing key has.
    pub default: Option<Value>,
    /// What happens without the key, in words: where no single value is the default.
    pub unset: Option<&'static str>,
    /// An example value.
    pub example: Option<Value>,
    /// What the key requires, or when it has an effect.
    pub needs: Option<&'static str>,
    /// The types of providers that have it, where only some do.
    pub provider_types: &'static [&'static str],
}

/// What can be written for a key.
#[derive(Clone, Debug)]
pub enum ValueType {
    /// A string.
    Text,
    /// `true` or `false`.
    Bool,
    /// Any value.
    Any,
    /// A string, a number, true or false.
    Scalar,
    /// A scalar, or a table.
    ScalarOrTable,
    /// A string such as `"30d"`, or whole seconds.
    Duration,
    /// A duration, or `"none"`.
    DurationOrNone,
    /// One string, or an array of them.
    TextOrList,
    /// A string, or a table of strings with any names.
    TextOrMap,
    /// A scalar, an array of scalars, or a table with these keys.
    ClaimTest(Vec<KeyReference>),
    /// One scalar, or an array of them.
    ScalarOrList,
    /// `true`, `false` or a string.
    BoolOrText,
    /// One of these, or an array of them.
    BoolOrTextOrList,
    /// A table with these keys.
    Table(Vec<KeyReference>),
    /// A table with these keys, or a string in place of its `url`.
    UrlOrTable(Vec<KeyReference>),
    /// A table with these keys, or one of the allowed words; where none are listed, any string.
    WordOrTable(Vec<KeyReference>),
    /// An array of tables with these keys.
    TableList(Vec<KeyReference>),
    /// A table of strings with these names.
    Texts(Vec<&'static str>),
    /// A table with any names.
    Map(Box<ValueType>),
}

/// Every key of `[vars.AUTH]`, in the order of the reference.
pub fn keys(runtime: &Runtime) -> Vec<KeyReference> {
    table(AUTH, runtime)
}

fn table(keys: Keys, runtime: &Runtime) -> Vec<KeyReference> {
    let mut all = Vec::new();
    for key in keys.iter().copied().flatten() {
        let Some(value) = value_type(&key.kind, runtime) else { continue };
        let is_provider = std::ptr::eq(keys, PROVIDER);
        let is_in = |group: Keys| group.iter().copied().flatten().any(|other| std::ptr::eq(other, key));
        let provider_types: &[&str] = match () {
            () if !is_provider => &[],
            () if is_in(&[OAUTH, REQUESTS]) => &["oidc", "oauth2"],
            () if is_in(&[OPENID]) => &["oidc"],
            () if is_in(&[CREDENTIALS]) => &["credentials"],
            () => &[],
        };
        let doc = &key.doc;
        let lines: Vec<&str> = doc.about.iter().map(|line| line.trim()).collect();
        all.push(KeyReference {
            name: key.name,
            value,
            about: lines.join(" "),
            values: doc.values.map(|values| values(runtime)).unwrap_or_default(),
            default: doc.default.map(|default| default()),
            unset: doc.unset,
            example: doc.example.map(|example| example()),
            needs: doc.needs,
            provider_types,
        });
    }
    all
}

/// `None` for a key that is always refused.
fn value_type(kind: &Kind, runtime: &Runtime) -> Option<ValueType> {
    Some(match kind {
        Kind::Hidden => return None,
        Kind::Text => ValueType::Text,
        Kind::Bool => ValueType::Bool,
        Kind::Any => ValueType::Any,
        Kind::Scalar => ValueType::Scalar,
        Kind::ScalarOrTable => ValueType::ScalarOrTable,
        Kind::Duration => ValueType::Duration,
        Kind::DurationOrNone => ValueType::DurationOrNone,
        Kind::TextOrList => ValueType::TextOrList,
        Kind::TextOrMap => ValueType::TextOrMap,
        Kind::ClaimTest => ValueType::ClaimTest(table(CLAIM_TEST, runtime)),
        Kind::ScalarOrList => ValueType::ScalarOrList,
        Kind::BoolOrText | Kind::BoolOrUrl => ValueType::BoolOrText,
        Kind::BoolOrTextOrList => ValueType::BoolOrTextOrList,
        Kind::Table(keys) => ValueType::Table(table(keys, runtime)),
        Kind::UrlOrTable(keys) => ValueType::UrlOrTable(table(keys, runtime)),
        Kind::WordOrTable(keys) => ValueType::WordOrTable(table(keys, runtime)),
        Kind::TableList(keys) | Kind::TopLevelTables(keys) => ValueType::TableList(table(keys, runtime)),
        Kind::Texts => ValueType::Texts(Text::ALL.iter().map(|text| text.key()).collect()),
        Kind::Map(kind) => ValueType::Map(Box::new(value_type(kind, runtime)?)),
    })
}

/// A name and its description.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What it is; empty only where a description is missing.
    pub about: &'static str,
}

/// The secrets and variables that the configuration reads. `<ID>` is the id of a provider in capitals, with `_` for `-`.
pub fn variables() -> Vec<Described> {
    let mut all = Vec::new();
    for name in secrets::SESSION_SECRETS.into_iter().rev() {
        let about = match name {
            "AUTH_SECRET" => {
                "Required. Seals the sessions; at least 16 characters, e.g. from `openssl rand -base64 33`. Anyone who has it \
                 can create sessions."
            }
            _ => {
                "A newer session secret. The one with the highest number seals new sessions, and all of them open sessions: set \
                 the next one, and remove the oldest when its sessions have ended."
            }
        };
        all.push(Described { name: name.to_owned(), about });
    }
    all.push(Described {
        name: secrets::VERIFY_SECRET.to_owned(),
        about: "Shared with a proxy that asks `GET BASE_PATH/verify`, which sends it as `X-Vestibule-Verify`. Required where \
                `verify.headers` is written; at least 16 visible ASCII characters, and not a session secret.",
    });
    all.push(Described {
        name: secrets::HEALTH_SECRETS.join("`, `"),
        about: "Shows who sends it as `Authorization: Bearer` how each part of the deployment is (`GET BASE_PATH/health/details`). At \
                least 16 visible ASCII characters, and no other secret. The second one is for its change.",
    });
    all.push(Described {
        name: secrets::AUDIT_SECRET.to_owned(),
        about: "What the HTTP endpoint of `audit.sinks` gets as `Authorization: Bearer`, where it is set. At least 16 visible ASCII \
                characters, and no other secret.",
    });
    all.push(Described {
        name: format!("{}<NAME>", secrets::TEMPLATE_SECRET),
        about: "A secret that a template names as `{secret.NAME}`: in capitals, digits and `_`. Required where one does; \
                visible ASCII, without white space around it.",
    });
    for key in names::PROVIDER_VARIABLES {
        let about = match key {
            "id" => "The client id of the provider. In place of `client_id`.",
            "secret" => {
                "The client secret of the provider. Not needed by a public client, nor by one that signs with a key."
            }
            "private_key" => {
                "The client's private key: PKCS #8 in PEM. For `private_key_jwt`, `request_object` and `client_secret_from_key`."
            }
            "private_key_1" | "private_key_2" | "private_key_3" => {
                "A newer private key of the client. The one with the highest number signs, and `BASE_PATH/client-keys.json` publishes \
                 the public half of all of them. Not for `client_secret_from_key`."
            }
            "api_key" => {
                "A key that the provider's API wants besides the access token: `{api_key}` in `userinfo`."
            }
            "issuer" => "In place of `issuer`.",
            "tenant" => "In place of `tenant`.",
            "domain" => "In place of `domain`.",
            "team_id" => "In place of `team_id`.",
            "key_id" => "In place of `key_id`.",
            "events_secret" => {
                "What a transmitter of `event_transmitters` for this provider's users has to send as `Authorization: Bearer`, where \
                 it is set."
            }
            "decryption_key" => {
                "The private key for which the provider encrypts ID tokens or userinfo: PKCS #8 in PEM, a JSON Web Key, or up to \
                 four of them, the newest first."
            }
            _ => "",
        };
        all.push(Described { name: format!("AUTH_<ID>_{}", key.to_ascii_uppercase()), about });
    }
    all
}

/// The names that the templates or paths of some keys can begin with.
#[derive(Clone, Debug)]
pub struct Names {
    /// The keys that accept these names.
    pub place: &'static str,
    /// The names.
    pub names: Vec<Described>,
}

/// The names that a template can have in braces.
pub fn placeholders() -> Vec<Names> {
    vec![
        described(
            "Every URL, parameter and header of an `oidc` or `oauth2` provider; replaced when the configuration is loaded",
            &names::PARAMETERS,
            |name| match name {
                "tenant" => "the key `tenant`, or `AUTH_<ID>_TENANT`",
                "domain" => "the key `domain`, or `AUTH_<ID>_DOMAIN`",
                "team_id" => "the key `team_id`, or `AUTH_<ID>_TEAM_ID`",
                "key_id" => "the key `key_id`, or `AUTH_<ID>_KEY_ID`",
                "client_id" => "the client id",
                "issuer" => "the issuer, without a slash at its end",
                "origin" => "the origin of the issuer: scheme, host and port",
                _ => "",
            },
        ),
        described(
            "`login`, `profile` and `refresh` of a `credentials` provider; `token` and `userinfo` of an `oidc` or `oauth2` \
             provider; `headers` and `cookies` of upstreams and rules; never what becomes a part of a URL",
            &["secret"],
            |_| "a secret of the operator: `{secret.API_KEY}` is the secret `AUTH_TEMPLATE_API_KEY`",
        ),
        described("`token.params` and `token.refresh_params`", &names::TOKEN, |name| match name {
            "grant" => "the code, or the refresh token",
            "code" => "the code",
            "state" => "the `state` of the authorization request",
            "client_secret" => "the client secret",
            "redirect_uri" => "the callback URL",
            _ => "",
        }),
        described("`userinfo`", &names::USERINFO, |name| match name {
            "access_token" => "the access token",
            "account" => "a member of the token response: `{account.user_id}`",
            "api_key" => "the secret `AUTH_<ID>_API_KEY`",
            _ => "",
        }),
        described("`profile` of a `credentials` provider", &names::API_PROFILE, |name| match name {
            "access_token" => "the access token",
            "login" | "body" => "a member of the login's response: `{login.user.id}`",
            "cookie" => "a cookie that the API set: `{cookie.NAME}`",
            _ => "",
        }),
        described("`refresh` of a `credentials` provider", &names::API_REFRESH, |name| match name {
            "access_token" => "the access token",
            "refresh_token" => "the refresh token",
            "cookie" => "a cookie that the API set: `{cookie.NAME}`",
            _ => "",
        }),
    ]
}

/// The names that a path into data can begin with.
pub fn roots() -> Vec<Names> {
    let of_sign_in = |name: &str| match name {
        "account" => "the token response; of `credentials`: `provider`, `type` and `providerAccountId`",
        "profile" => {
            "userinfo and the claims of the ID token together; of `credentials`: the response of `profile`"
        }
        "user" => {
            "the user as read: `id`, `name`, `email`, `image`; in `allow`, `email_verified` and the claims of `claims` too"
        }
        "id_token" => "the claims of the ID token",
        "access_token" => "the claims of the access token, where it is a JWT",
        "login" => "the body of the login's response (`credentials`)",
        _ => "",
    };
    vec![
        described("`claims` and `allow`", &session::CLAIM_ROOTS, of_sign_in),
        described(
            "`user` and `email_verified` of an `oidc` or `oauth2` provider",
            &names::OAUTH_USER_ROOTS,
            of_sign_in,
        ),
        described(
            "`user` and `email_verified` of a `credentials` provider",
            &names::API_USER_ROOTS,
            |name| match name {
                "profile" => "the response of `profile`",
                "login" | "body" => "the body of the login's response",
                "access_token" => "the claims of the access token, where it is a JWT",
                "cookie" => "a cookie of the login's response: `cookie.NAME`",
                "header" => "a header field of the login's response: `header.NAME`",
                _ => "",
            },
        ),
        described(
            "`login` and `refresh` of a `credentials` provider (`access_token`, `expires_in`, …)",
            &names::RESPONSE_ROOTS,
            |name| match name {
                "body" => "the body of the response",
                "cookie" => "a cookie that the response sets: `cookie.NAME`",
                "header" => "a header field of the response: `header.NAME`; `Bearer ` is cut off",
                _ => "",
            },
        ),
    ]
}

fn described(place: &'static str, names: &[&str], about: impl Fn(&str) -> &'static str) -> Names {
    let describe = |name: &&str| Described { name: (*name).to_owned(), about: about(name) };
    Names { place, names: names.iter().map(describe).collect() }
}
