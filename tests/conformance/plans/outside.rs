//! Plans of flows that the Worker does not have.

use crate::table::{Plan, Untested, Why};

/// Tokens in a front channel reach the browser's history, logs and scripts (RFC 9700 section 2.1.2).
const FRONT_CHANNEL: Why = Why::Outside(
    "the authorization code flow with PKCE is the only one: RFC 9700 section 2.1.2 and FAPI 2.0 advise against tokens in authorization responses",
);

pub const HYBRID: Plan = Plan {
    name: "oidcc-client-hybrid-certification-test-plan",
    about: "with oidcc-client-formpost-hybrid-certification-test-plan and the hybrid plans of logout",
    tested: &[],
    untested: &[Untested { name: "all modules", why: FRONT_CHANNEL }],
};

pub const IMPLICIT: Plan = Plan {
    name: "oidcc-client-implicit-certification-test-plan",
    about: "with oidcc-client-formpost-implicit-certification-test-plan and the implicit plans of logout",
    tested: &[],
    untested: &[Untested { name: "all modules", why: FRONT_CHANNEL }],
};
