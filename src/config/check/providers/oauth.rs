//! A provider of OAuth 2 or OpenID Connect, as it is written: by its user, over what its preset says.

mod client;
mod endpoints;
mod parameters;

pub(super) use parameters::variable as parameter_variable;

use serde_json::Value;

use super::user;
use crate::config::check::Env;
use crate::config::data::{DataPath, Source};
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::oauth::{
    AuthorizationConfig, Completion, IdTokenAlgorithm, LogoutConfig, OAuthProvider, OpenId, UserSources,
};
use crate::config::raw::{RawOAuth, RawProvider, RawUser, Strings};
use crate::http::origin::endpoint;
use crate::http::url::Url;
use crate::jose::jws::Algorithm;
use crate::oauth::authorize;
use crate::providers::{ids, preset};
use parameters::Parameters;

/// What sign-in knows of a person: the answer of userinfo, with the ID token's claims before it; the token
/// response; the ID token's claims; those of an access token that is a JWT.
const USER_ROOTS: [&str; 4] = ["profile", "account", "id_token", "access_token"];

pub(super) fn oauth(
    id: &str,
    is_openid: bool,
    raw: &RawProvider<'_>,
    place: &Place,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<OAuthProvider> {
    let written = &raw.oauth;
    let identity = client::Identity { id, written, place, env };
    let method = identity.method(problems);
    identity.refuse_written_secret(problems);
    let mut parameters = Parameters::new(id, raw.preset, written, place, env);
    let issuer = issuer(id, is_openid, written, &mut parameters, problems);
    let well_known = url(written.well_known, "well_known", &mut parameters, problems);
    let jwks = url(written.jwks, "jwks", &mut parameters, problems);
    let token_issuer =
        written.token_issuer.and_then(|text| parameters.fill(text, &place.key("token_issuer"), problems));
    let algorithm = id_token_algorithm(written, place, problems);
    let client = identity.client(method, algorithm, &mut parameters, problems);
    let scope = scope(is_openid, raw, &place.key("scope"), problems);
    let authorization = authorization(written, &mut parameters, problems);
    let token = endpoints::token(written.token.as_ref(), is_openid, &mut parameters, problems);
    let user = user(raw.user.as_ref(), is_openid, &mut parameters, problems);
    let is_profile_needed = !is_openid && user.as_ref().is_none_or(needs_profile);
    let userinfo =
        endpoints::userinfo(written.userinfo.as_ref(), is_profile_needed, &mut parameters, problems);
    let emails = match &written.emails {
        Some(raw) => Some(endpoints::emails(raw, &mut parameters, problems)?),
        None => None,
    };
    let email_verified =
        email_verified(written.email_verified.as_ref(), &place.key("email_verified"), problems);
    let complete = complete(written, place, problems);
    let logout = logout(written, is_openid, &mut parameters, problems);
    if !is_openid && authorization.as_ref().is_some_and(|authorization| authorization.endpoint.is_none()) {
        problems.refuse(&place.key("authorization"), "missing: where people are sent to sign in");
    }

    let authorization = authorization?;
    let enforced = enforced(written, &authorization.params);
    let (issuer, algorithm) = (issuer?, algorithm?);
    let openid = match (is_openid, &issuer) {
        (true, Some(issuer)) => Some(OpenId {
            issuer: issuer.clone(),
            token_issuer,
            well_known: well_known?,
            jwks: jwks?,
            id_token_algorithm: algorithm,
            nonce: written.nonce.unwrap_or(true),
            accept_bearer: super::accept_bearer(raw, &place.key("accept_bearer").key("audience"), problems),
            enforced,
        }),
        _ => None,
    };
    Some(OAuthProvider {
        openid,
        issuer,
        client: client?,
        scope: scope?,
        authorization,
        token: token?,
        userinfo: userinfo?,
        emails,
        email_verified: email_verified?,
        complete: complete?,
        user: user?,
        logout: logout?,
        strict_rotation: raw.strict_rotation.unwrap_or(false),
    })
}

/// OpenID Connect Discovery 1.0 section 3: `https`, no query, no fragment; kept byte for byte, because it is
/// compared as a string. The outer `None` where something is wrong.
#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn issuer(
    id: &str,
    is_needed: bool,
    written: &RawOAuth<'_>,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<Option<String>> {
    let place = parameters.place.clone();
    let Some((at, text)) = parameters.given("issuer") else {
        if parameters.preset.is_some() && is_needed {
            parameters.refuse_missing("issuer", problems);
            return None;
        }
        if is_needed {
            let known: Vec<&str> = ids().collect();
            let hint = match suggestion(id, &known) {
                near if near.starts_with("did you mean") => near,
                _ => "docs/providers.md lists the presets".to_owned(),
            };
            problems.refuse_and_mend(
                &place.key("id"),
                format!("no preset, and no issuer is given ({hint})"),
                "a provider that is no preset needs its issuer",
            );
            return None;
        }
        return Some(None);
    };
    let mut issuer = parameters.fill(&text, &at, problems)?;
    if let Some(suffix) = written.issuer_suffix {
        let base = issuer.strip_suffix('/').unwrap_or(&issuer);
        if !base.ends_with(suffix) {
            issuer = format!("{base}{suffix}");
        }
    }
    let url = problems.parsed(&at, &issuer, endpoint(&issuer))?;
    if url.query().is_some() {
        problems.refuse(&at, format!("{}: an issuer has no query (?...)", quoted(&issuer)));
        return None;
    }
    parameters.set_issuer(&issuer, &url);
    Some(Some(issuer))
}

