//! What a client proves in a token request: that it began the attempt (PKCE), and its identity.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::form::Params;
use vestibule_core::time::Timestamp;

use crate::contract::Assertion;
use crate::fill::{Write, fill_json};
use crate::findings::Column;
use crate::provider::Provider;
use crate::signer;

/// Keeps the verifier of a token request, and checks that it matches the challenge.
pub fn keep_verifier(provider: &Provider, request: &FetchRequest) {
    let form = Params::from_urlencoded(&request.body);
    let json = || {
        Some(serde_json::from_slice::<Value>(&request.body).ok()?.get("code_verifier")?.as_str()?.to_owned())
    };
    let verifier = form.one("code_verifier").ok().flatten().map(str::to_owned).or_else(json);
    let Some(verifier) = verifier else { return };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let promised = provider.fill("{challenge}", Write::Plain);
    provider.findings.compare(
        Column::Token,
        "token request, the verifier's challenge",
        &promised,
        &challenge,
    );
    provider.values.borrow_mut().insert("verifier", verifier);
}

/// Keeps the JWT by which the client authenticates, and checks it.
pub fn keep_assertion(
    provider: &Provider,
    expected: &Assertion,
    column: Column,
    request: &FetchRequest,
    now: Timestamp,
) {
    let form = Params::from_urlencoded(&request.body);
    let Ok(Some(token)) = form.one(&expected.param) else { return };
    provider.values.borrow_mut().insert("assertion", token.to_owned());
    let Some((header, mut claims)) = signer::open(token, &expected.alg) else {
        provider.findings.add(column, format!("{}: no JWT that the client's key has signed", expected.param));
        return;
    };
    let members = claims.as_object_mut().expect("claims");
    let mut instant = |name: &str| members.remove(name).and_then(|at| at.as_u64());
    let (iat, exp) = (instant("iat"), instant("exp"));
    let lives = exp.zip(iat).is_some_and(|(exp, iat)| {
        iat <= now.seconds() && now.seconds() < exp && exp - iat <= expected.longest
    });
    if !lives {
        provider.findings.add(column, format!("{}: from {iat:?} to {exp:?}", expected.param));
    }
    members.retain(|name, _| !matches!(name.as_str(), "nbf" | "jti"));
    let filled = |members| fill_json(&Value::Object(members), &provider.values.borrow(), now.seconds());
    provider.findings.compare(column, "the assertion's header", &filled(expected.header.clone()), &header);
    provider.findings.compare(column, "the assertion's claims", &filled(expected.claims.clone()), &claims);
}
