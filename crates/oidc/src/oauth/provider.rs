//! A provider of OAuth 2 or OpenID Connect, as the checked configuration describes it: the client that it knows, its
//! endpoints, and the paths of values in its responses.

mod authorization;
mod bearer;
mod client;
mod exchange;

use serde_json::{Map, Value};

use crate::data::{DataPath, Source, Template};
use crate::http::request::Method;
use crate::http::url::Url;
use crate::jose::encrypted::{DecryptionKey, Encryption};
use crate::jose::jws::Algorithm;
use crate::oauth::email::EmailVerification;
use crate::oauth::profile::SecurityProfile;
pub use crate::oauth::provider::authorization::{AuthorizationConfig, PushedRequests, ResponseMode, When};
pub use crate::oauth::provider::bearer::{AcceptBearer, IntrospectionConfig};
pub use crate::oauth::provider::client::{
    AssertionAudience, ClientAuthMethod, ClientConfig, ClientKey, KeyId,
};
pub use crate::oauth::provider::exchange::ExchangeDialect;
use crate::outbound::ApiRequest;
use crate::secret::Secret;

/// A provider of OAuth 2 (RFC 6749), or of OpenID Connect, which extends it.
#[derive(Clone, Debug)]
pub struct OAuthProvider {
    /// The settings of OpenID Connect; `None` for a provider without ID tokens.
    pub openid: Option<OpenId>,
    /// Its issuer identifier, if it has one (RFC 9207 section 2).
    pub issuer: Option<String>,
    /// The client as which Vestibule is registered.
    pub client: ClientConfig,
    /// Scopes, separated by spaces. For OpenID Connect they include `openid`, except for a provider that implies it.
    pub scope: Option<String>,
    /// The authorization request.
    pub authorization: AuthorizationConfig,
    /// The token request.
    pub token: TokenConfig,
    /// The request for the profile.
    pub userinfo: UserinfoConfig,
    /// The source of the e-mail address, if it is one of a list.
    pub emails: Option<EmailsConfig>,
    /// The rule for the picture's URL, if no member of the profile contains it.
    pub derived_image: Option<DerivedImage>,
    /// The sources of the user's attributes.
    pub user: UserSources,
    /// How the user also signs out at the provider, if that is configured.
    pub logout: Option<LogoutConfig>,
    /// How a sign-out revokes the refresh token; `None` if it does not.
    pub token_revocation: Option<RevocationConfig>,
    /// Whether using a refresh token twice ends the grant.
    pub strict_rotation: bool,
    /// What brings a refresh token, if that is known.
    pub refresh_token_needs: RefreshTokenNeeds,
    /// Which responses are encrypted for this client, and its keys.
    pub response_encryption: ResponseEncryption,
    /// The security profile that it follows, if one is configured.
    pub profile: Option<SecurityProfile>,
    /// Whether tokens are bound to a key of the session (RFC 9449). A token that is not is refused.
    pub dpop: bool,
    /// How it is asked for a token in place of another one (RFC 8693).
    pub exchange_dialect: ExchangeDialect,
}

impl OAuthProvider {
    /// Those of the algorithms that may sign what this provider says.
    pub fn accepted(&self, algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
        let Some(profile) = self.profile else { return algorithms };
        algorithms.into_iter().filter(|algorithm| profile.allows(*algorithm)).collect()
    }

    /// What the authorization request lacks so that the provider gives a refresh token, as a configuration writes it; `None` if
    /// it lacks nothing that is known.
    pub fn missing_for_refresh_token(&self) -> Option<String> {
        let RefreshTokenNeeds { scopes, params } = &self.refresh_token_needs;
        let scope = self.scope.as_deref().unwrap_or_default();
        let has_scope = scopes.is_empty() || scope.split(' ').any(|scope| scopes.iter().any(|s| s == scope));
        let mut missing = Vec::new();
        if let Some(scope) = scopes.first().filter(|_| !has_scope) {
            missing.push(format!("the scope {scope}"));
        }
        let is_sent = |param: &&(String, String)| self.authorization.params.contains(param);
        let lacking: Vec<String> = params
            .iter()
            .filter(|param| !is_sent(param))
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        if !lacking.is_empty() {
            missing.push(format!("authorization_params = {{ {} }}", lacking.join(", ")));
        }
        (!missing.is_empty()).then(|| missing.join(" and "))
    }
}

