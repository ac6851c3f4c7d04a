//! The metrics, read by a parser that accepts nothing but OpenMetrics 1.0.

#![allow(clippy::float_cmp, reason = "the numbers of these tests are whole")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::http::{self, MAX_WAIT, Message};
use crate::site::{Server, Site};

/// The value of each series, by its name with its labels.
type Samples = BTreeMap<String, f64>;

fn site() -> Site {
    Site::new(3600).with(&["--metrics", "127.0.0.1:0"])
}

/// Where the metrics of this server are.
fn address(server: &Server) -> SocketAddr {
    let line = server.said("metrics at ");
    line.rsplit_once("http://").unwrap().1.strip_suffix("/auth/metrics").unwrap().parse().unwrap()
}

fn scrape(at: SocketAddr) -> Samples {
    let response = http::send(at, &Message::request("GET", "/auth/metrics").with("host", "a"));
    assert_eq!(response.status(), 200);
    let content_type = response.field("content-type");
    assert_eq!(content_type, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    parse(&response.text()).unwrap_or_else(|error| panic!("{error}\n{}", response.text()))
}

/// Scrapes until this holds.
fn scrape_until(at: SocketAddr, holds: impl Fn(&Samples) -> bool) -> Samples {
    let begun = Instant::now();
    loop {
        let samples = scrape(at);
        if holds(&samples) {
            return samples;
        }
        assert!(begun.elapsed() < MAX_WAIT, "{samples:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn get(target: &str) -> Message {
    Message::request("GET", target).with("host", "a")
}

const ADMITTED: &str = r#"vestibule_decision_total{outcome="admitted",rule="AUTH.rules[0]"}"#;
const OK: &str = r#"vestibule_responses_total{status="2xx",protocol="http/1.1"}"#;

#[test]
fn the_threads_count_together_and_every_scrape_is_openmetrics_while_they_do() {
    let site = site();
    let server = site.start();
    let at = address(&server);
    assert!(scrape(at).contains_key("vestibule_build_info{version=\"0.1.0\"}"));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let site = server.address;
            thread::spawn(move || {
                for _ in 0..16 {
                    assert_eq!(http::send(site, &get("/public/x")).status(), 200);
                }
            })
        })
        .collect();
    let mut before = Samples::new();
    while !clients.iter().all(thread::JoinHandle::is_finished) {
        let now = scrape(at);
        assert!(never_less(&before, &now));
        before = now;
    }
    let is_quiet = |samples: &Samples| {
        samples["vestibule_requests_in_flight"] == 0.0 && samples["vestibule_connections"] == 0.0
    };
    let samples = scrape_until(at, is_quiet);
    for name in [ADMITTED, OK, "vestibule_connections_accepted_total", "vestibule_response_seconds_count"] {
        assert_eq!(samples.get(name), Some(&64.0), "{name}: {samples:#?}");
    }
    if cfg!(target_os = "linux") {
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert!(samples[name] > 0.0, "{name}");
        }
    }
    assert!(samples["process_start_time_seconds"] > 1_700_000_000.0);
}

#[test]
fn no_client_can_make_a_series() {
    let site = site();
    let server = site.start();
    let at = address(&server);
    let ask = |n: usize| {
        let request = Message::request(&format!("M{n}"), &format!("/public/{n}?q={n}"))
            .with("host", format!("host-{n}.example"))
            .with("cookie", format!("authjs.session-token={n}"))
            .with("user-agent", format!("agent-{n}"));
        http::send(server.address, &request);
        http::send(server.address, &get(&format!("/guarded-{n}")));
        http::send(server.address, &get(&format!("/auth/{n}")));
    };
    ask(0);
    let names = |samples: &Samples| samples.keys().cloned().collect::<BTreeSet<_>>();
    let before = names(&scrape(at));
    (1..20).for_each(ask);
    let after = scrape(at);
    assert_eq!(names(&after), before);
    let text = format!("{after:?}");
    assert!(!text.contains("example") && !text.contains("agent") && !text.contains("guarded"), "{text}");
}

