//! Tests the harness with the real runtime and a small Worker.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use miniflare_test_harness::{
    ClientResponse, Harness, HarnessBuilder, KvFault, Request, Response, SCHEME_HEADER, tungstenite::Message,
};
use serde_json::{Value, json};

const WORKER: &str = include_str!("worker.js");
const MAX_WAIT: Duration = Duration::from_secs(20);

fn worker() -> HarnessBuilder {
    Harness::from_module(WORKER).kv_namespace("KV")
}

fn fetched(harness: &Harness, url: &str) -> ClientResponse {
    let url: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    harness.client().get(&format!("https://app.example.com/fetch?url={url}")).send()
}

fn kv(harness: &Harness, operation: &Value) -> Value {
    harness.client().post("https://app.example.com/kv").json(operation).send().json()
}

#[test]
fn the_client_sends_requests_for_any_host_and_scheme() {
    let harness = worker().start().unwrap();
    let client = harness.client();
    for url in ["https://app.example.com/echo/a%2fb?x=%20", "http://other.example:8080/echo"] {
        let seen = client.post(url).header("x-b", "1").header("X-B", "2").body("", "hello").send().json();
        assert_eq!((seen["url"].as_str(), seen["body"].as_str()), (Some(url), Some("hello")));
        let text = seen["headers"].to_string();
        assert!(text.contains(r#"["x-b","1, 2"]"#) && !text.contains("harness"), "{text}");
    }
    let cf = client.get("https://a.example/echo").cf(&json!({ "country": "DE" })).send().json();
    assert_eq!(cf["cf"]["country"], "DE");
}

#[test]
fn the_worker_gets_vars_and_secrets_in_the_same_form_as_from_wrangler() {
    let harness = worker()
        .var("TEXT", "quotes \" \\ and\nlines é")
        .var("TABLE", json!({ "a": { "b": 1, "c": [1] }, "keep": true }))
        .merge_vars(json!({ "TABLE": { "a": { "b": 2, "c": null } } }))
        .secret("SECRET", "s")
        .start()
        .unwrap();
    let vars = harness.client().get("https://a.example/echo").send().json()["vars"].take();
    let expected = json!({ "TEXT": "quotes \" \\ and\nlines é", "TABLE": { "a": { "b": 2 }, "keep": true }, "SECRET": "s" });
    assert_eq!(vars, expected);
}

#[test]
fn a_fake_host_receives_the_worker_s_request() {
    let harness = worker()
        .host("idp.example", |request: &Request| {
            let seen =
                format!("{} {} {}", request.method, request.url(), request.header("x-from").unwrap_or("-"));
            Response::text(seen).with_status(201).header("set-cookie", "a=1").header("set-cookie", "b=2")
        })
        .start()
        .unwrap();
    let reply = fetched(&harness, "https://idp.example/t?x=%2F").expect_status(201);
    assert_eq!(reply.text(), "GET https://idp.example/t?x=%2F worker");
    assert_eq!(reply.set_cookies(), ["a=1", "b=2"]);
    assert_eq!(fetched(&harness, "http://idp.example:8080/").text(), "GET http://idp.example:8080/ worker");
    assert_eq!(harness.requests_to("idp.example").len(), 1);
    harness.set_host("idp.example", |_| Response::status(503));
    fetched(&harness, "https://idp.example/").expect_status(503);
    harness.assert_no_unknown_requests();
}

#[test]
fn a_request_to_an_unknown_host_gets_502_and_is_recorded() {
    let harness = worker().start().unwrap();
    let reply = fetched(&harness, "https://nowhere.example/x").expect_status(502);
    assert!(
        reply.text().contains("no host \"nowhere.example\" in this test (GET https://nowhere.example/x)")
    );
    assert_eq!(harness.unknown_requests().len(), 1);
    let assertion = std::panic::AssertUnwindSafe(|| harness.assert_no_unknown_requests());
    assert!(std::panic::catch_unwind(assertion).is_err());
}

#[test]
fn the_worker_s_own_fetch_reaches_the_origin_of_its_zone() {
    let harness = worker()
        .origin("app.example.com", |r| Response::text(format!("origin {}", r.target)))
        .start()
        .unwrap();
    assert_eq!(fetched(&harness, "https://app.example.com/page").text(), "origin /page");
}

#[test]
fn a_real_server_is_reached_by_its_port_and_by_a_host_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut from = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while from.read_line(&mut head).unwrap() > 2 {}
            let host =
                head.lines().find(|l| l.to_lowercase().starts_with("host:")).unwrap_or_default().to_owned();
            let mut to = stream;
            write!(
                to,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{host}",
                host.len()
            )
            .unwrap();
        }
    });
    let harness = worker().host_at("real.example", address).start().unwrap();
    let port = address.port();
    for (url, host) in [
        (format!("http://127.0.0.1:{port}/"), format!("127.0.0.1:{port}")),
        (format!("http://localhost:{port}/"), format!("localhost:{port}")),
        ("https://real.example/".to_owned(), "real.example".to_owned()),
    ] {
        assert_eq!(fetched(&harness, &url).expect_status(200).text().to_lowercase(), format!("host: {host}"));
        assert_eq!(harness.client().get(&url).send().text().to_lowercase(), format!("host: {host}"));
    }
}

