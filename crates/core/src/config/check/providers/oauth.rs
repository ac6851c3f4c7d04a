//! A provider of OAuth 2.0 or OpenID Connect. Its preset, if it has one, is already merged into its table.

mod bearer;
mod client;
mod encryption;
mod endpoints;
pub(super) mod fapi2;
mod keys;
mod parameter;
mod parameters;
mod requests;

pub(super) use parameters::{variable, variable_prefix};

use serde_json::Value;

use super::user;
use crate::config::check::names::{OAUTH_USER_ROOTS, is_scope};
use crate::config::error::suggestion;
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::{DERIVED_IMAGES, EXCHANGE_DIALECTS};
use crate::config::schema::providers::requests::PROFILES;
use crate::config::table::{Table, Text};
use crate::session::own_claims::is_own_claim;
use parameter::{algorithm, check_own_parameter, check_parameter};
use parameters::Parameters;
use vestibule_oidc::data::Source;
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::oauth::provider::{
    AuthorizationConfig, ClientConfig, DerivedImage, GroupsOverage, IdTokenAlgorithm, LogoutConfig,
    OAuthProvider, OpenId, RefreshTokenNeeds, RevocationConfig, UserSources,
};
use vestibule_oidc::oauth::{authorization_details, authorize};
use vestibule_oidc::presets::{ids, preset};

pub(super) fn oauth(id: &str, is_openid: bool, provider: &Table<'_>) -> Box<OAuthProvider> {
    let mut parameters = Parameters::new(id, provider);
    let method = client::method(provider);
    client::refuse_written_secret(&parameters);
    fapi2::check(is_openid, provider);
    let issuer = issuer(is_openid, &mut parameters);
    let parameters = &parameters;
    let well_known = parameters.url(provider, "well_known");
    let jwks = parameters.url(provider, "jwks");
    let token_issuer = provider.text("token_issuer").and_then(|text| parameters.fill(&text));
    let algorithm = id_token_algorithm(provider);
    let client = if provider.place.loading.leaves_clients {
        ClientConfig::default()
    } else {
        client::client(method, algorithm, parameters)
    };
    let scope = scope(is_openid, provider);
    let authorization = authorization(is_openid, issuer.as_deref(), parameters);
    let token = endpoints::token(is_openid, parameters);
    let user = user(is_openid, parameters);
    let userinfo = endpoints::userinfo(!is_openid && needs_profile(&user), parameters);
    let emails = endpoints::emails(parameters);
    let derived_image = derived_image(provider);
    let logout = logout(is_openid, parameters);
    let token_revocation = token_revocation(is_openid, parameters);
    if !is_openid && !provider.table("authorization").has("url") {
        refuse!(provider.at("authorization"), "the authorization endpoint is missing; write its URL");
    }
    let openid = is_openid.then(|| OpenId {
        issuer: issuer.clone().unwrap_or_default(),
        token_issuer,
        well_known,
        jwks,
        id_token_algorithm: algorithm,
        nonce: provider.flag("nonce").unwrap_or(true),
        accept_bearer: bearer::accept_bearer(method, parameters),
        param_claims: param_claims(provider, &authorization.params),
        groups_overage: groups_overage(parameters),
        backchannel_logout: backchannel_logout(provider),
        frontchannel_logout: provider.flag("frontchannel_logout").unwrap_or(false),
        initiate_login: provider.flag("initiate_login").unwrap_or(false),
    });
    Box::new(OAuthProvider {
        openid,
        issuer,
        client,
        scope,
        authorization,
        token,
        userinfo,
        emails,
        derived_image,
        user,
        logout,
        token_revocation,
        strict_rotation: provider.flag("strict_rotation").unwrap_or(false),
        refresh_token_needs: refresh_token_needs(provider),
        response_encryption: encryption::response_encryption(is_openid, parameters),
        profile: provider.chosen("profile", &PROFILES),
        dpop: provider.flag("dpop").unwrap_or(false),
        exchange_dialect: provider.chosen("token_exchange", &EXCHANGE_DIALECTS).unwrap_or_default(),
    })
}

