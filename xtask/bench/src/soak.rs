//! A million requests of many people: whether memory grows.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases;
use crate::load::Load;
use crate::machine;
use crate::options::Options;

/// Requests of each case.
const REQUESTS: usize = 500_000;

/// How often the memory is looked at.
const LOOKS: usize = 10;

/// Cases in which every request is another person's.
const SOAKED: [&str; 2] = ["session-many", "guard-many"];

/// Prints what memory the runtime holds after every tenth of the requests. The heap of JavaScript grows up to
/// where it is collected, so the first numbers are smaller; what matters is whether the last ones are larger.
pub(crate) fn soak(options: &Options) -> Result<()> {
    let requests = if options.rounds == 1 { REQUESTS / 10 } else { REQUESTS };
    for name in SOAKED {
        let case = cases::named(name).context(name)?;
        let sent = case.requests()?;
        let world = case.world().start()?;
        println!("── {name}: {requests} requests of {} people", sent.len());
        Load::new(world.address(), &sent, case.status).during(|load| {
            for look in 1..=LOOKS {
                while load.answered() < requests / LOOKS * look && !load.has_stopped() {
                    thread::sleep(Duration::from_millis(50));
                }
                println!(
                    "   {:>8} requests {:>8.1} MiB",
                    load.answered(),
                    crate::measure::number(usize::try_from(machine::resident(world.process_id())?)?) / 1024.0
                );
            }
            Ok(())
        })?;
    }
    Ok(())
}
