//! What next-auth's own client sends and gets: the same calls with Auth.js and with Vestibule.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use vestibule_core::session::dialect::Dialect;

use crate::aspects::{Aspects, address, body};
use crate::browser::{Answer, Browser, Sent};
use crate::cases::{Case, Step};
use crate::reference::Reference;
use crate::replay::ask;
use crate::repository::{node, root};
use crate::site::Site;
use crate::worker;

/// A call of the client, or the browser that comes back from the provider.
enum Act {
    Call(&'static str, Value),
    Callback(&'static str),
}

#[test]
fn the_client_of_next_auth_sends_and_gets_the_same() {
    let mut reference = Reference::start();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        for secure in [true, false] {
            let site = Site { dialect, secure };
            let worker = worker(site, false, &reference);
            let (client, mut next_auth) = (worker.client(), NextAuth::start(site));
            for (name, acts) in scenes(site) {
                let authjs = play(site, &mut next_auth, &acts, &mut |sent| reference.ask(site, false, sent));
                let vestibule = play(site, &mut next_auth, &acts, &mut |sent| ask(&client, sent));
                for (at, (authjs, vestibule)) in authjs.iter().zip(&vestibule).enumerate() {
                    assert_eq!(authjs, vestibule, "{}: {name}, line {at}", site.name());
                }
                assert_eq!(authjs.len(), vestibule.len(), "{}: {name}", site.name());
                assert!(authjs.len() > acts.len(), "{name}: the client sent nothing");
            }
        }
    }
}

fn scenes(site: Site) -> Vec<(&'static str, Vec<Act>)> {
    use Act::{Call, Callback};
    let password = |password: &str, redirect: bool| {
        let fields = json!({ "email": "ada@example.com", "password": password, "redirect": redirect });
        Call("signIn", json!(["credentials", fields]))
    };
    let back = || Callback("?code={code:ada}&state={state}");
    vec![
        (
            "nobody",
            vec![
                Call("getSession", json!([])),
                Call("getProviders", json!([])),
                Call("getCsrfToken", json!([])),
                Call("update", json!([{ "name": "x" }])),
                Call("update", json!([])),
                Call("signOut", json!([{ "redirect": false }])),
            ],
        ),
        (
            "at a provider and out",
            vec![
                Call("signIn", json!(["acme"])),
                back(),
                Call("getSession", json!([])),
                Call("update", json!([])),
                Call("update", json!([{ "name": "Mallory" }])),
                Call("signOut", json!([{ "callbackUrl": "/bye" }])),
                Call("getSession", json!([])),
            ],
        ),
        (
            "at a provider with an address and parameters",
            vec![
                Call("signIn", json!(["acme", { "callbackUrl": "/x?a=b#c" }, { "prompt": "login" }])),
                back(),
                Call("getSession", json!([])),
            ],
        ),
        (
            "cancelled",
            vec![
                Call("signIn", json!(["acme"])),
                Callback("?error=access_denied&state={state}"),
                Call("getSession", json!([])),
            ],
        ),
        (
            "at a provider of OAuth 2",
            vec![
                Call("signIn", json!(["hub", { "callbackUrl": "https://evil.example" }])),
                back(),
                Call("getSession", json!([])),
                Call("signOut", json!([])),
            ],
        ),
        (
            "with a password",
            vec![
                password("wrong", false),
                // next-auth 4 would show what its application throws (`deliberate.rs`).
                password(if site.dialect == Dialect::AuthJsV5 { "too late" } else { "" }, false),
                password("right", false),
                Call("getSession", json!([])),
                Call("update", json!([{ "user": { "name": "Mallory" } }])),
                Call("signOut", json!([{ "redirect": false, "callbackUrl": "/bye" }])),
                Call("getSession", json!([])),
            ],
        ),
        (
            "with a password and a redirect",
            vec![
                password("wrong", true),
                password("right", true),
                Call("getSession", json!([])),
                Call("signOut", json!([])),
            ],
        ),
        (
            "at no provider",
            vec![
                Call("signIn", json!([])),
                Call("signIn", json!(["nobody", { "callbackUrl": "/x" }])),
                Call("signIn", json!([null, { "callbackUrl": "/x" }])),
            ],
        ),
    ]
}

/// What the client sent and got in these acts. Random values are hidden.
fn play(
    site: Site,
    client: &mut NextAuth,
    acts: &[Act],
    respond: &mut dyn FnMut(&Sent) -> Answer,
) -> Vec<Value> {
    let case = Case { name: String::new(), has_pages: false, cookies: Vec::new(), steps: Vec::new() };
    let mut browser = Browser::new(site, &case);
    let mut trace = Vec::new();
    for act in acts {
        match act {
            Act::Call(name, all) => {
                client.say(&json!({ "call": name, "with": all }));
                loop {
                    let line = client.hear();
                    let Some(method) = line["method"].as_str() else {
                        let result = match &line["result"] {
                            Value::String(_) => "(a text)".to_owned(),
                            other => body(other, &mut Aspects::new()),
                        };
                        let at = line["href"].as_str().map(address);
                        let url = line["result"]["url"].as_str().map(address);
                        trace.push(json!([name, result, at, url]));
                        break;
                    };
                    let step = Step {
                        method: method.to_owned(),
                        url: line["url"].as_str().expect("a text").to_owned(),
                        headers: serde_json::from_value(line["headers"].clone()).expect("pairs"),
                        body: line["body"].as_str().map(str::to_owned),
                        tampering: Vec::new(),
                    };
                    let sent = browser.prepare(&step);
                    let hidden = step.body.map(|body| body.replace(&browser.csrf(), "{csrf}"));
                    trace.push(json!([step.method, step.url, step.headers, hidden]));
                    let answer = respond(&sent);
                    browser.receive(&answer);
                    trace.push(json!(answer.status));
                    let headers: Vec<_> =
                        answer.headers.iter().filter(|(name, _)| name == "content-type").collect();
                    client.say(&json!({ "status": answer.status, "headers": headers, "body": answer.body }));
                }
            }
            Act::Callback(query) => {
                let provider = if browser.is_at("/hub/") { "hub" } else { "acme" };
                let step = Step {
                    method: "GET".to_owned(),
                    url: format!("{}{}/callback/{provider}{query}", site.origin(), site.base_path()),
                    headers: Vec::new(),
                    body: None,
                    tampering: Vec::new(),
                };
                let answer = respond(&browser.prepare(&step));
                browser.receive(&answer);
                trace.push(json!([answer.status, answer.header("location").map(address)]));
            }
        }
    }
    trace
}

/// The client in its process, which ends with its stdin.
struct NextAuth {
    process: Child,
    calls: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl NextAuth {
    fn start(site: Site) -> Self {
        let mut process = Command::new(node())
            .arg(root().join("tests/authjs/client.mjs"))
            .args([site.dialect_name(), site.origin(), site.base_path()])
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js starts");
        let calls = process.stdin.take().expect("piped");
        let lines = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, calls, lines }
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.calls, "{line}").expect("the client reads stdin");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the client writes UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"))
    }
}

impl Drop for NextAuth {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
