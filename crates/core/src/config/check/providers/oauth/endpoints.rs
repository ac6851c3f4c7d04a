//! The requests to a provider's endpoints: token, userinfo and email addresses.

use serde_json::Value;

use super::parameter::check_parameter;
use super::parameters::Parameters;
use crate::config::check::providers::credentials::request::{self, GET_OR_POST, Known};
use crate::config::check::{names, secrets};
use crate::config::place::refuse;
use crate::config::schema::providers::oauth::FETCH;
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Template};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::oauth::provider::{
    EmailsConfig, FetchUserinfo, TokenConfig, UserinfoConfig, UserinfoRequest,
};
use vestibule_oidc::secret::Secret;

pub(super) fn token(is_openid: bool, parameters: &Parameters<'_>) -> TokenConfig {
    let table = parameters.provider.table("token");
    if !table.has("url") && !is_openid {
        refuse!(table.place, "the token endpoint is missing; write its URL");
    }
    let endpoint = parameters.url(&table, "url");
    let refresh_endpoint = parameters.url(&table, "refresh_url");
    let method = request::method(&table, &["POST", "GET"]);
    // With GET the parameters are the query of the URL.
    let place = if method == Method::Get { ParamsIn::Url } else { ParamsIn::Body };
    let params = templates(&table.table("params"), &names::TOKEN, place, parameters);
    let refresh_params = templates(&table.table("refresh_params"), &names::TOKEN, place, parameters);
    let mut headers = Vec::new();
    for text in table.table("headers").entries() {
        let Some(filled) = parameters.fill_template(&text) else { continue };
        request::check_header(text.name(), &text);
        // Other braces are literal.
        let (template, _) = Template::parse(&filled, &secrets::is_template_secret);
        let value = secrets::with_template_secrets(template, &text.place).text(&|_| None);
        request::check_field_value(&value, &text);
        headers.push((text.name().to_ascii_lowercase(), Secret::new(value)));
    }
    TokenConfig {
        endpoint,
        refresh_endpoint,
        method,
        grant_type: table.string("grant_type"),
        params,
        refresh_params,
        headers,
        response_path: path(&table, "response_path"),
        invalid_grant_errors: table.strings("invalid_grant_errors"),
    }
}

pub(super) fn userinfo(is_needed: bool, parameters: &Parameters<'_>) -> UserinfoConfig {
    let table = parameters.provider.table("userinfo");
    let fetch = table.chosen("fetch", &FETCH).unwrap_or(FetchUserinfo::IfNeeded);
    if is_needed && (!table.has("url") || fetch == FetchUserinfo::Never) {
        refuse!(
            table.place,
            "the userinfo endpoint is missing",
            "write its URL, or take user.id from \"account\", the token response"
        );
    }
    let is_plain =
        !["url", "method", "params", "headers", "body", "send_access_token"].iter().any(|key| table.has(key));
    UserinfoConfig {
        request: if is_plain { None } else { userinfo_request(&table, parameters) },
        response_path: path(&table, "response_path"),
        fetch,
        is_signed_response: table.flag("signed_response").unwrap_or(false),
    }
}

fn userinfo_request(table: &Table<'_>, parameters: &Parameters<'_>) -> Option<UserinfoRequest> {
    let url = table.text("url").and_then(|text| url_template(&text, parameters));
    let params = templates(&table.table("params"), &names::USERINFO, ParamsIn::Url, parameters);
    let headers = table.table("headers");
    let written = headers.entries();
    let mut filled = Vec::new();
    for text in &written {
        filled.push(parameters.fill_template(text)?);
    }
    let mut headers = Vec::new();
    for (text, filled) in written.iter().zip(&filled) {
        headers.push(text.with(filled));
    }
    // The URL is a template and checked on its own; the rest is checked like any other request.
    let any_url = Url::parse("https://userinfo.invalid").ok();
    let known = Known::roots(&names::USERINFO);
    let rest = request::parts(table, any_url, &headers, table.value("body"), GET_OR_POST, &known)?;
    let names_key = |template: &Template| template.paths().any(|path| path.root() == "api_key");
    let is_key_needed = rest.templates().any(names_key) || params.iter().any(|(_, value)| names_key(value));
    let api_key = if is_key_needed { api_key(parameters) } else { None };
    let send_access_token = table
        .flag("send_access_token")
        .unwrap_or(!rest.headers.iter().any(|(name, _)| name == "authorization"));
    Some(UserinfoRequest { url, params, rest, send_access_token, api_key })
}

