//! `[[vars.AUTH.upstreams]]`

use super::Kind::{Bool, BoolOrText, Map, Table, Text, TextOrList, WordOrTable};
use super::{Keys, keys};
use crate::upstream::header_value::HeaderEncoding;
use crate::upstream::{Framework, ServerReading};

/// The frameworks that are known.
pub(in crate::config) const FRAMEWORKS: [(&str, Framework); 1] = [("nextjs", Framework::NextJs)];

/// How characters outside ASCII are written.
pub(in crate::config) const HEADER_ENCODINGS: [(&str, HeaderEncoding); 2] =
    [("utf-8", HeaderEncoding::Utf8), ("percent", HeaderEncoding::Percent)];

/// The words of `exact_paths`.
pub(in crate::config) const EXACT_PATHS: [(&str, &[ServerReading]); 5] = [
    ("case", &[ServerReading::Case]),
    ("file-name", &[ServerReading::FileName]),
    ("script", &[ServerReading::Script]),
    ("suffix", &[ServerReading::Suffix]),
    ("all", &[ServerReading::Case, ServerReading::FileName, ServerReading::Script, ServerReading::Suffix]),
];

pub(in crate::config) const UPSTREAM: Keys = &[keys! {
    /// The host whose requests go to this upstream. `*.example.com` is every name below `example.com`.
    host: Text, unset = "every host", example = "app.example.com";
    /// Where the requests go: `"origin"` (the server that the DNS record of the host names), `"service:BINDING"` (another
    /// Worker), `"assets:BINDING"` (static files), or the origin of a server. Path and query stay those of the request.
    to: Text, example = "https://backend.example.net",
        needs = "required. `service:` and `assets:`: that binding in wrangler.toml; a URL: `https`, except on this machine";
    /// The beginning of the path that the server does not get: with `"/api"` it gets `/api/orders` as `/orders`. A path that
    /// does not begin with these segments is answered with 404. A redirect to a path of this server gets the prefix back.
    strip_prefix: Text, unset = "the server gets the whole path", example = "/api";
    /// The path of the token in the sealed session that is sent as `Authorization: Bearer`; or a table, for a token of this
    /// upstream's own. Requests without a session are forwarded without it.
    authorization: WordOrTable(AUTHORIZATION), unset = "no token is sent", example = "access_token",
        needs = "a sign-in that gives tokens; never a refresh token";
    /// Header fields for the upstream: each key is a field's name, each value is the path of a claim in the sealed session, or
    /// a text with such paths and secrets in braces: `"JWT {access_token}"`, `"{secret.API_KEY}"`. A text of which a claim is
    /// missing is not sent. A client's own copies of these fields are removed.
    headers: Map(&Text), default = {}, example = { "X-User-Email": "email", "Authorization": "JWT {access_token}" },
        needs = "claims that `claims` puts into the session; `{secret.NAME}`: the secret `AUTH_TEMPLATE_NAME`";
    /// Cookies for the upstream, with values as in `headers`. A client's own copies of these cookies are removed, and the
    /// upstream's own answers do not set them in the browser: new tokens in them refresh the session.
    cookies: Map(&Text), default = {}, example = { "access_token": "access_token" },
        needs = "claims that `claims` puts into the session";
    /// How characters outside ASCII are written in `headers`: as bytes of UTF-8, or percent-encoded, so that
    /// `decodeURIComponent` reads them. In a list, commas in members are percent-encoded with both.
    header_encoding: Text, values = HEADER_ENCODINGS, default = "utf-8", example = "percent";
    /// Whether the upstream receives the cookies of the sealed session. An app needs them for Auth.js's `getToken()`.
    forward_session: Bool, default = false, example = true, needs = "an app that knows `AUTH_SECRET`";
    /// Whether the upstream receives `X-Vestibule-Assertion`: a JWT that says who the user is, valid for 60 seconds. A string is
    /// its audience in place of the upstream's address.
    assertion: BoolOrText, default = false, example = true;
    /// The framework of this upstream, where it answers requests in ways that paths do not show. With `"nextjs"` a call of
    /// a server function on a public path needs a session.
    framework: Text, values = FRAMEWORKS, unset = "no framework is assumed", example = "nextjs";
    /// Languages that this upstream takes the first segment of a path for: `/de/admin` is then guarded like `/admin`.
    locales: TextOrList, default = [], example = ["en", "de"];
    /// How this upstream is known not to read paths. A rule that restricts a page also restricts the other names that some
    /// servers have for it: in another case (`case`), with dots or spaces at its end (`file-name`), behind a script
    /// (`script`), with the suffix of a page's data or file (`suffix`). `all` is each of these.
    exact_paths: TextOrList, values = EXACT_PATHS, default = [], example = ["case"];
}];

/// The keys of `authorization`, of upstreams and of rules.
pub(in crate::config) const AUTHORIZATION: Keys = &[keys! {
    /// The token that the provider gives for the session's access token, or for that of an API client (RFC 8693). The upstream
    /// gets it in place of that one (docs/token-exchange.md).
    exchange: Table(EXCHANGE), needs = "required; a provider that exchanges tokens for this client";
}];

const EXCHANGE: Keys = &[keys! {
    /// The names of the services that shall accept the token, as the provider knows them.
    audience: TextOrList, unset = "no audience is asked for", example = "orders",
        needs = "`audience`, `resource` or `scope`; not with Microsoft Entra ID, where `scope` says it";
    /// Their URIs, for a provider that knows services by these (RFC 8707).
    resource: TextOrList, unset = "no resource is asked for", example = "https://orders.example.com",
        needs = "as `audience`";
    /// The scopes that the token shall have: one string with spaces between them, or an array. A token with any other is refused.
    scope: TextOrList, unset = "the provider decides", example = "orders.read orders.write",
        needs = "required with Microsoft Entra ID: `RESOURCE/SCOPE`, or `RESOURCE/.default` for all that the user consented to";
}];
