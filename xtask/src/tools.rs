//! Installs the tools that the build, the tests and `dev` need in addition to Rust, if they are missing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::host;
use crate::project::Project;
use crate::step::{run_quietly, step};

/// The target that Workers are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// A WebAssembly target without JavaScript. The core has to compile for it.
pub(crate) const WASI: &str = "wasm32-wasip2";

/// The oldest version of Node.js, major and minor, that wrangler supports.
const NODE_MINIMUM: (u32, u32) = (22, 12);

/// The target for programs that are linked statically, with musl, for this machine's processor.
pub(crate) fn musl_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Makes sure that programs can be compiled for [`musl_target`]. On Debian and Ubuntu installs musl's compiler for C.
pub(crate) fn ensure_musl(project: &Project) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!(
            "a static binary is built on Linux only: build the image of crates/server/Dockerfile elsewhere"
        );
    }
    ensure_target(project, &musl_target())?;
    if run_quietly(Command::new("musl-gcc").arg("-dumpversion")).is_ok() {
        return Ok(());
    }
    apt_install(project, "musl-tools").context("install musl, so that musl-gcc is on PATH")
}

/// Adds a compilation target to the toolchain in use.
pub(crate) fn ensure_target(project: &Project, target: &str) -> Result<()> {
    let mut command = project.command("rustc");
    command.args(["--print", "target-libdir", "--target", target]);
    if run_quietly(&mut command).is_ok_and(|directory| PathBuf::from(directory.trim()).is_dir()) {
        return Ok(());
    }
    step(&format!("rustup target add {target}"), || {
        run_quietly(project.command("rustup").args(["target", "add", target])).map(drop)
    })
}

/// Installs the packages of package-lock.json, unless node_modules/ already contains exactly these.
pub(crate) fn ensure_npm(project: &Project) -> Result<()> {
    install(project, "", "npm ci (about 500 MB in node_modules/, once)")
}

/// Does the same in the directory of an example or of the benchmark, whose packages nothing else needs.
pub(crate) fn ensure_npm_of(project: &Project, directory: &str) -> Result<()> {
    install(project, directory, &format!("npm ci in {directory}, once"))
}

fn install(project: &Project, directory: &str, name: &str) -> Result<()> {
    let directory = project.path(directory);
    let lock = fs::read(directory.join("package-lock.json"))
        .with_context(|| format!("cannot read package-lock.json in {}", directory.display()))?;
    let wanted = fingerprint([lock.as_slice()]);
    let stamp = directory.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step(name, || {
        let mut command = project.command(host::NPM);
        command.args(["ci", "--no-audit", "--no-fund", "--no-progress"]).current_dir(&directory);
        run_quietly(&mut command)
            .context("if npm is missing, install Node.js 20 or newer: https://nodejs.org")?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))
    })
}

/// Makes the virtual environment `environment` with the packages of the directory's requirements.txt, unless it is one
/// with exactly these.
pub(crate) fn ensure_python_of(project: &Project, directory: &str, environment: &str) -> Result<()> {
    let name = format!("pip install -r {directory}/requirements.txt, once");
    let requirements = project.path(directory).join("requirements.txt");
    let environment = project.path(environment);
    let wanted = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))
        .map(|text| fingerprint([text.as_slice()]))?;
    let stamp = environment.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step(&name, || {
        let mut command = project.command(host::PYTHON);
        run_quietly(command.args(["-m", "venv", "--clear"]).arg(&environment))
            .context("install Python 3.10 or newer, with its module venv (Debian: python3-venv)")?;
        let mut command = project.command(host::python_of(&environment));
        command.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"]);
        run_quietly(command.arg(&requirements))?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))
    })
}

/// A program from crates.io: its crate, which has the same name, and its version.
pub(crate) type Program = (&'static str, &'static str);

/// Builds tests with instrumentation, and exports what ran.
pub(crate) const LLVM_COV: Program = ("cargo-llvm-cov", "0.9.1");

/// Changes code, and runs the tests on each change.
pub(crate) const MUTANTS: Program = ("cargo-mutants", "27.1.0");

/// The path of a program from crates.io. Installs it into target/tools/ if it is not there.
pub(crate) fn ensure_program(project: &Project, (name, version): Program) -> Result<PathBuf> {
    let root = project.path(&format!("target/tools/{name}-{version}"));
    let program = root.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        step(&format!("cargo install {name} {version}, once (some minutes)"), || {
            let mut command = project.cargo();
            command.args([
                "install",
                "--quiet",
                "--locked",
                name,
                "--version",
                &format!("={version}"),
                "--root",
            ]);
            run_quietly(command.arg(&root)).map(drop)
        })?;
    }
    Ok(program)
}

