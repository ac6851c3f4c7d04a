//! Signed tokens, in both directions: what Vestibule's code signs, and what `jose` signs, both verified by both with the same
//! key sets; and the claims of ID tokens.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::{Map, Value, json};
use vestibule_core::jose::jwk::JwkSet;
use vestibule_core::jose::jws::{self, Algorithm, UnverifiedJws, VerifiedPayload};
use vestibule_core::jose::software::SoftwareCrypto;
use vestibule_core::oauth::id_token::{self, Expected};
use vestibule_core::secret::Secret;

use super::{claims, keys, signed};
use crate::deliberate::{Deliberate, find, rows};
use crate::random::Random;
use crate::reading::{Token, decode, is_canonical, is_same};
use crate::worker::answer;
use crate::{Answer, Family, NOW, Verdict};

/// Signatures and key sets.
pub(super) const FAMILY: Family = Family {
    name: "jws",
    about: "signed tokens of ours with key sets, malformed and changed ones, ES256 to PS512 and HS256: `jose` 6",
    share: 60,
    slice: 300,
    generate,
    shrinks: &["jwks"],
    judge: |case, answer| judge(case, case["token"].as_str().unwrap_or_default(), answer),
    deliberate: || rows(DIFFERENCES),
};

/// The claims of ID tokens.
pub(super) const ID_TOKEN: Family = Family {
    name: "id_token",
    about: "claims of ID tokens: `jwtVerify()` of `jose` 6 with issuer, audience, times and a minute of tolerance",
    share: 60,
    slice: 300,
    generate: generate_id_token,
    shrinks: &[],
    judge: |case, answer| judge(case, case["token"].as_str().unwrap_or_default(), answer),
    deliberate: || rows(DIFFERENCES_OF_CLAIMS),
};

/// What others sign.
pub(super) const OF_JOSE: Family = Family {
    name: "jws_of_jose",
    about: "signed tokens of Node.js's own cryptography, with every algorithm and length of salt: `jose` 6",
    share: 20,
    slice: 120,
    generate: generate_of_jose,
    shrinks: &["payload"],
    judge: |case, made| {
        let Ok(made) = made else { return Verdict::BothRefuse };
        judge(case, made["token"].as_str().unwrap_or_default(), &answer(made["opened"].clone()))
    },
    deliberate: Vec::new,
};

/// A token that one accepts and the other one refuses.
struct Difference<'a> {
    case: &'a Value,
    token: Token<'a>,
    /// Whether it is Vestibule that refuses.
    we_refuse: bool,
    /// The claims as the other one reads them.
    claims: &'a Value,
}

impl Difference<'_> {
    fn keys(&self) -> impl Iterator<Item = &Value> {
        self.case["jwks"]["keys"].as_array().into_iter().flatten()
    }

    /// The bytes of a part.
    fn part(&self, at: usize) -> Vec<u8> {
        self.token.parts.get(at).map(|part| decode(part)).unwrap_or_default()
    }

    /// A claim that is a time, in seconds after now.
    fn after_now(&self, claim: &str) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "seconds need 53 bits in 285 million years")]
        Some(self.claims.get(claim)?.as_f64()? - NOW.seconds() as f64)
    }

    /// Whether a claim is not a time between 1970 and 9999.
    fn is_implausible(&self, claim: &str) -> bool {
        let time = self.claims.get(claim);
        time.is_some_and(|time| !time.as_f64().is_some_and(|time| (0.0..=253_402_300_799.0).contains(&time)))
    }
}

/// Whether a member of the key is not what an encoder writes: base64url of the curve's length.
fn is_encoded_otherwise(key: &Value) -> bool {
    let length = match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("EC"), Some("P-384")) => Some(48),
        (Some("EC" | "OKP"), _) => Some(32),
        _ => None,
    };
    ["x", "y", "n", "e"].iter().filter_map(|name| key.get(name)).any(|member| {
        let Some(text) = member.as_str() else { return true };
        let bytes = decode(text);
        !is_canonical(text) || length.is_some_and(|length| bytes.len() != length) || bytes.first() == Some(&0)
    })
}

/// Whether the bytes are a JSON object that every parser reads (RFC 7493).
fn is_i_json(text: &[u8]) -> bool {
    serde_json::from_slice::<Map<String, Value>>(text).is_ok()
}

