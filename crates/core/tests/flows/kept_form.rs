//! `flow/session/kept_form`: a form that was sent after the session had ended. Each test checks a sentence of
//! `docs/sessions.md` ("A form that comes too late").

use std::time::Duration;

use serde_json::json;
use vestibule_core::session::kept_form::{MAX_FORM, MAX_SEALED};
use vestibule_testing::{APP, Answer, Browser, TestEnv, settings};

/// What a browser sends with a form of the site's own page.
const OWN: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", APP)];

const FIELDS: [(&str, &str); 4] =
    [("title", "Ünïcode & more"), ("text", "two\r\nlines"), ("tag", "a"), ("tag", "b")];

/// Says whose session the browser had last.
const MARKER: &str = "__Secure-authjs.last-user";

const LIFETIME: Duration = Duration::from_hours(24 * 31);

fn world() -> TestEnv {
    TestEnv::with(settings())
}

fn signed_in(world: &TestEnv, user: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(world, user, "/");
    browser
}

/// A browser whose session has expired. It still has the cookie, as with `session.persistent = false`.
fn ended(world: &TestEnv) -> Browser {
    let browser = signed_in(world, "bob");
    world.pass(LIFETIME);
    browser
}

/// Sends the form to a page of the site.
fn send(world: &TestEnv, browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    browser.post_with(world, &format!("{APP}/save?draft=1"), fields, &OWN)
}

/// What the page keeps in the tab, if it is the page that keeps.
fn kept(answer: &Answer) -> Option<String> {
    let rest = answer.body.split_once("data-form=\"")?.1;
    Some(rest.split_once('"')?.0.to_owned())
}

/// What the tab's script sends after the user has signed in.
fn show(world: &TestEnv, browser: &mut Browser, sealed: &str) -> Answer {
    browser.post_with(world, &format!("{APP}/auth/form"), &[("form", sealed)], &OWN)
}

/// The hidden fields of the only form, as a browser would send them.
fn hidden(answer: &Answer) -> Vec<(String, String)> {
    let unescaped = |text: &str| {
        text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    };
    let fields = answer.body.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |field: &str| {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        (unescaped(name), unescaped(rest.split('"').next().unwrap()))
    };
    fields.map(field).collect()
}

/// The pages of this flow, with values that break out of a page without escaping.
pub fn every_page(markup: &str) -> Vec<(&'static str, Answer)> {
    let world = world();
    let mut bob = ended(&world);
    let fields =
        [(markup, markup), ("a-rather-long-name-of-a-field-in-a-form", &*"x".repeat(400)), ("password", "x")];
    let answer = send(&world, &mut bob, &fields);
    let sealed = kept(&answer).unwrap();
    let (mut bob, mut alice) = (signed_in(&world, "bob"), signed_in(&world, "alice"));
    vec![
        ("session-ended", answer),
        ("form-none", bob.open(&world, &format!("{APP}/auth/form"))),
        ("form", show(&world, &mut bob, &sealed)),
        ("form-of-another", show(&world, &mut alice, &sealed)),
        ("form-gone", show(&world, &mut bob, "x")),
    ]
}

