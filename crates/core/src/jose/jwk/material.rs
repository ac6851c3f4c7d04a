//! What a public key is made of, checked (RFC 7518 section 6, RFC 8037 section 2).

use super::{Members, UnusableKey};
use crate::jose::base64url;
use crate::jose::jws::Algorithm;

/// The longest member that is decoded, in characters: a modulus of 8192 bits has 1366, and may be padded.
const MAX_MEMBER: usize = 1500;

/// A public key as members of a JWK, in their shortest form, and the algorithms that fit its type and curve.
/// Whether a point is on its curve is found out where it is used: by the platform.
pub(super) struct Material {
    pub(super) algorithms: &'static [Algorithm],
    pub(super) members: Vec<(&'static str, String)>,
}

impl Material {
    pub(super) fn new(members: &Members<'_>) -> Result<Self, UnusableKey> {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match (members.text("kty")?, members.text("crv")?) {
            (Some("RSA"), _) => rsa(members, &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
            (Some("EC"), Some("P-256")) => ec(members, "P-256", 32, &[Es256]),
            (Some("EC"), Some("P-384")) => ec(members, "P-384", 48, &[Es384]),
            (Some("OKP"), Some("Ed25519")) => ed25519(members, &[EdDsa]),
            (Some(_), _) => Err(UnusableKey::Algorithm),
            (None, _) => Err(UnusableKey::Malformed),
        }
    }
}

/// RFC 7518 section 3.3 wants 2048 bits or more; above 8192 a check costs more than anybody's key is worth.
fn rsa(members: &Members<'_>, algorithms: &'static [Algorithm]) -> Result<Material, UnusableKey> {
    let (n, e) = (number(members, "n")?, number(members, "e")?);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(UnusableKey::ModulusSize(bits));
    }
    // An odd number of four bytes is at most 2^32 - 1.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if e.len() > 4 || !odd || e == [1] {
        return Err(UnusableKey::Exponent);
    }
    let members = vec![("kty", "RSA".to_owned()), ("n", base64url::encode(&n)), ("e", base64url::encode(&e))];
    Ok(Material { algorithms, members })
}

fn ec(
    members: &Members<'_>,
    curve: &str,
    length: usize,
    algorithms: &'static [Algorithm],
) -> Result<Material, UnusableKey> {
    let (x, y) = (coordinate(members, "x", length)?, coordinate(members, "y", length)?);
    let members = vec![("kty", "EC".to_owned()), ("crv", curve.to_owned()), ("x", x), ("y", y)];
    Ok(Material { algorithms, members })
}

fn ed25519(members: &Members<'_>, algorithms: &'static [Algorithm]) -> Result<Material, UnusableKey> {
    let x = coordinate(members, "x", 32)?;
    let members = vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", x)];
    Ok(Material { algorithms, members })
}

/// An unsigned number (RFC 7518 section 2, Base64urlUInt). Leading zeros, which it must not have and with some
/// providers has, are dropped.
fn number(members: &Members<'_>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let bytes = decoded(members, name)?;
    Ok(bytes.into_iter().skip_while(|&byte| byte == 0).collect())
}

/// A coordinate, which has its curve's full length (RFC 7518 section 6.2.1.2).
fn coordinate(members: &Members<'_>, name: &str, length: usize) -> Result<String, UnusableKey> {
    let bytes = decoded(members, name)?;
    if bytes.len() == length { Ok(base64url::encode(&bytes)) } else { Err(UnusableKey::Malformed) }
}

fn decoded(members: &Members<'_>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let text = members.text(name)?.filter(|text| text.len() <= MAX_MEMBER).ok_or(UnusableKey::Malformed)?;
    base64url::decode(text).map_err(|_| UnusableKey::Malformed)
}
