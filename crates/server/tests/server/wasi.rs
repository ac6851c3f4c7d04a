//! The component for wasi:http in wasmtime, beside this server and with the same Redis. `cargo xtask wasi --test` builds the component,
//! installs wasmtime and runs these tests; the variables say where both are.

use std::fmt::Write as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::provider::CLIENT;
use crate::redis::{Redis, refreshed_at, site_at};
use crate::site::{SECRET, Server, Site, received, recorded};

const WASMTIME: &str = "VESTIBULE_WASMTIME";
const COMPONENT: &str = "VESTIBULE_WASI_COMPONENT";
const PREPARED: &str = "VESTIBULE_WASI_PREPARED";

/// How many requests an instance answers: wasmtime's default, and more than a test has.
const REQUESTS_OF_INSTANCE: [u32; 2] = [1, 10_000];

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}: start these tests with cargo xtask wasi --test"))
}

/// The component with the configuration and the secrets of the site.
fn start(site: &Site, requests_of_instance: u32) -> Server {
    let mut command = Command::new(variable(WASMTIME));
    command.args(["serve", "-Scli", "-Sinherit-network", "-Sallow-ip-name-lookup", "--addr", "127.0.0.1:0"]);
    command.args(["--max-instance-reuse-count", &requests_of_instance.to_string()]);
    command.args(["--dir", &format!("{}::/", site.folder.path().display())]);
    command.env("AUTH_SECRET", SECRET).env("AUTH_ORIGIN_URL", format!("http://{}", site.app));
    command.args(["--env", "AUTH_SECRET", "--env", "AUTH_ORIGIN_URL"]).arg(variable(COMPONENT));
    listening(command)
}

/// The component that the build has prepared with tests/wasi/vestibule.toml, started as docs/wasi.md says for Linux. It opens no
/// folder.
fn start_prepared(site: &Site, requests_of_instance: u32, variables: &[(&str, &str)]) -> Server {
    let mut command = Command::new(variable(WASMTIME));
    command.args(["serve", "-Scli", "--addr", "127.0.0.1:0"]);
    for option in [
        "pooling-allocator=y",
        "pooling-pagemap-scan=auto",
        "pooling-memory-keep-resident=4194304",
        "pooling-table-keep-resident=65536",
    ] {
        command.args(["-O", option]);
    }
    command.args(["--max-instance-reuse-count", &requests_of_instance.to_string()]);
    let origin = format!("http://{}", site.app);
    for (name, value) in variables.iter().chain(&[("AUTH_ORIGIN_URL", origin.as_str())]) {
        command.env(name, value).args(["--env", name]);
    }
    command.arg(variable(PREPARED));
    listening(command)
}

fn listening(command: Command) -> Server {
    let mut server = Server::start(command);
    let line = server.wait_for("Serving HTTP on ");
    server.address = line.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    server
}

