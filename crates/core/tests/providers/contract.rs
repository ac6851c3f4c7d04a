//! A contract: what a provider documents, and what a correct client has to send. One file each, in
//! `contracts/`; nothing of it comes from the presets, so that it finds their mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A provider's contract. In texts, `{name}` stands for a value of the attempt ([`crate::fill`]).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Where the shapes are from.
    #[serde(rename = "documentation")]
    _documentation: Vec<String>,
    /// What is odd about this provider.
    #[serde(rename = "notes", default)]
    _notes: Vec<String>,
    /// What a user writes into the configuration; beside `id` where the file has another name.
    #[serde(default)]
    pub provider: Map<String, Value>,
    /// Beside the client's id and secret; an empty text takes one of those away.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What the provider publishes, for those that speak OpenID Connect.
    pub discovery: Option<Discovery>,
    pub authorization: Authorization,
    #[serde(default)]
    pub callback: Callback,
    pub token: Exchange,
    pub id_token: Option<IdToken>,
    /// Absent where it must not be asked.
    pub userinfo: Option<Exchange>,
    /// Further requests, each of which must be made once.
    #[serde(default)]
    pub further: Vec<Exchange>,
    pub user: User,
    /// Members that `account` must have.
    #[serde(default)]
    pub account: Map<String, Value>,
    /// The JWT that a client has to sign to prove who it is: `{assertion}` in bodies.
    pub assertion: Option<Assertion>,
    /// Where it is not `access_token` in the token response.
    pub access_token: Option<String>,
    /// Absent where the provider gives no refresh token; then nothing may be asked later.
    pub refresh: Option<Refresh>,
    pub errors: Vec<Failure>,
    /// Where the browser goes at sign-out; absent where that is the app.
    pub logout: Option<Logout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// Absent, it is below the issuer (OpenID Connect Discovery 1.0 section 4.1).
    pub url: Option<String>,
    pub document: Map<String, Value>,
}

impl Discovery {
    pub fn text(&self, member: &str) -> &str {
        self.document.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("discovery: no {member}"))
    }

    pub fn url(&self) -> String {
        let below =
            || format!("{}/.well-known/openid-configuration", self.text("issuer").trim_end_matches('/'));
        self.url.clone().unwrap_or_else(below)
    }
}

/// The authorization request: these parameters, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Absent, it is the discovery document's.
    pub url: Option<String>,
    /// Absent where there must be none.
    pub scope: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub pkce: bool,
    /// Absent, it is there for OpenID Connect.
    pub nonce: Option<bool>,
    /// Usual parameters that must not be there.
    #[serde(default)]
    pub omit: BTreeSet<String>,
    /// What the address ends in, behind `#`.
    pub fragment: Option<String>,
}

/// How the browser comes back.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    #[serde(default)]
    pub mode: Mode,
    /// Beside `code` and `state`.
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

/// A request over the back channel, and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Absent, it is the discovery document's.
    pub url: Option<String>,
    pub method: Option<String>,
    pub auth: Option<Auth>,
    /// Beside the usual ones.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Usual header fields that must not be there.
    #[serde(default)]
    pub omit: BTreeSet<String>,
    /// Byte for byte. Absent, it is the usual one.
    pub body: Option<String>,
    pub response: Reply,
}

/// How the client proves who it is.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    Basic,
    Post,
    None,
}

/// A JWT in the token request, signed with the key that `{private_key}` stands for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The parameter that it is.
    pub param: String,
    pub alg: String,
    /// All of its header.
    pub header: Map<String, Value>,
    /// All of its claims but `iat`, `nbf`, `exp` and `jti`.
    pub claims: Map<String, Value>,
    /// How many seconds it may live.
    pub longest: u64,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// With which algorithm the body is signed, where it is a JWT.
    pub signed: Option<String>,
    /// A text goes out as it is, anything else as JSON.
    pub body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdToken {
    #[serde(default = "rs256")]
    pub alg: String,
    /// In place of, or beside, `iss`, `aud`, `iat`, `exp` and `nonce`.
    pub claims: Map<String, Value>,
    /// Which of those are not there.
    #[serde(default)]
    pub omit: BTreeSet<String>,
}

/// Whom the provider signed in; absent is `null`.
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
    pub exchange: Exchange,
    /// Where it is not `access_token` in the response.
    pub access_token: Option<String>,
    /// After how many seconds it is due; absent, after `expires_in`.
    pub after: Option<u64>,
    /// The answer once the grant is over.
    pub gone: Option<Reply>,
}

/// An answer of the provider's that is an error, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub at: Place,
    /// The authorization response's.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    pub response: Option<Reply>,
    /// Auth.js's code for it.
    pub code: String,
    /// The provider's words, which the operator has to find in the log.
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

/// OpenID Connect RP-Initiated Logout 1.0, unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// Absent, it is the discovery document's.
    pub url: Option<String>,
    /// Absent, they are the usual ones.
    pub params: Option<BTreeMap<String, String>>,
}

impl Contract {
    /// The contract of that name.
    pub fn read(name: &str) -> Self {
        Self::bent(name, &Value::Object(Map::new()))
    }

    /// The same, with `bend` laid over it.
    pub fn bent(name: &str, bend: &Value) -> Self {
        let mut value = merged(name);
        patch(&mut value, bend.clone());
        serde_json::from_value(value).unwrap_or_else(|why| panic!("contracts/{name}.json: {why}"))
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

/// A contract, laid over the one that it is `like` as a merge patch (RFC 7396).
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