/// The client that [`oauth`] has left.
pub(super) fn client(id: &str, provider: &Table<'_>) -> ClientConfig {
    client::client(client::method(provider), id_token_algorithm(provider), &Parameters::new(id, provider))
}

fn groups_overage(parameters: &Parameters<'_>) -> Option<GroupsOverage> {
    let table = parameters.provider.table("groups_overage");
    if !table.is_written() {
        return None;
    }
    let Some(url) = parameters.url(&table, "url") else {
        if !table.has("url") {
            refuse!(
                table.at("url"),
                "the endpoint is missing; write the URL of Microsoft Graph's getMemberGroups"
            );
        }
        return None;
    };
    Some(GroupsOverage { url, keep: table.strings("keep") })
}

fn refresh_token_needs(provider: &Table<'_>) -> RefreshTokenNeeds {
    let needs = provider.table("refresh_token_needs");
    let params = needs.table("authorization_params");
    let params = params.entries();
    RefreshTokenNeeds {
        scopes: needs.strings("scope"),
        params: params.iter().map(|text| (text.name().to_owned(), text.text.to_owned())).collect(),
    }
}

/// The issuer identifier: `https`, without query and fragment ([OpenID Connect Discovery 1.0 section
/// 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)). It is kept byte for byte, because it is
/// compared as a string.
fn issuer(is_needed: bool, parameters: &mut Parameters<'_>) -> Option<String> {
    let provider = parameters.provider;
    let Some(given) = parameters.given("issuer") else {
        if is_needed && provider.has("preset") {
            parameters.refuse_missing("issuer");
        } else if is_needed {
            let mut hint = suggestion(parameters.id, &ids().collect::<Vec<_>>());
            if !hint.starts_with("did you mean") {
                "see docs/providers.md for the presets".clone_into(&mut hint);
            }
            refuse!(
                provider.at("id"),
                "there is no preset of this name ({hint})",
                "a provider without a preset needs an issuer",
            );
        }
        return None;
    };
    let given = given.text(provider);
    let mut issuer = parameters.fill(&given)?;
    if let Some(suffix) = provider.str("issuer_suffix") {
        let base = issuer.strip_suffix('/').unwrap_or(&issuer);
        if !base.ends_with(suffix) {
            issuer = format!("{base}{suffix}");
        }
    }
    let text = given.with(&issuer);
    let url = text.parsed(endpoint)?;
    if url.query().is_some() {
        refuse!(text, "{text}: an issuer cannot have a query; remove \"?\" and what follows it");
    }
    parameters.set_issuer(&issuer, &url);
    Some(issuer)
}

fn id_token_algorithm(provider: &Table<'_>) -> Option<IdTokenAlgorithm> {
    let name = provider.text("id_token_signed_response_alg")?;
    if name.text == "HS256" {
        return Some(IdTokenAlgorithm::Hs256);
    }
    algorithm(&name, &["HS256"]).map(IdTokenAlgorithm::Of)
}

