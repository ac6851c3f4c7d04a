//! [`Platform`](vestibule_core::platform::Platform) on Cloudflare Workers.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use worker::js_sys::{JsString, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::{JsFuture, future_to_promise};
use worker::worker_sys::ext::RequestExt;
use worker::{Context, Delay, Env, Error, KvError, web_sys, worker_sys};

use crate::{bridge, clock, console, convert, executor, isolate, lease, runtime};
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::header_wire;
use vestibule_core::http::response::Response;
use vestibule_core::log::{DataPoint, Line};
use vestibule_core::outcome::Outcome;
use vestibule_core::platform::{
    Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Limit, Lock, Log, Random,
    RateLimit, Sinks, Store, StoreError, Unicode,
};
use vestibule_core::time::Timestamp;
use vestibule_core::upstream::Target;

/// The runtime around one request.
#[derive(Clone)]
pub(crate) struct Workers {
    env: Env,
    context: Rc<Context>,
    request: Rc<web_sys::Request>,
}

/// The incoming request; its body has not been read yet.
pub(crate) struct Incoming(pub(crate) Rc<web_sys::Request>);

impl Workers {
    pub(crate) fn new(env: Env, context: Context, request: Rc<web_sys::Request>) -> Self {
        Self { env, context: Rc::new(context), request }
    }
}

impl Clock for Workers {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sleep(&self, time: Duration) {
        // A timer of zero waits for one turn of the event loop. Dropping the future cancels the timer.
        Delay::from(time).await;
    }
}

impl Random for Workers {
    #[allow(clippy::expect_used, reason = "without random bytes the request must fail")]
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("crypto.getRandomValues failed, which it never does inside a request");
    }
}

impl Log for Workers {
    fn log(&self, line: &Line) {
        console::write(line);
    }
}

impl HttpClient for Workers {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let FetchRequest { timeout, limit, .. } = request;
        let failed = |error: JsValue| fetch_error(&error, timeout);
        let init = init(&request.headers).map_err(failed)?;
        init.set_method(request.method.as_str());
        if !request.body.is_empty() {
            init.set_body(&convert::bytes(&request.body));
        }
        // The signal also aborts the reading of the body.
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(millis)));
        let response =
            response_of(global().fetch_with_str_and_init(&request.url, &init)).await.map_err(failed)?;
        let body = match response.body() {
            None => Vec::new(),
            Some(stream) => read_stream(stream, limit).await.map_err(|error| match error {
                ReadError::TooLarge => FetchError::TooLarge(limit),
                ReadError::Failed(error) => failed(error),
            })?,
        };
        Ok(FetchResponse { status: response.status(), headers: convert::headers(&response.headers()), body })
    }
}

impl Store for Workers {
    fn location(&self) -> String {
        // The airport code of the data centre. The runtime parses `cf` only when it is read, and few requests read it.
        // `worker::Cf` would panic if the code is missing.
        self.request.cf().and_then(|cf| cf.colo().ok()).unwrap_or_default()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        let read = async { Ok(self.env.kv(runtime::KV)?.get(key).cache_ttl(CACHE_TTL).text().await?) };
        read.await.map_err(store_error)
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let read = async { Ok(self.env.kv(runtime::KV)?.get_bulk(keys).cache_ttl(CACHE_TTL).text().await?) };
        let mut values = read.await.map_err(store_error)?;
        Ok(keys.iter().map(|key| values.remove(*key).flatten()).collect())
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        let seconds = lifetime.as_secs().max(MIN_KV_LIFETIME);
        let write =
            async { Ok(self.env.kv(runtime::KV)?.put(key, value)?.expiration_ttl(seconds).execute().await?) };
        write.await.map_err(store_error)
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        let delete = async { Ok(self.env.kv(runtime::KV)?.delete(key).await?) };
        delete.await.map_err(store_error)
    }
}

impl Lock for Workers {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        let objects = self.env.durable_object(runtime::LEASE_OBJECTS);
        let objects = objects.map_err(|_| StoreError::Missing("binding named AUTH_LEASE"))?;
        lease::send_call(&objects, name, call)
            .await
            .map_err(|error| StoreError::Failed(convert::error_message(&error.into())))
    }
}

