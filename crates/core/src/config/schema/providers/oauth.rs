//! Keys of `type = "oidc"` and `type = "oauth2"`.

use super::super::Kind::{
    Any, Bool, BoolOrUrl, Duration, Hidden, Map, Scalar, ScalarOrList, ScalarOrTable, Table, Text,
    TextOrList, UrlOrTable,
};
use super::super::{Group, Keys, keys};
use vestibule_oidc::jose::encrypted::KeyManagement;
use vestibule_oidc::jose::jwe::ContentEncryption;
use vestibule_oidc::oauth::provider::ExchangeDialect;
use vestibule_oidc::oauth::provider::{ClientAuthMethod, DerivedImage, FetchUserinfo, ResponseMode};

/// How a client authenticates at the token endpoint.
pub(in crate::config) const CLIENT_AUTH_METHODS: [(&str, ClientAuthMethod); 5] = [
    ("client_secret_basic", ClientAuthMethod::Basic),
    ("client_secret_post", ClientAuthMethod::Post),
    ("client_secret_jwt", ClientAuthMethod::SecretJwt),
    ("private_key_jwt", ClientAuthMethod::PrivateKeyJwt),
    ("none", ClientAuthMethod::None),
];

/// How the provider sends the authorization response.
pub(in crate::config) const RESPONSE_MODES: [(&str, ResponseMode); 5] = [
    ("query", ResponseMode::Query),
    ("form_post", ResponseMode::FormPost),
    ("query.jwt", ResponseMode::QueryJwt),
    ("form_post.jwt", ResponseMode::FormPostJwt),
    ("jwt", ResponseMode::Jwt),
];

/// How the key of an encrypted response is transported.
pub(in crate::config) const KEY_MANAGEMENTS: [(&str, KeyManagement); 3] = [
    ("ECDH-ES", KeyManagement::EcdhEs),
    ("ECDH-ES+A256KW", KeyManagement::EcdhEsA256Kw),
    ("RSA-OAEP-256", KeyManagement::RsaOaep256),
];

/// How the content of an encrypted response is encrypted.
pub(in crate::config) const CONTENT_ENCRYPTIONS: [(&str, ContentEncryption); 3] = [
    ("A128CBC-HS256", ContentEncryption::A128CbcHs256),
    ("A256CBC-HS512", ContentEncryption::A256CbcHs512),
    ("A256GCM", ContentEncryption::A256Gcm),
];

/// How a provider exchanges tokens.
pub(in crate::config) const EXCHANGE_DIALECTS: [(&str, ExchangeDialect); 2] =
    [("rfc8693", ExchangeDialect::TokenExchange), ("on-behalf-of", ExchangeDialect::OnBehalfOf)];

/// When userinfo is requested.
pub(in crate::config) const FETCH: [(&str, FetchUserinfo); 3] = [
    ("if-needed", FetchUserinfo::IfNeeded),
    ("always", FetchUserinfo::Always),
    ("never", FetchUserinfo::Never),
];

/// The rules that derive the picture's URL.
pub(in crate::config) const DERIVED_IMAGES: [(&str, DerivedImage); 1] = [("discord", DerivedImage::Discord)];

/// The algorithms of public keys.
#[cfg(feature = "reference")]
struct Algorithms;

/// Those algorithms, and the one of the client secret.
#[cfg(feature = "reference")]
struct IdTokenAlgorithms;

#[cfg(feature = "reference")]
impl super::super::Values for Algorithms {
    fn list(&self, _: &crate::config::Runtime) -> Vec<String> {
        use vestibule_oidc::jose::jws::Algorithm;
        Algorithm::ALL.iter().map(|algorithm| algorithm.name().to_owned()).collect()
    }
}

#[cfg(feature = "reference")]
impl super::super::Values for IdTokenAlgorithms {
    fn list(&self, runtime: &crate::config::Runtime) -> Vec<String> {
        let mut names = vec!["HS256".to_owned()];
        names.extend(Algorithms.list(runtime));
        names
    }
}

