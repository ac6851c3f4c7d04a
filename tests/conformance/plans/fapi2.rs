//! FAPI 2.0 with `private_key_jwt` and DPoP, for a client with OpenID Connect.

use crate::table::plan;

/// The modules of both plans.
macro_rules! fapi2_plan {
    ($name:literal, $about:literal, $keys:path, tested { $($tested:tt)* } untested { $($untested:tt)* }) => {
        plan! {
            $name, $about;
            tested {
                fapi2_security_profile_final_client_test_happy_path
                    "fapi2-security-profile-final-client-test-happy-path":
                    "takes pushed requests only, wants `private_key_jwt` with the issuer as `aud`, PKCE and proofs, whose nonce it demands at the token endpoint and at the resource and changes with every answer; names itself in the response" =>
                    "signs the user in; the application gets the bound token with a proof for each request",
                    || fapi2::happy_path(&$keys());
                fapi2_security_profile_final_client_test_happy_path_no_dpop_nonce
                    "fapi2-security-profile-final-client-test-happy-path-no-dpop-nonce":
                    "the same without nonces" => "signs the user in, with one request each",
                    || fapi2::no_dpop_nonce(&$keys());
                fapi2_security_profile_final_client_test_discovery_issuer_mismatch
                    "fapi2-security-profile-final-client-test-discovery-issuer-mismatch":
                    "metadata of another issuer" => "refuses them: nothing is pushed",
                    || fapi2::issuer_mismatch(&$keys());
                fapi2_security_profile_final_client_test_invalid_iss
                    "fapi2-security-profile-final-client-test-invalid-iss":
                    "an ID token of another `iss`" => "refuses it", || fapi2::invalid_iss(&$keys());
                fapi2_security_profile_final_client_test_invalid_aud
                    "fapi2-security-profile-final-client-test-invalid-aud":
                    "an ID token for another client" => "refuses it", || fapi2::invalid_aud(&$keys());
                fapi2_security_profile_final_client_test_invalid_secondary_aud
                    "fapi2-security-profile-final-client-test-invalid-secondary-aud":
                    "an ID token for this client and another one" => "refuses it",
                    || fapi2::invalid_secondary_aud(&$keys());
                fapi2_security_profile_final_client_test_invalid_null_alg
                    "fapi2-security-profile-final-client-test-invalid-null-alg":
                    "an ID token that is not signed (`none`)" => "refuses it", || fapi2::null_alg(&$keys());
                fapi2_security_profile_final_client_test_invalid_alternate_alg
                    "fapi2-security-profile-final-client-test-invalid-alternate-alg":
                    "an ID token signed with RS256, by a published key" => "refuses it",
                    || fapi2::alternate_alg(&$keys());
                fapi2_security_profile_final_client_test_invalid_expired_exp
                    "fapi2-security-profile-final-client-test-invalid-expired-exp":
                    "an ID token that has expired" => "refuses it", || fapi2::expired_exp(&$keys());
                fapi2_security_profile_final_client_test_invalid_missing_exp
                    "fapi2-security-profile-final-client-test-invalid-missing-exp":
                    "an ID token without `exp`" => "refuses it", || fapi2::missing_exp(&$keys());
                fapi2_security_profile_final_client_test_invalid_missing_aud
                    "fapi2-security-profile-final-client-test-invalid-missing-aud":
                    "an ID token without `aud`" => "refuses it", || fapi2::missing_aud(&$keys());
                fapi2_security_profile_final_client_test_invalid_missing_iss
                    "fapi2-security-profile-final-client-test-invalid-missing-iss":
                    "an ID token without `iss`" => "refuses it", || fapi2::missing_iss(&$keys());
                fapi2_security_profile_final_client_test_valid_aud_as_array
                    "fapi2-security-profile-final-client-test-valid-aud-as-array":
                    "an ID token whose `aud` is an array with this client" => "signs the user in",
                    || fapi2::valid_aud_as_array(&$keys());
                fapi2_security_profile_final_client_test_invalid_nonce
                    "fapi2-security-profile-final-client-test-invalid-nonce":
                    "an ID token with the `nonce` of another sign-in" => "refuses it",
                    || fapi2::invalid_nonce(&$keys());
                fapi2_security_profile_final_client_test_invalid_missing_nonce
                    "fapi2-security-profile-final-client-test-invalid-missing-nonce":
                    "an ID token without `nonce`" => "refuses it", || fapi2::missing_nonce(&$keys());
                fapi2_security_profile_final_client_test_ensure_authorization_response_with_invalid_state_fails
                    "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-state-fails":
                    "an authorization response with another `state`" => "signs no one in: the code is not sent on",
                    || fapi2::invalid_state(&$keys());
                fapi2_security_profile_final_client_test_ensure_authorization_response_with_invalid_missing_state_fails
                    "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-missing-state-fails":
                    "an authorization response without `state`" => "signs no one in: the code is not sent on",
                    || fapi2::missing_state(&$keys());
                fapi2_security_profile_final_client_test_token_endpoint_response_without_expires_in
                    "fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in":
                    "tokens without `expires_in`" => "signs the user in, and does not refresh in a loop",
                    || fapi2::without_expires_in(&$keys());
                fapi2_security_profile_final_client_test_token_type_case_insensitivity
                    "fapi2-security-profile-final-client-test-token-type-case-insensitivity":
                    "`token_type` in other capitals; then `Bearer`" => "signs in; then refuses",
                    || fapi2::token_type_case(&$keys());
                fapi2_security_profile_final_client_test_rs_dpop_auth_scheme_case_insensitivity
                    "fapi2-security-profile-final-client-test-rs-dpop-auth-scheme-case-insensitivity":
                    "a resource that demands its nonce, with the scheme in other capitals" => "sends it",
                    || fapi2::scheme_case(&$keys());
                fapi2_security_profile_final_client_refresh_token_test
                    "fapi2-security-profile-final-client-refresh-token-test":
                    "gives new tokens for the bound refresh token, twice" => "uses each once, with the same key",
                    || fapi2::refresh_token(&$keys());
                $($tested)*
            }
            untested {
                "fapi2-security-profile-final-client-test-invalid-openbanking-intent-id":
                    Outside("a claim of Open Banking UK, not of FAPI 2.0"),
                $($untested)*
            }
        }
    };
}

