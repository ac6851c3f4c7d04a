//! The runtime's configuration in Cap'n Proto text (schema: workerd's `workerd.capnp`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    net::SocketAddr,
    path::Path,
};

use serde_json::Value;

use crate::{
    SCHEME_HEADER,
    server::ROUTE_HEADER,
    spec::{ModuleKind, WorkerSpec},
};

/// The header that carries `request.cf` as JSON, from the test's client into the Worker.
pub(crate) const CF_HEADER: &str = "x-harness-cf";

/// The implementation of rate limits, which workerd does not have: a fixed window for each key.
const RATE_LIMIT: &str = include_str!("rate_limit.js");

/// A queue and a dataset that write into the log.
const SINK: &str = include_str!("sink.js");

/// Writes `config.capnp` and the module files that it embeds into `folder`. `isolates` are the locations of the Worker's
/// isolates; `others` are the Workers that answer for service bindings.
pub(crate) fn write(
    folder: &Path,
    spec: &WorkerSpec,
    isolates: &[String],
    others: &BTreeMap<String, WorkerSpec>,
    fakes: SocketAddr,
) -> io::Result<()> {
    fs::create_dir_all(folder.join("objects"))?;
    let mut services = vec![
        external("internet", fakes, None),
        format!(
            "(name = \"objects\", disk = (path = {}, writable = true))",
            text(&path_text(&folder.join("objects")))
        ),
    ];
    let mut sockets = Vec::new();
    for (number, location) in isolates.iter().enumerate() {
        let isolate = Isolate { number, location };
        services.push(worker(folder, &isolate.service(), spec, isolate, others)?);
        sockets.push(format!(
            "(name = \"{number}\", address = \"127.0.0.1:0\", service = {}, \
             http = (forwardedProtoHeader = \"{SCHEME_HEADER}\", cfBlobHeader = \"{CF_HEADER}\"))",
            text(&isolate.service())
        ));
    }
    for location in isolates.iter().collect::<BTreeSet<_>>() {
        let namespaces = spec.kv.iter().map(|name| format!("kv:{name}@{location}"));
        services.extend(namespaces.map(|name| external(&name, fakes, Some(&name))));
    }
    for name in spec.services.iter().filter(|name| !others.contains_key(*name)) {
        services.push(external(&format!("service:{name}"), fakes, Some(&format!("service:{name}"))));
    }
    for (name, other) in others {
        let isolate = Isolate { number: 0, location: "" };
        services.push(worker(folder, &format!("service:{name}"), other, isolate, &BTreeMap::new())?);
    }
    let config = format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n  structuredLogging = true,\n  \
         extensions = [(modules = [(name = \"harness:rate-limit\", internal = true, esModule = {}), (name = \"harness:sink\", internal = true, esModule = {})])],\n  services = [\n    {}\n  ],\n  \
         sockets = [{}]\n);\n",
        text(RATE_LIMIT),
        text(SINK),
        services.join(",\n    "),
        sockets.join(", ")
    );
    fs::write(folder.join("config.capnp"), config)
}

/// One of several isolates of a Worker.
#[derive(Clone, Copy)]
struct Isolate<'a> {
    number: usize,
    location: &'a str,
}

impl Isolate<'_> {
    fn service(self) -> String {
        if self.number == 0 { "main".to_owned() } else { format!("main:{}", self.number) }
    }
}

fn worker(
    folder: &Path,
    name: &str,
    spec: &WorkerSpec,
    isolate: Isolate<'_>,
    others: &BTreeMap<String, WorkerSpec>,
) -> io::Result<String> {
    let mut modules = Vec::new();
    for (index, module) in spec.modules.iter().enumerate() {
        let file = format!("{}-{index}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        fs::write(folder.join(&file), &module.bytes)?;
        let field = match module.kind {
            ModuleKind::EsModule => "esModule",
            ModuleKind::Wasm => "wasm",
            ModuleKind::Text => "text",
            ModuleKind::Data => "data",
        };
        modules.push(format!("(name = {}, {field} = embed {})", text(&module.name), text(&file)));
    }
    let flags: Vec<String> = spec.compatibility_flags.iter().map(|flag| text(flag)).collect();
    let mut worker = format!(
        "(name = {}, worker = (compatibilityDate = {}, compatibilityFlags = [{}], globalOutbound = \"internet\",\n      \
         modules = [{}],\n      bindings = [{}]",
        text(name),
        text(&spec.compatibility_date),
        flags.join(", "),
        modules.join(", "),
        bindings(spec, isolate, others).join(", ")
    );
    // All isolates use the Durable Objects of the first one.
    if !spec.classes.is_empty() && isolate.number == 0 {
        let classes = spec.classes.iter().map(|(class, sqlite)| {
            format!("(className = {0}, uniqueKey = {0}, enableSql = {sqlite})", text(class))
        });
        let classes: Vec<String> = classes.collect();
        write!(
            worker,
            ",\n      durableObjectNamespaces = [{}], durableObjectStorage = (localDisk = \"objects\")",
            classes.join(", ")
        )
        .ok();
    }
    worker.push_str("))");
    Ok(worker)
}

fn bindings(spec: &WorkerSpec, isolate: Isolate<'_>, others: &BTreeMap<String, WorkerSpec>) -> Vec<String> {
    let mut bindings = Vec::new();
    let mut bind = |name: &str, field: &str, value: String| {
        bindings.push(format!("(name = {}, {field} = {value})", text(name)));
    };
    for (name, value) in spec.vars.iter().filter(|(name, _)| !spec.secrets.contains_key(*name)) {
        match value {
            Value::String(plain) => bind(name, "text", text(plain)),
            other => bind(name, "json", text(&other.to_string())),
        }
    }
    for (name, value) in &spec.secrets {
        bind(name, "text", text(value));
    }
    for name in &spec.kv {
        bind(name, "kvNamespace", text(&format!("kv:{name}@{}", isolate.location)));
    }
    for name in spec.services.iter().chain(others.keys().filter(|name| !spec.services.contains(*name))) {
        bind(name, "service", text(&format!("service:{name}")));
    }
    for (name, (limit, period)) in &spec.rate_limits {
        let inner =
            format!("(name = \"limit\", json = \"{limit}\"), (name = \"period\", json = \"{period}\")");
        bind(name, "wrapped", format!("(moduleName = \"harness:rate-limit\", innerBindings = [{inner}])"));
    }
    for name in &spec.sinks {
        bind(name, "wrapped", "(moduleName = \"harness:sink\")".to_owned());
    }
    for (name, class) in &spec.durable_objects {
        let namespace = match isolate.number {
            0 => text(class),
            _ => format!("(className = {}, serviceName = \"main\")", text(class)),
        };
        bind(name, "durableObjectNamespace", namespace);
    }
    bindings
}

fn external(name: &str, fakes: SocketAddr, route: Option<&str>) -> String {
    // The runtime sets or removes this header on every request, so that a Worker that forwards headers cannot change the
    // route.
    let route = route.map_or_else(String::new, |route| format!(", value = {}", text(route)));
    format!(
        "(name = {}, external = (address = \"{fakes}\", http = (forwardedProtoHeader = \"{SCHEME_HEADER}\", cfBlobHeader = \"{CF_HEADER}\", \
         injectRequestHeaders = [(name = \"{ROUTE_HEADER}\"{route})])))",
        text(name)
    )
}

/// A Cap'n Proto text literal.
fn text(value: &str) -> String {
    let mut literal = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            c if c.is_ascii_control() => {
                write!(literal, "\\x{:02x}", u32::from(c)).ok();
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
