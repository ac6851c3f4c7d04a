//! The pages that Vestibule shows itself: sign in, sign out, error, forbidden. Plain HTML that needs no
//! script; the only style is its own, allowed by its hash.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::config::credentials::Field;
use crate::config::{Dialect, Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::{Exchange, Visit, with_cookies, with_parameters};
use crate::http::form::Params;
use crate::http::response::Response;
use crate::platform::Platform;

/// Codes that next-auth 4's error page leaves to the sign-in page.
const SIGN_IN_ERRORS_V4: [&str; 10] = [
    "Signin",
    "OAuthSignin",
    "OAuthCallback",
    "OAuthCreateAccount",
    "EmailCreateAccount",
    "Callback",
    "OAuthAccountNotLinked",
    "EmailSignin",
    "CredentialsSignin",
    "SessionRequired",
];

const STYLE: &str = include_str!("pages.css");

/// `GET /signin`: every provider, and what went wrong before.
pub(crate) fn sign_in<P: Platform>(exchange: &Exchange<'_, P>, query: &Params) -> Result<Response, Error> {
    let visit = Visit::new(exchange, query, None)?;
    let error = query.one("error").map_err(ClientError::from)?;
    let config = exchange.config();
    if let Some(page) = &config.pages.sign_in {
        let mut parameters = vec![("callbackUrl", visit.return_to.as_str())];
        parameters.extend(error.map(|error| ("error", error)));
        return Ok(with_cookies(Response::redirect(with_parameters(page, &parameters)), visit.cookies));
    }
    let body = html! {
        h1 { "Sign in" }
        @if let Some(error) = error {
            p.alert role="alert" { (sign_in_error(error)) }
        }
        @for provider in &config.providers {
            @match &provider.kind {
                ProviderKind::Oidc(_) => {
                    form method="post" action=(exchange.route(&format!("signin/{}", provider.id))) {
                        (hidden(&visit))
                        button type="submit" { "Sign in with " (provider.name) }
                    }
                }
                ProviderKind::Credentials(credentials) => {
                    form method="post" action=(exchange.route(&format!("callback/{}", provider.id))) {
                        (hidden(&visit))
                        (inputs(&provider.id, &credentials.fields))
                        button type="submit" { "Sign in with " (provider.name) }
                    }
                }
            }
        }
    };
    Ok(with_cookies(page(exchange, 200, "Sign in", &body), visit.cookies))
}

/// `GET /signout`: asks whether to.
pub(crate) fn sign_out<P: Platform>(exchange: &Exchange<'_, P>, query: &Params) -> Result<Response, Error> {
    let visit = Visit::new(exchange, query, None)?;
    if let Some(page) = &exchange.config().pages.sign_out {
        return Ok(with_cookies(Response::redirect(page), visit.cookies));
    }
    let body = html! {
        h1 { "Sign out" }
        p { "Are you sure you want to sign out?" }
        form method="post" action=(exchange.route("signout")) {
            (hidden(&visit))
            button type="submit" { "Sign out" }
        }
    };
    Ok(with_cookies(page(exchange, 200, "Sign out", &body), visit.cookies))
}

/// `GET /error`: what went wrong, in words for the person in front of it. The status says who is to blame.
pub(crate) fn error<P: Platform>(exchange: &Exchange<'_, P>, query: &Params) -> Result<Response, Error> {
    let visit = Visit::new(exchange, query, None)?;
    let code = query.one("error").map_err(ClientError::from)?;
    if exchange.config().dialect == Dialect::NextAuthV4
        && let Some(code) = code.filter(|code| SIGN_IN_ERRORS_V4.contains(code))
    {
        let location = with_parameters(&exchange.route("signin"), &[("error", code)]);
        return Ok(with_cookies(Response::redirect(location), visit.cookies));
    }
    if let Some(page) = &exchange.config().pages.error {
        // Auth.js writes the word where there is no error.
        let location = with_parameters(page, &[("error", code.unwrap_or("undefined"))]);
        return Ok(with_cookies(Response::redirect(location), visit.cookies));
    }
    let (status, title, text) = match code.map(|code| canonical(exchange.config().dialect, code)) {
        Some("Configuration") => (
            500,
            "Something is wrong on our side",
            "Signing in did not work. Please try again; if it happens again, tell the people who run this site.",
        ),
        Some("AccessDenied") => (403, "Access denied", "You do not have permission to sign in."),
        Some("Verification") => (
            403,
            "This link no longer works",
            "It was used already, or is too old. Please sign in again to get a new one.",
        ),
        _ => (200, "Something went wrong", "Please try again."),
    };
    let body = html! {
        h1 { (title) }
        p role="alert" { (text) }
        p { a.button href=(exchange.route("signin")) { "Sign in" } }
    };
    Ok(with_cookies(page(exchange, status, title, &body), visit.cookies))
}

/// next-auth 4 does not mind how a code is capitalized.
fn canonical(dialect: Dialect, code: &str) -> &str {
    let known = ["Configuration", "AccessDenied", "Verification"];
    let same = |known: &&str| dialect == Dialect::NextAuthV4 && known.eq_ignore_ascii_case(code);
    known.into_iter().find(same).unwrap_or(code)
}

/// What somebody sees who is signed in, but not as somebody who may go where they wanted to.
pub(crate) fn forbidden<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let body = html! {
        h1 { "No access" }
        p { "You are signed in, but this page is not open to your account." }
        p { a.button href=(exchange.route("signout")) { "Sign out" } }
    };
    page(exchange, 403, "No access", &body)
}

