//! An API of one's own: its form, its requests, and the paths into its answers.

mod request;

use super::is_shown;
use crate::config::Provider;
use crate::config::ProviderKind;
use crate::config::credentials::{CredentialsProvider, Expiry, Field, Login, Source, UserPaths};
use crate::config::data::{DataPath, Template};
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::raw::{RawField, RawLogin, RawProvider, RawUser};
use request::{GET_OR_POST, Known, POST_OR_PUT, RawRequest};

/// What a login's answer has.
const LOGIN_ROOTS: [&str; 3] = ["body", "cookie", "header"];
/// What both answers have together.
const USER_ROOTS: [&str; 6] = ["profile", "login", "body", "access_token", "cookie", "header"];
/// More is no login form.
const MOST_FIELDS: usize = 20;
/// Names that a form or a client of Auth.js's uses for something else.
const TAKEN_NAMES: [&str; 4] = ["csrfToken", "callbackUrl", "json", "redirect"];

pub(super) fn credentials(
    raw: &RawProvider,
    place: &Place,
    problems: &mut Problems,
) -> Option<CredentialsProvider> {
    let fields = fields(raw.fields.as_deref(), &place.key("fields"), problems);
    let login = login(raw.login.as_ref(), &fields, &place.key("login"), problems);
    if let Some(login) = &login {
        refuse_unsent(&fields, login, place, problems);
    }
    let profile = raw.profile.as_ref().map(|raw| {
        let raw = RawRequest {
            url: raw.url.as_deref(),
            method: raw.method.as_deref(),
            content_type: raw.content_type.as_deref(),
            headers: raw.headers.as_ref(),
            body: raw.body.as_ref(),
        };
        let known = Known::roots(&["access_token", "login", "body", "cookie"]);
        request::request(&raw, GET_OR_POST, &known, &place.key("profile"), problems)
    });
    let user = user(raw.user.as_ref(), profile.is_some(), &place.key("user"), problems);
    let kept_cookies = kept_cookies(raw, &place.key("refresh"), problems);
    Some(CredentialsProvider {
        fields,
        login: login?,
        profile: match profile {
            Some(checked) => Some(checked?),
            None => None,
        },
        user: user?,
        kept_cookies,
    })
}

/// A claim must not hold the refresh token: claims can be shown to pages and sent to upstreams.
pub(in crate::config::check) fn refuse_refresh_tokens(
    claims: &[(String, DataPath)],
    providers: &[Provider],
    problems: &mut Problems,
) {
    for provider in providers {
        let ProviderKind::Credentials(credentials) = &provider.kind else { continue };
        let Some(token) = credentials.login.refresh_token.as_ref().filter(|path| path.root() == "body")
        else {
            continue;
        };
        for (claim, path) in claims.iter().filter(|(_, path)| path.root() == "login") {
            // One of them leads to the other, or past it.
            if token.rest().zip(path.rest()).all(|(a, b)| a == b) {
                let problem = format!(
                    "\"{path}\" holds the refresh token of provider {:?}, which is no claim",
                    provider.id
                );
                let mend = "name the member that is wanted, for example \"login.user\"";
                problems.refuse_and_mend(&Place::root().key("claims").key(claim), problem, mend);
            }
        }
    }
}

fn fields(raw: Option<&[RawField]>, place: &Place, problems: &mut Problems) -> Vec<Field> {
    let raw = raw.unwrap_or_default();
    if raw.is_empty() || raw.len() > MOST_FIELDS {
        let mend = "write for example `fields = [{ name = \"email\", type = \"email\" }, \
                    { name = \"password\", type = \"password\" }]`";
        problems.refuse_and_mend(place, "a form has 1 to 20 fields", mend);
        return Vec::new();
    }
    let mut fields: Vec<Field> = Vec::new();
    for (i, raw) in raw.iter().enumerate() {
        let place = place.index(i);
        let Some(field) = field(raw, &place, problems) else { continue };
        if fields.iter().any(|other| other.name == field.name) {
            problems.refuse(&place.key("name"), format!("there is a field {:?} already", field.name));
            continue;
        }
        fields.push(field);
    }
    // What a password manager looks for before a password.
    let names_the_person = fields.iter_mut().find(|field| matches!(field.kind, "email" | "tel" | "text"));
    if let Some(field) = names_the_person {
        field.autocomplete.get_or_insert_with(|| "username".to_owned());
    }
    fields
}

