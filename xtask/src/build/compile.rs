//! The crate, compiled to WebAssembly by cargo.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::Source;
use crate::project::Project;
use crate::step::{run_quietly, show};
use crate::tools::TARGET;

/// Runs cargo, whose progress the reader sees, and gives the path of the WebAssembly it made.
pub(super) fn compile(project: &Project, source: Source) -> Result<PathBuf> {
    let mut command = project.cargo();
    command.args(["build", "--release", "--target", TARGET]);
    command.args(["--config", &without_paths(project)?]);
    // What is compiled piece by piece is larger, and not the same each time.
    command.env("CARGO_INCREMENTAL", "0");
    command.args(["--package", source.package, "--lib", "--features", source.features]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`{}` ended with {}", show(&command), output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let file = format!("{}.wasm", source.package.replace('-', "_"));
    let found = messages.lines().find_map(|line| artifact(line, &file));
    found.with_context(|| format!("cargo made no {file}: is the library a cdylib?"))
}

/// What makes the module the same on every machine: where a panic may be has the path of its source, and that of a
/// crate or of the standard library is where somebody has installed it. It joins what .cargo/config.toml has.
fn without_paths(project: &Project) -> Result<String> {
    let rustc = run_quietly(project.command("rustc").args(["--print", "sysroot"]))?;
    let version = run_quietly(project.command("rustc").arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or_default();
    // As in what comes compiled of the standard library.
    let sources = format!("{}/lib/rustlib/src/rust=/rustc/{commit}", rustc.trim());
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let crates = format!("{}=", home.join("registry/src").display());
    let flags = [sources, crates].map(|prefix| Value::from(format!("--remap-path-prefix={prefix}")));
    // An array of strings is the same in JSON and in TOML.
    Ok(format!("target.{TARGET}.rustflags={}", Value::from(flags.to_vec())))
}

/// The path in cargo's message about the library, when the line is that message.
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
    fn the_library_is_found_among_the_messages_of_cargo() {
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
