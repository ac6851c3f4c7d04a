//! What the guard decided, as a metric.

use crate::flow::RequestContext;
use crate::flow::guard::access::{Access, Admitted, Policy};
use crate::flow::guard::admission::Browser;
use crate::flow::guard::audit::{HOOK, VERIFY};
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::flow::responses::TokenDenied;
use crate::log::Measured;
use crate::platform::Platform;

/// What is decided before a rule is found.
const NO_RULE: &str = "none";

/// What passes whatever the rules say.
const PREFLIGHT: &str = "preflight";

impl<P: Platform> RequestContext<'_, P> {
    /// Whether the request may pass, by [all steps](Self::take_steps) before the last one, and counts it.
    pub(super) async fn admit<'r>(
        &self,
        access: Access<'r>,
        browser: Browser,
    ) -> Result<Admitted<'r>, Denied> {
        let policy = self.platform.meter().map(|_| access.policy.clone());
        let admitted = self.take_steps(access, browser).await;
        if let Some(policy) = policy {
            self.count_decision(&policy, &admitted);
        }
        admitted
    }

    /// Counts a request that was denied before its policy was known.
    pub(super) fn count_early_denial(&self, denied: &Denied) {
        self.count(NO_RULE, denied.reason.outcome());
    }

    fn count_decision(&self, policy: &Policy<'_>, admitted: &Result<Admitted<'_>, Denied>) {
        let (outcome, session) = match admitted {
            Ok(_) => return self.count(policy.place(), "admitted"),
            Err(denied) => (denied.reason.outcome(), denied.session.as_ref()),
        };
        let by_rule = match (policy, &admitted) {
            (Policy::Rules(decided), Err(Denied { reason, .. })) if reason.is_of_rules() => {
                let claims = self.proven(session);
                decided.refusing(claims.as_ref(), self.now).map_or(HOOK, |(rule, _)| rule)
            }
            _ => policy.place(),
        };
        self.count(by_rule, outcome);
    }

    fn count(&self, rule: &str, outcome: &'static str) {
        if let Some(meter) = self.platform.meter() {
            meter.count(Measured::Decision { rule: rule.to_owned(), outcome }, 0);
        }
    }
}

impl Policy<'_> {
    /// The place of what decides about the path as it is written.
    fn place(&self) -> &str {
        match self {
            Self::Rules(decided) => decided.place(),
            Self::Preflight { .. } => PREFLIGHT,
            Self::SignedIn => VERIFY,
        }
    }
}

impl DenialReason {
    /// Its name in the table of metrics.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Token(TokenDenied::Invalid { .. }) => "token_invalid",
            Self::Token(TokenDenied::Unavailable(_)) => "unavailable",
            reason => reason.name(),
        }
    }

    /// Whether a rule says so, or a hook.
    fn is_of_rules(&self) -> bool {
        matches!(
            self,
            Self::SignIn
                | Self::Forbidden
                | Self::NotFound
                | Self::StepUp(_)
                | Self::Token(TokenDenied::Insufficient)
        )
    }
}
