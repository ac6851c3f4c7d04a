//! The table of metrics: what is counted and measured, and in which columns of a dataset it is. `docs/metrics.md` and the
//! dashboard are generated from it.
//!
//! What a text says is written in the configuration or in this table, but for the name of the request's host: a client cannot
//! make new ones, and none names a user or a path.

use super::DataPoint;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// What was decided about a request.
    Decision,
    /// How a refresh ended.
    Refresh,
    /// An operation of a store or a lock.
    Store,
    /// A request to a provider.
    Provider,
}

/// What the table says about a metric.
#[derive(Debug)]
pub struct MetricEntry {
    /// Its name, which is the index of its points.
    pub name: &'static str,
    /// What one of it is.
    pub meaning: &'static str,
    /// The columns of texts that it has besides `metric`, `host` and `outcome`.
    pub columns: &'static [&'static str],
    /// The values of `outcome`, and what each means.
    pub outcomes: &'static [(&'static str, &'static str)],
    /// Whether it takes time that the runtime's clock shows.
    pub has_time: bool,
}

/// The columns of texts of each point, in order, and what each says. A metric that lacks a column has an empty text there.
pub const METRIC_TEXTS: [(&str, &str); 7] = [
    ("metric", "the name of the metric"),
    (
        "host",
        "the host of the request; `preview` for every host of `preview_hosts`, and `outside` for one that `cookies.domain` does \
         not cover",
    ),
    ("outcome", "how it ended: see each metric"),
    (
        "rule",
        "the rule that decided, by its place: `AUTH.rules[3]`; `AUTH.default_access` where none matched; `verify`, `preflight` \
         and `hook` where no rule decided; `none` before a rule was found",
    ),
    ("provider", "the provider's id in the configuration"),
    ("endpoint", "which of its endpoints, as messages call it: `token`, `discovery`, `jwks`, …"),
    ("operation", "`read`, `read_many`, `write` or `delete` of the store; `lock`, a call to a lock"),
];

/// The columns of numbers of each point, in order, and what each says.
pub const METRIC_NUMBERS: [(&str, &str); 3] = [
    ("count", "how many of them the request had"),
    ("total_ms", "how long all of them took together, in milliseconds"),
    ("max_ms", "how long the longest of them took, in milliseconds"),
];

impl Metric {
    /// All of them, in the order of the document.
    pub const ALL: [Self; 4] = [Self::Decision, Self::Refresh, Self::Store, Self::Provider];

    /// What the table says about it.
    pub fn entry(self) -> &'static MetricEntry {
        match self {
            Self::Decision => &DECISION,
            Self::Refresh => &REFRESH,
            Self::Store => &STORE,
            Self::Provider => &PROVIDER,
        }
    }
}

const DECISION: MetricEntry = MetricEntry {
    name: "decision",
    meaning: "A request to the application, or of a proxy at `/verify`, and what the guard decided about it",
    columns: &["rule"],
    outcomes: &[
        ("admitted", "it may pass"),
        ("sign_in", "no one is signed in"),
        ("forbidden", "the user may not pass"),
        ("not_found", "the rule hides the path, or no upstream has it"),
        ("step_up", "the user has to prove more"),
        ("confirm", "the provider has to confirm the user"),
        ("token_expired", "the access token has expired and has to be renewed elsewhere"),
        ("token_invalid", "the client's access token is not valid"),
        ("unavailable", "a token or a look-up is unavailable for now: 503"),
        ("cross_origin", "a page of another origin sent it"),
        ("server_function", "it calls a server function, and no one is signed in"),
        ("path_too_long", "to decide would cost too much work"),
    ],
    has_time: false,
};

const REFRESH: MetricEntry = MetricEntry {
    name: "refresh",
    meaning: "An attempt to refresh a session. Of many requests with one session, one makes it",
    columns: &["provider"],
    outcomes: &[
        ("renewed", "the provider gave new tokens"),
        ("renewed_elsewhere", "another process had them already"),
        ("ended", "the refresh token is no longer valid, or the user may no longer sign in"),
        ("signed_out", "the user signed out meanwhile"),
        ("tokens_lost", "the store no longer has the refresh token"),
        ("held_elsewhere", "another process is at it"),
        ("unavailable", "the provider or the lease gave no answer, or the configuration does not fit"),
    ],
    has_time: false,
};

const STORE: MetricEntry = MetricEntry {
    name: "store",
    meaning: "An operation of the store, or a call to a lock. The time of `lock` has in it how long the lock waited for another \
              process",
    columns: &["operation"],
    outcomes: &[
        ("ok", "it was done"),
        ("missing", "the binding is missing"),
        ("busy", "the store refuses the write for now"),
        ("failed", "any other error"),
        ("abandoned", "it took so long that no one waited for it any more"),
    ],
    has_time: true,
};

