//! The table of all events. A new one goes here, with its own text, and into the code where it happens; then
//! `UPDATE=1 cargo test -p vestibule-core --test events_document` writes `docs/events.md`.

use super::AuditKind;
use super::event::{
    Case, Entry,
    ErrorSource::{self, Client, Configuration, Platform, Provider},
    Field, Group,
    Level::{self, Error, Info, Warn},
};

/// Makes the enum, and its entries, from one list.
macro_rules! events {
    (@audit) => { None };
    (@audit $kind:ident) => { Some(AuditKind::$kind) };
    (@is_only) => { false };
    (@is_only $kind:ident) => { true };
    ($([$group:ident] $($variant:ident {
        name: $name:literal,
        cases: [$source:ident => $level:ident $(, $other_source:ident => $other_level:ident)*],
        fields: [$($field:ident),*],
        $(audit: $audit:ident,)?
        $(only_audit: $only:ident,)?
        meaning: $meaning:literal,
        action: $action:literal,
    })+)+) => {
        /// An event of the log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LogEvent {
            $($(#[doc = $meaning] $variant,)+)+
        }

        impl LogEvent {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$($(Self::$variant),+),+];

            /// What the table says of it.
            pub fn entry(self) -> &'static Entry {
                match self {
                    $($(Self::$variant => &Entry {
                        name: $name,
                        group: Group::$group,
                        usual_case: Case { error_source: $source, level: $level },
                        other_cases: &[$(Case { error_source: $other_source, level: $other_level }),*],
                        fields: &[$(Field::$field),*],
                        audit: events!(@audit $($audit)? $($only)?),
                        is_audit_only: events!(@is_only $($only)?),
                        meaning: $meaning,
                        action: $action,
                    },)+)+
                }
            }
        }
    };
}