impl RateLimit for Workers {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        let (name, missing) = match limit {
            Limit::Revoke => (runtime::RATE_LIMIT, "binding named AUTH_RATE_LIMIT"),
            Limit::Login => (runtime::LOGIN_LIMIT, "binding named AUTH_LOGIN_LIMIT"),
            Limit::LoginLoose => (runtime::LOGIN_LIMIT_LOOSE, "binding named AUTH_LOGIN_LIMIT_LOOSE"),
        };
        let Ok(limiter) = self.env.rate_limiter(name) else {
            return Err(StoreError::Missing(missing));
        };
        let outcome = limiter.limit(key.to_owned()).await;
        outcome.map(|outcome| outcome.success).map_err(store_error)
    }
}

impl Sinks for Workers {
    async fn send_to_queue(&self, messages: &[String]) -> Result<(), StoreError> {
        let failed = |error: JsValue| StoreError::Failed(convert::error_message(&error));
        let sent =
            bridge::send_to_queue(&self.env, runtime::AUDIT_QUEUE, &messages.join("\n")).map_err(failed)?;
        let sent = sent.ok_or(StoreError::Missing("Queue binding named AUTH_AUDIT"))?;
        JsFuture::from(sent).await.map(drop).map_err(failed)
    }

    fn write_points(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.write_rows(runtime::ANALYTICS, "Analytics Engine binding named AUTH_ANALYTICS", points)
    }

    fn write_metrics(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        self.write_rows(runtime::METRICS, "Analytics Engine binding named AUTH_METRICS", points)
    }
}

impl Workers {
    fn write_rows(
        &self,
        binding: &str,
        missing: &'static str,
        points: &[DataPoint],
    ) -> Result<(), StoreError> {
        let row = |point: &DataPoint| json!({ "indexes": [point.index], "blobs": point.texts, "doubles": point.numbers });
        let rows: Vec<Value> = points.iter().map(row).collect();
        let written = bridge::write_points(&self.env, binding, &Value::from(rows).to_string());
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Missing(missing)),
            Err(error) => Err(StoreError::Failed(convert::error_message(&error))),
        }
    }
}

impl Unicode for Workers {
    fn nfkd(&self, text: &str) -> String {
        JsString::from(text).normalize("NFKD").into()
    }
}

impl Forwarder for Workers {
    type Body = Incoming;
    /// A response, or a promise of one.
    type UpstreamResponse = JsValue;

    async fn read_body(&self, body: Incoming, limit: usize) -> Result<Vec<u8>, BodyError> {
        let Some(stream) = body.0.body() else {
            return Ok(Vec::new());
        };
        read_stream(stream, limit).await.map_err(|error| match error {
            ReadError::TooLarge => BodyError::TooLarge(limit),
            ReadError::Failed(_) => BodyError::Incomplete,
        })
    }

