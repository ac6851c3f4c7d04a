//! Attacks on preview hosts: with a code, a link, a page or a session.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::jose::kdf::Keyring;
use vestibule_core::secret::Secret;
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;
use vestibule_testing::{Answer, SECRET, TestEnv};

use super::{
    APP, AUTH, NONCE, OF_DOCS, OTHER, OWN_SESSION, PREVIEW, SESSION, Site, Visitor, now, of_the_docs,
    of_the_login_host, open_and_sign_in, query, signed_in, site, with, with_previews,
};

/// The address with a code that the login host gives this browser, which is signed in there; the code is not used yet.
fn code_for(site: &Site, visitor: &mut Visitor, host: &str) -> String {
    let begun = visitor.open(site, &format!("{host}/auth/signin?callbackUrl=/page")).location().to_owned();
    let answer = visitor.open(site, &begun);
    assert!(answer.location().starts_with(&format!("{host}/auth/preview/callback?code=")), "{answer:?}");
    assert_eq!(answer.headers.get("referrer-policy"), Some("no-referrer"));
    assert!(answer.headers.get("cache-control").unwrap().contains("no-store"));
    answer.location().to_owned()
}

fn assert_no_session(site: &Site, visitor: &mut Visitor, host: &str, answer: &Answer) {
    assert_eq!(answer.location(), format!("{host}/auth/error?error=Verification"), "{answer:?}");
    assert!(
        !answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("session-token")),
        "{answer:?}"
    );
    assert_eq!(answer.headers.get("referrer-policy"), Some("no-referrer"));
    assert_eq!(visitor.session(site, host), Value::Null);
}

#[test]
fn preview_codes_a_stolen_code_does_not_sign_in_another_browser() {
    let site = site();
    let mut victim = super::super::signed_in(&site);
    let callback = code_for(&site, &mut victim, PREVIEW);
    // Without a nonce, and with nonces of the thief's own.
    let mut thief = Visitor::new();
    let answer = thief.open(&site, &callback);
    assert_no_session(&site, &mut thief, PREVIEW, &answer);
    thief.open(&site, &format!("{PREVIEW}/auth/signin"));
    let answer = thief.open(&site, &callback);
    assert_no_session(&site, &mut thief, PREVIEW, &answer);
    // Under the name that belongs to the code.
    let name = victim.jar.iter().find(|cookie| cookie.name.starts_with(NONCE)).unwrap().name.clone();
    let own = thief.jar.iter().find(|cookie| cookie.name.starts_with(NONCE)).unwrap().value.clone();
    for nonce in [own.as_str(), "", "x"] {
        let cookie = format!("{name}={nonce}");
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-mode", "navigate")];
        let answer = site.login.send("GET", &callback, &headers, b"");
        assert_no_session(&site, &mut thief, PREVIEW, &answer);
    }
    assert!(site.login.log_text().contains("preview_code_rejected"));
    assert_eq!(
        victim.open(&site, &callback).location(),
        format!("{PREVIEW}/page"),
        "it is still the victim's"
    );
}

#[test]
fn preview_codes_a_code_works_once_where_a_lock_remembers_it() {
    for part in ["refresh", "revocation"] {
        let mut settings = of_the_login_host();
        match part {
            "refresh" => settings["refresh"] = json!({ "lease": "durable-object" }),
            _ => settings["revocation"] = json!({ "store": "durable-object" }),
        }
        let site = with(settings.clone());
        let mut visitor = super::super::signed_in(&site);
        let callback = code_for(&site, &mut visitor, PREVIEW);
        let cookies = visitor.cookies(&site, &callback);
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
        let first = site.login.send("GET", &callback, &headers, b"");
        assert_eq!(first.location(), format!("{PREVIEW}/page"));
        // With the nonce that the browser has removed, in this process and in another one.
        let elsewhere = site.login.isolate(with_previews(settings), "elsewhere");
        for world in [&site.login, &elsewhere] {
            let again = world.send("GET", &callback, &headers, b"");
            assert_no_session(&site, &mut Visitor::new(), PREVIEW, &again);
        }
        assert!(site.login.log_text().contains("the code was used before"), "{part}");
    }
}

#[test]
fn preview_codes_without_a_lock_only_the_browser_that_kept_its_nonce_can_use_a_code_again() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    visitor.open(&site, &callback);
    visitor.jar.retain(|cookie| cookie.name != OWN_SESSION);
    assert!(!visitor.jar.iter().any(|cookie| cookie.name.starts_with(NONCE)));
    let again = visitor.open(&site, &callback);
    assert_no_session(&site, &mut visitor, PREVIEW, &again);
}

