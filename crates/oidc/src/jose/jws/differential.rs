//! Differential tests: tokens of every shape are accepted exactly when a reference implementation of RFC 7515 accepts
//! them. The reference shares neither its splitting nor its header parsing with the code under test.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{Algorithm, JwsError, MAX_HEADER, MAX_TOKEN, UnverifiedJws, verify_hs256};
use crate::json;
use crate::secret::Secret;

const SECRET: &str = "a shared secret";

/// A token as the reference implementation parses it.
#[derive(Debug, PartialEq)]
struct ParsedToken {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    signing_input: String,
    signature: Vec<u8>,
}

impl ParsedToken {
    /// Accepts three parts, each in its canonical encoding, and a header with distinct names and without parameters
    /// that would have to be understood.
    fn of(token: &str) -> Option<Self> {
        let parts: Vec<&str> = token.split('.').collect();
        let &[header, payload, signature] = &parts[..] else { return None };
        if token.len() > MAX_TOKEN || header.len() > MAX_HEADER {
            return None;
        }
        let members = json::members(&canonical(header)?)?;
        canonical(payload)?;
        let signature = canonical(signature).filter(|signature| !signature.is_empty())?;
        let find = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, value)| value);
        let is_ambiguous =
            members.iter().any(|(name, _)| members.iter().filter(|(other, _)| other == name).count() > 1);
        if is_ambiguous || find("crit").is_some() || find("b64").is_some() {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            alg: text(find("alg")?)?,
            kid: match find("kid") {
                None => None,
                Some(kid) => Some(text(kid)?),
            },
            typ: match find("typ") {
                None | Some(Value::Null) => None,
                Some(typ) => Some(text(typ).unwrap_or_else(|| typ.to_string())),
            },
            signing_input: format!("{header}.{payload}"),
            signature,
        })
    }
}

fn canonical(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (URL_SAFE_NO_PAD.encode(&bytes) == text).then_some(bytes)
}

fn parsed(token: &str) -> Option<(Algorithm, ParsedToken)> {
    let jws = UnverifiedJws::parse(token).ok()?;
    let header = jws.token.header();
    let parsed = ParsedToken {
        alg: jws.token.algorithm().to_owned(),
        kid: header.key_id.clone(),
        typ: header.token_type.clone(),
        signing_input: jws.parts.signing_input.to_owned(),
        signature: jws.token.signature_bytes().to_vec(),
    };
    Some((jws.algorithm, parsed))
}

fn mac(signing_input: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signing_input.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn any_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(values).prop_map(str::to_owned)
}

/// The text of a header member: one that is supported, ignored, or rejected.
fn any_member() -> impl Strategy<Value = String> {
    let name = any_of(&[
        "alg",
        "kid",
        "kid",
        "typ",
        "cty",
        "jku",
        "x5u",
        "x5t",
        "x5t#S256",
        "x5c",
        "jwk",
        "crit",
        "b64",
        "zip",
        "epk",
        "\\u0061lg",
        "",
    ]);
    let value = prop_oneof![
        any_of(&[
            "null",
            "true",
            "7",
            "1.5e3",
            "[]",
            "{}",
            "[\"b64\"]",
            "{\"alg\":\"none\",\"alg\":\"RS256\"}"
        ]),
        any_of(&[
            "\"JWT\"",
            "\"json\"",
            "\"JSON\"",
            "\"CBOR\"",
            "\"at+jwt\"",
            "\"none\"",
            "\"AAAA\"",
            "\"\""
        ]),
        any_of(&[
            "\"lDpwLQbzRZmu4fjajvn3KWAx1pk\"",
            "\"https://idp.example\"",
            "\"\\u00e9\\n\"",
            "nul",
            "\""
        ]),
    ];
    (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

/// A header with an algorithm, which is a known one in most cases.
fn any_header(alg: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let others = prop::collection::vec(any_member(), 0..4);
    let around = any_of(&["", "", "", " ", "x", ",", "{"]);
    (alg, others, any::<prop::sample::Index>(), around).prop_map(|(alg, mut members, at, around)| {
        members.insert(at.index(members.len() + 1), format!("\"alg\":{alg}"));
        format!("{{{}}}{around}", members.join(","))
    })
}

fn any_part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<Vec<u8>>().prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        1 => any_of(&["e30", "e30=", "e31", "A", "AB", "AAB", "A+/A", "A-_A", "AAAA\n", " e30", "", "é"]),
        1 => "[A-Za-z0-9_-]{0,12}",
    ]
}

fn any_payload() -> impl Strategy<Value = String> {
    let json = any_of(&[
        "{}",
        "[]",
        "null",
        "{\"exp\":1.5,\"nbf\":null,\"iat\":\"1\"}",
        "{\"sub\":\"a\",\"sub\":\"b\"}",
        "{\"exp\":1e300,\"x\":[1,{}]}",
        "{\"sub\":\"a\"",
        "{} {}",
    ]);
    prop_oneof![3 => json.prop_map(|json| URL_SAFE_NO_PAD.encode(json)), 1 => any_part()]
}

