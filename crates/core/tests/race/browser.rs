//! One race: the requests of a browser, its answers, and the state of its cookie jar.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::Vestibule;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::outcome::Outcome;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_core::time::Timestamp;
use vestibule_testing::FakePlatform;

use crate::race_env::{ISOLATES, RaceEnv, SECRET, isolates};
use crate::{Setting, Spread};

const COOKIE: &str = "__Secure-authjs.session-token";
/// How many access tokens expire during a race.
const ROUNDS: u64 = 2;
/// One request in so many is cancelled before it is answered.
const GIVEN_UP: u64 = 25;

/// The result of a race.
pub struct BrowserReport {
    pub lost: bool,
    /// Grants that were redeemed in all rounds, and how often the provider refused.
    pub grants: u32,
    pub refused: u32,
    /// Answers with 503.
    pub turned_away: u32,
    /// How long the refresh delayed each answer, in milliseconds.
    pub added: Vec<u32>,
    pub reads: u64,
    pub writes: u64,
    pub calls: u64,
    /// Whether a refresh took more calls to locks than the processes that wait for it and two.
    pub has_many_calls: bool,
}

struct Browser {
    scene: RaceEnv,
    isolates: Vec<(Vestibule, FakePlatform)>,
    spread: Spread,
    cookie: RefCell<String>,
    lost: Cell<bool>,
    turned_away: Cell<u32>,
    added: RefCell<Vec<u32>>,
    has_many_calls: Cell<bool>,
}

/// Runs the race with this seed.
pub fn race(setting: Setting, seed: u64) -> BrowserReport {
    let scene = RaceEnv::new(setting, seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let browser = Rc::new(Browser {
        isolates: isolates(&scene, setting),
        spread: setting.spread,
        cookie: RefCell::new(signed_in(&scene)),
        scene,
        lost: Cell::new(false),
        turned_away: Cell::new(0),
        added: RefCell::default(),
        has_many_calls: Cell::new(false),
    });
    let scene = &browser.scene;
    let FakePlatform { clock, store, crypto, .. } = &scene.platform;
    clock.run(Rc::clone(&browser).live(setting));
    // All background jobs have ended now. The browser sends one more request.
    clock.pass(Duration::from_mins(2));
    clock.run(Rc::clone(&browser).ask(Duration::ZERO, true));
    assert_eq!((crypto.verifications(), crypto.signatures()), (0, 0), "there is no ID token here");
    BrowserReport {
        lost: browser.lost.get(),
        grants: scene.grants.given.get(),
        refused: scene.grants.refused.get(),
        turned_away: browser.turned_away.get(),
        added: browser.added.take(),
        reads: store.reads.get(),
        writes: store.writes.get(),
        calls: store.calls.get(),
        has_many_calls: browser.has_many_calls.get(),
    }
}

impl Browser {
    async fn live(self: Rc<Self>, setting: Setting) {
        let scene = &self.scene;
        for _ in 0..ROUNDS {
            // An open page sends requests before the token expires, a user who comes back sends them later.
            let since_end = if scene.platform.random.between(0, 2) == 0 {
                scene.platform.random.between(0, 60)
            } else {
                scene.platform.random.between(60, 4000)
            };
            scene.platform.clock.sleep(Duration::from_secs(3600 - 60 + since_end)).await;
            let burst: Vec<_> = (0..setting.parallel)
                .map(|_| {
                    let is_given_up = scene.platform.random.between(0, GIVEN_UP) == 0;
                    scene
                        .platform
                        .clock
                        .spawn(Rc::clone(&self).ask(scene.platform.random.millis(0, 400), !is_given_up))
                })
                .collect();
            for request in burst {
                request.await;
            }
            let calls = scene.platform.store.call_texts.take();
            let asked: BTreeSet<(u64, String)> = calls.iter().filter_map(|call| asks(call)).collect();
            // One of those that ask refreshes; the others wait. A late response asks whether the user has signed out, too.
            let most = asked.len().saturating_sub(1) + 2;
            let of_refresh = calls.iter().filter(|call| !call.contains("is_signed_out")).count();
            self.has_many_calls.set(self.has_many_calls.get() || of_refresh > most);
        }
    }

    /// One request, after a delay of `after`, with the cookie that the jar holds then.
    async fn ask(self: Rc<Self>, after: Duration, waits: bool) {
        let scene = &self.scene;
        scene.platform.clock.sleep(after).await;
        let all = self.isolates.len() as u64;
        let isolate = match self.spread {
            Spread::Stray if scene.platform.random.between(0, 20) == 0 => {
                scene.platform.random.between(ISOLATES, all)
            }
            Spread::One | Spread::Stray => scene.platform.random.between(0, ISOLATES),
            Spread::Even | Spread::Four => scene.platform.random.between(0, all),
        };
        let (vestibule, platform) = &self.isolates[usize::try_from(isolate).unwrap()];
        let cookie = format!("{COOKIE}={}", self.cookie.borrow());
        let request = Request {
            method: Method::Get,
            url: RequestUrl::parse("https://app.example.com/api").unwrap(),
            headers: [("cookie", cookie.as_str()), ("sec-fetch-mode", "cors")].into_iter().collect(),
        };
        let arrival = scene.platform.random.millis(5, 60);
        scene.platform.clock.sleep(arrival).await;
        let begun = scene.platform.clock.now();
        let mut handled = Box::pin(vestibule.handle(platform, request, Vec::new()));
        if !waits {
            // The client goes away while the answer is prepared: the request is dropped.
            let mut until = Box::pin(scene.platform.clock.sleep(scene.platform.random.millis(1, 300)));
            std::future::poll_fn(|context| {
                if handled.as_mut().poll(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                until.as_mut().poll(context)
            })
            .await;
            return;
        }
        let reply = handled.await;
        self.added.borrow_mut().push(u32::try_from(scene.platform.clock.now() - begun).unwrap());
        scene.platform.clock.sleep(scene.platform.random.millis(25, 260)).await;
        match reply {
            Outcome::Forwarded { cookies, .. } => {
                for cookie in cookies {
                    if let Some(value) =
                        cookie.pair().and_then(|p| Some(p.strip_prefix(COOKIE)?[1..].to_owned()))
                    {
                        self.cookie.replace(value);
                    }
                }
            }
            Outcome::Response(answer) if answer.status == 503 => {
                self.turned_away.set(self.turned_away.get() + 1);
            }
            Outcome::Response(_) => self.lost.set(true),
        }
    }
}

/// The generation and the process, if this call asks for the lease. With a cookie that is two refreshes old, a process asks
/// for both.
fn asks(call: &str) -> Option<(u64, String)> {
    let call: Value = serde_json::from_str(call).ok()?;
    let is_asking = call["call"] == "acquire";
    is_asking.then(|| Some((call["generation"].as_u64()?, call["owner"].as_str()?.to_owned())))?
}

/// The cookie of a user who has just signed in.
fn signed_in(scene: &RaceEnv) -> String {
    let now = Timestamp::from_millis(scene.platform.clock.now());
    let claims = json!({
        "sub": "user-1",
        "provider": "acme",
        "sid": format!("session {}", scene.platform.random.between(0, u64::MAX)),
        "access_token": "access-first",
        "refresh_token": scene.grants.begin("grant"),
        "expires_at": now.seconds() + 3600,
    });
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let month = Duration::from_hours(30 * 24);
    let mut random = |bytes: &mut [u8]| scene.platform.random.fill(bytes);
    seal::seal(&keys, Dialect::AuthJsV5, COOKIE, claims.as_object().unwrap(), month, now, &mut random)
}
