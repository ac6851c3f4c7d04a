//! A login API of the operator's own, as the checked configuration describes it: the fields of the sign-in form, the
//! requests that send their values, and the paths of the values in the responses.

use std::collections::BTreeMap;

use crate::credentials::refusal::Refusals;
use crate::data::{DataPath, Source, Template};
use crate::outbound::ApiRequest;

/// An API that takes the values of a form and issues tokens.
#[derive(Clone, Debug)]
pub struct CredentialsProvider {
    /// The fields of the form; at least one.
    pub fields: Vec<Field>,
    /// The request that signs the user in, and its response.
    pub login: Login,
    /// The request for the profile, sent with the access token. Its templates know `access_token`, `login` and
    /// `cookie`.
    pub profile: Option<ApiRequest>,
    /// Where the user's id, name, e-mail address and image are.
    pub user: UserPaths,
    /// How tokens are refreshed, if the API supports that.
    pub refresh: Option<ApiRefresh>,
    /// Whether using a refresh token twice ends the sign-in.
    pub strict_rotation: bool,
}

/// The request for new tokens, and its response. Its templates know `access_token`, `refresh_token` and `cookie`.
#[derive(Clone, Debug)]
pub struct ApiRefresh {
    /// The request.
    pub request: ApiRequest,
    /// The cookies that are sent with it.
    pub cookies: Vec<(String, Template)>,
    /// The paths of the tokens in the response.
    pub tokens: TokenPaths,
    /// Which responses end the session.
    pub refusals: Refusals,
    /// Whether a template uses the refresh token.
    pub needs_refresh_token: bool,
    /// The names of the API's cookies that the templates use and the session therefore stores.
    pub kept_cookies: Vec<String>,
}

/// A field of the sign-in form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the form and in templates.
    pub name: String,
    /// Its label on the sign-in page, if the configuration has one.
    pub label: Option<Localized>,
    /// The `type` of the HTML input.
    pub kind: &'static str,
    /// The `placeholder` of the HTML input.
    pub placeholder: Option<Localized>,
    /// The `autocomplete` of the HTML input: the kind of value that a password manager fills in.
    pub autocomplete: Option<String>,
    /// Whether a form without a value for this field is rejected before a request is sent.
    pub required: bool,
}

/// A text of the configuration for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Localized {
    /// The same text in every language.
    Same(String),
    /// A text for each language, by its tag.
    ByLanguage(BTreeMap<String, String>),
}

impl Localized {
    /// The text in the language of this tag; otherwise that in English, otherwise any.
    pub fn in_language(&self, tag: &str) -> &str {
        match self {
            Self::Same(text) => text,
            Self::ByLanguage(texts) => {
                let text = texts.get(tag).or_else(|| texts.get("en")).or_else(|| texts.values().next());
                text.map_or("", String::as_str)
            }
        }
    }
}

/// What a field is for, as far as its configuration shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldPurpose {
    /// An e-mail address.
    Email,
    /// A name that the user chose.
    Username,
    /// A password.
    Password,
    /// A code that is valid once.
    OneTimeCode,
    /// Anything else.
    Other,
}

impl Field {
    /// What the field is for.
    pub fn purpose(&self) -> FieldPurpose {
        match self.kind {
            _ if self.is_for("one-time-code") => FieldPurpose::OneTimeCode,
            "password" => FieldPurpose::Password,
            "email" => FieldPurpose::Email,
            _ if self.is_for("email") || self.name == "email" => FieldPurpose::Email,
            "text" if matches!(self.name.as_str(), "username" | "user" | "login") => FieldPurpose::Username,
            _ => FieldPurpose::Other,
        }
    }

    /// Whether its value names an account and is no secret, so that the form may show it again.
    pub fn names_account(&self) -> bool {
        let is_visible = matches!(self.kind, "text" | "email" | "tel");
        is_visible && ["username", "email", "tel"].iter().any(|kind| self.is_for(kind))
    }

    fn is_for(&self, kind: &str) -> bool {
        self.autocomplete.as_ref().is_some_and(|tokens| tokens.split(' ').any(|token| token == kind))
    }
}

/// The request that signs the user in, and the paths in its response.
#[derive(Clone, Debug)]
pub struct Login {
    /// The request. Its templates know the fields of the form.
    pub request: ApiRequest,
    /// The paths of the tokens in the response.
    pub tokens: TokenPaths,
    /// Which responses reject the user's input.
    pub refusals: Refusals,
}

/// The paths of the tokens in a response.
#[derive(Clone, Debug)]
pub struct TokenPaths {
    /// The access token.
    pub access_token: DataPath,
    /// The refresh token.
    pub refresh_token: Option<DataPath>,
    /// The lifetime of the access token, if the response states it.
    pub expires: Option<Expiry>,
    /// The lifetime of the refresh token, if the response states it.
    pub refresh_expires: Option<Expiry>,
}

/// How a response states when a token expires.
#[derive(Clone, Debug)]
pub enum Expiry {
    /// Seconds from now, as `expires_in` does.
    In(DataPath),
    /// A point in time: seconds or milliseconds since the epoch, or RFC 3339.
    At(DataPath),
}

/// Where the responses to the login and profile requests describe the user.
#[derive(Clone, Debug)]
pub struct UserPaths {
    /// The API's identifier of the user.
    pub id: Source,
    /// The name to show.
    pub name: Option<Source>,
    /// The e-mail address.
    pub email: Option<Source>,
    /// The picture's URL.
    pub image: Option<Source>,
}
