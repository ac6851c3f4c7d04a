//! The way of a line to the sinks of the audit log. A request only adds it to what waits; a job in the background sends it. So
//! a sink that is slow, or that fails, delays no request, and costs a bounded amount of work and memory.
//!
//! A line may come twice: where a sink took it and the answer was lost, it is sent again. Lines that wait are lost with their
//! process.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use super::waiting::{MAX_WAITING, RETRY, Waiting};
use crate::flow::vestibule::Vestibule;
use crate::log::{DataPoint, Line, LogEvent, Record, Sink, SinkKind, point};
use crate::platform::{Platform, answered_within};
use vestibule_oidc::http::client::FetchRequest;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::url::Url;

/// How long a sink may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer of an endpoint, in bytes. It is not read.
const MAX_ANSWER: usize = 64 * 1024;

/// How many batches one job sends, and how long it begins another one: its runtime may end it half a minute after the response.
const MAX_BATCHES: usize = 20;
const MAX_TIME: Duration = Duration::from_secs(20);

impl Vestibule {
    /// Writes a line into the operator's log, and sends it to the sinks of the audit log if it is one of that.
    pub(crate) fn write<P: Platform>(&self, platform: &P, line: Line) {
        let (audit, entry) = (&self.config.audit, line.event().entry());
        let is_audited = entry.audit.is_some_and(|kind| audit.wants(kind));
        if !entry.is_audit_only || is_audited && audit.sinks.contains(&Sink::Log) {
            platform.log(&line);
        }
        if !is_audited {
            return;
        }
        let line = Rc::new(line);
        for (at, _) in audit.sinks.iter().enumerate().filter(|(_, sink)| **sink != Sink::Log) {
            let now = platform.now();
            let begins = self.audit.with(at, |waiting| {
                waiting.push(Rc::clone(&line));
                waiting.begin_job(now)
            });
            if begins == Some(true) {
                let job = Job { vestibule: self.clone(), platform: platform.clone(), sink: at };
                platform.spawn(job.run());
            }
        }
    }
}

/// Sends what waits for one sink. It owns its data, because the request that began it may end first.
struct Job<P: Platform> {
    vestibule: Vestibule,
    platform: P,
    /// The sink's place in the configuration.
    sink: usize,
}

impl<P: Platform> Job<P> {
    async fn run(self) {
        // What the same request says next goes along.
        self.platform.sleep(Duration::ZERO).await;
        let deadline = self.platform.now().plus(MAX_TIME);
        for _ in 0..self.max_batches() {
            if self.platform.now() >= deadline {
                break;
            }
            let batch = self.waiting(|waiting| waiting.batch());
            let Some(last) = batch.last().map(|(number, _)| *number) else { break };
            let lines: Vec<Rc<Line>> = batch.into_iter().map(|(_, line)| line).collect();
            let Err(error) = self.send(&lines).await else {
                self.waiting(|waiting| waiting.sent(last));
                continue;
            };
            let now = self.platform.now();
            if let Some((wait, dropped)) = self.waiting(|waiting| waiting.failed(now)) {
                self.report(&error, wait, dropped);
            }
            if !self.waiting(|waiting| waiting.has_failed_once()) {
                break;
            }
            self.platform.sleep(RETRY).await;
        }
        self.waiting(Waiting::end_job);
    }

    /// A dataset takes one batch in one request, to which the job belongs.
    fn max_batches(&self) -> usize {
        match self.vestibule.config.audit.sinks.get(self.sink) {
            Some(Sink::Bound(SinkKind::Dataset)) => 1,
            _ => MAX_BATCHES,
        }
    }

    async fn send(&self, lines: &[Rc<Line>]) -> Result<(), String> {
        let platform = &self.platform;
        match self.vestibule.config.audit.sinks.get(self.sink) {
            Some(Sink::Bound(SinkKind::Queue)) => {
                let messages = texts(lines);
                let sent = pin!(platform.send_to_queue(&messages));
                answered_within(platform, TIMEOUT, sent).await.map_err(|error| error.to_string())
            }
            Some(Sink::Bound(SinkKind::Dataset)) => {
                let points: Vec<DataPoint> = lines.iter().map(|line| point(line)).collect();
                platform.write_points(&points).map_err(|error| error.to_string())
            }
            Some(Sink::Http(url)) => self.post(url, lines).await,
            Some(Sink::Log) | None => Ok(()),
        }
    }

    /// Sends them to an endpoint, one JSON object in a line.
    async fn post(&self, url: &Url, lines: &[Rc<Line>]) -> Result<(), String> {
        let mut headers = Headers::default();
        headers.set("content-type", "application/x-ndjson");
        headers.set("user-agent", "Vestibule");
        if let Some(secret) = &self.vestibule.config.audit.secret {
            headers.set("authorization", format!("Bearer {}", secret.expose()));
        }
        let request = FetchRequest {
            method: Method::Post,
            url: url.as_str().to_owned(),
            headers,
            body: texts(lines).iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect(),
            timeout: TIMEOUT,
            limit: MAX_ANSWER,
        };
        let answer = self.platform.fetch(request).await.map_err(|error| error.to_string())?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(format!("status {}", answer.status))
    }

    fn report(&self, error: &str, wait: usize, dropped: usize) {
        let Some(sink) = self.vestibule.config.audit.sinks.get(self.sink) else { return };
        let message = format_args!(
            "lines of the audit log could not be sent to {sink}: {error}; {wait} of at most {MAX_WAITING} wait, and {dropped} \
             were dropped"
        );
        self.platform.log(&Record::new(LogEvent::AuditNotDelivered, message).outside_requests());
    }

    fn waiting<T: Default>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        self.vestibule.audit.with(self.sink, act).unwrap_or_default()
    }
}

fn texts(lines: &[Rc<Line>]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}
