//! `cargo xtask dev --runtime native`: the server of your own on this machine. It needs neither Node.js nor wrangler.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Options, interruption};
use crate::project::Project;
use crate::runtime;
use crate::stack::{Ports, answers, secret};
use crate::step::run;
use crate::time::Stopwatch;

/// Where the configuration and the secrets are written as the server reads them.
const FOLDER: &str = "target/dev-native";

/// How long the server may take until it answers.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The time between two looks at the files and the process.
const POLL: Duration = Duration::from_millis(200);

/// Builds and starts the server, and runs until Ctrl-C. A change of the configuration or of the secrets is reloaded.
pub(super) fn serve(project: &Project, options: &Options) -> Result<()> {
    let program = runtime::build_server(project)?;
    let is_interrupted = interruption()?;
    let files = Files::of(project, options)?;
    let mut read = files.read()?;
    files.write(&read)?;
    let app = options.app.clone().unwrap_or_else(|| options.ports().app_url());
    let command = || files.command(project, &program, options.port, &app);
    let mut server = Server(command().spawn().context("cannot start the server")?);
    server.wait_until_it_answers(command)?;
    let url = format!("http://localhost:{}", options.port);
    println!("\n  {url}, in front of {app}");
    for hint in missing(&read.config, &app, &url, &answers)? {
        println!("  {hint}");
    }
    println!("  Changes in {} and .dev.vars are reloaded. Ctrl-C stops it.\n", files.config.display());
    // What is wrong with the files, and whether it was said.
    let mut unreadable: Option<(String, bool)> = None;
    while !options.once && !is_interrupted.load(std::sync::atomic::Ordering::Relaxed) {
        ensure!(server.0.try_wait()?.is_none(), "the server has ended: see above");
        thread::sleep(POLL);
        match files.read() {
            Ok(now) => {
                unreadable = None;
                if now != read {
                    files.write(&now)?;
                    server.signal("HUP")?;
                    read = now;
                }
            }
            Err(error) => {
                // A file that is being written may be wrong for a moment, so what is wrong is said at the second look.
                let said = format!("{error:#}");
                match &mut unreadable {
                    Some((known, is_said)) if *known == said => {
                        if !std::mem::replace(is_said, true) {
                            println!("  Not reloaded: {said}");
                        }
                    }
                    other => *other = Some((said, false)),
                }
            }
        }
    }
    server.signal("TERM")?;
    server.0.wait()?;
    Ok(())
}

/// The developer's files.
struct Files {
    config: PathBuf,
    /// What messages call it: the path that was typed, if that is in the folder where it was typed; otherwise its name.
    shown: PathBuf,
    secrets: Vec<PathBuf>,
    folder: PathBuf,
}

/// What is in them: the configuration as TOML, and the secrets.
#[derive(PartialEq, Eq)]
struct Contents {
    config: String,
    secrets: Vec<(String, String)>,
}

impl Files {
    fn of(project: &Project, options: &Options) -> Result<Self> {
        let typed = options.config.clone();
        let config = typed.as_ref().map(std::path::absolute).transpose()?;
        let config = config.unwrap_or_else(|| project.path("wrangler.toml"));
        let shown = shown(typed.as_deref(), &config);
        let beside = config.with_file_name(".dev.vars");
        // The values of a later file win.
        let secrets = vec![project.path("demo/dev.vars"), project.path(".dev.vars"), beside];
        Ok(Self { config, shown, secrets, folder: project.path(FOLDER) })
    }

    fn read(&self) -> Result<Contents> {
        let text = fs::read_to_string(&self.config)
            .with_context(|| format!("cannot read {}", self.config.display()))?;
        let mut secrets = std::collections::BTreeMap::new();
        for file in self.secrets.iter().filter(|file| file.is_file()) {
            secrets.extend(fs::read_to_string(file)?.lines().filter_map(secret));
        }
        let config = configuration(&text).with_context(|| self.shown.display().to_string())?;
        Ok(Contents { config, secrets: secrets.into_iter().collect() })
    }

    /// The folder in which the server finds the configuration at the path that its messages show.
    fn copies(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn write(&self, contents: &Contents) -> Result<()> {
        let secrets = self.folder.join("secrets");
        if secrets.exists() {
            fs::remove_dir_all(&secrets)?;
        }
        fs::create_dir_all(&secrets)?;
        for (name, value) in &contents.secrets {
            fs::write(secrets.join(name), value)?;
        }
        let copy = self.copies().join(&self.shown);
        fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
        fs::write(copy, &contents.config)?;
        Ok(())
    }

    fn command(&self, project: &Project, program: &Path, port: u16, app: &str) -> Command {
        let mut command = project.command(program);
        command
            .current_dir(self.copies())
            .arg("--config")
            .arg(&self.shown)
            .arg("--secrets")
            .arg(self.folder.join("secrets"))
            .arg("--revocations")
            .arg(self.folder.join("revocations"))
            .args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--origin",
                app,
                "--threads",
                "1",
                "--drain",
                "2",
            ]);
        command
    }
}

