//! Races for a refresh token: the real code in a simulated environment.
//!
//! One race is one browser. Its access token expires soon, or has expired; it sends a burst of requests, which
//! reach processes that share no memory, in one or several locations; some requests it cancels. Then it waits
//! for the next token to expire and does it again. A session is lost if any answer says that no one is signed in.
//! All randomness comes from the seed: the same seed is the same race.
//!
//! `cargo test` runs a few hundred races; `cargo xtask race` runs as many as requested, and prints the table.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod browser;
mod race_env;
mod table;

use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::{KvReading, WriteLimit};

use crate::browser::BrowserReport;
use crate::table::Row;

/// The setting of a race.
#[derive(Clone, Copy)]
struct Setting {
    lease: &'static str,
    rotation: Rotation,
    spread: Spread,
    parallel: u64,
    /// How the documentation of Workers KV is read.
    reading: KvReading,
    /// Which second write of a key within a second Workers KV refuses. Its limit is documented, but not guaranteed for two
    /// writes at the very same time.
    write_limit: WriteLimit,
}

/// The locations that a browser's requests reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// One location, which is the usual case.
    One,
    /// One location, but one request in twenty reaches another: the device changes from Wi-Fi to a mobile network.
    Stray,
    /// Three locations evenly, which no browser does.
    Even,
    /// Four locations evenly, two of which read Workers KV through the same cache.
    Four,
}

const LEASES: [&str; 3] = ["none", "kv", "durable-object"];
const READINGS: [KvReading; 2] = [KvReading::Delayed, KvReading::FreshFirstReads];
const ROTATIONS: [Rotation; 3] = [Rotation::None, Rotation::Grace(10_000), Rotation::Strict];

fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for lease in LEASES {
        for rotation in ROTATIONS {
            let readings: &[KvReading] = if lease == "kv" { &READINGS } else { &READINGS[..1] };
            for reading in readings {
                let setting = |spread, parallel, write_limit| {
                    let reading = *reading;
                    Setting { lease, rotation, spread, parallel, reading, write_limit }
                };
                for spread in [Spread::One, Spread::Stray, Spread::Even] {
                    for parallel in [4, 16] {
                        settings.push(setting(spread, parallel, WriteLimit::InLocation));
                    }
                }
                settings.push(setting(Spread::Four, 20, WriteLimit::InLocation));
                if lease == "kv" {
                    settings.push(setting(Spread::Four, 20, WriteLimit::Everywhere));
                    settings.push(setting(Spread::Four, 20, WriteLimit::Off));
                    settings.push(setting(Spread::One, 16, WriteLimit::Off));
                }
            }
        }
    }
    settings
}

fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let settings = settings();
    let each = options.races.div_ceil(settings.len() as u64).max(1);
    let rows: Vec<Row> = settings.iter().map(|setting| run(*setting, each, options.seed)).collect();
    println!("{}", table::render(&rows, each, options.seed));
    let broken: Vec<&Row> = rows.iter().filter(|row| !row.holds()).collect();
    for row in &broken {
        let seeds: Vec<String> = row.lost_seeds.iter().take(5).map(u64::to_string).collect();
        let (name, turned_away, many_calls) = (row.name(), row.turned_away, row.many_calls);
        println!(
            "not what is promised: {name}: lost with seeds [{}], {turned_away} times 503, {many_calls} races with too many \
             calls",
            seeds.join(", ")
        );
    }
    assert!(broken.is_empty(), "sessions were lost, requests were turned away, or calls were too many");
}

/// All races of one setting, distributed over the machine's cores.
fn run(setting: Setting, races: u64, seed: u64) -> Row {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let outcomes: Vec<(u64, BrowserReport)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (seed..seed + races).filter(|seed| seed % workers == worker);
                    mine.map(|seed| (seed, browser::race(setting, seed))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Row::of(setting, &outcomes)
}

struct Options {
    races: u64,
    seed: u64,
}

impl Options {
    /// Reads `--races N --seed N`. Other arguments are the test runner's.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self { races: 570, seed: 1 };
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number");
            match argument.as_str() {
                "--races" => options.races = number(),
                "--seed" => options.seed = number(),
                _ => {}
            }
        }
        options
    }
}
