//! Bodies larger than a Worker may be (128 MB at Cloudflare for all its requests together) pass, because it never
//! holds one: its memory is measured while 50 MB go by a peer that is slower.

use std::fs;
use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use miniflare_test_harness::{Response, SCHEME_HEADER};

use crate::streaming::{PATIENCE, both, signed_in_without_a_page};
use crate::test_env::{APP, TestEnv};

const HUGE: usize = 50 * 1024 * 1024;

/// How much the runtime may grow. Its streams hold some hundred kilobytes each way, and its collector lets a few
/// megabytes of read pieces lie; a Worker that reads a body before it passes it on holds 50 MB, more than once.
const MOST_GROWN: usize = 20 * 1024 * 1024;

/// Once nothing was sent for so long, the sender waits for the receiver. Where that is wrong, the test sees less.
const QUIET: Duration = Duration::from_millis(300);

#[test]
fn fifty_megabytes_go_up_to_a_slow_upstream_and_the_worker_s_memory_stays_flat() {
    for settings in both() {
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let env = TestEnv::with(settings, move |builder| {
            builder.service_unread("APP", move |_| {
                let wait = wait.lock().unwrap().take().expect("one upload");
                Response::takeover(move |connection| {
                    wait.recv_timeout(PATIENCE).expect("the sender comes to a stop");
                    let mut sink = Count(0);
                    std::io::copy(&mut connection.body(), &mut sink).expect("the body comes to its end");
                    let length = sink.0.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", length.len());
                    connection.write_all((head + &length).as_bytes()).unwrap();
                })
            })
        });
        let cookie = signed_in_without_a_page(&env);
        let memory = Memory::of(env.process_id());

        let mut connection = env.connect();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
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
fn fifty_megabytes_come_down_to_a_slow_client_and_the_worker_s_memory_stays_flat() {
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
        // Nobody may listen any more.
        progress.send(piece.len()).ok();
    }
    Ok(())
}

/// How much was sent until the sender had to wait, or was done, while nobody received.
fn until_quiet(sent: &mpsc::Receiver<usize>) -> usize {
    let first = sent.recv_timeout(PATIENCE).expect("something is sent");
    first + std::iter::from_fn(|| sent.recv_timeout(QUIET).ok()).sum::<usize>()
}

/// Takes everything and keeps nothing.
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

/// A process's memory from now on.
struct Memory {
    process: u32,
    before: usize,
}

impl Memory {
    fn of(process: u32) -> Self {
        // Forgets the peak so far: what it took to start.
        fs::write(format!("/proc/{process}/clear_refs"), "5").expect("one's own process");
        Self { process, before: resident(process, "VmRSS") }
    }

    /// `held` is what the sender got rid of while nobody received.
    fn assert_flat(&self, held: usize) {
        let grown = resident(self.process, "VmHWM").saturating_sub(self.before);
        println!("held {held}, grown {grown} of {HUGE}");
        assert!(grown < MOST_GROWN, "the Worker grew by {grown} bytes while {HUGE} passed");
        // Four sockets' buffers are between, some megabytes each.
        assert!(held < HUGE / 2, "{held} bytes of {HUGE} were taken in while nobody received");
    }
}

/// Resident memory in bytes, now (`VmRSS`) or at its peak (`VmHWM`): proc(5).
fn resident(process: u32, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok());
    kilobytes.expect("a number of kilobytes") * 1024
}
