//! What this site seals for itself, and a browser brings back.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::http::cookie::Cookies;
use vestibule_core::http::origin::Origin;
use vestibule_core::http::return_to::{ReturnPolicy, TrustedUrl};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::claims::Session;
use vestibule_core::session::csrf::Csrf;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::kept_form::{self, KeptForm};
use vestibule_core::session::logout_hint::LogoutHint;
use vestibule_core::session::logout_state::LogoutState;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::preview::{PreviewCode, PreviewNonce, PreviewSignOut};
use vestibule_core::session::seal;
use vestibule_core::session::step_up::{StepUp, StepUpRequest};
use vestibule_core::session::ticket::Ticket;
use vestibule_core::session::transaction::Transaction;
use vestibule_core::session::typed::Typed;

use crate::input::{NOW, first_line, same_bytes, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "sealed",
        about: "tickets, transactions, codes, kept forms and hints: each opens as what it is, and as nothing else",
        reads: &[
            "session::ticket::Ticket::open",
            "session::transaction::Transaction::open",
            "session::kept_form::KeptForm::open",
            "session::preview::PreviewCode::open",
            "session::preview::PreviewSignOut::open",
            "session::logout_state::LogoutState::open",
            "session::logout_hint::LogoutHint::find",
            "session::step_up::StepUpRequest::open",
            "session::typed::Typed::open",
            "session::seal::open",
            "session::seal::open_up_to",
        ],
        run: sealed,
        slice: 100,
    },
    Target {
        name: "sealed_claims",
        about: "the claims in a seal of another version: what lacks one is refused, and times hold",
        reads: &[
            "session::seal::open",
            "session::transaction::Transaction::open",
            "session::typed::Typed::open",
        ],
        run: claims,
        slice: 300,
    },
    Target {
        name: "csrf",
        about: "the cookies of a CSRF token: only a hash with the secret counts, and only its own token",
        reads: &["session::csrf::Csrf::from_cookies", "session::csrf::Csrf::verify"],
        run: csrf,
        slice: 1500,
    },
];

const KINDS: [&str; 9] =
    ["ticket", "transaction", "kept", "preview", "sign-out", "logout-state", "hint", "step-up", "typed"];

const URL: &str = "https://auth.example.com/auth/signin/acme";

fn keys() -> Keyring {
    Keyring::new(vec![Secret::new("a secret of 32 characters or more")]).expect("a secret")
}

fn names() -> CookieNames {
    CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
}

fn host() -> Origin {
    Origin::parse("https://pr-1.preview.example.dev").expect("an origin")
}

fn address() -> TrustedUrl {
    let own_origin = host();
    let policy = ReturnPolicy { own_origin: &own_origin, trusted_hosts: &[], cookie_domain: None };
    policy.resolve("/page").expect("an address of our own")
}

/// One of each kind, and the `state` that the transaction and the sign-out have.
fn one_of_each(text: &str) -> (Vec<String>, [String; 2]) {
    let (keys, names, address) = (keys(), names(), address());
    let random: &mut dyn FnMut(&mut [u8]) = &mut same_bytes;
    let begun = Transaction::begin("acme", &address, None, NOW, random);
    let transaction = begun.seal(&keys, &names, NOW, random);
    let session = json!({ "sub": "bob", "provider": "acme", "sid": "s", "name": text });
    let session = Session::new(session.as_object().cloned().expect("an object"));
    let for_preview = session.clone().for_preview_host(&host(), NOW.plus(Duration::from_hours(1)));
    let nonce = PreviewNonce::generate(NOW, random);
    let logout = LogoutState::begin(&address, random);
    let kept = KeptForm {
        address: text.to_owned(),
        body: text.to_owned(),
        user: text.to_owned(),
        waits_for_step_up: false,
    };
    let hint = LogoutHint::of(&session, &Secret::new(text)).map(|hint| {
        let sealed = hint.seal(&keys, &names, Duration::from_hours(1), NOW, random);
        sealed.unwrap_or_default().into_iter().map(|(_, value)| value).collect()
    });
    let needed = StepUp { acr: vec![text.to_owned()], ..StepUp::default() };
    let typed = Typed::new("acme", [("email", "bob@example.com")]).expect("a field");
    let all = vec![
        Ticket::seal(URL, &keys, &names, NOW, random),
        transaction.into_iter().map(|(_, value)| value).collect(),
        kept.seal(&keys, NOW, random),
        PreviewCode::seal(&for_preview, nonce.challenge(), &address, &keys, NOW, random),
        PreviewSignOut { sid: "s".to_owned(), provider: None, next: text.to_owned() }
            .seal(&keys, NOW, random),
        logout.seal(&keys, &names, NOW, random).unwrap_or_default(),
        hint.unwrap_or_default(),
        StepUpRequest { needed, return_to: text.to_owned() }.seal(&keys, NOW, random),
        typed.seal(&keys, &names, NOW, random),
    ];
    let states = [
        begun.state.expose().to_owned(),
        logout.state.as_ref().map(|it| it.expose().to_owned()).unwrap_or_default(),
    ];
    (all, states)
}