/// A URL that may be written; the outer `None` where something is wrong.
#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn url(
    text: Option<&str>,
    key: &str,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<Option<Url>> {
    let Some(text) = text else { return Some(None) };
    let place = parameters.place.key(key);
    let text = parameters.fill(text, &place, problems)?;
    problems.parsed(&place, &text, endpoint(&text)).map(Some)
}

#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn id_token_algorithm(
    written: &RawOAuth<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Option<IdTokenAlgorithm>> {
    let Some(name) = written.id_token_signed_response_alg else { return Some(None) };
    let mut choices = vec![("HS256", IdTokenAlgorithm::Hs256)];
    choices.extend(Algorithm::ALL.map(|algorithm| (algorithm.name(), IdTokenAlgorithm::Of(algorithm))));
    problems.chosen(&place.key("id_token_signed_response_alg"), name, &choices).map(Some)
}

#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn scope(
    is_openid: bool,
    raw: &RawProvider<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Option<String>> {
    let Some(written) = &raw.oauth.scope else {
        // OpenID Connect Core 1.0 section 5.4. `offline_access` is left to the configuration: several
        // providers refuse the whole sign-in where an application was not granted it.
        return Some(is_openid.then(|| "openid profile email".to_owned()));
    };
    let scopes = scopes(written, place, problems)?;
    if is_openid && !scopes.contains(&"openid") && !means_openid(raw.preset) {
        let mend = format!("write {:?}", format!("openid {}", scopes.join(" ")).trim_end());
        problems.refuse_and_mend(place, "\"openid\" is missing, without which there is no ID token", mend);
        return None;
    }
    Some(Some(scopes.join(" ")).filter(|scope| !scope.is_empty()))
}

fn scopes<'a>(written: &Strings<'a>, place: &Place, problems: &mut Problems) -> Option<Vec<&'a str>> {
    let mut scopes: Vec<&str> = Vec::new();
    for (place, text) in written.iter(place) {
        // RFC 6749 section 3.3.
        let is_scope = |b: u8| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~');
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !scope.bytes().all(is_scope) {
                problems.refuse(&place, format!("{} is no scope", quoted(scope)));
                return None;
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
    }
    Some(scopes)
}

/// Whether that preset's provider gives ID tokens without being asked for them by scope.
fn means_openid(name: Option<&str>) -> bool {
    let scope = |name| preset(name)?.get("scope")?.as_str().map(str::to_owned);
    name.and_then(scope).is_some_and(|scope| !scope.split(' ').any(|scope| scope == "openid"))
}

fn authorization(
    written: &RawOAuth<'_>,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<AuthorizationConfig> {
    const MODES: [(&str, bool); 2] = [("query", false), ("form_post", true)];
    let place = parameters.place.clone();
    let section = place.key("authorization");
    let raw = written.authorization.as_ref();
    let endpoint = match raw.and_then(|raw| raw.url) {
        Some(text) => {
            let text = parameters.fill(text, &section, problems)?;
            Some(problems.parsed(&section, &text, endpoint(&text))?)
        }
        None => None,
    };
    let form_post = match written.response_mode {
        Some(mode) => problems.chosen(&place.key("response_mode"), mode, &MODES)?,
        None => false,
    };
    let response_type = written.response_type.unwrap_or("code");
    if response_type.is_empty()
        || response_type.split(' ').any(|part| matches!(part, "token" | "id_token" | "none"))
        || !response_type.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    {
        let problem = format!("{}: only a code is read from the response", quoted(response_type));
        problems.refuse_and_mend(&place.key("response_type"), problem, "leave it out");
    }
    let mut name = |name: Option<&str>, key: &str| {
        let name = name?;
        if !is_parameter(name)
            || authorize::RESERVED.contains(&name)
            || matches!(name, "code" | "iss" | "error")
        {
            problems
                .refuse(&place.key(key), format!("{} is no name of a parameter of its own", quoted(name)));
        }
        Some(name.to_owned())
    };
    let callback_profile = name(written.callback_profile, "callback_profile");
    let fragment = raw.and_then(|raw| raw.fragment);
    if fragment.is_some_and(|text| !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        problems.refuse(&section.key("fragment"), "letters, digits and \"_\" only");
    }
    Some(AuthorizationConfig {
        endpoint,
        fragment: fragment.map(str::to_owned),
        params: authorization_params(written, parameters, problems),
        response_type: response_type.to_owned(),
        form_post,
        pkce: written.pkce.unwrap_or(true),
        callback_profile,
    })
}

