//! The cases that are measured: a Worker, the requests that it receives, and the expected response.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use miniflare_test_harness::{Harness, HarnessBuilder, SCHEME_HEADER};
use serde_json::{Value, json};

use crate::load::Expected;
use crate::options::Options;
use crate::page;
use crate::sessions::{self, REVOKE_SECRET, SECRET, TYPICAL_SIZE};

/// The application behind every guard.
const APPLICATION: &str = include_str!("../../../bench/peers/app.js");

/// A measured case: one line of the report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Its description in the report.
    pub(crate) description: &'static str,
    worker: Worker,
    path: &'static str,
    /// The number of characters that the path is filled up to.
    path_length: usize,
    cookie: Cookie,
    /// The expected status, and a text that the body has to contain: a wrong response could be fast.
    status: u16,
    body: &'static str,
    /// The cases that it is compared with, each with the maximum ratio of the CPU times.
    pub(crate) targets: &'static [(&'static str, f64)],
    /// For a case in a growth table: the quantity that grows, and its value.
    pub(crate) grows: Option<(Growth, u32)>,
    /// The folder with another build of the Worker, if it is not the one in `build/`.
    built: Option<&'static Path>,
}

#[derive(Clone, Copy, Debug)]
enum Worker {
    /// The one in `target/bench/NAME`.
    Peer(&'static str),
    /// Ours, with this number of rules before the ones that match.
    Vestibule { rules: u32 },
    /// Ours, with this number of providers, of which the session's is the last.
    Providers(u32),
    /// Ours, with this number of hosts, of which the request's is the last: each has an upstream and a rule.
    Hosts(u32),
    /// Ours, after this number of sessions of others were revoked.
    Revocations(u32),
    /// Ours, with `revocation.store = "none"`.
    WithoutRevocation,
    /// Ours, with a provider that binds tokens to a key of the session (DPoP).
    Bound,
    /// Ours, with thirty rules of Next.js's usual matcher, none of which matches.
    Expressions,
}

#[derive(Clone, Copy, Debug)]
enum Cookie {
    None,
    /// A session of about this number of characters.
    Session(usize),
    /// The same, with a key to which the access token is bound.
    BoundSession(usize),
    /// The sessions of this number of users, one after the other.
    Users(usize),
}

/// The quantity that grows in a series of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// The size of the cookie in kilobytes.
    Cookie,
    /// The number of rules in the configuration.
    Rules,
    /// The number of providers in the configuration.
    Providers,
    /// The number of hosts in the configuration.
    Hosts,
    /// The number of users whose requests come in turn.
    Sessions,
    /// The number of revoked sessions that the isolate knows of.
    Revocations,
}

impl Growth {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 6] =
        [Self::Cookie, Self::Rules, Self::Providers, Self::Hosts, Self::Sessions, Self::Revocations];

    /// What the columns of its table count.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cookie => "cookie, kB",
            Self::Rules => "rules",
            Self::Providers => "providers",
            Self::Hosts => "hosts",
            Self::Sessions => "users",
            Self::Revocations => "revoked sessions",
        }
    }
}

const TYPICAL_SESSION: Cookie = Cookie::Session(TYPICAL_SIZE);

const fn peer(
    name: &'static str,
    description: &'static str,
    path: &'static str,
    cookie: Cookie,
    body: &'static str,
) -> Case {
    Case {
        name,
        description,
        worker: Worker::Peer(name),
        path,
        path_length: 0,
        cookie,
        status: 200,
        body,
        targets: &[],
        grows: None,
        built: None,
    }
}

const fn ours(
    name: &'static str,
    description: &'static str,
    path: &'static str,
    cookie: Cookie,
    body: &'static str,
    targets: &'static [(&'static str, f64)],
) -> Case {
    let worker = Worker::Vestibule { rules: 0 };
    Case { worker, targets, ..peer(name, description, path, cookie, body) }
}

const fn with_cookie(name: &'static str, kilobytes: u32) -> Case {
    let grows = Some((Growth::Cookie, kilobytes));
    let cookie = Cookie::Session(kilobytes as usize * 1024);
    Case { grows, ..ours(name, "guard, by the size of the cookie", "/account", cookie, "with a token", &[]) }
}

const fn with_expressions(
    name: &'static str,
    path_length: usize,
    targets: &'static [(&'static str, f64)],
) -> Case {
    let description = "30 rules with expressions, by the length of the path";
    Case {
        worker: Worker::Expressions,
        path_length,
        ..ours(name, description, "/", Cookie::None, "without a token", targets)
    }
}

const fn with_rules(name: &'static str, rules: u32) -> Case {
    growing(name, Growth::Rules, rules, Worker::Vestibule { rules })
}

