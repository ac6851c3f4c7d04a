//! Requests that the configuration defines as templates.

use std::time::Duration;

use serde_json::{Map, Value};

use thiserror::Error;

use crate::data::{DataPath, Template, scalar_text};
use crate::http::client::FetchRequest;
use crate::http::headers::Headers;
use crate::http::request::Method;
use crate::http::url::Url;

/// A user waits for the response. A password hash takes a second on a busy machine, a cold start somewhat longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Enough for a profile with a few thousand groups. What the session keeps of it must fit into cookies anyway.
const LIMIT: usize = 256 * 1024;

/// A request to an API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The URL: `https`, or `http` on loopback.
    pub url: Url,
    /// Further header fields; they replace those of the same name that Vestibule sets. Names are in lower case.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<ApiBody>,
}

/// The body of a request, before its placeholders are replaced.
#[derive(Clone, Debug)]
pub enum ApiBody {
    /// `application/json`
    Json(BodyTemplate),
    /// `application/x-www-form-urlencoded`
    Form(Vec<(String, BodyTemplate)>),
}

/// JSON whose strings are templates.
#[derive(Clone, Debug)]
pub enum BodyTemplate {
    /// A number, true, false or null, unchanged.
    Literal(Value),
    /// A string.
    Text(Template),
    /// An array.
    List(Vec<BodyTemplate>),
    /// An object.
    Table(Vec<(String, BodyTemplate)>),
}

impl ApiRequest {
    /// Every template of the request.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let mut found: Vec<&Template> = self.headers.iter().map(|(_, template)| template).collect();
        match &self.body {
            Some(ApiBody::Json(body)) => body.collect(&mut found),
            Some(ApiBody::Form(pairs)) => pairs.iter().for_each(|(_, value)| value.collect(&mut found)),
            None => {}
        }
        found.into_iter()
    }
}

impl BodyTemplate {
    fn collect<'a>(&'a self, found: &mut Vec<&'a Template>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => found.push(template),
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Table(members) => members.iter().for_each(|(_, value)| value.collect(found)),
        }
    }
}

/// The value of a header field, after its placeholders were replaced, is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{endpoint}: the value of the header field {name} has characters that are not allowed in a header field"
)]
pub struct HeaderValueError {
    /// The request.
    pub endpoint: &'static str,
    /// The name of the field.
    pub name: String,
}

/// Builds a request; `find` returns the values of the placeholders. Errors name the request as `endpoint`. The API gets
/// `client_address` as `X-Forwarded-For`, so that it can count attempts per client: all requests come from one place.
pub fn build(
    endpoint: &'static str,
    request: &ApiRequest,
    client_address: Option<&str>,
    find: &dyn Fn(&DataPath) -> Option<Value>,
) -> Result<FetchRequest, HeaderValueError> {
    let mut headers: Headers = common_headers();
    if let Some(address) = client_address {
        headers.set("x-forwarded-for", address);
    }
    let body = match &request.body {
        None => Vec::new(),
        Some(ApiBody::Json(body)) => {
            headers.set("content-type", "application/json");
            fill(body, find).unwrap_or(Value::Null).to_string().into_bytes()
        }
        Some(ApiBody::Form(pairs)) => {
            headers.set("content-type", "application/x-www-form-urlencoded");
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in pairs {
                if let Some(value) = fill(value, find).as_ref().and_then(scalar_text) {
                    form.append_pair(name, &value);
                }
            }
            form.finish().into_bytes()
        }
    };
    for (name, template) in &request.headers {
        let value = template.text(find);
        if !is_field_value(&value) {
            return Err(HeaderValueError { endpoint, name: name.clone() });
        }
        headers.set(name, value);
    }
    Ok(FetchRequest {
        method: request.method.clone(),
        url: request.url.as_str().to_owned(),
        headers,
        body,
        timeout: TIMEOUT,
        limit: LIMIT,
    })
}

/// The header fields of every request. Firewalls of some providers reject requests without a user agent, and operators
/// of providers want to see which client sends the requests.
pub fn common_headers() -> Headers {
    let mut headers = Headers::new();
    headers.append("accept", "application/json");
    headers.append("user-agent", concat!("Vestibule/", env!("CARGO_PKG_VERSION")));
    headers
}

/// Whether `text` is a field value (RFC 9110 section 5.5) without the obsolete characters: none of them can end the
/// field, and all servers read them alike.
pub fn is_field_value(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'))
}

/// The JSON of a body. `None` where a template has no value: the caller leaves its member or item out.
fn fill(body: &BodyTemplate, find: &dyn Fn(&DataPath) -> Option<Value>) -> Option<Value> {
    match body {
        BodyTemplate::Literal(value) => Some(value.clone()),
        BodyTemplate::Text(template) => template.value(find),
        BodyTemplate::List(items) => {
            let mut filled = Vec::new();
            for item in items {
                filled.extend(fill(item, find));
            }
            Some(Value::Array(filled))
        }
        BodyTemplate::Table(members) => {
            let mut filled = Map::new();
            for (name, value) in members {
                if let Some(value) = fill(value, find) {
                    filled.insert(name.clone(), value);
                }
            }
            Some(Value::Object(filled))
        }
    }
}