#[test]
fn an_upstream_can_be_slow_send_garbage_close_the_connection_or_hang() {
    let harness = worker()
        .host("slow.example", |_| Response::text("late").delay(Duration::from_millis(50)))
        .host("garbage.example", |_| Response::raw("\x00\x01 not http\r\n\r\n"))
        .host("closes.example", |_| Response::close())
        .host("cut.example", |_| Response::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))
        .host("hangs.example", |_| Response::hang())
        .start()
        .unwrap();
    assert_eq!(fetched(&harness, "https://slow.example/").text(), "late");
    fetched(&harness, "https://garbage.example/").expect_status(599);
    fetched(&harness, "https://closes.example/").expect_status(599);
    let client = harness.client();
    assert!(client.get("https://app.example.com/fetch?url=https://cut.example/").try_send().is_err());
    let hung = client.get("https://app.example.com/impatient?url=https://hangs.example/").send().json();
    assert!(hung["error"].as_str().unwrap().contains("Timeout"), "{hung}");
}

#[test]
fn a_body_is_streamed_while_it_is_produced() {
    let (more, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let harness = worker()
        .host("slow.example", move |_| {
            let wait = wait.lock().unwrap().take().unwrap();
            Response::stream(move |body| {
                body.write_all(b"first")?;
                wait.recv_timeout(MAX_WAIT).map_err(std::io::Error::other)?;
                body.write_all(b"second")
            })
        })
        .start()
        .unwrap();
    let mut reply = harness.client().get("https://app.example.com/stream").stream().unwrap();
    let mut first = [0; 5];
    reply.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first");
    more.send(()).unwrap();
    let mut rest = String::new();
    reply.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "second");
}

#[test]
fn a_service_binding_can_be_a_handler_or_another_worker() {
    let harness = worker()
        .service("APP", |request| Response::text(format!("{} {}", request.url(), request.text())))
        .service_worker(
            "OTHER",
            "export default { fetch: r => fetch('https://deep.example/', { headers: { via: r.url } }) }",
        )
        .host("deep.example", |request| Response::text(request.header("via").unwrap_or_default().to_owned()))
        .start()
        .unwrap();
    let client = harness.client();
    let reply = client.post("https://x.example/service?name=APP").body("text/plain", "body").send();
    assert_eq!(reply.text(), "https://app.example.com/inner?x=%2f body");
    assert_eq!(harness.requests_to_service("APP").len(), 1);
    let reply = client.get("https://x.example/service?name=OTHER").send();
    assert_eq!(reply.text(), "https://app.example.com/inner?x=%2f");
}

