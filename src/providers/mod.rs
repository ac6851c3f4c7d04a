//! Presets: what is known of widely used OpenID Connect providers, as data.
//!
//! A preset saves its user the name, the scope and, where there is one for everybody, the issuer. Only
//! providers that follow the standard are here; nothing in the flows asks for a provider by name. Ids and
//! names are Auth.js's, so URLs (`/callback/okta`) and secrets (`AUTH_OKTA_ID`) stay when an app moves.

use std::fmt;

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
    /// The colours of its button.
    pub brand: Brand,
    /// Whether it can end a grant whose refresh token is used twice, however soon.
    pub strict_rotation: bool,
}

/// A preset's issuer identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetIssuer {
    /// The same for everybody; a configured one, of an installation of one's own, takes its place.
    Shared(&'static str),
    /// Each customer has one of that form; it has to be configured.
    PerTenant(&'static str),
}

/// The colours that people know a provider by; darkened, where it takes that, until text can be read on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brand {
    /// What is written on.
    pub background: Rgb,
    /// What is written with.
    pub text: Rgb,
}

/// A colour of sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// As CSS writes it: `#1a73e8`.
impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// Every preset, by id.
pub const PRESETS: &[Preset] = &[
    per_tenant("auth0", "Auth0", "https://TENANT.eu.auth0.com/", white_on(0xc4, 0x3f, 0x13)),
    per_tenant(
        "authentik",
        "Authentik",
        "https://HOST/application/o/APPLICATION/",
        white_on(0xd3, 0x36, 0x1a),
    ),
    per_tenant(
        "cognito",
        "Cognito",
        "https://cognito-idp.REGION.amazonaws.com/POOL",
        black_on(0xc1, 0x7b, 0x9e),
    ),
    shared("gitlab", "GitLab", "https://gitlab.com", black_on(0xfc, 0x6d, 0x26)),
    shared("google", "Google", "https://accounts.google.com", white_on(0x1a, 0x73, 0xe8)),
    // With "Revoke Refresh Token" and a reuse of 0.
    strict(per_tenant("keycloak", "Keycloak", "https://HOST/realms/REALM", white_on(0x2f, 0x72, 0xad))),
    strict(per_tenant("logto", "Logto", "https://TENANT.logto.app/oidc", white_on(0x5d, 0x34, 0xf2))),
    per_tenant("okta", "Okta", "https://TENANT.okta.com/oauth2/default", white_on(0x00, 0x00, 0x00)),
    per_tenant("zitadel", "ZITADEL", "https://INSTANCE.zitadel.cloud", white_on(0x54, 0x69, 0xd4)),
];

/// The preset of that id.
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

/// OpenID Connect Core 1.0 section 5.4. `offline_access` is left to the configuration: several providers
/// refuse the whole sign-in where an application was not granted it.
const SCOPE: &str = "openid profile email";

const fn shared(id: &'static str, name: &'static str, issuer: &'static str, brand: Brand) -> Preset {
    Preset { id, name, issuer: PresetIssuer::Shared(issuer), scope: SCOPE, brand, strict_rotation: false }
}

const fn per_tenant(id: &'static str, name: &'static str, example: &'static str, brand: Brand) -> Preset {
    Preset { id, name, issuer: PresetIssuer::PerTenant(example), scope: SCOPE, brand, strict_rotation: false }
}

const fn white_on(red: u8, green: u8, blue: u8) -> Brand {
    Brand { background: Rgb(red, green, blue), text: Rgb(0xff, 0xff, 0xff) }
}

const fn black_on(red: u8, green: u8, blue: u8) -> Brand {
    Brand { background: Rgb(red, green, blue), text: Rgb(0x11, 0x11, 0x11) }
}

const fn strict(preset: Preset) -> Preset {
    Preset { strict_rotation: true, ..preset }
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

    /// Web Content Accessibility Guidelines 2.2, success criterion 1.4.3.
    #[test]
    fn the_text_of_every_brand_can_be_read() {
        let luminance = |Rgb(red, green, blue)| {
            let linear = |channel: u8| match f64::from(channel) / 255.0 {
                low if low <= 0.04045 => low / 12.92,
                high => ((high + 0.055) / 1.055).powf(2.4),
            };
            0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) + 0.05
        };
        for preset in PRESETS {
            let (background, text) = (luminance(preset.brand.background), luminance(preset.brand.text));
            let contrast = background.max(text) / background.min(text);
            assert!(contrast >= 4.5, "{}: {contrast:.2}", preset.id);
        }
    }

    #[test]
    fn a_colour_is_written_as_css_writes_it() {
        assert_eq!(Rgb(0x0a, 0, 0xff).to_string(), "#0a00ff");
    }

    #[test]
    fn a_preset_is_found_by_its_exact_id() {
        assert_eq!(preset("okta").map(|preset| preset.name), Some("Okta"));
        assert_eq!(preset("Okta"), None);
        assert_eq!(preset("okt"), None);
    }
}
