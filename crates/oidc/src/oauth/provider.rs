//! A provider of OAuth 2 or OpenID Connect, as checked: who we are to it, where its endpoints are, and what its
//! answers say where.

use serde_json::{Map, Value};

use crate::data::{DataPath, Source, Template};
use crate::http::request::Method;
use crate::http::url::Url;
use crate::jose::jws::Algorithm;
use crate::jose::sign::PrivateKey;
use crate::outbound::ApiRequest;
use crate::secret::Secret;

/// A provider of OAuth 2 (RFC 6749), or of OpenID Connect, which is on top of it.
#[derive(Clone, Debug)]
pub struct OAuthProvider {
    /// What OpenID Connect has beyond OAuth 2; `None` where there are no ID tokens.
    pub openid: Option<OpenId>,
    /// Its issuer identifier, where it has one (RFC 9207 section 2).
    pub issuer: Option<String>,
    /// As whom we speak.
    pub client: ClientConfig,
    /// Scopes, separated by spaces; of OpenID Connect, with `openid` but where the provider means it anyway.
    pub scope: Option<String>,
    /// Where the browser is sent, and with what.
    pub authorization: AuthorizationConfig,
    /// Where a code and a refresh token become tokens.
    pub token: TokenConfig,
    /// Where the profile comes from.
    pub userinfo: UserinfoConfig,
    /// Where the e-mail address comes from, if it is one of several.
    pub emails: Option<EmailsConfig>,
    /// Where it is said whether the e-mail address is verified: the first of these that is there.
    pub email_verified: Vec<DataPath>,
    /// The picture's URL, where the provider's documentation has a rule for it and no member of the profile holds it.
    pub derived_image: Option<DerivedImage>,
    /// Who that is.
    pub user: UserSources,
    /// How the person signs out there, too, where that is wanted.
    pub logout: Option<LogoutConfig>,
    /// Whether a refresh token that is used twice ends the grant.
    pub strict_rotation: bool,
}

/// What OpenID Connect has beyond OAuth 2.
#[derive(Clone, Debug)]
pub struct OpenId {
    /// Its issuer identifier (OpenID Connect Discovery 1.0 section 3), byte for byte as configured: it is
    /// compared as a string. `https`, or `http` on loopback.
    pub issuer: String,
    /// What the issuer in tokens looks like, where one provider speaks for many: `{tid}` in it is the token's
    /// claim.
    pub token_issuer: Option<String>,
    /// Where its metadata is, if not below the issuer.
    pub well_known: Option<Url>,
    /// Where its keys are. With it and both endpoints written there is no discovery.
    pub jwks: Option<Url>,
    /// What its ID tokens are signed with, where the metadata is not to decide.
    pub id_token_algorithm: Option<IdTokenAlgorithm>,
    /// Whether its ID tokens repeat the `nonce`.
    pub nonce: bool,
    /// Clients may bring its access tokens in place of a session where these are for one of these audiences; none
    /// where that is not wanted.
    pub accept_bearer: Vec<String>,
    /// Authorization parameters that the ID token must repeat: the value as configured, and the claims of which one
    /// must have it.
    pub param_claims: Vec<(String, Vec<String>)>,
}

impl OpenId {
    /// Whether anybody's directory may be behind the issuer. What such a token says of an e-mail address is what
    /// that directory's administrator wrote.
    pub fn speaks_for_everybody(&self) -> bool {
        let is_everybody = |part| matches!(part, "common" | "organizations" | "consumers");
        self.token_issuer.is_some() && self.issuer.split('/').any(is_everybody)
    }
}

/// What ID tokens are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTokenAlgorithm {
    /// HMAC with SHA-256, by the client's secret (OpenID Connect Core 1.0 section 10.1).
    Hs256,
    /// By a key of the provider's.
    Of(Algorithm),
}

/// As whom we speak to the provider (RFC 6749 section 2.3).
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `client_id`
    pub id: String,
    /// The parameter's name.
    pub id_param: String,
    /// `client_secret`; none for a public client, and for one that signs.
    pub secret: Option<Secret>,
    /// The parameter's name.
    pub secret_param: String,
    /// How the client authenticates at the token endpoint, where the configuration says; otherwise what the
    /// provider supports decides.
    pub method: Option<ClientAuthMethod>,
    /// What it signs with: assertions, or a secret of a kind.
    pub key: Option<ClientKey>,
    /// The client secret is a token signed with the key: its audience and its issuer.
    pub secret_from_key: Option<(String, String)>,
}

/// A key of the client's.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// The key.
    pub key: PrivateKey,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// `kid`
    pub id: Option<String>,
}

/// How a client authenticates at the token endpoint (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthMethod {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `client_secret_jwt`: an assertion signed with the secret (RFC 7523 section 2.2).
    SecretJwt,
    /// `private_key_jwt`: an assertion signed with a key.
    PrivateKeyJwt,
    /// `none`: a public client, with PKCE alone.
    None,
}

