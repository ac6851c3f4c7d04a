//! The client at the token endpoint, and how it authenticates (RFC 6749 section 2.3).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::oauth::provider::ClientAuthMethod;
use crate::secret::Secret;

/// The client that sends a token request (RFC 6749 section 2.3).
#[derive(Clone, Debug)]
pub struct Client<'a> {
    /// `client_id`
    pub id: &'a str,
    /// The name of the parameter for `id`.
    pub id_param: &'a str,
    /// The name of the parameter for a client secret.
    pub secret_param: &'a str,
    /// The client secret, for configurations that use it in other parameters.
    pub secret: Option<&'a Secret>,
    /// How it authenticates.
    pub authentication: ClientAuthentication<'a>,
}

/// How a client authenticates, with the credentials for that (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Debug)]
pub enum ClientAuthentication<'a> {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic(&'a Secret),
    /// `client_secret_post`: in the body.
    Post(Cow<'a, Secret>),
    /// `client_secret_jwt` or `private_key_jwt`: a signed assertion (RFC 7523 section 2.2).
    Assertion(Secret),
    /// `none`: a public client.
    None,
}

/// The method by which a client authenticates: the `configured` one, or one that the provider supports
/// (`token_endpoint_auth_methods_supported`). `client_secret_basic` is the default (OpenID Connect Core 1.0 section 9,
/// RFC 8414 section 2), even if the provider lists only methods that need more than a secret: its error response will
/// show that.
pub fn method(configured: Option<ClientAuthMethod>, supported: &[String]) -> ClientAuthMethod {
    let lists = |method: &str| supported.iter().any(|listed| listed == method);
    match configured {
        Some(method) => method,
        None if !lists("client_secret_basic") && lists("client_secret_post") => ClientAuthMethod::Post,
        None => ClientAuthMethod::Basic,
    }
}

impl Client<'_> {
    /// Authenticates the client in a request with a form (RFC 6749 section 2.3): adds its parameters to `form`, or
    /// returns the value of `Authorization`.
    pub(super) fn authenticate<'c>(&'c self, form: &mut Vec<(&'c str, Cow<'c, str>)>) -> Option<String> {
        match &self.authentication {
            ClientAuthentication::Basic(secret) => return Some(basic(self.id, secret)),
            ClientAuthentication::Post(secret) => {
                form.push((self.id_param, self.id.into()));
                form.push((self.secret_param, secret.expose().into()));
            }
            ClientAuthentication::Assertion(assertion) => {
                form.push((self.id_param, self.id.into()));
                form.push(("client_assertion_type", ASSERTION_TYPE.into()));
                form.push(("client_assertion", assertion.expose().into()));
            }
            ClientAuthentication::None => form.push((self.id_param, self.id.into())),
        }
        None
    }
}

/// The type of a JWT that authenticates a client (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The value of `Authorization`. Both parts are form-encoded before they are joined, so a colon inside a part is not a
/// separator (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &Secret) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_of_basic_credentials_are_form_encoded_first() {
        let decoded = |id: &str, secret: &str| {
            let header = basic(id, &Secret::new(secret));
            String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
        };
        assert_eq!(decoded("a:b", "c:d"), "a%3Ab:c%3Ad");
        assert_eq!(decoded("https://app.example", "p w+%ü"), "https%3A%2F%2Fapp.example:p+w%2B%25%C3%BC");
        assert_eq!(decoded("plain-id_1.x", "S3cret-_."), "plain-id_1.x:S3cret-_.");
    }

    #[test]
    fn the_authentication_method_comes_from_the_configuration_or_else_from_the_provider() {
        use ClientAuthMethod::{Basic, None as Public, Post, PrivateKeyJwt};
        const BASIC: &str = "client_secret_basic";
        const POST: &str = "client_secret_post";
        for (configured, supported, chosen) in [
            (None, &[][..], Basic),
            (None, &[BASIC], Basic),
            (None, &[POST, BASIC], Basic),
            (None, &[POST], Post),
            (None, &["private_key_jwt", POST], Post),
            (None, &["private_key_jwt"], Basic),
            (None, &["none"], Basic),
            (Some(Basic), &[POST], Basic),
            (Some(Post), &[BASIC], Post),
            (Some(PrivateKeyJwt), &[BASIC], PrivateKeyJwt),
            (Some(Public), &[BASIC], Public),
        ] {
            let supported: Vec<_> = supported.iter().map(|&s| s.to_owned()).collect();
            assert_eq!(method(configured, &supported), chosen, "{configured:?} {supported:?}");
        }
    }
}
