//! Several processes that share a Redis server: Debian's, if it is installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vestibule_ports::free_address;

use crate::browser::Browser;
use crate::certificates::Authority;
use crate::http::{self, MAX_WAIT};
use crate::site::{Server, Site, received};

/// A running Redis server, which is killed when it is dropped.
pub(crate) struct Redis {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let address = free_address().unwrap();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { child: Self::child(address, &folder, &arguments), address, folder, arguments };
        redis.is_ready();
        redis
    }

    fn child(address: SocketAddr, folder: &TempDir, arguments: &Vec<String>) -> Child {
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""])
            .args(["--repl-diskless-sync-delay", "0"])
            .arg("--dir")
            .arg(folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server: `cargo xtask test` installs it on Debian and Ubuntu")
    }

    fn is_ready(&mut self) {
        let address = self.address;
        until("redis-server listens", || TcpStream::connect(address).is_ok());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same address, with what it keeps on the disk.
    fn start_again(&mut self) {
        self.child = Self::child(self.address, &self.folder, &self.arguments);
        self.is_ready();
        until("it has loaded", || !self.says("PING").starts_with('-'));
    }

    /// Its answer to a command: the first line.
    fn says(&self, command: &str) -> String {
        let mut stream = http::connect(self.address);
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The same for a command that has to succeed.
    fn does(&self, command: &str) {
        let answer = self.says(command);
        assert!(!answer.is_empty() && !answer.starts_with('-'), "{command}: {answer}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until this holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < MAX_WAIT, "not so: {what}");
        thread::sleep(Duration::from_millis(20));
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
fn a_file_of_revocations_beside_redis_is_said_to_be_unused() {
    let redis = Redis::start();
    let site = site(3600, &redis);
    let file = site.file("revocations").to_str().unwrap().to_owned();
    let site = site.with(&["--revocations", &file]);
    let mut server = site.start();
    server.says(&format!(
        "AUTH_REDIS_URL is set, so revocations are kept in Redis, and the file of --revocations, {file}, is"
    ));
    assert!(!site.file("revocations").exists());
}

/// Sixteen requests of one browser at the same time, at these addresses in turn, all with the same expired token.
pub(crate) fn refreshed_at(site: &Site, addresses: [SocketAddr; 2]) {
    let host = addresses[0];
    let browser = Browser::signed_in(host, &site.provider);
    // While a token is valid, no one waits for the next one.
    thread::sleep(Duration::from_millis(1100));
    let before = site.provider.refreshes();
    let requests: Vec<_> = (0..16)
        .map(|n| {
            let mut browser = browser.clone();
            let at = addresses[n % 2];
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
    assert_eq!(site.provider.refreshes(), (before.0 + 1, 0));
}

#[test]
fn two_processes_use_a_refresh_token_once() {
    let redis = Redis::start();
    let site = site(1, &redis);
    let (first, second) = (site.start(), site.start());
    refreshed_at(&site, [first.address, second.address]);
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
fn a_sign_out_that_a_process_has_read_counts_in_all_its_threads_without_redis_and_after_a_reload() {
    let mut redis = Redis::start();
    let mut site = site(3600, &redis);
    site.threads = 8;
    let (first, mut second) = (site.start(), site.start());
    let mut browser = Browser::signed_in(first.address, &site.provider);
    let copy = browser.clone();
    let at_second = |server: &Server| {
        let mut copy = copy.clone();
        let request = copy.request(first.address, "GET", "/page");
        copy.send(server.address, &request).status()
    };
    browser.sign_out(first.address);
    until("the other process has read it", || at_second(&second) == 302);
    redis.stop();
    // The kernel spreads connections over the threads.
    for _ in 0..64 {
        assert_eq!(at_second(&second), 302);
    }
    second.signal("HUP");
    second.wait_for("reloaded: new requests");
    for _ in 0..64 {
        assert_eq!(at_second(&second), 302);
    }
}

/// A name that leads to a Redis server: to another one after a failover, and slowly where it holds what passes.
struct Proxy {
    address: SocketAddr,
    state: Arc<(Mutex<Route>, Condvar)>,
}

struct Route {
    target: SocketAddr,
    holds: bool,
}

impl Proxy {
    fn to(target: SocketAddr) -> Self {
        let state = Arc::new((Mutex::new(Route { target, holds: false }), Condvar::new()));
        let route = Arc::clone(&state);
        let address = http::serve_raw(move |client| {
            let target = route.0.lock().unwrap().target;
            let Ok(server) = TcpStream::connect(target) else { return };
            let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
            let passing = Arc::clone(&route);
            thread::spawn(move || pass(server, client, &passing));
            let [client, server] = ends;
            pass(client, server, &route);
        });
        Self { address, state }
    }

    fn leads_to(&self, target: SocketAddr) {
        self.state.0.lock().unwrap().target = target;
    }

    fn holds(&self, holds: bool) {
        self.state.0.lock().unwrap().holds = holds;
        self.state.1.notify_all();
    }
}

/// Passes bytes on until one end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, route: &(Mutex<Route>, Condvar)) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        drop(route.1.wait_while(route.0.lock().unwrap(), |route| route.holds).unwrap());
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

/// What a fault of Redis meets: a process in front of it, and browsers.
struct Fault {
    site: Site,
    server: Server,
    /// Its token is valid for an hour.
    valid: Browser,
    /// Its token has expired.
    expired: Browser,
    /// It signs out while Redis fails.
    leaving: Browser,
    /// It had signed out before, and this is a copy of its session.
    left: Browser,
}

impl Fault {
    fn new(redis: &Redis, address: SocketAddr) -> Self {
        let mut site = site(3600, redis);
        // Each thread reads for itself who signed out; one alone has read what this scene is about.
        site.threads = 1;
        std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), format!("redis://{address}")).unwrap();
        let server = site.start();
        let at = server.address;
        let [valid, leaving, left] = [0; 3].map(|_| Browser::signed_in(at, &site.provider));
        left.clone().sign_out(at);
        site.provider.set_lifetime(1);
        let expired = Browser::signed_in(at, &site.provider);
        // While a token is valid, no one waits for the next one.
        thread::sleep(Duration::from_millis(1100));
        Self { site, server, valid, expired, leaving, left }
    }

    fn page(&self, browser: &Browser) -> u16 {
        browser.clone().get(self.server.address, "/page").status()
    }

    /// What holds while Redis fails, whatever its fault is: who is signed in stays so, no refresh token is used without the
    /// lease, who signs out is out here, who had signed out stays out, and the log says why.
    fn holds_without_redis(&mut self, why: &str) {
        let at = self.server.address;
        let [valid, expired, left] = [&self.valid, &self.expired, &self.left].map(|browser| {
            let mut browser = browser.clone();
            thread::spawn(move || browser.get(at, "/page").status())
        });
        let mut leaving = self.leaving.clone();
        let leaving = thread::spawn(move || {
            let done = leaving.try_sign_out(at);
            assert_eq!(done.status(), 200);
            assert!(
                done.text().contains("Other copies of your session could not be ended"),
                "{}",
                done.text()
            );
            leaving.get(at, "/page").status()
        });
        assert_eq!(valid.join().unwrap(), 200);
        assert_eq!(expired.join().unwrap(), 503);
        assert_eq!(left.join().unwrap(), 302);
        assert_eq!(leaving.join().unwrap(), 302);
        assert_eq!(self.site.provider.refreshes(), (0, 0));
        self.server.says(why);
        self.server.says("revocation_not_stored");
    }

    /// What holds when Redis is there again, for the process that was there all the time: the refresh is made, once.
    fn holds_again(&self) {
        until("the token is refreshed", || self.page(&self.expired) == 200);
        assert_eq!(self.page(&self.valid), 200);
        assert_eq!(self.page(&self.left), 302);
        assert_eq!(self.site.provider.refreshes(), (1, 0));
    }
}

/// The table of docs/server.md. Each row mostly waits, so they run at the same time.
#[test]
fn what_is_promised_when_redis_fails_holds() {
    let rows: [(&str, fn()); 8] = [
        ("redis is gone and comes back", redis_is_gone_and_comes_back),
        ("redis does not answer", redis_does_not_answer),
        ("redis takes no more memory", redis_takes_no_more_memory),
        ("redis refuses the password of a running process", redis_refuses_the_password_of_a_running_process),
        ("redis is a replica that takes no writes", redis_is_a_replica_that_takes_no_writes),
        ("redis fails over to a replica", redis_fails_over_to_a_replica),
        ("redis restarts without what it had", redis_restarts_without_what_it_had),
        (
            "values in redis that are not ours open nothing and break nothing",
            values_in_redis_that_are_not_ours_open_nothing_and_break_nothing,
        ),
    ];
    let rows = rows.map(|(name, row)| (name, thread::spawn(row)));
    let failed: Vec<&str> =
        rows.into_iter().filter_map(|(name, row)| row.join().is_err().then_some(name)).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// What another process answers to a request for the host of the first one.
fn page_at(server: &Server, host: SocketAddr, browser: &Browser) -> u16 {
    let request = browser.request(host, "GET", "/page");
    browser.clone().send(server.address, &request).status()
}

fn redis_is_gone_and_comes_back() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut scene = Fault::new(&redis, redis.address);
    redis.stop();
    scene.holds_without_redis("Redis: I/O error");
    redis.start_again();
    scene.holds_again();
    // The sign-out from the time without Redis is stored now, and who signed out before is out elsewhere, too.
    let other = scene.site.start();
    let host = scene.server.address;
    let at_other = |browser: &Browser| page_at(&other, host, browser);
    until("the sign-out is stored", || at_other(&scene.leaving) == 302);
    assert_eq!(at_other(&scene.left), 302);
    assert_eq!(at_other(&scene.valid), 200);
}

fn redis_does_not_answer() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address);
    let mut scene = Fault::new(&redis, proxy.address);
    proxy.holds(true);
    scene.holds_without_redis("Redis: no answer in time");
    proxy.holds(false);
    scene.holds_again();
}

fn redis_takes_no_more_memory() {
    let redis = Redis::start();
    let mut scene = Fault::new(&redis, redis.address);
    redis.does("CONFIG SET maxmemory 1");
    scene.holds_without_redis("(OOM)");
    redis.does("CONFIG SET maxmemory 0");
    scene.holds_again();
}

fn redis_refuses_the_password_of_a_running_process() {
    let redis = Redis::start();
    let mut scene = Fault::new(&redis, redis.address);
    // Redis keeps a connection that was made with the old password, so these end, too.
    let mut stream = http::connect(redis.address);
    stream
        .write_all(b"ACL SETUSER default resetpass >changed\r\nCLIENT KILL TYPE normal SKIPME yes\r\n")
        .unwrap();
    assert!(BufReader::new(stream).lines().nth(1).unwrap().unwrap().starts_with(':'));
    scene.holds_without_redis("Redis: ");
    let mut stream = http::connect(redis.address);
    stream.write_all(b"AUTH changed\r\nACL SETUSER default nopass\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!([lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()], ["+OK", "+OK"]);
    scene.holds_again();
}

fn redis_is_a_replica_that_takes_no_writes() {
    let redis = Redis::start();
    let mut scene = Fault::new(&redis, redis.address);
    let nowhere = free_address().unwrap();
    redis.does(&format!("REPLICAOF 127.0.0.1 {}", nowhere.port()));
    scene.holds_without_redis("(READONLY)");
    let mut started = scene.site.start();
    started.says("is a replica now");
    redis.does("REPLICAOF NO ONE");
    scene.holds_again();
}

fn redis_fails_over_to_a_replica() {
    let mut primary = Redis::start();
    let replica = Redis::start();
    replica.does(&format!("REPLICAOF 127.0.0.1 {}", primary.address.port()));
    let proxy = Proxy::to(primary.address);
    let mut scene = Fault::new(&primary, proxy.address);
    until("the replica has what the primary has", || {
        // An own write, so that there is something to wait for.
        primary.says("SET wait 1");
        let mut stream = http::connect(primary.address);
        stream.write_all(b"SET wait 1\r\nWAIT 1 500\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        lines.nth(1).unwrap().unwrap() == ":1"
    });
    primary.stop();
    scene.holds_without_redis("Redis: I/O error");
    replica.does("REPLICAOF NO ONE");
    proxy.leads_to(replica.address);
    scene.holds_again();
    let other = scene.site.start();
    assert_eq!(page_at(&other, scene.server.address, &scene.left), 302);
}

fn redis_restarts_without_what_it_had() {
    let mut redis = Redis::start();
    let scene = Fault::new(&redis, redis.address);
    redis.stop();
    redis.start_again();
    // The process still knows who signed out, refreshes once, and goes on by itself.
    scene.holds_again();
    scene.leaving.clone().sign_out(scene.server.address);
    let other = scene.site.start();
    let host = scene.server.address;
    let at_other = |browser: &Browser| page_at(&other, host, browser);
    assert_eq!(at_other(&scene.leaving), 302);
    // What docs/server.md warns of: another process cannot know it.
    assert_eq!(at_other(&scene.left), 200);
}

fn values_in_redis_that_are_not_ours_open_nothing_and_break_nothing() {
    let redis = Redis::start();
    let scene = Fault::new(&redis, redis.address);
    let replace = |command: &str| {
        redis.does(&format!(
            "EVAL \"for _, k in ipairs(redis.call('KEYS', 'vestibule:*')) do redis.call('DEL', k) {command} end return 1\" 0"
        ));
    };
    replace("redis.call('RPUSH', k, 'x')");
    // A list: no command of a lock works.
    let mut other = scene.site.start();
    let host = scene.server.address;
    assert_eq!(page_at(&other, host, &scene.valid), 200);
    assert_eq!(scene.page(&scene.left), 302);
    other.says("(WRONGTYPE)");
    let at_other = |browser: &Browser| page_at(&other, host, browser);
    // Bytes that are no text.
    replace("redis.call('SET', k, '\\\\255\\\\254')");
    assert_eq!(at_other(&scene.valid), 200);
    // A text that is no record counts as none, and is replaced.
    replace("redis.call('SET', k, 'x')");
    scene.holds_again();
    scene.leaving.clone().sign_out(scene.server.address);
    until("the sign-out is seen elsewhere", || at_other(&scene.leaving) == 302);
}

/// Whether a process with this address of Redis signs people in, and keeps its sign-outs there.
fn works_with(url: &str, arguments: &[&str], redis: &Redis) {
    let site = site(3600, redis).with(arguments);
    std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), url).unwrap();
    let server = site.start();
    let browser = Browser::signed_in(server.address, &site.provider);
    assert_eq!(browser.clone().get(server.address, "/page").status(), 200);
    browser.clone().sign_out(server.address);
    drop(server);
    let other = site.start();
    let request = browser.request(other.address, "GET", "/page");
    assert_eq!(browser.clone().send(other.address, &request).status(), 302, "{url}");
}

/// What a process with this address of Redis says when it does not start.
fn fails_with(url: &str, arguments: &[&str], redis: &Redis) -> String {
    let site = site(3600, redis).with(arguments);
    std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), url).unwrap();
    let (status, said) = site.fails();
    assert!(!status.success(), "{url}: {said}");
    assert!(!said.contains("p%40ss") && !said.contains("p@ss"), "{url}: {said}");
    said
}

#[test]
fn a_user_of_redis_with_few_rights_is_enough_and_a_wrong_password_does_not_start() {
    let redis = Redis::start();
    redis.does("ACL SETUSER vestibule on >p@ss ~vestibule:* resetchannels -@all +get +mget +set +del +incr +pexpire +eval +time");
    redis.does(
        "ACL SETUSER few on >p@ss ~vestibule:* resetchannels -@all +get +mget +del +incr +pexpire +time",
    );
    redis.does("ACL SETUSER elsewhere on >p@ss ~other:* resetchannels -@all +get +mget +set +del +incr +pexpire +eval +time");
    redis.does("ACL SETUSER default off");
    let at = redis.address;
    for (user, forbidden) in [
        ("few", "may not SET, EVAL the keys"),
        ("elsewhere", "may not SET, GET, MGET, INCR, PEXPIRE, EVAL, DEL the keys"),
    ] {
        let said = fails_with(&format!("redis://{user}:p%40ss@{at}"), &[], &redis);
        assert!(said.contains(forbidden) && said.contains("+eval +time"), "{said}");
    }
    works_with(&format!("redis://vestibule:p%40ss@{at}/0"), &[], &redis);
    for url in [format!("redis://vestibule:wrong@{at}"), format!("redis://:p%40ss@{at}")] {
        assert!(fails_with(&url, &[], &redis).contains("refuses the password"), "{url}");
    }
}

#[test]
fn an_address_at_which_no_store_can_ever_be_is_refused_at_the_start() {
    let redis = Redis::start();
    let at = redis.address;
    let of_database = fails_with(&format!("redis://{at}/99"), &[], &redis);
    assert!(of_database.contains("refuses the connection to its database 99"), "{of_database}");
    redis.does("CONFIG SET requirepass p@ss");
    assert!(fails_with(&format!("redis://{at}"), &[], &redis).contains("Redis asks for a password"));
    let other = http::serve_raw(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the other end has read it.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(fails_with(&format!("redis://{other}"), &[], &redis).contains("is no Redis server"));
}

#[test]
fn redis_at_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let redis = Redis::start_with(&["--unixsocket", socket.to_str().unwrap()]);
    works_with(&format!("redis+unix://{}", socket.display()), &[], &redis);
}

/// A Redis server that speaks TLS at a second port, which is given, too. `clients`: whether they need a certificate.
fn redis_by_tls(authority: &Authority, folder: &Path, clients: &str) -> (Redis, u16) {
    let [certificate, key] = authority.issue("localhost").write(folder, "redis");
    let ca = authority.write(folder, "ca");
    let port = free_address().unwrap().port();
    let redis = Redis::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        clients,
    ]);
    (redis, port)
}

