//! One race between a sign-out and everything that goes on: requests, refreshes, renewals, and copies of the cookie.
//!
//! Alice is signed in on a laptop and a phone, and someone has copies of her cookies. Bob is signed in, too. Alice signs
//! out on the laptop, in half of the races everywhere, while tokens and cookies are due for renewal; the copies go on in
//! every process. She may sign in again. Two days later all of them come back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_testing::rotation::Rotation;
use vestibule_testing::store::KvReading;
use vestibule_testing::{APP, Answer, AuthorizationRequest, Browser, FakeRandom, SECRET, TestEnv, settings};

use crate::sign_out_browser::{COOKIE, Holder, csrf, post};

const PLACES: [&str; 4] = ["here", "there", "west/one", "west/two"];
const ISOLATES_EACH: usize = 3;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
/// How long the Worker lets Workers KV cache a read (`cacheTtl`), and how long its writes may take to be visible.
const KV_CACHE: u64 = 30 * SECOND;
const KV_DELAY: u64 = 60 * SECOND;
/// How old a read may be where a request may change something.
const MAX_AGE_TO_ACT: u64 = 30 * SECOND;
/// How many requests of Bob need a new token at the same time, when one refresh is counted.
const COUNTED_BURST: usize = 4;

/// Where revocations are kept, and where the requests are.
#[derive(Clone, Copy)]
pub struct SignOutSetting {
    /// `kv` or `durable-object`; the lease is of the same kind.
    pub store: &'static str,
    pub reading: KvReading,
    pub locations: usize,
}

impl SignOutSetting {
    /// How long a copy may pass after the sign-out was answered. `acts` is for requests that may change something.
    pub fn promise(self, acts: bool) -> u64 {
        let (interval, store) = match self.store {
            "kv" => (5 * MINUTE, KV_CACHE + KV_DELAY),
            _ => (10 * SECOND, 0),
        };
        store + if acts { interval.min(MAX_AGE_TO_ACT) } else { interval }
    }
}

/// Operations of the store, and what they were for.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub times: u64,
    pub reads: u64,
    pub writes: u64,
    pub calls: u64,
}

/// The result of a race.
#[derive(Default)]
pub struct SignOutReport {
    /// Answers to a session that had ended longer ago than promised.
    pub alive: u32,
    /// How long after the sign-out a copy passed for the last time, in milliseconds.
    pub passed_for: u64,
    /// Answers that someone is not signed in whose session nobody ended.
    pub ended: u32,
    /// Answers with 503 to sessions of which nobody else has a copy.
    pub turned_away: u32,
    pub per_request: Cost,
    pub per_refresh: Cost,
    pub per_sign_out: Cost,
}

const LAPTOP: usize = 0;
const PHONE: usize = 1;
const BOB: usize = 2;
/// Alice's session after she has signed in again.
const AGAIN: usize = 3;

#[derive(Default)]
struct Session {
    /// When the sign-out that ends it began, and when it was answered.
    ending_from: Cell<Option<u64>>,
    ended_at: Cell<Option<u64>>,
    /// Whether someone else has a copy: a provider may end it because of that.
    is_stolen: Cell<bool>,
}

struct SignOutRace {
    setting: SignOutSetting,
    world: TestEnv,
    isolates: Vec<TestEnv>,
    random: FakeRandom,
    sessions: [Session; 4],
    report: RefCell<SignOutReport>,
}