#[test]
fn a_form_sent_after_the_session_has_ended_is_shown_after_signing_in_and_sent_by_a_click() {
    let mut revoking = settings();
    revoking["revocation"] = json!({ "store": "kv" });
    for (how, world) in [("it expired", world()), ("it was revoked", TestEnv::with(revoking))] {
        let mut browser = signed_in(&world, "bob");
        if how == "it expired" {
            world.pass(LIFETIME);
        } else {
            let mut other_tab = browser.clone();
            let csrf = other_tab.csrf(&world);
            other_tab.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
        }
        let answer = send(&world, &mut browser, &FIELDS);
        assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, Some("Bearer")), "{how}");
        assert!(answer.body.contains("Your session has ended") && !answer.body.contains("more"), "{how}");
        let then = "/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fauth%2Fform\"";
        assert!(answer.body.contains(then), "{how}: {}", answer.body);
        let sealed = kept(&answer).unwrap_or_else(|| panic!("{how}: {answer:?}"));

        let back = browser.sign_in(&world, "bob", "/auth/form");
        assert_eq!(back.location(), format!("{APP}/auth/form"), "{how}");
        let found = browser.open(&world, back.location());
        assert!(found.status == 200 && found.body.contains("<script>"), "{how}");
        let shown = show(&world, &mut browser, &sealed);
        assert_eq!(shown.status, 200, "{how}: {}", shown.body);
        assert!(
            shown.forwarded.is_none() && !shown.body.contains("<script"),
            "it is not sent by itself: {how}"
        );
        let action = format!("<form method=\"post\" action=\"{APP}/save?draft=1\">");
        assert!(shown.body.contains(&action), "{how}: {}", shown.body);
        let fields = hidden(&shown);
        assert!(fields.iter().map(|(name, value)| (&**name, &**value)).eq(FIELDS), "{how}: {fields:?}");

        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let sent = send(&world, &mut browser, &fields).forwarded.expect("forwarded");
        assert_eq!(sent.request.url.path_and_query(), "/save?draft=1", "{how}");
    }
}

#[test]
fn cross_site_request_forgery_a_form_that_another_page_sent_is_not_kept() {
    let mut trusting = settings();
    trusting["trusted_origins"] = json!(["https://partner.example.com"]);
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")],
        &[("sec-fetch-site", "same-site"), ("origin", APP)],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", APP)],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://partner.example.com")],
        &[("origin", "https://partner.example.com")],
        &[("origin", "null")],
        &[("origin", APP), ("origin", APP)],
        &[("origin", "http://app.example.com")],
        &[("referer", "https://app.example.com/edit")],
        &[],
    ] {
        let world = TestEnv::with(trusting.clone());
        let mut browser = ended(&world);
        let answer = browser.post_with(&world, &format!("{APP}/save"), &FIELDS, headers);
        assert_eq!(kept(&answer), None, "{headers:?}");
        assert_eq!(answer.status, 302, "{headers:?}");
    }
    let world = world();
    let answer = ended(&world).post_with(&world, &format!("{APP}/save"), &FIELDS, &[("origin", APP)]);
    assert!(kept(&answer).is_some(), "a browser without Sec-Fetch-Site");
}

#[test]
fn cross_site_request_forgery_another_page_cannot_have_a_form_shown() {
    let world = world();
    let sealed = kept(&send(&world, &mut ended(&world), &FIELDS)).unwrap();
    let mut bob = signed_in(&world, "bob");
    for site in ["cross-site", "same-site"] {
        let headers = [("sec-fetch-site", site), ("origin", "https://evil.example.com")];
        let answer = bob.post_with(&world, &format!("{APP}/auth/form"), &[("form", &sealed)], &headers);
        assert_eq!((answer.status, hidden(&answer)), (403, vec![]), "{site}");
    }
}

#[test]
fn only_an_urlencoded_form_of_at_most_64_kib_is_kept() {
    let world = world();
    let browser = ended(&world);
    let send = |method: &str, content_type: &str, mode: &str, body: &[u8]| {
        let headers = [
            OWN[0],
            OWN[1],
            ("sec-fetch-mode", mode),
            ("content-type", content_type),
            ("accept", "text/html"),
        ];
        kept(&browser.clone().send(&world, method, &format!("{APP}/save"), &headers, body)).is_some()
    };
    let urlencoded = "application/x-www-form-urlencoded";
    let (largest, larger) = ("x".repeat(64 * 1024), "x".repeat(64 * 1024 + 1));
    let many = "a=1&".repeat(1001);
    assert!(send("POST", urlencoded, "navigate", b"a=1"));
    assert!(send("POST", "Application/X-WWW-Form-Urlencoded; charset=utf-8", "navigate", b"a=1"));
    assert!(send("POST", urlencoded, "navigate", largest.as_bytes()));
    for (method, content_type, mode, body) in [
        ("POST", urlencoded, "navigate", larger.as_bytes()),
        ("POST", urlencoded, "navigate", many.as_bytes()),
        ("POST", urlencoded, "navigate", b""),
        ("POST", urlencoded, "navigate", b"a=%E4"),
        ("POST", urlencoded, "navigate", b"a=\xff"),
        ("POST", "multipart/form-data; boundary=x", "navigate", b"a=1"),
        ("POST", "text/plain", "navigate", b"a=1"),
        ("POST", "application/json", "navigate", b"{}"),
        ("POST", urlencoded, "cors", b"a=1"),
        ("PUT", urlencoded, "navigate", b"a=1"),
        ("GET", urlencoded, "navigate", b"a=1"),
    ] {
        assert!(!send(method, content_type, mode, body), "{method} {content_type} {mode}");
    }
}

