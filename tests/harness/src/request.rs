//! Builds and sends a request of the test's client, and follows redirects if requested.

mod send;

use serde_json::Value;
use url::Url;

use crate::{
    capnp::CF_HEADER, client::Client, client_response::ClientResponse, error::ClientError, jar::Site,
    wire::Fields,
};

/// The maximum number of redirects, as in browsers.
const MAX_REDIRECTS: usize = 20;

/// A request to be sent.
#[derive(Clone)]
#[must_use = "nothing is sent until `send`"]
pub struct RequestBuilder {
    client: Client,
    method: String,
    url: String,
    headers: Fields,
    body: Vec<u8>,
    site: Site,
    navigation: bool,
    jar: bool,
    follow: Follow,
}

#[derive(Clone)]
enum Follow {
    No,
    All,
    Within(Vec<String>),
}

impl RequestBuilder {
    pub(crate) fn new(client: Client, method: &str, url: &str) -> Self {
        let (headers, body) = Default::default();
        let (method, url) = (method.to_owned(), url.to_owned());
        Self {
            client,
            method,
            url,
            headers,
            body,
            site: Site::Same,
            navigation: false,
            jar: true,
            follow: Follow::No,
        }
    }

    /// Adds a header field. Fields of the same name keep their order. A `Cookie` replaces the jar's cookies; a `Host`
    /// replaces the URL's host.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body, and its `Content-Type` if that is not empty.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        if !content_type.is_empty() {
            self = self.header("content-type", content_type);
        }
        self.body = body.into();
        self
    }

    /// Sets a URL-encoded form as the body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sets a JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Adds the headers of a browser's navigation: `Sec-Fetch-*`, and an `Accept` for HTML.
    pub fn navigation(mut self) -> Self {
        self.navigation = true;
        self
    }

    /// Makes it a cross-site request: sets `Sec-Fetch-Site`, and sends only the cookies whose `SameSite` attribute allows
    /// it.
    pub fn cross_site(mut self) -> Self {
        self.site = Site::Cross;
        self
    }

    /// Neither sends the jar's cookies nor stores new ones.
    pub fn without_cookies(mut self) -> Self {
        self.jar = false;
        self
    }

    /// Sets `request.cf` in the Worker, which Cloudflare would fill in.
    pub fn cf(self, value: &Value) -> Self {
        self.header(CF_HEADER, &value.to_string())
    }

    /// Follows redirects, at most 20, to any host of the harness.
    pub fn follow(mut self) -> Self {
        self.follow = Follow::All;
        self
    }

    /// Follows redirects to these hosts only. The first redirect to another host is the reply.
    pub fn follow_within(mut self, hosts: &[&str]) -> Self {
        self.follow = Follow::Within(hosts.iter().map(|host| host.to_ascii_lowercase()).collect());
        self
    }

    /// Sends it and reads the whole response.
    ///
    /// # Panics
    /// If [`try_send`](Self::try_send) fails.
    pub fn send(self) -> ClientResponse {
        self.try_send().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends it and reads the whole response. Follows redirects if requested.
    pub fn try_send(mut self) -> Result<ClientResponse, ClientError> {
        let mut redirects = Vec::new();
        loop {
            let mut reply = self.once()?;
            let Some(next) = self.next(&reply) else {
                reply.redirects = redirects;
                return Ok(reply);
            };
            if redirects.len() == MAX_REDIRECTS {
                return Err(ClientError::Redirects { url: reply.url });
            }
            self.redirect(reply.status, next);
            redirects.push(reply);
        }
    }

    fn next(&self, reply: &ClientResponse) -> Option<Url> {
        if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let next = Url::parse(&self.url).ok()?.join(reply.header("location")?).ok()?;
        let host = next.host_str()?;
        let wanted = match &self.follow {
            Follow::No => false,
            Follow::All => true,
            Follow::Within(hosts) => {
                hosts.iter().any(|allowed| allowed == host || allowed == send::authority(next.as_str()))
            }
        };
        wanted.then_some(next)
    }

    /// Changes the request for a redirect as `fetch` does: every status except 307 and 308 turns a POST into a GET.
    fn redirect(&mut self, status: u16, next: Url) {
        if !matches!(status, 307 | 308) && self.method != "HEAD" {
            "GET".clone_into(&mut self.method);
            self.body.clear();
            self.headers.retain(|(name, _)| {
                let name = name.to_ascii_lowercase();
                !name.starts_with("content-") && name != "origin"
            });
        }
        self.headers.retain(|(name, _)| !["cookie", "host"].contains(&name.to_ascii_lowercase().as_str()));
        self.url = next.into();
    }
}
