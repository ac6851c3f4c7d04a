//! A contract test per provider: a provider made from its documentation (`contracts/`, with invented people), with
//! which a user signs in. The test compares the authorization request, each request over the back channel byte by byte,
//! the resulting user, refreshes, and the effect of the provider's own errors.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod contract;
mod fill;
mod findings;
mod proof;
mod provider;
mod signer;
mod walk;

use std::collections::BTreeSet;

use contract::Contract;
use findings::Column;
use serde_json::json;
use vestibule_core::config::{Config, Runtime};
use vestibule_core::presets;
use walk::walk;

/// A test for each contract. The file's name has dashes instead of the test's underscores, and no underscore at
/// its beginning.
macro_rules! contracts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let name = file(stringify!($name));
            let findings = walk(&name, Contract::read(&name));
            assert!(findings.is_empty(), "{name}:\n{}", findings.text());
        })*

        fn tested() -> BTreeSet<String> {
            [$(file(stringify!($name))),*].into()
        }
    };
}

fn file(test: &str) -> String {
    test.trim_start_matches('_').replace('_', "-")
}

contracts! {
    _42_school apple apple_key apple_second_time asgardeo asgardeo_without_path atlassian auth0
    auth0_without_slash authentik authentik_without_slash azure_ad azure_ad_b2c azure_ad_b2c_tfp
    azure_devops bankid_no battlenet beyondidentity bitbucket _box boxyhq_saml bungie click_up cognito
    coinbase concept2 descope discord discord_animated_picture discord_without_picture dribbble dropbox
    duende_identity_server6 eventbrite eveonline facebook faceit figma foursquare freshbooks frontegg
    fusionauth fusionauth_tenant github github_app github_enterprise github_forbidden_addresses
    github_no_name github_no_verified_address gitlab gitlab_own_server google hubspot huggingface hydra
    identity_server4 instagram kakao kakao_nothing_agreed keycloak kinde line linkedin logto mailchimp
    mailru mastodon mattermost medium microsoft_entra_id microsoft_entra_id_common naver netlify netsuite
    nextcloud notion okta okta_private_key onelogin osso osu passage patreon ping_id pinterest pipedrive
    reddit roblox salesforce salesforce_user_id simplelogin slack spotify spotify_without_picture strava
    threads tiktok todoist trakt twitch twitter united_effects vipps vk webex wechat wikimedia wordpress
    workos yandex zitadel zoho zoom
}

#[test]
fn every_contract_is_tested() {
    let contracts = Contract::names();
    let untested: Vec<_> = contracts.difference(&tested()).cloned().collect();
    assert!(untested.is_empty(), "not in the list `contracts!` of this file: {untested:?}");
    let without_file: Vec<_> = tested().difference(&contracts).cloned().collect();
    assert!(without_file.is_empty(), "in the list `contracts!`, but not in contracts/: {without_file:?}");
}

#[test]
fn every_preset_has_a_contract_and_every_contract_a_preset() {
    let kept: BTreeSet<String> =
        Contract::names().iter().map(|name| Contract::read(name).id(name).to_owned()).collect();
    let presets: BTreeSet<String> = presets::ids().map(str::to_owned).collect();
    assert_eq!(presets, kept);
}

#[test]
fn a_difference_from_a_contract_is_reported() {
    for (bend, column) in [
        (json!({ "authorization": { "scope": "openid" } }), Column::Authorization),
        (json!({ "authorization": { "params": { "prompt": "consent" } } }), Column::Authorization),
        (json!({ "authorization": { "pkce": false } }), Column::Authorization),
        (json!({ "authorization": { "omit": ["nonce"] } }), Column::Authorization),
        (json!({ "authorization": { "url": "https://elsewhere.example/authorize" } }), Column::Authorization),
        (json!({ "token": { "auth": "post" } }), Column::Token),
        (json!({ "token": { "body": "grant_type=authorization_code&code={code}" } }), Column::Token),
        (json!({ "token": { "headers": { "x-version": "1" } } }), Column::Token),
        (json!({ "token": { "url": "https://dev-000000.okta.com/oauth2/default/v2/token" } }), Column::Token),
        (json!({ "access_token": "another" }), Column::Token),
        (json!({ "id_token": { "alg": "HS256" } }), Column::Token),
        (json!({ "id_token": { "claims": { "nonce": "another" } } }), Column::Token),
        (json!({ "userinfo": { "response": { "body": {} } } }), Column::Userinfo),
        (json!({ "user": { "name": "Somebody Else" } }), Column::Userinfo),
        (json!({ "user": { "image": "https://pictures.example/ada.png" } }), Column::Userinfo),
        (json!({ "account": { "scope": "all" } }), Column::Userinfo),
        (json!({ "refresh": null }), Column::Refresh),
        (json!({ "refresh": { "exchange": { "body": "refresh_token={refresh_token}" } } }), Column::Refresh),
        (json!({ "refresh": { "access_token": "another" } }), Column::Refresh),
        (json!({ "refresh": { "invalid_grant": { "status": 503 } } }), Column::Refresh),
        (json!({ "logout": { "params": {} } }), Column::Logout),
    ] {
        let findings = walk("okta", Contract::bent("okta", &bend));
        assert_eq!(findings.mark(column), "failed", "{bend}: {}", findings.text());
    }
    for failure in [
        json!({ "at": "token", "response": { "body": { "error": "invalid_scope" } }, "code": "AccessDenied", "log": [] }),
        json!({ "at": "token", "response": { "body": { "error": "invalid_scope" } }, "code": "Configuration", "log": ["words"] }),
    ] {
        let findings = walk("okta", Contract::bent("okta", &json!({ "errors": [failure] })));
        assert_eq!(findings.mark(Column::Token), "failed", "{failure}");
    }
}

/// The table that `cargo xtask providers` prints.
#[test]
#[ignore = "goes through all contracts a second time, for the table"]
fn table() {
    let head: Vec<&str> = Column::ALL.iter().map(|column| column.name()).collect();
    println!("| provider | {} |\n|---|{}", head.join(" | "), "---|".repeat(head.len()));
    let mut failed = Vec::new();
    for name in Contract::names() {
        let findings = walk(&name, Contract::read(&name));
        let marks: Vec<&str> = Column::ALL.iter().map(|column| findings.mark(*column)).collect();
        println!("| {name} | {} |", marks.join(" | "));
        if !findings.is_empty() {
            failed.push(format!("{name}:\n{}", findings.text()));
        }
    }
    let (contracts, presets) = (Contract::names().len(), presets::ids().count());
    println!("\n{contracts} contracts of {presets} providers, {} of them broken", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_runtime_that_cannot_sign_with_rsa_refuses_such_a_key_at_its_start() {
    const RUNTIME: Runtime = Runtime { signs_rsa: false, ..vestibule_testing::RUNTIME };
    let load = |algorithm: &str| {
        let variable = |name: &str| match name {
            "AUTH_SECRET" => Some("a secret of at least 32 characters".to_owned()),
            "AUTH_ACME_PRIVATE_KEY" => Some(signer::pem(algorithm)),
            _ => None,
        };
        let provider = json!({
            "id": "acme",
            "type": "oidc",
            "issuer": "https://idp.example",
            "client_id": "vestibule",
            "token_endpoint_auth_method": "private_key_jwt",
        });
        Config::load(json!({ "providers": [provider] }), &variable, &RUNTIME)
    };
    load("ES256").unwrap();
    let refused = load("RS256").unwrap_err().to_string();
    assert!(refused.contains("AUTH_ACME_PRIVATE_KEY") && refused.contains("ES256"), "{refused}");
}
