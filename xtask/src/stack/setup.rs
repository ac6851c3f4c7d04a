//! What a stack runs, and where its configuration is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::settings::Settings;
use super::{Demo, Ports};
use crate::project::Project;

/// A demo, and what differs where a developer runs their own site in its place.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) demo: Demo,
    /// The Worker's configuration.
    pub(crate) config: PathBuf,
    /// What differs from the deployed site. `None` runs the configuration as it is.
    pub(crate) local: Option<Local>,
    /// What runs it.
    pub(crate) runtime: Runtime,
}

/// What runs the site.
#[derive(Clone, Debug)]
pub(crate) enum Runtime {
    /// The Worker in `build/`, in wrangler.
    Workers,
    /// The component, in wasmtime.
    Wasi(Component),
    /// `vestibule-server`, at this path, with its stores in memory and a file.
    Native(PathBuf),
}

impl Runtime {
    /// Its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Runtime::Workers => "workers",
            Runtime::Wasi(_) => "wasi",
            Runtime::Native(_) => "native",
        }
    }

    /// Whether it has a store for revocations.
    pub(crate) fn revokes(&self) -> bool {
        self.strict_store().is_some()
    }

    /// The store whose leases hold with a provider that accepts a refresh token once. `None` if there is none here.
    fn strict_store(&self) -> Option<&'static str> {
        match self {
            Runtime::Workers => Some("durable-object"),
            Runtime::Native(_) => Some("memory"),
            Runtime::Wasi(component) => component.redis.as_ref().map(|_| "redis"),
        }
    }
}

/// A component for wasi:http, and its host.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// wasmtime's program.
    pub(crate) host: PathBuf,
    pub(crate) file: PathBuf,
    /// How many requests an instance answers, one after the other.
    pub(crate) requests_of_instance: u32,
    /// The port of the Redis server that its instances share, which the stack starts, if there is one.
    pub(crate) redis: Option<u16>,
}

/// What differs on a developer's machine from the deployed site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    /// The origin of the developer's own application, which stands in for `to = "origin"`. `None` is the demo's application.
    pub(crate) app: Option<String>,
    /// The origin at which browsers reach the Worker through a tunnel.
    pub(crate) origin: Option<String>,
}

impl Setup {
    /// A demo as it is.
    pub(crate) fn of(project: &Project, demo: Demo) -> Setup {
        Setup { demo, config: project.path(demo.config()), local: None, runtime: Runtime::Workers }
    }

    /// A demo as it is, in this runtime.
    pub(crate) fn at(project: &Project, demo: Demo, runtime: &Runtime) -> Setup {
        Setup { runtime: runtime.clone(), ..Setup::of(project, demo) }
    }

    /// The configuration as a developer runs it, or as it is.
    pub(super) fn settings(&self, ports: Ports) -> Result<Settings> {
        let mut settings = Settings::read(&self.config)?;
        if self.demo == Demo::Strict
            && let Some(store) = self.runtime.strict_store()
        {
            settings = settings.with_store(store);
        }
        Ok(match &self.local {
            Some(local) => settings.on_this_machine(local, &ports.app_url()),
            None => settings,
        })
    }

    /// The files with a developer's own secrets: of the project, and next to the configuration. A later one overrides an
    /// earlier one.
    pub(super) fn secrets(&self, project: &Project, with_project: bool) -> Vec<PathBuf> {
        let of_project = project.path(SECRETS);
        let mut files = Vec::new();
        if with_project {
            files.push(of_project.clone());
        }
        let beside = self.config.with_file_name(SECRETS);
        if self.local.is_some() && beside != of_project {
            files.push(beside);
        }
        files
    }
}

/// The name of the file with a developer's own secrets.
const SECRETS: &str = ".dev.vars";

/// Checks an origin from the command line.
pub(crate) fn origin(text: &str) -> Result<String> {
    let origin = text.strip_suffix('/').unwrap_or(text);
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    ensure!(
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@'])),
        "{text:?} is not an origin: write it like http://localhost:3000"
    );
    Ok(origin.to_owned())
}

/// The contents of files, to notice when one changes. A missing file is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(Vec<Option<String>>);

impl Contents {
    pub(super) fn of<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Contents {
        Contents(files.into_iter().map(|file| fs::read_to_string(file).ok()).collect())
    }
}

/// Writes a file in one step, so that no one who watches it reads a part of it.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let made = path.with_extension("new");
    fs::write(&made, text)
        .and_then(|()| fs::rename(&made, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_no_user() {
        assert_eq!(origin("http://localhost:3000/").unwrap(), "http://localhost:3000");
        assert_eq!(origin("https://a.example").unwrap(), "https://a.example");
        for wrong in ["localhost:3000", "", "http://", "http://a/b", "http://u@a", "ftp://a", "http://a?b"] {
            assert!(origin(wrong).unwrap_err().to_string().contains("http://localhost:3000"), "{wrong}");
        }
    }
}
