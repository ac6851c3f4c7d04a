//! What the provider publishes, and the change of its keys.

use crate::scenarios::{discovery, signatures};
use crate::table::plan;

plan! {
    "oidcc-client-config-certification-test-plan", "";
    tested {
        oidcc_client_test_discovery_openid_config "oidcc-client-test-discovery-openid-config":
            "publishes metadata, in which each endpoint has an unusual path" => "uses them",
            discovery::openid_config;
        oidcc_client_test_discovery_jwks_uri_keys "oidcc-client-test-discovery-jwks-uri-keys":
            "publishes its keys at a `jwks_uri` that only the metadata name" => "fetches them from there",
            discovery::jwks_uri_keys;
        oidcc_client_test_discovery_issuer_mismatch "oidcc-client-test-discovery-issuer-mismatch":
            "metadata of another issuer" => "refuses them: no authorization request is sent",
            discovery::issuer_mismatch;
        oidcc_client_test_idtoken_sig_none "oidcc-client-test-idtoken-sig-none":
            "an ID token that is not signed (`none`)" => "refuses it",
            || signatures::none(&serde_json::json!({}));
        oidcc_client_test_signing_key_rotation_just_before_signing
            "oidcc-client-test-signing-key-rotation-just-before-signing":
            "changes its keys right before it signs the ID token" => "signs the user in",
            discovery::rotation_just_before_signing;
        oidcc_client_test_signing_key_rotation "oidcc-client-test-signing-key-rotation":
            "changes its keys between two sign-ins a moment apart, several times" =>
            "signs the user in each time: it asks for the keys once more",
            discovery::rotation;
    }
    untested {}
}

/// Registration by the client itself, and what only such a client does.
pub mod dynamic {
    use super::plan;
    use crate::scenarios::userinfo;

    plan! {
        "oidcc-client-dynamic-certification-test-plan", "without the modules of the plan above";
        tested {
            oidcc_client_test_userinfo_signed "oidcc-client-test-userinfo-signed":
                "userinfo as a signed JWT; then a spoiled one; then one of another user" =>
                "signs in, if `userinfo.signed_response` says so, then refuses both",
                userinfo::signed;
        }
        untested {
            "oidcc-client-test-discovery-webfinger-acct":
                Outside("the operator names the providers; no user can bring one (server-side request forgery)"),
            "oidcc-client-test-discovery-webfinger-url":
                Outside("the operator names the providers; no user can bring one (server-side request forgery)"),
            "oidcc-client-test-dynamic-registration":
                Outside("an operator registers the client, and keeps its secret; a Worker that registers itself at each start has no place to keep it"),
            "oidcc-client-test-request-uri-signed-rs256":
                Outside("`request_uri` at the client's own address, which FAPI 2.0 forbids; requests are pushed instead"),
            "oidcc-client-test-request-uri-signed-none":
                Outside("`request_uri` at the client's own address, and without a signature"),
        }
    }
}
