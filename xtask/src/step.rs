//! Runs steps and commands, prints a line with the duration of each step, and reports the output of failed commands.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::time::Stopwatch;

/// The time after which a line says that a command whose output is not shown still runs.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The number of output lines in the error message when a quiet command fails.
const LINES_SHOWN: usize = 60;

/// Runs one step: prints its name, and when it has ended its duration.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("── {name}");
    let watch = Stopwatch::start();
    let result = work().with_context(|| format!("{name} failed"))?;
    println!("   {name}: {watch}");
    Ok(result)
}

/// Runs a command and shows its output. Fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs a command and gives its output without showing it. If the command fails, the error contains its last lines; if it
/// takes long, a line says that it still runs.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let (sender, lines) = mpsc::channel();
    let stdout = child.stdout.take().map(|pipe| read_lines(pipe, sender.clone()));
    let stderr = child.stderr.take().map(|pipe| read_lines(pipe, sender));
    let watch = Stopwatch::start();
    let mut output = String::new();
    let mut said = Stopwatch::start();
    loop {
        match lines.recv_timeout(HEARTBEAT.saturating_sub(said.elapsed())) {
            Ok(line) => {
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Timeout) => {
                println!("   still running ({watch}) …");
                said = Stopwatch::start();
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    for reader in [stdout, stderr].into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` ended with {status}\n{}", tail(&output));
    }
    Ok(output)
}

/// The last lines of an output: they contain the reason for a failure.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let skipped = lines.len().saturating_sub(LINES_SHOWN);
    lines.get(skipped..).unwrap_or_default().join("\n")
}

/// The command as a user would type it, for messages.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: check that it is installed and on PATH",
        command.get_program().to_string_lossy()
    )
}

fn read_lines(pipe: impl Read + Send + 'static, lines: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    })
}
