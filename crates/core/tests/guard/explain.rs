//! The exact output of `explain`.

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::explain::explain;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn config() -> Config {
    let auth = json!({
        "providers": [{ "id": "acme", "issuer": "https://idp.example", "client_id": "c" }],
        "base_path": "/auth",
        "rules": [
            { "match": "/admin/:path*", "access": "public", "methods": "OPTIONS" },
            { "match": "/admin/:path*", "access": "public", "has": [{ "type": "header", "key": "X-Open", "value": "1" }] },
            { "match": "/admin/:path*", "require": { "roles": ["admin", "owner"], "banned": { "not": true } }, "deny": "not-found" },
            { "match": "/api/:id(\\d+)", "email_domain": "example.com", "to": "service:API", "headers": { "X-Mail": "email" }, "assertion": true },
            { "match": "/((?!api).*)\\.css", "access": "public" },
            { "match": "/orders", "access": "signed-in",
              "authorization": { "exchange": { "audience": "orders", "scope": "orders.read" } } },
            { "match": "/billing", "acr": ["gold", "platinum"], "amr": "otp", "max_age": "15m" },
        ],
        "upstreams": [{
            "to": "https://upstream.example",
            "authorization": "access_token",
            "headers": { "X-User-Email": "email", "X-User-Roles": "roles" },
        }],
    });
    Config::load(auth, &secret, &vestibule_testing::RUNTIME).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Every secret but private keys.
fn secret(name: &str) -> Option<String> {
    (!name.contains("_KEY")).then(|| format!("a-long-enough-value-for-{name}"))
}

/// A configuration for a domain with one login host.
fn config_of_a_domain() -> Config {
    let auth = json!({
        "login_url": "https://auth.example.com",
        "cookies": { "domain": "example.com" },
        "rules": [{ "match": "/about", "access": "public" }],
    });
    Config::load(auth, &secret, &vestibule_testing::RUNTIME).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_output_names_the_login_host_and_hosts_outside_the_domain() {
    let config = config_of_a_domain();
    let explained = |url: &str, claims: &Value| {
        let url = RequestUrl::parse(url).unwrap();
        let request = Request { method: Method::Get, url, headers: Headers::new() };
        explain(&config, &request, claims.as_object(), NOW).to_string()
    };
    let signed_out = explained("https://app.example.com/x", &Value::Null);
    let person = "browser    302 to https://auth.example.com/auth/signin, and back after signing in\n";
    assert!(signed_out.contains(person), "{signed_out}");
    let there = explained("https://auth.example.com/x", &Value::Null);
    assert!(there.contains("browser    302 to /auth/signin, and back"), "{there}");
    let foreign = explained("https://other.org/x", &json!({ "sub": "1" }));
    assert!(foreign.contains("The host is outside cookies.domain (example.com)"), "{foreign}");
    assert!(foreign.contains("browser    403, with a page\nscript     403\n"), "{foreign}");
    assert!(explained("https://other.org/about", &Value::Null).contains("script     passes"));
    let route = explained("https://other.org/auth/session", &Value::Null);
    assert_eq!(route, "answer     403 to everyone: the host is outside cookies.domain (example.com)\n");
}

fn explained(method: &str, url: &str, headers: &[(&str, &str)], claims: &Value) -> String {
    let request = Request {
        method: Method::new(method),
        url: RequestUrl::parse(url).unwrap(),
        headers: headers.iter().copied().collect(),
    };
    explain(&config(), &request, claims.as_object(), NOW).to_string()
}

#[test]
fn a_denied_request_shows_the_missing_claims_and_the_rules_that_do_not_apply() {
    assert_eq!(
        explained("GET", "https://h/admin/x?q", &[], &json!({ "roles": ["user"] })),
        "\
path       /admin/x
skipped    AUTH.rules[0]: it is for other methods
skipped    AUTH.rules[1]: the request lacks: header x-open = 1
rule       AUTH.rules[2] /admin/:path*
requires   banned is not true: yes, it is nothing
requires   roles is one of \"admin\", \"owner\": no, it is [\"user\"]
result     not found

browser    404
script     404
"
    );
}

#[test]
fn what_a_rule_asks_of_the_authentication_is_shown_with_what_the_session_has() {
    let ago = |seconds: u64| json!({ "acr": "gold", "amr": ["pwd"], "auth_time": NOW.seconds() - seconds });
    assert_eq!(
        explained("GET", "https://h/billing", &[], &ago(1200)),
        "\
path       /billing
rule       AUTH.rules[6] /billing
requires   acr is one of \"gold\", \"platinum\": yes, it is \"gold\"
requires   amr has \"otp\": no, it is [\"pwd\"]
requires   auth_time is at most 900 s ago: no, it is 1200 s ago
result     prove more first

browser    302 to the provider, and back after proving more
script     401
"
    );
    let enough = json!({ "acr": "gold", "amr": ["pwd", "otp"], "auth_time": NOW.seconds() - 60 });
    assert!(explained("GET", "https://h/billing", &[], &enough).contains("browser    passes\n"));
    let signed_out = explained("GET", "https://h/billing", &[], &Value::Null);
    assert!(signed_out.contains("amr has \"otp\": no, no one is signed in\n"), "{signed_out}");
    assert!(signed_out.contains("/signin, and back after signing in\n"), "{signed_out}");
}

#[test]
fn a_token_of_the_upstream_s_own_is_named_by_its_target() {
    let claims = json!({ "email": "a@example.com", "access_token": "hunter2" });
    let text = explained("GET", "https://h/orders", &[], &claims);
    let line = "sets       authorization: Bearer ..., exchanged for audience orders, scope orders.read\n";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let text = explained("GET", "https://h/orders", &[], &json!({ "email": "a@example.com" }));
    assert!(
        text.contains("omits      authorization: the session has no access_token to exchange\n"),
        "{text}"
    );
}

#[test]
fn a_forwarded_request_shows_the_headers_that_are_set_and_removed() {
    assert_eq!(
        explained(
            "GET",
            "https://h/dashboard",
            &[("X_User_Email", "root@h"), ("Authorization", "Bearer forged"), ("Accept", "*/*")],
            &json!({ "email": "a@example.com", "access_token": "hunter2" }),
        ),
        "\
path       /dashboard
rule       none: AUTH.default_access applies
requires   a signed-in user
result     pass

browser    passes
script     passes

goes to    https://upstream.example
sets       authorization: Bearer ...
sets       x-user-email: a@example.com
omits      x-user-roles: the session has no roles
changes    x_user_email: the client's value does not pass
changes    authorization: the client's value does not pass
guards     x-mail, x-user-email, x-user-roles, authorization: a client's values never pass, in any spelling of the names
"
    );
}

#[test]
fn a_rule_with_another_server_sends_it_only_its_own_headers() {
    let mut claims = json!({ "email": "a@example.com", "access_token": "hunter2" });
    let nameless = explained("POST", "https://h/api/7", &[], &claims);
    assert!(nameless.contains("omits      x-vestibule-assertion: the session has no sub\n"), "{nameless}");
    claims["sub"] = json!("a-1");
    let text = explained("POST", "https://h/api/7", &[], &claims);
    assert!(
        text.contains("requires   email is at \"example.com\": yes, it is \"a@example.com\"\n"),
        "{text}"
    );
    let forwarded = "\
goes to    the service API
sets       x-mail: a@example.com
sets       x-vestibule-assertion: signed, for service:API
guards     x-mail, x-user-email, x-user-roles: a client's values never pass, in any spelling of the names
";
    assert!(text.ends_with(forwarded), "{text}");
}

#[test]
fn path_confusion_every_reading_is_shown_and_the_strictest_applies() {
    assert_eq!(
        explained("PUT", "https://h/admin;x/a.css", &[], &Value::Null),
        "\
Servers read this path in 2 ways. The request passes only if it passes in each of them; otherwise the strictest result applies.

path       /admin;x/a.css
rule       AUTH.rules[4] /((?!api).*)\\.css
requires   nothing: it is public
result     pass

path       /admin/a.css
read so    by any server that decodes it differently
skipped    AUTH.rules[0]: it is for other methods
skipped    AUTH.rules[1]: the request lacks: header x-open = 1
rule       AUTH.rules[2] /admin/:path*
requires   banned is not true: no, no one is signed in
requires   roles is one of \"admin\", \"owner\": no, no one is signed in
result     not found

script     404
"
    );
}

#[test]
fn path_confusion_a_reading_of_some_servers_is_shown_if_it_restricts() {
    let text = explained("PUT", "https://h/Admin/a.css", &[], &Value::Null);
    let reading = "path       /Admin/a.css\nread so    by servers that ignore case\n";
    assert!(text.contains(reading) && text.contains("rule       AUTH.rules[2]"), "{text}");
    let public = explained("PUT", "https://h/docs/A.CSS", &[], &Value::Null);
    assert!(!public.contains("read so"), "{public}");
}

#[test]
fn requests_that_the_rules_do_not_decide_are_explained_too() {
    let refused = explained("GET", "https://h/a%2fb", &[], &Value::Null);
    assert_eq!(refused, "answer     400 to everyone: the path has an encoded slash\n");
    let own = explained("GET", "https://h/auth/session", &[], &Value::Null);
    assert_eq!(own, "answer     an auth route: Vestibule answers paths below base_path itself\n");
    let preflight = [("origin", "https://o"), ("access-control-request-method", "PUT")];
    let preflight = explained("OPTIONS", "https://h/x", &preflight, &Value::Null);
    assert!(preflight.contains("CORS preflight") && preflight.contains("script     passes"), "{preflight}");
    let signed_out = explained("GET", "https://h/x", &[], &Value::Null);
    assert!(signed_out.contains("/signin, and back after signing in\nscript     401\n"), "{signed_out}");
}
