//! Servers and frameworks whose names for a page are all there is to test.

use serde_json::json;

use crate::app::App;
use crate::names::{GUARDED, UPSTREAMS, assert_every_name_is_guarded, in_front_of, settings};
use crate::test_env::{APP, TestEnv};

#[test]
fn path_confusion_express_4_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::node("express.mjs", &["express4"]);
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "case"]);
}

#[test]
fn path_confusion_express_5_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::node("express.mjs", &["express"]);
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "case"]);
}

#[test]
fn what_the_configuration_says_about_an_upstream_is_believed() {
    let app = App::node("express.mjs", &["express"]);
    for (keys, is_guarded) in [(json!({}), true), (json!({ "exact_paths": ["case"] }), false)] {
        let env = in_front_of(&app, &keys);
        let reply = env.client().get(&format!("{APP}/ADMIN")).send();
        assert_eq!(!reply.text().contains(GUARDED), is_guarded, "{keys}");
    }
}

#[test]
fn path_confusion_koa_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::node("koa.mjs", &[]);
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "case"]);
}

#[test]
fn path_confusion_php_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::php();
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "encoded", "script", "segments"]);
}

#[test]
fn path_confusion_react_router_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::node("react-router.mjs", &[]);
    assert_every_name_is_guarded(&app, &json!({}), "", &["exact", "encoded", "case", "suffix", "segments"]);
}

#[test]
fn react_router_accepts_its_own_forms_from_an_origin_that_its_configuration_allows() {
    let app = App::node("react-router.mjs", &[]);
    for (to, surround) in UPSTREAMS {
        let env = TestEnv::with(settings(&json!({ "to": to })), |builder| surround(builder, app.address));
        let form = env.signed_in("alice").post(&format!("{APP}/admin")).header("origin", APP);
        let reply = form.form(&[("a", "1")]).send().expect_status(200);
        assert!(reply.text().contains(GUARDED), "{to}: {}", reply.text());
    }
}