/// The keys of `type = "oidc"` and `type = "oauth2"`.
pub(in crate::config) const OAUTH: Group = keys! {
    /// The issuer identifier, exactly as the provider writes it, including a slash at its end.
    issuer: Text, unset = "the preset's; otherwise `AUTH_<ID>_ISSUER`", example = "https://login.example.com",
        needs = "required with `type = \"oidc\"`; `https`, except on this machine; no query";
    /// The tenant, for presets and URLs that have `{tenant}`.
    tenant: Text, unset = "`AUTH_<ID>_TENANT`", example = "contoso", needs = "a preset or a URL with `{tenant}`";
    /// The domain, for presets and URLs that have `{domain}`.
    domain: Text, unset = "`AUTH_<ID>_DOMAIN`", example = "git.example.com", needs = "a preset or a URL with `{domain}`";
    /// The team that a signed client secret is for (Apple).
    team_id: Text, unset = "`AUTH_<ID>_TEAM_ID`", example = "ABCDE12345", needs = "`client_secret_from_key`";
    /// The `kid` of the client's private key.
    key_id: Text, unset = "`AUTH_<ID>_KEY_ID`; otherwise a single key's signatures have no `kid`, and of several keys, or with `profile`, it is the key's thumbprint",
        example = "key-1", needs = "`AUTH_<ID>_PRIVATE_KEY`, and no key with a number; required with `client_secret_from_key`";
    /// The client id that the provider gave to this site.
    client_id: Text, unset = "`AUTH_<ID>_ID`", example = "0oa1b2c3", needs = "required, here or as `AUTH_<ID>_ID`";
    /// Never written here: `AUTH_<ID>_SECRET` is a secret of the environment.
    client_secret: Hidden;
    /// The name of the parameter that carries the client id.
    client_id_param: Text, default = "client_id", example = "client_key";
    /// The name of the parameter that carries the client secret.
    client_secret_param: Text, default = "client_secret", example = "secret";
    /// How the client authenticates at the token endpoint. A public client has `"none"`, and no secret.
    token_endpoint_auth_method: Text, values = CLIENT_AUTH_METHODS,
        unset = "what the provider's metadata says it supports; otherwise `client_secret_basic`", example = "client_secret_post",
        needs = "`private_key_jwt`: the secret `AUTH_<ID>_PRIVATE_KEY`";
    /// What the client's private key signs with.
    token_endpoint_auth_signing_alg: Text, values = Algorithms, unset = "the first algorithm that fits the key", example = "ES256",
        needs = "`AUTH_<ID>_PRIVATE_KEY`, a key for this algorithm";
    /// The client secret is a token that is signed with `AUTH_<ID>_PRIVATE_KEY` whenever it is needed (Apple). Where that key is not
    /// set, `AUTH_<ID>_SECRET` is the secret.
    client_secret_from_key: Table(SECRET_FROM_KEY), needs = "`team_id`, `key_id` and the secret `AUTH_<ID>_PRIVATE_KEY`";
    /// The scopes to ask for: one string with spaces between them, or an array. A refresh token often needs `offline_access`.
    scope: TextOrList, unset = "the preset's; OpenID Connect: `openid profile email`; OAuth 2: none",
        example = "openid profile email offline_access", needs = "OpenID Connect: `openid` among them";
    /// What the authorization request must have so that this provider gives a refresh token. It changes nothing by itself: where a
    /// token is needed and the request lacks it, the log says so at the start.
    refresh_token_needs: Table(REFRESH_TOKEN_NEEDS), unset = "the preset's; otherwise the log says nothing at the start";
    /// The authorization endpoint: a URL or a table.
    authorization: UrlOrTable(AUTHORIZATION), unset = "what the provider's metadata says", example = "https://idp.example/authorize",
        needs = "required with `type = \"oauth2\"`";
    /// Additional parameters of the authorization request. A table is sent as JSON; an empty string removes a preset's parameter.
    authorization_params: Map(&ScalarOrTable), default = {}, example = { "audience": "https://api.example.com", "prompt": "login" },
        needs = "parameters that Vestibule does not set itself";
    /// The parameters with which the provider asks for the account, although the browser is signed in there: for "Sign in with a
    /// different account" and "Sign in again". `prompt = "login"` is for a provider that does not know `select_account`; an empty
    /// string removes a parameter.
    switch_account_params: Map(&Text), unset = "the preset's; otherwise `{ prompt = \"select_account\" }`",
        example = { "prompt": "login" }, needs = "as `authorization_params`";
    /// How the provider sends the authorization response. With `"form_post"` it is posted, and the cookie of the sign-in is
    /// `SameSite=None`. With `"query.jwt"`, `"form_post.jwt"` and `"jwt"` (which is `"query.jwt"` in other words) it is a JWT that the
    /// provider signs (JARM), and any other response is refused.
    response_mode: Text, values = RESPONSE_MODES, default = "query", example = "form_post", needs = "signed: `type = \"oidc\"`";
    /// The `response_type` of the authorization request, for a provider that calls the code flow differently.
    response_type: Text, default = "code", example = "code", needs = "a response with a code; never `token`, `id_token` or `none`";
    /// Whether the authorization request uses PKCE. `false` is for a provider that rejects it; `state` is always sent.
    pkce: Bool, default = true, example = false;
    /// A parameter of the authorization response that has JSON about the user, as `profile.NAME`. It comes through the browser, which
    /// can change it: take no email address from it.
    callback_profile_param: Text, unset = "no parameter is read", example = "user";
    /// The token endpoint: a URL or a table.
    token: UrlOrTable(TOKEN), unset = "what the provider's metadata says", example = "https://idp.example/token",
        needs = "required with `type = \"oauth2\"`";
    /// The userinfo endpoint: a URL or a table.
    userinfo: UrlOrTable(USERINFO), unset = "what the provider's metadata says", example = "https://idp.example/me",
        needs = "required with `type = \"oauth2\"`, except where `user.id` is taken from `account`";
    /// Where to find the user's email address where the provider has a list of them.
    emails: Table(EMAILS);
    /// A rule for the picture's URL, which becomes `profile.image_url`. `"discord"` makes it of the user's id and avatar.
    derived_image: Text, values = DERIVED_IMAGES, unset = "no rule", example = "discord";
    /// Whether signing out here also ends the session at the provider: `true` for the `end_session_endpoint` of its metadata, or the URL of
    /// that endpoint.
    logout: BoolOrUrl, default = false, example = true,
        needs = "OAuth 2: a URL. Register `https://HOST/auth/signout/callback` at the provider, for the login host";
    /// The name of the logout request's parameter with the address to return to. With another name than the default the endpoint is
    /// taken for one of the provider's own kind, which gets neither `id_token_hint` nor `logout_hint` nor `state`.
    logout_redirect_param: Text, default = "post_logout_redirect_uri", example = "returnTo", needs = "`logout`";
    /// Whether signing out here also revokes the refresh token at the provider (RFC 7009), in the background: `true` for the
    /// `revocation_endpoint` of its metadata, or the URL of that endpoint. Write `false` for a provider that ends all of the user's
    /// sessions at this site with it.
    token_revocation: BoolOrUrl, unset = "the preset's; OpenID Connect: `true` if the metadata have that endpoint; OAuth 2: `false`",
        example = "https://idp.example/revoke", needs = "OAuth 2: a URL";
    /// Whether tokens are bound to a key of the session (DPoP, RFC 9449): a copy of the access token is then of no use without that
    /// key. Where an upstream's `authorization` is the access token, it gets `Authorization: DPoP` and a proof for each request
    /// (docs/upstreams.md). An answer with a token that is not bound is refused.
    dpop: Bool, default = false, example = true, needs = "a provider that issues DPoP tokens to this client, and proofs with ES256";
    /// The session's claim that the logout request has as `logout_hint` where the ID token cannot be its `id_token_hint`: it is larger
    /// than 4 kB, or of another session. `sub`, `email`, `provider_sid`, or a claim of `[vars.AUTH.claims]`. A session without the claim
    /// sends none.
    logout_hint: Text, unset = "the preset's; otherwise `sub`", example = "email", needs = "`logout`";
    /// How this provider is asked for an upstream's own token (`exchange` of an upstream): as RFC 8693 says, or as Microsoft's
    /// on-behalf-of flow.
    token_exchange: Text, values = EXCHANGE_DIALECTS, unset = "the preset's; otherwise `rfc8693`", example = "on-behalf-of";
};

