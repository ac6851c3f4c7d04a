//! Preview hosts of another domain: one Worker serves the site and most previews, another one, which shares only the
//! secret, serves `docs-*` previews.

use miniflare_test_harness::{Client, ClientResponse, Harness, HarnessBuilder};
use serde_json::{Value, json};
use url::Url;
use vestibule_test_runtimes::part_needs;

use crate::idp::{self, Idp};
use crate::subdomains::behind;
use crate::test_env::{SECRET, csrf, echo, session, settings_with, worker};

const AUTH: &str = "https://auth.example.com";
const PREVIEW: &str = "https://pr-1.preview.example.dev";
const OF_DOCS: &str = "https://docs-1.preview.example.dev";
const OWN_SESSION: &str = "__Host-authjs.session-token";

struct Site {
    login: Harness,
    docs: Harness,
}

#[test]
fn a_visitor_of_a_preview_signs_in_at_the_login_host_and_out_on_the_preview() {
    let site = Site::start();
    for host in [PREVIEW, OF_DOCS] {
        let browser = site.login.client();
        let wanted = format!("{host}/private?tab=%C3%A4&x=1&y=%2F");
        let page = browser.get(&wanted).navigation().follow().send().expect_status(200);
        assert!(page.url.starts_with("https://auth.example.com/auth/signin?callbackUrl="), "{}", page.url);
        let page = sign_in_there(&browser, &page.url);
        assert_eq!((page.status, page.url.as_str()), (200, wanted.as_str()), "{}", site.login.logs().text());
        assert_eq!(session(&browser, host)["user"]["email"], "bob@example.com", "{host}");

        // The session belongs to this host alone, under a name that no other host can set.
        let own = browser.cookies(host).into_iter().find(|(name, _)| name == OWN_SESSION).expect("a session");
        assert!(
            !browser.cookies("https://pr-2.preview.example.dev").iter().any(|(name, _)| name == OWN_SESSION)
        );
        for other in [AUTH, "https://pr-2.preview.example.dev"] {
            for name in [OWN_SESSION, "__Secure-authjs.session-token"] {
                let carried = format!("{name}={}", own.1);
                let says = site
                    .login
                    .client()
                    .get(&format!("{other}/auth/session"))
                    .header("cookie", &carried)
                    .send();
                assert_eq!(says.expect_status(200).json(), Value::Null, "{other} {name}");
            }
        }

        // Signed in at the login host, another preview shows no page on the way.
        let next = "https://pr-2.preview.example.dev/private";
        let page = browser.get(next).navigation().follow().send().expect_status(200);
        assert_eq!((page.url.as_str(), page.redirects.len()), (next, 4));

        // Signing out leads through the login host, whose cookie the preview cannot remove.
        let token = csrf(&browser, host);
        let out = browser.post(&format!("{host}/auth/signout")).navigation();
        let fields = [("csrfToken", token.as_str()), ("callbackUrl", "/about")];
        let page = out.form(&fields).follow().send().expect_status(200);
        assert_eq!(page.url, format!("{host}/about"));
        assert!(page.redirects[1].url.starts_with("https://auth.example.com/auth/signout/preview?code="));
        assert_eq!(browser.cookie(AUTH, "__Secure-authjs.session-token"), None);
        // In this test the other Worker has a store of its own, so its facts reach no other preview.
        let hosts = [host, AUTH, "https://pr-2.preview.example.dev"];
        // The preview that was not asked learns it from the store.
        let learns = part_needs!(OneMemory) && host == PREVIEW;
        for host in hosts.iter().take(if learns { 3 } else { 2 }) {
            assert_eq!(session(&browser, host), Value::Null, "{host}");
        }
    }
    site.assert_logs();
}

