//! The session of somebody who just signed in, whichever way: a new one, of which nothing was there before.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::config::Provider;
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::signin::identity::Identity;
use crate::flow::{RequestContext, provider};
use crate::hooks::{Event, SignIn, SignInAnswer, TokenOccasion};
use crate::platform::{Level, Platform, random_id};
use crate::session::claims::Session;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::jws;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::time::Timestamp;

/// What signing in came to.
pub(crate) enum CreatedSession {
    /// A session: the cookies that hold it.
    Session(Vec<SetCookie>),
    /// None yet: a hook sends the browser there first.
    Elsewhere(TrustedUrl),
}

impl<P: Platform> RequestContext<'_, P> {
    /// Makes the session of somebody who may have one.
    pub(crate) async fn create_session(&self, person: Identity<'_>) -> Result<CreatedSession, Error> {
        let provider = person.provider;
        let claims = match self.authorize_sign_in(person, SignInKind::SignIn).await? {
            SignInDecision::Claims(claims) => claims,
            SignInDecision::Elsewhere(to) => {
                return Ok(CreatedSession::Elsewhere(self.return_policy().resolve_or_default(&to)));
            }
        };
        let session = Session::new(claims);
        let cookies = self
            .session_cookies(&session)
            .map_err(|too_large| Error::Configuration(too_large.to_string()))?;
        self.vestibule.hooks.event(&Event::SignedIn { provider: &provider.id, session: &session });
        Ok(CreatedSession::Session(cookies))
    }

    /// What a session would say of somebody whom an access token stands for, judged as at a sign-in. It is for one
    /// request: nothing of it is kept, so it is no sign-in that had a beginning or could be told from another.
    pub(crate) async fn session_from_token(&self, person: Identity<'_>) -> Result<Session, Error> {
        match self.authorize_sign_in(person, SignInKind::Request).await? {
            SignInDecision::Claims(mut claims) => {
                claims.retain(|name, _| !matches!(name.as_str(), "sid" | "auth_time"));
                Ok(Session::new(claims))
            }
            // There is no browser to be sent there.
            SignInDecision::Elsewhere(_) => Err(ClientError::AccessDenied.into()),
        }
    }

    /// The claims of somebody who may have a session: the configured ones first, then `allow`, then the hooks, which
    /// see all that is known.
    async fn authorize_sign_in(
        &self,
        person: Identity<'_>,
        occasion: SignInKind,
    ) -> Result<SignInDecision, Error> {
        let provider = person.provider;
        let known = self.known(&person, occasion);
        if !self.is_allowed(provider, &known) {
            return Err(ClientError::AccessDenied.into());
        }
        let IdentityClaims { roots, configured, email_verification } = known;
        let of = |root: &str| roots.get(root).and_then(Value::as_object);
        let (none, no_profile) = (Map::new(), Value::Null);
        let attempt = || SignIn {
            provider: &provider.id,
            user: of("user").unwrap_or(&none),
            account: of("account").unwrap_or(&none),
            profile: roots.get("profile").unwrap_or(&no_profile),
        };
        let hooks = &self.vestibule.hooks;
        let misshapen = |cause| provider::provider_error(provider, ProviderError::Profile(cause));
        match hooks.sign_in(attempt()).await.map_err(misshapen)? {
            SignInAnswer::Granted => {}
            SignInAnswer::Denied => return Err(ClientError::AccessDenied.into()),
            SignInAnswer::Redirect(to) => return Ok(SignInDecision::Elsewhere(to)),
        }

        let mut claims = self.claims_to_seal(person, configured, email_verification);
        hooks.token(&mut claims, TokenOccasion::SignIn(attempt())).await.map_err(misshapen)?;
        Ok(SignInDecision::Claims(claims))
    }

    /// Whether the user meets all of `allow`, which does not see an e-mail address that is not proven.
    fn is_allowed(&self, provider: &Provider, known: &IdentityClaims) -> bool {
        let mut roots = Cow::Borrowed(&known.roots);
        if !provider.allow.is_empty() && provider.email.withholds(known.email_verification) {
            self.config().remove_email(provider, roots.to_mut());
        }
        provider.allow.iter().all(|asked| asked.test.is_met(asked.claim.lookup(&roots)))
    }

    fn known(&self, person: &Identity<'_>, occasion: SignInKind) -> IdentityClaims {
        let mut user = Map::new();
        for (name, value) in [
            ("id", json!(person.subject)),
            ("name", json!(person.name)),
            ("email", json!(person.email)),
            ("image", json!(person.image)),
        ] {
            user.insert(name.to_owned(), value);
        }
        let mut account = person.account.clone();
        for (name, value) in [
            ("provider", json!(person.provider.id)),
            ("type", json!(person.provider.kind.name(self.config().dialect))),
            ("providerAccountId", json!(person.subject)),
            ("expires_at", json!(person.expires_at.map(Timestamp::seconds))),
        ] {
            account.insert(name.to_owned(), value);
        }
        let access_token = person.access_token.as_ref().map(|token| jws::decode_unverified(token.expose()));
        let mut roots = Map::new();
        roots.insert("account".to_owned(), Value::Object(account));
        roots.insert("access_token".to_owned(), json!(access_token));
        roots.insert("user".to_owned(), Value::Object(user.clone()));
        for (root, value) in &person.sources {
            roots.insert((*root).to_owned(), value.clone());
        }

        let mut configured = Vec::new();
        for (claim, from) in &self.config().claims {
            if let Some(value) = from.lookup(&roots) {
                configured.push((claim.clone(), value.clone()));
            } else if occasion == SignInKind::SignIn {
                let provider = &person.provider.id;
                let message = format!("provider {provider} gave nothing at {from} for claim {claim}");
                self.log(Level::Info, "claim_absent", &message);
            }
        }
        // What the configuration reads as this claim counts in place of what the provider is known to say.
        let email_verification = match (
            &person.email,
            EmailVerification::of_claim(configured_claim(&configured, "email_verified")),
        ) {
            (None, _) => EmailVerification::Unstated,
            (Some(_), EmailVerification::Unstated) => person.email_verification,
            (Some(_), stated) => stated,
        };
        user.extend(
            email_verification.claim().map(|is_verified| ("email_verified".to_owned(), json!(is_verified))),
        );
        // A claim is something about the user, too: `allow = { "user.roles" = … }`.
        for (claim, value) in &configured {
            if !user.contains_key(claim) {
                user.insert(claim.clone(), value.clone());
            }
        }
        roots.insert("user".to_owned(), Value::Object(user));
        IdentityClaims { roots, configured, email_verification }
    }

    /// The claims to seal. Nothing of an earlier session is among them.
    fn claims_to_seal(
        &self,
        person: Identity<'_>,
        configured: Vec<(String, Value)>,
        email_verification: EmailVerification,
    ) -> Map<String, Value> {
        // What is known about the address of the user says nothing about another one that the configuration reads.
        let email_verification = match configured_claim(&configured, "email") {
            Some(email) if person.email.as_ref() != Some(email) => {
                EmailVerification::of_claim(configured_claim(&configured, "email_verified"))
            }
            _ => email_verification,
        };
        let mut claims = Map::new();
        // What nobody has said is absent, as in Auth.js, and not null.
        let mut set = |claim: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(claim.to_owned(), value);
            }
        };
        set("name", person.name);
        set("email", person.email);
        set("picture", person.image);
        for (claim, value) in configured {
            set(&claim, Some(value));
        }
        set("email_verified", email_verification.claim().map(Value::from));
        set("sub", Some(json!(person.subject)));
        set("provider", Some(json!(person.provider.id)));
        set("sid", Some(json!(random_id(self.platform))));
        set("auth_time", Some(json!(self.now.seconds())));
        set("access_token", person.access_token.map(|token| json!(token.expose())));
        set("refresh_token", person.refresh_token.map(|token| json!(token.expose())));
        set("expires_at", person.expires_at.map(|at| json!(at.seconds())));
        for (claim, value) in person.kept {
            set(claim, Some(value));
        }
        claims
    }
}

fn configured_claim<'a>(configured: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    configured.iter().find(|(claim, _)| claim == name).map(|(_, value)| value)
}

/// What somebody is known for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignInKind {
    /// A session of days.
    SignIn,
    /// One request of many, about which there is nothing to log.
    Request,
}

enum SignInDecision {
    Claims(Map<String, Value>),
    /// A hook sends the browser there first.
    Elsewhere(String),
}

/// All that is known of a person, by the roots of the configuration's paths, and the claims that the
/// configuration makes of it.
struct IdentityClaims {
    roots: Map<String, Value>,
    configured: Vec<(String, Value)>,
    email_verification: EmailVerification,
}
