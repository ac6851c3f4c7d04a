//! An API of one's own, as checked: what people fill in, which requests carry it there, and where in the
//! answers everything stands.

use serde_json::Value;

use crate::data::{DataPath, Source, Template};
use crate::http::request::Method;
use crate::http::url::Url;

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

/// A request to the API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Where to: `https`, or `http` on loopback.
    pub url: Url,
    /// Header fields beside those that Vestibule sets; names in lower case.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<ApiBody>,
}

/// A request's body, before the values are put in.
#[derive(Clone, Debug)]
pub enum ApiBody {
    /// `application/json`
    Json(BodyTemplate),
    /// `application/x-www-form-urlencoded`
    Form(Vec<(String, BodyTemplate)>),
}

/// JSON whose strings are templates.
#[derive(Clone, Debug)]
pub enum BodyTemplate {
    /// A number, true, false or null, as it is.
    Literal(Value),
    /// A string.
    Text(Template),
    /// An array.
    List(Vec<BodyTemplate>),
    /// An object.
    Table(Vec<(String, BodyTemplate)>),
}

impl ApiRequest {
    /// Every template of the request.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let mut found: Vec<&Template> = self.headers.iter().map(|(_, template)| template).collect();
        match &self.body {
            Some(ApiBody::Json(body)) => body.collect(&mut found),
            Some(ApiBody::Form(pairs)) => pairs.iter().for_each(|(_, value)| value.collect(&mut found)),
            None => {}
        }
        found.into_iter()
    }
}

impl BodyTemplate {
    fn collect<'a>(&'a self, found: &mut Vec<&'a Template>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => found.push(template),
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Table(members) => members.iter().for_each(|(_, value)| value.collect(found)),
        }
    }
}
