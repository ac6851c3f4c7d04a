//! Whether a provider's e-mail addresses belong to its users.

use serde_json::Value;

use super::user;
use crate::config::ProviderKind;
use crate::config::check::names::{API_USER_ROOTS, OAUTH_USER_ROOTS};
use crate::config::email::EmailPolicy;
use crate::config::place::refuse;
use crate::config::schema::providers::UNVERIFIED_EMAIL;
use crate::config::table::{Table, Text};
use vestibule_oidc::data::DataPath;
use vestibule_oidc::oauth::email::{EmailStatements, EmailVerification};
use vestibule_oidc::oauth::provider::{OAuthProvider, OpenId};

pub(super) fn email(provider: &Table<'_>, kind: &ProviderKind) -> EmailPolicy {
    let statements = match (kind, provider.value("email_verified")) {
        (ProviderKind::OAuth(_), Some(written)) => statements(provider, written, &OAUTH_USER_ROOTS),
        (ProviderKind::Credentials(_), Some(written)) => statements(provider, written, &API_USER_ROOTS),
        (ProviderKind::OAuth(oauth), None) => usual_statements(oauth),
        (ProviderKind::Credentials(_), None) => EmailStatements::default(),
    };
    let accepts_unverified = provider.chosen("unverified_email", &UNVERIFIED_EMAIL).unwrap_or(false);
    EmailPolicy { statements, accepts_unverified, is_own: !provider.has("preset") }
}

/// The value of `email_verified`: a path, `true` or `false`, or an array of paths with `true` or `false` as its last item.
fn statements(provider: &Table<'_>, written: &Value, roots: &[&str]) -> EmailStatements {
    let items = match written {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut statements = EmailStatements::default();
    for (i, item) in items.iter().enumerate() {
        let place = match written {
            Value::Array(_) => provider.place.item("email_verified", i),
            _ => provider.at("email_verified"),
        };
        match item {
            Value::Bool(is_verified) if i + 1 == items.len() => {
                statements.otherwise = EmailVerification::of_claim(Some(&Value::Bool(*is_verified)));
            }
            Value::Bool(_) => refuse!(
                place,
                "holds if nothing is at the paths, so it is the last of them",
                "write for example [\"profile.verified_email\", false]"
            ),
            Value::String(text) => {
                statements.paths.extend(user::response_path(&Text { text, place }, roots));
            }
            _ => {}
        }
    }
    statements
}

/// OpenID Connect's own claim (OpenID Connect Core 1.0 section 5.1). It is about the claim `email`, so it says nothing
/// about an address from elsewhere.
fn usual_statements(oauth: &OAuthProvider) -> EmailStatements {
    let mut statements = EmailStatements::default();
    let is_claim =
        |path: &&DataPath| matches!(path.root(), "profile" | "id_token") && path.rest().eq(["email"]);
    if oauth.emails.is_none() && oauth.user.email.paths().iter().all(is_claim) {
        for root in ["id_token", "profile"] {
            statements.paths.push(DataPath::new(root, ["email_verified"]));
        }
    }
    // The administrator of any directory can enter any address.
    if oauth.openid.as_ref().is_some_and(OpenId::accepts_any_tenant) {
        statements.otherwise = EmailVerification::Unverified;
    }
    statements
}
