//! A request to an API: its URL, method, header fields and body.

use serde_json::Value;

use crate::config::check::names::API_REFRESH;
use crate::config::check::{secrets, upstreams};
use crate::config::error::suggestion;
use crate::config::place::{Place, refuse};
use crate::config::schema::providers::credentials::CONTENT_TYPES;
use crate::config::table::{Table, Text};
use vestibule_oidc::data::{DataPath, Template};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::outbound::is_field_value;
use vestibule_oidc::outbound::{ApiBody, ApiRequest, BodyTemplate};

/// The methods of a request with credentials. Never GET: a URL with a password in it would be in every log on the way.
pub(super) const POST_OR_PUT: &[&str] = &["POST", "PUT"];
/// The methods of a request for data.
pub(in crate::config::check::providers) const GET_OR_POST: &[&str] = &["GET", "POST"];

/// Header fields that Vestibule or the runtime sets.
const OWN_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// The names that the templates of a request can use.
pub(in crate::config::check::providers) struct Known<'a> {
    names: &'a [&'a str],
    is_known: fn(&DataPath) -> bool,
}

impl<'a> Known<'a> {
    /// Names alone: `{email}`.
    pub(super) fn names(names: &'a [&'a str]) -> Self {
        Self { names, is_known: |path| path.rest().len() == 0 }
    }

    /// Paths that begin with one of these: `{login.user.id}`.
    pub(in crate::config::check::providers) fn roots(names: &'a [&'a str]) -> Self {
        Self { names, is_known: |path| path.root() != "cookie" || path.rest().len() == 1 }
    }

    /// The tokens, and each cookie by its name: `{cookie.NAME}`.
    pub(super) fn for_refresh() -> Self {
        let is_known = |path: &DataPath| path.rest().len() == usize::from(path.root() == "cookie");
        Self { names: &API_REFRESH, is_known }
    }

    fn has(&self, path: &DataPath) -> bool {
        secrets::is_template_secret(path) || self.names.contains(&path.root()) && (self.is_known)(path)
    }
}

/// Checks a request with this body. The first of `methods` is the default.
pub(super) fn request(
    table: &Table<'_>,
    body: Option<&Value>,
    methods: &[&str],
    known: &Known<'_>,
) -> Option<ApiRequest> {
    let url = table.text("url").and_then(|text| {
        secrets::refuse_in_url(&text);
        text.parsed(endpoint)
    });
    if !table.has("url") {
        refuse!(table.at("url"), "the URL of the request is missing");
    }
    let headers = table.table("headers");
    parts(table, url, &headers.entries(), body, methods, known)
}

