//! [`Config`]: the checked configuration, in the types that the flows use.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::config::email::EmailPolicy;
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::refresh::{RefreshConfig, RenewalTime};
use crate::config::theme::Theme;
use crate::config::verify::VerifyConfig;
use crate::guard::cross_origin::TrustedOrigin;
use crate::guard::decision::DefaultAccess;
use crate::guard::headers::{EdgeFields, GuardedNames};
use crate::guard::resource::Resources;
use crate::guard::rules::{ClaimRequirement, Rule, RuleSet};
use crate::log::{AuditConfig, MetricsConfig};
use crate::revocation::policy::RevocationConfig;
use crate::session::dialect::Dialect;
use crate::session::names::{CookieNaming, SiteCookieNames};
use crate::session::policy::{Sealing, SessionConfig};
use crate::texts::offered::Languages;
use crate::upstream::bearer_token::BearerToken;
use crate::upstream::value::UpstreamValue;
use crate::upstream::{Assertion, Target, Upstream};
use vestibule_oidc::credentials::provider::CredentialsProvider;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::origin::{CookieDomain, HostPattern, Origin};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::oauth::token_exchange::ExchangeTarget;
use vestibule_oidc::oauth::transmitter::EventTransmitter;
use vestibule_oidc::presets::Brand;
use vestibule_oidc::secret::Secret;

/// The whole configuration, checked. [`Config::load`] makes it, and only where it finds no mistake, so code that has a
/// `Config` need not check its values again.
///
/// Each field comes from the key of the same name below `AUTH`; where the key has another name, the comment says it. docs/configuration.md
/// describes every key.
#[derive(Debug)]
pub struct Config {
    /// What no secret of the site is needed for. Its fields are read as those of the configuration itself.
    pub(crate) site: SiteConfig,
    /// How sessions are revoked.
    pub revocation: RevocationConfig,
    /// `AUTH_HEALTH_SECRET`, `AUTH_HEALTH_SECRET_1`: one of them shows its holder how each part of the deployment is.
    pub health_secrets: Vec<Secret>,
    /// Which lines the audit log has, and where they go.
    pub audit: AuditConfig,
    /// Whether metrics are written, and whether a developer sees times.
    pub metrics: MetricsConfig,
    /// Who may send security events, which end sessions.
    pub event_transmitters: Vec<EventTransmitter>,
    /// Whether clients may send access tokens.
    pub takes_tokens: bool,
    /// What `GET BASE_PATH/verify` accepts from a proxy (forward-auth).
    pub verify: VerifyConfig,
    /// The header fields that the network in front of the runtime sets. The runtime defines them; no key does.
    pub edge: EdgeFields,
    /// The session secrets (`AUTH_SECRET`, `AUTH_SECRET_1`, …), newest first, and the keys that are derived from them.
    /// The first secret seals new sessions; all of them open sessions.
    pub keys: Keyring,
}

/// The fields of [`Config`] that no secret of the site itself is needed for, so that they can be made before it is known.
#[derive(Debug)]
pub struct SiteConfig {
    /// The path below which Vestibule's own routes are, e.g. `/auth`. It begins with `/` and does not end with one.
    pub base_path: String,
    /// The Auth.js version whose cookies and responses are written: Auth.js 5 or next-auth 4.
    pub dialect: Dialect,
    /// Who may request a path that no rule matches: signed-in users, which is the default, or everyone.
    pub default_access: DefaultAccess,
    /// The origin of the login host: the one host that signs users in for all hosts of the site. Without it, each host
    /// signs its own users in.
    pub login_url: Option<Origin>,
    /// Hosts that a return address may name, in addition to the host of the request and the hosts of
    /// [`cookie_domain`](Self::cookie_domain).
    pub trusted_hosts: Vec<HostPattern>,
    /// Hosts of other domains that get sessions of their own from the login host.
    pub preview_hosts: Vec<HostPattern>,
    /// Origins whose pages may send requests with a session, besides the request's own origin.
    pub trusted_origins: Vec<TrustedOrigin>,
    /// The trusted origins whose pages may read the access token.
    pub token_origins: Vec<Origin>,
    /// The origin at which browsers reach this deployment. `None` if it is the origin of each request's URL.
    pub origin: Option<Origin>,
    /// `cookies.domain`: the domain whose subdomains share the session. Without it, a session belongs to one host.
    pub cookie_domain: Option<CookieDomain>,
    /// How the cookies are named: `cookies.prefix` and `cookies.host_prefix`.
    pub cookie_naming: CookieNaming,
    /// The names that the cookies have by it.
    pub cookie_names: SiteCookieNames,
    /// How long a session is valid, what of it a page can read, and which claims a page can change.
    pub session: SessionConfig,
    /// How access tokens are refreshed.
    pub refresh: RefreshConfig,
    /// Parts of the site whose clients send access tokens for exactly that part.
    pub resources: Resources,
    /// The claims that a sign-in adds to the session: the name of each claim, and the path of its value in the data that
    /// the sign-in received.
    pub claims: Vec<(String, DataPath)>,
    /// The providers that sign users in, in the order of the sign-in page. Empty only where another host, the login host,
    /// has them.
    pub providers: Vec<Provider>,
    /// `rules` and `default_access`: who may request which path. The first rule that matches decides.
    pub rules: RuleSet,
    /// Where requests are forwarded to. The first upstream whose host matches receives the request; without a match, the
    /// request goes to the zone's own origin.
    pub upstreams: Vec<Upstream>,
    /// The header fields and cookies that some upstream or rule sets, of which no client's own arrives there.
    pub guarded: GuardedNames,
    /// The app's own pages in place of Vestibule's.
    pub pages: Pages,
    /// How Vestibule's own pages show whose site it is.
    pub theme: Theme,
    /// `languages` and `texts`: what Vestibule's own pages say.
    pub languages: Languages,
    /// Further header fields that the network is configured to set, in lower case.
    pub edge_headers: Vec<String>,
}

