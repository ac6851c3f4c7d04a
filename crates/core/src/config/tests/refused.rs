//! Wrong configurations, and every line that is said about each.

/// `[vars.AUTH]` as JSON (with the provider `okta` where it names none), secrets that differ from
/// [`super::SECRETS`], the lines.
pub(super) const REFUSED: &[(&str, &str, &[&str])] = &[
    // the whole of it
    (
        "null",
        "{}",
        &[
            r#"AUTH: there is no configuration; add to wrangler.toml: `[vars.AUTH]`, `base_path = "/auth"`, `providers = [{ id = "okta" }]`"#,
        ],
    ),
    (
        "7",
        "{}",
        &[
            r#"AUTH: expected a table; add to wrangler.toml: `[vars.AUTH]`, `base_path = "/auth"`, `providers = [{ id = "okta" }]`"#,
        ],
    ),
    (
        "[]",
        "{}",
        &[
            r#"AUTH: expected a table; add to wrangler.toml: `[vars.AUTH]`, `base_path = "/auth"`, `providers = [{ id = "okta" }]`"#,
        ],
    ),
    (
        r#""""#,
        "{}",
        &[
            "AUTH: a string must hold a JSON object: broken at line 1, column 0; write a [vars.AUTH] table in wrangler.toml instead",
        ],
    ),
    (
        r#""{\"providers\": [""#,
        "{}",
        &[
            "AUTH: a string must hold a JSON object: broken at line 1, column 15; write a [vars.AUTH] table in wrangler.toml instead",
        ],
    ),
    (
        r#""[1]""#,
        "{}",
        &[
            r#"AUTH: a string must hold a JSON object; add to wrangler.toml: `[vars.AUTH]`, `base_path = "/auth"`, `providers = [{ id = "okta" }]`"#,
        ],
    ),
    (r#"{"basepath": "/auth"}"#, "{}", &[r#"AUTH.basepath: unknown key; did you mean "base_path"?"#]),
    (
        r#"{"secret": "hunter2hunter2hunter2", "sesion": {}, "zzz\n": 1}"#,
        "{}",
        &[
            r#"AUTH.sesion: unknown key; did you mean "session"?"#,
            r#"AUTH."zzz\n": unknown key; known here: base_path, dialect, default_access, login_url, trusted_hosts, cookies, session, claims, providers, refresh, rules, upstreams, pages, verify"#,
            "AUTH.secret: a secret does not belong into a file that is committed, nor into variables that the dashboard shows; remove it, make a new one with `openssl rand -base64 33` and set it with `wrangler secret put AUTH_SECRET`",
        ],
    ),
    // site
    (r#"{"base_path": 7}"#, "{}", &["AUTH.base_path: expected a string, got a number"]),
    (
        r#"{"base_path": "/"}"#,
        "{}",
        &[r#"AUTH.base_path: "/" leaves no path to the site; write for example "/auth""#],
    ),
    (
        r#"{"base_path": "/auth/"}"#,
        "{}",
        &[r#"AUTH.base_path: "/auth/" must begin with one slash and end with none; write "/auth""#],
    ),
    (
        r#"{"base_path": "auth"}"#,
        "{}",
        &[r#"AUTH.base_path: "auth" must begin with one slash and end with none; write "/auth""#],
    ),
    (
        r#"{"base_path": "//auth"}"#,
        "{}",
        &[r#"AUTH.base_path: "//auth" must begin with one slash and end with none; write "/auth""#],
    ),
    (
        r#"{"base_path": "/a//b"}"#,
        "{}",
        &[
            r#"AUTH.base_path: "/a//b" is more than names between single slashes; use letters, digits, "-", "_", "." and "~", for example "/auth""#,
        ],
    ),
    (
        r#"{"base_path": "/a/../b"}"#,
        "{}",
        &[
            r#"AUTH.base_path: "/a/../b" is more than names between single slashes; use letters, digits, "-", "_", "." and "~", for example "/auth""#,
        ],
    ),
    (
        r#"{"base_path": "/%61uth"}"#,
        "{}",
        &[
            r#"AUTH.base_path: "/%61uth" is more than names between single slashes; use letters, digits, "-", "_", "." and "~", for example "/auth""#,
        ],
    ),
    (
        r#"{"base_path": "/auth?x"}"#,
        "{}",
        &[
            r#"AUTH.base_path: "/auth?x" is more than names between single slashes; use letters, digits, "-", "_", "." and "~", for example "/auth""#,
        ],
    ),
    (
        r#"{"dialect": "authjs5"}"#,
        "{}",
        &[r#"AUTH.dialect: "authjs5" is not known; did you mean "authjs-v5"?"#],
    ),
    (
        r#"{"dialect": "v5"}"#,
        "{}",
        &[r#"AUTH.dialect: "v5" is not known; known here: authjs-v5, next-auth-v4"#],
    ),
    (
        r#"{"default_access": "privat"}"#,
        "{}",
        &[r#"AUTH.default_access: "privat" is not known; known here: signed-in, public"#],
    ),
    (
        r#"{"default_access": "signedin"}"#,
        "{}",
        &[r#"AUTH.default_access: "signedin" is not known; did you mean "signed-in"?"#],
    ),
    (
        r#"{"login_url": "https://auth.example.com"}"#,
        "{}",
        &[
            r#"AUTH.login_url: without cookies.domain a session stays on auth.example.com, and no other host sees it; write for example `[vars.AUTH.cookies]`, `domain = "example.com"`"#,
        ],
    ),
    (
        r#"{"login_url": "https://auth.example.com", "cookies": {"domain": "example.org"}}"#,
        "{}",
        &[
            r#"AUTH.login_url: auth.example.com is not within cookies.domain, "example.org"; write for example `[vars.AUTH.cookies]`, `domain = "example.com"`"#,
        ],
    ),
    (
        r#"{"login_url": "https://example.com", "cookies": {"domain": "app.example.com"}}"#,
        "{}",
        &[
            r#"AUTH.login_url: example.com is not within cookies.domain, "app.example.com"; write for example `[vars.AUTH.cookies]`, `domain = "example.com"`"#,
        ],
    ),
    (
        r#"{"login_url": "https://auth.example.com", "cookies": {"domain": "com"}}"#,
        "{}",
        &[
            r#"AUTH.cookies.domain: "com": browsers refuse cookies for this name, under which strangers have theirs: name your own domain"#,
        ],
    ),
    (
        r#"{"login_url": "http://127.0.0.1:8787"}"#,
        "{}",
        &[
            "AUTH.login_url: without cookies.domain a session stays on 127.0.0.1, and no other host sees it; name a host whose domain the others share",
        ],
    ),
    (
        r#"{"login_url": "https://auth.example.com/auth", "cookies": {"domain": "example.com"}}"#,
        "{}",
        &[
            r#"AUTH.login_url: "https://auth.example.com/auth": only scheme, host and port belong here: remove what follows the host; the routes of that host are expected below this configuration's base_path"#,
        ],
    ),
    (
        r#"{"login_url": "http://auth.example.com", "cookies": {"domain": "example.com"}}"#,
        "{}",
        &[r#"AUTH.login_url: "http://auth.example.com": http is accepted for this machine only: use https"#],
    ),
    (
        r#"{"login_url": "https://auth.example.com.", "cookies": {"domain": "example.com"}}"#,
        "{}",
        &[
            r#"AUTH.login_url: "https://auth.example.com.": browsers keep other cookies for a host with a dot behind it; leave the dot out"#,
        ],
    ),
    (
        r#"{"login_url": "https://me:secret@auth.example.com", "cookies": {"domain": "example.com"}}"#,
        "{}",
        &["AUTH.login_url: (a URL with credentials): a URL with a user name or password is not accepted"],
    ),
    (
        r#"{"login_url": "*.example.com", "cookies": {"domain": "example.com"}}"#,
        "{}",
        &[r#"AUTH.login_url: "*.example.com": not an absolute URL: write it like "https://app.example.com""#],
    ),
    (
        r#"{"login_url": "auth.example.com"}"#,
        "{}",
        &[
            r#"AUTH.login_url: "auth.example.com": not an absolute URL: write it like "https://app.example.com""#,
        ],
    ),
    (
        r#"{"trusted_hosts": ["app.example.com", "https://example.com"]}"#,
        "{}",
        &[
            r#"AUTH.trusted_hosts[1]: "https://example.com": not a host name: write it like "app.example.com" or "*.example.com", without scheme or path"#,
        ],
    ),
    (
        r#"{"trusted_hosts": "*.com"}"#,
        "{}",
        &[
            r#"AUTH.trusted_hosts: "*.com": a wildcard right below a top-level domain covers other people's sites"#,
        ],
    ),
    (r#"{"trusted_hosts": [1]}"#, "{}", &["AUTH.trusted_hosts[0]: expected a string, got a number"]),
    (
        r#"{"cookies": {"domain": "com"}}"#,
        "{}",
        &[
            r#"AUTH.cookies.domain: "com": browsers refuse cookies for this name, under which strangers have theirs: name your own domain"#,
        ],
    ),
    (
        r#"{"cookies": {"domain": "example.com", "secure": false}}"#,
        "{}",
        &["AUTH.cookies.secure: unknown key; known here: domain"],
    ),
    (r#"{"cookies": "example.com"}"#, "{}", &["AUTH.cookies: expected a table, got a string"]),
    // session, claims, refresh
    (
        r#"{"session": {"max_age": "30 days"}}"#,
        "{}",
        &[
            r#"AUTH.session.max_age: "30 days" is no duration; write it like "30d", "12h", "15m" or "60s", or as a number of seconds"#,
        ],
    ),
    (
        r#"{"session": {"max_age": true}}"#,
        "{}",
        &[
            r#"AUTH.session.max_age: expected a duration like "30d", "12h", "15m" or "60s", or whole seconds, got true or false"#,
        ],
    ),
    (
        r#"{"session": {"max_age": -1}}"#,
        "{}",
        &[
            r#"AUTH.session.max_age: expected a duration like "30d", "12h", "15m" or "60s", or whole seconds, got a number"#,
        ],
    ),
    (
        r#"{"session": {"max_age": 1.5}}"#,
        "{}",
        &[
            r#"AUTH.session.max_age: expected a duration like "30d", "12h", "15m" or "60s", or whole seconds, got a number"#,
        ],
    ),
    (r#"{"session": {"max_age": "30s"}}"#, "{}", &["AUTH.session.max_age: 30s is not between 1m and 400d"]),
    (r#"{"session": {"max_age": "401d"}}"#, "{}", &["AUTH.session.max_age: 401d is not between 1m and 400d"]),
    (
        r#"{"session": {"max_age": "1h", "update_age": "2h"}}"#,
        "{}",
        &[
            "AUTH.session.update_age: longer than max_age, which is 1h; a session would end before it is renewed",
        ],
    ),
    (
        r#"{"session": {"absolute_max_age": 0}}"#,
        "{}",
        &["AUTH.session.absolute_max_age: 0s is not between 1m and 3650d"],
    ),
    (
        r#"{"session": {"maxAge": "1h"}}"#,
        "{}",
        &[r#"AUTH.session.maxAge: unknown key; did you mean "max_age"?"#],
    ),
    (
        r#"{"session": {"strategy": "jwt"}}"#,
        "{}",
        &[
            "AUTH.session.strategy: unknown key; known here: max_age, update_age, absolute_max_age, expose, updatable",
        ],
    ),
    (
        r#"{"session": {"updatable": ["theme", "exp", "user.name"]}}"#,
        "{}",
        &[
            "AUTH.session.updatable[1]: a reserved name: it is set when the session is sealed; choose another",
            "AUTH.session.updatable[2]: a claim's name has no dots, quotes, brackets or white space",
        ],
    ),
    (
        r#"{"session": {"updatable": ["roles", "email", "theme"]},
            "rules": [{"match": "/admin", "require": {"roles": "admin"}}],
            "upstreams": [{"to": "origin", "headers": {"X-Email": "email"}}]}"#,
        "{}",
        &[
            r#"AUTH.session.updatable: a rule or an upstream goes by "roles", and everybody could give it to themselves; take it off the list"#,
            r#"AUTH.session.updatable: a rule or an upstream goes by "email", and everybody could give it to themselves; take it off the list"#,
        ],
    ),
    (
        r#"{"session": {"expose": {"expires": "exp"}}}"#,
        "{}",
        &[
            r#"AUTH.session.expose.expires: "expires" is Auth.js's own part of the session; choose another name, for example "user.roles""#,
        ],
    ),
    (
        r#"{"session": {"expose": {"user": "profile"}}}"#,
        "{}",
        &[
            r#"AUTH.session.expose.user: "user" is Auth.js's own part of the session; choose another name, for example "user.roles""#,
        ],
    ),
    (
        r#"{"session": {"expose": {"token": "refresh_token"}}}"#,
        "{}",
        &[
            "AUTH.session.expose.token: a refresh token stays in the sealed session: whoever holds it can be this user for months, and using it ends the session here",
        ],
    ),
    (
        r#"{"session": {"expose": {"user.roles": "roles", "user.roles.first": "roles.0"}}}"#,
        "{}",
        &[r#"AUTH.session.expose."user.roles.first": its place is taken by "user.roles""#],
    ),
    (
        r#"{"session": {"expose": {"user..x": "a", "y": "a[0]"}}}"#,
        "{}",
        &[
            r#"AUTH.session.expose."user..x": "user..x": a name is missing at 5"#,
            r#"AUTH.session.expose.y: "a[0]": unexpected '[' at 1"#,
        ],
    ),
    (
        r#"{"session": {"expose": {"roles": ["a"]}}}"#,
        "{}",
        &["AUTH.session.expose.roles: expected a string, got an array"],
    ),
    (
        r#"{"claims": {"exp": "profile.exp"}}"#,
        "{}",
        &["AUTH.claims.exp: a reserved name: it is set when the session is sealed; choose another"],
    ),
    (
        r#"{"claims": {"sub": "profile.id", "access_token": "account.access_token"}}"#,
        "{}",
        &[
            "AUTH.claims.access_token: a reserved name: it holds the provider's tokens; choose another",
            "AUTH.claims.sub: a reserved name: it says whose session this is and how it stands; choose another",
        ],
    ),
    (
        r#"{"claims": {"a.b": "profile.a"}}"#,
        "{}",
        &[r#"AUTH.claims."a.b": a claim's name has no dots, quotes, brackets or white space"#],
    ),
    (
        r#"{"claims": {"roles": "proflie.roles"}}"#,
        "{}",
        &[
            r#"AUTH.claims.roles: "proflie.roles" begins with no data that sign-in has; did you mean "profile"?"#,
        ],
    ),
    (
        r#"{"claims": {"roles": "roles"}}"#,
        "{}",
        &[
            r#"AUTH.claims.roles: "roles" begins with no data that sign-in has; known here: account, profile, user, id_token, access_token, login"#,
        ],
    ),
    (
        r#"{"claims": {"all": "account"}}"#,
        "{}",
        &[
            r#"AUTH.claims.all: "account" holds the refresh token, which is no claim; name the member that is wanted, for example "account.scope""#,
        ],
    ),
    (
        r#"{"claims": {"rt": "account.refresh_token"}}"#,
        "{}",
        &[
            r#"AUTH.claims.rt: "account.refresh_token" holds the refresh token, which is no claim; name the member that is wanted, for example "account.scope""#,
        ],
    ),
    (
        r#"{"claims": {"roles": "{profile.roles}"}}"#,
        "{}",
        &[r#"AUTH.claims.roles: "{profile.roles}": unexpected '{' at 0"#],
    ),
    (
        r#"{"refresh": {"lease": "redis"}}"#,
        "{}",
        &[r#"AUTH.refresh.lease: "redis" is not known; known here: kv, durable-object, none"#],
    ),
    (r#"{"refresh": {"leeway": "2h"}}"#, "{}", &["AUTH.refresh.leeway: 2h is not between 0s and 1h"]),
    // providers
    (
        r#"{"providers": []}"#,
        "{}",
        &[
            r#"AUTH.providers: nobody can sign in without one; add for example `[[vars.AUTH.providers]]`, `id = "okta"`; or, where another host of the site signs people in, its login_url"#,
        ],
    ),
    (
        r#"{"providers": {"id": "okta"}}"#,
        "{}",
        &["AUTH.providers: expected an array of tables, written [[vars.AUTH.providers]]"],
    ),
    (r#"{"providers": ["okta"]}"#, "{}", &["AUTH.providers[0]: expected a table, got a string"]),
    (
        r#"{"providers": [{"name": "Okta"}]}"#,
        "{}",
        &["AUTH.providers[0].id: missing: a preset's name, or one of your own beside an issuer"],
    ),
    (
        r#"{"providers": [{"id": "Okta"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].id: "Okta" is part of URLs and of secrets' names; use at most 64 of a-z, 0-9, "-" and "_", with a letter or digit first"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}, {"id": "okta"}]}"#,
        "{}",
        &[r#"AUTH.providers[1].id: there is a provider "okta" already"#],
    ),
    (
        r#"{"providers": [{"id": "acme-eu", "issuer": "https://a.example"}, {"id": "acme_eu", "issuer": "https://a.example"}]}"#,
        r#"{"AUTH_ACME_EU_ID": "i", "AUTH_ACME_EU_SECRET": "clientsecret"}"#,
        &[r#"AUTH.providers[1].id: "acme_eu" and "acme-eu" would read the same secrets"#],
    ),
    (
        r#"{"providers": [{"id": "oktaa"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].id: no preset, and no issuer is given (did you mean "okta"?); a provider that is no preset needs its issuer"#,
            "AUTH_OKTAA_ID: missing: the client id that the provider gave to this site; set it with `wrangler secret put AUTH_OKTAA_ID`, or write AUTH.providers[0].client_id",
            r#"AUTH_OKTAA_SECRET: missing: the client secret that the provider gave to this site; set it with `wrangler secret put AUTH_OKTAA_SECRET`; a public client has none and says so: token_endpoint_auth_method = "none" in AUTH.providers[0]"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "acme"}]}"#,
        "{}",
        &[
            "AUTH.providers[0].id: no preset, and no issuer is given (docs/providers.md lists the presets); a provider that is no preset needs its issuer",
            "AUTH_ACME_ID: missing: the client id that the provider gave to this site; set it with `wrangler secret put AUTH_ACME_ID`, or write AUTH.providers[0].client_id",
            r#"AUTH_ACME_SECRET: missing: the client secret that the provider gave to this site; set it with `wrangler secret put AUTH_ACME_SECRET`; a public client has none and says so: token_endpoint_auth_method = "none" in AUTH.providers[0]"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_ISSUER": null}"#,
        &[
            r#"AUTH.providers[0].issuer: missing: every customer of "okta" has one; write it like "https://TENANT.okta.com/oauth2/default", here or in AUTH_OKTA_ISSUER"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_ID": null}"#,
        &[
            "AUTH_OKTA_ID: missing: the client id that the provider gave to this site; set it with `wrangler secret put AUTH_OKTA_ID`, or write AUTH.providers[0].client_id",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_SECRET": ""}"#,
        &[
            r#"AUTH_OKTA_SECRET: missing: the client secret that the provider gave to this site; set it with `wrangler secret put AUTH_OKTA_SECRET`; a public client has none and says so: token_endpoint_auth_method = "none" in AUTH.providers[0]"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_SECRET": "clientsecret\n", "AUTH_OKTA_ID": " id"}"#,
        &[
            "AUTH_OKTA_ID: has white space around it, or characters that none of its kind has; set it again, without a line's end",
            "AUTH_OKTA_SECRET: has white space around it, or characters that none of its kind has; set it again, without a line's end",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_ISSUER": "http://okta.example"}"#,
        &[r#"AUTH_OKTA_ISSUER: "http://okta.example": http is accepted for this machine only: use https"#],
    ),
    (
        r#"{"providers": [{"id": "okta"}]}"#,
        r#"{"AUTH_OKTA_ISSUER": "https://u:clientsecret@okta.example"}"#,
        &["AUTH_OKTA_ISSUER: (a URL with credentials): a URL with a user name or password is not accepted"],
    ),
    (
        r#"{"providers": [{"id": "okta", "client_secret": "clientsecret"}]}"#,
        "{}",
        &[
            "AUTH.providers[0].client_secret: a secret does not belong into a file that is committed, nor into variables that the dashboard shows; remove it, change it at the provider, and set it with `wrangler secret put AUTH_OKTA_SECRET`",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "issuer": "https://okta.example/?tenant=1"}]}"#,
        "{}",
        &[r#"AUTH.providers[0].issuer: "https://okta.example/?tenant=1": an issuer has no query (?...)"#],
    ),
    (
        r#"{"providers": [{"id": "okta", "issuer": "https://okta.example/#a"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].issuer: "https://okta.example/#a": a URL with a fragment (#...) is not accepted"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "issuer": "okta.example"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].issuer: "okta.example": not an absolute URL: write it like "https://app.example.com""#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "type": "oidcc"}]}"#,
        "{}",
        &[r#"AUTH.providers[0].type: "oidcc" is not known; did you mean "oidc"?"#],
    ),
    (
        r#"{"providers": [{"id": "github", "type": "oauth"}]}"#,
        "{}",
        &[
            "AUTH_GITHUB_ID: missing: the client id that the provider gave to this site; set it with `wrangler secret put AUTH_GITHUB_ID`, or write AUTH.providers[0].client_id",
            r#"AUTH_GITHUB_SECRET: missing: the client secret that the provider gave to this site; set it with `wrangler secret put AUTH_GITHUB_SECRET`; a public client has none and says so: token_endpoint_auth_method = "none" in AUTH.providers[0]"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2"}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            "AUTH.providers[0].token: missing: where a code becomes tokens",
            r#"AUTH.providers[0].userinfo: missing: where the profile is asked for; or take user.id from "account", the token response"#,
            "AUTH.providers[0].authorization: missing: where people are sent to sign in",
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": 1, "token": [], "userinfo": {"uri": "https://x.example"}}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            "AUTH.providers[0].authorization: expected a URL or a table, got a number",
            "AUTH.providers[0].token: expected a URL or a table, got an array",
            r#"AUTH.providers[0].userinfo.uri: unknown key; did you mean "url"?"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "http://x.example/me"}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            r#"AUTH.providers[0].userinfo.url: "http://x.example/me": http is accepted for this machine only: use https"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "https://{account.host}/me"}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &["AUTH.providers[0].userinfo.url: the host stands as it is"],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "https://x.example/{profile.id}"}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            "AUTH.providers[0].userinfo.url: {profile.id} stands for nothing; known here: access_token, account, api_key",
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": {"url": "https://x.example/me", "headers": {"x-key": "{api_key}"}}}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            "AUTH_X_API_KEY: missing: the API key that the provider gave to this site; set it with `wrangler secret put AUTH_X_API_KEY`",
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "https://x.example/me", "user": {"id": []}}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &["AUTH.providers[0].user.id: an empty list gives nothing"],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "https://x.example/me", "nonce": true, "fields": []}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &[
            r#"AUTH.providers[0].nonce: belongs to type = "oidc"; OAuth 2 alone has no ID tokens"#,
            r#"AUTH.providers[0].fields: belongs to type = "credentials"; an OAuth 2 provider has its own page for that"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "x", "type": "oauth2", "authorization": "https://x.example/a", "token": "https://x.example/t", "userinfo": "https://x.example/{tenant}/me"}]}"#,
        r#"{"AUTH_X_ID": "a", "AUTH_X_SECRET": "b"}"#,
        &["AUTH.providers[0].tenant: missing: {tenant} stands for it; write it, here or in AUTH_X_TENANT"],
    ),
    (
        r#"{"providers": [{"id": "netsuite"}]}"#,
        r#"{"AUTH_NETSUITE_ID": "a", "AUTH_NETSUITE_SECRET": "b"}"#,
        &[
            r#"AUTH.providers[0].tenant: missing: every customer of "netsuite" has one; write it like "1234567", here or in AUTH_NETSUITE_TENANT"#,
            r#"AUTH.providers[0].userinfo: missing: where the profile is asked for; or take user.id from "account", the token response"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "github", "domain": "git.example/x"}]}"#,
        r#"{"AUTH_GITHUB_ID": "a", "AUTH_GITHUB_SECRET": "b"}"#,
        &[
            r#"AUTH.providers[0].domain: "git.example/x" does not fit into a URL as it is; use letters, digits, ".", "-" and "_""#,
        ],
    ),
    (
        r#"{"providers": [{"id": "staff", "preset": "octa"}]}"#,
        "{}",
        &[r#"AUTH.providers[0].preset: "octa" is not known; did you mean "okta"?"#],
    ),
    (
        r#"{"providers": [{"id": "staff", "preset": "github", "type": "oidc"}]}"#,
        "{}",
        &[r#"AUTH.providers[0].preset: the preset "github" is of type = "oauth2"; leave one of them out"#],
    ),
    (
        r#"{"providers": [{"id": "mastodon"}]}"#,
        r#"{"AUTH_MASTODON_ID": "a", "AUTH_MASTODON_SECRET": "b"}"#,
        &[
            r#"AUTH.providers[0].issuer: missing: every customer of "mastodon" has one; write it like "https://mastodon.social", here or in AUTH_MASTODON_ISSUER"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "apple"}]}"#,
        r#"{"AUTH_APPLE_ID": "a"}"#,
        &[
            "AUTH_APPLE_SECRET: missing: the client secret that the provider gave to this site; set it with `wrangler secret put AUTH_APPLE_SECRET`; or AUTH_APPLE_PRIVATE_KEY, with which one is signed whenever it is needed",
        ],
    ),
    (
        r#"{"providers": [{"id": "apple"}]}"#,
        r#"{"AUTH_APPLE_ID": "a", "AUTH_APPLE_PRIVATE_KEY": "clientsecret", "AUTH_APPLE_KEY_ID": "k"}"#,
        &[
            "AUTH_APPLE_PRIVATE_KEY: not a PEM file: it begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----",
            r#"AUTH.providers[0].team_id: missing: every customer of "apple" has one; write it, here or in AUTH_APPLE_TEAM_ID"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "token_endpoint_auth_method": "private_key_jwt"}]}"#,
        "{}",
        &[
            "AUTH_OKTA_PRIVATE_KEY: missing: the private key that the client signs with, in PEM; set it with `wrangler secret put AUTH_OKTA_PRIVATE_KEY < key.pem`",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "response_mode": "fragment", "response_type": "code id_token"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].response_mode: "fragment" is not known; known here: query, form_post"#,
            r#"AUTH.providers[0].response_type: "code id_token": only a code is read from the response; leave it out"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "response_type": "code id_token"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].response_type: "code id_token": only a code is read from the response; leave it out"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "id_token_signed_response_alg": "none"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].id_token_signed_response_alg: "none" is not known; known here: HS256, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "name": " "}]}"#,
        "{}",
        &["AUTH.providers[0].name: the sign-in page shows it: write 1 to 100 characters"],
    ),
    (
        r#"{"providers": [{"id": "okta", "scope": "profile email"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].scope: "openid" is missing, without which there is no ID token; write "openid profile email""#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "scope": []}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].scope: "openid" is missing, without which there is no ID token; write "openid""#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "scope": ["openid", "a\"b"]}]}"#,
        "{}",
        &[r#"AUTH.providers[0].scope[1]: "a\"b" is no scope"#],
    ),
    (
        r#"{"providers": [{"id": "okta", "scopes": "openid"}]}"#,
        "{}",
        &[r#"AUTH.providers[0].scopes: unknown key; did you mean "scope"?"#],
    ),
    (
        r#"{"providers": [{"id": "okta", "token_endpoint_auth_method": "tls_client_auth"}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].token_endpoint_auth_method: "tls_client_auth" is not known; known here: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none"#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "authorization_params": {"state": "x", "scope": "openid", "prompt": "login"}}]}"#,
        "{}",
        &[
            "AUTH.providers[0].authorization_params.scope: Vestibule sets this parameter itself; write scope beside id",
            "AUTH.providers[0].authorization_params.state: Vestibule sets this parameter itself; leave it out",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "authorization_params": {"claims": [1]}}]}"#,
        "{}",
        &[
            "AUTH.providers[0].authorization_params.claims: expected a string, a number, true or false, got an array",
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "allow": ["a@b.c"]}]}"#,
        "{}",
        &["AUTH.providers[0].allow: expected a table, got an array"],
    ),
    (
        r#"{"providers": [{"id": "okta", "allow": {}}]}"#,
        "{}",
        &["AUTH.providers[0].allow: asks for nothing; leave it out to let everybody sign in"],
    ),
    (
        r#"{"providers": [{"id": "okta", "allow": {"usr.roles": "admin", "profile.ok": []}}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].allow."profile.ok": no value at all: nobody could ever pass"#,
            r#"AUTH.providers[0].allow."usr.roles": "usr" begins with no data that sign-in has; did you mean "user"?"#,
        ],
    ),
    // rules
    (
        r#"{"rules": {"match": "/"}}"#,
        "{}",
        &["AUTH.rules: expected an array of tables, written [[vars.AUTH.rules]]"],
    ),
    (
        r#"{"rules": [{"match": ["/a", 7], "access": "public"}]}"#,
        "{}",
        &["AUTH.rules[0].match[1]: expected a string, got a number"],
    ),
    (
        r#"{"rules": [{"match": {"path": "/"}, "access": "public"}]}"#,
        "{}",
        &["AUTH.rules[0].match: expected a string or an array of strings, got a table"],
    ),
    (
        r#"{"rules": [{"access": "public"}, {"match": [], "access": "public"}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].match: missing: the paths of this rule; write for example "/admin/:path*""#,
            r#"AUTH.rules[1].match: missing: the paths of this rule; write for example "/admin/:path*""#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a"}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0]: says nothing about who may pass; write access = "public", access = "signed-in", or require = { claim = "value" }"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "require": {"a": 1}}]}"#,
        "{}",
        &[
            "AUTH.rules[0]: has both access and require; keep require alone: it means signed in, with what it asks",
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "signedin"}]}"#,
        "{}",
        &[r#"AUTH.rules[0].access: "signedin" is not known; did you mean "signed-in"?"#],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": {}}]}"#,
        "{}",
        &[r#"AUTH.rules[0].require: requires nothing; write access = "signed-in" instead"#],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": {"roles": [], "x..y": 1}}]}"#,
        "{}",
        &[
            "AUTH.rules[0].require.roles: no value at all: nobody could ever pass",
            r#"AUTH.rules[0].require."x..y": "x..y": a name is missing at 2"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": {"roles": {"any": 1}}}]}"#,
        "{}",
        &["AUTH.rules[0].require.roles.any: unknown key; known here: not, exists"],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": "admin"}]}"#,
        "{}",
        &["AUTH.rules[0].require: expected a table, got a string"],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "signed-in", "deny": "hidden"}]}"#,
        "{}",
        &[r#"AUTH.rules[0].deny: "hidden" is not known; known here: sign-in, forbidden, not-found"#],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "deny": "forbidden"}]}"#,
        "{}",
        &["AUTH.rules[0].deny: a public path is denied to nobody; leave it out"],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "methods": ["get", "P OST"]}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].methods[0]: "get": methods are in upper case; write "GET""#,
            r#"AUTH.rules[0].methods[1]: "P OST" is no method"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "methods": []}]}"#,
        "{}",
        &["AUTH.rules[0].methods: no method at all matches nothing; leave it out for every method"],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "host": "https://a.example"}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].host: "https://a.example": not a host name: write it like "app.example.com" or "*.example.com", without scheme or path"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "has": [{"type": "headers"}, {"key": "x"}, {"type": "header"}, {"type": "cookie", "key": "a b"}, {"type": "query", "key": "q", "value": ""}], "missing": [{"type": "host", "key": "x"}, {"type": "header", "key": "x", "value": "a|b"}, {"type": "query", "key": "x", "value": "(a"}]}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].has[0].type: "headers" is not known; did you mean "header"?"#,
            r#"AUTH.rules[0].has[1]: says not where to look; write type = "header", "cookie", "query" or "host""#,
            r#"AUTH.rules[0].has[2]: says not which; add key = "name""#,
            r#"AUTH.rules[0].has[3].key: no header or cookie is named "a b""#,
            "AUTH.rules[0].has[4].value: an empty value counts as none; leave it out for any value that is not empty",
            "AUTH.rules[0].missing[0].key: a host has none; leave it out",
            r#"AUTH.rules[0].missing[0]: every request has a host; add value = "app\\.example\\.com""#,
            r#"AUTH.rules[0].missing[1].value: "a|b": alternatives belong in a group, like "(?:a|b)": JavaScript would look for the first at the beginning and for the last at the end only; at 0"#,
            r#"AUTH.rules[0].missing[2].value: "(a": unclosed group at 0"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "has": {"type": "header"}}, {"match": "/b", "access": "public", "has": [{"typ": "header"}]}]}"#,
        "{}",
        &[
            "AUTH.rules[0].has: expected a sequence, got a table",
            r#"AUTH.rules[1].has[0].typ: unknown key; did you mean "type"?"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": {"a": {}, "b": {"not": []}, "c": {"exists": "yes"}}}]}"#,
        "{}",
        &["AUTH.rules[0].require.c.exists: expected true or false, got a string"],
    ),
    (
        r#"{"rules": [{"match": "/a", "require": {"a": {}, "b": {"not": []}}}, {"match": "/b", "require": {"c": [["x"]]}}]}"#,
        "{}",
        &[
            "AUTH.rules[1].require.c: expected a string, a number, true or false, or an array of them, got an array",
            r#"AUTH.rules[0].require.a: asks for nothing; write { exists = true } or { not = "value" }"#,
            "AUTH.rules[0].require.b.not: no value at all: everybody would pass",
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "email_domain": "a.example"}, {"match": "/b", "email_domain": []}, {"match": "/c", "email_domain": ["@a.example", "*.b.example", "münchen.example", "A.example"]}]}"#,
        "{}",
        &[
            "AUTH.rules[0]: has both access and email_domain; keep email_domain alone: it means signed in, with what it asks",
            "AUTH.rules[1].email_domain: no domain at all: nobody could ever pass",
            r#"AUTH.rules[2].email_domain[0]: "@a.example" is no domain; write it like "example.com"; each subdomain is a domain of its own, and an international one is written "xn--...""#,
            r#"AUTH.rules[2].email_domain[1]: "*.b.example" is no domain; write it like "example.com"; each subdomain is a domain of its own, and an international one is written "xn--...""#,
            r#"AUTH.rules[2].email_domain[2]: "münchen.example" is no domain; write it like "example.com"; each subdomain is a domain of its own, and an international one is written "xn--...""#,
        ],
    ),
    (
        r#"{"session": {"updatable": ["team", "email", "tenant"]}, "rules": [{"match": "/a", "email_domain": "a.example"}, {"match": "/b", "access": "signed-in", "headers": {"X-Team": "team"}, "authorization": "tenant.token"}]}"#,
        "{}",
        &[
            r#"AUTH.session.updatable: a rule or an upstream goes by "team", and everybody could give it to themselves; take it off the list"#,
            r#"AUTH.session.updatable: a rule or an upstream goes by "email", and everybody could give it to themselves; take it off the list"#,
            r#"AUTH.session.updatable: a rule or an upstream goes by "tenant", and everybody could give it to themselves; take it off the list"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "to": "nowhere", "authorization": "refresh_token", "headers": {"cookie": "sub"}}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].to: "nowhere" is not known; write "origin", "service:BINDING", "assets:BINDING" or "https://app.example.com""#,
            "AUTH.rules[0].authorization: a refresh token stays in the sealed session: whoever holds it can be this user for months, and using it ends the session here",
            r#"AUTH.rules[0].headers.cookie: this header tells about the request itself and cannot carry a value of the session; choose a name like "X-User-Email""#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public", "missing": [], "path": "/a"}]}"#,
        "{}",
        &[r#"AUTH.rules[0].path: unknown key; did you mean "match"?"#],
    ),
    (
        r#"{"rules": [{"match": ["/a", 1], "host": ["a.example"], "requires": {}, "access": "publik"}]}"#,
        "{}",
        &[
            "AUTH.rules[0].match[1]: expected a string, got a number",
            "AUTH.rules[0].host: expected a string, got an array",
            r#"AUTH.rules[0].requires: unknown key; did you mean "require"?"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "acess": "public"}]}"#,
        "{}",
        &[r#"AUTH.rules[0].acess: unknown key; did you mean "access"?"#],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "public"}, {"match": ["/b", "/a"], "access": "signed-in", "methods": "GET"}]}"#,
        "{}",
        &[
            r#"AUTH.rules[1].match[1]: "/a" is never reached: AUTH.rules[0] takes all of it before; the first match wins: put the narrower rule first"#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/:all*", "access": "public"}, {"match": "/admin", "require": {"roles": "admin"}}]}"#,
        "{}",
        &[
            r#"AUTH.rules[1].match: "/admin" is never reached: AUTH.rules[0] takes all of it before; the first match wins: put the narrower rule first"#,
        ],
    ),
    // upstreams
    (
        r#"{"upstreams": [{"host": "a.example"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].to: missing: where the requests go; write "origin", "service:BINDING", "assets:BINDING" or "https://app.example.com""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "service:"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].to: "service:" names no binding; write the name that stands behind `binding =` in wrangler.toml"#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "services:APP"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].to: "services:APP" is not known; write "origin", "service:BINDING", "assets:BINDING" or "https://app.example.com""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "http://app.example.com"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].to: "http://app.example.com": http is accepted for this machine only: use https"#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "https://app.example.com/base?x"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].to: "https://app.example.com/base?x": path and query stay those of the request; write "https://app.example.com""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "https://u:clientsecret@app.example.com"}]}"#,
        "{}",
        &[
            "AUTH.upstreams[0].to: (a URL with credentials): a URL with a user name or password is not accepted",
        ],
    ),
    (
        r#"{"upstreams": [{"host": "*", "to": "origin"}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].host: "*": a wildcard stands for whole labels at the start only, like "*.example.com""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin"}, {"host": "a.example", "to": "service:A"}]}"#,
        "{}",
        &[
            "AUTH.upstreams[1]: never reached: AUTH.upstreams[0] has no host and takes every request; the first match wins",
        ],
    ),
    (
        r#"{"upstreams": [{"host": "a.example", "to": "origin"}, {"host": "A.example", "to": "service:A"}]}"#,
        "{}",
        &["AUTH.upstreams[1]: never reached: AUTH.upstreams[0] has the same host; the first match wins"],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "authorization": "refresh_token"}]}"#,
        "{}",
        &[
            "AUTH.upstreams[0].authorization: a refresh token stays in the sealed session: whoever holds it can be this user for months, and using it ends the session here",
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "authorization": true}]}"#,
        "{}",
        &["AUTH.upstreams[0].authorization: expected a string, got true or false"],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "headers": {"Host": "a", "X Y": "a", "CF-Connecting-IP": "a", "Transfer_Encoding": "a"}}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].headers.CF-Connecting-IP: this header tells about the request itself and cannot carry a value of the session; choose a name like "X-User-Email""#,
            r#"AUTH.upstreams[0].headers.Host: this header tells about the request itself and cannot carry a value of the session; choose a name like "X-User-Email""#,
            r#"AUTH.upstreams[0].headers.Transfer_Encoding: this header tells about the request itself and cannot carry a value of the session; choose a name like "X-User-Email""#,
            r#"AUTH.upstreams[0].headers."X Y": no header has such a name"#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "headers": {"Authorization": "access_token"}}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].headers.Authorization: has a key of its own, which adds "Bearer"; write authorization = "access_token" beside it"#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "headers": {"X-User": "sub", "x_user": "sub"}}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].headers.x_user: set twice: case, "-" and "_" make no difference in a header's name"#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "headers": {"X-User": "user."}}]}"#,
        "{}",
        &[r#"AUTH.upstreams[0].headers.X-User: "user.": a name is missing at 5"#],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "header": {}}]}"#,
        "{}",
        &[r#"AUTH.upstreams[0].header: unknown key; did you mean "headers"?"#],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "assertion": ""}, {"host": "a.example", "to": "origin", "assertion": 7}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].assertion: this names no audience; write true, or the audience's name, for example "https://api.example.com" or "orders""#,
            "AUTH.upstreams[1]: never reached: AUTH.upstreams[0] has no host and takes every request; the first match wins",
            r#"AUTH.upstreams[1].assertion: this names no audience; write true, or the audience's name, for example "https://api.example.com" or "orders""#,
        ],
    ),
    (
        r#"{"rules": [{"match": "/a", "access": "signed-in", "assertion": "two audiences"}]}"#,
        "{}",
        &[
            r#"AUTH.rules[0].assertion: this names no audience; write true, or the audience's name, for example "https://api.example.com" or "orders""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "headers": {"X_Vestibule_Assertion": "email"}}]}"#,
        "{}",
        &[
            r#"AUTH.upstreams[0].headers.X_Vestibule_Assertion: this header tells about the request itself and cannot carry a value of the session; choose a name like "X-User-Email""#,
        ],
    ),
    (
        r#"{"upstreams": [{"to": "origin", "forward_session": "yes"}]}"#,
        "{}",
        &["AUTH.upstreams[0].forward_session: expected true or false, got a string"],
    ),
    // pages
    (
        r#"{"pages": {"signIn": "/login"}}"#,
        "{}",
        &[r#"AUTH.pages.signIn: unknown key; did you mean "sign_in"?"#],
    ),
    (
        r#"{"pages": {"sign_in": "login"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "login": write a path like "/login", or an https URL, with letters, digits, "-", "_", "." and "~" between single slashes"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "//evil.example"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "//evil.example": write a path like "/login", or an https URL, with letters, digits, "-", "_", "." and "~" between single slashes"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "/\\evil.example"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "/\\evil.example": write a path like "/login", or an https URL, with letters, digits, "-", "_", "." and "~" between single slashes"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "/:path*"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "/:path*": write a path like "/login", or an https URL, with letters, digits, "-", "_", "." and "~" between single slashes"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "/login#top"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "/login#top": write a path like "/login", or an https URL, with letters, digits, "-", "_", "." and "~" between single slashes"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "/auth/signin"}}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "/auth/signin": it lies below base_path (/auth), where Vestibule answers itself"#,
        ],
    ),
    (
        r#"{"pages": {"error": "/auth"}}"#,
        "{}",
        &[r#"AUTH.pages.error: "/auth": it lies below base_path (/auth), where Vestibule answers itself"#],
    ),
    (
        r#"{"pages": {"error": "https://evil.example/error"}}"#,
        "{}",
        &[r#"AUTH.pages.error: "https://evil.example/error": evil.example is none of trusted_hosts"#],
    ),
    (
        r#"{"pages": {"error": "javascript://app.example.com/%0aalert(1)"}}"#,
        "{}",
        &[
            r#"AUTH.pages.error: "javascript://app.example.com/%0aalert(1)": the scheme must be https, or http on this machine"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "http://app.example.com/login"}, "trusted_hosts": "*.example.com"}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "http://app.example.com/login": http is accepted for this machine only: use https"#,
        ],
    ),
    (
        r#"{"pages": {"sign_in": "/login"}, "rules": [{"match": "/:path*", "access": "signed-in"}]}"#,
        "{}",
        &[
            r#"AUTH.pages.sign_in: "/login" is guarded by a rule, so nobody who is sent there arrives; before that rule, add one with match = "/login" and access = "public""#,
        ],
    ),
    // secrets
    (
        "{}",
        r#"{"AUTH_SECRET": null}"#,
        &[
            "AUTH_SECRET: missing: it seals the sessions; make one with `openssl rand -base64 33` and set it with `wrangler secret put AUTH_SECRET`",
        ],
    ),
    (
        "{}",
        r#"{"AUTH_SECRET": "short"}"#,
        &["AUTH_SECRET: shorter than 16 characters; make one with `openssl rand -base64 33`"],
    ),
    (
        "{}",
        r#"{"AUTH_SECRET": null, "AUTH_SECRET_2": "fifteen-chars-x"}"#,
        &["AUTH_SECRET_2: shorter than 16 characters; make one with `openssl rand -base64 33`"],
    ),
    // everything at once
    (
        r#"{"base_path": "/auth/", "session": {"max_age": "1s"}, "providers": [{"id": "okta", "scope": "email"}, {"id": "x y"}], "rules": [{"match": "/a", "access": "publik"}, {"natch": "/"}], "upstreams": [{"to": "elsewhere"}]}"#,
        r#"{"AUTH_SECRET": null, "AUTH_OKTA_ID": null}"#,
        &[
            r#"AUTH.rules[1].natch: unknown key; did you mean "match"?"#,
            r#"AUTH.base_path: "/auth/" must begin with one slash and end with none; write "/auth""#,
            "AUTH.session.max_age: 1s is not between 1m and 400d",
            "AUTH_OKTA_ID: missing: the client id that the provider gave to this site; set it with `wrangler secret put AUTH_OKTA_ID`, or write AUTH.providers[0].client_id",
            r#"AUTH.providers[0].scope: "openid" is missing, without which there is no ID token; write "openid email""#,
            r#"AUTH.providers[1].id: "x y" is part of URLs and of secrets' names; use at most 64 of a-z, 0-9, "-" and "_", with a letter or digit first"#,
            r#"AUTH.rules[0].access: "publik" is not known; did you mean "public"?"#,
            r#"AUTH.upstreams[0].to: "elsewhere" is not known; write "origin", "service:BINDING", "assets:BINDING" or "https://app.example.com""#,
            "AUTH_SECRET: missing: it seals the sessions; make one with `openssl rand -base64 33` and set it with `wrangler secret put AUTH_SECRET`",
        ],
    ),
    // accept_bearer
    (
        r#"{"providers": [{"id": "okta", "accept_bearer": true}]}"#,
        "{}",
        &["AUTH.providers[0].accept_bearer: expected a table, got true or false"],
    ),
    (
        r#"{"providers": [{"id": "okta", "accept_bearer": {}}]}"#,
        "{}",
        &[
            r#"AUTH.providers[0].accept_bearer.audience: missing: tokens that the provider made for other services would pass; write what its access tokens for this site have as "aud", for example "https://api.example.com""#,
        ],
    ),
    (
        r#"{"providers": [{"id": "okta", "accept_bearer": {"audience": ["a b", ""]}}]}"#,
        "{}",
        &[
            "AUTH.providers[0].accept_bearer.audience[0]: an audience has 1 to 512 characters, none of them white space",
            "AUTH.providers[0].accept_bearer.audience[1]: an audience has 1 to 512 characters, none of them white space",
        ],
    ),
    // verify
    (
        r#"{"verify": {"headers": "x-forward", "trust": true}}"#,
        "{}",
        &["AUTH.verify.trust: unknown key; known here: headers, secret"],
    ),
    (
        r#"{"verify": {"headers": "x-forward", "secret": "hunter2hunter2hunter2"}}"#,
        "{}",
        &[
            r#"AUTH.verify.headers: "x-forward" is not known; did you mean "x-forwarded"?"#,
            "AUTH.verify.secret: a secret does not belong into a file that is committed, nor into variables that the dashboard shows; remove it, make a new one with `openssl rand -hex 32` and set it with `wrangler secret put AUTH_VERIFY_SECRET`",
            "AUTH_VERIFY_SECRET: missing: without it anybody could say what the proxy says; make one with `openssl rand -hex 32`, set it with `wrangler secret put AUTH_VERIFY_SECRET`, and have the proxy send it as X-Vestibule-Verify",
        ],
    ),
    (
        r#"{"verify": {"headers": "x-original"}}"#,
        r#"{"AUTH_VERIFY_SECRET": "hunter2 h\n"}"#,
        &[
            "AUTH_VERIFY_SECRET: shorter than 16 characters; make one with `openssl rand -hex 32`",
            "AUTH_VERIFY_SECRET: it is sent in a header, and has characters that none carries; make one with `openssl rand -hex 32`",
        ],
    ),
    (
        r#"{"verify": {"headers": "none"}}"#,
        r#"{"AUTH_VERIFY_SECRET": "the-session-secret-of-the-tests"}"#,
        &[
            "AUTH_VERIFY_SECRET: it seals sessions, too: who reads the proxy's configuration could make them; make one with `openssl rand -hex 32`",
        ],
    ),
];
