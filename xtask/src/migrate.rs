//! Moves two real applications behind the Worker, by the steps of docs/migrating.md: Next.js 15 with next-auth 5, and
//! Next.js 14 with next-auth 4. The configuration is the text of the guide.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::build::{self, Effort};
use crate::project::Project;
use crate::stack::{Client, Demo, Local, Migration, Ports, Setup, Stack, Storage};
use crate::step::{run, run_quietly, step};
use crate::tools;

/// The options on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Move only the application with this version of next-auth
    #[arg(value_name = "VERSION")]
    only: Option<Version>,
}

/// A version of next-auth, named as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Version {
    #[value(name = "5")]
    V5,
    #[value(name = "4")]
    V4,
}

/// The files that step 7 of the guide deletes; some of them come back as the guide writes them.
const DELETED: [&str; 2] = ["middleware.js", "app/api/auth"];

/// What the guide's own names stand for on this machine.
const HERE: [(&str, &str); 1] = [("https://dev-123456.okta.com/oauth2/default", "http://localhost:9400")];

/// `cargo xtask migrate`: builds the Worker and the applications, and walks through them before and after.
pub(crate) fn migrate(project: &Project, options: Options) -> Result<()> {
    build::build(project, Effort::from_environment())?;
    let chromium = tools::ensure_chromium(project)?;
    let guide =
        fs::read_to_string(project.path("docs/migrating.md")).context("cannot read docs/migrating.md")?;
    let wanted = |version: &&Version| options.only.is_none_or(|only| only == **version);
    Version::value_variants().iter().filter(wanted).try_for_each(|version| {
        let client = version.client();
        build_app(project, client)?;
        for stage in [Migration::Before, Migration::Moved] {
            let config = configuration(&guide, client, stage)?;
            step(&format!("{}, {}", client.package(), stage.name()), || {
                walk(project, &chromium, client, stage, &config)
            })?;
        }
        Ok(())
    })
}

impl Version {
    fn client(self) -> Client {
        match self {
            Version::V4 => Client::V4,
            Version::V5 => Client::V5,
        }
    }
}

/// Builds the application as it is, and as the steps of the guide change it.
fn build_app(project: &Project, client: Client) -> Result<()> {
    let directory = client.migration_directory();
    tools::ensure_npm_of(project, directory)?;
    let (app, moved) =
        (Migration::Before.directory(project, client), Migration::Moved.directory(project, client));
    let _ = fs::remove_dir_all(&moved);
    copy(&app, &moved, &|relative| {
        relative == Path::new(".next") || DELETED.iter().any(|deleted| relative == Path::new(deleted))
    })?;
    copy(&project.path(directory).join("steps"), &moved, &|_| false)?;
    for (state, at) in [("as it is", &app), ("moved", &moved)] {
        step(&format!("next build, {} {state}", client.package()), || {
            let mut command = project.command(tools::node(project)?);
            command.current_dir(at).args(["../node_modules/next/dist/bin/next", "build"]);
            run_quietly(command.env("NEXT_TELEMETRY_DISABLED", "1")).map(drop)
        })?;
    }
    Ok(())
}

/// Copies a directory without what `leaves_out`, which gets paths relative to it.
fn copy(from: &Path, to: &Path, leaves_out: &dyn Fn(&Path) -> bool) -> Result<()> {
    fn copy_below(
        from: &Path,
        to: &Path,
        below: &Path,
        leaves_out: &dyn Fn(&Path) -> bool,
    ) -> std::io::Result<()> {
        fs::create_dir_all(to.join(below))?;
        for entry in fs::read_dir(from.join(below))? {
            let entry = entry?;
            let relative = below.join(entry.file_name());
            if leaves_out(&relative) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                copy_below(from, to, &relative, leaves_out)?;
            } else {
                fs::copy(entry.path(), to.join(&relative))?;
            }
        }
        Ok(())
    }
    copy_below(from, to, &PathBuf::new(), leaves_out)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Starts the application behind the Worker on free ports, and runs tests/browser/migrate.mjs.
