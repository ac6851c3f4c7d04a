//! Signals, and what a restart keeps.

use std::io::{BufReader, Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::{self, Server, Site};

fn get(target: &str) -> Message {
    Message::request("GET", target).with("host", "a")
}

#[test]
fn a_process_that_ends_answers_what_has_begun_and_accepts_nothing_more() {
    let app = http::serve(|request| {
        thread::sleep(Duration::from_millis(500));
        site::echo(request)
    });
    let site = Site::with_app(3600, app);
    let mut server = site.start();
    let address = server.address;
    let begun: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = http::connect(address);
            stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            thread::spawn(move || Message::read(&mut BufReader::new(stream)))
        })
        .collect();
    // A connection without a request does not keep the process.
    let mut idle = http::connect(address);
    thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    server.wait_for("ending");
    for request in begun {
        assert_eq!(request.join().unwrap().expect("an answer").status(), 200);
    }
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).ok();
    assert!(server.ended().success());
    assert!(http::try_send(address, &get("/public/x")).is_none());
}

#[test]
fn what_is_broken_off_at_the_end_is_said() {
    let app = http::serve_raw(|mut stream| {
        // No answer comes before its request.
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab").ok();
        // Until the server is gone.
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let site = Site::with_app(3600, app).with(&["--drain", "1"]);
    let mut server = site.start();
    let mut stream = http::connect(server.address);
    stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // The answer has begun.
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 1);
    server.signal("TERM");
    server.says("broken off: 1 requests, WebSockets or tasks had not ended after 1 seconds (--drain)");
    assert!(server.ended().success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_cannot_be_written_is_said_once() {
    let mut site = Site::new(3600);
    site.before = "exec 1>/dev/full".to_owned();
    let mut server = site.start();
    server.says(
        "the log cannot be written to the standard output, and its lines are lost: No space left on device",
    );
    assert_eq!(get_from(&server, "/"), 200);
    let said = server.all().iter().filter(|line| line.contains("the log cannot")).count();
    assert_eq!(said, 1);
}

#[test]
fn a_reload_under_load_drops_no_request_and_a_wrong_configuration_changes_nothing() {
    let site = Site::new(3600);
    let mut server = site.start();
    let address = server.address;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(http::send(address, &get("/public/x")).status(), 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 0..5 {
        site.configure(&format!("default_access = \"{}\"", ["public", "signed-in"][n % 2]), "");
        server.signal("HUP");
        server.wait_for("reloaded: new requests");
    }
    site.configure("bse_path = \"/x\"", "");
    server.signal("HUP");
    server.wait_for("not reloaded");
    stop.store(true, Ordering::Relaxed);
    for client in load {
        client.join().unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 0);
    // What it was before the wrong one: public.
    for _ in 0..4 {
        assert_eq!(http::send(address, &get("/page")).status(), 200);
    }
}

#[test]
fn a_reload_reads_secrets_again() {
    let site = Site::new(3600);
    let mut server = site.start();
    assert_eq!(http::send(server.address, &get("/auth/verify")).status(), 401);
    std::fs::write(site.file("secrets").join("AUTH_VERIFY_SECRET"), "v".repeat(40)).unwrap();
    site.configure("", "[verify]\nheaders = \"x-forwarded\"");
    server.signal("HUP");
    server.wait_for("reloaded: new requests");
    assert_eq!(http::send(server.address, &get("/auth/verify")).status(), 403);
}

#[test]
fn a_session_that_was_signed_out_stays_so_after_a_restart_with_a_file_of_revocations() {
    let site = Site::new(3600);
    let file = site.file("revocations").to_str().unwrap().to_owned();
    let site = site.with(&["--revocations", &file]);
    let server = site.start();
    let mut browser = Browser::signed_in(server.address, &site.provider);
    let (mut copy, mut other) = (browser.clone(), Browser::signed_in(server.address, &site.provider));
    browser.sign_out(server.address);
    server.signal("KILL");
    server.ended();
    let server = site.start();
    assert_eq!(copy.get(server.address, "/page").status(), 302);
    assert_eq!(other.get(server.address, "/page").status(), 200);
    let (status, said) = site.fails();
    assert!(!status.success() && said.contains("used by another process"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_loses_no_sign_out_that_was_confirmed_and_spoils_no_line() {
    let mut site = Site::new(3600);
    let file = site.file("revocations").to_str().unwrap().to_owned();
    site = site.with(&["--revocations", &file]);
    // 1024 or 2048 bytes, as the shell counts; the rest of a write that is too large fails.
    site.before = "trap '' XFSZ; ulimit -S -f 2".to_owned();
    let mut server = site.start();
    let (mut confirmed, mut full) = (Vec::new(), Vec::new());
    while full.len() < 2 {
        let browser = Browser::signed_in(server.address, &site.provider);
        match browser.clone().try_sign_out(server.address).status() {
            302 => confirmed.push(browser),
            status => {
                assert_eq!(status, 200, "the page that says that copies of the session could not be ended");
                full.push(browser);
            }
        }
        assert!(confirmed.len() < 100);
    }
    assert!(!confirmed.is_empty());
    server.says("revocation_not_stored");
    // The process itself remembers them all.
    for browser in confirmed.iter().chain(&full) {
        assert_eq!(browser.clone().get(server.address, "/page").status(), 302);
    }
    // There is room again, in the middle of the line that failed.
    let room = ["--pid", &server.id().to_string(), "--fsize=unlimited"];
    assert!(Command::new("prlimit").args(room).status().unwrap().success());
    let browser = Browser::signed_in(server.address, &site.provider);
    browser.clone().sign_out(server.address);
    confirmed.push(browser);
    server.signal("KILL");
    server.ended();
    site.before = String::new();
    let server = site.start();
    for browser in confirmed {
        assert_eq!(browser.clone().get(server.address, "/page").status(), 302);
    }
}

#[test]
fn a_file_of_revocations_that_cannot_be_written_does_not_start() {
    let site = Site::new(3600);
    let nowhere = site.file("nowhere").join("revocations").to_str().unwrap().to_owned();
    let (status, said) = site.with(&["--revocations", &nowhere]).fails();
    assert!(!status.success() && said.contains(&nowhere), "{said}");
    let site = Site::new(3600);
    let folder = site.folder.path().to_str().unwrap().to_owned();
    let (status, said) = site.with(&["--revocations", &folder]).fails();
    assert!(!status.success() && said.contains(&folder), "{said}");
}

#[test]
fn what_is_wrong_at_the_start_is_said_with_its_name_and_its_remedy_and_quotes_no_secret() {
    use std::os::unix::ffi::OsStrExt;
    let no_text = std::ffi::OsStr::from_bytes(b"\xff");
    let site = Site::new(3600);
    let say = |arguments: &[&str], name: &str, value: &std::ffi::OsStr| {
        let site = Site::new(3600).with(arguments);
        let (status, said) = site.fails_with(name, value);
        assert!(!status.success(), "{said}");
        said
    };
    let none = std::ffi::OsStr::new("");
    for (arguments, expected) in [
        (&["--header-timeout", "0"][..], "a number of seconds from 1"),
        (&["--body-timeout", "18446744073709551615"], "a number of seconds from 1"),
        (&["--upstream-timeout", "x"], "a number of seconds from 1"),
        (&["--drain", "18446744073709551615"], "a number of seconds from 0"),
        (&["--connections", "18446744073709551615"], "a number from 1"),
        (&["--services", "A=http://a,A=http://b"], "A is there twice"),
        (&["--services", "=http://a"], "is not NAME=URL"),
        (&["--redis-certificate", "a", "--redis-key", "b"], "set AUTH_REDIS_URL"),
        (
            &["--metrics", "localhost:9464"],
            "127.0.0.1:9464 for this machine, 0.0.0.0:9464 or [::]:9464 for all",
        ),
        (&["--secrets", "/nowhere"], "the folder of --secrets, /nowhere cannot be read"),
    ] {
        let said = say(arguments, "UNUSED", none);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(say(&[], "VESTIBULE_EGRESS", none).contains("--egress: \"\" is not an origin"));
    let said = say(&[], "AUTH_DEMO_KEY_FILE", std::ffi::OsStr::new("/nowhere"));
    assert!(said.contains("the file of the secret AUTH_DEMO_KEY, /nowhere cannot be read"), "{said}");
    for name in ["AUTH", "AUTH_DEMO_NOTE"] {
        let said = say(&[], name, no_text);
        assert!(said.contains(&format!("the variable {name} is not UTF-8")), "{said}");
    }
    std::fs::write(site.file("vestibule.toml"), "base_path = \"/auth\"\nAUTH_SECRET = a-secret\n").unwrap();
    let (_, said) = site.fails();
    assert!(said.contains("at line 2, column 15") && !said.contains("a-secret"), "{said}");
    for table in ["[vars.AUTH]\n", "[AUTH]\n"] {
        std::fs::write(site.file("vestibule.toml"), format!("{table}base_path = \"/auth\"\n")).unwrap();
        let (_, said) = site.fails();
        assert!(said.contains("without vars.AUTH before them"), "{said}");
    }
    std::fs::remove_file(site.file("vestibule.toml")).unwrap();
    let (_, said) = site.fails();
    assert!(said.contains("cannot be read") && said.contains("name its file with --config"), "{said}");
}

#[test]
fn an_upstream_that_leads_to_a_service_that_there_is_not_is_refused_at_the_start_and_at_a_reload() {
    let to_shop = "[[rules]]\nmatch = \"/shop\"\naccess = \"public\"\nto = \"service:SHOP\"";
    let mut site = Site::new(3600);
    site.configure("", to_shop);
    let (status, said) = site.fails();
    let expected = "there is no service \"SHOP\"; start the server with --services SHOP=URL";
    assert!(!status.success() && said.contains("AUTH.rules[") && said.contains(expected), "{said}");
    site.arguments.extend(["--services", "SHOP=http://127.0.0.1:9"].map(str::to_owned));
    let mut server = site.start();
    site.configure("", &to_shop.replace("SHOP", "SHOPS"));
    server.signal("HUP");
    server.says("not reloaded");
    server.says("there is no service \\\"SHOPS\\\"");
    assert_eq!(get_from(&server, "/"), 200);
}

fn get_from(server: &Server, target: &str) -> u16 {
    http::send(server.address, &get(target)).status()
}

#[test]
fn a_variable_that_is_empty_is_not_set_and_one_that_is_none_of_the_server_s_is_named() {
    let mut site = Site::new(3600);
    let empty = ["VESTIBULE_REVOCATIONS", "VESTIBULE_METRICS", "VESTIBULE_SERVICES"];
    let others =
        ["VESTIBULE_TRUSTED_PROXIES", "VESTIBULE_CA", "VESTIBULE_CONNECTIONS", "AUTH_REDIS_URL", "AUTH"];
    site.variables.extend(empty.into_iter().chain(others).map(|name| (name.to_owned(), String::new())));
    site.variables.push(("VESTIBULE_TRUSTED_PROXY".to_owned(), "10.0.0.1".to_owned()));
    let mut server = site.start();
    server.says("the variable VESTIBULE_TRUSTED_PROXY is set, and is none of this server's");
    server.says("the variable VESTIBULE_CA is empty, and counts as not set");
    assert_eq!(get_from(&server, "/"), 200);
}

#[test]
fn a_second_server_at_an_address_starts_with_redis_only() {
    let site = Site::new(3600);
    let server = site.start();
    let second = Site::new(3600).with(&["--listen", &server.address.to_string()]);
    let (status, said) = second.fails();
    let expected = format!("{} is used by another process", server.address);
    assert!(!status.success() && said.contains(&expected) && said.contains("need Redis"), "{said}");
}

#[test]
fn a_request_that_no_server_is_for_is_logged_with_what_to_do() {
    let mut site = Site::new(3600);
    site.variables.push(("VESTIBULE_ORIGIN".to_owned(), String::new()));
    site.has_origin = false;
    let mut server = site.start();
    assert_eq!(get_from(&server, "/"), 500);
    let said = server.wait_for("forward_failed");
    assert!(said.contains("start the server with --origin URL"), "{said}");
}

#[test]
fn check_says_whether_the_configuration_is_valid_and_starts_nothing() {
    let site = Site::new(3600).with(&["--check"]);
    let (status, said) = site.fails();
    assert!(status.success() && said.contains("valid"), "{said}");
    site.configure("login_url = 7", "");
    assert!(!site.fails().0.success());
}
