//! What one request did: what was asked of the store and of providers, and what was decided. Plain data.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::log::{DataPoint, Measured, Metric, Totals};

/// How many points a request writes at most, and what it does afterwards in the background. Cloudflare's documents allow 250
/// in one request and allowed 25 before; the audit log writes up to 25 of its own.
pub(crate) const MAX_POINTS: usize = 20;

/// What one request did.
#[derive(Debug, Default)]
pub struct Meter {
    /// Whether this process has said that the points cannot be written.
    pub(super) has_failed: Rc<Cell<bool>>,
    has_dataset: bool,
    shows_time: bool,
    host: OnceCell<String>,
    measured: RefCell<BTreeMap<Measured, Totals>>,
    /// What a response with `Server-Timing` says, also of what was written.
    provider: Cell<Totals>,
    store: Cell<Totals>,
    /// How many points were written.
    written: Cell<usize>,
    /// Whether the request is answered. What goes on in the background then writes its own points.
    pub(super) has_ended: Cell<bool>,
}

impl Meter {
    /// `None` if nothing is to be measured.
    pub(super) fn new(has_dataset: bool, shows_time: bool, has_failed: &Rc<Cell<bool>>) -> Option<Self> {
        let new = || Self { has_failed: Rc::clone(has_failed), has_dataset, shows_time, ..Self::default() };
        (has_dataset || shows_time).then(new)
    }

    /// What the points of this request have as its host. The first name stays.
    pub(crate) fn name_host(&self, host: impl FnOnce() -> String) {
        self.host.get_or_init(host);
    }

    /// Counts one, which took so many milliseconds.
    pub(crate) fn count(&self, measured: Measured, millis: u64) {
        let of_metric = match measured.metric() {
            Metric::Provider => Some(&self.provider),
            Metric::Store => Some(&self.store),
            Metric::Decision | Metric::Refresh => None,
        };
        if let Some(totals) = of_metric {
            let mut sum = totals.get();
            sum.add(millis);
            totals.set(sum);
        }
        let mut all = self.measured.borrow_mut();
        let has_room = all.len() + self.written.get() < MAX_POINTS;
        if self.has_dataset && (has_room || all.contains_key(&measured)) {
            all.entry(measured).or_default().add(millis);
        }
    }

    /// `Server-Timing` (W3C): what the provider and the store took, in milliseconds. `None` if it is not to be shown.
    pub(crate) fn server_timing(&self) -> Option<String> {
        let metric = |name: &str, totals: Totals| {
            format!("{name};dur={};desc=\"{} requests\"", totals.total_ms, totals.count)
        };
        let both = || [metric("provider", self.provider.get()), metric("store", self.store.get())].join(", ");
        self.shows_time.then(both)
    }

    /// Whether the response says where the time went.
    pub(crate) fn shows_time(&self) -> bool {
        self.shows_time
    }

    /// The points that were not written yet.
    pub(super) fn take_points(&self) -> Vec<DataPoint> {
        let host = self.host.get().map_or("", String::as_str);
        let measured = std::mem::take(&mut *self.measured.borrow_mut());
        self.written.set(self.written.get() + measured.len());
        measured.iter().map(|(measured, totals)| measured.point(host, *totals)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(n: usize) -> Measured {
        Measured::Decision { rule: n.to_string(), outcome: "admitted" }
    }

    #[test]
    fn a_request_writes_a_bounded_number_of_points_whatever_it_does() {
        let meter = Meter { has_dataset: true, ..Meter::default() };
        for n in 0..MAX_POINTS - 5 {
            meter.count(measured(n), 0);
        }
        assert_eq!(meter.take_points().len(), MAX_POINTS - 5);
        // What its jobs do afterwards counts with it.
        for n in 0..1000 {
            meter.count(measured(n), 0);
            meter.count(measured(0), 1);
        }
        let points = meter.take_points();
        assert_eq!(points.len(), 5);
        assert_eq!(points.first().map(|point| point.numbers.clone()), Some(vec![1001.0, 1000.0, 1.0]));
        meter.count(measured(0), 0);
        assert!(meter.take_points().is_empty());
    }

    #[test]
    fn without_a_dataset_nothing_is_kept() {
        let meter = Meter { shows_time: true, ..Meter::default() };
        meter.count(Measured::Store { operation: "read", outcome: "ok" }, 7);
        assert!(meter.take_points().is_empty());
        assert!(meter.server_timing().unwrap_or_default().ends_with("store;dur=7;desc=\"1 requests\""));
    }
}