/// Runs the race with this seed.
pub fn race(setting: SignOutSetting, seed: u64) -> SignOutReport {
    let race = Rc::new(SignOutRace::new(setting, seed.wrapping_mul(0x2545_f491_4f6c_dd1d)));
    let clock = Rc::clone(&race.world.clock);
    let sign_out_at = clock.now() + 25 * MINUTE;
    let everywhere = race.random.one_in(2);
    race.sessions[LAPTOP].is_stolen.set(true);
    race.sessions[PHONE].is_stolen.set(everywhere);
    let own: Vec<Rc<Holder>> = [(LAPTOP, "alice.laptop"), (PHONE, "alice.phone"), (BOB, "bob")]
        .map(|(session, grant)| Rc::new(race.holder(session, grant, sign_out_at)))
        .into();
    let stolen: Vec<Rc<Holder>> = own
        .iter()
        .filter(|holder| race.sessions[holder.session].is_stolen.get())
        .map(|holder| Rc::new(holder.stolen()))
        .collect();

    let before = race.counts();
    let visits = |holder: &Rc<Holder>, times| {
        for _ in 0..times {
            let at = race.random.between(sign_out_at - 24 * MINUTE, sign_out_at - 2 * MINUTE);
            race.comes(holder, at);
        }
    };
    let (times, copied_times) = (8, 2 + race.isolates.len() / 2);
    for holder in &own {
        visits(holder, times);
    }
    for holder in &stolen {
        visits(holder, copied_times);
    }
    clock.run(clock.sleep(Duration::ZERO));
    let visits = own.len() * times + stolen.len() * copied_times;
    race.report.borrow_mut().per_request = race.since(before, visits);

    race.schedule(&own, &stolen, sign_out_at);
    clock.run(Rc::clone(&race).alice_signs_out(Rc::clone(&own[LAPTOP]), sign_out_at, everywhere));

    // Days later.
    let later = sign_out_at + 2 * DAY;
    for holder in own.iter().chain(&stolen) {
        for _ in 0..2 {
            race.comes(holder, later + race.random.below(MINUTE));
        }
    }
    clock.run(clock.sleep(Duration::ZERO));
    race.count_refresh_and_sign_out(&own[BOB]);
    race.report.take()
}

impl SignOutRace {
    fn new(setting: SignOutSetting, seed: u64) -> Self {
        let strict = setting.store == "durable-object";
        let mut settings = settings();
        settings["revocation"] = json!({ "store": setting.store });
        settings["refresh"] = json!({ "lease": setting.store });
        settings["providers"][0]["strict_rotation"] = json!(strict);
        settings["providers"][0]["id_token_signed_response_alg"] = json!("HS256");
        let world = TestEnv::seeded(settings.clone(), seed);
        let random = FakeRandom::new(seed ^ 0x0516_0007);
        world.provider.signs_with_the_client_secret();
        world.store.reading.set(setting.reading);
        world.store.cache_time.set(KV_CACHE);
        world.provider.grants.rotation.set(if strict { Rotation::Strict } else { Rotation::Grace(10_000) });
        world.http.token_time.set(random.millis(80, 400));
        world.http.document_time.set(random.millis(20, 80));
        // A user's grants have names of their own.
        for place in ["id_token", "refreshed_id_token", "userinfo"] {
            world.provider.alters_answer_at(place, |claims| {
                if claims["sub"].as_str().is_some_and(|sub| sub.starts_with("alice.")) {
                    claims["sub"] = json!("alice-1");
                }
            });
        }
        let isolates = (0..setting.locations * ISOLATES_EACH)
            .map(|number| {
                let mut isolate = world.isolate(settings.clone(), PLACES[number / ISOLATES_EACH]);
                isolate.platform = isolate.platform.ahead_by(random.millis(0, 4 * SECOND));
                isolate
            })
            .collect();
        Self { setting, world, isolates, random, sessions: Default::default(), report: RefCell::default() }
    }

    /// The browser of someone who signed in days ago. The access token may end, and the cookie may be due for renewal,
    /// about when Alice signs out.
    fn holder(&self, session: usize, grant: &str, sign_out_at: u64) -> Holder {
        let about = sign_out_at - 30 * SECOND + self.random.below(MINUTE);
        let token_ends = if self.random.one_in(2) { about } else { sign_out_at + 50 * MINUTE };
        let renewed = about - if self.random.one_in(2) { DAY } else { DAY / 2 };
        let user = grant.split('.').next().unwrap();
        let claims = json!({
            "sub": format!("{user}-1"),
            "name": user,
            "provider": "acme",
            "sid": format!("{grant} {}", self.random.below(u64::MAX)),
            "signed_in_at": (sign_out_at - 3 * DAY) / SECOND,
            "access_token": format!("access-{grant}"),
            "refresh_token": self.world.provider.grants.begin(grant),
            "expires_at": token_ends / SECOND,
        });
        let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
        let month = Duration::from_hours(30 * 24);
        let (claims, renewed) = (claims.as_object().unwrap(), Timestamp::from_millis(renewed));
        let mut random = |bytes: &mut [u8]| self.random.fill(bytes);
        let sealed = seal::seal(&keys, Dialect::AuthJsV5, COOKIE, claims, month, renewed, &mut random);
        Holder::new(session, sealed)
    }

