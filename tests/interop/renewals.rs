//! Walks that are the same at every program, from a browser in which somebody has signed in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use miniflare_test_harness::Client;

use crate::browser::expect_signed_out;
use crate::env::{
    Env, session, tabs, text_in_session, wait_at_most, wait_for_the_end_of_the_token, wait_until,
};
use crate::program::APP;

/// How long a request is on its way: as to an upstream in another country.
const WAIT: Duration = Duration::from_millis(150);

/// How long a request may be on its way when its token is renewed: the Worker waits for so long in a token's last seconds.
const MAX_IN_FLIGHT: Duration = Duration::from_secs(1);

/// After the end of an access token, the next request passes with another one; and so again. Each has its own refresh token.
pub fn an_ended_token_is_renewed(env: &Env, browser: &Client) {
    renewed_twice(env, browser, true);
}

/// The same where the refresh token stays the same.
pub fn an_ended_token_is_renewed_without_rotation(env: &Env, browser: &Client) {
    renewed_twice(env, browser, false);
}

fn renewed_twice(env: &Env, browser: &Client, rotates: bool) {
    let tokens = || ["access_token", "refresh_token"].map(|name| text_in_session(browser, name));
    let mut generation = 0;
    for _ in 0..2 {
        let before = tokens();
        wait_for_the_end_of_the_token(browser);
        // The session rounds it down to a second, so that the program may still accept the token.
        wait_until("the program refuses the ended token", || env.whoami_directly(&before[0]) == 401);
        env.whoami(browser).expect_status(200);
        let after = tokens();
        assert_ne!(before[0], after[0], "the access token is new");
        assert_eq!(before[1] != after[1], rotates, "whether the refresh token is new");
        let renewed = session(browser)["generation"].as_u64().unwrap_or_default();
        // On a machine so busy that the new token has ended, too, it is renewed again.
        assert!(renewed > generation, "{renewed} renewals, and {generation} before");
        generation = renewed;
        assert_eq!((env.counts().refreshed, env.counts().refused), (generation, 0));
    }
}

/// Of a burst of twenty requests over four isolates with a token that is due, each gets the page; one of them renews the
/// token, and the session goes on. `ttl` is how long access tokens live.
pub fn a_burst_renews_once(env: &Env, browser: &Client, ttl: Duration) {
    burst(env, browser, ttl, 1);
}

/// The same where three locations do not see each other's writes to the store, and the provider accepts a used refresh
/// token for some seconds more: each location renews once.
pub fn a_burst_renews_once_in_each_location(env: &Env, browser: &Client, ttl: Duration) {
    burst(env, browser, ttl, 3);
}

/// The same without a lease, where the provider accepts a refresh token any number of times.
pub fn a_burst_renews_once_in_each_isolate(env: &Env, browser: &Client, ttl: Duration) {
    burst(env, browser, ttl, 4);
}

