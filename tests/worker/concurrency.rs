//! Many users in one isolate at the same time: each gets their own session, and the provider gets few requests.

use std::thread;

use vestibule_test_runtimes::part_needs;

use crate::idp;
use crate::test_env::{APP, TestEnv, session, sign_in};

const USERS: usize = 50;
const SESSIONS: usize = 200;

#[test]
fn fifty_users_sign_in_at_the_same_time_and_each_gets_their_own_session() {
    let env = TestEnv::new();
    let sign_all_in = |wave: &str| {
        thread::scope(|scope| {
            let people: Vec<_> = (0..USERS)
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
    let documents = || (env.count_requests("/.well-known/openid-configuration"), env.count_requests("/jwks"));
    let (discovery, jwks) = documents();
    // In this runtime a request cannot wait for another request's fetch, so every request before the first response fetches.
    assert!((1..=USERS).contains(&discovery) && (1..=USERS).contains(&jwks), "{discovery} and {jwks}");
    let people: Vec<_> = people.into_iter().chain(sign_all_in("second")).collect();
    if part_needs!(OneMemory) {
        assert_eq!(documents(), (discovery, jwks), "cached metadata and keys are not requested again");
    }
    assert_eq!(env.count_requests("/token"), 2 * USERS);

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
    assert_eq!(env.requests_to(idp::HOST).iter().filter(|r| r.path() == "/userinfo").count(), 2 * USERS);
}
