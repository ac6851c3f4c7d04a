//! Compiles a crate to WebAssembly with cargo.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::Source;
use crate::project::Project;
use crate::step::{run_quietly, show};
use crate::tools::TARGET;

/// Runs cargo, shows its progress, and gives the path of the WebAssembly file.
pub(super) fn compile(project: &Project, source: Source) -> Result<PathBuf> {
    compile_for(project, source, (TARGET, "release"), &[], &[])
}

/// The same for any target and profile, with these variables in the environment, and these options of cargo.
pub(super) fn compile_for(
    project: &Project,
    source: Source,
    (target, profile): (&str, &str),
    variables: &[(&str, String)],
    options: &[&str],
) -> Result<PathBuf> {
    let mut command = project.cargo();
    command.args(["build", "--profile", profile, "--target", target]).envs(variables.iter().cloned());
    command.args(["--config", &without_paths(project, target)?]);
    // An incremental build is larger, and not the same each time.
    command.env("CARGO_INCREMENTAL", "0");
    command.args(["--package", source.package, "--lib", "--features", source.features]);
    command.args(options);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`{}` ended with {}", show(&command), output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let file = format!("{}.wasm", source.package.replace('-', "_"));
    let found = messages.lines().find_map(|line| artifact(line, &file));
    found.with_context(|| format!("cargo wrote no {file}: check that the library's crate-type is cdylib"))
}

/// A cargo option that makes the module the same on every machine. The module contains the source path of each possible
/// panic, and the paths of crates and of the standard library depend on where they are installed. Cargo adds these flags
/// to those in .cargo/config.toml.
fn without_paths(project: &Project, target: &str) -> Result<String> {
    let rustc = run_quietly(project.command("rustc").args(["--print", "sysroot"]))?;
    let version = run_quietly(project.command("rustc").arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or_default();
    // The prefix that the precompiled standard library uses.
    let sources = format!("{}/lib/rustlib/src/rust=/rustc/{commit}", rustc.trim());
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let crates = format!("{}=", home.join("registry/src").display());
    let flags = [sources, crates].map(|prefix| Value::from(format!("--remap-path-prefix={prefix}")));
    // An array of strings has the same syntax in JSON and in TOML.
    Ok(format!("target.{target}.rustflags={}", Value::from(flags.to_vec())))
}

/// The path of `file`, if the line is cargo's message about that artifact.
fn artifact(line: &str, file: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" {
        return None;
    }
    let files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str);
    files.map(PathBuf::from).find(|path| path.ends_with(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_in_the_messages_of_cargo() {
        let line =
            r#"{"reason":"compiler-artifact","filenames":["/t/libvestibule.rlib","/t/vestibule.wasm"]}"#;
        assert_eq!(artifact(line, "vestibule.wasm"), Some(PathBuf::from("/t/vestibule.wasm")));
        for other in [
            r#"{"reason":"compiler-artifact","filenames":["/t/liburl.rlib"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "not JSON",
        ] {
            assert_eq!(artifact(other, "vestibule.wasm"), None, "{other}");
        }
    }
}
