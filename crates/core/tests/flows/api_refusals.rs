//! `credentials/refusal`: which answers of an API refuse, and which are failures that pass.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::config::Config;
use vestibule_core::log::LogEvent;
use vestibule_testing::credentials_api::jwt;
use vestibule_testing::{APP, Answer, Browser, TestEnv, environment};

use crate::credentials::{json_api, sign_in_as_ada};

const LOGIN: &str = "/graphql";
const FAILED: &str = "https://app.example.com/auth/error?error=Configuration";
const SIGNED_IN: &str = "https://app.example.com/dashboard";

fn refused(code: &str) -> String {
    format!("https://app.example.com/auth/signin?error=CredentialsSignin&code={code}")
}

/// Graphene with django-graphql-jwt: errors have messages only, and the status 200.
fn django() -> Value {
    json!({
        "providers": [{
            "id": "credentials",
            "type": "credentials",
            "fields": [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
            "login": {
                "url": "https://api.example/graphql",
                "body": {
                    "query": "mutation($u:String!,$p:String!){tokenAuth(username:$u,password:$p){token refreshToken}}",
                    "variables": { "u": "{email}", "p": "{password}" },
                },
                "access_token": "body.data.tokenAuth.token",
                "refresh_token": "body.data.tokenAuth.refreshToken",
                "error": "body.errors.0.message",
                "refused_errors": ["Please enter valid credentials"],
            },
            "user": { "id": "access_token.username" },
            "refresh": {
                "url": "https://api.example/refresh",
                "body": {
                    "query": "mutation($t:String!){refreshToken(refreshToken:$t){token refreshToken}}",
                    "variables": { "t": "{refresh_token}" },
                },
                "access_token": "body.data.refreshToken.token",
                "refresh_token": "body.data.refreshToken.refreshToken",
                "refused_errors": ["Invalid refresh token", "Refresh token is expired", "Refresh token is required"],
            },
        }],
        "session": { "expose": { "access_token": "access_token" } },
        "upstreams": [{ "to": "https://upstream.example", "authorization": "access_token" }],
    })
}

fn graphql_error(message: &str) -> Value {
    json!({ "errors": [{ "message": message, "locations": [{ "line": 1, "column": 2 }], "path": ["x"] }],
            "data": { "tokenAuth": null, "refreshToken": null } })
}

/// Ada, signed in at that API with a token of 15 minutes, whose refreshes are answered like this.
fn signed_in(settings: Value, status: u16, refresh: &Value) -> (TestEnv, Browser) {
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    let token = jwt(&json!({ "exp": world.now().seconds() + 900, "username": "ada" }));
    let tokens = json!({ "data": { "tokenAuth": { "token": token, "refreshToken": "refresh-ada" } } });
    world.api.answers_json(LOGIN, 200, &tokens);
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), SIGNED_IN);
    world.api.answers_json("/refresh", status, refresh);
    (world, browser)
}

fn fetch(world: &TestEnv, browser: &mut Browser) -> Answer {
    browser.fetch(world, &format!("{APP}/api"))
}

#[test]
fn a_graphql_error_with_status_200_because_a_database_is_down_is_no_wrong_password() {
    let (world, mut browser) = (TestEnv::with(django()), Browser::new());
    for message in ["could not connect to server: Connection refused", "Signature has expired"] {
        world.api.answers_json(LOGIN, 200, &graphql_error(message));
        assert_eq!(sign_in_as_ada(&world, &mut browser).location(), FAILED, "{message}");
    }
    assert!(world.log_text().contains("login: status 200 with an error, which is not in refused_errors"));
    world.api.answers_json(LOGIN, 200, &graphql_error("Please enter valid credentials"));
    assert_eq!(sign_in_as_ada(&world, &mut browser).location(), refused("credentials"));
}

#[test]
fn a_graphql_error_with_status_200_because_a_database_is_down_ends_no_session() {
    let down = graphql_error("could not connect to server: Connection refused");
    let (world, mut browser) = signed_in(django(), 200, &down);
    world.pass(Duration::from_secs(870));
    assert_eq!(fetch(&world, &mut browser).status, 200, "with the valid token");
    world.pass(Duration::from_mins(1));
    let answer = fetch(&world, &mut browser);
    assert_eq!((answer.status, answer.headers.contains("retry-after")), (503, true));
    let session = browser.session(&world);
    assert_eq!((session["user"].is_object(), session.get("error")), (true, None));
    assert!(!world.logged(LogEvent::RefreshFailed).is_empty());
    // It recovers.
    let token = jwt(&json!({ "exp": world.now().seconds() + 900, "username": "ada" }));
    let tokens = json!({ "data": { "refreshToken": { "token": token, "refreshToken": "refresh-2" } } });
    world.api.answers_json("/refresh", 200, &tokens);
    world.pass(Duration::from_secs(10));
    assert_eq!(fetch(&world, &mut browser).status, 200);
}

