//! Who signs people in.

mod credentials;

pub(super) use credentials::refuse_refresh_tokens;

use super::Env;
use super::rules::claims;
use super::secrets::{self, variable};
use super::session::CLAIM_ROOTS;
use crate::config::error::{Place, Problems, quoted, suggestion};
use crate::config::raw::{RawAuth, RawProvider, Strings};
use crate::config::{ClientAuthMethod, OidcProvider, Provider, ProviderKind};
use crate::guard::rules::ClaimRequirement;
use crate::http::origin::endpoint;
use crate::oauth::authorize;
use crate::providers::{PRESETS, Preset, PresetIssuer, preset};
use crate::secret::Secret;

const LONGEST_ID: usize = 64;

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
    let is_good = id.len() <= LONGEST_ID
        && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
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
    let preset = preset(id).filter(|_| kind == Kind::Oidc);
    // Auth.js's name for the only provider of that type that most sites have.
    let usual = if kind == Kind::Credentials && id == "credentials" { "Credentials" } else { id };
    let name = raw.name.or(preset.map(|preset| preset.name)).unwrap_or(usual);
    is_shown(name, &place.key("name"), problems);
    let allow = allow(raw, &place.key("allow"), problems);
    let kind = match kind {
        Kind::Oidc => ProviderKind::Oidc(oidc(id, raw, preset, place, env, problems)?),
        Kind::Credentials => {
            ProviderKind::Credentials(Box::new(credentials::credentials(raw, place, problems)?))
        }
    };
    Some(Provider { id: id.to_owned(), name: name.to_owned(), allow, kind })
}

/// Whether a text is one that the sign-in page can show.
fn is_shown(text: &str, place: &Place, problems: &mut Problems) -> bool {
    let is_good = !text.trim().is_empty() && text.len() <= 100 && !text.contains(char::is_control);
    if !is_good {
        problems.refuse(place, "the sign-in page shows it: write 1 to 100 characters");
    }
    is_good
}

