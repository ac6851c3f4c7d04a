//! The upstream, which records the requests that it gets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use vestibule_core::http::request::Request;
use vestibule_core::http::response::Response;
use vestibule_core::platform::{Forward, ForwardError};
use vestibule_core::upstream::Target;

use crate::clock::FakeClock;

/// Forwards to an upstream that accepts every request.
pub struct FakeForwarder {
    clock: Rc<FakeClock>,
    /// How long the upstream takes.
    pub upstream_time: Cell<Duration>,
    /// Whether it refuses all connections.
    pub is_down: Cell<bool>,
    /// What it answers where only the head of a request is sent on.
    pub head: RefCell<Response>,
    /// The `Set-Cookie` fields of its answers from now on.
    pub set_cookies: RefCell<Vec<String>>,
    /// Those of the answer to each request, as far as Vestibule has not taken them out.
    answered_cookies: RefCell<Vec<Vec<String>>>,
    requests: RefCell<Vec<Forwarded>>,
    heads: RefCell<Vec<usize>>,
    missing: RefCell<Vec<String>>,
    /// Decides about the status and the header fields of an answer, by the request as the upstream got it.
    answers: RefCell<Option<Answering>>,
    heads_of_answers: RefCell<Vec<Response>>,
    /// How many requests were forwarded so that the client gets the answer as it comes.
    pub streamed: Cell<usize>,
    /// The answers that Vestibule dropped.
    pub discarded: RefCell<Vec<usize>>,
}

type Answering = Box<dyn Fn(&Forwarded) -> Response>;

/// A request that reached the upstream.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Which upstream got it.
    pub target: Target,
    /// The request as the upstream got it.
    pub request: Request,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the response must not come from a shared cache or go into one.
    pub personal: bool,
}

impl FakeForwarder {
    /// An upstream that answers at once.
    pub fn new(clock: Rc<FakeClock>) -> Self {
        let head = RefCell::new(Response::empty(204));
        Self {
            clock,
            upstream_time: Cell::default(),
            is_down: Cell::default(),
            head,
            set_cookies: RefCell::default(),
            answered_cookies: RefCell::default(),
            requests: RefCell::default(),
            heads: RefCell::default(),
            missing: RefCell::default(),
            answers: RefCell::default(),
            heads_of_answers: RefCell::default(),
            streamed: Cell::default(),
            discarded: RefCell::default(),
        }
    }

    /// The request with this number, counted from 0.
    pub fn request(&self, number: usize) -> Option<Forwarded> {
        self.requests.borrow().get(number).cloned()
    }

    /// The `Set-Cookie` fields of the answer to the request with this number, as the client gets them.
    pub fn cookies_for_client(&self, number: usize) -> Vec<String> {
        self.answered_cookies.borrow().get(number).cloned().unwrap_or_default()
    }

    /// [`Forwarder::take_set_cookies`](vestibule_core::platform::Forwarder::take_set_cookies).
    pub fn take_set_cookies(&self, number: usize, is_taken: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut answered = self.answered_cookies.borrow_mut();
        let Some(cookies) = answered.get_mut(number) else { return Vec::new() };
        let (taken, kept) = std::mem::take(cookies).into_iter().partition(|cookie| is_taken(cookie));
        *cookies = kept;
        taken
    }

    /// From now on, the upstream answers 404 at this path.
    pub fn has_nothing_at(&self, path: &str) {
        self.missing.borrow_mut().push(path.to_owned());
    }

    /// From now on, `answer` decides about the status and the header fields of each answer.
    pub fn answers_by(&self, answer: impl Fn(&Forwarded) -> Response + 'static) {
        self.answers.replace(Some(Box::new(answer)));
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Forwarded> {
        self.requests.borrow().clone()
    }

    /// The status of the answer to the request with this number.
    pub fn status(&self, number: usize) -> u16 {
        let path = self.request(number).map(|forwarded| forwarded.request.url.path);
        if path.is_some_and(|path| self.missing.borrow().contains(&path)) {
            return 404;
        }
        self.heads_of_answers.borrow().get(number).map_or(200, |head| head.status)
    }

    /// A header field of the answer to the request with this number.
    pub fn field(&self, number: usize, name: &str) -> Option<String> {
        let heads = self.heads_of_answers.borrow();
        let headers = &heads.get(number)?.headers;
        headers.contains(name).then(|| headers.get_all(name).collect::<Vec<_>>().join(", "))
    }

    /// The requests of which only the head was sent on.
    pub fn heads(&self) -> Vec<Forwarded> {
        self.heads.borrow().iter().filter_map(|number| self.request(*number)).collect()
    }

    /// [`Forwarder::forward_head`](vestibule_core::platform::Forwarder::forward_head).
    pub async fn forward_head(&self, forward: Forward<'_>) -> Result<Response, ForwardError> {
        let mut request = forward.request.clone();
        request.url.query = None;
        let number = self.forward(Forward { request: &request, ..forward }, Vec::new()).await?;
        self.heads.borrow_mut().push(number);
        Ok(self.head.borrow().clone())
    }

    /// [`Forwarder::forward`](vestibule_core::platform::Forwarder::forward). Returns the request's number.
    pub async fn forward(&self, forward: Forward<'_>, body: Vec<u8>) -> Result<usize, ForwardError> {
        if self.is_down.get() {
            return Err(ForwardError::Unreachable("connection refused".to_owned()));
        }
        let number = self.requests.borrow().len();
        let path = forward.path().to_owned();
        let Forward { target, request, changes, personal, .. } = forward;
        let mut request = Request { headers: changes.applied_to(&request.headers), ..request.clone() };
        request.url.path = path;
        let forwarded = Forwarded { target: target.clone(), request, body, personal };
        let answer = self.answers.borrow().as_ref().map_or(Response::empty(200), |answer| answer(&forwarded));
        self.heads_of_answers.borrow_mut().push(answer);
        self.requests.borrow_mut().push(forwarded);
        self.answered_cookies.borrow_mut().push(self.set_cookies.borrow().clone());
        self.clock.sleep(self.upstream_time.get()).await;
        Ok(number)
    }
}