/// The keys that only `type = "oidc"` has.
pub(in crate::config) const OPENID: Group = keys! {
    /// What is appended to a configured issuer that does not end with it.
    issuer_suffix: Text, example = "/v2.0";
    /// What the issuer in ID tokens looks like where one provider has many tenants; `{tid}` is that claim of the token.
    token_issuer: Text, unset = "the issuer", example = "https://login.microsoftonline.com/{tid}/v2.0";
    /// The URL of the provider's metadata.
    well_known: Text, unset = "`{issuer}/.well-known/openid-configuration`",
        example = "https://idp.example/tenant/.well-known/openid-configuration";
    /// The URL of the provider's keys. With it, `authorization` and `token` written, no metadata is requested.
    jwks: Text, unset = "what the provider's metadata says", example = "https://idp.example/keys";
    /// Whether the authorization request has a `nonce` that the ID token must repeat. `false` is for a provider that cannot.
    nonce: Bool, default = true, example = false;
    /// The only algorithm that ID tokens may be signed with. `HS256` is signed with the client secret.
    id_token_signed_response_alg: Text, values = IdTokenAlgorithms, unset = "the algorithm of the provider's key", example = "RS256",
        needs = "`HS256`: the secret `AUTH_<ID>_SECRET`";
    /// Authorization parameters that the ID token must repeat: each key is a parameter, each value the claim, or claims of which one must
    /// have the parameter's value.
    authorization_param_claims: Map(&TextOrList), default = {}, example = { "hd": "hd" }, needs = "the same keys in `authorization_params`";
    /// Where the groups of a user are whose ID token leaves them out, because there are too many (Microsoft Entra ID: over 200). They
    /// become `profile.groups`.
    groups_overage: Table(GROUPS_OVERAGE), unset = "the groups are missing, and the log says so";
    /// Clients without a browser may send this provider's access token in place of a session cookie (docs/bearer.md).
    accept_bearer: Table(ACCEPT_BEARER), unset = "access tokens are not accepted",
        needs = "`allow`, `user` and `claims` that an access token can show (docs/bearer.md)";
    /// Whether the provider's logout tokens end sessions: it sends them to `BASE_PATH/backchannel-logout` (docs/logout.md).
    backchannel_logout: Bool, default = false, example = true,
        needs = "`revocation.store`; that address registered at the provider; one issuer (no `token_issuer`)";
    /// Whether the provider's logout page ends sessions: it loads `BASE_PATH/frontchannel-logout` in a frame (docs/logout.md). Anyone
    /// who knows the provider's `sid` of a session can do that, so prefer `backchannel_logout`.
    frontchannel_logout: Bool, default = false, example = true,
        needs = "`revocation.store`; that address registered at the provider, with `iss` and `sid`; ID tokens with `sid`";
    /// Whether another site, such as the provider's own portal, may send people to `BASE_PATH/initiate-login` to sign in with this
    /// provider (docs/sessions.md). Who is signed in already goes on with their session.
    initiate_login: Bool, default = false, example = true,
        needs = "that address at the provider, as the client's `initiate_login_uri`";
    /// How ID tokens are encrypted, as it is registered at the provider. What is inside must be signed as without encryption; an ID token
    /// that is not encrypted is refused.
    id_token_encrypted_response_alg: Text, values = KEY_MANAGEMENTS, unset = "ID tokens are not encrypted", example = "ECDH-ES",
        needs = "the secret `AUTH_<ID>_DECRYPTION_KEY`: a key on P-256, or for `RSA-OAEP-256` an RSA key";
    /// How the content of ID tokens is encrypted.
    id_token_encrypted_response_enc: Text, values = CONTENT_ENCRYPTIONS, default = "A128CBC-HS256", example = "A256GCM",
        needs = "`id_token_encrypted_response_alg`";
    /// How the responses of userinfo are encrypted. With `userinfo.signed_response` a signed token must be inside, otherwise the claims.
    userinfo_encrypted_response_alg: Text, values = KEY_MANAGEMENTS, unset = "responses of userinfo are not encrypted", example = "ECDH-ES",
        needs = "the secret `AUTH_<ID>_DECRYPTION_KEY`, as for ID tokens";
    /// How the content of these responses is encrypted.
    userinfo_encrypted_response_enc: Text, values = CONTENT_ENCRYPTIONS, default = "A128CBC-HS256", example = "A256GCM",
        needs = "`userinfo_encrypted_response_alg`";
};