#[test]
fn the_test_and_the_worker_use_the_same_kv_namespace() {
    let harness = worker().start().unwrap();
    let store = harness.kv("KV");
    let key = "a/b c?é%2f";
    let put = kv(
        &harness,
        &json!({ "op": "put", "key": key, "value": "v", "options": { "expirationTtl": 60, "metadata": { "m": 1 } } }),
    );
    assert_eq!((put, store.text(key).as_deref()), (json!({ "ok": null }), Some("v")));
    assert!(store.time_to_live(key).unwrap() <= Duration::from_mins(1));
    assert_eq!(kv(&harness, &json!({ "op": "get", "key": key })), json!({ "ok": "v" }));
    assert_eq!(kv(&harness, &json!({ "op": "get", "key": "missing" })), json!({ "ok": null }));
    let with = kv(&harness, &json!({ "op": "getWithMetadata", "key": key }));
    assert_eq!(with["ok"]["metadata"], json!({ "m": 1 }));
    store.put("a/2", "w");
    assert_eq!(
        kv(&harness, &json!({ "op": "get", "key": ["a/2", "no"] })),
        json!({ "ok": { "a/2": "w", "no": null } })
    );
    let page = kv(&harness, &json!({ "op": "list", "key": { "prefix": "a/", "limit": 1 } }));
    assert_eq!(
        (&page["ok"]["keys"][0]["name"], &page["ok"]["list_complete"]),
        (&json!("a/2"), &json!(false))
    );
    let rest =
        kv(&harness, &json!({ "op": "list", "key": { "prefix": "a/", "cursor": page["ok"]["cursor"] } }));
    assert_eq!((&rest["ok"]["keys"][0]["name"], &rest["ok"]["list_complete"]), (&json!(key), &json!(true)));
    assert_eq!(kv(&harness, &json!({ "op": "delete", "key": key })), json!({ "ok": null }));
    assert_eq!(store.keys(), ["a/2"]);
    assert_eq!((store.counts().reads, store.counts().writes, store.counts().deletes), (5, 1, 1));
}

#[test]
fn kv_delays_and_rejects_operations_on_request() {
    let harness = worker().start().unwrap();
    let store = harness.kv("KV");
    let hour = Duration::from_hours(1);
    let (get, put) = (json!({ "op": "get", "key": "k" }), json!({ "op": "put", "key": "k", "value": "v" }));
    store.lag_writes(hour);
    kv(&harness, &put);
    assert_eq!(kv(&harness, &get), json!({ "ok": null }));
    store.advance(hour);
    assert_eq!(kv(&harness, &get), json!({ "ok": "v" }));
    for (fault, said) in
        [(KvFault::Status(429), "429"), (KvFault::Status(500), "500"), (KvFault::Close, "error")]
    {
        store.fail_writes(1, fault);
        let refused = kv(&harness, &put);
        assert!(refused["error"].as_str().unwrap().to_lowercase().contains(said), "{fault:?}: {refused}");
    }
    store.fail_reads(1, KvFault::Status(500));
    assert!(kv(&harness, &get)["error"].as_str().unwrap().contains("500"));
    let short =
        kv(&harness, &json!({ "op": "put", "key": "k", "value": "v", "options": { "expirationTtl": 5 } }));
    assert!(short["error"].as_str().unwrap().contains("400"), "{short}");
}

#[test]
fn kv_accepts_a_cache_time_of_thirty_seconds_and_no_shorter_one() {
    let harness = worker().start().unwrap();
    harness.kv("KV").put("k", "v");
    let get = |key: Value, seconds: u64| {
        kv(&harness, &json!({ "op": "get", "key": key, "options": { "cacheTtl": seconds } }))
    };
    assert_eq!(get(json!("k"), 30), json!({ "ok": "v" }));
    assert_eq!(get(json!(["k"]), 30), json!({ "ok": { "k": "v" } }));
    for key in [json!("k"), json!(["k"])] {
        let short = get(key, 29);
        assert!(short["error"].as_str().is_some_and(|error| error.contains("400")), "{short}");
    }
}

