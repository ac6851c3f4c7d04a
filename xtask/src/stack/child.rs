//! A child process that ends when its standard input closes. Its output is printed line by line with its name.

use std::io::{BufRead, BufReader, Read};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use super::POLL;
use crate::host;
use crate::step::show;
use crate::time::Stopwatch;

/// How long a process may take to end. After that it is killed.
const END_LIMIT: Duration = Duration::from_secs(8);

/// What workerd says of a port that another program has.
const PORT_IN_USE: &str = "Address already in use";

/// A running process.
#[derive(Debug)]
pub(super) struct Child {
    /// The name in front of its output lines.
    pub(super) name: &'static str,
    process: process::Child,
    readers: Vec<JoinHandle<()>>,
    /// Whether it has said [`PORT_IN_USE`].
    lacks_port: Arc<AtomicBool>,
}

impl Child {
    /// Starts it. Its input is a pipe that closes whenever this program ends, even by a signal. It has its own process
    /// group, so that only this program receives Ctrl-C and then ends its children in order.
    pub(super) fn start(name: &'static str, command: &mut Command) -> Result<Child> {
        host::shield_from_ctrl_c(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            command.spawn().with_context(|| format!("cannot start the {name}: `{}`", show(command)))?;
        let mut readers = Vec::new();
        let lacks_port = Arc::new(AtomicBool::new(false));
        readers.extend(process.stdout.take().map(|pipe| print_lines(name, pipe, &lacks_port)));
        readers.extend(process.stderr.take().map(|pipe| print_lines(name, pipe, &lacks_port)));
        Ok(Child { name, process, readers, lacks_port })
    }

    /// Whether it has ended because another program has one of its ports.
    pub(super) fn ended_without_port(&mut self) -> Result<bool> {
        Ok(self.ended()?.is_some() && self.lacks_port.load(Ordering::Relaxed))
    }

    /// Its exit status, or `None` while it runs.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.process.try_wait().with_context(|| format!("cannot wait for the {}", self.name))?;
        if status.is_some() {
            self.join_readers();
        }
        Ok(status)
    }

    /// Closes its input and waits until it has ended. Kills it after [`END_LIMIT`].
    pub(super) fn end(mut self) {
        drop(self.process.stdin.take());
        let watch = Stopwatch::start();
        while matches!(self.process.try_wait(), Ok(None)) {
            if watch.elapsed() > END_LIMIT {
                eprintln!("the {} did not end within {} s: killing it", self.name, END_LIMIT.as_secs());
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            thread::sleep(POLL / 4);
        }
        self.join_readers();
    }

    fn join_readers(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

fn print_lines(
    name: &'static str,
    pipe: impl Read + Send + 'static,
    lacks_port: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let lacks_port = Arc::clone(lacks_port);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if line.contains(PORT_IN_USE) {
                lacks_port.store(true, Ordering::Relaxed);
            }
            // wrangler puts this prefix also in front of the empty lines of the build command.
            if !matches!(line.trim(), "" | "[custom build]") {
                println!("{name:>8} │ {}", line.trim_end());
            }
        }
    })
}