    async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        let Forward { target, request, changes, .. } = &forward;
        let origin = match target {
            Target::Url(other) => other.origin().to_owned(),
            Target::Origin | Target::Service(_) => request.url.origin(),
        };
        let head = || {
            let init = init(&changes.applied_to(&request.headers))?;
            init.set_method(request.method.as_str());
            web_sys::Request::new_with_str_and_init(&format!("{origin}{}", forward.path()), &init)
        };
        let head = head().map_err(|error| unreachable(&error))?;
        let sent = self.fetch_through(target, None, &head, "", false)?;
        let response = executor::settled(sent).await.map_err(|error| unreachable(&error))?;
        let response: web_sys::Response = response.unchecked_into();
        if let Some(body) = response.body() {
            let _ = body.cancel();
        }
        Ok(Response { headers: convert::headers(&response.headers()), ..Response::empty(response.status()) })
    }

    fn take_set_cookies(
        &self,
        response: JsValue,
        is_taken: &dyn Fn(&str) -> bool,
    ) -> Result<(JsValue, Vec<String>), ForwardError> {
        convert::without_set_cookies(response.unchecked_into(), is_taken)
            .map(|(response, taken)| (response.into(), taken))
            .map_err(|error| ForwardError::Cookies(convert::error_message(&error)))
    }

    async fn forward(&self, forward: Forward<'_>, body: Incoming) -> Result<JsValue, ForwardError> {
        let sent = self.send(&forward, &body)?;
        let response = executor::settled(sent).await.map_err(|error| unreachable(&error))?;
        if !may_change_location(&forward) {
            return Ok(response);
        }
        Ok(convert::with_location(response.unchecked_into(), |location| forward.location(location)).into())
    }

    fn status(&self, response: &JsValue) -> u16 {
        response.unchecked_ref::<web_sys::Response>().status()
    }

    fn field(&self, response: &JsValue, name: &str) -> Option<String> {
        response.unchecked_ref::<web_sys::Response>().headers().get(name).ok().flatten()
    }

    fn discard(&self, response: JsValue) {
        if let Some(body) = response.unchecked_ref::<web_sys::Response>().body() {
            let _ = body.cancel();
        }
    }

    fn has_body(&self, body: &Incoming) -> bool {
        body.0.body().is_some()
    }

    fn body_again(&self, bytes: &[u8]) -> Result<Incoming, BodyError> {
        if bytes.is_empty() && self.request.body().is_none() {
            return Ok(Incoming(Rc::clone(&self.request)));
        }
        let init = web_sys::RequestInit::new();
        init.set_body(&convert::bytes(bytes));
        let again = web_sys::Request::new_with_request_and_init(&self.request, &init);
        again.map(|request| Incoming(Rc::new(request))).map_err(|_| BodyError::Incomplete)
    }

    async fn forward_streaming(&self, forward: Forward<'_>, body: Incoming) -> Outcome<JsValue> {
        let response = if may_change_location(&forward) {
            self.forward(forward, body).await
        } else {
            // The runtime also accepts a promise. So the response does not pass through WebAssembly, which costs 8 µs.
            self.send(&forward, &body)
                .map(|sent| ON_FORWARD_ERROR.with(|on_error| bridge::or_else(&sent, on_error, &self.request)))
        };
        match response {
            Ok(response) => Outcome::forwarded(response),
            Err(error) => {
                self.log(&convert::line(error.record(), &self.request));
                Outcome::Response(error.answer())
            }
        }
    }
}

impl Background for Workers {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        let slot = Rc::new(RefCell::new(None));
        let filled = Rc::clone(&slot);
        let done = future_to_promise(AssertUnwindSafe(async move {
            let result = job.await;
            filled.replace(Some(result));
            Ok(JsValue::UNDEFINED)
        }));
        // The runtime keeps the job running after the response is sent or the client has disconnected. The function
        // `Context::wait_until` would take the job itself, so this request could not wait for its result.
        let context: &worker_sys::Context = (*self.context).as_ref();
        let _ = context.wait_until(&done);
        let _ = JsFuture::from(done).await;
        match slot.take() {
            Some(result) => result,
            // The job threw an exception or panicked. The runtime fails a request whose future never completes.
            None => std::future::pending().await,
        }
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        self.context.wait_until(job);
    }
}

/// How long a location may cache what it read, in seconds: the shortest time that Workers KV accepts.
const CACHE_TTL: u64 = 30;

/// The shortest lifetime that Workers KV accepts, in seconds.
const MIN_KV_LIFETIME: u64 = 60;

fn store_error(error: Error) -> StoreError {
    let error = match error {
        Error::KvError(KvError::InvalidKvStore(_)) => return StoreError::Missing("binding named AUTH_KV"),
        // Converted directly, the error keeps the JavaScript exception; as a `worker::Error` it would be only a text.
        Error::KvError(error) => error.into(),
        error => JsValue::from(error),
    };
    let message = convert::error_message(&error);
    // The runtime gives the status only in the message: "KV PUT failed: 429 Too Many Requests".
    if message.contains("429") { StoreError::Busy } else { StoreError::Failed(message) }
}

/// Makes the response for an upstream's error and the request that it concerns.
type OnForwardError = dyn Fn(JsValue, web_sys::Request) -> JsValue;

