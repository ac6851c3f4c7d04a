//! The results of all races of one setting, as a line of a table.

use std::fmt::Write as _;

use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::{KvReading, WriteLimit};

use crate::browser::BrowserReport;
use crate::{Setting, Spread};

pub struct Row {
    setting: Setting,
    races: u64,
    pub lost_seeds: Vec<u64>,
    grants: u64,
    refused: u64,
    pub turned_away: u64,
    /// Races in which a refresh took more calls than promised.
    pub many_calls: usize,
    p50: u32,
    p99: u32,
    reads: u64,
    writes: u64,
    calls: u64,
}

impl Row {
    pub fn of(setting: Setting, outcomes: &[(u64, BrowserReport)]) -> Self {
        let sum = |of: fn(&BrowserReport) -> u64| outcomes.iter().map(|(_, outcome)| of(outcome)).sum();
        let mut added: Vec<u32> = outcomes.iter().flat_map(|(_, outcome)| outcome.added.clone()).collect();
        added.sort_unstable();
        let at = |percent: usize| added.get(added.len() * percent / 100).copied().unwrap_or(0);
        let mut lost_seeds: Vec<u64> =
            outcomes.iter().filter(|(_, outcome)| outcome.lost).map(|(seed, _)| *seed).collect();
        lost_seeds.sort_unstable();
        Self {
            setting,
            races: outcomes.len() as u64,
            lost_seeds,
            grants: sum(|outcome| u64::from(outcome.grants)),
            refused: sum(|outcome| u64::from(outcome.refused)),
            turned_away: sum(|outcome| u64::from(outcome.turned_away)),
            many_calls: outcomes.iter().filter(|(_, outcome)| outcome.has_many_calls).count(),
            p50: at(50),
            p99: at(99),
            reads: sum(|outcome| outcome.reads),
            writes: sum(|outcome| outcome.writes),
            calls: sum(|outcome| outcome.calls),
        }
    }

    /// Whether the promise for this setting held: no lost session and no 503 with KV if the provider has a grace period of
    /// ten seconds or does not rotate, and none at all with a Durable Object. A refresh takes at most two calls to a lock
    /// more than processes wait for it.
    pub fn holds(&self) -> bool {
        let is_promised = match (self.setting.lease, self.setting.rotation) {
            ("durable-object", _) | (_, Rotation::None) => true,
            ("kv", Rotation::Grace(grace)) => grace >= 10_000,
            _ => false,
        };
        self.many_calls == 0 && (!is_promised || self.lost_seeds.is_empty() && self.turned_away == 0)
    }

    pub fn name(&self) -> String {
        let Setting { lease, spread, parallel, reading, write_limit, .. } = self.setting;
        let lease = match write_limit {
            WriteLimit::InLocation => lease.to_owned(),
            WriteLimit::Off => format!("{lease}, write limit off"),
            WriteLimit::Everywhere => format!("{lease}, one write limit for all"),
        };
        let reading = match reading {
            _ if self.setting.lease != "kv" => "–",
            KvReading::Delayed => "delayed writes",
            KvReading::FreshFirstReads => "fresh first reads",
        };
        let locations = match spread {
            Spread::One => "1",
            Spread::Stray => "2, one in 20",
            Spread::Even => "3, evenly",
            Spread::Four => "4, evenly",
        };
        format!("{lease} | {reading} | {} | {locations} | {parallel}", rotation(self.setting.rotation))
    }
}

fn rotation(rotation: Rotation) -> String {
    match rotation {
        Rotation::None => "no rotation".to_owned(),
        Rotation::Grace(millis) => format!("grace {} s", millis / 1000),
        Rotation::Strict => "strict".to_owned(),
    }
}

/// The table, as Markdown.
pub fn render(rows: &[Row], each: u64, seed: u64) -> String {
    let races: u64 = rows.iter().map(|row| row.races).sum();
    let mut text = format!(
        "{races} races, {each} for each line, seeds {seed} to {}; each race has two refreshes.\n\n\
         | lease | reading of KV | provider | locations | requests at once | lost sessions | grants a refresh | refused a refresh \
         | 503 a race | added p50 | added p99 | KV reads | KV writes | object calls |\n\
         |---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        seed + each - 1,
    );
    for row in rows {
        let lost = row.lost_seeds.len() as u64;
        let _ = writeln!(
            text,
            "| {} | {lost} ({} %) | {} | {} | {} | {} ms | {} ms | {} | {} | {} |",
            row.name(),
            hundredths(lost * 100, row.races),
            hundredths(row.grants, row.races * 2),
            hundredths(row.refused, row.races * 2),
            hundredths(row.turned_away, row.races),
            row.p50,
            row.p99,
            hundredths(row.reads, row.races * 2),
            hundredths(row.writes, row.races * 2),
            hundredths(row.calls, row.races * 2),
        );
    }
    text
}

/// A quotient with two decimal places.
pub fn hundredths(part: u64, whole: u64) -> String {
    let hundredths = (part * 100 + whole / 2) / whole.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
