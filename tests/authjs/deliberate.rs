//! The deliberate differences from Auth.js, each with its reason.

use serde_json::Value;
use vestibule_core::session::dialect::Dialect;

use crate::Difference;

/// A deliberate difference.
pub struct Deliberate {
    pub title: &'static str,
    pub reason: &'static str,
    /// Whether it explains this difference.
    pub explains: fn(&Difference<'_>) -> bool,
}

/// All deliberate differences. The first entry that explains a difference counts.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        title: "One sealed cookie for each attempt to sign in",
        reason: "Auth.js keeps `state`, the PKCE verifier and the `nonce` in three cookies that a second tab overwrites. \
                 Vestibule keeps all of an attempt in one (`transaction.ID`), bound to the host.",
        explains: |d| {
            let checks =
                ["pkce.code_verifier", "state", "nonce"].iter().any(|check| d.aspect.ends_with(check));
            d.aspect.starts_with("cookie ") && (checks || d.aspect.ends_with("transaction.ID"))
        },
    },
    Deliberate {
        title: "A cookie says whose session the browser had last",
        reason: "`last-user` is a keyed hash of the user, and stays until the browser closes or the user signs out. So a form \
                 that is sent after the session has ended is shown again to its own user only.",
        explains: |d| d.aspect.starts_with("cookie ") && d.aspect.ends_with("last-user"),
    },
    Deliberate {
        title: "A refused form keeps the account's name",
        reason: "After a wrong password, Vestibule's own sign-in page shows the typed address again: it is in a sealed \
                 cookie (`typed`) of the host for five minutes. In Auth.js the form is empty.",
        explains: |d| {
            d.aspect.starts_with("cookie ")
                && d.aspect.rsplit('.').next() == Some("typed")
                && d.authjs.is_none()
        },
    },
    Deliberate {
        title: "No cache keeps a response that sets a cookie",
        reason: "`Cache-Control: private, no-store` is on every response that sets a cookie and on every page, so \
                 that nobody gets another user's cookie from a cache.",
        explains: |d| {
            d.aspect == "cache-control" && d.authjs.is_none() && d.vestibule == Some("private, no-store")
        },
    },
    Deliberate {
        title: "A session is written again once a day",
        reason: "Auth.js writes the session's cookie with every `GET /session`, so a late response overwrites a \
                 newer cookie. Vestibule writes it once `session.update_age` has passed.",
        explains: |d| {
            d.sent.url.split('?').next().is_some_and(|url| url.ends_with("/session"))
                && d.concerns_session()
                && d.vestibule.is_none()
                && d.all.0.get("body") == d.all.1.get("body")
                && d.all.1.get("body").is_some_and(|body| body.contains("\"user\""))
        },
    },
    Deliberate {
        title: "Only the session's own cookies are the session",
        reason: "Auth.js takes every cookie whose name begins like the session's for a part of it, so a cookie that \
                 someone else has set can end a session. Vestibule tries every `NAME`, and `NAME.0` to `NAME.N`.",
        explains: |d| {
            d.is_case(&[
                "session whole and in chunks",
                "session beside a cookie that",
                "session under a name",
            ])
        },
    },
    Deliberate {
        title: "Of several cookies with one name, the valid one counts",
        reason: "A cookie of a parent domain, which another site of it may have set, comes in any order. Auth.js takes the \
                 first or the last, whatever it is.",
        explains: |d| {
            d.is_case(&[
                "odd cookie: a csrf cookie behind a broken one",
                "odd cookie: a session behind a broken one",
            ])
        },
    },
    Deliberate {
        title: "Signing out removes the session from every domain that the host is in",
        reason: "`cookies.domain` may have been another one when the session was created, or unset. Auth.js removes the \
                 cookie of its present configuration only, so an older one signs the user in again.",
        explains: |d| {
            let is_sign_out = d.sent.url.split('?').next().is_some_and(|url| url.ends_with("/signout"));
            let is_of_a_domain = |vestibule: &str| {
                vestibule.contains("and then expired; Domain=") || vestibule.contains("Domain=example.com")
            };
            is_sign_out && d.concerns_session() && d.vestibule.is_some_and(is_of_a_domain)
        },
    },
    Deliberate {
        title: "A session of the other dialect is read",
        reason: "A change from one version of Auth.js to the other signs nobody out: a session in the other \
                 dialect's cookie is valid. It is written in the configured dialect, and the old cookie is removed.",
        explains: |d| d.is_case(&["session of the other dialect", "sign out: session of the other dialect"]),
    },
    Deliberate {
        title: "A parameter that comes twice is refused",
        reason: "Programs differ in which of two values they use (RFC 6749 section 3.1 forbids it). The answer is \
                 400; Auth.js takes the last value, or fails.",
        explains: |d| {
            d.is_case(&[
                "return address twice",
                "body: a token given twice",
                "body: another token behind",
                "story: two states",
                "error page: two errors",
                "odd form: callbackUrl twice",
                "odd credentials: a field twice",
                "odd page: /signin?error=a&error=b",
                "odd page: /signin?callbackUrl=/a&callbackUrl=/b",
                "odd story: a code twice",
            ])
        },
    },
    Deliberate {
        title: "An invalid return address is replaced by the default",
        reason: "Auth.js answers 500 to a `callbackUrl` that is neither a path nor an http address, in a link or in \
                 a cookie that stays broken. Vestibule uses the site's own address.",
        explains: |d| {
            let fails = d.all.0.get("status").is_some_and(|status| status == "500")
                || d.all.0.get("location").is_some_and(|to| to.contains("error=Configuration"));
            d.is_case(&[
                "return address in the",
                "body: broken percent-encoding",
                "odd form: callbackUrl a list",
                "odd form: callbackUrl a number",
            ]) && fails
        },
    },
    Deliberate {
        title: "An ambiguous return address is replaced by the default",
        reason: "`//host`, backslashes, control characters, `https:/host`, credentials: browsers and servers do not agree \
                 where these lead, and open redirects are made of them.",
        explains: |d| {
            let default = |vestibule: &str| vestibule.split(';').next() == Some(d.site.origin());
            d.is_case(&["return address in the"])
                && d.concerns_return_address()
                && d.vestibule.is_some_and(default)
        },
    },
    Deliberate {
        title: "A return address is written as a browser reads it",
        reason: "What was checked is what is sent: dot segments are resolved, the scheme's default port is left out, \
                 everything else is percent-encoded. Auth.js passes the text on as it came.",
        explains: |d| {
            d.is_case(&["return address in the", "page: ", "odd form: a plus"])
                && d.concerns_return_address()
                && d.vestibule.is_some_and(|vestibule| vestibule.contains(d.site.origin()))
        },
    },
    Deliberate {
        title: "A JSON body is an object with a JSON media type",
        reason: "Any other JSON is answered with 400 `\"Bad request.\"`, and a body is read as JSON only if its \
                 media type is JSON. Auth.js searches the header for the word, and reads `null` as an empty form.",
        explains: |d| {
            d.is_case(&[
                "body: a JSON string",
                "body: JSON null",
                "body: a JSON list",
                "body: JSON in plain text",
                "odd update: a list",
                "odd update: null",
                "odd update: an empty body",
            ]) || d.all.0.get("body").is_some_and(|body| body == "Invalid JSON")
        },
    },
    Deliberate {
        title: "A media type is the same in capitals",
        reason: "RFC 9110 section 8.3.1: their case means nothing. Auth.js knows small letters only, and finds no csrf token \
                 in another body.",
        explains: |d| {
            d.is_case(&["odd form: a media type in capitals", "odd update: a media type in capitals"])
        },
    },
    Deliberate {
        title: "An update is JSON",
        reason: "Both clients send `POST /session` as JSON, which a page of another site cannot send unless the \
                 browser asks first. Auth.js accepts a form as well.",
        explains: |d| d.is_case(&["update: form"]),
    },
    Deliberate {
        title: "Either client is understood in either dialect",
        reason: "`X-Auth-Return-Redirect` and `json=true` both get the address as JSON, so that the dialect and the app's \
                 `next-auth/react` need not change on the same day.",
        explains: |d| {
            let other = match d.site.dialect {
                Dialect::AuthJsV5 => &["by v4's client"][..],
                Dialect::NextAuthV4 => &["by v5's client", "by both clients"],
            };
            other.iter().any(|client| d.case.name.contains(client))
        },
    },
    Deliberate {
        title: "An unknown provider leads to the sign-in page",
        reason: "The page that the form came from is old. Auth.js 5 shows the page for a broken configuration, \
                 next-auth 4 says that the csrf token is missing.",
        explains: |d| {
            d.is_case(&["sign in at /signin/nobody", "sign in at /signin"])
                && (d.aspect == "location" || d.aspect.ends_with("callback-url"))
        },
    },
    Deliberate {
        title: "Only harmless parameters reach the provider",
        reason: "Auth.js forwards every parameter of `POST /signin/ID`, among them `redirect_uri`, `client_id` and \
                 `scope`. Vestibule forwards those that concern the user only (`prompt`, `login_hint`, `ui_locales`, \
                 …).",
        explains: |d| {
            d.is_case(&["sign in with", "odd form: callbackUrl in the query"]) && d.aspect == "location"
        },
    },
    Deliberate {
        title: "A new session has more claims",
        reason: "In addition to what Auth.js puts into it there are `sid`, `provider`, `signed_in_at`, `email_verified` if \
                 the provider says it, and the provider's tokens; `sub` is the provider's subject, where Auth.js 5 \
                 invents one at each sign-in.",
        explains: |d| d.aspect == "session" && says_more(d),
    },
    Deliberate {
        title: "A session of Auth.js can be revoked",
        reason: "When such a session is renewed it gets `sid`, derived from its `jti`, and `signed_in_at`, which is its \
                 `iat`. A sign-out ends every copy of it by them.",
        explains: |d| d.aspect == "session" && has_more(d, &["sid", "signed_in_at"]),
    },
    Deliberate {
        title: "The callback is a GET",
        reason: "Auth.js reads the query of a POST, too. No provider sends one unless it is asked to \
                 (`response_mode=form_post`).",
        explains: |d| d.is_case(&["callback by POST", "story: the callback by POST"]),
    },
    Deliberate {
        title: "A sign-in returns to the address with which it began",
        reason: "Auth.js takes a `callbackUrl` of the callback, which belongs to the provider or to anyone who made the link. \
                 Vestibule's is sealed with the attempt.",
        explains: |d| d.is_case(&["odd story: a callbackUrl"]) && d.concerns_return_address(),
    },
    Deliberate {
        title: "An error without a sign-in is not taken for the provider's",
        reason: "Anyone can make a link with `?error=…`. Without the `state` of a sign-in that this browser began, \
                 it is a callback that belongs to nothing (`OAuthCallback`), whatever it says (next-auth 4: \
                 `Callback`).",
        explains: |d| d.is_case(&["callback with an error"]) && d.aspect == "location",
    },
    Deliberate {
        title: "No error text is put into an address",
        reason: "next-auth 4 shows the message of whatever `authorize` throws. Vestibule says `CredentialsSignin` if \
                 the API refused, `Configuration` if it did not answer, and logs the rest.",
        explains: |d| {
            d.site.dialect == Dialect::NextAuthV4
                && d.is_case(&["credentials: a locked account", "credentials: an API that is down"])
                && (d.aspect == "location" || d.aspect == "body")
        },
    },
    Deliberate {
        title: "Credentials are texts",
        reason: "A JSON value that is no text is answered like a wrong password, and not given to the API: clients send \
                 texts, and programs differ in what they make of a list or an object in their place.",
        explains: |d| d.is_case(&["odd credentials: null", "odd credentials: an object"]),
    },
    Deliberate {
        title: "Credentials are never part of an address",
        reason: "A GET with them is not a route: 400, where next-auth 4 answers 500.",
        explains: |d| d.site.dialect == Dialect::NextAuthV4 && d.is_case(&["credentials by GET"]),
    },
    Deliberate {
        title: "There is no sign-in by e-mail",
        reason: "So there is no page that says that an e-mail was sent.",
        explains: |d| d.is_case(&["verify-request"]),
    },
    Deliberate {
        title: "Auth routes are matched exactly",
        reason: "The route is decided on the same canonical path as the rules: `/%73ession` is `/session`, \
                 `/authcsrf` is a page of the site, and nothing may follow a route that takes nothing.",
        explains: |d| {
            d.is_case(&[
                "route /%73ession",
                "route /csrf/x",
                "route /session/x",
                "route /providers/x/y",
                "error page: a code in the path",
                "a path that begins like the base path",
                "odd path //csrf",
                "odd path /csrf%2F",
            ])
        },
    },
    Deliberate {
        title: "HEAD is answered like GET",
        reason: "RFC 9110 section 9.3.2 requires it, and monitors use it. Auth.js answers 400 or 405. Only the \
                 callback does not answer: a look at it must not use up its code.",
        explains: |d| d.is_case(&["HEAD /"]),
    },
    Deliberate {
        title: "People who navigate come to a page, or go on",
        reason: "A callback that is opened again or too late, a plain link to a provider, a form of yesterday and an address \
                 that does not exist are no fault of the site: people get the sign-in page with what happened \
                 (`SignInExpired`), a page, or where they wanted to go if they are signed in; the address that they wanted \
                 is kept. Scripts get the answers of Auth.js. next-auth 4's page also gets the API's own `code`.",
        explains: |d| d.is_case(&["person: "]),
    },
    Deliberate {
        title: "An empty session cookie is removed",
        reason: "Auth.js leaves an empty one in the browser, and Next.js hides one that does not decode from \
                 next-auth 4.",
        explains: |d| {
            d.is_case(&["session: \"\"", "session: \"%"])
                && d.vestibule.is_some_and(|vestibule| vestibule.starts_with("expired"))
        },
    },
];

