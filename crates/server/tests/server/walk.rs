//! One story: sign in, reach the app, refresh, sign out everywhere.

use std::thread;
use std::time::Duration;

use crate::browser::Browser;
use crate::http::{self, Message};
use crate::site::{Site, received};

#[test]
fn a_person_signs_in_reaches_the_app_with_a_token_and_signs_out_everywhere() {
    let site = Site::new(3600);
    let server = site.start();
    let address = server.address;
    let mut browser = Browser::default();

    let denied = browser.get(address, "/page?a=b");
    assert_eq!(denied.status(), 302);
    assert!(denied.field("location").unwrap().contains("/auth/signin"), "{denied:?}");
    let public = browser.get(address, "/public/a%2Db?x=1");
    assert_eq!((public.status(), public.value()["target"].as_str()), (200, Some("/public/a%2Db?x=1")));
    assert!(received(&public, "authorization").is_empty());

    browser.sign_in(address, &site.provider);
    let session = browser.get(address, "/auth/session").value();
    assert_eq!(session["user"]["email"], "alice@example.com");
    let page = browser.get(address, "/page");
    assert_eq!((page.status(), page.field("x-app")), (200, Some("1")));
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(received(&page, "authorization"), [format!("Bearer {token}")]);
    assert_eq!(received(&page, "x-user-email"), ["alice@example.com"]);
    assert_eq!(received(&page, "host"), [address.to_string()]);
    assert_eq!(received(&page, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(received(&page, "x-forwarded-proto"), ["http"]);
    assert!(received(&page, "cookie").is_empty(), "the app gets no cookie of Vestibule: {page:?}");
    assert!(!page.text().contains("vestibule-edge"), "{}", page.text());
    assert_eq!(browser.get(address, "/forbidden").status(), 403);

    let upload = browser.request(address, "POST", "/page").with_body("x".repeat(100_000));
    let upload = browser.send(address, &upload);
    assert_eq!(upload.value()["body"].as_str().map(str::len), Some(100_000));
    assert_eq!(received(&upload, "content-length"), ["100000"]);

    // A copy of the cookie ends with the session, on every thread.
    let mut copy = browser.clone();
    browser.sign_out(address);
    assert_eq!(browser.get(address, "/page").status(), 302);
    thread::sleep(Duration::from_millis(1100));
    for _ in 0..8 {
        assert_eq!(copy.clone().get(address, "/page").status(), 302);
    }
    assert!(copy.get(address, "/auth/session").text().contains("null"));
}

#[test]
fn parallel_requests_on_all_threads_use_a_refresh_token_once() {
    let site = Site::new(1);
    let server = site.start();
    let address = server.address;
    let browser = Browser::signed_in(address, &site.provider);
    // While a token is valid, no one waits for the next one.
    thread::sleep(Duration::from_millis(1100));
    let requests: Vec<_> = (0..16)
        .map(|_| {
            let mut browser = browser.clone();
            thread::spawn(move || {
                let page = browser.get(address, "/page");
                assert_eq!(page.status(), 200, "{page:?} {}", page.text());
                received(&page, "authorization")
            })
        })
        .collect();
    let tokens: Vec<_> = requests.into_iter().map(|request| request.join().unwrap()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(site.provider.refreshes(), (1, 0));
}

#[test]
fn a_proxy_that_asks_gets_the_answer_and_the_fields_for_the_app() {
    let site = Site::new(3600);
    site.configure("", "[verify]\nheaders = \"x-forwarded\"");
    std::fs::write(site.file("secrets").join("AUTH_VERIFY_SECRET"), "v".repeat(40)).unwrap();
    let server = site.start();
    let address = server.address;
    let browser = Browser::signed_in(address, &site.provider);
    let ask = |browser: &Browser, secret: &str, uri: &str| {
        let request = Message::request("GET", "/auth/verify")
            .with("host", address.to_string())
            .with("cookie", browser.cookie())
            .with("x-vestibule-verify", secret)
            .with("x-forwarded-method", "GET")
            .with("x-forwarded-proto", "http")
            .with("x-forwarded-host", address.to_string())
            .with("x-forwarded-uri", uri);
        http::send(address, &request)
    };
    let secret = "v".repeat(40);
    let passed = ask(&browser, &secret, "/page");
    assert_eq!(passed.status(), 204, "{passed:?} {}", passed.text());
    assert_eq!(passed.field("x-user-email"), Some("alice@example.com"));
    assert!(passed.field("authorization").unwrap().starts_with("Bearer access-"));
    assert_eq!(ask(&browser, &secret, "/forbidden").status(), 403);
    assert_eq!(ask(&Browser::default(), &secret, "/page").status(), 401);
    assert_eq!(ask(&browser, "guessed", "/page").status(), 403);
}

#[test]
fn a_wrong_configuration_does_not_start_and_the_message_says_each_mistake() {
    let site = Site::new(3600);
    site.configure("bse_path = \"/x\"\nlogin_url = 7", "");
    let (status, said) = site.fails();
    assert!(!status.success());
    assert!(said.contains("AUTH.bse_path") && said.contains("AUTH.login_url"), "{said}");
    assert!(!said.contains("client-secret"), "{said}");
    site.configure("", "[refresh]\nlease = \"redis\"");
    let (status, said) = site.fails();
    assert!(!status.success() && said.contains("AUTH_REDIS_URL"), "{said}");
}

#[test]
fn what_the_process_forgets_it_says_at_the_start() {
    let site = Site::new(3600);
    site.start().says("--revocations FILE");
}