thread_local! {
    /// Makes the response if the upstream of a streamed forward cannot be reached. All requests share one closure, because
    /// wasm-bindgen tracks the lifetime of each closure, which costs time.
    static ON_FORWARD_ERROR: Closure<OnForwardError> = Closure::new(|error: JsValue, request: web_sys::Request| {
        let error = unreachable(&error);
        console::write(&convert::line(error.record(), &request));
        let answer = isolate::upstream_failure(&request, &error);
        convert::to_js_response(&answer).map_or_else(|error| error, JsValue::from)
    });
}

/// Whether the `Location` of a redirect may have to be changed.
fn may_change_location(forward: &Forward<'_>) -> bool {
    matches!(forward.target, Target::Url(_)) || forward.strip_prefix.is_some()
}

fn unreachable(error: &JsValue) -> ForwardError {
    ForwardError::Unreachable(convert::error_message(error))
}

impl Workers {
    /// Starts to forward a request. Gives a promise of the upstream's response.
    fn send(&self, forward: &Forward<'_>, body: &Incoming) -> Result<Promise, ForwardError> {
        let changes = header_wire::changes(&forward.changes)
            .map_err(|error| ForwardError::Unreachable(error.to_string()))?;
        self.fetch_through(forward.target, forward.url().as_deref(), &body.0, &changes, forward.personal)
    }

    /// Sends `request` to its target, to `url` if given, with these changes to its header fields.
    fn fetch_through(
        &self,
        target: &Target,
        url: Option<&str>,
        request: &web_sys::Request,
        changes: &str,
        personal: bool,
    ) -> Result<Promise, ForwardError> {
        let binding = match target {
            Target::Service(name) => Some(name.as_str()),
            Target::Origin | Target::Url(_) => None,
        };
        let lines = [binding.unwrap_or_default(), "\n", url.unwrap_or_default(), changes].concat();
        let sent = bridge::send(&self.env, request, &lines, personal && binding.is_none());
        let no_service = || {
            let name = binding.unwrap_or_default();
            ForwardError::NoServer {
                missing: format!("service or assets binding named {name}"),
                fix: "add it to wrangler.toml, or correct the upstream's `to`".to_owned(),
            }
        };
        sent.map_err(|error| unreachable(&error))?.ok_or_else(no_service)
    }
}

fn init(headers: &vestibule_core::http::headers::Headers) -> Result<web_sys::RequestInit, JsValue> {
    let init = web_sys::RequestInit::new();
    let headers = convert::to_js_headers(headers)?;
    init.set_headers(&headers);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    Ok(init)
}

fn global() -> web_sys::WorkerGlobalScope {
    worker::js_sys::global().unchecked_into()
}

async fn response_of(promise: Promise) -> Result<web_sys::Response, JsValue> {
    JsFuture::from(promise).await.map(JsCast::unchecked_into)
}

enum ReadError {
    TooLarge,
    Failed(JsValue),
}

/// Reads a whole stream. Fails as soon as it is larger than `limit` bytes.
async fn read_stream(stream: web_sys::ReadableStream, limit: usize) -> Result<Vec<u8>, ReadError> {
    let reader: web_sys::ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let read = JsFuture::from(reader.read()).await.map_err(ReadError::Failed)?;
        let field = |name: &str| Reflect::get(&read, &JsValue::from_str(name)).map_err(ReadError::Failed);
        if field("done")?.is_truthy() {
            return Ok(bytes);
        }
        let chunk: Uint8Array = field("value")?.unchecked_into();
        if bytes.len() + chunk.length() as usize > limit {
            // Tells the sender that the rest is not needed.
            let _ = reader.cancel();
            return Err(ReadError::TooLarge);
        }
        bytes.extend(chunk.to_vec());
    }
}

fn fetch_error(error: &JsValue, timeout: Duration) -> FetchError {
    let name = Reflect::get(error, &JsValue::from_str("name")).ok().and_then(|name| name.as_string());
    match name.as_deref() {
        Some("TimeoutError" | "AbortError") => FetchError::Timeout(timeout),
        _ => FetchError::Connection(convert::error_message(error)),
    }
}
