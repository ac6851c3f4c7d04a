//! The audit log's lines of requests that may not pass.

use crate::flow::RequestContext;
use crate::flow::guard::access::{Access, Policy};
use crate::flow::guard::admission::Principal;
use crate::flow::guard::denied::DenialReason;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;

/// What decided where no rule did: an app's hook.
pub(super) const HOOK: &str = "hook";

/// What decided where the request is unknown: `GET /verify` without `verify.headers`.
pub(super) const VERIFY: &str = "verify";

impl<P: Platform> RequestContext<'_, P> {
    /// The line of a request that may not pass: by which rule, and what the user lacks. What a client sent that is not valid has
    /// a line of its own already.
    pub(super) fn audit_denial(&self, access: &Access<'_>, principal: &Principal, reason: &DenialReason) {
        let session = match principal {
            Principal::CrossOrigin(_) | Principal::Invalid(_) => return,
            principal => principal.session(),
        };
        let event = match (reason, session) {
            (DenialReason::StepUp(_), _) => LogEvent::StepUpRequired,
            (_, Some(_)) => LogEvent::AccessRefused,
            (_, None) => LogEvent::SignInRequired,
        };
        if !self.audits(event) {
            return;
        }
        let claims = self.proven(session);
        let (rule, unmet) = match &access.policy {
            Policy::Rules(decided) => decided.refusing(claims.as_ref(), self.now).unwrap_or((HOOK, None)),
            Policy::SignedIn | Policy::Preflight { .. } => (VERIFY, None),
        };
        let message = match (event, unmet) {
            (_, Some(unmet)) => format!("{rule} requires of the user: {unmet}"),
            (LogEvent::SignInRequired, None) => {
                format!("{rule} requires a session, and the request has none")
            }
            (_, None) => format!("{rule} does not let the user pass"),
        };
        let record = Record::new(event, message).refused_by(rule, reason.name());
        let Some(session) = session else { return self.log(record) };
        let record = record.subject(self.subject_of(session));
        self.log(match session.provider() {
            Some(id) => record.provider(id),
            None => record,
        });
    }
}

impl DenialReason {
    /// Its name in the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Forbidden | Self::Token(_) => "forbidden",
            Self::NotFound => "not_found",
            Self::CrossOrigin => "cross_origin",
            Self::ServerFunction => "server_function",
            Self::PathTooLong => "path_too_long",
            Self::RefreshAtLoginHost(_) | Self::TokenExpired => "token_expired",
            Self::AskProvider(_) => "confirm",
            Self::StepUp(_) => "step_up",
        }
    }
}
