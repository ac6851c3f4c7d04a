//! The session of somebody who just signed in, whichever way: a new one, of which nothing was there before.

use serde_json::{Map, Value, json};

use crate::config::Provider;
use crate::error::Error;
use crate::flow::Exchange;
use crate::http::cookie::SetCookie;
use crate::jose::base64url;
use crate::platform::{Level, Platform};
use crate::secret::Secret;
use crate::session::claims::Session;
use crate::time::Timestamp;

/// Who signed in, and what came with it.
pub(crate) struct Person<'a> {
    /// Through whom.
    pub(crate) provider: &'a Provider,
    /// The kind of provider, in Auth.js's words.
    pub(crate) kind: &'static str,
    /// As the provider identifies them.
    pub(crate) subject: String,
    pub(crate) name: Option<Value>,
    pub(crate) email: Option<Value>,
    pub(crate) image: Option<Value>,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// When the access token ends, where that is known.
    pub(crate) expires_at: Option<Timestamp>,
    /// The token response, as the provider gave it.
    pub(crate) account: Map<String, Value>,
    /// What else `claims` may be taken from, by its root.
    pub(crate) sources: Vec<(&'static str, Value)>,
}

/// Makes the session, with the configured claims in it, and the cookies that hold it.
pub(crate) fn establish<P: Platform>(
    exchange: &Exchange<'_, P>,
    person: Person<'_>,
) -> Result<Vec<SetCookie>, Error> {
    let session = session(exchange, person);
    exchange.session_cookies(&session).map_err(|too_large| Error::Configuration(too_large.to_string()))
}

fn session<P: Platform>(exchange: &Exchange<'_, P>, person: Person<'_>) -> Session {
    let provider = person.provider;
    let expires_at = person.expires_at.map(Timestamp::seconds);
    let mut claims = Map::new();
    claims.insert("name".to_owned(), json!(person.name));
    claims.insert("email".to_owned(), json!(person.email));
    claims.insert("picture".to_owned(), json!(person.image));

    let access_token = person.access_token.as_ref().map(|token| jwt_payload(token.expose()));
    let user = json!({
        "id": person.subject, "name": person.name, "email": person.email, "image": person.image,
    });
    let mut account = person.account;
    account.insert("provider".to_owned(), json!(provider.id));
    account.insert("type".to_owned(), json!(person.kind));
    account.insert("providerAccountId".to_owned(), json!(person.subject));
    account.insert("expires_at".to_owned(), json!(expires_at));
    let standing =
        [("user", user), ("account", Value::Object(account)), ("access_token", json!(access_token))];
    let roots: Map<String, Value> =
        standing.into_iter().chain(person.sources).map(|(root, value)| (root.to_owned(), value)).collect();
    for (claim, from) in &exchange.config().claims {
        if let Some(value) = from.lookup(&roots) {
            claims.insert(claim.clone(), value.clone());
        } else {
            let message = format!("provider {} gave nothing at {from} for claim {claim}", provider.id);
            exchange.log(Level::Info, "claim_absent", &message);
        }
    }

    let mut set = |claim: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(claim.to_owned(), value);
        }
    };
    set("sub", Some(json!(person.subject)));
    set("provider", Some(json!(provider.id)));
    set("sid", Some(json!(random_id(exchange.platform))));
    set("auth_time", Some(json!(exchange.now.seconds())));
    set("access_token", person.access_token.map(|token| json!(token.expose())));
    set("refresh_token", person.refresh_token.map(|token| json!(token.expose())));
    set("expires_at", expires_at.map(|at| json!(at)));
    Session::new(claims)
}

/// The payload of an access token that is a JWT, `null` of any other. It came from the provider over TLS;
/// its signature is the API's business.
fn jwt_payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or(Value::Null)
}

fn random_id<P: Platform>(platform: &P) -> String {
    let mut bytes = [0; 16];
    platform.fill_random(&mut bytes);
    base64url::encode(&bytes)
}
