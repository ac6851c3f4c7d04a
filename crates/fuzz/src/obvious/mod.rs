//! Obvious implementations, to compare with: slow, short, and written without a look at the others.

mod challenges;
#[cfg(unix)]
mod connections;
mod cookies;
mod languages;
pub(crate) mod paths;
pub(crate) mod patterns;
pub(crate) mod regexp;
mod text;

pub(crate) use self::challenges::challenges;
#[cfg(unix)]
pub(crate) use self::connections::{begins_ambiguous, client, is_ambiguous, is_in_network};
pub(crate) use self::cookies::{cookies, set_cookie};
pub(crate) use self::languages::languages;
pub(crate) use self::text::{form, percent_decoded, unescaped};