const REFRESH_TOKEN_NEEDS: Keys = &[keys! {
    /// The scope that brings a refresh token, or several of which one is enough.
    scope: TextOrList, unset = "no scope", example = "offline_access";
    /// Authorization parameters that bring a refresh token.
    authorization_params: Map(&Text), default = {}, example = { "access_type": "offline", "prompt": "consent" };
}];

const GROUPS_OVERAGE: Keys = &[keys! {
    /// The endpoint, which is asked with the user's access token: Microsoft Graph's `getMemberGroups`.
    url: Text, example = "https://graph.microsoft.com/v1.0/me/getMemberGroups",
        needs = "required; an access token for that API, with the scopes `User.ReadBasic.All` and `GroupMember.Read.All`";
    /// The ids of the groups that the session needs. Hundreds of ids do not fit into a cookie that servers accept.
    keep: TextOrList, unset = "all groups", example = ["6f1a2b3c-0000-4000-8000-000000000000"];
}];

const SECRET_FROM_KEY: Keys = &[keys! {
    /// The audience of the token.
    audience: Text, example = "https://appleid.apple.com";
}];

const ACCEPT_BEARER: Keys = &[keys! {
    /// What an access token for this site has as `aud`: one value, or several of which one is enough. Each has 1 to 512 characters.
    audience: TextOrList, example = "https://api.example.com", needs = "required";
    /// Claims that this provider's access tokens have and its ID tokens do not: each key is a claim, each value is what it must be, or
    /// several values of which one is enough. They are required, and show that a token is an access token.
    access_token_claims: Map(&ScalarOrList), unset = "`typ` is `at+jwt`, or the token has `scope` or `scp`", example = { "token_type": "access" },
        needs = "claims that no ID token has";
    /// Whether the provider is asked about tokens that are no JWTs (RFC 7662): `true` for the `introspection_endpoint` of its metadata,
    /// or the URL of that endpoint (docs/apis.md). The client authenticates as at the token endpoint.
    introspection: BoolOrUrl, default = false, example = true,
        needs = "a client that authenticates, and may introspect tokens; one provider only";
    /// How long an answer of that endpoint counts at most, up to 10 minutes, and never longer than the token itself. A token that was
    /// revoked at the provider passes so long.
    introspection_cache: Duration, default = "1m", example = "30s", needs = "`introspection`";
    /// Whether the answers of that endpoint must be signed (RFC 9701). With `false`, signed answers are not asked for.
    introspection_signed_response: Bool, unset = "signed answers are asked for where the provider's metadata offer them, and others are read, too",
        example = true, needs = "`introspection`";
    /// Whether a proof of possession must have a nonce of this site (RFC 9449 section 9), which changes every 30 seconds. Without
    /// `AUTH_LEASE` it shortens the time in which a copied proof works again.
    dpop_nonce: Bool, default = false, example = true, needs = "clients that know `use_dpop_nonce`";
    /// How a client counts that has a token of its own, without a user: as `"separate"`, only rules whose `access` names clients let it
    /// pass; as `"signed-in"`, it counts as a user.
    clients: Text, values = CLIENTS, unset = "`separate` with `introspection`, and where any rule names clients; otherwise `signed-in`", example = "separate";
    /// Claims by which this provider marks a client's own token, in addition to those that are known (docs/apis.md). Each key is a claim,
    /// each value is what it must be, or several values of which one is enough.
    client_claims: Map(&ScalarOrList), unset = "those that are known", example = { "kind": "machine" };
}];

