//! The client as which Vestibule is registered at a provider.

use crate::jose::jws::Algorithm;
use crate::jose::sign::PrivateKey;
use crate::secret::Secret;

/// The client as which Vestibule is registered at the provider (RFC 6749 section 2.3).
#[derive(Clone, Debug, Default)]
pub struct ClientConfig {
    /// `client_id`
    pub id: String,
    /// The name of the parameter for `id`.
    pub id_param: String,
    /// `client_secret`; `None` for a public client and for a client that signs.
    pub secret: Option<Secret>,
    /// The name of the parameter for `secret`.
    pub secret_param: String,
    /// How the client authenticates at the token endpoint. If it is not configured, the methods that the provider
    /// supports decide.
    pub method: Option<ClientAuthMethod>,
    /// The keys that sign assertions, request objects or the client secret, newest first: the first one signs, and the
    /// others are still published.
    pub keys: Vec<ClientKey>,
    /// The audience and the issuer of the token that is the client secret, if the key signs one.
    pub secret_from_key: Option<(String, String)>,
    /// `aud` of its assertions.
    pub assertion_audience: AssertionAudience,
}

impl ClientConfig {
    /// The keys whose public half the provider may fetch. The key of a client secret is known to the provider already.
    pub fn published_keys(&self) -> &[ClientKey] {
        if self.secret_from_key.is_some() { &[] } else { &self.keys }
    }
}

/// A signing key of the client.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// The key.
    pub key: PrivateKey,
    /// The algorithm of its signatures.
    pub algorithm: Algorithm,
    /// `kid` of its signatures.
    pub id: KeyId,
}

/// The `kid` of a client's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyId {
    /// The configured one.
    Named(String),
    /// The key's thumbprint (RFC 7638).
    Thumbprint,
    /// The key is published under its thumbprint, and signatures have no `kid`: a provider to which a single key was
    /// given by hand knows it by another name, or by none.
    Unpublished,
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

/// `aud` of a client assertion (RFC 7523 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The URL of the token endpoint, whichever endpoint the assertion is sent to.
    #[default]
    TokenEndpoint,
    /// The provider's issuer identifier: no other server can be made the audience by its metadata.
    Issuer,
}