impl Deref for Config {
    type Target = SiteConfig;

    fn deref(&self) -> &SiteConfig {
        &self.site
    }
}

impl Config {
    /// The services that upstreams and rules lead to, each with the place of its `to`.
    pub fn services(&self) -> impl Iterator<Item = (String, &str)> {
        let upstreams = self.upstreams.iter().enumerate();
        let upstreams = upstreams.map(|(i, upstream)| (format!("AUTH.upstreams[{i}].to"), &upstream.target));
        let rules = self.rules.rules().iter();
        let rules =
            rules.filter_map(|rule| Some((format!("{}.to", rule.place), rule.forwarding.target.as_ref()?)));
        upstreams.chain(rules).filter_map(|(place, target)| match target {
            Target::Service(name) => Some((place, name.as_str())),
            Target::Origin | Target::Url(_) => None,
        })
    }

    /// Refuses an upstream or a rule that leads to a service that there is not. `fix` says how to add one of this name.
    ///
    /// # Errors
    /// One for each `to` whose service `is_known` does not know.
    pub fn check_services(
        self,
        is_known: &dyn Fn(&str) -> bool,
        fix: &dyn Fn(&str) -> String,
    ) -> Result<Self, ConfigErrors> {
        let unknown = self.services().filter(|(_, name)| !is_known(name));
        let errors: Vec<ConfigError> = unknown
            .map(|(place, name)| ConfigError::new(place, format!("there is no service {name:?}"), fix(name)))
            .collect();
        if errors.is_empty() { Ok(self) } else { Err(errors.into_iter().collect()) }
    }

    /// Whether any upstream or rule sends an assertion (`X-Vestibule-Assertion`). Only then does `GET BASE_PATH/jwks.json`
    /// publish keys.
    pub fn makes_assertions(&self) -> bool {
        let of_rule = |rule: &Rule| rule.forwarding.assertion.as_ref().is_some_and(Assertion::is_made);
        self.upstreams.iter().any(|upstream| upstream.assertion.is_made())
            || self.rules.rules().iter().any(of_rule)
    }

    /// The parts of the configuration that sealing and opening a session need.
    pub fn sealing(&self) -> Sealing<'_> {
        Sealing { keys: &self.keys, dialect: self.dialect, session: &self.session }
    }
}

/// Whether a text has the characters and the length of a provider's id: at most 64 of `a-z`, `0-9`, `_` and `-`.
pub(crate) fn is_like_provider_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// A provider that signs users in.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Unique, at most 64 of `a-z`, `0-9`, `_` and `-`. Part of URLs (`BASE_PATH/callback/ID`) and of the names of secrets
    /// (`AUTH_<ID>_SECRET`).
    pub id: String,
    /// The name on the sign-in page.
    pub name: String,
    /// What must be true of a user who signs in here: all of these. Empty: every user of the provider may sign in. The
    /// paths begin as those of [`SiteConfig::claims`] do; `user` also has the claims of the configuration.
    pub allow: Vec<ClaimRequirement>,
    /// What rules and upstreams may do with its e-mail addresses.
    pub email: EmailPolicy,
    /// `style`: the colors of its button on the sign-in page.
    pub brand: Option<Brand>,
    /// The path of its preset's icon (SVG 2), on 24 by 24.
    pub icon: Option<&'static str>,
    /// `renew`: when its access tokens are renewed.
    pub renewal: RenewalTime,
    /// The protocol, and what that protocol needs.
    pub kind: ProviderKind,
}