#[test]
fn a_test_can_wait_for_work_that_continues_after_the_response() {
    let harness = worker().host("idp.example", |_| Response::status(200)).start().unwrap();
    harness.client().get("https://a.example/later").send().expect_status(200);
    assert_eq!(harness.kv("KV").wait_until(MAX_WAIT, |kv| kv.text("later")), "done");
    assert_eq!(harness.wait_for_requests("idp.example", 1, MAX_WAIT)[0].path(), "/later");
}

#[test]
fn a_durable_object_keeps_its_rows() {
    let harness = worker().durable_object("OBJECT", "Counter").start().unwrap();
    let counts = [(); 2].map(|()| harness.client().get("https://a.example/object").send().text());
    assert_eq!(counts, ["1", "2"]);
}

#[test]
fn isolates_share_only_their_bindings() {
    let harness =
        worker().durable_object("OBJECT", "Counter").isolates(&["FRA", "FRA", "IAD"]).start().unwrap();
    let isolates: Vec<_> = (0..3).map(|isolate| harness.client().at(isolate)).collect();
    for (browser, location) in isolates.iter().zip(["FRA", "FRA", "IAD"]) {
        let echo = browser.get("https://app.example.com/echo").send().json();
        assert_eq!(echo["cf"]["colo"], location);
    }
    for count in 1..=3 {
        let browser = &isolates[count - 1];
        assert_eq!(browser.get("https://app.example.com/object").send().text(), count.to_string());
        assert_eq!(
            browser.get("https://app.example.com/count").send().text(),
            "1",
            "isolates do not share memory"
        );
    }
    let operation = |isolate: usize, operation: &Value| {
        isolates[isolate].post("https://app.example.com/kv").json(operation).send().json()
    };
    let (get, put) = (json!({ "op": "get", "key": "k" }), json!({ "op": "put", "key": "k", "value": "v" }));
    harness.kv("KV").partition_locations();
    assert_eq!(operation(0, &get), json!({ "ok": null }));
    assert_eq!(operation(0, &put), json!({ "ok": null }));
    assert_eq!(operation(1, &get), json!({ "ok": "v" }), "the same location");
    assert_eq!(operation(2, &get), json!({ "ok": null }), "another location");
    harness.kv("KV").join_locations();
    assert_eq!(operation(2, &get), json!({ "ok": "v" }));
}

#[test]
fn a_rate_limit_counts_each_key_separately() {
    let harness = worker().rate_limit("LIMIT", 2, 3600).start().unwrap();
    let ask = |key: &str| harness.client().get(&format!("https://a.example/limited?key={key}")).send().json();
    let answers = ["a", "a", "a", "b"].map(ask);
    let expected = [true, true, false, true].map(|success| json!(["Ratelimit", success]));
    assert_eq!(answers, expected);
}

#[test]
fn a_websocket_reaches_a_handler_through_the_worker() {
    let harness = worker()
        .host("socket.example", |request| {
            assert_eq!(request.header("upgrade"), Some("websocket"));
            Response::websocket(request, |socket| {
                socket.send(Message::text("hello")).unwrap();
                socket.get_mut().wait_for_close();
            })
        })
        .start()
        .unwrap();
    let mut socket = harness.connect();
    socket.set_read_timeout(Some(MAX_WAIT)).unwrap();
    let request = "GET /socket HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut from = BufReader::new(socket);
    let mut line = String::new();
    while from.read_line(&mut line).unwrap() > 2 {}
    assert_eq!(line.lines().next(), Some("HTTP/1.1 101 Switching Protocols"));
    let mut frame = [0; 7];
    from.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x81\x05hello");
}

