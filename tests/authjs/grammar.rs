//! The pieces of generated requests: targets, header fields, bodies and cookies. Most of them are what clients send; some are
//! odd.

use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;
use vestibule_core::session::dialect::Dialect;
use vestibule_differential::Random;

use crate::cases::ADDRESSES;
use crate::site::{DAY, FOREIGN_SECRET, SECRET, Site, TOKEN, ada};
use crate::stories::FORM;

/// The names of the provider's oddities.
const ODDITIES: &str = include_str!("oddities.json");

/// The grammar of one story.
pub struct Grammar {
    pub site: Site,
    pub random: Random,
}

/// What a body says it is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Form,
    FormWithCharset,
    FormInCapitals,
    FormAsJson,
    FormAsText,
    Json,
    JsonWithCharset,
    JsonInCapitals,
    JsonAsForm,
    JsonOfProblem,
    Multipart,
    NoType,
    Both,
}

impl Media {
    /// The value of `Content-Type`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Form | Self::JsonAsForm => Some(FORM),
            Self::FormWithCharset => Some("application/x-www-form-urlencoded;charset=UTF-8"),
            Self::FormInCapitals => Some("Application/X-WWW-Form-Urlencoded"),
            Self::Json | Self::FormAsJson => Some("application/json"),
            Self::JsonWithCharset => Some("application/json; charset=utf-8"),
            Self::JsonInCapitals => Some("Application/JSON"),
            Self::JsonOfProblem => Some("application/problem+json"),
            Self::FormAsText => Some("text/plain"),
            Self::Multipart => Some("multipart/form-data; boundary=x"),
            Self::Both => Some("application/x-www-form-urlencoded, application/json"),
            Self::NoType => None,
        }
    }
}

