//! The end of sessions: begun here, or told by the provider.

use crate::scenarios::logout;
use crate::table::plan;

pub mod rp_initiated {
    use super::{logout, plan};

    plan! {
        "oidcc-client-rp-initiated-logout-rp-basic", "";
        tested {
            oidcc_client_test_rp_init_logout "oidcc-client-test-rp-init-logout":
                "wants `client_id`, an `id_token_hint` and the one address that is registered, and sends the browser back with `state`" =>
                "ends the session, sends the browser there, and then where it was going",
                logout::rp_init_logout;
            oidcc_client_test_rp_init_logout_other_state "oidcc-client-test-rp-init-logout-other-state":
                "sends the browser back with another `state`" => "notices it, and goes to the start page",
                logout::rp_init_logout_other_state;
            oidcc_client_test_rp_init_logout_no_state "oidcc-client-test-rp-init-logout-no-state":
                "sends the browser back without `state`" => "notices it, and goes to the start page",
                logout::rp_init_logout_no_state;
        }
        untested {}
    }
}
