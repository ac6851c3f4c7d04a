//! A request of the test's client: built, sent, redirects followed when told.

use std::{
    io::{self, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::Value;
use url::Url;

use crate::{
    SCHEME_HEADER,
    capnp::CF_HEADER,
    client::Client,
    error::ClientError,
    jar::Site,
    net::loopback,
    reply::{Reply, StreamingReply},
    watched::lock,
    websocket::WebSocket,
    wire::{self, Body, Fields, Framing},
};

/// As many as browsers follow.
const REDIRECTS: usize = 20;

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

    /// One more header field, exactly as given. A `Cookie` given here goes instead of the jar's; a `Host` instead of
    /// the URL's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body, and its `Content-Type` where that is not empty.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        if !content_type.is_empty() {
            self = self.header("content-type", content_type);
        }
        self.body = body.into();
        self
    }

    /// An urlencoded form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// A JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// With the headers of a browser that opens a page: `Sec-Fetch-*`, and an `Accept` for HTML.
    pub fn navigation(mut self) -> Self {
        self.navigation = true;
        self
    }

    /// Caused by another site's page: `Sec-Fetch-Site` says so, and only the cookies go along whose `SameSite` lets
    /// them.
    pub fn cross_site(mut self) -> Self {
        self.site = Site::Cross;
        self
    }

    /// Neither sends the jar's cookies nor stores new ones.
    pub fn without_cookies(mut self) -> Self {
        self.jar = false;
        self
    }

    /// `request.cf` in the Worker, as Cloudflare would fill it.
    pub fn cf(self, value: &Value) -> Self {
        self.header(CF_HEADER, &value.to_string())
    }

    /// Follows redirects, at most 20, wherever they lead within the harness.
    pub fn follow(mut self) -> Self {
        self.follow = Follow::All;
        self
    }

    /// Follows redirects as long as they lead to one of these hosts; the first that does not is the reply.
    pub fn follow_within(mut self, hosts: &[&str]) -> Self {
        self.follow = Follow::Within(hosts.iter().map(|host| host.to_ascii_lowercase()).collect());
        self
    }

    /// Sends it and reads the whole response.
    ///
    /// # Panics
    /// Where [`try_send`](Self::try_send) gives an error.
    pub fn send(self) -> Reply {
        self.try_send().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends it and reads the whole response, following redirects as told.
    pub fn try_send(mut self) -> Result<Reply, ClientError> {
        let mut redirects = Vec::new();
        loop {
            let mut reply = self.once()?;
            let Some(next) = self.next(&reply) else {
                reply.redirects = redirects;
                return Ok(reply);
            };
            if redirects.len() == REDIRECTS {
                return Err(ClientError::Redirects { url: reply.url });
            }
            self.redirect(reply.status, next);
            redirects.push(reply);
        }
    }

    /// Sends it and returns with the response's head; the body is read as it comes. No redirects are followed.
    pub fn stream(self) -> Result<StreamingReply, ClientError> {
        let url = self.parsed()?;
        let mut stream = self.connect(&url).map_err(self.io())?;
        self.write(&mut stream, &url).map_err(self.io())?;
        let mut from = BufReader::new(stream);
        let head = wire::read_response_head(&mut from).map_err(self.io())?;
        if self.jar {
            let sets = head.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
            lock(&self.client.jar).receive(&url, sets.map(|(_, value)| value.as_str()));
        }
        let framing = Framing::of_response(&self.method, head.status, &head.fields);
        Ok(StreamingReply { status: head.status, headers: head.fields, body: Body::new(from, framing) })
    }

    /// Opens a WebSocket (RFC 6455 section 4.1), with what has been set on this request, and the cookies. The
    /// response where it is not opened.
    pub fn websocket(mut self) -> Result<Result<WebSocket<StreamingReply>, Reply>, ClientError> {
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        let mut opened = self.clone().stream()?;
        if opened.status == 101 {
            return Ok(Ok(WebSocket::client(opened)));
        }
        let mut body = Vec::new();
        opened.read_to_end(&mut body).map_err(self.io())?;
        let StreamingReply { status, headers, .. } = opened;
        Ok(Err(Reply { status, headers, body, url: self.url, redirects: Vec::new() }))
    }

    fn once(&self) -> Result<Reply, ClientError> {
        let mut streaming = self.clone().stream()?;
        let mut body = Vec::new();
        streaming.read_to_end(&mut body).map_err(self.io())?;
        let StreamingReply { status, headers, .. } = streaming;
        Ok(Reply { status, headers, body, url: self.url.clone(), redirects: Vec::new() })
    }

    fn parsed(&self) -> Result<Url, ClientError> {
        let url = Url::parse(&self.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| ClientError::Url { url: self.url.clone() })
    }

    fn connect(&self, url: &Url) -> io::Result<TcpStream> {
        let target = &self.client.target;
        let authority = authority(&self.url);
        let address = match &target.world {
            Some((world, net)) if net.is_elsewhere(authority) => *world,
            _ => loopback(url.scheme(), authority).unwrap_or(target.worker),
        };
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.client.timeout))?;
        stream.set_write_timeout(Some(self.client.timeout))?;
        Ok(stream)
    }

    fn write(&self, to: &mut TcpStream, url: &Url) -> io::Result<()> {
        let given = |name: &str| wire::field(&self.headers, name).is_some();
        let mut fields = Fields::new();
        let mut add = |name: &str, value: &str| {
            if !given(name) {
                fields.push((name.to_owned(), value.to_owned()));
            }
        };
        add("host", authority(&self.url));
        if self.client.target.tells_scheme {
            add(SCHEME_HEADER, url.scheme());
        }
        if !self.client.target.location.is_empty() {
            let cf = serde_json::json!({ "colo": self.client.target.location });
            add(CF_HEADER, &cf.to_string());
        }
        if self.navigation {
            let site = if self.site == Site::Cross { "cross-site" } else { "none" };
            for (name, value) in [
                ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                ("upgrade-insecure-requests", "1"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-user", "?1"),
                ("sec-fetch-dest", "document"),
            ] {
                add(name, value);
            }
        } else if self.site == Site::Cross {
            add("sec-fetch-site", "cross-site");
        }
        if let Some(cookies) =
            lock(&self.client.jar).header(url, self.site, &self.method).filter(|_| self.jar)
        {
            add("cookie", &cookies);
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            add("content-length", &self.body.len().to_string());
        }
        add("connection", "close");
        fields.extend(self.headers.iter().cloned());
        let mut whole = Vec::with_capacity(self.body.len() + 1024);
        wire::write_head(
            &mut whole,
            &format!("{} {} HTTP/1.1", self.method, origin_form(&self.url)),
            &fields,
        )?;
        whole.extend_from_slice(&self.body);
        to.write_all(&whole)
    }

    fn next(&self, reply: &Reply) -> Option<Url> {
        if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let next = Url::parse(&self.url).ok()?.join(reply.header("location")?).ok()?;
        let host = next.host_str()?;
        let wanted = match &self.follow {
            Follow::No => false,
            Follow::All => true,
            Follow::Within(hosts) => {
                hosts.iter().any(|allowed| allowed == host || allowed == authority(next.as_str()))
            }
        };
        wanted.then_some(next)
    }

    /// What fetch does to a request on a redirect: all but 307 and 308 make a GET of a POST.
    fn redirect(&mut self, status: u16, next: Url) {
        if !matches!(status, 307 | 308) && self.method != "HEAD" {
            "GET".clone_into(&mut self.method);
            self.body.clear();
            self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        self.headers.retain(|(name, _)| !["cookie", "host"].contains(&name.to_ascii_lowercase().as_str()));
        self.url = next.into();
    }

    fn io(&self) -> impl FnOnce(io::Error) -> ClientError {
        let (method, url, timeout) = (self.method.clone(), self.url.clone(), self.client.timeout);
        move |source| ClientError::Io { method, url, timeout, source }
    }
}

/// Host and port as they stand in the URL, without credentials.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Path and query as they stand in the URL: nothing is normalized, so that tests can send what no browser would.
fn origin_form(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let from = rest.find(['/', '?', '#']).map_or("", |at| rest.get(at..).unwrap_or_default());
    let target = from.split('#').next().unwrap_or_default();
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_sent_as_it_stands() {
        for (url, host, target) in [
            ("https://a.example", "a.example", "/"),
            ("https://a.example?x=1", "a.example", "/?x=1"),
            ("https://u:p@a.example:8443/%2e%2e//b;c?d#e", "a.example:8443", "/%2e%2e//b;c?d"),
        ] {
            assert_eq!((authority(url), origin_form(url).as_str()), (host, target), "{url}");
        }
    }
}
