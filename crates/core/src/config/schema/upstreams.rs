//! `[[vars.AUTH.upstreams]]`

use super::Kind::{Bool, BoolOrText, Map, Text};
use super::{Keys, keys};

pub(in crate::config) const UPSTREAM: Keys = &[keys! {
    /// The host whose requests go to this upstream. `*.example.com` is every name below `example.com`.
    host: Text, unset = "every host", example = "app.example.com";
    /// Where the requests go: `"origin"` (the server that the DNS record of the host names), `"service:BINDING"` (another
    /// Worker), `"assets:BINDING"` (static files), or the origin of a server. Path and query stay those of the request.
    to: Text, example = "https://backend.example.net",
        needs = "required. `service:` and `assets:`: that binding in wrangler.toml; a URL: `https`, except on this machine";
    /// The path of the token in the sealed session that is sent as `Authorization: Bearer`. Requests without a session are
    /// forwarded without it.
    authorization: Text, unset = "no token is sent", example = "access_token",
        needs = "a sign-in that gives tokens; never a refresh token";
    /// Header fields for the upstream: each key is a field's name, each value is the path of a claim in the sealed session. A
    /// client's own copies of these fields are removed.
    headers: Map(&Text), default = {}, example = { "X-User-Email": "email", "X-User-Roles": "roles" },
        needs = "claims that `claims` puts into the session";
    /// Whether the upstream receives the cookies of the sealed session. An app needs them for Auth.js's `getToken()`.
    forward_session: Bool, default = false, example = true, needs = "an app that knows `AUTH_SECRET`";
    /// Whether the upstream receives `X-Vestibule-Assertion`: a JWT that says who the user is, valid for 60 seconds. A string is
    /// its audience in place of the upstream's address.
    assertion: BoolOrText, default = false, example = true;
}];
