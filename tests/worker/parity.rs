//! Compares the responses of the shipped `wrangler.toml` in the harness and under wrangler.

use miniflare_test_harness::{Client, Wrangler};
use serde_json::{Value, json};
use vestibule_test_runtimes::needs;

use crate::node::{Running, Script};
use crate::repository::root;
use crate::test_env::{SECRET, worker};

#[test]
fn the_worker_answers_the_same_under_wrangler_and_in_the_harness() {
    needs!(Wrangler);
    let (port, _app) = application();
    let vars = json!({ "AUTH": { "upstreams": [{ "to": format!("http://127.0.0.1:{port}") }] } });
    let secrets =
        [("AUTH_SECRET", SECRET), ("AUTH_DEMO_ID", "vestibule"), ("AUTH_DEMO_SECRET", "a client's secret")];

    let mut harness = worker().merge_vars(vars.clone());
    let mut wrangler = Wrangler::dev(root().join("wrangler.toml")).merge_vars(vars);
    for (name, value) in secrets {
        harness = harness.secret(name, value);
        wrangler = wrangler.secret(name, value);
    }
    let (harness, wrangler) = (harness.start().unwrap(), wrangler.start().unwrap());
    // Under wrangler the Worker sees `https` URLs; in the harness the client's URL decides.
    let authority = wrangler.address().to_string();
    let harness_answers = answers(&harness.client(), &format!("https://{authority}"));
    let wrangler_answers = answers(&wrangler.client(), &format!("http://{authority}"));
    for (harness_answers, wrangler_answers) in harness_answers.iter().zip(&wrangler_answers) {
        assert_eq!(harness_answers, wrangler_answers);
    }

    let [about, dashboard, session, providers, csrf] = wrangler_answers.as_slice() else {
        panic!("five of them")
    };
    assert_eq!((about.status, about.body.contains("<h1>About</h1>")), (200, true), "{about:?}");
    let sign_in = format!("https://{authority}/auth/signin?callbackUrl=");
    assert_eq!(
        (dashboard.status, dashboard.header("location").starts_with(&sign_in)),
        (302, true),
        "{dashboard:?}"
    );
    assert_eq!((session.status, session.body.as_str()), (200, "null"));
    let callback = format!("https://{authority}/auth/callback/demo");
    let described: Value = serde_json::from_str(&providers.body).unwrap();
    assert_eq!(described["demo"]["callbackUrl"], callback);
    let cookie = "__Host-authjs.csrf-token=TOKEN%7CTOKEN; Path=/; HttpOnly; Secure; SameSite=Lax";
    assert_eq!((csrf.body.as_str(), csrf.header("set-cookie")), ("{\"csrfToken\":\"TOKEN\"}", cookie));
}

/// The parts of a response that are the same in every run.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    path: &'static str,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

fn answers(browser: &Client, base: &str) -> Vec<Answer> {
    let authority = base.split_once("://").unwrap().1;
    let ask = |path| {
        let reply = browser.get(&format!("{base}{path}")).navigation().without_cookies().send();
        let mut headers: Vec<_> =
            reply.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())).collect();
        headers.retain(|(name, _)| !["date", "transfer-encoding", "content-length"].contains(&name.as_str()));
        headers.sort();
        for (_, value) in &mut headers {
            // wrangler rewrites URLs of its own host to `http`.
            *value = masked(&value.replace(&format!("http://{authority}"), &format!("https://{authority}")));
        }
        // The application shows its request headers, and wrangler adds some.
        let body = reply.text().split("<h2>").next().map(masked).unwrap();
        Answer { path, status: reply.status, headers, body }
    };
    ["/about", "/dashboard", "/auth/session", "/auth/providers", "/auth/csrf"].map(ask).into()
}

/// The text with random values, 64 hexadecimal digits, replaced.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(from.len());
        // A percent-encoded character before it, `%7C`, adds two digits.
        let (run, after) = from.split_at(end);
        masked.push_str(before);
        match run.len() {
            64 => masked.push_str("TOKEN"),
            66 => masked.extend([&run[..2], "TOKEN"]),
            _ => masked.push_str(run),
        }
        rest = after;
    }
    masked + rest
}

/// The demo's application on a free port.
fn application() -> (u16, Running) {
    let mut script = Script::start("demo/app.mjs", &["0"], &[]);
    let ready = script.read_line();
    let port = ready.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    (port.unwrap_or_else(|| panic!("{ready}")), script.ignore_output())
}
