//! The configuration as it is written: every key that it can have and of which type, one line each. What is written is
//! held against it first (`read`); what the values mean is `check`'s.

mod read;

pub(super) use read::{read, scalars};

/// The keys of a table, in groups, so that tables can share some.
pub(super) type Keys = &'static [Group];
type Group = &'static [(&'static str, Kind)];

/// What a key can have for a value.
pub(super) enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// Anything at all.
    Any,
    /// The same, of a key that is known to be refused with a better word, and proposed to nobody.
    Unnamed,
    /// A string, a number, true or false.
    Scalar,
    /// The same, or a table, which is sent as JSON.
    Parameter,
    /// A span of time.
    Span,
    /// One string, or an array of them.
    Texts,
    /// What is asked of a claim.
    Asked,
    /// One scalar, or an array of them.
    Scalars,
    /// `true`, `false` or a URL.
    Logout,
    /// A table.
    Table(Keys),
    /// A table, or a string, which is the table's `url`.
    Endpoint(Keys),
    /// An array of tables.
    Tables(Keys),
    /// The same, where it is one of the configuration's own.
    Sections(Keys),
    /// A table with whatever names, all of whose values are of one kind.
    Names(&'static Kind),
}

use Kind::{
    Any, Asked, Endpoint, Flag, Logout, Names, Parameter, Scalar, Scalars, Sections, Span, Table, Tables,
    Text, Texts, Unnamed,
};

/// `[vars.AUTH]`
pub(super) const AUTH: Keys = &[&[
    ("base_path", Text),
    ("dialect", Text),
    ("default_access", Text),
    ("login_url", Text),
    ("trusted_hosts", Texts),
    ("cookies", Table(&[&[("domain", Text)]])),
    ("session", Table(SESSION)),
    ("claims", Names(&Text)),
    ("providers", Sections(PROVIDER)),
    ("refresh", Table(&[&[("lease", Text), ("leeway", Span)]])),
    ("rules", Sections(RULE)),
    ("upstreams", Sections(UPSTREAM)),
    ("pages", Table(&[&[("sign_in", Text), ("sign_out", Text), ("error", Text)]])),
    ("verify", Table(&[&[("headers", Text), ("secret", Any)]])),
    ("secret", Unnamed),
]];

const SESSION: Keys = &[&[
    ("max_age", Span),
    ("update_age", Span),
    ("absolute_max_age", Span),
    ("expose", Names(&Text)),
    ("updatable", Texts),
]];

const PROVIDER: Keys = &[
    &[
        ("id", Text),
        ("type", Text),
        ("preset", Text),
        ("name", Text),
        ("style", Table(&[&[("background", Text), ("text", Text)]])),
    ],
    OAUTH,
    &[
        ("allow", Names(&Asked)),
        ("user", Table(USER)),
        ("strict_rotation", Flag),
        ("accept_bearer", Table(&[&[("audience", Texts)]])),
    ],
    API,
];

/// What `type = "oidc"` and `type = "oauth2"` have beside the other types of providers.
const OAUTH: Group = &[
    ("issuer", Text),
    ("tenant", Text),
    ("domain", Text),
    ("team_id", Text),
    ("key_id", Text),
    ("issuer_suffix", Text),
    ("token_issuer", Text),
    ("well_known", Text),
    ("jwks", Text),
    ("client_id", Text),
    ("client_secret", Any),
    ("client_id_param", Text),
    ("client_secret_param", Text),
    ("token_endpoint_auth_method", Text),
    ("token_endpoint_auth_signing_alg", Text),
    ("client_secret_from_key", Table(&[&[("audience", Text)]])),
    ("scope", Texts),
    ("authorization", Endpoint(&[&[("url", Text), ("fragment", Text)]])),
    ("authorization_params", Names(&Parameter)),
    ("response_mode", Text),
    ("response_type", Text),
    ("pkce", Flag),
    ("nonce", Flag),
    ("callback_profile_param", Text),
    ("token", Endpoint(TOKEN)),
    ("id_token_signed_response_alg", Text),
    ("authorization_param_claims", Names(&Texts)),
    ("userinfo", Endpoint(USERINFO)),
    ("emails", Table(EMAILS)),
    ("email_verified", Texts),
    ("derived_image", Text),
    ("logout", Logout),
    ("logout_redirect_param", Text),
];

const TOKEN: Keys = &[&[
    ("url", Text),
    ("refresh_url", Text),
    ("method", Text),
    ("grant_type", Text),
    ("params", Names(&Text)),
    ("refresh_params", Names(&Text)),
    ("headers", Names(&Text)),
    ("response_path", Text),
    ("invalid_grant_errors", Texts),
]];

const USERINFO: Keys = &[
    &[("url", Text), ("method", Text), ("params", Names(&Text)), ("headers", Names(&Text)), ("body", Any)],
    &[
        ("content_type", Text),
        ("send_access_token", Flag),
        ("response_path", Text),
        ("fetch", Text),
        ("signed_response", Flag),
    ],
];

const EMAILS: Keys = &[&[("url", Text), ("list", Text), ("where", Names(&Scalar)), ("address", Text)]];

/// What `type = "credentials"` has beside the other types of providers.
const API: Group = &[
    ("fields", Tables(FIELD)),
    ("login", Table(&[REQUEST, ANSWER])),
    ("profile", Table(&[REQUEST])),
    ("refresh", Table(&[REQUEST, &[("cookies", Names(&Text))], ANSWER])),
];

const FIELD: Keys = &[&[
    ("name", Text),
    ("label", Text),
    ("type", Text),
    ("placeholder", Text),
    ("autocomplete", Text),
    ("required", Flag),
]];

/// A request to the API.
const REQUEST: Group =
    &[("url", Text), ("method", Text), ("content_type", Text), ("headers", Names(&Text)), ("body", Any)];

/// Where an answer has what.
const ANSWER: Group = &[
    ("access_token", Text),
    ("refresh_token", Text),
    ("expires_in", Text),
    ("expires_at", Text),
    ("refresh_expires_in", Text),
    ("refresh_expires_at", Text),
    ("error", Text),
];

const USER: Keys = &[&[("id", Texts), ("name", Texts), ("email", Texts), ("image", Texts)]];

const RULE: Keys = &[&[
    ("match", Texts),
    ("host", Text),
    ("methods", Texts),
    ("access", Text),
    ("require", Names(&Asked)),
    ("email_domain", Texts),
    ("deny", Text),
    ("has", Tables(CONDITION)),
    ("missing", Tables(CONDITION)),
    ("to", Text),
    ("authorization", Text),
    ("headers", Names(&Text)),
    ("assertion", Any),
]];

const CONDITION: Keys = &[&[("type", Text), ("key", Text), ("value", Text)]];

const UPSTREAM: Keys = &[&[
    ("host", Text),
    ("to", Text),
    ("authorization", Text),
    ("headers", Names(&Text)),
    ("forward_session", Flag),
    ("assertion", Any),
]];

/// What is asked of a claim beside its values.
const ASKED: Keys = &[&[("not", Scalars), ("exists", Flag)]];
