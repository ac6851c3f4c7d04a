//! One request: its head and body from the host, the core's answer back to it.

use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

use vestibule_core::broken_configuration;
use vestibule_core::http::cookie::SetCookie;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request};
use vestibule_core::http::response::Response;
use vestibule_core::log::{LogEvent, Record, RequestDetails};
use vestibule_core::outcome::{NOT_STORED, Outcome, TARGETED_CACHES};
use vestibule_wasi_settings::values::RUNTIME;

use crate::body::{Body, pipe};
use crate::client::Received;
use crate::configuration::{Instance, Proxy};
use crate::convert;
use crate::platform::{self, Wasi};

/// Answers a request.
pub(crate) async fn respond(request: IncomingRequest, to: ResponseOutparam) {
    let instance = Instance::current();
    let proxy = instance.as_ref().map_or_else(|_| Proxy::default(), |instance| instance.proxy);
    let head = match convert::head(&request, proxy) {
        Ok(head) => head,
        Err(status) => {
            let answer = Response::empty(status).with("content-type", "text/plain; charset=utf-8");
            return send(answer.with_body("Bad request."), &Method::Get, to).await;
        }
    };
    let instance = match instance {
        Ok(instance) => instance,
        Err(errors) => {
            for error in errors.iter() {
                let record = Record::new(LogEvent::ConfigurationInvalid, error);
                platform::write(&record.in_request(&RequestDetails::of(&head, RUNTIME.edge)));
            }
            return send(broken_configuration(&head, &errors, &RUNTIME), &head.method, to).await;
        }
    };
    let Ok(body) = body(&request, &head).await else {
        // The client has gone before it sent anything.
        return ResponseOutparam::set(to, Err(ErrorCode::ConnectionTerminated));
    };
    let vestibule = instance.vestibule.clone();
    let platform = Wasi { instance };
    let method = head.method.clone();
    match vestibule.handle(platform, head, body).await {
        Outcome::Response(response) => send(response, &method, to).await,
        Outcome::Forwarded { mut response, cookies, no_store, server_timing } => {
            if let Some(times) = server_timing {
                response.headers_mut().append("server-timing", times);
            }
            if no_store || !cookies.is_empty() {
                not_stored(response.headers_mut(), &cookies);
            }
            stream(response, &method, to).await;
        }
    }
}

async fn body(request: &IncomingRequest, head: &Request) -> Result<Body, crate::body::Broken> {
    Body::arrived(request.consume().ok(), head.headers.get("content-length")).await
}

/// Adds `cookies` to an upstream's response, and keeps it out of every cache.
fn not_stored(headers: &mut Headers, cookies: &[SetCookie]) {
    for cookie in cookies {
        headers.append("set-cookie", cookie.to_string());
    }
    headers.set("cache-control", NOT_STORED);
    for targeted in TARGETED_CACHES {
        headers.remove(targeted);
    }
}

/// Sends a response of ours.
async fn send(response: Response, method: &Method, to: ResponseOutparam) {
    let body = Some(Body::of(response.body.as_bytes()));
    let (fields, body) =
        (convert::to_host_fields(&response.headers), body.filter(|_| *method != Method::Head));
    begin(response.status, fields, body, false, to).await;
}

/// Sends an upstream's response, of which the body is streamed.
async fn stream(mut response: Received, method: &Method, to: ResponseOutparam) {
    // A body whose length is known ends without (RFC 9112 section 6), and each question is a call of the host.
    let may_have_trailers = !response.headers().contains("content-length");
    let fields = response.take_host_fields();
    let Received { status, body, .. } = response;
    // Such a response has no body, whatever its fields say of one (RFC 9110 section 6.4.1).
    let has_body = *method != Method::Head && !matches!(status, 204 | 304);
    let body = Some(Body { first: Vec::new(), rest: body }).filter(|_| has_body);
    begin(status, fields, body, may_have_trailers, to).await;
}

async fn begin(
    status: u16,
    fields: Fields,
    body: Option<Body>,
    may_have_trailers: bool,
    to: ResponseOutparam,
) {
    let response = OutgoingResponse::new(fields);
    // A response begins with 200.
    if status != 200 && response.set_status_code(status).is_err() {
        let error = ErrorCode::HttpProtocolError;
        return ResponseOutparam::set(to, Err(error));
    }
    let stream = body.and_then(|body| Some((body, response.body().ok()?)));
    ResponseOutparam::set(to, Ok(response));
    if let Some((Body { first, rest }, stream)) = stream {
        // Where the client has gone, nothing is left to do.
        let _ = pipe(&first, rest, may_have_trailers, stream).await;
    }
}
