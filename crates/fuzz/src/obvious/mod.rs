//! Obvious implementations, to compare with: slow, short, and written without a look at the others.

mod cookies;
pub(crate) mod paths;
pub(crate) mod patterns;
pub(crate) mod regexp;
mod text;

pub(crate) use self::cookies::{cookies, set_cookie};
pub(crate) use self::text::{form, percent_decoded};