/// A URL whose path and query may contain templates. The host must not: a response of the provider must not choose it.
fn url_template(text: &Text<'_>, parameters: &Parameters<'_>) -> Option<Template> {
    let filled = parameters.fill(text)?;
    let text = text.with(&filled);
    let template = template(&text, &names::USERINFO, ParamsIn::Url)?;
    let host = filled.split_once("://").map_or("", |(_, behind)| behind);
    if host.split(['/', '?']).next().is_some_and(|host| host.contains('{')) {
        refuse!(text, "the host of the URL cannot contain a template");
        return None;
    }
    if let Err(why) = endpoint(&template.text(&|_| Some(Value::from("0")))) {
        text.refuse_because(&why);
    }
    Some(template)
}

/// The API key, a secret that some providers need in addition to the access token.
fn api_key(parameters: &Parameters<'_>) -> Option<Secret> {
    let (name, value) = parameters.variable("api_key");
    let at = parameters.provider.place.variable(&name);
    let set = at.set_secret(&name);
    match &value {
        Some(key) => secrets::check_credential(&Text { text: key, place: at }),
        None => refuse!(at, "the API key is missing", "set it {set}"),
    }
    value.map(Secret::new)
}

pub(super) fn emails(parameters: &Parameters<'_>) -> Option<EmailsConfig> {
    let table = parameters.provider.table("emails");
    if !table.is_written() {
        return None;
    }
    if !table.has("url") && !table.has("list") {
        refuse!(table.place, "write url, the URL of the list, or list, its path in the profile");
    }
    let mut conditions = Vec::new();
    for (name, value) in table.table("where").names() {
        conditions.push((name.to_owned(), value.clone()));
    }
    Some(EmailsConfig {
        url: parameters.url(&table, "url"),
        list: path(&table, "list"),
        conditions,
        address: table.str("address").unwrap_or("email").to_owned(),
        verified: table.string("verified"),
    })
}

/// A path into a response.
fn path(table: &Table<'_>, key: &str) -> Option<DataPath> {
    table.text(key)?.parsed(DataPath::parse)
}

/// Where a request has its parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ParamsIn {
    Url,
    Body,
}

fn templates(
    params: &Table<'_>,
    names: &[&str],
    place: ParamsIn,
    parameters: &Parameters<'_>,
) -> Vec<(String, Template)> {
    let mut templates = Vec::new();
    for text in params.entries() {
        check_parameter(&text);
        let filled = match place {
            ParamsIn::Url => parameters.fill(&text),
            ParamsIn::Body => parameters.fill_template(&text),
        };
        let Some(filled) = filled else { continue };
        let template = template(&text.with(&filled), names, place);
        templates.extend(template.map(|template| (text.name().to_owned(), template)));
    }
    templates
}

fn template(text: &Text<'_>, names: &[&str], place: ParamsIn) -> Option<Template> {
    let (template, unknown) = Template::parse(text.text, &|path| {
        place == ParamsIn::Body && secrets::is_template_secret(path)
            || names.contains(&path.root()) && (path.root() == "account") == (path.rest().len() > 0)
    });
    if let Some(path) = unknown.first() {
        if !secrets::is_template_secret(path) {
            let known = names.join(", ");
            let hint = secrets::template_secret_hint(path).unwrap_or_default();
            refuse!(text, "{{{path}}} is unknown; known here: {known}", "{hint}");
        }
        return None;
    }
    Some(secrets::with_template_secrets(template, &text.place))
}
