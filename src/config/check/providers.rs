//! Who signs people in.

mod credentials;
mod oauth;
mod user;

use serde_json::{Map, Value};

pub(super) use credentials::refuse_refresh_tokens;

use super::Env;
use super::rules::claims;
use super::session::CLAIM_ROOTS;
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::raw::{RawAuth, RawProvider};
use crate::config::{Provider, ProviderKind, is_like_provider_id};
use crate::guard::rules::ClaimRequirement;
use crate::providers::{Brand, ids, lay_under, preset};

pub(super) fn providers(
    raw: &[(usize, RawProvider<'_>)],
    env: Env<'_>,
    problems: &mut Problems,
) -> Vec<Provider> {
    let place = Place::root().key("providers");
    let mut providers: Vec<Provider> = Vec::new();
    for (i, raw) in raw {
        let place = place.index(*i);
        let Some(id) = id(raw, &place, problems) else { continue };
        if let Some(twin) = providers.iter().find(|other| variable_prefix(&other.id) == variable_prefix(id)) {
            let problem = if twin.id == id {
                format!("there is a provider {id:?} already")
            } else {
                format!("{id:?} and {:?} would read the same secrets", twin.id)
            };
            problems.refuse(&place.key("id"), problem);
            continue;
        }
        providers.extend(provider(id, raw, &place, env, problems));
    }
    providers
}

/// Refuses that nobody signs people in: neither this Worker nor another one, which may know of providers instead.
pub(super) fn refuse_none(auth: &RawAuth<'_>, problems: &mut Problems) {
    let place = Place::root().key("providers");
    if auth.providers.is_empty() && auth.login_url.is_none() && !problems.concern(&place) {
        problems.refuse_and_mend(
            &place,
            "nobody can sign in without one",
            "add for example `[[vars.AUTH.providers]]`, `id = \"okta\"`; or, where another host of the site signs \
             people in, its login_url",
        );
    }
}

fn id<'a>(raw: &RawProvider<'a>, place: &Place, problems: &mut Problems) -> Option<&'a str> {
    let Some(id) = raw.id else {
        let problem = "missing: a preset's name, or one of your own beside an issuer";
        problems.refuse(&place.key("id"), problem);
        return None;
    };
    let is_good =
        is_like_provider_id(id) && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !is_good {
        let problem = format!("{} is part of URLs and of secrets' names", quoted(id));
        let mend = "use at most 64 of a-z, 0-9, \"-\" and \"_\", with a letter or digit first";
        problems.refuse_and_mend(&place.key("id"), problem, mend);
    }
    is_good.then_some(id)
}

/// `AUTH_ACME_EU` for `acme-eu`.
fn variable_prefix(id: &str) -> String {
    format!("AUTH_{}", id.replace('-', "_").to_ascii_uppercase())
}

