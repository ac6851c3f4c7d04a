//! The names of Vestibule's and Auth.js's cookies.

use std::rc::Rc;

use crate::session::dialect::Dialect;

/// How a site names its cookies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieNaming {
    /// What the names begin with, instead of `authjs` or `next-auth`. Cookies with those names then belong to the app.
    pub prefix: Option<String>,
    /// Whether the session's cookie has the name prefix `__Host-` on `https`, as every cookie but the shared ones. Such
    /// a cookie comes from this host only: no other host of the domain can set it.
    pub host_prefix: bool,
}

impl CookieNaming {
    /// Whether a cookie is one of Vestibule's; without a prefix also whether it is one of Auth.js's, in either dialect.
    /// Upstreams do not get these cookies.
    pub fn is_reserved(&self, name: &str) -> bool {
        let Some(name) = self.base_name(name) else { return false };
        let is_own = name.starts_with("session-token")
            || name.starts_with("transaction.")
            || name.starts_with("preview.")
            || matches!(
                name,
                "callback-url"
                    | "csrf-token"
                    | "ticket"
                    | "renewal"
                    | "typed"
                    | "last-user"
                    | "signed-out"
                    | "https"
                    | "logout-state"
            )
            || name == "logout-hint"
            || name.starts_with("logout-hint.");
        let is_of_auth_js = matches!(name, "pkce.code_verifier" | "state" | "nonce" | "challenge");
        is_own || (is_of_auth_js && self.prefix.is_none())
    }

    /// Whether a cookie is a session, or a chunk of one, in either dialect. Any name that begins like the session's
    /// counts: Auth.js reads such a cookie as a chunk.
    pub fn is_session(&self, name: &str) -> bool {
        self.base_name(name).is_some_and(|base| base.starts_with("session-token"))
    }

    /// A name without its prefixes: `session-token` of `__Secure-authjs.session-token`.
    fn base_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        let name = [SECURE, HOST].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        match &self.prefix {
            Some(prefix) => name.strip_prefix(prefix.as_str())?.strip_prefix('.'),
            None => ["authjs.", "next-auth."].iter().find_map(|prefix| name.strip_prefix(prefix)),
        }
    }

    /// What the names in a dialect begin with.
    fn base(&self, dialect: Dialect) -> &str {
        match (&self.prefix, dialect) {
            (Some(prefix), _) => prefix,
            (None, Dialect::AuthJsV5) => "authjs",
            (None, Dialect::NextAuthV4) => "next-auth",
        }
    }
}

/// The name prefix of cookies that only a secure origin can set (RFC 6265bis, "Cookie Name Prefixes").
const SECURE: &str = "__Secure-";

/// The name prefix of cookies that, in addition, only the host itself can set.
const HOST: &str = "__Host-";

/// The names of the cookies of one site in one dialect, with or without the prefixes that `https` allows.
#[derive(Clone, Debug)]
pub struct CookieNames {
    session: String,
    other_session: Option<String>,
    all_sessions: Vec<String>,
    callback_url: String,
    csrf: String,
    transaction_prefix: String,
    ticket: String,
    preview_prefix: String,
    renewal: String,
    last_user: String,
    typed: String,
    signed_out: String,
    logout_hint: String,
    logout_state: String,
}

/// The names of the cookies of one site, on `https` and on `http`.
#[derive(Clone, Debug)]
pub struct SiteCookieNames {
    on_https: Rc<CookieNames>,
    on_http: Rc<CookieNames>,
}

impl SiteCookieNames {
    /// The names in `dialect`.
    pub fn new(naming: &CookieNaming, dialect: Dialect) -> Self {
        let names = |secure| Rc::new(CookieNames::new(naming, dialect, secure));
        Self { on_https: names(true), on_http: names(false) }
    }

    /// Those of an app whose origin is `https` (`secure`), or is not.
    pub fn of(&self, secure: bool) -> &Rc<CookieNames> {
        if secure { &self.on_https } else { &self.on_http }
    }
}