#[test]
fn preview_codes_a_lock_that_does_not_answer_accepts_no_code() {
    let mut settings = of_the_login_host();
    settings["refresh"] = json!({ "lease": "durable-object" });
    let site = with(settings);
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    site.login.store.fails.set(("acquire", 9));
    let answer = visitor.open(&site, &callback);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    assert!(site.login.log_text().contains("preview_code_not_checked"));
}

#[test]
fn preview_codes_a_code_is_for_one_host_scheme_and_port() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    let cookies = visitor.cookies(&site, &callback);
    for host in
        [OTHER, OF_DOCS, "https://pr-1.preview.example.dev:8443", "https://x.pr-1.preview.example.dev"]
    {
        let there = callback.replacen(PREVIEW, host, 1);
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-mode", "navigate")];
        let answer = site.at(host).send("GET", &there, &headers, b"");
        assert_no_session(&site, &mut Visitor::new(), host, &answer);
    }
    // A browser on plain http sends no header of Fetch Metadata, and is sent to https.
    let plain = callback.replacen("https:", "http:", 1);
    let answer = site.at(PREVIEW).send("GET", &plain, &[("accept", "text/html")], b"");
    assert_eq!(answer.location(), callback);
    assert!(!answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("session-token")));
    // The site's own hosts take no code at all, and hosts outside answer 403.
    for host in [APP, AUTH] {
        let answer = visitor.open(&site, &callback.replacen(PREVIEW, host, 1));
        assert!(
            !answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("session-token=e")),
            "{host}"
        );
        assert_ne!(answer.status, 302, "{host}");
    }
    for host in ["https://preview.example.dev", "https://evil.example", "https://pr-1.preview.example.dev."] {
        let answer = visitor.open(&site, &callback.replacen(PREVIEW, host, 1));
        assert_eq!((answer.status, answer.headers.get("location")), (403, None), "{host}");
    }
    assert_eq!(visitor.open(&site, &callback).location(), format!("{PREVIEW}/page"));
}

#[test]
fn preview_codes_a_code_expires_within_a_minute() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    site.login.pass(Duration::from_mins(1));
    let answer = visitor.open(&site, &callback);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    assert!(site.login.log_text().contains("the code does not open: the token has expired"));
}

#[test]
fn preview_codes_garbage_and_altered_codes_sign_no_one_in() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    let code = query(&callback, "code");
    let at = format!("{PREVIEW}/auth/preview/callback");
    for altered in [
        "",
        "x",
        "%00",
        "..",
        "%F0%9F%98%80",
        &code[1..],
        &code[..code.len() - 1],
        &format!("{code}A"),
        &"e".repeat(20_000),
    ] {
        let answer = visitor.open(&site, &format!("{at}?code={altered}"));
        assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    }
    let answer = visitor.open(&site, &at);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    assert_eq!(visitor.open(&site, &format!("{at}?code={code}&code={code}")).status, 400);
    // Sealed with another secret.
    let stranger = TestEnv::in_environment(with_previews(of_the_login_host()), &|name| match name {
        "AUTH_SECRET" => Some("the secret of somebody else's site".to_owned()),
        other => vestibule_testing::environment(other),
    });
    let stranger = Site { docs: stranger.isolate(of_the_docs(), "there"), login: stranger };
    let theirs = code_for(&stranger, &mut super::super::signed_in(&stranger), PREVIEW);
    let answer = visitor.open(&site, &theirs);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    for secret in [code.as_str(), query(&theirs, "code").as_str()] {
        assert!(!site.login.log_text().contains(secret), "no code gets into the log");
    }
}

#[test]
fn login_csrf_a_link_with_the_attackers_code_signs_no_visitor_in() {
    let site = site();
    let mut attacker = super::super::signed_in(&site);
    let callback = code_for(&site, &mut attacker, PREVIEW);
    // A visitor who is signed out, one who is on the way, and one who is signed in.
    let mut visitor = Visitor::new();
    let answer = visitor.open(&site, &callback);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    visitor.open(&site, &format!("{PREVIEW}/auth/signin"));
    let answer = visitor.open(&site, &callback);
    assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    open_and_sign_in(&site, &mut visitor, &format!("{PREVIEW}/page"));
    let own = visitor.cookie(&site, PREVIEW, OWN_SESSION).unwrap();
    let answer = visitor.open(&site, &callback);
    assert_eq!(answer.location(), format!("{PREVIEW}/page"), "with the own session");
    assert_eq!(visitor.cookie(&site, PREVIEW, OWN_SESSION).unwrap(), own);
}

