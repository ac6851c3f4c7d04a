//! A world in a bottle: a scripted [`Platform`] with a clock that stands still and dice that count, an
//! OpenID provider behind its `fetch`, an upstream behind its `forward`, and a browser with a cookie jar.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::hooks::{Configured, Hooks};
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::http::form::Params;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::jose::crypto::{Crypto, KeyError};
use vestibule_core::jose::jwk::Jwk;
use vestibule_core::jose::jws::Algorithm;
use vestibule_core::jose::sign::PrivateKey;
use vestibule_core::jose::software;
use vestibule_core::platform::{
    self, Background, BodyError, Clock, Forward, ForwardError, Forwarder, HttpClient, Level, Lock, Log,
    Random, StoreError,
};
use vestibule_core::reply::Reply;
use vestibule_core::time::Timestamp;
use vestibule_core::upstream::Target;

use crate::api::{self, Api};
use crate::clockwork::Clockwork;
use crate::provider::Provider;
use crate::store::Store;

pub const SECRET: &str = "my-32-char-or-longer-shared-secret!!";
pub const APP: &str = "https://app.example.com";

/// Everything around Vestibule, and Vestibule itself: one isolate.
pub struct World {
    pub vestibule: Vestibule,
    stage: Stage,
}

/// The platform of one location.
#[derive(Clone)]
pub struct Stage {
    scene: Rc<Scene>,
    location: String,
}

/// What all isolates share.
pub struct Scene {
    pub provider: Provider,
    pub api: Api,
    pub store: Rc<Store>,
    pub clock: Rc<Clockwork>,
    /// How long the token endpoint (or an API's refresh) and the upstream take.
    pub token_time: Cell<Duration>,
    /// How long anything else takes that a provider publishes.
    pub document_time: Cell<Duration>,
    pub upstream_time: Cell<Duration>,
    /// The URLs that take every request and never end their answer.
    pub hanging: RefCell<Vec<&'static str>>,
    /// After how long the next work that should come to its end stops for ever, as when its isolate is cut off.
    pub dies_after: Cell<Option<Duration>>,
    dice: Cell<u64>,
    log: RefCell<Vec<(Level, Value)>>,
    forwarded: RefCell<Vec<Forwarded>>,
    fetched: RefCell<Vec<String>>,
}

/// A request that reached the upstream.
#[derive(Clone, Debug)]
pub struct Forwarded {
    pub target: Target,
    pub request: Request,
    pub body: Vec<u8>,
    /// Whether no shared cache may have a part in it.
    pub personal: bool,
}

/// What the browser got.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: String,
    /// The request as the upstream saw it, where it got that far.
    pub forwarded: Option<Forwarded>,
}

/// The configuration that tests begin from.
pub fn settings() -> Value {
    json!({
        "providers": [{ "id": "acme", "type": "oidc", "name": "Acme", "issuer": "https://idp.example" }],
        "claims": { "roles": "profile.roles" },
        "session": { "expose": { "access_token": "access_token", "user.roles": "roles" } },
        "rules": [
            { "match": ["/", "/about", "/static/:path*"], "access": "public" },
            { "match": "/admin/:path*", "require": { "roles": ["admin"] } },
        ],
        "upstreams": [{
            "to": "https://upstream.example",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
        }],
    })
}

/// The environment that goes with it.
pub fn environment(name: &str) -> Option<String> {
    let value = match name {
        "AUTH_SECRET" => SECRET,
        "AUTH_ACME_ID" => "vestibule",
        "AUTH_ACME_SECRET" => "acme-secret",
        _ => return None,
    };
    Some(value.to_owned())
}

