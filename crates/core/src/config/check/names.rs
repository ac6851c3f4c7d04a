//! The names that templates and paths of a provider can begin with, the names of its variables, and those of scopes.

/// The variables of a provider: each is the last part of the name `AUTH_<ID>_…`, in lower case.
pub(in crate::config) const PROVIDER_VARIABLES: [&str; 14] = [
    "id",
    "secret",
    "private_key",
    "private_key_1",
    "private_key_2",
    "private_key_3",
    "api_key",
    "issuer",
    "tenant",
    "domain",
    "team_id",
    "key_id",
    "events_secret",
    "decryption_key",
];

/// Those of the client's private keys, the newest first: as with the session's secrets, the highest number is the newest.
pub(in crate::config) const PRIVATE_KEYS: [&str; 4] =
    ["private_key_3", "private_key_2", "private_key_1", "private_key"];

/// Names in braces in the texts of an OAuth provider that are replaced when the configuration is loaded.
pub(in crate::config) const PARAMETERS: [&str; 7] =
    ["tenant", "domain", "team_id", "key_id", "client_id", "issuer", "origin"];

/// Names in templates of the token request.
pub(in crate::config) const TOKEN: [&str; 5] = ["grant", "code", "state", "client_secret", "redirect_uri"];

/// Names in templates of the userinfo request.
pub(in crate::config) const USERINFO: [&str; 3] = ["access_token", "account", "api_key"];

/// Names in templates of an API's profile request.
pub(in crate::config) const API_PROFILE: [&str; 4] = ["access_token", "login", "body", "cookie"];

/// Names in templates of an API's refresh request.
pub(in crate::config) const API_REFRESH: [&str; 3] = ["access_token", "refresh_token", "cookie"];

/// The data about a user of an OAuth provider: userinfo and the claims of the ID token together (userinfo wins), the token
/// response, the claims of the ID token, and the claims of an access token that is a JWT.
pub(in crate::config) const OAUTH_USER_ROOTS: [&str; 4] = ["profile", "account", "id_token", "access_token"];

/// The data about a user of an API: the responses to the login and profile requests, and the claims of an access token that
/// is a JWT.
pub(in crate::config) const API_USER_ROOTS: [&str; 6] =
    ["profile", "login", "body", "access_token", "cookie", "header"];

/// The parts of an API's response.
pub(in crate::config) const RESPONSE_ROOTS: [&str; 3] = ["body", "cookie", "header"];

/// Whether a text is one scope ([RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
pub(in crate::config) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~'))
}
