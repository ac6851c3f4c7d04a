//! The report as Markdown tables.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;

use crate::machine;
use crate::runtime::rounds::Measured;
use crate::runtime::{apache, nginx, wasmtime};
use crate::summary::Summary;

/// The tables, after a line about the machine.
pub(crate) fn markdown(measured: &[Measured]) -> Result<String> {
    let mut text = format!("{}.\n\n", description());
    writeln!(text, "| CPU time of a request | µs | min. to max. | requests/s |\n|---|---|---|---|")?;
    for Measured { contestant, samples } in measured {
        let (name, description) = (contestant.name, contestant.description);
        if samples.is_empty() {
            writeln!(text, "| `{name}`: {description} | its program is not there | | |")?;
            continue;
        }
        let cpu = Summary::of(samples.iter().map(|sample| sample.cpu));
        let rate = Summary::of(samples.iter().map(|sample| sample.rate)).median;
        let range = format!("{:.1} to {:.1}", cpu.min, cpu.max);
        writeln!(text, "| `{name}`: {description} | {:.1} | {range} | {rate:.0} |", cpu.median)?;
    }
    let ratios = ratios(measured);
    if !ratios.is_empty() {
        writeln!(text, "\n| ratio | measured | min. to max. | limit | |\n|---|---|---|---|---|")?;
    }
    for Ratio { name, peer, times, limit } in ratios {
        let range = format!("{:.2} to {:.2}", times.min, times.max);
        let verdict = if times.median <= limit { "met" } else { "missed" };
        writeln!(text, "| `{name}` to `{peer}` | {:.2} | {range} | {limit} | {verdict} |", times.median)?;
    }
    Ok(text)
}

/// The ratio of two contestants' CPU times within each round.
#[derive(Debug, PartialEq)]
struct Ratio {
    name: &'static str,
    peer: &'static str,
    times: Summary,
    limit: f64,
}

fn ratios(measured: &[Measured]) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for one in measured.iter().filter(|one| !one.samples.is_empty()) {
        for &(peer, limit) in one.contestant.limits {
            let others = measured.iter().find(|other| other.contestant.name == peer);
            let Some(others) = others.filter(|others| others.samples.len() == one.samples.len()) else {
                continue;
            };
            let rounds = one.samples.iter().zip(&others.samples).map(|(this, other)| this.cpu / other.cpu);
            ratios.push(Ratio { name: one.contestant.name, peer, times: Summary::of(rounds), limit });
        }
    }
    ratios
}

/// The processors, and the versions of what others have made.
fn description() -> String {
    let mut parts = vec![machine::processors()];
    // nginx writes its version to the error output: `nginx version: nginx/1.22.1`.
    parts.extend(version(nginx::program().as_ref(), &["-v"], '/').map(|version| format!("nginx {version}")));
    parts.extend(version(apache::program().as_ref(), &["-v"], '/').map(|version| {
        let query = ["--show", "--showformat=mod ${Version}", "libapache2-mod-auth-openidc"];
        let module = self::version("dpkg-query".as_ref(), &query, ' ').unwrap_or_default();
        format!("Apache {version} with mod_auth_openidc {module}").trim_end().to_owned()
    }));
    let host = wasmtime::program();
    parts.extend(
        host.and_then(|host| version(host.as_ref(), &["--version"], ' ')).map(|it| format!("wasmtime {it}")),
    );
    parts.join(", ")
}

/// The word that follows the first `mark` in what a program says of its version.
fn version(program: &OsStr, arguments: &[&str], mark: char) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Some(text.split_once(mark)?.1.split_whitespace().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;
    use crate::runtime::contestants::Contestant;

    fn measured(name: &str, cpu: &[f64]) -> Measured {
        let samples = cpu.iter().map(|&cpu| Sample { cpu, rate: 1000.0 }).collect();
        Measured { contestant: Contestant::named(name).unwrap(), samples }
    }

    #[test]
    fn a_ratio_is_that_of_the_same_round_and_its_median_decides() {
        let all = [
            measured("nginx", &[10.0, 20.0, 30.0]),
            measured("hyper", &[]),
            measured("apache", &[1000.0, 100.0, 1000.0]),
            measured("server", &[15.0, 40.0, 45.0]),
        ];
        let text = markdown(&all).unwrap();
        assert!(text.contains("| `server` to `nginx` | 1.50 | 1.50 to 2.00 | 1.6 | met |"), "{text}");
        assert!(text.contains("| `server` to `apache` | 0.04 | 0.01 to 0.40 | 0.2 | met |"), "{text}");
        assert!(!text.contains("to `hyper`") && text.contains("| its program is not there |"), "{text}");
        let text = markdown(&[measured("nginx", &[10.0]), measured("server", &[17.0])]).unwrap();
        assert!(text.contains("| `server` to `nginx` | 1.70 | 1.70 to 1.70 | 1.6 | missed |"), "{text}");
    }
}
