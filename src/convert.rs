//! JavaScript's requests and responses to ours and back.

use std::cell::RefCell;

use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys;

use crate::runtime::RUNTIME;
use crate::{bridge, console};
use vestibule_core::http::cookie::SetCookie;
use vestibule_core::http::header_wire;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::http::response::Response;
use vestibule_core::log::{Line, LogEvent, Record, RequestDetails};
use vestibule_core::outcome::Outcome;

thread_local! {
    /// Where heads come over. Few requests have more of it, and those make it larger.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; 16 * 1024]);
}

/// The head of a request. `None` where its URL is none, which the runtime does not let through.
pub(crate) fn head(request: &web_sys::Request) -> Option<Request> {
    ROOM.with_borrow_mut(|room| {
        let mut written = bridge::head(request, room);
        if written < 0 {
            room.resize(usize::try_from(written.unsigned_abs()).ok()?, 0);
            written = bridge::head(request, room);
        }
        let head = room.get(..usize::try_from(written).ok()?)?;
        let mut fields = str::from_utf8(head).ok()?.split('\n');
        Some(Request {
            method: Method::new(fields.next()?),
            url: RequestUrl::parse(fields.next()?)?,
            headers: header_wire::read(fields),
        })
    })
}

/// Header fields as they came.
pub(crate) fn headers(headers: &web_sys::Headers) -> Headers {
    // What JavaScript has encoded is sound.
    let lines = String::from_utf8(bridge::fields(headers)).unwrap_or_default();
    header_wire::read(lines.split('\n').skip(1))
}

/// Our header fields as JavaScript's.
pub(crate) fn to_js(headers: &Headers) -> Result<web_sys::Headers, JsValue> {
    let all = web_sys::Headers::new()?;
    for (name, value) in headers.iter() {
        all.append(name, value)?;
    }
    Ok(all)
}

/// The log line of something that happened in `request`, which is asked for what the line says of it only now.
pub(crate) fn line(record: Record, request: &web_sys::Request) -> Line {
    match head(request) {
        Some(head) => record.in_request(&RequestDetails::of(&head, RUNTIME.edge)),
        None => record.outside_requests(),
    }
}

/// What a flow answered to `request`.
pub(crate) fn reply(reply: Outcome<JsValue>, request: &web_sys::Request) -> Result<JsValue, JsValue> {
    match reply {
        Outcome::Response(response) => own(&response).map(JsValue::from),
        Outcome::Forwarded { response, cookies } if cookies.is_empty() => Ok(response),
        Outcome::Forwarded { response, cookies } => {
            let changed = with_cookies(response.unchecked_ref(), &cookies).map(JsValue::from);
            Ok(changed.unwrap_or_else(|error| {
                // A status beyond 599 is one that the runtime passes on and cannot make. The session is updated
                // with the next response.
                let message = format_args!(
                    "the session's cookies could not be added to the upstream's response: {}",
                    error_message(&error)
                );
                console::write(&line(Record::new(LogEvent::SessionNotUpdated, message), request));
                response
            }))
        }
    }
}

/// The upstream's response as one that may be changed: status, body and fields are its own.
fn with_cookies(response: &web_sys::Response, cookies: &[SetCookie]) -> Result<web_sys::Response, JsValue> {
    let init: &web_sys::ResponseInit = response.unchecked_ref();
    let changed = web_sys::Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init)?;
    for cookie in cookies {
        changed.headers().append("set-cookie", &cookie.to_string())?;
    }
    changed.headers().set("cache-control", "private, no-store")?;
    // Caches that are told by these do not look at the other (RFC 9213 section 2.2).
    for targeted in ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"] {
        changed.headers().delete(targeted)?;
    }
    Ok(changed)
}

/// The response with another `Location`, where `change` has one. What cannot be changed stays.
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

pub(crate) fn own(response: &Response) -> Result<web_sys::Response, JsValue> {
    let fields =
        header_wire::write(&response.headers).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let body = (!response.body.is_empty()).then_some(response.body.as_str());
    bridge::respond(response.status, &fields, body)
}

/// A short text.
pub(crate) fn plain(status: u16, text: &str) -> Result<web_sys::Response, JsValue> {
    let response = vestibule_core::http::response::Response::empty(status)
        .with("content-type", "text/plain; charset=utf-8")
        .with("cache-control", "no-store")
        .with_body(text);
    own(&response)
}

/// A JavaScript exception in words.
pub(crate) fn error_message(error: &JsValue) -> String {
    error
        .dyn_ref::<worker::js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "an exception that does not say what".to_owned())
}

/// Bytes for JavaScript to keep.
pub(crate) fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}
