//! The comprehensive plan: its modules that are in no other plan.

use serde_json::json;

use crate::scenarios::{both_modes, code, id_token, signatures, userinfo};
use crate::table::plan;

plan! {
    "oidcc-client-test-plan",
    "the modules that are in no other plan; those about an ID token with both response modes";
    tested {
        oidcc_client_test_missing_aud "oidcc-client-test-missing-aud":
            "an ID token without `aud`" => "refuses it",
            || both_modes(id_token::missing_aud);
        oidcc_client_test_invalid_athash "oidcc-client-test-invalid-athash":
            "an ID token whose `at_hash` is of another access token" =>
            "refuses it, in the code flow, too, where the claim is optional",
            || both_modes(id_token::invalid_athash);
        oidcc_client_test_invalid_sig_es256 "oidcc-client-test-invalid-sig-es256":
            "an intact ES256 signature, then a spoiled one" => "signs in, then refuses",
            || both_modes(signatures::invalid_es256);
        oidcc_client_test_invalid_sig_hs256 "oidcc-client-test-invalid-sig-hs256":
            "an intact HS256 signature with the client secret, then a spoiled one" =>
            "signs in, if `id_token_signed_response_alg` says so, then refuses",
            || both_modes(signatures::invalid_hs256);
        oidcc_client_test_form_post_error "oidcc-client-test-form-post-error":
            "`login_required` by form post, for `max_age=0` and `prompt=none`" =>
            "shows the error, and signs no one in",
            code::form_post_error;
        oidcc_client_test_aggregated_claims "oidcc-client-test-aggregated-claims":
            "userinfo with claims that another issuer signed" =>
            "signs the user in; those claims are not taken for the provider's",
            || userinfo::aggregated_claims(&json!({}));
        oidcc_client_test_distributed_claims "oidcc-client-test-distributed-claims":
            "userinfo that says where another server has claims" =>
            "signs the user in; the other server is not asked",
            || userinfo::distributed_claims(&json!({}));
    }
    untested {
        "oidcc-client-test-nonce-unless-code-flow":
            Outside("the hybrid and implicit flows; in the code flow a `nonce` is sent always, and tests of the basic plan check it"),
        "oidcc-client-test-missing-athash":
            Outside("the hybrid and implicit flows; the claim is optional in the code flow"),
        "oidcc-client-test-missing-chash": Outside("the hybrid flow; the code flow has no `c_hash`"),
        "oidcc-client-test-invalid-chash": Outside("the hybrid flow; the code flow has no `c_hash`"),
        "oidcc-client-test-mtls-endpoint-aliases":
            Outside("client authentication by mTLS, which is not offered: a Worker's requests have no client certificate without a binding of the platform for each host"),
    }
}
