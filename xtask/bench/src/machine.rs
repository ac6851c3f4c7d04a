//! Reads the CPU time and memory of a process, and describes the machine. Linux only, because it reads /proc.
#![allow(clippy::disallowed_methods, reason = "the ban is for code that runs on wasm32; xtask never does")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The CPU time that all threads of a process have used, and the time of the reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    cpu: Duration,
    at: Instant,
}

impl Reading {
    pub(crate) fn of(process: u32) -> Result<Self> {
        Ok(Self { cpu: cpu_time(process)?, at: Instant::now() })
    }

    /// The CPU time and the elapsed time since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> (Duration, Duration) {
        (self.cpu.saturating_sub(earlier.cpu), self.at.duration_since(earlier.at))
    }

    /// The CPU time of the process until this reading.
    pub(crate) fn cpu(self) -> Duration {
        self.cpu
    }
}

/// A function that gives the time since this call.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let begin = Instant::now();
    move || begin.elapsed()
}

/// The CPU time of all threads, from their `schedstat`, which counts nanoseconds. `utime` and `stime` (proc_pid_stat(5))
/// would only count ticks of 10 ms.
fn cpu_time(process: u32) -> Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).with_context(|| {
        format!("cannot read the CPU time of process {process} from /proc, which only Linux has")
    })?;
    let mut nanoseconds = 0;
    for thread in threads {
        // The thread may have ended since the directory was read.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The resident memory of a process in KiB.
pub(crate) fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc has no VmRSS")?;
    line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS in /proc is not a number")
}

/// A text with the number and model of the processors and the version of workerd.
pub(crate) fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../node_modules/workerd/package.json");
    let package: serde_json::Value = fs::read_to_string(package)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let version = package.get("version").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    format!("{cores} × {model}, workerd {version}")
}