fn walk(project: &Project, chromium: &Path, client: Client, stage: Migration, config: &str) -> Result<()> {
    let ports = Ports::free()?;
    let storage = Storage::fresh(project, ports)?;
    let directory = project.path(&format!(".wrangler/xtask/{}/own", ports.worker));
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let file = directory.join("wrangler.toml");
    fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
    fs::write(directory.join(".dev.vars"), secrets(project)?).context("cannot write .dev.vars")?;

    let demo = Demo::Migrating(client, stage);
    let setup = Setup { config: file, local: Some(Local::default()), ..Setup::of(project, demo) };
    let stack = Stack::start(project, setup, ports, storage, &|| false)?;
    let mut command = project.command(tools::node(project)?);
    command.arg("tests/browser/migrate.mjs");
    command.env("WALK_URL", stack.url()).env("WALK_APP_URL", ports.app_url());
    command.env("WALK_CHROMIUM", chromium).env("WALK_SCREENSHOTS", project.path("target/screenshots"));
    command.env("MIGRATE_STAGE", stage.name()).env("MIGRATE_CLIENT", client.package());
    let result = run(&mut command);
    stack.stop();
    result
}

/// The client's id and secret, which step 3 of the guide sets, for the provider `okta`.
fn secrets(project: &Project) -> Result<String> {
    let demo = fs::read_to_string(project.path("demo/dev.vars")).context("cannot read demo/dev.vars")?;
    Ok(demo
        .lines()
        .filter(|line| line.starts_with("AUTH_DEMO_"))
        .fold(String::new(), |secrets, line| secrets + &line.replacen("AUTH_DEMO_", "AUTH_OKTA_", 1) + "\n"))
}

/// wrangler.toml as the guide's steps make it.
fn configuration(guide: &str, client: Client, stage: Migration) -> Result<String> {
    let (_, guide) =
        guide.split_once("\n## From next-auth\n").context("docs/migrating.md has no such section")?;
    let mut blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut block = || {
        let block = blocks.next().context("a block of TOML is missing in docs/migrating.md")?;
        Ok::<_, anyhow::Error>(block.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"))
    };
    let (mut site, rules) = (block()?, block()?);
    let mut change = |from: &str, to: &str| {
        ensure!(site.contains(from), "docs/migrating.md has no {from} in its configuration");
        site = site.replace(from, to);
        Ok(())
    };
    for (from, to) in HERE {
        change(from, to)?;
    }
    if client == Client::V4 {
        change("dialect = \"authjs-v5\"", "dialect = \"next-auth-v4\"")?;
    }
    let rules = if stage == Migration::Moved {
        change("default_access = \"public\"", "default_access = \"signed-in\"")?;
        rules
    } else {
        String::new()
    };
    Ok(format!(
        "name = \"migrating\"\nmain = \"build/index.js\"\ncompatibility_date = \"2026-10-23\"\n{site}\n\
         [[kv_namespaces]]\nbinding = \"AUTH_KV\"\n\n{rules}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    const GUIDE: &str = include_str!("../../docs/migrating.md");

    #[test]
    fn a_version_is_a_number() {
        assert_eq!(read::<Options>(&["4"]).unwrap().only, Some(Version::V4));
        assert_eq!(read::<Options>(&[]).unwrap().only, None);
        assert!(read::<Options>(&["6"]).is_err());
    }

    #[test]
    fn the_guide_s_configuration_has_its_claims_before_the_rule_that_requires_them() {
        for client in [Client::V4, Client::V5] {
            let before = configuration(GUIDE, client, Migration::Before).unwrap();
            let moved = configuration(GUIDE, client, Migration::Moved).unwrap();
            assert!(!before.contains("require = ") && before.contains("[vars.AUTH.claims]"), "{before}");
            assert!(before.contains("expose = "), "{before}");
            assert!(moved.contains("require = { roles = [\"admin\"] }"), "{moved}");
            for text in [before, moved] {
                toml::from_str::<toml::Table>(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            }
        }
    }

    #[test]
    fn the_guide_shows_what_the_applications_change() {
        for steps in [
            include_str!("../../tests/migrating/v5/steps/auth.js"),
            include_str!("../../tests/migrating/v5/steps/app/api/auth/[...nextauth]/route.js"),
            include_str!("../../tests/migrating/v4/steps/auth.js"),
        ] {
            let guide: Vec<&str> = GUIDE.lines().map(str::trim).collect();
            for line in steps.lines().map(str::trim).filter(|line| line.len() > 3) {
                assert!(guide.contains(&line), "docs/migrating.md does not show: {line}");
            }
        }
    }
}
