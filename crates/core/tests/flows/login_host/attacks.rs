//! Attacks on the login host: with a ticket, a callback, a transaction or a return address.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::names::{CookieNames, CookieNaming};
use vestibule_core::session::seal;
use vestibule_testing::{Answer, AuthorizationRequest, SECRET, TestEnv};

use super::visitor::{Site, Visitor};
use super::{APP, AUTH, DOCS, SESSION, SHOP, TICKET, of_the_login_host, signed_in, site, with};

/// Begins a sign-in on the app: the address on the login host, and the ticket's value.
fn begin_on_app(site: &Site, visitor: &mut Visitor) -> (String, String) {
    let answer = visitor.ask(site, APP, "/page?x=1");
    let address = answer.location().to_owned();
    let ticket = visitor.cookie(site, &address, TICKET).expect("a ticket");
    (address, ticket)
}

/// No sign-in began: the browser is on the sign-in page, with this return address.
fn assert_nothing_began(answer: &Answer, return_to: &str) {
    let params = AuthorizationRequest::read(answer.location()).params;
    assert!(answer.location().starts_with("https://auth.example.com/auth/signin?"), "{answer:?}");
    assert_eq!(params["callbackUrl"], return_to);
    assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("transaction")), "{answer:?}");
}

#[test]
fn login_csrf_a_sign_in_link_works_only_in_the_browser_that_holds_its_ticket() {
    let site = site();
    let (mut mine, mut other) = (Visitor::new(), Visitor::new());
    let (address, _) = begin_on_app(&site, &mut mine);
    assert_nothing_began(&other.open(&site, &address), "https://app.example.com/page?x=1");
    // A ticket of the other browser, for another address, does not help either.
    begin_on_app(&site, &mut other);
    let answer = other.open(&site, &format!("{address}&prompt=none"));
    assert_nothing_began(&answer, "https://app.example.com/page?x=1");
    assert!(mine.open(&site, &address).location().starts_with("https://idp.example/authorize?"));
}

#[test]
fn a_ticket_can_be_used_once_and_expires_within_a_minute() {
    let site = site();
    let mut visitor = Visitor::new();
    let (address, ticket) = begin_on_app(&site, &mut visitor);
    let stolen = format!("{TICKET}={ticket}");
    assert!(visitor.open(&site, &address).location().starts_with("https://idp.example/"));
    assert_eq!(visitor.cookie(&site, &address, TICKET), None);
    assert_nothing_began(&visitor.open(&site, &address), "https://app.example.com/page?x=1");
    // A ticket that the browser return_to expires, too.
    site.login.pass(Duration::from_mins(1));
    let answer = site.login.send("GET", &address, &[("cookie", &stolen)], b"");
    assert_nothing_began(&answer, "https://app.example.com/page?x=1");
    assert!(site.login.log_text().contains("the ticket does not open: the token has expired"));
}

#[test]
fn an_altered_ticket_or_address_begins_no_sign_in() {
    let site = site();
    let (address, ticket) = begin_on_app(&site, &mut Visitor::new());
    let send = |address: &str, ticket: &str| {
        site.login.send("GET", address, &[("cookie", &format!("{TICKET}={ticket}"))], b"")
    };
    assert!(send(&address, &ticket).location().starts_with("https://idp.example/"));
    let page = "https://app.example.com/page?x=1";
    for altered in ["", "x", &ticket[1..], &ticket[..ticket.len() - 1], &format!("{ticket}A")] {
        assert_nothing_began(&send(&address, altered), page);
    }
    let shop = "https://shop.example.com/page?x=1";
    let other_return = address.replace("app.example.com", "shop.example.com");
    assert_nothing_began(&send(&other_return, &ticket), shop);
    let spelled = address.replace("page%3Fx", "%70age?x").replace("callbackUrl", "callback%55rl");
    assert!(send(&spelled, &ticket).location().starts_with("https://idp.example/"), "it says the same");
    let evil = address.replace("app.example.com", "evil.example");
    assert_nothing_began(&send(&evil, &ticket), "https://auth.example.com");
    let twice = format!("{address}&callbackUrl=https%3A%2F%2Fshop.example.com");
    assert_eq!(send(&twice, &ticket).status, 400);
    for other in ["signin/nobody?", "signin/acme?login_hint=mallory&"] {
        let answer = send(&address.replace("signin/acme?", other), &ticket);
        assert!(
            !answer.headers.get("location").unwrap_or_default().contains("idp.example"),
            "{other}: {answer:?}"
        );
    }
}

