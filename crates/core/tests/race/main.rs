//! Races for a refresh token: the real code in a simulated environment.
//!
//! One race is one browser. Its access token expires soon, or has expired; it sends a burst of requests, which
//! reach processes that share no memory, in one or several locations; some requests it cancels. Then it waits
//! for the next token to expire and does it again. A session is lost if any answer says that no one is signed in.
//! All randomness comes from the seed: the same seed is the same race.
//!
//! Other races are between a sign-out and everything that goes on: see [`sign_out`].
//!
//! `cargo test` runs a few hundred races; `cargo xtask race` runs as many as requested, and prints the tables.

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
mod sign_out;
mod sign_out_browser;
mod sign_out_table;
mod table;

use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::{KvReading, WriteLimit};

use crate::sign_out::SignOutSetting;
use crate::sign_out_table::SignOutRow;
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

/// The settings of the races with a sign-out.
fn sign_out_settings() -> Vec<SignOutSetting> {
    let stores = READINGS.map(|reading| ("kv", reading)).into_iter();
    stores
        .chain([("durable-object", KvReading::Delayed)])
        .flat_map(|(store, reading)| [1, 2, 4].map(|locations| SignOutSetting { store, reading, locations }))
        .collect()
}

fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let broken = [refreshes(&options), sign_outs(&options)].concat();
    for row in &broken {
        println!("not what is promised: {row}");
    }
    assert!(broken.is_empty(), "sessions were lost or stayed, or requests were turned away");
}

/// Runs the races for a refresh token, prints the table, and returns what is not as promised.
fn refreshes(options: &Options) -> Vec<String> {
    if options.races == 0 {
        return Vec::new();
    }
    let settings = settings();
    let each = options.races.div_ceil(settings.len() as u64);
    let rows: Vec<Row> = settings
        .iter()
        .map(|setting| {
            Row::of(*setting, &in_parallel(each, options.seed, |seed| browser::race(*setting, seed)))
        })
        .collect();
    print_table("race", &table::render(&rows, each, options.seed));
    let broken = rows.iter().filter(|row| !row.holds());
    broken
        .map(|row| {
            let (name, lost) = (row.name(), some(&row.lost_seeds));
            let (turned_away, many_calls) = (row.turned_away, row.many_calls);
            format!(
                "{name}: lost with seeds [{lost}], {turned_away} times 503, {many_calls} races with too many calls"
            )
        })
        .collect()
}

/// The same for the races with a sign-out.
fn sign_outs(options: &Options) -> Vec<String> {
    if options.sign_outs == 0 {
        return Vec::new();
    }
    let each = options.sign_outs;
    let rows: Vec<SignOutRow> = sign_out_settings()
        .iter()
        .map(|setting| {
            let reports = in_parallel(each, options.seed, |seed| sign_out::race(*setting, seed));
            SignOutRow::of(*setting, &reports)
        })
        .collect();
    print_table("sign-outs", &sign_out_table::render(&rows, each, options.seed));
    let broken = rows.iter().filter(|row| !row.holds());
    broken
        .map(|row| {
            let (name, alive, ended) = (row.name(), some(&row.alive_seeds), some(&row.ended_seeds));
            format!("{name}: alive with seeds [{alive}], ended with seeds [{ended}], or 503")
        })
        .collect()
}

/// Prints a table between the markers that it has in the documentation.
fn print_table(name: &str, table: &str) {
    println!("<!-- {name}: begin -->\n{table}<!-- {name}: end -->");
}

fn some(seeds: &[u64]) -> String {
    seeds.iter().take(5).map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// The races of one setting with their seeds, distributed over the machine's cores.
fn in_parallel<T: Send>(races: u64, seed: u64, race: impl Fn(u64) -> T + Sync) -> Vec<(u64, T)> {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let race = &race;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (seed..seed + races).filter(|seed| seed % workers == worker);
                    mine.map(|seed| (seed, race(seed))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

struct Options {
    /// How many races for a refresh token, in all lines together.
    races: u64,
    /// How many races with a sign-out, in each line.
    sign_outs: u64,
    seed: u64,
}

impl Options {
    /// Reads `--races N --sign-outs N --seed N`. Other arguments are the test runner's.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self { races: 306, sign_outs: 6, seed: 1 };
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number");
            match argument.as_str() {
                "--races" => options.races = number(),
                "--sign-outs" => options.sign_outs = number(),
                "--seed" => options.seed = number(),
                _ => {}
            }
        }
        options
    }
}
