//! Real proxies in front of an app, which ask the built Worker about every request, or the server of your own, with the
//! configurations of docs/proxies.md. `cargo xtask proxies` installs them and runs this.
//!
//! Scenarios with one proxy and the same configuration share a running site, and take turns there.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "a test has no API: pub is for its other files, and for other tests'"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong, and runs where std's clock works"
)]

#[path = "../support/clean_log.rs"]
mod clean_log;
#[path = "../../crates/server/tests/server/http.rs"]
mod http;
#[path = "../worker/idp.rs"]
mod idp;
#[path = "../worker/node.rs"]
mod node;
#[path = "../support/repository.rs"]
mod repository;
#[path = "../worker/signer.rs"]
mod signer;
#[path = "../worker/test_env.rs"]
mod test_env;

mod app;
mod browser;
mod configuration;
mod decider;
mod exchange;
mod http2;
mod native;
mod program;
mod provider;
mod recorded;
mod scenarios;
mod site;
mod tap;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use crate::configuration::{ALL, Proxy};
use crate::site::{Kind, Site};

type Scenario = fn(&Site);

/// What has to hold behind every proxy.
const SCENARIOS: [(&str, Kind, Scenario); 11] = [
    ("the_rules_decide_and_the_app_learns_who_the_user_is", Kind::Usual, scenarios::the_rules_decide),
    ("an_updated_session_reaches_the_browser_whole", Kind::Renewed, scenarios::updated_session),
    ("users_sign_in_and_out_on_the_app_s_own_host", Kind::OwnHost, scenarios::own_host),
    (
        "header_smuggling_a_client_can_set_neither_an_identity_nor_the_request_that_is_asked_about",
        Kind::Usual,
        scenarios::header_smuggling,
    ),
    ("path_confusion_no_name_of_a_guarded_page_reaches_the_app", Kind::Usual, scenarios::path_confusion),
    (
        "cross_site_request_forgery_pages_of_other_origins_open_no_websocket_and_send_no_form",
        Kind::Usual,
        scenarios::other_origins,
    ),
    ("a_large_body_reaches_the_app_whole_and_only_with_a_session", Kind::Usual, scenarios::large_bodies),
    ("http2_the_same_holds", Kind::Usual, scenarios::http2),
    ("a_copy_of_a_session_that_was_signed_out_is_refused", Kind::Usual, scenarios::signed_out),
    ("it_asks_as_it_was_recorded", Kind::Usual, recorded::compare),
    ("nobody_passes_while_there_is_no_answer", Kind::Usual, scenarios::without_an_answer),
];

/// The running sites, each in its place. A scenario that fails ends its site, and the next one starts another.
type Sites = BTreeMap<(&'static str, Kind), Mutex<Option<Site>>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of the time one waits for another.
    arguments.test_threads = arguments.test_threads.or(Some(2 * ALL.len()));
    let combined = SCENARIOS.iter().flat_map(|scenario| ALL.map(|proxy| (proxy, *scenario)));
    let combined = combined.filter(|(proxy, (_, kind, _))| *kind != Kind::OwnHost || proxy.has_own_host());
    let combined: Vec<_> = combined.collect();
    let places = combined.iter().map(|(proxy, (_, kind, _))| ((proxy.name(), *kind), Mutex::default()));
    let sites: Arc<Sites> = Arc::new(places.collect());
    let trials = combined.into_iter().map(|(proxy, (name, kind, scenario))| {
        let sites = Arc::clone(&sites);
        Trial::test(format!("{}::{name}", proxy.name()), move || {
            run(&sites, proxy, kind, scenario);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // Ends them.
    drop(sites);
    conclusion.exit_code()
}

fn run(sites: &Sites, proxy: Proxy, kind: Kind, scenario: Scenario) {
    let mut place = match sites[&(proxy.name(), kind)].lock() {
        Ok(place) => place,
        Err(failed) => {
            let mut place = failed.into_inner();
            *place = None;
            place
        }
    };
    let site = place.get_or_insert_with(|| Site::behind(proxy, kind));
    scenario(site);
    site.decider.assert_the_log_is_clean();
}
