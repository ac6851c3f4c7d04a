//! The last step of every sign-in: the provider or the API identified the user, and a new session is created. Nothing of
//! an earlier session goes into it.

use serde_json::{Map, Value, json};

use crate::config::Provider;
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::{RequestContext, provider};
use crate::hooks::{Event, SignIn, SignInAnswer, TokenOccasion};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, random_id};
use crate::session::claims::Session;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::jws;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Creates the session of a user who may sign in. An error if `allow` or a hook denies it.
    pub(crate) async fn create_session(&self, identity: Identity<'_>) -> Result<CreatedSession, Error> {
        let provider = identity.provider;
        let claims = match self.authorize_sign_in(identity, SignInKind::SignIn).await? {
            SignInDecision::Claims(claims) => claims,
            SignInDecision::Redirect(to) => {
                return Ok(CreatedSession::Redirect(self.return_policy().resolve_or_default(&to)));
            }
        };
        let session = Session::new(claims);
        let cookies = self
            .session_cookies(&session)
            .map_err(|too_large| Error::Configuration(too_large.to_string()))?;
        self.vestibule.hooks.event(&Event::SignedIn { provider: &provider.id, session: &session });
        let mut all = self.erased_conflict(&cookies);
        all.extend(cookies);
        Ok(CreatedSession::Session(all))
    }

    /// The session of a user whom a bearer token identifies, authorized like a sign-in. It is for one request and is not
    /// stored, so it has neither `sid` nor `auth_time`.
    pub(crate) async fn session_from_token(&self, identity: Identity<'_>) -> Result<Session, Error> {
        match self.authorize_sign_in(identity, SignInKind::BearerToken).await? {
            SignInDecision::Claims(mut claims) => {
                claims.retain(|name, _| !matches!(name.as_str(), "sid" | "auth_time"));
                Ok(Session::new(claims))
            }
            // A client with a bearer token is not a browser that could follow the redirect.
            SignInDecision::Redirect(_) => Err(ClientError::AccessDenied.into()),
        }
    }

    /// Decides whether the user may have a session, and returns its claims: computes the configured claims, checks
    /// `allow`, and asks the hooks, which see everything that is known of the user.
    async fn authorize_sign_in(
        &self,
        identity: Identity<'_>,
        kind: SignInKind,
    ) -> Result<SignInDecision, Error> {
        let provider = identity.provider;
        let known = self.identity_claims(&identity, kind);
        if !provider.allow.iter().all(|requirement| requirement.is_met(&known.roots)) {
            return Err(ClientError::AccessDenied.into());
        }
        let IdentityClaims { roots, configured } = known;
        let of = |root: &str| roots.get(root).and_then(Value::as_object);
        let (none, no_profile) = (Map::new(), Value::Null);
        let attempt = || SignIn {
            provider: &provider.id,
            user: of("user").unwrap_or(&none),
            account: of("account").unwrap_or(&none),
            profile: roots.get("profile").unwrap_or(&no_profile),
        };
        let hooks = &self.vestibule.hooks;
        let profile_error = |cause| provider::provider_error(provider, ProviderError::Profile(cause));
        match hooks.sign_in(attempt()).await.map_err(profile_error)? {
            SignInAnswer::Granted => {}
            SignInAnswer::Denied => return Err(ClientError::AccessDenied.into()),
            SignInAnswer::Redirect(to) => return Ok(SignInDecision::Redirect(to)),
        }

        let mut claims = self.claims_to_seal(identity, configured);
        hooks.token(&mut claims, TokenOccasion::SignIn(attempt())).await.map_err(profile_error)?;
        Ok(SignInDecision::Claims(claims))
    }

    /// Everything that is known of the user, and the configured claims computed from it.
    fn identity_claims(&self, identity: &Identity<'_>, kind: SignInKind) -> IdentityClaims {
        let mut user = Map::new();
        for (name, value) in [
            ("id", json!(identity.subject)),
            ("name", json!(identity.name)),
            ("email", json!(identity.email)),
            ("image", json!(identity.image)),
        ] {
            user.insert(name.to_owned(), value);
        }
        let mut account = identity.account.clone();
        for (name, value) in [
            ("provider", json!(identity.provider.id)),
            ("type", json!(identity.provider.kind.name(self.config().dialect))),
            ("providerAccountId", json!(identity.subject)),
            ("expires_at", json!(identity.expires_at.map(Timestamp::seconds))),
        ] {
            account.insert(name.to_owned(), value);
        }
        let access_token = identity.access_token.as_ref().map(|token| jws::decode_unverified(token.expose()));
        let mut roots = Map::new();
        roots.insert("account".to_owned(), Value::Object(account));
        roots.insert("access_token".to_owned(), json!(access_token));
        roots.insert("user".to_owned(), Value::Object(user.clone()));
        for (root, value) in &identity.sources {
            roots.insert((*root).to_owned(), value.clone());
        }

        let mut configured = Vec::new();
        for (claim, from) in &self.config().claims {
            if let Some(value) = from.lookup(&roots) {
                configured.push((claim.clone(), value.clone()));
            } else if kind == SignInKind::SignIn {
                let provider = &identity.provider.id;
                let message = format_args!("provider {provider} gave nothing at {from} for claim {claim}");
                self.log(Record::new(LogEvent::ClaimMissing, message).provider(provider));
            }
        }
        // `allow` may name a configured claim: `allow = { "user.roles" = … }`.
        for (claim, value) in &configured {
            if !user.contains_key(claim) {
                user.insert(claim.clone(), value.clone());
            }
        }
        roots.insert("user".to_owned(), Value::Object(user));
        IdentityClaims { roots, configured }
    }

    /// The claims of the new session.
    fn claims_to_seal(&self, identity: Identity<'_>, configured: Vec<(String, Value)>) -> Map<String, Value> {
        let mut claims = Map::new();
        // As in Auth.js, a claim without a value is absent, not null.
        let mut set = |claim: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(claim.to_owned(), value);
            }
        };
        set("name", identity.name);
        set("email", identity.email);
        set("picture", identity.image);
        for (claim, value) in configured {
            set(&claim, Some(value));
        }
        set("sub", Some(json!(identity.subject)));
        set("provider", Some(json!(identity.provider.id)));
        set("sid", Some(json!(random_id(self.platform))));
        set("auth_time", Some(json!(self.now.seconds())));
        set("access_token", identity.access_token.map(|token| json!(token.expose())));
        set("refresh_token", identity.refresh_token.map(|token| json!(token.expose())));
        set("expires_at", identity.expires_at.map(|at| json!(at.seconds())));
        for (claim, value) in identity.extra_claims {
            set(claim, Some(value));
        }
        claims
    }
}

