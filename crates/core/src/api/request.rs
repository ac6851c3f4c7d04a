//! Requests to the API.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ApiError;
use crate::api::provider::{ApiBody, ApiRequest, BodyTemplate};
use crate::data::{DataPath, scalar_text};
use crate::http::client::FetchRequest;
use crate::http::headers::Headers;
use crate::oauth::exchange::common_headers;

/// A person waits. A password hash takes a second on a busy machine, a cold start some more.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A profile with a few thousand groups in it; what of it is kept has to fit the session's cookies anyway.
const LIMIT: usize = 256 * 1024;

/// Builds the request that `endpoint` names in errors, with the values that `find` has. `client_address` is
/// told to the API, which may count attempts by it: without it all of them would come from one place.
pub fn build(
    endpoint: &'static str,
    request: &ApiRequest,
    client_address: Option<&str>,
    find: &dyn Fn(&DataPath) -> Option<Value>,
) -> Result<FetchRequest, ApiError> {
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
            return Err(ApiError::UnfitHeader { endpoint, name: name.clone() });
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