/// What the authorization request must have so that a provider gives a refresh token.
#[derive(Clone, Debug, Default)]
pub struct RefreshTokenNeeds {
    /// Scopes, of which one is enough. Empty if no scope is needed.
    pub scopes: Vec<String>,
    /// Parameters, all of which are needed.
    pub params: Vec<(String, String)>,
}

/// The responses that a provider encrypts for this client (OpenID Connect Core 1.0 sections 2 and 5.3.2).
#[derive(Clone, Debug, Default)]
pub struct ResponseEncryption {
    /// How ID tokens are encrypted; `None` if they are not.
    pub id_token: Option<Encryption>,
    /// How the responses of userinfo are encrypted; `None` if they are not.
    pub userinfo: Option<Encryption>,
    /// The private keys. The provider encrypts for the first one; the others are those before it.
    pub keys: Vec<DecryptionKey>,
}

/// The settings of OpenID Connect.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration, independent of the others"
)]
pub struct OpenId {
    /// Its issuer identifier (OpenID Connect Discovery 1.0 section 3), byte for byte as configured, because it is
    /// compared as a string. `https`, or `http` on loopback.
    pub issuer: String,
    /// The template of the issuer in tokens, if one provider has many tenants: `{tid}` is replaced by the token's claim
    /// of that name.
    pub token_issuer: Option<String>,
    /// The URL of its metadata, if it is not below the issuer.
    pub well_known: Option<Url>,
    /// The URL of its keys. If it and both endpoints are configured, there is no discovery.
    pub jwks: Option<Url>,
    /// The algorithm of its ID tokens, if the configuration and not the metadata determines it.
    pub id_token_algorithm: Option<IdTokenAlgorithm>,
    /// Whether its ID tokens repeat the `nonce`.
    pub nonce: bool,
    /// The access tokens that clients may send instead of a session; `None` if that is not allowed.
    pub accept_bearer: Option<AcceptBearer>,
    /// Parameters of the authorization request that the ID token must repeat: the configured value, and the claims of
    /// which one must have that value.
    pub param_claims: Vec<(String, Vec<String>)>,
    /// Where the groups are that ID tokens leave out; `None` if they are not fetched.
    pub groups_overage: Option<GroupsOverage>,
    /// Whether its logout tokens end sessions (OpenID Connect Back-Channel Logout 1.0).
    pub backchannel_logout: bool,
    /// Whether its logout page ends sessions by a frame (OpenID Connect Front-Channel Logout 1.0).
    pub frontchannel_logout: bool,
    /// Whether other sites may send people here to sign in with this provider (OpenID Connect Core 1.0 section 4).
    pub initiate_login: bool,
}

/// Where the groups of a user are whose ID token leaves them out.
#[derive(Clone, Debug)]
pub struct GroupsOverage {
    /// The endpoint: Microsoft Graph's `getMemberGroups`.
    pub url: Url,
    /// The identifiers of the groups that a session needs; empty for all.
    pub keep: Vec<String>,
}

impl OpenId {
    /// Whether any organisation's directory may have issued the tokens. The administrator of that directory decides
    /// what such a token says about an e-mail address.
    pub fn accepts_any_tenant(&self) -> bool {
        let is_multi_tenant = |part| matches!(part, "common" | "organizations" | "consumers");
        self.token_issuer.is_some() && self.issuer.split('/').any(is_multi_tenant)
    }
}

/// The algorithm of ID tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTokenAlgorithm {
    /// HMAC with SHA-256, with the client secret as key (OpenID Connect Core 1.0 section 10.1).
    Hs256,
    /// A signature by one of the provider's keys.
    Of(Algorithm),
}

