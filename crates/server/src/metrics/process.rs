//! What the operating system says of the process, under the names that Prometheus's own clients use. Only Linux tells it in
//! files; elsewhere there is the start time alone.

use std::fmt;
use std::fs;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::clock;
use vestibule_core::time::Timestamp;

/// How often the clock of `/proc/self/stat` ticks in a second, on every architecture that this server is built for.
const TICKS: f64 = 100.0;

/// Reads it at each scrape.
#[derive(Debug)]
pub(super) struct Process {
    began: Timestamp,
}

impl Process {
    /// The process has just begun.
    pub(super) fn new() -> Self {
        Self { began: clock::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let began = Duration::from_millis(self.began.millis()).as_secs_f64();
        gauge(
            &mut encoder,
            "process_start_time",
            "When the process began, since 1970",
            Some(&Unit::Seconds),
            began,
        )?;
        if let Some(bytes) = resident_memory() {
            let help = "Memory of the process that is in RAM";
            gauge(&mut encoder, "process_resident_memory", help, Some(&Unit::Bytes), bytes)?;
        }
        if let Some(files) = open_files() {
            gauge(&mut encoder, "process_open_fds", "Files and connections that are open", None, files)?;
        }
        if let Some(seconds) = cpu() {
            let counter = ConstCounter::new(seconds);
            let help = "CPU time of the process, its own and the kernel's for it";
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), kind)?)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    let kind = gauge.metric_type();
    gauge.encode(encoder.encode_descriptor(name, help, unit, kind)?)
}

/// In bytes.
fn resident_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = kilobytes.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(f64::from(kilobytes) * 1024.0)
}

/// How many there are. The one that reads the folder is one of them.
fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(f64::from(u32::try_from(count).ok()?))
}

/// In seconds.
fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in brackets and may have spaces. The third field follows it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_memory_the_files_and_the_time_of_this_process() {
        assert!(resident_memory().unwrap() > 100_000.0);
        assert!(open_files().unwrap() >= 4.0);
        let before = cpu().unwrap();
        let mut n = 0_u64;
        while cpu().unwrap() <= before {
            n = std::hint::black_box(n.wrapping_add(1));
        }
    }
}