#[test]
fn a_ticket_is_valid_for_one_login_host_only() {
    let site = site();
    let (address, ticket) = begin_on_app(&site, &mut Visitor::new());
    let mut other = of_the_login_host();
    other["login_url"] = json!("https://login.example.com");
    let other = Site { login: site.login.isolate(other, "here"), docs: TestEnv::new() };
    let mut visitor = Visitor::new();
    let there = address.replace("auth.example.com", "login.example.com");
    let cookie = format!("{TICKET}={ticket}");
    let answer = visitor.send(&other, "GET", &there, &[("cookie", &cookie)], b"");
    assert!(answer.location().starts_with("https://login.example.com/auth/signin?"), "{answer:?}");
    // A member host accepts no ticket, and another port is another host.
    for host in [APP, DOCS, "https://auth.example.com:8443"] {
        let answer = site.at(host).send("GET", &address.replace(AUTH, host), &[("cookie", &cookie)], b"");
        assert_eq!(answer.location(), format!("{host}/auth/error?error=Configuration"));
        assert!(!answer.headers.contains("set-cookie"), "{host}");
    }
    // A ticket that was sealed with another secret does not open.
    let stranger = TestEnv::in_environment(of_the_login_host(), &|name| match name {
        "AUTH_SECRET" => Some("the secret of somebody else's site".to_owned()),
        other => vestibule_testing::environment(other),
    });
    let answer = stranger.send("GET", &address, &[("cookie", &cookie)], b"");
    assert_nothing_began(&answer, "https://app.example.com/page?x=1");
}

#[test]
fn session_confusion_a_ticket_is_not_a_session_and_a_session_is_not_a_ticket() {
    let site = site();
    let mut visitor = signed_in(&site);
    let session = visitor.cookie(&site, APP, SESSION).unwrap();
    let (address, ticket) = begin_on_app(&site, &mut visitor);
    let anonymous = site.login.send(
        "GET",
        &format!("{APP}/auth/session"),
        &[("cookie", &format!("{SESSION}={ticket}"))],
        b"",
    );
    assert_eq!(anonymous.body, "null");
    let answer =
        site.login.send("GET", &format!("{APP}/x"), &[("cookie", &format!("{SESSION}={ticket}"))], b"");
    assert_eq!(answer.status, 401);
    let answer = site.login.send("GET", &address, &[("cookie", &format!("{TICKET}={session}"))], b"");
    assert_nothing_began(&answer, "https://app.example.com/page?x=1");

    // A sealed transaction does not open as a ticket.
    let names = CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true);
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let claims = seal::open(&keys, Dialect::AuthJsV5, names.ticket(), &ticket, site.login.now()).unwrap();
    for salt in [names.transaction_prefix(), names.session(), names.csrf()] {
        let random = &mut |bytes: &mut [u8]| bytes.fill(1);
        let (now, minute) = (site.login.now(), Duration::from_mins(1));
        let other = seal::seal(&keys, Dialect::AuthJsV5, salt, &claims, minute, now, random);
        let answer = site.login.send("GET", &address, &[("cookie", &format!("{TICKET}={other}"))], b"");
        assert_nothing_began(&answer, "https://app.example.com/page?x=1");
    }
}

#[test]
fn a_ticket_alone_does_not_sign_in_and_does_not_change_a_session() {
    let site = site();
    // An attacker plants their own ticket, from another app of the domain.
    let mut attacker = Visitor::new();
    let (address, ticket) = begin_on_app(&site, &mut attacker);
    let mut victim = Visitor::new();
    let cookie = format!("{TICKET}={ticket}");
    let there = victim.send(&site, "GET", &address, &[("cookie", &cookie)], b"");
    let request = AuthorizationRequest::read(there.location());
    assert_eq!(victim.session(&site, AUTH), Value::Null, "only the provider's answer signs anybody in");
    // The response that the attacker gets from the provider works only in the attacker's browser.
    let begun = attacker.ask(&site, AUTH, "/");
    let attackers_response =
        site.login.provider.authorize(&AuthorizationRequest::read(begun.location()), "mallory");
    let answer = victim.open(&site, &attackers_response);
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
    assert_eq!(victim.session(&site, AUTH), Value::Null);
    // The victim's response works only in the victim's browser.
    let callback = site.login.provider.authorize(&request, "bob");
    assert!(attacker.open(&site, &callback).location().contains("error=SignInExpired"));
    assert_eq!(victim.open(&site, &callback).location(), "https://app.example.com/page?x=1");
}

#[test]
fn without_the_csrf_token_no_ticket_is_sealed() {
    let site = site();
    let mut visitor = Visitor::new();
    let of_another_host = visitor.csrf(&site, SHOP);
    visitor.csrf(&site, APP);
    for token in ["", "00", of_another_host.as_str()] {
        let answer = visitor.post(&site, &format!("{APP}/auth/signin/acme"), &[("csrfToken", token)], &[]);
        assert_eq!(answer.location(), format!("{APP}/auth/signin?error=MissingCSRF"));
        assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.starts_with(TICKET)));
    }
    let csrf = visitor.csrf(&site, APP);
    let form = format!("{APP}/auth/signin/acme?max_age=soon");
    assert_eq!(
        visitor.post(&site, &form, &[("csrfToken", &csrf)], &[]).status,
        400,
        "refused where it was asked for"
    );
}

