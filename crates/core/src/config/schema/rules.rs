//! `[[vars.AUTH.rules]]`

use super::Kind::{BoolOrText, ClaimTest, Duration, Map, TableList, Text, TextOrList, WordOrTable};
use super::{Keys, keys};
use crate::guard::decision::DefaultAccess;
use crate::guard::principals::Principals;
use crate::guard::rules::{Caching, Deny};

/// The values of `default_access`.
pub(in crate::config) const ACCESS: [(&str, DefaultAccess); 2] =
    [("signed-in", DefaultAccess::SignedIn), ("public", DefaultAccess::Public)];

/// Who may pass by `access` of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum RuleAccess {
    /// Everyone.
    Public,
    /// These, if they meet what the rule requires in addition.
    Of(Principals),
}

/// The values of `access` of a rule.
pub(in crate::config) const RULE_ACCESS: [(&str, RuleAccess); 4] = [
    ("signed-in", RuleAccess::Of(Principals::Users)),
    ("public", RuleAccess::Public),
    ("client", RuleAccess::Of(Principals::Clients)),
    ("signed-in-or-client", RuleAccess::Of(Principals::UsersAndClients)),
];

/// The values of `deny`: the response to a user who may not pass.
pub(in crate::config) const DENY: [(&str, Deny); 3] =
    [("sign-in", Deny::SignIn), ("forbidden", Deny::Forbidden), ("not-found", Deny::NotFound)];

/// Whether pages of other origins may send requests with a session.
pub(in crate::config) const CROSS_ORIGIN: [(&str, bool); 2] = [("refuse", false), ("allow", true)];

/// Whether a public path runs server functions for everyone.
pub(in crate::config) const SERVER_FUNCTIONS: [(&str, bool); 2] = [("signed-in", false), ("public", true)];

/// Whether paths with `//` or encoded slashes pass.
pub(in crate::config) const AMBIGUOUS_SLASHES: [(&str, bool); 2] = [("refuse", false), ("allow", true)];

/// Which caches may store responses.
pub(in crate::config) const CACHE: [(&str, Caching); 2] =
    [("upstream", Caching::ByUpstream), ("no-store", Caching::Forbidden)];

/// Where a condition looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ConditionType {
    Header,
    Cookie,
    Query,
    Host,
}

pub(in crate::config) const CONDITION_TYPES: [(&str, ConditionType); 4] = [
    ("header", ConditionType::Header),
    ("cookie", ConditionType::Cookie),
    ("query", ConditionType::Query),
    ("host", ConditionType::Host),
];

