//! Converts requests, responses and header fields between JavaScript's types and the core's.

use std::cell::RefCell;

use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys;

use crate::runtime::RUNTIME;
use crate::{bridge, clock, console};
use vestibule_core::http::cookie::SetCookie;
use vestibule_core::http::header_wire;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::http::response::Response;
use vestibule_core::log::{Line, LogEvent, Record, RequestDetails};
use vestibule_core::outcome::{NOT_STORED, Outcome, TARGETED_CACHES};

thread_local! {
    /// The buffer that JavaScript writes request heads into, in bytes. Few requests have a larger head; it grows for them.
    static HEAD_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 * 1024]);
}

/// The head of a request: method, URL and header fields. `None` if the URL is invalid; the runtime rejects such requests
/// before they reach the Worker.
pub(crate) fn head(request: &web_sys::Request) -> Option<Request> {
    HEAD_BUFFER.with_borrow_mut(|buffer| {
        let mut written = bridge::head(request, buffer);
        if written < 0 {
            buffer.resize(usize::try_from(written.unsigned_abs()).ok()?, 0);
            written = bridge::head(request, buffer);
        }
        let head = str::from_utf8(buffer.get(..usize::try_from(written).ok()?)?).ok()?;
        let (method, rest) = head.split_once('\n')?;
        let (url, fields) = rest.split_once('\n').unwrap_or((rest, ""));
        Some(Request {
            method: Method::new(method),
            url: RequestUrl::parse(url)?,
            headers: header_wire::read(fields),
        })
    })
}

/// JavaScript's header fields as the core's, in the same order.
pub(crate) fn headers(headers: &web_sys::Headers) -> Headers {
    // JavaScript's encoder always writes valid UTF-8.
    let lines = String::from_utf8(bridge::fields(headers)).unwrap_or_default();
    header_wire::read(&lines)
}

/// The core's header fields as JavaScript's.
pub(crate) fn to_js_headers(headers: &Headers) -> Result<web_sys::Headers, JsValue> {
    let converted = web_sys::Headers::new()?;
    for (name, value) in headers.iter() {
        converted.append(name, value)?;
    }
    Ok(converted)
}

/// The log line of something that happened in `request`. The request's details are read only now.
pub(crate) fn line(record: Record, request: &web_sys::Request) -> Line {
    match head(request) {
        Some(head) => record.in_request(&RequestDetails::of(&head, RUNTIME.edge).at(clock::now())),
        None => record.outside_requests(),
    }
}

/// The outcome of a flow as a JavaScript response to `request`, or as a promise of one.
pub(crate) fn outcome_to_js(
    outcome: Outcome<JsValue>,
    request: &web_sys::Request,
) -> Result<JsValue, JsValue> {
    match outcome {
        Outcome::Response(response) => to_js_response(&response).map(JsValue::from),
        Outcome::Forwarded { response, cookies, no_store: false, server_timing } if cookies.is_empty() => {
            Ok(with_server_timing(response, server_timing))
        }
        Outcome::Forwarded { response, cookies, server_timing, .. } => {
            let response = with_server_timing(response, server_timing);
            let changed = not_stored(response.unchecked_ref(), &cookies).map(JsValue::from);
            Ok(changed.unwrap_or_else(|error| {
                // The runtime forwards a response with a status above 599, but cannot construct one. The next
                // response updates the session.
                let (event, what) = if cookies.is_empty() {
                    (LogEvent::CacheControlNotSet, "Cache-Control could not be set in")
                } else {
                    (LogEvent::SessionNotUpdated, "the session's cookies could not be added to")
                };
                let message = format_args!("{what} the upstream's response: {}", error_message(&error));
                console::write(&line(Record::new(event, message), request));
                response
            }))
        }
    }
}

/// The response with this field, if the runtime can copy it.
fn with_server_timing(response: JsValue, value: Option<String>) -> JsValue {
    let Some(value) = value else { return response };
    let response: web_sys::Response = response.unchecked_into();
    let init: &web_sys::ResponseInit = response.unchecked_ref();
    web_sys::Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)
        .and_then(|changed| changed.headers().append("server-timing", &value).map(|()| changed))
        .unwrap_or(response)
        .into()
}

/// A copy of the upstream's response that can be changed, with `cookies` added. Status, body and the other header fields
/// stay the same, except that the response is marked as not cacheable. The body is still streamed.
fn not_stored(response: &web_sys::Response, cookies: &[SetCookie]) -> Result<web_sys::Response, JsValue> {
    let init: &web_sys::ResponseInit = response.unchecked_ref();
    let changed = web_sys::Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)?;
    for cookie in cookies {
        changed.headers().append("set-cookie", &cookie.to_string())?;
    }
    changed.headers().set("cache-control", NOT_STORED)?;
    for targeted in TARGETED_CACHES {
        changed.headers().delete(targeted)?;
    }
    Ok(changed)
}

/// The response without those `Set-Cookie` fields for whose values `is_taken` is true, and these values.
pub(crate) fn without_set_cookies(
    response: web_sys::Response,
    is_taken: &dyn Fn(&str) -> bool,
) -> Result<(web_sys::Response, Vec<String>), JsValue> {
    let all = headers(&response.headers());
    let (taken, kept): (Vec<&str>, Vec<&str>) = all.get_all("set-cookie").partition(|value| is_taken(value));
    if taken.is_empty() {
        return Ok((response, Vec::new()));
    }
    let init: &web_sys::ResponseInit = response.unchecked_ref();
    let changed = web_sys::Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)?;
    changed.headers().delete("set-cookie")?;
    for value in kept {
        changed.headers().append("set-cookie", value)?;
    }
    Ok((changed, taken.into_iter().map(str::to_owned).collect()))
}

/// The response with the `Location` that `change` returns. The response stays the same if it has no `Location`, if
/// `change` returns `None`, or if the runtime cannot copy it.
pub(crate) fn with_location(
    response: web_sys::Response,
    change: impl FnOnce(&str) -> Option<String>,
) -> web_sys::Response {
    let location = response.headers().get("location").ok().flatten();
    let Some(location) = location.and_then(|location| change(&location)) else { return response };
    let init: &web_sys::ResponseInit = response.unchecked_ref();
    web_sys::Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)
        .and_then(|changed| changed.headers().set("location", &location).map(|()| changed))
        .unwrap_or(response)
}

/// The core's response as JavaScript's.
pub(crate) fn to_js_response(response: &Response) -> Result<web_sys::Response, JsValue> {
    let fields =
        header_wire::write(&response.headers).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let body = (!response.body.is_empty()).then_some(response.body.as_str());
    bridge::respond(response.status, &fields, body)
}

/// A response with a short text that is not cached.
pub(crate) fn plain(status: u16, text: &str) -> Result<web_sys::Response, JsValue> {
    let response = vestibule_core::http::response::Response::empty(status)
        .with("content-type", "text/plain; charset=utf-8")
        .with("cache-control", "no-store")
        .with_body(text);
    to_js_response(&response)
}

/// The message of a JavaScript exception.
pub(crate) fn error_message(error: &JsValue) -> String {
    error
        .dyn_ref::<worker::js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "a JavaScript exception without a message".to_owned())
}

/// A copy of `bytes` in JavaScript's memory.
pub(crate) fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}