impl Difference<'_> {
    /// Whether the name of the case begins with one of these texts.
    fn is_case(&self, beginnings: &[&str]) -> bool {
        beginnings.iter().any(|beginning| self.case.name.starts_with(beginning))
    }

    fn concerns_session(&self) -> bool {
        self.aspect == "session"
            || self.aspect.starts_with(&format!("cookie {}", self.site.names().session()))
    }

    fn concerns_return_address(&self) -> bool {
        self.aspect == "location" || self.aspect == format!("cookie {}", self.site.names().callback_url())
    }
}

/// Whether Vestibule's new session has all claims of Auth.js's, and additional ones.
fn says_more(d: &Difference<'_>) -> bool {
    has_more(d, &["sid", "provider", "signed_in_at", "access_token"])
}

/// Whether Vestibule's session has all claims of Auth.js's, and these.
fn has_more(d: &Difference<'_>, more: &[&str]) -> bool {
    let claims = |text: Option<&str>| serde_json::from_str::<Value>(text?).ok();
    let (Some(Value::Object(authjs)), Some(vestibule)) = (claims(d.authjs), claims(d.vestibule)) else {
        return false;
    };
    let is_subject = |claim: &str| d.site.dialect == Dialect::AuthJsV5 && claim == "sub";
    authjs.iter().all(|(claim, value)| is_subject(claim) || vestibule.get(claim) == Some(value))
        && more.iter().all(|claim| vestibule.get(*claim).is_some())
}
