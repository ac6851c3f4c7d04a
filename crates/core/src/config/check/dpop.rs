//! `dpop` of a provider: tokens that are bound to a key.

use crate::config::Provider;
use crate::config::place::refuse;
use crate::config::table::Table;
use crate::session::policy::SessionConfig;

/// Refuses to show pages an access token that none of them can use: they do not have the key.
pub(super) fn refuse_useless_tokens(auth: &Table<'_>, session: &SessionConfig, providers: &[Provider]) {
    if providers.is_empty() || !providers.iter().all(Provider::binds_tokens) {
        return;
    }
    if let Some((to, _)) = session.expose.iter().find(|(_, from)| from.root() == "access_token") {
        let session = auth.table("session");
        let expose = session.table("expose");
        refuse!(
            expose.at(&to.to_string()),
            "with dpop = true the access token works only together with the session's key, which no page gets",
            "remove it, and let pages send their requests to an upstream, which gets the token and a proof"
        );
    }
}