const PROVIDER: MetricEntry = MetricEntry {
    name: "provider",
    meaning: "A request to an endpoint of a provider, or of an API that signs users in",
    columns: &["provider", "endpoint"],
    outcomes: &[
        ("ok", "a status below 400"),
        ("refused", "a status from 400 to 499"),
        ("failed", "a status from 500"),
        ("timeout", "no answer in time"),
        ("unreachable", "the connection failed"),
        ("too_large", "the answer is too large"),
        ("abandoned", "no one waited for the answer any more"),
    ],
    has_time: true,
};

/// What was counted: the metric, and its texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// [`Metric::Decision`]
    Decision {
        /// The rule.
        rule: String,
        /// The outcome.
        outcome: &'static str,
    },
    /// [`Metric::Refresh`]
    Refresh {
        /// The provider's id.
        provider: String,
        /// The outcome.
        outcome: &'static str,
    },
    /// [`Metric::Store`]
    Store {
        /// The operation.
        operation: &'static str,
        /// The outcome.
        outcome: &'static str,
    },
    /// [`Metric::Provider`]
    Provider {
        /// The provider's id.
        provider: String,
        /// The endpoint, as messages call it.
        endpoint: &'static str,
        /// The outcome.
        outcome: &'static str,
    },
}

/// How often something was measured, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// How many of them there were.
    pub count: u32,
    /// How long all took together, in milliseconds.
    pub total_ms: u64,
    /// How long the longest took, in milliseconds.
    pub max_ms: u64,
}

impl Measured {
    /// The metric.
    pub fn metric(&self) -> Metric {
        match self {
            Self::Decision { .. } => Metric::Decision,
            Self::Refresh { .. } => Metric::Refresh,
            Self::Store { .. } => Metric::Store,
            Self::Provider { .. } => Metric::Provider,
        }
    }

    /// A row of the dataset.
    pub fn point(&self, host: &str, totals: Totals) -> DataPoint {
        let text = |(column, _): &(&str, &str)| match *column {
            "metric" => self.metric().entry().name,
            "host" => host,
            column => self.text(column),
        };
        let number = |(column, _): &(&str, &str)| match *column {
            "count" => f64::from(totals.count),
            "total_ms" => to_f64(totals.total_ms),
            _ => to_f64(totals.max_ms),
        };
        DataPoint {
            index: self.metric().entry().name.to_owned(),
            texts: METRIC_TEXTS.iter().map(|column| text(column).to_owned()).collect(),
            numbers: METRIC_NUMBERS.iter().map(number).collect(),
        }
    }

    fn text(&self, column: &str) -> &str {
        match (self, column) {
            (
                Self::Decision { outcome, .. }
                | Self::Refresh { outcome, .. }
                | Self::Store { outcome, .. }
                | Self::Provider { outcome, .. },
                "outcome",
            ) => outcome,
            (Self::Decision { rule, .. }, "rule") => rule,
            (Self::Refresh { provider, .. } | Self::Provider { provider, .. }, "provider") => provider,
            (Self::Provider { endpoint, .. }, "endpoint") => endpoint,
            (Self::Store { operation, .. }, "operation") => operation,
            _ => "",
        }
    }
}

/// A request takes less than the 49 days of 32 bits.
fn to_f64(millis: u64) -> f64 {
    u32::try_from(millis).unwrap_or(u32::MAX).into()
}

impl Totals {
    /// One more, which took so long.
    pub fn add(&mut self, millis: u64) {
        self.count = self.count.saturating_add(1);
        self.total_ms = self.total_ms.saturating_add(millis);
        self.max_ms = self.max_ms.max(millis);
    }
}

/// Where metrics go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Whether they go to the runtime's dataset.
    pub has_dataset: bool,
    /// Whether responses on the developer's own machine say where the time went (`Server-Timing`).
    pub server_timing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_of_a_metric_is_a_column_of_the_table() {
        for metric in Metric::ALL {
            for column in metric.entry().columns {
                assert!(METRIC_TEXTS.iter().any(|(name, _)| name == column), "{column}");
            }
        }
        // Twenty of each are what Analytics Engine takes.
        assert!(METRIC_TEXTS.len() <= 20 && METRIC_NUMBERS.len() <= 20);
    }

    #[test]
    fn a_point_has_its_texts_and_numbers_in_the_columns_of_the_table() {
        let mut totals = Totals::default();
        totals.add(7);
        totals.add(30);
        let measured = Measured::Provider { provider: "okta".to_owned(), endpoint: "jwks", outcome: "ok" };
        let point = measured.point("app.example.com", totals);
        assert_eq!(point.index, "provider");
        assert_eq!(point.texts, ["provider", "app.example.com", "ok", "", "okta", "jwks", ""]);
        assert_eq!(point.numbers, [2.0, 37.0, 30.0]);
    }
}
