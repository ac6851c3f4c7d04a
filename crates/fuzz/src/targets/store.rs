//! What a store and a lock hold.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::lease::lock::{CallOutcome, remembered_until, serve};
use vestibule_testing::{APP, Browser, TestEnv, settings};

use crate::input::{NOW, first_line, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "lock_call",
        about: "what a lock is asked and remembers: every call is answered, and a sign-out is never forgotten",
        reads: &["lease::lock::record::serve"],
        run: lock_call,
        slice: 1500,
    },
    Target {
        name: "stored_values",
        about: "whatever a store holds: no panic, a revoked session stays revoked, and users sign in",
        reads: &[
            "revocation::facts::Facts::read",
            "session::tokens::entry::TokenEntry::open",
            "flow::provider::stored::RequestContext::read_stored",
        ],
        run: values,
        slice: 15,
    },
];

/// The first line is what the lock remembers, the others are calls, one second after another.
fn lock_call(input: &[u8]) -> Shape {
    let text = text(input);
    let (remembered, calls) = first_line(&text);
    let mut record = (!remembered.is_empty()).then(|| remembered.to_owned());
    let (mut now, mut signed_out_until, mut answers) = (NOW, None, Vec::new());
    for call in calls.split('\n').take(16) {
        now = now.plus(Duration::from_secs(1));
        let Ok(served) = serve(record.as_deref(), call, now, now) else {
            answers.push("unknown".to_owned());
            continue;
        };
        let parsed: Value = serde_json::from_str(call).expect("a call is JSON");
        let answer = match &served.outcome {
            CallOutcome::Answer(answer) => answer.clone(),
            CallOutcome::Wait { until, otherwise } => {
                assert!(*until > now);
                otherwise.clone()
            }
        };
        let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        let kind = answer["answer"].as_str().unwrap_or("revocations").to_owned();
        // A call that names something of both kinds is about revocations, not about tokens.
        let about_tokens = parsed["call"].as_str().filter(|_| parsed.get("revocation").is_none());
        let is_about_tokens = matches!(about_tokens, Some("acquire" | "find" | "publish" | "is_signed_out"));
        if is_about_tokens && signed_out_until.is_some_and(|until| now < until) {
            assert_eq!(kind, "signed_out", "a sign-out is forgotten: {call}");
        }
        // A lease is given once, and tokens only to one that has older ones.
        if kind == "refreshed" {
            assert!(answer["sealed"].is_string());
        }
        if let Some((new, until)) = served.remember {
            assert_eq!(remembered_until(&new, now), Some(until).filter(|until| *until > now));
            record = Some(new);
        }
        if about_tokens == Some("sign_out") {
            let end = now.plus(Duration::from_millis(parsed["kept_for"].as_u64().unwrap_or_default()));
            signed_out_until = Some(end);
        }
        if kind == "acquired" {
            // Another process does not get the lease while it is held.
            let other = json!({ "call": "acquire", "generation": parsed["generation"], "owner": "another", "held_for": 1000 });
            let is_held =
                parsed["held_for"].as_u64().is_some_and(|time| time > 0) && parsed["owner"] != "another";
            if is_held {
                let served = serve(record.as_deref(), &other.to_string(), now, now).expect("a call");
                assert!(
                    !matches!(&served.outcome, CallOutcome::Answer(answer) if answer.contains("acquired")),
                    "two hold a lease"
                );
            }
        }
        answers.push(kind);
    }
    shape((answers, record.is_some()))
}

/// The first line says which keys are overwritten (the beginning of their names), the rest is what they hold then.
fn values(input: &[u8]) -> Shape {
    let text = text(input);
    let (prefix, value) = first_line(&text);
    let mut settings = settings();
    settings["refresh"] = json!({ "lease": "kv" });
    settings["revocation"] = json!({ "store": "kv" });
    let env = TestEnv::with(settings.clone());
    env.store.has_documents.set(true);
    let (mut alive, mut ended, mut everywhere) = (Browser::new(), Browser::new(), Browser::new());
    alive.sign_in(&env, "bob", "/");
    ended.sign_in(&env, "eve", "/");
    everywhere.sign_in(&env, "dan", "/");
    let copy = ended.clone();
    // A refresh leaves tokens in the store, and a sign-out a fact.
    env.pass(Duration::from_hours(2));
    alive.open(&env, &format!("{APP}/dashboard"));
    let csrf = ended.csrf(&env);
    ended.post(&env, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    let csrf = everywhere.csrf(&env);
    let elsewhere = everywhere.clone();
    everywhere.post(&env, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf), ("everywhere", "true")]);
    env.pass(Duration::from_mins(10));
    env.store.garbles(prefix, value);

    let other = env.isolate(settings, "elsewhere");
    let mut revoked = copy.clone();
    let answer = revoked.open(&other, &format!("{APP}/dashboard"));
    assert!(answer.forwarded.is_none(), "a revoked session opens");
    assert_eq!(copy.clone().session(&other), Value::Null, "a revoked session is shown");
    env.pass(Duration::from_hours(2));
    let answer = alive.open(&other, &format!("{APP}/dashboard"));
    assert!(answer.status < 500 || answer.status == 503, "{}", answer.status);
    let token =
        answer.forwarded.as_ref().and_then(|it| it.request.headers.get("authorization").map(str::to_owned));
    if let Some(token) = &token {
        assert!(token.starts_with("Bearer ") && !token.contains(char::is_control));
    }
    // What says of a user that all sessions ended is ignored where it is not a time, and the log says so.
    let of_user = elsewhere.clone().open(&other, &format!("{APP}/dashboard")).forwarded.is_some();
    assert!(
        !of_user || env.log_text().contains("unreadable"),
        "a fact about a user is ignored without a word"
    );
    // What is no document of the provider's is fetched again.
    let sign_in = Browser::new().sign_in(&other, "eve", "/");
    assert_eq!(sign_in.location(), format!("{APP}/"), "{}", env.log_text());
    shape((answer.status, token.is_some(), of_user, env.log_text().lines().count().min(20)))
}