fn authorization_params(
    written: &RawOAuth<'_>,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let section = parameters.place.key("authorization_params");
    let mut params = Vec::new();
    for (name, value) in written.authorization_params.iter().flatten() {
        let place = section.key(name);
        if authorize::RESERVED.contains(name) || *name == "response_mode" {
            let mend = match *name {
                "scope" | "response_mode" | "response_type" | "client_id" => {
                    format!("write {name} beside id")
                }
                _ => "leave it out".to_owned(),
            };
            problems.refuse_and_mend(&place, "Vestibule sets this parameter itself", mend);
        } else if !is_parameter(name) {
            problems.refuse(&place, "a parameter's name has no white space");
        } else {
            let value = match value.as_str() {
                Some(text) => parameters.fill(text, &place, problems),
                None => Some(crate::json::text(value)),
            };
            // An empty one takes the preset's away.
            params.extend(value.filter(|value| !value.is_empty()).map(|value| ((*name).to_owned(), value)));
        }
    }
    params
}

/// Whether a text can be a parameter's name.
fn is_parameter(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// The configured parameters that the ID token must repeat.
fn enforced(written: &RawOAuth<'_>, params: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let rules = written.enforce.iter().flatten();
    let value = |name: &str| params.iter().find(|(param, _)| param == name).map(|(_, value)| value.clone());
    let root = Place::root();
    rules
        .filter_map(|(name, claims)| {
            Some((value(name)?, claims.iter(&root).map(|(_, claim)| claim.to_owned()).collect()))
        })
        .collect()
}

#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn complete(written: &RawOAuth<'_>, place: &Place, problems: &mut Problems) -> Option<Option<Completion>> {
    const RULES: [(&str, Completion); 1] = [("discord-image", Completion::DiscordImage)];
    let Some(name) = written.complete else { return Some(None) };
    problems.chosen(&place.key("complete"), name, &RULES).map(Some)
}

/// Whether, and where, people sign out at the provider, too; the outer `None` where something is wrong.
#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn logout(
    written: &RawOAuth<'_>,
    is_openid: bool,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<Option<LogoutConfig>> {
    let place = parameters.place.clone();
    let redirect_param = written.logout_redirect_param.unwrap_or("post_logout_redirect_uri");
    if !is_parameter(redirect_param) || redirect_param == "client_id" {
        let problem = format!("{} is no name of a parameter of its own", quoted(redirect_param));
        problems.refuse(&place.key("logout_redirect_param"), problem);
    }
    let place = place.key("logout");
    let endpoint = match written.logout {
        None | Some(Value::Bool(false)) => return Some(None),
        Some(Value::String(text)) => {
            let text = parameters.fill(text, &place, problems)?;
            Some(problems.parsed(&place, &text, endpoint(&text))?)
        }
        Some(_) if is_openid => None,
        Some(_) => {
            let mend = "write the URL instead, if it has one";
            problems.refuse_and_mend(&place, "this provider tells nobody where its session ends", mend);
            return None;
        }
    };
    Some(Some(LogoutConfig { endpoint, redirect_param: redirect_param.to_owned() }))
}

/// Who that is. What is not written is where OpenID Connect Core 1.0 section 5.1 has it, and where Auth.js
/// looks for it.
fn user(
    raw: Option<&RawUser<'_>>,
    is_openid: bool,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<UserSources> {
    let empty = RawUser::default();
    let raw = raw.unwrap_or(&empty);
    let section = parameters.place.key("user");
    let mut source = |written: Option<&Strings<'_>>, key: &str, usual: &[&str]| {
        let place = section.key(key);
        let texts: Vec<(Place, String)> = match written {
            Some(written) => written
                .iter(&place)
                .filter_map(|(place, text)| {
                    let text = parameters.fill(text, &place, problems)?;
                    Some((place, text))
                })
                .collect(),
            None => usual.iter().map(|text| (place.clone(), (*text).to_owned())).collect(),
        };
        user::source(&texts, &USER_ROOTS, &place, problems)
    };
    let id = match &raw.id {
        None if is_openid => None,
        written => Some(source(written.as_ref(), "id", &["profile.sub", "profile.id"])?),
    };
    let names = ["profile.name", "profile.nickname", "profile.preferred_username"];
    Some(UserSources {
        id,
        name: source(raw.name.as_ref(), "name", &names)?,
        email: source(raw.email.as_ref(), "email", &["profile.email"])?,
        image: source(raw.image.as_ref(), "image", &["profile.picture"])?,
    })
}

/// Where it is said whether the e-mail address is verified; OpenID Connect Core 1.0 section 5.1 where that is not
/// written.
fn email_verified(
    written: Option<&Strings<'_>>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Vec<DataPath>> {
    let usual =
        || ["id_token.email_verified", "profile.email_verified"].map(|text| (place.clone(), text)).to_vec();
    let texts = written.map_or_else(usual, |written| written.iter(place).collect());
    texts.into_iter().map(|(place, text)| user::answer_path(text, &USER_ROOTS, &place, problems)).collect()
}

/// Whether nobody is known without a profile.
fn needs_profile(user: &UserSources) -> bool {
    let id: Option<&Source> = user.id.as_ref();
    id.is_none_or(|id| id.paths().iter().any(|path| path.root() == "profile"))
}
