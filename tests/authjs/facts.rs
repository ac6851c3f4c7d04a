//! What the entries of `deliberate.rs` ask about a difference: the request and both answers, in plain words.

use serde_json::Value;
use url::{Url, form_urlencoded};
use vestibule_core::session::chunk;
use vestibule_core::session::dialect::Dialect;

use crate::cookies::Role;
use crate::replay::Difference;
use crate::site::Site;

/// Names and values, decoded.
pub type Fields = Vec<(String, String)>;

impl Difference<'_> {
    /// The path below the base path, as it was sent.
    pub fn route(&self) -> &str {
        let path = self.sent.url.split('?').next().unwrap_or_default();
        let path = path.strip_prefix(self.site.origin()).unwrap_or(path);
        path.strip_prefix(self.site.base_path()).unwrap_or(path)
    }

    /// Whether the path is one of these, or below one that ends in a slash. Slashes at its end do not count.
    pub fn is_at(&self, routes: &[&str]) -> bool {
        let route = self.route().trim_end_matches('/');
        routes.iter().any(|it| match it.strip_suffix('/') {
            Some(above) => route.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
            None => route == *it,
        })
    }

    pub fn is_get(&self) -> bool {
        self.sent.method == "GET"
    }

    pub fn is_post(&self) -> bool {
        self.sent.method == "POST"
    }

    /// A header field of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.sent.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub fn query(&self) -> Fields {
        let query = self.sent.url.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The media type of the body in small letters.
    pub fn media_type(&self) -> String {
        let media = self.header("content-type").unwrap_or_default();
        media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub fn has_json(&self) -> bool {
        self.media_type() == "application/json"
    }

    pub fn has_form(&self) -> bool {
        self.media_type() == "application/x-www-form-urlencoded"
    }

    /// The fields of a form or of a JSON object; texts stay texts, other values are written as JSON.
    pub fn fields(&self) -> Fields {
        let body = self.sent.body.as_deref().unwrap_or_default();
        if self.has_form() {
            return form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        }
        let members = vestibule_core::json::members(body.as_bytes()).filter(|_| self.has_json());
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        members.unwrap_or_default().into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    /// The last value of a field.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().rev().find(|(it, _)| it == name).map(|(_, value)| value)
    }

    /// Whether the browsers know different things, since an earlier request had a parameter twice.
    pub fn is_after_repetition(&self) -> bool {
        let mut earlier = self.case.steps[..self.step].iter();
        self.parted
            && earlier
                .any(|step| step.url.matches("code=").count() > 1 || step.url.matches("state=").count() > 1)
    }

    /// Whether a parameter of the query or of the body comes twice.
    pub fn has_repetition(&self) -> bool {
        [self.query(), self.fields()].iter().any(|all| {
            all.iter().enumerate().any(|(at, (name, _))| all[..at].iter().any(|(before, _)| before == name))
        })
    }

    /// The names and values of the cookies, as they were sent.
    pub fn cookies(&self) -> Fields {
        let all = self.header("cookie").unwrap_or_default();
        let pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    /// Whether several cookies have this name.
    pub fn has_several(&self, name: &str) -> bool {
        self.cookies().iter().filter(|(it, _)| it == name).count() > 1
    }

    /// Whether there is a cookie of a session of the site, whole or in pieces.
    pub fn has_session_cookie_of(&self, site: Site) -> bool {
        self.cookies().iter().any(|(name, _)| chunk::is_of_session(name, site.names().session()))
    }

    /// Every return address that the request asks for: in the body, in the query, in a cookie.
    pub fn return_addresses(&self) -> Vec<String> {
        let name = self.site.names().callback_url().to_owned();
        let decoded = |(name, value): (String, String)| (name, decoded(&value));
        let of = |all: Fields, wanted: &str| -> Vec<String> {
            all.into_iter().filter(|(it, _)| it == wanted).map(|(_, value)| value).collect()
        };
        let mut all = of(self.fields(), "callbackUrl");
        all.extend(of(self.query(), "callbackUrl"));
        all.extend(of(self.cookies().into_iter().map(decoded).collect(), &name));
        all
    }

    /// In what the provider's answer to this callback is odd, as `oddities.json` names it.
    pub fn oddity(&self) -> &str {
        let code = self.case.steps[self.step].url.split_once("{code:").map_or("", |(_, rest)| rest);
        let code = code.split('}').next().unwrap_or_default();
        code.split_once(';').map_or("", |(_, oddity)| oddity)
    }

    /// Whether the callback has the state of an attempt of this browser.
    pub fn is_of_attempt(&self) -> bool {
        let has_cookie =
            self.cookies().iter().any(|(name, _)| Role::of(self.site, name) == Some(Role::Attempt));
        let url = &self.case.steps[self.step].url;
        has_cookie && url.split(['?', '&']).any(|pair| pair == "state={state}")
    }

    /// Whether a page of another origin sent the request, as its header fields say.
    pub fn is_of_another_origin(&self) -> bool {
        let is_own = |origin: &str| origin == self.site.origin();
        self.header("sec-fetch-site") == Some("cross-site")
            || self.header("origin").is_some_and(|origin| !is_own(origin))
    }

    /// Whether a person waits for a page, as a browser says it.
    pub fn is_navigation(&self) -> bool {
        let accepts = self.header("accept").is_some_and(|accept| accept.contains("text/html"));
        match self.header("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => accepts && self.header("x-requested-with").is_none(),
        }
    }

    fn status(&self, side: usize) -> &str {
        let aspects = if side == 0 { self.all.0 } else { self.all.1 };
        aspects.get("status").map_or("", String::as_str)
    }

    pub fn authjs_status(&self) -> &str {
        self.status(0)
    }

    pub fn status_of_vestibule(&self) -> &str {
        self.status(1)
    }

    /// The addresses to which Auth.js and Vestibule send the client, by a redirect or as JSON.
    pub fn locations(&self) -> (Option<&str>, Option<&str>) {
        (self.all.0.get("location").map(String::as_str), self.all.1.get("location").map(String::as_str))
    }

    /// Whether Auth.js failed: it answers 500, or shows the page for a broken configuration.
    pub fn authjs_fails(&self) -> bool {
        self.authjs_status() == "500"
            || self.locations().0.is_some_and(|to| to.contains("error=Configuration"))
    }

    /// Whether Vestibule refuses the request: 400 `"Bad request."`.
    pub fn is_refused(&self) -> bool {
        self.status_of_vestibule() == "400"
    }

    pub fn concerns_session(&self) -> bool {
        self.aspect == "session"
            || self.aspect.starts_with(&format!("cookie {}", self.site.names().session()))
    }

    pub fn concerns_return_address(&self) -> bool {
        self.aspect == "location" || self.aspect == format!("cookie {}", self.site.names().callback_url())
    }

    pub fn is_v4(&self) -> bool {
        self.site.dialect == Dialect::NextAuthV4
    }
}

/// Whether Auth.js fails at this return address: it is neither a path nor an address of http.
pub fn is_no_address(text: &str) -> bool {
    let site = Url::parse("https://app.example.com").expect("an address");
    let url = if text.starts_with('/') { site.join(text) } else { Url::parse(text) };
    !text.is_empty() && !url.is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}

/// Whether a text has a character that no header field can have, so that Auth.js cannot redirect to it.
pub fn is_outside_latin(text: &str) -> bool {
    text.chars().any(|c| c > '\u{ff}')
}

/// Whether a text's percent-encoding is not one of UTF-8.
pub fn is_broken_encoding(text: &str) -> bool {
    let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    let bytes = text.as_bytes();
    let is_cut = |at: usize| !(is_digit(bytes.get(at + 1).copied()) && is_digit(bytes.get(at + 2).copied()));
    (0..bytes.len()).any(|at| bytes[at] == b'%' && is_cut(at)) || decoded(text).contains('\u{fffd}')
}

/// Whether browsers and servers may read this return address differently.
pub fn is_ambiguous(text: &str) -> bool {
    let path = Url::parse(&format!("https://app.example.com{text}"));
    let scheme = text.split_once(':').is_some_and(|(_, rest)| !rest.starts_with("//"));
    text.starts_with("//")
        || text.contains('\\')
        || Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
        || text.chars().any(char::is_control)
        || (!text.starts_with('/') && scheme)
        || text.trim() != text
        || (text.starts_with('/') && path.is_ok_and(|url| url.path().starts_with("//")))
}

/// An address as a browser would write it, decoded. Its parameters may already be in words (`aspects`).
pub fn as_a_browser_reads(address: &str) -> String {
    let (page, parameters) = address.split_once(" with ").unwrap_or((address, ""));
    let page = Url::parse(page).map_or_else(|_| page.to_owned(), String::from);
    decoded(&format!("{} {parameters}", page.trim_end_matches('/')))
}

/// A text without percent-encoding.
pub fn decoded(text: &str) -> String {
    let field = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(field.as_bytes()).next().map_or_else(String::new, |(_, text)| text.into_owned())
}
