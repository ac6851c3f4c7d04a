//! The basic profile, with both response modes.

use crate::table::plan;

/// The modules are the same, and so is what they expect.
macro_rules! basic_plan {
    ($name:literal, $about:literal, $keys:ident) => {
        plan! {
            $name, $about;
            tested {
                oidcc_client_test "oidcc-client-test":
                    "behaves, and is strict about each request" =>
                    "signs the user in: the authorization, token and userinfo requests are right",
                    || code::happy(&$keys());
                oidcc_client_test_invalid_iss "oidcc-client-test-invalid-iss":
                    "an ID token of another `iss`" => "refuses it",
                    || id_token::invalid_iss(&$keys());
                oidcc_client_test_missing_sub "oidcc-client-test-missing-sub":
                    "an ID token without `sub`" => "refuses it",
                    || id_token::missing_sub(&$keys());
                oidcc_client_test_invalid_aud "oidcc-client-test-invalid-aud":
                    "an ID token for another client" => "refuses it",
                    || id_token::invalid_aud(&$keys());
                oidcc_client_test_missing_iat "oidcc-client-test-missing-iat":
                    "an ID token without `iat`" => "refuses it",
                    || id_token::missing_iat(&$keys());
                oidcc_client_test_kid_absent_single_jwks "oidcc-client-test-kid-absent-single-jwks":
                    "an ID token without `kid`, and one key" => "signs the user in",
                    || signatures::kid_absent_single_jwks(&$keys());
                oidcc_client_test_kid_absent_multiple_jwks "oidcc-client-test-kid-absent-multiple-jwks":
                    "an ID token without `kid`, and several keys" =>
                    "signs the user in: it tries the keys that fit",
                    || signatures::kid_absent_multiple_jwks(&$keys());
                oidcc_client_test_idtoken_sig_rs256 "oidcc-client-test-idtoken-sig-rs256":
                    "an ID token signed with RS256" => "signs the user in",
                    || signatures::rs256(&$keys());
                oidcc_client_test_idtoken_sig_none "oidcc-client-test-idtoken-sig-none":
                    "an ID token that is not signed (`none`)" => "refuses it",
                    || signatures::none(&$keys());
                oidcc_client_test_invalid_sig_rs256 "oidcc-client-test-invalid-sig-rs256":
                    "an intact RS256 signature, then a spoiled one" => "signs in, then refuses",
                    || signatures::invalid_rs256(&$keys());
                oidcc_client_test_userinfo_bearer_header "oidcc-client-test-userinfo-bearer-header":
                    "takes the access token from `Authorization` only" => "sends it there",
                    || userinfo::bearer_header(&$keys());
                oidcc_client_test_userinfo_bearer_body "oidcc-client-test-userinfo-bearer-body":
                    "takes the access token from the form only" =>
                    "sends it there, if `userinfo` is configured so",
                    || userinfo::bearer_body(&$keys());
                oidcc_client_test_userinfo_invalid_sub "oidcc-client-test-userinfo-invalid-sub":
                    "userinfo of another user" => "refuses it",
                    || userinfo::invalid_sub(&$keys());
                oidcc_client_test_nonce_invalid "oidcc-client-test-nonce-invalid":
                    "an ID token with the `nonce` of another sign-in" => "refuses it",
                    || id_token::nonce_invalid(&$keys());
                oidcc_client_test_scope_userinfo_claims "oidcc-client-test-scope-userinfo-claims":
                    "gives claims by scope" => "asks for the scopes, and gets their claims",
                    || userinfo::scope_claims(&$keys());
                oidcc_client_test_client_secret_basic "oidcc-client-test-client-secret-basic":
                    "wants `client_secret_basic`; the id and the secret have characters that are encoded" =>
                    "authenticates so",
                    || code::client_secret_basic(&$keys());
            }
            untested {}
        }
    };
}

pub mod query {
    use serde_json::{Value, json};

    use super::plan;
    use crate::scenarios::{code, id_token, signatures, userinfo};

    fn keys() -> Value {
        json!({})
    }

    basic_plan!("oidcc-client-basic-certification-test-plan", "response mode `query`", keys);
}

pub mod form_post {
    use super::plan;
    use crate::scenarios::{code, form_post as keys, id_token, signatures, userinfo};

    basic_plan!("oidcc-client-formpost-basic-certification-test-plan", "response mode `form_post`", keys);
}
