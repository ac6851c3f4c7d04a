//! `cargo xtask bench --runtime`: what a request costs in vestibule-server, and in the component for wasi:http, next to servers
//! that do the same work, or only a part of it.
//!
//! All contestants run at the same time, each with one thread that serves where it has such a setting, and are measured in turns.
//! What counts is the CPU time of all processes of a contestant; that of the server behind them does not.

mod apache;
mod contestants;
mod nginx;
mod program;
mod provider;
mod requests;
mod rounds;
mod servers;
mod table;
mod wasmtime;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::load::Load;
use crate::options::Options;
use crate::report::{self, root};
use crate::runtime::contestants::{CONTESTANTS, Contestant};
use crate::soak;

/// The document in docs/ with the tables, and the comments that enclose them.
const DOCUMENT: &str = "runtimes.md";
const BENCH: (&str, &str) = ("<!-- runtime-bench: begin -->", "<!-- runtime-bench: end -->");
const SOAK: (&str, &str) = ("<!-- runtime-soak: begin -->", "<!-- runtime-soak: end -->");

/// The contestant whose memory is read over many requests.
const SOAK_CASE: &str = "server-many";

/// Measures, prints the tables, and writes them into the document if the options say so.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.soak {
        return memory(options);
    }
    let selected = contestants::selected(options);
    ensure!(
        !selected.is_empty(),
        "no contestant has a name that starts so; they are: {}",
        CONTESTANTS.map(|one| one.name).join(", ")
    );
    let measured = rounds::all(&selected, options)?;
    let tables = table::markdown(&measured)?;
    println!("\n{tables}");
    if !options.write {
        return Ok(());
    }
    ensure!(options.only.is_empty(), "the document has all contestants: leave out --only");
    report::update(DOCUMENT, BENCH, &tables)
}

/// Prints the memory of the server after every tenth of a million requests.
fn memory(options: &Options) -> Result<()> {
    let name = options.only.first().map_or(SOAK_CASE, String::as_str);
    let contestant = Contestant::named(name).with_context(|| format!("there is no contestant {name}"))?;
    let origin = nginx::origin()?;
    let running = contestant.start(origin.address())?.context("its program is not there")?;
    let requests = soak::requests(options);
    println!("── {name}: {requests} requests");
    let sent = running.requests()?;
    let load = Load::new(running.address(), &sent, contestant.expected());
    let readings = soak::memory_readings(&load, requests, running.process())?;
    let mut table = soak::heading(requests)?;
    soak::write_row(&mut table, name, &readings)?;
    println!("\n{table}");
    if options.write { report::update(DOCUMENT, SOAK, &table) } else { Ok(()) }
}

/// A program or a component that `cargo xtask bench --runtime` has built. `None` if it could not.
fn built(name: &str) -> Option<PathBuf> {
    Some(root().join("target/bench/runtime").join(name)).filter(|path| path.is_file())
}
