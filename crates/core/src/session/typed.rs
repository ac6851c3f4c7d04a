//! The account's name that a person typed into a sign-in form before the API refused it, so that the form shows it again
//! and only the password is typed again.
//!
//! It is a sealed cookie of this host with its own key, for some minutes: a person can take one field for another, and type
//! a password where a name belongs. What a password field or a one-time code contained is never in it. It proves nothing:
//! it is shown in the form, and nowhere else.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::time::Timestamp;

/// How long the form shows it again: long enough to look up a password.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// The longest value that is kept, in bytes: that of an e-mail address (RFC 5321 section 4.5.3.1).
const MAX_VALUE: usize = 254;

/// How many fields are kept.
const MAX_FIELDS: usize = 4;

/// How many cookies are opened.
const MAX_DUPLICATES: usize = 2;

const PROVIDER_CLAIM: &str = "provider";
const FIELDS_CLAIM: &str = "fields";

/// What was typed into the form of one provider.
#[derive(Debug)]
pub struct Typed {
    /// The provider's id.
    pub provider: String,
    fields: Map<String, Value>,
}

impl Typed {
    /// The values of a provider's form, by the names of their fields. `None` if none of them can be kept.
    pub fn new<'a>(provider: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let can_be_kept = |(_, value): &(&str, &str)| {
            !value.is_empty() && value.len() <= MAX_VALUE && !value.contains(char::is_control)
        };
        let kept = values.into_iter().filter(can_be_kept).take(MAX_FIELDS);
        let fields: Map<String, Value> = kept.map(|(name, value)| (name.to_owned(), value.into())).collect();
        (!fields.is_empty()).then(|| Self { provider: provider.to_owned(), fields })
    }

    /// The value of a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The cookie's value.
    pub fn seal(
        self,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let claims = vestibule_oidc::json::of(&[
            (PROVIDER_CLAIM, self.provider.into()),
            (FIELDS_CLAIM, self.fields.into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, names.typed(), &claims, LIFETIME, now, random)
    }

    /// Opens one of these cookies.
    pub fn open<'a>(
        cookies: impl IntoIterator<Item = &'a str>,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Option<Self> {
        let mut sealed = cookies.into_iter().filter(|sealed| !sealed.is_empty()).take(MAX_DUPLICATES);
        sealed.find_map(|sealed| Self::open_one(sealed, keys, names, now))
    }

    fn open_one(sealed: &str, keys: &Keyring, names: &CookieNames, now: Timestamp) -> Option<Self> {
        let mut claims = seal::open(keys, Dialect::AuthJsV5, names.typed(), sealed, now).ok()?;
        let provider = claims.get(PROVIDER_CLAIM)?.as_str()?.to_owned();
        let Some(Value::Object(fields)) = claims.remove(FIELDS_CLAIM) else { return None };
        Some(Self { provider, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::names::CookieNaming;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys() -> Keyring {
        Keyring::new(vec![Secret::new("the secret of this site")]).unwrap()
    }

    fn names() -> CookieNames {
        CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true)
    }

    #[test]
    fn what_was_typed_comes_back_for_some_minutes() {
        let typed = Typed::new("shop", [("email", "bob@example.com"), ("phone", "")]).unwrap();
        let sealed = typed.seal(&keys(), &names(), NOW, &mut |bytes| bytes.fill(7));
        assert!(!sealed.contains("bob") && sealed.len() < 600);
        let open = |now| Typed::open(["", sealed.as_str()], &keys(), &names(), now);
        let opened = open(NOW).unwrap();
        assert_eq!(opened.provider, "shop");
        assert_eq!((opened.value("email"), opened.value("phone")), (Some("bob@example.com"), None));
        assert!(open(Timestamp::from_seconds(NOW.seconds() + LIFETIME.as_secs() + 16)).is_none());
    }

    #[test]
    fn what_cannot_be_kept_is_left_out() {
        let long = "x".repeat(MAX_VALUE + 1);
        assert!(Typed::new("shop", [("email", ""), ("name", "a\nb"), ("tel", long.as_str())]).is_none());
        let many = ["a", "b", "c", "d", "e"].map(|name| (name, "value"));
        assert_eq!(Typed::new("shop", many).unwrap().fields.len(), MAX_FIELDS);
    }

    #[test]
    fn session_confusion_it_opens_as_nothing_else_and_nothing_else_as_it() {
        let typed = Typed::new("shop", [("email", "bob@example.com")]).unwrap();
        let sealed = typed.seal(&keys(), &names(), NOW, &mut |bytes| bytes.fill(7));
        for salt in [names().session(), names().ticket(), names().transaction_prefix()] {
            assert!(seal::open(&keys(), Dialect::AuthJsV5, salt, &sealed, NOW).is_err(), "{salt}");
            let claims =
                vestibule_oidc::json::of(&[("provider", "shop".into()), ("fields", Map::new().into())]);
            let other =
                seal::seal(&keys(), Dialect::AuthJsV5, salt, &claims, LIFETIME, NOW, &mut |b| b.fill(7));
            assert!(Typed::open([other.as_str()], &keys(), &names(), NOW).is_none(), "{salt}");
        }
    }
}
