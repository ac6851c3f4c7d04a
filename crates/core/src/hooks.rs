//! Hooks: typed callbacks with which an app changes its sign-ins, sessions and access decisions.
//!
//! They correspond to Auth.js's callbacks: [`Hooks::sign_in`] (`signIn`), [`Hooks::redirect`], [`Hooks::token`]
//! (`jwt`), [`Hooks::session`], [`Hooks::authorized`] and [`Hooks::event`] (`events`). Every hook has a default body
//! that follows the configuration, so an implementation overrides only what it changes. It defines the types of the
//! session and of the providers' profiles, and the compiler checks them:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use vestibule_core::hooks::{DefaultSession, Hooks, SignIn, SignInAnswer};
//!
//! struct Shop;
//!
//! #[derive(Deserialize)]
//! struct Profile {
//!     email_verified: bool,
//! }
//!
//! #[derive(Serialize)]
//! struct Session {
//!     #[serde(flatten)]
//!     standard: DefaultSession,
//!     beta: bool,
//! }
//!
//! impl From<DefaultSession> for Session {
//!     fn from(standard: DefaultSession) -> Self {
//!         let beta = standard.email().is_some_and(|email| email.ends_with("@example.com"));
//!         Self { standard, beta }
//!     }
//! }
//!
//! impl Hooks for Shop {
//!     type Profile = Profile;
//!     type Session = Session;
//!
//!     async fn sign_in(&self, attempt: &SignIn<'_, Profile>) -> SignInAnswer {
//!         if attempt.profile.email_verified { SignInAnswer::Granted } else { SignInAnswer::Denied }
//!     }
//! }
//! ```

use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::guard::decision::Decision;
use crate::session::claims::Session;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::http::return_to::{ReturnPolicy, TrustedUrl};

/// The hooks of an app. Pass an implementation to [`crate::Vestibule::with_hooks`].
#[allow(async_fn_in_trait, reason = "the core's futures stay on one thread")]
pub trait Hooks {
    /// The type of a provider's profile: the claims of the ID token and of the userinfo endpoint, or the response of a
    /// credentials provider's API. If a profile does not deserialize to it, the sign-in fails, and the log says why.
    /// `serde_json::Value` accepts every profile.
    type Profile: DeserializeOwned;

    /// The type of the response to `GET /session`. [`DefaultSession`] is the response that the configuration defines.
    type Session: Serialize + From<DefaultSession>;

    /// Whether [`authorized`](Self::authorized) gets the session on public paths, too. If it does not use the session,
    /// `false` saves opening it there.
    const SESSION_ON_PUBLIC_PATHS: bool = true;

    /// Whether a user whom a provider has authenticated may sign in. It is called after the provider's `allow` was
    /// checked; also for each request with a bearer token, and after each refresh that says something about the user.
    /// [`SignInAnswer::Denied`] then ends the session, and [`SignInAnswer::Redirect`] leaves it as it is.
    async fn sign_in(&self, attempt: &SignIn<'_, Self::Profile>) -> SignInAnswer {
        let _ = attempt;
        SignInAnswer::Granted
    }

    /// Where the browser goes after signing in or out. `requested` is the requested URL, which an attacker may have
    /// written. Only `policy` creates a [`TrustedUrl`].
    fn redirect(&self, requested: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        policy.resolve_or_default(requested)
    }

    /// Changes the claims that are sealed into the session cookie. `claims` are those of the configuration, without the
    /// ones that sealing sets (`iat`, `exp`, `jti`).
    async fn token(&self, claims: &mut Map<String, Value>, occasion: TokenOccasion<'_, Self::Profile>) {
        let _ = (claims, occasion);
    }

    /// The response to `GET /session` for `session`. `standard` is the response that the configuration defines.
    fn session(&self, session: &Session, standard: DefaultSession) -> Self::Session {
        let _ = session;
        standard.into()
    }

    /// The decision about a request. `decided` is the decision of the rules; the hook may be stricter or more
    /// permissive.
    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision {
        let _ = (request, session);
        decided
    }

    /// Called after an event.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// The sign-in of a user whom a provider has authenticated.
pub struct SignIn<'a, Profile> {
    /// The provider's id in the configuration.
    pub provider: &'a str,
    /// `id`, `name`, `email`, `image`, `email_verified` if the provider says it, and the configured claims.
    pub user: &'a Map<String, Value>,
    /// The token response, with `provider`, `type`, `providerAccountId` and `expires_at`.
    pub account: &'a Map<String, Value>,
    /// The profile.
    pub profile: &'a Profile,
}

/// The answer to [`Hooks::sign_in`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInAnswer {
    /// The user may sign in.
    Granted,
    /// The user may not sign in, and gets the error page `AccessDenied`.
    Denied,
    /// The user may not sign in yet. The browser goes to this URL, or to the default one if it is not trusted.
    Redirect(String),
}

