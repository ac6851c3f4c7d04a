//! Signing in: from the form, through an OAuth provider or your own API, to a session.

pub(crate) mod accident;
mod address;
pub(crate) mod authorization_details;
mod authorization_response;
pub(crate) mod begin;
pub(crate) mod callback;
pub(crate) mod create_session;
pub(crate) mod credentials;
pub(crate) mod groups;
pub(crate) mod handoff;
pub(crate) mod identity;
mod initiated;
mod login_limit;
pub(crate) mod persistence;
pub(crate) mod preview;
pub(crate) mod profile;
mod refresh_token;
pub(crate) mod refreshed_user;
mod repeat;
pub(crate) mod sign_in;
mod silent;
pub(crate) mod step_up;
mod step_up_parameters;
mod straight;
pub(crate) mod switch_account;
