//! Requests that the configuration writes as templates.

use std::time::Duration;

use serde_json::{Map, Value};

use thiserror::Error;

use crate::data::{DataPath, Template, scalar_text};
use crate::http::client::FetchRequest;
use crate::http::headers::Headers;
use crate::http::request::Method;
use crate::http::url::Url;

/// A person waits. A password hash takes a second on a busy machine, a cold start some more.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A profile with a few thousand groups in it; what of it is kept has to fit the session's cookies anyway.
const LIMIT: usize = 256 * 1024;

/// A request to the API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Where to: `https`, or `http` on loopback.
    pub url: Url,
    /// Header fields beside those that Vestibule sets; names in lower case.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<ApiBody>,
}

/// A request's body, before the values are put in.
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
    /// A number, true, false or null, as it is.
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

/// A header field's template gave something that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{endpoint}: what the header field {name} should say has characters that none carries")]
pub struct HeaderValueError {
    /// In which request.
    pub endpoint: &'static str,
    /// Which field.
    pub name: String,
}

/// Builds the request that `endpoint` names in errors, with the values that `find` has. `client_address` is
/// told to the API, which may count attempts by it: without it all of them would come from one place.
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

/// Providers' firewalls refuse requests without a user agent, and their operators like to know who asks.
pub fn common_headers() -> Headers {
    let mut headers = Headers::new();
    headers.append("accept", "application/json");
    headers.append("user-agent", concat!("Vestibule/", env!("CARGO_PKG_VERSION")));
    headers
}

/// RFC 9110 section 5.5, without what is obsolete: nothing in it can end the field, and every server reads
/// the same.
pub fn is_field_value(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'))
}

/// `None` where a template stands for nothing: its member or item is left out, as if nobody had asked.
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
