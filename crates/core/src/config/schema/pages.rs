//! `[vars.AUTH.pages]`

use super::Kind::Text;
use super::{Keys, keys};

pub(in crate::config) const PAGES: Keys = &[keys! {
    /// Your sign-in page: a path, which is on the host of `login_url` where there is one, or a URL. It gets `callbackUrl`, and
    /// `error` after a sign-in that failed.
    sign_in: Text, unset = "Vestibule's own page", example = "/login",
        needs = "a path outside of `base_path` that no rule guards; the host of a URL must be in `trusted_hosts` or covered by `cookies.domain`";
    /// Your sign-out page, as above. It gets `callbackUrl`.
    sign_out: Text, unset = "Vestibule's own page", example = "/logout", needs = "as `pages.sign_in`, but it may be guarded";
    /// Your error page, as above. It gets `error`.
    error: Text, unset = "Vestibule's own page", example = "/login-error", needs = "as `pages.sign_in`";
    /// Your page for a person who may not see what they asked for, as above: they are redirected to it, with the address in
    /// `callbackUrl`. Scripts get 403 all the same.
    forbidden: Text, unset = "Vestibule's own page, with the status 403", example = "/no-access", needs = "as `pages.sign_in`";
}];
