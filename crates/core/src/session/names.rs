//! The names of Vestibule's and Auth.js's cookies.

use crate::session::dialect::Dialect;

/// The names of the cookies of one dialect, with or without the prefixes that `https` allows.
#[derive(Clone, Debug)]
pub struct CookieNames {
    session: String,
    other_session: String,
    callback_url: String,
    csrf: String,
    transaction_prefix: String,
    ticket: String,
    renewal: String,
}

impl CookieNames {
    /// The names in `dialect`. `secure` says whether the app's origin is `https`.
    pub fn new(dialect: Dialect, secure: bool) -> Self {
        let base_of = |dialect| match dialect {
            Dialect::AuthJsV5 => "authjs.",
            Dialect::NextAuthV4 => "next-auth.",
        };
        let (base, other) = (base_of(dialect), base_of(dialect.other()));
        let (shared, host_bound) = if secure { ("__Secure-", "__Host-") } else { ("", "") };
        Self {
            session: format!("{shared}{base}session-token"),
            other_session: format!("{shared}{other}session-token"),
            callback_url: format!("{shared}{base}callback-url"),
            csrf: format!("{host_bound}{base}csrf-token"),
            transaction_prefix: format!("{host_bound}{base}transaction."),
            ticket: format!("{shared}{base}ticket"),
            renewal: format!("{host_bound}{base}renewal"),
        }
    }

    /// The session cookie. The names of its chunks end in `.0`, `.1`, …
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The session cookie in the other dialect: from Auth.js, or from before the dialect was changed.
    pub fn other_session(&self) -> &str {
        &self.other_session
    }

    /// The cookie with the return URL.
    pub fn callback_url(&self) -> &str {
        &self.callback_url
    }

    /// The cookie with the CSRF token. It is bound to the host, so a sibling subdomain cannot set it.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The beginning of the name of a sign-in attempt's cookie, including the dot. The attempt's id follows. It is
    /// bound to the host: the callback comes to the host that sent the authorization request.
    pub fn transaction_prefix(&self) -> &str {
        &self.transaction_prefix
    }

    /// The cookie that takes a sign-in from the host where it was requested to the login host. Both must receive it,
    /// so it is not bound to the host.
    pub fn ticket(&self) -> &str {
        &self.ticket
    }

    /// The cookie that lists the pages for which this host sent the browser to the login host for a new access token.
    pub fn renewal(&self) -> &str {
        &self.renewal
    }
}

/// Whether a cookie belongs to Auth.js (in either dialect, with or without prefix) or to Vestibule. Upstreams do not
/// get these cookies.
pub fn is_reserved(name: &str) -> bool {
    is_session(name)
        || base_name(name).is_some_and(|base| {
            base.starts_with("transaction.")
                || matches!(
                    base,
                    "callback-url"
                        | "csrf-token"
                        | "ticket"
                        | "renewal"
                        | "pkce.code_verifier"
                        | "state"
                        | "nonce"
                        | "challenge"
                )
        })
}

/// Whether a cookie is a session, or a chunk of one, in either dialect. Any name that begins like the session's counts:
/// Auth.js reads such a cookie as a chunk.
pub fn is_session(name: &str) -> bool {
    base_name(name).is_some_and(|base| base.starts_with("session-token"))
}

/// A name without its prefixes: `session-token` of `__Secure-authjs.session-token`.
fn base_name(name: &str) -> Option<&str> {
    let name = ["__Secure-", "__Host-"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    ["authjs.", "next-auth."].iter().find_map(|prefix| name.strip_prefix(prefix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use vestibule_oidc::http::cookie::{Cookies, without};

    #[test]
    fn names_follow_dialect_and_scheme() {
        let names = CookieNames::new(Dialect::AuthJsV5, true);
        assert_eq!(names.session(), "__Secure-authjs.session-token");
        assert_eq!(names.callback_url(), "__Secure-authjs.callback-url");
        assert_eq!(names.csrf(), "__Host-authjs.csrf-token");
        assert_eq!(names.transaction_prefix(), "__Host-authjs.transaction.");
        let names = CookieNames::new(Dialect::NextAuthV4, false);
        assert_eq!(names.session(), "next-auth.session-token");
        assert_eq!(names.csrf(), "next-auth.csrf-token");
        assert_eq!(names.transaction_prefix(), "next-auth.transaction.");
    }

    #[test]
    fn the_names_of_auth_js_and_vestibule_are_reserved_and_no_others() {
        for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
            for secure in [true, false] {
                let names = CookieNames::new(dialect, secure);
                let all =
                    [names.session(), names.callback_url(), names.csrf(), names.ticket(), names.renewal()];
                for name in all {
                    assert!(is_reserved(name), "{name}");
                }
                assert!(is_reserved(&format!("{}abc", names.transaction_prefix())));
                assert!(is_session(&format!("{}.12", names.session())));
            }
        }
        for name in
            ["__Secure-authjs.pkce.code_verifier", "next-auth.state", "authjs.nonce", "authjs.challenge"]
        {
            assert!(is_reserved(name) && !is_session(name), "{name}");
        }
        for name in
            ["", "session-token", "authjs.", "xauthjs.state", "AuthJS.state", "authjs.theme", "__Secure-"]
        {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn reserved_cookies_are_removed_and_the_others_stay_byte_for_byte() {
        for (field, left) in [
            ("a=1; b=%zz;c=\"3\"", Some("a=1; b=%zz;c=\"3\"")),
            ("authjs.state=1; a=1", Some("a=1")),
            ("a=1; __Secure-authjs.session-token.0=x;  b=2", Some("a=1;  b=2")),
            ("a=1; authjs.state=x", Some("a=1")),
            ("a=1; authjs.state =x; authjs.nonce", Some("a=1")),
            ("authjs.state=1;next-auth.state=2", None),
            ("authjs.state=1; ", None),
            ("", None),
        ] {
            assert_eq!(without(field, is_reserved).as_deref(), left, "{field}");
        }
    }

    proptest! {
        #[test]
        fn no_reserved_cookie_is_left_in_any_field(field in "[a;= .%]{0,8}(authjs\\.state|next-auth\\.session-token)?[a;= ]{0,8}") {
            let left = without(&field, is_reserved).unwrap_or_default();
            prop_assert!(!Cookies::parse([left.as_str()].into_iter()).names().any(is_reserved));
        }
    }
}
