//! What the process counts, as OpenMetrics: what the core measures of each request (docs/metrics.md), and what the process
//! knows of its connections, its answers, Redis and itself. All threads count in the same place.
//!
//! No label has a text of a client. A label's values are in the core's table, in the configuration, or here.

mod process;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock;
use vestibule_core::log::{DataPoint, METRIC_TEXTS, Metric};

/// The upper bounds of the times that are told apart, in seconds.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// A sum that is no whole number.
type Sum = Counter<f64, AtomicU64>;

/// Labels whose names are in the core's table.
type Labels = Vec<(&'static str, String)>;

/// The counters.
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    accepted: Counter,
    in_flight: Gauge,
    responses: Family<ResponseLabels, Counter>,
    response_time: Histogram,
    redis: Family<RedisLabels, Histogram, fn() -> Histogram>,
    reloads: Family<ReloadLabels, Counter>,
    loaded_at: Gauge<f64, AtomicU64>,
    measured: Vec<Measured>,
}

/// The counters of one of the core's metrics.
struct Measured {
    metric: Metric,
    counts: Family<Labels, Sum>,
    seconds: Family<Labels, Sum>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    status: &'static str,
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RedisLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Nothing is counted yet.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("vestibule");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        own.register("build", "The version of this server", build);
        let connections = Gauge::default();
        own.register("connections", "Connections of clients that are open", connections.clone());
        let accepted = Counter::default();
        own.register("connections_accepted", "Connections of clients that were accepted", accepted.clone());
        let in_flight = Gauge::default();
        own.register("requests_in_flight", "Requests whose answer is not complete", in_flight.clone());
        let responses = Family::default();
        own.register("responses", "Answers, by the class of their status", responses.clone());
        let response_time = histogram();
        let help = "How long it took until the head of an answer was there";
        own.register_with_unit("response", help, Unit::Seconds, response_time.clone());
        let redis = Family::new_with_constructor(histogram as fn() -> Histogram);
        let help = "How long Redis took for one command, connecting included";
        own.register_with_unit("redis_command", help, Unit::Seconds, redis.clone());
        let reloads = Family::<ReloadLabels, Counter>::default();
        // Both are there from the beginning, so that an alert sees the first failure.
        for outcome in [RELOADED, NOT_RELOADED] {
            drop(reloads.get_or_create(&ReloadLabels { outcome }));
        }
        own.register("reloads", "Reloads of the configuration", reloads.clone());
        let loaded_at = Gauge::default();
        loaded_at.set(seconds(Duration::from_millis(clock::now().millis())));
        let help = "When the configuration in use was read, since 1970";
        own.register_with_unit("configuration_loaded_at", help, Unit::Seconds, loaded_at.clone());
        let mut measured = Vec::new();
        for metric in Metric::ALL {
            let entry = metric.entry();
            let (counts, seconds) = (Family::default(), Family::default());
            own.register(entry.name, entry.meaning, counts.clone());
            if entry.has_time {
                let help = format!("{}: how long all of them took together", entry.meaning);
                own.register_with_unit(entry.name, help, Unit::Seconds, seconds.clone());
            }
            measured.push(Measured { metric, counts, seconds });
        }
        registry.register_collector(Box::new(process::Process::new()));
        Self {
            registry,
            connections,
            accepted,
            in_flight,
            responses,
            response_time,
            redis,
            reloads,
            loaded_at,
            measured,
        }
    }

    /// A connection was accepted. It is open until the value is dropped.
    pub(crate) fn connection(&self) -> Counted {
        self.accepted.inc();
        Counted::new(&self.connections)
    }

    /// A request has arrived. It is in flight until the value is dropped.
    pub(crate) fn request(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    /// The head of an answer is there, after this time.
    pub(crate) fn response(&self, status: u16, is_http2: bool, after: Duration) {
        let status = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let protocol = if is_http2 { "h2" } else { "http/1.1" };
        self.responses.get_or_create(&ResponseLabels { status, protocol }).inc();
        self.response_time.observe(seconds(after));
    }

    /// Redis has answered a command, or failed to, after this time.
    pub(crate) fn redis(&self, is_ok: bool, after: Duration) {
        let outcome = if is_ok { "ok" } else { "failed" };
        self.redis.get_or_create(&RedisLabels { outcome }).observe(seconds(after));
    }

    /// The configuration was read again. `is_ok` says whether it is in use.
    pub(crate) fn reloaded(&self, is_ok: bool) {
        let outcome = if is_ok { RELOADED } else { NOT_RELOADED };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
        if is_ok {
            self.loaded_at.set(seconds(Duration::from_millis(clock::now().millis())));
        }
    }

    /// What the core has measured of one request.
    pub(crate) fn measured(&self, points: &[DataPoint]) {
        for point in points {
            let of_point = self.measured.iter().find(|it| it.metric.entry().name == point.index);
            let Some(Measured { metric, counts, seconds }) = of_point else { continue };
            let entry = metric.entry();
            // Not the host, which a client writes.
            let is_label = |column: &str| column == "outcome" || entry.columns.contains(&column);
            let texts = METRIC_TEXTS.iter().zip(&point.texts);
            let labels: Labels = texts
                .filter(|((column, _), _)| is_label(column))
                .map(|((column, _), text)| (*column, text.clone()))
                .collect();
            let [count, total_ms] = [0, 1].map(|n| point.numbers.get(n).copied().unwrap_or_default());
            counts.get_or_create(&labels).inc_by(count);
            if entry.has_time {
                seconds.get_or_create(&labels).inc_by(total_ms / 1000.0);
            }
        }
    }

    /// The text of a scrape, in OpenMetrics 1.0.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The values of `outcome` of a reload.
const RELOADED: &str = "ok";
const NOT_RELOADED: &str = "failed";

/// One that counts until this is dropped.
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The metrics, if the operator wants them.
pub(crate) type MaybeMetrics = Option<Arc<Metrics>>;

fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