/// What messages call a file: the path that was typed, if that stays in the folder where it was typed; otherwise its name.
fn shown(typed: Option<&Path>, file: &Path) -> PathBuf {
    let typed = typed.map(|typed| typed.strip_prefix(".").unwrap_or(typed));
    let stays = |path: &&Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    typed.filter(stays).map_or_else(|| file.file_name().unwrap_or_default().into(), Path::to_owned)
}

/// The configuration as the server reads it: of `wrangler.toml` only what is below `[vars.AUTH]`.
fn configuration(text: &str) -> Result<String> {
    let file: toml::Table = text.parse().context("this is not TOML")?;
    let of_worker = file.get("vars").and_then(|vars| vars.get("AUTH"));
    match of_worker {
        Some(auth) => Ok(toml::to_string(auth)?),
        None => Ok(text.to_owned()),
    }
}

/// What the site needs on this machine and what does not answer there, each with what to do. `url` is the site's.
fn missing(config: &str, app: &str, url: &str, answers: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
    let usual = Ports::USUAL;
    let mut hints = Vec::new();
    if !answers(app) {
        let demo =
            if app == usual.app_url() { ". That of the demo: `npm ci && node demo/app.mjs`" } else { "" };
        hints.push(format!(
            "Nothing answers at {app}: start your app there, or name it with `--app URL`{demo}"
        ));
    }
    let config: toml::Table = config.parse()?;
    let providers = config.get("providers").and_then(toml::Value::as_array).into_iter().flatten();
    let issuers = providers.filter_map(|provider| provider.get("issuer")?.as_str());
    for issuer in issuers.filter(|issuer| issuer.starts_with("http://") && !answers(issuer)) {
        let demo = format!(": `npm ci && DEMO_BASE_URLS={url} node demo/provider.mjs`");
        let demo = if issuer == usual.provider_url() { &demo } else { "" };
        hints.push(format!("Nothing answers at {issuer}, so nobody can sign in: start the provider{demo}"));
    }
    Ok(hints)
}

/// The running server. It ends when this is dropped.
struct Server(Child);

impl Server {
    /// Waits until its health check succeeds, which `command` runs.
    fn wait_until_it_answers(&mut self, command: impl Fn() -> Command) -> Result<()> {
        let watch = Stopwatch::start();
        while !command().arg("--health").stderr(Stdio::null()).status()?.success() {
            ensure!(self.0.try_wait()?.is_none(), "the server has ended: see above");
            ensure!(watch.elapsed() < START_LIMIT, "the server does not answer its health check");
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The standard library sends no signals.
    fn signal(&self, name: &str) -> Result<()> {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_wranglers_file_only_the_configuration_is_read() {
        let own = "base_path = \"/auth\"\n";
        assert_eq!(configuration(own).unwrap(), own);
        let workers = "name = \"x\"\n[vars.AUTH]\nbase_path = \"/auth\"\n[vars.AUTH.claims]\nroles = \"a\"\n";
        let read: toml::Table = configuration(workers).unwrap().parse().unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["base_path", "claims"]);
        assert!(configuration("not toml").is_err());
    }

    #[test]
    fn a_message_names_the_file_that_was_typed() {
        let of = |typed: Option<&str>, file: &str| {
            shown(typed.map(Path::new), Path::new(file)).display().to_string()
        };
        assert_eq!(of(None, "/project/wrangler.toml"), "wrangler.toml");
        assert_eq!(of(Some("site.toml"), "/here/site.toml"), "site.toml");
        assert_eq!(of(Some("./sites/a.toml"), "/here/sites/a.toml"), "sites/a.toml");
        assert_eq!(of(Some("../a.toml"), "/a.toml"), "a.toml");
        assert_eq!(of(Some("/elsewhere/a.toml"), "/elsewhere/a.toml"), "a.toml");
    }

    #[test]
    fn what_does_not_answer_is_named_with_what_to_do() {
        let config = "[[providers]]\nissuer = \"http://localhost:9400\"\n[[providers]]\nissuer = \"https://idp.example\"\n";
        let missing = |app, answers: fn(&str) -> bool| {
            missing(config, app, "http://localhost:8787", &answers).unwrap().join("\n")
        };
        assert_eq!(missing("http://localhost:9401", |_| true), "");
        let none = missing("http://localhost:9401", |_| false);
        assert!(none.contains("node demo/app.mjs") && none.contains("node demo/provider.mjs"), "{none}");
        assert_eq!(none.lines().count(), 2, "{none}");
        let own = missing("http://localhost:3000", |url| url.contains("9400"));
        assert!(own.contains("--app URL") && !own.contains("demo"), "{own}");
    }
}