pub(in crate::config) const RULE: Keys = &[keys! {
    /// The paths of this rule, in Next.js's matcher syntax (docs/guard.md). The query is not looked at.
    match: TextOrList, example = ["/admin/:path*", "/settings"], needs = "required";
    /// The host of this rule. `*.example.com` is every name below `example.com`.
    host: Text, unset = "every host", example = "app.example.com";
    /// The methods of this rule, in upper case. `GET` includes `HEAD`.
    methods: TextOrList, unset = "every method", example = ["POST", "DELETE"];
    /// Who may pass: everyone, signed-in users, clients that have an access token of their own and no user (docs/apis.md), or
    /// both. With the last two, `require` may say what they need in addition. As soon as a rule names clients, all others are for
    /// users only.
    access: Text, values = RULE_ACCESS, example = "public",
        needs = "each rule has `access`, or `require` and `email_domain`; both only where `access` names clients; for clients a provider with \
            `accept_bearer`";
    /// The claims that a signed-in user must have; all of them. Each key is the path of a claim in the session, each value is what
    /// it must be: one value, several of which one is enough, or `{ not = … }` and `{ exists = … }`.
    require: Map(&ClaimTest), example = { "roles": ["admin", "owner"] },
        needs = "claims that `claims` puts into the session, and none of `session.updatable`";
    /// The domains of which the user's email address must have one. Each subdomain is a domain of its own.
    email_domain: TextOrList, example = ["example.com"],
        needs = "an email address that the provider says is verified (`email_verified` of the provider); a provider without a preset may say nothing";
    /// What a user gets who may not pass: the sign-in page (403 where the user is signed in already), 403, or 404.
    deny: Text, values = DENY, default = "sign-in", example = "not-found", needs = "not with `access = \"public\"`";
    /// Whether requests that change something, and WebSockets, may come from pages of other origins: `"allow"` switches the
    /// protection against cross-site request forgery off for this rule.
    cross_origin: Text, values = CROSS_ORIGIN, default = "refuse", example = "allow",
        needs = "an upstream that protects itself, for example with a token in its forms";
    /// Whether a public path runs server functions for everyone (React's `use server`): `"public"` allows it.
    server_functions: Text, values = SERVER_FUNCTIONS, default = "signed-in", example = "public",
        needs = "an upstream with `framework = \"nextjs\"`, and server functions that check themselves who calls them";
    /// Whether paths with `//` or encoded slashes (`%2F`) pass, as GitLab, npm registries, RabbitMQ and Jenkins need them.
    /// Servers disagree about what they mean, so all of them are decided by this rule, whatever others match.
    ambiguous_slashes: Text, values = AMBIGUOUS_SLASHES, default = "refuse", example = "allow",
        needs = "`match = \"/:path*\"` without further conditions, and no other rule of the host that restricts more";
    /// Which caches may keep the responses: with `"no-store"` none, not even the browser's, so that the back button shows
    /// nothing after a sign-out. By default the upstream decides.
    cache: Text, values = CACHE, default = "upstream", example = "no-store";
    /// Conditions on the request, all of which must hold. A client can choose its headers, cookies and query freely.
    has: TableList(CONDITION), default = [], example = [{ "type": "header", "key": "x-preview" }];
    /// Conditions on the request, none of which may hold.
    missing: TableList(CONDITION), default = [], example = [{ "type": "cookie", "key": "draft" }];
    /// Where this rule's requests go, as `to` of an upstream. Such a rule takes nothing over from an upstream: no token, no
    /// headers, no cookies, no assertion.
    to: Text, unset = "the upstream of the host", example = "service:API", needs = "`service:` and `assets:`: that binding in wrangler.toml";
    /// As `strip_prefix` of an upstream, for the server in `to`.
    strip_prefix: Text, unset = "the server gets the whole path", example = "/api", needs = "`to` in the same rule";
    /// As `authorization` of an upstream, in its place.
    authorization: WordOrTable(super::upstreams::AUTHORIZATION), unset = "the upstream's", example = "access_token";
    /// As `headers` of an upstream, in their place. An empty table sends none.
    headers: Map(&Text), unset = "the upstream's", example = { "X-User-Id": "sub" };
    /// As `cookies` of an upstream, in their place. An empty table sends none.
    cookies: Map(&Text), unset = "the upstream's; with `to`: none", example = { "access_token": "access_token" };
    /// As `header_encoding` of an upstream, in its place.
    header_encoding: Text, values = super::HEADER_ENCODINGS, unset = "the upstream's; with `to`: `utf-8`", example = "percent";
    /// As `assertion` of an upstream, in its place. `false` sends none.
    assertion: BoolOrText, unset = "the upstream's", example = "orders";
    /// The classes of authentication (`acr` of the ID token) of which the user must have proven one. A user who has not is sent
    /// to the provider for it; a script gets 401 `insufficient_user_authentication` (docs/guard.md).
    acr: TextOrList, unset = "any", example = "urn:example:mfa",
        needs = "`type = \"oidc\"`, and a provider that knows these values; not with `access = \"public\"`";
    /// The methods that the user must have authenticated with, all of them (`amr` of the ID token, RFC 8176). Otherwise as `acr`.
    /// Where one of several is enough, ask for it with `require = { amr = […] }`, which sends no one to the provider.
    amr: TextOrList, unset = "any", example = ["pwd", "otp"], needs = "as `acr`";
    /// How long ago the provider may have authenticated the user (`auth_time` of the ID token), from 1 minute to 400 days.
    /// Otherwise as `acr`.
    max_age: Duration, unset = "any time", example = "15m", needs = "as `acr`";
}];

const CONDITION: Keys = &[keys! {
    /// Where the condition looks.
    type: Text, values = CONDITION_TYPES, example = "cookie", needs = "required";
    /// The name of the header field, cookie or query parameter.
    key: Text, example = "draft", needs = "required, except with `type = \"host\"`, which has none";
    /// A regular expression that the whole value must match.
    value: Text, unset = "any value that is not empty", example = "[a-f0-9]{32}", needs = "required with `type = \"host\"`";
}];
