//! A million requests of many people: whether memory grows.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases::{self, Case};
use crate::load::Load;
use crate::options::Options;
use crate::{machine, measure, report};

/// Requests of each case.
const REQUESTS: usize = 1_000_000;

/// How often the memory is looked at.
const LOOKS: usize = 10;

/// Cases in which every request is another person's; `--only` names another one.
const SOAKED: [&str; 2] = ["session-many", "guard-many"];

/// Prints what memory the runtime holds after every tenth of the requests. The heap of JavaScript grows up to
/// where it is collected, so the first numbers are smaller; what matters is whether the last ones are larger.
pub(crate) fn soak(options: &Options) -> Result<()> {
    let requests = if options.rounds == 1 { REQUESTS / 10 } else { REQUESTS };
    let mut table = String::from("| MiB after requests |");
    for look in 1..=LOOKS {
        write!(table, " {} |", requests / LOOKS * look)?;
    }
    write!(table, "\n{}|", "|---".repeat(LOOKS + 1))?;
    let names: Vec<&str> = match &options.only {
        Some(only) => vec![only],
        None => SOAKED.to_vec(),
    };
    for name in names {
        let case = cases::named(name).with_context(|| format!("there is no case {name}"))?;
        println!("── {name}: {requests} requests");
        let seen = watch(&case, requests).context(case.name)?;
        write!(table, "\n| `{name}` |")?;
        seen.iter().try_for_each(|mebibytes| write!(table, " {mebibytes:.0} |"))?;
    }
    println!("\n{table}");
    if options.write { report::document_soak(&table) } else { Ok(()) }
}

/// What memory a case's runtime holds, in mebibytes, after every tenth of so many requests.
fn watch(case: &Case, requests: usize) -> Result<Vec<f64>> {
    let sent = case.requests()?;
    let world = case.world().start()?;
    Load::new(world.address(), &sent, case.status).during(|load| {
        let mut seen = Vec::new();
        for look in 1..=LOOKS {
            while load.answered() < requests / LOOKS * look && !load.has_stopped() {
                thread::sleep(Duration::from_millis(50));
            }
            let kibibytes = usize::try_from(machine::resident(world.process_id())?)?;
            let mebibytes = measure::number(kibibytes) / 1024.0;
            println!("   {:>8} requests {mebibytes:>8.1} MiB", load.answered());
            seen.push(mebibytes);
        }
        Ok(seen)
    })
}
