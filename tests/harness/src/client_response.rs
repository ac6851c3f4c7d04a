//! The responses that the client receives.

use std::io::{self, Read};

use serde_json::Value;

use crate::wire;

/// A complete response.
#[derive(Clone, Debug)]
pub struct ClientResponse {
    /// The status code.
    pub status: u16,
    /// All header fields, with names in lower case. Fields of the same name are in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The URL of this response: the last one if redirects were followed.
    pub url: String,
    /// The redirects that were followed, in order.
    pub redirects: Vec<ClientResponse>,
}

impl ClientResponse {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::field(&self.headers, name)
    }

    /// Every header of this name, in any case, in order.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let same = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The `Set-Cookie` headers, in order.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.header_all("set-cookie")
    }

    /// The whole `Set-Cookie` header that sets the cookie of this name; the last one if there are several.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let sets = |header: &&str| header.split_once('=').is_some_and(|(n, _)| n == name);
        self.set_cookies().into_iter().rev().find(sets)
    }

    /// The `Location` header.
    ///
    /// # Panics
    /// If there is none.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location in {self:?}"))
    }

    /// The decoded value of the first query parameter of this name in `Location`.
    pub fn location_query(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?')?;
        let query = query.split('#').next().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The body as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {}: {}", self.status, self.url, self.text()))
    }

    /// Asserts the status, and gives the reply itself.
    ///
    /// # Panics
    /// If the status is different. The message shows the whole reply.
    #[expect(
        clippy::must_use_candidate,
        clippy::return_self_not_must_use,
        reason = "often the last call of a statement"
    )]
    pub fn expect_status(self, status: u16) -> Self {
        assert!(
            self.status == status,
            "expected {status}, got {} from {}\n{:#?}\n{}",
            self.status,
            self.url,
            self.headers,
            self.text()
        );
        self
    }
}

/// A response whose body is read as it arrives.
pub struct StreamedResponse {
    /// The status code.
    pub status: u16,
    /// All header fields, with names in lower case. Fields of the same name are in order.
    pub headers: Vec<(String, String)>,
    pub(crate) body: ureq::BodyReader<'static>,
}

impl StreamedResponse {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::field(&self.headers, name)
    }
}

impl Read for StreamedResponse {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.body.read(into)
    }
}
