//! Sealed sessions, in both directions: what Vestibule's code seals and Auth.js opens, and the reverse.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule_core::session::dialect::Dialect;
use vestibule_core::session::seal;

use super::claims;
use super::sealed::{keyring, sealed};
use crate::deliberate::{Deliberate, find, rows};
use crate::random::Random;
use crate::reading::{Token, encode, is_same};
use crate::worker::answer;
use crate::{Answer, Family, NOW, Verdict};

/// Tokens that our code sealed, with every header and every text of claims, many changed afterwards.
pub(super) const FAMILY: Family = Family {
    name: "jwe",
    about: "sealed sessions of ours, most of them malformed or changed: Auth.js's `decode()` with `jose` 6 and 4",
    share: 80,
    slice: 700,
    generate,
    shrinks: &[],
    judge: |case, answer| judge(case, case["token"].as_str().unwrap_or_default(), answer),
    deliberate: || rows(REFUSED),
};

/// Tokens that Auth.js sealed, or `jose` with a header that Auth.js would not write.
pub(super) const OF_AUTHJS: Family = Family {
    name: "jwe_of_authjs",
    about: "sealed sessions of theirs: Auth.js's `encode()`, and `jose` with other algorithms, compression and keys",
    share: 40,
    slice: 300,
    generate: generate_for_authjs,
    shrinks: &["claims"],
    judge: judge_of_authjs,
    deliberate: || rows(REFUSED_OF_AUTHJS),
};

/// A token that Auth.js opens and Vestibule does not.
struct Difference<'a> {
    dialect: &'a str,
    token: Token<'a>,
    length: usize,
    /// The claims as Auth.js reads them.
    claims: &'a Value,
    /// The text of the claims, as it was sealed.
    text: Vec<u8>,
}

/// Whether a time is not a number of seconds between 1970 and 9999.
fn has_implausible_time(claims: &Value) -> bool {
    ["exp", "nbf", "iat"].iter().any(|name| {
        // JavaScript writes an infinite number as `null`.
        let time = claims.get(name);
        time.is_some_and(|time| !time.as_f64().is_some_and(|time| (0.0..=253_402_300_799.0).contains(&time)))
    })
}

type Is = fn(&Difference<'_>) -> bool;

const fn row(name: &'static str, reason: &'static str, is: Is) -> Deliberate<Is> {
    Deliberate { name, reason, is }
}

const NO_EXPIRY: Deliberate<Is> =
    row("no `exp`", "a session must expire; Auth.js always writes it", |it| it.claims.get("exp").is_none());

const COMPRESSED: Deliberate<Is> =
    row("`zip`", "a small token must not become a large one; Auth.js does not compress", |it| {
        it.token.header("zip").is_some()
    });

const OTHER_ALGORITHM: Deliberate<Is> = row(
    "next-auth 4: another `alg` or `enc`",
    "next-auth 4 accepts whatever fits its key, and writes `dir` with A256GCM only",
    |it| {
        it.dialect == "v4"
            && (it.token.header("alg") != Some(&"dir".into())
                || it.token.header("enc") != Some(&"A256GCM".into()))
    },
);

const KID: Deliberate<Is> = row(
    "next-auth 4: a `kid` that is not the key's",
    "next-auth 4 writes no `kid` and does not read one; in Auth.js 5 it selects the secret",
    |it| it.dialect == "v4" && it.token.header("kid").is_some(),
);

const REFUSED_OF_AUTHJS: &[Deliberate<Is>] = &[NO_EXPIRY, COMPRESSED, OTHER_ALGORITHM, KID];

const REFUSED: &[Deliberate<Is>] = &[
    NO_EXPIRY,
    row(
        "a time before 1970 or after 9999",
        "most likely it is in milliseconds: the session would not end",
        |it| has_implausible_time(it.claims),
    ),
    OTHER_ALGORITHM,
    KID,
    row("two parameters of one name", "another parser could read the other one", |it| {
        it.token.has_duplicates()
    }),
    row(
        "another encoding of the same bytes",
        "one token has one text: neither padding nor bits that are left over",
        |it| it.token.is_encoded_otherwise(),
    ),
    row("a header or a token that is too long", "the work for one cookie is bounded", |it| {
        it.token.parts[0].len() > 1024 || it.length > 64 * 1024
    }),
    row(
        "a header or claims that are not I-JSON",
        "half a surrogate pair, bytes that are not UTF-8, a byte order mark, or a number beyond every double (RFC 7493)",
        |it| {
            let is_object = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).is_ok();
            !is_object(&it.text) || !is_object(&crate::reading::decode(it.token.parts[0]))
        },
    ),
];

const SECRETS: &[&str] = &["my-32-char-or-longer-shared-secret!!", "an older secret", "x"];
const SALTS: &[&str] = &["authjs.session-token", "__Secure-authjs.session-token", "", "encodedState", "é"];

fn dialect(name: &str) -> Dialect {
    if name == "v4" { Dialect::NextAuthV4 } else { Dialect::AuthJsV5 }
}