fn provider(
    id: &str,
    raw: &RawProvider<'_>,
    place: &Place,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<Provider> {
    let kind = kind(raw, place, problems)?;
    refuse_foreign_keys(kind, raw, place, problems);
    refuse_unknown_preset(raw, place, problems)?;
    // Auth.js's name for the only provider of that type that most sites have.
    let usual = if kind == Kind::Credentials && id == "credentials" { "Credentials" } else { id };
    let name = raw.name.unwrap_or(usual);
    is_shown(name, &place.key("name"), problems);
    let brand = brand(raw, &place.key("style"), problems);
    let allow = allow(raw, &place.key("allow"), problems);
    let kind = match kind {
        Kind::Oidc | Kind::OAuth2 => {
            let is_openid = kind == Kind::Oidc;
            ProviderKind::OAuth(Box::new(oauth::oauth(id, is_openid, raw, place, env, problems)?))
        }
        Kind::Credentials => {
            ProviderKind::Credentials(Box::new(credentials::credentials(raw, place, problems)?))
        }
    };
    Some(Provider { id: id.to_owned(), name: name.to_owned(), allow, brand, kind })
}

/// That the preset that is asked for is one, and of the type that is written. What it says was laid under what
/// is written when that was read.
fn refuse_unknown_preset(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Option<()> {
    let Some(name) = raw.preset else { return Some(()) };
    let place = place.key("preset");
    let Some(preset) = preset(name) else {
        let known: Vec<&str> = ids().collect();
        problems.refuse(&place, format!("{} is not known; {}", quoted(name), suggestion(name, &known)));
        return None;
    };
    let kind = if raw.kind == Some("oauth") { Some("oauth2") } else { raw.kind };
    let its_own = preset.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| its_own != Some(kind)) {
        let its_own = its_own.unwrap_or_default();
        problems
            .refuse(&place, format!("the preset {name:?} is of type = \"{its_own}\"; leave one of them out"));
        return None;
    }
    Some(())
}

/// Whether a text is one that the sign-in page can show.
fn is_shown(text: &str, place: &Place, problems: &mut Problems) -> bool {
    let is_good = !text.trim().is_empty() && text.len() <= 100 && !text.contains(char::is_control);
    if !is_good {
        problems.refuse(place, "the sign-in page shows it: write 1 to 100 characters");
    }
    is_good
}

/// Who may sign in: requirements on what is known of a person.
fn allow(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Vec<ClaimRequirement> {
    let Some(allow) = &raw.allow else { return Vec::new() };
    if allow.is_empty() {
        problems.refuse_and_mend(place, "asks for nothing", "leave it out to let everybody sign in");
    }
    let requirements = claims(allow, place, problems);
    for requirement in &requirements {
        let root = requirement.claim.root();
        if !CLAIM_ROOTS.contains(&root) {
            let hint = suggestion(root, &CLAIM_ROOTS);
            let problem = format!("{} begins with no data that sign-in has; {hint}", quoted(root));
            problems.refuse(&place.key(&requirement.claim.to_string()), problem);
        }
    }
    requirements
}

/// The kinds that can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Oidc,
    OAuth2,
    Credentials,
}

fn kind(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Option<Kind> {
    const TYPES: [(&str, Kind); 4] = [
        ("oidc", Kind::Oidc),
        ("oauth2", Kind::OAuth2),
        ("credentials", Kind::Credentials),
        // Auth.js's word for it.
        ("oauth", Kind::OAuth2),
    ];
    let Some(text) = raw.kind else { return Some(Kind::Oidc) };
    problems.chosen(&place.key("type"), text, &TYPES)
}

fn refuse_foreign_keys(kind: Kind, raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) {
    let oauth = &raw.oauth;
    let of_oauth = [
        ("issuer", oauth.issuer.is_some()),
        ("tenant", oauth.tenant.is_some()),
        ("domain", oauth.domain.is_some()),
        ("client_id", oauth.client_id.is_some()),
        ("client_secret", oauth.client_secret.is_some()),
        ("scope", oauth.scope.is_some()),
        ("token_endpoint_auth_method", oauth.token_endpoint_auth_method.is_some()),
        ("authorization_params", oauth.authorization_params.is_some()),
        ("response_mode", oauth.response_mode.is_some()),
        ("pkce", oauth.pkce.is_some()),
        ("email_verified", oauth.email_verified.is_some()),
        ("logout", oauth.logout.is_some()),
    ];
    let of_oauth2 = [
        ("authorization", oauth.authorization.is_some()),
        ("token", oauth.token.is_some()),
        ("userinfo", oauth.userinfo.is_some()),
        ("emails", oauth.emails.is_some()),
    ];
    let of_openid = [
        ("issuer_suffix", oauth.issuer_suffix.is_some()),
        ("token_issuer", oauth.token_issuer.is_some()),
        ("well_known", oauth.well_known.is_some()),
        ("jwks", oauth.jwks.is_some()),
        ("nonce", oauth.nonce.is_some()),
        ("id_token_signed_response_alg", oauth.id_token_signed_response_alg.is_some()),
        ("enforce", oauth.enforce.is_some()),
        ("accept_bearer", raw.accept_bearer.is_some()),
    ];
    let of_credentials = [
        ("fields", raw.fields.is_some()),
        ("login", raw.login.is_some()),
        ("profile", raw.profile.is_some()),
        ("refresh", raw.refresh.is_some()),
    ];
    let mut refuse = |keys: &[(&str, bool)], whose: &str, why: &str| {
        for (key, _) in keys.iter().filter(|(_, is_there)| *is_there) {
            problems.refuse(&place.key(key), format!("belongs to type = \"{whose}\"; {why}"));
        }
    };
    match kind {
        Kind::Oidc => refuse(&of_credentials, "credentials", "an OpenID Connect provider tells that itself"),
        Kind::OAuth2 => {
            refuse(&of_openid, "oidc", "OAuth 2 alone has no ID tokens");
            refuse(&of_credentials, "credentials", "an OAuth 2 provider has its own page for that");
        }
        Kind::Credentials => {
            refuse(&of_oauth, "oidc", "an API of one's own has no such thing");
            refuse(&of_oauth2, "oauth2", "an API of one's own has no such thing");
            refuse(&of_openid, "oidc", "an API of one's own has no such thing");
        }
    }
}

/// For whom an access token is that a client may bring.
fn accept_bearer(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Vec<String> {
    const LONGEST: usize = 512;
    let Some(bearer) = &raw.accept_bearer else { return Vec::new() };
    let Some(audiences) = bearer.audience.as_ref().filter(|audiences| !audiences.is_empty()) else {
        problems.refuse_and_mend(
            place,
            "missing: tokens that the provider made for other services would pass",
            "write what its access tokens for this site have as \"aud\", for example \"https://api.example.com\"",
        );
        return Vec::new();
    };
    for (place, audience) in audiences.iter(place) {
        let is_good = (1..=LONGEST).contains(&audience.len())
            && !audience.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_good {
            problems.refuse(&place, "an audience has 1 to 512 characters, none of them white space");
        }
    }
    audiences.iter(place).map(|(_, audience)| audience.to_owned()).collect()
}

/// The colours of its button.
fn brand(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Option<Brand> {
    let style = raw.style.as_ref()?;
    let brand = Brand::of(style.background?, style.text?);
    if brand.is_none() {
        problems.refuse(place, "colours are written like \"#1a73e8\"");
    }
    brand
}

/// Lays presets under what is written, before it is read: a preset has the same keys.
pub(in crate::config) fn lay_presets_under(auth: &mut Map<String, Value>, env: Env<'_>) {
    let Some(Value::Array(written)) = auth.get_mut("providers") else { return };
    for provider in written {
        if let Value::Object(provider) = provider {
            let is_set = |id: &str, key: &str| oauth::parameter_variable(id, key, env).1.is_some();
            lay_under(provider, &is_set);
        }
    }
}
