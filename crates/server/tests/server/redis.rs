//! Several processes that share a Redis server: Debian's, if it is installed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::browser::Browser;
use crate::http::MAX_WAIT;
use crate::site::{Site, received};

/// A running Redis server, which is killed when it is dropped.
pub(crate) struct Redis {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        let redis = Self { child: Self::child(address, &folder), address, folder };
        redis.is_ready();
        redis
    }

    fn child(address: SocketAddr, folder: &TempDir) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""])
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server: `cargo xtask test` installs it on Debian and Ubuntu")
    }

    fn is_ready(&self) {
        let tries = MAX_WAIT.as_millis() / 20;
        for _ in 0..tries {
            if TcpStream::connect(self.address).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not listen");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A site that keeps its leases and revocations there. Both processes are at one address for the browser, so the host is the
/// first one's.
fn site(lifetime: u64, redis: &Redis) -> Site {
    site_at(lifetime, &redis.url())
}

/// The same with this address.
pub(crate) fn site_at(lifetime: u64, redis: &str) -> Site {
    let site = Site::new(lifetime);
    std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), redis).unwrap();
    site.configure("", "[revocation]\nstore = \"redis\"\ninterval = \"1s\"\n[refresh]\nlease = \"redis\"");
    site
}

#[test]
fn two_processes_use_a_refresh_token_once() {
    let redis = Redis::start();
    let site = site(1, &redis);
    let (first, second) = (site.start(), site.start());
    let browser = Browser::signed_in(first.address, &site.provider);
    let host = first.address;
    // While a token is valid, no one waits for the next one.
    thread::sleep(Duration::from_millis(1100));
    let requests: Vec<_> = (0..16)
        .map(|n| {
            let at = [first.address, second.address][n % 2];
            let mut browser = browser.clone();
            thread::spawn(move || {
                let request = browser.request(host, "GET", "/page");
                let page = browser.send(at, &request);
                assert_eq!(page.status(), 200, "{page:?} {}", page.text());
                received(&page, "authorization")
            })
        })
        .collect();
    let tokens: Vec<_> = requests.into_iter().map(|request| request.join().unwrap()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(site.provider.refreshes(), (1, 0));
}

#[test]
fn a_sign_out_at_one_process_ends_the_session_at_the_other() {
    let redis = Redis::start();
    let site = site(3600, &redis);
    let (first, second) = (site.start(), site.start());
    let mut browser = Browser::signed_in(first.address, &site.provider);
    let copy = browser.clone();
    let at_second = || {
        let mut copy = copy.clone();
        let request = copy.request(first.address, "GET", "/page");
        copy.send(second.address, &request).status()
    };
    assert_eq!(at_second(), 200);
    browser.sign_out(first.address);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(at_second(), 302);
}

#[test]
fn without_redis_sessions_stay_valid_no_token_is_used_twice_and_the_log_says_it() {
    let mut redis = Redis::start();
    let site = site(3600, &redis);
    let mut server = site.start();
    let mut browser = Browser::signed_in(server.address, &site.provider);
    assert_eq!(browser.get(server.address, "/page").status(), 200);
    redis.stop();
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(browser.get(server.address, "/page").status(), 200);
    server.wait_for("Redis");
    redis.child = Redis::child(redis.address, &redis.folder);
    redis.is_ready();
    // The store is left alone for a while after it failed.
    browser.sign_out(server.address);
    assert_eq!(browser.get(server.address, "/page").status(), 302);
}
