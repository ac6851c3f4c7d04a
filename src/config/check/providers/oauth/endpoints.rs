//! What is asked at a provider's endpoints, as it is written.

use serde_json::Value;

use super::parameters::Parameters;
use crate::config::check::providers::credentials::request::{self, GET_OR_POST, Known};
use crate::config::credentials::ApiRequest;
use crate::config::data::{DataPath, Template};
use crate::config::error::{Place, Problems, quoted};
use crate::config::oauth::{EmailsConfig, TokenConfig, UserinfoConfig, UserinfoRequest, UserinfoWhen};
use crate::config::raw::{RawEmails, RawRequest, RawToken, RawUserinfo};
use crate::http::origin::endpoint;
use crate::http::request::Method;
use crate::secret::Secret;

/// What the templates of the token request know.
const TOKEN_NAMES: [&str; 5] = ["grant", "code", "state", "client_secret", "redirect_uri"];
/// What the templates of the userinfo request know.
const USERINFO_NAMES: [&str; 3] = ["access_token", "account", "api_key"];

pub(super) fn token(
    raw: Option<&RawToken<'_>>,
    is_openid: bool,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<TokenConfig> {
    const METHODS: [(&str, &str); 2] = [("POST", "POST"), ("GET", "GET")];
    let place = parameters.place.key("token");
    let empty = RawToken::default();
    let raw = raw.unwrap_or(&empty);
    if raw.url.is_none() && !is_openid {
        problems.refuse(&place, "missing: where a code becomes tokens");
    }
    let mut url = |text: Option<&str>, key: &str| {
        let Some(text) = text else { return Some(None) };
        let place = place.key(key);
        let text = parameters.fill(text, &place, problems)?;
        problems.parsed(&place, &text, endpoint(&text)).map(Some)
    };
    let endpoint = url(raw.url, "url");
    let refresh_endpoint = url(raw.refresh_url, "refresh_url");
    let method = match raw.method {
        Some(name) => Method::new(problems.chosen(&place.key("method"), name, &METHODS)?),
        None => Method::Post,
    };
    let params = templates(raw.params.as_deref(), &place.key("params"), &TOKEN_NAMES, parameters, problems);
    let of_refresh = raw.refresh_params.as_deref();
    let refresh_params =
        templates(of_refresh, &place.key("refresh_params"), &TOKEN_NAMES, parameters, problems);
    let mut headers = Vec::new();
    for (name, text) in raw.headers.iter().flatten() {
        let place = place.key("headers").key(name);
        let text = parameters.fill(text, &place, problems)?;
        request::check_header(name, &place, problems);
        if !crate::api::request::is_field_value(&text) {
            problems.refuse(&place, format!("{} has characters that no header field carries", quoted(&text)));
        }
        headers.push((name.to_ascii_lowercase(), text));
    }
    let gone = raw.gone.iter().flat_map(|gone| gone.iter(&place)).map(|(_, code)| code.to_owned()).collect();
    Some(TokenConfig {
        endpoint: endpoint?,
        refresh_endpoint: refresh_endpoint?,
        method,
        grant_type: raw.grant_type.map(str::to_owned),
        params: params?,
        refresh_params: refresh_params?,
        headers,
        root: path(raw.root, &place.key("root"), problems)?,
        gone,
    })
}

pub(super) fn userinfo(
    raw: Option<&RawUserinfo<'_>>,
    is_needed: bool,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<UserinfoConfig> {
    const WHEN: [(&str, UserinfoWhen); 3] =
        [("needed", UserinfoWhen::Needed), ("always", UserinfoWhen::Always), ("never", UserinfoWhen::Never)];
    let place = parameters.place.key("userinfo");
    let empty = RawUserinfo::default();
    let raw = raw.unwrap_or(&empty);
    let when = match raw.when {
        Some(when) => problems.chosen(&place.key("when"), when, &WHEN)?,
        None => UserinfoWhen::Needed,
    };
    if is_needed && (raw.url.is_none() || when == UserinfoWhen::Never) {
        let mend = "or take user.id from \"account\", the token response";
        problems.refuse_and_mend(&place, "missing: where the profile is asked for", mend);
        return None;
    }
    let is_plain = raw.url.is_none()
        && raw.method.is_none()
        && raw.params.is_none()
        && raw.headers.is_none()
        && raw.body.is_none()
        && raw.bearer.is_none();
    let request = if is_plain { None } else { Some(userinfo_request(raw, &place, parameters, problems)?) };
    let root = path(raw.root, &place.key("root"), problems)?;
    Some(UserinfoConfig { request, root, when, signed: raw.signed.unwrap_or(false) })
}

fn userinfo_request(
    raw: &RawUserinfo<'_>,
    place: &Place,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<UserinfoRequest> {
    let url = match raw.url {
        Some(text) => Some(url_template(text, &place.key("url"), parameters, problems)?),
        None => None,
    };
    let params =
        templates(raw.params.as_deref(), &place.key("params"), &USERINFO_NAMES, parameters, problems);
    let mut headers: Vec<(&str, String)> = Vec::new();
    for (name, text) in raw.headers.iter().flatten() {
        headers.push((name, parameters.fill(text, &place.key("headers").key(name), problems)?));
    }
    let written = RawRequest {
        // Where it goes is another template; everything else is checked as any request is.
        url: Some("https://userinfo.invalid"),
        method: raw.method,
        content_type: raw.content_type,
        headers: Some(headers.iter().map(|(name, text)| (*name, text.as_str())).collect()),
        body: raw.body,
    };
    let rest: ApiRequest =
        request::request(&written, raw.body, GET_OR_POST, &Known::roots(&USERINFO_NAMES), place, problems)?;
    let params = params?;
    let of_params = params.iter().flat_map(|(_, template)| template.paths());
    let paths = rest.templates().flat_map(Template::paths).chain(of_params);
    let api_key = if paths.into_iter().any(|path| path.root() == "api_key") {
        Some(api_key(parameters, problems)?)
    } else {
        None
    };
    let bearer = raw.bearer.unwrap_or(!rest.headers.iter().any(|(name, _)| name == "authorization"));
    Some(UserinfoRequest { url, params, rest, bearer, api_key })
}

/// A URL whose path and query may have templates in them. Where it goes is not for the provider's answer to say.
fn url_template(
    text: &str,
    place: &Place,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<Template> {
    let text = parameters.fill(text, place, problems)?;
    let template = template(&text, &USERINFO_NAMES, place, problems)?;
    let host = text.split_once("://").map_or("", |(_, behind)| behind);
    if host.split(['/', '?']).next().is_some_and(|host| host.contains('{')) {
        problems.refuse(place, "the host stands as it is");
        return None;
    }
    let sample = template.text(&|_| Some(Value::from("0")));
    problems.parsed(place, &text, endpoint(&sample))?;
    Some(template)
}

/// The secret beside the access token that some providers want to see.
fn api_key(parameters: &Parameters<'_>, problems: &mut Problems) -> Option<Secret> {
    let (name, value) = parameters.variable("api_key");
    let at = Place::env(&name);
    let Some(value) = value else {
        let mend = format!("set it with `wrangler secret put {name}`");
        problems.refuse_and_mend(&at, "missing: the API key that the provider gave to this site", mend);
        return None;
    };
    super::client::is_credential(&value, &at, problems).then(|| Secret::new(value))
}

pub(super) fn emails(
    raw: &RawEmails<'_>,
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<EmailsConfig> {
    let place = parameters.place.key("emails");
    let url = match raw.url {
        Some(text) => {
            let text = parameters.fill(text, &place.key("url"), problems)?;
            Some(problems.parsed(&place.key("url"), &text, endpoint(&text))?)
        }
        None => None,
    };
    let list = path(raw.list, &place.key("list"), problems)?;
    if url.is_none() && list.is_none() {
        problems.refuse(&place, "missing: the url of the list, or the place in the profile where it is");
    }
    let conditions = raw.conditions.iter().flatten();
    Some(EmailsConfig {
        url,
        list,
        conditions: conditions.map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect(),
        address: raw.address.unwrap_or("email").to_owned(),
    })
}

/// A place in an answer; the outer `None` where something is wrong.
#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn path(text: Option<&str>, place: &Place, problems: &mut Problems) -> Option<Option<DataPath>> {
    let Some(text) = text else { return Some(None) };
    problems.parsed(place, text, DataPath::parse(text)).map(Some)
}

fn templates(
    raw: Option<&[(&str, &str)]>,
    place: &Place,
    names: &[&str],
    parameters: &mut Parameters<'_>,
    problems: &mut Problems,
) -> Option<Vec<(String, Template)>> {
    let mut templates = Vec::new();
    for (name, text) in raw.into_iter().flatten() {
        let place = place.key(name);
        if !super::is_parameter(name) {
            problems.refuse(&place, "a parameter's name has no white space");
        }
        let text = parameters.fill(text, &place, problems)?;
        templates.push(((*name).to_owned(), template(&text, names, &place, problems)?));
    }
    Some(templates)
}

fn template(text: &str, names: &[&str], place: &Place, problems: &mut Problems) -> Option<Template> {
    let (template, unknown) = Template::parse(text, |path| {
        names.contains(&path.root()) && (path.root() == "account") == (path.rest().len() > 0)
    });
    if let Some(path) = unknown.first() {
        let known = names.join(", ");
        problems.refuse(place, format!("{{{path}}} stands for nothing; known here: {known}"));
        return None;
    }
    Some(template)
}