fn burst(env: &Env, browser: &Client, ttl: Duration, each: u64) {
    for _ in 0..2 {
        env.wait_until_due(browser);
        let (before, begun) = (env.counts(), Instant::now());
        let (old, ended) = (browser.fork(), text_in_session(browser, "access_token"));
        for answer in env.whoami_in_parallel(&tabs(browser, 20)) {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        // Where tokens are renewed early, requests may go on with the old one.
        wait_until("the browser has the new token", || {
            env.whoami(browser).expect_status(200);
            text_in_session(browser, "access_token") != ended
        });
        // Who still has the old cookie goes on, too, in every isolate.
        for isolate in 0..4 {
            env.whoami(&old.fork().at(isolate)).expect_status(200);
        }
        // On a machine so busy that the new token is due, too, before the last request has come, it is renewed again.
        let life = if env.renews_early() { ttl / 2 } else { ttl };
        let most = each * (1 + begun.elapsed().as_secs() / life.as_secs());
        let after = env.counts();
        let refreshed = after.refreshed - before.refreshed;
        assert!(refreshed <= most, "{refreshed} refreshes, {:?}", begun.elapsed());
        assert_eq!(after.refused, before.refused);
    }
    assert!(env.counts().refreshed >= 2, "{:?}", env.counts());
    assert_eq!(env.counts().refused, 0);
}

/// What the program says of the user since the sign-in is in the session after the next renewal.
pub fn a_changed_address_follows(env: &Env, browser: &Client) {
    assert_eq!(env.shown(browser)["user"]["email"], "ada@example.com");
    env.control("address?user=ada&email=ada@example.org");
    env.wait_until_due(browser);
    wait_until("the session has the address", || {
        env.whoami(browser).expect_status(200);
        session(browser)["email"] == "ada@example.org"
    });
    assert_eq!(env.shown(browser)["user"]["email"], "ada@example.org");
    assert_eq!(session(browser)["email"], "ada@example.org");
}

/// The refresh token is no longer good at the program: the session passes until its access token ends, and then no more.
pub fn the_next_refresh_ends_the_session(env: &Env, browser: &Client) {
    env.wait_until_due(browser);
    let before = env.counts();
    if env.renews_early() {
        // Requests may go on with the old token, after some seconds.
        wait_until("a refresh is refused", || {
            env.whoami(browser);
            env.counts().refused > before.refused
        });
    }
    expect_signed_out(browser);
    let after = env.counts();
    assert_eq!((after.refreshed, after.refused), (before.refreshed, before.refused + 1), "asked once");
}

/// Tabs in four isolates send one request after the other while the token is renewed twice, and the program refuses none of
/// them. Gives their number in words.
pub fn no_request_in_flight_is_refused(env: &Env, browser: &Client) -> String {
    in_flight(env, browser).expect("the machine is fast enough")
}

/// The same, and `None` if the machine was too slow: if a refresh token had ended that ends with its access token, or if a
/// request that was refused was on its way for longer than the Worker waits for it.
pub fn in_flight(env: &Env, browser: &Client) -> Option<String> {
    let before = env.counts();
    let is_done = AtomicBool::new(false);
    let path = format!("/whoami?wait={}", WAIT.as_millis());
    let tab = &|isolate: usize| {
        // The tabs of one browser share its cookies.
        let (tab, mut statuses) = (browser.clone().at(isolate), Vec::new());
        while !is_done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let status = env.ask(&tab, &path).status;
            statuses.push((status, begun.elapsed() > MAX_IN_FLIGHT));
        }
        statuses
    };
    let is_late = || env.counts().late > before.late;
    let statuses: Vec<(u16, bool)> = std::thread::scope(|scope| {
        let tabs: Vec<_> = (0..4).map(|isolate| scope.spawn(move || tab(isolate))).collect();
        let _done = SetAtLast(&is_done);
        let renewed = || env.counts().refreshed >= before.refreshed + 2 || is_late();
        wait_at_most(Duration::from_mins(1), "two renewals", renewed);
        is_done.store(true, Ordering::Relaxed);
        tabs.into_iter().flat_map(|tab| tab.join().unwrap()).collect()
    });
    let refused = statuses.iter().filter(|(status, _)| *status != 200);
    if is_late() || refused.clone().any(|(_, is_slow)| *is_slow) {
        return None;
    }
    let refused = refused.count();
    assert_eq!(refused, 0, "of {} requests", statuses.len());
    Some(format!("{refused} of {} requests were refused", statuses.len()))
}

/// Sets it also where a walk panics, so that its other threads end.
struct SetAtLast<'a>(&'a AtomicBool);

impl Drop for SetAtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where nothing needs an access token the provider is asked every minute (`session.revalidate`): who is disabled there is
/// signed out, though no token was ever looked at.
pub fn who_is_disabled_is_noticed_without_a_token(env: &Env, browser: &Client) {
    // The program answers this without looking at a token.
    env.ask(browser, "/control/counts").expect_status(200);
    env.control("disable?user=ada");
    let is_refused = || env.ask(browser, "/control/counts").status == 401;
    wait_at_most(Duration::from_mins(2), "the session has ended", is_refused);
    assert_eq!(env.counts().refused, 1, "asked once");
    let page = browser.get(&format!("{APP}/control/counts")).navigation().send().expect_status(302);
    assert!(page.location().contains("/auth/signin"), "{}", page.location());
}