/// A user whom a provider, an API or an access token identified, and the tokens that came with it.
pub(crate) struct Identity<'a> {
    /// The provider that identified the user.
    pub(crate) provider: &'a Provider,
    /// The provider's identifier of the user.
    pub(crate) subject: String,
    pub(crate) name: Option<Value>,
    pub(crate) email: Option<Value>,
    pub(crate) image: Option<Value>,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// When the access token expires, if that is known.
    pub(crate) expires_at: Option<Timestamp>,
    /// Further claims that Vestibule itself needs. The configuration's `claims` cannot have these names.
    pub(crate) extra_claims: Vec<(&'static str, Value)>,
    /// The token response, as the provider sent it.
    pub(crate) account: Map<String, Value>,
    /// Further values that the paths in `claims` and `allow` can name, each with its root.
    pub(crate) sources: Vec<(&'static str, Value)>,
}

/// The result of a permitted sign-in.
pub(crate) enum CreatedSession {
    /// The cookies of the new session.
    Session(Vec<SetCookie>),
    /// There is no session yet: a hook sends the browser to this address first.
    Redirect(TrustedUrl),
}

/// What the session is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignInKind {
    /// A sign-in, whose session lasts for days.
    SignIn,
    /// One request with a bearer token. Missing claims are not logged, because every request would log them.
    BearerToken,
}

enum SignInDecision {
    /// The user may sign in. The claims of the session.
    Claims(Map<String, Value>),
    /// A hook sends the browser to this address first.
    Redirect(String),
}

/// Everything that is known of a user.
struct IdentityClaims {
    /// The values that the configuration's paths can name, by their roots.
    roots: Map<String, Value>,
    /// The configured claims, computed from these values.
    configured: Vec<(String, Value)>,
}
