//! Sign-ins that other sites begin.

use crate::scenarios::initiated;
use crate::table::plan;

plan! {
    "oidcc-client-test-3rd-party-init-login-test-plan", "";
    tested {
        oidcc_client_test_3rd_party_init_login "oidcc-client-test-3rd-party-init-login":
            "sends people to `initiate_login_uri` with `iss`, `login_hint`, `target_link_uri`; other sites do so with another issuer or address, and in a frame" =>
            "begins a sign-in of that issuer, with the hint, and goes to the address if it is this site's; otherwise begins nothing, or goes to the start page",
            initiated::third_party_initiated_login;
    }
    untested {}
}