fn field(raw: &RawField, place: &Place, problems: &mut Problems) -> Option<Field> {
    const TYPES: [(&str, &str); 6] = [
        ("text", "text"),
        ("email", "email"),
        ("password", "password"),
        ("tel", "tel"),
        ("number", "number"),
        ("url", "url"),
    ];
    let Some(name) = raw.name.as_deref() else {
        problems.refuse(&place.key("name"), "missing: what the form and the templates call it");
        return None;
    };
    let is_good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !is_good {
        let mend = "use at most 64 of a-z, A-Z, 0-9, \"-\" and \"_\", with a letter first";
        problems.refuse_and_mend(&place.key("name"), format!("{} is no field's name", quoted(name)), mend);
        return None;
    }
    if TAKEN_NAMES.contains(&name) {
        problems.refuse(&place.key("name"), format!("{name:?} has a meaning of its own in every form"));
        return None;
    }
    let kind = match raw.kind.as_deref() {
        None => "text",
        Some(kind) => problems.chosen(&place.key("type"), kind, &TYPES)?,
    };
    let mut shown = |text: &Option<String>, key| {
        text.as_ref().filter(|text| is_shown(text, &place.key(key), problems)).cloned()
    };
    let label = shown(&raw.label, "label").unwrap_or_else(|| name.to_owned());
    let placeholder = shown(&raw.placeholder, "placeholder");
    let autocomplete = raw.autocomplete.as_deref().filter(|text| {
        let is_good = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b' '));
        if !is_good {
            let problem = format!("{} is no value of HTML's", quoted(text));
            let mend = "write for example \"username\", \"current-password\" or \"one-time-code\"";
            problems.refuse_and_mend(&place.key("autocomplete"), problem, mend);
        }
        is_good
    });
    let usual = (kind == "password").then_some("current-password");
    Some(Field {
        name: name.to_owned(),
        label,
        kind,
        placeholder,
        autocomplete: autocomplete.or(usual).map(str::to_owned),
        required: raw.required.unwrap_or(true),
    })
}

fn login(raw: Option<&RawLogin>, fields: &[Field], place: &Place, problems: &mut Problems) -> Option<Login> {
    let Some(raw) = raw else {
        let mend = "write its url, its body, and where its answer has the access_token";
        problems.refuse_and_mend(place, "missing: the request that signs in", mend);
        return None;
    };
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    // Nothing said: every field under its own name.
    let all = || names.iter().map(|name| ((*name).to_owned(), format!("{{{name}}}").into())).collect();
    let body = raw.body.clone().unwrap_or_else(|| serde_json::Value::Object(all()));
    let request = RawRequest {
        url: raw.url.as_deref(),
        method: raw.method.as_deref(),
        content_type: raw.content_type.as_deref(),
        headers: raw.headers.as_ref(),
        body: Some(&body),
    };
    let request = request::request(&request, POST_OR_PUT, &Known::names(&names), place, problems);

    let mut path = |text: &Option<String>, key: &str, roots: &[&str]| {
        answer_path(text.as_deref()?, roots, &place.key(key), problems)
    };
    let access_token = path(&raw.access_token, "access_token", &LOGIN_ROOTS);
    let refresh_token = path(&raw.refresh_token, "refresh_token", &LOGIN_ROOTS);
    let expires_in = path(&raw.expires_in, "expires_in", &LOGIN_ROOTS);
    let expires_at = path(&raw.expires_at, "expires_at", &LOGIN_ROOTS);
    let refresh_expires_in = path(&raw.refresh_expires_in, "refresh_expires_in", &LOGIN_ROOTS);
    let refresh_expires_at = path(&raw.refresh_expires_at, "refresh_expires_at", &LOGIN_ROOTS);
    let error = path(&raw.error, "error", &["body", "header"]);
    if raw.access_token.is_none() {
        problems.refuse_and_mend(
            &place.key("access_token"),
            "missing: where the answer has the access token",
            "write for example \"body.accessToken\" or \"cookie.access_token\"",
        );
    }
    let mut expiry = |expires_in: Option<DataPath>, expires_at: Option<DataPath>, key: &str| {
        if expires_in.is_some() && expires_at.is_some() {
            let (one, other) = (format!("{key}_in"), format!("{key}_at"));
            problems.refuse(&place.key(&one), format!("{other} says the same: write one of them"));
        }
        expires_in.map(Expiry::In).or(expires_at.map(Expiry::At))
    };
    let expires = expiry(expires_in, expires_at, "expires");
    let refresh_expires = expiry(refresh_expires_in, refresh_expires_at, "refresh_expires");
    Some(Login {
        request: request?,
        access_token: access_token?,
        refresh_token,
        expires,
        refresh_expires,
        error,
    })
}