fn scope(is_openid: bool, provider: &Table<'_>) -> Option<String> {
    if !provider.has("scope") {
        // OpenID Connect Core 1.0 section 5.4. `offline_access` is not a default: several providers reject the whole
        // authorization request of a client that may not use this scope.
        return is_openid.then(|| "openid profile email".to_owned());
    }
    let texts = provider.texts("scope");
    let mut scopes: Vec<&str> = Vec::new();
    for text in &texts {
        for scope in text.text.split(' ').filter(|scope| !scope.is_empty()) {
            if !is_scope(scope) {
                let scope = text.with(scope);
                refuse!(scope, "{scope} is not a valid scope");
                return None;
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
    }
    let scope = scopes.join(" ");
    if is_openid && !scopes.contains(&"openid") && !needs_no_openid_scope(provider.str("preset")) {
        let with_it = format!("openid {scope}");
        let with_it = with_it.trim_end();
        refuse!(
            provider.at("scope"),
            "\"openid\" is missing; without it, the provider gives no ID token",
            "write {with_it:?}"
        );
    }
    Some(scope).filter(|scope| !scope.is_empty())
}

/// Whether the provider of a preset issues ID tokens without the scope `openid`: then the preset's own scope lacks it.
fn needs_no_openid_scope(name: Option<&str>) -> bool {
    let scope = |name| preset(name)?.get("scope")?.as_str().map(str::to_owned);
    name.and_then(scope).is_some_and(|scope| !scope.split(' ').any(|scope| scope == "openid"))
}

fn authorization(is_openid: bool, issuer: Option<&str>, parameters: &Parameters<'_>) -> AuthorizationConfig {
    let provider = parameters.provider;
    let table = provider.table("authorization");
    let endpoint =
        table.str("url").and_then(|text| parameters.filled_url(&Text { text, place: table.place }));
    if let Some(text) = provider.text("response_type")
        && (text.text.is_empty()
            || text.text.split(' ').any(|part| matches!(part, "token" | "id_token" | "none"))
            || !text.text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')))
    {
        refuse!(text, "{text}: only the authorization code flow is supported", "remove response_type");
    }
    if let Some(name) = provider.text("callback_profile_param") {
        check_own_parameter(&name, &authorize::RESERVED);
        check_own_parameter(&name, &["code", "iss", "error"]);
    }
    if let Some(fragment) = table.text("fragment")
        && !fragment.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        refuse!(fragment, "the fragment can have letters, digits and \"_\" only");
    }
    let mut params = authorization_params(parameters, "authorization_params");
    let details = requests::details(parameters);
    if !details.is_empty() {
        params.push((authorization_details::NAME.to_owned(), Value::from(details.clone()).to_string()));
    }
    AuthorizationConfig {
        endpoint,
        fragment: table.string("fragment"),
        params,
        switch_account_params: switch_account_params(parameters),
        response_type: provider.str("response_type").unwrap_or("code").to_owned(),
        response_mode: requests::response_mode(is_openid, parameters),
        pkce: provider.flag("pkce").unwrap_or(true),
        callback_profile_param: provider.string("callback_profile_param"),
        pushed: requests::pushed(is_openid, parameters),
        request_object: requests::request_object(issuer, parameters),
        details,
    }
}

/// The parameters with which the provider asks for the account.
fn switch_account_params(parameters: &Parameters<'_>) -> Vec<(String, String)> {
    if !parameters.provider.has("switch_account_params") {
        return vec![("prompt".to_owned(), "select_account".to_owned())];
    }
    authorization_params(parameters, "switch_account_params")
}

fn authorization_params(parameters: &Parameters<'_>, key: &str) -> Vec<(String, String)> {
    let table = parameters.provider.table(key);
    let mut params = Vec::new();
    for (name, value) in table.names() {
        let json;
        let text = match value {
            Value::String(text) => text,
            value => {
                json = value.to_string();
                &json
            }
        };
        let text = Text { text, place: table.at(name) };
        if authorize::RESERVED.contains(&name) || name == "response_mode" {
            if matches!(name, "scope" | "response_mode" | "response_type" | "client_id") {
                refuse!(
                    text,
                    "Vestibule sets this parameter itself",
                    "write {name} as a key of the provider"
                );
            } else {
                refuse!(text, "Vestibule sets this parameter itself", "remove it");
            }
            continue;
        }
        check_parameter(&text);
        let value = if value.is_string() { parameters.fill(&text) } else { Some(text.text.to_owned()) };
        // An empty value removes the preset's parameter.
        params.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    }
    params
}

/// The values of authorization parameters that the ID token must repeat, each with the claims that may have it.
fn param_claims(provider: &Table<'_>, params: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let rules = provider.table("authorization_param_claims");
    let mut claims = Vec::new();
    for (name, value) in params {
        if rules.has(name) {
            claims.push((value.clone(), rules.strings(name)));
        }
    }
    claims
}

fn derived_image(provider: &Table<'_>) -> Option<DerivedImage> {
    provider.chosen("derived_image", &DERIVED_IMAGES)
}

/// Whether a sign-out also ends the session at the provider, and at which URL.
fn logout(is_openid: bool, parameters: &Parameters<'_>) -> Option<LogoutConfig> {
    let provider = parameters.provider;
    if let Some(name) = provider.text("logout_redirect_param") {
        check_own_parameter(&name, &["client_id", "id_token_hint", "logout_hint", "state"]);
    }
    if let Some(claim) = provider.text("logout_hint")
        && (claim.text.is_empty()
            || !["sub", "provider_sid"].contains(&claim.text) && is_own_claim(claim.text))
    {
        refuse!(
            claim,
            "{claim} is not a claim about the user",
            "write \"sub\", \"email\", \"provider_sid\", or a claim of AUTH.claims"
        );
    }
    let endpoint = parameters.url(provider, "logout");
    if matches!(provider.value("logout")?, Value::Bool(false)) {
        return None;
    }
    if !is_openid && !provider.value("logout")?.is_string() {
        refuse!(
            provider.at("logout"),
            "an OAuth 2 provider publishes no logout endpoint",
            "write its URL instead of true, if it has one"
        );
    }
    let redirect_param =
        provider.str("logout_redirect_param").unwrap_or(LogoutConfig::REDIRECT_PARAM).to_owned();
    let hint_claim = provider.str("logout_hint").unwrap_or("sub").to_owned();
    Some(LogoutConfig { endpoint, redirect_param, hint_claim })
}

/// Whether the provider's logout tokens end sessions. They are found by their issuer, so there must be one.
fn backchannel_logout(provider: &Table<'_>) -> bool {
    let is_on = provider.flag("backchannel_logout").unwrap_or(false);
    if is_on && provider.has("token_issuer") {
        refuse!(
            provider.at("backchannel_logout"),
            "the tokens of this provider have many issuers (token_issuer), and it sends no logout tokens",
            "write frontchannel_logout = true instead"
        );
    }
    is_on
}

/// Whether a sign-out revokes the refresh token, and at which URL.
fn token_revocation(is_openid: bool, parameters: &Parameters<'_>) -> Option<RevocationConfig> {
    let provider = parameters.provider;
    let endpoint = parameters.url(provider, "token_revocation");
    match provider.value("token_revocation") {
        None => is_openid.then_some(RevocationConfig { endpoint: None, is_required: false }),
        Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) if !is_openid => {
            refuse!(
                provider.at("token_revocation"),
                "an OAuth 2 provider publishes no revocation endpoint",
                "write its URL instead of true, if it has one"
            );
            None
        }
        Some(value) => Some(RevocationConfig { endpoint, is_required: value.is_boolean() }),
    }
}

/// Where the user's id, name, email address and image come from. The defaults are the standard claims of [OpenID Connect
/// Core 1.0 section 5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims), as in Auth.js.
fn user(is_openid: bool, parameters: &Parameters<'_>) -> UserSources {
    let table = parameters.provider.table("user");
    let source = |key: &str, usual: &[&str]| {
        user::source(&table, key, usual, &OAUTH_USER_ROOTS, &mut |text| parameters.fill_template(text))
    };
    let is_subject = is_openid && !table.has("id");
    UserSources {
        id: if is_subject { None } else { Some(source("id", &["profile.sub", "profile.id"])) },
        name: source("name", &["profile.name", "profile.nickname", "profile.preferred_username"]),
        email: source("email", &["profile.email"]),
        image: source("image", &["profile.picture"]),
    }
}

/// Whether the user's id can come from the profile, so that userinfo is needed.
fn needs_profile(user: &UserSources) -> bool {
    let id: Option<&Source> = user.id.as_ref();
    id.is_none_or(|id| id.paths().iter().any(|path| path.root() == "profile"))
}
