//! The auth routes: one table, which finds the flow of a request and is the reference in docs/routes.md.

use vestibule_oidc::http::request::Method;

/// What a request below `base_path` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    SignInPage,
    SignIn,
    ReceiveSignIn,
    Callback,
    PostedCallback,
    SignOutPage,
    SignOut,
    SignOutCallback,
    Session,
    UpdateSession,
    Csrf,
    Providers,
    Token,
    Renew,
    GivePreviewSession,
    TakePreviewSession,
    EndPreviewSession,
    StepUp,
    InitiateLogin,
    ErrorPage,
    FindKeptForm,
    ShowKeptForm,
    Verify,
    Revoke,
    BackchannelLogout,
    FrontchannelLogout,
    SecurityEvents,
    GlobalTokenRevocation,
    Keys,
    ClientKeys,
    ClientLog,
    Health,
    HealthDetails,
}

/// Where a route exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    /// On every host and in every dialect.
    Everywhere,
    /// On the host that `login_url` names.
    LoginHost,
    /// On a host that `preview_hosts` names.
    PreviewHost,
    /// With `dialect = "next-auth-v4"`.
    NextAuthV4,
    /// Where an operator has a secret.
    Operator,
    /// Where a provider's logout tokens end sessions.
    Backchannel,
    /// Where a provider's logout page ends sessions by a frame.
    Frontchannel,
    /// Where someone may send security events.
    Transmitter,
    /// Where someone may revoke everything that a user has.
    GlobalRevocation,
    /// Where a provider has `initiate_login = true`.
    InitiatedLogin,
    /// Where a monitor has a secret.
    Monitor,
}

/// The methods of a route.
#[derive(Clone, Copy)]
enum Methods {
    /// GET, and HEAD, which is GET whose body the platform leaves out (RFC 9110 section 9.3.2).
    Get,
    /// GET alone: what it carries works once, and a HEAD that only looks whether an address is there must not use it up.
    GetWithoutHead,
    Post,
    Any,
}

use Methods::{Any, Get, GetWithoutHead, Post};
use Only::{
    Backchannel, Everywhere, Frontchannel, GlobalRevocation, InitiatedLogin, LoginHost, Monitor, NextAuthV4,
    Operator, PreviewHost, Transmitter,
};

/// A row of the table.
struct Entry {
    methods: Methods,
    /// Below `base_path`; `:provider` is any one segment.
    path: &'static str,
    route: Route,
    only: Only,
    /// Not in a release build: the Worker has no use for it.
    #[cfg(feature = "reference")]
    doc: Doc,
}

/// What the reference says about a route.
#[cfg(feature = "reference")]
struct Doc {
    about: &'static [&'static str],
    answers: &'static str,
    authjs: &'static str,
}

