//! Sealed cookies: the session, the sign-in transaction, the ticket, the preview code, what a sign-out at the provider needs,
//! and the CSRF token.

pub mod cache;
pub mod chunk;
pub mod claims;
pub mod cookie;
pub mod csrf;
pub mod dialect;
pub mod kept_form;
pub mod logout_hint;
pub mod logout_state;
pub mod names;
pub(crate) mod own_claims;
pub mod policy;
pub mod preview;
pub mod proven;
pub mod read;
pub mod refreshed_tokens;
pub(crate) mod scope;
pub mod seal;
pub mod step_up;
pub mod ticket;
mod token_session;
pub mod tokens;
pub mod transaction;
pub mod typed;