impl Grammar {
    pub fn method(&self) -> &'static str {
        self.random.one_of(&["GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"])
    }

    // ---- targets ----

    /// A path and a query for a route: mostly as it is written, sometimes with a further parameter, or written oddly.
    pub fn target(&self, route: &str) -> String {
        let (path, query) = route.split_once('?').map_or((route, None), |(path, query)| (path, Some(query)));
        let mut target = if self.random.one_in(25) { self.odd_path(path) } else { path.to_owned() };
        let mut query = query.map(str::to_owned);
        while self.random.one_in(8) {
            let more = self.parameter();
            query = Some(query.map_or(more.clone(), |query| {
                if self.random.one_in(3) { format!("{more}&{query}") } else { format!("{query}&{more}") }
            }));
        }
        if let Some(query) = query {
            target += "?";
            target += &query;
        }
        target
    }

    pub fn any_target(&self) -> String {
        let routes = [
            "",
            "/",
            "/csrf",
            "/providers",
            "/session",
            "/session",
            "/signin",
            "/signin",
            "/signin/acme",
            "/signin/hub",
            "/signin/credentials",
            "/signin/nobody",
            "/signin/Acme",
            "/callback/acme",
            "/callback/hub",
            "/callback/credentials",
            "/callback/nobody",
            "/callback",
            "/signout",
            "/signout",
            "/error",
            "/verify-request",
            "/_log",
            "/nope",
            "/nope/acme",
            "/webauthn-options",
            "/session/acme",
            "/error/acme",
            "/signin/undefined",
            "/signin/acme/x",
            "/callback/acme/x",
        ];
        self.target(self.random.one_of(&routes))
    }

    fn odd_path(&self, path: &str) -> String {
        let at = self.random.below(path.len().max(1));
        match self.random.below(9) {
            0 => format!("{path}/"),
            1 => path.to_ascii_uppercase(),
            2 => match path.as_bytes().get(at) {
                Some(byte) => format!("{}%{byte:02X}{}", &path[..at], &path[at + 1..]),
                None => "/%".to_owned(),
            },
            3 => format!("/{path}"),
            4 => format!("/x/..{path}"),
            5 => format!("/.{path}"),
            6 => format!("{path}/."),
            7 => format!("{path};x=y"),
            _ => path.replacen('/', "%2F", 2),
        }
    }

    /// A parameter of a query, encoded.
    fn parameter(&self) -> String {
        let (name, value) = match self.random.below(14) {
            0..=4 => ("callbackUrl", self.address()),
            5 => ("error", self.error()),
            6 => ("code", self.random.one_of(&["x", "", "credentials"]).to_owned()),
            7 => ("csrfToken", self.random.one_of(&["{csrf}", "x", ""]).to_owned()),
            8 => ("json", self.random.one_of(&["true", "false"]).to_owned()),
            9 => ("state", self.random.one_of(&["{state}", "x"]).to_owned()),
            10 => ("prompt", self.random.one_of(&["login", "none", "select_account"]).to_owned()),
            11 => ("login_hint", "ada@example.com".to_owned()),
            12 => ("", String::new()),
            _ => (self.random.one_of(&["utm_source", "redirect", "nextauth", "scope", "id"]), "x".to_owned()),
        };
        match self.random.below(12) {
            0 => format!("{name}={value}").replace(' ', "+").replace(|c: char| !c.is_ascii_graphic(), "%20"),
            1 => name.to_owned(),
            2 => format!("{name}[]={}", encoded(&value)),
            _ => format!("{name}={}", encoded(&value)),
        }
    }

    pub fn error(&self) -> String {
        let errors = [
            "CredentialsSignin",
            "AccessDenied",
            "Configuration",
            "OAuthAccountNotLinked",
            "OAuthCallbackError",
            "OAuthCallback",
            "Callback",
            "Verification",
            "SessionRequired",
            "MissingCSRF",
            "default",
            "Default",
            "toString",
            "__proto__",
            "%3Cscript%3E",
            "x",
            "",
        ];
        self.random.one_of(&errors).to_owned()
    }

    // ---- return addresses ----

    pub fn good_address(&self) -> String {
        let origin = self.site.origin();
        match self.random.below(6) {
            0 => origin.to_owned(),
            1 => format!("{origin}/"),
            2 => format!("{origin}/dashboard?tab=1#top"),
            3 => "/".to_owned(),
            4 => "/dashboard".to_owned(),
            _ => "/dashboard?tab=1&x=y".to_owned(),
        }
    }

    pub fn address(&self) -> String {
        match self.random.below(10) {
            0..=4 => self.good_address(),
            5 | 6 => self.random.one_of(ADDRESSES).to_owned(),
            7 => "https://evil.example/x".to_owned(),
            8 => format!("/{}", "x".repeat(self.random.one_of(&[200, 2000, 3000]))),
            _ => {
                let pieces = [
                    "/",
                    "//",
                    "\\",
                    "?",
                    "#",
                    "@",
                    ":",
                    "%",
                    "%2F",
                    "%00",
                    "%zz",
                    "a",
                    "b",
                    ".",
                    "..",
                    "&",
                    "=",
                    " ",
                    "+",
                    "\"",
                    "'",
                    "<",
                    "ä",
                    "🦀",
                    "[",
                    "]",
                    "{",
                    "|",
                    "^",
                    ";",
                    ",",
                    "*",
                    "!",
                    "~",
                    "https:",
                    "http:",
                    "javascript:",
                    "app.example.com",
                    "evil.example",
                    "\t",
                ];
                let beginning = self.random.one_of(&["/", "/", "/", "", self.site.origin()]);
                format!("{beginning}{}", self.random.soup(&pieces, 7))
            }
        }
    }

    // ---- header fields ----

    pub fn some_headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        while self.random.one_in(3) {
            let (name, value): (&str, &str) = match self.random.below(17) {
                0..=3 => ("x-auth-return-redirect", self.random.one_of(&["1", "1", "1", "true", "0", ""])),
                4 => ("accept", self.random.one_of(&["*/*", "application/json", "text/plain"])),
                5 => ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
                6 => ("origin", self.site.origin()),
                7 => ("origin", self.random.one_of(&["null", "https://evil.example"])),
                8 => ("referer", self.random.one_of(&["https://app.example.com/x", "https://evil.example/"])),
                9 => ("x-forwarded-host", "evil.example"),
                10 => ("x-forwarded-proto", self.random.one_of(&["http", "https", "javascript"])),
                11 => ("sec-fetch-mode", self.random.one_of(&["cors", "navigate", "same-origin"])),
                12 => ("sec-fetch-site", self.random.one_of(&["same-origin", "none", "cross-site"])),
                13 => ("x-requested-with", "XMLHttpRequest"),
                14 => ("user-agent", "Mozilla/5.0"),
                15 => ("accept-language", self.random.one_of(&["de", "en", "*"])),
                _ => ("authorization", "Bearer junk"),
            };
            if !headers.iter().any(|(known, _)| known == name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers
    }

    // ---- bodies ----

    pub fn media(&self) -> Media {
        let odd = [
            Media::FormWithCharset,
            Media::FormInCapitals,
            Media::FormAsJson,
            Media::FormAsText,
            Media::Json,
            Media::Json,
            Media::JsonWithCharset,
            Media::JsonInCapitals,
            Media::JsonAsForm,
            Media::JsonOfProblem,
            Media::Multipart,
            Media::NoType,
            Media::Both,
        ];
        if self.random.one_in(4) { self.random.one_of(&odd) } else { Media::Form }
    }

    /// The fields of a form as clients send it, mostly.
    pub fn form_fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let upper = TOKEN.to_ascii_uppercase();
        match self.random.below(24) {
            0 => {}
            1 => fields.push(("csrfToken", String::new())),
            2 => fields.push(("csrfToken", self.random.one_of(&["x", "null", TOKEN, &upper]).to_owned())),
            3 => fields.extend([("csrfToken", "{csrf}".to_owned()), ("csrfToken", "{csrf}".to_owned())]),
            4 => fields.extend([("csrfToken", "x".to_owned()), ("csrfToken", "{csrf}".to_owned())]),
            _ => fields.push(("csrfToken", "{csrf}".to_owned())),
        }
        if !self.random.one_in(4) {
            fields.push(("callbackUrl", self.address()));
        }
        if self.random.one_in(4) {
            let json = self.random.one_of(&["true", "true", "true", "false", "1", "", "TRUE"]);
            fields.push(("json", json.to_owned()));
        }
        if self.random.one_in(8) {
            fields.push(("redirect", self.random.one_of(&["true", "false"]).to_owned()));
        }
        if self.random.one_in(20) {
            fields.push(("callbackUrl", self.address()));
        }
        if self.random.one_in(20) {
            let odd =
                self.random.one_of(&["", "__proto__", "constructor", "a[b]", "ä", "csrftoken", "email"]);
            fields.push((odd, "x".to_owned()));
        }
        owned(fields)
    }

    pub fn any_fields(&self) -> Vec<(String, String)> {
        match self.random.below(4) {
            0 => Vec::new(),
            1 => self.log(),
            _ => self.form_fields(),
        }
    }

    pub fn password(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let passwords =
            ["right", "right", "right", "right", "wrong", "too late", "boom", "", " right", "RIGHT"];
        if !self.random.one_in(15) {
            let emails = ["ada@example.com", "ada@example.com", "ADA@example.com", "", "ä b", "x"];
            fields.push(("email", self.random.one_of(&emails).to_owned()));
        }
        if !self.random.one_in(15) {
            fields.push(("password", self.random.one_of(&passwords).to_owned()));
        }
        if self.random.one_in(20) {
            fields.push(("password", self.random.one_of(&passwords).to_owned()));
        }
        owned(fields)
    }

    pub fn log(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (name, values) in [
            ("level", &["error", "warn", "debug", "toString", "x", ""][..]),
            ("code", &["CLIENT_FETCH_ERROR", "x", ""]),
            ("message", &["x", "<b>", ""]),
            ("url", &["/api/auth/session", ""]),
        ] {
            if !self.random.one_in(3) {
                fields.push((name, self.random.one_of(values).to_owned()));
            }
        }
        owned(fields)
    }

    /// The body of an update, and its `Content-Type`.
    pub fn update(&self, headers: &mut Vec<(String, String)>) -> String {
        let media =
            self.random.one_of(&["application/json", "application/json", "application/json;charset=UTF-8"]);
        let media = if self.random.one_in(12) { self.media().name().unwrap_or(media) } else { media };
        headers.push(("content-type".to_owned(), media.to_owned()));
        let token = match self.random.below(12) {
            0 => json!("x"),
            1 => self.odd_value(),
            _ => json!("{csrf}"),
        };
        let data = match self.random.below(5) {
            0 => self.odd_value(),
            1 => json!({}),
            _ => json!({ "name": "Mallory", "user": { "name": "Mallory" }, "roles": ["admin"] }),
        };
        match self.random.below(14) {
            0 => self.random.one_of(&["", "{", "[]", "null", "\"x\"", "7", "{}", "true"]).to_owned(),
            1 => json!({ "csrfToken": token }).to_string(),
            2 => format!(r#"{{"csrfToken":{token},"data":{data},"data":{{}}}}"#),
            _ => json!({ "csrfToken": token, "data": data }).to_string(),
        }
    }

    fn odd_value(&self) -> Value {
        let values = ["null", "true", "7", "1.5", "\"\"", "\"x\"", "[]", "[1]", "{}", r#"{"a":{"b":[1]}}"#];
        serde_json::from_str(self.random.one_of(&values)).expect("JSON")
    }

    /// A body with these fields.
    pub fn body(&self, fields: &[(String, String)], media: Media) -> String {
        match media {
            Media::Json
            | Media::JsonWithCharset
            | Media::JsonInCapitals
            | Media::JsonAsForm
            | Media::JsonOfProblem => self.json(fields),
            Media::Multipart => {
                let part = |(name, value): &(String, String)| {
                    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                };
                fields.iter().map(part).collect::<String>() + "--x--\r\n"
            }
            _ => {
                let pairs =
                    fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
                pairs.collect::<Vec<_>>().join("&")
            }
        }
    }

    /// The fields as JSON. Some values are of another type.
    fn json(&self, fields: &[(String, String)]) -> String {
        if self.random.one_in(25) {
            return self.random.one_of(&["", "{", "[]", "null", "\"x\"", "7", "[{}]"]).to_owned();
        }
        let members = fields.iter().map(|(name, value)| {
            let value = match (name.as_str(), value.as_str()) {
                ("json" | "redirect", "true" | "false") if self.random.one_in(2) => value.clone(),
                _ if self.random.one_in(12) => self.odd_value().to_string(),
                _ => json!(value).to_string(),
            };
            format!("{}:{value}", json!(name))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    // ---- callbacks ----

    /// The address to which a provider sends the browser back: path and query.
    pub fn callback(&self, provider: &str) -> String {
        let path = if provider.is_empty() { "/callback".to_owned() } else { format!("/callback/{provider}") };
        let fields: Vec<String> =
            self.callback_fields().iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if fields.is_empty() { path } else { format!("{path}?{}", fields.join("&")) }
    }

    pub fn callback_fields(&self) -> Vec<(String, String)> {
        let random = &self.random;
        let user = random.one_of(&["ada", "ada", "grace"]);
        let code = match random.below(3) {
            0 => format!("{{code:{user}}}"),
            _ => format!("{{code:{user};{}}}", self.oddity()),
        };
        let mut fields = vec![("code", code), ("state", "{state}".to_owned())];
        if random.one_in(3) {
            match random.below(12) {
                0 => fields.retain(|(name, _)| *name != "code"),
                1 => fields.retain(|(name, _)| *name != "state"),
                2 => random.one_of(&["junk", ""]).clone_into(&mut fields[0].1),
                3 => random.one_of(&["junk", "", "{state}x"]).clone_into(&mut fields[1].1),
                4 | 5 => {
                    let errors =
                        ["access_denied", "server_error", "login_required", "invalid_request", "x", ""];
                    fields.push(("error", random.one_of(&errors).to_owned()));
                    if random.one_in(2) {
                        fields.push(("error_description", random.one_of(&["no", "<b>", ""]).to_owned()));
                    }
                    if random.one_in(2) {
                        fields.retain(|(name, _)| *name != "code");
                    }
                }
                6 => {
                    let issuers = ["https://idp.example", "https://idp.example/", "https://evil.example", ""];
                    fields.push(("iss", random.one_of(&issuers).to_owned()));
                }
                7 => fields.reverse(),
                8 => {
                    let again = random.one_of(&[0, 1]);
                    fields.push(fields[again].clone());
                }
                9 => {
                    let names = ["session_state", "scope", "response", "id_token", "token_type", "authuser"];
                    fields.push((random.one_of(&names), "x".to_owned()));
                }
                10 => fields.push(("callbackUrl", self.address())),
                _ => fields.clear(),
            }
        }
        owned(fields)
    }

    fn oddity(&self) -> String {
        let all: Value = serde_json::from_str(ODDITIES).expect("JSON");
        let names: Vec<&String> = all.as_object().expect("an object").keys().collect();
        names[self.random.below(names.len())].clone()
    }

    // ---- cookies ----

    pub fn return_cookie(&self) -> (String, String) {
        let value = match self.random.below(8) {
            0 => self.address(),
            1 => encoded(&self.address()),
            _ => encoded(&format!("{}/dashboard", self.site.origin())),
        };
        let value: String = value.chars().filter(|c| c.is_ascii_graphic() && *c != ';').collect();
        (self.site.names().callback_url().to_owned(), value)
    }

    /// The cookies of a session of Auth.js: mostly a valid one.
    pub fn session(&self) -> Vec<(String, String)> {
        let mut large = ada();
        large["roles"] = json!(vec!["x".repeat(100); self.random.one_of(&[30, 60, 90])]);
        let grace = json!({ "name": "Grace", "email": "grace@example.com", "sub": "2" });
        let claims = match self.random.below(8) {
            0 => json!({}),
            1 => json!({ "name": null, "email": "ada@example.com", "sub": "1" }),
            2 => json!({ "name": 7, "email": ["a"], "picture": { "a": 1 }, "sub": "1", "roles": ["a"] }),
            3 => large,
            4 => grace,
            _ => ada(),
        };
        let (secret, ago) = match self.random.below(14) {
            0 => (FOREIGN_SECRET, Duration::ZERO),
            1 => (SECRET, DAY * 31),
            2 => (SECRET, DAY * 29 + Duration::from_hours(23)),
            3 | 4 => (SECRET, DAY + Duration::from_hours(1)),
            _ => (SECRET, Duration::ZERO),
        };
        let mut site = self.site;
        match self.random.below(16) {
            0 => site.dialect = site.dialect.other(),
            1 => site.secure = !site.secure,
            _ => {}
        }
        let mut cookies = site.session_of(&site.sealed(&claims, secret, ago));
        let name = self.site.names().session().to_owned();
        match self.random.below(40) {
            0 => cookies.reverse(),
            1 => drop(cookies.pop()),
            2 => drop(cookies.remove(0)),
            3 => cookies.iter_mut().for_each(|cookie| cookie.0.clone_from(&name)),
            4 => cookies.push((format!("{name}.0"), "junk".to_owned())),
            5 => cookies.push((format!("{name}.7"), "junk".to_owned())),
            6 => cookies.push((format!("{name}-old"), "junk".to_owned())),
            7 => cookies.insert(0, (name, "junk".to_owned())),
            8 => cookies.extend(site.session(&json!({ "name": "Grace", "sub": "2" }))),
            _ => {}
        }
        cookies
    }

    /// Cookies of a browser of which nothing is known.
    pub fn odd_cookies(&self) -> Vec<(String, String)> {
        let mut cookies = Vec::new();
        while self.random.one_in(2) {
            cookies.push(self.odd_cookie());
        }
        cookies
    }

    fn odd_cookie(&self) -> (String, String) {
        let names = self.site.names();
        let prefix = match self.site.dialect {
            Dialect::AuthJsV5 => "authjs",
            Dialect::NextAuthV4 => "next-auth",
        };
        let values = [
            "",
            "x",
            "%",
            "%zz",
            "%7C",
            "a%7Cb",
            "null",
            "\"\"",
            "\"x\"",
            "a=b",
            "....",
            "a.b.c.d.e",
            "undefined",
            "%00",
            "j%3A%7B%7D",
            TOKEN,
        ];
        let value = self.random.one_of(&values).to_owned();
        match self.random.below(12) {
            0 => self.site.csrf_of(FOREIGN_SECRET),
            1 => (names.csrf().to_owned(), self.site.csrf().1.replace("%7C", "|")),
            2 => (names.csrf().to_owned(), value),
            3 => (names.session().to_owned(), value),
            4 => (names.callback_url().to_owned(), value),
            5 => self.return_cookie(),
            6 => (format!("{}.0", names.session()), value),
            7 => (format!("{prefix}.state"), value),
            8 => (format!("__Secure-{prefix}.state"), value),
            9 => (format!("__Secure-{prefix}.transaction.x"), value),
            10 => self.site.csrf(),
            _ => (self.random.one_of(&["theme", "a b", "__Host-x", "NEXT_LOCALE", ""]).to_owned(), value),
        }
    }
}

fn owned(fields: Vec<(&str, String)>) -> Vec<(String, String)> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A text as a form has it, except that the braces of placeholders stay, so that the browser can replace them.
fn encoded(text: &str) -> String {
    if ["{csrf}", "{state}", "{code:"].iter().any(|placeholder| text.starts_with(placeholder)) {
        return text.to_owned();
    }
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
