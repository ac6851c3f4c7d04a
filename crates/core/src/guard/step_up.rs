//! What the rules ask of how and when a user authenticated, in addition to who the user is.

use crate::guard::rules::RuleDecisions;
use crate::session::proven::ProvenClaims;
use crate::session::step_up::StepUp;
use vestibule_oidc::time::Timestamp;

impl RuleDecisions<'_> {
    /// What the rules ask for that these claims do not show at the time `now`. Every reading of the path counts. It says
    /// nothing about who the user is: that decides first.
    pub fn step_up(&self, claims: &ProvenClaims<'_>, now: Timestamp) -> Option<StepUp> {
        let mut unmet = self
            .readings()
            .filter_map(|reading| reading.matched)
            .map(|matched| &matched.rule.step_up)
            .filter(|asked| !asked.is_met(|name| claims.get(name), now));
        let first = unmet.next()?.clone();
        Some(unmet.fold(first, StepUp::and))
    }
}
