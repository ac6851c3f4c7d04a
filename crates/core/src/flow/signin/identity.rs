//! From a provider's claims to who the user is.
//!
//! A user is identified by a sign-in or by an access token that a client sends. Both use this one function, so that both
//! have the same requirements.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::config::Provider;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::oauth::id_token::{self, ParamClaimError};
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// A user whom a provider, an API or an access token identified, and the tokens that came with it.
pub(crate) struct Identity<'a> {
    /// The provider that identified the user.
    pub(crate) provider: &'a Provider,
    /// The provider's identifier of the user.
    pub(crate) subject: String,
    pub(crate) name: Option<Value>,
    pub(crate) email: Option<Value>,
    /// Whether the e-mail address belongs to the user.
    pub(crate) email_verification: EmailVerification,
    pub(crate) image: Option<Value>,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// The verified ID token of a sign-in.
    pub(crate) id_token: Option<Secret>,
    /// When the access token expires, if that is known.
    pub(crate) expires_at: Option<Timestamp>,
    /// Further claims that Vestibule itself needs. The configuration's `claims` cannot have these names.
    pub(crate) extra_claims: Vec<(&'static str, Value)>,
    /// The token response, as the provider sent it.
    pub(crate) account: Map<String, Value>,
    /// Further values that the paths in `claims` and `allow` can name, each with its root.
    pub(crate) sources: Vec<(&'static str, Value)>,
}

/// What an OAuth provider says about a user.
pub(crate) struct ProviderClaims {
    /// The claims of the token whose signature is verified: the ID token, or the access token that a client sent. A
    /// provider without OpenID Connect has none.
    pub(crate) verified: Option<VerifiedClaims>,
    /// These, with what userinfo says.
    pub(crate) profile: Map<String, Value>,
    /// The token response.
    pub(crate) account: Map<String, Value>,
    /// The payload of the access token, if it is a JWT.
    pub(crate) access_token: Value,
    /// What a list of addresses says about the address that was taken from it.
    pub(crate) listed_email: Option<EmailVerification>,
    /// The user's id, where it is known and the data need not say it again. A sign-in knows none.
    pub(crate) known_subject: Option<String>,
}

/// The claims of a verified token.
pub(crate) struct VerifiedClaims {
    pub(crate) subject: String,
    pub(crate) claims: Map<String, Value>,
}

/// The tokens that came with the claims.
pub(crate) struct Tokens {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    /// When the access token expires, if that is known.
    pub(crate) expires_at: Option<Timestamp>,
}

/// Why claims identify no user.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    /// A claim does not repeat a parameter of the authorization request.
    #[error(transparent)]
    ParamClaim(ParamClaimError),
    /// They have no value for the user's id.
    #[error("there is no value for the user's id (AUTH.providers, user.id)")]
    NoId,
}

impl<'a> Identity<'a> {
    /// Checks what the configuration requires of the provider's claims, and reads from them who the user is.
    pub(crate) fn from_claims(
        provider: &'a Provider,
        oauth: &OAuthProvider,
        claims: ProviderClaims,
        tokens: Tokens,
    ) -> Result<Self, IdentityError> {
        let ProviderClaims { verified, mut profile, account, access_token, listed_email, known_subject } =
            claims;
        if let (Some(openid), Some(verified)) = (&oauth.openid, &verified) {
            for (value, names) in &openid.param_claims {
                id_token::verify_param_claims(&verified.claims, value, names)
                    .map_err(IdentityError::ParamClaim)?;
            }
        }
        if let Some(image) = oauth.derived_image {
            image.add_to(&mut profile);
        }
        let (subject, verified) = verified.map(|verified| (verified.subject, verified.claims)).unzip();
        let (profile, verified) = (Value::Object(profile), verified.map(Value::Object));
        let response = Value::Object(account.clone());
        let find = |path: &DataPath| {
            let root = match path.root() {
                "profile" => &profile,
                "account" => &response,
                "access_token" => &access_token,
                "id_token" => verified.as_ref()?,
                _ => return None,
            };
            path.within(root).cloned()
        };
        let user = &oauth.user;
        let subject = match &user.id {
            None => subject,
            Some(id) => id.whole(&find).filter(|id| id_token::is_subject(id)),
        };
        let subject = subject.or(known_subject).ok_or(IdentityError::NoId)?;
        let (name, email, image) = (user.name.text(&find), user.email.text(&find), user.image.whole(&find));
        let email_verification = match &email {
            None => EmailVerification::Unstated,
            Some(address) => listed_email.unwrap_or_else(|| provider.email.statements.read(address, &find)),
        };
        let mut sources = vec![("profile", profile)];
        sources.extend(verified.map(|claims| ("id_token", claims)));
        Ok(Self {
            provider,
            subject,
            name: name.map(Value::from),
            // As in Auth.js, so that an app finds its users by it.
            email: email.map(|address| address.to_lowercase().into()),
            email_verification,
            image: image.map(Value::from),
            access_token: Some(tokens.access_token),
            refresh_token: tokens.refresh_token,
            id_token: None,
            expires_at: tokens.expires_at,
            extra_claims: Vec::new(),
            account,
            sources,
        })
    }
}
