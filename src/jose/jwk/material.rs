//! What a public key is made of, checked (RFC 7518 section 6, RFC 8037 section 2).

use std::borrow::Cow;

use jwt_compact::alg::{Ed25519, Es256};
use jwt_compact::jwk::JsonWebKey;

use super::{Members, UnusableKey};
use crate::jose::base64url;
use crate::jose::jws::Algorithm;

/// The longest member that is decoded, in characters: a modulus of 8192 bits has 1366, and may be padded.
const MAX_MEMBER: usize = 1500;

/// A public key's numbers, and the key itself where Rust code here checks its signatures.
#[derive(Clone, Debug)]
pub(in crate::jose) enum Material {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    P256 {
        x: Vec<u8>,
        y: Vec<u8>,
        key: <Es256 as jwt_compact::Algorithm>::VerifyingKey,
    },
    /// Whether it is on its curve is found out where it is used: by the platform.
    P384 {
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
        key: <Ed25519 as jwt_compact::Algorithm>::VerifyingKey,
    },
}

impl Material {
    pub(super) fn new(members: &Members) -> Result<Self, UnusableKey> {
        match (members.kty.as_str(), members.crv.as_deref()) {
            ("RSA", _) => rsa(number(members.n.as_deref())?, number(members.e.as_deref())?),
            ("EC", Some("P-256")) => {
                p256(coordinate(members.x.as_deref(), 32)?, coordinate(members.y.as_deref(), 32)?)
            }
            ("EC", Some("P-384")) => Ok(Self::P384 {
                x: coordinate(members.x.as_deref(), 48)?,
                y: coordinate(members.y.as_deref(), 48)?,
            }),
            ("OKP", Some("Ed25519")) => ed25519(coordinate(members.x.as_deref(), 32)?),
            _ => Err(UnusableKey::Algorithm),
        }
    }

    /// The algorithms that fit its type and curve.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa { .. } => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Self::P256 { .. } => &[Es256],
            Self::P384 { .. } => &[Es384],
            Self::Ed25519 { .. } => &[EdDsa],
        }
    }
}

/// RFC 7518 section 3.3 wants 2048 bits or more; above 8192 a check costs more than anybody's key is worth.
fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Material, UnusableKey> {
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(UnusableKey::ModulusSize(bits));
    }
    // An odd number of four bytes is at most 2^32 - 1.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if e.len() > 4 || !odd || e == [1] {
        return Err(UnusableKey::Exponent);
    }
    Ok(Material::Rsa { n, e })
}

fn p256(x: Vec<u8>, y: Vec<u8>) -> Result<Material, UnusableKey> {
    let key = rust_key(&JsonWebKey::EllipticCurve {
        curve: Cow::Borrowed("P-256"),
        x: Cow::Borrowed(&x),
        y: Cow::Borrowed(&y),
        secret: None,
    })?;
    Ok(Material::P256 { x, y, key })
}

fn ed25519(x: Vec<u8>) -> Result<Material, UnusableKey> {
    let key = rust_key(&JsonWebKey::KeyPair {
        curve: Cow::Borrowed("Ed25519"),
        x: Cow::Borrowed(&x),
        secret: None,
    })?;
    Ok(Material::Ed25519 { x, key })
}

fn rust_key<'a, K: TryFrom<&'a JsonWebKey<'a>>>(jwk: &'a JsonWebKey<'a>) -> Result<K, UnusableKey> {
    jwk.try_into().map_err(|_| UnusableKey::NotOnCurve)
}

/// An unsigned number (RFC 7518 section 2, Base64urlUInt). Leading zeros, which it must not have and with some
/// providers has, are dropped.
fn number(member: Option<&str>) -> Result<Vec<u8>, UnusableKey> {
    let bytes = decoded(member)?;
    Ok(bytes.into_iter().skip_while(|&byte| byte == 0).collect())
}

/// A coordinate, which has its curve's full length (RFC 7518 section 6.2.1.2).
fn coordinate(member: Option<&str>, length: usize) -> Result<Vec<u8>, UnusableKey> {
    let bytes = decoded(member)?;
    if bytes.len() == length { Ok(bytes) } else { Err(UnusableKey::Malformed) }
}

fn decoded(member: Option<&str>) -> Result<Vec<u8>, UnusableKey> {
    let text = member.filter(|text| text.len() <= MAX_MEMBER).ok_or(UnusableKey::Malformed)?;
    base64url::decode(text).map_err(|_| UnusableKey::Malformed)
}
