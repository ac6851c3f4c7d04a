//! The component in `jco serve`, a second host, which runs it in Node.js. `cargo xtask wasi --jco` builds the component, installs
//! jco and runs these tests; the variables say where all of it is.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::browser::Browser;
use crate::http::Message;
use crate::redis::refreshed_at;
use crate::site::{SECRET, Server, Site, received};
use crate::wasi::variable;

const NODE: &str = "VESTIBULE_NODE";
const JCO: &str = "VESTIBULE_JCO";
const COMPONENT: &str = "VESTIBULE_WASI_COMPONENT";
const KEY_VALUE: &str = "VESTIBULE_WASI_KEYVALUE";
const WASMTIME: &str = "VESTIBULE_WASMTIME";

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
    start_component(site, COMPONENT, arguments)
}

/// The component for `wasi:keyvalue`, with a bucket that all of the same site share. jco maps it in only where one instance
/// answers all requests.
fn start_with_bucket(site: &Site) -> Jco {
    let store = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/wasi/store.mjs");
    let map = format!("wasi:keyvalue/*={store}#*");
    start_component(site, KEY_VALUE, &["--jco-map", &map, "--"])
}

fn start_component(site: &Site, component: &str, arguments: &[&str]) -> Jco {
    let address = vestibule_ports::free_address().unwrap();
    let mut command = Command::new(variable(NODE));
    command.arg(variable(JCO)).args(["serve", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(arguments).arg(variable(component)).process_group(0);
    let text = std::fs::read_to_string(site.file("vestibule.toml")).unwrap();
    let config: toml::Table = toml::from_str(&text).unwrap();
    command.env("AUTH", serde_json::to_string(&config).unwrap());
    for secret in std::fs::read_dir(site.file("secrets")).unwrap().map(Result::unwrap) {
        let value = std::fs::read_to_string(secret.path()).unwrap();
        command.env(secret.file_name(), value.trim_end());
    }
    // jco writes the component's code into the temporary directory, and leaves it there when it is ended.
    let temporary = site.file("temporary");
    std::fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary);
    let fields = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/wasi/fields.mjs");
    command.env("NODE_OPTIONS", format!("--import file://{fields}"));
    command.env("STORE_FOLDER", site.folder.path().join("bucket"));
    command.env("AUTH_SECRET", SECRET).env("AUTH_ORIGIN_URL", format!("http://{}", site.app));
    let mut jco = Jco { server: Server::start(command) };
    jco.server.wait_for("Server listening");
    jco.server.address = address;
    jco
}

#[test]
#[ignore = "cargo xtask wasi --jco"]
fn pages_sign_in_and_uploads_work_in_jco() {
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
        let chunked = browser.request(address, "POST", "/page").with("transfer-encoding", "chunked");
        let page = browser.send(address, &Message { body: b"3\r\nabc\r\n0\r\n\r\n".to_vec(), ..chunked });
        assert_eq!((page.status(), page.value()["body"].as_str()), (200, Some("abc")), "{}", page.text());
    }
}

/// A site that keeps its leases and revocations in a bucket, and whose tokens are valid for so many seconds.
fn site_with_bucket(lifetime: u64) -> Site {
    let site = Site::new(lifetime);
    std::fs::create_dir(site.file("bucket")).unwrap();
    site.configure(
        "",
        "[revocation]\nstore = \"keyvalue\"\ninterval = \"1s\"\n[refresh]\nlease = \"keyvalue\"",
    );
    site
}

#[test]
#[ignore = "cargo xtask wasi --jco"]
fn processes_that_share_a_bucket_use_a_refresh_token_once() {
    let site = site_with_bucket(1);
    let (first, second) = (start_with_bucket(&site), start_with_bucket(&site));
    for _ in 0..3 {
        refreshed_at(&site, [first.server.address, second.server.address]);
        refreshed_at(&site, [second.server.address, first.server.address]);
    }
}

#[test]
#[ignore = "cargo xtask wasi --jco"]
fn a_sign_out_ends_the_session_at_every_process_that_shares_the_bucket() {
    let site = site_with_bucket(3600);
    let (first, second) = (start_with_bucket(&site), start_with_bucket(&site));
    let (first, second) = (first.server.address, second.server.address);
    let mut browser = Browser::signed_in(first, &site.provider);
    let mut copy = browser.clone();
    let mut status = || {
        let request = copy.request(first, "GET", "/page");
        copy.send(second, &request).status()
    };
    assert_eq!(status(), 200);
    browser.sign_out(first);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(status(), 302);
}

#[test]
#[ignore = "cargo xtask wasi --jco"]
fn wasmtimes_key_value_store_which_forgets_is_said_to_be_none() {
    let site = Site::new(3600);
    let mut command = Command::new(variable(WASMTIME));
    command.args(["serve", "-Scli", "-Skeyvalue", "--addr", "127.0.0.1:0"]);
    command.args(["--max-instance-reuse-count", "100"]);
    command.args(["--dir", &format!("{}::/", site.folder.path().display())]);
    command.env("AUTH_SECRET", SECRET).env("AUTH_ORIGIN_URL", format!("http://{}", site.app));
    command.args(["--env", "AUTH_SECRET", "--env", "AUTH_ORIGIN_URL"]).arg(variable(KEY_VALUE));
    let mut server = Server::start(command);
    let line = server.wait_for("Serving HTTP on ");
    server.address = line.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    let page = Browser::signed_in(server.address, &site.provider).get(server.address, "/page");
    assert_eq!(page.status(), 200);
    server.says("there is no shared store: the host's wasi:keyvalue forgets what is written");
}
