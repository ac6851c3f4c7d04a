//! The names that templates and paths of a provider can begin with, and those of its variables.

/// What is read from `AUTH_<ID>_…`: the rest of the variable's name, in lower case.
pub(in crate::config) const PROVIDER_VARIABLES: [&str; 9] =
    ["id", "secret", "private_key", "api_key", "issuer", "tenant", "domain", "team_id", "key_id"];

/// Parameters of an OAuth provider, which are replaced when the configuration is loaded.
pub(in crate::config) const PARAMETERS: [&str; 7] =
    ["tenant", "domain", "team_id", "key_id", "client_id", "issuer", "origin"];

/// Templates of the token request.
pub(in crate::config) const TOKEN: [&str; 5] = ["grant", "code", "state", "client_secret", "redirect_uri"];

/// Templates of the userinfo request.
pub(in crate::config) const USERINFO: [&str; 3] = ["access_token", "account", "api_key"];

/// Templates of an API's profile request.
pub(in crate::config) const API_PROFILE: [&str; 4] = ["access_token", "login", "body", "cookie"];

/// Templates of an API's refresh request.
pub(in crate::config) const API_REFRESH: [&str; 3] = ["access_token", "refresh_token", "cookie"];

/// What is known of a user of an OAuth provider: userinfo with the ID token's claims before it, the token response, the ID
/// token's claims, and those of an access token that is a JWT.
pub(in crate::config) const OAUTH_USER_ROOTS: [&str; 4] = ["profile", "account", "id_token", "access_token"];

/// What the responses of an API to login and profile have together.
pub(in crate::config) const API_USER_ROOTS: [&str; 6] =
    ["profile", "login", "body", "access_token", "cookie", "header"];

/// The parts of an API's response.
pub(in crate::config) const RESPONSE_ROOTS: [&str; 3] = ["body", "cookie", "header"];
