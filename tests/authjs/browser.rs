//! Requests and responses in a form that is the same for both sides, and the browser of each side.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::form_urlencoded;
use vestibule_core::http::cookie::Cookies;
use vestibule_core::session::chunk;

use crate::cases::{Case, Step};
use crate::cookies::Role;
use crate::site::{SECRET, Site, csrf_hash};

/// A request.
#[derive(Clone)]
pub struct Sent {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, value)| value.as_str())
    }
}

/// The browser of one side during one case.
pub struct Browser {
    site: Site,
    cookies: Vec<(String, String)>,
    /// The parameters of the last authorization request.
    authorization: BTreeMap<String, String>,
    /// Where it was sent.
    authorized_at: String,
}

impl Browser {
    pub fn new(site: Site, case: &Case) -> Self {
        Self {
            site,
            cookies: case.cookies.clone(),
            authorization: BTreeMap::new(),
            authorized_at: String::new(),
        }
    }

    /// The request of a step, with this browser's cookies, after what the step does to them. `{csrf}`, `{state}` and
    /// `{code:USER}` are replaced by values from earlier responses. `{code:USER;ODDITY}` is a code for which the provider answers
    /// oddly.
    pub fn prepare(&mut self, step: &Step) -> Sent {
        for tampering in &step.tampering {
            tampering.apply(self.site, &mut self.cookies);
        }
        let mut headers = step.headers.clone();
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        Sent {
            method: step.method.clone(),
            url: self.fill(&step.url),
            headers,
            body: step.body.as_deref().map(|body| self.fill(body)),
        }
    }

    pub fn receive(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("name=value");
            self.cookies.retain(|(n, _)| n != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        // A client that sends `X-Auth-Return-Redirect` or `json=true` gets the address in the body.
        let url = serde_json::from_str::<Value>(&answer.body).ok();
        let url = url.as_ref().and_then(|body| body.get("url")).and_then(Value::as_str);
        let location = answer.header("location").or(url).unwrap_or_default();
        if let Some((_, query)) = location.split_once("/authorize?") {
            location.clone_into(&mut self.authorized_at);
            self.authorization = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        }
    }

    /// What later responses depend on: the user of the session, the return address, and which other cookies there are.
    pub fn knows(&self) -> BTreeMap<String, String> {
        let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let all = Cookies::parse(all.iter().map(String::as_str));
        let mut known = BTreeMap::new();
        for (name, value) in &self.cookies {
            match Role::of(self.site, name) {
                Some(Role::ReturnAddress) => {
                    known.insert(name.clone(), value.clone());
                }
                Some(Role::Csrf) => {
                    let (token, hash) = value.split_once("%7C").unwrap_or_default();
                    known.insert("csrf".to_owned(), (hash == csrf_hash(token, SECRET)).to_string());
                }
                Some(Role::Attempt) => {
                    known.insert("attempt".to_owned(), "is there".to_owned());
                }
                Some(Role::Session) | None => {}
            }
        }
        let session = chunk::candidates(&all, self.site.names().session(), 1).pop();
        if let Some(session) = session {
            let claims = self.site.opened(&session.value);
            let user = claims.map_or_else(
                || "nobody".to_owned(),
                |claims| {
                    let texts =
                        ["name", "email", "picture"].map(|claim| claims.get(claim).map(Value::to_string));
                    json!(texts).to_string()
                },
            );
            known.insert("session".to_owned(), user);
        }
        known
    }

    /// The CSRF token in the cookie.
    pub fn csrf(&self) -> String {
        let csrf = self.cookies.iter().find(|(name, _)| name == self.site.names().csrf());
        csrf.map_or("", |(_, value)| value.split("%7C").next().unwrap_or_default()).to_owned()
    }

    /// Whether the last authorization request was sent to an address with this text.
    pub fn is_at(&self, text: &str) -> bool {
        self.authorized_at.contains(text)
    }

    fn fill(&self, text: &str) -> String {
        let csrf = self.csrf();
        let learned = |name: &str| self.authorization.get(name).map_or("", String::as_str);
        let mut filled = text.replace("{csrf}", &csrf).replace("{state}", learned("state"));
        while let Some((before, after)) = filled.split_once("{code:") {
            let (user, rest) = after.split_once('}').expect("{code:USER}");
            let (user, oddity) = user.split_once(';').unwrap_or((user, ""));
            let mut code =
                json!({ "user": user, "nonce": learned("nonce"), "challenge": learned("code_challenge") });
            if !oddity.is_empty() {
                code["oddity"] = json!(oddity);
            }
            filled = format!("{before}{}{rest}", URL_SAFE_NO_PAD.encode(code.to_string()));
        }
        filled
    }
}