/// `guard` with this Worker, as a point of a growth table.
const fn growing(name: &'static str, growth: Growth, size: u32, worker: Worker) -> Case {
    let grows = Some((growth, size));
    Case {
        worker,
        grows,
        ..ours(name, "guard, as something grows", "/account", TYPICAL_SESSION, "with a token", &[])
    }
}

const fn with_sessions(name: &'static str, users: u32) -> Case {
    let cookie = Cookie::Users(users as usize);
    Case { cookie, ..growing(name, Growth::Sessions, users, Worker::Vestibule { rules: 0 }) }
}

const MANY_USERS: Cookie = Cookie::Users(5000);

const CASES: [Case; 41] = [
    peer("js-constant", "JavaScript, constant response", "/", Cookie::None, "hello"),
    peer("rust-constant", "Rust (`worker`), constant response", "/", Cookie::None, "hello"),
    peer(
        "js-forward",
        "JavaScript, forwards without a check",
        "/account",
        TYPICAL_SESSION,
        "without a token",
    ),
    peer(
        "js-change",
        "JavaScript, reads and changes the header fields, forwards",
        "/account",
        TYPICAL_SESSION,
        "with a token",
    ),
    peer(
        "jose-session",
        "JavaScript, decrypts the session with `jose`",
        "/auth/session",
        TYPICAL_SESSION,
        "alice@example.com",
    ),
    peer("authjs-session", "Auth.js, `GET /session`", "/auth/session", TYPICAL_SESSION, "alice@example.com"),
    peer(
        "authjs-guard",
        "Auth.js `getToken`, forwards with the token",
        "/account",
        TYPICAL_SESSION,
        "with a token",
    ),
    ours(
        "session",
        "Vestibule, `GET /session`",
        "/auth/session",
        TYPICAL_SESSION,
        "alice@example.com",
        &[("authjs-session", 0.35), ("jose-session", 1.0)],
    ),
    ours(
        "session-many",
        "the same, each request from another user",
        "/auth/session",
        MANY_USERS,
        "alice@example.com",
        &[("authjs-session", 0.45)],
    ),
    ours(
        "guard",
        "Vestibule, forwards with the token",
        "/account",
        TYPICAL_SESSION,
        "with a token",
        // What was revoked is in memory: at most 10 µs, which is 1.03 times.
        &[("authjs-guard", 0.85), ("js-change", 1.15), ("unrevoked", 1.03)],
    ),
    Case {
        worker: Worker::WithoutRevocation,
        ..ours(
            "unrevoked",
            "the same, without a store of revocations",
            "/account",
            TYPICAL_SESSION,
            "with a token",
            &[],
        )
    },
    Case {
        worker: Worker::Bound,
        ..ours(
            "guard-bound",
            "Vestibule, forwards with the token and a proof (DPoP)",
            "/account",
            Cookie::BoundSession(TYPICAL_SIZE),
            "with a token and a proof",
            &[],
        )
    },
    ours(
        "guard-many",
        "the same, each request from another user",
        "/account",
        MANY_USERS,
        "with a token",
        &[("authjs-guard", 0.85)],
    ),
    ours(
        "public",
        "Vestibule, a public path",
        "/about",
        Cookie::None,
        "without a token",
        &[("js-change", 1.08)],
    ),
    Case {
        status: 302,
        ..ours(
            "refusal",
            "Vestibule, a protected path without a session",
            "/account",
            Cookie::None,
            "",
            &[("rust-constant", 1.1)],
        )
    },
    with_expressions("path-50", 50, &[]),
    with_expressions("path-2000", 2_000, &[("path-50", 20.0)]),
    with_expressions("path-16000", 16_000, &[("path-50", 20.0)]),
    with_cookie("cookie-1", 1),
    with_cookie("cookie-2", 2),
    with_cookie("cookie-4", 4),
    with_cookie("cookie-8", 8),
    with_cookie("cookie-16", 16),
    with_rules("rules-10", 10),
    with_rules("rules-100", 100),
    with_rules("rules-1000", 1000),
    with_rules("rules-10000", 10_000),
    growing("providers-1", Growth::Providers, 1, Worker::Providers(1)),
    growing("providers-10", Growth::Providers, 10, Worker::Providers(10)),
    growing("providers-93", Growth::Providers, 93, Worker::Providers(93)),
    growing("hosts-1", Growth::Hosts, 1, Worker::Hosts(1)),
    growing("hosts-10", Growth::Hosts, 10, Worker::Hosts(10)),
    growing("hosts-100", Growth::Hosts, 100, Worker::Hosts(100)),
    growing("hosts-1000", Growth::Hosts, 1000, Worker::Hosts(1000)),
    with_sessions("users-100", 100),
    with_sessions("users-1000", 1000),
    with_sessions("users-10000", 10_000),
    growing("revoked-0", Growth::Revocations, 0, Worker::Revocations(0)),
    growing("revoked-100", Growth::Revocations, 100, Worker::Revocations(100)),
    growing("revoked-1000", Growth::Revocations, 1000, Worker::Revocations(1000)),
    growing("revoked-10000", Growth::Revocations, 10_000, Worker::Revocations(10_000)),
];