#[test]
fn the_largest_form_that_is_kept_is_shown() {
    let world = world();
    let browser = ended(&world);
    let text = "x".repeat(MAX_FORM - "text=".len());
    // The address takes what the form leaves.
    let keep = |length: usize| {
        let url = format!("{APP}/save?{}", "q".repeat(length));
        let answer = browser.clone().post_with(&world, &url, &[("text", &text)], &OWN);
        kept(&answer).unwrap_or_else(|| panic!("{answer:?}"))
    };
    let room = MAX_SEALED - keep(1).len();
    let sealed = keep(1 + room / 4 * 3);
    // A block of the cipher is 16 bytes.
    assert!((MAX_SEALED - 22..=MAX_SEALED).contains(&sealed.len()), "{}", sealed.len());
    let mut bob = signed_in(&world, "bob");
    let shown = show(&world, &mut bob, &sealed);
    assert_eq!((shown.status, hidden(&shown)), (200, vec![("text".to_owned(), text)]));
    // No more is read than the field of the largest one.
    let rest = MAX_SEALED - sealed.len() - "&x=".len();
    for (length, is_shown) in [(rest, true), (rest + 1, false)] {
        let fields = [("form", sealed.as_str()), ("x", &"x".repeat(length))];
        let answer = bob.post_with(&world, &format!("{APP}/auth/form"), &fields, &OWN);
        assert_eq!(!hidden(&answer).is_empty(), is_shown, "{length}");
    }
}

#[test]
fn a_form_is_kept_also_if_the_browser_has_dropped_the_sessions_cookie() {
    let world = world();
    let mut bob = Browser::new();
    let marker = signed_in(&world, "bob").cookie(MARKER).expect("a marker").to_owned();
    assert!(!marker.contains("bob") && marker.len() == 22, "{marker}");
    bob.plant(MARKER, &marker);
    let sealed = kept(&send(&world, &mut bob, &FIELDS)).expect("kept");
    assert_eq!(show(&world, &mut signed_in(&world, "bob"), &sealed).status, 200);
    assert_eq!(show(&world, &mut signed_in(&world, "alice"), &sealed).status, 403);
}

#[test]
fn the_marker_of_the_last_user_is_removed_by_a_sign_out_and_replaced_by_another_sign_in() {
    let world = world();
    let mut browser = signed_in(&world, "bob");
    let bobs = browser.cookie(MARKER).unwrap().to_owned();
    assert_eq!(signed_in(&world, "bob").cookie(MARKER), Some(&*bobs), "the same in each browser");
    let again = browser.sign_in(&world, "bob", "/");
    let is_marker = |cookie: &str| cookie.starts_with(MARKER);
    assert!(!again.headers.get_all("set-cookie").any(is_marker), "it is not written again");
    let other = browser.sign_in(&world, "alice", "/");
    let written: Vec<&str> = other.headers.get_all("set-cookie").filter(|cookie| is_marker(cookie)).collect();
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(!written[0].contains("Max-Age") && !written[0].contains("Expires"), "it ends with the browser");
    assert_ne!(browser.cookie(MARKER), Some(&*bobs));
    let csrf = browser.csrf(&world);
    browser.post(&world, &format!("{APP}/auth/signout"), &[("csrfToken", &csrf)]);
    assert_eq!(browser.cookie(MARKER), None);
    // No one is signed in by it, and no upstream gets it.
    let mut marked = signed_in(&world, "bob");
    let sent = marked.open(&world, &format!("{APP}/dashboard")).forwarded.expect("forwarded");
    assert!(sent.request.headers.get("cookie").is_none_or(|cookie| !cookie.contains("last-user")));
    let mut only_marker = Browser::new();
    only_marker.plant(MARKER, &bobs);
    assert_eq!(only_marker.open(&world, &format!("{APP}/dashboard")).status, 302);
}

