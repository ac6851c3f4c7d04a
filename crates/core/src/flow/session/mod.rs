//! Routes for an existing session: show it, update it, refresh its access token, sign out.

pub(crate) mod backchannel_logout;
pub(crate) mod expired_token;
pub(crate) mod frontchannel_logout;
pub(crate) mod global_revocation;
pub(crate) mod kept_form;
pub(crate) mod large_cookies;
pub(crate) mod provider_logout;
pub(crate) mod refresh_at_login_host;
pub(crate) mod renewal_marker;
pub(crate) mod revocation;
pub(crate) mod revoke;
pub(crate) mod security_events;
pub(crate) mod show;
pub(crate) mod sign_out;
mod strangers;
pub(crate) mod tokens;
mod tokens_hidden;
mod transmitted_subject;
pub(crate) mod update;
