//! The lines that wait for the sinks: how many, how long, and when a sink is asked again. Plain data.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::log::Line;
use vestibule_oidc::time::Timestamp;

/// How many lines wait. Most have half a kilobyte.
pub(super) const MAX_WAITING: usize = 500;

/// How many lines are sent at once: what a runtime's dataset takes in one request.
pub(super) const MAX_BATCH: usize = 25;

/// How long a job counts as running: one that is cut off never reports that it ended.
const MAX_JOB: Duration = Duration::from_secs(30);

/// The first pause after a failure. It doubles with each further one, up to [`MAX_PAUSE`].
const PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// How often the log says that a sink fails.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What waits for each sink, in the order of the configuration.
#[derive(Default)]
pub(crate) struct Delivery(RefCell<Vec<Waiting>>);

impl Delivery {
    pub(super) fn with<T>(&self, sink: usize, act: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let mut all = self.0.borrow_mut();
        if all.len() <= sink {
            all.resize_with(sink + 1, Waiting::default);
        }
        all.get_mut(sink).map(act)
    }
}

/// The lines for one sink.
#[derive(Default)]
pub(super) struct Waiting {
    /// The oldest first.
    lines: VecDeque<(u64, Rc<Line>)>,
    /// The number of the next line.
    next: u64,
    /// How many were dropped since the log last said so.
    dropped: usize,
    /// When the job began that sends them, if there is one.
    job: Option<Timestamp>,
    /// How many attempts failed in a row.
    failures: u32,
    /// Before this time the sink is not asked again.
    pause_until: Option<Timestamp>,
    logged_at: Option<Timestamp>,
}

impl Waiting {
    /// Adds a line; the oldest one makes room.
    pub(super) fn push(&mut self, line: Rc<Line>) {
        if self.lines.len() >= MAX_WAITING {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back((self.next, line));
        self.next += 1;
    }

    /// Whether a job has to begin, which then counts as begun.
    pub(super) fn begin_job(&mut self, now: Timestamp) -> bool {
        let is_running = self.job.is_some_and(|began| now.is_within(MAX_JOB, began));
        let is_paused = self.pause_until.is_some_and(|until| now < until && until.since(now) <= MAX_PAUSE);
        let begins = !is_running && !is_paused;
        if begins {
            self.job = Some(now);
        }
        begins
    }

    pub(super) fn end_job(&mut self) {
        self.job = None;
    }

    /// The oldest lines, which stay until they are [sent](Self::sent).
    pub(super) fn batch(&self) -> Vec<(u64, Rc<Line>)> {
        self.lines.iter().take(MAX_BATCH).cloned().collect()
    }

    /// The sink has all lines up to this number.
    pub(super) fn sent(&mut self, last: u64) {
        self.lines.retain(|(number, _)| *number > last);
        self.failures = 0;
        self.pause_until = None;
    }

    /// The sink does not take them. Returns whether the log should say so, with how many wait, and how many were dropped.
    pub(super) fn failed(&mut self, now: Timestamp) -> Option<(usize, usize)> {
        let pause = PAUSE * (1 << self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        self.pause_until = Some(now.plus(pause.min(MAX_PAUSE)));
        let is_due = self.logged_at.is_none_or(|at| now >= at.plus(LOG_INTERVAL) || now < at);
        is_due.then(|| {
            self.logged_at = Some(now);
            (self.lines.len(), std::mem::take(&mut self.dropped))
        })
    }

    /// Whether it was the first failure: then the job itself tries again.
    pub(super) fn has_failed_once(&self) -> bool {
        self.failures == 1
    }
}

/// The pause before the job tries again.
pub(super) const RETRY: Duration = PAUSE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogEvent, Record};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn line(n: usize) -> Rc<Line> {
        Rc::new(Record::new(LogEvent::SignedIn, n).outside_requests())
    }

    #[test]
    fn the_oldest_lines_make_room_and_are_counted() {
        let mut waiting = Waiting::default();
        for n in 0..MAX_WAITING + 7 {
            waiting.push(line(n));
        }
        let batch = waiting.batch();
        assert_eq!((batch.len(), batch[0].1.message()), (MAX_BATCH, "7"));
        assert_eq!(waiting.failed(NOW), Some((MAX_WAITING, 7)));
        assert_eq!(waiting.failed(NOW.plus(Duration::from_secs(59))), None);
        assert_eq!(waiting.failed(NOW.plus(Duration::from_mins(1))), Some((MAX_WAITING, 0)));
    }

    #[test]
    fn lines_that_came_while_others_were_sent_stay() {
        let mut waiting = Waiting::default();
        waiting.push(line(0));
        let batch = waiting.batch();
        waiting.push(line(1));
        waiting.sent(batch[0].0);
        assert_eq!(waiting.batch().len(), 1);
        assert_eq!(waiting.batch()[0].1.message(), "1");
    }

    #[test]
    fn one_job_runs_at_a_time_and_none_while_the_sink_rests() {
        let mut waiting = Waiting::default();
        assert!(waiting.begin_job(NOW) && !waiting.begin_job(NOW));
        assert!(waiting.begin_job(NOW.plus(MAX_JOB)), "a job that was cut off stops no other");
        waiting.end_job();
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            waiting.failed(now);
            let began = now;
            while !waiting.begin_job(now) {
                now = now.plus(Duration::from_secs(1));
            }
            waiting.end_job();
            pauses.push(now.since(began).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        waiting.sent(0);
        assert!(waiting.begin_job(now));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut waiting = Waiting::default();
        assert!(waiting.begin_job(NOW));
        let earlier = NOW.minus(Duration::from_hours(2));
        assert!(waiting.begin_job(earlier));
        waiting.end_job();
        assert!(waiting.failed(NOW).is_some());
        assert!(waiting.begin_job(earlier));
        assert!(waiting.failed(earlier).is_some() && waiting.failed(earlier).is_none());
    }
}
