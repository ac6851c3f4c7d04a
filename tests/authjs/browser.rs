//! Requests and responses in a form that is the same for both sides, and the browser of each side.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::form_urlencoded;

use crate::cases::{Case, Step};
use crate::site::Site;

/// A request.
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
}

impl Browser {
    pub fn new(site: Site, case: &Case) -> Self {
        Self { site, cookies: case.cookies.clone(), authorization: BTreeMap::new() }
    }

    /// The request of a step, with this browser's cookies. `{csrf}`, `{state}` and `{code:USER}` are replaced by values from
    /// earlier responses.
    pub fn prepare(&self, step: &Step) -> Sent {
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
        let location = answer.header("location").unwrap_or_default();
        if let Some((_, query)) = location.split_once("/authorize?") {
            self.authorization = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        }
    }

    fn fill(&self, text: &str) -> String {
        let csrf = self.cookies.iter().find(|(name, _)| name == self.site.names().csrf());
        let csrf = csrf.map_or("", |(_, value)| value.split("%7C").next().unwrap_or_default());
        let learned = |name: &str| self.authorization.get(name).map_or("", String::as_str);
        let mut filled = text.replace("{csrf}", csrf).replace("{state}", learned("state"));
        while let Some((before, after)) = filled.split_once("{code:") {
            let (user, rest) = after.split_once('}').expect("{code:USER}");
            let code =
                json!({ "user": user, "nonce": learned("nonce"), "challenge": learned("code_challenge") });
            filled = format!("{before}{}{rest}", URL_SAFE_NO_PAD.encode(code.to_string()));
        }
        filled
    }
}
