//! The typed hooks of an app, and the configuration that works without them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vestibule_core::guard::decision::Decision;
use vestibule_core::hooks::{DefaultSession, Event, Hooks, SignIn, SignInAnswer, TokenOccasion};
use vestibule_core::http::request::Request;
use vestibule_core::http::return_to::{ReturnPolicy, TrustedUrl};
use vestibule_core::session::claims::Session;
use vestibule_testing::{APP, Browser, TestEnv, settings};

const SESSION: &str = "__Secure-authjs.session-token";

/// An app that implements every hook.
#[derive(Default)]
struct Opinionated {
    happened: Rc<RefCell<Vec<String>>>,
}

#[derive(Deserialize)]
struct Profile {
    email: String,
    roles: Vec<String>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    standard: DefaultSession,
    level: u64,
}

impl From<DefaultSession> for Shown {
    fn from(standard: DefaultSession) -> Self {
        Self { standard, level: 0 }
    }
}

impl Hooks for Opinionated {
    type Profile = Profile;
    type Session = Shown;

    async fn sign_in(&self, attempt: &SignIn<'_, Profile>) -> SignInAnswer {
        assert_eq!(attempt.account["provider"], "acme");
        assert_eq!(attempt.user["email"], json!(attempt.profile.email));
        match attempt.profile.email.as_str() {
            "mallory@example.com" => SignInAnswer::Denied,
            "newcomer@example.com" => SignInAnswer::Redirect("/welcome".to_owned()),
            "lost@example.com" => SignInAnswer::Redirect("https://evil.example/".to_owned()),
            _ => SignInAnswer::Granted,
        }
    }

    fn redirect(&self, wanted: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        policy.resolve_or_default(if wanted.is_empty() { "/start" } else { wanted })
    }

    async fn token(&self, claims: &mut Map<String, Value>, occasion: TokenOccasion<'_, Profile>) {
        match occasion {
            TokenOccasion::SignIn(attempt) | TokenOccasion::Refresh(attempt) => {
                claims.insert("level".to_owned(), json!(attempt.profile.roles.len()));
            }
            TokenOccasion::Update(data) => {
                if data["action"] == "level-up" {
                    claims.insert("level".to_owned(), json!(99));
                }
            }
        }
    }

    fn session(&self, session: &Session, standard: DefaultSession) -> Shown {
        Shown { standard, level: session.claims()["level"].as_u64().unwrap() }
    }

    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision {
        match request.url.path.as_str() {
            "/about" if session.is_some() => Decision::NotFound,
            "/open" => Decision::Pass,
            _ => decided,
        }
    }

    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::SignedIn { provider, session } => {
                format!("{} signed in with {provider}", session.subject().unwrap())
            }
            Event::SignedOut { session } => format!("{} signed out", session.subject().unwrap()),
        };
        self.happened.borrow_mut().push(line);
    }
}

#[test]
fn the_sign_in_hook_grants_denies_or_redirects() {
    let world = TestEnv::with_hooks(settings(), Opinionated::default());
    for (user, location, signed_in) in [
        ("bob", "https://app.example.com/", true),
        ("mallory", "https://app.example.com/auth/error?error=AccessDenied", false),
        ("newcomer", "https://app.example.com/welcome", false),
        ("lost", "https://app.example.com", false),
    ] {
        let mut browser = Browser::new();
        assert_eq!(browser.sign_in(&world, user, "/").location(), location);
        assert_eq!(browser.cookie(SESSION).is_some(), signed_in, "{user}");
    }
}

#[test]
fn the_session_hook_returns_the_apps_own_type() {
    let world = TestEnv::with_hooks(settings(), Opinionated::default());
    let mut browser = Browser::new();
    browser.sign_in(&world, "alice", "/");
    let session = browser.session(&world);
    assert_eq!((&session["level"], &session["user"]["email"]), (&json!(2), &json!("alice@example.com")));
    let csrf = browser.csrf(&world);
    let update = json!({ "csrfToken": csrf, "data": { "action": "level-up" } }).to_string();
    let answer = browser.send(
        &world,
        "POST",
        &format!("{APP}/auth/session"),
        &[("content-type", "application/json")],
        update.as_bytes(),
    );
    assert!(answer.body.contains("\"level\":99"), "{}", answer.body);
    assert_eq!(browser.session(&world)["level"], 99, "it was sealed");
}

#[test]
fn a_profile_of_another_type_does_not_sign_in_and_the_log_says_where_it_differs() {
    let world = TestEnv::with_hooks(settings(), Opinionated::default());
    world.provider.alters_answer_at("userinfo", |u| u["roles"] = json!("admin"));
    let mut browser = Browser::new();
    let answer = browser.sign_in(&world, "bob", "/");
    assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
    assert!(world.log_text().contains("invalid type: string"), "{}", world.log_text());
}

#[test]
fn the_redirect_hook_chooses_among_trusted_addresses() {
    let world = TestEnv::with_hooks(settings(), Opinionated::default());
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&world, "bob", "").location(), format!("{APP}/start"));
}

