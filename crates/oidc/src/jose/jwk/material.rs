//! The key material of a public key, parsed by jwt-compact and checked here (RFC 7518 section 6, RFC 8037 section 2).

use std::borrow::Cow;

use jwt_compact::jwk::JsonWebKey;
use serde_json::{Map, Value};

use super::members::{JwkError, Members};
use crate::jose::jws::Algorithm::{self, EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

/// Maximum length of a member in characters. A modulus of 8192 bits has 1366, and may have leading zeros.
const MAX_MEMBER: usize = 1500;

/// A public key in its shortest form, and the algorithms that fit its type and curve. The runtime checks whether a
/// point is on its curve when the key is used.
pub(super) struct Material {
    pub(super) algorithms: &'static [Algorithm],
    pub(super) key: JsonWebKey<'static>,
}

impl Material {
    pub(super) fn new(members: &Members<'_>) -> Result<Self, JwkError> {
        let kty = members.text("kty")?;
        // An RSA key has no curve: what it has of that name is ignored (RFC 7517 section 4).
        let crv = if kty == Some("RSA") { None } else { members.text("crv")? };
        let (algorithms, names): (&[Algorithm], &[&str]) = match (kty, crv) {
            (Some("RSA"), _) => (&[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512], &["kty", "n", "e"]),
            (Some("EC"), Some("P-256")) => (&[Es256], &["kty", "crv", "x", "y"]),
            (Some("EC"), Some("P-384")) => (&[Es384], &["kty", "crv", "x", "y"]),
            (Some("OKP"), Some("Ed25519")) => (&[EdDsa], &["kty", "crv", "x"]),
            (Some(_), _) => return Err(JwkError::Algorithm),
            (None, _) => return Err(JwkError::Malformed),
        };
        Ok(Self { algorithms, key: checked(read(members, names)?)? })
    }
}

/// Parses the members of these names and no others: private members are not read.
fn read(members: &Members<'_>, names: &[&str]) -> Result<JsonWebKey<'static>, JwkError> {
    let mut key = Map::new();
    for name in names {
        let text = members.text(name)?.filter(|text| text.len() <= MAX_MEMBER);
        key.insert((*name).to_owned(), text.ok_or(JwkError::Malformed)?.into());
    }
    serde_json::from_value(Value::Object(key)).map_err(|_| JwkError::Malformed)
}

fn checked(key: JsonWebKey<'static>) -> Result<JsonWebKey<'static>, JwkError> {
    match key {
        JsonWebKey::Rsa { modulus, public_exponent, .. } => rsa(modulus, public_exponent),
        // A coordinate has its curve's full length (RFC 7518 section 6.2.1.2).
        JsonWebKey::EllipticCurve { ref curve, ref x, ref y, .. } => {
            let length = if curve == "P-384" { 48 } else { 32 };
            if x.len() == length && y.len() == length { Ok(key) } else { Err(JwkError::Malformed) }
        }
        JsonWebKey::KeyPair { ref x, .. } if x.len() == 32 => Ok(key),
        _ => Err(JwkError::Malformed),
    }
}

/// RFC 7518 section 3.3 requires 2048 bits or more. Above 8192 bits, verifying a signature takes too long.
fn rsa(modulus: Cow<'_, [u8]>, exponent: Cow<'_, [u8]>) -> Result<JsonWebKey<'static>, JwkError> {
    let (n, e) = (number(modulus), number(exponent));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(JwkError::ModulusSize(bits));
    }
    // An odd number of four bytes is at most 2^32 - 1.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if e.len() > 4 || !odd || e == [1] {
        return Err(JwkError::Exponent);
    }
    Ok(JsonWebKey::Rsa { modulus: n.into(), public_exponent: e.into(), private_parts: None })
}

/// An unsigned number (RFC 7518 section 2, Base64urlUInt). Leading zeros are dropped: the RFC forbids them, but some
/// providers write them.
fn number(bytes: Cow<'_, [u8]>) -> Vec<u8> {
    bytes.into_owned().into_iter().skip_while(|&byte| byte == 0).collect()
}