/// As which kinds a value opens.
fn opens_as(value: &str, states: &[String; 2], at: vestibule_core::time::Timestamp) -> Vec<&'static str> {
    let (keys, names) = (keys(), names());
    let of_name = |name: &str| Cookies::parse([format!("{name}={value}").as_str()].into_iter());
    let id = states[0].get(..16).unwrap_or_default();
    let transaction = of_name(&format!("{}{id}", names.transaction_prefix()));
    let opened = [
        Ticket::open([value], URL, &keys, &names, at).is_ok(),
        Transaction::open(Some(&states[0]), "acme", &transaction, &keys, &names, at).is_ok(),
        KeptForm::open(value, &keys, at).is_ok(),
        PreviewCode::open(value, &keys, at).is_ok(),
        PreviewSignOut::open(value, &keys, at).is_ok(),
        LogoutState::open([value], Some(&states[1]), &keys, &names, at).is_ok(),
        LogoutHint::find(&of_name(names.logout_hint()), "s", &keys, &names, at).is_some(),
        StepUpRequest::open(value, &keys, at).is_some(),
        Typed::open([value], &keys, &names, at).is_some(),
    ];
    KINDS.into_iter().zip(opened).filter(|(_, is_open)| *is_open).map(|(kind, _)| kind).collect()
}

