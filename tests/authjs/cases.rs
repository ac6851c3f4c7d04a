//! The requests that both sides get.

use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;
use vestibule_core::session::dialect::Dialect;

use crate::cookies::{How, Role, Tampering};
use crate::site::{DAY, FOREIGN_SECRET, SECRET, Site, TOKEN, ada};

/// A sequence of requests of one browser.
pub struct Case {
    pub name: String,
    /// Whether the site has its own pages for sign-in, sign-out and errors.
    pub has_pages: bool,
    /// The cookies that the browser has at the beginning.
    pub cookies: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

/// One request. The browser replaces `{csrf}`, `{state}`, `{code:USER}` and `{code:USER;ODDITY}`.
pub struct Step {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// What happens to the browser's cookies before the request.
    pub tampering: Vec<Tampering>,
}

/// All cases of a site.
pub fn cases(site: Site) -> Vec<Case> {
    let mut list = List { site, cases: Vec::new() };
    csrf_and_providers(&mut list);
    session(&mut list);
    session_confusion(&mut list);
    update(&mut list);
    pages(&mut list);
    return_addresses(&mut list);
    sign_in(&mut list);
    bodies(&mut list);
    callback(&mut list);
    stories(&mut list);
    credentials(&mut list);
    sign_out(&mut list);
    errors(&mut list);
    client_log(&mut list);
    routes(&mut list);
    people(&mut list);
    oddities(&mut list);
    list.cases
}

fn csrf_and_providers(list: &mut List) {
    let site = list.site;
    let csrf = site.names().csrf().to_owned();
    list.case("csrf").get("/csrf");
    list.case("csrf: known browser").has_csrf().get("/csrf");
    list.case("csrf: cookie of another secret").has([site.csrf_of(FOREIGN_SECRET)]).get("/csrf");
    for broken in ["", "x", "%7C", "a%7Cb", "%", "%zz", TOKEN] {
        list.case(&format!("csrf: broken cookie {broken:.8}"))
            .has([(csrf.clone(), broken.to_owned())])
            .get("/csrf");
    }
    let bare = site.csrf().1.replace("%7C", "|");
    list.case("csrf: cookie with a bare bar").has([(csrf, bare)]).get("/csrf");
    list.case("csrf with a return address").get("/csrf?callbackUrl=/x");
    list.case("providers").get("/providers");
    list.case("providers: known browser").has_csrf().get("/providers");
}

fn session(list: &mut List) {
    let site = list.site;
    let name = site.names().session().to_owned();
    list.case("session: nobody").get("/session");
    list.case("session: good").has(site.session(&ada())).get("/session");
    list.case("session: good, known browser").has_csrf().has(site.session(&ada())).get("/session");
    for (what, claims) in [
        ("no name", json!({ "email": "ada@example.com", "sub": "1" })),
        ("nulls", json!({ "name": null, "email": null, "picture": null, "sub": "1" })),
        ("no claims", json!({})),
        ("other types", json!({ "name": 1, "email": ["a"], "picture": { "a": true } })),
        ("more claims", json!({ "name": "Ada", "sub": "1", "roles": ["a"], "access_token": "t", "n": 1.5 })),
        ("no ASCII", json!({ "name": "Jürgen Žižka 山田 🦀", "email": "é@example.com" })),
    ] {
        list.case(&format!("session: {what}")).has(site.session(&claims)).get("/session");
    }
    for (what, secret, ago) in [
        ("of yesterday", SECRET, DAY + Duration::from_hours(1)),
        ("nearly over", SECRET, DAY * 29 + Duration::from_hours(23)),
        ("over", SECRET, DAY * 31),
        ("of another secret", FOREIGN_SECRET, Duration::ZERO),
    ] {
        let sealed = site.sealed(&ada(), secret, ago);
        list.case(&format!("session {what}")).has(site.session_of(&sealed)).get("/session");
    }
    let mut ahead = ada();
    ahead["nbf"] = json!(4_000_000_000_u64);
    list.case("session of the future").has(site.session(&ahead)).get("/session");
    for junk in ["", "junk", "a.b.c.d.e", "....", "%", "%zz", "null", "eyJhbGciOiJkaXIifQ...."] {
        list.case(&format!("session: {junk:?}")).has([(name.clone(), junk.to_owned())]).get("/session");
    }
    let altered = site.sealed(&ada(), SECRET, Duration::ZERO).replace("..", ".x.");
    list.case("session: altered").has([(name, altered)]).get("/session");
    list.case("session with a return address").has(site.session(&ada())).get("/session?callbackUrl=/x");
}

fn session_confusion(list: &mut List) {
    let site = list.site;
    let name = site.names().session().to_owned();
    let mut large = ada();
    large["roles"] = json!(vec!["x".repeat(100); 60]);
    let chunks = site.session(&large);
    list.case("session in chunks").has(chunks.clone()).get("/session");
    list.case("session in chunks, in another order").has(chunks.iter().rev().cloned()).get("/session");
    list.case("session in chunks, one lost").has(chunks.iter().skip(1).cloned()).get("/session");
    list.case("session in chunks, the last lost").has(chunks.iter().take(1).cloned()).get("/session");
    list.case("session in one chunk")
        .has(site.session(&ada()).into_iter().map(|(name, value)| (format!("{name}.0"), value)))
        .get("/session");
    list.case("session whole and in chunks").has(site.session(&ada())).has(chunks).get("/session");
    list.case("session beside a cookie that begins like it")
        .has(site.session(&ada()))
        .has([(format!("{name}-legacy"), "x".to_owned())])
        .get("/session");
    list.case("session under a name that begins like it")
        .has(site.session(&ada()).into_iter().map(|(name, value)| (format!("{name}X"), value)))
        .get("/session");
    let insecure = Site { secure: !site.secure, ..site };
    list.case("session of the other scheme").has(insecure.session(&ada())).get("/session");
    let renamed = insecure.session(&ada()).into_iter().map(|(_, value)| (name.clone(), value));
    list.case("session of the other scheme, renamed").has(renamed).get("/session");
    let other = Site { dialect: site.dialect.other(), ..site };
    list.case("session of the other dialect").has(other.session(&ada())).get("/session");
    list.case("session of both dialects")
        .has(site.session(&ada()))
        .has(other.session(&ada()))
        .get("/session");
    let renamed = other.session(&ada()).into_iter().map(|(_, value)| (name.clone(), value));
    list.case("session of the other dialect, renamed").has(renamed).get("/session");
}

fn update(list: &mut List) {
    let site = list.site;
    let data = json!({ "csrfToken": "{csrf}", "data": { "name": "Mallory", "roles": ["admin"] } });
    list.case("update").has_csrf().has(site.session(&ada())).post_json("/session", &data);
    list.case("update: form")
        .has_csrf()
        .has(site.session(&ada()))
        .post("/session", &[("csrfToken", "{csrf}")]);
    list.case("update: nobody").has_csrf().post_json("/session", &data);
    list.case("update: no token")
        .has_csrf()
        .has(site.session(&ada()))
        .post_json("/session", &json!({ "data": {} }));
    list.case("update: no cookie").has(site.session(&ada())).post("/session", &[("csrfToken", TOKEN)]);
    list.case("update: wrong token")
        .has_csrf()
        .has(site.session(&ada()))
        .post("/session", &[("csrfToken", "00")]);
    list.case("update: broken JSON").has_csrf().has(site.session(&ada())).send(
        "POST",
        "/session",
        &[("content-type", "application/json")],
        Some("{"),
    );
    list.case("update: junk session")
        .has_csrf()
        .has([(site.names().session().to_owned(), "junk".to_owned())])
        .post_json("/session", &data);
}

fn pages(list: &mut List) {
    for (name, path) in [("sign in", "/signin"), ("sign out", "/signout"), ("error", "/error")] {
        list.case(&format!("page: {name}")).get(path);
        list.case(&format!("page: {name}, known browser")).has_csrf().get(path);
        list.case(&format!("page: {name}, own")).own_pages().get(path);
        list.case(&format!("page: {name}, own, with more"))
            .own_pages()
            .get(&format!("{path}?callbackUrl=/x%3Fa%3Db%20c%26d&error=OAuthAccountNotLinked&other=1"));
    }
    list.case("page: sign in with an error").get("/signin?error=CredentialsSignin&callbackUrl=/x");
    list.case("page: sign in with an unknown error").get("/signin?error=%3Cscript%3E");
    list.case("page: sign in with a provider").get("/signin/acme");
    list.case("page: sign in with an unknown provider").get("/signin/nobody");
}

/// Valid and malicious return addresses of every kind.
pub const ADDRESSES: &[&str] = &[
    "/",
    "/x",
    "/x?a=b&c=d#e",
    "/a/../b",
    "/a%2Fb",
    "/ä ö",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/x?y",
    "https://app.example.com:443/x",
    "HTTPS://APP.EXAMPLE.COM/x",
    "http://app.example.com/x",
    "https://app.example.com:8443/x",
    "https://evil.example",
    "https://evil.example/x",
    "https://app.example.com@evil.example/",
    "https://u:p@app.example.com/",
    "https://app.example.com.evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/..//evil.example",
    "foo",
    "?x",
    "#x",
    "javascript:alert(1)",
    "JavaScript://app.example.com/%0aalert(1)",
    "data:text/html,x",
    "ftp://app.example.com/",
    "https:/app.example.com/x",
    "https:app.example.com/x",
    "https://",
    "https://[",
    " /x",
    "/x\r\nSet-Cookie: a=b",
    "",
];

fn return_addresses(list: &mut List) {
    let name = list.site.names().callback_url().to_owned();
    for address in ADDRESSES {
        let encoded: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let encoded = encoded.replace('+', "%20");
        list.case(&format!("return address in the query: {address:?}"))
            .get(&format!("/csrf?callbackUrl={encoded}"));
        list.case(&format!("return address in the cookie: {address:?}"))
            .has([(name.clone(), encoded.clone())])
            .get("/csrf");
        list.case(&format!("return address in the form: {address:?}"))
            .has_csrf()
            .post("/signout", &[("csrfToken", "{csrf}"), ("callbackUrl", address)]);
    }
    list.case("return address: form before query before cookie")
        .has_csrf()
        .has([(name.clone(), "https%3A%2F%2Fapp.example.com%2Fcookie".to_owned())])
        .post("/signout?callbackUrl=/query", &[("csrfToken", "{csrf}"), ("callbackUrl", "/form")])
        .post("/signout?callbackUrl=/query", &[("csrfToken", "{csrf}")])
        .post("/signout", &[("csrfToken", "{csrf}")]);
    list.case("return address twice").get("/csrf?callbackUrl=/a&callbackUrl=/b");
    list.case("return address in the cookie, broken encoding").has([(name, "%zz".to_owned())]).get("/csrf");
}

fn sign_in(list: &mut List) {
    let site = list.site;
    for path in ["/signin/acme", "/signin", "/signin/nobody"] {
        list.case(&format!("sign in at {path}"))
            .has_csrf()
            .post(path, &[("csrfToken", "{csrf}"), ("callbackUrl", "/dashboard")]);
        list.case(&format!("sign in at {path}, no token"))
            .has_csrf()
            .post(path, &[("callbackUrl", "/dashboard")]);
        list.case(&format!("sign in at {path}, no cookie")).post(path, &[("csrfToken", TOKEN)]);
    }
    list.case("sign in, wrong token").has_csrf().post("/signin/acme", &[("csrfToken", "00")]);
    list.case("sign in, token in capitals")
        .has_csrf()
        .post("/signin/acme", &[("csrfToken", &TOKEN.to_ascii_uppercase())]);
    list.case("sign in, token in the query").has_csrf().post("/signin/acme?csrfToken={csrf}", &[]);
    list.case("sign in, token of another site")
        .has([site.csrf_of(FOREIGN_SECRET)])
        .post("/signin/acme", &[("csrfToken", TOKEN)]);
    list.case("sign in, no token, own pages").own_pages().has_csrf().post("/signin/acme", &[]);
    for (what, query) in [
        ("harmless parameters", "prompt=login&login_hint=ada%40example.com&ui_locales=de"),
        ("reserved parameters", "redirect_uri=https%3A%2F%2Fevil.example&state=x&client_id=y&nonce=z"),
        ("another scope", "scope=all"),
        ("an unknown parameter", "tracking=1"),
    ] {
        list.case(&format!("sign in with {what}"))
            .has_csrf()
            .post(&format!("/signin/acme?{query}"), &[("csrfToken", "{csrf}")]);
    }
    for (what, headers, json) in [
        ("v5's client", &[("x-auth-return-redirect", "1")][..], "false"),
        ("v4's client", &[], "true"),
        ("both clients at once", &[("x-auth-return-redirect", "1")], "true"),
        ("a client that wants no JSON", &[], "false"),
    ] {
        for (outcome, path, token) in [
            ("sign in", "/signin/acme", "{csrf}"),
            ("sign in, no token,", "/signin/acme", ""),
            ("sign out", "/signout", "{csrf}"),
        ] {
            let form = [("csrfToken", token), ("json", json), ("callbackUrl", "/x")];
            list.case(&format!("{outcome} by {what}")).has_csrf().post_with(path, &form, headers);
        }
    }
    list.case("session by v5's client").send("GET", "/session", &[("x-auth-return-redirect", "1")], None);
    list.case("sign-in page by v5's client").own_pages().send(
        "GET",
        "/signin",
        &[("x-auth-return-redirect", "1")],
        None,
    );
}

fn bodies(list: &mut List) {
    let form = "csrfToken={csrf}";
    let json = r#"{"csrfToken":"{csrf}","callbackUrl":"/x"}"#;
    let form_type = "application/x-www-form-urlencoded";
    for (what, content_type, body) in [
        ("JSON", "application/json", json),
        ("JSON with a charset", "application/json; charset=utf-8", json),
        ("a form with a charset", "application/x-www-form-urlencoded;charset=UTF-8", form),
        ("JSON that calls itself a form", form_type, json),
        ("a form that calls itself JSON", "application/json", form),
        ("broken JSON", "application/json", "{"),
        ("a JSON string", "application/json", "\"x\""),
        ("JSON null", "application/json", "null"),
        ("a JSON list", "application/json", "[]"),
        ("a JSON token that is no string", "application/json", r#"{"csrfToken":{"a":1}}"#),
        ("plain text", "text/plain", form),
        ("JSON in plain text", "text/plain;application/json", json),
        ("no media type", "", form),
        ("an empty form", form_type, ""),
        ("broken percent-encoding", form_type, "csrfToken={csrf}&callbackUrl=%zz&%"),
        ("a token given twice", form_type, "csrfToken={csrf}&csrfToken={csrf}"),
        ("another token behind", form_type, "csrfToken={csrf}&csrfToken=x"),
    ] {
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() { &[][..] } else { &headers[..] };
        list.case(&format!("body: {what}")).has_csrf().send("POST", "/signout", headers, Some(body));
    }
}

fn callback(list: &mut List) {
    for (what, query) in [
        ("nothing", ""),
        ("a code alone", "?code=1"),
        ("a code and a state", "?code=1&state=x"),
        ("an error alone", "?error=access_denied"),
        ("an error with words", "?error=access_denied&error_description=%3Cb%3Eno"),
        ("an error and a state", "?error=server_error&state=x"),
    ] {
        list.case(&format!("callback with {what}")).get(&format!("/callback/acme{query}"));
        list.case(&format!("callback with {what}, own pages"))
            .own_pages()
            .get(&format!("/callback/acme{query}"));
    }
    list.case("callback of an unknown provider").get("/callback/nobody?code=1");
    list.case("callback of no provider").get("/callback?code=1");
    list.case("callback by POST").post("/callback/acme", &[("code", "1"), ("state", "x")]);
    list.case("callback by POST with an error").post("/callback/acme?error=access_denied", &[]);
    list.case("callback of an unknown provider by POST").post("/callback/nobody", &[("code", "1")]);
}

fn stories(list: &mut List) {
    let form = [("csrfToken", "{csrf}"), ("callbackUrl", "/dashboard?tab=1")];
    let begun = |list: &mut List, name: &str| {
        let story = list.case(&format!("story: {name}"));
        story.get("/csrf").post("/signin/acme", &form);
    };
    for (name, callback) in [
        ("signed in", "?code={code:ada}&state={state}"),
        (
            "signed in, the provider names itself",
            "?code={code:ada}&state={state}&iss=https%3A%2F%2Fidp.example",
        ),
        ("another provider names itself", "?code={code:ada}&state={state}&iss=https%3A%2F%2Fevil.example"),
        ("another state", "?code={code:ada}&state={state}x"),
        ("no state", "?code={code:ada}"),
        ("a code that is none", "?code=junk&state={state}"),
        ("no code", "?state={state}"),
        ("cancelled", "?error=access_denied&state={state}"),
        ("the provider failed", "?error=server_error&error_description=later&state={state}"),
        ("two states", "?code={code:ada}&state={state}&state={state}"),
    ] {
        begun(list, name);
        list.last().get(&format!("/callback/acme{callback}")).get("/session");
    }
    begun(list, "the callback by POST");
    list.last().post("/callback/acme?code={code:ada}&state={state}", &[]);
    begun(list, "the callback twice");
    list.last()
        .get("/callback/acme?code={code:ada}&state={state}")
        .get("/callback/acme?code={code:ada}&state={state}");
    begun(list, "in, update and out");
    list.last()
        .get("/callback/acme?code={code:ada}&state={state}")
        .post_json("/session", &json!({ "csrfToken": "{csrf}", "data": {} }))
        .get("/signout")
        .post("/signout", &[("csrfToken", "{csrf}"), ("callbackUrl", "/bye")])
        .get("/session");
    begun(list, "in as somebody else");
    list.last()
        .get("/callback/acme?code={code:ada}&state={state}")
        .post("/signin/acme", &form)
        .get("/callback/acme?code={code:grace}&state={state}")
        .get("/session");
}

fn credentials(list: &mut List) {
    let site = list.site;
    let path = "/callback/credentials";
    let clients = [
        ("a form", &[][..], ""),
        ("v5's client", &[("x-auth-return-redirect", "1")], ""),
        ("v4's client", &[], "true"),
    ];
    for (client, headers, json) in clients {
        for (what, password, token) in [
            ("the right password", "right", "{csrf}"),
            ("a wrong password", "wrong", "{csrf}"),
            ("no password", "", "{csrf}"),
            ("a locked account", "too late", "{csrf}"),
            ("an API that is down", "boom", "{csrf}"),
            ("no token", "right", ""),
        ] {
            let form = [
                ("csrfToken", token),
                ("email", "ada@example.com"),
                ("password", password),
                ("callbackUrl", "/dashboard"),
                ("json", json),
            ];
            list.case(&format!("credentials: {what} by {client}"))
                .has_csrf()
                .post_with(path, &form, headers)
                .get("/session");
            list.case(&format!("credentials: {what} by {client}, own pages"))
                .own_pages()
                .has_csrf()
                .post_with(path, &form, headers);
        }
    }
    let filled = [("csrfToken", "{csrf}"), ("email", "ada@example.com"), ("password", "right")];
    list.case("credentials: JSON")
        .has_csrf()
        .post_json(path, &json!({ "csrfToken": "{csrf}", "email": "ada@example.com", "password": "right" }));
    list.case("credentials: nothing filled in").has_csrf().post(path, &[("csrfToken", "{csrf}")]);
    list.case("credentials: no return address").has_csrf().post(path, &filled);
    list.case("credentials: with parameters, as the client sends them")
        .has_csrf()
        .post(&format!("{path}?"), &filled);
    let mut large = json!({ "name": "Grace", "sub": "2" });
    large["roles"] = json!(vec!["x".repeat(100); 60]);
    list.case("credentials: in place of a large session")
        .has_csrf()
        .has(site.session(&large))
        .post(path, &filled);
    list.case("credentials by GET").get("/callback/credentials?email=a&password=right");
    list.case("credentials: begun like a provider").has_csrf().post("/signin/credentials", &filled);
    list.case("credentials: begun like a provider, no token").has_csrf().post("/signin/credentials", &[]);
}

fn sign_out(list: &mut List) {
    let site = list.site;
    let form = [("csrfToken", "{csrf}")];
    let mut large = ada();
    large["roles"] = json!(vec!["x".repeat(100); 60]);
    list.case("sign out").has_csrf().has(site.session(&ada())).post("/signout", &form);
    list.case("sign out: nobody").has_csrf().post("/signout", &form);
    list.case("sign out: chunks").has_csrf().has(site.session(&large)).post("/signout", &form);
    list.case("sign out: no token").has_csrf().has(site.session(&ada())).post("/signout", &[]);
    list.case("sign out: wrong token")
        .has_csrf()
        .has(site.session(&ada()))
        .post("/signout", &[("csrfToken", "x")]);
    list.case("sign out: no cookie").has(site.session(&ada())).post("/signout", &[("csrfToken", TOKEN)]);
    list.case("sign out: own page").own_pages().has_csrf().has(site.session(&ada())).post("/signout", &form);
    list.case("sign out: no token, own page").own_pages().has_csrf().post("/signout", &[]);
    list.case("sign out: a session that is none")
        .has_csrf()
        .has([(site.names().session().to_owned(), "junk".to_owned())])
        .post("/signout", &form);
    let other = Site { dialect: site.dialect.other(), ..site };
    list.case("sign out: session of the other dialect")
        .has_csrf()
        .has(other.session(&ada()))
        .post("/signout", &form);
    list.case("sign out by GET").has_csrf().has(site.session(&ada())).get("/signout?csrfToken={csrf}");
}

fn errors(list: &mut List) {
    for code in [
        "Configuration",
        "configuration",
        "AccessDenied",
        "accessdenied",
        "Verification",
        "Default",
        "Signin",
        "OAuthSignin",
        "OAuthCallback",
        "OAuthCallbackError",
        "OAuthCreateAccount",
        "EmailCreateAccount",
        "Callback",
        "OAuthAccountNotLinked",
        "EmailSignin",
        "CredentialsSignin",
        "SessionRequired",
        "MissingCSRF",
        "%3Cb%3E",
        "",
    ] {
        list.case(&format!("error page: {code:?}")).get(&format!("/error?error={code}"));
        list.case(&format!("error page: {code:?}, own")).own_pages().get(&format!("/error?error={code}"));
    }
    list.case("error page: two errors").get("/error?error=AccessDenied&error=Configuration");
    list.case("error page: a code in the path").get("/error/AccessDenied");
}

fn client_log(list: &mut List) {
    let form = [("level", "error"), ("code", "CLIENT_FETCH_ERROR"), ("message", "x")];
    list.case("log").post("/_log", &form);
    list.case("log: known browser").has_csrf().post("/_log", &form);
    list.case("log: nothing").post("/_log", &[]);
    list.case("log: an unknown level").post("/_log", &[("level", "toString"), ("code", "x")]);
    list.case("log: JSON").post_json("/_log", &json!({ "level": "error", "code": "x" }));
    list.case("log: plain text").send("POST", "/_log", &[("content-type", "text/plain")], Some("x"));
    list.case("log by GET").get("/_log");
}

fn routes(list: &mut List) {
    for path in [
        "/nope",
        "/nope/acme",
        "/SESSION",
        "/%73ession",
        "/session/",
        "/csrf/x",
        "/session/x",
        "/providers/x/y",
    ] {
        list.case(&format!("route {path}")).get(path);
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/session", "/signin", "/nope"] {
            list.case(&format!("{method} {path}")).send(method, path, &[], None);
        }
    }
    for path in ["/csrf", "/providers", "/error", "/verify-request", "/nope"] {
        list.case(&format!("POST {path}")).has_csrf().post(path, &[("csrfToken", "{csrf}")]);
    }
    list.case("HEAD /session").send("HEAD", "/session", &[], None);
    list.case("verify-request").get("/verify-request?provider=email&type=email");
    list.case("webauthn-options").get("/webauthn-options/acme");
    list.case("webauthn-options by POST").post("/webauthn-options/acme", &[]);
    if list.site.dialect == Dialect::AuthJsV5 {
        // Next.js itself does not pass this path to next-auth 4.
        list.case("a path that begins like the base path").absolute("/authcsrf");
    }
}

/// The requests of people who navigate, where the other cases are those of scripts.
fn people(list: &mut List) {
    let site = list.site;
    let navigation = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    for (what, path) in [
        ("a callback of no sign-in", "/callback/acme?code=1&state=x"),
        ("a callback without a provider", "/callback"),
        ("a plain link to a provider", "/signin/acme?callbackUrl=/x"),
        ("the base path", ""),
        ("no route", "/nope"),
        ("a parameter twice", "/csrf?callbackUrl=/a&callbackUrl=/b"),
        ("the sign-in page, signed in", "/signin?callbackUrl=/x"),
        ("the sign-in page of another account", "/signin?callbackUrl=/x&prompt=select_account"),
    ] {
        let writer = list.case(&format!("person: {what}"));
        let writer = if what.ends_with("signed in") { writer.has(site.session(&ada())) } else { writer };
        writer.send("GET", path, &navigation, None);
    }
    for (what, path) in [("to sign in", "/signin/acme"), ("to sign out", "/signout")] {
        let form = [("csrfToken", "old"), ("callbackUrl", "/x")];
        list.case(&format!("person: an old form {what}")).has_csrf().post_with(path, &form, &navigation);
    }
}

/// What no client of Auth.js sends.
fn oddities(list: &mut List) {
    odd_routes(list);
    odd_updates(list);
    odd_forms(list);
    odd_cookies(list);
    odd_credentials(list);
    odd_pages(list);
    odd_callbacks(list);
    odd_answers(list);
    odd_origins(list);
}

/// The media type of a form.
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn odd_routes(list: &mut List) {
    for path in [
        "/csrf/",
        "/providers/",
        "/signin/",
        "/signout/",
        "/error/",
        "/signin/acme/",
        "/csrf?",
        "/csrf?=",
        "//csrf",
        "/csrf;x",
        "/csrf%2F",
        "/CSRF",
        "/callback/acme/?code=1",
    ] {
        list.case(&format!("odd path {path}")).get(path);
    }
    for path in ["/signout/", "/signin/acme/", "/callback/credentials/", "/signout?", "/signin/acme?"] {
        let filled = [
            ("csrfToken", "{csrf}"),
            ("email", "ada@example.com"),
            ("password", "right"),
            ("callbackUrl", "/x"),
        ];
        list.case(&format!("odd path {path} by POST")).has_csrf().post(path, &filled);
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in [
            "/csrf",
            "/providers",
            "/signout",
            "/error",
            "/callback/acme",
            "/signin/acme",
            "/callback/credentials",
        ] {
            list.case(&format!("{method} {path}")).has_csrf().send(method, path, &[], None);
        }
    }
    for path in
        ["/csrf", "/providers", "/signin", "/signout", "/error", "/callback/acme?code=1&state=x", "/nope"]
    {
        list.case(&format!("HEAD {path}")).send("HEAD", path, &[], None);
    }
}

fn odd_updates(list: &mut List) {
    let site = list.site;
    let json = |value: Value| value.to_string();
    for (what, body) in [
        ("no data", json(json!({ "csrfToken": "{csrf}" }))),
        ("data null", json(json!({ "csrfToken": "{csrf}", "data": null }))),
        ("data a text", json(json!({ "csrfToken": "{csrf}", "data": "x" }))),
        ("data a list", json(json!({ "csrfToken": "{csrf}", "data": [1] }))),
        ("a token that is a number", json(json!({ "csrfToken": 1, "data": {} }))),
        ("an empty body", String::new()),
        ("a list", "[]".to_owned()),
        ("null", "null".to_owned()),
    ] {
        let headers = [("content-type", "application/json")];
        list.case(&format!("odd update: {what}")).has_csrf().has(site.session(&ada())).send(
            "POST",
            "/session",
            &headers,
            Some(&body),
        );
    }
    let charset = [("content-type", "application/json; charset=UTF-8")];
    let data = json(json!({ "csrfToken": "{csrf}", "data": { "name": "x" } }));
    list.case("odd update: a charset").has_csrf().has(site.session(&ada())).send(
        "POST",
        "/session",
        &charset,
        Some(&data),
    );
    let capitals = [("content-type", "Application/JSON")];
    list.case("odd update: a media type in capitals").has_csrf().has(site.session(&ada())).send(
        "POST",
        "/session",
        &capitals,
        Some(&data),
    );
    let mut large = ada();
    large["roles"] = json!(vec!["x".repeat(100); 60]);
    list.case("odd update: chunks").has_csrf().has(site.session(&large)).send(
        "POST",
        "/session",
        &charset,
        Some(&data),
    );
    let over = site.sealed(&ada(), SECRET, DAY * 31);
    list.case("odd update: a session that is over").has_csrf().has(site.session_of(&over)).send(
        "POST",
        "/session",
        &charset,
        Some(&data),
    );
    let returns = [("content-type", "application/json"), ("x-auth-return-redirect", "1")];
    list.case("odd update: by v5's redirect").has_csrf().has(site.session(&ada())).send(
        "POST",
        "/session",
        &returns,
        Some(&data),
    );
    list.case("odd update: no token by v5's redirect").has(site.session(&ada())).send(
        "POST",
        "/session",
        &returns,
        Some("{}"),
    );
}

fn odd_forms(list: &mut List) {
    for (what, headers, body) in [
        (
            "an empty field, by v5's client",
            &[FORM_TYPE, ("x-auth-return-redirect", "")][..],
            "csrfToken={csrf}",
        ),
        ("a field 0, by v5's client", &[FORM_TYPE, ("x-auth-return-redirect", "0")], "csrfToken={csrf}"),
        ("json 1", &[FORM_TYPE], "csrfToken={csrf}&json=1"),
        ("json TRUE", &[FORM_TYPE], "csrfToken={csrf}&json=TRUE"),
        ("json twice", &[FORM_TYPE], "csrfToken={csrf}&json=true&json=false"),
        (
            "json a text, by v4's client",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","json":"true"}"#,
        ),
        (
            "a media type in capitals",
            &[("content-type", "Application/X-WWW-Form-Urlencoded")],
            "csrfToken={csrf}",
        ),
        (
            "multipart",
            &[("content-type", "multipart/form-data; boundary=x")],
            "--x\r\nContent-Disposition: form-data; name=\"csrfToken\"\r\n\r\n{csrf}\r\n--x--\r\n",
        ),
        ("a plus", &[FORM_TYPE], "csrfToken={csrf}&callbackUrl=/a+b"),
        ("semicolons", &[FORM_TYPE], "csrfToken={csrf};callbackUrl=/x"),
        ("names in capitals", &[FORM_TYPE], "CSRFTOKEN={csrf}"),
        ("callbackUrl twice", &[FORM_TYPE], "csrfToken={csrf}&callbackUrl=/a&callbackUrl=/b"),
        ("callbackUrl empty", &[FORM_TYPE], "csrfToken={csrf}&callbackUrl="),
        (
            "callbackUrl a list",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","callbackUrl":["/x"]}"#,
        ),
        (
            "callbackUrl a number",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","callbackUrl":1}"#,
        ),
        (
            "a token and a list",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","csrfToken":[1]}"#,
        ),
        (
            "callbackUrl null",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","callbackUrl":null}"#,
        ),
        (
            "a nested field",
            &[("content-type", "application/json")],
            r#"{"csrfToken":"{csrf}","other":{"a":[1]}}"#,
        ),
    ] {
        for path in ["/signout", "/signin/acme"] {
            list.case(&format!("odd form: {what} to {path}")).has_csrf().send(
                "POST",
                path,
                headers,
                Some(body),
            );
        }
    }
    list.case("odd form: json in the query")
        .has_csrf()
        .post("/signout?json=true", &[("csrfToken", "{csrf}")]);
    list.case("odd form: callbackUrl in the query")
        .has_csrf()
        .post("/signin/acme?callbackUrl=/q", &[("csrfToken", "{csrf}")]);
    list.case("odd form: callbackUrl to another site")
        .has_csrf()
        .post("/signin/acme", &[("csrfToken", "{csrf}"), ("callbackUrl", "https://evil.example/x")]);
    let long = format!("/{}", "x".repeat(3000));
    list.case("odd form: a long callbackUrl")
        .has_csrf()
        .post("/signout", &[("csrfToken", "{csrf}"), ("callbackUrl", &long)]);
}

fn odd_cookies(list: &mut List) {
    let site = list.site;
    let (name, good) = site.csrf();
    let session = site.session(&ada());
    let (session_name, sealed) = session.first().cloned().unwrap();
    for (what, cookies) in [
        ("a csrf cookie in quotes", vec![(name.clone(), format!("\"{good}\""))]),
        (
            "a csrf cookie behind a broken one",
            vec![(name.clone(), "x".to_owned()), (name.clone(), good.clone())],
        ),
        (
            "a csrf cookie before a broken one",
            vec![(name.clone(), good.clone()), (name.clone(), "x".to_owned())],
        ),
        ("a csrf cookie in capitals", vec![(name.to_ascii_uppercase(), good.clone())]),
        ("a csrf cookie with small hexadecimal", vec![(name.clone(), good.replace("%7C", "%7c"))]),
    ] {
        list.case(&format!("odd cookie: {what}")).has(cookies.clone()).get("/csrf");
        list.case(&format!("odd cookie: {what}, sign out"))
            .has(cookies)
            .post("/signout", &[("csrfToken", TOKEN)]);
    }
    for (what, cookies) in [
        ("a session in quotes", vec![(session_name.clone(), format!("\"{sealed}\""))]),
        (
            "a session behind a broken one",
            vec![(session_name.clone(), "x".to_owned()), (session_name.clone(), sealed.clone())],
        ),
        (
            "a session before a broken one",
            vec![(session_name.clone(), sealed.clone()), (session_name.clone(), "x".to_owned())],
        ),
        ("a session encoded", vec![(session_name.clone(), sealed.replace('.', "%2E"))]),
        (
            "a cookie without a name",
            vec![(String::new(), "x".to_owned()), (session_name.clone(), sealed.clone())],
        ),
    ] {
        list.case(&format!("odd cookie: {what}")).has(cookies).get("/session");
    }
}

fn odd_credentials(list: &mut List) {
    let site = list.site;
    let path = "/callback/credentials";
    for (what, body) in [
        ("a number", r#"{"csrfToken":"{csrf}","email":"ada@example.com","password":1}"#),
        ("null", r#"{"csrfToken":"{csrf}","email":null,"password":"right"}"#),
        ("an object", r#"{"csrfToken":"{csrf}","email":{"a":1},"password":"right"}"#),
        (
            "a further field",
            r#"{"csrfToken":"{csrf}","email":"ada@example.com","password":"right","admin":"true"}"#,
        ),
        (
            "a callbackUrl to another site",
            r#"{"csrfToken":"{csrf}","email":"ada@example.com","password":"right","callbackUrl":"https://evil.example"}"#,
        ),
    ] {
        list.case(&format!("odd credentials: {what}")).has_csrf().send(
            "POST",
            path,
            &[("content-type", "application/json")],
            Some(body),
        );
    }
    list.case("odd credentials: a field twice").has_csrf().send(
        "POST",
        path,
        &[FORM_TYPE],
        Some("csrfToken={csrf}&email=ada@example.com&email=eve@example.com&password=right"),
    );
    list.case("odd credentials: in the query")
        .has_csrf()
        .post("/callback/credentials?email=ada@example.com&password=right", &[("csrfToken", "{csrf}")]);
    list.case("odd credentials: with a session of another")
        .has_csrf()
        .has(site.session(&json!({ "name": "Grace", "sub": "2" })))
        .post(path, &[("csrfToken", "{csrf}"), ("email", "ada@example.com"), ("password", "wrong")]);
}

fn odd_pages(list: &mut List) {
    let site = list.site;
    for path in [
        "/signin?csrf=true",
        "/signin?code=x&error=CredentialsSignin",
        "/signin?error=a&error=b",
        "/signout?csrf=true",
        "/signout?error=x",
        "/error?error=&callbackUrl=/x",
        "/signin?callbackUrl=https://evil.example",
        "/signin?callbackUrl=/a&callbackUrl=/b",
    ] {
        list.case(&format!("odd page: {path}")).get(path);
        list.case(&format!("odd page: {path}, signed in")).has(site.session(&ada())).get(path);
    }
}

fn odd_callbacks(list: &mut List) {
    for (what, callback) in [
        ("a code twice", "?code={code:ada}&code=x&state={state}"),
        ("an error beside a code", "?code={code:ada}&error=access_denied&state={state}"),
        ("an empty error", "?code={code:ada}&error=&state={state}"),
        ("an empty code", "?code=&state={state}"),
        ("a response", "?code={code:ada}&state={state}&response=x"),
        ("an id_token", "?code={code:ada}&state={state}&id_token=x"),
        ("a session_state", "?code={code:ada}&state={state}&session_state=x"),
        ("a callbackUrl", "?code={code:ada}&state={state}&callbackUrl=/evil"),
        ("a slash", "/?code={code:ada}&state={state}"),
    ] {
        let form = [("csrfToken", "{csrf}"), ("callbackUrl", "/dashboard?tab=1")];
        list.case(&format!("odd story: {what}"))
            .get("/csrf")
            .post("/signin/acme", &form)
            .get(&format!("/callback/acme{callback}"))
            .get("/session");
    }
}

/// Answers of the provider that are odd, and a provider of OAuth 2.
fn odd_answers(list: &mut List) {
    let form = [("csrfToken", "{csrf}"), ("callbackUrl", "/dashboard")];
    for (provider, what, callback) in [
        ("acme", "an e-mail address in capitals", "?code={code:ada;email in capitals}&state={state}"),
        ("acme", "an ID token of another key", "?code={code:ada;another key}&state={state}"),
        ("acme", "an access token of another type", "?code={code:ada;token_type MAC}&state={state}"),
        ("acme", "expires_in that is none", "?code={code:ada;expires_in junk}&state={state}"),
        ("acme", "a name that is a number", "?code={code:ada;name a number}&state={state}"),
        ("acme", "no name", "?code={code:ada;no name}&state={state}"),
        ("hub", "nothing odd", "?code={code:ada}&state={state}"),
        ("hub", "a code that is none", "?code=junk&state={state}"),
        ("hub", "an issuer", "?code={code:ada}&state={state}&iss=https%3A%2F%2Fidp.example"),
        ("hub", "an ID token that is none", "?code={code:ada;an id_token that is none}&state={state}"),
        ("hub", "no id", "?code={code:ada;userinfo without an id}&state={state}"),
        ("hub", "userinfo that fails", "?code={code:ada;userinfo answers 500}&state={state}"),
    ] {
        list.case(&format!("odd answer of {provider}: {what}"))
            .get("/csrf")
            .post(&format!("/signin/{provider}"), &form)
            .get(&format!("/callback/{provider}{callback}"));
    }
    list.case("odd answer: the CSRF cookie is lost meanwhile")
        .get("/csrf")
        .post("/signin/acme", &form)
        .get("/callback/acme?code={code:ada}&state={state}")
        .after(Role::Csrf, How::Lose);
}

/// Pages of other sites, and addresses that people write.
fn odd_origins(list: &mut List) {
    let form = [("csrfToken", "{csrf}")];
    for (name, value) in [
        ("origin", list.site.origin()),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "cross-site"),
    ] {
        list.case(&format!("odd origin: {name} {value}")).has_csrf().post_with(
            "/signout",
            &form,
            &[(name, value)],
        );
    }
    list.case("odd path: the base path alone").get("");
    list.case("odd path: a provider behind the sign-in page").own_pages().get("/signin/acme");
    list.case("person: the providers").send("GET", "/providers", &[("accept", "text/html")], None);
}

/// The list of cases while it is being written.
struct List {
    site: Site,
    cases: Vec<Case>,
}

impl List {
    fn case(&mut self, name: &str) -> Writer<'_> {
        let name = if self.site.secure { name.to_owned() } else { format!("{name} (http)") };
        self.cases.push(Case { name, has_pages: false, cookies: Vec::new(), steps: Vec::new() });
        self.last()
    }

    /// Continues the last case.
    fn last(&mut self) -> Writer<'_> {
        Writer { site: self.site, case: self.cases.last_mut().expect("a case") }
    }
}

struct Writer<'a> {
    site: Site,
    case: &'a mut Case,
}

