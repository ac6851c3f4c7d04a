//! Next.js: its names for a page, with languages and rewrites, as a static export, and its server functions.

use miniflare_test_harness::{Client, ClientResponse};
use serde_json::json;

use crate::app::App;
use crate::names::{GUARDED, assert_every_name_is_guarded, in_front_of, settings};
use crate::test_env::{APP, TestEnv};

/// A built application, and the id of the build.
fn next(folder: &str) -> (App, String) {
    let app = App::node("next.mjs", &[folder]);
    let build =
        app.output.lines().find_map(|line| line.strip_prefix("build ")).expect("the build").to_owned();
    (app, build)
}

#[test]
fn path_confusion_next_js_has_no_name_for_a_guarded_page_that_passes() {
    let (app, build) = next("next");
    let keys = json!({ "framework": "nextjs" });
    assert_every_name_is_guarded(&app, &keys, &build, &["exact", "segments"]);
}

#[test]
fn path_confusion_next_js_with_languages_and_rewrites_has_no_name_for_a_guarded_page_that_passes() {
    let (app, build) = next("next-i18n");
    let keys = json!({ "framework": "nextjs", "locales": ["en", "de"] });
    let readings = ["exact", "locale", "rewrite", "segments"];
    assert_every_name_is_guarded(&app, &keys, &build, &readings);
}

#[test]
fn path_confusion_a_static_export_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::node("export.mjs", &[]);
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "encoded", "suffix"]);
}

#[test]
fn functions_behind_paths_next_js_runs_no_function_of_a_guarded_page_on_a_public_one() {
    let (app, _) = next("next");
    let env = in_front_of(&app, &json!({ "framework": "nextjs" }));
    let (anonymous, alice) = (env.client(), env.signed_in("alice"));
    let id = function_of_the_guarded_page(&alice);
    let call = |url: &str, browser: &Client, origin: &str| call(url, browser, origin, &id);
    // Next.js itself runs it at any path.
    let direct = call(&app.direct("/about"), &anonymous, &format!("http://{}", app.address));
    assert!(direct.text().contains(GUARDED), "{} {}", direct.status, direct.text());

    let about = format!("{APP}/about");
    for (browser, origin) in [(&anonymous, APP), (&alice, "https://blog.example.com")] {
        let reply = call(&about, browser, origin).expect_status(401);
        assert!(reply.text().contains("server_functions"), "{}", reply.text());
    }
    call(&format!("{APP}/admin"), &alice, "https://blog.example.com").expect_status(403);
    let form =
        format!("--x\r\ncontent-disposition: form-data; name=\"$ACTION_ID_{id}\"\r\n\r\n\r\n--x--\r\n");
    let posted = |browser: &Client| {
        let request = browser.post(&about).header("origin", APP);
        request.body("multipart/form-data; boundary=x", form.as_str()).send()
    };
    posted(&anonymous).expect_status(401);
    // With a session it reaches Next.js, which knows it at its own page in any case.
    call(&about, &alice, APP).expect_status(200);
    assert!(call(&format!("{APP}/admin"), &alice, APP).text().contains(GUARDED));
}

#[test]
fn next_js_accepts_its_own_calls_behind_a_url() {
    let (app, _) = next("next");
    let settings = settings(&json!({ "to": "https://backend.example.net", "framework": "nextjs" }));
    let env = TestEnv::with(settings, |builder| builder.host_at("backend.example.net", app.address));
    let alice = env.signed_in("alice");
    let id = function_of_the_guarded_page(&alice);
    let reply = call(&format!("{APP}/admin"), &alice, APP, &id).expect_status(200);
    assert!(reply.text().contains(GUARDED), "{}", reply.text());
}

/// The id of the function that the form of `/admin` calls.
fn function_of_the_guarded_page(alice: &Client) -> String {
    let page = alice.get(&format!("{APP}/admin")).send().expect_status(200).text();
    let (_, rest) = page.split_once("$ACTION_ID_").expect("the form names its function");
    rest.split('"').next().expect("a quote").to_owned()
}

/// Calls a server function at this address, as the scripts of Next.js do.
fn call(url: &str, browser: &Client, origin: &str, id: &str) -> ClientResponse {
    let request = browser.post(url).header("next-action", id).header("accept", "text/x-component");
    request.header("origin", origin).body("text/plain", "[]").send()
}
