//! `[[vars.AUTH.providers]]`

pub(in crate::config) mod credentials;
pub(in crate::config) mod oauth;
pub(in crate::config) mod requests;

use super::Kind::{Bool, BoolOrTextOrList, ClaimTest, Map, Table, Text, TextOrList, WordOrTable};
use super::{Group, Keys, keys};
use crate::config::refresh::RenewalTime;
use credentials::{CREDENTIALS, PROFILE_REQUEST};
use oauth::{OAUTH, OPENID};
use requests::REQUESTS;

/// The types of providers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ProviderType {
    Oidc,
    OAuth2,
    Credentials,
}

/// How the types are written.
pub(in crate::config) const TYPES: [(&str, ProviderType); 4] = [
    ("oidc", ProviderType::Oidc),
    ("oauth2", ProviderType::OAuth2),
    ("credentials", ProviderType::Credentials),
    // Auth.js's word for `oauth2`.
    ("oauth", ProviderType::OAuth2),
];

/// Whether rules and upstreams see an e-mail address that is not verified.
pub(in crate::config) const UNVERIFIED_EMAIL: [(&str, bool); 2] = [("withhold", false), ("accept", true)];

/// When access tokens are renewed.
pub(in crate::config) const RENEWAL_TIMES: [(&str, RenewalTime); 2] =
    [("early", RenewalTime::Early), ("at-end", RenewalTime::AtEnd)];

/// The names of the presets.
#[cfg(feature = "reference")]
struct Presets;

#[cfg(feature = "reference")]
impl super::Values for Presets {
    fn list(&self, _: &crate::config::Runtime) -> Vec<String> {
        vestibule_oidc::presets::ids().map(str::to_owned).collect()
    }
}

pub(in crate::config) const PROVIDER: Keys = &[COMMON, PROFILE, OAUTH, OPENID, REQUESTS, CREDENTIALS];

/// One key with a meaning for each type of providers.
const PROFILE: Group = keys! {
    /// OpenID Connect: the security profile that this provider and its clients follow. `"fapi2"` turns on all that the FAPI 2.0 Security
    /// Profile demands of a client, and refuses what contradicts it (docs/strict-profiles.md). Credentials: the request for the user's
    /// profile, a table, made with the access token. Its templates know `{access_token}`, `{login.…}`, `{body.…}` (both the body of the
    /// login's response) and `{cookie.NAME}`.
    profile: WordOrTable(&[PROFILE_REQUEST]), values = requests::PROFILES, unset = "OpenID Connect: no security profile; credentials: no profile is requested",
        example = "fapi2", needs = "`\"fapi2\"`: the secret `AUTH_<ID>_PRIVATE_KEY`, a key for PS256, ES256 or EdDSA";
};

/// The keys of every type.
const COMMON: Group = keys! {
    /// The name of this provider in URLs (`BASE_PATH/callback/ID`) and in the names of its secrets (`AUTH_<ID>_SECRET`): at most 64
    /// lower-case letters, digits, `-` and `_`, with a letter or digit first. The id of a preset selects the preset.
    id: Text, example = "github", needs = "required; different from other ids, also where `-` and `_` are the same";
    /// The protocol. `"oauth"` is Auth.js's word for `"oauth2"`; `"credentials"` is an API of your own that takes a password.
    type: Text, values = TYPES, unset = "the preset's, otherwise `\"oidc\"`", example = "oauth2";
    /// The preset to start from, where `id` is not its name: for a second instance of the same provider.
    preset: Text, values = Presets, unset = "the preset whose name is `id`, if there is one", example = "okta";
    /// The provider's name on the sign-in page, 1 to 100 characters.
    name: Text, unset = "the preset's, otherwise the id", example = "Acme";
    /// The colors of its button on the sign-in page.
    style: Table(STYLE);
    /// The users who may sign in with this provider: what must be true of them, as in `require` of a rule. The paths begin with
    /// `account`, `profile`, `user`, `id_token`, `access_token` or `login`.
    allow: Map(&ClaimTest), unset = "everyone whom the provider knows", example = { "user.roles": ["admin", "editor"] };
    /// Where to find who the user is in what the provider says. Each value is a path, a template such as
    /// `{profile.first_name} {profile.last_name}`, or an array of them, of which the first that gives something is taken.
    user: Table(USER);
    /// Where the provider says whether the user's email address is verified: a path, or several; the first one with a value counts.
    /// `email_domain` requires `true` there, as a boolean or as text; a member of another name may also be 1. `true` in place of a path: the provider gives verified addresses only; `false`: it
    /// verifies none. As the last item of an array, `true` or `false` applies if there is no value at the paths.
    email_verified: BoolOrTextOrList,
        unset = "OpenID Connect and OAuth 2: `id_token.email_verified`, then `profile.email_verified`, which are about `profile.email`; otherwise the provider does not say",
        example = ["profile.verified_email", false];
    /// Who sees an email address that the provider says is not verified. The session always has it. `"withhold"`: rules, `allow`, header
    /// fields and assertions do not see it. `"accept"`: they see it. `email_domain` never accepts it.
    unverified_email: Text, values = UNVERIFIED_EMAIL, default = "withhold", example = "accept";
    /// Whether using a refresh token twice ends the sign-in at this provider. It changes nothing by itself: the log then advises a
    /// strict lease at the start.
    strict_rotation: Bool, default = false, example = true;
    /// When access tokens are renewed. `"early"`: `refresh.leeway` before their end, while other requests go on with the old token.
    /// `"at-end"`: in their last second, and requests wait for the new token: for a provider that ends the old access token when it
    /// gives a new one.
    renew: Text, values = RENEWAL_TIMES, default = "early", example = "at-end";
};

const STYLE: Keys = &[keys! {
    /// The button's background, in hexadecimal.
    background: Text, example = "#1a73e8", needs = "`style.text`";
    /// The button's text, in hexadecimal.
    text: Text, example = "#ffffff", needs = "`style.background`";
}];

const USER: Keys = &[keys! {
    /// What tells one user from another. A user without an id cannot sign in.
    id: TextOrList, unset = "OpenID Connect: `sub` of the ID token; OAuth 2: `profile.sub` or `profile.id`", example = "profile.id",
        needs = "required with `type = \"credentials\"`";
    /// The name to show.
    name: TextOrList, unset = "OpenID Connect and OAuth 2: `profile.name`, `profile.nickname` or `profile.preferred_username`",
        example = ["profile.name", "profile.login"];
    /// The email address.
    email: TextOrList, unset = "OpenID Connect and OAuth 2: `profile.email`", example = "profile.email";
    /// The URL of the picture.
    image: TextOrList, unset = "OpenID Connect and OAuth 2: `profile.picture`", example = "profile.avatar_url";
}];
