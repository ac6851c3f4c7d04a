//! The program with all mutants in it, and what its tests say of one: only those that come to its place run, first the quick
//! ones that come to few others, until one fails.

mod compile;
mod written;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use self::compile::{Executable, Mistake, compile};
use self::written::{Written, write};
use super::DIRECTORY;
use super::known::code_of;
use super::outcomes::Summary;
use super::switch::{self, Change};
use super::tree;
use crate::host;
use crate::project::Project;
use crate::step::step;
use crate::time::Stopwatch;
use crate::tools::fingerprint;

/// Which tests come to which mutants.
const REACHED: &str = "target/mutants/reached.json";

/// Which mutants the compiler refused, as far as it came.
const REFUSED: &str = "target/mutants/refused.json";

/// How much memory a test may have, in KiB: a mutant can fill all there is.
const MEMORY: u64 = 6_000_000;

/// How long tests may wait for something that does not come. What they compute is limited apart, so that a busy machine
/// changes nothing.
const WAIT: Duration = Duration::from_mins(20);

/// How much longer tests may compute than ten times as long as without a mutant, in seconds.
const SPARE: u64 = 5;

/// What the system ends a program with that computes for too long, and one that goes on nevertheless.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;

/// How many tests that failed of late are asked first about the next mutants of the same file.
const REMEMBERED: usize = 8;

/// After how many tests it is kept which mutants they come to.
const PART: usize = 20;

/// How long the first portion of a mutant's tests takes, in seconds. Each further one takes four times as long.
const SHORT: f64 = 0.5;

/// A test, and which mutants it comes to.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Test {
    program: String,
    name: String,
    seconds: f64,
    numbers: BTreeSet<u32>,
}

impl Test {
    /// The less, the sooner it is asked. A test of everything says little of one place.
    fn cost(&self) -> f64 {
        let others = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.seconds * f64::from(others)
    }
}

/// The compiled program.
pub(super) struct Program {
    executables: BTreeMap<String, Executable>,
    environment: BTreeMap<String, String>,
    tests: Vec<Test>,
    /// The mutants that do not compile.
    pub(super) unviable: BTreeSet<u32>,
    /// Those that the program can make.
    pub(super) numbers: BTreeSet<u32>,
    /// The tests that failed of late, by the file of the mutant.
    killers: Mutex<BTreeMap<String, VecDeque<String>>>,
}

/// Which mutants of this code the compiler refused.
#[derive(Default, Deserialize, Serialize)]
struct LeftOut {
    key: String,
    /// They do not compile.
    unviable: BTreeSet<u32>,
    /// They do not compile as they are written here.
    apart: BTreeSet<u32>,
}

impl LeftOut {
    fn read(path: &Path, key: &str) -> LeftOut {
        let kept = fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok());
        let new = || LeftOut { key: key.to_owned(), ..LeftOut::default() };
        kept.filter(|kept: &LeftOut| kept.key == key).unwrap_or_else(new)
    }

    /// Leaves out the mutants that these mistakes are of. Fails if they are of none.
    fn extend(&mut self, mistakes: &[Mistake], written: &BTreeMap<String, String>) -> Result<()> {
        let before = self.unviable.len() + self.apart.len();
        for Mistake { file, byte, .. } in mistakes {
            match written.get(file).and_then(|text| switch::number_at(text, *byte)) {
                Some((number, true)) => drop(self.unviable.insert(number)),
                Some((number, false)) => drop(self.apart.insert(number)),
                None => {}
            }
        }
        if self.unviable.len() + self.apart.len() == before {
            let texts: BTreeSet<&str> = mistakes.iter().map(|mistake| mistake.text.as_str()).collect();
            bail!("{}", texts.into_iter().collect::<Vec<_>>().join("\n"));
        }
        Ok(())
    }
}

