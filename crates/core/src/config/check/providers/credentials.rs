//! A provider of `type = "credentials"`: its sign-in form, its requests, and the paths into its responses.

mod refresh;
mod refusals;
pub(super) mod request;
mod tokens;

use serde_json::{Map, Value};

use super::user;
use crate::config::Provider;
use crate::config::ProviderKind;
use crate::config::check::names::{API_PROFILE, API_USER_ROOTS};
use crate::config::check::shown::check_shown;
use crate::config::place::refuse;
use crate::config::schema::providers::credentials::FIELD_TYPES;
use crate::config::table::Table;
use crate::texts::preferred::is_tag;
use request::{GET_OR_POST, Known, POST_OR_PUT};
use vestibule_oidc::credentials::provider::{
    CredentialsProvider, Field, Localized, Login, TokenPaths, UserPaths,
};

use vestibule_oidc::data::{DataPath, Source, Template};

/// A sign-in form has no more.
const MAX_FIELDS: usize = 20;
/// Names that the sign-in form or Auth.js's client uses for its own parameters.
const RESERVED_NAMES: [&str; 5] = ["csrfToken", "callbackUrl", "json", "redirect", "persistent"];

pub(super) fn credentials(provider: &Table<'_>) -> Option<Box<CredentialsProvider>> {
    let fields = fields(provider);
    let (login, profile) = (provider.table("login"), provider.table("profile"));
    let login_has_refresh_token = login.has("refresh_token");
    let login = self::login(&login, &fields);
    if let Some(login) = &login {
        refuse_unsent(&fields, login, provider);
    }
    let known = Known::roots(&API_PROFILE);
    let request = |table: &Table<'_>| request::request(table, table.value("body"), GET_OR_POST, &known);
    let profile = if profile.is_written() { request(&profile) } else { None };
    let user = user_paths(provider);
    let refresh = provider.table("refresh");
    let refresh = if refresh.is_written() {
        refresh::refresh(&refresh, login.as_ref(), login_has_refresh_token)
    } else {
        None
    };
    let strict_rotation = provider.flag("strict_rotation").unwrap_or(false);
    Some(Box::new(CredentialsProvider { fields, login: login?, profile, user, refresh, strict_rotation }))
}

/// Refuses claims that contain the refresh token: claims can be shown to pages and sent to upstreams.
pub(in crate::config::check) fn refuse_refresh_tokens(
    auth: &Table<'_>,
    claims: &[(String, DataPath)],
    providers: &[Provider],
) {
    let places = auth.table("claims");
    for provider in providers {
        let ProviderKind::Credentials(credentials) = &provider.kind else { continue };
        let Some(token) = &credentials.login.tokens.refresh_token else { continue };
        for (claim, path) in claims {
            // One path is the other, or leads to something inside it.
            if token.root() == "body"
                && path.root() == "login"
                && token.rest().zip(path.rest()).all(|(a, b)| a == b)
            {
                let id = &provider.id;
                refuse!(
                    places.at(claim),
                    "\"{path}\" contains the refresh token of the provider {id:?}, which must not become a claim",
                    "name the member that you want, for example \"login.user\""
                );
            }
        }
    }
}

fn fields(provider: &Table<'_>) -> Vec<Field> {
    let tables = provider.tables("fields");
    if tables.is_empty() || tables.len() > MAX_FIELDS {
        refuse!(
            provider.at("fields"),
            "a sign-in form needs 1 to 20 fields",
            "write for example `fields = [{{ name = \"email\", type = \"email\" }}, \
             {{ name = \"password\", type = \"password\" }}]`"
        );
        return Vec::new();
    }
    let mut fields: Vec<Field> = Vec::new();
    for table in &tables {
        let Some(field) = field(table) else { continue };
        if fields.iter().any(|other| other.name == field.name) {
            let name = &field.name;
            refuse!(table.at("name"), "another field already has the name {name:?}; choose another name");
            continue;
        }
        fields.push(field);
    }
    // A password manager looks for the user name in a field before the password.
    let username = fields.iter_mut().find(|field| matches!(field.kind, "email" | "tel" | "text"));
    if let Some(field) = username {
        field.autocomplete.get_or_insert_with(|| "username".to_owned());
    }
    fields
}

