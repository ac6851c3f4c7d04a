//! `docs/apis.md`: its example is followed word for word.

use serde_json::{Value, json};
use vestibule_testing::provider::ISSUER;
use vestibule_testing::{APP, Answer, TestEnv};

const PAGE: &str = include_str!("../../../../docs/apis.md");

/// The text of the first block of this language.
fn block(language: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let (_, rest) = PAGE.split_once(&begin).expect("a block");
    rest.split_once("```").expect("its end").0
}

/// The rows of the table under this head, without the markup of code.
fn rows(head: &str) -> Vec<Vec<String>> {
    let (_, rest) = PAGE.split_once(head).expect("the table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.map(cells).collect()
}

fn world() -> TestEnv {
    let written: Value = toml::from_str(block("toml")).expect("a configuration");
    let world = TestEnv::with(written["vars"]["AUTH"].clone());
    let now = world.now().seconds();
    let known = json!({
        "iss": ISSUER, "aud": "https://api.example.com", "exp": now + 300, "token_type": "Bearer",
        "scope": "openid read:orders",
    });
    for (token, sub, client) in
        [("alice-token", "alice-1", "mobile"), ("billing-token", "billing", "billing")]
    {
        let mut claims = known.clone();
        (claims["sub"], claims["client_id"]) = (json!(sub), json!(client));
        world.provider.introspection.knows(token, &claims);
    }
    world
}

fn send(world: &TestEnv, method: &str, url: &str, token: Option<&str>) -> Answer {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> =
        authorization.iter().map(|value| ("authorization", value.as_str())).collect();
    world.send(method, url, &headers, b"")
}

#[test]
fn each_request_of_the_table_gets_its_answer() {
    let world = world();
    let rows = rows("| request | of Alice | of `billing` | without a token |");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let [request, of_alice, of_billing, without] = &row[..] else { panic!("{row:?}") };
        let (method, path) = request.split_once(' ').expect("a method and a path");
        for (token, status) in
            [(Some("alice-token"), of_alice), (Some("billing-token"), of_billing), (None, without)]
        {
            let answer = send(&world, method, &format!("{APP}{path}"), token);
            assert_eq!(answer.status.to_string(), *status, "{request} {token:?}: {}", world.log_text());
            let Some(forwarded) = answer.forwarded else { continue };
            let sent = |name: &str| forwarded.request.headers.get(name).map(str::to_owned);
            let is_client = token == Some("billing-token");
            assert_eq!(sent("x-user-id").as_deref(), (!is_client).then_some("alice-1"));
            assert_eq!(sent("x-client-id").as_deref(), is_client.then_some("billing"));
            assert_eq!(sent("x-scope").as_deref(), Some("openid read:orders"));
        }
    }
    assert_eq!(world.fetches("https://idp.example/introspect"), 2);
}

#[test]
fn the_command_works() {
    let world = world();
    let command = block("sh").trim();
    let (header, url) = command.strip_prefix("curl -H \"").expect("curl").split_once("\" ").expect("a URL");
    let (name, value) = header
        .replace("$TOKEN", "alice-token")
        .split_once(": ")
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .unwrap();
    let answer = world.send("GET", url, &[(&name.to_ascii_lowercase(), &value)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
}