#[test]
fn a_sign_in_and_a_refusal_are_in_the_metrics_by_provider_and_rule() {
    let site = site();
    let server = site.start();
    let mut browser = Browser::default();
    assert_eq!(browser.get(server.address, "/page").status(), 302);
    browser.sign_in(server.address, &site.provider);
    assert_eq!(browser.get(server.address, "/page").status(), 200);
    assert_eq!(browser.get(server.address, "/forbidden").status(), 403);
    let samples = scrape(address(&server));
    for name in [
        r#"vestibule_decision_total{outcome="sign_in",rule="AUTH.default_access"}"#,
        r#"vestibule_decision_total{outcome="forbidden",rule="AUTH.rules[1]"}"#,
        r#"vestibule_provider_total{outcome="ok",provider="demo",endpoint="token"}"#,
    ] {
        assert_eq!(samples.get(name), Some(&1.0), "{name}: {samples:#?}");
    }
    // The provider of the tests takes 50 ms for it.
    let time = samples[r#"vestibule_provider_seconds_total{outcome="ok",provider="demo",endpoint="token"}"#];
    assert!(time > 0.0, "{time}");
}

#[test]
fn a_reload_is_counted_and_no_counter_goes_back() {
    let site = site();
    let mut server = site.start();
    let at = address(&server);
    assert_eq!(http::send(server.address, &get("/public/x")).status(), 200);
    let before = scrape(at);
    assert_eq!(before[r#"vestibule_reloads_total{outcome="failed"}"#], 0.0);
    site.configure("default_access = \"public\"", "");
    server.signal("HUP");
    server.wait_for("reloaded: new requests");
    assert_eq!(http::send(server.address, &get("/public/x")).status(), 200);
    site.configure("bse_path = \"/x\"", "");
    server.signal("HUP");
    server.wait_for("not reloaded");
    let after = scrape_until(at, |samples| samples[r#"vestibule_reloads_total{outcome="failed"}"#] == 1.0);
    assert!(never_less(&before, &after), "{before:#?} {after:#?}");
    assert_eq!(after[r#"vestibule_reloads_total{outcome="ok"}"#], 1.0);
    assert_eq!((before[ADMITTED], after[ADMITTED]), (1.0, 2.0));
    let loaded = "vestibule_configuration_loaded_at_seconds";
    assert!(after[loaded] >= before[loaded]);
}

#[test]
fn the_address_of_the_site_never_has_the_metrics_and_that_of_the_metrics_nothing_else() {
    let site = site();
    let server = site.start();
    let at = address(&server);
    for target in ["/auth/metrics", "/metrics"] {
        let response = http::send(server.address, &get(target));
        assert!(response.status() != 200 && !response.text().contains("vestibule_"), "{response:?}");
        assert_eq!(http::send(at, &get(target)).status(), 200);
    }
    assert_eq!(http::send(at, &get("/auth/session")).status(), 404);
    assert_eq!(http::send(at, &Message::request("POST", "/auth/metrics").with("host", "a")).status(), 405);
    // Another process cannot listen there, and says so.
    let taken = Site::new(3600).with(&["--metrics", &at.to_string()]);
    let (status, said) = taken.fails();
    assert!(!status.success() && said.contains("--metrics") && said.contains(&at.to_string()), "{said}");
}

#[test]
fn metrics_are_there_while_the_process_ends() {
    let slow = http::serve(|request| {
        thread::sleep(Duration::from_millis(300));
        crate::site::echo(request)
    });
    let site = Site::with_app(3600, slow).with(&["--metrics", "127.0.0.1:0"]);
    let mut server = site.start();
    let (at, address) = (address(&server), server.address);
    let request = thread::spawn(move || http::send(address, &get("/public/x")).status());
    scrape_until(at, |samples| samples["vestibule_requests_in_flight"] == 1.0);
    server.signal("TERM");
    server.wait_for("ending");
    assert_eq!(scrape(at)["vestibule_requests_in_flight"], 1.0);
    assert_eq!(request.join().unwrap(), 200);
    assert!(server.ended().success());
}

/// Whether no counter has a smaller value than before.
fn never_less(before: &Samples, after: &Samples) -> bool {
    let is_counter = |name: &str| {
        let name = name.split('{').next().unwrap_or_default();
        ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
    };
    before.iter().filter(|(name, _)| is_counter(name)).all(|(name, value)| after.get(name) >= Some(value))
}

/// Reads a scrape. The error says what is no OpenMetrics 1.0 (its sections "Text format" and "Metric types").
fn parse(text: &str) -> Result<Samples, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF and a line feed")?;
    if text.contains('\r') || !(body.is_empty() || body.ends_with('\n')) {
        return Err("its lines do not end with a line feed".to_owned());
    }
    let mut samples = Samples::new();
    let mut families: Vec<Family> = Vec::new();
    for line in body.lines() {
        if let Some(descriptor) = line.strip_prefix("# ") {
            let mut parts = descriptor.splitn(3, ' ');
            let (Some(keyword), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(format!("no descriptor: {line}"));
            };
            if !is_name(name) {
                return Err(format!("no name: {line}"));
            }
            if families.last().is_none_or(|family| family.name != name) {
                if families.iter().any(|family| family.name == name) {
                    return Err(format!("a family in two parts: {name}"));
                }
                families.push(Family { name: name.to_owned(), ..Family::default() });
            }
            let family = families.last_mut().ok_or("no family")?;
            if family.has_samples {
                return Err(format!("a descriptor behind samples: {line}"));
            }
            let (field, is_valid) = match keyword {
                "TYPE" => (&mut family.kind, matches!(rest, "counter" | "gauge" | "histogram" | "info")),
                "HELP" => (&mut family.help, !rest.is_empty()),
                "UNIT" => (&mut family.unit, name.ends_with(&format!("_{rest}"))),
                _ => return Err(format!("neither a descriptor nor the end: {line}")),
            };
            if !is_valid || !field.is_empty() {
                return Err(format!("not valid, or there twice: {line}"));
            }
            rest.clone_into(field);
            continue;
        }
        let family = families.last_mut().ok_or_else(|| format!("a sample without a family: {line}"))?;
        family.has_samples = true;
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| format!("no sample: {line}"))?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').ok_or(format!("no labels: {line}"))?),
            None => (series, ""),
        };
        let labels = parse_labels(labels).ok_or_else(|| format!("no labels: {line}"))?;
        let suffix = name.strip_prefix(family.name.as_str()).ok_or_else(|| format!("no family: {line}"))?;
        let is_valid = match (family.kind.as_str(), suffix) {
            ("histogram", "_bucket") => labels.contains_key("le"),
            ("counter", "_total") | ("gauge", "") | ("info", "_info") | ("histogram", "_count" | "_sum") => {
                !labels.contains_key("le")
            }
            _ => false,
        };
        let number: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
        let is_counted = family.kind != "gauge";
        if !is_valid || !number.is_finite() || (is_counted && number < 0.0) {
            return Err(format!("not a sample of a {}: {line}", family.kind));
        }
        if samples.insert(series.to_owned(), number).is_some() {
            return Err(format!("a series twice: {line}"));
        }
        if family.kind == "histogram" {
            family.see(suffix, labels, number).map_err(|error| format!("{error}: {line}"))?;
        }
    }
    for family in &families {
        if family.kind.is_empty() || family.help.is_empty() {
            return Err(format!("{} has no type or no help", family.name));
        }
    }
    Ok(samples)
}

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    unit: String,
    has_samples: bool,
    /// The last bucket of each histogram: its bound, and its value.
    buckets: BTreeMap<BTreeMap<String, String>, (f64, f64)>,
    counts: BTreeMap<BTreeMap<String, String>, f64>,
}

impl Family {
    /// Whether the buckets grow, and the last one has all that was counted.
    fn see(&mut self, suffix: &str, mut labels: BTreeMap<String, String>, value: f64) -> Result<(), String> {
        let bound = labels.remove("le");
        match (suffix, bound) {
            ("_bucket", Some(bound)) => {
                let bound =
                    if bound == "+Inf" { f64::INFINITY } else { bound.parse().map_err(|_| "no bound")? };
                let last = self.buckets.insert(labels, (bound, value));
                if last.is_some_and(|(last_bound, last)| last_bound >= bound || last > value) {
                    return Err("a bucket out of order".to_owned());
                }
            }
            ("_count", _) => drop(self.counts.insert(labels, value)),
            _ => {}
        }
        for (labels, count) in &self.counts {
            let (bound, value) = self.buckets.get(labels).copied().unwrap_or((f64::INFINITY, *count));
            if bound.is_infinite() && (value - count).abs() > 0.0 {
                return Err("the last bucket is not the count".to_owned());
            }
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `a="1",b="2"`. `None` if it is not that.
fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut signs = rest.char_indices();
        let end = loop {
            match signs.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match signs.next()?.1 {
                    'n' => value.push('\n'),
                    sign @ ('\\' | '"') => value.push(sign),
                    _ => return None,
                },
                (_, sign) => value.push(sign),
            }
        };
        if !is_name(name) || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        let rest = &rest[end..];
        text = match rest.strip_prefix(',') {
            Some("") => return None,
            Some(next) => next,
            None if rest.is_empty() => "",
            None => return None,
        };
    }
    Some(labels)
}

#[test]
fn the_parser_of_these_tests_refuses_what_is_no_openmetrics() {
    let right = "# TYPE a counter\n# HELP a A.\na_total{x=\"1\"} 1\n# EOF\n";
    assert_eq!(parse(right).unwrap()["a_total{x=\"1\"}"], 1.0);
    for (old, new) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\nmore\n"),
        ("a_total", "a"),
        ("a_total", "b_total"),
        (" 1\n", " one\n"),
        (" 1\n", " -1\n"),
        ("x=\"1\"", "x=1"),
        ("x=\"1\"", "x=\"1\",x=\"2\""),
        ("# HELP a A.\n", ""),
        ("# TYPE a counter\n", ""),
        ("# HELP a A.\n", "# HELP a A.\n# UNIT a seconds\n"),
        ("# HELP a A.\n", "# HELP a A.\n# TYPE a counter\n"),
        ("# EOF\n", "a_total{x=\"1\"} 2\n# EOF\n"),
        ("# EOF\n", "# TYPE b gauge\n# HELP b B.\nb 1\n# TYPE a counter\n# EOF\n"),
    ] {
        assert_ne!(right.replacen(old, new, 1), right);
        assert!(parse(&right.replacen(old, new, 1)).is_err(), "{old:?} {new:?}");
    }
    let buckets = |last: &str| {
        format!(
            "# TYPE h histogram\n# HELP h H.\nh_bucket{{le=\"1\"}} 1\nh_bucket{{le=\"+Inf\"}} {last}\nh_count 2\n# EOF\n"
        )
    };
    assert!(parse(&buckets("2")).is_ok());
    assert!(parse(&buckets("0")).is_err() && parse(&buckets("3")).is_err());
}