#[test]
fn redis_that_asks_for_a_certificate_gets_that_of_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (redis, port) = redis_by_tls(&authority, folder.path(), "yes");
    let ca = authority.write(folder.path(), "ca");
    let [certificate, key] = authority.issue("vestibule").write(folder.path(), "own");
    let [unknown, its_key] = other.issue("vestibule").write(folder.path(), "unknown");
    let url = format!("rediss://localhost:{port}");
    let own = ["--ca", &ca, "--redis-certificate", &certificate, "--redis-key", &key];
    works_with(&url, &own, &redis);
    // Without one, or with one that Redis does not trust, nothing is shared, and the log says so.
    for arguments in [&own[..2], &["--ca", &ca, "--redis-certificate", &unknown, "--redis-key", &its_key]] {
        let site = site(3600, &redis).with(arguments);
        std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), &url).unwrap();
        site.start().says("Redis does not answer yet");
    }
    // Redis does not take one that has expired, and says only that to its own log.
    let [expired, its_key_too] =
        authority.issue_between("vestibule", [2001, 2002]).write(folder.path(), "expired");
    let site =
        site(3600, &redis).with(&["--ca", &ca, "--redis-certificate", &expired, "--redis-key", &its_key_too]);
    std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), &url).unwrap();
    let mut server = site.start();
    server.says(&format!(
        "--redis-certificate: the certificate in {expired} has expired, at 2002-01-01T00:00:00.000Z"
    ));
    assert!(server.said("--redis-certificate").contains("restart the server"));
    let wrong = ["--ca", &ca, "--redis-certificate", &certificate, "--redis-key", &its_key];
    assert!(fails_with(&url, &wrong, &redis).contains("--redis-key"));
    assert!(fails_with(&url, &own[..4], &redis).contains("--redis-key"));
    assert!(fails_with(&redis.url(), &own, &redis).contains("write rediss://"));
    let missing = ["--ca", &ca, "--redis-certificate", &certificate, "--redis-key", "nowhere.key"];
    assert!(fails_with(&url, &missing, &redis).contains("nowhere.key cannot be read"));
}

