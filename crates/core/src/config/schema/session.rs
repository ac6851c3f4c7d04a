//! `[vars.AUTH.session]`

use super::Kind::{BoolOrText, Duration, DurationOrNone, Map, Text, TextOrList};
use super::{Keys, keys};
use crate::session::tokens::TokenStorage;

/// The word for `persistent` that leaves the choice to the person who signs in.
pub(in crate::config) const ASK: [&str; 1] = ["ask"];

pub(in crate::config) const TOKEN_STORAGES: [(&str, TokenStorage); 3] =
    [("cookie", TokenStorage::Cookie), ("none", TokenStorage::None), ("store", TokenStorage::Store)];

pub(in crate::config) const SESSION: Keys = &[keys! {
    /// How long a session is valid after its last renewal, from 1 minute to 400 days (browsers keep no cookie longer).
    max_age: Duration, default = "30d", example = "12h";
    /// How old a session may be before a request renews it, from 0 seconds to `max_age`. With `"0s"` each request renews
    /// it.
    update_age: Duration, default = "1d", example = "1h", needs = "at most `max_age`";
    /// How long after the sign-in a session ends, however often it was renewed; from 1 minute to 3650 days. `"none"`: only
    /// `max_age` limits a session. If `max_age` is longer than the default, the default is as long as `max_age`.
    absolute_max_age: DurationOrNone, default = "90d", example = "12h", needs = "at least `max_age`, where both are written";
    /// How long a session may go on without the provider's word that its user and claims are still good, from 1 minute to
    /// `max_age`. Then the next request refreshes the tokens, whether or not anything needs them, and waits for it.
    revalidate: Duration, unset = "the provider is asked when the session is renewed (`update_age`), where there is a refresh token",
        example = "15m", needs = "at most `max_age`";
    /// Whether the session's cookie stays in the browser when it closes. `"ask"`: the form of a `credentials` provider asks
    /// with a checkbox; other sign-ins stay.
    persistent: BoolOrText, values = ASK, default = true, example = "ask";
    /// What `GET BASE_PATH/session` shows besides name, email and image. Each key is a path in that answer, each value is the
    /// path of a claim in the sealed session. Every script of your pages can read it.
    expose: Map(&Text), default = {}, example = { "access_token": "access_token", "user.roles": "roles" },
        needs = "claims that `claims` puts into the session; never a refresh token";
    /// The claims that a script may change with `update()` of Auth.js's client. A signed-in user can give them any value.
    updatable: TextOrList, default = [], example = ["theme"],
        needs = "claims that no rule and no `allow` requires and no upstream receives";
    /// Where the provider's tokens are. `"cookie"`: in the sealed session. `"none"`: nowhere, for a site that uses no access
    /// token; a refresh token stays in the session where `revalidate` is set or where the sign-out revokes it
    /// (`token_revocation`). `"store"`: in the shared store, sealed by a key that only the cookie has, so that the cookie is
    /// small.
    tokens: Text, values = TOKEN_STORAGES, default = "cookie", example = "store",
        needs = "`\"none\"`: nothing that uses an access token; `\"store\"`: the binding of the shared store";
}];