#[test]
fn a_callback_on_another_host_than_the_login_host_does_not_sign_in() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = of_the_login_host();
        settings["dialect"] = json!(dialect);
        let site = with(settings);
        let mut visitor = Visitor::new();
        let begun = visitor.ask(&site, AUTH, "/");
        let callback = site.login.provider.authorize(&AuthorizationRequest::read(begun.location()), "bob");
        let transaction = visitor.cookies(&site, AUTH);
        assert!(transaction.contains("transaction."));
        for host in [APP, DOCS, "https://auth.example.com:8443", "https://auth.example.com."] {
            let there = callback.replace(AUTH, host);
            // With the login host's own cookies, which no browser would send there.
            for cookies in ["", &transaction] {
                let headers = [("cookie", cookies), ("sec-fetch-mode", "navigate")];
                let answer = site.at(host).send("GET", &there, &headers, b"");
                assert!(
                    !answer.headers.get_all("set-cookie").any(|c| c.contains("session-token=e")),
                    "{answer:?}"
                );
                let is_clear =
                    answer.status == 403 || answer.location().contains("/auth/error?error=Configuration");
                assert!(
                    is_clear && !answer.headers.get("location").unwrap_or_default().contains("code"),
                    "{answer:?}"
                );
            }
        }
        assert_eq!(site.login.fetches("https://idp.example/token"), 0, "the code went nowhere");
        let said = "register https://auth.example.com/auth/callback/acme as the only redirect URI";
        assert!(site.login.log_text().contains(said), "{}", site.login.log_text());
        assert_eq!(
            visitor.open(&site, &callback).location(),
            format!("{AUTH}/"),
            "it still works where it belongs"
        );
    }
}

#[test]
fn a_transaction_from_before_login_url_was_set_does_not_sign_in_on_another_host() {
    let mut before = of_the_login_host();
    before["login_url"] = Value::Null;
    let old = with(before);
    let mut visitor = Visitor::new();
    let begun = visitor.ask(&old, APP, "/");
    let request = AuthorizationRequest::read(begun.location());
    assert_eq!(request.params["redirect_uri"], format!("{APP}/auth/callback/acme"));
    let callback = old.login.provider.authorize(&request, "bob");
    let now = Site { login: old.login.isolate(of_the_login_host(), "here"), docs: TestEnv::new() };
    let answer = visitor.open(&now, &callback);
    assert_eq!(answer.location(), format!("{APP}/auth/error?error=Configuration"));
    assert_eq!(visitor.session(&now, APP), Value::Null);
    // Nor on the login host, to which the browser does not send that cookie.
    let answer = visitor.open(&now, &callback.replace(APP, AUTH));
    assert!(answer.location().contains("error=SignInExpired"), "{answer:?}");
    assert_eq!(visitor.session(&now, AUTH), Value::Null);
}

#[test]
fn open_redirect_the_login_host_redirects_only_to_hosts_of_the_domain() {
    let site = site();
    for evil in [
        "https://other.org/x",
        "https://evilexample.com",
        "https://example.com.evil",
        "https://app.example.com.evil/",
        "https://app.example.com@evil.example",
        "https://app.example.com.",
        "https://evil.example#.example.com",
        "https://evil.example\\.example.com",
        "//app.example.com",
        "http://app.example.com/x",
        "javascript:alert(1)//app.example.com",
        "https:app.example.com",
    ] {
        let mut visitor = Visitor::new();
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("callbackUrl", evil).finish();
        for route in ["signin", "signin/acme", "renew", "signout", "csrf"] {
            let answer = visitor.open(&site, &format!("{AUTH}/auth/{route}?{query}"));
            let return_to = visitor.cookie(&site, AUTH, "__Secure-authjs.callback-url");
            assert_eq!(return_to.as_deref(), Some("https%3A%2F%2Fauth.example.com"), "{route} {evil}");
            let location = answer.headers.get("location").unwrap_or(AUTH);
            assert!(location.starts_with(AUTH) && !location.contains("evil"), "{route} {evil}: {location}");
        }
        let answer = visitor.ask(&site, APP, evil);
        assert_eq!(AuthorizationRequest::read(answer.location()).params["callbackUrl"], APP, "{evil}");
        let arrived = visitor.follow_on(&site, APP, answer);
        assert_eq!(arrived.url, "https://app.example.com/", "{evil}");
        let signed_in = visitor.open(&site, &format!("{AUTH}/auth/renew?{query}"));
        assert_eq!(signed_in.location(), AUTH, "{evil}");
    }
}

#[test]
fn unlimited_state_cookies_a_browser_holds_one_ticket_at_most() {
    let site = site();
    let mut visitor = Visitor::new();
    for page in 0..10 {
        visitor.ask(&site, APP, &format!("/{page}"));
    }
    assert_eq!(visitor.jar.iter().filter(|cookie| cookie.name.contains("ticket")).count(), 1);
}
