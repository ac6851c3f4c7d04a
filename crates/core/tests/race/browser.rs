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
    /// Whether a refresh took more calls to locks than promised.
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
    /// How many calls to locks there were when each round began.
    calls_before: RefCell<Vec<usize>>,
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
        calls_before: RefCell::default(),
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
        has_many_calls: has_many_calls(&store.call_texts.borrow(), &browser.calls_before.borrow()),
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
            self.calls_before.borrow_mut().push(scene.platform.store.call_texts.borrow().len());
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
        let mut handled = Box::pin(vestibule.handle(platform.clone(), request, Vec::new()));
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

/// Whether a refresh took more calls to its lock than promised. One of the processes that ask refreshes, which takes a call
/// more. A process asks once without waiting, while its access token is valid, and once to wait when that has ended. For a
/// browser that comes with an old cookie an hour later it asks again: it remembers for two minutes what the lock said.
fn has_many_calls(calls: &[String], calls_before: &[usize]) -> bool {
    // A late response also asks whether the user has signed out, which is no part of a refresh.
    let round = |index: usize| calls_before.partition_point(|before| *before <= index);
    let numbered = calls.iter().enumerate();
    let of_refresh: Vec<_> =
        numbered.filter_map(|(index, call)| RefreshCall::parse(call, round(index))).collect();
    let generations: BTreeSet<u64> = of_refresh.iter().map(|call| call.generation).collect();
    generations.into_iter().any(|generation| {
        let calls = of_refresh.iter().filter(|call| call.generation == generation);
        let asking: BTreeSet<_> = calls.clone().filter_map(|call| call.asks.as_ref()).collect();
        calls.count() > asking.len() + 1
    })
}

/// A call to a lock that belongs to the refresh of the tokens of `generation`.
struct RefreshCall {
    generation: u64,
    /// The process that asks for the lease, whether it waits, and the round.
    asks: Option<(String, bool, usize)>,
}

impl RefreshCall {
    fn parse(call: &str, round: usize) -> Option<RefreshCall> {
        let call: Value = serde_json::from_str(call).unwrap();
        let generation = || call["generation"].as_u64().unwrap();
        match call["call"].as_str()? {
            "acquire" => {
                let process = call["owner"].as_str()?.to_owned();
                let asks = Some((process, call["wait_for"] != 0, round));
                Some(RefreshCall { generation: generation(), asks })
            }
            "publish" => Some(RefreshCall { generation: generation() - 1, asks: None }),
            "find" => Some(RefreshCall { generation: generation(), asks: None }),
            "is_signed_out" => None,
            other => panic!("{other} in a race in which every refresh succeeds"),
        }
    }
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
