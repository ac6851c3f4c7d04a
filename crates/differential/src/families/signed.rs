//! Signed tokens, and the key sets that they are verified with.

use serde_json::{Value, json};
use vestibule_core::jose::jws::{Algorithm, sign_hs256};
use vestibule_core::jose::software;
use vestibule_core::secret::Secret;

use super::sealed::changed;
use super::{claims, keys};
use crate::random::Random;
use crate::reading::{decode, encode};

/// A token with this text of claims, and its key's name. Its algorithm is mostly a fast one.
pub(super) fn token(random: &Random, text: &[u8]) -> (String, Algorithm, &'static str) {
    let algorithm = match random.below(40) {
        0 => Algorithm::Rs256,
        1 => random.one_of(&[Algorithm::Rs384, Algorithm::Rs512]),
        2 => random.one_of(&[Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]),
        3..=6 => Algorithm::Es384,
        7..=20 => Algorithm::Es256,
        _ => Algorithm::EdDsa,
    };
    let names = keys::names_for(algorithm);
    let name = names[random.below(if random.one_in(20) { names.len() } else { 1 })];
    let input = format!("{}.{}", encode(header(random, algorithm.name())), encode(text));
    let private = keys::key(name).private.as_ref().expect("a key that signs");
    let signature = software::sign(private, algorithm, input.as_bytes()).expect("a signature");
    let signature = if random.one_in(8) { other_signature(random, algorithm, &signature) } else { signature };
    let token = format!("{input}.{}", encode(signature));
    let token = if random.one_in(6) { changed(random, &token) } else { token };
    (token, algorithm, name)
}

/// A token that is signed with a shared secret.
pub(super) fn token_of_secret(random: &Random, text: &[u8], secret: &str) -> String {
    // The claims of `sign_hs256` are a value; the text is put into the place of its own, where the signature is wrong then.
    let value = serde_json::from_slice(text).unwrap_or(Value::Null);
    let token = sign_hs256(&value, &Secret::new(secret));
    if random.one_in(3) { changed(random, &token) } else { token }
}

/// A header: one that providers write in most cases.
pub(super) fn header(random: &Random, alg: &str) -> String {
    let mut members = vec![format!("\"alg\":\"{alg}\"")];
    members.extend(random.one_of(&[None, Some("\"kid\":\"k1\""), Some("\"kid\":\"k1\"")]).map(str::to_owned));
    members.extend(random.one_of(&[None, Some("\"typ\":\"JWT\"")]).map(str::to_owned));
    if random.one_in(4) {
        let more = match random.below(8) {
            0 => format!("\"kid\":{}", random.one_of(&["\"k2\"", "\"\"", "null", "7", "[\"k1\"]"])),
            1 => format!("\"crit\":{}", random.one_of(&["[]", "[\"b64\"]", "[\"exp\"]", "null", "\"b64\""])),
            2 => format!("\"b64\":{}", random.one_of(&["true", "false", "null", "1"])),
            3 => "\"crit\":[\"b64\"],\"b64\":true".to_owned(),
            4 => format!(
                "\"alg\":{}",
                random.one_of(&[
                    "\"none\"",
                    "\"HS256\"",
                    "\"RS256\"",
                    "\"ES256\"",
                    "\"Ed25519\"",
                    "null",
                    "\"\""
                ])
            ),
            5 => random
                .one_of(&[
                    "\"jwk\":{}",
                    "\"jku\":\"https://evil.example\"",
                    "\"x5c\":[\"a\"]",
                    "\"x5u\":7",
                    "\"zip\":\"DEF\"",
                    "\"cty\":\"JWT\"",
                ])
                .to_owned(),
            6 => random
                .one_of(&[
                    "\"typ\":7",
                    "\"typ\":null",
                    "\"typ\":\"at+jwt\"",
                    "\"__proto__\":{}",
                    "\"\\u006bid\":\"k1\"",
                ])
                .to_owned(),
            _ => "\"é\":\"\\ud800\"".to_owned(),
        };
        members.insert(random.below(members.len() + 1), more);
    }
    let object = format!("{{{}}}", members.join(random.one_of(&[",", ",", ",", ", ", ",\n"])));
    match random.below(80) {
        0 => format!("[{object}]"),
        1 => format!("{object} x"),
        2 => format!("\u{feff}{object}"),
        _ => object,
    }
}

