//! Sends requests through the host (`wasi:http/outgoing-handler`).

use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};

use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::egress;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::Method;
use vestibule_wasi_settings::Origin;

use crate::body::{self, Body, Incoming};
use crate::convert;
use crate::executor::{self, ready};
use crate::platform::within;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The head of a response, with its body not read yet.
pub(crate) struct Received {
    pub(crate) status: u16,
    headers: Headers,
    /// The same fields as the host's, until one is changed: to give it back its own takes less than to give it new ones.
    of_host: Option<Fields>,
    pub(crate) body: Option<Incoming>,
}

impl Received {
    /// A response of this status that nobody sent.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Headers::new(), of_host: None, body: None }
    }

    /// The header fields.
    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The header fields, to change them.
    pub(crate) fn headers_mut(&mut self) -> &mut Headers {
        self.of_host = None;
        &mut self.headers
    }

    /// The header fields as the host's.
    pub(crate) fn take_host_fields(&mut self) -> Fields {
        self.of_host.take().unwrap_or_else(|| convert::to_host_fields(&self.headers))
    }

    /// The header fields alone.
    pub(crate) fn into_headers(self) -> Headers {
        self.headers
    }
}

/// Sends a request of our own, through the gateway if there is one, and reads the whole response.
pub(crate) async fn fetch(
    request: FetchRequest,
    egress: Option<&Origin>,
) -> Result<FetchResponse, FetchError> {
    let FetchRequest { method, url, headers, body, timeout, limit } = request;
    let exchange = async {
        let failed = |message: String| FetchError::Connection(message);
        let (server, path) = convert::parts(&url).ok_or_else(|| failed("the URL is not valid".to_owned()))?;
        let sent = send(&method, (&server, &path), headers, Body::of(&body), egress);
        let received = sent.await.map_err(failed)?;
        let read = match &received.body {
            None => Ok(Some(Vec::new())),
            Some(body) => body.read_all(limit).await,
        };
        match read {
            Ok(Some(body)) => {
                Ok(FetchResponse { status: received.status, headers: received.into_headers(), body })
            }
            Ok(None) => Err(FetchError::TooLarge(limit)),
            Err(_) => Err(failed("the response ended early".to_owned())),
        }
    };
    within(timeout, exchange).await.unwrap_or(Err(FetchError::Timeout(timeout)))
}

/// Sends a request to a path of a server, and returns when the head of the response is there. The body is sent meanwhile, and after it.
/// With a gateway, it goes there and says for which origin it is. The error is the host's, in words.
pub(crate) async fn send(
    method: &Method,
    (server, path): (&Origin, &str),
    mut headers: Headers,
    body: Body,
    egress: Option<&Origin>,
) -> Result<Received, String> {
    let has_length = headers.contains("content-length");
    if egress.is_some() {
        headers.set(egress::ORIGIN, server.as_str());
    }
    let to = egress.unwrap_or(server);
    let scheme = if to.is_secure() { Scheme::Https } else { Scheme::Http };
    if !body.is_empty() && !has_length && body.rest.is_none() {
        headers.append("content-length", body.first.len().to_string());
    }
    let request = OutgoingRequest::new(convert::to_host_fields(&headers));
    let refused = |()| "the host refuses the request".to_owned();
    // A request begins with this one, and each question is a call of the host.
    if *method != Method::Get {
        request.set_method(&convert::to_host_method(method)).map_err(refused)?;
    }
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(to.authority())).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;
    let upload_to = if body.is_empty() { None } else { Some(request.body().map_err(refused)?) };
    let options = RequestOptions::new();
    let connect = u64::try_from(CONNECT.as_nanos()).unwrap_or(u64::MAX);
    options.set_connect_timeout(Some(connect)).map_err(refused)?;
    let response = outgoing_handler::handle(request, Some(options)).map_err(|error| described(&error))?;
    if let Some(to) = upload_to {
        executor::spawn(upload(body, to));
    }
    let response = received(&response).await.map_err(|error| described(&error))?;
    let fields = response.headers();
    let headers = convert::headers(&fields);
    let of_host = convert::is_for_any_connection(&headers).then(|| Fields::clone(&fields));
    // With another coding the length says nothing (RFC 9112 section 6.3).
    let length = headers.get("content-length").filter(|_| !headers.contains("transfer-encoding"));
    let body = response.consume().ok().and_then(|body| Incoming::new(body, length));
    Ok(Received { status: response.status(), headers, of_host, body })
}

async fn upload(body: Body, to: OutgoingBody) {
    // Who receives it learns that it is incomplete, and answers so, or not at all.
    let _ = body::upload(&body.first, body.rest, to).await;
}

async fn received(response: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    loop {
        // It was just sent, so no answer is there yet.
        ready(response.subscribe()).await;
        match response.get() {
            Some(Ok(response)) => return response,
            // It is taken only here, and once.
            Some(Err(())) => return Err(ErrorCode::InternalError(None)),
            None => {}
        }
    }
}

fn described(error: &ErrorCode) -> String {
    match error {
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => "its name was not found".to_owned(),
        ErrorCode::ConnectionRefused => "it refused the connection".to_owned(),
        ErrorCode::ConnectionTimeout => "it did not accept the connection in time".to_owned(),
        ErrorCode::TlsCertificateError => "its certificate is not valid".to_owned(),
        other => format!("{other:?}"),
    }
}
