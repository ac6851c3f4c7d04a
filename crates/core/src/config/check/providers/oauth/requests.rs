//! Authorization requests that are pushed, signed or rich, and signed responses.

use serde_json::Value;

use super::parameters::Parameters;
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::RESPONSE_MODES;
use vestibule_oidc::oauth::authorization_details;
use vestibule_oidc::oauth::provider::{PushedRequests, ResponseMode, When};

pub(super) fn response_mode(is_openid: bool, parameters: &Parameters<'_>) -> ResponseMode {
    let provider = parameters.provider;
    let mode = provider.chosen("response_mode", &RESPONSE_MODES).unwrap_or_default();
    if mode.is_signed() && !is_openid {
        refuse!(
            provider.at("response_mode"),
            "an OAuth 2 provider publishes no keys, with which a signed response could be verified",
            "remove it, or write type = \"oidc\""
        );
    }
    mode
}

/// Whether requests are pushed, and to which URL.
pub(super) fn pushed(is_openid: bool, parameters: &Parameters<'_>) -> PushedRequests {
    const KEY: &str = "pushed_authorization_requests";
    let provider = parameters.provider;
    let endpoint = parameters.url(provider, KEY);
    let when = match provider.value(KEY) {
        None => When::Required,
        Some(Value::Bool(false)) => When::Never,
        Some(value) => {
            if value.is_boolean() && !is_openid {
                refuse!(
                    provider.at(KEY),
                    "an OAuth 2 provider publishes no endpoint for pushed requests",
                    "write its URL instead of true, if it has one"
                );
            }
            When::Always
        }
    };
    PushedRequests { when, endpoint }
}

/// When requests are signed, and that their audience is known.
pub(super) fn request_object(issuer: Option<&str>, parameters: &Parameters<'_>) -> When {
    let provider = parameters.provider;
    let refuse_without_issuer = |key: &str, what: &str| {
        let place = provider.at(key);
        if issuer.is_none() && !provider.at("issuer").is_refused() && !provider.at("id").is_refused() {
            refuse!(place, "{what} is for the issuer, and there is none", "write issuer");
        }
    };
    if provider.str("client_assertion_audience") == Some("issuer") {
        refuse_without_issuer("client_assertion_audience", "the assertion");
    }
    match provider.flag("request_object") {
        None => When::Required,
        Some(false) => When::Never,
        Some(true) => {
            refuse_without_issuer("request_object", "a signed request");
            When::Always
        }
    }
}

/// The items of `authorization_details`, which are sent as JSON.
pub(super) fn details(parameters: &Parameters<'_>) -> Vec<Value> {
    let provider = parameters.provider;
    let Some(value) = provider.value(authorization_details::NAME) else { return Vec::new() };
    let place = provider.at(authorization_details::NAME);
    if !authorization_details::is_valid(value) {
        refuse!(
            place,
            "expected an array of tables that each have a type, and whose actions, locations, datatypes and privileges are \
             arrays of strings",
            "write it like [{{ type = \"account_information\", actions = [\"read\"] }}]"
        );
        return Vec::new();
    }
    for params in ["authorization_params", "switch_account_params"] {
        let params = provider.table(params);
        if params.has(authorization_details::NAME) {
            refuse!(
                params.at(authorization_details::NAME),
                "this parameter is also the key authorization_details",
                "remove it"
            );
        }
    }
    value.as_array().cloned().unwrap_or_default()
}
