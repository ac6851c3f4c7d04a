//! The forms on a provider's pages, filled in by code.

use miniflare_test_harness::{Client, ClientResponse, RequestBuilder};
use url::Url;

/// What a provider asks for at a login, on one page or on several.
pub const LOGIN_FIELDS: [&str; 4] = ["login", "user", "username", "password"];

/// A form with the fields that a browser would send if nobody changed anything.
#[derive(Debug)]
pub struct Form {
    /// The origin of its page.
    origin: String,
    action: Url,
    is_get: bool,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first form of a page; `None` if it has none. Of several buttons with a name, the last one is pressed, unless a
    /// field has its name.
    pub fn of(page: &ClientResponse) -> Option<Self> {
        let html = page.text();
        let (_, from) = html.split_once("<form")?;
        let inside = from.split("</form>").next()?;
        let tag = inside.split('>').next()?;
        let action = attribute(tag, "action").unwrap_or_default();
        let is_get = attribute(tag, "method").is_none_or(|method| method.eq_ignore_ascii_case("get"));
        let page = Url::parse(&page.url).ok()?;
        let (origin, action) = (page.origin().ascii_serialization(), page.join(&action).ok()?);
        let mut form = Self { origin, action, is_get, fields: named(inside, "<input").collect() };
        let buttons = named(inside, "<button").filter(|(name, _)| !form.has(name));
        let pressed = buttons.last();
        form.fields.extend(pressed);
        Some(form)
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Whether somebody is asked to log in.
    pub fn is_login(&self) -> bool {
        LOGIN_FIELDS.iter().any(|field| self.has(field))
    }

    /// Fills a field in. A field that the page does not have is sent, too: a button outside the form.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request that the form sends.
    pub fn submit(&self, browser: &Client) -> RequestBuilder {
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if self.is_get {
            let mut address = self.action.clone();
            address.query_pairs_mut().clear().extend_pairs(fields);
            return browser.get(address.as_str()).navigation();
        }
        browser.post(self.action.as_str()).navigation().header("origin", &self.origin).form(&fields)
    }
}

/// The names and values of a form's elements of a kind.
fn named(inside: &str, kind: &str) -> impl Iterator<Item = (String, String)> {
    let tags = inside.split(kind).skip(1).filter_map(|rest| rest.split('>').next());
    tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))
}

/// The value of an attribute in the text of a tag.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let begin = tag.find(&format!(" {name}=")).map(|at| at + name.len() + 2)?;
    let rest = tag.get(begin..)?;
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
        _ => rest.split_whitespace().next()?.trim_end_matches('/'),
    };
    Some(value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&amp;", "&"))
}