/// The first line is the number of a kind, the second one an edit (`POSITION CHARACTER`), the third one a number of seconds
/// that pass, the rest is a text inside.
fn sealed(input: &[u8]) -> Shape {
    let text = text(input);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (number, edit, seconds, inside) = (line(), line(), line(), line());
    let inside: String = inside.chars().take(300).collect();
    let (all, states) = one_of_each(&inside);
    let number = number.trim().parse::<usize>().unwrap_or_default() % all.len();
    let original = &all[number];
    let mut value = original.clone();
    if let Some((position, new)) = edit.split_once(' ')
        && let (Ok(position), Some(new)) = (position.parse::<usize>(), new.chars().next())
        && let Some((at, old)) = value.char_indices().nth(position % value.len().max(1))
    {
        value.replace_range(at..at + old.len_utf8(), &new.to_string());
    }
    let seconds = seconds.trim().parse::<u32>().unwrap_or_default();
    let opened = opens_as(&value, &states, NOW.plus(Duration::from_secs(seconds.into())));
    let kind = KINDS[number];
    assert!(opened.is_empty() || opened == [kind], "a {kind} opens as {opened:?}");
    assert!(opened.is_empty() || value == *original, "a changed {kind} opens");
    if value == *original && !value.is_empty() && seconds == 0 {
        assert_eq!(opened, [kind], "a {kind} does not open");
    }
    // Nothing of this lives longer than 400 days, and a code not longer than a minute and the clocks' difference.
    assert!(
        opened.is_empty() || !matches!(kind, "ticket" | "preview" | "sign-out") || seconds <= 76,
        "{kind}: {seconds} s"
    );
    assert!(opened.is_empty() || kind == "hint" || seconds <= 7200, "{kind}: {seconds} s");
    // Whatever is kept is a form that a browser would send again.
    if kept_form::can_be_kept(inside.as_bytes()) {
        assert!(inside.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{inside:?}");
    }
    shape((kind, opened.len(), value == *original))
}

/// The first line is the lifetime in seconds, the rest are claims.
fn claims(input: &[u8]) -> Shape {
    let text = text(input);
    let (lifetime, claims) = first_line(&text);
    let Ok(Value::Object(claims)) = serde_json::from_str::<Value>(claims) else { return Shape::default() };
    let lifetime = Duration::from_secs(lifetime.trim().parse::<u32>().unwrap_or_default().into());
    let (keys, names) = (keys(), names());
    let sealed_as =
        |salt: &str| seal::seal(&keys, Dialect::AuthJsV5, salt, &claims, lifetime, NOW, &mut same_bytes);
    let state = claims.get("state").and_then(Value::as_str).unwrap_or_default();
    let id = state.get(..16).unwrap_or_default();
    let prefix = names.transaction_prefix();
    let sealed = sealed_as(prefix);
    let is_over = lifetime.as_secs() == 0;
    match seal::open(
        &keys,
        Dialect::AuthJsV5,
        prefix,
        &sealed,
        NOW.plus(lifetime).plus(Duration::from_secs(16)),
    ) {
        Ok(_) => panic!("it opens after its time: {claims:?}"),
        Err(error) => drop(error.to_string()),
    }
    if let Ok(opened) = seal::open(&keys, Dialect::AuthJsV5, prefix, &sealed, NOW) {
        let is_ours = |name: &String| matches!(name.as_str(), "iat" | "exp" | "jti");
        let without = |claims: &Map<String, Value>| {
            claims
                .iter()
                .filter(|(name, _)| !is_ours(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect::<Map<_, _>>()
        };
        assert_eq!(without(&opened), without(&claims));
        assert!(opened["exp"].is_number());
    }
    let cookies = Cookies::parse([format!("{prefix}{id}={sealed}").as_str()].into_iter());
    let transaction = Transaction::open(Some(state), "acme", &cookies, &keys, &names, NOW);
    if let Ok(transaction) = &transaction {
        assert_eq!(transaction.state.expose(), state);
        assert_eq!(claims["provider"], "acme");
        for (name, value) in [("nonce", transaction.nonce.expose()), ("return_to", &transaction.return_to)] {
            assert_eq!(claims[name], value);
        }
        let has_step_up = claims.get("step_up").is_some();
        assert_eq!(
            transaction.step_up.is_some(),
            has_step_up,
            "a step-up that no one began, or one that is lost"
        );
        assert_eq!(transaction.is_persistent, claims.get("persistent") != Some(&Value::Bool(false)));
    }
    let typed = Typed::open([sealed_as(names.typed()).as_str()], &keys, &names, NOW);
    if let Some(typed) = &typed {
        assert_eq!(claims["provider"], typed.provider.as_str());
    }
    shape((
        is_over,
        transaction.map(|it| it.step_up.is_some()).map_err(|error| error.to_string()),
        typed.is_some(),
    ))
}

/// The first line is what a form submits, the others are cookies. `{token}` and `{hash}` are those of a token of ours.
fn csrf(input: &[u8]) -> Shape {
    let keys = keys();
    let own = Csrf::from_cookies([], &keys, &mut same_bytes);
    let cookie = own.new_cookie(&keys).expect("it is new");
    let (token, hash) = cookie.split_once('|').expect("two parts");
    let text = text(input).replace("{token}", token).replace("{hash}", hash);
    let (submitted, cookies) = first_line(&text);
    let cookies: Vec<&str> = cookies.split('\n').collect();
    let other = |bytes: &mut [u8]| bytes.fill(9);
    let csrf = Csrf::from_cookies(cookies.iter().copied(), &keys, &mut { other });
    let has_cookie = cookies.iter().take(8).any(|it| *it == cookie);
    assert_eq!(csrf.new_cookie(&keys).is_none(), has_cookie, "a cookie that no one with the secret made");
    assert_eq!(csrf.verify(Some(submitted)).is_ok(), has_cookie && submitted == token, "{submitted:?}");
    assert!(csrf.verify(None).is_err());
    if has_cookie {
        assert_eq!(csrf.token(), token);
    }
    shape((has_cookie, submitted == token, cookies.len().min(9)))
}