fn generate(random: &Random) -> Value {
    let dialect_name = random.one_of(&["v5", "v4"]);
    let salt = random.one_of(SALTS);
    let first = random.below(SECRETS.len());
    // next-auth 4 has one secret.
    let count = if dialect_name == "v4" { 1 } else { 1 + random.below(2) };
    let secrets: Vec<&str> = (0..count).map(|at| SECRETS[(first + at) % SECRETS.len()]).collect();
    // One in twenty is sealed for something else.
    let sealed_with = if random.one_in(20) { random.one_of(SECRETS) } else { random.one_of(&secrets) };
    let sealed_for = if random.one_in(20) { random.one_of(SALTS) } else { salt };
    let text = claims::text(random);
    let token = sealed(random, dialect_name, sealed_with, sealed_for, &text);
    json!({
        "dialect": dialect_name,
        "secrets": secrets,
        "salt": salt,
        "token": token,
        "text": encode(text),
    })
}

fn generate_for_authjs(random: &Random) -> Value {
    let dialect = random.one_of(&["v5", "v4"]);
    let mut case = json!({
        "dialect": dialect,
        "secrets": [random.one_of(SECRETS)],
        "salt": random.one_of(SALTS),
        "maxAge": random.one_of(&[-3600_i64, -16, -15, -14, 0, 1, 60, 3600, 2_592_000]),
        "claims": Value::Object(claims::object(random)).to_string(),
    });
    if random.one_in(3) {
        let (alg, enc) = if dialect == "v5" {
            ("dir", random.one_of(&["A256CBC-HS512", "A256GCM"]))
        } else {
            (
                random.one_of(&["dir", "dir", "A256KW", "A256GCMKW"]),
                random.one_of(&["A256GCM", "A128CBC-HS256"]),
            )
        };
        case["header"] = json!({ "alg": alg, "enc": enc });
        if random.one_in(4) {
            case["header"]["zip"] = "DEF".into();
        }
        if random.one_in(4) {
            case["header"]["kid"] = "k".into();
        }
        if random.one_in(4) {
            case["header"]["typ"] = "JWT".into();
        }
        let mut claims = claims::object(random);
        if !random.one_in(4) {
            claims.insert("exp".to_owned(), (NOW.seconds() + 60).into());
        }
        case["claims"] = Value::Object(claims).to_string().into();
    }
    case
}

fn judge_of_authjs(case: &Value, made: &Answer) -> Verdict {
    let Ok(made) = made else { return Verdict::BothRefuse };
    let opened = answer(made["opened"].clone());
    judge(case, made["token"].as_str().unwrap_or_default(), &opened)
}

/// Opens a token as a session.
fn opened(case: &Value, token: &str) -> Option<Result<Map<String, Value>, seal::OpenError>> {
    let secrets: Vec<&str> = case["secrets"].as_array()?.iter().filter_map(Value::as_str).collect();
    let keys = keyring(&secrets)?;
    Some(seal::open(&keys, dialect(case["dialect"].as_str()?), case["salt"].as_str()?, token, NOW))
}

fn judge(case: &Value, token: &str, answer: &Answer) -> Verdict {
    let Some(ours) = opened(case, token) else { return Verdict::BothRefuse };
    // Auth.js takes an empty token for none.
    let theirs = answer.as_ref().ok().and_then(Value::as_str).filter(|text| *text != "null");
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => {
            let theirs: Value = serde_json::from_str(theirs).unwrap_or_default();
            if is_same(&Value::Object(ours.clone()), &theirs) {
                sealed_again(case, &ours)
            } else {
                Verdict::Different(format!("{token}: we open {}, Auth.js {theirs}", Value::Object(ours)))
            }
        }
        (Err(_), None) => Verdict::BothRefuse,
        (Ok(_), None) => Verdict::Different(format!("{token}: we open it; Auth.js: {answer:?}")),
        (Err(why), Some(theirs)) => {
            // What cannot be read, as half a surrogate pair, has another row.
            let value = serde_json::from_str(theirs).unwrap_or_default();
            let text = crate::reading::decode(case["text"].as_str().unwrap_or_default());
            let difference = Difference {
                dialect: case["dialect"].as_str().unwrap_or_default(),
                token: Token::of(token),
                length: token.len(),
                claims: &value,
                text,
            };
            let table = if case.get("text").is_some() { REFUSED } else { REFUSED_OF_AUTHJS };
            find(table, |is| is(&difference)).map_or_else(
                || Verdict::Different(format!("{token}: we refuse it ({why}); Auth.js opens {theirs}")),
                Verdict::Deliberate,
            )
        }
    }
}

/// What was opened is sealed and opened again: the same claims, but for those that sealing sets.
fn sealed_again(case: &Value, claims: &Map<String, Value>) -> Verdict {
    let secrets: Vec<&str> =
        case["secrets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (Some(keys), Some(salt)) = (keyring(&secrets), case["salt"].as_str()) else {
        return Verdict::BothRefuse;
    };
    let dialect = dialect(case["dialect"].as_str().unwrap_or_default());
    let lifetime = Duration::from_mins(1);
    let token = seal::seal(&keys, dialect, salt, claims, lifetime, NOW, &mut |bytes| bytes.fill(7));
    let without_set = |claims: &Map<String, Value>| {
        let kept = claims.iter().filter(|(name, _)| !["iat", "exp", "jti"].contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    match seal::open(&keys, dialect, salt, &token, NOW) {
        Ok(again) if without_set(&again) == without_set(claims) => Verdict::BothAccept,
        other => Verdict::Different(format!(
            "{} is {other:?} after it was sealed again",
            Value::Object(claims.clone())
        )),
    }
}
