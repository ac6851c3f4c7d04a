//! Providers of `type = "credentials"`: which configurations load, and with which values.

use super::*;
use vestibule_core::credentials::provider::Expiry;
use vestibule_core::data::Source;
use vestibule_core::outbound::ApiBody;

/// The first example of docs/credentials.md.
pub(super) fn api() -> Value {
    let file: Value = toml::from_str(include_str!("credentials.toml")).unwrap();
    file["vars"]["AUTH"]["providers"][0].clone()
}

/// The API with `value` at `pointer`, a JSON pointer; `null` removes what is there.
fn api_with(pointer: &str, value: Value) -> Value {
    let mut api = api();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = api.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => drop(members.remove(key)),
        Value::Object(members) => drop(members.insert(key.to_owned(), value)),
        _ => panic!("{pointer}"),
    }
    api
}

fn load_api(api: &Value) -> Result<Config, ConfigErrors> {
    load(json!({ "providers": [api] }), &json!({}))
}

fn checked(api: &Value) -> (String, CredentialsProvider) {
    let config = load_api(api).unwrap_or_else(|why| panic!("{why}"));
    match config.providers.first() {
        Some(Provider { name, kind: ProviderKind::Credentials(credentials), .. }) => {
            (name.clone(), (**credentials).clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_example_of_the_documentation_loads_with_its_values() {
    let (name, api) = checked(&api());
    assert_eq!(name, "Credentials");
    let fields: Vec<_> = api
        .fields
        .iter()
        .map(|f| {
            (
                f.name.as_str(),
                f.label.as_ref().map(|label| label.in_language("de")),
                f.kind,
                f.autocomplete.as_deref(),
                f.required,
            )
        })
        .collect();
    assert_eq!(
        fields,
        [
            ("email", Some("Email"), "email", Some("username"), true),
            ("password", Some("Password"), "password", Some("current-password"), true),
        ]
    );
    assert_eq!(api.login.request.method, Method::Post);
    assert_eq!(api.login.request.url.as_str(), "https://api.example.com/sign-in");
    assert!(matches!(api.login.request.body, Some(ApiBody::Json(_))));
    assert_eq!(api.login.tokens.access_token, path("body.accessToken"));
    assert_eq!(api.login.tokens.refresh_token, Some(path("body.refreshToken")));
    assert!(matches!(&api.login.tokens.expires, Some(Expiry::In(at)) if *at == path("body.expiresIn")));
    assert!(api.login.tokens.refresh_expires.is_none());
    assert_eq!(api.login.refusals.error, Some(path("body.error")));
    let profile = api.profile.unwrap();
    assert_eq!((profile.method, profile.url.as_str()), (Method::Get, "https://api.example.com/me"));
    assert!(profile.body.is_none());
    assert!(matches!(&api.user.id, Source::Path(id) if *id == path("profile.id")));
    assert!(matches!(&api.user.name, Some(Source::Text(name)) if name.paths().count() == 2));
    assert!(api.user.image.is_none());
    let refresh = api.refresh.unwrap();
    assert!(refresh.needs_refresh_token && refresh.kept_cookies.is_empty());
    assert_eq!(refresh.tokens.access_token, path("body.accessToken"));
    assert_eq!(refresh.refusals.error, Some(path("body.error")));
}

#[test]
fn only_fields_login_url_access_token_and_user_id_are_required() {
    let (name, api) = checked(&json!({
        "id": "our-api",
        "type": "credentials",
        "fields": [{ "name": "user" }, { "name": "pin", "type": "password", "autocomplete": "one-time-code" }],
        "login": { "url": "http://localhost:4000/login", "access_token": "body" },
        "user": { "id": "access_token.sub" },
    }));
    assert_eq!(name, "our-api");
    let paths: Vec<String> = api
        .login
        .request
        .templates()
        .flat_map(|template| template.paths().map(ToString::to_string))
        .collect();
    assert_eq!(paths, ["pin", "user"], "every field under its own name");
    assert_eq!(api.fields[1].autocomplete.as_deref(), Some("one-time-code"));
    assert!(api.profile.is_none() && api.login.tokens.refresh_token.is_none());
}

#[test]
fn the_cookies_that_a_refresh_sends_are_kept_in_the_session() {
    let refresh = json!({
        "url": "https://api.example.com/refresh",
        "headers": { "X-CSRF": "{cookie.csrf}" },
        "cookies": { "refresh_token": "{refresh_token}", "device": "{cookie.device}", "csrf": "{cookie.csrf}" },
    });
    assert_eq!(checked(&api_with("/refresh", refresh)).1.refresh.unwrap().kept_cookies, ["csrf", "device"]);
}

#[test]
fn a_refresh_may_have_other_paths_to_its_tokens_than_the_login() {
    let refresh = json!({
        "url": "https://api.example.com/refresh",
        "body": { "token": "{refresh_token}" },
        "access_token": "body.data.token",
        "expires_at": "body.data.end",
        "error": "body.errors.0",
    });
    let refresh = checked(&api_with("/refresh", refresh)).1.refresh.unwrap();
    assert_eq!(refresh.tokens.access_token, path("body.data.token"));
    assert_eq!(refresh.tokens.refresh_token, Some(path("body.refreshToken")), "the path of the login");
    assert!(matches!(&refresh.tokens.expires, Some(Expiry::At(at)) if *at == path("body.data.end")));
    assert_eq!(refresh.refusals.error, Some(path("body.errors.0")));
}

#[test]
fn an_api_with_strict_rotation_and_refresh_gets_advice_without_a_strict_lease() {
    let advice = |api: Value| {
        let auth = json!({ "providers": [api], "session": { "expose": { "access_token": "access_token" } },
                           "refresh": { "lease": "kv" } });
        load(auth, &json!({})).unwrap().advice(&RUNTIME)
    };
    let strict = advice(api_with("/strict_rotation", json!(true)));
    assert!(strict.len() == 1 && strict[0].contains("credentials ends the sign-in"), "{strict:?}");
    assert!(advice(api()).is_empty());
    let mut without = api_with("/strict_rotation", json!(true));
    without.as_object_mut().unwrap().remove("refresh");
    assert!(advice(without).is_empty());
}

#[test]
fn a_flat_form_is_accepted() {
    assert!(load_api(&api_with("/login/content_type", json!("form"))).is_ok());
}

#[test]
fn a_claim_may_be_a_member_of_the_login_response_that_has_no_refresh_token() {
    for claim in ["login.user", "profile"] {
        let auth = json!({ "providers": [api()], "claims": { "x": claim } });
        assert!(load(auth, &json!({})).is_ok(), "{claim}");
    }
}

proptest! {
    #[test]
    fn no_value_in_any_key_of_an_api_makes_loading_panic(
        section in 0_usize..8, key in 0_usize..8, value in any_configuration()
    ) {
        let mut api = api();
        let slot = api.as_object_mut().unwrap().values_mut().nth(section);
        match slot {
            Some(Value::Object(members)) if key < members.len() => {
                if let Some(slot) = members.values_mut().nth(key) {
                    *slot = value;
                }
            }
            Some(slot) => *slot = value,
            None => {}
        }
        let _ = load_api(&api);
    }
}