    /// What happens while Alice signs out, and until the promised time has passed.
    fn schedule(self: &Rc<Self>, own: &[Rc<Holder>], stolen: &[Rc<Holder>], sign_out_at: u64) {
        let promise = self.setting.promise(false);
        for holder in own.iter().chain(stolen) {
            // Many requests at once, at a time when a token may have to be refreshed.
            let burst_at = sign_out_at - SECOND + self.random.below(2 * SECOND);
            for _ in 0..5 {
                self.comes(holder, burst_at + self.random.below(400));
            }
            for _ in 0..6 {
                self.comes(holder, sign_out_at + self.random.below(promise + MINUTE));
            }
        }
        for holder in stolen {
            for _ in 0..3 {
                self.comes(holder, sign_out_at + promise + self.random.below(3 * SECOND));
            }
            for isolate in 0..self.isolates.len() {
                let at = sign_out_at + promise + self.random.below(MINUTE);
                self.comes_to(holder, isolate, at);
            }
        }
    }

    async fn alice_signs_out(self: Rc<Self>, laptop: Rc<Holder>, at: u64, everywhere: bool) {
        self.until(at).await;
        let sessions: &[usize] = if everywhere { &[LAPTOP, PHONE] } else { &[LAPTOP] };
        self.sign_out(&laptop, sessions, everywhere).await;
        if self.random.one_in(2) {
            self.world.clock.sleep(self.random.millis(SECOND, MINUTE)).await;
            let cookie = self.sign_in().await;
            let (holder, now) = (Rc::new(Holder::new(AGAIN, cookie)), self.world.clock.now());
            for _ in 0..6 {
                self.comes(&holder, now + self.random.below(self.setting.promise(false) + MINUTE));
            }
            for _ in 0..2 {
                self.comes(&holder, at + 2 * DAY + self.random.below(MINUTE));
            }
        }
    }

    /// Signs out at a process of the location that Alice and Bob are in.
    async fn sign_out(&self, holder: &Holder, sessions: &[usize], everywhere: bool) {
        let isolate = self.near();
        let mut browser = Browser::new();
        let newest = holder.newest.borrow().clone();
        browser.plant(COOKIE, if newest.is_empty() { &holder.original } else { &newest });
        let csrf = csrf(isolate, &mut browser).await;
        for session in sessions {
            self.sessions[*session].ending_from.set(Some(self.world.clock.now()));
        }
        let form = format!("csrfToken={csrf}&everywhere={everywhere}");
        let answer = post(isolate, &mut browser, "/auth/signout", &form).await;
        assert_eq!(answer.status, 302, "{answer:?}");
        holder.newest.borrow_mut().clear();
        for session in sessions {
            self.sessions[*session].ended_at.set(Some(self.world.clock.now()));
        }
    }

    /// Signs Alice in at the provider, and returns the session's cookie.
    async fn sign_in(&self) -> String {
        let isolate = self.near();
        let mut browser = Browser::new();
        let csrf = csrf(isolate, &mut browser).await;
        let form = format!("csrfToken={csrf}&callbackUrl=/");
        let answer = post(isolate, &mut browser, "/auth/signin/acme", &form).await;
        let request = AuthorizationRequest::read(answer.location());
        self.world.clock.sleep(self.random.millis(500, 5000)).await;
        let callback = self.world.provider.authorize(&request, "alice.again");
        let cookies = browser.cookie_header();
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
        let answer = self.near().sent("GET", &callback, &headers, b"").await;
        browser.take(&answer);
        browser.cookie(COOKIE).unwrap_or_else(|| panic!("no session: {answer:?}")).to_owned()
    }