/// Why claims are being sealed.
pub enum TokenOccasion<'a, Profile> {
    /// A user has signed in.
    SignIn(SignIn<'a, Profile>),
    /// A refresh says something about the user. The claims are those of the session, with the new ones in place of the
    /// old. What the hook does to the claims that hold tokens, and to those that `session.updatable` names, has no
    /// effect.
    Refresh(SignIn<'a, Profile>),
    /// A page requested an update (`update()` of Auth.js's client) with this data. The claims already include the
    /// fields that `session.updatable` names. Any signed-in user can send any data.
    Update(&'a Value),
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A user has signed in.
    SignedIn {
        /// The provider's id in the configuration.
        provider: &'a str,
        /// The new session.
        session: &'a Session,
    },
    /// A user has signed out.
    SignedOut {
        /// The session that has ended.
        session: &'a Session,
    },
}

/// The response to `GET /session` without hooks: Auth.js's session, with the claims of `session.expose`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DefaultSession(pub(crate) Map<String, Value>);

impl DefaultSession {
    /// `user.name`
    pub fn name(&self) -> Option<&str> {
        self.user("name")
    }

    /// `user.email`
    pub fn email(&self) -> Option<&str> {
        self.user("email")
    }

    /// The whole object: `user`, `expires`, and the exposed claims.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }

    fn user(&self, name: &str) -> Option<&str> {
        self.0.get("user")?.get(name)?.as_str()
    }
}

/// The hooks of an app that has none: every decision follows the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configured;

impl Hooks for Configured {
    type Profile = Value;
    type Session = DefaultSession;

    const SESSION_ON_PUBLIC_PATHS: bool = false;
}

/// [`Hooks`] without its associated types, so that the flows are not generic over them. Profiles and sessions are
/// passed as JSON.
pub(crate) trait ErasedHooks {
    fn session_on_public_paths(&self) -> bool;
    fn sign_in<'a>(&'a self, attempt: SignIn<'a, Value>) -> Answer<'a, SignInAnswer>;
    fn redirect(&self, requested: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl;
    fn token<'a>(
        &'a self,
        claims: &'a mut Map<String, Value>,
        occasion: TokenOccasion<'a, Value>,
    ) -> Answer<'a, ()>;
    fn session(&self, session: &Session, standard: DefaultSession) -> Result<Value, serde_json::Error>;
    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision;
    fn event(&self, event: &Event<'_>);
}

/// The result of an asynchronous hook. It is an error if the profile does not deserialize to the hook's type.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, serde_json::Error>> + 'a>>;

/// An app's hooks, whose types serde converts from and to JSON.
pub(crate) struct Typed<H>(pub(crate) H);

impl<H: Hooks> ErasedHooks for Typed<H> {
    fn session_on_public_paths(&self) -> bool {
        H::SESSION_ON_PUBLIC_PATHS
    }

    fn sign_in<'a>(&'a self, attempt: SignIn<'a, Value>) -> Answer<'a, SignInAnswer> {
        Box::pin(async move {
            let profile = H::Profile::deserialize(attempt.profile)?;
            Ok(self.0.sign_in(&attempt.with(&profile)).await)
        })
    }

    fn redirect(&self, requested: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        self.0.redirect(requested, policy)
    }

    fn token<'a>(
        &'a self,
        claims: &'a mut Map<String, Value>,
        occasion: TokenOccasion<'a, Value>,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            match occasion {
                TokenOccasion::SignIn(attempt) => {
                    let profile = H::Profile::deserialize(attempt.profile)?;
                    self.0.token(claims, TokenOccasion::SignIn(attempt.with(&profile))).await;
                }
                TokenOccasion::Refresh(attempt) => {
                    let profile = H::Profile::deserialize(attempt.profile)?;
                    self.0.token(claims, TokenOccasion::Refresh(attempt.with(&profile))).await;
                }
                TokenOccasion::Update(data) => {
                    self.0.token(claims, TokenOccasion::Update(data)).await;
                }
            }
            Ok(())
        })
    }

    fn session(&self, session: &Session, standard: DefaultSession) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self.0.session(session, standard))
    }

    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision {
        self.0.authorized(request, session, decided)
    }

    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
    }
}

/// Without serde, which an app without hooks does not need.
impl ErasedHooks for Configured {
    fn session_on_public_paths(&self) -> bool {
        Self::SESSION_ON_PUBLIC_PATHS
    }

    fn sign_in<'a>(&'a self, _: SignIn<'a, Value>) -> Answer<'a, SignInAnswer> {
        Box::pin(std::future::ready(Ok(SignInAnswer::Granted)))
    }

    fn redirect(&self, requested: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        Hooks::redirect(self, requested, policy)
    }

    fn token<'a>(&'a self, _: &'a mut Map<String, Value>, _: TokenOccasion<'a, Value>) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn session(&self, _: &Session, standard: DefaultSession) -> Result<Value, serde_json::Error> {
        Ok(Value::Object(standard.0))
    }

    fn authorized(&self, _: &Request, _: Option<&Session>, decided: Decision) -> Decision {
        decided
    }

    fn event(&self, _: &Event<'_>) {}
}

impl<'a> SignIn<'a, Value> {
    fn with<Profile>(self, profile: &'a Profile) -> SignIn<'a, Profile> {
        SignIn { provider: self.provider, user: self.user, account: self.account, profile }
    }
}
