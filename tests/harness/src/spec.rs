//! The parts of a Worker: modules, variables and bindings, read from its `wrangler.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use toml::Table;

use crate::error::StartError;

/// Sections with bindings that the harness does not support. They would be `undefined` in the Worker, so the start fails.
const UNSUPPORTED: &[&str] = &[
    "ai",
    "analytics_engine_datasets",
    "browser",
    "containers",
    "d1_databases",
    "dispatch_namespaces",
    "hyperdrive",
    "images",
    "mtls_certificates",
    "pipelines",
    "queues",
    "r2_buckets",
    "secrets_store_secrets",
    "send_email",
    "site",
    "unsafe",
    "vectorize",
    "version_metadata",
    "workflows",
];

/// A Worker to start.
#[derive(Clone, Default)]
pub(crate) struct WorkerSpec {
    pub(crate) modules: Vec<Module>,
    pub(crate) compatibility_date: String,
    pub(crate) compatibility_flags: Vec<String>,
    pub(crate) vars: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) kv: BTreeSet<String>,
    pub(crate) services: BTreeSet<String>,
    pub(crate) durable_objects: BTreeMap<String, String>,
    /// The limit by binding: number of calls, and seconds.
    pub(crate) rate_limits: BTreeMap<String, (u64, u64)>,
    /// Bindings that are a queue and a dataset.
    pub(crate) sinks: BTreeSet<String>,
    /// Whether a Durable Object class uses SQLite storage, by its name.
    pub(crate) classes: BTreeMap<String, bool>,
}

/// One file of the Worker.
#[derive(Clone)]
pub(crate) struct Module {
    /// The path relative to the main module, as in imports.
    pub(crate) name: String,
    pub(crate) kind: ModuleKind,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModuleKind {
    EsModule,
    Wasm,
    Text,
    Data,
}

impl WorkerSpec {
    /// A Worker with one ES module and without a wrangler.toml.
    pub(crate) fn of_source(source: &str) -> Self {
        let main = Module { name: "index.js".to_owned(), kind: ModuleKind::EsModule, bytes: source.into() };
        Self { modules: vec![main], compatibility_date: "2026-01-01".to_owned(), ..Self::default() }
    }

    /// Reads the configuration except the sections in `without`. `main` replaces its main module. The modules are read only if
    /// they are run.
    pub(crate) fn of_wrangler(
        path: &Path,
        main: Option<&Path>,
        without: &BTreeSet<String>,
        runs_modules: bool,
    ) -> Result<Self, StartError> {
        let mut table = read_toml(path)?;
        table.retain(|section, _| !without.contains(section));
        if let Some(section) = UNSUPPORTED.iter().find(|section| table.contains_key(**section)) {
            return Err(StartError::Unsupported { path: path.to_owned(), section: (*section).to_owned() });
        }
        let config = |reason: &str| StartError::Config { path: path.to_owned(), reason: reason.to_owned() };
        let main = match main {
            Some(main) => main.to_owned(),
            None => main_module(path, &table)?,
        };
        let date = table.get("compatibility_date").and_then(date_text);
        let vars = table.get("vars").map_or_else(|| Value::Object(Map::new()), to_json);
        let Value::Object(vars) = vars else { return Err(config("`vars` is not a table")) };
        let mut spec = Self {
            modules: if runs_modules { modules(&main)? } else { Vec::new() },
            compatibility_date: date.ok_or_else(|| config("`compatibility_date` is missing"))?,
            compatibility_flags: strings(table.get("compatibility_flags")),
            vars,
            ..Self::default()
        };
        spec.kv.extend(names(table.get("kv_namespaces"), "binding"));
        spec.services.extend(names(table.get("services"), "binding"));
        spec.services.extend(names(table.get("assets"), "binding"));
        let bindings = table.get("durable_objects").and_then(|objects| objects.get("bindings"));
        for binding in tables(bindings) {
            let text = |key| binding.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let (Some(name), Some(class)) = (text("name"), text("class_name")) else {
                return Err(config("`durable_objects.bindings` needs `name` and `class_name`"));
            };
            if binding.contains_key("script_name") {
                return Err(config("`durable_objects.bindings.script_name` is not supported by the harness"));
            }
            spec.classes.entry(class.clone()).or_insert(false);
            spec.durable_objects.insert(name, class);
        }
        for limit in tables(table.get("ratelimits")) {
            let number = |key| u64::try_from(limit.get("simple")?.get(key)?.as_integer()?).ok();
            let name = limit.get("name").and_then(toml::Value::as_str);
            let (Some(name), Some(count), Some(period)) = (name, number("limit"), number("period")) else {
                return Err(config("`ratelimits` needs `name` and `simple = { limit, period }`"));
            };
            spec.rate_limits.insert(name.to_owned(), (count, period));
        }
        for migration in tables(table.get("migrations")) {
            for class in strings(migration.get("new_sqlite_classes")) {
                spec.classes.insert(class, true);
            }
        }
        Ok(spec)
    }
}

/// Reads a configuration.
pub(crate) fn read_toml(path: &Path) -> Result<Table, StartError> {
    let text = fs::read_to_string(path).map_err(StartError::io(format!("read {}", path.display())))?;
    text.parse().map_err(|error: toml::de::Error| StartError::Config {
        path: path.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })
}

/// The path of the configuration's `main`, which is relative to the configuration.
pub(crate) fn main_module(config: &Path, table: &Table) -> Result<PathBuf, StartError> {
    let main = table.get("main").and_then(toml::Value::as_str).ok_or_else(|| StartError::Config {
        path: config.to_owned(),
        reason: "`main` is missing".to_owned(),
    })?;
    Ok(config.parent().unwrap_or_else(|| Path::new("")).join(main))
}

/// JSON merge patch (RFC 7396): objects are merged, `null` removes a key, other values replace.
pub(crate) fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, Value::Object(patch)) => {
            *into = Value::Object(Map::new());
            merge(into, Value::Object(patch));
        }
        (into, other) => *into = other,
    }
}

