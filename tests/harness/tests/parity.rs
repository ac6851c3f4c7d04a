//! Compares the harness with `wrangler dev`.

use std::fs;

use miniflare_test_harness::Wrangler;
use serde_json::json;

#[test]
fn a_worker_under_wrangler_has_the_same_bindings_and_is_not_built() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("build")).unwrap();
    fs::copy("tests/worker.js", folder.path().join("build/index.js")).unwrap();
    let config = folder.path().join("wrangler.toml");
    let text = r#"
        name = "parity"
        main = "build/index.js"
        compatibility_date = "2026-01-01"
        kv_namespaces = [{ binding = "KV", id = "kv" }]
        [build]
        command = "touch built; false"
        [vars]
        TEXT = "from the file"
        [vars.TABLE]
        keep = true
        change = 1
    "#;
    fs::write(&config, text).unwrap();
    let secret = "$HOME 'single' \"double\" \\n #";
    let wrangler = Wrangler::dev(&config)
        .merge_vars(json!({ "TABLE": { "change": 2 } }))
        .secret("SECRET", secret)
        .start()
        .unwrap();
    let client = wrangler.client();
    let seen =
        client.post("https://app.example.com/echo?x=1").body("", "hello").send().expect_status(200).json();
    assert_eq!(seen["url"], "https://app.example.com/echo?x=1");
    assert_eq!(seen["body"], "hello");
    let vars = json!({ "TEXT": "from the file", "TABLE": { "keep": true, "change": 2 }, "SECRET": secret });
    assert_eq!(seen["vars"], vars);
    let put = json!({ "op": "put", "key": "k", "value": "v" });
    assert_eq!(client.post("https://app.example.com/kv").json(&put).send().json(), json!({ "ok": null }));
    let get = json!({ "op": "get", "key": "k" });
    assert_eq!(client.post("https://app.example.com/kv").json(&get).send().json(), json!({ "ok": "v" }));
    client.get("https://app.example.com/cookies").send();
    assert_eq!(client.cookie("https://other.example.com/", "shared").as_deref(), Some("1"));
    assert!(!folder.path().join("built").exists());
}

#[test]
fn an_error_of_wrangler_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.js"), "this is not javascript").unwrap();
    let config = folder.path().join("wrangler.toml");
    fs::write(&config, "name = 'x'\nmain = 'index.js'\ncompatibility_date = '2026-01-01'\n").unwrap();
    let error = Wrangler::dev(&config).start().err().unwrap().to_string();
    assert!(error.contains("wrangler dev did not start") && error.contains("index.js"), "{error}");
}
