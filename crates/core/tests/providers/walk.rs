//! A browser's walk through a contract: sign-in, refreshes, sign-out, and the effect of the provider's errors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;
use vestibule_core::hooks::{DefaultSession, Hooks, SignIn, SignInAnswer};
use vestibule_testing::{APP, Answer, Browser, SECRET, TestEnv};

use crate::contract::{Contract, Failure, Mode, Place, Refresh};
use crate::fill::{Write, fill_json};
use crate::findings::{Column, Findings};
use crate::provider::{CLIENT_ID, CLIENT_SECRET, Phase, Provider};
use crate::signer;

/// Walks through the whole contract, and returns the differences.
pub fn walk(name: &str, contract: Contract) -> Findings {
    let findings = Findings::default();
    let contract = Rc::new(contract);
    let attempts = [None].into_iter().chain(contract.errors.iter().map(Some));
    for failure in attempts {
        let attempt = AssertUnwindSafe(|| {
            let walk = Walk::new(name, &contract);
            match failure {
                None => walk.walk_through(),
                Some(failure) => walk.goes_wrong(failure),
            }
            findings.join(&walk.world.provider.findings);
        });
        if let Err(panic) = catch_unwind(attempt) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked");
            findings.add(Column::Authorization, text.to_owned());
        }
    }
    findings
}

struct Walk<'a> {
    id: &'a str,
    contract: &'a Rc<Contract>,
    world: TestEnv<Provider>,
    /// The last user who signed in.
    arrived: Arrived,
}

/// A hook that records who signs in.
#[derive(Clone, Default)]
struct Arrived(Rc<RefCell<SignedInUser>>);

#[derive(Default)]
struct SignedInUser {
    user: Map<String, Value>,
    account: Map<String, Value>,
}

impl Hooks for Arrived {
    type Profile = Value;
    type Session = DefaultSession;

    async fn sign_in(&self, attempt: &SignIn<'_, Value>) -> SignInAnswer {
        *self.0.borrow_mut() = SignedInUser { user: attempt.user.clone(), account: attempt.account.clone() };
        SignInAnswer::Granted
    }
}

impl<'a> Walk<'a> {
    fn new(name: &'a str, contract: &'a Rc<Contract>) -> Self {
        let id = contract.id(name);
        let env = |variable: &str| environment(id, contract, variable);
        let arrived = Arrived::default();
        let world = TestEnv::around(Provider::new(), settings(id, contract), &env, arrived.clone());
        world.provider.plays(id, contract);
        Self { id, contract, world, arrived }
    }

    fn findings(&self) -> &Findings {
        &self.world.provider.findings
    }

    fn walk_through(&self) {
        let mut browser = Browser::new();
        let callback = self.begin(&mut browser);
        let answer = self.come_back(&mut browser, &callback, &usual_params(self.contract));
        if answer.location() != APP {
            let requests = self.world.provider.requests();
            let column =
                if requests.iter().any(|name| name != "token") { Column::Userinfo } else { Column::Token };
            let log = self.world.log_text();
            self.findings()
                .add(column, format!("no one is signed in, the browser is at {}\n{log}", answer.location()));
            return;
        }
        self.check_requests_are_made_once();
        self.knows_the_user(&browser.session(&self.world));
        match &self.contract.refresh {
            Some(refresh) => self.refreshes(&mut browser, refresh),
            None => self.asks_nothing_more(&mut browser),
        }
        self.signs_out();
    }

    /// The way to the provider: the authorization request.
    fn begin(&self, browser: &mut Browser) -> CrossSite {
        let csrf = browser.csrf(&self.world);
        let answer =
            browser.post(&self.world, &format!("{APP}/auth/signin/{}", self.id), &[("csrfToken", &csrf)]);
        let location = answer.location();
        let log = self.world.log_text();
        assert!(!location.starts_with(APP), "the browser is sent to {location}\n{log}");
        self.world.provider.receives(location);
        CrossSite::of(&answer)
    }