/// What Redis says of itself.
fn number(redis: &Redis, section: &str, name: &str) -> u64 {
    let output = Command::new("redis-cli")
        .args(["-p", &redis.address.port().to_string(), "INFO", section])
        .output()
        .expect("redis-cli is beside redis-server");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn instances_use_a_refresh_token_once() {
    let redis = Redis::start();
    let site = site_at(1, &redis.url());
    for requests_of_instance in REQUESTS_OF_INSTANCE {
        let component = start(&site, requests_of_instance);
        refreshed_at(&site, [component.address; 2]);
    }
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn instances_and_a_server_use_a_refresh_token_once() {
    let redis = Redis::start();
    let site = site_at(1, &redis.url());
    let (component, server) = (start(&site, 1), site.start());
    refreshed_at(&site, [component.address, server.address]);
    refreshed_at(&site, [server.address, component.address]);
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn a_sign_out_at_the_component_ends_the_session_at_the_server_and_the_other_way_round() {
    let redis = Redis::start();
    let site = site_at(3600, &redis.url());
    let (component, server) = (start(&site, 1), site.start());
    for (first, second) in [(component.address, server.address), (server.address, component.address)] {
        let mut browser = Browser::signed_in(first, &site.provider);
        let copy = browser.clone();
        let at_second = || {
            let mut copy = copy.clone();
            let request = copy.request(first, "GET", "/page");
            copy.send(second, &request).status()
        };
        assert_eq!(at_second(), 200);
        browser.sign_out(first);
        thread::sleep(Duration::from_millis(1100));
        assert_eq!(at_second(), 302);
    }
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn tokens_in_redis_are_there_for_every_instance() {
    let redis = Redis::start();
    let site = site_at(3600, &redis.url());
    let text = std::fs::read_to_string(site.file("vestibule.toml")).unwrap();
    let text = text.replace("[session]\n", "[session]\ntokens = \"store\"\n");
    std::fs::write(site.file("vestibule.toml"), text).unwrap();
    let component = start(&site, 1);
    let mut browser = Browser::signed_in(component.address, &site.provider);
    let page = browser.get(component.address, "/page");
    assert!(received(&page, "authorization")[0].starts_with("Bearer access-"), "{}", page.text());
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn redis_that_is_gone_slow_or_closed_to_the_component_leaves_sessions_valid_and_the_log_says_why() {
    let silent = http::serve_raw(|connection| {
        // It accepts, and never answers.
        let _ = std::io::copy(&mut &connection, &mut std::io::sink());
    });
    let redis = Redis::start();
    let stopped = {
        let mut stopped = Redis::start();
        stopped.stop();
        stopped.url()
    };
    for (url, says) in [
        (stopped, "Redis: it refused the connection"),
        // The core waits for less long than the connection would.
        (format!("redis://{silent}"), "no answer within 1s"),
        (format!("redis://:wrong@{}", redis.address), "Redis: response error"),
    ] {
        let site = site_at(3600, &url);
        let mut component = start(&site, 10_000);
        let mut browser = Browser::signed_in(component.address, &site.provider);
        let page = browser.get(component.address, "/page");
        assert_eq!(page.status(), 200, "{url}: {page:?}");
        component.says(says);
        // The password is in no line.
        component.never_said("wrong@");
    }
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn path_confusion_a_host_that_has_a_path_is_refused() {
    let (site, targets) = recorded();
    let component = start(&site, 10_000);
    for head in [
        "GET /secret HTTP/1.1\r\nHost: a/public/?\r\n",
        "GET /secret HTTP/1.1\r\nHost: a?\r\n",
        "GET /public/x HTTP/1.1\r\nHost: u@a\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n",
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let answer = http::exchange(component.address, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{head:?}: {answer}");
    }
    assert!(targets.lock().unwrap().is_empty());
    let page = http::send(component.address, &Message::request("GET", "http://a/public/x").with("host", "A"));
    assert_eq!(page.status(), 200);
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn bodies_pass_in_both_directions() {
    let site = Site::new(3600);
    for requests_of_instance in REQUESTS_OF_INSTANCE {
        let component = start(&site, requests_of_instance);
        let mut browser = Browser::signed_in(component.address, &site.provider);
        let body = "x".repeat(300_000);
        let page = browser.post(component.address, "/page?a=b", &body);
        assert_eq!((page.status(), page.value()["body"].as_str().unwrap()), (200, body.as_str()));
        assert_eq!(page.value()["target"], "/page?a=b");
        let guarded = http::send(
            component.address,
            &Message::request("GET", "/page").with("host", component.address.to_string()),
        );
        assert!(matches!(guarded.status(), 302 | 401), "{guarded:?}");
    }
}

#[test]
#[ignore = "cargo xtask wasi --test"]
fn a_prepared_component_opens_sessions_and_reads_anew_what_a_variable_changes() {
    let site = Site::new(3600);
    let secrets = [("AUTH_SECRET", SECRET), ("AUTH_DEMO_ID", CLIENT.0), ("AUTH_DEMO_SECRET", CLIENT.1)];
    let provider = format!(
        r#"{{ "providers": [{{ "id": "demo", "type": "oidc", "issuer": "{}" }}] }}"#,
        site.provider.issuer()
    );
    for requests_of_instance in REQUESTS_OF_INSTANCE {
        let prepared = start_prepared(&site, requests_of_instance, &secrets);
        let changed = [&secrets[..], &[("AUTH", &provider)]].concat();
        let changed = start_prepared(&site, requests_of_instance, &changed);
        let browser = Browser::signed_in(changed.address, &site.provider);
        for component in [&prepared, &changed] {
            let guarded = Message::request("GET", "/page").with("host", changed.address.to_string());
            assert!(matches!(http::send(component.address, &guarded).status(), 302 | 401));
            let mut browser = browser.clone();
            let request = browser.request(changed.address, "GET", "/page");
            let page = browser.send(component.address, &request);
            assert!(received(&page, "authorization")[0].starts_with("Bearer access-"), "{}", page.text());
        }
        let mut without = start_prepared(&site, requests_of_instance, &secrets[1..]);
        let public = Message::request("GET", "/public/x").with("host", without.address.to_string());
        assert_eq!(http::send(without.address, &public).status(), 500);
        without.says("AUTH_SECRET: this secret is missing");
    }
}

/// Prints how many connections to Redis, and documents of the provider, what a user does costs.
#[test]
#[ignore = "cargo xtask wasi --test"]
fn what_an_instance_of_one_request_costs() {
    let mut table =
        "requests of an instance | connections to Redis | its commands | documents of the provider\n"
            .to_owned();
    for requests_of_instance in REQUESTS_OF_INSTANCE {
        // The metadata and the keys: what one instance has fetched, the others find in the store. Where a busy machine's Redis
        // takes longer than a quarter of a second, an instance asks the provider.
        let cost = (0..3).map(|_| cost(requests_of_instance)).find(|cost| cost.documents == 2);
        let Cost { connections, commands, documents } = cost.expect("two documents");
        let _ = writeln!(table, "{requests_of_instance} | {connections} | {commands} | {documents}");
    }
    println!("{table}");
}

/// What a sign-in takes, and ten pages, the first with a refresh.
struct Cost {
    connections: u64,
    commands: u64,
    documents: usize,
}

fn cost(requests_of_instance: u32) -> Cost {
    let redis = Redis::start();
    let site = site_at(1, &redis.url());
    let component = start(&site, requests_of_instance);
    let counts = || {
        ["total_connections_received", "total_commands_processed"].map(|name| number(&redis, "stats", name))
    };
    let before = counts();
    let mut browser = Browser::signed_in(component.address, &site.provider);
    thread::sleep(Duration::from_millis(1100));
    for _ in 0..10 {
        assert_eq!(browser.get(component.address, "/page").status(), 200);
    }
    let after = counts();
    // redis-cli is one.
    Cost {
        connections: after[0] - before[0] - 1,
        commands: after[1] - before[1],
        documents: site.provider.documents(),
    }
}