#[test]
fn session_fixation_a_sign_in_replaces_the_session_that_the_browser_had() {
    let site = site();
    let mut visitor = signed_in(&site);
    let before = visitor.cookie(&site, PREVIEW, OWN_SESSION).unwrap();
    // Someone else's session, which a sibling preview cannot set: the name begins with `__Host-`.
    let planted = format!("{before}x");
    for cookie in &mut visitor.jar {
        if cookie.name == OWN_SESSION {
            cookie.value.clone_from(&planted);
        }
    }
    let arrived = visitor.follow(&site, &format!("{PREVIEW}/page"));
    assert_eq!(arrived.answer.status, 200);
    let sessions: Vec<_> =
        visitor.jar.iter().filter(|cookie| cookie.name.contains("session-token")).collect();
    assert_eq!(sessions.iter().filter(|cookie| cookie.domain == "pr-1.preview.example.dev").count(), 1);
    assert_ne!(visitor.cookie(&site, PREVIEW, OWN_SESSION).unwrap(), planted);
    // A cookie of the shared domain under the name that the site's own hosts use is no session here.
    let own_sites = visitor.cookie(&site, APP, SESSION).unwrap();
    let cookie = format!("{SESSION}={own_sites}");
    let answer = site.login.send("GET", &format!("{OTHER}/auth/session"), &[("cookie", &cookie)], b"");
    assert_eq!(answer.body, "null");
}

#[test]
fn session_confusion_a_preview_hosts_session_opens_on_that_host_only() {
    for dialect in ["authjs-v5", "next-auth-v4"] {
        let mut settings = of_the_login_host();
        settings["dialect"] = json!(dialect);
        settings["upstreams"][0]["forward_session"] = json!(true);
        let site = with(settings);
        let visitor = signed_in(&site);
        let (own, shared) = match dialect {
            "authjs-v5" => (OWN_SESSION, SESSION),
            _ => ("__Host-next-auth.session-token", "__Secure-next-auth.session-token"),
        };
        let stolen = visitor.cookie(&site, PREVIEW, own).unwrap();
        let of_site = visitor.cookie(&site, APP, shared).unwrap();
        for (host, session) in
            [(APP, &stolen), (AUTH, &stolen), (OTHER, &stolen), (PREVIEW, &of_site), (OTHER, &of_site)]
        {
            for name in [own, shared] {
                let cookie = format!("{name}={session}");
                let says =
                    site.login.send("GET", &format!("{host}/auth/session"), &[("cookie", &cookie)], b"");
                assert!(
                    ["null", "{}"].contains(&says.body.as_str()),
                    "{dialect} {host} {name}: {}",
                    says.body
                );
                let denied = site.login.send("GET", &format!("{host}/private"), &[("cookie", &cookie)], b"");
                assert_eq!(denied.status, 401, "{dialect} {host} {name}");
                // An upstream that opens sessions itself gets none of another host, on public paths either.
                let public = site.login.send("GET", &format!("{host}/about"), &[("cookie", &cookie)], b"");
                let forwarded = public.forwarded.unwrap();
                assert_eq!(forwarded.request.headers.get("cookie"), None, "{dialect} {host} {name}");
            }
        }
        let cookie = format!("{own}={stolen}");
        let answer = site.login.send("GET", &format!("{PREVIEW}/private"), &[("cookie", &cookie)], b"");
        assert_eq!(answer.status, 200, "{dialect}");
    }
}

#[test]
fn session_confusion_a_code_is_not_a_session_and_a_session_is_not_a_code() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let callback = code_for(&site, &mut visitor, PREVIEW);
    let code = query(&callback, "code");
    for (host, name) in [(PREVIEW, OWN_SESSION), (APP, SESSION), (AUTH, SESSION)] {
        let cookie = format!("{name}={code}");
        let says = site.login.send("GET", &format!("{host}/auth/session"), &[("cookie", &cookie)], b"");
        assert_eq!(says.body, "null", "{host}");
    }
    // The content of a code, sealed for other purposes.
    let keys = Keyring::new(vec![Secret::new(SECRET)]).unwrap();
    let content = seal::open(&keys, Dialect::AuthJsV5, "vestibule.preview", &code, now(&site)).unwrap();
    assert_eq!(content["session"]["preview_host"], PREVIEW);
    for grant in ["refresh_token", "api_cookies", "refresh_expires_at"] {
        assert!(content["session"].get(grant).is_none(), "{grant} stays on the login host");
    }
    for salt in [SESSION, OWN_SESSION, NONCE, "__Secure-authjs.ticket", "vestibule.tokens"] {
        let random = &mut |bytes: &mut [u8]| bytes.fill(1);
        let minute = Duration::from_mins(1);
        let other = seal::seal(&keys, Dialect::AuthJsV5, salt, &content, minute, now(&site), random);
        let answer = visitor.open(&site, &format!("{PREVIEW}/auth/preview/callback?code={other}"));
        assert_no_session(&site, &mut visitor, PREVIEW, &answer);
    }
}