impl Writer<'_> {
    fn own_pages(self) -> Self {
        self.case.has_pages = true;
        self
    }

    fn has(self, cookies: impl IntoIterator<Item = (String, String)>) -> Self {
        self.case.cookies.extend(cookies);
        self
    }

    fn has_csrf(self) -> Self {
        let cookie = self.site.csrf();
        self.has([cookie])
    }

    fn get(self, path: &str) -> Self {
        self.send("GET", path, &[], None)
    }

    fn post(self, path: &str, form: &[(&str, &str)]) -> Self {
        self.post_with(path, form, &[])
    }

    fn post_with(self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Self {
        // The braces of placeholders are not encoded, so that the browser can replace them.
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let body = body.replace("%7Bcsrf%7D", "{csrf}");
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, Some(&body))
    }

    fn post_json(self, path: &str, body: &Value) -> Self {
        self.send("POST", path, &[("content-type", "application/json")], Some(&body.to_string()))
    }

    fn send(self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Self {
        let url = format!("{}{}{path}", self.site.origin(), self.site.base_path());
        self.step(method, url, headers, body)
    }

    /// What happens to the browser's cookies before the last request.
    fn after(self, role: Role, how: How) -> Self {
        self.case.steps.last_mut().expect("a request").tampering.push(Tampering { role, how });
        self
    }

    fn absolute(self, path: &str) -> Self {
        let url = format!("{}{path}", self.site.origin());
        self.step("GET", url, &[], None)
    }

    fn step(self, method: &str, url: String, headers: &[(&str, &str)], body: Option<&str>) -> Self {
        self.case.steps.push(Step {
            method: method.to_owned(),
            url,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.map(str::to_owned),
            tampering: Vec::new(),
        });
        self
    }
}
