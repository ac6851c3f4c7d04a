//! The answer to every request while the configuration is wrong. A developer sees the mistakes in the browser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::config::Runtime;
use crate::config::error::ConfigErrors;
use crate::guard::headers::EdgeFields;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::origin::is_loopback;
use vestibule_oidc::http::request::{Method, Request};
use vestibule_oidc::http::response::Response;

const STYLE: &str = include_str!("style.css");

/// What of the layout does not suit a list of mistakes.
const RULES: &str = "main{max-width:48rem;text-align:left}code{overflow-wrap:anywhere}li{margin:.75em 0}ol{padding-left:1.25em}";

/// The answer with the status 500. The mistakes are shown only to a browser on the machine that the Worker runs on; anyone
/// else is told to look into the log.
pub fn broken_configuration(request: &Request, errors: &ConfigErrors, runtime: &Runtime) -> Response {
    let response = Response::empty(500).with("cache-control", "no-store");
    if !request.is_navigation() || !is_development(request, runtime.edge) {
        return response
            .with("content-type", "text/plain; charset=utf-8")
            .with_body("The site's sign-in is not configured correctly. The log says where.");
    }
    let style = format!("{STYLE}{RULES}");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(&style))
    );
    response
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("x-content-type-options", "nosniff")
        .with_body(page(request, errors, runtime, &style).into_string())
}

/// Whether the request comes from the machine itself. No network in front of a deployment lets a request for `localhost`
/// pass, and each says who the client is, or names the request. A runtime that knows the client's address by itself names
/// requests on that machine, too.
pub(crate) fn is_development(request: &Request, edge: EdgeFields) -> bool {
    const OF_PROXIES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"];
    let headers = &request.headers;
    is_loopback(request.url.host())
        && !OF_PROXIES.iter().any(|name| headers.contains(name))
        && is_sent_from_here(headers, edge)
}

fn is_sent_from_here(headers: &Headers, edge: EdgeFields) -> bool {
    let mut addresses = edge.client_address.into_iter().flat_map(|name| headers.get_all(name)).peekable();
    if addresses.peek().is_some() {
        return addresses.all(is_own_address);
    }
    edge.request_id.is_none_or(|name| !headers.contains(name))
}

fn is_own_address(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn page(request: &Request, errors: &ConfigErrors, runtime: &Runtime, style: &str) -> Markup {
    let reloads = request.method == Method::Get;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if reloads { meta http-equiv="refresh" content="3"; }
                title { "Wrong configuration" }
                style { (PreEscaped(style)) }
            }
            body {
                main {
                    h1 { "The configuration is wrong" }
                    ol {
                        @for error in errors.iter() {
                            li {
                                code { (error.place) } (error.in_parentheses()) ": " (error.problem)
                                @if !error.fix.is_empty() { "; " (error.fix) }
                                "."
                            }
                        }
                    }
                    p { "On this machine, secrets are lines like " code { "NAME=\"value\"" } " in " code { (runtime.local_secrets) } "." }
                    @if reloads { p { "This page looks again every three seconds. Only this machine sees it." } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::guard::headers::EdgeFields;
    use serde_json::json;
    use vestibule_oidc::http::request::RequestUrl;

    const RUNTIME: Runtime = Runtime {
        leases: &[],
        revocations: &[],
        services: &[],
        targets: "",
        service_name: "",
        configure: "",
        write_table: "",
        edge: EdgeFields {
            prefix: Some("cf-"),
            headers: &["cf-connecting-ip", "cf-ray"],
            client_address: Some("cf-connecting-ip"),
            request_id: Some("cf-ray"),
        },
        sinks: &[],
        metrics: &[],
        login_limits: "",
        decrypts_rsa: false,
        signs_rsa: true,
        set_secret: "as NAME",
        local_secrets: "a-file",
    };

    fn answer(url: &str, headers: &[(&str, &str)]) -> Response {
        answer_to(Method::Get, url, headers)
    }

    fn answer_to(method: Method, url: &str, headers: &[(&str, &str)]) -> Response {
        let auth = json!({ "base_path": "<b>", "providers": [{ "id": "okta" }] });
        let errors = Config::load(auth, &|_| None, &RUNTIME).unwrap_err();
        let page = [("accept", "text/html")];
        let request = Request {
            method,
            url: RequestUrl::parse(url).unwrap(),
            headers: page.iter().chain(headers).copied().collect(),
        };
        broken_configuration(&request, &errors, &RUNTIME)
    }

    #[test]
    fn on_this_machine_the_browser_shows_each_mistake_and_where_secrets_are() {
        for host in ["localhost:8787", "site.localhost:8787", "127.0.0.1", "[::1]:8787"] {
            for headers in [
                &[][..],
                &[("cf-connecting-ip", "127.0.0.1")],
                &[("cf-connecting-ip", "::1")],
                &[("cf-connecting-ip", "127.0.0.1"), ("cf-ray", "of the runtime itself")],
            ] {
                let answer = answer(&format!("http://{host}/x"), headers);
                assert_eq!(answer.status, 500);
                for shown in ["AUTH_OKTA_ID", "AUTH_SECRET", "a-file", "&lt;b&gt;"] {
                    assert!(answer.body.contains(shown), "{shown}: {}", answer.body);
                }
                assert!(!answer.body.contains("<b>"));
            }
        }
    }

    #[test]
    fn the_page_looks_again_by_itself_unless_that_would_send_a_form_again() {
        for (method, looks_again) in [(Method::Get, true), (Method::Post, false)] {
            let answer = answer_to(method, "http://localhost:8787/x", &[]);
            let shown =
                ["http-equiv=\"refresh\"", "every three seconds"].map(|text| answer.body.contains(text));
            assert_eq!(shown, [looks_again, looks_again]);
        }
    }

    #[test]
    fn nobody_else_sees_a_mistake() {
        for (url, header) in [
            ("https://app.example.com/", None),
            ("https://localhost.example.com/", None),
            ("http://192.168.1.2/", None),
            ("http://localhost/", Some(("cf-ray", "8f1"))),
            ("http://localhost/", Some(("cf-connecting-ip", "203.0.113.7"))),
            ("http://localhost/", Some(("cf-connecting-ip", "localhost"))),
            ("http://localhost/", Some(("x-forwarded-for", "127.0.0.1"))),
            ("http://localhost/", Some(("forwarded", "for=127.0.0.1"))),
            ("http://localhost/", Some(("sec-fetch-mode", "cors"))),
        ] {
            let answer = answer(url, header.as_slice());
            assert_eq!(answer.status, 500);
            assert!(!answer.body.contains("AUTH"), "{url} {header:?}: {}", answer.body);
        }
    }
}