impl Program {
    /// Writes these mutants into a copy of the project, and compiles it without those that do not compile, of which some are
    /// known.
    pub(super) fn build(
        project: &Project,
        changes: &BTreeMap<u32, Change>,
        unviable: BTreeSet<u32>,
    ) -> Result<Program> {
        let directory = project.path(DIRECTORY).join("switched");
        let key = key(project, changes)?;
        let mut refused = LeftOut::read(&project.path(REFUSED), &key);
        refused.unviable.extend(unviable);
        let (executables, numbers) = loop {
            let left_out = refused.unviable.union(&refused.apart).copied().collect();
            let Written { files, numbers, unviable } = write(project, changes, &left_out)?;
            refused.unviable.extend(unviable);
            tree::renew(project, &directory, &files)?;
            let name = format!("build with {} mutants", numbers.len());
            match step(&name, || compile(project, &directory))? {
                Ok(executables) => break (executables, numbers),
                Err(mistakes) => refused.extend(&mistakes, &files)?,
            }
            fs::write(project.path(REFUSED), serde_json::to_string(&refused)?)?;
        };
        let mut program = Program {
            executables,
            environment: environment(project)?,
            tests: Vec::new(),
            unviable: refused.unviable,
            numbers,
            killers: Mutex::default(),
        };
        program.tests = step("which tests come to which mutants", || program.reach(project, &key))?;
        Ok(program)
    }

    /// Runs every test without a mutant.
    fn reach(&self, project: &Project, key: &str) -> Result<Vec<Test>> {
        let path = project.path(REACHED);
        let kept: Option<(String, Vec<Test>)> =
            fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        let mut tests = kept.filter(|(of, _)| of == key).map(|(_, tests)| tests).unwrap_or_default();
        let mut names = BTreeSet::new();
        for (program, executable) in &self.executables {
            let mut list = self.command(executable, None);
            let output = list.args(["--list", "--format", "terse"]).output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let of_program = text.lines().filter_map(|line| line.strip_suffix(": test"));
            names.extend(of_program.map(|name| (program.clone(), name.to_owned())));
        }
        tests.retain(|test| names.contains(&(test.program.clone(), test.name.clone())));
        for test in &tests {
            names.remove(&(test.program.clone(), test.name.clone()));
        }
        let names: Vec<_> = names.into_iter().collect();
        let scratch = project.path(DIRECTORY).join("reached");
        fs::create_dir_all(&scratch)?;
        let one = |(program, name): &(String, String)| {
            let executable = self.executables.get(program).context("no such program")?;
            let file = scratch.join(fingerprint([program.as_bytes(), name.as_bytes()]));
            let _ = fs::remove_file(&file);
            let mut command = self.command(executable, None);
            command.args(["--exact", "--test-threads=1", name]).env("VESTIBULE_MUTANTS_REACHED", &file);
            let watch = Stopwatch::start();
            let output = command.output()?;
            let seconds = watch.elapsed().as_secs_f64();
            let numbers = fs::read_to_string(&file).unwrap_or_default();
            let _ = fs::remove_file(&file);
            if !output.status.success() {
                println!("   left out, because it fails without a mutant: {program} {name}");
                return Ok(None);
            }
            let numbers = numbers.lines().filter_map(|line| line.parse().ok()).collect();
            Ok(Some(Test { program: program.clone(), name: name.clone(), seconds, numbers }))
        };
        // What is known after each part stays, if the run is interrupted.
        for part in names.chunks(PART) {
            tests.extend(in_parallel(part, one)?.into_iter().flatten());
            fs::write(&path, serde_json::to_string(&(key, &tests))?)?;
        }
        Ok(tests)
    }

    /// What the tests say of these mutants.
    pub(super) fn run(&self, mutants: &[(u32, Change)]) -> Result<Vec<(u32, Summary)>> {
        in_parallel(mutants, |(number, change)| Ok((*number, self.outcome(*number, &change.file)?)))
    }

    fn outcome(&self, number: u32, file: &str) -> Result<Summary> {
        for (program, tests) in self.portions(number, file) {
            let seconds: f64 = tests.iter().map(|test| test.seconds).sum();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
            let limit = SPARE + (10.0 * seconds) as u64;
            let executable = self.executables.get(program).context("no such program")?;
            let mut command = self.command(executable, Some(limit));
            command.args(["--exact", "--test-threads=1", "-Zunstable-options", "--fail-fast"]);
            command.args(tests.iter().map(|test| &test.name));
            command.env("RUSTC_BOOTSTRAP", "1").env("VESTIBULE_MUTANT", number.to_string());
            let Some((status, output)) = wait(&mut command)? else { return Ok(Summary::Timeout) };
            if status.success() {
                continue;
            }
            if is_out_of_time(status) {
                return Ok(Summary::Timeout);
            }
            let failed =
                output.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
            if let (Some(failed), Ok(mut killers)) = (failed, self.killers.lock()) {
                let killers = killers.entry(file.to_owned()).or_default();
                killers.retain(|known| known != failed);
                killers.push_front(failed.to_owned());
                killers.truncate(REMEMBERED);
            }
            return Ok(Summary::Caught);
        }
        Ok(Summary::Missed)
    }

