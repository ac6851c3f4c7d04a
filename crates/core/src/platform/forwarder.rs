//! How requests reach upstreams.

use serde_json::json;
use thiserror::Error;

use crate::guard::headers::EdgeFields;
use crate::log::{ErrorSource, LogEvent, Record, RequestDetails};
use crate::outcome::Outcome;
use crate::platform::log::Log;
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::{Target, upstream_path, upstream_path_and_query};
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::response::Response;

/// Forwards the client's requests to upstreams.
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Forwarder: Log {
    /// The body of an incoming request, not read yet.
    type Body;
    /// An upstream's response, with its body not read yet.
    type UpstreamResponse;

    /// Reads a whole body of at most `limit` bytes. If the future is dropped, the body is lost.
    async fn read_body(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Forwards a request and returns the response; both bodies are streamed. Redirects are not followed: the browser
    /// follows them. A redirect to the target's own origin is changed to the origin of the request
    /// ([`Forward::location`]).
    ///
    /// Dropping the future cancels the request to the upstream, which may have handled it or not.
    async fn forward(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Result<Self::UpstreamResponse, ForwardError>;

    /// Takes those `Set-Cookie` fields out of an upstream's response for whose values `is_taken` is true, and returns them.
    /// The rest of the response stays as it is, with its other cookies. An error if the runtime cannot change the response,
    /// which the client then does not get.
    fn take_set_cookies(
        &self,
        response: Self::UpstreamResponse,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(Self::UpstreamResponse, Vec<String>), ForwardError>;

    /// The status of an upstream's response.
    fn status(&self, response: &Self::UpstreamResponse) -> u16;

    /// The value of a header field of an upstream's response; several fields of that name are one text with commas between
    /// them (RFC 9110 section 5.3).
    fn field(&self, response: &Self::UpstreamResponse, name: &str) -> Option<String>;

    /// Drops an upstream's response: the rest of its body is not needed.
    fn discard(&self, response: Self::UpstreamResponse);

    /// Whether the request that arrived has a body. `true` where that is not known before the body is read.
    fn has_body(&self, body: &Self::Body) -> bool;

    /// The body of the request that arrived, made once more of the bytes that [`read_body`](Self::read_body) returned. Not
    /// for a GET or a HEAD request with a body. An error if the runtime cannot make it.
    fn body_again(&self, bytes: &[u8]) -> Result<Self::Body, BodyError>;

    /// The response, unless the upstream says that there is nothing at the address (404, 410): its body is then discarded.
    fn unless_missing(&self, response: Self::UpstreamResponse) -> Option<Self::UpstreamResponse> {
        if matches!(self.status(&response), 404 | 410) {
            self.discard(response);
            return None;
        }
        Some(response)
    }

    /// Sends the head of a request without its body and its query, and returns the head of the response: its status and its
    /// header fields. The body of the response is not read.
    ///
    /// If the future is dropped, the request to the upstream ends.
    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError>;

    /// Like [`forward`](Self::forward), if the client gets the upstream's response unchanged. A runtime can implement
    /// this without waiting for the response.
    async fn forward_streaming(
        &self,
        forward: Forward<'_>,
        body: Self::Body,
    ) -> Outcome<Self::UpstreamResponse> {
        let (request, edge) = (forward.request, forward.edge);
        match self.forward(forward, body).await {
            Ok(response) => Outcome::forwarded(response),
            Err(error) => {
                self.log(&error.record().in_request(&RequestDetails::of(request, edge)));
                Outcome::Response(error.answer())
            }
        }
    }
}

/// A request to forward to an upstream.
pub struct Forward<'a> {
    /// The server that the request goes to.
    pub target: &'a Target,
    /// The request as it arrived. It is forwarded with the same method and query, and at [`Forward::url`].
    pub request: &'a Request,
    /// The beginning of the request's path that the server does not get.
    pub strip_prefix: Option<&'a PathPrefix>,
    /// The changes to the request's headers.
    pub changes: Changes,
    /// Whether the response is for one user. Then it is neither read from a shared cache on the way nor written to one.
    pub personal: bool,
    /// The fields in which the network in front says something: the log names the request by one of them.
    pub edge: EdgeFields,
}

impl Forward<'_> {
    /// The URL of the request to the server, if it differs from that of the request that arrived.
    pub fn url(&self) -> Option<String> {
        self.target.url(&self.request.url, self.strip_prefix)
    }

    /// The path of the request to the server.
    pub fn path(&self) -> &str {
        upstream_path(&self.request.url, self.strip_prefix)
    }

    /// The same with the query.
    pub fn path_and_query(&self) -> String {
        upstream_path_and_query(&self.request.url, self.strip_prefix)
    }

    /// The `Location` for the browser, if it must differ from the server's.
    pub fn location(&self, location: &str) -> Option<String> {
        self.target.location(location, &self.request.url, self.strip_prefix)
    }
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// The body is larger than allowed; the limit in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client stopped sending.
    #[error("the body ended early")]
    Incomplete,
}

/// Why a request could not be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForwardError {
    /// The configuration leads to a server that the runtime does not know, or that does not accept requests.
    #[error("there is no {missing}: {fix}")]
    NoServer {
        /// What there is not.
        missing: String,
        /// How to name the server to the runtime, or what else to write.
        fix: String,
    },
    /// The upstream's response has cookies that the client must not get, and they cannot be taken out; the runtime's error
    /// message.
    #[error("the upstream's cookies could not be taken out of its response: {0}")]
    Cookies(String),
    /// There is no proof of possession for the access token; the runtime's error message.
    #[error("the proof for the access token could not be signed: {0}")]
    NoProof(String),
    /// The client stopped sending the body, or sent one that is none; why.
    #[error("the client did not send the whole body: {0}")]
    Incomplete(String),
    /// The upstream did not respond; the runtime's error message.
    #[error("the upstream did not respond: {0}")]
    Unreachable(String),
}

impl ForwardError {
    /// There is no server where requests go without an upstream; `start` is how to name it: ``start the server with …``.
    pub fn no_origin(start: &str) -> Self {
        let missing =
            "server for `to = \"origin\"`, which is also where requests without an upstream go".to_owned();
        Self::NoServer { missing, fix: format!("{start}, or write an upstream that leads elsewhere") }
    }

    /// There is no service of this name; `start` is how to name it.
    pub fn no_service(name: &str, start: &str) -> Self {
        let missing = format!("server for `to = \"service:{name}\"`");
        Self::NoServer { missing, fix: format!("{start}, or correct the upstream's `to`") }
    }

    /// What the log says.
    pub fn record(&self) -> Record {
        let error_source = match self {
            Self::NoServer { .. } => ErrorSource::Configuration,
            Self::Incomplete(_) => ErrorSource::Client,
            Self::Unreachable(_) | Self::Cookies(_) | Self::NoProof(_) => ErrorSource::Platform,
        };
        Record::new(LogEvent::ForwardFailed, self).caused_by(error_source)
    }

    /// The response to the client.
    pub fn answer(&self) -> Response {
        let (status, error) = match self {
            Self::Incomplete(_) => (400, "incomplete_body"),
            Self::NoServer { .. } | Self::NoProof(_) => (500, "upstream_unavailable"),
            Self::Unreachable(_) | Self::Cookies(_) => (502, "upstream_unavailable"),
        };
        Response::json(status, &json!({ "error": error })).with("cache-control", "private, no-store")
    }
}
