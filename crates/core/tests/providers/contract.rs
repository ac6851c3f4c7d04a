//! A contract: what a provider documents, and what a correct client has to send. One file each, in
//! `contracts/`. The contracts are independent of the presets, so that they find the presets' mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A provider's contract. In texts, `{name}` is replaced by a value of the attempt ([`crate::fill`]).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The provider's documentation that the contract was made from.
    #[serde(rename = "documentation")]
    _documentation: Vec<String>,
    /// How this provider differs from the standards.
    #[serde(rename = "notes", default)]
    _notes: Vec<String>,
    /// The provider's entry in a user's configuration; with `id` if the file has another name than the preset.
    #[serde(default)]
    pub provider: Map<String, Value>,
    /// Variables in addition to the client's id and secret; an empty text removes one of those.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The metadata document of an OpenID provider.
    pub discovery: Option<Discovery>,
    pub authorization: Authorization,
    #[serde(default)]
    pub callback: Callback,
    pub token: BackChannelRequest,
    pub id_token: Option<IdToken>,
    /// Absent if it must not be requested.
    pub userinfo: Option<BackChannelRequest>,
    /// Further requests, each of which must be made once.
    #[serde(default)]
    pub further: Vec<BackChannelRequest>,
    pub user: User,
    /// Members that `account` must have.
    #[serde(default)]
    pub account: Map<String, Value>,
    /// The JWT by which the client authenticates: `{assertion}` in bodies.
    pub assertion: Option<Assertion>,
    /// Set if it is not `access_token` of the token response.
    pub access_token: Option<String>,
    /// Absent if the provider gives no refresh token; then no refresh may be requested.
    pub refresh: Option<Refresh>,
    pub errors: Vec<Failure>,
    /// Where the browser goes at sign-out; absent if it stays at the app.
    pub logout: Option<Logout>,
    /// The request that revokes the refresh token at sign-out; if absent, the usual one where the metadata document has an
    /// endpoint for it.
    pub revocation: Option<BackChannelRequest>,
    /// Whether the refresh token must not be revoked at sign-out: it would end other sessions.
    #[serde(default)]
    pub keeps_refresh_token: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// If absent, it is below the issuer (OpenID Connect Discovery 1.0 section 4.1).
    pub url: Option<String>,
    pub document: Map<String, Value>,
}

impl Discovery {
    pub fn text(&self, member: &str) -> &str {
        self.document.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("discovery: no {member}"))
    }

    fn has_revocation(&self) -> bool {
        self.document.contains_key("revocation_endpoint")
    }

    pub fn url(&self) -> String {
        let below =
            || format!("{}/.well-known/openid-configuration", self.text("issuer").trim_end_matches('/'));
        self.url.clone().unwrap_or_else(below)
    }
}

/// The authorization request: it has these parameters and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// If absent, it is the metadata document's.
    pub url: Option<String>,
    /// Absent if there must be no scope.
    pub scope: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub pkce: bool,
    /// If absent, an OpenID provider gets a nonce.
    pub nonce: Option<bool>,
    /// Usual parameters that must be absent.
    #[serde(default)]
    pub omit: BTreeSet<String>,
    /// The fragment of the address.
    pub fragment: Option<String>,
}

/// The authorization response.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    #[serde(default)]
    pub mode: Mode,
    /// Parameters in addition to `code` and `state`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Query,
    FormPost,
}

/// A request over the back channel, and the provider's response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackChannelRequest {
    /// If absent, it is the metadata document's.
    pub url: Option<String>,
    pub method: Option<String>,
    pub auth: Option<Auth>,
    /// Header fields in addition to the usual ones.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Usual header fields that must be absent.
    #[serde(default)]
    pub omit: BTreeSet<String>,
    /// Byte for byte. If absent, it is the usual body.
    pub body: Option<String>,
    pub response: ProviderResponse,
}

impl BackChannelRequest {
    /// The request of a client that authenticates as in this one (RFC 7009 section 2.1).
    fn usual_revocation(&self) -> Self {
        Self {
            url: None,
            method: None,
            auth: self.auth,
            headers: BTreeMap::new(),
            omit: BTreeSet::new(),
            body: None,
            response: ProviderResponse::empty(),
        }
    }
}

