//! A bucket whose operations take time by chance, on a clock of the tests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;
use vestibule_testing::{FakeClock, FakeRandom};

use crate::Bucket;

/// A bucket of the host. Clones are handles of the same bucket.
#[derive(Clone)]
pub(crate) struct FakeBucket {
    clock: Rc<FakeClock>,
    random: Rc<FakeRandom>,
    values: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    /// The longest time of an operation, in milliseconds.
    pub(crate) latency: Rc<Cell<u64>>,
    /// After how many operations more the instance with this handle ends.
    end: Rc<Cell<Option<u32>>>,
}

impl FakeBucket {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            clock: FakeClock::starting_at(1_800_000_000_000),
            random: Rc::new(FakeRandom::new(seed)),
            values: Rc::default(),
            latency: Rc::new(Cell::new(40)),
            end: Rc::default(),
        }
    }

    /// An empty bucket with the same clock.
    pub(crate) fn emptied(&self) -> Self {
        Self { values: Rc::default(), ..self.clone() }
    }

    /// A handle whose operations take so long at most, in milliseconds.
    pub(crate) fn with_latency(&self, latency: u64) -> Self {
        Self { latency: Rc::new(Cell::new(latency)), ..self.clone() }
    }

    pub(crate) fn random_below(&self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    /// A handle of another instance, which ends after so many operations.
    pub(crate) fn ending_after(&self, end: Option<u32>) -> Self {
        Self { end: Rc::new(Cell::new(end)), ..self.clone() }
    }

    pub(crate) fn run<T>(&self, main: impl Future<Output = T>) -> T {
        self.clock.run(main)
    }

    pub(crate) fn keys(&self) -> usize {
        self.values.borrow().len()
    }

    /// The operation arrives, has its effect, and its answer arrives, unless the instance has ended meanwhile: an error, after
    /// which it does nothing more.
    async fn operation<T>(
        &self,
        act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T,
    ) -> Result<T, StoreError> {
        self.pass().await;
        let result = act(&mut self.values.borrow_mut());
        self.pass().await;
        if let Some(left) = self.end.get() {
            if left == 0 {
                return Err(StoreError::Failed("the instance has ended".to_owned()));
            }
            self.end.set(Some(left - 1));
        }
        Ok(result)
    }

    async fn pass(&self) {
        self.clock.sleep(Duration::from_millis(self.random.below(self.latency.get()))).await;
    }
}

impl Bucket for FakeBucket {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.operation(|values| values.get(key).cloned()).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.operation(|values| values.insert(key.to_owned(), value.to_vec())).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.operation(|values| values.remove(key)).await.map(drop)
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        self.operation(|values| {
            let stored =
                values.get(key).and_then(|value| String::from_utf8(value.clone()).ok()?.parse().ok());
            let sum = stored.unwrap_or(0_u64) + delta;
            values.insert(key.to_owned(), sum.to_string().into_bytes());
            sum
        })
        .await
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now())
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}
