//! Steps that run beside others: in a process of their own, whose output is shown when it has ended. Most steps leave one of two
//! processors idle, because they link, optimize, or wait for a browser.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::time::Stopwatch;

/// The time after which a line says that a lane still runs.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Running steps.
pub(super) struct Lane {
    name: &'static str,
    process: Child,
    output: Receiver<Vec<u8>>,
}

impl Lane {
    /// Starts `program`, which is this one, with these arguments.
    pub(super) fn start(
        project: &Project,
        program: &Path,
        name: &'static str,
        arguments: &[&str],
    ) -> Result<Self> {
        let mut command: Command = project.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start the steps of {name}"))?;
        let (sender, output) = mpsc::channel();
        for pipe in [process.stdout.take().map(boxed), process.stderr.take().map(boxed)].into_iter().flatten()
        {
            let sender = sender.clone();
            thread::spawn(move || collect(pipe, &sender));
        }
        println!("── {name}, beside what follows");
        Ok(Self { name, process, output })
    }

    /// Shows the output, and waits until the steps have ended. Fails if one of them did.
    pub(super) fn finish(mut self) -> Result<()> {
        let watch = Stopwatch::start();
        let mut out = std::io::stdout().lock();
        writeln!(out, "── {}, which began before", self.name)?;
        loop {
            match self.output.recv_timeout(HEARTBEAT) {
                Ok(bytes) => out.write_all(&bytes)?,
                Err(RecvTimeoutError::Timeout) => writeln!(out, "   still running ({watch}) …")?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self.process.wait()?;
        if !status.success() {
            bail!("{} failed: see above", self.name);
        }
        Ok(())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Steps that nobody waits for: what came before them has failed.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn boxed(pipe: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(pipe)
}

fn collect(mut pipe: Box<dyn Read + Send>, sender: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(length) = pipe.read(&mut buffer) {
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() || sender.send(bytes.to_vec()).is_err() {
            break;
        }
    }
}
