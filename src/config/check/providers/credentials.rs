//! An API of one's own: its form, its requests, and the paths into its answers.

mod refresh;
pub(super) mod request;
mod tokens;

use serde_json::{Map, Value};

use super::{is_shown, user};
use crate::config::Provider;
use crate::config::ProviderKind;
use crate::config::credentials::{CredentialsProvider, Field, Login, TokenPaths, UserPaths};
use crate::config::data::{DataPath, Template};
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::{RawField, RawLogin, RawProvider, RawUser, Strings};
use request::{GET_OR_POST, Known, POST_OR_PUT};

/// What both answers have together.
const USER_ROOTS: [&str; 6] = ["profile", "login", "body", "access_token", "cookie", "header"];
/// More is no login form.
const MOST_FIELDS: usize = 20;
/// Names that a form or a client of Auth.js's uses for something else.
const TAKEN_NAMES: [&str; 4] = ["csrfToken", "callbackUrl", "json", "redirect"];

pub(super) fn credentials(
    raw: &RawProvider<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<CredentialsProvider> {
    let fields = fields(raw.fields.as_deref(), &place.key("fields"), problems);
    let login = login(raw.login.as_ref(), &fields, &place.key("login"), problems);
    if let Some(login) = &login {
        refuse_unsent(&fields, login, place, problems);
    }
    let profile = raw.profile.as_ref().map(|raw| {
        let known = Known::roots(&["access_token", "login", "body", "cookie"]);
        request::request(raw, raw.body, GET_OR_POST, &known, &place.key("profile"), problems)
    });
    let user = user_paths(raw.user.as_ref(), profile.is_some(), &place.key("user"), problems);
    let login_gives_one = raw.login.as_ref().is_some_and(|raw| raw.answer.refresh_token.is_some());
    let refresh = raw
        .refresh
        .as_ref()
        .map(|raw| refresh::refresh(raw, login.as_ref(), login_gives_one, &place.key("refresh"), problems));
    Some(CredentialsProvider {
        fields,
        login: login?,
        profile: match profile {
            Some(checked) => Some(checked?),
            None => None,
        },
        user: user?,
        refresh: match refresh {
            Some(checked) => Some(checked?),
            None => None,
        },
        strict_rotation: raw.strict_rotation.unwrap_or(false),
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
        let Some(token) =
            credentials.login.tokens.refresh_token.as_ref().filter(|path| path.root() == "body")
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

fn fields(raw: Option<&[RawField<'_>]>, place: &Place, problems: &mut Problems) -> Vec<Field> {
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

fn field(raw: &RawField<'_>, place: &Place, problems: &mut Problems) -> Option<Field> {
    const TYPES: [(&str, &str); 6] = [
        ("text", "text"),
        ("email", "email"),
        ("password", "password"),
        ("tel", "tel"),
        ("number", "number"),
        ("url", "url"),
    ];
    let Some(name) = raw.name else {
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
    let kind = match raw.kind {
        None => "text",
        Some(kind) => problems.chosen(&place.key("type"), kind, &TYPES)?,
    };
    let mut shown = |text: Option<&str>, key| {
        text.filter(|text| is_shown(text, &place.key(key), problems)).map(str::to_owned)
    };
    let label = shown(raw.label, "label").unwrap_or_else(|| name.to_owned());
    let placeholder = shown(raw.placeholder, "placeholder");
    let autocomplete = raw.autocomplete.filter(|text| {
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

fn login(
    raw: Option<&RawLogin<'_>>,
    fields: &[Field],
    place: &Place,
    problems: &mut Problems,
) -> Option<Login> {
    let Some(raw) = raw else {
        let mend = "write its url, its body, and where its answer has the access_token";
        problems.refuse_and_mend(place, "missing: the request that signs in", mend);
        return None;
    };
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    // Nothing said: every field under its own name.
    let all = || {
        let mut all = Map::new();
        for name in &names {
            all.insert((*name).to_owned(), format!("{{{name}}}").into());
        }
        Value::Object(all)
    };
    let body = raw.request.body.cloned().unwrap_or_else(all);
    let known = Known::names(&names);
    let request = request::request(&raw.request, Some(&body), POST_OR_PUT, &known, place, problems);
    let tokens = tokens::tokens(&raw.answer, place, problems);
    let error = tokens::error(&raw.answer, place, problems);
    if raw.answer.access_token.is_none() {
        problems.refuse_and_mend(
            &place.key("access_token"),
            "missing: where the answer has the access token",
            "write for example \"body.accessToken\" or \"cookie.access_token\"",
        );
    }
    let tokens = TokenPaths {
        access_token: tokens.access_token?,
        refresh_token: tokens.refresh_token,
        expires: tokens.expires,
        refresh_expires: tokens.refresh_expires,
    };
    Some(Login { request: request?, tokens, error })
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

fn user_paths(
    raw: Option<&RawUser<'_>>,
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
    let mut source = |written: Option<&Strings<'_>>, key| {
        let place = place.key(key);
        let texts: Vec<_> = written?.iter(&place).map(|(place, text)| (place, text.to_owned())).collect();
        let source = user::source(&texts, &USER_ROOTS, &place, problems)?;
        if !has_profile && source.paths().iter().any(|path| path.root() == "profile") {
            let mend = "write profile.url, or take it from \"login\" or \"access_token\"";
            problems.refuse_and_mend(&place, "no request for a profile is made", mend);
            return None;
        }
        Some(source)
    };
    let id = source(raw.id.as_ref(), "id");
    let name = source(raw.name.as_ref(), "name");
    let email = source(raw.email.as_ref(), "email");
    let image = source(raw.image.as_ref(), "image");
    Some(UserPaths { id: id?, name, email, image })
}
