//! The targets, by what they read.

mod addresses;
mod configuration;
mod cookies;
mod events;
mod fields;
mod guard;
mod keys;
mod provider;
mod request;
mod store;
mod tokens;

use crate::{Shape, Target};

/// Every target.
pub const TARGETS: &[Target] = &[
    target(
        "cookie_header",
        "the Cookie fields of a request, against an obvious parser",
        cookies::header,
        1500,
    ),
    target(
        "session_chunks",
        "a session in several cookies: what was split is joined again, and nothing else",
        cookies::chunks,
        1500,
    ),
    target(
        "session_cookie",
        "the session's cookies: only what was sealed for them opens, and never another user's",
        cookies::session,
        300,
    ),
    target("api_set_cookie", "an API's Set-Cookie fields, against a browser's rules", cookies::of_api, 1500),
    target(
        "jwe",
        "sealed tokens: none opens that was changed, or sealed for something else",
        tokens::jwe,
        400,
    ),
    target(
        "jws",
        "signed tokens: none verifies that was changed, is not signed, or has another algorithm",
        tokens::jws,
        100,
    ),
    target(
        "jwk_set",
        "a provider's keys: public, strong, for signatures, and the same when they are written again",
        keys::set,
        800,
    ),
    target(
        "id_token",
        "the claims of an ID token, against the sentences of OpenID Connect Core 3.1.3.7",
        provider::id_token,
        1500,
    ),
    target(
        "token_response",
        "a token endpoint's answer: tokens fit into header fields, messages into a log",
        provider::token_response,
        1500,
    ),
    target(
        "userinfo",
        "userinfo and profiles: no other user's, and messages fit into a log",
        provider::userinfo,
        1500,
    ),
    target(
        "discovery",
        "a provider's metadata: no endpoint that another URL parser reads as another server",
        provider::discovery,
        1500,
    ),
    target(
        "authorization_response",
        "the parameters that come back from a provider: this state, this issuer, no parameter twice",
        provider::authorization_response,
        1500,
    ),
    target(
        "api_answer",
        "an API's answer to a login and a refresh: what refuses, and messages without tokens",
        provider::api_answer,
        800,
    ),
    target(
        "logout_token",
        "the claims of a logout token, against the steps of Back-Channel Logout 2.6",
        events::logout_token,
        1500,
    ),
    target("security_event", "the claims of a security event and its subject", events::security_event, 1500),
    target(
        "return_address",
        "return addresses: a browser that follows one stays on a trusted origin",
        addresses::return_address,
        3000,
    ),
    target(
        "request_path",
        "the path of a request: what servers make of it is among its readings",
        addresses::request_path,
        3000,
    ),
    target(
        "server_readings",
        "a guarded page under every name that servers have for it: never public",
        addresses::server_readings,
        1500,
    ),
    target(
        "path_pattern",
        "path patterns, against path-to-regexp's algorithm and a backtracking matcher",
        guard::path_pattern,
        2000,
    ),
    target(
        "regular_expression",
        "regular expressions, against a backtracking matcher",
        guard::regular_expression,
        2000,
    ),
    target(
        "configuration",
        "the configuration: each mistake has its place, one line, and no secret",
        configuration::configuration,
        300,
    ),
    target("form", "forms and JSON bodies, against obvious decoders", fields::form, 1500),
    target(
        "header_wire",
        "header fields between WebAssembly and JavaScript: the same on the other side, or refused",
        fields::wire,
        1500,
    ),
    target(
        "lock_call",
        "what a lock is asked and remembers: every call is answered, and a sign-out is never forgotten",
        store::lock_call,
        1500,
    ),
    target(
        "stored_values",
        "whatever a store holds: no panic, and a revoked session stays revoked",
        store::values,
        15,
    ),
    target(
        "request",
        "a whole request: no guarded page without a session, no header field of ours from a client",
        request::request,
        60,
    ),
];

const fn target(name: &'static str, about: &'static str, run: fn(&[u8]) -> Shape, slice: usize) -> Target {
    Target { name, about, run, slice }
}
