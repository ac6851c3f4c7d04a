//! An API of one's own: what loads and as what, what is refused and with which words.

use super::*;
use crate::api::provider::Expiry;
use crate::data::Source;
use crate::outbound::ApiBody;

/// What the design document shows.
fn api() -> Value {
    json!({
        "id": "credentials",
        "type": "credentials",
        "fields": [
            { "name": "email", "label": "Email", "type": "email" },
            { "name": "password", "label": "Password", "type": "password" },
        ],
        "login": {
            "url": "https://api.example.com/sign-in",
            "body": { "email": "{email}", "password": "{password}" },
            "access_token": "body.accessToken",
            "refresh_token": "body.refreshToken",
            "expires_in": "body.expiresIn",
            "error": "body.error",
        },
        "profile": { "url": "https://api.example.com/me" },
        "user": {
            "id": "profile.id",
            "name": "{profile.firstName} {profile.lastName}",
            "email": "profile.email",
        },
        "refresh": {
            "url": "https://api.example.com/refresh",
            "body": { "refreshToken": "{refresh_token}" },
        },
    })
}

/// The same with `value` at `path` (or nothing there, where it is null), a JSON pointer.
fn api_with(pointer: &str, value: Value) -> Value {
    let mut api = api();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = api.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => drop(members.remove(key)),
        Value::Object(members) => drop(members.insert(key.to_owned(), value)),
        _ => panic!("{pointer}"),
    }
    api
}

