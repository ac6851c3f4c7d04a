//! The results of all races with a sign-out, as a table.

use std::fmt::Write as _;

use vestibule_testing::store::KvReading;

use crate::sign_out::{Cost, SignOutReport, SignOutSetting};
use crate::table::hundredths;

pub struct SignOutRow {
    setting: SignOutSetting,
    races: u64,
    pub alive_seeds: Vec<u64>,
    pub ended_seeds: Vec<u64>,
    alive: u64,
    ended: u64,
    turned_away: u64,
    passed_for: u64,
    per_request: Cost,
    per_refresh: Cost,
    per_sign_out: Cost,
}

impl SignOutRow {
    pub fn of(setting: SignOutSetting, reports: &[(u64, SignOutReport)]) -> Self {
        let count = |of: fn(&SignOutReport) -> u32| reports.iter().map(|(_, r)| u64::from(of(r))).sum();
        let seeds = |of: fn(&SignOutReport) -> u32| {
            let mut seeds: Vec<u64> =
                reports.iter().filter(|(_, r)| of(r) > 0).map(|(seed, _)| *seed).collect();
            seeds.sort_unstable();
            seeds
        };
        let cost = |of: fn(&SignOutReport) -> Cost| {
            reports.iter().map(|(_, report)| of(report)).fold(Cost::default(), Cost::and)
        };
        Self {
            setting,
            races: reports.len() as u64,
            alive_seeds: seeds(|report| report.alive),
            ended_seeds: seeds(|report| report.ended),
            alive: count(|report| report.alive),
            ended: count(|report| report.ended),
            turned_away: count(|report| report.turned_away),
            passed_for: reports.iter().map(|(_, report)| report.passed_for).max().unwrap_or(0),
            per_request: cost(|report| report.per_request),
            per_refresh: cost(|report| report.per_refresh),
            per_sign_out: cost(|report| report.per_sign_out),
        }
    }

    /// Whether the promise held.
    pub fn holds(&self) -> bool {
        self.alive == 0 && self.ended == 0 && self.turned_away == 0
    }

    pub fn name(&self) -> String {
        let reading = match self.setting.reading {
            _ if self.setting.store != "kv" => "–",
            KvReading::Delayed => "delayed writes",
            KvReading::FreshFirstReads => "fresh first reads",
        };
        format!("{} | {reading} | {}", self.setting.store, self.setting.locations)
    }
}

impl Cost {
    fn and(self, other: Self) -> Self {
        Self {
            times: self.times + other.times,
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
            calls: self.calls + other.calls,
        }
    }

    /// The averages for one time.
    fn text(self, store: &str) -> String {
        let each = |count| hundredths(count, self.times);
        match store {
            "kv" => format!("{}, {}", each(self.reads), each(self.writes)),
            _ => format!("{} calls", each(self.calls)),
        }
    }
}

/// The table, as Markdown.
pub fn render(rows: &[SignOutRow], each: u64, seed: u64) -> String {
    let races: u64 = rows.iter().map(|row| row.races).sum();
    let mut text = format!(
        "{races} races with a sign-out, {each} for each line, seeds {seed} to {}.\n\n\
         | store | reading of KV | locations | promised: nothing passes after | the last copy passed after \
         | passed later than promised | ended without cause | answers 503 | a request: reads, writes \
         | a refresh for four requests | a sign-out |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        seed + each - 1,
    );
    for row in rows {
        let store = row.setting.store;
        let _ = writeln!(
            text,
            "| {} | {} s | {} s | {} | {} | {} | {} | {} | {} |",
            row.name(),
            row.setting.promise(false) / 1000,
            row.passed_for.div_ceil(1000),
            row.alive,
            row.ended,
            row.turned_away,
            row.per_request.text(store),
            row.per_refresh.text(store),
            row.per_sign_out.text(store),
        );
    }
    text
}