#[test]
fn a_refresh_token_that_a_graphql_api_refuses_ends_the_session() {
    for message in ["Invalid refresh token", "Refresh token is expired"] {
        let (world, mut browser) = signed_in(django(), 200, &graphql_error(message));
        world.pass(Duration::from_secs(905));
        assert_eq!(fetch(&world, &mut browser).status, 401, "{message}");
        assert_eq!(world.logged(LogEvent::RefreshTokenInvalid).len(), 1);
    }
}

#[test]
fn without_a_list_only_usual_codes_of_graphql_refuse_and_the_log_says_so_at_the_start() {
    let mut settings = django();
    for request in ["login", "refresh"] {
        settings["providers"][0][request].as_object_mut().unwrap().remove("refused_errors");
    }
    settings["providers"][0]["login"]["error"] = json!("body.errors.0.extensions.code");
    let world = TestEnv::with(settings.clone());
    for (code, expected) in [
        ("UNAUTHENTICATED", refused("UNAUTHENTICATED")),
        ("FORBIDDEN", refused("FORBIDDEN")),
        ("INTERNAL_SERVER_ERROR", FAILED.to_owned()),
        ("BAD_USER_INPUT", FAILED.to_owned()),
    ] {
        let error = json!({ "errors": [{ "message": "m", "extensions": { "code": code } }], "data": null });
        world.api.answers_json(LOGIN, 200, &error);
        assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), expected, "{code}");
    }
    assert!(
        world.log_text().contains("with the error INTERNAL_SERVER_ERROR, which is not in refused_errors")
    );
    // A malformed query is a mistake of the configuration, not of the user.
    world.api.answers_json(LOGIN, 400, &json!({ "errors": [{ "message": "Syntax Error" }] }));
    assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), FAILED);
    world.api.answers_json(LOGIN, 401, &json!({ "errors": [{ "message": "No" }] }));
    assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), refused("credentials"));

    let advice = |settings: &Value| {
        let config = Config::load(settings.clone(), &environment, &vestibule_testing::RUNTIME).unwrap();
        let advice = config.advice(&vestibule_testing::RUNTIME);
        advice.into_iter().filter(|line| line.contains("refused_errors")).collect::<Vec<_>>()
    };
    assert_eq!(advice(&settings).len(), 1);
    assert!(advice(&settings)[0].contains("(login, refresh)"));
    assert!(advice(&django()).is_empty() && advice(&json_api()).is_empty());
}

#[test]
fn an_error_list_is_searched_for_codes_and_messages_at_any_position() {
    let mut settings = django();
    let login = &mut settings["providers"][0]["login"];
    login["error"] = json!("body.errors");
    login["refused_errors"] = json!(["INVALID_CREDENTIALS", "Please enter valid credentials"]);
    let world = TestEnv::with(settings);
    for (errors, is_refused) in [
        (json!([{ "message": "x" }, { "message": "Please enter valid credentials" }]), true),
        (json!([{ "message": "x", "extensions": { "code": "INVALID_CREDENTIALS" } }]), true),
        (json!([{ "message": "not INVALID_CREDENTIALS" }]), false),
        (json!([{ "INVALID_CREDENTIALS": "x" }]), false),
    ] {
        world.api.answers_json(LOGIN, 200, &json!({ "errors": errors, "data": null }));
        let expected = if is_refused { refused("credentials") } else { FAILED.to_owned() };
        assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), expected, "{errors}");
    }
}

#[test]
fn a_success_code_at_the_place_of_the_error_is_no_refusal_where_the_configuration_says_so() {
    let mut settings = json_api();
    let login = &mut settings["providers"][0]["login"];
    login["error"] = json!("body.code");
    login["success"] = json!(["ok", 200]);
    let tokens = |code: Value| json!({ "code": code, "accessToken": "access-ada", "refreshToken": "refresh-ada", "expiresIn": 3600 });
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    for code in [json!("ok"), json!(200), json!("200"), json!(0), json!(null)] {
        world.api.answers_json("/sign-in", 200, &tokens(code.clone()));
        assert_eq!(sign_in_as_ada(&world, &mut browser).location(), SIGNED_IN, "{code}");
    }
    for code in [json!("locked"), json!(1001), json!("OK")] {
        world.api.answers_json("/sign-in", 200, &tokens(code.clone()));
        let expected = refused(code.as_str().unwrap_or("1001"));
        assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), expected, "{code}");
    }
    // The refresh is read as the login.
    world.api.answers_json("/refresh", 200, &tokens(json!("ok")));
    world.pass(Duration::from_secs(3605));
    assert_eq!(fetch(&world, &mut browser).status, 200);
    world.api.answers_json("/refresh", 200, &tokens(json!("revoked")));
    world.pass(Duration::from_secs(3605));
    assert_eq!(fetch(&world, &mut browser).status, 401);
}

