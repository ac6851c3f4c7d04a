//! The queue and the dataset of a runtime, in memory.

use std::cell::{Cell, RefCell};

use serde_json::Value;
use vestibule_core::log::DataPoint;
use vestibule_core::platform::StoreError;

/// What was sent to them. Without being bound, they take nothing.
#[derive(Default)]
pub struct FakeSinks {
    /// Whether there are such a queue and such a dataset.
    pub are_bound: Cell<bool>,
    /// Whether the queue never answers.
    pub hangs: Cell<bool>,
    /// The messages of the queue.
    pub messages: RefCell<Vec<Value>>,
    /// The rows of the dataset.
    pub points: RefCell<Vec<DataPoint>>,
    /// The rows of the dataset of metrics, as they were written: each time, those of one request.
    pub metrics: RefCell<Vec<Vec<DataPoint>>>,
}

impl FakeSinks {
    /// Adds messages to the queue.
    pub async fn send(&self, messages: &[String]) -> Result<(), StoreError> {
        assert!(messages.len() <= 100, "a queue takes 100 messages at once");
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        if !self.are_bound.get() {
            return Err(StoreError::Missing("queue"));
        }
        let read = |text: &String| serde_json::from_str(text).expect("a message is JSON");
        self.messages.borrow_mut().extend(messages.iter().map(read));
        Ok(())
    }

    /// Adds rows to the dataset.
    pub fn write(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        assert!(points.len() <= 25, "a dataset takes 25 rows in one request");
        if !self.are_bound.get() {
            return Err(StoreError::Missing("dataset"));
        }
        self.points.borrow_mut().extend_from_slice(points);
        Ok(())
    }

    /// Adds rows to the dataset of metrics.
    pub fn write_metrics(&self, points: &[DataPoint]) -> Result<(), StoreError> {
        assert!((1..=20).contains(&points.len()), "one request has at most 20 points");
        if !self.are_bound.get() {
            return Err(StoreError::Missing("dataset of metrics"));
        }
        self.metrics.borrow_mut().push(points.to_vec());
        Ok(())
    }
}