/// The names of all cases among which the options select.
pub(crate) fn names(options: &Options) -> Vec<&'static str> {
    CASES.iter().filter(|case| case.grows.is_some() == options.curves).map(|case| case.name).collect()
}

/// The cases that the options select, and the cases that they are compared with.
pub(crate) fn selected(options: &Options) -> Vec<Case> {
    let wanted = |case: &&Case| options.wants(case.name) && case.grows.is_some() == options.curves;
    let targets: Vec<&str> =
        CASES.iter().filter(wanted).flat_map(|case| case.targets.iter().map(|(peer, _)| *peer)).collect();
    let cases = CASES.iter().filter(|case| wanted(case) || targets.contains(&case.name)).copied();
    cases.flat_map(|case| case.with_other(options)).collect()
}

/// The case with this name.
pub(crate) fn named(name: &str) -> Option<Case> {
    CASES.iter().find(|case| case.name == name).copied()
}

impl Case {
    /// The case, and before it the same with the other build of our Worker, with which the options compare it.
    pub(crate) fn with_other(mut self, options: &Options) -> Vec<Self> {
        let (Some(folder), false) = (&options.against, matches!(self.worker, Worker::Peer(_))) else {
            return vec![self];
        };
        // The program ends after the measurement.
        let folder: &Path = folder.clone().leak();
        let other =
            Self { name: format!("other-{}", self.name).leak(), targets: &[], built: Some(folder), ..self };
        self.targets = [self.targets, &[(other.name, 1.0)]].concat().leak();
        vec![other, self]
    }

    /// The harness with its Worker, not started yet.
    pub(crate) fn harness(&self) -> HarnessBuilder {
        let root = root();
        let mut builder = Harness::from_wrangler(root.join("wrangler.toml"))
            .secret("AUTH_SECRET", SECRET)
            .service_worker("APP", APPLICATION);
        if let Some(folder) = self.built {
            builder = builder.main(folder.join("index.js"));
        }
        match self.worker {
            Worker::Peer(name) => builder.main(root.join("target/bench").join(name).join("index.js")),
            Worker::Vestibule { rules } => configured(builder, settings(rules)),
            Worker::WithoutRevocation => {
                let mut settings = settings(0);
                let none = json!({ "store": "none" });
                settings.as_object_mut().and_then(|table| table.insert("revocation".to_owned(), none));
                configured(builder, settings)
            }
            Worker::Bound => {
                let mut settings = settings(0);
                let provider = settings.pointer_mut("/providers/0").and_then(Value::as_object_mut);
                provider.and_then(|provider| provider.insert("dpop".to_owned(), json!(true)));
                configured(builder, settings)
            }
            Worker::Expressions => configured(builder, settings_with_expressions()),
            Worker::Providers(count) => with_providers(builder, count),
            Worker::Hosts(count) => configured(builder, settings_with_hosts(count)),
            Worker::Revocations(_) => {
                configured(builder, settings(0)).secret("AUTH_REVOKE_SECRET", REVOKE_SECRET)
            }
        }
    }

