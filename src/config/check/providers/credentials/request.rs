//! A request to the API, as it is written.

use serde_json::Value;

use crate::api::request::is_field_value;
use crate::config::credentials::{ApiBody, ApiRequest, BodyTemplate};
use crate::config::data::{DataPath, Template};
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::raw::RawRequest;
use crate::http::origin::endpoint;
use crate::http::request::Method;

/// What changes something at the API. Never GET: a URL with a password in it is in every log on the way.
pub(super) const POST_OR_PUT: &[&str] = &["POST", "PUT"];
/// What asks for something.
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

/// What the templates of a request know.
pub(in crate::config::check::providers) struct Known<'a> {
    names: Vec<&'a str>,
    is_known: fn(&DataPath) -> bool,
}

impl<'a> Known<'a> {
    /// Names alone: `{email}`.
    pub(super) fn names(names: &[&'a str]) -> Self {
        Self { names: names.to_vec(), is_known: |path| path.rest().len() == 0 }
    }

    /// Paths that begin with one of these: `{login.user.id}`.
    pub(in crate::config::check::providers) fn roots(names: &[&'a str]) -> Self {
        let is_known = |path: &DataPath| path.root() != "cookie" || path.rest().len() == 1;
        Self { names: names.to_vec(), is_known }
    }

    /// The tokens, and cookies by name.
    pub(super) fn for_refresh() -> Self {
        let is_known = |path: &DataPath| path.rest().len() == usize::from(path.root() == "cookie");
        Self { names: vec!["access_token", "refresh_token", "cookie"], is_known }
    }

    fn has(&self, path: &DataPath) -> bool {
        self.names.contains(&path.root()) && (self.is_known)(path)
    }
}

/// Checks a request that has this body. The first of `methods` is what is taken where none is written.
pub(in crate::config::check::providers) fn request(
    raw: &RawRequest<'_>,
    raw_body: Option<&Value>,
    methods: &[&str],
    known: &Known<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<ApiRequest> {
    let url = raw.url.and_then(|url| problems.parsed(&place.key("url"), url, endpoint(url)));
    if raw.url.is_none() {
        problems.refuse(&place.key("url"), "missing: where the request goes");
    }
    let choices: Vec<(&str, &str)> = methods.iter().map(|method| (*method, *method)).collect();
    let method = match raw.method {
        Some(method) => problems.chosen(&place.key("method"), method, &choices),
        None => methods.first().copied(),
    };
    let headers = headers(raw.headers.as_deref(), known, &place.key("headers"), problems);
    let body = body(raw.content_type, raw_body, known, place, problems);
    if method == Some("GET") && raw_body.is_some() {
        let mend = "write method = \"POST\"";
        problems.refuse_and_mend(&place.key("body"), "a GET request has no body", mend);
    }
    Some(ApiRequest { method: Method::new(method?), url: url?, headers, body: body? })
}

/// The outer `None` where something is wrong.
#[allow(clippy::option_option, reason = "wrong and absent are two things")]
fn body(
    content_type: Option<&str>,
    raw: Option<&Value>,
    known: &Known<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Option<ApiBody>> {
    const TYPES: [(&str, bool); 2] = [("json", true), ("form", false)];
    let is_json = match content_type {
        Some(kind) => problems.chosen(&place.key("content_type"), kind, &TYPES)?,
        None => true,
    };
    let Some(raw) = raw else { return Some(None) };
    let place = place.key("body");
    let body = template(raw, known, &place, problems);
    if is_json {
        return Some(Some(ApiBody::Json(body)));
    }
    match body {
        BodyTemplate::Table(pairs)
            if pairs
                .iter()
                .all(|(_, value)| matches!(value, BodyTemplate::Literal(_) | BodyTemplate::Text(_))) =>
        {
            Some(Some(ApiBody::Form(pairs)))
        }
        _ => {
            problems.refuse(&place, "a form is a table of texts, numbers and booleans");
            None
        }
    }
}

fn template(raw: &Value, known: &Known<'_>, place: &Place, problems: &mut Problems) -> BodyTemplate {
    match raw {
        Value::String(text) => {
            let (template, unknown) = Template::parse(text, |path| known.has(path));
            // The whole of a value can hardly be meant as it stands; a part of a longer text can.
            if let Some(path) = unknown.first().filter(|path| *text == format!("{{{path}}}")) {
                refuse_unknown(path, known, place, problems);
            }
            BodyTemplate::Text(template)
        }
        Value::Array(items) => {
            let item = |(i, item)| template(item, known, &place.index(i), problems);
            BodyTemplate::List(items.iter().enumerate().map(item).collect())
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                (name.clone(), template(value, known, &place.key(name), problems))
            };
            BodyTemplate::Table(members.iter().map(member).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => BodyTemplate::Literal(raw.clone()),
    }
}

fn headers(
    raw: Option<&[(&str, &str)]>,
    known: &Known<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, text) in raw.into_iter().flatten() {
        let place = place.key(name);
        let name = name.to_ascii_lowercase();
        if !check_header(&name, &place, problems) {
            continue;
        }
        if headers.iter().any(|(other, _)| *other == name) {
            problems.refuse(&place, "this header field is there in another spelling");
        } else if let Some(template) = strict_template(text, known, &place, problems) {
            headers.push((name, template));
        }
    }
    headers
}

/// Whether a header field of that name can be set.
pub(in crate::config::check::providers) fn check_header(
    name: &str,
    place: &Place,
    problems: &mut Problems,
) -> bool {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        problems.refuse(place, format!("{} is no header field's name", quoted(&name)));
        return false;
    }
    if OWN_HEADERS.contains(&name.as_str()) {
        problems.refuse(place, "this header field is set for you");
        return false;
    }
    true
}

/// A template for a header field, where no brace is anything else.
pub(super) fn strict_template(
    text: &str,
    known: &Known<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Template> {
    let (template, unknown) = Template::parse(text, |path| known.has(path));
    if let Some(path) = unknown.first() {
        refuse_unknown(path, known, place, problems);
        return None;
    }
    if !is_field_value(&template.text(&|_| None)) {
        problems.refuse(place, format!("{} has characters that no header field carries", quoted(text)));
        return None;
    }
    Some(template)
}

fn refuse_unknown(path: &DataPath, known: &Known<'_>, place: &Place, problems: &mut Problems) {
    let hint = match path.root() {
        "cookie" if known.names.contains(&"cookie") => "write {cookie.NAME}".to_owned(),
        root if known.names.contains(&root) => format!("write {{{root}}}"),
        root if known.names.is_empty() => format!("there is nothing of the name {root:?}"),
        root => suggestion(root, &known.names),
    };
    problems.refuse(place, format!("{{{path}}} stands for nothing; {hint}"));
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
