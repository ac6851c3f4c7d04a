//! `[vars.AUTH]`: the whole site, and the tables in it.

use super::Kind::{Bool, Hidden, Map, Table, Text, TextOrList, Texts, TopLevelTables};
use super::providers::PROVIDER;
use super::rules::RULE;
use super::{
    AUDIT, Keys, METRICS, PAGES, REFRESH, RESOURCE, REVOCATION, SESSION, THEME, TRANSMITTER, UPSTREAM,
    VERIFY, keys,
};
use crate::session::dialect::Dialect;

/// Auth.js 5 and next-auth 4.
pub(in crate::config) const DIALECTS: [(&str, Dialect); 2] =
    [("authjs-v5", Dialect::AuthJsV5), ("next-auth-v4", Dialect::NextAuthV4)];

/// `[vars.AUTH]`
pub(in crate::config) const AUTH: Keys = &[keys! {
    /// The path below which Vestibule answers itself: sign-in, callback, sign-out, session and its other routes. It begins
    /// with a slash and ends without one. next-auth's own default is `/api/auth`.
    base_path: Text, default = "/auth", example = "/api/auth";
    /// The Auth.js version whose session cookies are written and whose answers are given. Sessions of both versions are
    /// read. Choose `"next-auth-v4"` for an app that uses next-auth 4.
    dialect: Text, values = DIALECTS, default = "authjs-v5", example = "next-auth-v4";
    /// Who may see a path that no rule matches: signed-in users only, or everyone.
    default_access: Text, values = super::rules::ACCESS, default = "signed-in", example = "public";
    /// The origin of the host that signs users in for all other hosts of the site: scheme, host and port, without a path.
    /// All hosts use the same `base_path`.
    login_url: Text, unset = "each host signs users in itself", example = "https://auth.example.com",
        needs = "`cookies.domain`, which must cover this host; `https`, except on this machine";
    /// The hosts that a return address may name, besides the host of the request and the hosts that `cookies.domain`
    /// covers. `*.example.com` is every name below `example.com`, but not `example.com` itself.
    trusted_hosts: TextOrList, default = [], example = ["app.example.com", "*.example.org"];
    /// Hosts of other domains, such as deployments of pull requests, that this site signs users in for: each of them gets a
    /// session of its own from the host of `login_url`. `*.preview.example.dev` is every name below `preview.example.dev`. Anyone
    /// who can put an app there gets what its visitors' sessions give an upstream (see docs/previews.md).
    preview_hosts: TextOrList, default = [], example = ["*.preview.example.dev"],
        needs = "`login_url`; hosts outside of `cookies.domain`; a wildcard below a domain of your own, not below a public suffix such as `pages.dev`";
    /// The origins whose pages may send requests with a session to this site's hosts: forms, scripts and WebSockets of a
    /// sibling subdomain. Without it, only pages of the same origin may (see "Requests from other origins" in docs/guard.md).
    /// `https://*.example.com` is every origin below `example.com`. Pages of an origin that is written in full may also read
    /// `/session`, `/csrf` and the answers with which a guarded path is denied (CORS; see "CORS" in docs/subdomains.md).
    trusted_origins: TextOrList, default = [], example = ["https://shop.example.com"],
        needs = "origins of the same site: the session's cookie is sent with no request from another site";
    /// The trusted origins whose pages may read the access token, too: from `/token`, and in `/session`. Pages of other
    /// trusted origins see the session without it.
    token_origins: TextOrList, default = [], example = ["https://shop.example.com"],
        needs = "each one in `trusted_origins`, in full; `session.expose` with the access token";
    /// The origin under which browsers reach this deployment, where it stands behind a proxy that ends TLS or changes the host. Every request counts as one for this host, also for rules and upstreams, whatever other host leads here.
    origin: Text, unset = "the origin of each request's URL", example = "https://app.example.com",
        needs = "one host: not with `login_url`";
    /// Header fields that the network in front of this deployment is configured to set, in place of a client's own copy:
    /// they pass to upstreams. Cloudflare's usual ones pass anyway; other fields by which a network or a gateway speaks are
    /// removed (see "What a client cannot say" in docs/upstreams.md).
    edge_headers: TextOrList, default = [], example = ["Cf-Ipcity", "True-Client-IP"],
        needs = "a setting of the network, such as a Managed Transform, that sets the field in every request";
    /// The session's cookies.
    cookies: Table(COOKIES);
    /// How long a session is valid, and which part of it scripts can see and change.
    session: Table(SESSION);
    /// The claims that a sign-in puts into the sealed session, for rules, headers and `session.expose`. Each key is the
    /// name of a claim, each value is the path of its data (see "Paths into data").
    claims: Map(&Text), default = {}, example = { "roles": "profile.realm_access.roles" },
        needs = "the data must fit into the session's cookies; a claim cannot be a refresh token";
    /// The providers that sign users in, in the order of the sign-in page.
    providers: TopLevelTables(PROVIDER), needs = "at least one, except where `login_url` names a host that has them";
    /// How access tokens are refreshed.
    refresh: Table(REFRESH);
    /// How sessions end before they expire: a sign-out reaches every copy of a session's cookie.
    revocation: Table(REVOCATION);
    /// Who may see which paths. The first rule that matches a request decides; where none matches, `default_access` does.
    rules: TopLevelTables(RULE);
    /// Where requests are forwarded to. The first upstream whose host matches gets the request; where none matches, it goes
    /// to the zone's own origin with nothing added.
    upstreams: TopLevelTables(UPSTREAM);
    /// Your own pages in place of Vestibule's.
    pages: Table(PAGES);
    /// How Vestibule's pages show whose site it is.
    theme: Table(THEME);
    /// The languages of Vestibule's pages. The first one is for people who prefer none of the others. People say what they
    /// prefer by `ui_locales` in the page's address, or by their browser's `Accept-Language`.
    languages: TextOrList, unset = "`en`, `de`, `fr`, `es`, `pt` and `ja`, and those of `texts`", example = ["de", "en"],
        needs = "tags of built-in languages, or of those in `texts`";
    /// Texts of Vestibule's pages in place of the built-in ones, by language and key; docs/pages.md lists the keys. A language
    /// that is not built in has the English text where it has none.
    texts: Map(&Texts), default = {}, example = { "en": { "support": "Call 555-0100" }, "it": { "sign_in": "Accedi" } },
        needs = "the placeholder of the built-in text, for example `{provider}`";
    /// What `GET BASE_PATH/verify` accepts from another proxy that asks it about requests (forward-auth).
    verify: Table(VERIFY);
    /// Who may send security events, which end sessions: at `BASE_PATH/security-events`, and with `global_token_revocation` at
    /// `BASE_PATH/global-token-revocation` (docs/logout.md).
    event_transmitters: TopLevelTables(TRANSMITTER), needs = "`revocation.store`";
    /// Who signed in, who was refused and by which rule, who signed out: for whom it may concern later.
    audit: Table(AUDIT);
    /// How often rules decided what, how refreshes ended, and how long the store and providers take.
    metrics: Table(METRICS);
    /// Parts of the site whose clients send access tokens for exactly that part, and find out by themselves where to get them:
    /// MCP servers and APIs (docs/mcp.md).
    resources: TopLevelTables(RESOURCE);
    /// Never written here: `AUTH_SECRET` is a secret of the environment.
    secret: Hidden;
}];

const COOKIES: Keys = &[keys! {
    /// The domain whose hosts share the session. Without it, a session belongs to the host that created it.
    domain: Text, unset = "the session stays on its host", example = "example.com",
        needs = "a domain of your own, not a public suffix such as `co.uk`";
    /// What the names of all cookies begin with: `acme.session-token`. Cookies named `authjs.*` and `next-auth.*` are then
    /// the app's own: they are neither read nor removed, and upstreams get them. For several projects on `localhost`, a
    /// site below the domain of another one, and an app with an Auth.js of its own. A new prefix signs every user out.
    prefix: Text, unset = "`authjs`, or `next-auth` in that dialect", example = "acme",
        needs = "at most 32 letters, digits, `-` and `_`; not `authjs` or `next-auth`";
    /// Names the session's cookie `__Host-authjs.session-token`, so that no other host of the domain can set it. On `http`
    /// the name has no such prefix, because browsers accept it on `https` only. An app that opens the cookie needs its name.
    /// Changing this key signs every user out.
    host_prefix: Bool, default = false, example = true, needs = "no `cookies.domain`, and so no `login_url`";
}];