/// Checks a request whose URL is already checked, and whose header fields may differ from the written ones.
pub(in crate::config::check::providers) fn parts(
    table: &Table<'_>,
    url: Option<Url>,
    written_headers: &[Text<'_>],
    written_body: Option<&Value>,
    methods: &[&str],
    known: &Known<'_>,
) -> Option<ApiRequest> {
    let method = method(table, methods);
    let headers = headers(written_headers, known);
    let body = body(table, written_body, known);
    if method == Method::Get && written_body.is_some() && !table.at("method").is_refused() {
        refuse!(table.at("body"), "a GET request cannot have a body", "write method = \"POST\"");
    }
    Some(ApiRequest { method, url: url?, headers, body })
}

/// The method, which must be one of `methods`. The first one is the default.
pub(in crate::config::check::providers) fn method(table: &Table<'_>, methods: &[&str]) -> Method {
    if let Some(name) = table.text("method") {
        if methods.contains(&name.text) {
            return Method::new(name.text);
        }
        name.refuse_unknown(methods);
    }
    Method::new(methods.first().copied().unwrap_or_default())
}

fn body(table: &Table<'_>, written: Option<&Value>, known: &Known<'_>) -> Option<ApiBody> {
    let is_json = table.chosen("content_type", &CONTENT_TYPES).unwrap_or(true);
    let place = table.at("body");
    let body = template(written?, known, &place);
    let is_field =
        |(_, value): &(String, _)| matches!(value, BodyTemplate::Literal(_) | BodyTemplate::Text(_));
    if !is_json && !matches!(&body, BodyTemplate::Table(pairs) if pairs.iter().all(is_field)) {
        refuse!(place, "the body of a form must be a flat table of strings, numbers and booleans");
    }
    Some(match body {
        BodyTemplate::Table(pairs) if !is_json => ApiBody::Form(pairs),
        body => ApiBody::Json(body),
    })
}

fn template(raw: &Value, known: &Known<'_>, place: &Place<'_>) -> BodyTemplate {
    match raw {
        Value::String(text) => {
            let (template, unknown) = Template::parse(text, &|path| known.has(path));
            // Unknown braces may be meant literally inside a longer text, but hardly as the whole value.
            if let Some(path) = unknown.first().filter(|path| *text == format!("{{{path}}}")) {
                refuse_unknown(path, known, place);
            }
            BodyTemplate::Text(secrets::with_template_secrets(template, place))
        }
        Value::Array(items) => {
            let mut list = Vec::new();
            for (i, item) in items.iter().enumerate() {
                list.push(template(item, known, &place.index(i)));
            }
            BodyTemplate::List(list)
        }
        Value::Object(members) => {
            let mut table = Vec::new();
            for (name, value) in members {
                table.push((name.clone(), template(value, known, &place.key(name))));
            }
            BodyTemplate::Table(table)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => BodyTemplate::Literal(raw.clone()),
    }
}

fn headers(written: &[Text<'_>], known: &Known<'_>) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for text in written {
        let name = text.name().to_ascii_lowercase();
        if !check_header(&name, text) {
            continue;
        }
        if headers.iter().any(|(other, _)| *other == name) {
            refuse!(text, "this header field is written twice: upper and lower case make no difference");
        }
        headers.extend(strict_template(text, known).map(|template| (name, template)));
    }
    headers
}

/// Whether a header field of this name can be set; otherwise a mistake is noted.
pub(in crate::config::check::providers) fn check_header(name: &str, at: &Text<'_>) -> bool {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        let name = at.with(&name);
        refuse!(at, "{name} cannot be the name of a header field");
        return false;
    }
    let is_own = OWN_HEADERS.contains(&name.as_str());
    if is_own {
        refuse!(at, "Vestibule sets this header field itself; remove it");
    }
    !is_own
}

/// Checks that a header field can carry a value.
pub(in crate::config::check::providers) fn check_field_value(value: &str, text: &Text<'_>) {
    if !is_field_value(value) {
        refuse!(text, "{text} has characters that a header field cannot carry");
    }
}

/// A template for a header field or cookie. Unlike in a body, unknown braces are a mistake.
pub(super) fn strict_template(text: &Text<'_>, known: &Known<'_>) -> Option<Template> {
    let (template, unknown) = Template::parse(text.text, &|path| known.has(path));
    if let Some(path) = unknown.first() {
        refuse_unknown(path, known, &text.place);
        return None;
    }
    let template = secrets::with_template_secrets(template, &text.place);
    check_field_value(&template.text(&|_| None), text);
    Some(template)
}

fn refuse_unknown(path: &DataPath, known: &Known<'_>, place: &Place<'_>) {
    let hint = match path.root() {
        "cookie" if known.names.contains(&"cookie") => "write {cookie.NAME}".to_owned(),
        root if known.names.contains(&root) => format!("write {{{root}}}"),
        _ if secrets::template_secret_hint(path).is_some() => {
            secrets::template_secret_hint(path).unwrap_or_default().to_owned()
        }
        _ if known.names.is_empty() => "no name is known here".to_owned(),
        root => suggestion(root, known.names),
    };
    refuse!(place, "{{{path}}} is unknown; {hint}");
}

pub(super) use upstreams::is_token;
