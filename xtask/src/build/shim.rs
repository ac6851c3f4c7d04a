//! Writes `shim.js` with the handlers and classes that wasm-bindgen has exported.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The shim without its handlers and Durable Objects.
pub(super) const TEMPLATE: &str = include_str!("shim.js");

/// The code after the handlers if the library exports other functions too.
pub(super) const METHODS: &str = include_str!("methods.js");

/// The code for a library that exports [`CONFIGURE`].
pub(super) const CONFIGURED: &str = include_str!("configured.js");

/// The function that takes the configuration of the bundle. `createWorker` calls it.
const CONFIGURE: &str = "configure";

/// The events of a Worker. Their Rust handlers take the event, the environment and the context.
const EVENTS: &[&str] = &["fetch", "scheduled", "queue", "email", "tail"];

/// Functions that wasm-bindgen and the crate `worker` export for their own use.
const INTERNAL: &[&str] = &["__wbg_reset_state", "__worker_init_state"];

/// Classes of the crates `worker` and `wasm-streams` that are not Durable Objects. The Worker does not export them.
const OTHER_CLASSES: &[&str] = &[
    "ContainerStartupOptions",
    "IntoUnderlyingByteSource",
    "IntoUnderlyingSink",
    "IntoUnderlyingSource",
    "MinifyConfig",
    "R2Range",
];

/// Writes `shim.js` into the directory of wasm-bindgen's `index.js`.
pub(super) fn write(staging: &Path) -> Result<()> {
    let bindings = fs::read_to_string(staging.join("index.js")).context("wasm-bindgen wrote no index.js")?;
    let exports = Exports::of(&bindings);
    ensure!(
        exports.functions.contains(&"fetch"),
        "the library exports no fetch handler: check that its fetch entry is compiled with the feature `entry`"
    );
    fs::write(staging.join("shim.js"), exports.shim()).context("cannot write shim.js")
}

/// The functions and classes that the library exports to the runtime.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exports<'text> {
    functions: Vec<&'text str>,
    classes: Vec<&'text str>,
}

impl<'text> Exports<'text> {
    /// Reads the top-level exports of wasm-bindgen's module, which has one declaration per line.
    fn of(bindings: &'text str) -> Exports<'text> {
        let mut exports = Exports::default();
        for line in bindings.lines() {
            let Some(declaration) = line.strip_prefix("export ") else { continue };
            let declaration = declaration.strip_prefix("async ").unwrap_or(declaration);
            if let Some(function) = declaration.strip_prefix("function ") {
                exports.functions.extend(name_before(function, '('));
            } else if let Some(class) = declaration.strip_prefix("class ") {
                exports.classes.extend(name_before(class, '{'));
            } else if let Some((_, renamed)) = declaration.split_once(" as ") {
                exports.functions.extend(name_before(renamed, '}'));
            }
        }
        for names in [&mut exports.functions, &mut exports.classes] {
            names.retain(|name| !INTERNAL.contains(name) && !OTHER_CLASSES.contains(name));
        }
        exports
    }

    fn shim(&self) -> String {
        let mut shim = String::from(TEMPLATE);
        let (configure, functions): (Vec<&str>, Vec<&str>) =
            self.functions.iter().partition(|function| **function == CONFIGURE);
        let (events, methods): (Vec<&str>, Vec<&str>) =
            functions.into_iter().partition(|function| EVENTS.contains(function));
        for event in events {
            let _ = writeln!(shim, "handle({event:?}, bindings.{event});");
        }
        if !configure.is_empty() {
            shim.push_str(CONFIGURED);
        }
        if methods.is_empty() {
            shim.push_str("export default handlers;\n");
        } else {
            shim.push_str(METHODS);
        }
        for method in methods {
            let _ = writeln!(shim, "method({method:?}, bindings.{method});");
        }
        for class in &self.classes {
            let _ = writeln!(shim, "export const {class} = recovering(bindings.{class});");
        }
        shim
    }
}

fn name_before(text: &str, end: char) -> Option<&str> {
    text.split_once(end).map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_and_durable_objects_are_exported_and_internal_functions_are_not() {
        let bindings = "import source x from './index_bg.wasm';\n\
            export class Lease {\n\
            export class R2Range {\n\
            \x20   export_me() {}\n\
            export function fetch(request, env, ctx) {\n\
            export async function scheduled(event, env, ctx) {\n\
            export function __worker_init_state() {\n\
            export { __wbg_reset_state as __wbg_reset_state };\n\
            export { ping_ as ping };\n\
            function hidden() {\n";
        let exports = Exports::of(bindings);
        assert_eq!(
            exports,
            Exports { functions: vec!["fetch", "scheduled", "ping"], classes: vec!["Lease"] }
        );
        let shim = exports.shim();
        for line in [
            "handle(\"fetch\", bindings.fetch);",
            "method(\"ping\", bindings.ping);",
            "export const Lease = recovering(bindings.Lease);",
        ] {
            assert!(shim.lines().any(|found| found == line), "{line} in\n{shim}");
        }
        assert!(shim.contains("export default Entrypoint;"));
    }

    #[test]
    fn a_worker_without_methods_exports_a_plain_object() {
        let shim = Exports::of("export function fetch(request, env, ctx) {\n").shim();
        assert!(shim.ends_with("export default handlers;\n") && !shim.contains("WorkerEntrypoint"), "{shim}");
        assert!(!shim.contains("createWorker"), "{shim}");
    }

    #[test]
    fn a_library_that_can_be_configured_exports_what_creates_its_worker() {
        let bindings = "export function configure(auth) {\nexport function fetch(request, env, ctx) {\n";
        let shim = Exports::of(bindings).shim();
        assert!(shim.contains("export function createWorker(config)"), "{shim}");
        // It is no method of the Worker.
        assert!(shim.ends_with("export default handlers;\n") && !shim.contains("WorkerEntrypoint"), "{shim}");
    }
}