fn field(table: &Table<'_>) -> Option<Field> {
    let Some(text) = table.text("name") else {
        refuse!(table.at("name"), "the name of the field is missing");
        return None;
    };
    let name = text.text;
    let is_good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !is_good {
        refuse!(
            text,
            "{text} cannot be the name of a field",
            "use at most 64 of a-z, A-Z, 0-9, \"-\" and \"_\", with a letter first"
        );
        return None;
    }
    if RESERVED_NAMES.contains(&name) {
        refuse!(text, "{name:?} is reserved in sign-in forms; choose another name");
        return None;
    }
    let kind = table.chosen("type", &FIELD_TYPES).unwrap_or("text");
    if let Some(text) = table.text("autocomplete") {
        let is_good = (1..=64).contains(&text.text.len())
            && text.text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b' '));
        if !is_good {
            refuse!(
                text,
                "{text} is not a value of HTML's autocomplete",
                "write for example \"username\", \"current-password\" or \"one-time-code\""
            );
        }
    }
    let usual = (kind == "password").then_some("current-password");
    Some(Field {
        name: name.to_owned(),
        label: localized(table, "label"),
        kind,
        placeholder: localized(table, "placeholder"),
        autocomplete: table.str("autocomplete").or(usual).map(str::to_owned),
        required: table.flag("required").unwrap_or(true),
    })
}

/// A text, or a table with one for each language.
fn localized(table: &Table<'_>, key: &str) -> Option<Localized> {
    if let Some(text) = table.text(key) {
        check_shown(&text);
        return Some(Localized::Same(text.text.to_owned()));
    }
    let by_language = table.table(key);
    let texts = by_language.entries();
    for text in &texts {
        if !is_tag(text.name()) {
            refuse!(text, "write the tag of a language before the text, for example \"de\"");
        }
        check_shown(text);
    }
    if texts.is_empty() {
        return None;
    }
    let texts = texts.iter().map(|text| (text.name().to_owned(), text.text.to_owned()));
    Some(Localized::ByLanguage(texts.collect()))
}

fn login(login: &Table<'_>, fields: &[Field]) -> Option<Login> {
    if !login.is_written() {
        refuse!(
            login.place,
            "the login request is missing",
            "write its url, its body, and where its response has the access_token"
        );
        return None;
    }
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    // Without a body, each field is sent under its own name.
    let mut all = Map::new();
    for name in &names {
        all.insert((*name).to_owned(), format!("{{{name}}}").into());
    }
    let all = Value::Object(all);
    let body = login.value("body").unwrap_or(&all);
    let request = request::request(login, Some(body), POST_OR_PUT, &Known::names(&names));
    let tokens = tokens::tokens(login);
    let refusals = refusals::refusals(login, &refusals::OF_LOGIN, None);
    if !login.has("access_token") {
        refuse!(
            login.at("access_token"),
            "the path of the access token in the response is missing",
            "write for example \"body.accessToken\" or \"cookie.access_token\"",
        );
    }
    let tokens = TokenPaths {
        access_token: tokens.access_token?,
        refresh_token: tokens.refresh_token,
        expires: tokens.expires,
        refresh_expires: tokens.refresh_expires,
    };
    Some(Login { request: request?, tokens, refusals })
}

/// Refuses a field that no template sends: a template most likely has a typing mistake.
fn refuse_unsent(fields: &[Field], login: &Login, provider: &Table<'_>) {
    let sent: Vec<&DataPath> = login.request.templates().flat_map(Template::paths).collect();
    for Field { name, .. } in fields {
        if !sent.iter().any(|path| path.root() == name) {
            refuse!(
                provider.at("fields"),
                "the field {name:?} is never sent to the API",
                "write {{{name}}} where it belongs in login.body, or remove the field"
            );
        }
    }
}

fn user_paths(provider: &Table<'_>) -> UserPaths {
    let user = provider.table("user");
    if !user.has("id") {
        refuse!(
            user.at("id"),
            "the path of the user's id is missing",
            "write for example \"profile.id\" or \"access_token.sub\"",
        );
    }
    let source = |key: &str| {
        user.value(key)?;
        let source = user::source(&user, key, &[], &API_USER_ROOTS, &mut |text| Some(text.text.to_owned()));
        if !provider.has("profile") && source.paths().iter().any(|path| path.root() == "profile") {
            refuse!(
                user.at(key),
                "this path needs a profile, and no profile is requested",
                "write profile.url, or take the value from \"login\" or \"access_token\""
            );
        }
        Some(source)
    };
    let no_source = Source::FirstOf(Vec::new());
    UserPaths {
        id: source("id").unwrap_or(no_source),
        name: source("name"),
        email: source("email"),
        image: source("image"),
    }
}