#[test]
fn with_a_list_a_status_alone_refuses_only_if_it_is_401_or_403_or_written() {
    // NestJS: the status 400 is a validation that failed, 401 a refusal.
    let mut settings = json_api();
    let provider = &mut settings["providers"][0];
    provider["login"]["error"] = json!("body.message");
    provider["login"]["refused_errors"] = json!(["Invalid credentials", "Account locked"]);
    provider["refresh"]["refused_errors"] = json!("Session revoked");
    let world = TestEnv::with(settings.clone());
    for (status, message, is_refused) in [
        (400, "Invalid credentials", true),
        (404, "Account locked", true),
        (400, "email must be an email", false),
        (422, "email must be an email", false),
        (401, "Not you", true),
        (403, "", true),
        (500, "Invalid credentials", false),
        (408, "Invalid credentials", false),
    ] {
        world.api.answers_json("/sign-in", status, &json!({ "statusCode": status, "message": message }));
        let expected = if is_refused { refused("credentials") } else { FAILED.to_owned() };
        assert_eq!(sign_in_as_ada(&world, &mut Browser::new()).location(), expected, "{status} {message}");
    }
    world.api.recovers("/sign-in");
    for (status, message, expected) in [
        (400, "Session revoked", 401),
        (400, "refreshToken must be a string", 503),
        (404, "Cannot POST /refresh", 503),
        (401, "Unauthorized", 401),
        (429, "Session revoked", 503),
        (503, "Session revoked", 503),
    ] {
        let world = TestEnv::with(settings.clone());
        let mut browser = Browser::new();
        sign_in_as_ada(&world, &mut browser);
        world.api.answers_json("/refresh", status, &json!({ "message": message }));
        world.pass(Duration::from_secs(3605));
        assert_eq!(fetch(&world, &mut browser).status, expected, "{status} {message}");
    }
    // A proxy in front of the API answers 403 while it is busy.
    settings["providers"][0]["refresh"]["refused_statuses"] = json!(401);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    world.api.answers_json("/refresh", 403, &json!({}));
    world.pass(Duration::from_secs(3605));
    assert_eq!(fetch(&world, &mut browser).status, 503);
}

#[test]
fn an_error_that_repeats_a_secret_is_not_logged() {
    let mut settings = json_api();
    settings["providers"][0]["login"]["refused_errors"] = json!(["no"]);
    let (world, mut browser) = (TestEnv::with(settings), Browser::new());
    sign_in_as_ada(&world, &mut browser);
    world.api.answers_json("/refresh", 200, &json!({ "error": "refresh-ada" }));
    world.pass(Duration::from_secs(3605));
    assert_eq!(fetch(&world, &mut browser).status, 503);
    let csrf = browser.csrf(&world);
    let fields = [("csrfToken", csrf.as_str()), ("email", "a@example.com"), ("password", "hunter3")];
    world.api.answers_json("/sign-in", 200, &json!({ "error": "hunter3" }));
    browser.post(&world, &format!("{APP}/auth/callback/credentials"), &fields);
    let log = world.log_text();
    assert_eq!(log.matches("with an error, which is not in refused_errors").count(), 2, "{log}");
    assert!(!log.contains("refresh-ada") && !log.contains("hunter3"), "{log}");
}

#[test]
fn what_the_lists_cannot_mean_is_refused_at_the_start() {
    let problem = |key: &str, value: Value, has_error: bool| {
        let mut settings = json_api();
        let login = settings["providers"][0]["login"].as_object_mut().unwrap();
        if !has_error {
            login.remove("error");
        }
        login.insert(key.to_owned(), value);
        let loaded = Config::load(settings, &environment, &vestibule_testing::RUNTIME);
        loaded.err().map(|errors| errors.to_string())
    };
    for (key, value, has_error) in [
        ("refused_errors", json!(["x"]), false),
        ("success", json!("ok"), false),
        ("refused_statuses", json!([200]), true),
        ("refused_statuses", json!([500]), true),
        ("refused_statuses", json!([429]), true),
        ("refused_statuses", json!(["401"]), true),
        ("refused_statuses", json!([401.5]), true),
        ("refused_errors", json!([["x"]]), true),
    ] {
        let problem = problem(key, value.clone(), has_error);
        assert!(problem.is_some_and(|text| text.contains(key)), "{key} {value}");
    }
    assert_eq!(problem("refused_statuses", json!([]), true), None);
}
