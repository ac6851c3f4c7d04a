//! The deliberate differences from Auth.js, each with its reason.

use std::collections::BTreeSet;
use std::env;
use std::sync::LazyLock;

use serde_json::Value;
use vestibule_core::session::chunk;
use vestibule_core::session::dialect::Dialect;

use crate::aspects::Aspects;
use crate::cookies::Role;
use crate::facts::{as_a_browser_reads, is_ambiguous, is_broken_encoding, is_no_address, is_outside_latin};
use crate::replay::Difference;
use crate::site::Site;

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
            let sets = |aspects: &Aspects| {
                let mut attempts = aspects.iter().filter(|(aspect, _)| is_of_attempt(d.site, aspect));
                attempts.any(|(_, cookie)| !cookie.starts_with("expired"))
            };
            is_of_attempt(d.site, d.aspect) && sets(d.all.0) == sets(d.all.1)
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
            d.is_at(&["/session"])
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
            let name = d.site.names().session().to_owned();
            let cookies = d.cookies();
            let of_session = || cookies.iter().map(|(it, _)| it.as_str()).filter(|it| it.starts_with(&name));
            let is_whole = of_session().any(|it| it == name);
            (d.concerns_session() || d.is_at(&["/session"]))
                && of_session().any(|it| !chunk::is_of_session(it, &name) || (is_whole && it != name))
        },
    },
    Deliberate {
        title: "Of several cookies with one name, the valid one counts",
        reason: "A cookie of a parent domain, which another site of it may have set, comes in any order. Auth.js takes the \
                 first or the last, whatever it is.",
        explains: |d| {
            let names = d.site.names();
            let concerns_csrf = d.is_post() || d.aspect == format!("cookie {}", names.csrf());
            (d.has_several(names.csrf()) && concerns_csrf)
                || (d.has_several(names.session()) && (d.concerns_session() || d.is_at(&["/session"])))
                || (d.has_several(names.callback_url()) && d.concerns_return_address())
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
        explains: |d| {
            let other = Site { dialect: d.site.dialect.other(), ..d.site };
            let is_its_cookie = d.aspect.starts_with(&format!("cookie {}", other.names().session()));
            d.has_session_cookie_of(other)
                && (is_its_cookie || d.concerns_session() || d.is_at(&["/session"]))
        },
    },
    Deliberate {
        title: "A parameter that comes twice is refused",
        reason: "Programs differ in which of two values they use (RFC 6749 section 3.1 forbids it). The answer is \
                 400; Auth.js takes the last value, or fails.",
        explains: |d| {
            let fails = d.is_at(&["/callback/"]) && d.locations().1.is_some_and(|to| to.contains("error="));
            (d.has_repetition() && (d.is_refused() || fails)) || d.is_after_repetition()
        },
    },
    Deliberate {
        title: "A member of JSON that is no text is not there",
        reason: "`null`, a list and an object are left out before a parameter is counted, so that the other one of its name counts. \
                 Auth.js takes the last one.",
        explains: |d| {
            let is_text = |value: &str| !value.starts_with(['[', '{']) && value != "null";
            let fields = d.fields();
            d.has_json()
                && fields.iter().any(|(name, value)| {
                    !is_text(value) && fields.iter().any(|(other, value)| other == name && is_text(value))
                })
        },
    },
    Deliberate {
        title: "An invalid return address is replaced by the default",
        reason: "Auth.js answers 500 to a `callbackUrl` that is neither a path nor an http address, in a link or in \
                 a cookie that stays broken. Vestibule uses the site's own address.",
        explains: |d| {
            let fails = |text: &String| is_no_address(text) || is_outside_latin(text);
            d.authjs_fails() && d.return_addresses().iter().any(fails)
        },
    },
    Deliberate {
        title: "An ambiguous return address is replaced by the default",
        reason: "`//host`, backslashes, control characters, `https:/host`, credentials: browsers and servers do not agree \
                 where these lead, and open redirects are made of them.",
        explains: |d| {
            let default = |vestibule: &str| vestibule.split(';').next() == Some(d.site.origin());
            d.concerns_return_address()
                && d.vestibule.is_none_or(default)
                && d.return_addresses().iter().any(|text| is_ambiguous(text))
        },
    },
    Deliberate {
        title: "A return address is written as a browser reads it",
        reason: "What was checked is what is sent: dot segments are resolved, the scheme's default port is left out, \
                 everything else is percent-encoded. Auth.js passes the text on as it came.",
        explains: |d| {
            let cookie = d.return_addresses().pop();
            let authjs = d.authjs.map(str::to_owned).or_else(|| {
                // It is the one in the cookie.
                let attributes = d.vestibule?.split_once("; ")?.1;
                Some(format!("{}; {attributes}", cookie?))
            });
            d.concerns_return_address()
                && authjs.as_deref().zip(d.vestibule).is_some_and(|(authjs, vestibule)| {
                    let (address, attributes) = authjs.split_once("; ").unwrap_or((authjs, ""));
                    let (ours, ours_attributes) = vestibule.split_once("; ").unwrap_or((vestibule, ""));
                    attributes == ours_attributes && as_a_browser_reads(address) == as_a_browser_reads(ours)
                })
        },
    },
    Deliberate {
        title: "A JSON body is an object with a JSON media type",
        reason: "Any other JSON is answered with 400 `\"Bad request.\"`, and a body is read as JSON only if its \
                 media type is JSON. Auth.js searches the header for the word, and reads `null` as an empty form.",
        explains: |d| {
            let body = d.sent.body.as_deref().unwrap_or_default();
            let is_object = vestibule_core::json::members(body.as_bytes()).is_some();
            let media = d.header("content-type").unwrap_or_default();
            let is_named = |name: &str| media.contains(name) && d.media_type() != name;
            d.is_post()
                && ((d.has_json() && !is_object && (d.is_refused() || d.authjs_status() == "400"))
                    || is_named("application/json")
                    || is_named("application/x-www-form-urlencoded"))
        },
    },
    Deliberate {
        title: "A media type is the same in capitals",
        reason: "RFC 9110 section 8.3.1: their case means nothing. Auth.js knows small letters only, and finds no csrf token \
                 in another body.",
        explains: |d| {
            let media = d.header("content-type").unwrap_or_default();
            d.is_post()
                && (d.has_json() || d.has_form())
                && media.split(';').next().is_some_and(|it| it.trim() != d.media_type())
        },
    },
    Deliberate {
        title: "An update is JSON",
        reason: "Both clients send `POST /session` as JSON, which a page of another site cannot send unless the \
                 browser asks first. Auth.js accepts a form as well.",
        explains: |d| d.is_post() && d.is_at(&["/session"]) && !d.has_json() && d.is_refused(),
    },
    Deliberate {
        title: "Either client is understood in either dialect",
        reason: "`X-Auth-Return-Redirect` and `json=true` both get the address as JSON, so that the dialect and the app's \
                 `next-auth/react` need not change on the same day.",
        explains: |d| {
            let is_json =
                |aspects: &Aspects| aspects.get("body").is_some_and(|body| body.starts_with("{\"url\""));
            let asks_as_v4 = d.field("json").is_some_and(|json| json == "true");
            let asks_as_v5 = d.header("x-auth-return-redirect").is_some();
            let is_other = if d.is_v4() { asks_as_v5 && !asks_as_v4 } else { asks_as_v4 && !asks_as_v5 };
            // Of a refused password each client expects its own status.
            let status = if d.is_v4() { asks_as_v5 } else { asks_as_v4 };
            let is_status = status && d.aspect == "status" && d.is_at(&["/callback/credentials"]);
            (is_other || is_status)
                && is_json(d.all.1)
                && ["status", "body", "content-type"].contains(&d.aspect)
        },
    },
    Deliberate {
        title: "An unknown provider leads to the sign-in page",
        reason: "The page that the form came from is old. Auth.js 5 shows the page for a broken configuration, \
                 next-auth 4 says that the csrf token is missing.",
        explains: |d| {
            d.is_post()
                && (d.is_at(&["/signin"]) || (d.is_at(&["/signin/"]) && !d.is_at(KNOWN)))
                && d.concerns_return_address()
        },
    },
    Deliberate {
        title: "Only harmless parameters reach the provider",
        reason: "Auth.js forwards every parameter of `POST /signin/ID`, among them `redirect_uri`, `client_id` and \
                 `scope`. Vestibule forwards those that concern the user only (`prompt`, `login_hint`, `ui_locales`, \
                 …).",
        explains: |d| {
            let parameters = |to: Option<&str>| -> BTreeSet<String> {
                let all = to.and_then(|to| to.split_once(" with ")).map_or("", |(_, all)| all);
                all.split(", ").map(str::to_owned).collect()
            };
            let (authjs, vestibule) = (parameters(d.authjs), parameters(d.vestibule));
            // Auth.js lets a parameter of the query replace its own.
            let own = ["client_id=", "nonce=", "redirect_uri=", "response_type=", "scope=", "state="];
            let is_own = |text: &String| own.iter().any(|name| text.starts_with(name));
            d.is_post()
                && d.is_at(&["/signin/"])
                && !d.query().is_empty()
                && d.aspect == "location"
                && vestibule.difference(&authjs).all(is_own)
        },
    },
    Deliberate {
        title: "What the ID token lacks is asked of userinfo",
        reason: "A provider may leave the claims of `profile` and `email` out of the ID token (OpenID Connect Core 1.0 section 5.4). \
                 Auth.js then knows no name and no address.",
        explains: |d| {
            let lacking =
                ["no name", "an empty name", "no email", "no picture", "name a number", "picture an object"];
            d.is_at(&["/callback/acme"])
                && lacking.contains(&d.oddity())
                && d.aspect == "session"
                && has_more(d, &["sid", "provider"], &["name", "email", "picture"])
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
        explains: |d| d.aspect == "session" && has_more(d, &["sid", "signed_in_at"], &[]),
    },
    Deliberate {
        title: "The callback is a GET",
        reason: "Auth.js reads the query of a POST, too. No provider sends one unless it is asked to \
                 (`response_mode=form_post`).",
        explains: |d| {
            d.is_post()
                && d.is_at(&["/callback/"])
                && !d.is_at(&["/callback/credentials"])
                && !d.all.1.contains_key("session")
        },
    },
    Deliberate {
        title: "A sign-in returns to the address with which it began",
        reason: "Auth.js takes a `callbackUrl` of the callback, which belongs to the provider or to anyone who made the link, or the \
                 cookie, which another tab may have changed. Vestibule's is sealed with the attempt.",
        explains: |d| {
            let asks = |(name, _): &(String, String)| name == "callbackUrl";
            let is_error = |to: Option<&str>| to.is_some_and(|to| to.contains("error="));
            let (authjs, vestibule) = d.locations();
            d.is_get()
                && d.is_at(&["/callback/"])
                && !is_error(authjs)
                && !is_error(vestibule)
                && (d.query().iter().any(asks)
                    || !d.return_addresses().iter().any(|it| Some(it.as_str()) == vestibule))
                && d.concerns_return_address()
        },
    },
    Deliberate {
        title: "An error without a sign-in is not taken for the provider's",
        reason: "Anyone can make a link with `?error=…`. Without the `state` of a sign-in that this browser began, \
                 it is a callback that belongs to nothing (`OAuthCallback`), whatever it says (next-auth 4: \
                 `Callback`).",
        explains: |d| {
            let is_error = |(name, _): &(String, String)| name == "error";
            d.is_get()
                && d.is_at(&["/callback/"])
                && d.query().iter().any(is_error)
                && !d.is_of_attempt()
                && d.aspect == "location"
        },
    },
    Deliberate {
        title: "A request of another origin's page is refused",
        reason: "A POST with an `Origin` that is not the site's, or with `Sec-Fetch-Site: cross-site`, gets 403 before its CSRF \
                 token is looked at. Auth.js looks at the token only.",
        explains: |d| !d.is_get() && d.is_of_another_origin() && d.status_of_vestibule() == "403",
    },
    Deliberate {
        title: "A callback gives no CSRF token",
        reason: "The token and the return address in a cookie belong to forms. Auth.js sets both with every response, so also \
                 with that of a callback; Vestibule when a page or a script asks for them.",
        explains: |d| {
            let names = d.site.names();
            let is_of_form =
                [names.csrf(), names.callback_url()].iter().any(|name| d.aspect == format!("cookie {name}"));
            d.is_get() && d.is_at(&["/callback/"]) && is_of_form && d.vestibule.is_none()
        },
    },
    Deliberate {
        title: "A token response is checked in full",
        reason: "An ID token that the provider's keys did not sign, of the future, for another client (`azp`), or whose `sub` is no text (OpenID Connect Core 1.0 sections 2 \
                 and 3.1.3.7), no access token, tokens that are no texts, and a type of token that is not `Bearer` (RFC 6749 sections 5.1 and 7.1) are \
                 refused. Auth.js 5 takes some of them, next-auth 4 most.",
        explains: |d| {
            let odd = [
                "iat ahead",
                "sub a number",
                "azp another",
                "another key",
                "another kid",
                "no access_token",
                "a refresh_token that is a number",
                "an empty access_token",
                "an access_token that is a number",
                "token_type MAC",
                "no token_type",
            ];
            d.is_at(&["/callback/"])
                && odd.contains(&d.oddity())
                && d.locations().1.is_some_and(|to| to.contains("error="))
        },
    },
    Deliberate {
        title: "An `expires_in` that is no number is none",
        reason: "Then it is unknown when the access token expires (RFC 6749 section 5.1: it is only recommended). Auth.js 5 refuses \
                 the sign-in.",
        explains: |d| {
            d.is_at(&["/callback/"])
                && ["expires_in junk", "expires_in negative"].contains(&d.oddity())
                && !d.is_v4()
        },
    },
    Deliberate {
        title: "An `iss` is compared where the issuer is known",
        reason: "A provider of OAuth 2 without `issuer` may send one, as some began to do in operation: there is nothing to compare \
                 it with. Auth.js refuses the sign-in; and of a provider whose issuer is known version 5 takes an empty one for none.",
        explains: |d| {
            let issuer = d.query().into_iter().find(|(name, _)| name == "iss").map(|(_, issuer)| issuer);
            issuer.is_some_and(|issuer| {
                d.is_at(&["/callback/hub"]) || (d.is_at(&["/callback/acme"]) && issuer.is_empty())
            })
        },
    },
    Deliberate {
        title: "An ID token of a provider of OAuth 2 is not looked at",
        reason: "Nothing of it is used. Auth.js refuses the sign-in if it is broken.",
        explains: |d| d.is_at(&["/callback/hub"]) && d.oddity().starts_with("an id_token that is"),
    },
    Deliberate {
        title: "A claim of the user is a text",
        reason: "A number becomes a text; null, an empty text, a list and an object are left out. Auth.js puts them into the session as \
                 they are; at an `email` that is no text it fails, and sends the browser to the callback again.",
        explains: |d| {
            let of_session = [
                "name a number",
                "userinfo with a number for a name",
                "userinfo with a name that is null",
                "an empty name",
                "userinfo with an empty email",
                "picture an object",
            ];
            d.is_at(&["/callback/"])
                && ((of_session.contains(&d.oddity()) && d.aspect == "session")
                    || d.oddity() == "email a list")
        },
    },
    Deliberate {
        title: "A user without an id is nobody",
        reason: "If userinfo fails or has no id, so does the sign-in (`Configuration`, next-auth 4: `OAuthCallback`). In Auth.js the \
                 application's `profile` throws; version 5 then sends the browser to the callback again, which fails as well.",
        explains: |d| {
            let has_none = ["userinfo without an id", "userinfo with an empty id", "an empty sub", "no sub"]
                .contains(&d.oddity());
            d.is_at(&["/callback/"])
                && (has_none || d.oddity().starts_with("userinfo answers"))
                && d.aspect == "location"
                && d.locations().1.is_some_and(|to| to.contains("error="))
        },
    },
    Deliberate {
        title: "A provider in the address of the sign-in page is no error",
        reason: "next-auth 4 takes the provider of `GET /signin/ID` for an error code, and adds it to the address of the site's own \
                 page.",
        explains: |d| d.is_v4() && d.is_get() && d.is_at(&["/signin/"]) && d.aspect == "location",
    },
    Deliberate {
        title: "The base path alone is no route",
        reason: "400, as for every other address that is none. next-auth 4 answers 500.",
        explains: |d| {
            d.is_v4() && d.route().trim_matches('/').is_empty() && d.authjs_fails() && d.is_refused()
        },
    },
    Deliberate {
        title: "An error on the way keeps the return address",
        reason: "The sign-in page to which `/error` sends the browser leads to where it wanted to go. next-auth 4 drops the \
                 `callbackUrl`.",
        explains: |d| {
            let names_it = |to: &str| to.contains("/signin with callbackUrl=");
            d.is_v4()
                && d.is_get()
                && d.is_at(&["/error"])
                && d.aspect == "location"
                && d.vestibule.is_some_and(names_it)
        },
    },
    Deliberate {
        title: "No error text is put into an address",
        reason: "next-auth 4 shows the message of whatever `authorize` throws. Vestibule says `CredentialsSignin` if \
                 the API refused, `Configuration` if it did not answer, and logs the rest.",
        explains: |d| {
            let is_ours =
                |to: &str| to.contains("error=CredentialsSignin") || to.contains("error=Configuration");
            d.is_v4()
                && d.is_post()
                && d.is_at(&["/callback/credentials"])
                && d.aspect == "location"
                && d.vestibule.is_some_and(is_ours)
        },
    },
    Deliberate {
        title: "Credentials are texts",
        reason: "A JSON value that is no text is answered like a wrong password, and not given to the API: clients send \
                 texts, and programs differ in what they make of a list or an object in their place.",
        explains: |d| {
            let body: Option<Value> = d.sent.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
            let is_odd = |name: &str| {
                body.as_ref().and_then(|body| body.get(name)).is_some_and(|value| !value.is_string())
            };
            d.is_post() && d.is_at(&["/callback/credentials"]) && (is_odd("email") || is_odd("password"))
        },
    },
    Deliberate {
        title: "Credentials are never part of an address",
        reason: "A GET with them is not a route: 400, where next-auth 4 answers 500.",
        explains: |d| d.is_v4() && d.is_get() && d.is_at(&["/callback/credentials"]) && d.is_refused(),
    },
    Deliberate {
        title: "There is no sign-in by e-mail",
        reason: "So there is no page that says that an e-mail was sent.",
        explains: |d| d.is_get() && d.is_at(&["/verify-request"]),
    },
    Deliberate {
        title: "Auth routes are matched exactly",
        reason: "The route is decided on the same canonical path as the rules: `/%73ession` is `/session`, \
                 `/authcsrf` is a page of the site, and nothing may follow a route that takes nothing. `/signin/undefined` is that of a provider, which Auth.js 5 takes for none.",
        explains: |d| {
            let route = d.route();
            let depth = route.split('/').filter(|segment| !segment.is_empty()).count();
            let most = if d.is_at(&["/signin/", "/callback/"]) { 2 } else { 1 };
            !route.starts_with('/') && !route.is_empty()
                || route.contains(['%', ';'])
                || route.contains("//")
                || route.contains("/.")
                || route.ends_with("/undefined")
                || depth > most
        },
    },
    Deliberate {
        title: "HEAD is answered like GET",
        reason: "RFC 9110 section 9.3.2 requires it, and monitors use it. Auth.js answers 400 or 405. Only the \
                 callback does not answer: a look at it must not use up its code.",
        explains: |d| d.sent.method == "HEAD",
    },
    Deliberate {
        title: "A person on plain http goes to https",
        reason: "Who opens an auth route of a public host on plain http is sent to the same address on https, once in a minute. Auth.js \
                 answers on http.",
        explains: |d| {
            let page = d.sent.url.split('?').next().unwrap_or_default().replacen("http://", "https://", 1);
            !d.site.secure
                && d.is_get()
                && d.is_navigation()
                && d.locations().1.is_some_and(|to| to.starts_with(&page))
        },
    },
    Deliberate {
        title: "People who navigate come to a page, or go on",
        reason: "A callback that is opened again or too late, a plain link to a provider, a form of yesterday and an address \
                 that does not exist are no fault of the site: people get the sign-in page with what happened \
                 (`SignInExpired`), a page, or where they wanted to go if they are signed in; the address that they wanted \
                 is kept. Scripts get the answers of Auth.js. next-auth 4's page also gets the API's own `code`.",
        explains: |d| {
            let is_error = |to: &str| to.contains("error=") || to.contains("csrf=true");
            let authjs_refuses = d.authjs_status().starts_with('4')
                || d.authjs_fails()
                || d.locations().0.is_some_and(is_error);
            d.is_navigation() && (authjs_refuses || (d.is_get() && d.is_at(&["/signin", "/signin/"])))
        },
    },
    Deliberate {
        title: "An empty session cookie is removed",
        reason: "Auth.js leaves an empty one in the browser, and Next.js hides one that does not decode from \
                 next-auth 4.",
        explains: |d| {
            let name = d.site.names().session().to_owned();
            let is_broken = |value: &str| value.is_empty() || is_broken_encoding(value);
            d.is_at(&["/session", "/signout"])
                && d.cookies().iter().any(|(it, value)| *it == name && is_broken(value))
                && d.concerns_session()
                && d.vestibule.is_some_and(|it| it.starts_with("expired"))
        },
    },
];

/// The entry that explains a difference. Those whose titles begin with one of the lines of `AUTHJS_WITHOUT` do not, so that what
/// they explain is shown.
pub fn reason(difference: &Difference<'_>) -> Option<&'static Deliberate> {
    static WITHOUT: LazyLock<String> = LazyLock::new(|| env::var("AUTHJS_WITHOUT").unwrap_or_default());
    let is_out = |title: &str| WITHOUT.lines().any(|beginning| title.starts_with(beginning));
    DELIBERATE.iter().filter(|entry| !is_out(entry.title)).find(|entry| (entry.explains)(difference))
}

/// The addresses of the providers that there are.
const KNOWN: &[&str] = &["/signin/acme", "/signin/hub", "/signin/credentials"];

/// Whether an aspect is a cookie of an attempt to sign in.
fn is_of_attempt(site: Site, aspect: &str) -> bool {
    aspect.strip_prefix("cookie ").and_then(|name| Role::of(site, name)) == Some(Role::Attempt)
}

/// What a session of Vestibule may have in addition to the claims of Auth.js's.
const ADDITIONAL: &[&str] = &[
    "sid",
    "provider",
    "provider_iat",
    "signed_in_at",
    "access_token",
    "refresh_token",
    "expires_at",
    "email_verified",
    "auth_time",
    "acr",
    "amr",
];

/// Whether Vestibule's new session has all claims of Auth.js's, and additional ones.
fn says_more(d: &Difference<'_>) -> bool {
    has_more(d, &["sid", "provider", "signed_in_at", "access_token"], &[])
}

/// Whether Vestibule's session has all claims of Auth.js's, these, and others of `ADDITIONAL` and of `further` only.
fn has_more(d: &Difference<'_>, more: &[&str], further: &[&str]) -> bool {
    let claims = |text: Option<&str>| serde_json::from_str::<Value>(text?).ok();
    let (Some(Value::Object(authjs)), Some(Value::Object(vestibule))) =
        (claims(d.authjs), claims(d.vestibule))
    else {
        return false;
    };
    let is_subject = |claim: &str| d.site.dialect == Dialect::AuthJsV5 && claim == "sub";
    let may_be_there =
        |claim: &str| authjs.contains_key(claim) || [ADDITIONAL, further].concat().contains(&claim);
    authjs.iter().all(|(claim, value)| is_subject(claim) || vestibule.get(claim) == Some(value))
        && vestibule.keys().all(|claim| may_be_there(claim))
        && more.iter().all(|claim| vestibule.contains_key(*claim))
}
