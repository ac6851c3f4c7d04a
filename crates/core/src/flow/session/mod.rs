//! A session that is there: what a page sees of it and changes, how it is renewed, and how it ends.

pub(crate) mod refresh_at_login_host;
pub(crate) mod show;
pub(crate) mod sign_out;
pub(crate) mod update;
