//! Reads the CPU time and memory of a process, and describes the machine. Linux only, because it reads /proc.
#![allow(clippy::disallowed_methods, reason = "the ban is for code that runs on wasm32; xtask never does")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The CPU time that all threads of processes have used, and the time of the reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    cpu: Duration,
    at: Instant,
}

impl Reading {
    pub(crate) fn of(process: u32) -> Result<Self> {
        Self::of_all(&[process])
    }

    /// Of several processes together.
    pub(crate) fn of_all(processes: &[u32]) -> Result<Self> {
        let mut cpu = Duration::ZERO;
        for process in processes {
            cpu += cpu_time(*process)?;
        }
        Ok(Self { cpu, at: Instant::now() })
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

/// The process and all its descendants.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|list| list.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        family.extend(children);
        next += 1;
    }
    family
}

/// The CPU time of all threads, also of those that have ended, in nanoseconds. `utime` and `stime` (proc_pid_stat(5)), which
/// are the same, would only count ticks of 10 ms.
fn cpu_time(process: u32) -> Result<Duration> {
    let id = nix::unistd::Pid::from_raw(process.try_into()?);
    let clock = nix::time::clock_getcpuclockid(id).and_then(nix::time::ClockId::now);
    Ok(clock.with_context(|| format!("cannot read the CPU time of process {process}"))?.into())
}

/// The resident memory of a process in KiB.
pub(crate) fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc has no VmRSS")?;
    line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS in /proc is not a number")
}

/// The number and model of the processors.
pub(crate) fn processors() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} × {model}")
}

/// The processors, and the version of workerd.
pub(crate) fn description() -> String {
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../node_modules/workerd/package.json");
    let package: serde_json::Value = fs::read_to_string(package)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let version = package.get("version").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    format!("{}, workerd {version}", processors())
}
