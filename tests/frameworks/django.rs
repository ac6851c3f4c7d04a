//! Django: its names for a page, and what it needs to believe that a form is its own.

use serde_json::json;

use crate::app::App;
use crate::names::{UPSTREAMS, assert_every_name_is_guarded, settings};
use crate::test_env::{APP, TestEnv};

#[test]
fn path_confusion_django_has_no_name_for_a_guarded_page_that_passes() {
    let app = App::python("django_app.py", &[]);
    let keys = json!({ "locales": ["en", "de"] });
    assert_every_name_is_guarded(&app, &keys, "", &["exact", "encoded", "suffix", "locale", "segments"]);
}

#[test]
fn django_accepts_its_own_forms_once_it_believes_the_forwarded_host_and_scheme() {
    let without = App::python("django_app.py", &[]);
    let with = App::python("django_app.py", &["behind-proxy"]);
    for (to, surround) in UPSTREAMS {
        for (app, status) in [(&without, 403), (&with, 200)] {
            let env = TestEnv::with(settings(&json!({ "to": to })), |builder| surround(builder, app.address));
            let alice = env.signed_in("alice");
            let token = alice.get(&format!("{APP}/form/")).send().expect_status(200).text();
            let form = alice.post(&format!("{APP}/form/")).header("origin", APP);
            let reply = form.form(&[("csrfmiddlewaretoken", &token)]).send().expect_status(status);
            let expected = if status == 200 { "transferred" } else { "Origin checking failed" };
            assert!(reply.text().contains(expected), "{to}: {}", reply.text());
        }
    }
}
