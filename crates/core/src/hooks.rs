//! The typed callbacks: what an app decides about its own sign-ins, sessions and pages.
//!
//! They are Auth.js's callbacks under the names of what they are asked: [`Hooks::sign_in`] (`signIn`),
//! [`Hooks::redirect`], [`Hooks::token`] (`jwt`), [`Hooks::session`], [`Hooks::authorized`] and
//! [`Hooks::event`] (`events`). Every one has a default body that does what the configuration says, so an
//! implementation writes only what it changes. The shapes of the session and of the providers' profiles are
//! types of the implementation's own, checked when it is compiled:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use vestibule_core::hooks::{Admission, DefaultSession, Hooks, SignIn};
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
//!     async fn sign_in(&self, attempt: &SignIn<'_, Profile>) -> Admission {
//!         if attempt.profile.email_verified { Admission::Granted } else { Admission::Denied }
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

/// What an app decides. Pass an implementation to [`crate::Vestibule::with_hooks`].
#[allow(async_fn_in_trait, reason = "no executor of ours moves these futures between threads")]
pub trait Hooks {
    /// The shape of a provider's profile: the claims of the ID token and the userinfo endpoint, or what an
    /// API of one's own answers. A profile of another shape signs nobody in, and the log says where it
    /// differs. `serde_json::Value` takes them all.
    type Profile: DeserializeOwned;

    /// What `GET /session` answers. [`DefaultSession`] is what the configuration says.
    type Session: Serialize + From<DefaultSession>;

    /// Whether [`authorized`](Self::authorized) is to see the session on public paths, too. Where it does
    /// not look at it, `false` saves opening it there.
    const SESSION_ON_PUBLIC_PATHS: bool = true;

    /// Whether somebody whom a provider vouches for may sign in. Asked after the provider's `allow`.
    async fn sign_in(&self, attempt: &SignIn<'_, Self::Profile>) -> SignInAnswer {
        let _ = attempt;
        SignInAnswer::Granted
    }

    /// Where a browser goes that wants to go to `wanted`, which anybody may have written. Only what
    /// `policy` resolves can be answered.
    fn redirect(&self, wanted: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        policy.resolve_or_default(wanted)
    }

    /// What is sealed into the session cookie. `claims` are those of the configuration, ready to be sealed;
    /// what sealing itself sets (`iat`, `exp`, `jti`) is not among them.
    async fn token(&self, claims: &mut Map<String, Value>, occasion: TokenOccasion<'_, Self::Profile>) {
        let _ = (claims, occasion);
    }

    /// What the page sees of `session`. `standard` is what the configuration says.
    fn session(&self, session: &Session, standard: DefaultSession) -> Self::Session {
        let _ = session;
        standard.into()
    }

    /// Whether a request may pass, after the rules have decided. It may be stricter or milder than they.
    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision {
        let _ = (request, session);
        decided
    }

    /// Something happened.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// Somebody whom a provider vouches for.
pub struct SignIn<'a, Profile> {
    /// The provider's id in the configuration.
    pub provider: &'a str,
    /// `id`, `name`, `email`, `image`, `email_verified` if the provider says it, and every claim of the configuration.
    pub user: &'a Map<String, Value>,
    /// The token response, with `provider`, `type`, `providerAccountId` and `expires_at`.
    pub account: &'a Map<String, Value>,
    /// The profile.
    pub profile: &'a Profile,
}

/// The answer to [`Hooks::sign_in`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInAnswer {
    /// They may.
    Granted,
    /// They may not: the error page says `AccessDenied`.
    Denied,
    /// They may not yet, and are sent there; an address that is not trusted is the default one.
    Redirect(String),
}

/// Why claims are about to be sealed.
pub enum TokenOccasion<'a, Profile> {
    /// Somebody has signed in.
    SignIn(SignIn<'a, Profile>),
    /// A page asked for an update (`update()` of Auth.js's client), with this data. The fields that
    /// `session.updatable` names are taken over already. Anybody who is signed in can send any data.
    Update(&'a Value),
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A session was begun.
    SignedIn {
        /// The provider's id in the configuration.
        provider: &'a str,
        /// The new session.
        session: &'a Session,
    },
    /// A session was ended by its owner.
    SignedOut {
        /// The session that was.
        session: &'a Session,
    },
}

/// What `GET /session` answers unless hooks say otherwise: Auth.js's session with what `session.expose` adds.
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

    /// The whole object: `user`, `expires`, and what the configuration exposes.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }

    fn user(&self, name: &str) -> Option<&str> {
        self.0.get("user")?.get(name)?.as_str()
    }
}

/// The hooks of an app that is configured only: everything is as the configuration says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configured;

impl Hooks for Configured {
    type Profile = Value;
    type Session = DefaultSession;

    const SESSION_ON_PUBLIC_PATHS: bool = false;
}

/// [`Hooks`] without their types, so that the flows need not carry them: profiles and sessions cross over
/// as JSON.
pub(crate) trait ErasedHooks {
    fn session_on_public_paths(&self) -> bool;
    fn sign_in<'a>(&'a self, attempt: SignIn<'a, Value>) -> Answer<'a, SignInAnswer>;
    fn redirect(&self, wanted: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl;
    fn token<'a>(
        &'a self,
        claims: &'a mut Map<String, Value>,
        occasion: TokenOccasion<'a, Value>,
    ) -> Answer<'a, ()>;
    fn session(&self, session: &Session, standard: DefaultSession) -> Result<Value, serde_json::Error>;
    fn authorized(&self, request: &Request, session: Option<&Session>, decided: Decision) -> Decision;
    fn event(&self, event: &Event<'_>);
}

/// What an asynchronous hook answers; an error where the profile has not the shape that it wants.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, serde_json::Error>> + 'a>>;

/// Hooks of an app's own, whose types serde reads and writes.
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

    fn redirect(&self, wanted: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        self.0.redirect(wanted, policy)
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

/// The same without serde, for apps without hooks, which need none of it.
impl ErasedHooks for Configured {
    fn session_on_public_paths(&self) -> bool {
        Self::SESSION_ON_PUBLIC_PATHS
    }

    fn sign_in<'a>(&'a self, _: SignIn<'a, Value>) -> Answer<'a, SignInAnswer> {
        Box::pin(std::future::ready(Ok(SignInAnswer::Granted)))
    }

    fn redirect(&self, wanted: &str, policy: &ReturnPolicy<'_>) -> TrustedUrl {
        Hooks::redirect(self, wanted, policy)
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