impl World {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Value) -> Self {
        Self::in_environment(settings, &environment)
    }

    pub fn with_hooks(settings: Value, hooks: impl Hooks + 'static) -> Self {
        Self::of(settings, &environment, hooks)
    }

    pub fn in_environment(settings: Value, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::of(settings, environment, Configured)
    }

    fn of(
        settings: Value,
        environment: &dyn Fn(&str) -> Option<String>,
        hooks: impl Hooks + 'static,
    ) -> Self {
        let config = Config::load(settings, environment, &vestibule::runtime::RUNTIME)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let clock = Clockwork::starting_at(1_795_290_000_000);
        let store = Store::new(Rc::clone(&clock), 7);
        let scene = Scene {
            provider: Provider::new(),
            api: Api::new(),
            store,
            clock,
            token_time: Cell::default(),
            document_time: Cell::default(),
            upstream_time: Cell::default(),
            hanging: RefCell::default(),
            dies_after: Cell::default(),
            dice: Cell::new(0),
            log: RefCell::default(),
            forwarded: RefCell::default(),
            fetched: RefCell::default(),
        };
        let stage = Stage { scene: Rc::new(scene), location: "here".to_owned() };
        Self { vestibule: Vestibule::with_hooks(config, hooks), stage }
    }

    /// Another isolate around the same things, in that location.
    pub fn isolate(&self, settings: Value, location: &str) -> Self {
        let config = Config::load(settings, &environment, &vestibule::runtime::RUNTIME)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let stage = Stage { scene: Rc::clone(&self.stage.scene), location: location.to_owned() };
        Self { vestibule: Vestibule::new(config), stage }
    }

    pub fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    /// All log lines so far, as text.
    pub fn log_text(&self) -> String {
        let lines: Vec<String> =
            self.log.borrow().iter().map(|(level, event)| format!("{level:?} {event}")).collect();
        lines.join("\n")
    }

    /// How often that URL was asked.
    pub fn fetches(&self, url: &str) -> usize {
        self.fetched.borrow().iter().filter(|fetched| *fetched == url).count()
    }

    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.clock.run(self.sent(method, url, headers, body))
    }

    /// Sends all of them at once; the answers, in their order.
    pub fn all<'a>(
        &self,
        sent: impl IntoIterator<Item = Pin<Box<dyn Future<Output = Answer> + 'a>>>,
    ) -> Vec<Answer> {
        let mut sent: Vec<_> = sent.into_iter().map(|future| (future, None)).collect();
        self.clock.run(poll_fn(|context| {
            for (future, answer) in sent.iter_mut().filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    *answer = Some(value);
                }
            }
            if sent.iter().any(|(_, answer)| answer.is_none()) {
                return Poll::Pending;
            }
            Poll::Ready(sent.iter_mut().filter_map(|(_, answer)| answer.take()).collect())
        }))
    }

    /// The answer to a request, in the clock's time.
    pub async fn sent(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = Request {
            method: Method::new(method),
            url: RequestUrl::parse(url).expect("a request's URL"),
            headers: headers.iter().map(|(name, value)| (*name, *value)).collect(),
        };
        let reply = self.vestibule.handle(&self.stage, request, body.to_vec()).await;
        let forwarded = match &reply {
            Reply::Forwarded { response, .. } => self.forwarded.borrow().get(*response).cloned(),
            Reply::Own(_) => None,
        };
        match reply {
            Reply::Own(response) => {
                Answer { status: response.status, headers: response.headers, body: response.body, forwarded }
            }
            Reply::Forwarded { cookies, .. } => {
                let headers = cookies.iter().map(|cookie| ("set-cookie", cookie.to_string())).collect();
                Answer { status: 200, headers, body: "from the upstream".to_owned(), forwarded }
            }
        }
    }
}

impl Deref for World {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.stage.scene
    }
}

impl Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Scene {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now())
    }

    pub fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self.dice.get() + 1;
            self.dice.set(next);
            // Spread over all values, the same in every run.
            *byte = u8::try_from((next.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) & 0xff).unwrap();
        }
    }
}

impl Crypto for Stage {
    async fn verify(
        &self,
        algorithm: Algorithm,
        key: &Jwk,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        software::verify(algorithm, key, message, signature)
    }

    async fn sign(
        &self,
        key: &PrivateKey,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        software::sign(key, algorithm, message)
    }

    async fn public_key(&self, key: &PrivateKey, algorithm: Algorithm) -> Result<Jwk, KeyError> {
        software::public_key(key, algorithm)
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        self.scene.now()
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

impl Random for Stage {
    fn fill_random(&self, bytes: &mut [u8]) {
        self.scene.fill_random(bytes);
    }
}

impl Log for Stage {
    fn log(&self, level: Level, event: &Value) {
        self.log.borrow_mut().push((level, event.clone()));
    }
}

impl HttpClient for Stage {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.fetched.borrow_mut().push(request.url.clone());
        let is_grant = request.url.ends_with("/token") || request.url.ends_with("/refresh");
        let time = if is_grant { self.token_time.get() } else { self.document_time.get() };
        if time >= request.timeout || self.hanging.borrow().contains(&request.url.as_str()) {
            self.clock.sleep(request.timeout).await;
            return Err(FetchError::Timeout(request.timeout));
        }
        self.clock.sleep(time).await;
        let answer = match request.url.strip_prefix(api::ORIGIN) {
            Some(path) => self.api.answer(path, &request, self.now())?,
            None => self.provider.answer(&request, self.now())?,
        };
        if answer.body.len() > request.limit {
            return Err(FetchError::TooLarge(request.limit));
        }
        Ok(answer)
    }
}

impl platform::Store for Stage {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.store.read(&self.location, key).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        self.store.write(&self.location, key, value, lifetime).await
    }
}

