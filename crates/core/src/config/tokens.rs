//! Which claims hold tokens, what keeps a refresh token, and what the stored ones need: `AUTH.session.tokens`.

use super::error::ConfigErrors;
use super::place::{Loading, Place, refuse};
use super::runtime::Runtime;
use super::schema::TOKEN_STORAGES;
use super::{Config, Provider, ProviderKind};
use crate::guard::rules::Requirement;
use crate::lease::kind::LeaseKind;
use crate::session::tokens::TokenStorage;
use vestibule_oidc::data::DataPath;

/// What of a token response is a token. A refresh token is no claim.
const TOKENS_OF_ACCOUNT: [&str; 2] = ["access_token", "id_token"];

impl Config {
    /// Whether a sign-in copies a token of the provider into the claim of this name.
    pub(crate) fn is_token_claim(&self, name: &str) -> bool {
        let source = self.claims.iter().find(|(claim, _)| claim == name).map(|(_, source)| source);
        source.is_some_and(|source| is_token(source, &self.providers))
    }

    /// Whether a rule asks for the claim of this name.
    pub(crate) fn decides_by(&self, name: &str) -> bool {
        let asked = self.rules.rules().iter().flat_map(|rule| rule.access.requirements());
        let mut claims = asked.filter_map(|requirement| match requirement {
            Requirement::Claim(asked) => Some(asked.claim.root()),
            Requirement::EmailDomain(_) => None,
        });
        claims.any(|claim| claim == name)
    }

    /// Whether sessions of this provider keep their refresh token where no tokens are kept: the provider confirms the user
    /// with it, or it is revoked at the sign-out.
    pub(crate) fn keeps_grant(&self, provider: &str) -> bool {
        let revokes = |provider: &Provider| match &provider.kind {
            ProviderKind::OAuth(oauth) => oauth.token_revocation.is_some(),
            ProviderKind::Credentials(_) => false,
        };
        self.session.revalidate.is_some()
            || self.providers.iter().any(|known| known.id == provider && revokes(known))
    }

    /// Checks that the runtime has the store of the tokens, if they are kept there; `is_available` says so for a kind of
    /// lease, whose store it is.
    ///
    /// # Errors
    /// The store is needed and not available.
    pub fn check_tokens(
        self,
        runtime: &Runtime,
        is_available: &dyn Fn(LeaseKind) -> bool,
    ) -> Result<Self, ConfigErrors> {
        if self.session.tokens != TokenStorage::Store || is_available(LeaseKind::Store) {
            return Ok(self);
        }
        let loading = Loading::new(&|_| None, runtime);
        let root = Place::root(&loading);
        let session = root.key("session");
        let (store, lock) = (runtime.lease(LeaseKind::Store), runtime.lease(LeaseKind::Lock));
        // Where only locks have a store, it is not bound but named otherwise.
        let (missing, fix) = match (store, lock) {
            (Some(store), _) => (store.missing, "bind it"),
            (None, Some(lock)) => (lock.missing, lock.add),
            (None, None) => ("needs a store, and this runtime has none", "use another one"),
        };
        refuse!(
            session.key("tokens"),
            "\"store\" {missing}",
            "{fix}, or write tokens = \"cookie\" (docs/sessions.md)"
        );
        loading.problems.unless_any(None)
    }

    /// Where someone expects tokens in the cookie.
    pub(super) fn tokens_advice(&self) -> Vec<String> {
        let Some(word) = self.tokens_outside_cookie() else { return Vec::new() };
        let mut advice = Vec::new();
        for (i, _) in self.upstreams.iter().enumerate().filter(|(_, upstream)| upstream.forward_session) {
            advice.push(format!(
                "AUTH.upstreams[{i}].forward_session: with session.tokens = \"{word}\" the session that the upstream \
                 opens (getToken() of Auth.js) has no access token{}",
                match self.session.tokens {
                    TokenStorage::Store => ": send it with authorization, headers or cookies",
                    _ => "",
                },
            ));
        }
        let login = self.login_url.as_ref().filter(|_| self.session.tokens == TokenStorage::Store);
        if let Some(login) = login {
            advice.push(format!(
                "AUTH.session.tokens = \"store\": a Worker of another host of {} that uses access tokens has to be bound \
                 to the same store, or it answers such requests with 503",
                login.as_str(),
            ));
        }
        advice
    }

    /// `session.tokens` as it is written, if the tokens are not in the cookie.
    fn tokens_outside_cookie(&self) -> Option<&'static str> {
        let chosen = self.session.tokens;
        let written = TOKEN_STORAGES.iter().find(|(_, storage)| *storage == chosen);
        written.filter(|_| chosen != TokenStorage::Cookie).map(|(word, _)| *word)
    }

    /// What an app's hooks no longer see.
    pub fn hooks_advice(&self) -> Option<String> {
        let word = self.tokens_outside_cookie()?;
        Some(format!(
            "AUTH.session.tokens = \"{word}\": the hooks session, authorized and event get sessions without tokens, \
             unless the request needed them; token sees them at a sign-in and a refresh"
        ))
    }
}

/// Whether there is a token at this path of a sign-in's data.
pub(super) fn is_token(source: &DataPath, providers: &[Provider]) -> bool {
    if source.root() == "account" {
        return source.rest().next().is_none_or(|member| TOKENS_OF_ACCOUNT.contains(&member));
    }
    let is_of_api = |provider: &Provider| {
        let ProviderKind::Credentials(api) = &provider.kind else { return false };
        let paths = std::iter::once(&api.login.tokens.access_token).chain(&api.login.tokens.refresh_token);
        paths.filter(|path| path.root() == "body").any(|path| path.rest().eq(source.rest()))
    };
    source.root() == "login" && providers.iter().any(is_of_api)
}
