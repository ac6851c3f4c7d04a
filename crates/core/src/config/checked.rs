//! The configuration as flows read it: nothing in it is wrong.

use crate::config::email::EmailPolicy;
use crate::config::refresh::RefreshConfig;
use crate::config::verify::VerifyConfig;
use crate::guard::cross_origin::TrustedOrigin;
use crate::guard::decision::DefaultAccess;
use crate::guard::headers::EdgeFields;
use crate::guard::rules::{ClaimRequirement, Rule, RuleSet};
use crate::session::dialect::Dialect;
use crate::session::policy::{Sealing, SessionConfig};
use crate::upstream::{Assertion, Upstream};
use vestibule_oidc::credentials::provider::CredentialsProvider;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::origin::{CookieDomain, HostPattern, Origin};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::oauth::provider::OAuthProvider;
use vestibule_oidc::presets::Brand;

/// A configuration in which nothing is wrong.
#[derive(Debug)]
pub struct Config {
    /// Where the auth routes live: begins with `/`, no trailing slash, e.g. `/auth`.
    pub base_path: String,
    /// Which of Auth.js's wire formats is written.
    pub dialect: Dialect,
    /// What holds where no rule matches.
    pub default_access: DefaultAccess,
    /// The host that signs people in for all others.
    pub login_url: Option<Origin>,
    /// Hosts that a return address may name, beside the request's own and the cookie domain's.
    pub trusted_hosts: Vec<HostPattern>,
    /// Origins whose pages may send requests with a session, besides the request's own.
    pub trusted_origins: Vec<TrustedOrigin>,
    /// The origin under which browsers reach this deployment; `None` where that is the one of each request's URL.
    pub origin: Option<Origin>,
    /// The domain whose subdomains share the session.
    pub cookie_domain: Option<CookieDomain>,
    /// How long sessions live and what of them is shown.
    pub session: SessionConfig,
    /// How access tokens are renewed.
    pub refresh: RefreshConfig,
    /// What sign-in puts into the sealed session: claim's name, where from.
    pub claims: Vec<(String, DataPath)>,
    /// Who signs people in, in the order of the sign-in page.
    pub providers: Vec<Provider>,
    /// Who may go where.
    pub rules: RuleSet,
    /// Where requests go; the zone's origin where none matches.
    pub upstreams: Vec<Upstream>,
    /// Pages of one's own in place of ours.
    pub pages: Pages,
    /// What is believed of a proxy that asks about a request.
    pub verify: VerifyConfig,
    /// In which fields the network in front of the runtime says something.
    pub edge: EdgeFields,
    /// The secrets that seal sessions, newest first, and the keys made from them.
    pub keys: Keyring,
}

impl Config {
    /// Whether any upstream gets an assertion: only then there are keys for it.
    pub fn makes_assertions(&self) -> bool {
        let of_rule = |rule: &Rule| rule.forwarding.assertion.as_ref().is_some_and(Assertion::is_made);
        self.upstreams.iter().any(|upstream| upstream.assertion.is_made())
            || self.rules.rules().iter().any(of_rule)
    }

    /// What it takes to seal and to open a session.
    pub fn sealing(&self) -> Sealing<'_> {
        Sealing { keys: &self.keys, dialect: self.dialect, session: &self.session }
    }

    /// Whether the configuration says where the session's claim of that name comes from.
    pub fn has_claim(&self, name: &str) -> bool {
        self.claims.iter().any(|(claim, _)| claim == name)
    }
}

/// Whether a text is as long as a provider's id at most, and of its characters.
pub(crate) fn is_like_provider_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Somebody who can say who a person is.
#[derive(Clone, Debug)]
pub struct Provider {
    /// `[a-z0-9_-]+`, unique; part of URLs and of secrets' names.
    pub id: String,
    /// As the sign-in page writes it.
    pub name: String,
    /// Who of those whom it vouches for may sign in: all of these. Roots as for claims; `user` has the
    /// claims of the configuration, too.
    pub allow: Vec<ClaimRequirement>,
    /// What rules and upstreams may do with its e-mail addresses.
    pub email: EmailPolicy,
    /// The colours of its button.
    pub brand: Option<Brand>,
    /// What it is, and how it is talked to.
    pub kind: ProviderKind,
}

/// The kinds of providers.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// A provider of OAuth 2 or OpenID Connect.
    OAuth(Box<OAuthProvider>),
    /// An API of one's own that takes a password and issues tokens.
    Credentials(Box<CredentialsProvider>),
}

impl ProviderKind {
    /// In Auth.js's words: what `GET /providers` and a session's account say. next-auth 4 has one word for all
    /// of OAuth.
    pub fn name(&self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::OAuth(oauth), Dialect::AuthJsV5) if oauth.openid.is_some() => "oidc",
            (Self::OAuth(_), _) => "oauth",
            (Self::Credentials(_), _) => "credentials",
        }
    }
}

/// Pages of the app's own: paths or URLs, checked to be safe to redirect to.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// In place of the sign-in page.
    pub sign_in: Option<String>,
    /// In place of the sign-out page.
    pub sign_out: Option<String>,
    /// In place of the error page.
    pub error: Option<String>,
}

/// Every place in the session that upstreams are told.
pub(crate) fn told<'a>(upstreams: &'a [Upstream], rules: &'a [Rule]) -> Vec<&'a DataPath> {
    let mut told = Vec::new();
    let mut tell = |authorization: Option<&'a DataPath>, headers: &'a [(String, DataPath)]| {
        told.extend(authorization);
        for (_, from) in headers {
            told.push(from);
        }
    };
    for upstream in upstreams {
        tell(upstream.authorization.as_ref(), &upstream.headers);
    }
    for Rule { forwarding, .. } in rules {
        tell(forwarding.authorization.as_ref(), forwarding.headers.as_deref().unwrap_or_default());
    }
    told
}
