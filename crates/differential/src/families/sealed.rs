//! Sealed tokens with every header, and tokens that were changed.

use vestibule_core::jose::jwe::{ContentEncryption, seal_with_header};
use vestibule_core::jose::kdf::{Keyring, Purpose};
use vestibule_core::secret::Secret;

use crate::random::Random;

/// A token of this text that is sealed for the cookie with this salt, or nearly one.
pub(super) fn sealed(random: &Random, dialect_name: &str, secret: &str, salt: &str, text: &[u8]) -> String {
    let usual =
        if dialect_name == "v5" { ContentEncryption::A256CbcHs512 } else { ContentEncryption::A256Gcm };
    let encryption = match random.below(8) {
        0 => ContentEncryption::A256Gcm,
        1 => ContentEncryption::A128CbcHs256,
        2 => ContentEncryption::A256CbcHs512,
        _ => usual,
    };
    let info = info(dialect_name, salt);
    let keys = keyring(&[secret]).unwrap();
    let key = keys.newest(&Purpose { encryption, salt, info: &info });
    let kid = if dialect_name == "v5" { Some(key.kid.as_str()) } else { None };
    let header = header(random, encryption.name(), kid);
    let encrypted_key: &[u8] = if random.one_in(60) { b"key" } else { b"" };
    let mut fill = |bytes: &mut [u8]| random.fill(bytes);
    let token = seal_with_header(&key.key, &header, encrypted_key, text, &mut fill);
    if random.one_in(3) { changed(random, &token) } else { token }
}

/// A header: the usual one in most cases.
fn header(random: &Random, enc: &str, kid: Option<&str>) -> String {
    let kid_member = |kid: &str| format!("\"kid\":\"{kid}\"");
    let mut members = vec![format!("\"alg\":\"dir\""), format!("\"enc\":\"{enc}\"")];
    members.extend(kid.map(kid_member));
    if !random.one_in(2) {
        return format!("{{{}}}", members.join(","));
    }
    if random.one_in(16) {
        members.pop();
    }
    for _ in 0..=random.below(2) {
        match random.below(11) {
            0 => replace(
                &mut members,
                format!(
                    "\"alg\":{}",
                    random.one_of(&[
                        "\"A256KW\"",
                        "\"none\"",
                        "\"Dir\"",
                        "null",
                        "7",
                        "\"\"",
                        "\"A256GCMKW\"",
                        "\"PBES2-HS256+A128KW\""
                    ])
                ),
            ),
            1 => replace(
                &mut members,
                format!(
                    "\"enc\":{}",
                    random.one_of(&[
                        "\"A256GCM\"",
                        "\"A128CBC-HS256\"",
                        "\"A192GCM\"",
                        "\"A128GCM\"",
                        "null",
                        "[]",
                        "\"a256gcm\""
                    ])
                ),
            ),
            2 => members.retain(|member| !member.starts_with("\"kid\"")),
            3 => members.push(kid_member(random.one_of(&[
                "x",
                "",
                "oImbcwAIXNw7cMS9CQhfqJqVGu0qFketMb7uj0Xogo7",
            ]))),
            4 => members.push(format!("\"kid\":{}", random.one_of(&["null", "7", "[]", "true"]))),
            5 => members.push(format!(
                "\"crit\":{}",
                random.one_of(&["[]", "null", "[\"exp\"]", "[\"zip\"]", "[\"b64\"]", "[\"alg\"]", "\"exp\""])
            )),
            6 => members
                .push(format!("\"zip\":{}", random.one_of(&["\"DEF\"", "\"GZ\"", "null", "\"\"", "7"]))),
            7 => members.push(
                random
                    .one_of(&[
                        "\"typ\":\"JWT\"",
                        "\"typ\":7",
                        "\"cty\":\"JWT\"",
                        "\"b64\":false",
                        "\"p2c\":1",
                        "\"epk\":{}",
                        "\"jwk\":{}",
                        "\"iv\":\"AAAA\"",
                        "\"x5c\":[\"a\"]",
                        "\"exp\":1",
                    ])
                    .to_owned(),
            ),
            8 => members.push(
                random
                    .one_of(&[
                        "\"\\u0061lg\":\"dir\"",
                        "\"alg\":\"none\"",
                        "\"enc\":\"A256GCM\"",
                        "\"__proto__\":{\"alg\":\"dir\"}",
                    ])
                    .to_owned(),
            ),
            9 => members.push(format!("\"x\":\"{}\"", "a".repeat(random.one_of(&[100, 600, 700, 900])))),
            _ => members.reverse(),
        }
    }
    let space = random.one_of(&["", "", "", " ", "\n"]);
    let object = format!("{{{space}{}{space}}}", members.join(","));
    match random.below(40) {
        0 => format!("[{object}]"),
        1 => format!("{object}x"),
        2 => format!("\u{feff}{object}"),
        3 => object.replace('}', ",}"),
        _ => object,
    }
}

/// Puts a member into the place of the one of that name, if there is one.
fn replace(members: &mut Vec<String>, member: String) {
    let name = member.split(':').next().unwrap_or_default();
    match members.iter().position(|found| found.split(':').next() == Some(name)) {
        Some(at) => members[at] = member,
        None => members.push(member),
    }
}

/// The token with one change.
pub(super) fn changed(random: &Random, token: &str) -> String {
    if token.is_empty() {
        return "A".to_owned();
    }
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let part = random.below(parts.len());
    let mut chars: Vec<char> = token.chars().collect();
    let at = random.below(chars.len());
    match random.below(11) {
        0 => {
            // A flipped bit.
            chars[at] = char::from(u8::try_from(chars[at]).unwrap_or(b'A') ^ (1 << random.below(7)));
            chars.into_iter().collect()
        }
        1 => {
            chars[at] = random.one_of(&['A', 'B', '-', '_', '+', '/', '=', '.', ' ', '\n', 'é', '\0', '~']);
            chars.into_iter().collect()
        }
        2 => {
            chars.insert(at, random.one_of(&['A', '.', '=', ' ', '\n', '\t', '+', '~']));
            chars.into_iter().collect()
        }
        3 => {
            chars.remove(at);
            chars.into_iter().collect()
        }
        4 => {
            parts[part] += random.one_of(&["=", "==", "A", "AAAA", " "]);
            parts.join(".")
        }
        5 | 6 => {
            // The same bytes with bits that are left over.
            let last = parts[part].pop();
            let next = last.and_then(|last| char::from_u32(u32::from(last) + 1));
            parts[part].extend(next);
            parts.join(".")
        }
        7 => {
            parts[part] = parts[part].replace('-', "+").replace('_', "/");
            parts.join(".")
        }
        8 => {
            parts[part] = String::new();
            parts.join(".")
        }
        9 => {
            let other = random.below(parts.len());
            parts.swap(part, other);
            parts.join(".")
        }
        _ => {
            let end = random.below(parts[part].len() + 1);
            parts[part] = parts[part].chars().take(end).collect();
            parts.join(".")
        }
    }
}

fn info(dialect: &str, salt: &str) -> String {
    match (dialect, salt) {
        ("v5", salt) => format!("Auth.js Generated Encryption Key ({salt})"),
        (_, "") => "NextAuth.js Generated Encryption Key".to_owned(),
        (_, salt) => format!("NextAuth.js Generated Encryption Key ({salt})"),
    }
}

/// The keys of these secrets, the newest first.
pub(super) fn keyring(secrets: &[&str]) -> Option<Keyring> {
    Keyring::new(secrets.iter().copied().map(Secret::new).collect())
}