/// Whether a client without a user counts as one.
pub(in crate::config) const CLIENTS: [(&str, bool); 2] = [("separate", false), ("signed-in", true)];

const AUTHORIZATION: Keys = &[keys! {
    /// The URL of the endpoint.
    url: Text, example = "https://idp.example/authorize", needs = "`https`, except on this machine";
    /// What follows `#` in the URL (WeChat).
    fragment: Text, unset = "nothing", example = "wechat_redirect", needs = "letters, digits and `_`";
}];

const TOKEN: Keys = &[keys! {
    /// The URL of the endpoint.
    url: Text, example = "https://idp.example/token", needs = "`https`, except on this machine";
    /// The URL for refresh tokens.
    refresh_url: Text, unset = "`token.url`", example = "https://idp.example/refresh";
    /// The method. With `GET` all parameters are in the query.
    method: Text, values = ["POST", "GET"], default = "POST", example = "GET";
    /// The `grant_type` for a code.
    grant_type: Text, default = "authorization_code", example = "ig_exchange_token";
    /// Additional parameters, or other values for the usual ones; an empty string removes one. The values are templates that know
    /// `{grant}` (the code or the refresh token), `{code}`, `{state}`, `{client_secret}` and `{redirect_uri}`.
    params: Map(&Text), default = {}, example = { "app_secret": "{client_secret}" };
    /// The same for refresh tokens only, after `params`.
    refresh_params: Map(&Text), default = {}, example = { "scope": "" };
    /// Additional header fields of the request.
    headers: Map(&Text), default = {}, example = { "accept-language": "en" };
    /// Where in the JSON response the tokens are.
    response_path: Text, unset = "at the top", example = "data.0";
    /// The error codes, or whole error descriptions, that this provider uses for `invalid_grant`: the refresh token is no longer valid.
    invalid_grant_errors: TextOrList, default = [], example = ["bad_refresh_token"];
}];

