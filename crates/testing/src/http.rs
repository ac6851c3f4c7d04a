//! The HTTP client without a network: a handler answers, after a delay that a test can set.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::time::Timestamp;

use crate::clock::FakeClock;

type Fetched = Result<FetchResponse, FetchError>;
type Handler = Rc<dyn Fn(FetchRequest) -> Pin<Box<dyn Future<Output = Fetched>>>>;

/// A server that answers without a delay.
pub trait Server {
    /// The answer to `request`, or the error of the HTTP client.
    fn answer(&self, request: &FetchRequest, now: Timestamp) -> Result<FetchResponse, FetchError>;
}

/// A client that sends all requests to one handler.
pub struct FakeHttp {
    clock: Rc<FakeClock>,
    handler: RefCell<Handler>,
    /// How long a request to `/token`, or an API's refresh, takes.
    pub token_time: Cell<Duration>,
    /// How long any other request takes.
    pub document_time: Cell<Duration>,
    /// The URLs that accept every request and never answer.
    pub hanging: RefCell<Vec<&'static str>>,
    fetched: RefCell<Vec<String>>,
}

impl FakeHttp {
    /// A client without a handler.
    pub fn new(clock: Rc<FakeClock>) -> Self {
        Self {
            clock,
            handler: RefCell::new(Rc::new(|request| panic!("no handler answers {}", request.url))),
            token_time: Cell::default(),
            document_time: Cell::default(),
            hanging: RefCell::default(),
            fetched: RefCell::default(),
        }
    }

    /// Sets the handler, which may wait on the clock.
    pub fn answer_with<F>(&self, handler: impl Fn(FetchRequest) -> F + 'static)
    where
        F: Future<Output = Fetched> + 'static,
    {
        self.handler.replace(Rc::new(move |request| Box::pin(handler(request))));
    }

    /// How many requests were sent to this URL.
    pub fn fetches(&self, url: &str) -> usize {
        self.fetched.borrow().iter().filter(|fetched| *fetched == url).count()
    }

    /// [`HttpClient::fetch`](vestibule_core::platform::HttpClient::fetch).
    pub async fn fetch(&self, request: FetchRequest) -> Fetched {
        self.fetched.borrow_mut().push(request.url.clone());
        let is_grant = request.url.ends_with("/token") || request.url.ends_with("/refresh");
        let time = if is_grant { self.token_time.get() } else { self.document_time.get() };
        if time >= request.timeout || self.hanging.borrow().contains(&request.url.as_str()) {
            self.clock.sleep(request.timeout).await;
            return Err(FetchError::Timeout(request.timeout));
        }
        self.clock.sleep(time).await;
        let limit = request.limit;
        let handler = Rc::clone(&self.handler.borrow());
        let answer = handler(request).await?;
        if answer.body.len() > limit {
            return Err(FetchError::TooLarge(limit));
        }
        Ok(answer)
    }
}