type Is = fn(&Difference<'_>) -> bool;

const fn row(name: &'static str, reason: &'static str, is: Is) -> Deliberate<Is> {
    Deliberate { name, reason, is }
}

const NOT_I_JSON: Deliberate<Is> = row(
    "a header or claims that are not I-JSON",
    "half a surrogate pair, a byte order mark, or a number beyond every double (RFC 7493)",
    |it| it.we_refuse && !(is_i_json(&it.part(0)) && is_i_json(&it.part(1))),
);

const DIFFERENCES: &[Deliberate<Is>] = &[
    NOT_I_JSON,
    row("two parameters of one name", "another parser could read the other one", |it| {
        it.we_refuse && it.token.has_duplicates()
    }),
    row("`crit` or `b64`", "no extension is supported, whatever the list says", |it| {
        it.we_refuse && (it.token.header("crit").is_some() || it.token.header("b64").is_some())
    }),
    row(
        "another encoding of the same bytes",
        "one token has one text: neither padding nor bits that are left over",
        |it| it.we_refuse && it.token.is_encoded_otherwise(),
    ),
    row(
        "more than five keys that may have signed",
        "verifying is the most expensive work that a token can cause",
        |it| it.we_refuse && it.keys().count() > 5,
    ),
    row("a key in another encoding", "a coordinate has its curve's length, and a member one text", |it| {
        it.we_refuse && it.keys().any(is_encoded_otherwise)
    }),
    row(
        "a key whose `kid` is no text",
        "it is left out, and `jose` uses it for a token without `kid`",
        |it| {
            it.we_refuse
                && it.keys().any(|key| key.get("kid").is_some_and(|kid| !kid.is_string() && !kid.is_null()))
        },
    ),
    row("private members in a public key", "only the public ones are read; `jose` refuses the key", |it| {
        !it.we_refuse && it.keys().any(|key| ["d", "k", "oth"].iter().any(|name| key.get(name).is_some()))
    }),
    row(
        "`null` in a key, an operation twice, or an `ext` that is no truth value",
        "`null` counts as left out, and `ext` is not read; `jose` leaves the key out",
        |it| {
            let is_null = |key: &Value| {
                let mut names = ["use", "alg", "key_ops", "kid"].iter();
                names.any(|name| key.get(name).is_some_and(Value::is_null))
            };
            let is_repeated = |key: &Value| {
                let operations = key["key_ops"].as_array().map_or(&[][..], Vec::as_slice);
                operations.iter().enumerate().any(|(at, one)| operations[..at].contains(one))
            };
            let is_odd = |key: &Value| key.get("ext").is_some_and(|ext| !ext.is_boolean());
            !it.we_refuse && it.keys().any(|key| is_null(key) || is_repeated(key) || is_odd(key))
        },
    ),
    row(
        "a key for verifying and for something else",
        "WebCrypto gets keys without their operations, which are checked before; `jose` hands them on",
        |it| {
            let has_others = |key: &Value| {
                key["key_ops"].as_array().is_some_and(|all| all.iter().any(|one| one != "verify"))
            };
            !it.we_refuse && it.keys().any(has_others)
        },
    ),
    row(
        "a key that is too weak or malformed beside the right one",
        "it is left out; `jose` stops at it",
        |it| {
            let is_weak = |key: &Value| {
                key["kty"] == "RSA" && decode(key["n"].as_str().unwrap_or_default()).len() < 256
            };
            !it.we_refuse
                && it.keys().count() > 1
                && it.keys().any(|key| is_weak(key) || is_encoded_otherwise(key))
        },
    ),
];

const DIFFERENCES_OF_CLAIMS: &[Deliberate<Is>] = &[
    NOT_I_JSON,
    row(
        "`at_hash` of another access token",
        "OpenID Connect Core 3.1.3.8; a JWT library does not know the access token",
        |it| it.we_refuse && it.claims.get("at_hash").is_some(),
    ),
    row("an `aud` with something that is no text", "RFC 7519 section 4.1.3: a list of texts", |it| {
        it.we_refuse && it.claims["aud"].as_array().is_some_and(|all| !all.iter().all(Value::is_string))
    }),
    row(
        "`azp` of another client, or none beside several audiences",
        "OpenID Connect Core 3.1.3.7, steps 4 and 5",
        |it| {
            let azp = it.claims.get("azp").filter(|azp| !azp.is_null());
            let is_shared = it.claims["aud"].as_array().is_some_and(|all| all.len() > 1);
            it.we_refuse && (azp.is_some_and(|azp| azp != "client-1") || (is_shared && azp.is_none()))
        },
    ),
    row("a `sub` that is no name", "OpenID Connect Core section 2: a text of at most 255 bytes", |it| {
        let is_name = |sub: &str| (1..=255).contains(&sub.len()) && !sub.contains(char::is_control);
        it.we_refuse && !it.claims["sub"].as_str().is_some_and(is_name)
    }),
    row(
        "a time before 1970 or after 9999",
        "most likely it is in milliseconds: the token would not end",
        |it| it.we_refuse && ["exp", "nbf", "iat", "auth_time"].iter().any(|claim| it.is_implausible(claim)),
    ),
    row(
        "a fraction of a second",
        "`jose` rounds the clock down to a second, we compare milliseconds",
        |it| {
            let is_within = |claim: &str, from: f64| {
                it.after_now(claim).is_some_and(|at| (from..from + 1.0).contains(&at))
            };
            is_within("exp", -60.0) || is_within("nbf", 60.0) || is_within("iat", 60.0)
        },
    ),
    row("`nbf: null`", "some issuers write it for a claim that they leave out", |it| {
        !it.we_refuse && it.claims.get("nbf").is_some_and(Value::is_null)
    }),
];

const ALL: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

fn generate(random: &Random) -> Value {
    let text = claims::text(random);
    if random.one_in(10) {
        let secret = random.one_of(&["a shared secret of thirty-two characters", "x"]);
        let signed_with = if random.one_in(8) { "another secret" } else { secret };
        let token = signed::token_of_secret(random, &text, signed_with);
        return json!({ "token": token, "secret": secret, "algorithms": ["HS256"] });
    }
    let (token, algorithm, name) = signed::token(random, &text);
    let accepted = match random.below(20) {
        0 => json!(["RS256"]),
        1..=4 => json!([algorithm.name()]),
        _ => json!(ALL),
    };
    json!({ "token": token, "jwks": signed::set(random, name), "algorithms": accepted })
}

fn generate_id_token(random: &Random) -> Value {
    let text = signed::id_token_claims(random);
    let algorithm = random.one_of(&[Algorithm::Es256, Algorithm::EdDsa, Algorithm::EdDsa]);
    let key = keys::key(keys::names_for(algorithm)[0]);
    let input = format!(
        "{}.{}",
        crate::reading::encode(format!("{{\"alg\":\"{}\"}}", algorithm.name())),
        crate::reading::encode(text)
    );
    let private = key.private.as_ref().expect("a key that signs");
    let signature = vestibule_core::jose::software::sign(private, algorithm, input.as_bytes()).unwrap();
    json!({
        "token": format!("{input}.{}", crate::reading::encode(signature)),
        "jwks": { "keys": [key.jwk] },
        "algorithms": ALL,
        "expected": { "issuer": "https://idp.example", "audience": "client-1" },
    })
}

fn generate_of_jose(random: &Random) -> Value {
    let algorithm = random.one_of(&Algorithm::ALL);
    let name = random.one_of(keys::names_for(algorithm));
    // The length of the hash function's result is the right one.
    let salt = match algorithm {
        Algorithm::Ps384 => 48,
        Algorithm::Ps512 => 64,
        _ => 32,
    };
    let salt = if random.one_in(3) { random.one_of(&[0, 20, 32, 48, 64]) } else { salt };
    json!({
        "key": name,
        "alg": algorithm.name(),
        "header": json!({ "alg": algorithm.name(), "kid": "k1", "typ": "JWT" }).to_string(),
        "payload": Value::Object(claims::object(random)).to_string(),
        "saltLength": salt,
        "jwks": { "keys": [{ "kid": "k1" }, with_kid(&keys::key(name).jwk, "k1")] },
        "algorithms": ALL,
    })
}

fn with_kid(jwk: &Value, kid: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk["kid"] = kid.into();
    jwk
}

/// Verifies the token as the case says.
fn verified(case: &Value, token: &str) -> Result<Map<String, Value>, String> {
    let payload = payload(case, token)?;
    let Some(expected) = case.get("expected") else { return Ok(payload.into_claims()) };
    let expected = Expected {
        issuer: expected["issuer"].as_str().unwrap_or_default(),
        client_id: expected["audience"].as_str().unwrap_or_default(),
        nonce: None,
        access_token: &Secret::new("an access token"),
        max_age: None,
    };
    let verified = id_token::verify(payload, &expected, NOW).map_err(|error| error.to_string())?;
    Ok(verified.claims().clone())
}

fn payload(case: &Value, token: &str) -> Result<VerifiedPayload, String> {
    if let Some(secret) = case["secret"].as_str() {
        return jws::verify_hs256(token, &Secret::new(secret)).map_err(|error| error.to_string());
    }
    let accepted: Vec<Algorithm> = case["algorithms"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| Algorithm::from_name(name.as_str()?))
        .collect();
    let keys = JwkSet::parse(case["jwks"].to_string().as_bytes()).map_err(|error| error.to_string())?;
    let jws = UnverifiedJws::parse(token).map_err(|error| error.to_string())?;
    at_once(jws::verify(&SoftwareCrypto, &jws, &keys, &accepted)).map_err(|error| error.to_string())
}

/// The result of a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

fn judge(case: &Value, token: &str, answer: &Answer) -> Verdict {
    let theirs = answer.as_ref().map(|text| text.as_str().unwrap_or_default());
    let read = theirs.map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    let (ours, claims, message) = match (verified(case, token), read) {
        (Ok(ours), Ok(theirs)) => {
            let ours = Value::Object(ours);
            return if is_same(&ours, &theirs) {
                Verdict::BothAccept
            } else {
                Verdict::Different(format!("{token}: we read {ours}, jose {theirs}"))
            };
        }
        (Err(_), Err(_)) => return Verdict::BothRefuse,
        (Ok(ours), Err(why)) => (true, Value::Object(ours), format!("we accept it; jose: {why}")),
        (Err(why), Ok(theirs)) => (false, theirs, format!("we refuse it: {why}; jose accepts it")),
    };
    let table = if case.get("expected").is_some() { DIFFERENCES_OF_CLAIMS } else { DIFFERENCES };
    let difference = Difference { case, token: Token::of(token), we_refuse: !ours, claims: &claims };
    find(table, |is| is(&difference))
        .map_or_else(|| Verdict::Different(format!("{token}: {message}")), Verdict::Deliberate)
}
