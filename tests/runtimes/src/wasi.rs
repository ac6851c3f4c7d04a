//! The component in `wasmtime serve`, behind a proxy, with a Redis server of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use miniflare_test_harness::{Command, GuardedProcess, Launch, LogLine, Running, Runtime, StartError};
use serde_json::Value;

use crate::native::{failed, variable};
use crate::proxy::{Behind, Proxy};

/// The variable with the path of wasmtime's program.
const HOST: &str = "VESTIBULE_WASMTIME";

/// The variable with the path of the component. Without it, it is where `cargo xtask wasi --build` writes it.
const COMPONENT: &str = "VESTIBULE_WASI_COMPONENT";

/// What the host says as soon as it accepts connections, before its address.
const SERVING: &str = "Serving HTTP on http://";

/// How many requests an instance answers: wasmtime's default.
const REQUESTS_OF_INSTANCE: &str = "128";

/// What lives as long as the host.
struct Beside {
    _proxy: Proxy,
    _redis: Mutex<GuardedProcess>,
}

pub(crate) struct Wasi;

impl Runtime for Wasi {
    fn name(&self) -> &'static str {
        "wasi"
    }

    fn start(&self, launch: &Launch<'_>) -> Result<Running, StartError> {
        let folder = launch.folder();
        let (redis, url) = redis(launch)?;
        let mut services = Vec::new();
        for name in launch.services() {
            services.push(format!("{name}=http://{}", launch.service(name)?));
        }
        let mut environment = vec![
            ("AUTH_TRUST_PROXY".to_owned(), "true".to_owned()),
            ("AUTH_ORIGIN_URL".to_owned(), format!("http://{}", launch.origin()?)),
            ("AUTH_EGRESS_URL".to_owned(), format!("http://{}", launch.gateway(crate::EGRESS)?)),
            ("AUTH_SERVICES".to_owned(), services.join(",")),
            ("AUTH_REDIS_URL".to_owned(), url),
        ];
        environment.extend(variable(launch, |_| "redis"));
        environment.extend(launch.secrets().iter().map(|(name, value)| (name.clone(), value.clone())));

        let words = ["serve", "-Scli", "-Sinherit-network", "--no-logging-prefix", "--addr", "127.0.0.1:0"];
        let mut arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
        arguments.extend(["--max-instance-reuse-count", REQUESTS_OF_INSTANCE].map(str::to_owned));
        for (name, _) in &environment {
            arguments.extend(["--env".to_owned(), name.clone()]);
        }
        arguments.push(component().to_string_lossy().into_owned());
        let program = PathBuf::from(std::env::var_os(HOST).unwrap_or_else(|| "wasmtime".into()));
        let command =
            Command { name: "wasmtime", program: &program, arguments: &arguments, environment: &environment };
        let (process, address) = launch.process(command, parse, |line| {
            let (_, address) = line.message.split_once(SERVING)?;
            address.trim().trim_end_matches('/').parse::<SocketAddr>().ok()
        })?;
        let proxy = Proxy::start(Behind::Proxied(address)).map_err(failed("listen for", folder))?;
        let addresses = vec![proxy.address; launch.isolates().len()];
        let beside = Beside { _proxy: proxy, _redis: Mutex::new(redis) };
        Ok(Running { process, addresses, beside: Some(Box::new(beside)) })
    }
}

/// A Redis server that keeps nothing on the disk, and its address.
fn redis(launch: &Launch<'_>) -> Result<(GuardedProcess, String), StartError> {
    let free = vestibule_ports::free_address();
    let port = free.map_err(failed("find a port for", launch.folder()))?.port().to_string();
    let words = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let program = Path::new("redis-server");
    let command = Command { name: "redis-server", program, arguments: &arguments, environment: &[] };
    let parse = |text: &str, _: &str| LogLine {
        level: "debug".to_owned(),
        message: text.to_owned(),
        from_runtime: false,
    };
    let ready = |line: &LogLine| line.message.contains("Ready to accept connections").then_some(());
    let (process, ()) = launch.process(command, parse, ready)?;
    Ok((process, format!("redis://127.0.0.1:{port}")))
}

/// The component that `cargo xtask` has built.
fn component() -> PathBuf {
    let variable = std::env::var_os(COMPONENT).map(PathBuf::from);
    let component = variable.unwrap_or_else(|| crate::root().join("component/vestibule.wasm"));
    let path = component.canonicalize();
    path.unwrap_or_else(|_| panic!("{} does not exist: run `cargo xtask wasi --build`", component.display()))
}

/// A line of the component's log is JSON on the error output. What else is there is the host's.
fn parse(text: &str, stream: &str) -> LogLine {
    let fields: Value = serde_json::from_str(text).unwrap_or_default();
    let level = fields.get("level").and_then(Value::as_str).unwrap_or(stream);
    LogLine { level: level.to_owned(), message: text.to_owned(), from_runtime: text.contains("panicked at") }
}
