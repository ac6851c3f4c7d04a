//! RFC 10017, section 6.1: the backend for a browser-based application, which is what the Worker is. Each row is a
//! requirement or a recommendation; SECURITY.md has a row for each of them.

use crate::scenarios::rfc10017 as bff;
use crate::table::plan;

plan! {
    "RFC 10017, section 6.1",
    "OAuth 2.0 for Browser-Based Applications: what a backend of a browser-based application must (M) and should (S) do";
    tested {
        rfc10017_6_1_3_1_confidential_client "rfc10017-6.1.3.1-confidential-client":
            "wants the client to authenticate for codes, refresh tokens and revocations" =>
            "M: a confidential client, which authenticates each time",
            bff::confidential_client;
        rfc10017_6_1_3_1_authorization_code_grant "rfc10017-6.1.3.1-authorization-code-grant":
            "checks `response_type` and PKCE" =>
            "M: the authorization code grant with PKCE; a configuration with another one does not start",
            bff::authorization_code_grant;
        rfc10017_6_1_3_2_cookies_secure "rfc10017-6.1.3.2-cookies-secure":
            "behaves" => "M: every cookie is `Secure`", bff::cookies_secure;
        rfc10017_6_1_3_2_cookies_http_only "rfc10017-6.1.3.2-cookies-http-only":
            "behaves" => "M: every cookie is `HttpOnly`", bff::cookies_http_only;
        rfc10017_6_1_3_2_cookies_same_site "rfc10017-6.1.3.2-cookies-same-site":
            "behaves" =>
            "S, deliberately not: the session is `Lax`, so that a link from elsewhere finds one signed in; another site's forms do not carry it",
            bff::cookies_same_site;
        rfc10017_6_1_3_2_cookies_path "rfc10017-6.1.3.2-cookies-path":
            "behaves" => "S: the session's `Path` is `/`", bff::cookies_path;
        rfc10017_6_1_3_2_cookies_domain "rfc10017-6.1.3.2-cookies-domain":
            "behaves" => "S: no `Domain`, unless `cookies.domain` shares the session on purpose",
            bff::cookies_domain;
        rfc10017_6_1_3_2_cookies_prefix "rfc10017-6.1.3.2-cookies-prefix":
            "behaves" =>
            "S: `__Secure-`, and with `cookies.host_prefix` `__Host-`; not `__Host-Http-`, because apps that open the session know its name",
            bff::cookies_prefix;
        rfc10017_6_1_3_2_cookies_encrypted "rfc10017-6.1.3.2-cookies-encrypted":
            "behaves" => "S: the session's content is encrypted, tokens included", bff::cookies_encrypted;
        rfc10017_6_1_3_3_csrf_defense "rfc10017-6.1.3.3-csrf-defense":
            "behaves; pages of a sibling subdomain and of another site send requests" =>
            "M: none of them reaches an upstream or a route of our own with the session, WebSockets included",
            bff::csrf_defense;
        rfc10017_6_1_3_3_cors "rfc10017-6.1.3.3-cors":
            "behaves; pages of other origins read" =>
            "M: an answer names exactly one trusted origin, never `*`; the access token is given only for a static header",
            bff::cors;
        rfc10017_6_1_3_proxy_hosts "rfc10017-6.1.3-proxy-hosts":
            "behaves; the request's target, `Host` and forwarding headers name another host" =>
            "M: requests go to the configured upstreams only",
            bff::proxy_hosts;
        rfc10017_6_1_3_proxy_paths "rfc10017-6.1.3-proxy-paths":
            "behaves; paths leave the one that is forwarded, and methods are not listed" =>
            "M: only the configured paths and methods reach an upstream",
            bff::proxy_paths;
        rfc10017_6_1_2_refresh_tokens_stay "rfc10017-6.1.2-refresh-tokens-stay":
            "gives refresh tokens" => "none is in an answer to the browser or in a request to the application",
            bff::refresh_tokens_stay;
        rfc10017_6_1_2_revoked_on_logout "rfc10017-6.1.2-revoked-on-logout":
            "has a revocation endpoint (RFC 7009)" => "a sign-out revokes the refresh token",
            bff::revoked_on_logout;
        rfc10017_6_1_2_session_ends "rfc10017-6.1.2-session-ends":
            "refuses the refresh token (`invalid_grant`)" => "S: the session ends, too",
            bff::session_ends;
    }
    untested {}
}
