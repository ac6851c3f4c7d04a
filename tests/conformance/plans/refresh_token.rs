//! Refresh tokens.

use crate::scenarios::refresh;
use crate::table::plan;

plan! {
    "oidcc-client-refreshtoken-test-plan", "";
    tested {
        oidcc_client_test_refresh_token "oidcc-client-test-refresh-token":
            "gives new tokens for a refresh token, once" =>
            "uses it when the access token ends, asks userinfo with the new one, and forwards the new one",
            refresh::refresh_token;
        oidcc_client_test_refresh_token_invalid_issuer "oidcc-client-test-refresh-token-invalid-issuer":
            "an ID token of another `iss` with the new tokens" => "refuses the new tokens",
            refresh::invalid_issuer;
        oidcc_client_test_refresh_token_invalid_sub "oidcc-client-test-refresh-token-invalid-sub":
            "an ID token of another `sub` with the new tokens" => "refuses the new tokens",
            refresh::invalid_sub;
    }
    untested {}
}
