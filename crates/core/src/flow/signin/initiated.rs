//! `/initiate-login`: another site, most often the provider's own portal, sends a person here to sign in
//! ([OpenID Connect Core 1.0 section 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)).
//!
//! No form of this site begins it, so every site can (login CSRF). What that can do is limited: only a provider that the
//! configuration opens for it is asked; the account is the one that this browser has there, and the transaction binds the
//! answer to this browser; who is signed in here already keeps that session; the person arrives at an address of this site,
//! and no frame shows any of it.

use serde_json::json;

use crate::config::{Config, Provider, ProviderKind};
use crate::error::{ClientError, Error};
use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::flow::responses;
use crate::flow::signin::accident::Visitor;
use crate::flow::signin::begin::Purpose;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::oauth::authorize;
use vestibule_oidc::oauth::provider::OAuthProvider;

/// Below `base_path`.
const ROUTE: &str = "initiate-login";

impl<P: Platform> RequestContext<'_, P> {
    /// Begins a sign-in that another site asks for. `params` are those of the query, or of the form.
    pub(crate) async fn initiate_login(&self, params: &Params) -> Result<Response, Error> {
        let answer = self.initiated_login(params).await?;
        // Section 4: the person must not be made to sign in by a page that hides this one.
        let unframed =
            answer.with("x-frame-options", "DENY").with("content-security-policy", "frame-ancestors 'none'");
        Ok(unframed.uncached())
    }

    async fn initiated_login(&self, params: &Params) -> Result<Response, Error> {
        let one = |name| params.one(name).map_err(ClientError::from);
        let (issuer, target) = (one("iss")?.unwrap_or_default(), one("target_link_uri")?.unwrap_or_default());
        let hint = login_hint(params)?;
        if self.request.headers.get("sec-fetch-dest").is_some_and(|dest| dest != "document") {
            self.log_initiated(
                "the browser does not open a page: it is in a frame, or is a script's request",
            );
            return Ok(responses::forbidden());
        }
        let Some((provider, oauth)) = self.config().initiated_by(issuer) else {
            self.log_initiated("iss is not the issuer of a provider with initiate_login = true");
            return Ok(Response::json(400, &json!("Bad request.")));
        };
        let policy = self.return_policy();
        if !target.is_empty() && policy.resolve(target).is_none() {
            self.log_initiated(
                "target_link_uri is no address of this site, so the person comes to the start page",
            );
        }
        let return_to = self.vestibule.hooks.redirect(target, &policy);
        if self.request.method == Method::Post || !self.signs_users_in() {
            // With another site's form the browser sends no session, and who has one keeps it. A redirect brings it.
            let mut again = vec![("iss", issuer), ("target_link_uri", return_to.as_str())];
            again.extend(hint.map(|hint| (authorize::LOGIN_HINT, hint)));
            return Ok(Response::redirect(with_parameters(&self.login_route(ROUTE), &again)));
        }
        match self.visitor().await {
            Visitor::SignedIn(session) => return Ok(self.go_on_with(session, return_to.as_str()).await),
            // A sign-in would replace their session. The page sees what to do.
            Visitor::Uncertain => return Ok(Response::redirect(return_to.as_str())),
            Visitor::SignedOut => {}
        }
        let mut parameters = oauth.authorization.params.clone();
        if let Some(hint) = hint {
            parameters.retain(|(name, _)| name != authorize::LOGIN_HINT);
            parameters.push((authorize::LOGIN_HINT.to_owned(), hint.to_owned()));
        }
        let purpose = Purpose::SignIn { is_kept: true, other_account: false };
        self.authorization_redirect(provider, oauth, &parameters, &return_to, purpose).await
    }

    fn log_initiated(&self, message: &str) {
        self.log(Record::new(LogEvent::InitiatedLoginInvalid, message));
    }
}

/// The hint, within the limits of a parameter that a page of this site may send.
fn login_hint(params: &Params) -> Result<Option<&str>, ClientError> {
    let hint = params.one(authorize::LOGIN_HINT)?.filter(|hint| !hint.is_empty());
    if let Some(hint) = hint {
        authorize::check_length(authorize::LOGIN_HINT, hint)?;
    }
    Ok(hint)
}

impl Config {
    /// Whether other sites may send people here to sign in.
    pub(crate) fn has_initiated_login(&self) -> bool {
        self.providers.iter().any(|provider| is_open(provider).is_some())
    }

    /// The provider that a site may send people here to sign in with, by exactly its issuer.
    fn initiated_by(&self, issuer: &str) -> Option<(&Provider, &OAuthProvider)> {
        let of_issuer = |oauth: &&OAuthProvider| {
            oauth.openid.as_ref().is_some_and(|openid| !issuer.is_empty() && openid.issuer == issuer)
        };
        self.providers.iter().find_map(|provider| Some((provider, is_open(provider).filter(of_issuer)?)))
    }
}

fn is_open(provider: &Provider) -> Option<&OAuthProvider> {
    let ProviderKind::OAuth(oauth) = &provider.kind else { return None };
    oauth.openid.as_ref().filter(|openid| openid.initiate_login).map(|_| &**oauth)
}
