//! Cookies: of a request, of a session, and of an API.

use std::time::Duration;

use serde_json::{Map, json};
use url::Url as BrowserUrl;
use vestibule_core::credentials::jar::{self, Jar};
use vestibule_core::http::cookie::{self, Cookies, SetCookie};
use vestibule_core::http::url::Url;
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::cache::SessionCache;
use vestibule_core::session::cookie::SessionCookie;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::policy::{Persistence, Sealing, SessionConfig};
use vestibule_core::session::tokens::TokenStorage;
use vestibule_core::session::{chunk, read, seal};

use crate::input::{NOW, first_line, same_bytes, shape, text};
use crate::obvious;
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "cookie_header",
        about: "the Cookie fields of a request, against an obvious parser",
        reads: &["http::cookie::Cookies::parse"],
        run: header,
        slice: 1500,
    },
    Target {
        name: "session_chunks",
        about: "a session in several cookies: what was split is joined again, and nothing else",
        reads: &["session::chunk::candidates"],
        run: chunks,
        slice: 1500,
    },
    Target {
        name: "session_cookie",
        about: "the session's cookies: only what was sealed for them opens, and never another user's",
        reads: &["session::read::read", "session::cache::SessionCache::open", "session::seal::open_session"],
        run: session,
        slice: 300,
    },
    Target {
        name: "api_set_cookie",
        about: "an API's Set-Cookie fields, against a browser's rules",
        reads: &["credentials::jar::Jar::store_fields", "http::url::Url::parse"],
        run: of_api,
        slice: 1500,
    },
];