/// Makes sure that there is a nightly compiler with LLVM's tools, which read what instrumented programs write.
pub(crate) fn ensure_nightly(project: &Project) -> Result<()> {
    ensure_toolchain(project, "nightly")?;
    let rustup = |words: &[&str]| run_quietly(project.command("rustup").args(words));
    let installed = rustup(&["component", "list", "--installed", "--toolchain", "nightly"])?;
    if !installed.lines().any(|component| component.starts_with("llvm-tools")) {
        step("rustup component add llvm-tools", || {
            rustup(&["component", "add", "llvm-tools", "--toolchain", "nightly"]).map(drop)
        })?;
    }
    Ok(())
}

/// Makes sure that there is this version of Rust, beside the one in use.
pub(crate) fn ensure_toolchain(project: &Project, version: &str) -> Result<()> {
    let rustup = |words: &[&str]| run_quietly(project.command("rustup").args(words));
    if rustup(&["run", version, "rustc", "--version"]).is_err() {
        step(&format!("rustup toolchain install {version}"), || {
            rustup(&["toolchain", "install", version, "--profile", "minimal"]).map(drop)
        })?;
    }
    Ok(())
}

/// Adds rustfmt and clippy to the toolchain in use.
pub(crate) fn ensure_components(project: &Project) -> Result<()> {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if run_quietly(project.cargo().args([command, "--version"])).is_err() {
            step(&format!("rustup component add {component}"), || {
                run_quietly(project.command("rustup").args(["component", "add", component])).map(drop)
            })?;
        }
    }
    Ok(())
}

/// The path of a Chromium for the browser tests. On Debian and Ubuntu installs it if there is none.
pub(crate) fn ensure_chromium(project: &Project) -> Result<PathBuf> {
    if let Some(chromium) = chromium() {
        return Ok(chromium);
    }
    apt_install(project, "chromium").context(
        "install Chromium or Chrome; set the environment variable CHROMIUM to its path if it is not on PATH",
    )?;
    chromium().context("Chromium was installed, but it is not on PATH")
}

/// Makes sure that there is an nginx for the tests with other proxies. On Debian and Ubuntu installs it if there is none.
pub(crate) fn ensure_nginx(project: &Project) -> Result<()> {
    ensure_server(project, "nginx", "NGINX", "nginx-light")
}

/// Makes sure that there is a HAProxy for the tests with other proxies. On Debian and Ubuntu installs it if there is none.
pub(crate) fn ensure_haproxy(project: &Project) -> Result<()> {
    ensure_server(project, "haproxy", "HAPROXY", "haproxy")
}

/// Makes sure that there are Apache and mod_auth_openidc, to measure beside. On Debian and Ubuntu installs what is missing:
/// `apache2-bin`, which has no service that would start.
pub(crate) fn ensure_apache(project: &Project) -> Result<()> {
    if std::env::var_os("APACHE").is_some() {
        return Ok(());
    }
    ensure_debian(project, &["apache2-bin", "libapache2-mod-auth-openidc"]).context(
        "install Apache with mod_auth_openidc; set the environment variable APACHE to its path if it is not on PATH",
    )
}

/// Makes sure that there is the program `name`, which the environment variable can name instead, and else a package has.
fn ensure_server(project: &Project, name: &str, variable: &str, package: &str) -> Result<()> {
    let is_installed = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian installs it in a directory that is only on root's PATH.
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        std::env::var_os(variable).is_some() || folders.map(|folder| folder.join(name)).any(|at| at.is_file())
    };
    if is_installed() {
        return Ok(());
    }
    apt_install(project, package).with_context(|| {
        format!(
            "install {name}, and set the environment variable {variable} to its path if it is not on PATH"
        )
    })?;
    if is_installed() { Ok(()) } else { bail!("{name} was installed, but it is not on PATH") }
}

/// Makes sure that there is a Redis server for the tests of `vestibule-server`. On Debian and Ubuntu installs it if there is none.
pub(crate) fn ensure_redis(project: &Project) -> Result<()> {
    if run_quietly(Command::new("redis-server").arg("--version")).is_ok() {
        return Ok(());
    }
    apt_install(project, "redis-server").context("install Redis, so that redis-server is on PATH")
}

/// Makes sure that there is a PHP for the tests with frameworks. On Debian and Ubuntu installs it if there is none.
pub(crate) fn ensure_php(project: &Project) -> Result<()> {
    if std::env::var_os("PHP").is_some() || run_quietly(Command::new("php").arg("--version")).is_ok() {
        return Ok(());
    }
    apt_install(project, "php-cli")
        .context("install PHP, and set the environment variable PHP to its path if it is not on PATH")
}