events! {
    [Configuration]
    ConfigurationInvalid {
        name: "configuration_invalid",
        cases: [Configuration => Error],
        fields: [Request],
        audit: Configuration,
        meaning: "The configuration has an error, or a secret or a binding is missing. Every request is answered with \
            500 until it is fixed. There is one line for each error.",
        action: "Do what the message says: it begins with the key or the name of the secret, and says what is wrong \
            there and how to fix it.",
    }
    ConfigurationAdvice {
        name: "configuration_advice",
        cases: [Configuration => Warn],
        fields: [],
        audit: Configuration,
        meaning: "The configuration is valid, but one of its settings can lead to errors later; or a certificate of \
            a server of your own is not valid now. Logged once, when an instance of the runtime loads the configuration.",
        action: "Change the setting as the message says, or write the value that it names, to confirm that it is \
            wanted. Renew the certificate.",
    }
    AuditNotDelivered {
        name: "audit_not_delivered",
        cases: [Platform => Error],
        fields: [],
        meaning: "A sink of the audit log (`audit.sinks`) does not take its lines: it does not answer, answers with an error, or is \
            not bound. They wait, 500 at most in each process, and are sent again; older ones are dropped. No request waits for \
            it. Logged once a minute in each process.",
        action: "Do what the message says. The lines that were dropped are in the log, if `audit.sinks` has `log`.",
    }
    MetricsNotWritten {
        name: "metrics_not_written",
        cases: [Platform => Error],
        fields: [],
        meaning: "The dataset of metrics (`metrics.sink`) does not take them. Requests are answered all the same; what they counted \
            is lost. Logged once in each process.",
        action: "Do what the message says: most likely the binding is missing.",
    }
    HealthCheckRejected {
        name: "health_check_rejected",
        cases: [Client => Warn],
        fields: [Request],
        audit: Denial,
        meaning: "A request to `/health/details` was rejected: without the right secret (401), or after too many wrong ones from \
            its address (429).",
        action: "If it is your own monitor, let it send `Authorization: Bearer` with `AUTH_HEALTH_SECRET`. Otherwise somebody \
            is trying: the route tells them nothing.",
    }

    [SignIn]
    SignedIn {
        name: "signed_in",
        cases: [Client => Info],
        fields: [Provider, Request],
        only_audit: SignIn,
        meaning: "A user signed in, or the provider confirmed the user without a question; or a preview host got a session of the \
            login host.",
        action: "Nothing.",
    }
    SignedOut {
        name: "signed_out",
        cases: [Client => Info],
        fields: [Provider, Request],
        only_audit: SignOut,
        meaning: "A user signed out. The message says whether everywhere, and whether every process will learn of it.",
        action: "Nothing.",
    }
    SteppedUp {
        name: "stepped_up",
        cases: [Client => Info],
        fields: [Provider, Request],
        only_audit: StepUp,
        meaning: "A user proved what a rule asks for (`acr`, `amr`, `max_age`).",
        action: "Nothing.",
    }
    AuthError {
        name: "auth_error",
        cases: [Client => Info, Provider => Warn, Configuration => Error],
        fields: [Provider, Code, Request],
        audit: Denial,
        meaning: "An auth route could not do what was requested. The client got the error `code`, as in Auth.js. With \
            error source `client` somebody sent something invalid, entered wrong credentials, or took too long. With \
            `provider` a request to the provider failed, or its response is invalid. With `configuration` no sign-in \
            of this kind can succeed.",
        action: "For `client` nothing, unless it happens often. For `provider` look up the message in the provider's \
            documentation, and compare its configuration with the provider's registration of this client. For \
            `configuration` fix what the message names.",
    }
    AuthorizationErrorResponse {
        name: "authorization_error_response",
        cases: [Provider => Info],
        fields: [Provider, Code, Request],
        audit: Denial,
        meaning: "The provider sent the browser back with an error response (RFC 6749 section 4.1.2.1). Most often the \
            user cancelled the sign-in: `access_denied`.",
        action: "Nothing for `access_denied`. For `invalid_scope`, `unauthorized_client` or `invalid_request` correct \
            the provider's configuration or the registration of this client. `invalid_request` after \"Sign in with a \
            different account\" is most often a provider that does not know `prompt=select_account`: write its \
            `switch_account_params`.",
    }
    TlsEndsInFront {
        name: "tls_ends_in_front",
        cases: [Configuration => Warn],
        fields: [Request],
        audit: Configuration,
        meaning: "A sign-in begins over plain http, although the browser uses https: a proxy in front of this deployment \
            ends TLS. The redirect URI of the sign-in and the names of the cookies are those of http.",
        action: "Write `origin = \"https://HOST\"` with the host that browsers see (docs/proxies.md).",
    }
    ClaimMissing {
        name: "claim_missing",
        cases: [Provider => Info],
        fields: [Provider, Request],
        meaning: "A user signed in, and what the provider says of them has nothing at the path of a claim in \
            `claims`. The session does not have this claim.",
        action: "If all users of the provider should have the claim, correct its path, or request the scope that it \
            needs.",
    }
    GroupsLeftOut {
        name: "groups_left_out",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "The ID token does not contain the groups of the user, because there are too many (Microsoft Entra ID: \
            over 200), and they were not fetched, or not given. The user is signed in without the claim `groups`.",
        action: "At the provider, emit only the groups that are assigned to the application, or use app roles. Or fetch \
            the groups from Microsoft Graph: `groups_overage` (docs/providers.md).",
    }
    EmailsRequestFailed {
        name: "emails_request_failed",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "The provider did not answer the request for the list of the user's e-mail addresses with such a \
            list. The user is signed in without an e-mail address.",
        action: "Request the scope that the list needs (at GitHub `user:email`), or correct `emails`.",
    }
    RefreshTokenMissing {
        name: "refresh_token_missing",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "A sign-in brought no refresh token, although the site forwards or shows the access token, or the login \
            of `credentials` has a path for it. The user is signed in, and has to sign in again when the access token \
            expires: silently, if an OpenID provider allows it.",
        action: "Ask for what the message says: usually the scope `offline_access`, at some providers also \
            `authorization_params = { prompt = \"consent\" }`. With credentials, correct the path \
            `login.refresh_token`, or remove it if the API has no refresh tokens.",
    }
    AuthorizationDetailsUnexpected {
        name: "authorization_details_unexpected",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "The token response has `authorization_details` (RFC 9396) that grant more than the configuration asks for, \
            which the session still has; or such that are malformed, or longer than 8 kB, which it does not have.",
        action: "Compare what the provider grants with `authorization_details` of its configuration. If a user may choose \
            more, write that there.",
    }
    SessionExpiryIgnored {
        name: "session_expiry_ignored",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "The ID token has a claim `session_expiry` that is not a time, or not one within the next ten years. \
            The session ends by `max_age` and `absolute_max_age` only.",
        action: "Correct at the provider what it writes into this claim: whole seconds since 1970.",
    }
    LoginLimited {
        name: "login_limited",
        cases: [Client => Warn],
        fields: [Provider, Code, Request],
        audit: RateLimit,
        meaning: "There were too many attempts to sign in with a form: for one account from one address, from one address, \
            or for one account from many addresses; the message says which. The form was not sent to the API, and the \
            answer is 429.",
        action: "If there are many, someone guesses passwords: look whose requests they are, and block them in front of \
            the Worker. If users are in their way, bind other limits (docs/credentials.md).",
    }
    LoginLimitFailed {
        name: "login_limit_failed",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "The runtime's rate limiter did not answer, so this process counts attempts to sign in by itself. Logged \
            once a minute in each process.",
        action: "See the status of the runtime, and whether the two bindings are rate limiters.",
    }
    SignInHandoffFailed {
        name: "sign_in_handoff_failed",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A browser came from another host of the site to sign in at the login host, without a valid ticket. \
            It got the sign-in page instead.",
        action: "Nothing if it is rare: somebody opened an old link, or waited too long. If it happens with every \
            sign-in, give both hosts the same `AUTH_SECRET` and `cookies.domain`.",
    }
    StepUpFailed {
        name: "step_up_failed",
        cases: [Provider => Info, Client => Info],
        fields: [Provider, Request],
        audit: StepUp,
        meaning: "A rule asked a user who is signed in for a stronger or a more recent authentication (`acr`, `amr`, \
            `max_age`), and the provider did not confirm it: the user cancelled, or signed in there as somebody else, or \
            the ID token has less than was asked. The user got a page with 403, and the session stays as it was. With \
            error source `client` the address at which it begins had expired.",
        action: "Nothing if it is rare. If it happens with every user, compare the rule with what the provider says of \
            itself (`acr_values_supported`), and with how it authenticates this client's users.",
    }
    InitiatedLoginInvalid {
        name: "initiated_login_invalid",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "Another site sent a browser to `initiate-login`, and not as OpenID Connect says: for an issuer that no \
            provider with `initiate_login = true` has (answered with 400), in a frame (403), or to an address that is not \
            of this site: then the person signs in, and comes to the start page.",
        action: "If it is your provider's portal, compare what it sends with the provider's `issuer`, and add the host of \
            `target_link_uri` to `trusted_hosts` if it is yours. Otherwise nothing.",
    }
    PreviewHostRejected {
        name: "preview_host_rejected",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A browser came to the login host for a session of another domain, and the address is not one of \
            `preview_hosts`, or was not sent by a preview host. It got a page with 403 and no code.",
        action: "If the host is one of your previews, add it to `preview_hosts` of the login host, as `https`.",
    }
    PreviewCodeRejected {
        name: "preview_code_rejected",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A browser came to a preview host with a code that is not valid there: it is another browser's or another \
            host's, or was used before, or has expired. No one was signed in by it.",
        action: "Nothing if it is rare: somebody went back in their history, or waited too long. If it happens with every \
            sign-in, give both deployments the same `AUTH_SECRET`.",
    }
    PreviewCodeNotChecked {
        name: "preview_code_not_checked",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The lock did not say whether a code for a preview host was used before, so it was not accepted. The \
            user can try again.",
        action: "See why the runtime's lock does not answer.",
    }
    ProviderLogoutFailed {
        name: "provider_logout_failed",
        cases: [Provider => Warn, Configuration => Warn],
        fields: [Provider, Request],
        meaning: "A user signed out here, but was not sent to the provider to sign out there: its metadata is \
            unavailable, or has no `end_session_endpoint`.",
        action: "With error source `configuration` set `logout` to the URL of the provider's logout endpoint. \
            Otherwise see why the provider does not answer.",
    }
    LogoutReturnRejected {
        name: "logout_return_rejected",
        cases: [Client => Info],
        fields: [Request],
        meaning: "A browser came back from a sign-out at a provider without the `state` that belongs to its own sign-out, so \
            it went to the start page. No session was ended or changed by it.",
        action: "Nothing if it is rare: somebody waited too long, went back in their history, or followed a link to this \
            address. If it happens with every sign-out, the provider does not return `state`: see `logout_redirect_param`.",
    }
    TokenRevocationFailed {
        name: "token_revocation_failed",
        cases: [Provider => Warn, Configuration => Warn],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A user signed out, and the provider did not revoke the refresh token (RFC 7009), also at the second \
            attempt where one could help. The user is signed out here; the refresh token is valid until the provider \
            ends it.",
        action: "With error source `configuration`, and if the provider supports no revocation of refresh tokens, \
            correct `token_revocation`. Otherwise see why the provider does not answer.",
    }
    TokenRevocationUnknown {
        name: "token_revocation_unknown",
        cases: [Provider => Info],
        fields: [Provider, Request],
        meaning: "A user signed out, and the provider's metadata name no endpoint that revokes refresh tokens (RFC 7009). \
            The user is signed out here; the refresh token is valid until the provider ends it.",
        action: "If the provider has such an endpoint, write its URL into `token_revocation`; if it has none, write \
            `false`.",
    }
    ClientErrorReported {
        name: "client_error_reported",
        cases: [Client => Info],
        fields: [Code, Request],
        meaning: "The client of next-auth 4 reported an error that happened in a browser. Anyone can send anything \
            here, so code and message are not trustworthy.",
        action: "Nothing. It can explain what a user complains about.",
    }
    HostOutsideSite {
        name: "host_outside_site",
        cases: [Configuration => Warn],
        fields: [Request],
        audit: Denial,
        meaning: "A request that needs a session came to a host outside of `cookies.domain`. Browsers do not send the \
            session there, so it is answered with 403.",
        action: "Let only hosts of the domain reach this deployment, give the other host a deployment of its own, or \
            make the paths public that everyone may see there.",
    }

    [Guard]
    AccessRefused {
        name: "access_refused",
        cases: [Client => Info],
        fields: [Provider, Rule, Request],
        only_audit: Denial,
        meaning: "A rule did not let a user pass who is signed in. `rule` is its place in the configuration (`AUTH.rules[1]`, \
            `AUTH.default_access`, or `hook` for an app's own), `reason` what the client got: `forbidden` or `not_found`. The message \
            says which requirement the user does not meet.",
        action: "Nothing, if the user is not meant to pass. Otherwise compare the requirement with the claims in \
            `GET /session`; `cargo xtask explain` says what the rules decide.",
    }
    SignInRequired {
        name: "sign_in_required",
        cases: [Client => Info],
        fields: [Rule, Request],
        only_audit: Anonymous,
        meaning: "A rule did not let a request without a session pass. The client was sent to sign in, or refused. Only where \
            `audit.kinds` names `anonymous`.",
        action: "Nothing.",
    }
    StepUpRequired {
        name: "step_up_required",
        cases: [Client => Info],
        fields: [Provider, Rule, Request],
        only_audit: StepUp,
        meaning: "A rule asked a user who is signed in for a stronger or a more recent authentication.",
        action: "Nothing.",
    }
    PathRejected {
        name: "path_rejected",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "The path of a request can be read in more than one way, for example because of an encoded slash or \
            a dot segment, so that it is unknown which rule holds. It is answered with 400; or with 414, if it is so long that \
            the rules would cost too much work.",
        action: "Nothing: such requests come from scanners. If an application needs such paths, encode them in another \
            way.",
    }
    CrossOriginRejected {
        name: "cross_origin_rejected",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A page of another origin made a browser send a request that may change something, with the session of \
            a user. The request was not forwarded with that session.",
        action: "Nothing, if the page is not yours. If its requests are wanted, add its origin to `trusted_origins`, or \
            write `cross_origin = \"allow\"` into the rule; for a resource, into its `origins`.",
    }
    BearerTokenRejected {
        name: "bearer_token_rejected",
        cases: [Client => Info, Provider => Warn, Configuration => Error],
        fields: [Provider, Request],
        audit: Denial,
        meaning: "A client sent an access token that is not accepted: it is invalid, expired, for another audience, or \
            its user is not allowed; or it is bound to a key, and the proof is missing, wrong or used. With error source \
            `provider` or `configuration` the token could not be checked, because the provider's metadata, keys or \
            introspection are unavailable; the client got 503.",
        action: "For `client` compare the token's issuer and audience with `issuer` and `accept_bearer`, or with the resource, \
            and the proof's address with the request's. For `provider` see why the provider does not answer.",
    }
    ProofReplaysUnseen {
        name: "proof_replays_unseen",
        cases: [Configuration => Warn],
        fields: [Provider, Request],
        meaning: "A client sends access tokens that are bound to a key (DPoP), and each process knows only the proofs that it saw \
            itself: for a minute, a copy of a proof works again at another one. Logged once in each process.",
        action: "Bind `AUTH_LEASE` and write `refresh.lease = \"durable-object\"` (elsewhere than on Workers: any `lease` but \
            `\"none\"`), or shorten the time with `accept_bearer.dpop_nonce = true` (docs/apis.md).",
    }
    ForwardAuthRejected {
        name: "forward_auth_rejected",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A request to `/verify` was rejected with 403: it does not come from a proxy that has \
            `AUTH_VERIFY_SECRET`, or does not say unambiguously which request the proxy asks about.",
        action: "If the proxy is yours, configure it as the message and docs/proxies.md say.",
    }
    AssertionNotSigned {
        name: "assertion_not_signed",
        cases: [Platform => Error],
        fields: [Request],
        meaning: "The runtime could not sign `X-Vestibule-Assertion`, or could not make the keys for it. The request \
            was answered with 500 and not forwarded.",
        action: "See what the runtime says in the message. Check that it supports ECDSA with P-256.",
    }
    HeaderNotSent {
        name: "header_not_sent",
        cases: [Configuration => Warn],
        fields: [Request],
        meaning: "A claim of the session cannot be the value of the header or cookie that the configuration gives it, or not \
            all of it. The request was forwarded without the header or cookie, or with the rest of the list.",
        action: "Do what the message says: name a value in place of an object, set `header_encoding` to `percent`, or use \
            `assertion`.",
    }
    UpstreamCookieDropped {
        name: "upstream_cookie_dropped",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "An upstream that gets `cookies` from the session set one of them, or one of the API's own token cookies, \
            and it changed nothing: the browser did not get it, and the session stays as it is. The message says why. \
            Usual reasons are a login by the app's own form, and an answer that came after a refresh.",
        action: "Nothing after a refresh. If the app still has its own login or refresh, let it use Vestibule's \
            (docs/stories/nestjs.md).",
    }
    ForwardFailed {
        name: "forward_failed",
        cases: [Platform => Warn, Configuration => Error, Client => Info],
        fields: [Request],
        meaning: "A request was not forwarded. With error source `platform` the upstream did not respond, and the \
            client got 502. With `configuration` an upstream names a service that the runtime does not have, and the \
            client got 500. With `client` the client did not send the whole body, which only a server of your own can tell, \
            and it got 400.",
        action: "See whether the upstream runs and is reachable; or bind the service, or correct `to` of the upstream.",
    }
    ForwardingLoop {
        name: "forwarding_loop",
        cases: [Configuration => Error],
        fields: [Request],
        meaning: "A request that Vestibule forwarded came back to it: the address of an upstream leads to this deployment. \
            The client got 508. The header field `Vestibule-Hops` of a forwarded request says where it was already.",
        action: "Correct `to` of the upstream. On a developer's machine `\"origin\"` is the Worker itself: write the address \
            of the app there (docs/develop.md).",
    }
    CacheControlNotSet {
        name: "cache_control_not_set",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The rule says `cache = \"no-store\"`, and the response of the upstream went out without it, because the \
            runtime cannot create such a response, for example one with a status above 599.",
        action: "Let the upstream answer with a status between 200 and 599, or send `Cache-Control` itself.",
    }
    ResponseNotCreated {
        name: "response_not_created",
        cases: [Platform => Error],
        fields: [Request],
        meaning: "The runtime refused to create a response. The client got a network error.",
        action: "Report it with the message: no request should cause this.",
    }

    [Session]
    SessionCookieInvalid {
        name: "session_cookie_invalid",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A browser sent a session cookie that is not valid: it has expired, or was sealed with another \
            secret. The user is not signed in.",
        action: "Nothing if it is rare. If it happens to everyone, the secret was changed: keep the old one \
            as `AUTH_SECRET`, and add the new one as `AUTH_SECRET_1`.",
    }
    SessionCookiesConflict {
        name: "session_cookies_conflict",
        cases: [Client => Warn],
        fields: [Request],
        audit: Denial,
        meaning: "A browser sent valid sessions of different users, and nothing in the request says which of them is \
            its user's. No one is signed in, and all of them are removed.",
        action: "Nothing if it happens for a while after `cookies.domain` was changed. Otherwise another host of the \
            domain sets session cookies: set `cookies.host_prefix` or `cookies.prefix`.",
    }
    SessionRevoked {
        name: "session_revoked",
        cases: [Client => Info],
        fields: [Request],
        audit: Denial,
        meaning: "A browser sent a session that was ended before it expired: by a sign-out, by \"sign out everywhere\", or \
            by an operator. The user is not signed in.",
        action: "Nothing: this is what a sign-out is for.",
    }
    RevocationUnavailable {
        name: "revocation_unavailable",
        cases: [Platform => Error],
        fields: [Request],
        meaning: "The store of revocations does not answer. Sessions that are known to be revoked stay out; the others \
            pass, but are neither renewed nor refreshed. With `revocation.on_unavailable = \"refuse\"` none passes. \
            Logged once a minute in each process.",
        action: "See why the store does not answer: the message has its error. Check its binding and its quota.",
    }
    RevocationUnreadable {
        name: "revocation_unreadable",
        cases: [Platform => Error],
        fields: [Request],
        meaning: "The store of revocations has a value that Vestibule did not write, or a time that is far in the \
            future. It is ignored.",
        action: "See who else writes into the store, and whether a clock is wrong.",
    }
    SessionsRevokedByOperator {
        name: "sessions_revoked_by_operator",
        cases: [Client => Warn],
        fields: [Request],
        audit: Revocation,
        meaning: "An operator revoked a session, the sessions of a user or of a provider's session, or everything \
            (`POST /revoke`). The message says which kind, and whether it was stored: the audit line.",
        action: "If it was not you, replace `AUTH_REVOKE_SECRET`, and find out who has it.",
    }
    SessionsEndedByProvider {
        name: "sessions_ended_by_provider",
        cases: [Provider => Info],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A provider ended sessions: by a logout token, by a frame of its logout page, by a security event, or by a \
            global token revocation. The message says which, with the name of the fact in the store.",
        action: "Nothing, unless the message says that it could not be stored: the provider got 503 and may try again.",
    }
    LogoutTokenRejected {
        name: "logout_token_rejected",
        cases: [Client => Warn, Provider => Warn],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A request to `/backchannel-logout` was rejected: its logout token has a flaw or is not the provider's, or the \
            provider's keys were unavailable (error source `provider`). It ended nothing.",
        action: "If the provider sent it, compare what the message names with the registration of this client there \
            (docs/logout.md). Otherwise somebody is trying, in vain.",
    }
    FrontchannelLogoutRejected {
        name: "frontchannel_logout_rejected",
        cases: [Client => Warn],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A request to `/frontchannel-logout` was rejected: not from a frame, without `iss` and `sid` of a provider, or \
            too often. It ended nothing.",
        action: "If the provider's logout page sent it, let it send `iss` and `sid` (docs/logout.md).",
    }
    SecurityEventReceived {
        name: "security_event_received",
        cases: [Provider => Info],
        fields: [Provider, Request],
        meaning: "A transmitter sent an event that ends no session: it verified the stream, the stream changed, or the event is \
            of a kind that means nothing here. It was acknowledged.",
        action: "Nothing. After a verification that you asked for, compare the state. A stream that is `paused` or `disabled` \
            sends no events: see why at the transmitter.",
    }
    SecurityEventNotApplied {
        name: "security_event_not_applied",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A transmitter says that a session was revoked or a credential changed, and names someone in a way that finds \
            no session here, for example by an e-mail address. It was acknowledged and ended nothing.",
        action: "Let the transmitter name users by `iss_sub`, with the provider's `sub` (docs/logout.md).",
    }
    SecurityEventRejected {
        name: "security_event_rejected",
        cases: [Client => Warn, Provider => Warn],
        fields: [Provider, Code, Request],
        audit: Revocation,
        meaning: "A request to `/security-events` was rejected: the token has a flaw or is not a transmitter's, or the \
            transmitter's keys were unavailable (error source `provider`). It ended nothing. `code` is what the sender got.",
        action: "If the transmitter sent it, compare what the message names with `event_transmitters` (docs/logout.md).",
    }
    GlobalRevocationRejected {
        name: "global_revocation_rejected",
        cases: [Client => Warn, Provider => Warn],
        fields: [Provider, Request],
        audit: Revocation,
        meaning: "A request to `/global-token-revocation` was rejected: the caller did not prove itself, the body names nobody \
            clearly, or the caller's keys were unavailable (error source `provider`). It ended nothing.",
        action: "If the provider sent it, compare what the message names with `event_transmitters` (docs/logout.md).",
    }
    RevokeRejected {
        name: "revoke_rejected",
        cases: [Client => Warn],
        fields: [Request],
        audit: Revocation,
        meaning: "A request to `/revoke` was rejected: without the right secret, with a body that says nothing clear, or \
            too often.",
        action: "If it is your own tool, do what the message says. Otherwise somebody is trying: consider a firewall \
            rule for the path.",
    }
    RevocationNotStored {
        name: "revocation_not_stored",
        cases: [Platform => Error],
        fields: [Request],
        audit: Revocation,
        meaning: "A sign-out, or an operator's revocation, could not be stored, also not when it was tried again. This \
            process lets the session not pass; other processes may. The write is repeated a few times after the \
            response.",
        action: "See why the store does not answer: the message has its error. For a user who has to be out, \
            repeat the revocation (`POST /revoke`).",
    }
    SessionTooLarge {
        name: "session_too_large",
        cases: [Configuration => Error],
        fields: [Request],
        meaning: "A session became too large for cookies, so the browser keeps its old one: it does not get refreshed \
            tokens, or its session is not extended.",
        action: "Put fewer or smaller claims into the session (`claims`, hooks), or keep the tokens out of the cookie \
            (`session.tokens`).",
    }
    CookiesLarge {
        name: "cookies_large",
        cases: [Configuration => Warn],
        fields: [Request],
        meaning: "The cookies of this site in a request have 8 kB or more together. Many servers and proxies refuse \
            requests whose header fields are larger than 8 to 16 kB. It is logged once in each process.",
        action: "Keep the tokens out of the cookie (`session.tokens`), or put fewer or smaller claims into the session.",
    }
    TokensUnavailable {
        name: "tokens_unavailable",
        cases: [Platform => Warn, Configuration => Error],
        fields: [Request],
        meaning: "The store with the tokens of sessions (`session.tokens = \"store\"`) did not answer, or is not bound. \
            Requests that need a token get 503, all others pass. It is logged once a minute in each process.",
        action: "Check the binding of the store, and the status of the runtime.",
    }
    TokensLost {
        name: "tokens_lost",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The store does not have the tokens of a session, or has something else in their place. Where a request \
            needs them, its user signs in again.",
        action: "Nothing if it is rare. Otherwise something deletes or overwrites the store's keys, or hosts that share \
            the session have different stores.",
    }
    TokensNotStored {
        name: "tokens_not_stored",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The tokens of a session could not be written to the store, so they are in its cookie until the next \
            refresh.",
        action: "Nothing if it is rare; otherwise as for `tokens_unavailable`.",
    }
    TokensNotDeleted {
        name: "tokens_not_deleted",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The tokens of a session that has ended could not be deleted from the store. They stay there, sealed by a \
            key that only its cookie has, until they expire.",
        action: "Nothing if it is rare; otherwise as for `tokens_unavailable`.",
    }
    SessionNotUpdated {
        name: "session_not_updated",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "The session's cookies could not be added to a response of an upstream, because the runtime cannot \
            create such a response, for example one with a status above 599. The next response updates the session.",
        action: "Let the upstream answer with a status between 200 and 599.",
    }

    [Refresh]
    TokenRefreshed {
        name: "token_refreshed",
        cases: [Provider => Info],
        fields: [Provider, Request],
        only_audit: Refresh,
        meaning: "The provider gave new tokens for a session. There is one line for each refresh, not for each request that waited \
            for it.",
        action: "Nothing.",
    }
    RefreshFailed {
        name: "refresh_failed",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "The provider did not answer a refresh request with tokens, for a reason that may pass. The session \
            stays; once its access token has expired, requests that need it get 503.",
        action: "See whether the provider works. If it never succeeds, the message says what of its response is not \
            as expected.",
    }
    RefreshMisconfigured {
        name: "refresh_misconfigured",
        cases: [Configuration => Error],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "The provider does not accept this client (`invalid_client`, `unauthorized_client`), or no refresh \
            is configured. The session stays; it is tried again after a minute.",
        action: "Check the client's id and secret, its authentication method, and whether the provider allows it the \
            refresh token grant.",
    }
    TokenExchanged {
        name: "token_exchanged",
        cases: [Provider => Info],
        fields: [Provider, Request],
        only_audit: Refresh,
        meaning: "The provider gave a token for an upstream in place of the session's access token, or of that of an API client. \
            There is one line for each exchange, not for each request that uses the token.",
        action: "Nothing.",
    }
    TokenExchangeFailed {
        name: "token_exchange_failed",
        cases: [Provider => Warn, Configuration => Error],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "The provider gave no token for an upstream that gets one of its own (`exchange`), or one that is not what was \
            asked for. Requests to that upstream get 503; the session stays. The provider is asked again after 5 seconds, or \
            when it says; with error source `configuration` after a minute.",
        action: "With error source `configuration`, correct what the message names: the audience or the scope in `exchange`, or \
            what the provider allows this client. Otherwise see what the provider says of the user, and whether it works.",
    }
    UpstreamRefreshed {
        name: "upstream_refreshed",
        cases: [Platform => Info],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "An upstream that gets `cookies` from the session answered with new tokens of the same user, and the \
            session has them now.",
        action: "Nothing.",
    }
    UpstreamSignedOut {
        name: "upstream_signed_out",
        cases: [Platform => Info],
        fields: [Provider, Request],
        audit: SignOut,
        meaning: "An upstream that gets `cookies` from the session removed the cookie with the access token. The session \
            has ended.",
        action: "Nothing, if the user signed out in the app. Otherwise see why the upstream removes the cookie.",
    }
    RefreshTokenInvalid {
        name: "refresh_token_invalid",
        cases: [Provider => Info],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "The refresh token is expired, revoked or used (`invalid_grant`). The user has to sign in again.",
        action: "Nothing if it matches the provider's lifetimes. If it happens soon after signing in, two requests \
            used one refresh token: choose another lease (docs/refresh.md).",
    }
    ClaimsNotRefreshed {
        name: "claims_not_refreshed",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        audit: Refresh,
        meaning: "A refresh brought new tokens, but not what the provider or the API now says about the user: userinfo \
            or the profile failed, took longer than two seconds, or cannot be read. The claims of the session stay as \
            they are until the next refresh.",
        action: "See what the message says. If it happens with every refresh, roles that are taken away stay in \
            sessions: correct `userinfo` or `profile`, or the scope.",
    }
    SessionNoLongerAllowed {
        name: "session_no_longer_allowed",
        cases: [Provider => Info],
        fields: [Provider, Request],
        audit: Denial,
        meaning: "After a refresh, `allow` or a hook no longer lets the user in, or the provider says that it is another \
            user. The session has ended.",
        action: "Nothing, if the user was meant to lose access. Otherwise compare what the provider says with `allow`.",
    }
    LeaseUnavailable {
        name: "lease_unavailable",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "The store or lock that keeps two requests from using one refresh token did not answer. The token \
            was not refreshed; it is tried again after some seconds. At a sign-out: it is unknown whether the session has \
            newer tokens, and those would not be revoked at the provider.",
        action: "Check the binding of the store or lock (`refresh.lease`), and the status of the runtime.",
    }
    LeaseNotReleased {
        name: "lease_not_released",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "A refresh failed, and its lease could not be released. Others can try again when the lease expires.",
        action: "Nothing if it is rare; otherwise as for `lease_unavailable`.",
    }
    RefreshedTokensNotStored {
        name: "refreshed_tokens_not_stored",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "Refreshed tokens could not be stored for other requests with the old ones. The browser of this \
            request has them. If its response gets lost, the user has to sign in again where the provider accepts a \
            refresh token only once.",
        action: "Nothing if it is rare; otherwise as for `lease_unavailable`.",
    }
    SignOutNotStored {
        name: "sign_out_not_stored",
        cases: [Platform => Warn],
        fields: [Request],
        meaning: "A user signed out, but that could not be stored. A refresh that is under way elsewhere at the same \
            time may bring the session back.",
        action: "Nothing if it is rare; otherwise as for `lease_unavailable`.",
    }
    SignOutCheckFailed {
        name: "sign_out_check_failed",
        cases: [Platform => Warn],
        fields: [Provider, Request],
        meaning: "After a refresh it is unknown whether the user signed out elsewhere meanwhile. The refreshed tokens \
            are used.",
        action: "Nothing if it is rare; otherwise as for `lease_unavailable`.",
    }
    TokenNotRefreshed {
        name: "token_not_refreshed",
        cases: [Configuration => Warn],
        fields: [Request],
        meaning: "The login host sent a browser back without a valid access token. The request got 503, and the \
            browser is not sent there again for a minute.",
        action: "See the login host's log, and give both hosts the same `AUTH_SECRET` and `cookies.domain`.",
    }

    [Provider]
    ProviderMetadataStale {
        name: "provider_metadata_stale",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "The provider's metadata or keys could not be fetched, and the copy of an earlier fetch is used, for \
            a day at most.",
        action: "See whether the provider works, and whether `issuer` is still its address.",
    }
    IdTokenNotVerified {
        name: "id_token_not_verified",
        cases: [Provider => Warn],
        fields: [Provider, Request],
        meaning: "A refresh brought an ID token, and the provider's keys were unavailable. Its claims were checked \
            and its signature was not: it came directly from the token endpoint (OpenID Connect Core 1.0 section \
            3.1.3.7).",
        action: "See whether the provider's `jwks_uri` works.",
    }
}

impl LogEvent {
    /// The value of the line's field `event`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// How much it matters where it is the error of `error_source`.
    pub fn level(self, error_source: ErrorSource) -> Level {
        let entry = self.entry();
        entry.cases().find(|case| case.error_source == error_source).unwrap_or(entry.usual_case).level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_as_its_variant_and_has_every_text() {
        for event in LogEvent::ALL {
            let mut name = String::new();
            for c in format!("{event:?}").chars() {
                if c.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
            }
            assert_eq!(event.name(), name);
            let entry = event.entry();
            for text in [entry.meaning, entry.action] {
                assert!(text.ends_with('.') && !text.contains("  "), "{name}: {text}");
            }
            for case in entry.cases() {
                let levels = entry.cases().filter(|other| other.error_source == case.error_source).count();
                assert_eq!((event.level(case.error_source), levels), (case.level, 1), "{name}");
            }
        }
    }
}
