//! Splits a response into aspects that can be compared. Each aspect has a name and a text. Values that differ from run to
//! run are replaced by a description.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;
use vestibule_core::http::cookie::Cookies;
use vestibule_core::session::chunk;
use vestibule_core::time::Timestamp;

use crate::browser::Answer;
use crate::site::{DAY, SECRET, Site, csrf_hash, now};

/// The aspects of a response: the text by name.
pub type Aspects = BTreeMap<String, String>;

pub fn aspects(site: Site, answer: &Answer) -> Aspects {
    let mut aspects = Aspects::new();
    aspects.insert("status".to_owned(), answer.status.to_string());
    for name in ["cache-control", "expires", "pragma"] {
        if let Some(value) = answer.header(name) {
            aspects.insert(name.to_owned(), value.to_owned());
        }
    }
    let media_type = answer.header("content-type").map(|value| value.split(';').next().unwrap_or_default());
    if let Some(media_type) = media_type {
        aspects.insert("content-type".to_owned(), media_type.to_owned());
    }
    if let Some(location) = answer.header("location") {
        aspects.insert("location".to_owned(), address(location));
    }
    let body = match media_type {
        Some("text/html") => "HTML".to_owned(),
        Some("application/json") => serde_json::from_str(&answer.body)
            .map_or_else(|_| answer.body.clone(), |json| body(&json, &mut aspects)),
        _ => answer.body.clone(),
    };
    aspects.insert("body".to_owned(), body);
    cookies(site, answer, &mut aspects);
    aspects
}

/// An address with its parameters in order and with random values hidden.
pub fn address(location: &str) -> String {
    let Some((page, query)) = location.split_once('?') else { return location.to_owned() };
    let mut parameters: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| match &*name {
            "state" | "nonce" | "code_challenge" => format!("{name}=..."),
            _ => format!("{name}={value}"),
        })
        .collect();
    parameters.sort();
    format!("{page} with {}", parameters.join(", "))
}

/// The body of an answer. The address in `{"url":…}` is an aspect of its own, the same as that of a redirect.
pub fn body(json: &Value, aspects: &mut Aspects) -> String {
    let mut json = json.clone();
    if let Some(url) = json.get_mut("url") {
        aspects.insert("location".to_owned(), address(url.as_str().unwrap_or_default()));
        *url = json!("(location)");
    }
    if let Some(token) = json.get_mut("csrfToken") {
        let is_one =
            token.as_str().is_some_and(|t| t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(is_one, "{token} is not a CSRF token");
        *token = json!("...");
    }
    if let Some(expires) = json.get_mut("expires") {
        // Compared up to the second.
        let text = expires.as_str().unwrap_or_default().to_owned();
        *expires = json!(span(&text, Timestamp::to_rfc3339, 19));
    }
    json.to_string()
}

fn cookies(site: Site, answer: &Answer, aspects: &mut Aspects) {
    let names = site.names();
    let mut session = Vec::new();
    for cookie in answer.set_cookies() {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let attributes = self::attributes(attributes);
        let shown = if attributes.contains("Max-Age=0") {
            assert_eq!(value, "", "{cookie}");
            "expired".to_owned()
        } else if chunk::is_of_session(name, names.session()) {
            session.push(format!("{name}={value}"));
            "see session".to_owned()
        } else if name == names.csrf() {
            let (token, hash) = value.split_once("%7C").unwrap_or_default();
            assert_eq!(hash, csrf_hash(token, SECRET), "{cookie}");
            "TOKEN|HASH".to_owned()
        } else if name == names.callback_url() {
            Cookies::parse([pair].into_iter()).get(name).unwrap_or_default().to_owned()
        } else {
            "...".to_owned()
        };
        // In Vestibule each sign-in attempt has a cookie with its own name.
        let name = match name.strip_prefix(names.transaction_prefix()) {
            Some(_) => format!("{}ID", names.transaction_prefix()),
            None => name.to_owned(),
        };
        let entry = aspects.entry(format!("cookie {name}")).or_default();
        if !entry.is_empty() {
            entry.push_str(" and then ");
        }
        entry.push_str(&shown);
        entry.push_str("; ");
        entry.push_str(&attributes);
    }
    if !session.is_empty() {
        let all = session.join("; ");
        let cookies = Cookies::parse([all.as_str()].into_iter());
        let found = chunk::candidates(&cookies, names.session(), 1).pop();
        let claims = found.and_then(|found| site.opened(&found.value)).map(claims);
        aspects.insert("session".to_owned(), claims.unwrap_or_else(|| "does not open".to_owned()));
    }
}

/// The attributes of a cookie in order, with times as durations from now.
fn attributes(attributes: &str) -> String {
    let mut attributes: Vec<String> = attributes
        .split(';')
        .map(str::trim)
        .map(|attribute| match attribute.strip_prefix("Expires=") {
            Some(at) => format!("Expires={}", span(at, Timestamp::to_imf_fixdate, usize::MAX)),
            None => attribute.to_owned(),
        })
        .collect();
    attributes.sort();
    attributes.join("; ")
}

/// The claims of a session, with random values hidden and times as durations from now.
fn claims(mut claims: Value) -> String {
    for claim in ["iat", "exp", "signed_in_at", "auth_time", "provider_iat", "expires_at"] {
        if let Some(at) = claims.get(claim).and_then(Value::as_u64) {
            claims[claim] = json!(span(&at.to_string(), |at| at.seconds().to_string(), usize::MAX));
        }
    }
    for claim in ["jti", "sid"] {
        if claims.get(claim).is_some_and(Value::is_string) {
            claims[claim] = json!("...");
        }
    }
    claims.to_string()
}

/// The name of the duration from now to the time in `text`, with a tolerance of some minutes; `text` itself if it matches
/// none. `write` formats a time like `text`. Only the first `length` bytes are compared.
fn span(text: &str, write: impl Fn(Timestamp) -> String, length: usize) -> String {
    let spans = [
        ("now", Duration::ZERO),
        ("in 15 minutes", Duration::from_mins(15)),
        ("in 1 hour", Duration::from_hours(1)),
        ("in 30 days", DAY * 30),
    ];
    let beginning = |text: &str| text.get(..length.min(text.len())).unwrap_or_default().to_owned();
    let is = |span: Duration| {
        // The cases' sessions are made before the first request.
        (0..=150).any(|off| {
            let at = now().plus(span).plus(Duration::from_secs(10)).minus(Duration::from_secs(off));
            beginning(&write(at)) == beginning(text)
        })
    };
    spans.iter().find(|(_, length)| is(*length)).map_or(text, |(name, _)| name).to_owned()
}