#[test]
fn open_redirect_the_login_host_gives_codes_to_preview_hosts_only() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let begun = visitor.open(&site, &format!("{PREVIEW}/auth/signin")).location().to_owned();
    let challenge = query(&begun, "challenge");
    for evil in [
        "",
        "/",
        "//pr-1.preview.example.dev/x",
        "https://evil.example/",
        "https://preview.example.dev/",
        "https://evilpreview.example.dev/",
        "https://pr-1.preview.example.dev.evil.example/",
        "https://pr-1.preview.example.dev@evil.example/",
        "https://evil.example#.preview.example.dev",
        "https://evil.example\\.preview.example.dev",
        "https://evil.example%2f.preview.example.dev",
        "https://pr-1.preview.example.dev./",
        "https://.preview.example.dev/",
        "https:pr-1.preview.example.dev/",
        "http://pr-1.preview.example.dev/",
        "http://pr-1.preview.example.dev:443/",
        "javascript:alert(1)//pr-1.preview.example.dev",
        "https://app.example.com/",
        "https://auth.example.com/",
        "https://pr-1.preview.example.dev//evil.example",
        "https://pr-1.preview.example.dev/\tx",
    ] {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("callbackUrl", evil)
            .append_pair("challenge", &challenge)
            .finish();
        let answer = visitor.open(&site, &format!("{AUTH}/auth/preview?{query}"));
        let Some(location) = answer.headers.get("location") else {
            assert_eq!(answer.status, 403, "{evil}");
            assert!(answer.body.contains("You cannot sign in at this address"), "{evil}");
            continue;
        };
        // A browser reads it as a path of the preview host.
        assert!(evil.starts_with(PREVIEW), "{evil}: {location}");
        assert!(
            location.starts_with(&format!("{PREVIEW}/auth/preview/callback?code=")),
            "{evil}: {location}"
        );
    }
    for challenge in
        ["", "x", &challenge[1..], &format!("{challenge}A"), &challenge.replace(&challenge[..8], "ABCDEFGH")]
    {
        let address = format!(
            "{AUTH}/auth/preview?callbackUrl=https%3A%2F%2Fpr-1.preview.example.dev&challenge={challenge}"
        );
        assert_eq!(visitor.open(&site, &address).status, 403, "{challenge}");
    }
    assert_eq!(visitor.open(&site, &format!("{begun}&callbackUrl=x")).status, 400);
    let script = visitor.fetch(&site, &begun);
    assert_eq!((script.status, script.headers.get("location")), (403, None), "a script gets no code");
}

#[test]
fn open_redirect_a_preview_host_returns_to_its_own_pages_only() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    for evil in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "https://app.example.com/x", OTHER]
    {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("callbackUrl", evil).finish();
        let arrived = visitor.follow(&site, &format!("{PREVIEW}/auth/signin?{query}"));
        assert_eq!(arrived.url, format!("{PREVIEW}/"), "{evil}: {:#?}", arrived.trail);
    }
}

#[test]
fn a_downgrade_to_http_signs_no_one_in() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    let plain = PREVIEW.replace("https:", "http:");
    // Everything leads to https.
    let page = visitor.open(&site, &format!("{plain}/page?x=1"));
    let sign_in =
        format!("{PREVIEW}/auth/signin?callbackUrl=https%3A%2F%2Fpr-1.preview.example.dev%2Fpage%3Fx%3D1");
    assert_eq!(page.location(), sign_in);
    let url = format!("{plain}/auth/signin?callbackUrl=/x");
    let route = site.at(PREVIEW).send("GET", &url, &[("accept", "text/html")], b"");
    assert_eq!(route.location(), format!("{PREVIEW}/auth/signin?callbackUrl=/x"));
    assert!(!route.headers.get_all("set-cookie").any(|cookie| cookie.contains("preview.")));
    // On a port of its own, the code goes to https on that port.
    let other_port = visitor.open(&site, "http://pr-1.preview.example.dev:8080/auth/signin");
    let there = format!("{AUTH}/auth/preview?callbackUrl=https%3A%2F%2Fpr-1.preview.example.dev%3A8080");
    assert!(other_port.location().starts_with(&there), "{}", other_port.location());
    // A session of the https host, planted under other names.
    let callback = code_for(&site, &mut visitor, PREVIEW);
    visitor.open(&site, &callback);
    let session = visitor.cookie(&site, PREVIEW, OWN_SESSION).unwrap();
    for name in ["authjs.session-token", SESSION] {
        let cookie = format!("{name}={session}");
        let says = site.login.send("GET", &format!("{plain}/auth/session"), &[("cookie", &cookie)], b"");
        assert_eq!(says.body, "null", "{name}");
    }
}

