//! `vestibule-server`, with TLS between it and a proxy.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use miniflare_test_harness::{Command, GuardedProcess, Launch, LogLine, Logs, Running, Runtime, StartError};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::proxy::{Behind, Proxy};

/// What the server says as soon as it accepts connections, before its address.
const LISTENING: &str = "listening on ";

pub(crate) struct Native;

impl Runtime for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn start(&self, launch: &Launch<'_>) -> Result<Running, StartError> {
        let folder = launch.folder();
        let write =
            |name: &str, text: &str| fs::write(folder.join(name), text).map_err(failed("write to", folder));
        write("vestibule.toml", "")?;
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let certificate =
            certificate.map_err(|error| failed("make a certificate for", folder)(io::Error::other(error)))?;
        write("certificate.pem", &certificate.cert.pem())?;
        write("key.pem", &certificate.signing_key.serialize_pem())?;

        let server = Server::new(launch)?;
        let (process, secure) =
            server.run(&["--tls-certificate", "certificate.pem", "--tls-key", "key.pem"])?;
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate.cert.der().clone())
            .map_err(|error| failed("trust", folder)(io::Error::other(error)))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| failed("use TLS in", folder)(io::Error::other(error)))?;
        let config = config.with_root_certificates(roots).with_no_client_auth();

        let second: Mutex<Option<(GuardedProcess, SocketAddr)>> = Mutex::default();
        let plain = move || {
            let mut second = second.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, address)) = &*second {
                return Ok(*address);
            }
            let (process, address) = server.run(&[]).map_err(io::Error::other)?;
            *second = Some((process, address));
            Ok(address)
        };
        let behind =
            Behind::Tls { secure, connector: TlsConnector::from(Arc::new(config)), plain: Arc::new(plain) };
        let proxy = Proxy::start(behind).map_err(failed("listen for", folder))?;
        let addresses = vec![proxy.address; launch.isolates().len()];
        Ok(Running { process, addresses, beside: Some(Box::new(proxy)) })
    }
}

/// A server that can be started, once for each scheme.
struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    logs: Logs,
}

impl Server {
    fn new(launch: &Launch<'_>) -> Result<Self, StartError> {
        let mut arguments = vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()];
        arguments.extend(["--threads".to_owned(), launch.isolates().len().to_string()]);
        arguments.extend(["--origin".to_owned(), format!("http://{}", launch.origin()?)]);
        arguments.extend(["--egress".to_owned(), format!("http://{}", launch.gateway(crate::EGRESS)?)]);
        for name in launch.services() {
            arguments.extend(["--services".to_owned(), format!("{name}=http://{}", launch.service(name)?)]);
        }
        let mut environment: Vec<_> = variable(launch, |_| "memory").into_iter().collect();
        environment.extend(launch.secrets().iter().map(|(name, value)| (name.clone(), value.clone())));
        let (folder, logs) = (launch.folder().to_owned(), launch.logs().clone());
        Ok(Self { program: program(), arguments, environment, folder, logs })
    }

    /// Starts one with these further options. Gives its address.
    fn run(&self, options: &[&str]) -> Result<(GuardedProcess, SocketAddr), StartError> {
        let mut arguments = self.arguments.clone();
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        let command = Command {
            name: "vestibule-server",
            program: &self.program,
            arguments: &arguments,
            environment: &self.environment,
        };
        command.start(&self.folder, &self.logs, parse, |line| {
            let (_, url) = line.message.split_once(LISTENING)?;
            url.rsplit('/').next()?.parse().ok()
        })
    }
}

/// The variable `AUTH`, if there is one, with this runtime's stores in place of those of Workers.
pub(crate) fn variable(launch: &Launch<'_>, to: impl Fn(&str) -> &'static str) -> Option<(String, String)> {
    let mut auth = launch.vars().get("AUTH").filter(|auth| !auth.is_null())?.clone();
    for (table, key) in [("refresh", "lease"), ("revocation", "store")] {
        let Some(value) = auth.get_mut(table).and_then(|table| table.get_mut(key)) else { continue };
        if let Some(name @ ("kv" | "durable-object")) = value.as_str() {
            *value = to(name).into();
        }
    }
    let text = auth.as_str().map_or_else(|| auth.to_string(), str::to_owned);
    Some(("AUTH".to_owned(), text))
}

/// The program that cargo has built, beside the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("the path of the tests");
    let directory = tests.parent().and_then(Path::parent).expect("the directory of the profile");
    let program = directory.join("vestibule-server");
    assert!(program.exists(), "{} does not exist: run `cargo build -p vestibule-server`", program.display());
    program
}

/// A line of the log is on standard output. What the process says of itself is on standard error.
fn parse(text: &str, stream: &str) -> LogLine {
    let fields: Value = serde_json::from_str(text).unwrap_or_default();
    let level = fields.get("level").and_then(Value::as_str).unwrap_or(stream);
    let from_runtime = stream == "stderr" && text.contains("panicked at");
    LogLine { level: level.to_owned(), message: text.to_owned(), from_runtime }
}

/// For `map_err`.
pub(crate) fn failed(what: &str, folder: &Path) -> impl FnOnce(io::Error) -> StartError {
    let what = format!("{what} {}", folder.display());
    move |source| StartError::Io { what, source }
}