/// Each line is a `Cookie` field.
fn header(input: &[u8]) -> Shape {
    let text = text(input);
    let fields: Vec<&str> = text.split('\n').collect();
    let cookies = Cookies::parse(fields.iter().copied());
    let expected = obvious::cookies(&fields);
    let mut names: Vec<&str> = expected.iter().map(|(_, name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(cookies.names().collect::<Vec<_>>(), names);
    for name in names.iter().copied() {
        let of_name: Vec<(usize, &str)> = expected
            .iter()
            .filter(|(_, n, _)| n == name)
            .map(|(at, _, value)| (*at, value.as_str()))
            .collect();
        assert_eq!(cookies.positions(name).collect::<Vec<_>>(), of_name, "{name:?}");
        assert_eq!(cookies.get(name), of_name.first().map(|(_, value)| *value), "{name:?}");
    }
    // Without one name, the others are what they were.
    if let Some(dropped) = names.first().copied().filter(|_| text.split([';', '\n']).count() <= 400) {
        let left = cookie::without(fields.iter().copied(), |_, name| name == dropped);
        let others: Vec<_> =
            expected.iter().filter(|(_, name, _)| name != dropped).map(|(_, n, v)| (n, v)).collect();
        let kept: Vec<&str> = left.iter().map(String::as_str).collect();
        let kept = obvious::cookies(&kept);
        assert_eq!(kept.iter().map(|(_, n, v)| (n, v)).collect::<Vec<_>>(), others, "without {dropped:?}");
    }
    // What is written is read again.
    let written = SetCookie::new("a", &text);
    if let Some(pair) = written.pair() {
        assert!(pair.bytes().all(|b| b.is_ascii_graphic() && b != b';'), "{pair}");
        assert_eq!(Cookies::parse([pair.as_str()].into_iter()).get("a"), Some(text.as_str()));
    }
    shape((expected.len().min(8), names.len().min(8), text.contains('%')))
}

const NAME: &str = "__Secure-authjs.session-token";

/// The first line gives the length of a session, the others are `Cookie` fields in which `S` is the session's name.
fn chunks(input: &[u8]) -> Shape {
    let text = text(input);
    let (length, fields) = first_line(&text);
    let dialect = if length.len() % 2 == 0 { Dialect::AuthJsV5 } else { Dialect::NextAuthV4 };
    let length = length.trim().parse::<usize>().unwrap_or_default() % 70_000;
    let alphabet = b"abcdefghijklmnopqrstuvwxyz0123456789-_.";
    let value: String =
        (0..length).map(|at| char::from(alphabet[(at * 7 + at / 39) % alphabet.len()])).collect();
    let cookies = chunk::split(NAME, &value, dialect);
    if chunk::fits(&value, dialect) && !value.is_empty() {
        assert!(cookies.len() <= chunk::MAX_CHUNKS);
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert!(pairs.iter().all(|pair| pair.len() <= 4096), "a cookie that no browser keeps");
        let sent = Cookies::parse([pairs.join("; ").as_str()].into_iter());
        let found = chunk::candidates(&sent, NAME, 8);
        assert_eq!(found.first().map(|candidate| &*candidate.value), Some(value.as_str()));
        assert!(chunk::stale(&sent, NAME, &cookies).is_empty());
        assert_eq!(chunk::stale(&sent, NAME, &[]).len(), cookies.len());
    }

    let fields: Vec<String> = fields.split('\n').map(|field| field.replace('S', NAME)).collect();
    let sent = Cookies::parse(fields.iter().map(String::as_str));
    let all = obvious::cookies(&fields.iter().map(String::as_str).collect::<Vec<_>>());
    let at = |position: usize| all.iter().find(|(at, ..)| *at == position).expect("a cookie");
    let found = chunk::candidates(&sent, NAME, 8);
    assert!(found.len() <= 8);
    for candidate in &found {
        assert!(!candidate.value.is_empty() && candidate.positions.len() <= chunk::MAX_CHUNKS);
        let joined: String = candidate.positions.iter().map(|position| at(*position).2.as_str()).collect();
        assert_eq!(joined, candidate.value);
        for (number, position) in candidate.positions.iter().enumerate() {
            let name = &at(*position).1;
            let is_whole = candidate.positions.len() == 1 && name == NAME;
            assert!(is_whole || *name == format!("{NAME}.{number}"), "{name} is number {number}");
        }
    }
    let whole = all.iter().find(|(_, name, value)| name == NAME && !value.is_empty());
    if let Some((position, ..)) = whole {
        assert_eq!(found.first().map(|first| first.positions.clone()), Some(vec![*position]));
    }
    shape((cookies.len(), found.iter().map(|found| found.positions.len()).collect::<Vec<_>>()))
}

/// The first line says what is in the request: `a`, `b` and `old` are sealed sessions of two users, `x` is one for another
/// cookie. The rest are `Cookie` fields in which `{a}` and so on are those, and `S` is the session's name.
fn session(input: &[u8]) -> Shape {
    let keys = Keyring::new(vec![Secret::new("a secret of 32 characters or more")]).expect("a secret");
    let config = SessionConfig {
        max_age: Duration::from_hours(720),
        update_age: Duration::from_hours(24),
        revalidate: None,
        absolute_max_age: Some(Duration::from_hours(2160)),
        persistence: Persistence::Persistent,
        expose: Vec::new(),
        updatable: Vec::new(),
        tokens: TokenStorage::Cookie,
    };
    let sealing = Sealing { keys: &keys, dialect: Dialect::AuthJsV5, session: &config };
    let sealed = |salt: &str, subject: &str, lifetime: u64| {
        let claims: Map<_, _> = json!({ "sub": subject, "provider": "acme", "sid": subject })
            .as_object()
            .cloned()
            .expect("an object");
        let lifetime = Duration::from_secs(lifetime);
        seal::seal(
            &keys,
            Dialect::AuthJsV5,
            salt,
            &claims,
            lifetime,
            NOW.minus(Duration::from_hours(1)),
            &mut same_bytes,
        )
    };
    let text = text(input)
        .replace("{a}", &sealed(NAME, "a", 10_000))
        .replace("{b}", &sealed(NAME, "b", 10_000))
        .replace("{old}", &sealed(NAME, "a", 60))
        .replace("{x}", &sealed("__Host-authjs.typed", "x", 10_000));
    let (edit, fields) = first_line(&text);
    let mut fields: Vec<String> = fields
        .split('\n')
        .map(|field| field.replace("S=", &format!("{NAME}=")).replace("S.", &format!("{NAME}.")))
        .collect();
    // A character of a session that is changed: `POSITION CHARACTER`.
    if let Some((position, new)) = edit.split_once(' ')
        && let (Ok(position), Some(new), Some(field)) =
            (position.parse::<usize>(), new.chars().next(), fields.first_mut())
        && let Some((at, old)) = field.char_indices().nth(position)
    {
        field.replace_range(at..at + old.len_utf8(), &new.to_string());
    }
    let names = CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true);
    let cookies = Cookies::parse(fields.iter().map(String::as_str));
    let found = read::read(sealing, &SessionCache::default(), &names, &cookies, None, NOW);
    let opened = |subject: &str| {
        let good = sealed(NAME, subject, 10_000);
        chunk::candidates(&cookies, NAME, read::MAX_ATTEMPTS).iter().any(|candidate| candidate.value == good)
    };
    match &found.session {
        SessionCookie::Valid(session) => {
            let subject = session.subject().expect("a subject").to_owned();
            assert!(matches!(subject.as_str(), "a" | "b"), "{subject}");
            assert!(opened(&subject), "no cookie is the session of {subject}");
            let other = if subject == "a" { "b" } else { "a" };
            assert!(!opened(other), "there is also a session of {other}");
        }
        SessionCookie::Conflict => assert!(opened("a") && opened("b")),
        _ => assert!(!opened("a") && !opened("b"), "a session that does not open"),
    }
    shape((std::mem::discriminant(&found.session), found.positions.len()))
}

/// The first line is the URL of a request, the others are `Set-Cookie` fields.
fn of_api(input: &[u8]) -> Shape {
    let text = text(input);
    let (first, fields) = first_line(&text);
    let from = Url::parse("https://api.example.com/v1/login").expect("a URL");
    let Ok(to) = Url::parse(first) else { return Shape::default() };
    let browser = BrowserUrl::parse(first).expect("a browser reads it");
    assert_eq!(browser.host_str(), Some(to.host()));
    let mut sent = 0;
    for field in fields.split('\n') {
        let mut jar = Jar::default();
        jar.store_fields(&from, [field].into_iter(), NOW);
        let Some(pair) = jar.field_for(&to) else { continue };
        sent += 1;
        assert!(!pair.contains([';', '\r', '\n', '\0']), "{pair:?}");
        let expected = obvious::set_cookie(field, "api.example.com", "/v1");
        let (name, value, host, with_subdomains, path) = expected.expect("a cookie");
        assert_eq!(pair, format!("{name}={value}"));
        let is_there = to.host() == host || (with_subdomains && to.host().ends_with(&format!(".{host}")));
        assert!(is_there, "{field:?} is sent to {}", to.host());
        let is_below =
            to.path() == path || to.path().starts_with(&format!("{}/", path.trim_end_matches('/')));
        assert!(is_below, "{field:?} is sent to {}", to.path());
        assert_eq!(jar::removed_name(field, &from, NOW), None, "{field:?} is removed and sent");
    }
    let mut jar = Jar::default();
    jar.store_fields(&from, fields.split('\n'), NOW);
    let all = jar.field_for(&to).map_or(0, |field| field.split("; ").count());
    assert!(all <= 50);
    shape((sent, all))
}