/// A field that no template names is a slip of the pen in one of them.
fn refuse_unsent(fields: &[Field], login: &Login, place: &Place, problems: &mut Problems) {
    let sent: Vec<&DataPath> = login.request.templates().flat_map(Template::paths).collect();
    for field in fields.iter().filter(|field| !sent.iter().any(|path| path.root() == field.name)) {
        let problem = format!("the field {:?} is asked for and never sent", field.name);
        let mend = format!("write {{{}}} where it belongs in login.body, or leave the field out", field.name);
        problems.refuse_and_mend(&place.key("fields"), problem, mend);
    }
}

fn user(
    raw: Option<&RawUser>,
    has_profile: bool,
    place: &Place,
    problems: &mut Problems,
) -> Option<UserPaths> {
    let empty = RawUser::default();
    let raw = raw.unwrap_or(&empty);
    if raw.id.is_none() {
        problems.refuse_and_mend(
            &place.key("id"),
            "missing: what tells one person from another",
            "write for example \"profile.id\" or \"access_token.sub\"",
        );
    }
    let mut source =
        |text: &Option<String>, key| source(text.as_deref()?, has_profile, &place.key(key), problems);
    let id = source(&raw.id, "id");
    let (name, email, image) =
        (source(&raw.name, "name"), source(&raw.email, "email"), source(&raw.image, "image"));
    Some(UserPaths { id: id?, name, email, image })
}

/// A path, or, where there is a brace in it, a template. No text about a person has braces of its own.
fn source(text: &str, has_profile: bool, place: &Place, problems: &mut Problems) -> Option<Source> {
    let source = if text.contains('{') {
        let (template, unknown) = Template::parse(text, |path| USER_ROOTS.contains(&path.root()));
        if let Some(path) = unknown.first() {
            let hint = suggestion(path.root(), &USER_ROOTS);
            problems.refuse(place, format!("{{{path}}} stands for nothing; {hint}"));
            return None;
        }
        if template.paths().next().is_none() {
            problems.refuse(place, format!("{} is the same for everybody", quoted(text)));
            return None;
        }
        Source::Text(template)
    } else {
        Source::Path(answer_path(text, &USER_ROOTS, place, problems)?)
    };
    let paths: Vec<&DataPath> = match &source {
        Source::Path(path) => vec![path],
        Source::Text(template) => template.paths().collect(),
    };
    if !has_profile && paths.iter().any(|path| path.root() == "profile") {
        let mend = "write profile.url, or take it from \"login\" or \"access_token\"";
        problems.refuse_and_mend(place, "no request for a profile is made", mend);
        return None;
    }
    paths.iter().all(|path| is_named(path, place, problems)).then_some(source)
}

/// A path into an answer, which begins with one of `roots`.
fn answer_path(text: &str, roots: &[&str], place: &Place, problems: &mut Problems) -> Option<DataPath> {
    let path = problems.parsed(place, text, DataPath::parse(text))?;
    if !roots.contains(&path.root()) {
        let hint = suggestion(path.root(), roots);
        problems.refuse(place, format!("{} begins with no part of an answer; {hint}", quoted(text)));
        return None;
    }
    is_named(&path, place, problems).then_some(path)
}

/// Cookies and header fields have a name and nothing inside.
fn is_named(path: &DataPath, place: &Place, problems: &mut Problems) -> bool {
    let is_good = !matches!(path.root(), "cookie" | "header") || path.rest().len() == 1;
    if !is_good {
        let problem = format!("\"{path}\" is no {0}: write {0}.NAME", path.root());
        problems.refuse(place, problem);
    }
    is_good
}

/// Checks how tokens are refreshed, which nothing in this version does, and gives the names of the cookies
/// that will be needed for it: a session that is made today should not have to end for their lack.
fn kept_cookies(raw: &RawProvider, place: &Place, problems: &mut Problems) -> Vec<String> {
    let Some(raw) = &raw.refresh else { return Vec::new() };
    let request = RawRequest {
        url: raw.url.as_deref(),
        method: raw.method.as_deref(),
        content_type: raw.content_type.as_deref(),
        headers: raw.headers.as_ref(),
        body: raw.body.as_ref(),
    };
    let known = Known::for_refresh();
    let request = request::request(&request, POST_OR_PUT, &known, place, problems);
    let mut cookies = Vec::new();
    for (name, text) in raw.cookies.iter().flatten() {
        let place = place.key("cookies").key(name);
        if !request::is_token(name) {
            problems.refuse(&place, format!("{} is no cookie's name", quoted(name)));
        }
        cookies.extend(request::strict_template(text, &known, &place, problems));
    }
    let of_request = request.iter().flat_map(|request| request.templates().flat_map(Template::paths));
    let mut names: Vec<String> = of_request
        .chain(cookies.iter().flat_map(Template::paths))
        .filter(|path| path.root() == "cookie")
        .filter_map(|path| path.rest().next().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
