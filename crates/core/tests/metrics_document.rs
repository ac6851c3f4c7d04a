//! docs/metrics.md and docs/grafana/vestibule.json say what the table of metrics says (`crates/core/src/log/metric.rs`).
//! `UPDATE=1 cargo test -p vestibule-core --test metrics_document` writes them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vestibule_core::log::{METRIC_NUMBERS, METRIC_TEXTS, Metric};

const COMMAND: &str = "UPDATE=1 cargo test -p vestibule-core --test metrics_document";

/// A panel of the dashboard: its title, how it is shown, the unit of its values, the metric, and the query. `{name}` in the
/// query is a column of the table.
type Panel = (&'static str, Shown, &'static str, Metric, &'static str);

#[derive(Clone, Copy, PartialEq)]
enum Shown {
    OverTime,
    Table,
}

const PANELS: [Panel; 10] = [
    (
        "Decisions by outcome",
        Shown::OverTime,
        "short",
        Metric::Decision,
        "SELECT $timeSeries AS t, {outcome} AS outcome, SUM(_sample_interval * {count}) AS requests FROM ${dataset:raw} WHERE FILTER GROUP BY t, outcome ORDER BY t",
    ),
    (
        "Requests that may not pass, by rule",
        Shown::Table,
        "short",
        Metric::Decision,
        "SELECT {rule} AS rule, {outcome} AS outcome, SUM(_sample_interval * {count}) AS requests FROM ${dataset:raw} WHERE FILTER AND {outcome} != 'admitted' GROUP BY rule, outcome ORDER BY requests DESC LIMIT 50",
    ),
    (
        "Refreshes by outcome",
        Shown::OverTime,
        "short",
        Metric::Refresh,
        "SELECT $timeSeries AS t, {outcome} AS outcome, SUM(_sample_interval * {count}) AS refreshes FROM ${dataset:raw} WHERE FILTER GROUP BY t, outcome ORDER BY t",
    ),
    (
        "Refreshes without new tokens, by provider",
        Shown::Table,
        "short",
        Metric::Refresh,
        "SELECT {provider} AS provider, {outcome} AS outcome, SUM(_sample_interval * {count}) AS refreshes FROM ${dataset:raw} WHERE FILTER AND {outcome} != 'renewed' AND {outcome} != 'renewed_elsewhere' GROUP BY provider, outcome ORDER BY refreshes DESC LIMIT 50",
    ),
    (
        "Provider: time by endpoint, 95th percentile",
        Shown::OverTime,
        "ms",
        Metric::Provider,
        "SELECT $timeSeries AS t, {endpoint} AS endpoint, quantileExactWeighted(0.95)({max_ms}, _sample_interval) AS p95 FROM ${dataset:raw} WHERE FILTER GROUP BY t, endpoint ORDER BY t",
    ),
    (
        "Provider: mean time by endpoint",
        Shown::OverTime,
        "ms",
        Metric::Provider,
        "SELECT $timeSeries AS t, {endpoint} AS endpoint, SUM(_sample_interval * {total_ms}) / SUM(_sample_interval * {count}) AS mean FROM ${dataset:raw} WHERE FILTER GROUP BY t, endpoint ORDER BY t",
    ),
    (
        "Provider: requests that failed",
        Shown::Table,
        "short",
        Metric::Provider,
        "SELECT {provider} AS provider, {endpoint} AS endpoint, {outcome} AS outcome, SUM(_sample_interval * {count}) AS requests FROM ${dataset:raw} WHERE FILTER AND {outcome} != 'ok' GROUP BY provider, endpoint, outcome ORDER BY requests DESC LIMIT 50",
    ),
    (
        "Store: operations",
        Shown::OverTime,
        "short",
        Metric::Store,
        "SELECT $timeSeries AS t, {operation} AS operation, SUM(_sample_interval * {count}) AS operations FROM ${dataset:raw} WHERE FILTER GROUP BY t, operation ORDER BY t",
    ),
    (
        "Store: time by operation, 95th percentile",
        Shown::OverTime,
        "ms",
        Metric::Store,
        "SELECT $timeSeries AS t, {operation} AS operation, quantileExactWeighted(0.95)({max_ms}, _sample_interval) AS p95 FROM ${dataset:raw} WHERE FILTER GROUP BY t, operation ORDER BY t",
    ),
    (
        "Store: operations that failed",
        Shown::Table,
        "short",
        Metric::Store,
        "SELECT {operation} AS operation, {outcome} AS outcome, SUM(_sample_interval * {count}) AS operations FROM ${dataset:raw} WHERE FILTER AND {outcome} != 'ok' GROUP BY operation, outcome ORDER BY operations DESC LIMIT 50",
    ),
];

/// A part of every query.
const FILTER: &str = "$timeFilter AND index1 = 'METRIC'";

/// Another one. `%` is every host. With a format Grafana itself fills in a variable: the plugin would quote the name of a
/// table.
const OF_HOST: &str = " AND {host} LIKE ${host:sqlstring}";

const HEAD: &str = "\
# Metrics

How often rules decided what, how refreshes ended, and how long the store and the providers take, in a dataset of Analytics
Engine on Cloudflare, and as OpenMetrics [on a server of your own](#on-a-server-of-your-own). They are off until you ask for them:

```toml
[vars.AUTH.metrics]
sink = \"analytics\"

[[analytics_engine_datasets]]
binding = \"AUTH_METRICS\"
dataset = \"vestibule_metrics\"
```

What a request did is added up and written at its end, in one go: one point for each line of what it did, 20 at most (Analytics
Engine [takes 250 of one request](https://developers.cloudflare.com/analytics/analytics-engine/limits/), and keeps them for three
months). Most requests have one point, the decision; it counts as a data point written in the
[platform's prices](https://developers.cloudflare.com/analytics/analytics-engine/pricing/). What goes on after the response
writes its own points, within the same 20. No request waits for them, and none fails because of them: a binding that is missing is
named at the start (`configuration_advice`) and once in each process (`metrics_not_written`).

There is no time of a decision: the clock of a Worker stands still while it computes. It moves while the Worker waits, so the times
of the store and of providers are real. What was asked again and again in one request is one point, with a count and a sum.

No point has a path, a query, a user or an address. A rule is named by its place; the texts are those of your configuration and of
this page, and the host's name. The points of a request whose client has left may be missing.

## The columns

";

const QUERIES: &str = "
## Queries

Analytics Engine [keeps only some of very many points](https://developers.cloudflare.com/analytics/analytics-engine/sampling/), and
says in `_sample_interval` how many one row stands for. So a number of anything is `SUM(_sample_interval * double1)`, never
`COUNT()`; a mean is a sum through a sum, and a percentile weighs each row. It samples by the index, which is the metric, so that
the many decisions do not displace the few refreshes.

**Which rule refused how often in the last day?**

```sh
curl \"https://api.cloudflare.com/client/v4/accounts/$ACCOUNT/analytics_engine/sql\" \\
  -H \"Authorization: Bearer $TOKEN\" -d \"
";

const GRAFANA: &str = "\
```

The token needs *Account Analytics: Read*.

## Grafana

[grafana/vestibule.json](grafana/vestibule.json) is a dashboard with these panels: PANELS. Its data source is the [Altinity plugin
for ClickHouse](https://grafana.com/grafana/plugins/vertamedia-clickhouse-datasource/), version 3.1.1 or newer, because [Cloudflare
documents it for Analytics Engine](https://developers.cloudflare.com/analytics/analytics-engine/grafana/):

1. Add the data source. The URL is the one above; no authentication, and a custom header `Authorization` with `Bearer` and the token.
2. Import the file, and choose the data source. `dataset` is the name in `wrangler.toml`; `host` is a pattern, `%` for all hosts.

The dashboard is generated from the same table as this page, and a test compares the two. It was not opened in a Grafana with a real
account.

## On a server of your own

`vestibule-server --metrics 127.0.0.1:9464` counts the same and shows it at `http://127.0.0.1:9464/auth/metrics` as [OpenMetrics
1.0](https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md), which Prometheus reads:

```yaml
scrape_configs:
  - job_name: vestibule
    metrics_path: /auth/metrics
    static_configs: [{ targets: [\"127.0.0.1:9464\"] }]
```

Each metric above is a counter with its own columns and `outcome` as labels, such as
`vestibule_decision_total{outcome=\"admitted\",rule=\"AUTH.rules[0]\"}`; those with times have `vestibule_store_seconds_total`,
too. There is no `host`, because a client writes it. Besides them there are

| name | what |
|---|---|
| `vestibule_build_info` | the version |
| `vestibule_connections`, `vestibule_connections_accepted_total` | connections of clients, those of WebSockets with them |
| `vestibule_requests_in_flight` | requests whose answer is not complete |
| `vestibule_responses_total` | answers, by the class of their `status` (`2xx`) and `protocol` (`h2`, `http/1.1`) |
| `vestibule_response_seconds` | a histogram: until the head of an answer was there, the upstream's time included |
| `vestibule_redis_command_seconds` | a histogram by `outcome` (`ok`, `failed`): what Redis took for one command |
| `vestibule_reloads_total`, `vestibule_configuration_loaded_at_seconds` | reloads by `outcome` (`ok`, `failed`), and when the last one that is in use was |
| `process_start_time_seconds`, `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` | the process |

## Server-Timing, in development

```toml
[vars.AUTH.metrics]
server_timing = true
```

Each response then says in [`Server-Timing`](https://www.w3.org/TR/server-timing/) how long all requests to the provider and all
operations of the store took, in milliseconds, and how many they were; a browser's developer tools show it:

```text
Server-Timing: provider;dur=132;desc=\"2 requests\", store;dur=11;desc=\"3 requests\"
```

Only responses to a request for this machine have it (`localhost`, `127.0.0.1`, `[::1]`), and only if no network in front named the
client or the request: it is for a developer only. Where the configuration says that the site is elsewhere
(`origin`, `login_url`), the key is refused. It needs no sink. A response of an upstream is then not passed on before its head has
arrived, and one that the runtime cannot copy has no such field.

This page is generated from the table in `crates/core/src/log/metric.rs`.
";

#[test]
fn the_document_says_what_the_table_says() {
    compare("../../docs/metrics.md", &document());
}

#[test]
fn the_dashboard_asks_for_what_the_table_has() {
    let dashboard = serde_json::to_string_pretty(&dashboard()).unwrap() + "\n";
    compare("../../docs/grafana/vestibule.json", &dashboard);
}

/// Each column that is read exists, each text that is compared is one that can be there, and no metric lacks a panel.
#[test]
fn every_query_uses_only_names_of_the_table() {
    for metric in Metric::ALL {
        assert!(PANELS.iter().any(|panel| panel.3 == metric), "no panel has {metric:?}");
    }
    for panel in &PANELS {
        let (title, query, entry) = (panel.0, query(panel), panel.3.entry());
        let texts: Vec<&str> = query.split('\'').skip(1).step_by(2).collect();
        for text in texts {
            let is_known = text == entry.name || entry.outcomes.iter().any(|(outcome, _)| *outcome == text);
            assert!(is_known, "{title}: {text}");
        }
        for column in named(panel.4) {
            let is_of_metric = ["outcome", "count"].contains(&column)
                || entry.columns.contains(&column)
                || entry.has_time && ["total_ms", "max_ms"].contains(&column);
            assert!(is_of_metric, "{title}: {} has no {column}", entry.name);
        }
        assert!(query.contains("_sample_interval") && query.contains("FROM ${dataset:raw} "), "{title}");
    }
}

fn compare(path: &str, wanted: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == wanted, "{} is behind the table: {COMMAND}", path.display());
}

/// The names in braces, without the variables of Grafana.
fn named(query: &str) -> Vec<&str> {
    let names = query.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name).filter(|name| !name.contains(':')).collect()
}

fn query(panel: &Panel) -> String {
    filled_in(panel, &[FILTER, OF_HOST].concat())
}

/// The query with this filter, and with the columns of the dataset in place of the names of the table.
fn filled_in(panel: &Panel, filter: &str) -> String {
    let filter = filter.replace("METRIC", panel.3.entry().name);
    let query = panel.4.replace("FILTER", &filter);
    let texts = METRIC_TEXTS.iter().enumerate().map(|(n, (name, _))| (*name, format!("blob{}", n + 1)));
    let numbers = METRIC_NUMBERS.iter().enumerate().map(|(n, (name, _))| (*name, format!("double{}", n + 1)));
    let columns: Vec<(&str, String)> = texts.chain(numbers).collect();
    // What Grafana fills in has a dollar in front.
    let query = query.replace("${", "$\u{1}");
    let query =
        columns.iter().fold(query, |query, (name, column)| query.replace(&format!("{{{name}}}"), column));
    assert!(!query.contains('{'), "no such column: {query}");
    query.replace("$\u{1}", "${")
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| column | name | what |\n|---|---|---|\n| `index1` | | the name of the metric |\n");
    for (n, (name, what)) in METRIC_TEXTS.iter().enumerate() {
        writeln!(text, "| `blob{}` | `{name}` | {what} |", n + 1).unwrap();
    }
    for (n, (name, what)) in METRIC_NUMBERS.iter().enumerate() {
        writeln!(text, "| `double{}` | `{name}` | {what} |", n + 1).unwrap();
    }
    text.push_str("| `timestamp`, `_sample_interval` | | Analytics Engine's own |\n");
    for metric in Metric::ALL {
        let entry = metric.entry();
        let columns: Vec<String> = entry.columns.iter().map(|name| format!("`{name}`")).collect();
        let time = if entry.has_time { " It has times." } else { " Its times are 0." };
        writeln!(
            text,
            "\n## `{}`\n\n{}. Its own columns: {}.{time}\n",
            entry.name,
            entry.meaning,
            columns.join(", ")
        )
        .unwrap();
        text.push_str("| `outcome` | means |\n|---|---|\n");
        for (outcome, means) in entry.outcomes {
            writeln!(text, "| `{outcome}` | {means} |").unwrap();
        }
    }
    text.push_str(QUERIES.strip_suffix('\n').unwrap());
    let by_rule = filled_in(&PANELS[1], FILTER).replace("${dataset:raw}", "vestibule_metrics");
    text.push_str(&by_rule.replace("$timeFilter", "timestamp > NOW() - INTERVAL '1' DAY"));
    text.push_str("\"\n");
    let titles: Vec<&str> = PANELS.iter().map(|panel| panel.0).collect();
    text.push_str(&GRAFANA.replace("PANELS", &titles.join("; ")));
    text
}

fn dashboard() -> Value {
    let source = json!({ "type": "vertamedia-clickhouse-datasource", "uid": "${DS_ANALYTICS_ENGINE}" });
    let panels: Vec<Value> = PANELS.iter().enumerate().map(|(n, panel)| shown(n, panel, &source)).collect();
    json!({
        "__inputs": [{
            "name": "DS_ANALYTICS_ENGINE",
            "label": "Analytics Engine",
            "description": "The SQL API of Cloudflare's Analytics Engine",
            "type": "datasource",
            "pluginId": "vertamedia-clickhouse-datasource",
            "pluginName": "Altinity plugin for ClickHouse",
        }],
        "__requires": [
            { "type": "datasource", "id": "vertamedia-clickhouse-datasource", "name": "Altinity plugin for ClickHouse", "version": "3.1.1" },
            { "type": "panel", "id": "timeseries", "name": "Time series", "version": "" },
            { "type": "panel", "id": "table", "name": "Table", "version": "" },
        ],
        "title": "Vestibule",
        "uid": "vestibule",
        "description": "Decisions, refreshes, store and providers: docs/metrics.md",
        "tags": ["vestibule"],
        "schemaVersion": 39,
        "editable": true,
        "refresh": "",
        "time": { "from": "now-24h", "to": "now" },
        "templating": { "list": [variable("dataset", "vestibule_metrics"), variable("host", "%")] },
        "panels": panels,
    })
}

fn variable(name: &str, value: &str) -> Value {
    let chosen = json!({ "text": value, "value": value, "selected": true });
    json!({ "name": name, "label": name, "type": "textbox", "query": value, "current": chosen, "options": [chosen] })
}

fn shown(n: usize, panel: &Panel, source: &Value) -> Value {
    let (title, shown, unit, ..) = *panel;
    let (kind, format) = match shown {
        Shown::OverTime => ("timeseries", "time_series"),
        Shown::Table => ("table", "table"),
    };
    json!({
        "id": n + 1,
        "title": title,
        "type": kind,
        "datasource": source,
        "gridPos": { "x": n % 2 * 12, "y": n / 2 * 8, "w": 12, "h": 8 },
        "fieldConfig": { "defaults": { "unit": unit }, "overrides": [] },
        "targets": [{
            "refId": "A",
            "datasource": source,
            "query": query(panel),
            "format": format,
            "dateTimeType": "DATETIME",
            "dateTimeColDataType": "timestamp",
            "extrapolate": false,
            "intervalFactor": 1,
            "round": "0s",
        }],
    })
}
