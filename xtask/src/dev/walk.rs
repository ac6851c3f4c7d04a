//! Runs the README's own configuration as `cargo xtask dev` does, breaks it in the ways of a first day, and repairs it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::project::Project;
use crate::stack::{Demo, Local, Ports, Setup, Stack, Storage, fetch};
use crate::time::Stopwatch;

/// How long a change may take until the Worker has it, in seconds: wrangler may have to start again.
const PATIENCE: u64 = 60;

/// Two secrets that the README says to set. The third, `AUTH_SECRET`, has a value from the demo.
const SECRETS: &str = "AUTH_OKTA_ID=\"client\"\nAUTH_OKTA_SECRET=\"not a real secret\"\n";

/// Starts the site in a directory of its own, with its own storage, on free ports. The Worker has to be in `build/`.
pub(crate) fn walk(project: &Project) -> Result<()> {
    let ports = Ports::free()?;
    let storage = Storage::fresh(project, ports)?;
    let directory = project.path(&format!(".wrangler/xtask/{}/own", ports.worker));
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let (config, secrets) = (directory.join("wrangler.toml"), directory.join(".dev.vars"));
    let site = site_of_readme(project)?;
    write(&config, &site)?;
    write(&secrets, SECRETS)?;

    let setup = Setup { demo: Demo::Bare, config: config.clone(), local: Some(Local::default()) };
    let mut stack = Stack::start(project, setup, ports, storage, &|| false)?;
    let (root, sign_in) = (stack.url(), stack.own_page("signin"));
    let notes = stack.notes().join("\n");
    ensure!(
        notes.contains(&ports.app_url()) && notes.contains(&format!("{root}/auth/callback/okta")),
        "the notes for the developer name neither the app nor the redirect URI:\n{notes}"
    );

    let page = fetch(&sign_in)?;
    let action = format!("action=\"{root}/auth/signin/okta\"");
    ensure!(page.body.contains(&action), "the sign-in page has no form with {action}: {page:?}");
    let home = fetch(&format!("{root}/"))?;
    ensure!(home.status == 200, "the app stands in for the origin, but / answered {home:?}");

    // Each of these is a change while it runs.
    write(&secrets, "AUTH_OKTA_ID=\"client\"\n")?;
    wait(&mut stack, "the missing secret is shown", || {
        let page = fetch(&format!("{root}/"))?;
        Ok(page.status == 500 && page.body.contains("AUTH_OKTA_SECRET") && page.body.contains(".dev.vars"))
    })?;
    write(&secrets, SECRETS)?;
    write(&config, &site.replace("to = \"origin\"", &format!("to = \"{root}\"")))?;
    wait(&mut stack, "the loop is named", || {
        let page = fetch(&format!("{root}/"))?;
        Ok(page.status == 508 && page.body.contains(&format!("to = &quot;{root}&quot;")))
    })?;
    write(&config, "[vars.AUTH\n")?;
    write(&config, &site.replace("\"/about\"", "\"/public\""))?;
    wait(&mut stack, "the corrected configuration is in use", || {
        Ok(fetch(&format!("{root}/public"))?.status == 404 && fetch(&format!("{root}/about"))?.status == 302)
    })?;
    stack.stop();
    Ok(())
}

/// The root's wrangler.toml without the demo's settings, and with those of the README.
fn site_of_readme(project: &Project) -> Result<String> {
    let read =
        |name: &str| fs::read_to_string(project.path(name)).with_context(|| format!("cannot read {name}"));
    let (readme, demo) = (read("README.md")?, read("wrangler.toml")?);
    let (_, block) = readme.split_once("   ```toml\n").context("README.md has no block of TOML")?;
    let (block, _) = block.split_once("   ```\n").context("README.md has a block without an end")?;
    let block: Vec<&str> = block.lines().map(str::trim_start).collect();
    let block = block.join("\n");
    let (routes, tables) = block.split_once("\n[").context("the block in README.md has no table")?;
    let (common, _) = demo.split_once("[vars.AUTH]").context("wrangler.toml has no [vars.AUTH]")?;
    ensure!(routes.contains("routes") && tables.contains("\"origin\""), "README.md has another block first");
    Ok(format!("{routes}\n{common}\n[vars.AUTH]\n\n[{tables}"))
}

/// Follows the changes until `is_there`.
fn wait(stack: &mut Stack, what: &str, is_there: impl Fn() -> Result<bool>) -> Result<()> {
    let watch = Stopwatch::start();
    let is_over = || watch.elapsed().as_secs() > PATIENCE;
    stack.watch(&|| is_over() || is_there().unwrap_or_default())?;
    if is_over() && !is_there()? {
        bail!("not within {PATIENCE} s: {what}");
    }
    println!("   {what}");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
