//! What the authorization request of a step-up asks the provider for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::session::claims::Session;
use crate::session::step_up::StepUp;
use vestibule_oidc::json;
use vestibule_oidc::oauth::authorize;
use vestibule_oidc::oauth::discovery::ProviderMetadata;

/// The further parameters of the authorization request: the configured ones, `acr_values` and `max_age` (OpenID Connect Core
/// 1.0 section 3.1.2.1), and where the provider knows `claims`, what the ID token must have (section 5.5.1.1). The session's
/// e-mail address is a hint for a browser that knows several users of this provider.
pub(super) fn parameters(
    configured: &[(String, String)],
    metadata: &ProviderMetadata,
    session: &Session,
    asked: &StepUp,
) -> Vec<(String, String)> {
    let mut parameters: BTreeMap<String, String> = configured.iter().cloned().collect();
    // The user is known. One who does not want to prove more can say so.
    if parameters.get("prompt").is_some_and(|prompt| prompt == "none" || prompt == "select_account") {
        parameters.remove("prompt");
    }
    // Without a wish of its own, it must not come back with less than the session has.
    let acr = asked.acr_values().or_else(|| session.claims().get("acr")?.as_str().map(str::to_owned));
    if let Some(acr) = acr {
        parameters.insert("acr_values".to_owned(), acr);
    }
    if let Some(max_age) = asked.max_age {
        let max_age = authorize::max_age(configured).into_iter().chain([max_age]).min().unwrap_or(max_age);
        parameters.insert("max_age".to_owned(), max_age.as_secs().to_string());
    }
    if metadata.claims_parameter_supported() || parameters.contains_key("claims") {
        let claims = essential(parameters.get("claims").map(String::as_str), asked);
        parameters.insert("claims".to_owned(), claims);
    }
    let email = session.email().and_then(Value::as_str).filter(|email| !email.is_empty());
    if let Some(email) = email {
        parameters.entry("login_hint".to_owned()).or_insert_with(|| email.to_owned());
    }
    parameters.into_iter().collect()
}

/// The parameter `claims`, in which what is asked is essential: a provider that cannot give an `acr` must answer with an error.
fn essential(configured: Option<&str>, asked: &StepUp) -> String {
    let mut claims = configured.and_then(|text| json::object(text.as_bytes())).unwrap_or_default();
    let mut id_token = match claims.remove("id_token") {
        Some(Value::Object(claims)) => claims,
        _ => Map::new(),
    };
    if !asked.acr.is_empty() {
        id_token.insert("acr".to_owned(), json!({ "essential": true, "values": asked.acr }));
    }
    if !asked.amr.is_empty() {
        id_token.insert("amr".to_owned(), json!({ "essential": true }));
    }
    if asked.max_age.is_some() {
        id_token.insert("auth_time".to_owned(), json!({ "essential": true }));
    }
    claims.insert("id_token".to_owned(), Value::Object(id_token));
    Value::Object(claims).to_string()
}