fn oidc(
    id: &str,
    raw: &RawProvider<'_>,
    preset: Option<&Preset>,
    place: &Place,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<OidcProvider> {
    let method = auth_method(raw, place, problems);
    let prefix = variable_prefix(id);
    if raw.client_secret.is_some() {
        problems.refuse_and_mend(
            &place.key("client_secret"),
            secrets::IN_A_FILE,
            format!(
                "remove it, change it at the provider, and set it with `wrangler secret put {prefix}_SECRET`"
            ),
        );
    }
    let issuer = issuer(id, raw, preset, place, env, problems);
    let client_id = client_id(raw, &prefix, place, env, problems);
    let client_secret = match method {
        Some(ClientAuthMethod::None) => Some(None),
        _ => client_secret(&prefix, place, env, problems).map(Some),
    };
    let scope = scope(raw.scope.as_ref(), preset, &place.key("scope"), problems);
    let authorization_params = authorization_params(raw, &place.key("authorization_params"), problems);
    let accept_bearer = accept_bearer(raw, &place.key("accept_bearer").key("audience"), problems);
    Some(OidcProvider {
        issuer: issuer?,
        client_id: client_id?,
        client_secret: client_secret?,
        token_endpoint_auth_method: method,
        scope: scope?,
        authorization_params,
        strict_rotation: raw.strict_rotation.unwrap_or(preset.is_some_and(|preset| preset.strict_rotation)),
        accept_bearer,
    })
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
    Credentials,
}

fn kind(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Option<Kind> {
    const TYPES: [(&str, Option<Kind>); 4] = [
        ("oidc", Some(Kind::Oidc)),
        ("credentials", Some(Kind::Credentials)),
        ("oauth2", None),
        // Auth.js's word for it.
        ("oauth", None),
    ];
    let Some(text) = raw.kind else { return Some(Kind::Oidc) };
    let place = place.key("type");
    let kind = problems.chosen(&place, text, &TYPES)?;
    if kind.is_none() {
        let problem = "this version cannot do that yet: providers without OpenID Connect; only \"oidc\" and \
                       \"credentials\" can be written";
        problems.refuse(&place, problem);
    }
    kind
}

fn refuse_foreign_keys(kind: Kind, raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) {
    let keys = [
        ("issuer", raw.issuer.is_some(), "oidc"),
        ("client_id", raw.client_id.is_some(), "oidc"),
        ("client_secret", raw.client_secret.is_some(), "oidc"),
        ("scope", raw.scope.is_some(), "oidc"),
        ("token_endpoint_auth_method", raw.token_endpoint_auth_method.is_some(), "oidc"),
        ("authorization_params", raw.authorization_params.is_some(), "oidc"),
        ("accept_bearer", raw.accept_bearer.is_some(), "oidc"),
        ("authorization", raw.authorization.is_some(), "oauth2"),
        ("token", raw.token.is_some(), "oauth2"),
        ("userinfo", raw.userinfo.is_some(), "oauth2"),
        ("fields", raw.fields.is_some(), "credentials"),
        ("login", raw.login.is_some(), "credentials"),
        ("profile", raw.profile.is_some(), "credentials"),
        ("user", raw.user.is_some(), "credentials"),
        ("refresh", raw.refresh.is_some(), "credentials"),
    ];
    let (own, why) = match kind {
        Kind::Oidc => ("oidc", "an OpenID Connect provider tells that itself"),
        Kind::Credentials => ("credentials", "an API of one's own has no such thing"),
    };
    for (key, _, kind) in keys.iter().filter(|(_, is_there, kind)| *is_there && *kind != own) {
        problems.refuse(&place.key(key), format!("belongs to type = \"{kind}\"; {why}"));
    }
}

/// OpenID Connect Discovery 1.0 section 3: `https`, no query, no fragment; kept byte for byte, because it is
/// compared as a string.
fn issuer(
    id: &str,
    raw: &RawProvider<'_>,
    preset: Option<&Preset>,
    place: &Place,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let variable_name = format!("{}_ISSUER", variable_prefix(id));
    let (place, issuer) = match (raw.issuer, variable(env, &variable_name)) {
        (Some(issuer), _) => (place.key("issuer"), issuer.to_owned()),
        (None, Some(issuer)) => (Place::env(&variable_name), issuer),
        (None, None) => match preset.map(|preset| preset.issuer) {
            Some(PresetIssuer::Shared(issuer)) => return Some(issuer.to_owned()),
            Some(PresetIssuer::PerTenant(example)) => {
                problems.refuse_and_mend(
                    &place.key("issuer"),
                    format!("missing: every customer of {id:?} has one"),
                    format!("write it like \"{example}\", here or in {variable_name}"),
                );
                return None;
            }
            None => {
                let presets: Vec<&str> = PRESETS.iter().map(|preset| preset.id).collect();
                problems.refuse_and_mend(
                    &place.key("id"),
                    format!("no preset, and no issuer is given ({})", suggestion(id, &presets)),
                    "a provider that is no preset needs its issuer",
                );
                return None;
            }
        },
    };
    let url = problems.parsed(&place, &issuer, endpoint(&issuer))?;
    if url.query().is_some() {
        problems.refuse(&place, format!("{}: an issuer has no query (?...)", quoted(&issuer)));
        return None;
    }
    Some(issuer)
}

fn client_id(
    raw: &RawProvider<'_>,
    prefix: &str,
    place: &Place,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let name = format!("{prefix}_ID");
    let (at, client_id) = match raw.client_id {
        Some(client_id) => (place.key("client_id"), Some(client_id.to_owned())),
        None => (Place::env(&name), variable(env, &name)),
    };
    let Some(client_id) = client_id else {
        problems.refuse_and_mend(
            &at,
            "missing: the client id that the provider gave to this site",
            format!("set it with `wrangler secret put {name}`, or write {}", place.key("client_id")),
        );
        return None;
    };
    is_credential(&client_id, &at, problems).then_some(client_id)
}

fn client_secret(prefix: &str, place: &Place, env: Env<'_>, problems: &mut Problems) -> Option<Secret> {
    let name = format!("{prefix}_SECRET");
    let at = Place::env(&name);
    let Some(secret) = variable(env, &name) else {
        problems.refuse_and_mend(
            &at,
            "missing: the client secret that the provider gave to this site",
            format!(
                "set it with `wrangler secret put {name}`; a public client has none and says so: \
                 token_endpoint_auth_method = \"none\" in {place}"
            ),
        );
        return None;
    };
    is_credential(&secret, &at, problems).then(|| Secret::new(secret))
}

/// RFC 6749 appendix A.1 and A.2: visible ASCII and spaces. What a paste adds, a line's end, is found here
/// and not in the provider's `invalid_client`.
fn is_credential(text: &str, place: &Place, problems: &mut Problems) -> bool {
    let is_good = text.trim() == text && !text.is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !is_good {
        let problem = "has white space around it, or characters that none of its kind has";
        problems.refuse_and_mend(place, problem, "set it again, without a line's end");
    }
    is_good
}

fn auth_method(raw: &RawProvider<'_>, place: &Place, problems: &mut Problems) -> Option<ClientAuthMethod> {
    const METHODS: [(&str, ClientAuthMethod); 3] = [
        ("client_secret_basic", ClientAuthMethod::Basic),
        ("client_secret_post", ClientAuthMethod::Post),
        ("none", ClientAuthMethod::None),
    ];
    let text = raw.token_endpoint_auth_method?;
    problems.chosen(&place.key("token_endpoint_auth_method"), text, &METHODS)
}

fn scope(
    raw: Option<&Strings<'_>>,
    preset: Option<&Preset>,
    place: &Place,
    problems: &mut Problems,
) -> Option<String> {
    let Some(raw) = raw else {
        return Some(preset.map_or("openid profile email", |preset| preset.scope).to_owned());
    };
    let mut scopes: Vec<&str> = Vec::new();
    for (place, text) in raw.iter(place) {
        // RFC 6749 section 3.3.
        let is_scope = |b: u8| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~');
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !scope.bytes().all(is_scope) {
                problems.refuse(&place, format!("{} is no scope", quoted(scope)));
                return None;
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
    }
    if !scopes.contains(&"openid") {
        let mend = format!("write {:?}", format!("openid {}", scopes.join(" ")).trim_end());
        problems.refuse_and_mend(place, "\"openid\" is missing, without which there is no ID token", mend);
        return None;
    }
    Some(scopes.join(" "))
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

fn authorization_params(
    raw: &RawProvider<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let mut params = Vec::new();
    for (name, value) in raw.authorization_params.iter().flatten() {
        // Another response mode would change what comes back into something that is not read.
        if authorize::RESERVED.contains(name) || *name == "response_mode" {
            let mend = if *name == "scope" { "write scope beside id" } else { "leave it out" };
            problems.refuse_and_mend(&place.key(name), "Vestibule sets this parameter itself", mend);
        } else if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
            problems.refuse(&place.key(name), "a parameter's name has no white space");
        } else {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            params.push(((*name).to_owned(), value));
        }
    }
    params
}
