//! Requests and answers as JSON, for whoever sends them.

use serde::{Deserialize, Serialize};
use vestibule_core::http::client::{FetchRequest, FetchResponse};
use vestibule_core::http::headers::Headers;

/// A request to send. Redirects must not be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Names the request among all of a check.
    pub id: String,
    /// GET or POST.
    pub method: String,
    /// An absolute URL: `https`, or `http` on loopback.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body; empty for GET.
    pub body: String,
    /// In milliseconds: the whole answer must arrive within this time.
    pub timeout: u64,
    /// In bytes: what the body of the answer may have.
    pub limit: usize,
}

impl Probe {
    pub(super) fn new(id: &str, request: &FetchRequest) -> Self {
        Self {
            id: id.to_owned(),
            method: request.method.as_str().to_owned(),
            url: request.url.clone(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            timeout: u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX),
            limit: request.limit,
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// A response.
    Received(Received),
    /// No response, and why: too slow, too large, no connection.
    Failed(String),
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Received {
    /// Status code.
    pub status: u16,
    /// Header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// When it arrived by the clock of this machine, in seconds since 1970.
    pub at: u64,
}

impl Received {
    /// The value of a header field.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn response(&self) -> FetchResponse {
        let mut headers = Headers::new();
        for (name, value) in &self.headers {
            headers.append(name, value.as_str());
        }
        FetchResponse { status: self.status, headers, body: self.body.clone().into_bytes() }
    }
}

/// A text from a server, short and without control characters, as a message may quote it.
pub(super) fn excerpt(text: &str) -> String {
    const MAX: usize = 160;
    let mut kept: String = text.chars().take(MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX).is_some() {
        kept.push_str("...");
    }
    kept
}
