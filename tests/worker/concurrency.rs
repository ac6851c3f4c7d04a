//! Many at once, in one isolate: everybody gets their own, and the provider is not run over.

use std::thread;

use crate::idp;
use crate::test_env::{APP, TestEnv, session, sign_in};

const PEOPLE: usize = 50;
const SESSIONS: usize = 200;

#[test]
fn fifty_people_sign_in_at_once_and_each_is_who_they_are() {
    let env = TestEnv::new();
    let sign_all_in = |wave: &str| {
        thread::scope(|scope| {
            let people: Vec<_> = (0..PEOPLE)
                .map(|n| {
                    let (env, user) = (&env, format!("{wave}{n}"));
                    scope.spawn(move || {
                        let browser = env.client();
                        let page = sign_in(&browser, &user, "/dashboard");
                        assert_eq!((page.status, page.url), (200, format!("{APP}/dashboard")), "{user}");
                        (user, browser)
                    })
                })
                .collect();
            people.into_iter().map(|person| person.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let people = sign_all_in("first");
    let documents = || (env.asked("/.well-known/openid-configuration"), env.asked("/jwks"));
    let (discovery, jwks) = documents();
    // Requests cannot wait for one another's fetches in this runtime, so all who come before the first answer ask.
    assert!((1..=PEOPLE).contains(&discovery) && (1..=PEOPLE).contains(&jwks), "{discovery} and {jwks}");
    let people: Vec<_> = people.into_iter().chain(sign_all_in("second")).collect();
    assert_eq!(documents(), (discovery, jwks), "what is known is not asked for again");
    assert_eq!(env.asked("/token"), 2 * PEOPLE);

    thread::scope(|scope| {
        for n in 0..SESSIONS {
            let (user, browser) = &people[n % people.len()];
            scope.spawn(move || {
                assert_eq!(session(browser, APP)["user"]["email"], format!("{user}@example.com"));
            });
        }
    });
    for got in env.requests_to_service("APP") {
        let email = got.header("x-user-email").unwrap();
        let user = email.split('@').next().unwrap();
        let token = got.header("authorization").unwrap();
        assert!(token.starts_with(&format!("Bearer access-token-of-{user}-")), "{email} with {token}");
    }
    assert_eq!(env.requests_to(idp::HOST).iter().filter(|r| r.path() == "/userinfo").count(), 2 * PEOPLE);
}