#[test]
fn the_authorized_hook_makes_the_final_decision() {
    let world = TestEnv::with_hooks(settings(), Opinionated::default());
    let mut browser = Browser::new();
    assert!(browser.open(&world, &format!("{APP}/open")).forwarded.is_some());
    assert!(browser.open(&world, &format!("{APP}/about")).forwarded.is_some());
    browser.sign_in(&world, "bob", "/");
    assert_eq!(browser.open(&world, &format!("{APP}/about")).status, 404);
}

#[test]
fn events_report_sign_ins_and_sign_outs() {
    let hooks = Opinionated::default();
    let happened = Rc::clone(&hooks.happened);
    let world = TestEnv::with_hooks(settings(), hooks);
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(*happened.borrow(), ["bob-1 signed in with acme", "bob-1 signed out"]);
}

#[test]
fn allow_decides_about_sign_ins_without_hooks() {
    for (allow, user, admitted) in [
        (json!({ "user.roles": ["admin", "evaluator"] }), "alice", true),
        (json!({ "user.roles": ["admin", "evaluator"] }), "bob", false),
        (json!({ "profile.email": "bob@example.com", "profile.roles": "user" }), "bob", true),
        (json!({ "profile.email": "bob@example.com", "profile.roles": "admin" }), "bob", false),
        (json!({ "profile.nothing": true }), "bob", false),
    ] {
        let mut strict = settings();
        strict["providers"][0]["allow"] = allow.clone();
        let (world, mut browser) = (TestEnv::with(strict), Browser::new());
        let answer = browser.sign_in(&world, user, "/");
        let expected =
            if admitted { format!("{APP}/") } else { format!("{APP}/auth/error?error=AccessDenied") };
        assert_eq!(answer.location(), expected, "{allow} {user}");
        assert_eq!(browser.cookie(SESSION).is_some(), admitted);
    }
}

#[test]
fn an_update_changes_only_the_claims_in_updatable() {
    let mut open = settings();
    open["session"]["updatable"] = json!(["name", "image", "theme"]);
    open["session"]["expose"]["theme"] = json!("theme");
    open["revocation"] = json!({ "store": "none" });
    let (world, mut browser) = (TestEnv::with(open), Browser::new());
    browser.sign_in(&world, "bob", "/");
    let csrf = browser.csrf(&world);
    let data = json!({
        "name": "Robert", "theme": { "dark": true }, "roles": ["admin"], "access_token": "forged",
        "exp": 1, "sub": "alice-1", "user": { "image": "https://img.example/b.png", "email": "root@example.com" },
    });
    let body = json!({ "csrfToken": csrf, "data": data }).to_string();
    let url = format!("{APP}/auth/session");
    let answer = browser.send(&world, "POST", &url, &[("content-type", "application/json")], body.as_bytes());
    let session: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(session, browser.session(&world));
    assert_eq!(
        session["user"],
        json!({
            "name": "Robert", "email": "bob@example.com", "image": "https://img.example/b.png",
            "roles": ["user"],
        })
    );
    assert_eq!(
        (&session["theme"], &session["access_token"]),
        (&json!({ "dark": true }), &json!("access-bob"))
    );
    let huge = json!({ "csrfToken": csrf, "data": { "name": "x".repeat(60_000) } }).to_string();
    let answer = browser.send(&world, "POST", &url, &[("content-type", "application/json")], huge.as_bytes());
    assert_eq!(answer.status, 400);
    assert_eq!(browser.session(&world)["user"]["name"], "Robert", "what was good stays");
}

#[test]
fn a_session_that_ends_at_a_page_which_a_hook_opens_ends_in_the_browser_too() {
    let mut settings = settings();
    settings["refresh"] = json!({ "lease": "durable-object" });
    let world = TestEnv::with_hooks(settings, Opinionated::default());
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    world.provider.grants.revoke("bob");
    world.pass(Duration::from_secs(3605));
    let answer = browser.open(&world, &format!("{APP}/open"));
    let forwarded = answer.forwarded.expect("the hook lets everyone pass");
    assert!(!forwarded.request.headers.contains("authorization"));
    // The next process asks the provider no more.
    let asked = world.fetches("https://idp.example/token");
    let other = world.isolate(vestibule_testing::settings(), "elsewhere");
    assert_eq!(browser.session(&other)["error"], "RefreshTokenError");
    assert_eq!(world.fetches("https://idp.example/token"), asked);
}

/// Counts how often it is asked.
struct Counting(Rc<std::cell::Cell<u32>>);

impl Hooks for Counting {
    type Profile = Value;
    type Session = DefaultSession;

    fn authorized(&self, _: &Request, _: Option<&Session>, decided: Decision) -> Decision {
        self.0.set(self.0.get() + 1);
        decided
    }
}

#[test]
fn a_hook_decides_once_about_a_request_and_again_only_where_a_refresh_changed_the_session() {
    let asked = Rc::new(std::cell::Cell::new(0));
    let world = TestEnv::with_hooks(settings(), Counting(Rc::clone(&asked)));
    let mut browser = Browser::new();
    browser.sign_in(&world, "bob", "/");
    for (after, times) in [(0, 1), (60, 1), (3600, 2), (0, 1)] {
        world.pass(std::time::Duration::from_secs(after));
        asked.set(0);
        assert_eq!(browser.fetch(&world, &format!("{APP}/api")).status, 200);
        assert_eq!(asked.get(), times, "{after}");
    }
}
