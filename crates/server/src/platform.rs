//! [`Platform`](vestibule_core::platform::Platform) of a server of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method};
use unicode_normalization::UnicodeNormalization;

use crate::body::{self, Body};
use crate::client::{Client, SendError};
use crate::connection::Open;
use crate::jobs::Jobs;
use crate::metrics::MaybeMetrics;
use crate::store::Store;
use crate::upstreams::{self, Sent, Upstreams};
use crate::{clock, crypto, fields, log};
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::response::Response;
use vestibule_core::jose::crypto::{Crypto, KeyError, Zeroizing};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::log::{DataPoint, Line};
use vestibule_core::platform::{
    Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Limit, Lock, Log, Random,
    RateLimit, Sinks, Store as SharedStore, StoreError, Unicode,
};
use vestibule_core::time::Timestamp;
use vestibule_core::upstream::Target;

/// What all requests of a thread share.
pub(crate) struct Thread {
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) upstreams: Upstreams,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: MaybeMetrics,
}

/// The runtime around one request.
#[derive(Clone)]
pub(crate) struct Native {
    thread: Rc<Thread>,
    incoming: Rc<Incoming>,
}

/// The request as it arrived, without its body.
pub(crate) struct Incoming {
    /// Its header fields: those that an upstream gets, before the core's changes.
    pub(crate) headers: HeaderMap,
    /// The connection itself, if the client wants to go on without HTTP.
    pub(crate) upgrade: RefCell<Option<OnUpgrade>>,
    /// What is held as long as that connection is open.
    pub(crate) open: Rc<Open>,
}

impl Native {
    /// The runtime around this request.
    pub(crate) fn new(thread: Rc<Thread>, incoming: Incoming) -> Self {
        Self { thread, incoming: Rc::new(incoming) }
    }
}

impl Clock for Native {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Random for Native {
    #[allow(clippy::expect_used, reason = "without random bytes the request must fail")]
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has no random bytes");
    }
}

impl Log for Native {
    fn log(&self, line: &Line) {
        log::write(line);
    }
}

impl Crypto for Native {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        crypto::verify(algorithm, key, message, signature)
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        crypto::sign(key, algorithm, message)
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        crypto::public_key(key, algorithm)
    }

    async fn agree(&self, key: &PrivateKey, public: &Jwk) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        crypto::agree(key, public)
    }

    /// Always fails, as the configuration says: ring does not decrypt with RSA.
    async fn decrypt_oaep(&self, _: &PrivateKey, _: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Err(KeyError("this server does not decrypt with RSA".to_owned()))
    }
}

impl HttpClient for Native {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.thread.client.fetch(request).await
    }
}

impl SharedStore for Native {
    fn location(&self) -> String {
        // All processes see each other's writes at once.
        "here".to_owned()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.thread.store.read(&[key]).await?.pop().flatten())
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        self.thread.store.read(keys).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        self.thread.store.write(key, value, lifetime).await
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        self.thread.store.delete(key).await
    }
}

impl Lock for Native {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.thread.store.call_lock(name, call).await
    }
}

impl RateLimit for Native {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        self.thread.store.is_within_limit(limit, key).await
    }
}

impl Sinks for Native {
    async fn send_to_queue(&self, _: &[String]) -> Result<(), StoreError> {
        Err(StoreError::Missing("queue in this runtime"))
    }

    fn write_points(&self, _: &[DataPoint]) -> Result<(), StoreError> {
        Err(StoreError::Missing("dataset in this runtime"))
    }

    fn write_metrics(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        let metrics = self.thread.metrics.as_ref().ok_or(StoreError::Missing("address of metrics"))?;
        metrics.measured(points);
        Ok(())
    }
}

impl Unicode for Native {
    fn nfkd(&self, text: &str) -> String {
        text.nfkd().collect()
    }
}

impl Forwarder for Native {
    type Body = Body;
    type UpstreamResponse = hyper::Response<Body>;