impl Provider {
    /// Providers by their ids.
    pub(super) fn by_id(providers: &[Self]) -> BTreeMap<&str, &Self> {
        providers.iter().map(|provider| (provider.id.as_str(), provider)).collect()
    }

    /// Whether the provider is known to end the sign-in when a refresh token is used twice.
    pub(crate) fn is_strict(&self) -> bool {
        match &self.kind {
            ProviderKind::OAuth(oauth) => oauth.strict_rotation,
            ProviderKind::Credentials(api) => api.refresh.is_some() && api.strict_rotation,
        }
    }

    /// Whether its tokens are bound to a key of the session (`dpop`).
    pub(crate) fn binds_tokens(&self) -> bool {
        matches!(&self.kind, ProviderKind::OAuth(oauth) if oauth.dpop)
    }

    /// Whether clients may send its access tokens (`accept_bearer`).
    pub(crate) fn accepts_bearer(&self) -> bool {
        let ProviderKind::OAuth(oauth) = &self.kind else { return false };
        oauth.openid.as_ref().is_some_and(|openid| openid.accept_bearer.is_some())
    }

    /// Whether a sign-in brings an ID token, which can say how and when the provider authenticated the user.
    pub(crate) fn gives_id_tokens(&self) -> bool {
        matches!(&self.kind, ProviderKind::OAuth(oauth) if oauth.openid.is_some())
    }
}

/// The protocol of a provider.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// OAuth 2.0 or OpenID Connect: `type = "oauth2"` or `"oidc"`.
    OAuth(Box<OAuthProvider>),
    /// An API of the site that takes a password and issues tokens: `type = "credentials"`.
    Credentials(Box<CredentialsProvider>),
}

impl ProviderKind {
    /// The type as Auth.js names it, in the response of `GET BASE_PATH/providers` and in the `account` of a sign-in.
    /// next-auth 4 says `oauth` for OpenID Connect, too.
    pub fn name(&self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::OAuth(oauth), Dialect::AuthJsV5) if oauth.openid.is_some() => "oidc",
            (Self::OAuth(_), _) => "oauth",
            (Self::Credentials(_), _) => "credentials",
        }
    }
}

/// The app's own pages: paths or URLs that are checked to be safe targets of a redirect. Where one is `None`, Vestibule
/// shows its own page.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// In place of the sign-in page.
    pub sign_in: Option<String>,
    /// In place of the sign-out page.
    pub sign_out: Option<String>,
    /// In place of the error page.
    pub error: Option<String>,
    /// In place of the 403 page.
    pub forbidden: Option<String>,
    /// Whether people go to the only provider without seeing the sign-in page, except after a sign-out.
    pub straight_to_provider: bool,
}

/// The paths of all session data that upstreams and rules forward: as an access token, in header fields or in cookies.
pub(crate) fn forwarded_paths<'a>(upstreams: &'a [Upstream], rules: &'a [Rule]) -> Vec<&'a DataPath> {
    let mut paths = Vec::new();
    let mut add = |authorization: Option<&'a BearerToken>, values: &[&'a [(String, UpstreamValue)]]| {
        paths.extend(authorization.map(BearerToken::path));
        for (_, value) in values.iter().copied().flatten() {
            paths.extend(value.paths());
        }
    };
    for upstream in upstreams {
        add(upstream.authorization.as_ref(), &[&upstream.headers, &upstream.cookies]);
    }
    for Rule { forwarding, .. } in rules {
        let values = [&forwarding.headers, &forwarding.cookies].map(|it| it.as_deref().unwrap_or_default());
        add(forwarding.authorization.as_ref(), &values);
    }
    paths
}

impl Config {
    /// What access tokens are exchanged for, of all upstreams and rules.
    pub(crate) fn exchange_targets(&self) -> impl Iterator<Item = &ExchangeTarget> {
        let of_rules = self.rules.rules().iter().filter_map(|rule| rule.forwarding.authorization.as_ref());
        let of_upstreams = self.upstreams.iter().filter_map(|upstream| upstream.authorization.as_ref());
        of_upstreams.chain(of_rules).filter_map(BearerToken::target)
    }
}
