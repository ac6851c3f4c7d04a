//! [`TestEnv`]: Vestibule on the fake platform, with a provider and an API.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::hooks::{Configured, Hooks};
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::log::{Line, LogEvent};
use vestibule_core::outcome::Outcome;
use vestibule_core::time::Timestamp;

use crate::credentials_api::{self, FakeApi};
use crate::forward::Forwarded;
use crate::http::Server;
use crate::platform::FakePlatform;
use crate::provider::FakeProvider;
use crate::settings::{environment, settings};
use vestibule::runtime::RUNTIME;

const SEED: u64 = 7;

/// One process of Vestibule, and the servers that answer its requests. It dereferences to its platform.
pub struct TestEnv<P = FakeProvider> {
    /// The code under test.
    pub vestibule: Vestibule,
    /// The platform that it runs on.
    pub platform: FakePlatform,
    /// The provider, which answers all requests except the API's.
    pub provider: Rc<P>,
    /// The API at [`credentials_api::ORIGIN`].
    pub api: Rc<FakeApi>,
}

/// The response that the client got.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields. For a forwarded request: the upstream's cookies and those that Vestibule adds.
    pub headers: Headers,
    /// The body.
    pub body: String,
    /// The request as the upstream got it, if it was forwarded.
    pub forwarded: Option<Forwarded>,
}

impl TestEnv {
    /// An environment with the default [`settings`].
    pub fn new() -> Self {
        Self::with(settings())
    }

    /// An environment with these settings.
    pub fn with(settings: Value) -> Self {
        Self::in_environment(settings, &environment)
    }

    /// An environment with these settings, whose random numbers come from `seed`.
    pub fn seeded(settings: Value, seed: u64) -> Self {
        Self::on(FakePlatform::new(seed), FakeProvider::new(), settings, &environment, Configured)
    }

    /// An environment with the hooks of an app.
    pub fn with_hooks(settings: Value, hooks: impl Hooks + 'static) -> Self {
        Self::around(FakeProvider::new(), settings, &environment, hooks)
    }

    /// An environment with these secrets and variables, instead of the default [`environment`].
    pub fn in_environment(settings: Value, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::around(FakeProvider::new(), settings, environment, Configured)
    }
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Server + 'static> TestEnv<P> {
    /// An environment with this provider.
    pub fn around(
        provider: P,
        settings: Value,
        environment: &dyn Fn(&str) -> Option<String>,
        hooks: impl Hooks + 'static,
    ) -> Self {
        Self::on(FakePlatform::new(SEED), provider, settings, environment, hooks)
    }

    fn on(
        platform: FakePlatform,
        provider: P,
        settings: Value,
        environment: &dyn Fn(&str) -> Option<String>,
        hooks: impl Hooks + 'static,
    ) -> Self {
        let (provider, api) = (Rc::new(provider), Rc::new(FakeApi::new()));
        let (clock, servers) = (Rc::clone(&platform.clock), (Rc::clone(&provider), Rc::clone(&api)));
        platform.http.answer_with(move |request| {
            let (provider, api) = &servers;
            let now = Timestamp::from_millis(clock.now());
            let is_for_api =
                request.url.strip_prefix(credentials_api::ORIGIN).is_some_and(|path| path.starts_with('/'));
            let answer = if is_for_api { api.answer(&request, now) } else { provider.answer(&request, now) };
            std::future::ready(answer)
        });
        Self {
            vestibule: Vestibule::with_hooks(config(settings, environment), hooks),
            platform,
            provider,
            api,
        }
    }
}

impl<P> TestEnv<P> {
    /// Another process in this location, with the same provider, API, clock and store.
    #[must_use]
    pub fn isolate(&self, settings: Value, location: &str) -> Self {
        Self {
            vestibule: Vestibule::new(config(settings, &environment)),
            platform: self.platform.at(location),
            provider: Rc::clone(&self.provider),
            api: Rc::clone(&self.api),
        }
    }

    /// The clock's time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now())
    }

    /// Advances the clock while nothing waits.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    /// All log lines so far, as text.
    pub fn log_text(&self) -> String {
        self.log.text()
    }

    /// The log lines of that event so far, in order.
    pub fn logged(&self, event: LogEvent) -> Vec<Line> {
        self.log.of(event)
    }

    /// How many requests were sent to this URL.
    pub fn fetches(&self, url: &str) -> usize {
        self.http.fetches(url)
    }

    /// Sends a request and returns the answer.
    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.clock.run(self.sent(method, url, headers, body))
    }

    /// Sends all requests at the same time, and returns the answers in the same order.
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

    /// Sends a request: the future of its answer.
    pub async fn sent(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = Request {
            method: Method::new(method),
            url: RequestUrl::parse(url).expect("a request's URL"),
            headers: headers.iter().map(|(name, value)| (*name, *value)).collect(),
        };
        let heads = self.forwarder.heads().len();
        match self.vestibule.handle(self.platform.clone(), request, body.to_vec()).await {
            Outcome::Response(response) => Answer {
                status: response.status,
                headers: response.headers,
                body: response.body,
                forwarded: self.forwarder.heads().into_iter().nth(heads),
            },
            Outcome::Forwarded { response, cookies, no_store, server_timing } => Answer {
                status: self.forwarder.status(response),
                headers: self
                    .forwarder
                    .cookies_for_client(response)
                    .into_iter()
                    .chain(cookies.iter().map(ToString::to_string))
                    .map(|cookie| ("set-cookie", cookie))
                    .chain(no_store.then(|| ("cache-control", "private, no-store".to_owned())))
                    .chain(server_timing.map(|value| ("server-timing", value)))
                    .collect(),
                body: "from the upstream".to_owned(),
                forwarded: self.forwarder.request(response),
            },
        }
    }
}

impl<P> Deref for TestEnv<P> {
    type Target = FakePlatform;

    fn deref(&self) -> &FakePlatform {
        &self.platform
    }
}

impl Answer {
    /// The redirect's address. The test fails if the answer is not a redirect.
    pub fn location(&self) -> &str {
        self.headers.get("location").unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }
}

fn config(settings: Value, environment: &dyn Fn(&str) -> Option<String>) -> Config {
    Config::load(settings, environment, &RUNTIME).unwrap_or_else(|errors| panic!("{errors}"))
}
