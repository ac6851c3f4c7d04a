//! A running server with its configuration, and the app behind it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::http::{self, MAX_WAIT, Message};
use crate::provider::{CLIENT, Provider};

/// The secret that seals sessions.
pub(crate) const SECRET: &str = "my-32-char-or-longer-shared-secret!!";

/// The program under test: the one that cargo has built for these tests, or another build of it.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("VESTIBULE_SERVER")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_vestibule-server")), PathBuf::from)
}

/// What a server is started with.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) provider: Provider,
    pub(crate) app: SocketAddr,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) threads: usize,
    /// Whether the server is told where the app is.
    pub(crate) has_origin: bool,
    /// What a shell does before it becomes the server.
    pub(crate) before: String,
}

impl Site {
    /// An app that shows what it receives, and a provider whose access tokens are valid for so many seconds.
    pub(crate) fn new(lifetime: u64) -> Self {
        Self::with_app(lifetime, http::serve(echo))
    }

    pub(crate) fn with_app(lifetime: u64, app: SocketAddr) -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            provider: Provider::start(lifetime),
            app,
            arguments: Vec::new(),
            variables: Vec::new(),
            threads: 2,
            before: String::new(),
            has_origin: true,
        };
        site.configure("", "");
        fs::create_dir(site.folder.path().join("secrets")).unwrap();
        for (name, value) in [("AUTH_DEMO_ID", CLIENT.0), ("AUTH_DEMO_SECRET", CLIENT.1)] {
            fs::write(site.folder.path().join("secrets").join(name), format!("{value}\n")).unwrap();
        }
        site
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration, with these lines at its beginning and at its end.
    pub(crate) fn configure(&self, first: &str, last: &str) {
        let issuer = self.provider.issuer();
        let text = format!(
            r#"{first}
base_path = "/auth"

[session]
expose = {{ access_token = "access_token" }}

[claims]
roles = "profile.roles"

[[providers]]
id = "demo"
type = "oidc"
issuer = "{issuer}"
strict_rotation = true

[[rules]]
match = ["/", "/public/:path*"]
access = "public"

[[rules]]
match = "/forbidden"
require = {{ roles = ["nobody"] }}

[[upstreams]]
to = "origin"
authorization = "access_token"
headers = {{ "X-User-Email" = "email" }}

{last}
"#
        );
        fs::write(self.file("vestibule.toml"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{}\nexec \"$0\" \"$@\"", self.before)])
            .arg(program())
            .args(["--config", self.file("vestibule.toml").to_str().unwrap()])
            .env("VESTIBULE_SECRETS", self.file("secrets"))
            .args(self.has_origin.then(|| format!("--origin=http://{}", self.app)))
            .args(["--threads", &self.threads.to_string()])
            .args(&self.arguments)
            .env("VESTIBULE_LISTEN", "127.0.0.1:0")
            .env("AUTH_SECRET", SECRET)
            .envs(self.variables.iter().cloned());
        command
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(&self) -> Server {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Server::of(command.spawn().unwrap())
    }

    /// Starts a server that is to end by itself, and gives its exit status and what it said.
    pub(crate) fn fails(&self) -> (ExitStatus, String) {
        Self::ends(self.command())
    }

    /// The same with this variable, which need not be text.
    pub(crate) fn fails_with(&self, variable: &str, value: &OsStr) -> (ExitStatus, String) {
        let mut command = self.command();
        command.env(variable, value);
        Self::ends(command)
    }

    fn ends(mut command: Command) -> (ExitStatus, String) {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > MAX_WAIT {
                child.kill().unwrap();
                panic!(
                    "it has started: {}",
                    String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr)
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A running server. It is killed when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    lines: Receiver<String>,
    child: Child,
    seen: Vec<String>,
}

impl Server {
    /// The server that this process is. Waits until it listens.
    pub(crate) fn of(child: Child) -> Self {
        let mut server = Self::begun(child);
        let line = server.wait_for("listening on ");
        server.address = line.rsplit('/').next().unwrap().parse().unwrap();
        server
    }

    /// Starts a server, whose address is not known yet.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::begun(command.spawn().unwrap())
    }

    fn begun(mut child: Child) -> Self {
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stderr.take().unwrap()), Box::new(child.stdout.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    sender.send(line).ok();
                }
            });
        }
        Self { address: ([127, 0, 0, 1], 0).into(), lines, child, seen: Vec::new() }
    }

    /// The identifier of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(MAX_WAIT);
            let line = line.unwrap_or_else(|_| panic!("it does not say {text:?}: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The line with this text among those that were waited for.
    pub(crate) fn said(&self, text: &str) -> String {
        let line = self.seen.iter().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("it did not say {text:?}: {:#?}", self.seen)).clone()
    }

    /// Waits for a line with this text, unless it was there before.
    pub(crate) fn says(&mut self, text: &str) {
        if !self.seen.iter().any(|line| line.contains(text)) {
            self.wait_for(text);
        }
    }

    /// All lines so far.
    pub(crate) fn all(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Checks that no line has had this text.
    pub(crate) fn never_said(&mut self, text: &str) {
        self.seen.extend(self.lines.try_iter());
        assert!(self.seen.iter().all(|line| !line.contains(text)), "{:#?}", self.seen);
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A site whose app writes down the targets of its requests.
pub(crate) fn recorded() -> (Site, Arc<Mutex<Vec<String>>>) {
    let targets = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&targets);
    let app = http::serve(move |request| {
        seen.lock().unwrap().push(request.target().to_owned());
        echo(request)
    });
    (Site::with_app(3600, app), targets)
}

/// The app: it answers with what it received.
pub(crate) fn echo(request: Message) -> Message {
    let fields: Vec<_> = request.fields.iter().map(|(name, value)| json!([name, value])).collect();
    let shown = json!({
        "method": request.method(), "target": request.target(), "fields": fields, "body": request.text(),
    });
    Message::json(&shown).with("x-app", "1")
}

/// A field of what the app received.
pub(crate) fn received(response: &Message, name: &str) -> Vec<String> {
    let shown = response.value();
    let fields = shown["fields"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    fields.filter(|field| field[0] == name).map(|field| text(&field[1])).collect()
}
