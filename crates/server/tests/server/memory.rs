//! How much memory the process takes while it answers many requests of many sessions. `cargo xtask memory` sends a million to
//! the server as it is shipped; the tests send some thousands.

use std::fs;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::{Server, Site};

/// How many connections send requests at the same time.
const CLIENTS: usize = 8;

/// How many requests a connection sends before another one takes its place.
const PER_CONNECTION: usize = 500;

/// How many lines the measurement prints.
const STEPS: usize = 10;

/// Requests of every kind that a browser sends: their bytes, and the status of their answers.
struct Mix {
    guarded: Vec<Vec<u8>>,
    session: Vec<Vec<u8>>,
    sign_in: Vec<u8>,
    refused: Vec<u8>,
    forged: Vec<u8>,
    public: Vec<u8>,
}

impl Mix {
    fn new(address: SocketAddr, site: &Site, sessions: usize) -> Self {
        let browsers: Vec<Browser> = thread::scope(|scope| {
            let sign_in = || {
                let share = sessions.div_ceil(CLIENTS);
                (0..share).map(|_| Browser::signed_in(address, &site.provider)).collect::<Vec<_>>()
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(sign_in)).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let mut stranger = Browser::default();
        let token = stranger.get(address, "/auth/csrf").value()["csrfToken"].as_str().unwrap().to_owned();
        let form = stranger
            .request(address, "POST", "/auth/signin/demo")
            .with("content-type", "application/x-www-form-urlencoded")
            .with_body(format!("csrfToken={token}&callbackUrl=%2Fpage"));
        let get = |browser: &Browser, target: &str| browser.request(address, "GET", target).bytes();
        let forged = browsers[0].cookie().replace(|sign: char| sign.is_ascii_digit(), "z");
        Self {
            guarded: browsers.iter().map(|browser| get(browser, "/page")).collect(),
            session: browsers.iter().map(|browser| get(browser, "/auth/session")).collect(),
            sign_in: form.bytes(),
            refused: get(&Browser::default(), "/page"),
            forged: Browser::default().request(address, "GET", "/page").with("cookie", forged).bytes(),
            public: get(&Browser::default(), "/public/x"),
        }
    }

    fn request(&self, n: usize) -> (&[u8], u16) {
        match n % 10 {
            6 => (&self.session[n / 10 % self.session.len()], 200),
            7 => (if n % 20 == 7 { &self.refused } else { &self.forged }, 302),
            8 => (&self.sign_in, 302),
            9 => (&self.public, 200),
            _ => (&self.guarded[n % self.guarded.len()], 200),
        }
    }

    /// Sends the requests with these numbers.
    fn send(&self, address: SocketAddr, from: usize, to: usize) {
        let next = AtomicUsize::new(from);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while next.load(Ordering::Relaxed) < to {
                        let mut stream = http::connect(address);
                        let mut reader = BufReader::new(stream.try_clone().unwrap());
                        for _ in 0..PER_CONNECTION {
                            let n = next.fetch_add(1, Ordering::Relaxed);
                            if n >= to {
                                return;
                            }
                            self.one(n, &mut stream, &mut reader);
                        }
                    }
                });
            }
        });
    }

    fn one(&self, n: usize, stream: &mut TcpStream, reader: &mut BufReader<TcpStream>) {
        let (request, status) = self.request(n);
        stream.write_all(request).unwrap();
        let answer = Message::read(reader).expect("an answer");
        assert_eq!(answer.status(), status, "request {n}: {}", answer.text());
    }
}

/// Memory of the process that is in RAM, in kilobytes.
pub(crate) fn resident(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// An app that answers at once, without a look at the request.
fn app() -> SocketAddr {
    let answer = Arc::new(Message::response(200).with_body("hello").bytes());
    http::serve_raw(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while Message::read(&mut reader).is_some() && stream.write_all(&answer).is_ok() {}
    })
}

/// Sends requests, and gives the memory before them and after each step.
fn measure(requests: usize, sessions: usize) -> Vec<usize> {
    let site = Site::with_app(3600, app()).with(&["--metrics", "127.0.0.1:0"]);
    let server = site.start();
    let mix = Mix::new(server.address, &site, sessions);
    let mut sizes = vec![resident(&server)];
    for step in 0..STEPS {
        mix.send(server.address, requests / STEPS * step, requests / STEPS * (step + 1));
        sizes.push(resident(&server));
    }
    sizes
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_number_of_requests() {
    let sizes = measure(4000, 16);
    let (early, late) = (sizes[STEPS / 2], sizes[STEPS]);
    assert!(late < early + early / 4, "{sizes:?}");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "it takes minutes: `cargo xtask memory`"]
fn memory_of_a_million_requests() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let requests = number("MEMORY_REQUESTS").unwrap_or(1_000_000);
    let sessions = number("MEMORY_SESSIONS").unwrap_or(5000);
    let sizes = measure(requests, sessions);
    println!("{requests} requests of {sessions} sessions, {CLIENTS} at a time");
    for (step, size) in sizes.iter().enumerate() {
        println!(
            "{:>9} requests: {:>7.1} MB resident",
            requests / STEPS * step,
            f64::from(u32::try_from(*size).unwrap()) / 1024.0
        );
    }
    let (early, late) = (sizes[2], sizes[STEPS]);
    assert!(late < early + early / 10, "it grows: {sizes:?} kB");
}