impl Lock for Stage {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.store.call_object(name, call).await
    }
}

impl Forwarder for Stage {
    type Body = Vec<u8>;
    /// Which of the forwarded requests it answers.
    type Upstreamed = usize;

    async fn read_body(&self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, BodyError> {
        if body.len() > limit { Err(BodyError::TooLarge(limit)) } else { Ok(body) }
    }

    async fn forward(&self, forward: Forward<'_>, body: Vec<u8>) -> Result<usize, ForwardError> {
        if self.provider.is_down("upstream") {
            return Err(ForwardError::Unreachable("connection refused".to_owned()));
        }
        let number = self.forwarded.borrow().len();
        let Forward { target, request, changes, personal } = forward;
        let request = Request { headers: changes.applied_to(&request.headers), ..request.clone() };
        self.forwarded.borrow_mut().push(Forwarded { target: target.clone(), request, body, personal });
        self.clock.sleep(self.upstream_time.get()).await;
        Ok(number)
    }
}

impl Background for Stage {
    async fn to_the_end<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        if let Some(after) = self.dies_after.take() {
            let (mut job, mut end) = (Some(Box::pin(job)), Box::pin(self.clock.sleep(after)));
            let cut_off = poll_fn(move |context| {
                let is_over = end.as_mut().poll(context).is_ready();
                if is_over {
                    // Nobody drops what an isolate that is cut off leaves behind.
                    std::mem::forget(job.take());
                }
                let Some(job) = &mut job else { return Poll::Ready(()) };
                job.as_mut().poll(context).map(drop)
            });
            self.clock.spawn(cut_off).await;
            return std::future::pending().await;
        }
        self.clock.spawn(job).await
    }
}

/// A browser with one tab.
#[derive(Clone, Default)]
pub struct Browser {
    jar: BTreeMap<String, String>,
}

impl Browser {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    pub fn cookie_names(&self) -> Vec<&str> {
        self.jar.keys().map(String::as_str).collect()
    }

    pub fn plant(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    /// A person opens a page.
    pub fn open(&mut self, world: &World, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "navigate"), ("accept", "text/html")], b"")
    }

    /// A script asks for data.
    pub fn fetch(&mut self, world: &World, url: &str) -> Answer {
        self.send(world, "GET", url, &[("sec-fetch-mode", "cors"), ("accept", "application/json")], b"")
    }

    /// A form is sent.
    pub fn post(&mut self, world: &World, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(world, url, fields, &[])
    }

    pub fn post_with(
        &mut self,
        world: &World,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all =
            vec![("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-mode", "navigate")];
        all.extend_from_slice(headers);
        self.send(world, "POST", url, &all, form.as_bytes())
    }

    pub fn send(
        &mut self,
        world: &World,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let cookies = self.cookie_header();
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = world.send(method, url, &all, body);
        self.take(&answer);
        answer
    }

    pub fn cookie_header(&self) -> String {
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    /// Takes an answer's cookies.
    pub fn take(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("name=value");
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The csrf token of this browser.
    pub fn csrf(&mut self, world: &World) -> String {
        let answer = self.fetch(world, &format!("{APP}/auth/csrf"));
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        json["csrfToken"].as_str().unwrap().to_owned()
    }

    /// Goes as far as the provider: the authorization request.
    pub fn begin(&mut self, world: &World, return_to: &str) -> AuthorizationRequest {
        let csrf = self.csrf(world);
        let answer = self.post(
            world,
            &format!("{APP}/auth/signin/acme"),
            &[("csrfToken", &csrf), ("callbackUrl", return_to)],
        );
        AuthorizationRequest::read(answer.location())
    }

    /// Signs in as `user`, and gives what the browser got at the end.
    pub fn sign_in(&mut self, world: &World, user: &str, return_to: &str) -> Answer {
        let request = self.begin(world, return_to);
        let callback = world.provider.authorize(&request, user);
        self.open(world, &callback)
    }

    pub fn session(&mut self, world: &World) -> Value {
        let answer = self.fetch(world, &format!("{APP}/auth/session"));
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).unwrap()
    }
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers.get("location").unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }
}

/// What the browser brings to the provider.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    pub endpoint: String,
    pub params: BTreeMap<String, String>,
}

impl AuthorizationRequest {
    pub fn read(location: &str) -> Self {
        let (endpoint, query) = location.split_once('?').expect("parameters");
        let params = Params::from_urlencoded(query.as_bytes())
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        Self { endpoint: endpoint.to_owned(), params }
    }
}
