//! Presets: what is known of widely used OpenID Connect providers, as data.
//!
//! A preset saves its user the name, the scope and, where there is one for everybody, the issuer. Only
//! providers that follow the standard are here; nothing in the flows asks for a provider by name. Ids and
//! names are Auth.js's, so URLs (`/callback/okta`) and secrets (`AUTH_OKTA_ID`) stay when an app moves.

/// What is known of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// As in `providers.id`.
    pub id: &'static str,
    /// As the sign-in page writes it.
    pub name: &'static str,
    /// Whose tokens are taken.
    pub issuer: PresetIssuer,
    /// Scopes, separated by spaces.
    pub scope: &'static str,
}

/// A preset's issuer identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetIssuer {
    /// The same for everybody; a configured one, of an installation of one's own, takes its place.
    Shared(&'static str),
    /// Each customer has one of that form; it has to be configured.
    PerTenant(&'static str),
}

/// Every preset, by id.
pub const PRESETS: &[Preset] = &[
    per_tenant("auth0", "Auth0", "https://TENANT.eu.auth0.com/"),
    per_tenant("authentik", "Authentik", "https://HOST/application/o/APPLICATION/"),
    per_tenant("cognito", "Cognito", "https://cognito-idp.REGION.amazonaws.com/POOL"),
    shared("gitlab", "GitLab", "https://gitlab.com"),
    shared("google", "Google", "https://accounts.google.com"),
    per_tenant("keycloak", "Keycloak", "https://HOST/realms/REALM"),
    per_tenant("logto", "Logto", "https://TENANT.logto.app/oidc"),
    per_tenant("okta", "Okta", "https://TENANT.okta.com/oauth2/default"),
    per_tenant("zitadel", "ZITADEL", "https://INSTANCE.zitadel.cloud"),
];

/// The preset of that id.
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

/// OpenID Connect Core 1.0 section 5.4. `offline_access` is left to the configuration: several providers
/// refuse the whole sign-in where an application was not granted it.
const SCOPE: &str = "openid profile email";

const fn shared(id: &'static str, name: &'static str, issuer: &'static str) -> Preset {
    Preset { id, name, issuer: PresetIssuer::Shared(issuer), scope: SCOPE }
}

const fn per_tenant(id: &'static str, name: &'static str, example: &'static str) -> Preset {
    Preset { id, name, issuer: PresetIssuer::PerTenant(example), scope: SCOPE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_sorted_and_each_issuer_is_an_https_url() {
        assert!(PRESETS.is_sorted_by(|a, b| a.id < b.id));
        for preset in PRESETS {
            let (PresetIssuer::Shared(issuer) | PresetIssuer::PerTenant(issuer)) = preset.issuer;
            let url = url::Url::parse(issuer).unwrap();
            assert_eq!((url.scheme(), url.query(), url.fragment()), ("https", None, None), "{}", preset.id);
            assert!(preset.scope.split(' ').any(|scope| scope == "openid"), "{}", preset.id);
        }
    }

    #[test]
    fn a_preset_is_found_by_its_exact_id() {
        assert_eq!(preset("okta").map(|preset| preset.name), Some("Okta"));
        assert_eq!(preset("Okta"), None);
        assert_eq!(preset("okt"), None);
    }
}
