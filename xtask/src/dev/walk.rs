//! Runs the README's own configuration as `cargo xtask dev` does, breaks it in the ways of a first day, and repairs it.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::project::Project;
use crate::stack::{Demo, Local, Ports, Setup, Stack, Storage, fetch};
use crate::time::Stopwatch;

/// How long a change may take until the Worker has it: wrangler may have to start again.
const MAX_WAIT: Duration = Duration::from_mins(1);

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

    let local = Some(Local::default());
    let setup = Setup { config: config.clone(), local, ..Setup::of(project, Demo::Bare) };
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
        let is_shown = page.body.contains("AUTH_OKTA_SECRET") && page.body.contains(".dev.vars");
        ensure!(page.status == 500 && is_shown, "/ answered {page:?}");
        Ok(())
    })?;
    write(&secrets, SECRETS)?;
    write(&config, &site.replace("to = \"origin\"", &format!("to = \"{root}\"")))?;
    wait(&mut stack, "the loop is named", || {
        let page = fetch(&format!("{root}/"))?;
        let is_named = page.body.contains(&format!("to = &quot;{root}&quot;"));
        ensure!(page.status == 508 && is_named, "/ answered {page:?}");
        Ok(())
    })?;
    write(&config, "[vars.AUTH\n")?;
    let looks = Cell::new(0);
    stack.watch(&|| looks.replace(looks.get() + 1) > 3)?;
    let kept = fetch(&format!("{root}/"))?;
    ensure!(kept.status == 508, "a file that is no TOML changes nothing, but / answered {kept:?}");
    write(&config, &site.replace("\"/about\"", "\"/public\""))?;
    wait(&mut stack, "the corrected configuration is in use", || {
        let (public, guarded) = (fetch(&format!("{root}/public"))?, fetch(&format!("{root}/about"))?);
        ensure!(
            guarded.status == 302 && public.status != 302,
            "/public answered {public:?}, /about {guarded:?}"
        );
        Ok(())
    })?;
    stack.stop();
    Ok(())
}

/// The README's wrangler.toml. `dev` puts the Worker of this checkout in place of its `main`.
fn site_of_readme(project: &Project) -> Result<String> {
    let readme = fs::read_to_string(project.path("README.md")).context("cannot read README.md")?;
    let (_, block) = readme.split_once("   ```toml\n").context("README.md has no block of TOML")?;
    let (block, _) = block.split_once("   ```\n").context("README.md has a block without an end")?;
    for part in ["routes", "\"origin\"", "\"/about\""] {
        ensure!(block.contains(part), "the first block of TOML in README.md has no {part}");
    }
    Ok(block.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"))
}

/// Follows the changes until `check` finds what it looks for.
fn wait(stack: &mut Stack, what: &str, check: impl Fn() -> Result<()>) -> Result<()> {
    let watch = Stopwatch::start();
    stack.watch(&|| watch.elapsed() > MAX_WAIT || check().is_ok())?;
    check().with_context(|| format!("not within {} s: {what}", MAX_WAIT.as_secs()))?;
    println!("   {what}");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