    async fn read_body(&self, body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
        match body::read(body, limit).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(BodyError::TooLarge(limit)),
            Err(_) => Err(BodyError::Incomplete),
        }
    }

    async fn forward(&self, forward: Forward<'_>, body: Body) -> Result<hyper::Response<Body>, ForwardError> {
        let query = forward.request.url.query.as_deref();
        self.relay(&forward, query, body, |location| forward.location(location)).await
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        let response = self.relay(&forward, None, Body::empty(), |_| None).await?;
        let headers = fields::read(response.headers());
        Ok(Response { headers, ..Response::empty(response.status().as_u16()) })
    }

    fn take_set_cookies(
        &self,
        mut response: hyper::Response<Body>,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(hyper::Response<Body>, Vec<String>), ForwardError> {
        let all = response.headers().get_all(header::SET_COOKIE);
        let (taken, kept): (Vec<HeaderValue>, Vec<HeaderValue>) =
            all.iter().cloned().partition(|value| is_taken(&fields::text(value)));
        response.headers_mut().remove(header::SET_COOKIE);
        for value in kept {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        Ok((response, taken.iter().map(fields::text).collect()))
    }

    fn status(&self, response: &hyper::Response<Body>) -> u16 {
        response.status().as_u16()
    }

    fn field(&self, response: &hyper::Response<Body>, name: &str) -> Option<String> {
        let values: Vec<String> = response.headers().get_all(name).iter().map(fields::text).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn discard(&self, response: hyper::Response<Body>) {
        drop(response);
    }

    fn has_body(&self, body: &Body) -> bool {
        !hyper::body::Body::is_end_stream(body)
    }

    fn body_again(&self, bytes: &[u8]) -> Result<Body, BodyError> {
        Ok(Body::Whole(Bytes::copy_from_slice(bytes)))
    }
}

impl Background for Native {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        match self.thread.jobs.spawn(job).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        drop(self.thread.jobs.spawn(job));
    }
}

impl Native {
    /// Sends a request to its upstream: once more if its connection was just closed, and it changes nothing (RFC 9110 section
    /// 9.2.2).
    async fn relay(
        &self,
        forward: &Forward<'_>,
        query: Option<&str>,
        body: Body,
        relocate: impl Fn(&str) -> Option<String>,
    ) -> Result<hyper::Response<Body>, ForwardError> {
        let Thread { client, jobs, upstreams, .. } = &*self.thread;
        let has_body = self.has_body(&body);
        let sent = self.sent(forward, query, body)?;
        let may_repeat = sent.request.method().is_safe() && !has_body && sent.upgrade.is_none();
        match upstreams.forward(client, jobs, sent, &relocate).await {
            Err(SendError::Closed(_)) if may_repeat => {
                let again = self.sent(forward, query, Body::empty())?;
                Ok(upstreams.forward(client, jobs, again, &relocate).await?)
            }
            answered => Ok(answered?),
        }
    }

    /// The request to the upstream.
    fn sent(&self, forward: &Forward<'_>, query: Option<&str>, body: Body) -> Result<Sent, ForwardError> {
        let unreachable = |error: &dyn std::fmt::Display| ForwardError::Unreachable(error.to_string());
        let Forward { target, request, changes, .. } = forward;
        let server = self.thread.upstreams.server(target)?;
        let path = forward.path();
        let target_path = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut outgoing = hyper::Request::new(body);
        *outgoing.uri_mut() = server.at(&target_path).map_err(|error| unreachable(&error))?;
        *outgoing.method_mut() =
            request.method.as_str().parse::<Method>().map_err(|error| unreachable(&error))?;
        let mut headers = self.incoming.headers.clone();
        fields::apply(changes, &mut headers).map_err(|error| unreachable(&error))?;
        let is_websocket = headers.get(header::UPGRADE).is_some_and(|value| value == "websocket")
            && outgoing.method() == Method::GET
            && fields::has_upgrade_option(&self.incoming.headers);
        fields::remove_hop_by_hop(&mut headers);
        // The length is that of the body, and it is this server that has asked for it.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::EXPECT);
        upstreams::set_host(&mut headers, target, &request.url.authority)
            .map_err(|error| unreachable(&error))?;
        let upgrade = if is_websocket { self.incoming.upgrade.take() } else { None };
        let upgrade = upgrade.map(|upgrade| (upgrade, Rc::clone(&self.incoming.open)));
        if upgrade.is_some() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        *outgoing.headers_mut() = headers;
        if let Target::Url(_) = target {
            self.thread.client.redirect(&mut outgoing).map_err(|error| unreachable(&error))?;
        }
        Ok(Sent { request: outgoing, upgrade })
    }
}