macro_rules! routes {
    ($(
        $(#[doc = $about:literal])+
        $methods:ident $path:literal => $route:ident, $only:ident, answers = $answers:literal, authjs = $authjs:literal;
    )+) => {
        &[$(Entry {
            methods: $methods,
            path: $path,
            route: Route::$route,
            only: $only,
            #[cfg(feature = "reference")]
            doc: Doc { about: &[$($about),+], answers: $answers, authjs: $authjs },
        }),+]
    };
}

/// The first entry that fits a request is its route.
const ROUTES: &[Entry] = routes! {
    /// Shows the sign-in page, or sends the browser to `pages.sign_in` or to the sign-in page of the host of `login_url`.
    Get "/signin" => SignInPage, Everywhere,
        answers = "200, a page; 302", authjs = "the same";
    /// Begins a sign-in without naming a provider. Form or JSON: `csrfToken`, `callbackUrl`.
    Post "/signin" => SignIn, Everywhere,
        answers = "302 to the sign-in page", authjs = "the same";
    /// Continues a sign-in that began on another host, with the ticket of that host. A prefetch gets 503.
    GetWithoutHead "/signin/:provider" => ReceiveSignIn, LoginHost,
        answers = "302 to the provider; without a ticket, to the sign-in page", authjs = "none";
    /// Shows the sign-in page: next-auth 4 takes a provider there for an error.
    GetWithoutHead "/signin/:provider" => SignInPage, NextAuthV4,
        answers = "200, a page; 302", authjs = "the same in next-auth 4";
    /// Begins a sign-in with a provider. Form or JSON: `csrfToken`, `callbackUrl`; further parameters of the query go to the provider.
    Post "/signin/:provider" => SignIn, Everywhere,
        answers = "302 to the provider; for a script, 200 with `{\"url\":…}`", authjs = "the same";
    /// Ends a sign-in: checks the provider's response, requests the tokens, and creates the session.
    GetWithoutHead "/callback/:provider" => Callback, Everywhere,
        answers = "302 to the return address, with the session; after an error, to the error or sign-in page", authjs = "the same";
    /// Ends a sign-in whose response is posted (`response_mode = "form_post"`), or signs in with the fields of a `credentials` provider
    /// and `csrfToken`.
    Post "/callback/:provider" => PostedCallback, Everywhere,
        answers = "302 to the return address, with the session; for a script, 200 with `{\"url\":…}` (next-auth 4: 401 after a refusal)",
        authjs = "the same";
    /// Shows the sign-out page, or sends the browser to `pages.sign_out`.
    Get "/signout" => SignOutPage, Everywhere,
        answers = "200, a page; 302", authjs = "the same";
    /// Ends the session; with `logout` of the provider, the provider's session too. Form or JSON: `csrfToken`, `callbackUrl`.
    Post "/signout" => SignOut, Everywhere,
        answers = "302 to the return address, or first to the provider; for a script, 200 with `{\"url\":…}`", authjs = "the same";
    /// Ends a sign-out at the provider (`logout`): the one address to which providers send people back. A prefetch gets 503.
    GetWithoutHead "/signout/callback" => SignOutCallback, Everywhere,
        answers = "302 to the return address of the sign-out; without its `state`, to the start page", authjs = "none";
    /// Shows the session: `user`, `expires`, and what `session.expose` adds. Renews it when it is due, and its tokens where they are
    /// shown. Pages of `trusted_origins` can read it, without the access token unless they are in `token_origins`.
    Get "/session" => Session, Everywhere,
        answers = "200, JSON; `null` (next-auth 4: `{}`) without a session", authjs = "the same; writes the cookie each time";
    /// Changes the claims in `session.updatable`. JSON: `csrfToken`, `data`.
    Post "/session" => UpdateSession, Everywhere,
        answers = "200, the session as JSON; 400 without a valid `csrfToken`; 503 with `Retry-After` where the session has newer \
                   tokens, or is about to get them",
        authjs = "the same, with the callback `jwt`";
    /// Gives a token against forged requests, and the cookie that belongs to it. Pages of `trusted_origins` can read it.
    Get "/csrf" => Csrf, Everywhere,
        answers = "200, `{\"csrfToken\":…}`", authjs = "the same";
    /// Lists the providers.
    Get "/providers" => Providers, Everywhere,
        answers = "200, JSON: `id`, `name`, `type`, `signinUrl`, `callbackUrl` of each", authjs = "the same";
    /// Gives a script of the same origin, or of `token_origins`, that sends `X-Vestibule-Token: 1` the access token, refreshed where it is due. Only where
    /// `session.expose` shows the token.
    Get "/token" => Token, Everywhere,
        answers = "200, JSON: `access_token`, `expires_at`; 401 without a session; 403 for other origins; 503 with `Retry-After`", authjs = "none";
    /// Refreshes the access token for another host of the site and sends the browser back there.
    Get "/renew" => Renew, LoginHost,
        answers = "302 to the return address, or to the sign-in page; 503 with `Retry-After`", authjs = "none";
    /// Signs the user in where necessary, and sends the browser back to a host of `preview_hosts` with a code for that host and
    /// this browser. A prefetch gets 503.
    GetWithoutHead "/preview" => GivePreviewSession, LoginHost,
        answers = "302 to `/preview/callback` of that host, or to the sign-in page; 403, a page, for any other host; 503 with `Retry-After`", authjs = "none";
    /// Takes the code that the login host gave this browser, and makes it a session of this host. A prefetch gets 503.
    GetWithoutHead "/preview/callback" => TakePreviewSession, PreviewHost,
        answers = "302 to the return address, with the session; without a valid code, to the error page", authjs = "none";
    /// Ends the session of a user who has signed out on a host of `preview_hosts`, with the code of that host for this session. A
    /// prefetch gets 503.
    GetWithoutHead "/signout/preview" => EndPreviewSession, LoginHost,
        answers = "302 to where the sign-out leads, or first to the provider; without a valid code, to the start page", authjs = "none";
    /// Begins a step-up that a rule asks for (docs/guard.md), with the sealed request of a host of the site. A prefetch gets 503.
    GetWithoutHead "/step-up" => StepUp, Everywhere,
        answers = "302 to the session's provider; 302 to the sign-in page without a session; 403, a page; 503 with `Retry-After`",
        authjs = "none";
    /// Begins a sign-in that another site asks for, or goes on with the session that there is: `iss`, `login_hint`,
    /// `target_link_uri` (OpenID Connect Core 1.0 section 4; docs/sessions.md). A prefetch gets 503.
    GetWithoutHead "/initiate-login" => InitiateLogin, InitiatedLogin,
        answers = "302 to the provider, or to `target_link_uri` with a session; 400 for another issuer; 403 in a frame", authjs = "none";
    /// The same with a form.
    Post "/initiate-login" => InitiateLogin, InitiatedLogin,
        answers = "302 to the same address with the form's fields in its query; 400, 403", authjs = "none";
    /// Shows what went wrong, or sends the browser to `pages.error`.
    Get "/error" => ErrorPage, Everywhere,
        answers = "200, 403 or 500, a page; 302", authjs = "the same";
    /// Finds the form that this tab keeps, because it was sent after the session had ended.
    Get "/form" => FindKeptForm, Everywhere,
        answers = "200, a page; 302 to the sign-in page", authjs = "none";
    /// Shows that form to the user whose session it was, with a button that sends it. Form: `form`, what the tab keeps.
    Post "/form" => ShowKeptForm, Everywhere,
        answers = "200, 401, 403 or 410, a page", authjs = "none";
    /// Says to another proxy whether a request may pass, and as whom (docs/proxies.md).
    Any "/verify" => Verify, Everywhere,
        answers = "204 with header fields for the app; 302, 401, 403, 404 or 503", authjs = "none";
    /// Revokes a session, the sessions of a user or of a provider's session, or everything, for an operator who sends
    /// `Authorization: Bearer` with `AUTH_REVOKE_SECRET` (docs/sessions.md). JSON.
    Post "/revoke" => Revoke, Operator,
        answers = "200, `{\"revoked\":true}`, whether or not there is such a session; 400, 401, 413, 429; 503 if it could not be stored", authjs = "none";
    /// Ends the sessions that a provider's logout token names (docs/logout.md). Form: `logout_token`.
    Post "/backchannel-logout" => BackchannelLogout, Backchannel,
        answers = "200; 400 `{\"error\":\"invalid_request\",…}`; 429; 503 if it could not be stored, or the provider's keys are unavailable", authjs = "none";
    /// Ends the sessions that belong to the provider's session of the parameters `iss` and `sid`. For a frame of the provider's
    /// logout page (docs/logout.md).
    GetWithoutHead "/frontchannel-logout" => FrontchannelLogout, Frontchannel,
        answers = "200, an empty page; 400, 429, 503", authjs = "none";
    /// Receives a security event token (RFC 8935), and ends the sessions that it names (docs/logout.md).
    Post "/security-events" => SecurityEvents, Transmitter,
        answers = "202; 400 `{\"err\":…,\"description\":…}`; 429; 503 if it could not be stored, or the transmitter's keys are unavailable", authjs = "none";
    /// Revokes everything that a user has here, for a caller who sends a JWT of its own (docs/logout.md). JSON: `sub_id`.
    Post "/global-token-revocation" => GlobalTokenRevocation, GlobalRevocation,
        answers = "204; 400, 401, 404, 429; 503 if it could not be stored", authjs = "none";
    /// Says to a load balancer, on any host, that the configuration loads; where it does not, every path answers 500. It asks nobody
    /// (docs/operating.md).
    Get "/health" => Health, Everywhere,
        answers = "200, `{\"status\":\"ok\"}`", authjs = "none";
    /// Says to a monitor that sends `Authorization: Bearer` with `AUTH_HEALTH_SECRET` how the store, the lock, and each provider's metadata
    /// are (docs/operating.md).
    Get "/health/details" => HealthDetails, Monitor,
        answers = "200, or 503 where one of them fails, with JSON; 401, 429", authjs = "none";
    /// Publishes the keys that `X-Vestibule-Assertion` is checked with.
    Get "/jwks.json" => Keys, Everywhere,
        answers = "200, a JWK Set; 404 where no upstream receives assertions", authjs = "none";
    /// Publishes the public half of the keys with which Vestibule authenticates at providers, signs requests to them and decrypts their tokens.
    Get "/client-keys.json" => ClientKeys, Everywhere,
        answers = "200, a JWK Set; 404 where no provider has `AUTH_<ID>_PRIVATE_KEY` or `AUTH_<ID>_DECRYPTION_KEY`", authjs = "none";
    /// Logs an error that next-auth 4's client reports.
    Post "/_log" => ClientLog, NextAuthV4,
        answers = "200", authjs = "the same in next-auth 4";
};

/// The route of a request: its method, and its path below `base_path`.
pub(super) fn find(method: &Method, path: &[&str], exists: impl Fn(Only) -> bool) -> Option<Route> {
    let is_it = |entry: &&Entry| entry.methods.have(method) && fits(entry.path, path) && exists(entry.only);
    ROUTES.iter().find(is_it).map(|entry| entry.route)
}

/// Whether a path is one that only providers call. It is nothing where that is off.
pub(super) fn is_of_providers(path: &[&str]) -> bool {
    let only = [Backchannel, Frontchannel, Transmitter, GlobalRevocation];
    ROUTES.iter().any(|entry| only.contains(&entry.only) && fits(entry.path, path))
}

impl Methods {
    fn have(self, method: &Method) -> bool {
        match self {
            Get => matches!(method, Method::Get | Method::Head),
            GetWithoutHead => *method == Method::Get,
            Post => *method == Method::Post,
            Any => true,
        }
    }

    #[cfg(feature = "reference")]
    fn name(self) -> &'static str {
        match self {
            Get | GetWithoutHead => "GET",
            Post => "POST",
            Any => "any",
        }
    }
}