    /// Counts what one refresh costs the store, and one sign-out, while nothing else happens.
    fn count_refresh_and_sign_out(self: &Rc<Self>, bob: &Rc<Holder>) {
        let clock = &self.world.clock;
        clock.pass(Duration::from_hours(2));
        let before = self.counts();
        for _ in 0..COUNTED_BURST {
            self.comes_to(bob, self.random_near(), clock.now() + self.random.below(300));
        }
        clock.run(clock.sleep(Duration::ZERO));
        self.report.borrow_mut().per_refresh = self.since(before, 1);
        let before = self.counts();
        clock.run(self.sign_out(bob, &[BOB], false));
        self.report.borrow_mut().per_sign_out = self.since(before, 1);
    }

    /// A request with the cookie, at this time, at any process.
    fn comes(self: &Rc<Self>, holder: &Rc<Holder>, at: u64) {
        let isolate = self.random.below(self.isolates.len() as u64);
        self.comes_to(holder, usize::try_from(isolate).unwrap(), at);
    }

    fn comes_to(self: &Rc<Self>, holder: &Rc<Holder>, isolate: usize, at: u64) {
        drop(self.world.clock.spawn(Rc::clone(self).ask(Rc::clone(holder), isolate, at)));
    }

    async fn ask(self: Rc<Self>, holder: Rc<Holder>, isolate: usize, at: u64) {
        self.until(at).await;
        let is_old = holder.is_thief && self.random.one_in(2);
        let cookie = if is_old { holder.original.clone() } else { holder.newest.borrow().clone() };
        if cookie.is_empty() {
            return;
        }
        let (method, path) = match self.random.below(6) {
            0 => ("GET", "/auth/session"),
            1 | 2 => ("POST", "/api"),
            _ => ("GET", "/api"),
        };
        let cookie = format!("{COOKIE}={cookie}");
        let headers =
            [("cookie", cookie.as_str()), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
        let arrived = self.world.clock.now();
        let url = format!("{APP}{path}");
        let answer = self.isolates[isolate].sent(method, &url, &headers, b"").await;
        self.judge(&self.sessions[holder.session], &answer, arrived, method == "POST");
        self.world.clock.sleep(self.random.millis(25, 260)).await;
        holder.take(&answer);
    }

    fn judge(&self, session: &Session, answer: &Answer, arrived: u64, acts: bool) {
        let mut report = self.report.borrow_mut();
        let shown = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
        let is_signed_in =
            answer.forwarded.is_some() || shown["user"].is_object() && shown["error"] != "RefreshTokenError";
        if answer.status == 503 {
            report.turned_away += u32::from(!session.is_stolen.get());
        } else if !is_signed_in {
            let is_expected = session.ending_from.get().is_some() || session.is_stolen.get();
            report.ended += u32::from(!is_expected);
        } else if let Some(ended_at) = session.ended_at.get()
            && let Some(since) = arrived.checked_sub(ended_at)
        {
            report.passed_for = report.passed_for.max(since);
            report.alive += u32::from(since >= self.setting.promise(acts));
        }
    }

    async fn until(&self, at: u64) {
        let wait = at.saturating_sub(self.world.clock.now());
        self.world.clock.sleep(Duration::from_millis(wait)).await;
    }

    /// A process of the first location.
    fn near(&self) -> &TestEnv {
        &self.isolates[self.random_near()]
    }

    fn random_near(&self) -> usize {
        usize::try_from(self.random.below(ISOLATES_EACH as u64)).unwrap()
    }

    fn counts(&self) -> [u64; 3] {
        let store = &self.world.store;
        let reads = store.reads.get() + store.revocation_reads.get();
        [reads, store.writes.get(), store.calls.get()]
    }

    fn since(&self, before: [u64; 3], times: usize) -> Cost {
        let [reads, writes, calls] = self.counts();
        Cost {
            times: times as u64,
            reads: reads - before[0],
            writes: writes - before[1],
            calls: calls - before[2],
        }
    }
}