/// Makes sure that these packages of Debian are installed, which are `NAME`, or `NAME=VERSION` where `*` stands for the rest of
/// the version. Fails on another system, on a Debian with other versions, and without the right to install.
pub(crate) fn ensure_debian(project: &Project, packages: &[&str]) -> Result<()> {
    let is_installed = |package: &str| {
        let (name, version) = package.split_once('=').unwrap_or((package, "*"));
        let mut query = Command::new("dpkg-query");
        query.args(["--show", "--showformat=${db:Status-Status} ${Version}", name]);
        let found = run_quietly(&mut query).unwrap_or_default();
        found.strip_prefix("installed ").is_some_and(|found| found.starts_with(version.trim_end_matches('*')))
    };
    if packages.iter().all(|package| is_installed(package)) {
        return Ok(());
    }
    apt_install_all(project, packages)
}

/// Installs a package of Debian or Ubuntu.
fn apt_install(project: &Project, package: &str) -> Result<()> {
    apt_install_all(project, &[package])
}

fn apt_install_all(project: &Project, packages: &[&str]) -> Result<()> {
    step(&format!("apt-get install {}", packages.join(" ")), || {
        let id = run_quietly(Command::new("id").arg("-u"))?;
        let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
        for arguments in [&["update"][..], &install] {
            let command = || {
                let mut command = project.command(if id.trim() == "0" { "env" } else { "sudo" });
                if id.trim() != "0" {
                    command.args(["--non-interactive", "env"]);
                }
                // `env`, because sudo does not pass variables on. `LC_ALL=C`, because `retry_while_locked` looks for
                // apt's English message.
                command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]).args(arguments);
                command
            };
            retry_while_locked(|| run_quietly(&mut command()).map(drop), APT_PAUSE)?;
        }
        Ok(())
    })
}

/// How many times apt is retried while another process holds its lock, and the pause before each try: five minutes in
/// total.
const APT_TRIES: usize = 30;
const APT_PAUSE: Duration = Duration::from_secs(10);

/// Runs apt, and retries while another process holds its lock.
fn retry_while_locked(mut apt: impl FnMut() -> Result<()>, pause: Duration) -> Result<()> {
    for _ in 0..APT_TRIES {
        match apt() {
            Err(error) if format!("{error:#}").contains("Could not get lock") => {
                println!("   waiting for another apt process to release its lock …");
                std::thread::sleep(pause);
            }
            result => return result,
        }
    }
    apt()
}

fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH")?;
    let on_path = std::env::split_paths(&path).flat_map(|directory| names.map(|name| directory.join(name)));
    let on_mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    on_path.chain([on_mac]).find(|candidate| candidate.is_file())
}

/// The path of a Node.js that wrangler supports: the one on PATH, or else the one from the npm package `node`.
pub(crate) fn node(project: &Project) -> Result<PathBuf> {
    let from_npm = project.path(if cfg!(windows) {
        "node_modules/node/bin/node.exe"
    } else {
        "node_modules/node/bin/node"
    });
    for node in [PathBuf::from("node"), from_npm] {
        let version = Command::new(&node).arg("--version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        if version.is_ok_and(|version| node_version(&version) >= Some(NODE_MINIMUM)) {
            return Ok(node);
        }
    }
    bail!(
        "Node.js {}.{} or newer is neither on PATH nor in node_modules/: install it from https://nodejs.org",
        NODE_MINIMUM.0,
        NODE_MINIMUM.1
    )
}

/// A SHA-256 hash of several byte strings. It also depends on where one ends and the next begins.
pub(crate) fn fingerprint<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update((input.len() as u64).to_le_bytes());
        hash.update(input);
    }
    hex(&hash.finalize())
}

/// The SHA-256 hash of the bytes, as hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The major and minor numbers of a text like `v22.12.0`.
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_compared_as_numbers_and_not_as_texts() {
        let cases = [
            ("v22.12.0\n", true),
            ("v22.9.1", false),
            ("v100.0.0", true),
            ("v20.20.2", false),
            ("", false),
            ("22.12.0", false),
        ];
        for (text, accepted) in cases {
            assert_eq!(node_version(text) >= Some(NODE_MINIMUM), accepted, "{text:?}");
        }
    }

    #[test]
    fn a_fingerprint_depends_on_the_boundaries_between_inputs() {
        assert_ne!(fingerprint([b"ab".as_slice(), b"c"]), fingerprint([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn apt_is_retried_while_its_lock_is_held_and_fails_immediately_for_any_other_reason() {
        let mut tries = 0;
        let locked =
            || bail!("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)");
        let result = retry_while_locked(
            || {
                tries += 1;
                if tries < 3 { locked() } else { Ok(()) }
            },
            Duration::ZERO,
        );
        assert!(result.is_ok() && tries == 3);
        tries = 0;
        let result = retry_while_locked(
            || {
                tries += 1;
                bail!("E: Unable to locate package")
            },
            Duration::ZERO,
        );
        assert!(result.is_err() && tries == 1);
        assert!(retry_while_locked(locked, Duration::ZERO).is_err());
    }
}
