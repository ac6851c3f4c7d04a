//! The authorization request as the configuration describes it.

use serde_json::Value;

use crate::http::url::Url;

/// The authorization request (RFC 6749 section 4.1.1).
#[derive(Clone, Debug)]
pub struct AuthorizationConfig {
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
    /// The fragment of its URL, without the `#`.
    pub fragment: Option<String>,
    /// Further parameters; never one that Vestibule sets itself.
    pub params: Vec<(String, String)>,
    /// Parameters with which the provider asks for the account, although the browser is signed in there.
    pub switch_account_params: Vec<(String, String)>,
    /// `response_type`
    pub response_type: String,
    /// How the provider sends the response.
    pub response_mode: ResponseMode,
    /// Whether the request uses PKCE (RFC 7636).
    pub pkce: bool,
    /// The name of the authorization response's parameter that holds JSON about the user.
    pub callback_profile_param: Option<String>,
    /// Whether the request is pushed to the provider, and the browser carries only a reference (RFC 9126).
    pub pushed: PushedRequests,
    /// When the request is signed with the client's key (RFC 9101).
    pub request_object: When,
    /// The items of `authorization_details` (RFC 9396), which are also among `params`.
    pub details: Vec<Value>,
}

/// How the provider sends the authorization response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect, the default of a code.
    #[default]
    Query,
    /// `form_post`: the browser posts it (OAuth 2.0 Form Post Response Mode).
    FormPost,
    /// `query.jwt`: signed, in the query (JWT Secured Authorization Response Mode section 2.3.1).
    QueryJwt,
    /// `form_post.jwt`: signed, posted (section 2.3.3).
    FormPostJwt,
    /// `jwt`: signed, in the way that is usual for the response type; for a code, in the query (section 2.3.4).
    Jwt,
}

impl ResponseMode {
    /// `response_mode` of the authorization request; `None` for the default.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Query => None,
            Self::FormPost => Some("form_post"),
            Self::QueryJwt => Some("query.jwt"),
            Self::FormPostJwt => Some("form_post.jwt"),
            Self::Jwt => Some("jwt"),
        }
    }

    /// Whether the browser posts the response.
    pub fn is_posted(self) -> bool {
        matches!(self, Self::FormPost | Self::FormPostJwt)
    }

    /// Whether the response is a signed JWT.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FormPostJwt | Self::Jwt)
    }
}

/// When something is done that a provider can require.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// If the provider's metadata require it.
    #[default]
    Required,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// Whether it is done, if the provider requires it or not.
    pub fn applies(self, is_required: bool) -> bool {
        match self {
            Self::Required => is_required,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Pushed authorization requests (RFC 9126).
#[derive(Clone, Debug, Default)]
pub struct PushedRequests {
    /// When requests are pushed.
    pub when: When,
    /// The endpoint; `None` if it comes from the metadata.
    pub endpoint: Option<Url>,
}