impl CookieNames {
    /// The names in `dialect`. `secure` says whether the app's origin is `https`.
    pub fn new(naming: &CookieNaming, dialect: Dialect, secure: bool) -> Self {
        let base = naming.base(dialect);
        let host = if secure { HOST } else { "" };
        let shared = if secure { SECURE } else { "" };
        let session = if naming.host_prefix { host } else { shared };
        let name_of_session = |start: &str, dialect| format!("{start}{}.session-token", naming.base(dialect));
        let mut all_sessions: Vec<String> = Vec::new();
        for start in [session, shared, host] {
            for dialect in [dialect, dialect.other()] {
                let name = name_of_session(start, dialect);
                if !all_sessions.contains(&name) {
                    all_sessions.push(name);
                }
            }
        }
        Self {
            session: name_of_session(session, dialect),
            other_session: (naming.prefix.is_none() || dialect == Dialect::NextAuthV4)
                .then(|| name_of_session(session, dialect.other())),
            all_sessions,
            callback_url: format!("{session}{base}.callback-url"),
            csrf: format!("{host}{base}.csrf-token"),
            transaction_prefix: format!("{host}{base}.transaction."),
            ticket: format!("{shared}{base}.ticket"),
            preview_prefix: format!("{host}{base}.preview."),
            renewal: format!("{host}{base}.renewal"),
            last_user: format!("{session}{base}.last-user"),
            typed: format!("{host}{base}.typed"),
            signed_out: format!("{shared}{base}.signed-out"),
            logout_hint: format!("{shared}{base}.logout-hint"),
            logout_state: format!("{shared}{base}.logout-state"),
        }
    }

    /// The cookie that only a browser on https keeps.
    pub fn https(naming: &CookieNaming, dialect: Dialect) -> String {
        format!("{HOST}{}.https", naming.base(dialect))
    }

    /// The session cookie. The names of its chunks end in `.0`, `.1`, …
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The session cookie in the other dialect: from Auth.js, or from before the dialect was changed.
    ///
    /// `None` if there is a prefix and the dialect is that of Auth.js 5: the cookie would have the same name, and the
    /// key of a session of next-auth 4 does not depend on the name. So a session of an app's own next-auth, with the
    /// same secret, would open in it.
    pub fn other_session(&self) -> Option<&str> {
        self.other_session.as_deref()
    }