    /// The requests that come once, before all others, and what their responses are.
    pub(crate) fn preparation(&self) -> (Vec<Vec<u8>>, Expected) {
        let Worker::Revocations(count) = self.worker else { return Default::default() };
        let requests = (0..count).map(|number| {
            let body = json!({ "session": { "sid": format!("0123456789abcdef{number}") } }).to_string();
            // Each from another address: the isolate counts those of one.
            let [_, a, b, c] = number.to_be_bytes();
            format!(
                "POST /auth/revoke HTTP/1.1\r\nhost: app.example.com\r\n{SCHEME_HEADER}: https\r\n\
                 cf-connecting-ip: 10.{a}.{b}.{c}\r\nauthorization: Bearer {REVOKE_SECRET}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        });
        (requests.collect(), Expected { status: 200, body: "true" })
    }

    /// The requests that are sent repeatedly, one after the other: those of a browser that navigates to a page.
    pub(crate) fn requests(&self) -> Result<Vec<Vec<u8>>> {
        let cookies = match self.cookie {
            Cookie::None => return Ok(vec![self.request(None)]),
            Cookie::Session(size) => vec![sessions::cookie(size, 0)?],
            Cookie::BoundSession(size) => vec![sessions::bound_cookie(size)?],
            Cookie::Users(users) => (0..users)
                .map(|user| sessions::cookie(TYPICAL_SIZE, user))
                .collect::<Result<_>>()
                .context("cannot make the sessions")?,
        };
        Ok(cookies.iter().map(|cookie| self.request(Some(cookie))).collect())
    }

    /// What every response is.
    pub(crate) fn expected(&self) -> Expected {
        Expected { status: self.status, body: self.body }
    }

    fn filled_path(&self) -> String {
        format!("{}{}", self.path, "a".repeat(self.path_length.saturating_sub(self.path.len())))
    }

    fn request(&self, cookie: Option<&str>) -> Vec<u8> {
        let scheme = format!("{SCHEME_HEADER}: https\r\n");
        page::request(&self.filled_path(), "app.example.com", &scheme, cookie.unwrap_or_default())
    }
}

fn configured(builder: HarnessBuilder, settings: Value) -> HarnessBuilder {
    builder.var("AUTH", settings).secret("AUTH_ACME_ID", "bench").secret("AUTH_ACME_SECRET", "bench")
}

/// Thirty rules with expressions that read the whole path and do not match, before one that does.
fn settings_with_expressions() -> Value {
    let rule = |number| {
        let pattern =
            format!("/((?!api|_next/static|_next/image|favicon\\.ico|robots\\.txt).*)\\.section{number}");
        json!({ "match": pattern, "require": { "roles": ["admin"] } })
    };
    let mut rules: Vec<Value> = (0..30).map(rule).collect();
    rules.push(json!({ "match": "/:path*", "access": "public" }));
    settings_with(&rules)
}

/// The Worker's configuration, for a site with one application.
fn settings(rules: u32) -> Value {
    let mut all: Vec<Value> = (0..rules)
        .map(|number| json!({ "match": format!("/section-{number}/:path*"), "require": { "roles": ["admin"] } }))
        .collect();
    all.push(json!({ "match": ["/", "/about"], "access": "public" }));
    all.push(json!({ "match": "/admin/:path*", "require": { "roles": ["admin"] } }));
    settings_with(&all)
}

/// With providers that are configured alike.
fn with_providers(mut builder: HarnessBuilder, count: u32) -> HarnessBuilder {
    let mut settings = settings(0);
    let others = (1..count).map(|number| {
        let (id, issuer) = (format!("idp{number}"), format!("https://idp-{number}.example"));
        json!({ "id": id, "type": "oidc", "name": id, "issuer": issuer })
    });
    let others: Vec<Value> = others.collect();
    if let Some(providers) = settings.pointer_mut("/providers").and_then(Value::as_array_mut) {
        providers.splice(0..0, others);
    }
    for number in 1..count {
        builder = builder.secret(&format!("AUTH_IDP{number}_ID"), "bench");
        builder = builder.secret(&format!("AUTH_IDP{number}_SECRET"), "bench");
    }
    configured(builder, settings)
}

/// With hosts that have an upstream and a rule of their own; the one of the requests is the last.
fn settings_with_hosts(count: u32) -> Value {
    let hosts = (1..count).map(|number| format!("host-{number}.example.com"));
    let hosts: Vec<String> = hosts.chain(["app.example.com".to_owned()]).collect();
    let rule = |host| json!({ "host": host, "match": "/account/:path*", "require": { "roles": ["admin"] } });
    let upstream = |host| json!({ "host": host, "to": "service:APP", "authorization": "access_token" });
    let mut settings = settings_with(&hosts.iter().map(rule).collect::<Vec<_>>());
    if let Some(table) = settings.as_object_mut() {
        table.insert("upstreams".to_owned(), hosts.iter().map(upstream).collect());
    }
    settings
}

fn settings_with(rules: &[Value]) -> Value {
    json!({
        "base_path": "/auth",
        "claims": { "roles": "profile.roles" },
        "providers": [{ "id": "acme", "type": "oidc", "name": "Acme", "issuer": "https://idp.example" }],
        "rules": rules,
        "upstreams": [{ "to": "service:APP", "authorization": "access_token" }],
    })
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_names_are_unique_and_every_target_is_a_case() {
        for case in CASES {
            assert_eq!(CASES.iter().filter(|other| other.name == case.name).count(), 1, "{}", case.name);
            assert!(case.targets.iter().all(|(peer, _)| named(peer).is_some()), "{}", case.name);
        }
    }
}
