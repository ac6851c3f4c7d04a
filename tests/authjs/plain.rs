//! An odd request as Vestibule reads it: the same without what `deliberate.rs` says is read differently. In generated stories
//! Auth.js gets this one, so that the rest of the two answers is compared, and the story goes on.

use std::fmt::Write;

use url::form_urlencoded;
use vestibule_core::session::chunk;
use vestibule_core::session::dialect::Dialect;

use crate::browser::Sent;
use crate::facts::{decoded, is_ambiguous, is_no_address, is_outside_latin};
use crate::site::Site;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The request to Auth.js in place of this one.
pub fn plain(site: Site, sent: &Sent) -> Sent {
    let mut plain = sent.clone();
    method(&mut plain);
    media_type(&mut plain);
    return_addresses(site, &mut plain);
    cookies(site, &mut plain);
    client(site, &mut plain);
    plain
}

/// HEAD is answered like GET, except where a look would use something up.
fn method(sent: &mut Sent) {
    let works_once = ["/signin/", "/callback/"].iter().any(|route| sent.url.contains(route));
    if sent.method == "HEAD" && !works_once {
        "GET".clone_into(&mut sent.method);
    }
}

/// Capitals mean nothing, and a type that only has the word in it is another one.
fn media_type(sent: &mut Sent) {
    for (name, value) in &mut sent.headers {
        if name != "content-type" {
            continue;
        }
        let (media, parameters) = value.split_once(';').map_or((value.as_str(), None), |(a, b)| (a, Some(b)));
        let media = media.trim().to_ascii_lowercase();
        let is_other = [JSON, FORM].iter().any(|known| value.contains(known) && media != **known);
        *value = match parameters {
            _ if is_other => "text/plain".to_owned(),
            Some(parameters) => format!("{media};{parameters}"),
            None => media,
        };
    }
}

/// An address that is none, or that is ambiguous, is the default.
fn return_addresses(site: Site, sent: &mut Sent) {
    let is_refused = |text: &str| is_no_address(text) || is_ambiguous(text);
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let fixed = |pair: &str, name: &str| match pair.split_once('=') {
        Some((it, value)) if it == name && is_outside_latin(&decoded(&value.replace('+', " "))) => {
            format!("{it}={}", encode(&in_ascii(&decoded(&value.replace('+', " ")))))
        }
        Some((it, value)) if it == name && is_refused(&decoded(&value.replace('+', " "))) => {
            format!("{it}={}", encode(site.origin()))
        }
        _ => pair.to_owned(),
    };
    let all =
        |text: &str| text.split('&').map(|pair| fixed(pair, "callbackUrl")).collect::<Vec<_>>().join("&");
    if let Some((path, query)) = sent.url.split_once('?') {
        sent.url = format!("{path}?{}", all(query));
    }
    let media = media_of(sent);
    if let Some(body) = &mut sent.body {
        if media == FORM {
            *body = all(body);
        } else if media == JSON
            && !has_repetition(body)
            && let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body)
            && let Some(address) = json.get_mut("callbackUrl")
        {
            let text = address.as_str().map_or_else(|| address.to_string(), str::to_owned);
            if address.is_null() || address.is_array() || address.is_object() {
                // They are left out.
                json.as_object_mut().expect("it has a member").remove("callbackUrl");
                *body = json.to_string();
            } else if !is_refused(&text) && is_outside_latin(&text) {
                *address = in_ascii(&text).into();
                *body = json.to_string();
            } else if is_refused(&text) {
                *address = site.origin().into();
                *body = json.to_string();
            }
        }
    }
    let name = site.names().callback_url().to_owned();
    each_cookie(sent, |cookies| {
        for (it, value) in cookies.iter_mut() {
            if *it == name && is_refused(&decoded(value)) {
                value.clear();
            }
        }
    });
}

/// Whether an object has two members of one name, of which reading it would leave one.
fn has_repetition(body: &str) -> bool {
    let members = vestibule_core::json::members(body.as_bytes()).unwrap_or_default();
    (1..members.len()).any(|at| members[..at].iter().any(|(name, _)| *name == members[at].0))
}

/// An address as a browser writes it: everything outside ASCII is percent-encoded.
fn in_ascii(address: &str) -> String {
    address.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Of several cookies of one name the valid one counts, and only the session's own cookies are the session.
fn cookies(site: Site, sent: &mut Sent) {
    let names = site.names();
    each_cookie(sent, |cookies| {
        let several: Vec<String> = cookies
            .iter()
            .enumerate()
            .filter(|(at, (name, _))| cookies[..*at].iter().any(|(before, _)| before == name))
            .map(|(_, (name, _))| name.clone())
            .collect();
        cookies.retain(|(name, value)| !(several.contains(name) && value == "junk"));
        cookies.retain(|(name, _)| {
            !name.starts_with(names.session()) || chunk::is_of_session(name, names.session())
        });
    });
}

/// Either client is understood in either dialect.
fn client(site: Site, sent: &mut Sent) {
    let path = sent.url.split('?').next().unwrap_or_default();
    if !["/signin", "/callback/", "/signout"].iter().any(|route| path.contains(route)) {
        return;
    }
    let is_v5 = sent.headers.iter().any(|(name, _)| name == "x-auth-return-redirect");
    let media = media_of(sent);
    let Some(body) = &mut sent.body else { return };
    let is_v4 = match media.as_str() {
        FORM => {
            form_urlencoded::parse(body.as_bytes()).any(|(name, value)| name == "json" && value == "true")
        }
        JSON => vestibule_core::json::members(body.as_bytes()).is_some_and(|members| {
            members.iter().any(|(name, value)| name == "json" && (value == "true" || *value == true))
        }),
        _ => false,
    };
    if site.dialect == Dialect::NextAuthV4 && media == JSON && is_v4 {
        // Next.js's own clients write a text.
        *body = body.replace("\"json\":true", "\"json\":\"true\"");
    }
    match site.dialect {
        Dialect::AuthJsV5 if is_v4 && !is_v5 => {
            sent.headers.push(("x-auth-return-redirect".to_owned(), "1".to_owned()));
        }
        Dialect::NextAuthV4 if is_v5 && !is_v4 && sent.method == "POST" => match media.as_str() {
            FORM => {
                let others = body.split('&').filter(|pair| !pair.starts_with("json="));
                *body = others.chain(["json=true"]).collect::<Vec<_>>().join("&");
            }
            JSON => {
                if !has_repetition(body)
                    && let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body)
                    && json.is_object()
                {
                    json["json"] = "true".into();
                    *body = json.to_string();
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn media_of(sent: &Sent) -> String {
    let media = sent.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    media.split(';').next().unwrap_or_default().trim().to_owned()
}

fn each_cookie(sent: &mut Sent, change: impl Fn(&mut Vec<(String, String)>)) {
    for (name, value) in &mut sent.headers {
        if name != "cookie" {
            continue;
        }
        let pairs = value.split("; ").map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut cookies: Vec<(String, String)> =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        change(&mut cookies);
        let written: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        *value = written.join("; ");
    }
    sent.headers.retain(|(name, value)| name != "cookie" || !value.is_empty());
}
