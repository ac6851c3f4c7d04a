//! `GET /health` and `GET /health/details`: whether this deployment works, for a load balancer and for its operator.

use std::pin::{Pin, pin};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Provider, ProviderKind};
use crate::flow::RequestContext;
use crate::flow::attempts::{self, network_of};
use crate::flow::session::revoke::contains;
use crate::lease::kind::LeaseKind;
use crate::lease::{AnyLease, Lease};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, answered_within, join_all, random_id, within};
use crate::revocation::kind::RevocationStore;
use crate::session::tokens::TokenStorage;
use vestibule_oidc::http::response::Response;

/// How long each part may take. All of them are asked at once, so this is how long the whole answer takes at most.
const MAX_TIME: Duration = Duration::from_secs(4);

/// How many wrong secrets one address may send in [`attempts::WINDOW`], in each process.
const MAX_WRONG: u32 = 30;

/// How many characters of a problem are shown.
const MAX_PROBLEM: usize = 300;

/// The session of the lock that is asked. No session has this `sid`.
const LOCK: &str = "a health check";

/// The answer for a load balancer: this process has a configuration that loads. Where it does not, every request gets 500.
///
/// It asks nobody, because anyone may send it, and because another process would have the same store and the same providers:
/// to take this one out of service would not help a user. Sessions pass without any of them.
pub(crate) fn health() -> Response {
    Response::json(200, &json!({ "status": "ok" })).with("cache-control", "no-store")
}

/// How a part is.
enum Condition {
    Good,
    /// Nothing in the configuration uses it.
    Unused,
    /// What is wrong.
    Failing(String),
}

/// A part, and how it is.
type Checked = (&'static str, Option<String>, Condition);

impl<P: Platform> RequestContext<'_, P> {
    /// The answer for the operator, who proves to be that by a secret: how each part is.
    pub(crate) async fn health_details(&self) -> Response {
        match self.check_health_secret() {
            Ok(()) => self.checked_health().await.with("cache-control", "no-store"),
            Err(RejectedError { status, reason }) => {
                self.log(Record::new(LogEvent::HealthCheckRejected, reason));
                let answer = Response::empty(status).with("cache-control", "no-store");
                match status {
                    429 => answer.with("retry-after", attempts::WINDOW.as_secs().to_string()),
                    _ => answer.with("www-authenticate", "Bearer"),
                }
            }
        }
    }

    fn check_health_secret(&self) -> Result<(), RejectedError> {
        let client = self.client_address().map_or_else(|| "unknown".to_owned(), network_of);
        let key = format!("health secret of {client}");
        let attempts = &self.vestibule.stranger_attempts;
        // Guessing costs a guesser its attempts, so the count comes before the comparison.
        if attempts.is_over(&key, self.platform.now()) {
            return Err(RejectedError { status: 429, reason: "too many wrong secrets from one address" });
        }
        let reason = match self.bearer_secret() {
            Some(sent) if contains(&self.config().health_secrets, sent) => return Ok(()),
            Some(_) => "the secret is not AUTH_HEALTH_SECRET",
            None => "the secret must be sent as `Authorization: Bearer SECRET`, once",
        };
        attempts.count(&key, MAX_WRONG, self.platform.now());
        Err(RejectedError { status: 401, reason })
    }

    async fn checked_health(&self) -> Response {
        let mut checks: Vec<Pin<Box<dyn Future<Output = Checked> + '_>>> = vec![
            Box::pin(async { ("store", None, self.check_store().await) }),
            Box::pin(async { ("lock", None, self.check_lock().await) }),
        ];
        for provider in &self.config().providers {
            checks.push(Box::pin(async {
                ("providers", Some(provider.id.clone()), self.check_provider(provider).await)
            }));
        }
        let mut is_good = true;
        let mut providers = Map::new();
        // Otherwise this code would not run.
        let mut parts = Map::from_iter([("configuration".to_owned(), json!({ "status": "ok" }))]);
        for (part, id, condition) in join_all(checks).await {
            is_good &= !matches!(condition, Condition::Failing(_));
            match id {
                Some(id) => providers.insert(id, condition.to_json()),
                None => parts.insert(part.to_owned(), condition.to_json()),
            };
        }
        parts.insert("providers".to_owned(), providers.into());
        parts.insert("status".to_owned(), if is_good { "ok" } else { "failing" }.into());
        Response::json(if is_good { 200 } else { 503 }, &Value::Object(parts))
    }

    /// Whether the shared store can be read. It is not written: a monitor that asks each half minute would use up what a
    /// store accepts in a day.
    async fn check_store(&self) -> Condition {
        let config = self.config();
        let is_used = config.refresh.lease == LeaseKind::Store
            || config.revocation.store == RevocationStore::Store
            || config.session.tokens == TokenStorage::Store;
        if !is_used {
            return Condition::Unused;
        }
        // A new key each time: what was read before may come from a cache in front of the store.
        let key = format!("vestibule health {}", random_id(self.platform));
        let read = answered_within(self.platform, MAX_TIME, pin!(self.platform.read_store(&key))).await;
        read.map_or_else(|error| Condition::failing(&error), |_| Condition::Good)
    }

    /// Whether a lock answers.
    async fn check_lock(&self) -> Condition {
        let config = self.config();
        if config.refresh.lease != LeaseKind::Lock && config.revocation.store != RevocationStore::Lock {
            return Condition::Unused;
        }
        let lock = AnyLease::new(LeaseKind::Lock, config.sealing(), self.platform, false, true);
        let asked = answered_within(self.platform, MAX_TIME, pin!(lock.is_signed_out(LOCK))).await;
        asked.map_or_else(|error| Condition::failing(&error), |_| Condition::Good)
    }

    /// Whether the provider publishes its metadata and its keys, by a fetch of the last minute.
    async fn check_provider(&self, provider: &Provider) -> Condition {
        let ProviderKind::OAuth(oauth) = &provider.kind else { return Condition::Unused };
        let documents = pin!(self.check_documents(provider, oauth));
        match within(self.platform, MAX_TIME, documents).await {
            Some(Ok(true)) => Condition::Good,
            Some(Ok(false)) => Condition::Unused,
            Some(Err(error)) => Condition::failing(&error),
            None => Condition::Failing(format!("no answer within {}s", MAX_TIME.as_secs())),
        }
    }
}

impl Condition {
    fn failing(error: &dyn std::fmt::Display) -> Self {
        Self::Failing(error.to_string().chars().take(MAX_PROBLEM).collect())
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Good => json!({ "status": "ok" }),
            Self::Unused => json!({ "status": "unused" }),
            Self::Failing(problem) => json!({ "status": "failing", "problem": problem }),
        }
    }
}

/// Why a request is rejected: the status, and the reason for the operator's log.
struct RejectedError {
    status: u16,
    reason: &'static str,
}