const USERINFO: Keys = &[keys! {
    /// The URL of the endpoint. Path and query are templates that know `{access_token}`, `{account.…}` (the token response) and
    /// `{api_key}`.
    url: Text, example = "https://idp.example/users/{account.user_id}", needs = "`https`, except on this machine; no template in the host";
    /// The method.
    method: Text, values = ["GET", "POST"], default = "GET", example = "POST";
    /// Additional parameters of the query. The values are templates, as in `userinfo.url`.
    params: Map(&Text), default = {}, example = { "fields": "id,name" };
    /// Additional header fields. The values are templates, as in `userinfo.url`.
    headers: Map(&Text), default = {}, example = { "x-api-key": "{api_key}" }, needs = "`{api_key}`: the secret `AUTH_<ID>_API_KEY`";
    /// The body. Strings in it are templates, as in `userinfo.url`.
    body: Any, unset = "no body", example = { "query": "{ viewer { id name } }" }, needs = "`userinfo.method = \"POST\"`";
    /// How the body is written.
    content_type: Text, values = super::credentials::CONTENT_TYPES, default = "json", example = "form";
    /// Whether the access token is sent as `Authorization: Bearer`.
    send_access_token: Bool, unset = "`true`, except where `userinfo.headers` has `authorization`", example = false;
    /// Where in the JSON response the profile is.
    response_path: Text, unset = "at the top", example = "data.user";
    /// When userinfo is requested. `"if-needed"`: with OpenID Connect, where the ID token lacks what a scope promises or a claim needs;
    /// with OAuth 2, always.
    fetch: Text, values = FETCH, default = "if-needed", example = "always";
    /// `true`: the response must be a signed JWT. The signature of one that is (`application/jwt`) is verified in any case.
    signed_response: Bool, default = false, example = true, needs = "`type = \"oidc\"`";
}];

const EMAILS: Keys = &[keys! {
    /// The URL of the list.
    url: Text, unset = "the list is in the profile", example = "https://api.example.com/user/emails", needs = "`emails.url` or `emails.list`";
    /// Where the list is: in the response of `emails.url`, otherwise in the profile.
    list: Text, unset = "the whole response", example = "data.emails";
    /// What the right item of the list has.
    where: Map(&Scalar), default = {}, example = { "primary": true, "verified": true };
    /// The member of that item that has the address.
    address: Text, default = "email", example = "value";
    /// The member of that item that says whether the address is verified.
    verified: Text, unset = "`email_verified` of the provider, if that is written", example = "confirmed";
}];
