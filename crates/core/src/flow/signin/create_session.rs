//! The last step of every sign-in: the provider or the API identified the user, and a new session is created. Nothing of
//! an earlier session goes into it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::config::Provider;
use crate::error::{ClientError, Error, ProviderError};
use crate::flow::signin::identity::Identity;
use crate::flow::signin::refreshed_user::RefreshedUser;
use crate::flow::{RequestContext, provider};
use crate::hooks::{Event, SignIn, SignInAnswer, TokenOccasion};
use crate::log::{LogEvent, Record};
use crate::platform::{Platform, random_id};
use crate::session::claims::Session;
use crate::session::step_up::{authentication_claims, keep_authentication};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::cookie::SetCookie;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::jws;
use vestibule_oidc::oauth::email::EmailVerification;
use vestibule_oidc::oauth::id_token;
use vestibule_oidc::time::Timestamp;

impl<P: Platform> RequestContext<'_, P> {
    /// Creates the session of a user who may sign in. An error if `allow` or a hook denies it.
    pub(crate) async fn create_session(&self, identity: Identity<'_>) -> Result<CreatedSession, Error> {
        self.session_of(identity, None, LogEvent::SignedIn).await
    }

    /// The same session with new claims and tokens, after a silent sign-in confirmed its user. It stays the session that it
    /// was: what ends it, or revokes it, does not begin anew.
    pub(crate) async fn confirm_session(
        &self,
        identity: Identity<'_>,
        session: &Session,
    ) -> Result<CreatedSession, Error> {
        self.session_of(identity, Some(session), LogEvent::SignedIn).await
    }

    /// The same session after its user proved more. What its tokens are for stays: a provider may give no new refresh token.
    pub(crate) async fn step_up_session(
        &self,
        mut identity: Identity<'_>,
        session: &Session,
    ) -> Result<CreatedSession, Error> {
        if identity.refresh_token.is_none() {
            identity.refresh_token = session.refresh_token();
        }
        self.session_of(identity, Some(session), LogEvent::SteppedUp).await
    }

    async fn session_of(
        &self,
        mut identity: Identity<'_>,
        confirmed: Option<&Session>,
        event: LogEvent,
    ) -> Result<CreatedSession, Error> {
        let provider = identity.provider;
        let id_token = identity.id_token.take();
        let mut claims = match self.authorize_sign_in(identity, SignInKind::SignIn).await? {
            SignInDecision::Claims(claims) => claims,
            SignInDecision::Redirect(to) => {
                return Ok(CreatedSession::Redirect(self.return_policy().resolve_or_default(&to)));
            }
        };
        if let Some(session) = confirmed {
            self.keep_session(&mut claims, session);
        } else if let Some(sub) = claims.get("sub").and_then(Value::as_str) {
            let begins = self.sign_in_time(&provider.id, sub, &claims).await;
            claims.insert("signed_in_at".to_owned(), begins.seconds().into());
        }
        let session = Session::new(claims);
        if confirmed.is_none() && self.is_ended_by_provider(&session) {
            return Ok(CreatedSession::Ended);
        }
        let session = self.store_tokens(session, confirmed).await;
        let (session, hint) = self.with_logout_hint(session, id_token.as_ref());
        let cookies = self
            .session_cookies(&session)
            .map_err(|too_large| Error::Configuration(too_large.to_string()))?;
        self.vestibule.hooks.event(&Event::SignedIn { provider: &provider.id, session: &session });
        let message = match (event, confirmed) {
            (LogEvent::SteppedUp, _) => "the user proved what a rule asks for",
            (_, Some(_)) => "the provider confirmed the user, without a question",
            (_, None) => "a user signed in",
        };
        self.audit(event, &session, message);
        let mut all = self.erased_conflict(&cookies);
        all.extend(cookies);
        all.extend(hint);
        all.extend(self.clear_signed_out());
        Ok(CreatedSession::Session(all))
    }

    /// Keeps what is the session's own, and what a page may have changed since it began.
    fn keep_session(&self, claims: &mut Map<String, Value>, session: &Session) {
        let session = session.clone().with_sign_in_time();
        let updatable = self.config().session.updatable.iter().map(String::as_str);
        // The provider's newest word counts, if it says it again.
        keep_authentication(session.claims(), claims);
        if let Some(end) = session.claims().get("ends_at").filter(|_| !claims.contains_key("ends_at")) {
            claims.insert("ends_at".to_owned(), end.clone());
        }
        let of_session = ["sid", "signed_in_at", "persistent"];
        for name in of_session.into_iter().chain(updatable.clone()) {
            if let Some(value) = session.claims().get(name) {
                claims.insert(name.to_owned(), value.clone());
            }
        }
        if updatable.into_iter().any(|claim| claim == "email") {
            // The provider did not verify what a page wrote as the address.
            match session.claims().get("email_verified") {
                Some(verified) => claims.insert("email_verified".to_owned(), verified.clone()),
                None => claims.remove("email_verified"),
            };
        }
        claims.insert("revalidated_at".to_owned(), self.now.seconds().into());
        // A response that is still on its way with the old tokens does not replace these.
        claims.insert("generation".to_owned(), session.generation().saturating_add(1).into());
    }

    /// The session of a user whom a bearer token identifies, authorized like a sign-in. It is for one request and is not
    /// stored, so it has neither `sid` nor `signed_in_at`.
    pub(crate) async fn session_from_token(&self, identity: Identity<'_>) -> Result<Session, Error> {
        match self.authorize_sign_in(identity, SignInKind::BearerToken).await? {
            SignInDecision::Claims(mut claims) => {
                claims.retain(|name, _| !matches!(name.as_str(), "sid" | "signed_in_at" | "provider_iat"));
                Ok(Session::new(claims))
            }
            // A client with a bearer token is not a browser that could follow the redirect.
            SignInDecision::Redirect(_) => Err(ClientError::AccessDenied.into()),
        }
    }

    /// The session's claims after a refresh that says this about its user, authorized like a sign-in. An error if the
    /// user may no longer have a session.
    pub(crate) async fn claims_after_refresh(
        &self,
        identity: Identity<'_>,
        user: &RefreshedUser<'_>,
    ) -> Result<Map<String, Value>, Error> {
        match self.authorize_sign_in(identity, SignInKind::Refresh(user)).await? {
            SignInDecision::Claims(claims) => Ok(claims),
            // The user is signed in already, so there is nowhere to go first.
            SignInDecision::Redirect(_) => Ok(user.session.claims().clone()),
        }
    }

    /// Decides whether the user may have a session, and returns its claims: computes the configured claims, checks
    /// `allow`, and asks the hooks, which see everything that is known of the user.
    async fn authorize_sign_in(
        &self,
        identity: Identity<'_>,
        kind: SignInKind<'_>,
    ) -> Result<SignInDecision, Error> {
        let provider = identity.provider;
        let known = self.identity_claims(&identity, kind);
        if !self.is_allowed(provider, &known, kind) {
            self.note_refused(&identity);
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
        let profile_error = |cause| provider::provider_error(provider, ProviderError::Profile(cause));
        match hooks.sign_in(attempt()).await.map_err(profile_error)? {
            SignInAnswer::Granted => {}
            SignInAnswer::Denied => {
                self.note_refused(&identity);
                return Err(ClientError::AccessDenied.into());
            }
            SignInAnswer::Redirect(to) => return Ok(SignInDecision::Redirect(to)),
        }

        let mut claims = self.claims_to_seal(identity, configured, email_verification);
        let occasion = match kind {
            SignInKind::Refresh(user) => {
                claims = user.session_claims(claims, self.config());
                TokenOccasion::Refresh(attempt())
            }
            SignInKind::SignIn | SignInKind::BearerToken => TokenOccasion::SignIn(attempt()),
        };
        hooks.token(&mut claims, occasion).await.map_err(profile_error)?;
        Ok(SignInDecision::Claims(claims))
    }

    /// Whether the user meets all of `allow`, which does not see an e-mail address that is not proven.
    fn is_allowed(&self, provider: &Provider, known: &IdentityClaims, kind: SignInKind<'_>) -> bool {
        let mut roots = Cow::Borrowed(&known.roots);
        if !provider.allow.is_empty() && provider.email.withholds(known.email_verification) {
            self.config().remove_email(provider, roots.to_mut());
        }
        let is_unknown = |claim: &DataPath| match kind {
            SignInKind::Refresh(user) => claim.lookup(&known.roots).is_none() && !user.is_known(claim),
            SignInKind::SignIn | SignInKind::BearerToken => false,
        };
        provider
            .allow
            .iter()
            .all(|asked| is_unknown(&asked.claim) || asked.is_met(asked.claim.lookup(&roots)))
    }

    /// Everything that is known of the user, and the configured claims computed from it.
    fn identity_claims(&self, identity: &Identity<'_>, kind: SignInKind<'_>) -> IdentityClaims {
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
        let kept = match kind {
            SignInKind::Refresh(refreshed) => refreshed.add_kept(&mut user),
            SignInKind::SignIn | SignInKind::BearerToken => None,
        };
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
            // As in Auth.js, a claim without a value is absent, not null.
            if let Some(value) = from.lookup(&roots).filter(|value| !value.is_null()) {
                configured.push((claim.clone(), value.clone()));
            } else if let SignInKind::SignIn = kind {
                let provider = &identity.provider.id;
                let message = format_args!("provider {provider} gave nothing at {from} for claim {claim}");
                self.log(Record::new(LogEvent::ClaimMissing, message).provider(provider));
            }
        }
        // A configured claim of this name replaces what the provider's entry says.
        let written = EmailVerification::of_claim(configured_claim(&configured, "email_verified"));
        let mut email_verification = match (&identity.email, written) {
            (None, _) => EmailVerification::Unstated,
            (Some(_), EmailVerification::Unstated) => identity.email_verification,
            (Some(_), stated) => stated,
        };
        email_verification = kept.unwrap_or(email_verification);
        if let SignInKind::Refresh(refreshed) = kind {
            configured.extend(refreshed.kept_claims(&configured, &self.config().claims));
        }
        user.extend(email_verification.claim().map(|verified| ("email_verified".to_owned(), verified)));
        // `allow` may name a configured claim: `allow = { "user.roles" = … }`.
        for (claim, value) in &configured {
            if !user.contains_key(claim) {
                user.insert(claim.clone(), value.clone());
            }
        }
        roots.insert("user".to_owned(), Value::Object(user));
        IdentityClaims { roots, configured, email_verification }
    }

    /// The claims of the new session.
    fn claims_to_seal(
        &self,
        identity: Identity<'_>,
        configured: Vec<(String, Value)>,
        email_verification: EmailVerification,
    ) -> Map<String, Value> {
        // What is known about the user's address says nothing about another one that the configuration reads.
        let of_user = identity.email.as_ref().and_then(Value::as_str);
        let is_another = |email: &Value| email.as_str().map(str::to_lowercase).as_deref() != of_user;
        let email_verification = match configured_claim(&configured, "email") {
            Some(email) if is_another(email) => {
                EmailVerification::of_claim(configured_claim(&configured, "email_verified"))
            }
            _ => email_verification,
        };
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
        set("email_verified", email_verification.claim());
        set("sub", Some(json!(identity.subject)));
        set("provider", Some(json!(identity.provider.id)));
        set("sid", Some(json!(random_id(self.platform))));
        set("signed_in_at", Some(json!(self.now.seconds())));
        let of_token =
            identity.sources.iter().find(|(root, _)| *root == "id_token").map(|(_, claims)| claims);
        let issued_at = of_token.and_then(|claims| id_token::time_of(claims.get("iat")));
        set("provider_iat", issued_at.map(|at| json!(at.seconds())));
        // Every process that opens the session reads these facts, so they are only there where one can be written.
        let of_provider =
            |claim: &str| of_token.and_then(|claims| claims.get(claim)).filter(|id| id.is_string()).cloned();
        if self.config().keeps_provider_session(&identity.provider.id) {
            set("provider_sid", of_provider("sid"));
        }
        if self.config().keeps_provider_user(&identity.provider.id) {
            set("provider_sub", of_provider("sub"));
        }
        set("access_token", identity.access_token.map(|token| json!(token.expose())));
        set("refresh_token", identity.refresh_token.map(|token| json!(token.expose())));
        set("expires_at", identity.expires_at.map(|at| json!(at.seconds())));
        for (claim, value) in identity.extra_claims {
            set(claim, Some(value));
        }
        if let Some(Value::Object(of_token)) = of_token {
            claims.extend(authentication_claims(of_token));
        }
        claims
    }
}

fn configured_claim<'a>(configured: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    configured.iter().find(|(claim, _)| claim == name).map(|(_, value)| value)
}

/// The result of a permitted sign-in.
pub(crate) enum CreatedSession {
    /// The cookies of the new session.
    Session(Vec<SetCookie>),
    /// There is no session yet: a hook sends the browser to this address first.
    Redirect(TrustedUrl),
    /// There is none: the provider has ended it already.
    Ended,
}

/// What the session is for.
#[derive(Clone, Copy)]
enum SignInKind<'a> {
    /// A sign-in, whose session lasts for days.
    SignIn,
    /// One request with a bearer token. Missing claims are not logged, because every request would log them.
    BearerToken,
    /// A session that lasts already. What the refresh does not say of its user stays.
    Refresh(&'a RefreshedUser<'a>),
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
    email_verification: EmailVerification,
}
