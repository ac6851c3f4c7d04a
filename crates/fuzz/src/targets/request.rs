//! A whole request, through `Vestibule::handle`.

use url::Url as BrowserUrl;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::RequestUrl;
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv};

use crate::input::{check_line, first_line, shape, text};
use crate::obvious::{self, paths};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "request",
    about: "a whole request: no guarded page without a session, no header field of ours from a client",
    reads: &["handle::Vestibule::handle"],
    run: request,
    slice: 60,
}];

thread_local! {
    /// The cookies of a user without roles. Every environment has the same secret and begins at the same time.
    static SESSION: String = {
        let (env, mut browser) = (TestEnv::new(), Browser::new());
        browser.sign_in(&env, "bob", "/");
        browser.cookie_header()
    };
}

/// A request as HTTP writes it: `METHOD TARGET`, header fields, an empty line, the body. `{session}` is a session.
fn request(input: &[u8]) -> Shape {
    let text = text(input);
    let has_session = text.contains("{session}");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (line, fields) = first_line(head);
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let method =
        if !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic()) { method } else { "GET" };
    let url = format!("{APP}{target}");
    let is_request =
        target.starts_with('/') && BrowserUrl::parse(&url).is_ok_and(|parsed| parsed.as_str() == url);
    let Some(sent) = RequestUrl::parse(&url).filter(|_| is_request) else { return Shape::default() };
    let fields: Vec<(String, String)> = fields.split('\n').filter_map(field).collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();

    let env = TestEnv::new();
    let answer = env.send(method, &url, &fields, body.as_bytes());
    check_answer(&answer, &text);
    let log = env.log_text();
    for secret in [SECRET, "acme-secret"] {
        assert!(!log.contains(secret), "a secret is in the log: {log}");
    }
    let forwarded = env.forwarder.requests();
    assert!(forwarded.len() <= 1);
    for forwarded in &forwarded {
        let request = &forwarded.request;
        assert_eq!(request.url.path, sent.path, "the path is forwarded as it came");
        assert_eq!(request.method.as_str(), method);
        if request.is_preflight() {
            // It has no effect, and reaches the upstream without what could give it one.
            check_forwarded(&request.headers, false);
            assert!(forwarded.body.is_empty() || is_public_path(&request.url.path), "a preflight has a body");
            continue;
        }
        let segments = paths::segments(&request.url.path).expect("it decodes");
        let first = segments.first().map(|segment| segment.to_lowercase());
        assert_ne!(first.as_deref(), Some("admin"), "a user without roles gets {}", request.url.path);
        assert!(
            is_public_path(&request.url.path) || has_session,
            "{} is forwarded without a session",
            request.url.path
        );
        check_forwarded(&request.headers, has_session);
    }
    let content = answer.headers.get("content-type").unwrap_or_default().to_owned();
    shape((answer.status, forwarded.len(), content, target.split(['?', '/']).nth(2).map(str::to_owned)))
}

/// By the rules of the environment.
fn is_public_path(path: &str) -> bool {
    match paths::segments(path).expect("it decodes").as_slice() {
        [] => true,
        [one] => one == "about" || one == "static",
        [first, ..] => first == "static",
    }
}

/// A header field that a runtime lets through.
fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    let value = value.trim().replace("{session}", &SESSION.with(String::clone));
    (is_name && !value.contains(char::is_control)).then(|| (name.to_ascii_lowercase(), value))
}

fn check_answer(answer: &Answer, input: &str) {
    assert!((200..600).contains(&answer.status), "{}", answer.status);
    for (name, value) in answer.headers.iter() {
        assert!(!value.contains(char::is_control) && !name.contains(char::is_control), "{name}: {value:?}");
    }
    if answer.headers.contains("set-cookie") {
        let caching = answer.headers.joined("cache-control");
        assert!(caching.contains("no-store"), "a cookie in an answer that may be stored: {caching}");
    }
    if answer.forwarded.is_some() {
        return;
    }
    if let Some(location) = answer.headers.get("location") {
        check_line(location);
        let to = BrowserUrl::parse(APP).expect("a URL").join(location).expect("a URL");
        let origin = to.origin().ascii_serialization();
        assert!([APP, "https://idp.example"].contains(&origin.as_str()), "a redirect to {location}");
    }
    let is_page = answer.headers.get("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page && input.contains("<zz") {
        assert!(!answer.body.contains("<zz"), "markup of the request is in a page");
    }
}

/// What the upstream gets about the user is ours.
fn check_forwarded(headers: &Headers, has_session: bool) {
    let spelled = |name: &str| {
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    };
    for (name, value) in headers.iter() {
        let is_ours = matches!(spelled(name).as_str(), "x-user-email" | "x-user-roles" | "authorization");
        assert!(has_session || !is_ours, "{name}: {value} comes from a client");
        assert!(!is_ours || spelled(name) == name, "{name} is read as one of ours");
        assert!(
            !matches!(name, "connection" | "te" | "transfer-encoding" | "keep-alive"),
            "{name} is forwarded"
        );
    }
    if has_session && let Some(email) = headers.get("x-user-email") {
        assert_eq!(headers.get_all("x-user-email").count(), 1);
        assert!(email.starts_with("bob"), "{email}");
    }
    assert_eq!(headers.get_all("x-forwarded-host").collect::<Vec<_>>(), ["app.example.com"]);
    assert_eq!(headers.get_all("x-forwarded-proto").collect::<Vec<_>>(), ["https"]);
    let fields: Vec<&str> = headers.get_all("cookie").collect();
    for (_, name, _) in obvious::cookies(&fields) {
        let base = name.trim_start_matches("__Secure-").trim_start_matches("__Host-");
        let begins = ["authjs.session-token", "next-auth.session-token", "authjs.transaction."];
        let is_ours = base == "authjs.csrf-token" || begins.iter().any(|begin| base.starts_with(begin));
        assert!(!is_ours, "the upstream gets the cookie {name}");
    }
}
