//! [`Platform`](vestibule_core::platform::Platform) on wasi:http.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;
use wasip2::clocks::{monotonic_clock, wall_clock};

use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::jose::crypto::WithCrypto;
use vestibule_core::jose::software::SoftwareCrypto;
use vestibule_core::log::{DataPoint, Line};
use vestibule_core::platform::{
    Background, Clock, HttpClient, Limit, Lock, Log, Random, RateLimit, Sinks, Store, StoreError, Unicode,
};
use vestibule_core::time::Timestamp;

use crate::configuration::Instance;
use crate::store::SharedStore;
use crate::{client, executor};

/// The runtime around one request.
#[derive(Clone)]
pub(crate) struct Wasi {
    pub(crate) instance: Rc<Instance>,
}

impl Clock for Wasi {
    fn now(&self) -> Timestamp {
        executor::time(now)
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }
}

/// The host's time.
pub(crate) fn now() -> Timestamp {
    let now = wall_clock::now();
    Timestamp::from_millis(now.seconds.saturating_mul(1000) + u64::from(now.nanoseconds / 1_000_000))
}

/// Waits for at least `time`.
pub(crate) async fn sleep(time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    executor::ready(monotonic_clock::subscribe_duration(nanoseconds)).await;
}

/// The result of `future`, or `None` if it takes longer than `time`.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), pin!(sleep(time)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

impl Random for Wasi {
    #[allow(clippy::expect_used, reason = "without random bytes the request must fail")]
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("wasi:random, which cannot fail, has failed");
    }
}

impl Log for Wasi {
    fn log(&self, line: &Line) {
        write(line);
    }
}

/// Writes a line of the log: to the error output, because wasi:http has no other.
pub(crate) fn write(line: &Line) {
    eprintln!("{line}");
}

impl WithCrypto for Wasi {
    type Crypto = SoftwareCrypto;

    /// By jwt-compact and RustCrypto.
    fn crypto(&self) -> &SoftwareCrypto {
        &SoftwareCrypto
    }
}

impl HttpClient for Wasi {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        client::fetch(request, self.instance.network.egress.as_ref()).await
    }
}

impl Wasi {
    /// The store that all instances share.
    fn store(&self) -> Result<&SharedStore, StoreError> {
        self.instance.store.as_ref().ok_or(StoreError::Missing("shared store (docs/wasi.md)"))
    }
}

impl Store for Wasi {
    async fn read_store(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.store()?.read(&[key]).await?.pop().flatten())
    }

    async fn read_store_many(&self, keys: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        self.store()?.read(keys).await
    }

    async fn write_store(&self, key: &str, value: &str, lifetime: Duration) -> Result<(), StoreError> {
        self.store()?.write(key, value, lifetime).await
    }

    async fn delete_store(&self, key: &str) -> Result<(), StoreError> {
        self.store()?.delete(key).await
    }

    fn location(&self) -> String {
        // All instances see each other's writes at once.
        "here".to_owned()
    }

    fn stores_documents(&self) -> bool {
        self.instance.store.is_some()
    }
}

impl Lock for Wasi {
    async fn call_lock(&self, name: &str, call: &str) -> Result<String, StoreError> {
        self.store()?.call_lock(name, call).await
    }
}

impl RateLimit for Wasi {
    async fn is_within_limit(&self, limit: Limit, key: &str) -> Result<bool, StoreError> {
        // Without a store the core counts by itself.
        self.store()?.is_within_limit(limit, key).await
    }
}

impl Sinks for Wasi {
    async fn send_to_queue(&self, _: &[String]) -> Result<(), StoreError> {
        Err(StoreError::Missing("queue on wasi:http"))
    }

    fn write_points(&self, _: &[DataPoint]) -> Result<(), StoreError> {
        Err(StoreError::Missing("dataset on wasi:http"))
    }
}

impl Unicode for Wasi {
    fn nfkd(&self, text: &str) -> String {
        text.nfkd().collect()
    }
}

impl Background for Wasi {
    async fn run_to_completion<T: 'static>(&self, job: impl Future<Output = T> + 'static) -> T {
        let slot = Rc::new(RefCell::new(Slot { result: None, waker: None }));
        let filled = Rc::clone(&slot);
        executor::spawn(async move {
            let result = job.await;
            let mut slot = filled.borrow_mut();
            slot.result = Some(result);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        });
        poll_fn(|context| {
            let mut slot = slot.borrow_mut();
            if let Some(result) = slot.result.take() {
                return Poll::Ready(result);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn spawn(&self, job: impl Future<Output = ()> + 'static) {
        executor::spawn(job);
    }
}

/// Where a job leaves its result, and who waits for it.
struct Slot<T> {
    result: Option<T>,
    waker: Option<Waker>,
}
