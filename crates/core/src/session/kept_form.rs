//! A form that was sent after the session had ended, sealed for the browser to keep until the user has signed in again.
//!
//! Only the server opens it, and only for the user whose session it was. The browser's tab keeps it, so it never leaves
//! the tab, and nothing in it can be read or altered there.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::session::dialect::Dialect;
use crate::session::seal::{self, OpenError};
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::time::Timestamp;

/// How long a form is kept. With the 15 seconds by which clocks may differ, it is 15 minutes.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60 - 15);

/// The largest form, in bytes of its urlencoded body.
pub const MAX_FORM: usize = 64 * 1024;

/// The largest number of fields.
const MAX_FIELDS: usize = 1000;

/// The largest sealed form, in characters: base64url makes it a third larger, and the other claims need little.
pub const MAX_SEALED: usize = 104 * 1024;

/// Separates the key from those of cookies.
const SALT: &str = "vestibule.kept-form";

/// A form, the address that it was sent to, and the user whose session had ended.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptForm {
    /// An absolute URL on the host that sealed it.
    pub address: String,
    /// The urlencoded body.
    pub body: String,
    /// Which user: an identifier that only a holder of the secret can compute.
    pub user: String,
    /// Whether the session had not ended, and its user had to prove more.
    pub waits_for_step_up: bool,
}

/// Why there is no form in what the browser sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeptFormError {
    /// It does not open: most often it has expired.
    #[error(transparent)]
    Invalid(#[from] OpenError),
    /// It has no form.
    #[error("a claim is missing")]
    Incomplete,
}

impl KeptForm {
    /// The text that the browser keeps.
    pub fn seal(&self, keys: &Keyring, now: Timestamp, random: &mut dyn FnMut(&mut [u8])) -> String {
        let claims = json::of(&[
            ("address", self.address.as_str().into()),
            ("form", self.body.as_str().into()),
            ("user", self.user.as_str().into()),
            ("step_up", self.waits_for_step_up.into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, SALT, &claims, LIFETIME, now, random)
    }

    /// What the browser kept.
    pub fn open(sealed: &str, keys: &Keyring, now: Timestamp) -> Result<Self, KeptFormError> {
        let claims = seal::open_up_to(MAX_SEALED, keys, SALT, sealed, now)?;
        let text = |name: &str| {
            let text = claims.get(name).and_then(Value::as_str);
            text.map(str::to_owned).ok_or(KeptFormError::Incomplete)
        };
        let waits_for_step_up = claims.get("step_up") == Some(&Value::Bool(true));
        Ok(Self { address: text("address")?, body: text("form")?, user: text("user")?, waits_for_step_up })
    }

    /// The fields, in their order.
    pub fn fields(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// Whether a browser that shows this form again would send the same: it has few enough fields, and each is UTF-8.
pub fn can_be_kept(body: &[u8]) -> bool {
    // A browser writes everything else as `%XX`.
    let is_urlencoded = !body.is_empty() && body.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    let mut count = 0;
    is_urlencoded
        && form_urlencoded::parse(body).all(|(name, value)| {
            count += 1;
            // A byte that is not UTF-8 was replaced.
            count <= MAX_FIELDS
                && !name.contains(char::REPLACEMENT_CHARACTER)
                && !value.contains(char::REPLACEMENT_CHARACTER)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys() -> Keyring {
        Keyring::new(vec![Secret::new("secret")]).unwrap()
    }

    fn form(body: String) -> KeptForm {
        KeptForm {
            address: "https://app.example.com/save?draft=1".to_owned(),
            body,
            user: "bob".to_owned(),
            waits_for_step_up: false,
        }
    }

    #[test]
    fn the_largest_form_opens_for_fifteen_minutes() {
        let kept = form("x".repeat(MAX_FORM));
        let sealed = kept.seal(&keys(), NOW, &mut |bytes| bytes.fill(7));
        assert!(sealed.len() <= MAX_SEALED, "{}", sealed.len());
        assert!(KeptForm::open(&sealed, &keys(), NOW) == Ok(kept.clone()));
        assert!(KeptForm::open(&sealed, &keys(), NOW.plus(LIFETIME)) == Ok(kept));
        let late = KeptForm::open(&sealed, &keys(), NOW.plus(Duration::from_mins(15)));
        assert!(late == Err(KeptFormError::Invalid(OpenError::Expired)));
        let other = Keyring::new(vec![Secret::new("other")]).unwrap();
        assert!(KeptForm::open(&sealed, &other, NOW).is_err());
        for at in (0..sealed.len()).step_by(1009) {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(KeptForm::open(&String::from_utf8(altered).unwrap(), &keys(), NOW).is_err(), "{at}");
        }
    }

    #[test]
    fn session_confusion_a_kept_form_is_no_session_and_no_session_is_a_kept_form() {
        let sealed = form("a=1".to_owned()).seal(&keys(), NOW, &mut |bytes| bytes.fill(7));
        for salt in ["", "__Secure-authjs.session-token", "authjs.session-token", "__Host-authjs.csrf-token"]
        {
            assert!(seal::open(&keys(), Dialect::AuthJsV5, salt, &sealed, NOW).is_err(), "{salt}");
            let claims = json::of(&[("form", "a=1".into()), ("address", "/".into()), ("user", "bob".into())]);
            let other = seal::seal(&keys(), Dialect::AuthJsV5, salt, &claims, LIFETIME, NOW, &mut |bytes| {
                bytes.fill(7);
            });
            assert!(KeptForm::open(&other, &keys(), NOW).is_err(), "{salt}");
        }
    }

    #[test]
    fn what_a_browser_would_send_differently_is_not_kept() {
        let many = "a=1&".repeat(MAX_FIELDS);
        let too_many = format!("{many}b=1");
        for (body, can) in [
            ("a=1&b=%C3%A4+b%0D%0Ac", true),
            ("a", true),
            (many.as_str(), true),
            ("", false),
            ("a=%E4", false),
            ("%FF=1", false),
            ("a=\u{e4}", false),
            ("a=\n", false),
            ("a=\0", false),
            (too_many.as_str(), false),
        ] {
            assert_eq!(can_be_kept(body.as_bytes()), can, "{body:.40?}");
        }
    }
}