    /// The way back: the authorization response.
    fn come_back(
        &self,
        browser: &mut Browser,
        cross_site: &CrossSite,
        params: &BTreeMap<String, String>,
    ) -> Answer {
        let params = params.iter().map(|(name, value)| (name, self.world.provider.fill(value, Write::Plain)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let callback = format!("{APP}/auth/callback/{}", self.id);
        if self.contract.callback.mode == Mode::Query {
            return browser.open(&self.world, &format!("{callback}?{query}"));
        }
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
            ("origin", "null"),
            ("cookie", &cross_site.cookies),
        ];
        let answer = self.world.send("POST", &callback, &headers, query.as_bytes());
        browser.take(&answer);
        answer
    }

    fn check_requests_are_made_once(&self) {
        let mut expected = vec!["token".to_owned()];
        expected.extend(self.contract.userinfo.iter().map(|_| "userinfo".to_owned()));
        expected.extend((0..self.contract.further.len()).map(|i| format!("further {i}")));
        self.findings().compare(Column::Userinfo, "the requests", &expected, &self.world.provider.requests());
    }

    fn knows_the_user(&self, session: &Value) {
        let compare = |what: &str, expected: &Value, got: &Value| {
            self.findings().compare(Column::Userinfo, what, expected, got);
        };
        let user = &self.contract.user;
        let SignedInUser { user: known, account } = &*self.arrived.0.borrow();
        for (member, expected) in [
            ("id", &Some(user.id.clone())),
            ("name", &user.name),
            ("email", &user.email),
            ("image", &user.image),
        ] {
            compare(&format!("user.{member}"), &json!(expected), known.get(member).unwrap_or(&Value::Null));
            if member != "id" {
                compare(&format!("session.user.{member}"), &json!(expected), &session["user"][member]);
            }
        }
        let account = Value::Object(account.clone());
        compare("account.provider", &json!(self.id), &account["provider"]);
        compare("account.providerAccountId", &json!(user.id), &account["providerAccountId"]);
        let now = self.world.now().seconds();
        for (member, expected) in &self.contract.account {
            let expected = fill_json(expected, &self.world.provider.values.borrow(), now);
            compare(&format!("account.{member}"), &expected, &account[member]);
        }
        let access_token = self.world.provider.fill("{access_token}", Write::Plain);
        self.findings().compare(
            Column::Token,
            "the access token",
            &json!(access_token),
            &session["access_token"],
        );
    }

    /// Two refreshes, the second with the tokens of the first.
    fn refreshes(&self, browser: &mut Browser, refresh: &Refresh) {
        let provider = &self.world.provider;
        let body = &refresh.exchange.response.body;
        let renewed = refresh.access_token.as_deref().or_else(|| body["access_token"].as_str());
        let renewed = renewed.expect("the refresh gives an access token");
        for round in 1..=2 {
            self.pass(refresh, if round == 1 { &self.contract.token.response.body } else { body });
            let session = browser.session(&self.world);
            let what = format!("round {round}, the requests");
            // A refresh asks about the user as the sign-in did, unless its response says it.
            let mut requests = provider.requests();
            requests.retain(|name| name != "userinfo" && !name.starts_with("further"));
            self.findings().compare(Column::Refresh, &what, &vec!["refresh".to_owned()], &requests);
            let got = &session["access_token"];
            self.findings().compare(Column::Refresh, "the new access token", &json!(renewed), got);
            if let Some(next) = body["refresh_token"].as_str() {
                provider.values.borrow_mut().insert("refresh_token", next.to_owned());
            }
        }
        if let Some(invalid_grant) = &refresh.invalid_grant {
            provider.answers_instead("refresh", invalid_grant.clone());
            self.pass(refresh, body);
            let session = browser.session(&self.world);
            let (expected, got) = (json!("RefreshTokenError"), &session["error"]);
            self.findings().compare(Column::Refresh, "session.error once the grant is over", &expected, got);
        }
    }

    /// Waits until the tokens of the response `given` need a refresh.
    fn pass(&self, refresh: &Refresh, given: &Value) {
        /// The lifetime of an access token whose response has none.
        const UNKNOWN_LIFETIME: u64 = 600;
        let said = given["expires_in"].as_u64();
        let seconds = refresh.after.or(said).unwrap_or(UNKNOWN_LIFETIME);
        self.world.provider.begin(Phase::Refresh);
        self.world.pass(Duration::from_secs(seconds + 1));
    }

    fn asks_nothing_more(&self, browser: &mut Browser) {
        self.world.provider.begin(Phase::Refresh);
        self.world.pass(Duration::from_hours(48));
        let session = browser.session(&self.world);
        if session["error"] != Value::Null && session["error"] != "AccessTokenExpired" {
            self.findings().add(
                Column::Refresh,
                format!("session.error is {}, and there is no refresh", session["error"]),
            );
        }
    }

    /// The refresh token is revoked where the provider offers it, and with `logout = true` its session ends, too.
    fn signs_out(&self) {
        let provider = &self.world.provider;
        // The tokens of a new sign-in.
        provider.plays(self.id, self.contract);
        provider.begin(Phase::SignIn);
        let mut browser = Browser::new();
        let callback = self.begin(&mut browser);
        self.come_back(&mut browser, &callback, &usual_params(self.contract));
        let csrf = browser.csrf(&self.world);
        provider.begin(Phase::SignOut);
        let answer = browser.post(&self.world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        let has_token = self.contract.token.response.body["refresh_token"].is_string();
        let revoked = self.contract.revocation.iter().filter(|_| has_token).map(|_| "revocation".to_owned());
        let revoked: Vec<String> = revoked.collect();
        self.findings().compare(Column::Logout, "the requests", &revoked, &provider.requests());
        let Some(logout) = &self.contract.logout else { return };
        let (endpoint, query) = answer.location().split_once('?').unwrap_or((answer.location(), ""));
        let published = || self.contract.discovery.as_ref().map(|d| d.text("end_session_endpoint"));
        let url = logout.url.as_deref().or_else(published).expect("where the provider's session ends");
        let registered = format!("{APP}/auth/signout/callback");
        let usual = [
            ("client_id", "{client_id}"),
            ("post_logout_redirect_uri", registered.as_str()),
            ("id_token_hint", "{id_token}"),
        ];
        let usual = || usual.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let params = logout.params.clone().unwrap_or_else(usual);
        let expected: BTreeMap<String, String> =
            params.iter().map(|(name, value)| (name.clone(), provider.fill(value, Write::Plain))).collect();
        let mut sent: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // It is random. Only an endpoint of the specification returns it.
        let state = sent.remove("state");
        self.findings().compare(Column::Logout, "state", &logout.params.is_none(), &state.is_some());
        self.findings().compare(
            Column::Logout,
            "endpoint",
            provider.fill(url, Write::Form).as_str(),
            endpoint,
        );
        self.findings().compare(Column::Logout, "parameters", &expected, &sent);
    }

    /// One of the provider's errors.
    fn goes_wrong(&self, failure: &Failure) {
        let mut browser = Browser::new();
        let callback = self.begin(&mut browser);
        let (column, params) = match failure.at {
            Place::Authorization => (Column::Authorization, failure.params.clone()),
            Place::Token => (Column::Token, usual_params(self.contract)),
            Place::Userinfo | Place::Further => (Column::Userinfo, usual_params(self.contract)),
        };
        if let Some(response) = &failure.response {
            self.world.provider.answers_instead(failure.at.name(), response.clone());
        }
        let answer = self.come_back(&mut browser, &callback, &params);
        let location = Url::parse(answer.location()).expect("an address");
        let code =
            location.query_pairs().find(|(name, _)| name == "error").map(|(_, code)| code.into_owned());
        let what = format!("{} error, the code that the page gets", failure.at.name());
        self.findings().compare(column, &what, &Some(failure.code.clone()), &code);
        let log = self.world.log_text();
        for words in failure.log.iter().filter(|words| !log.contains(words.as_str())) {
            self.findings()
                .add(column, format!("{} error, the log lacks {words:?}: {log}", failure.at.name()));
        }
        let values = self.world.provider.values.borrow();
        for secret in ["client_secret", "access_token", "refresh_token", "code"] {
            if values.get(secret).is_some_and(|secret| !secret.is_empty() && log.contains(secret)) {
                self.findings()
                    .add(column, format!("{} error, the log has the {secret}: {log}", failure.at.name()));
            }
        }
    }
}

/// The cookies that a browser sends when another site posts a form.
struct CrossSite {
    cookies: String,
}

impl CrossSite {
    fn of(answer: &Answer) -> Self {
        let cookies =
            answer.headers.get_all("set-cookie").filter(|cookie| cookie.contains("; SameSite=None"));
        let cookies = cookies.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>();
        Self { cookies: cookies.join("; ") }
    }
}

fn usual_params(contract: &Contract) -> BTreeMap<String, String> {
    let mut params = contract.callback.params.clone();
    for (name, value) in [("code", "{code}"), ("state", "{state}")] {
        params.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    params
}

/// The configuration that a user writes.
fn settings(id: &str, contract: &Contract) -> Value {
    let mut provider = contract.provider.clone();
    provider.insert("id".to_owned(), json!(id));
    if contract.logout.is_some() {
        provider.insert("logout".to_owned(), json!(true));
    }
    json!({
        "providers": [provider],
        // Some providers' tokens are valid for a year.
        "session": { "max_age": "400d", "absolute_max_age": "none", "expose": { "access_token": "access_token" } },
    })
}

fn environment(id: &str, contract: &Contract, variable: &str) -> Option<String> {
    if variable == "AUTH_SECRET" {
        return Some(SECRET.to_owned());
    }
    if let Some(own) = contract.env.get(variable) {
        let alg = contract.assertion.as_ref().map_or("ES256", |assertion| &assertion.alg);
        return Some(own.replace("{private_key}", &signer::pem(alg))).filter(|own| !own.is_empty());
    }
    let name =
        variable.strip_prefix("AUTH_")?.strip_prefix(id.replace('-', "_").to_ascii_uppercase().as_str())?;
    match name {
        "_ID" => Some(CLIENT_ID.to_owned()),
        "_SECRET" => Some(CLIENT_SECRET.to_owned()),
        _ => None,
    }
}