/// The token request (RFC 6749 sections 4.1.3 and 6).
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
    /// The endpoint for refresh tokens, if it is another one.
    pub refresh_endpoint: Option<Url>,
    /// POST, or GET with all parameters in the query.
    pub method: Method,
    /// `grant_type` for a code, if it is not the standard one.
    pub grant_type: Option<String>,
    /// Further parameters, and replacements of standard ones; an empty value removes a standard one. The templates know
    /// `grant`, `code`, `state`, `client_secret` and `redirect_uri`.
    pub params: Vec<(String, Template)>,
    /// The same for refresh tokens only; they are applied after `params`.
    pub refresh_params: Vec<(String, Template)>,
    /// Further header fields; names in lower case. A value may have a secret in it.
    pub headers: Vec<(String, Secret)>,
    /// The path of the tokens in the JSON response; `None` for the whole response.
    pub response_path: Option<DataPath>,
    /// Error codes, or whole descriptions, that this provider uses for `invalid_grant`.
    pub invalid_grant_errors: Vec<String>,
}

impl Default for TokenConfig {
    /// The token request of RFC 6749.
    fn default() -> Self {
        Self {
            endpoint: None,
            refresh_endpoint: None,
            method: Method::Post,
            grant_type: None,
            params: Vec::new(),
            refresh_params: Vec::new(),
            headers: Vec::new(),
            response_path: None,
            invalid_grant_errors: Vec::new(),
        }
    }
}

/// How the profile is requested.
#[derive(Clone, Debug)]
pub struct UserinfoConfig {
    /// The request; `None` for a standard request to the endpoint of the metadata.
    pub request: Option<UserinfoRequest>,
    /// The path of the profile in the JSON response; `None` for the whole response.
    pub response_path: Option<DataPath>,
    /// When userinfo is requested.
    pub fetch: FetchUserinfo,
    /// Whether the response must be a signed JWT (OpenID Connect Core 1.0 section 5.3.2).
    pub is_signed_response: bool,
}

/// A request for the profile. Its templates know `access_token`, `account` (the token response) and `api_key`.
#[derive(Clone, Debug)]
pub struct UserinfoRequest {
    /// The URL; `None` if it comes from the metadata. Scheme, host and port contain no placeholder.
    pub url: Option<Template>,
    /// Further parameters of the query.
    pub params: Vec<(String, Template)>,
    /// Method, header fields and body. Its URL is ignored.
    pub rest: ApiRequest,
    /// Whether the access token is sent in the header `Authorization`.
    pub send_access_token: bool,
    /// A secret that the request needs in addition to the access token.
    pub api_key: Option<Secret>,
}

/// When userinfo is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchUserinfo {
    /// If the ID token lacks claims that a scope or the configuration requires.
    IfNeeded,
    /// At every sign-in.
    Always,
    /// Never.
    Never,
}

/// How a user signs out at the provider (OpenID Connect RP-Initiated Logout 1.0 section 2).
#[derive(Clone, Debug)]
pub struct LogoutConfig {
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
    /// The name of the parameter for the return address.
    pub redirect_param: String,
    /// The session's claim that says who signs out where no ID token can (`logout_hint`).
    pub hint_claim: String,
}

impl LogoutConfig {
    /// The name of the parameter for the return address in the specification.
    pub const REDIRECT_PARAM: &str = "post_logout_redirect_uri";

    /// Whether the endpoint is one of the specification, which takes a hint and returns `state`. One that calls the return
    /// address otherwise has parameters of its own.
    pub fn is_standard(&self) -> bool {
        self.redirect_param == Self::REDIRECT_PARAM
    }
}

/// How a refresh token is revoked (RFC 7009).
#[derive(Clone, Debug)]
pub struct RevocationConfig {
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
    /// Whether it is an error that the metadata have no endpoint.
    pub is_required: bool,
}

/// How to select an e-mail address from a list.
#[derive(Clone, Debug)]
pub struct EmailsConfig {
    /// The URL of the list; `None` if the profile contains it.
    pub url: Option<Url>,
    /// The path of the list in the response; `None` if the whole response is the list.
    pub list: Option<DataPath>,
    /// The members and values that an item must have.
    pub conditions: Vec<(String, Value)>,
    /// The member of the item that contains the address.
    pub address: String,
    /// The member of the item that says whether the address is verified.
    pub verified: Option<String>,
}