    /// The names of all session cookies that this site may have set, in either dialect, with `__Secure-` and with
    /// `__Host-`. What this request has of them is removed with the session.
    pub fn all_sessions(&self) -> impl Iterator<Item = &str> {
        self.all_sessions.iter().map(String::as_str)
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

    /// The beginning of the name of the cookie that binds a preview host's code to this browser, including the dot. It is
    /// bound to the host, so no other host of its domain can set it.
    pub fn preview_prefix(&self) -> &str {
        &self.preview_prefix
    }

    /// The cookie that says that someone has signed out. The login host and the host of the sign-out share it.
    pub fn signed_out(&self) -> &str {
        &self.signed_out
    }

    /// The cookie with the ID token for a sign-out at the provider. The names of its chunks end in `.0`, `.1`. It is for the
    /// sign-out route of all hosts that share the session, so it is not bound to the host.
    pub fn logout_hint(&self) -> &str {
        &self.logout_hint
    }

    /// The cookie that says where the browser goes when it comes back from a sign-out at the provider. The login host and the
    /// host of the sign-out share it.
    pub fn logout_state(&self) -> &str {
        &self.logout_state
    }

    /// The cookie that lists the pages for which this host sent the browser to the login host for a new access token.
    pub fn renewal(&self) -> &str {
        &self.renewal
    }

    /// The cookie with the account's name that was typed into a sign-in form which the API refused.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The cookie that says whose session this browser had last, so that a form that comes after it is shown to no one else.
    pub fn last_user(&self) -> &str {
        &self.last_user
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use vestibule_oidc::http::cookie::{Cookies, without};

    const PLAIN: CookieNaming = CookieNaming { prefix: None, host_prefix: false };

    fn with_prefix(prefix: &str) -> CookieNaming {
        CookieNaming { prefix: Some(prefix.to_owned()), host_prefix: false }
    }

    fn all(names: &CookieNames) -> Vec<String> {
        let mut all = vec![names.session().to_owned(), format!("{}.12", names.session())];
        all.extend(names.all_sessions().map(str::to_owned));
        for name in [
            names.callback_url(),
            names.csrf(),
            names.ticket(),
            names.renewal(),
            names.typed(),
            names.last_user(),
            names.signed_out(),
            names.logout_hint(),
            names.logout_state(),
        ] {
            all.push(name.to_owned());
        }
        all.push(format!("{}.1", names.logout_hint()));
        all.push(format!("{}abc", names.transaction_prefix()));
        all.push(format!("{}abc", names.preview_prefix()));
        all
    }

    #[test]
    fn names_follow_dialect_and_scheme() {
        let names = CookieNames::new(&PLAIN, Dialect::AuthJsV5, true);
        assert_eq!(names.session(), "__Secure-authjs.session-token");
        assert_eq!(names.other_session(), Some("__Secure-next-auth.session-token"));
        assert_eq!(names.callback_url(), "__Secure-authjs.callback-url");
        assert_eq!(names.csrf(), "__Host-authjs.csrf-token");
        assert_eq!(names.transaction_prefix(), "__Host-authjs.transaction.");
        let names = CookieNames::new(&PLAIN, Dialect::NextAuthV4, false);
        assert_eq!(names.session(), "next-auth.session-token");
        assert_eq!(names.csrf(), "next-auth.csrf-token");
        assert_eq!(names.transaction_prefix(), "next-auth.transaction.");
    }

    #[test]
    fn all_names_begin_with_the_configured_prefix_in_either_dialect() {
        for (dialect, other) in
            [(Dialect::AuthJsV5, None), (Dialect::NextAuthV4, Some("__Secure-acme.session-token"))]
        {
            let names = CookieNames::new(&with_prefix("acme"), dialect, true);
            assert_eq!(names.session(), "__Secure-acme.session-token");
            assert_eq!(names.other_session(), other);
            assert_eq!(names.csrf(), "__Host-acme.csrf-token");
            let names = CookieNames::new(&with_prefix("acme"), dialect, false);
            assert_eq!(names.session(), "acme.session-token");
            assert!(all(&names).iter().all(|name| name.starts_with("acme.")), "{names:?}");
        }
    }

    #[test]
    fn shadowing_cookies_with_host_prefix_no_other_host_can_set_the_session() {
        for naming in [CookieNaming { host_prefix: true, ..PLAIN }, with_prefix("acme")] {
            let naming = CookieNaming { host_prefix: true, ..naming };
            let names = CookieNames::new(&naming, Dialect::AuthJsV5, true);
            let read = [Some(names.session()), names.other_session()];
            assert!(read.into_iter().flatten().all(|name| name.starts_with("__Host-")), "{names:?}");
            assert!(names.callback_url().starts_with("__Host-"));
            assert!(all(&names).iter().all(|name| naming.is_reserved(name)));
            // Browsers accept such names on https only.
            let names = CookieNames::new(&naming, Dialect::AuthJsV5, false);
            assert!(all(&names).iter().all(|name| !name.starts_with("__")), "{names:?}");
        }
    }

    #[test]
    fn the_names_of_auth_js_and_vestibule_are_reserved_and_no_others() {
        for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
            for secure in [true, false] {
                for name in all(&CookieNames::new(&PLAIN, dialect, secure)) {
                    assert!(PLAIN.is_reserved(&name), "{name}");
                    assert_eq!(PLAIN.is_session(&name), name.contains("session-token"), "{name}");
                }
            }
        }
        for name in
            ["__Secure-authjs.pkce.code_verifier", "next-auth.state", "authjs.nonce", "authjs.challenge"]
        {
            assert!(PLAIN.is_reserved(name) && !PLAIN.is_session(name), "{name}");
        }
        for name in
            ["", "session-token", "authjs.", "xauthjs.state", "AuthJS.state", "authjs.theme", "__Secure-"]
        {
            assert!(!PLAIN.is_reserved(name), "{name}");
        }
    }

    #[test]
    fn with_a_prefix_the_cookies_of_auth_js_and_of_other_prefixes_belong_to_the_app() {
        let naming = with_prefix("acme");
        for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
            for secure in [true, false] {
                assert!(
                    all(&CookieNames::new(&naming, dialect, secure)).iter().all(|n| naming.is_reserved(n))
                );
                for other in [PLAIN, with_prefix("acme2"), with_prefix("acm")] {
                    for name in all(&CookieNames::new(&other, dialect, secure)) {
                        assert!(!naming.is_reserved(&name) && !naming.is_session(&name), "{name}");
                    }
                }
            }
        }
        // Vestibule never sets these, so with a prefix they are not Auth.js's, either.
        for name in ["acme.state", "acme.theme", "acme.", "acme", "acmesession-token", "ACME.session-token"] {
            assert!(!naming.is_reserved(name), "{name}");
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
            assert_eq!(without_reserved(field).as_deref(), left, "{field}");
        }
    }

    fn without_reserved(field: &str) -> Option<String> {
        without(std::iter::once(field), |_, name| PLAIN.is_reserved(name)).pop()
    }

    proptest! {
        #[test]
        fn no_reserved_cookie_is_left_in_any_field(field in "[a;= .%]{0,8}(authjs\\.state|next-auth\\.session-token)?[a;= ]{0,8}") {
            let left = without_reserved(&field).unwrap_or_default();
            prop_assert!(!Cookies::parse([left.as_str()].into_iter()).names().any(|name| PLAIN.is_reserved(name)));
        }
    }
}