#[test]
fn log_lines_have_a_level_a_message_and_a_source() {
    let harness = worker().start().unwrap();
    harness.client().get("https://a.example/log").send().expect_status(200);
    assert_eq!(harness.logs().wait_for("plain", MAX_WAIT).message, "plain text");
    assert_eq!(harness.logs().wait_for("signed-in", MAX_WAIT).json(), Some(json!({ "event": "signed-in" })));
    let line = harness.logs().wait_for("two", MAX_WAIT);
    assert_eq!(
        (line.level.as_str(), line.message.as_str(), line.from_runtime),
        ("error", "two\nlines", false)
    );
    harness.client().get("https://a.example/throw").send().expect_status(500);
    assert!(harness.logs().wait_for("boom", MAX_WAIT).from_runtime);
}

#[test]
fn cookies_and_redirects_work_across_hosts() {
    let harness = worker()
        .host("idp.example", |r| Response::redirect(format!("https://app.example.com/echo{}", r.path())))
        .start()
        .unwrap();
    let client = harness.client();
    let first = client.get("https://app.example.com/cookies").send().expect_status(302);
    assert_eq!((first.set_cookies().len(), first.location()), (2, "https://other.example.com/echo"));
    let cookie_of = |reply: &ClientResponse| {
        let headers = reply.json()["headers"].clone();
        let found = headers
            .as_array()
            .unwrap()
            .iter()
            .find(|h| h[0] == "cookie")
            .map(|h| h[1].as_str().unwrap().to_owned());
        found.unwrap_or_default()
    };
    let followed = client.get("https://app.example.com/cookies").follow().send();
    assert_eq!(
        (followed.url.as_str(), cookie_of(&followed).as_str()),
        ("https://other.example.com/echo", "shared=1")
    );
    assert_eq!(followed.redirects.len(), 1);
    let mut own: Vec<String> = cookie_of(&client.get("https://app.example.com/echo").send())
        .split("; ")
        .map(str::to_owned)
        .collect();
    own.sort();
    assert_eq!(own, ["own=2", "shared=1"]);
    let through = client.get("https://app.example.com/redirect?to=https://idp.example/x").follow().send();
    assert_eq!(through.url, "https://app.example.com/echo/x");
    let stopped = client
        .get("https://app.example.com/redirect?to=https://idp.example/x")
        .follow_within(&["app.example.com"])
        .send();
    assert_eq!((stopped.status, stopped.location()), (302, "https://idp.example/x"));
    let without = client.get("https://app.example.com/echo").without_cookies().navigation().send();
    assert_eq!(cookie_of(&without), "");
    assert!(without.text().contains(r#"["sec-fetch-mode","navigate"]"#));
    assert_eq!(harness.client().cookies("https://app.example.com/"), [], "another browser");
    assert_eq!(client.fork().cookie("https://app.example.com/", "own").as_deref(), Some("2"));
}

#[test]
fn the_raw_client_sends_and_returns_exact_bytes() {
    let harness = worker().start().unwrap();
    let request = format!(
        "GET /echo HTTP/1.1\r\nHost: raw.example\r\n{SCHEME_HEADER}: https\r\nConnection: close\r\n\r\n"
    );
    let reply = harness.client().raw(request.as_bytes(), MAX_WAIT);
    assert!(reply.closed && reply.text().contains("https://raw.example/echo"), "{}", reply.text());
    assert_eq!(reply.statuses(), [200]);
    let twice = request.replace("Connection: close\r\n", "") + &request;
    assert_eq!(harness.client().raw(twice.as_bytes(), MAX_WAIT).statuses(), [200, 200]);
    assert_eq!(harness.client().raw(b"\x16\x03\x01 nonsense\r\n\r\n", MAX_WAIT).statuses(), [400]);
}

#[test]
fn fifty_requests_run_in_parallel() {
    let (arrived, total) = (Arc::new(AtomicUsize::new(0)), 50);
    let count = Arc::clone(&arrived);
    let harness = worker()
        .host("gate.example", move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            while count.load(Ordering::SeqCst) < total {
                thread::yield_now();
            }
            Response::text("together")
        })
        .start()
        .unwrap();
    let client = harness.client();
    thread::scope(|scope| {
        for _ in 0..total {
            scope.spawn(|| {
                let reply = client.get("https://app.example.com/fetch?url=https://gate.example/").send();
                assert_eq!(reply.text(), "together");
            });
        }
    });
    assert_eq!(arrived.load(Ordering::SeqCst), total);
}

#[test]
fn the_start_of_an_invalid_worker_fails_with_the_reason() {
    let error = Harness::from_module("export default { fetch() { this is not javascript } }")
        .start()
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("SyntaxError"), "{error}");
    let error = Harness::from_wrangler("/nowhere/wrangler.toml").start().err().unwrap().to_string();
    assert!(error.contains("/nowhere/wrangler.toml"), "{error}");
}