/// The authorization request (RFC 6749 section 4.1.1).
#[derive(Clone, Debug)]
pub struct AuthorizationConfig {
    /// Where it goes; `None` where the metadata says.
    pub endpoint: Option<Url>,
    /// What is behind the `#` of its URL.
    pub fragment: Option<String>,
    /// Further parameters, never one that Vestibule sets itself.
    pub params: Vec<(String, String)>,
    /// `response_type`
    pub response_type: String,
    /// Whether the response is posted (OAuth 2.0 Form Post Response Mode).
    pub form_post: bool,
    /// Whether it goes with PKCE (RFC 7636).
    pub pkce: bool,
    /// The name of the authorization response's parameter that holds JSON about the user.
    pub callback_profile_param: Option<String>,
}

/// The token request (RFC 6749 sections 4.1.3 and 6).
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// Where it goes; `None` where the metadata says.
    pub endpoint: Option<Url>,
    /// Where a refresh token goes, if elsewhere.
    pub refresh_endpoint: Option<Url>,
    /// POST, or GET with everything in the query.
    pub method: Method,
    /// `grant_type` of a code, where it is another.
    pub grant_type: Option<String>,
    /// Further parameters, or others in place of the usual; an empty one takes the usual away. The templates
    /// know `grant`, `code`, `state`, `client_secret` and `redirect_uri`.
    pub params: Vec<(String, Template)>,
    /// The same for a refresh token alone, after those.
    pub refresh_params: Vec<(String, Template)>,
    /// Header fields beside the usual; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Where in the JSON response the tokens are; at its top where `None`.
    pub response_path: Option<DataPath>,
    /// Error codes, or whole descriptions, that this provider uses for `invalid_grant`.
    pub invalid_grant_errors: Vec<String>,
}

impl Default for TokenConfig {
    /// As RFC 6749 has it.
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

/// Where the profile comes from.
#[derive(Clone, Debug)]
pub struct UserinfoConfig {
    /// The request; `None` where it is a plain one to the endpoint of the metadata.
    pub request: Option<UserinfoRequest>,
    /// Where in the JSON response the profile is; at its top where `None`.
    pub response_path: Option<DataPath>,
    /// When userinfo is requested.
    pub fetch: FetchUserinfo,
    /// Whether the response must be a signed JWT (OpenID Connect Core 1.0 section 5.3.2).
    pub is_signed_response: bool,
}

/// A request for the profile. Its templates know `access_token`, `account` (the token response) and `api_key`.
#[derive(Clone, Debug)]
pub struct UserinfoRequest {
    /// Where it goes, `None` where the metadata says; scheme, host and port stand in it as they are.
    pub url: Option<Template>,
    /// Further parameters of the query.
    pub params: Vec<(String, Template)>,
    /// Method, header fields and body; its URL is not used.
    pub rest: ApiRequest,
    /// Whether the access token is sent in the header `Authorization`.
    pub send_access_token: bool,
    /// A secret beside the token.
    pub api_key: Option<Secret>,
}

/// When userinfo is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchUserinfo {
    /// Where the ID token lacks what a scope promises or a claim wants.
    IfNeeded,
    /// At every sign-in.
    Always,
    /// Never.
    Never,
}

/// How a person signs out at the provider (OpenID Connect RP-Initiated Logout 1.0 section 2).
#[derive(Clone, Debug)]
pub struct LogoutConfig {
    /// Where the browser is sent; `None` where the metadata says.
    pub endpoint: Option<Url>,
    /// The name of the parameter that says where it comes back to.
    pub redirect_param: String,
}

/// An e-mail address out of a list.
#[derive(Clone, Debug)]
pub struct EmailsConfig {
    /// Where the list is asked for; `None` where the profile has it.
    pub url: Option<Url>,
    /// Where in the answer it is, if it is not the whole of it.
    pub list: Option<DataPath>,
    /// What an item must say.
    pub conditions: Vec<(String, Value)>,
    /// The item's member with the address.
    pub address: String,
}

impl EmailsConfig {
    /// The address of the first item that says what it must.
    pub fn pick<'a>(&self, list: &'a Value) -> Option<&'a str> {
        let list = self.list.as_ref().map_or(Some(list), |path| path.inside(list))?.as_array()?;
        let is_it = |item: &&Value| self.conditions.iter().all(|(name, value)| item.get(name) == Some(value));
        list.iter().find(is_it)?.get(&self.address)?.as_str().filter(|address| !address.is_empty())
    }
}

/// A rule that derives the picture's URL from other members of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivedImage {
    /// `image_url`: the address of a Discord avatar, or of the one that its owner has by default.
    Discord,
}

impl DerivedImage {
    /// Adds it.
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

/// Who signed in, out of what the provider says. Roots: `profile`, `account`, `id_token`, `access_token`.
#[derive(Clone, Debug)]
pub struct UserSources {
    /// As the provider identifies them; `None` is the ID token's subject.
    pub id: Option<Source>,
    /// The name to show.
    pub name: Source,
    /// The e-mail address.
    pub email: Source,
    /// The picture's URL.
    pub image: Source,
}
