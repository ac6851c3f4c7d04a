//! Sealed and signed tokens.

use serde_json::{Value, json};
use vestibule_core::jose::base64url;
use vestibule_core::jose::jwe::{ContentEncryption, ContentKey, SealedJwe, seal, seal_with_header};
use vestibule_core::jose::jwk::{Jwk, JwkSet};
use vestibule_core::jose::jws::{Algorithm, UnverifiedJws, sign_hs256, verify, verify_hs256};
use vestibule_core::jose::kdf;
use vestibule_core::jose::sign;
use vestibule_core::jose::software::{self, SoftwareCrypto};
use vestibule_core::secret::Secret;

use crate::input::{at_once, error_shape, first_line, same_bytes, shape, text};
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "jwe",
        about: "sealed tokens: none opens that was changed, or sealed for something else",
        reads: &["jose::jwe::SealedJwe::parse", "jose::jwe::SealedJwe::open"],
        run: jwe,
        slice: 400,
    },
    Target {
        name: "jws",
        about: "signed tokens: none verifies that was changed, is not signed, or has another algorithm",
        reads: &["jose::jws::UnverifiedJws::parse", "jose::jws::verify", "jose::jws::verify_hs256"],
        run: jws,
        slice: 100,
    },
];

/// The first line is an edit (`POSITION CHARACTER`), the second one a token as it is, and the rest what is sealed.
fn jwe(input: &[u8]) -> Shape {
    let text = text(input);
    let (edit, rest) = first_line(&text);
    let (raw, plaintext) = first_line(rest);
    let encryption =
        if edit.len() % 2 == 0 { ContentEncryption::A256CbcHs512 } else { ContentEncryption::A256Gcm };
    let key = |byte: u8| ContentKey::new(encryption, &vec![byte; encryption.key_length()]).expect("a key");
    let kid = Some("a").filter(|_| edit.len() % 3 == 0);
    let token = seal(&key(1), kid, plaintext.as_bytes(), &mut same_bytes);
    let opened = |token: &str, byte: u8| SealedJwe::parse(token).and_then(|sealed| sealed.open(&key(byte)));
    if token.len() <= 60_000 {
        assert_eq!(opened(&token, 1).as_deref(), Ok(plaintext.as_bytes()));
        assert!(opened(&token, 2).is_err(), "another key opens it");
    }
    let edited = edited(&token, edit);
    if edited != token {
        assert!(opened(&edited, 1).is_err(), "a changed token opens: {edited} in place of {token}");
    }
    // Whatever opens is exactly what sealing gives.
    match opened(raw, 1) {
        Ok(plaintext) => {
            let parts: Vec<&str> = raw.split('.').collect();
            let header = base64url::decode(parts[0]).expect("a header");
            let iv = base64url::decode(parts[2]).expect("an initialization vector");
            let header = String::from_utf8(header).expect("a header is JSON");
            let again =
                seal_with_header(&key(1), &header, &[], &plaintext, &mut |bytes| bytes.copy_from_slice(&iv));
            assert_eq!(again, raw);
            shape("opened")
        }
        Err(error) => error_shape(error),
    }
}

/// The first line is an edit (`POSITION CHARACTER`), the second one a token as it is, the third one a header, and the rest
/// are claims.
fn jws(input: &[u8]) -> Shape {
    let text = text(input);
    let (edit, rest) = first_line(&text);
    let (raw, rest) = first_line(rest);
    let (header, claims) = first_line(rest);
    let secret = Secret::new("a client's secret of 32 characters");
    let claims =
        serde_json::from_str::<Value>(claims).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
    let key = kdf::p256_key(&secret, "fuzz");
    let public = software::public_key(&key, Algorithm::Es256).expect("a public key");
    let mut named = public.to_public_json();
    named["kid"] = json!("a");
    let keys: JwkSet = [Jwk::parse(&named).expect("a key")].into_iter().collect();
    let is_accepted = |token: &str| {
        let by_key = UnverifiedJws::parse(token)
            .and_then(|jws| at_once(verify(&SoftwareCrypto, &jws, &keys, &Algorithm::ALL)).map(drop));
        (by_key, verify_hs256(token, &secret).map(drop))
    };

    let by_secret = sign_hs256(&claims, &secret);
    let by_key = at_once(sign::sign(&SoftwareCrypto, &key, Algorithm::Es256, "JWT", Some("a"), &claims))
        .expect("signed");
    if by_key.len() <= 60_000 {
        let (of_key, of_secret) = is_accepted(&by_key);
        assert!(of_key.is_ok() && of_secret.is_err(), "{of_key:?} {of_secret:?}");
        let (of_key, of_secret) = is_accepted(&by_secret);
        assert!(of_key.is_err() && of_secret.is_ok(), "{of_key:?} {of_secret:?}");
    }
    let mut forged = Vec::new();
    forged.extend(
        [&by_secret, &by_key]
            .map(|token| edited(token, edit))
            .into_iter()
            .filter(|it| *it != by_secret && *it != by_key),
    );
    forged.push(raw.to_owned());
    // Signed with what everyone knows: the public key, in two forms, and nothing.
    for known in [named.to_string(), public.to_public_json().to_string(), String::new()] {
        forged.push(sign_hs256(&claims, &Secret::new(known)));
    }
    // Another header before a signature that is good for its own.
    for good in [&by_secret, &by_key] {
        let (_, behind) = good.split_once('.').expect("three parts");
        let header = base64url::encode(header.as_bytes());
        forged.push(format!("{header}.{behind}"));
        let (payload, signature) = behind.split_once('.').expect("three parts");
        forged.push(format!("{header}.{payload}."));
        forged.push(format!("{header}.{payload}.{}", base64url::encode(signature.as_bytes())));
    }
    for token in forged.iter().filter(|token| **token != by_secret && **token != by_key) {
        let (of_key, of_secret) = is_accepted(token);
        assert!(of_key.is_err() && of_secret.is_err(), "accepted: {token}");
    }
    let (of_key, of_secret) = is_accepted(forged.get(forged.len() - 3).map_or("", String::as_str));
    match (of_key, of_secret) {
        (Err(one), Err(other)) => shape((error_shape(one), error_shape(other))),
        other => panic!("{other:?}"),
    }
}

/// The token with another character at a position.
fn edited(token: &str, edit: &str) -> String {
    let Some((position, new)) = edit.split_once(' ') else { return token.to_owned() };
    let (Ok(position), Some(new)) = (position.parse::<usize>(), new.chars().next()) else {
        return token.to_owned();
    };
    let position = position % token.len().max(1);
    token.chars().enumerate().map(|(at, c)| if at == position { new } else { c }).collect()
}