/// `GET /providers`: what Auth.js's client asks before it signs in.
pub(crate) fn providers<P: Platform>(exchange: &Exchange<'_, P>) -> Response {
    let describe = |provider: &Provider| {
        let id = &provider.id;
        json!({
            "id": id,
            "name": provider.name,
            "type": provider.kind.name(exchange.config().dialect),
            "signinUrl": exchange.route(&format!("signin/{id}")),
            "callbackUrl": exchange.route(&format!("callback/{id}")),
        })
    };
    let all: Map<String, Value> =
        exchange.config().providers.iter().map(|p| (p.id.clone(), describe(p))).collect();
    Response::json(200, &all)
}

/// `GET /csrf`: the token to send along with a POST.
pub(crate) fn csrf<P: Platform>(exchange: &Exchange<'_, P>, query: &Params) -> Result<Response, Error> {
    let visit = Visit::new(exchange, query, None)?;
    let answer = Response::json(200, &json!({ "csrfToken": visit.csrf.token() })).uncached();
    Ok(with_cookies(answer, visit.cookies))
}

/// A page of the configuration's, a path or a URL, as a URL.
pub(crate) fn absolute<P: Platform>(exchange: &Exchange<'_, P>, page: &str) -> String {
    if page.starts_with('/') { format!("{}{page}", exchange.request.url.origin()) } else { page.to_owned() }
}

/// What an API of one's own asks for. Several providers may be on one page, so the ids begin with theirs.
fn inputs(provider_id: &str, fields: &[Field]) -> Markup {
    html! {
        @for field in fields {
            @let id = format!("{provider_id}-{}", field.name);
            label for=(id) { (field.label) }
            input id=(id) name=(field.name) type=(field.kind) placeholder=[field.placeholder.as_deref()]
                autocomplete=[field.autocomplete.as_deref()] required[field.required];
        }
    }
}

fn hidden(visit: &Visit) -> Markup {
    html! {
        input type="hidden" name="csrfToken" value=(visit.csrf.token());
        input type="hidden" name="callbackUrl" value=(visit.return_to.as_str());
    }
}

/// Auth.js's codes in words. An unknown one, which anybody can put into a link, says nothing of its own.
fn sign_in_error(code: &str) -> &'static str {
    match code {
        "OAuthCallbackError" | "OAuthCallback" | "OAuthSignin" | "Signin" | "Callback" => {
            "The sign-in was cancelled or refused. Please try again, or with a different account."
        }
        "OAuthAccountNotLinked" => {
            "To confirm that it is you, sign in with the same account that you used originally."
        }
        "CredentialsSignin" => "Sign-in failed. Check that the details you gave are correct.",
        "SessionRequired" => "Please sign in to see this page.",
        "MissingCSRF" => "The page was open for too long, or cookies are blocked. Please try again.",
        _ => "Signing in did not work. Please try again.",
    }
}

fn page<P: Platform>(exchange: &Exchange<'_, P>, status: u16, title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (body)
                    p.host { (exchange.request.url.authority) }
                }
            }
        }
    };
    let style_hash = STANDARD.encode(Sha256::digest(STYLE));
    // A form may go to us, and by our redirect on to any provider: browsers apply `form-action` to both.
    let form_action = if exchange.request.url.secure { "'self' https:" } else { "'self' https: http:" };
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    Response::empty(status)
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("x-frame-options", "DENY")
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "same-origin")
        .with("cache-control", "private, no-store")
        .with_body(markup.into_string())
}
