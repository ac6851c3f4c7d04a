//! What this machine says of a process, and of itself. Linux only: CPU time is read from /proc.
#![allow(clippy::disallowed_methods, reason = "the ban is for code that runs on wasm32; this never does")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The CPU time that all threads of a process have used, and the time it was read at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    cpu: Duration,
    at: Instant,
}

impl Reading {
    pub(crate) fn of(process: u32) -> Result<Self> {
        Ok(Self { cpu: cpu_time(process)?, at: Instant::now() })
    }

    /// CPU time, and time, since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> (Duration, Duration) {
        (self.cpu.saturating_sub(earlier.cpu), self.at.duration_since(earlier.at))
    }

    /// The CPU time alone.
    pub(crate) fn cpu(self) -> Duration {
        self.cpu
    }
}

/// Measures from when it was made.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let begin = Instant::now();
    move || begin.elapsed()
}

/// `utime` and `stime` (proc_pid_stat(5)) count ticks of 10 ms; the threads' `schedstat` counts nanoseconds.
fn cpu_time(process: u32) -> Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).with_context(|| {
        format!("process {process} cannot be seen: CPU time is read from /proc, on Linux")
    })?;
    let mut nanoseconds = 0;
    for thread in threads {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The memory that a process holds, in KiB.
pub(crate) fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").trim().parse().context("no number in VmRSS")
}

/// Its processor and how many of them, and the runtime, in words.
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
