//! Real proxies in front of an app, which ask the built Worker about every request, with the configurations of
//! docs/proxies.md. `cargo xtask proxies` installs them and runs this.

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
mod configuration;
mod exchange;
mod program;
mod scenarios;
mod site;

/// Every scenario with one proxy.
macro_rules! with_proxy {
    ($($proxy:ident => $kind:ident),+) => {$(
        mod $proxy {
            use crate::configuration::Proxy;
            use crate::scenarios;

            #[test]
            fn the_rules_decide_and_the_app_learns_who_the_user_is() {
                scenarios::the_rules_decide(Proxy::$kind);
            }

            #[test]
            fn header_smuggling_a_client_can_set_neither_an_identity_nor_the_request_that_is_asked_about() {
                scenarios::header_smuggling(Proxy::$kind);
            }

            #[test]
            fn path_confusion_no_name_of_a_guarded_page_reaches_the_app() {
                scenarios::path_confusion(Proxy::$kind);
            }

            #[test]
            fn cross_site_request_forgery_pages_of_other_origins_open_no_websocket_and_send_no_form() {
                scenarios::other_origins(Proxy::$kind);
            }

            #[test]
            fn an_updated_session_reaches_the_browser_whole() {
                scenarios::updated_session(Proxy::$kind);
            }

            #[test]
            fn nobody_passes_while_the_worker_does_not_answer() {
                scenarios::without_the_worker(Proxy::$kind);
            }
        }
    )+};
}

with_proxy!(nginx => Nginx, traefik => Traefik, caddy => Caddy, haproxy => Haproxy, envoy => Envoy);