    /// The tests that come to a mutant, in portions of one program: those that noticed its neighbours, then those that come to
    /// few others and are quick.
    fn portions(&self, number: u32, file: &str) -> Vec<(&str, Vec<&Test>)> {
        let killers: VecDeque<String> =
            self.killers.lock().ok().and_then(|killers| killers.get(file).cloned()).unwrap_or_default();
        let coming = self.tests.iter().filter(|test| test.numbers.contains(&number));
        let (first, mut rest): (Vec<&Test>, Vec<&Test>) =
            coming.partition(|test| killers.contains(&test.name));
        rest.sort_by(|one, other| one.cost().total_cmp(&other.cost()));
        let mut portions = by_program(first);
        let (mut portion, mut sum, mut most) = (Vec::new(), 0.0, SHORT);
        for test in rest {
            sum += test.seconds;
            portion.push(test);
            if sum >= most {
                portions.extend(by_program(std::mem::take(&mut portion)));
                (sum, most) = (0.0, 4.0 * most);
            }
        }
        portions.extend(by_program(portion));
        portions
    }

    /// A program of tests, with at most so many seconds of a processor.
    fn command(&self, executable: &Executable, seconds: Option<u64>) -> Command {
        let mut command = Command::new("sh");
        let limit =
            seconds.map_or(String::new(), |seconds| format!("ulimit -t {seconds}; ulimit -v {MEMORY}; "));
        command.arg("-c").arg(format!("{limit}exec \"$0\" \"$@\"")).arg(&executable.path);
        command.current_dir(&executable.directory).env("CARGO_MANIFEST_DIR", &executable.directory);
        command.envs(&self.environment).stdin(Stdio::null());
        command
    }
}

fn by_program(tests: Vec<&Test>) -> Vec<(&str, Vec<&Test>)> {
    let mut portions: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in tests {
        portions.entry(&test.program).or_default().push(test);
    }
    portions.into_iter().collect()
}

/// The same for the same mutants of the same code.
fn key(project: &Project, changes: &BTreeMap<u32, Change>) -> Result<String> {
    let names = changes.values().map(|change| change.name.clone());
    let files: BTreeSet<&str> = changes.values().map(|change| change.file.as_str()).collect();
    let code = files.into_iter().map(|file| {
        let text = fs::read_to_string(project.path(file)).with_context(|| format!("cannot read {file}"))?;
        Ok(code_of(&text).to_owned())
    });
    let texts: Vec<String> = names.map(Ok).chain(code).collect::<Result<_>>()?;
    Ok(fingerprint(texts.iter().map(String::as_bytes)))
}

/// What cargo would set for the tests.
fn environment(project: &Project) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct File {
        env: BTreeMap<String, toml::Value>,
    }
    let text =
        fs::read_to_string(project.path(".cargo/config.toml")).context("cannot read .cargo/config.toml")?;
    let file: File = toml::from_str(&text).context("cannot read .cargo/config.toml")?;
    Ok(file.env.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect())
}

/// Runs a command to its end, and gives what it printed; `None` if there was none.
fn wait(command: &mut Command) -> Result<Option<(ExitStatus, String)>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut pipe = child.stdout.take().context("the output is no pipe")?;
    let (sender, output) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    let bytes = output.recv_timeout(WAIT);
    if bytes.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let _ = reader.join();
    Ok(bytes.ok().map(|bytes| (status, String::from_utf8_lossy(&bytes).into_owned())))
}

/// Whether the system ended a program, because it computed for too long.
fn is_out_of_time(status: ExitStatus) -> bool {
    matches!(host::signal(status), Some(SIGXCPU | SIGKILL))
}

/// Does something with each of these, on every processor, in their order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<R>> {
        let mut results = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push(work(item)?);
        }
        Ok(results)
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism()?.get()).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(results) => all.extend::<Vec<R>>(results?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}