/// The end of a token: mostly empty, sometimes a superfluous dot or part.
fn any_end() -> impl Strategy<Value = String> {
    any_of(&["", "", "", "", "", "", ".", ".e30", "=", "\n"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_token_is_parsed_exactly_when_it_is_a_plain_jws(
        header in any_header(any_of(&["\"RS256\"", "\"ES256\"", "\"EdDSA\"", "\"HS256\"", "\"none\"", "null"])),
        encoded in any::<[bool; 4]>(),
        payload in any_payload(),
        signature in any_part(),
        end in any_end(),
    ) {
        let written = URL_SAFE_NO_PAD.encode(&header);
        // One header in sixteen has invalid padding.
        let written = if encoded == [false; 4] { format!("{written}=") } else { written };
        let token = format!("{written}.{payload}.{signature}{end}");
        let expected = ParsedToken::of(&token)
            .and_then(|parsed| Some((Algorithm::from_name(&parsed.alg)?, parsed)));
        prop_assert_eq!(parsed(&token), expected, "{}", header);
    }

    #[test]
    fn a_token_with_a_shared_secret_is_accepted_exactly_when_its_mac_and_claims_are_valid(
        header in any_header(any_of(&["\"HS256\"", "\"HS256\"", "\"HS256\"", "\"HS384\"", "\"RS256\"", "\"none\""])),
        payload in any_payload(),
        other in any_part(),
        is_signed in prop::bool::weighted(0.8),
        end in any_end(),
    ) {
        let signing_input = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(&header));
        let signature = if is_signed { mac(&signing_input) } else { other };
        let token = format!("{signing_input}.{signature}{end}");
        let expected = ParsedToken::of(&token).filter(|parsed| {
            parsed.alg == "HS256" && URL_SAFE_NO_PAD.encode(&parsed.signature) == mac(&signing_input)
        });
        let claims = canonical(&payload).and_then(|payload| serde_json::from_slice::<Map<_, _>>(&payload).ok());
        let expected = expected.and_then(|parsed| Some((claims?, parsed.typ)));
        let found = verify_hs256(&token, &Secret::new(SECRET)).ok();
        let found = found.map(|verified| (verified.claims().clone(), verified.typ().map(str::to_owned)));
        prop_assert_eq!(found, expected, "{}", header);
    }
}

/// jwt-compact would reject each of them for a parameter that is ignored here.
#[test]
fn a_token_is_accepted_whatever_the_form_of_its_ignored_header_parameters() {
    for ignored in [
        r#""cty":"JWT""#,
        r#""cty":7"#,
        r#""jku":[]"#,
        r#""x5u":{}"#,
        r#""x5t":"AAAA""#,
        r#""x5t":"+/+/""#,
        r#""x5t#S256":7"#,
        r#""typ":7"#,
        r#""zip":"NONE""#,
    ] {
        let signing_input =
            format!("{}.e30", URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256",{ignored}}}"#)));
        let token = format!("{signing_input}.{}", mac(&signing_input));
        assert!(verify_hs256(&token, &Secret::new(SECRET)).is_ok(), "{ignored}");
    }
}

/// jwt-compact would accept each of them, or panic.
#[test]
fn algorithm_and_key_confusion_tokens_that_jwt_compact_would_accept_are_rejected() {
    let signed = |header: &str, payload: &str| {
        let signing_input = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
        format!("{signing_input}.{}", mac(&signing_input))
    };
    let short = URL_SAFE_NO_PAD.encode([0; 31]);
    let long = URL_SAFE_NO_PAD.encode([0; 33]);
    for (token, error) in [
        (signed(r#"{"alg":"HS256","crit":["exp"]}"#, "e30"), JwsError::Critical("crit")),
        (signed(r#"{"alg":"HS256","b64":false}"#, "e30"), JwsError::Critical("b64")),
        (signed(r#"{"alg":"HS256","kid":null}"#, "e30"), JwsError::Header),
        (signed(r#"{"alg":"HS256","x":1,"x":2}"#, "e30"), JwsError::Header),
        (signed(r#"{"alg":"HS256"}"#, "e30") + "=", JwsError::Encoding("signature")),
        (signed(r#"{"alg":"HS256"}"#, "e31"), JwsError::Encoding("payload")),
        (format!("eyJhbGciOiJIUzI1NiJ9.e30.{short}"), JwsError::Signature),
        (format!("eyJhbGciOiJIUzI1NiJ9.e30.{long}"), JwsError::Signature),
    ] {
        assert_eq!(verify_hs256(&token, &Secret::new(SECRET)).unwrap_err(), error, "{token}");
    }
}
