//! The answer of a protected resource to a request that may not pass: what a client needs to get a token that may
//! (RFC 6750 section 3, RFC 9728 section 5.1).

use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::guard::access::{Access, Policy};
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::flow::responses::{self, TokenDenied};
use crate::guard::challenge::{scope_to_ask_for, with_parameters};
use crate::guard::resource::Resource;
use crate::guard::rules::RuleDecisions;
use crate::platform::Platform;
use vestibule_oidc::http::response::Response;

/// What a resource says to those whom it does not let pass.
pub(super) struct Challenge<'a> {
    resource: &'a Resource,
    /// Whose scopes a token needs.
    rules: Option<RuleDecisions<'a>>,
}

impl<'a> Access<'a> {
    /// What the request's resource says if it does not pass; `None` outside of every resource.
    pub(super) fn challenge(&self) -> Option<Challenge<'a>> {
        let resource = self.resource?.resource;
        let rules = match &self.policy {
            Policy::Rules(decided) => Some(decided.clone()),
            Policy::Preflight { .. } | Policy::SignedIn => None,
        };
        Some(Challenge { resource, rules })
    }
}

impl<P: Platform> RequestContext<'_, P> {
    /// The same denial, with the answer of the resource where a token could help.
    pub(super) fn challenged(&self, denied: Denied, challenge: &Challenge<'_>) -> Denied {
        let Challenge { resource, rules } = challenge;
        let asked = || rules.as_ref().map(RuleDecisions::scopes).unwrap_or_default();
        let answer = match &denied.reason {
            // A person signs in.
            DenialReason::SignIn if resource.takes_sessions && self.request.is_navigation() => return denied,
            DenialReason::SignIn | DenialReason::ClientsOnly => {
                let answer = if resource.takes_sessions {
                    responses::unauthorized(&self.sign_in_url())
                } else {
                    Response::json(401, &json!({ "error": "unauthorized" }))
                        .with("www-authenticate", "Bearer")
                        .with("cache-control", "private, no-store")
                };
                with_parameters(answer, resource, &asked())
            }
            DenialReason::Token(TokenDenied::Unavailable(retry)) => responses::token_unavailable(*retry),
            DenialReason::Token(insufficient @ TokenDenied::Insufficient) => {
                let claims = self.proven(denied.session.as_ref());
                let lacks_scope = rules
                    .as_ref()
                    .zip(claims.as_ref())
                    .is_some_and(|(rules, claims)| rules.lacks_scope(claims));
                if lacks_scope {
                    let scope = scope_to_ask_for(resource, asked(), claims.as_ref());
                    with_parameters(self.token_denied(*insufficient), resource, &scope)
                } else {
                    // No other token of this user helps.
                    responses::forbidden()
                }
            }
            DenialReason::Token(invalid) => with_parameters(self.token_denied(*invalid), resource, &asked()),
            DenialReason::StepUp(step_up) if step_up.is_bearer => {
                let answer = responses::insufficient_user_authentication(&step_up.needed, None);
                with_parameters(answer, resource, &[])
            }
            _ => return denied,
        };
        let answer = Box::new(self.readable_answer(resource, answer));
        Denied { reason: DenialReason::Resource(answer), ..denied }
    }
}