/// The orders of the curves P-256 and P-384 (NIST SP 800-186 section 3.2.1).
const P256_ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";
const P384_ORDER: &str = "________________________________x2NNgfQ3Ld9YGg2ySLCneuzsGWrMxSlz";
/// The order of Ed25519's base point, little-endian (RFC 8032 section 5.1).
const ED25519_ORDER: &str = "7dP1XBpjEljWnPei3vneFAAAAAAAAAAAAAAAAAAAABA";

/// The signature in another form, or one that is no signature of anybody.
fn other_signature(random: &Random, algorithm: Algorithm, signature: &[u8]) -> Vec<u8> {
    let half = signature.len() / 2;
    let order = match algorithm {
        Algorithm::Es256 => decode(P256_ORDER),
        Algorithm::Es384 => decode(P384_ORDER),
        Algorithm::EdDsa => decode(ED25519_ORDER),
        _ => Vec::new(),
    };
    let (r, s) = signature.split_at(half);
    match (random.below(9), algorithm) {
        // The other of the two numbers that ECDSA accepts.
        (0 | 1, Algorithm::Es256 | Algorithm::Es384) => [r, &difference(&order, s)].concat(),
        (2, Algorithm::Es256 | Algorithm::Es384) => der(r, s),
        // The same number, not reduced (RFC 8032 section 5.1.7: reject it).
        (0..=2, Algorithm::EdDsa) => {
            let mut sum: Vec<u8> = s.iter().rev().copied().collect();
            let order: Vec<u8> = order.iter().rev().copied().collect();
            sum = self::sum(&sum, &order);
            sum.reverse();
            [r, &sum].concat()
        }
        (3, _) => [&[0], signature].concat(),
        (4, _) => [signature, &[0]].concat(),
        (5, _) => [&order[..], s].concat(),
        (6, _) => [r, &vec![0; half][..]].concat(),
        (7, _) => [s, r].concat(),
        (8, _) => vec![0; signature.len()],
        _ => signature.iter().rev().copied().collect(),
    }
}

/// `a - b` of big-endian numbers of one length, where `a` is not smaller.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut result = vec![0; a.len()];
    for at in (0..a.len()).rev() {
        let digit = i16::from(a[at]) - i16::from(b[at]) - borrow;
        borrow = i16::from(digit < 0);
        result[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    result
}

/// `a + b` of big-endian numbers of one length, without what does not fit.
fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    let mut result = vec![0; a.len()];
    for at in (0..a.len()).rev() {
        let digit = u16::from(a[at]) + u16::from(b[at]) + carry;
        carry = digit >> 8;
        result[at] = u8::try_from(digit & 255).unwrap();
    }
    result
}

/// An ECDSA signature as ASN.1, which JWS does not use.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[2, u8::try_from(number.len() + 1).unwrap(), 0], number].concat();
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// A key set in which the key of that name is `k1` in most cases.
pub(super) fn set(random: &Random, name: &str) -> Value {
    let mut all = Vec::new();
    let count = match random.below(40) {
        0 => 7,
        other => other % 4,
    };
    for _ in 0..count {
        // Few of them, so that both implementations may remember what they imported.
        let names = keys::names();
        let other = if random.one_in(4) { name } else { names[random.below(names.len())] };
        all.push(entry(random, other, random.one_of(&["k1", "k2", "k2", "k3"])));
    }
    if !random.one_in(30) {
        let at = random.below(all.len() + 1);
        all.insert(at, entry(random, name, "k1"));
    }
    json!({ "keys": all })
}

