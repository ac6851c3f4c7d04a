//! One request and its response.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use tokio::time::Instant;

use crate::body::{AnswerBody, Body};
use crate::connection::Connection;
use crate::fields;
use crate::platform::{Incoming, Native};
use crate::request;
use crate::serving::Serving;
use crate::upload::ClientBody;
use vestibule_core::http::response::Response as CoreResponse;
use vestibule_core::outcome::{NOT_STORED, Outcome, TARGETED_CACHES};

/// Answers a request.
pub(crate) async fn answer(
    serving: &Serving,
    mut request: Request<hyper::body::Incoming>,
    connection: &Connection,
) -> Result<Response<AnswerBody>, Infallible> {
    let thread = serving.thread();
    let stream = connection.stream();
    let counted = thread.metrics.as_ref().map(|metrics| (metrics.request(), Instant::now()));
    let upgrade = request.extensions_mut().remove();
    let (mut parts, body) = request.into_parts();
    let is_old = parts.version <= Version::HTTP_11;
    let is_chunked = is_old && parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = match head(serving, &mut parts, connection) {
        Ok(head) => {
            let headers = parts.headers;
            let (upgrade, open) = (RefCell::new(upgrade), Rc::clone(&connection.open));
            let native = Native::new(Rc::clone(&thread), Incoming { headers, upgrade, open });
            let body = Body::Client(ClientBody::new(body, serving.options().body_timeout));
            let vestibule = serving.vestibule();
            response(vestibule.handle(native, head, body).await)
        }
        Err((status, text)) => {
            let mut response = refusal(status, text);
            if is_old {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.seen.has_left_http.store(true, Ordering::Relaxed);
    } else if is_chunked {
        // What follows a chunked request is not watched (see `framing`).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let in_flight = counted.map(|(in_flight, begun)| {
        if let Some(metrics) = &thread.metrics {
            metrics.response(response.status().as_u16(), !is_old, begun.elapsed());
        }
        in_flight
    });
    Ok(response.map(|body| AnswerBody::new(body, (in_flight, stream))))
}

fn head(
    serving: &Serving,
    parts: &mut hyper::http::request::Parts,
    connection: &Connection,
) -> Result<vestibule_core::http::request::Request, request::DenialReason> {
    if connection.seen.is_ambiguous.load(Ordering::Relaxed) {
        return Err((400, "The length of the request is ambiguous."));
    }
    request::head(parts, &connection.arrival, &serving.options().trusted_proxies)
}

/// An outcome of the core as a response.
fn response(outcome: Outcome<Response<Body>>) -> Response<Body> {
    match outcome {
        Outcome::Response(response) => own(&response),
        Outcome::Forwarded { mut response, cookies, no_store, server_timing } => {
            if let Some(times) = server_timing.and_then(|times| HeaderValue::from_str(&times).ok()) {
                response.headers_mut().append("server-timing", times);
            }
            for cookie in &cookies {
                match HeaderValue::from_str(&cookie.to_string()) {
                    Ok(value) => drop(response.headers_mut().append(header::SET_COOKIE, value)),
                    // The core writes no such cookie; a response with half of a session would be worse than none.
                    Err(_) => return refusal(500, "A cookie could not be written."),
                }
            }
            if no_store || !cookies.is_empty() {
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(NOT_STORED));
                for name in TARGETED_CACHES {
                    response.headers_mut().remove(name);
                }
            }
            response
        }
    }
}

/// A response of the core itself.
fn own(response: &CoreResponse) -> Response<Body> {
    let (Ok(status), Ok(headers)) = (StatusCode::from_u16(response.status), fields::write(&response.headers))
    else {
        return refusal(500, "The response could not be written.");
    };
    let mut answer = Response::new(Body::Whole(response.body.clone().into()));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// A response with a short text that is not cached.
fn refusal(status: u16, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Whole(text.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