/// How the client authenticates.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    Basic,
    Post,
    None,
}

/// A JWT in the token request, signed with the key that `{private_key}` is replaced by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The parameter that has it.
    pub param: String,
    pub alg: String,
    /// The whole header.
    pub header: Map<String, Value>,
    /// All claims except `iat`, `nbf`, `exp` and `jti`.
    pub claims: Map<String, Value>,
    /// The longest lifetime in seconds.
    pub longest: u64,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderResponse {
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The algorithm that signs the body, if it is a JWT.
    pub signed: Option<String>,
    /// A text is sent unchanged, any other value as JSON.
    pub body: Value,
}

impl ProviderResponse {
    pub fn empty() -> Self {
        Self { status: 200, headers: BTreeMap::new(), signed: None, body: Value::String(String::new()) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdToken {
    #[serde(default = "rs256")]
    pub alg: String,
    /// Claims that replace, or are added to, `iss`, `aud`, `iat`, `exp` and `nonce`.
    pub claims: Map<String, Value>,
    /// Which of those claims are absent.
    #[serde(default)]
    pub omit: BTreeSet<String>,
}

/// The user whom the provider signed in; an absent value is `null`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub image: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    pub exchange: BackChannelRequest,
    /// Set if it is not `access_token` of the response.
    pub access_token: Option<String>,
    /// After how many seconds the token needs a refresh; if absent, after `expires_in`.
    pub after: Option<u64>,
    /// The response when the refresh token is no longer valid.
    pub invalid_grant: Option<ProviderResponse>,
}

/// An error response of the provider, and its effect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub at: Place,
    /// The parameters of the authorization response.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    pub response: Option<ProviderResponse>,
    /// Auth.js's code for it.
    pub code: String,
    /// The provider's message, which the operator must find in the log.
    pub log: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Authorization,
    Token,
    Userinfo,
    Further,
}

/// The logout request, by default that of OpenID Connect RP-Initiated Logout 1.0.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// If absent, it is the metadata document's.
    pub url: Option<String>,
    /// If absent, they are the usual ones.
    pub params: Option<BTreeMap<String, String>>,
}

impl Contract {
    /// The contract with this name.
    pub fn read(name: &str) -> Self {
        Self::bent(name, &Value::Object(Map::new()))
    }

    /// The same, changed by `bend`.
    pub fn bent(name: &str, bend: &Value) -> Self {
        let mut value = merged(name);
        patch(&mut value, bend.clone());
        let mut contract: Self =
            serde_json::from_value(value).unwrap_or_else(|why| panic!("contracts/{name}.json: {why}"));
        let has_endpoint = contract.discovery.as_ref().is_some_and(Discovery::has_revocation);
        if contract.revocation.is_none() && has_endpoint && !contract.keeps_refresh_token {
            contract.revocation = Some(contract.token.usual_revocation());
        }
        contract
    }

    pub fn id<'a>(&'a self, name: &'a str) -> &'a str {
        self.provider.get("id").and_then(Value::as_str).unwrap_or(name)
    }

    /// The names of all contracts.
    pub fn names() -> BTreeSet<String> {
        let files = fs::read_dir(folder()).expect("the folder of the contracts");
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
        names.filter(|name| !name.starts_with('_')).collect()
    }
}

/// A contract, merged over the one that it is `like` (JSON merge patch, RFC 7396).
fn merged(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{name}.json")))
        .unwrap_or_else(|why| panic!("{name}: {why}"));
    let mut own: Value =
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("contracts/{name}.json: {why}"));
    let like = own.as_object_mut().and_then(|own| own.remove("like"));
    let Some(like) = like else { return own };
    let mut whole = merged(like.as_str().expect("the name of a contract"));
    patch(&mut whole, own);
    whole
}

fn patch(whole: &mut Value, own: Value) {
    let Value::Object(own) = own else {
        *whole = own;
        return;
    };
    if !whole.is_object() {
        *whole = Value::Object(Map::new());
    }
    let members = whole.as_object_mut().expect("made one");
    for (name, value) in own {
        if value.is_null() {
            members.remove(&name);
        } else {
            patch(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/providers/contracts")
}

fn yes() -> bool {
    true
}

fn ok() -> u16 {
    200
}

fn rs256() -> String {
    "RS256".to_owned()
}