pub mod security_profile {
    use super::plan;
    use crate::scenarios::fapi2;

    fapi2_plan! {
        "fapi2-security-profile-final-client-test-plan",
        "`plain_fapi`, `openid_connect`, `private_key_jwt`, `dpop`, unsigned requests, `plain_response`",
        fapi2::security_profile,
        tested {
            fapi2_security_profile_final_client_test_invalid_authorization_response_iss
                "fapi2-security-profile-final-client-test-invalid-authorization-response-iss":
                "an authorization response of another `iss`" => "refuses it: the code is not sent on",
                || fapi2::invalid_response_iss(&fapi2::security_profile());
            fapi2_security_profile_final_client_test_remove_authorization_response_iss
                "fapi2-security-profile-final-client-test-remove-authorization-response-iss":
                "an authorization response without `iss`" => "refuses it: the code is not sent on",
                || fapi2::removed_response_iss(&fapi2::security_profile());
        }
        untested {}
    }
}

pub mod message_signing {
    use super::plan;
    use crate::scenarios::fapi2;

    fapi2_plan! {
        "fapi2-message-signing-final-client-test-plan",
        "the same with signed requests (JAR) and signed responses (JARM)",
        fapi2::message_signing,
        tested {
            fapi2_security_profile_final_client_test_ensure_jarm_without_iss_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-without-iss-fails":
                "a signed response without `iss`" => "refuses it: the code is not sent on",
                || fapi2::jarm_without_iss(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_iss_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-iss-fails":
                "a signed response of another `iss`" => "refuses it: the code is not sent on",
                || fapi2::jarm_invalid_iss(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_without_aud_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-without-aud-fails":
                "a signed response without `aud`" => "refuses it: the code is not sent on",
                || fapi2::jarm_without_aud(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_aud_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-aud-fails":
                "a signed response for another client" => "refuses it: the code is not sent on",
                || fapi2::jarm_invalid_aud(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_without_exp_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-without-exp-fails":
                "a signed response without `exp`" => "refuses it: the code is not sent on",
                || fapi2::jarm_without_exp(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_with_expired_exp_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-with-expired-exp-fails":
                "a signed response that has expired" => "refuses it: the code is not sent on",
                || fapi2::jarm_expired_exp(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_sig_fails
                "fapi2-security-profile-final-client-test-ensure-jarm-with-invalid-sig-fails":
                "a response with a spoiled signature" => "refuses it: the code is not sent on",
                || fapi2::jarm_invalid_sig(&fapi2::message_signing());
            fapi2_security_profile_final_client_test_ensure_jarm_signature_is_not_none
                "fapi2-security-profile-final-client-test-ensure-jarm-signature-is-not-none":
                "a response that is not signed (`none`)" => "refuses it: the code is not sent on",
                || fapi2::jarm_none(&fapi2::message_signing());
        }
        untested {
            "fapi2-security-profile-final-client-test-invalid-authorization-response-iss":
                Outside("the response is signed, and its `iss` is a claim: the rows about JARM"),
            "fapi2-security-profile-final-client-test-remove-authorization-response-iss":
                Outside("the response is signed, and its `iss` is a claim: the rows about JARM"),
        }
    }
}
