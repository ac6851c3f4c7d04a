//! Vestibule as a server of its own. The behaviour is in `vestibule_core`; this is the process around it: its threads, its
//! connections, its store, and its signals.

// The futures of the core's flows are deep.
#![recursion_limit = "256"]

#[cfg(not(unix))]
compile_error!("vestibule-server runs on Unix systems");

mod answer;
mod body;
mod client;
mod clock;
mod connection;
mod crypto;
mod egress;
mod fields;
mod files;
mod framing;
mod health;
mod jobs;
mod lingering;
mod log;
mod metrics;
mod network;
mod options;
mod pinned;
mod platform;
mod process;
pub mod reading;
mod request;
mod scrape;
mod secrets;
mod serving;
mod settings;
mod store;
mod target;
mod thread;
mod tls;
mod unread;
mod upload;
mod upstreams;
mod validity;

use std::process::ExitCode;

/// The program: reads the command line, and runs until a signal ends the process.
pub fn main() -> ExitCode {
    match process::run(options::Options::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::say(message);
            ExitCode::FAILURE
        }
    }
}