#[test]
fn a_failed_assertion_in_a_handler_fails_the_test() {
    let failed = thread::spawn(|| {
        let harness = worker()
            .host("idp.example", |r| -> Response { panic!("unexpected {}", r.path()) })
            .start()
            .unwrap();
        fetched(&harness, "https://idp.example/x").expect_status(500);
    });
    let panic = failed.join().unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("unexpected /x"), "{text}");
}

#[test]
fn a_worker_starts_from_its_wrangler_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("build")).unwrap();
    let main = "import text from './note.txt'; import wasm from './empty.wasm';\n\
        export default { fetch: (r, env) => Response.json([text, wasm instanceof WebAssembly.Module, env.AUTH]) }";
    fs::write(folder.path().join("build/index.js"), main).unwrap();
    fs::write(folder.path().join("build/note.txt"), "note").unwrap();
    fs::write(folder.path().join("build/empty.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let config = folder.path().join("wrangler.toml");
    fs::write(&config, "main = 'build/index.js'\ncompatibility_date = '2026-01-01'\n[vars.AUTH]\na = 1\n[vars.AUTH.b]\nc = 2\n").unwrap();
    let harness =
        Harness::from_wrangler(&config).merge_vars(json!({ "AUTH": { "b": { "c": 3 } } })).start().unwrap();
    assert_eq!(
        harness.client().get("https://a.example/").send().json(),
        json!(["note", true, { "a": 1, "b": { "c": 3 } }])
    );
}

#[test]
fn dropping_the_harness_ends_the_runtime() {
    let harness = worker().start().unwrap();
    let connection = answered(harness.address());
    drop(harness);
    assert_closed(connection);
}

/// The process that `the_runtime_ends_if_the_test_process_is_killed` starts and kills. As a test it does nothing.
#[test]
fn helper_that_waits_to_be_killed() {
    if std::env::var_os("HARNESS_WAIT_TO_BE_KILLED").is_none() {
        return;
    }
    let harness = worker().start().unwrap();
    println!("\nADDRESS {}", harness.address());
    std::io::stdout().flush().unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn the_runtime_ends_if_the_test_process_is_killed() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_that_waits_to_be_killed", "--nocapture"])
        .env("HARNESS_WAIT_TO_BE_KILLED", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address =
        lines.into_iter().find_map(|line| line.strip_prefix("ADDRESS ").map(str::to_owned)).unwrap();
    let connection = answered(address.parse().unwrap());
    process.kill().unwrap();
    process.wait().unwrap();
    assert_closed(connection);
}

/// A persistent connection that has received one response.
fn answered(address: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(MAX_WAIT)).unwrap();
    connection.write_all(b"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("HTTP/1.1 404"));
    assert!(lines.any(|line| line.unwrap().is_empty()));
    connection
}

/// Asserts that the peer has ended: the kernel closes the connections of a process when it ends. This needs no polling, and
/// another test cannot have reused the port.
fn assert_closed(mut connection: TcpStream) {
    match connection.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}