#[test]
fn redis_by_tls_is_trusted_by_the_authority_of_the_operator_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (redis, port) = redis_by_tls(&authority, folder.path(), "no");
    let ca = authority.write(folder.path(), "ca");
    let stranger = other.write(folder.path(), "stranger");
    let url = format!("rediss://localhost:{port}");
    works_with(&url, &["--ca", &ca], &redis);
    // It is not asked in plain text, nor trusted for less.
    let site = site(3600, &redis).with(&["--ca", &stranger]);
    std::fs::write(site.file("secrets").join("AUTH_REDIS_URL"), url).unwrap();
    site.start().says("Redis does not answer yet");
    let insecure = format!("rediss://localhost:{port}/#insecure");
    assert!(fails_with(&insecure, &["--ca", &ca], &redis).contains("--ca FILE"));
}

#[test]
fn cluster_and_sentinel_are_refused_at_the_start() {
    let cluster = Redis::start_with(&["--cluster-enabled", "yes"]);
    assert!(fails_with(&cluster.url(), &[], &cluster).contains("Cluster and Sentinel are not supported"));
    for url in ["redis-sentinel://127.0.0.1:26379/main", "redis+cluster://127.0.0.1"] {
        assert!(fails_with(url, &[], &cluster).contains("Cluster and Sentinel are not supported"), "{url}");
    }
    assert!(fails_with("127.0.0.1:6379", &[], &cluster).contains("redis://127.0.0.1:6379"));
}
