//! `Set-Cookie` fields against the package `cookie`.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_core::http::cookie::SetCookie;
use vestibule_core::http::origin::CookieDomain;
use vestibule_core::time::Timestamp;

use crate::random::Random;
use crate::{Answer, Family, Verdict};

pub(super) const FAMILY: Family = Family {
    name: "set_cookie",
    about: "`Set-Cookie` fields, byte for byte: the package `cookie` of both generations of Auth.js",
    share: 60,
    slice: 1500,
    generate,
    shrinks: &["value"],
    judge,
    deliberate: Vec::new,
};

const PIECES: &[&str] = &[
    "a",
    "Z",
    "0",
    "-",
    "_",
    ".",
    "!",
    "~",
    "*",
    "'",
    "(",
    ")",
    "%",
    ";",
    ",",
    "=",
    " ",
    "\"",
    "\\",
    "/",
    ":",
    "?",
    "&",
    "|",
    "\u{0}",
    "\r\n",
    "\u{7f}",
    "é",
    "€",
    "🦀",
    "\u{ffff}",
    "https://app.example.com/x?y=z",
];

fn generate(random: &Random) -> Value {
    let name = format!(
        "{}{}{}",
        random.one_of(&["", "__Secure-", "__Host-"]),
        random.one_of(&["authjs.session-token", "next-auth.csrf-token", "a", "!#$%&'*+-.^_`|~"]),
        random.one_of(&["", "", ".0", ".15"])
    );
    let cross_site = random.one_in(4);
    let mut options = json!({
        "httpOnly": true,
        "secure": cross_site || name.starts_with("__"),
        "sameSite": if cross_site { "none" } else { "lax" },
        "path": random.one_of(&["/", "/", "/auth", "/a/b-c_d~e%20f"]),
    });
    if random.one_in(2) {
        options["maxAge"] = random.one_of(&[0, 1, 900, 2_592_000, 9_007_199_254_740_991_u64]).into();
    }
    if random.one_in(2) && !name.starts_with("__Host-") {
        options["domain"] = random.one_of(&["example.com", "app.example.com", "a-b.example.co.uk"]).into();
    }
    if random.one_in(2) {
        // Up to the end of the year 9999, in milliseconds.
        options["expires"] = random.below(253_402_300_799_999).into();
    }
    let value = random.soup(PIECES, 9);
    json!({ "dialect": random.one_of(&["v5", "v4"]), "name": name, "value": value, "options": options })
}

/// The field as Vestibule writes it; `None` if these options are of no cookie that it writes.
fn written(case: &Value) -> Option<String> {
    let options = &case["options"];
    let (name, value) = (case["name"].as_str()?, case["value"].as_str()?);
    let cross_site = match options["sameSite"].as_str()? {
        "none" => true,
        "lax" => false,
        _ => return None,
    };
    let is_secure = cross_site || name.starts_with("__Secure-") || name.starts_with("__Host-");
    if options["httpOnly"] != true || options["secure"] != is_secure {
        return None;
    }
    let mut cookie = SetCookie::new(name, value).path(options["path"].as_str()?);
    if cross_site {
        cookie = cookie.cross_site();
    }
    if let Some(age) = options.get("maxAge") {
        cookie = cookie.max_age(Duration::from_secs(age.as_u64()?));
    }
    if let Some(at) = options.get("expires") {
        cookie = cookie.expires(Timestamp::from_millis(at.as_u64()?));
    }
    if let Some(domain) = options.get("domain") {
        cookie = cookie.domain(Some(&CookieDomain::parse(domain.as_str()?).ok()?));
    }
    Some(cookie.to_string())
}

fn judge(case: &Value, answer: &Answer) -> Verdict {
    match (written(case), answer) {
        (Some(ours), Ok(theirs)) if theirs == ours.as_str() => Verdict::BothAccept,
        (Some(ours), theirs) => Verdict::Different(format!("we write {ours:?}, `cookie` {theirs:?}")),
        (None, _) => Verdict::BothRefuse,
    }
}