/// An e-mail address from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEmail {
    /// The address.
    pub address: String,
    /// What the list says about it.
    pub verification: EmailVerification,
}

impl EmailsConfig {
    /// The address of the first item that meets all conditions.
    pub fn pick(&self, list: &Value) -> Option<ListedEmail> {
        let list = self.list.as_ref().map_or(Some(list), |path| path.inside(list))?.as_array()?;
        let is_match =
            |item: &&Value| self.conditions.iter().all(|(name, value)| item.get(name) == Some(value));
        let item = list.iter().find(is_match)?;
        let address = item.get(&self.address)?.as_str().filter(|address| !address.is_empty())?;
        let verified = self.verified.as_ref().and_then(|member| item.get(member));
        Some(ListedEmail {
            address: address.to_owned(),
            verification: EmailVerification::of_member(verified),
        })
    }
}

/// A rule that derives the picture's URL from other members of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivedImage {
    /// `image_url`: the URL of a Discord avatar, or of the account's default avatar.
    Discord,
}

impl DerivedImage {
    /// Adds the derived member to the profile.
    pub fn add_to(self, profile: &mut Map<String, Value>) {
        match self {
            Self::Discord => {
                let text = |name: &str| profile.get(name).and_then(Value::as_str);
                let Some(image) = discord_image(text("id"), text("avatar"), text("discriminator")) else {
                    return;
                };
                profile.insert("image_url".to_owned(), Value::String(image));
            }
        }
    }
}

fn discord_image(id: Option<&str>, avatar: Option<&str>, discriminator: Option<&str>) -> Option<String> {
    const CDN: &str = "https://cdn.discordapp.com";
    let id: u64 = id?.parse().ok()?;
    if let Some(avatar) = avatar {
        if !avatar.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let format = if avatar.starts_with("a_") { "gif" } else { "png" };
        return Some(format!("{CDN}/avatars/{id}/{avatar}.{format}"));
    }
    let number = match discriminator.and_then(|text| text.parse::<u64>().ok()) {
        None | Some(0) => (id >> 22) % 6,
        Some(old) => old % 5,
    };
    Some(format!("{CDN}/embed/avatars/{number}.png"))
}

/// The sources of the user's attributes in the provider's responses. Roots: `profile`, `account`, `id_token`,
/// `access_token`.
#[derive(Clone, Debug)]
pub struct UserSources {
    /// The provider's identifier of the user; `None` for the ID token's subject.
    pub id: Option<Source>,
    /// The name to show.
    pub name: Source,
    /// The e-mail address.
    pub email: Source,
    /// The picture's URL.
    pub image: Source,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_picture_of_a_discord_profile_is_its_own_or_the_accounts_default_one() {
        let picture = |mut profile: Value| {
            let profile = profile.as_object_mut().unwrap();
            DerivedImage::Discord.add_to(profile);
            profile
                .get("image_url")
                .and_then(Value::as_str)
                .map(|url| url.replace("https://cdn.discordapp.com", ""))
        };
        for (profile, path) in [
            (
                json!({ "id": "80351110224678912", "avatar": "8342_b7" }),
                Some("/avatars/80351110224678912/8342_b7.png"),
            ),
            (
                json!({ "id": "80351110224678912", "avatar": "a_83" }),
                Some("/avatars/80351110224678912/a_83.gif"),
            ),
            (json!({ "id": "80351110224678912", "avatar": "../x" }), None),
            (json!({ "id": "80351110224678912", "discriminator": "1337" }), Some("/embed/avatars/2.png")),
            (json!({ "id": "80351110224678912", "discriminator": "0" }), Some("/embed/avatars/5.png")),
            (json!({ "id": "80351110224678912" }), Some("/embed/avatars/5.png")),
            (json!({ "id": "46137349" }), Some("/embed/avatars/5.png")),
            (json!({ "id": "../x" }), None),
            (json!({}), None),
        ] {
            assert_eq!(picture(profile.clone()).as_deref(), path, "{profile}");
        }
    }
}