fn fits(pattern: &str, path: &[&str]) -> bool {
    // By bytes: a search for a character in each of so many short texts takes longer.
    let mut segments = pattern.as_bytes().split(|byte| *byte == b'/').skip(1);
    let fits = |part: &[u8], segment: &str| part == b":provider" || part == segment.as_bytes();
    path.iter().all(|segment| segments.next().is_some_and(|part| fits(part, segment)))
        && segments.next().is_none()
}

/// A route, in words.
#[cfg(feature = "reference")]
#[derive(Clone, Debug)]
pub struct RouteReference {
    /// `GET`, `POST` or `any`.
    pub method: &'static str,
    /// Below `base_path`.
    pub path: &'static str,
    /// What it does.
    pub about: String,
    /// Status and body.
    pub answers: &'static str,
    /// What Auth.js has for it.
    pub authjs: &'static str,
    /// Where it exists, if not everywhere.
    pub only: Option<&'static str>,
}

/// Every route, in the order of the table.
#[cfg(feature = "reference")]
pub fn reference() -> Vec<RouteReference> {
    let describe = |entry: &Entry| {
        let lines: Vec<&str> = entry.doc.about.iter().map(|line| line.trim()).collect();
        RouteReference {
            method: entry.methods.name(),
            path: entry.path,
            about: lines.join(" "),
            answers: entry.doc.answers,
            authjs: entry.doc.authjs,
            only: match entry.only {
                Everywhere => None,
                LoginHost => Some("on the host of `login_url`"),
                PreviewHost => Some("on a host of `preview_hosts`"),
                NextAuthV4 => Some("with `dialect = \"next-auth-v4\"`"),
                Operator => Some("with the secret `AUTH_REVOKE_SECRET`"),
                Backchannel => Some("with `backchannel_logout` of a provider and a store of revocations"),
                Frontchannel => Some("with `frontchannel_logout` of a provider and a store of revocations"),
                Transmitter => Some("with `event_transmitters` and a store of revocations"),
                GlobalRevocation => {
                    Some("with `global_token_revocation` of a transmitter and a store of revocations")
                }
                Monitor => Some("with the secret `AUTH_HEALTH_SECRET`"),
                InitiatedLogin => Some("where a provider has `initiate_login = true`"),
            },
        }
    };
    ROUTES.iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_found_by_method_path_and_where_it_exists() {
        let everywhere = |only| only == Everywhere;
        let everything = |_| true;
        for (method, path, everywhere_it_is, with_all) in [
            (Method::Get, &["session"][..], Some(Route::Session), Some(Route::Session)),
            (Method::Head, &["session"], Some(Route::Session), Some(Route::Session)),
            (Method::Post, &["session"], Some(Route::UpdateSession), Some(Route::UpdateSession)),
            (Method::Get, &["signin", "acme"], None, Some(Route::ReceiveSignIn)),
            (Method::Head, &["signin", "acme"], None, None),
            (Method::Head, &["callback", "acme"], None, None),
            (Method::Get, &["callback", "acme"], Some(Route::Callback), Some(Route::Callback)),
            (Method::Get, &["callback"], None, None),
            (Method::Get, &["callback", "acme", "x"], None, None),
            (Method::Post, &["signin"], Some(Route::SignIn), Some(Route::SignIn)),
            (Method::Post, &["_log"], None, Some(Route::ClientLog)),
            (Method::Get, &["renew"], None, Some(Route::Renew)),
            (Method::Options, &["verify"], Some(Route::Verify), Some(Route::Verify)),
            (Method::Get, &[], None, None),
            (Method::Get, &[":provider"], None, None),
        ] {
            assert_eq!(find(&method, path, everywhere), everywhere_it_is, "{path:?}");
            assert_eq!(find(&method, path, everything), with_all, "{path:?}");
        }
    }
}
