//! The Worker streams large bodies without keeping them in memory (at Cloudflare a Worker has 128 MB for all its requests
//! together). The tests measure its memory while it forwards 50 MB to a slow receiver.

use std::fs;
use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use miniflare_test_harness::{Response, SCHEME_HEADER};

use crate::streaming::{MAX_WAIT, both, signed_in_without_a_page};
use crate::test_env::{APP, TestEnv};

const HUGE: usize = 50 * 1024 * 1024;

/// How much the runtime's memory may grow, in bytes. Its streams buffer some hundred kilobytes in each direction, and the
/// garbage collector leaves a few megabytes of chunks. A Worker that reads a body before it forwards it needs 50 MB or more.
const MAX_GROWTH: usize = 20 * 1024 * 1024;

/// If nothing was sent for this time, the sender waits for the receiver. If that is wrong, the test only measures less.
const QUIET: Duration = Duration::from_millis(300);

/// If the memory stayed the same for this time, the runtime has compiled what it has run.
const SETTLED: Duration = Duration::from_secs(1);

#[test]
fn an_upload_of_fifty_megabytes_to_a_slow_upstream_does_not_grow_the_worker_s_memory() {
    for settings in both() {
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let env = TestEnv::with(settings, move |builder| {
            builder.service_unread("APP", move |_| {
                let wait = wait.lock().unwrap().take().expect("one upload");
                Response::takeover(move |connection| {
                    wait.recv_timeout(MAX_WAIT).expect("the sender stops");
                    let mut sink = Count(0);
                    std::io::copy(&mut connection.body(), &mut sink).expect("the body is complete");
                    let length = sink.0.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", length.len());
                    connection.write_all((head + &length).as_bytes()).unwrap();
                })
            })
        });
        let cookie = signed_in_without_a_page(&env);
        let memory = Memory::of(env.process_id());

        let mut connection = env.connect();
        connection.set_read_timeout(Some(MAX_WAIT)).unwrap();
        let mut sending = connection.try_clone().unwrap();
        let (progress, sent) = mpsc::channel();
        let sender = thread::spawn(move || {
            let head = format!(
                "POST /upload HTTP/1.1\r\nHost: app.example.com\r\n{SCHEME_HEADER}: https\r\nCookie: {cookie}\r\n\
                 Content-Length: {HUGE}\r\nConnection: close\r\n\r\n"
            );
            sending.write_all(head.as_bytes()).unwrap();
            send(&mut sending, &progress).unwrap();
        });
        let held = until_quiet(&sent);
        go_on.send(()).unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).unwrap();
        sender.join().unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with(&HUGE.to_string()), "{reply}");
        memory.assert_flat(held);
    }
}

#[test]
fn a_download_of_fifty_megabytes_to_a_slow_client_does_not_grow_the_worker_s_memory() {
    for settings in both() {
        let (progress, sent) = mpsc::channel();
        let env = TestEnv::with(settings, |builder| {
            builder.service("APP", move |request| {
                let progress = progress.clone();
                match request.path() {
                    "/download" => Response::stream(move |body| send(body, &progress)),
                    _ => Response::text("page"),
                }
            })
        });
        let browser = env.signed_in("alice");
        let memory = Memory::of(env.process_id());

        let mut reply = browser.get(&format!("{APP}/download")).stream().unwrap();
        let held = until_quiet(&sent);
        let mut sink = Count(0);
        std::io::copy(&mut reply, &mut sink).unwrap();
        assert_eq!(sink.0, HUGE);
        memory.assert_flat(held);
    }
}

fn send(to: &mut impl Write, progress: &mpsc::Sender<usize>) -> std::io::Result<()> {
    let piece = vec![7; 64 * 1024];
    for _ in 0..HUGE / piece.len() {
        to.write_all(&piece)?;
        // The receiver may have been dropped.
        progress.send(piece.len()).ok();
    }
    Ok(())
}

/// The number of bytes that were sent until the sender had to wait or had finished, while nothing was received.
fn until_quiet(sent: &mpsc::Receiver<usize>) -> usize {
    let first = sent.recv_timeout(MAX_WAIT).expect("something is sent");
    first + std::iter::from_fn(|| sent.recv_timeout(QUIET).ok()).sum::<usize>()
}

/// Counts the written bytes and discards them.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The growth of a process's memory.
struct Memory {
    process: u32,
    before: usize,
}

impl Memory {
    /// The memory once it stays as it is: after the first requests the runtime compiles the Worker in the background, for which
    /// it needs more than for any body.
    fn of(process: u32) -> Self {
        let begun = Instant::now();
        let (mut last, mut quiet_since) = (0, begun);
        while quiet_since.elapsed() < SETTLED && begun.elapsed() < MAX_WAIT {
            let now = resident(process, "VmRSS");
            if now.abs_diff(last) > 1024 * 1024 {
                (last, quiet_since) = (now, Instant::now());
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Resets the peak, so that the start of the process does not count.
        fs::write(format!("/proc/{process}/clear_refs"), "5").expect("the process belongs to this user");
        Self { process, before: resident(process, "VmRSS") }
    }

    /// Asserts that memory has not grown. `held` is the number of bytes sent while nothing was received.
    fn assert_flat(&self, held: usize) {
        let grown = resident(self.process, "VmHWM").saturating_sub(self.before);
        println!("held {held}, grown {grown} of {HUGE}");
        assert!(grown < MAX_GROWTH, "the runtime grew by {grown} bytes while it forwarded {HUGE} bytes");
        // The buffers of four sockets, some megabytes each, also accept bytes.
        assert!(held < HUGE / 2, "{held} of {HUGE} bytes were accepted while nothing was received");
    }
}

/// The resident memory in bytes: the current value (`VmRSS`) or the peak (`VmHWM`) (proc(5)).
fn resident(process: u32, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok());
    kilobytes.expect("a number of kilobytes") * 1024
}