/// A key as a member of a set.
fn entry(random: &Random, name: &str, kid: &str) -> Value {
    let mut key = keys::key(name).jwk.clone();
    if !random.one_in(6) {
        key["kid"] = kid.into();
    }
    if random.one_in(2) {
        return key;
    }
    let member = |name: &str, value: &str| (name.to_owned(), serde_json::from_str(value).expect("JSON"));
    let (name, value): (String, Value) = match random.below(9) {
        0 | 1 => {
            member("use", random.one_of(&["\"sig\"", "\"sig\"", "\"sig\"", "\"enc\"", "null", "7", "\"\""]))
        }
        2 => member(
            "key_ops",
            random.one_of(&[
                "[\"verify\"]",
                "[\"verify\",\"sign\"]",
                "[\"sign\"]",
                "[]",
                "[\"verify\",\"verify\"]",
                "[\"verify\",7]",
                "null",
                "\"verify\"",
            ]),
        ),
        3 | 4 => member(
            "alg",
            random.one_of(&[
                "\"RS256\"",
                "\"ES256\"",
                "\"EdDSA\"",
                "\"EdDSA\"",
                "\"ES384\"",
                "\"PS256\"",
                "\"RSA-OAEP\"",
                "null",
                "7",
                "\"\"",
            ]),
        ),
        5 => member("kid", random.one_of(&["null", "7", "\"\"", "\"k1\""])),
        6 => member(
            random.one_of(&["ext", "x5c", "x5t", "d", "k", "oth"]),
            random.one_of(&["true", "null", "\"AAAA\"", "[\"a\"]"]),
        ),
        7 => member(
            random.one_of(&["kty", "crv", "x", "y", "n", "e"]),
            random.one_of(&["null", "\"\"", "\"AAAA\"", "\"OKP\"", "\"P-384\"", "\"Ed25519\"", "7"]),
        ),
        _ => {
            let name = random.one_of(&["x", "y", "n", "e"]);
            let Some(text) = key.get(name).and_then(Value::as_str) else { return key };
            (name.to_owned(), other_number(random, text).into())
        }
    };
    key[name] = value;
    key
}

/// A coordinate, a modulus or an exponent in another form.
fn other_number(random: &Random, text: &str) -> String {
    match random.below(5) {
        // Leading zeros.
        0 => encode([&[0][..], &decode(text)].concat()),
        1 => format!("{text}="),
        2 => {
            let mut text = text.to_owned();
            let last = text.pop().and_then(|last| char::from_u32(u32::from(last) + 1));
            text.extend(last);
            text
        }
        3 => encode(&decode(text)[1..]),
        _ => changed(random, text),
    }
}

/// Claims of an ID token for the client `client-1`: right ones in most cases.
pub(super) fn id_token_claims(random: &Random) -> Vec<u8> {
    let now = crate::NOW.seconds();
    let mut members = Vec::new();
    let wrong = random.below(14);
    let usual = [
        ("iss", "\"https://idp.example\"".to_owned()),
        ("aud", "\"client-1\"".to_owned()),
        ("sub", "\"user-1\"".to_owned()),
        ("exp", (now + 300).to_string()),
        ("iat", (now - 5).to_string()),
    ];
    for (at, (name, value)) in usual.into_iter().enumerate() {
        if wrong != at {
            members.push(format!("\"{name}\":{value}"));
            continue;
        }
        let value = match name {
            "iss" => random
                .one_of(&[
                    "\"https://idp.example/\"",
                    "\"https://IDP.example\"",
                    "null",
                    "7",
                    "[\"https://idp.example\"]",
                    "\"\"",
                ])
                .to_owned(),
            "aud" => random
                .one_of(&[
                    "[\"client-1\"]",
                    "[\"client-1\",\"client-2\"]",
                    "[\"client-2\"]",
                    "[]",
                    "[\"client-1\",7]",
                    "null",
                    "\"client-2\"",
                    "\"client-1 \"",
                    "{\"client-1\":1}",
                    "[[\"client-1\"]]",
                ])
                .to_owned(),
            "sub" => random.one_of(&["\"\"", "null", "7", "\"a\\u0000\"", "\"é🦀\""]).to_owned(),
            _ => claims::time(random),
        };
        if !random.one_in(6) {
            members.push(format!("\"{name}\":{value}"));
        }
    }
    match wrong {
        5 => members.push(format!("\"nbf\":{}", claims::time(random))),
        6 => {
            members
                .push(format!("\"azp\":{}", random.one_of(&["\"client-1\"", "\"client-2\"", "null", "7"])));
        }
        7 => {
            members.retain(|member| !member.starts_with("\"aud\""));
            members.push("\"aud\":[\"client-1\",\"client-2\"]".to_owned());
            members.push(format!("\"azp\":{}", random.one_of(&["\"client-1\"", "\"client-2\"", "null"])));
        }
        8 => members.push(format!("\"auth_time\":{}", claims::time(random))),
        9 => members.push(format!("\"sub\":\"{}\"", "x".repeat(random.one_of(&[255, 256, 300])))),
        10 => members.push("\"at_hash\":\"AAAAAAAAAAAAAAAAAAAAAA\"".to_owned()),
        _ => {}
    }
    claims::assembled(random, members)
}