#[test]
fn a_form_whose_user_is_unknown_is_not_kept() {
    let world = world();
    let answer = send(&world, &mut Browser::new(), &FIELDS);
    assert_eq!((answer.status, kept(&answer)), (302, None));
    // The sessions of two users: no one knows whose form it is.
    let cookies =
        format!("{}; {}", ended(&world).cookie_header(), signed_in(&world, "alice").cookie_header());
    let headers = [
        OWN[0],
        ("sec-fetch-mode", "navigate"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", &cookies),
    ];
    assert_eq!(kept(&world.send("POST", &format!("{APP}/save"), &headers, b"a=1")), None);
    // The same without a session: two markers, of which one may be another site's.
    let [bobs, alices] =
        ["bob", "alice"].map(|user| signed_in(&world, user).cookie(MARKER).unwrap().to_owned());
    for (markers, is_kept) in [
        (format!("{MARKER}={bobs}"), true),
        (format!("{MARKER}={bobs}; {MARKER}={alices}"), false),
        (format!("{MARKER}="), false),
    ] {
        let headers = [headers[0], headers[1], headers[2], ("cookie", &markers)];
        let answer = world.send("POST", &format!("{APP}/save"), &headers, b"a=1");
        assert_eq!(kept(&answer).is_some(), is_kept, "{markers}");
    }
    let mut planted = Browser::new();
    planted.plant("__Secure-authjs.session-token", "x");
    assert_eq!(kept(&send(&world, &mut planted, &FIELDS)), None);
    // A session that is good: the form reaches the site.
    let mut bob = signed_in(&world, "bob");
    assert!(send(&world, &mut bob, &FIELDS).forwarded.is_some());
}

#[test]
fn only_the_same_user_sees_the_form() {
    let world = world();
    let sealed = kept(&send(&world, &mut ended(&world), &FIELDS)).unwrap();
    let mut alice = signed_in(&world, "alice");
    let answer = show(&world, &mut alice, &sealed);
    assert_eq!((answer.status, hidden(&answer)), (403, vec![]));
    assert!(!answer.body.contains("more") && !answer.body.contains("/save"), "{}", answer.body);

    let answer = show(&world, &mut Browser::new(), &sealed);
    assert_eq!((answer.status, kept(&answer)), (401, Some(sealed.clone())), "it is kept until they sign in");
    assert!(!answer.body.contains("more"));
    let page = Browser::new().open(&world, &format!("{APP}/auth/form"));
    assert!(
        page.location().ends_with("/auth/signin?callbackUrl=https%3A%2F%2Fapp.example.com%2Fauth%2Fform")
    );
    assert_eq!(show(&world, &mut signed_in(&world, "bob"), &sealed).status, 200);
}

#[test]
fn a_form_is_forgotten_after_15_minutes() {
    let world = world();
    let sealed = kept(&send(&world, &mut ended(&world), &FIELDS)).unwrap();
    let mut bob = signed_in(&world, "bob");
    world.pass(Duration::from_mins(14));
    assert_eq!(show(&world, &mut bob, &sealed).status, 200);
    world.pass(Duration::from_mins(1));
    let answer = show(&world, &mut bob, &sealed);
    assert_eq!((answer.status, hidden(&answer)), (410, vec![]));
    for sealed in ["", "x", "a.b.c.d.e", &"x".repeat(200_000)] {
        assert_eq!(show(&world, &mut bob, sealed).status, 410, "{sealed:.10}");
    }
}

#[test]
fn a_form_is_shown_on_the_host_that_it_was_sent_to() {
    let mut shared = settings();
    shared["cookies"] = json!({ "domain": "example.com" });
    let world = TestEnv::with(shared);
    let sealed = kept(&send(&world, &mut ended(&world), &FIELDS)).unwrap();
    let mut bob = signed_in(&world, "bob");
    let shop = "https://shop.example.com";
    let headers = [("sec-fetch-site", "same-origin"), ("origin", shop)];
    let answer = bob.post_with(&world, &format!("{shop}/auth/form"), &[("form", &sealed)], &headers);
    assert_eq!((answer.status, hidden(&answer)), (410, vec![]));
}

#[test]
fn cross_site_scripting_hostile_values_are_shown_and_sent_as_they_are() {
    let world = world();
    let hostile = "\"'><script>alert(1)</script><b onload=\"x\">&amp;\u{202e}javascript:alert(1)";
    let url = format!("{APP}/save?q=%22%3E%3Cscript%3E&x='\"><script>");
    let fields =
        [(hostile, hostile), ("__proto__", "1"), ("submit", "2"), ("action", "https://evil.example/")];
    let answer = ended(&world).post_with(&world, &url, &fields, &OWN);
    let sealed = kept(&answer).unwrap();
    assert!(sealed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')), "{sealed}");
    assert_eq!(answer.body.matches("<script").count(), 1, "{}", answer.body);
    let shown = show(&world, &mut signed_in(&world, "bob"), &sealed);
    assert!(!shown.body.contains("<script") && !shown.body.contains("<b onload"), "{}", shown.body);
    assert_eq!(shown.body.matches("<form").count(), 1);
    let got = hidden(&shown);
    assert!(got.iter().map(|(name, value)| (&**name, &**value)).eq(fields), "{got:?}");
}

#[test]
fn the_page_does_not_show_what_looks_like_a_secret_nor_more_than_the_beginning_of_a_long_value() {
    let world = world();
    let long = format!("{}the-end", "x".repeat(300));
    let fields = [("new_Password", "hunter2"), ("authenticity_token", "t0k3n"), ("text", long.as_str())];
    let sealed = kept(&send(&world, &mut ended(&world), &fields)).unwrap();
    let shown = show(&world, &mut signed_in(&world, "bob"), &sealed);
    let list = shown.body.split_once("<dl").unwrap().1.split_once("</dl>").unwrap().0;
    assert!(!list.contains("hunter2") && !list.contains("t0k3n") && !list.contains("the-end"), "{list}");
    assert!(hidden(&shown).iter().map(|(name, value)| (&**name, &**value)).eq(fields));
}

#[test]
fn the_fragment_of_a_return_address_survives_a_sign_in() {
    let world = world();
    let page = Browser::new().open(&world, &format!("{APP}/auth/signin?callbackUrl=%2Fguide"));
    assert!(page.body.contains("location.hash"), "{}", page.body);
    let answer = Browser::new().sign_in(&world, "bob", &format!("{APP}/guide?a=1#part-2"));
    assert_eq!(answer.location(), format!("{APP}/guide?a=1#part-2"));
}

#[test]
fn the_page_says_which_values_it_shows_as_a_whole() {
    let world = world();
    let [whole, cut] = [300, 301].map(|length| "x".repeat(length));
    let fields = [("title", "Ünïcode"), ("whole", whole.as_str()), ("cut", cut.as_str())];
    let sealed = kept(&send(&world, &mut ended(&world), &fields)).unwrap();
    let shown = show(&world, &mut signed_in(&world, "bob"), &sealed);
    let list = shown.body.split_once("<dl").unwrap().1.split_once("</dl>").unwrap().0;
    for (name, value) in [("title", "Ünïcode"), ("whole", &*whole), ("cut", &*format!("{whole}…"))] {
        assert!(list.contains(&format!(">{value}<")), "{name}: {list}");
    }
}