/// Where what is put into [`api`], and what is said about it.
const REFUSED: &[(&str, &str, &[&str])] = &[
    // fields
    (
        "/fields",
        "null",
        &[
            r#"fields: a form has 1 to 20 fields; write for example `fields = [{ name = "email", type = "email" }, { name = "password", type = "password" }]`"#,
            r#"login.body.email: {email} stands for nothing; there is nothing of the name "email""#,
            r#"login.body.password: {password} stands for nothing; there is nothing of the name "password""#,
        ],
    ),
    (
        "/fields/0",
        r#"{"label": "Email"}"#,
        &[
            "fields[0].name: missing: what the form and the templates call it",
            r"login.body.email: {email} stands for nothing; known here: password",
        ],
    ),
    (
        "/fields/0/name",
        r#""e mail""#,
        &[
            r#"fields[0].name: "e mail" is no field's name; use at most 64 of a-z, A-Z, 0-9, "-" and "_", with a letter first"#,
            r"login.body.email: {email} stands for nothing; known here: password",
        ],
    ),
    (
        "/fields/0/name",
        r#""emial""#,
        &[
            r#"login.body.email: {email} stands for nothing; did you mean "emial"?"#,
            r#"fields: the field "emial" is asked for and never sent; write {emial} where it belongs in login.body, or leave the field out"#,
        ],
    ),
    (
        "/fields/0/name",
        r#""csrfToken""#,
        &[
            r#"fields[0].name: "csrfToken" has a meaning of its own in every form"#,
            r"login.body.email: {email} stands for nothing; known here: password",
        ],
    ),
    (
        "/fields/1/name",
        r#""email""#,
        &[
            r#"fields[1].name: there is a field "email" already"#,
            r"login.body.password: {password} stands for nothing; known here: email",
        ],
    ),
    (
        "/fields/1/type",
        r#""passwort""#,
        &[r#"fields[1].type: "passwort" is not known; did you mean "password"?"#],
    ),
    ("/fields/1/label", r#"" ""#, &["fields[1].label: the sign-in page shows it: write 1 to 100 characters"]),
    (
        "/fields/1/autocomplete",
        r#""Current\"""#,
        &[
            r#"fields[1].autocomplete: "Current\"" is no value of HTML's; write for example "username", "current-password" or "one-time-code""#,
        ],
    ),
    ("/fields/1/require", "true", &[r#"fields[1].require: unknown key; did you mean "required"?"#]),
    // login
    (
        "/login",
        "null",
        &[
            "login: missing: the request that signs in; write its url, its body, and where its answer has the access_token",
        ],
    ),
    ("/login/url", "null", &["login.url: missing: where the request goes"]),
    (
        "/login/url",
        r#""http://api.example.com/""#,
        &[r#"login.url: "http://api.example.com/": http is accepted for this machine only: use https"#],
    ),
    ("/login/method", r#""GET""#, &[r#"login.method: "GET" is not known; known here: POST, PUT"#]),
    (
        "/login/content_type",
        r#""xml""#,
        &[r#"login.content_type: "xml" is not known; known here: json, form"#],
    ),
    (
        "/login/access_token",
        "null",
        &[
            r#"login.access_token: missing: where the answer has the access token; write for example "body.accessToken" or "cookie.access_token""#,
        ],
    ),
    (
        "/login/access_token",
        r#""accessToken""#,
        &[
            r#"login.access_token: "accessToken" begins with no part of an answer; known here: body, cookie, header"#,
        ],
    ),
    (
        "/login/access_token",
        r#""cookie""#,
        &[r#"login.access_token: "cookie" is no cookie: write cookie.NAME"#],
    ),
    (
        "/login/refresh_token",
        r#""header.a.b""#,
        &[r#"login.refresh_token: "header.a.b" is no header: write header.NAME"#],
    ),
    (
        "/login/error",
        r#""cookie.error""#,
        &[r#"login.error: "cookie.error" begins with no part of an answer; known here: body, header"#],
    ),
    (
        "/login/expires_at",
        r#""body.expiresAt""#,
        &["login.expires_in: expires_at says the same: write one of them"],
    ),
    ("/login/expires_in", r#""body..x""#, &[r#"login.expires_in: "body..x": a name is missing at 5"#]),
    (
        "/login/body/email",
        r#""{emial}""#,
        &[
            r#"login.body.email: {emial} stands for nothing; did you mean "email"?"#,
            r#"fields: the field "email" is asked for and never sent; write {email} where it belongs in login.body, or leave the field out"#,
        ],
    ),
    (
        "/login/body/email",
        r#""mail: {emial}""#,
        &[
            r#"fields: the field "email" is asked for and never sent; write {email} where it belongs in login.body, or leave the field out"#,
        ],
    ),
    (
        "/login/headers",
        r#"{"X-A": "{emial}", "Cookie": "a=b", "x a": "b", "x-b": "ä", "x-c": "1", "X-C": "2"}"#,
        &[
            "login.headers.Cookie: this header field is set for you",
            r#"login.headers.X-A: {emial} stands for nothing; did you mean "email"?"#,
            r#"login.headers."x a": "x a" is no header field's name"#,
            r#"login.headers.x-b: "ä" has characters that no header field carries"#,
            "login.headers.x-c: this header field is there in another spelling",
        ],
    ),
    (
        "/login/body/email",
        r#""{email.x}""#,
        &[
            r"login.body.email: {email.x} stands for nothing; write {email}",
            r#"fields: the field "email" is asked for and never sent; write {email} where it belongs in login.body, or leave the field out"#,
        ],
    ),
    // profile
    (
        "/profile",
        r#"{"url": "https://api.example.com/me", "body": {"query": "{ me { id } }"}}"#,
        &[r#"profile.body: a GET request has no body; write method = "POST""#],
    ),
    (
        "/profile",
        r#"{"url": "https://api.example.com/me", "method": "POST", "body": "{cookie}"}"#,
        &[r"profile.body: {cookie} stands for nothing; write {cookie.NAME}"],
    ),
    (
        "/profile",
        "null",
        &[
            r#"user.id: no request for a profile is made; write profile.url, or take it from "login" or "access_token""#,
            r#"user.name: no request for a profile is made; write profile.url, or take it from "login" or "access_token""#,
            r#"user.email: no request for a profile is made; write profile.url, or take it from "login" or "access_token""#,
        ],
    ),
    // user
    (
        "/user",
        "null",
        &[
            r#"user.id: missing: what tells one person from another; write for example "profile.id" or "access_token.sub""#,
        ],
    ),
    (
        "/user/id",
        r#""id""#,
        &[
            r#"user.id: "id" begins with no part of an answer; known here: profile, login, body, access_token, cookie, header"#,
        ],
    ),
    (
        "/user/name",
        r#""{profil.firstName}""#,
        &[r#"user.name: {profil.firstName} stands for nothing; did you mean "profile"?"#],
    ),
    (
        "/user/name",
        r#""{ profile.firstName }""#,
        &[r#"user.name: "{ profile.firstName }" is the same for everybody"#],
    ),
    // refresh
    (
        "/refresh",
        r#"{"cookies": {"a b": "{refresh_token}", "c": "{login.x}"}}"#,
        &[
            "refresh.url: missing: where the request goes",
            r#"refresh.cookies."a b": "a b" is no cookie's name"#,
            "refresh.cookies.c: {login.x} stands for nothing; known here: access_token, refresh_token, cookie",
        ],
    ),
    (
        "/refresh/acces_token",
        r#""body.x""#,
        &[r#"refresh.acces_token: unknown key; did you mean "access_token"?"#],
    ),
    (
        "/refresh/access_token",
        r#""x""#,
        &[r#"refresh.access_token: "x" begins with no part of an answer; known here: body, cookie, header"#],
    ),
    (
        "/refresh/body",
        r#"{"token": "{access_token}"}"#,
        &[
            "refresh: sends nothing that new tokens are given for; write {refresh_token} or {cookie.NAME} where it belongs in body, cookies or headers",
        ],
    ),
    (
        "/login/refresh_token",
        "null",
        &[
            "refresh: sends the refresh token, and the login gives none; write login.refresh_token: where the answer has it",
        ],
    ),
    // other types' keys
    (
        "/issuer",
        r#""https://api.example.com""#,
        &[r#"issuer: belongs to type = "oidc"; an API of one's own has no such thing"#],
    ),
    (
        "/client_secret",
        r#""hunter2""#,
        &[r#"client_secret: belongs to type = "oidc"; an API of one's own has no such thing"#],
    ),
    (
        "/token",
        r#""https://api.example.com""#,
        &[r#"token: belongs to type = "oauth2"; an API of one's own has no such thing"#],
    ),
];

fn load_api(api: &Value) -> Result<Config, ConfigErrors> {
    load(json!({ "providers": [api] }), &json!({}))
}

fn checked(api: &Value) -> (String, CredentialsProvider) {
    let config = load_api(api).unwrap_or_else(|why| panic!("{why}"));
    match config.providers.into_iter().next() {
        Some(Provider { name, kind: ProviderKind::Credentials(credentials), .. }) => (name, *credentials),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_design_documents_example_loads_as_it_reads() {
    let (name, api) = checked(&api());
    assert_eq!(name, "Credentials");
    let fields: Vec<_> = api
        .fields
        .iter()
        .map(|f| (f.name.as_str(), f.label.as_str(), f.kind, f.autocomplete.as_deref(), f.required))
        .collect();
    assert_eq!(
        fields,
        [
            ("email", "Email", "email", Some("username"), true),
            ("password", "Password", "password", Some("current-password"), true),
        ]
    );
    assert_eq!(api.login.request.method, Method::Post);
    assert_eq!(api.login.request.url.as_str(), "https://api.example.com/sign-in");
    assert!(matches!(api.login.request.body, Some(ApiBody::Json(_))));
    assert_eq!(api.login.tokens.access_token, path("body.accessToken"));
    assert_eq!(api.login.tokens.refresh_token, Some(path("body.refreshToken")));
    assert!(matches!(&api.login.tokens.expires, Some(Expiry::In(at)) if *at == path("body.expiresIn")));
    assert!(api.login.tokens.refresh_expires.is_none());
    assert_eq!(api.login.error, Some(path("body.error")));
    let profile = api.profile.unwrap();
    assert_eq!((profile.method, profile.url.as_str()), (Method::Get, "https://api.example.com/me"));
    assert!(profile.body.is_none());
    assert!(matches!(&api.user.id, Source::Path(id) if *id == path("profile.id")));
    assert!(matches!(&api.user.name, Some(Source::Text(name)) if name.paths().count() == 2));
    assert!(api.user.image.is_none());
    let refresh = api.refresh.unwrap();
    assert!(refresh.needs_refresh_token && refresh.kept_cookies.is_empty());
    assert_eq!(refresh.tokens.access_token, path("body.accessToken"));
    assert_eq!(refresh.error, Some(path("body.error")));
}

#[test]
fn little_has_to_be_written() {
    let (name, api) = checked(&json!({
        "id": "our-api",
        "type": "credentials",
        "fields": [{ "name": "user" }, { "name": "pin", "type": "password", "autocomplete": "one-time-code" }],
        "login": { "url": "http://localhost:4000/login", "access_token": "body" },
        "user": { "id": "access_token.sub" },
    }));
    assert_eq!(name, "our-api");
    let paths: Vec<String> = api
        .login
        .request
        .templates()
        .flat_map(|template| template.paths().map(ToString::to_string))
        .collect();
    assert_eq!(paths, ["pin", "user"], "every field under its own name");
    assert_eq!(api.fields[1].autocomplete.as_deref(), Some("one-time-code"));
    assert!(api.profile.is_none() && api.login.tokens.refresh_token.is_none());
}

#[test]
fn the_cookies_that_a_refresh_sends_are_known() {
    let refresh = json!({
        "url": "https://api.example.com/refresh",
        "headers": { "X-CSRF": "{cookie.csrf}" },
        "cookies": { "refresh_token": "{refresh_token}", "device": "{cookie.device}", "csrf": "{cookie.csrf}" },
    });
    assert_eq!(checked(&api_with("/refresh", refresh)).1.refresh.unwrap().kept_cookies, ["csrf", "device"]);
}

#[test]
fn a_refresh_may_have_its_tokens_elsewhere_than_the_login() {
    let refresh = json!({
        "url": "https://api.example.com/refresh",
        "body": { "token": "{refresh_token}" },
        "access_token": "body.data.token",
        "expires_at": "body.data.end",
        "error": "body.errors.0",
    });
    let refresh = checked(&api_with("/refresh", refresh)).1.refresh.unwrap();
    assert_eq!(refresh.tokens.access_token, path("body.data.token"));
    assert_eq!(refresh.tokens.refresh_token, Some(path("body.refreshToken")), "as the login");
    assert!(matches!(&refresh.tokens.expires, Some(Expiry::At(at)) if *at == path("body.data.end")));
    assert_eq!(refresh.error, Some(path("body.errors.0")));
}

#[test]
fn a_strict_api_is_told_of_where_the_lease_is_not() {
    let advice = |api: Value| {
        let auth = json!({ "providers": [api], "session": { "expose": { "access_token": "access_token" } },
                           "refresh": { "lease": "kv" } });
        load(auth, &json!({})).unwrap().advice()
    };
    let strict = advice(api_with("/strict_rotation", json!(true)));
    assert!(strict.len() == 1 && strict[0].contains("credentials ends a sign-in"), "{strict:?}");
    assert!(advice(api()).is_empty());
    let mut without = api_with("/strict_rotation", json!(true));
    without.as_object_mut().unwrap().remove("refresh");
    assert!(advice(without).is_empty());
}

#[test]
fn every_mistake_is_told_with_its_place_and_mend() {
    for (pointer, value, lines) in REFUSED {
        let errors = load_api(&api_with(pointer, parsed(value))).expect_err(pointer);
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let lines: Vec<String> = lines.iter().map(|line| format!("AUTH.providers[0].{line}")).collect();
        assert_eq!(told, lines, "{pointer} {value}");
        assert!(!errors.to_string().contains("hunter2"));
    }
}

#[test]
fn a_form_is_flat() {
    let mut api = api_with("/login/content_type", json!("form"));
    assert!(load_api(&api).is_ok());
    for body in [
        json!({ "a": { "b": "{email}{password}" } }),
        json!(["{email}", "{password}"]),
        json!("{email}{password}"),
    ] {
        api["login"]["body"] = body;
        assert_eq!(
            load_api(&api).unwrap_err().to_string(),
            "AUTH.providers[0].login.body: a form is a table of texts, numbers and booleans"
        );
    }
}

#[test]
fn a_refresh_token_is_no_claim() {
    let load = |claim: &str| load(json!({ "providers": [api()], "claims": { "x": claim } }), &json!({}));
    for claim in ["login", "login.refreshToken", "login.refreshToken.x"] {
        assert_eq!(
            load(claim).unwrap_err().to_string(),
            format!(
                "AUTH.claims.x: \"{claim}\" holds the refresh token of provider \"credentials\", which is no claim; \
                 name the member that is wanted, for example \"login.user\""
            )
        );
    }
    assert!(load("login.user").is_ok() && load("profile").is_ok());
}

#[test]
fn the_sessions_own_claims_cannot_be_taken_or_shown() {
    for claim in ["refresh_expires_at", "api_cookies"] {
        let auth = json!({ "providers": [api()], "claims": { claim: "profile.x" } });
        assert!(load(auth, &json!({})).unwrap_err().to_string().contains("a reserved name"), "{claim}");
    }
    let auth = json!({ "providers": [api()], "session": { "expose": { "x": "api_cookies.device" } } });
    assert!(load(auth, &json!({})).unwrap_err().to_string().contains("stays in the sealed session"));
}

proptest! {
    #[test]
    fn no_part_of_a_good_api_can_be_replaced_to_break_the_reader(
        section in 0_usize..8, key in 0_usize..8, value in any_configuration()
    ) {
        let mut api = api();
        let slot = api.as_object_mut().unwrap().values_mut().nth(section);
        match slot {
            Some(Value::Object(members)) if key < members.len() => {
                if let Some(slot) = members.values_mut().nth(key) {
                    *slot = value;
                }
            }
            Some(slot) => *slot = value,
            None => {}
        }
        let _ = load_api(&api);
    }
}
