//! An API of one's own, as checked: what people fill in, which requests carry it there, and where in the
//! answers everything stands.

use crate::data::{DataPath, Source, Template};
use crate::outbound::ApiRequest;

/// An API that takes what a person fills in and issues tokens.
#[derive(Clone, Debug)]
pub struct CredentialsProvider {
    /// What the form asks for; at least one.
    pub fields: Vec<Field>,
    /// The request that signs in, and its answer.
    pub login: Login,
    /// The request for the profile, made with the token. Its templates know `access_token`, `login` and
    /// `cookie`.
    pub profile: Option<ApiRequest>,
    /// Who that is.
    pub user: UserPaths,
    /// How tokens are renewed, where the API does that.
    pub refresh: Option<ApiRefresh>,
    /// Whether a refresh token that is used twice ends the sign-in.
    pub strict_rotation: bool,
}

/// The request for new tokens, and its answer. Its templates know `access_token`, `refresh_token` and `cookie`.
#[derive(Clone, Debug)]
pub struct ApiRefresh {
    /// The request.
    pub request: ApiRequest,
    /// The cookies that go with it.
    pub cookies: Vec<(String, Template)>,
    /// Where its answer has what.
    pub tokens: TokenPaths,
    /// What is there when the API refuses.
    pub error: Option<DataPath>,
    /// Whether a template names the refresh token.
    pub needs_refresh_token: bool,
    /// Cookies of the API's, by name, that the templates name and the session therefore keeps.
    pub kept_cookies: Vec<String>,
}

/// Something that a person fills in.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the form and in templates.
    pub name: String,
    /// As the sign-in page writes it.
    pub label: String,
    /// The `type` of the HTML input.
    pub kind: &'static str,
    /// The `placeholder` of the HTML input.
    pub placeholder: Option<String>,
    /// The `autocomplete` of the HTML input: what a password manager puts there.
    pub autocomplete: Option<String>,
    /// Whether the API is asked only when it is filled in.
    pub required: bool,
}

/// The request that signs in, and where its answer has what.
#[derive(Clone, Debug)]
pub struct Login {
    /// Its templates know the fields.
    pub request: ApiRequest,
    /// Where its answer has what.
    pub tokens: TokenPaths,
    /// What is there when the API refuses.
    pub error: Option<DataPath>,
}

/// Where an answer has the tokens.
#[derive(Clone, Debug)]
pub struct TokenPaths {
    /// The access token.
    pub access_token: DataPath,
    /// The refresh token.
    pub refresh_token: Option<DataPath>,
    /// When the access token ends, where the answer says so beside it.
    pub expires: Option<Expiry>,
    /// When the refresh token ends, where the answer says so beside it.
    pub refresh_expires: Option<Expiry>,
}

/// How an answer says when a token ends.
#[derive(Clone, Debug)]
pub enum Expiry {
    /// Seconds from now.
    In(DataPath),
    /// A point in time.
    At(DataPath),
}

/// Who signed in, out of the answers to both requests.
#[derive(Clone, Debug)]
pub struct UserPaths {
    /// As the API identifies them.
    pub id: Source,
    /// The name to show.
    pub name: Option<Source>,
    /// The e-mail address.
    pub email: Option<Source>,
    /// The picture's URL.
    pub image: Option<Source>,
}