#[test]
fn preview_codes_a_code_works_once_in_one_browser_on_one_host() {
    let site = Site::start();
    let browser = site.login.client();
    sign_in_there(&browser, &format!("{AUTH}/auth/signin?callbackUrl=%2Fabout"));
    let begun = browser.get(&format!("{PREVIEW}/auth/signin?callbackUrl=/private")).navigation().send();
    let begun = begun.expect_status(302);
    assert_eq!(begun.header("referrer-policy"), Some("no-referrer"));
    let nonce = begun.set_cookies().into_iter().find(|cookie| cookie.starts_with("__Host-authjs.preview."));
    let nonce = nonce.expect("a nonce").to_owned();
    let given = browser.get(begun.location()).navigation().send().expect_status(302);
    assert_eq!(given.header("referrer-policy"), Some("no-referrer"));
    let callback = given.location().to_owned();
    assert!(callback.starts_with(&format!("{PREVIEW}/auth/preview/callback?code=")), "{callback}");

    // Another browser, and another host in the same browser.
    let refused = |browser: &Client, address: &str, host: &str| {
        let answer = browser.get(address).navigation().send().expect_status(302);
        assert_eq!(answer.location(), format!("{host}/auth/error?error=Verification"));
        assert!(!answer.set_cookies().iter().any(|cookie| cookie.contains("session-token=e")));
    };
    refused(&site.login.client(), &callback, PREVIEW);
    refused(&browser, &callback.replace("pr-1", "pr-2"), "https://pr-2.preview.example.dev");
    refused(&browser, &callback.replace("pr-1", "docs-1"), OF_DOCS);

    let arrived = browser.get(&callback).navigation().follow().send().expect_status(200);
    assert_eq!(arrived.url, format!("{PREVIEW}/private"));
    // A thief with the code and the nonce comes too late: the lock remembers it.
    let thief = site.login.client();
    thief.set_cookie(PREVIEW, &nonce);
    refused(&thief, &callback, PREVIEW);
    site.assert_logs();
}

impl Site {
    fn start() -> Self {
        let shared = json!({
            "login_url": AUTH,
            "cookies": { "domain": "example.com" },
            "preview_hosts": ["*.preview.example.dev"],
            "refresh": { "lease": "durable-object" },
            "revocation": { "store": "kv", "interval": "1s" },
        });
        let settings = settings_with(&shared);
        let mut alone = settings.clone();
        for key in ["providers", "claims"] {
            alone.as_object_mut().unwrap().remove(key);
        }
        let docs = with_secret(&alone).service("APP", echo).start().expect("the Worker of docs starts");
        let idp = Idp::new();
        let login = with_secret(&settings)
            .secret("AUTH_ACME_ID", idp::CLIENT_ID)
            .secret("AUTH_ACME_SECRET", idp::CLIENT_SECRET)
            .host(idp::HOST, move |request| idp.answer(request))
            .host("docs-1.preview.example.dev", behind(docs.client()))
            .service("APP", echo);
        Self { login: login.start().expect("the Worker of the login host starts"), docs }
    }

    fn assert_logs(&self) {
        for log in [self.login.logs().text(), self.docs.logs().text()] {
            for secret in [SECRET, "eyJ"] {
                assert!(!log.contains(secret), "the log contains {secret:?}:\n{log}");
            }
        }
    }
}

fn with_secret(settings: &Value) -> HarnessBuilder {
    let worker = worker().var("AUTH", settings.clone()).secret("AUTH_SECRET", SECRET);
    worker.durable_object("AUTH_LEASE", "RefreshLease")
}

/// Signs bob in from the login host's sign-in page at this address, and gives the page that was asked for.
fn sign_in_there(browser: &Client, page: &str) -> ClientResponse {
    let callback = Url::parse(page).unwrap();
    let callback = callback.query_pairs().find(|(name, _)| name == "callbackUrl").unwrap().1.into_owned();
    let token = csrf(browser, AUTH);
    let fields = [("csrfToken", token.as_str()), ("callbackUrl", callback.as_str())];
    browser
        .post(&format!("{AUTH}/auth/signin/acme?login_hint=bob"))
        .navigation()
        .form(&fields)
        .follow()
        .send()
}
