//! The component in `jco serve`, a second host, which runs it in Node.js. `cargo xtask wasi --jco` builds the component, installs
//! jco and runs these tests; the variables say where all of it is.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::browser::Browser;
use crate::site::{SECRET, Server, Site, received};
use crate::wasi::variable;

const NODE: &str = "VESTIBULE_NODE";
const JCO: &str = "VESTIBULE_JCO";
const COMPONENT: &str = "VESTIBULE_WASI_COMPONENT";

/// How jco runs requests: one after the other in one instance, or each in a worker of its own.
const SERIAL: &[&str] = &[];
const IN_WORKERS: &[&str] = &["--isolate-requests", "worker", "--isolate-worker-pool-size", "2"];

/// jco, with the processes that it starts. All of them end when it is dropped.
struct Jco {
    server: Server,
}

impl Drop for Jco {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it said {:#?}", self.server.all());
        }
        let group = format!("kill -KILL -{}", self.server.id());
        Command::new("sh").args(["-c", &group]).status().ok();
    }
}

/// The component with the configuration and the secrets of the site.
fn start(site: &Site, arguments: &[&str]) -> Jco {
    let address = vestibule_ports::free_address().unwrap();
    let mut command = Command::new(variable(NODE));
    command.arg(variable(JCO)).args(["serve", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(arguments).arg(variable(COMPONENT)).process_group(0);
    let text = std::fs::read_to_string(site.file("vestibule.toml")).unwrap();
    let config: toml::Table = toml::from_str(&text).unwrap();
    command.env("AUTH", serde_json::to_string(&config).unwrap());
    for secret in std::fs::read_dir(site.file("secrets")).unwrap().map(Result::unwrap) {
        let value = std::fs::read_to_string(secret.path()).unwrap();
        command.env(secret.file_name(), value.trim_end());
    }
    let fields = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/wasi/fields.mjs");
    command.env("NODE_OPTIONS", format!("--import file://{fields}"));
    command.env("AUTH_SECRET", SECRET).env("AUTH_ORIGIN_URL", format!("http://{}", site.app));
    let mut jco = Jco { server: Server::start(command) };
    jco.server.wait_for("Server listening");
    jco.server.address = address;
    jco
}

#[test]
#[ignore = "cargo xtask wasi --jco"]
fn pages_sign_in_and_an_upload_work_in_jco() {
    for arguments in [SERIAL, IN_WORKERS] {
        let site = Site::new(3600);
        let jco = start(&site, arguments);
        let address = jco.server.address;
        let mut browser = Browser::default();
        let public = browser.get(address, "/public/page");
        assert_eq!((public.status(), received(&public, "authorization").len()), (200, 0), "{public:?}");
        let guarded = browser.get(address, "/page");
        let location = guarded.field("location").unwrap_or_else(|| panic!("{guarded:?}"));
        assert!(guarded.status() == 302 && location.contains("/auth/signin?"), "{location}");
        browser.sign_in(address, &site.provider);
        let page = browser.get(address, "/page");
        assert!(received(&page, "authorization")[0].starts_with("Bearer access-"), "{}", page.text());
        let body = "x".repeat(300_000);
        let page = browser.post(address, "/page?a=b", &body);
        assert_eq!((page.status(), page.value()["body"].as_str().unwrap()), (200, body.as_str()));
    }
}