#[test]
fn logout_that_can_be_forged_a_link_to_the_login_host_ends_no_other_session() {
    let site = site();
    let mut attacker = signed_in(&site);
    let mut victim = signed_in(&site);
    // The attacker's own sign-out, in the victim's browser.
    let csrf = attacker.csrf(&site, PREVIEW);
    let answer = attacker.post(&site, &format!("{PREVIEW}/auth/signout"), &[("csrfToken", &csrf)], &[]);
    let link = answer.location().to_owned();
    assert!(link.starts_with(&format!("{AUTH}/auth/signout/preview?code=")), "{link}");
    let answer = victim.open(&site, &link);
    assert!(
        !answer.headers.get_all("set-cookie").any(|cookie| cookie.contains("session-token")),
        "{answer:?}"
    );
    assert_eq!(victim.session(&site, AUTH)["user"]["name"], "bob");
    // Garbage, a code for a session, and one that has expired lead to the start page and end nothing.
    let code = query(&link, "code");
    let for_session = query(&code_for(&site, &mut victim, OTHER), "code");
    site.login.pass(Duration::from_mins(1));
    for code in ["", "x", for_session.as_str(), code.as_str()] {
        let answer = victim.open(&site, &format!("{AUTH}/auth/signout/preview?code={code}"));
        assert_eq!(answer.location(), AUTH);
        assert_eq!(victim.session(&site, AUTH)["user"]["name"], "bob");
    }
    // Without the csrf token there is no code.
    let forged = victim.post(&site, &format!("{PREVIEW}/auth/signout"), &[("csrfToken", "x")], &[]);
    assert_eq!(forged.location(), format!("{PREVIEW}/auth/signin?error=MissingCSRF"));
}

#[test]
fn unlimited_state_cookies_a_browser_holds_eight_nonces_at_most() {
    let site = site();
    let mut visitor = Visitor::new();
    for page in 0..20 {
        visitor.open(&site, &format!("{PREVIEW}/auth/signin?callbackUrl=/{page}"));
        site.login.pass(Duration::from_secs(1));
    }
    assert_eq!(visitor.jar.iter().filter(|cookie| cookie.name.starts_with(NONCE)).count(), 8);
}

#[test]
fn a_host_that_is_not_in_the_list_stays_outside() {
    let site = site();
    let mut visitor = super::super::signed_in(&site);
    for host in [
        "https://preview.example.dev",
        "https://other.dev",
        "https://pr-1.preview.example.dev.",
        "https://192.0.2.1",
    ] {
        for path in
            ["/private", "/auth/signin", "/auth/session", "/auth/preview", "/auth/preview/callback?code=x"]
        {
            let answer = visitor.open(&site, &format!("{host}{path}"));
            assert_eq!((answer.status, answer.headers.get("location")), (403, None), "{host}{path}");
            assert!(!answer.headers.contains("set-cookie"), "{host}{path}");
        }
    }
    // The routes are where they belong only.
    for address in [
        format!("{PREVIEW}/auth/preview"),
        format!("{APP}/auth/preview"),
        format!("{AUTH}/auth/preview/callback"),
    ] {
        assert_ne!(visitor.open(&site, &address).status, 200, "{address}");
    }
}

#[test]
fn another_users_session_on_the_login_host_does_not_mix_with_a_preview_hosts() {
    let site = site();
    let mut visitor = signed_in(&site);
    // Another person signs in at the login host in the same browser.
    let answer = visitor.ask(&site, AUTH, "/about");
    let request = vestibule_testing::AuthorizationRequest::read(answer.location());
    let callback = site.login.provider.authorize(&request, "alice");
    visitor.open(&site, &callback);
    assert_eq!(visitor.session(&site, APP)["user"]["name"], "alice");
    assert_eq!(visitor.session(&site, PREVIEW)["user"]["name"], "bob");
    // The next sign-in on the preview host replaces everything of the old one.
    visitor.follow(&site, &format!("{PREVIEW}/auth/signin"));
    assert_eq!(visitor.session(&site, PREVIEW)["user"]["name"], "alice");
    assert_eq!(visitor.jar.iter().filter(|cookie| cookie.name.starts_with(OWN_SESSION)).count(), 1);
}