/// All modules in the directory of the main module, with the main module first. The runtime needs all of them, and runs the
/// imported ones.
fn modules(main: &Path) -> Result<Vec<Module>, StartError> {
    if !main.is_file() {
        return Err(StartError::NotBuilt { path: main.to_owned() });
    }
    let folder = main.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    files.sort_by_key(|file| {
        (file.file_name() != main.file_name() || file.parent() != Some(folder), file.clone())
    });
    let mut modules = Vec::new();
    for file in files {
        let Some(kind) = file.extension().and_then(|e| e.to_str()).and_then(kind) else { continue };
        let relative = file.strip_prefix(folder).unwrap_or(&file);
        let name = relative.to_string_lossy().replace('\\', "/");
        let bytes = fs::read(&file).map_err(StartError::io(format!("read {}", file.display())))?;
        modules.push(Module { name, kind, bytes });
    }
    Ok(modules)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), StartError> {
    let reading = || StartError::io(format!("read {}", folder.display()));
    for entry in fs::read_dir(folder).map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The kind of a module by its file extension, as in wrangler's default rules.
fn kind(extension: &str) -> Option<ModuleKind> {
    match extension {
        "js" | "mjs" => Some(ModuleKind::EsModule),
        "wasm" => Some(ModuleKind::Wasm),
        "txt" | "html" | "sql" => Some(ModuleKind::Text),
        "bin" => Some(ModuleKind::Data),
        _ => None,
    }
}

/// The value that wrangler would pass to the Worker.
pub(crate) fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
    }
}

fn date_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Datetime(moment) => Some(moment.to_string()),
        _ => None,
    }
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let items = value.and_then(toml::Value::as_array).into_iter().flatten();
    items.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

/// The tables of an array, or a single table.
fn tables(value: Option<&toml::Value>) -> Vec<&Table> {
    match value {
        Some(toml::Value::Array(items)) => items.iter().filter_map(toml::Value::as_table).collect(),
        Some(toml::Value::Table(table)) => vec![table],
        _ => Vec::new(),
    }
}

fn names(value: Option<&toml::Value>, key: &str) -> Vec<String> {
    let each = tables(value).into_iter();
    each.filter_map(|table| table.get(key)).filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_merges_objects_replaces_other_values_and_removes_nulls() {
        for (base, patch, expected) in [
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 3}}), json!({"a": {"b": 3, "c": 2}})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2})),
            (json!({"a": "text"}), json!({"a": {"b": {"c": null, "d": 1}}}), json!({"a": {"b": {"d": 1}}})),
        ] {
            let mut value = base;
            merge(&mut value, patch);
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn modules_and_bindings_are_read_from_a_wrangler_configuration() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("build/snippets")).unwrap();
        for file in [
            "build/a.js",
            "build/index.js",
            "build/index_bg.wasm",
            "build/snippets/x.js",
            "build/package.json",
        ] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        let config = folder.path().join("wrangler.toml");
        let text = r#"
            main = "build/index.js"
            compatibility_date = "2026-01-01"
            compatibility_flags = ["nodejs_compat"]
            kv_namespaces = [{ binding = "KV", id = "x" }]
            [build]
            command = "never run"
            [[services]]
            binding = "APP"
            service = "app"
            [assets]
            directory = "public"
            binding = "ASSETS"
            [[durable_objects.bindings]]
            name = "LEASE"
            class_name = "Lease"
            [[migrations]]
            tag = "v1"
            new_sqlite_classes = ["Lease"]
            [[ratelimits]]
            name = "SIGN_IN"
            namespace_id = "1"
            simple = { limit = 5, period = 60 }
            [vars]
            PLAIN = "text"
            [vars.AUTH.session]
            days = 3
        "#;
        fs::write(&config, text).unwrap();
        let spec = WorkerSpec::of_wrangler(&config, None, &BTreeSet::new(), true).unwrap();
        let modules: Vec<_> = spec.modules.iter().map(|module| (module.name.as_str(), module.kind)).collect();
        assert_eq!(
            modules,
            [
                ("index.js", ModuleKind::EsModule),
                ("a.js", ModuleKind::EsModule),
                ("index_bg.wasm", ModuleKind::Wasm),
                ("snippets/x.js", ModuleKind::EsModule)
            ]
        );
        assert_eq!(
            Value::Object(spec.vars),
            json!({ "PLAIN": "text", "AUTH": { "session": { "days": 3 } } })
        );
        assert_eq!(spec.services, ["APP", "ASSETS"].map(str::to_owned).into());
        assert_eq!(spec.kv, ["KV".to_owned()].into());
        assert_eq!(spec.classes, [("Lease".to_owned(), true)].into());
        assert_eq!(spec.rate_limits, [("SIGN_IN".to_owned(), (5, 60))].into());
        assert_eq!(spec.compatibility_flags, ["nodejs_compat"]);
    }

    #[test]
    fn an_unsupported_or_invalid_configuration_is_rejected_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wrangler.toml");
        for (text, expected) in [
            ("main = 'x.js'\n[[r2_buckets]]\nbinding = 'B'", "r2_buckets"),
            (
                "main = 'x.js'\ncompatibility_date = '2026-01-01'",
                "x.js does not exist; build the Worker first",
            ),
            ("compatibility_date = '2026-01-01'", "`main` is missing"),
            ("main = ", "line 1"),
        ] {
            fs::write(&config, text).unwrap();
            let error =
                WorkerSpec::of_wrangler(&config, None, &BTreeSet::new(), true).err().unwrap().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
