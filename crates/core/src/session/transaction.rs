//! One sign-in attempt: the state that only the browser keeps between the authorization request and the authorization
//! response.
//!
//! Every attempt has its own sealed cookie, so that two tabs do not disturb each other. The cookie's name ends in an
//! identifier, and `state` begins with the same identifier. So the response names its cookie, and only the browser that
//! began the attempt has that cookie. With a long return address it is two cookies, numbered as those of a session.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::session::chunk;
use crate::session::dialect::Dialect;
use crate::session::names::CookieNames;
use crate::session::seal;
use crate::session::step_up::StepUpAttempt;
use vestibule_oidc::http::cookie::Cookies;
use vestibule_oidc::http::return_to::TrustedUrl;
use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::oauth::dpop::DpopKey;
use vestibule_oidc::oauth::pkce::{self, Verifier};
use vestibule_oidc::secret::{Secret, constant_time_eq};
use vestibule_oidc::time::Timestamp;

/// How long an attempt may take. Auth.js's check cookies have the same 15 minutes: enough time to find a phone for a
/// second factor, and too little for a forgotten tab to be useful to an attacker.
pub const LIFETIME: Duration = Duration::from_mins(15);

/// How many attempts one browser may have open. Users rarely sign in from more tabs at once.
const MAX_OPEN: usize = 5;

/// How many bytes the cookies of all open attempts have together, names included, so that they stay below the limit that
/// servers set for a request's headers. Each attempt has about 800, and four thirds of its return address.
const MAX_BYTES: usize = 8 * 1024;

/// How many surplus cookies one response expires. If a sibling subdomain fills a browser with such cookies, each
/// request does bounded work, and a few requests remove them all.
const MAX_EXPIRED: usize = 20;

/// How many cookies of one attempt are opened.
const MAX_DUPLICATES: usize = 8;

const TIME_DIGITS: usize = 8;
const ID_LENGTH: usize = 16;

/// One sign-in attempt.
#[derive(Clone, Debug)]
pub struct Transaction {
    id: String,
    /// The provider's id in the configuration.
    pub provider: String,
    /// `state` of the authorization request (RFC 6749 section 4.1.1): the identifier and 256 random bits.
    pub state: Secret,
    /// `nonce` of the authorization request (OpenID Connect Core 1.0 section 3.1.2.1).
    pub nonce: Secret,
    /// `code_verifier` (RFC 7636 section 4.1).
    pub verifier: Verifier,
    /// `max_age` of the authorization request, which the ID token's `auth_time` must satisfy.
    pub max_age: Option<Duration>,
    /// Where the browser goes after the sign-in: a checked, absolute URL.
    pub return_to: String,
    /// The subject of the session that a silent sign-in renews (`prompt=none`). `None` for a sign-in that the user began.
    pub silent_for: Option<String>,
    /// Whether the person wants the session's cookie to stay when the browser closes.
    pub is_persistent: bool,
    /// The key to which the tokens will be bound (RFC 9449), if they will.
    pub dpop_key: Option<DpopKey>,
    /// What a user who is signed in has to prove in addition. `None` for a sign-in.
    pub step_up: Option<StepUpAttempt>,
    /// Whether it repeats an attempt whose ID token the provider's logout had overtaken.
    pub is_repeated: bool,
    /// Whether the person wants another account, which the provider is asked for.
    pub is_for_other_account: bool,
}

/// Why a callback does not belong to an open attempt of this browser.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// There is no `state`, or Vestibule did not create it.
    #[error("the callback has no usable state parameter")]
    MissingState,
    /// The browser has no cookie for the attempt: it took too long, was finished before, or began elsewhere.
    #[error(
        "this browser has no open sign-in for the callback: it took over 15 minutes, was finished \
         before, or began in another browser or on another host"
    )]
    Unknown,
    /// The cookie does not open, or does not contain a transaction.
    #[error("the cookie of this sign-in does not open")]
    Invalid,
    /// The callback is for another provider than the authorization request.
    #[error("the callback is for provider {called}, but the sign-in was started with {started}")]
    OtherProvider {
        /// The provider in the callback's URL.
        called: String,
        /// The provider in the cookie.
        started: String,
    },
}

impl Transaction {
    /// Begins an attempt with `provider`. After it the browser goes to `return_to`.
    pub fn begin(
        provider: &str,
        return_to: &TrustedUrl,
        max_age: Option<Duration>,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        let mut random_bytes = [0; 6];
        random(&mut random_bytes);
        // The time comes first, so the names sort from the oldest attempt to the newest.
        let id = format!("{:08x}{}", now.seconds() & 0xffff_ffff, base64url::encode(&random_bytes));
        let state = Secret::new(format!("{id}{}", pkce::unguessable(random).expose()));
        Self {
            id,
            provider: provider.to_owned(),
            state,
            nonce: pkce::unguessable(random),
            verifier: Verifier::generate(random),
            max_age,
            return_to: return_to.as_str().to_owned(),
            silent_for: None,
            is_persistent: true,
            dpop_key: None,
            step_up: None,
            is_repeated: false,
            is_for_other_account: false,
        }
    }

    /// The same attempt, as a silent sign-in that renews the session of this subject.
    #[must_use]
    pub fn silently_for(mut self, subject: &str) -> Self {
        self.silent_for = Some(subject.to_owned());
        self
    }

    /// The same attempt, for a session whose cookie stays when the browser closes, or does not.
    #[must_use]
    pub fn with_persistence(self, is_persistent: bool) -> Self {
        Self { is_persistent, ..self }
    }

    /// The same attempt, in which the user of a session proves more.
    #[must_use]
    pub fn stepping_up(self, attempt: StepUpAttempt) -> Self {
        Self { step_up: Some(attempt), ..self }
    }

    /// The same attempt, as one that repeats another.
    #[must_use]
    pub fn repeating(self) -> Self {
        Self { is_repeated: true, ..self }
    }

    /// The same attempt, with another account than the provider would choose, or with whichever it chooses.
    #[must_use]
    pub fn for_other_account(self, is_for_other_account: bool) -> Self {
        Self { is_for_other_account, ..self }
    }

    /// The names of the request's cookies of this attempt.
    pub fn cookie_names(&self, cookies: &Cookies, names: &CookieNames) -> Vec<String> {
        chunk::stale(cookies, &self.cookie_name(names), &[])
    }

    fn cookie_name(&self, names: &CookieNames) -> String {
        format!("{}{}", names.transaction_prefix(), self.id)
    }

    /// The names and sealed values of the attempt's cookies.
    pub fn seal(
        &self,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Vec<(String, String)> {
        let mut claims = json::of(&[
            ("provider", self.provider.as_str().into()),
            ("state", self.state.expose().into()),
            ("nonce", self.nonce.expose().into()),
            ("verifier", self.verifier.expose().into()),
            ("max_age", self.max_age.map(|age| age.as_secs()).into()),
            ("return_to", self.return_to.as_str().into()),
            ("silent_for", self.silent_for.as_deref().into()),
            ("persistent", self.is_persistent.into()),
            ("step_up", self.step_up.as_ref().map_or(Value::Null, StepUpAttempt::to_value)),
        ]);
        if let Some(key) = &self.dpop_key {
            claims.insert("dpop_key".to_owned(), key.to_text().expose().into());
        }
        if self.is_repeated {
            claims.insert("repeated".to_owned(), true.into());
        }
        if self.is_for_other_account {
            claims.insert("other_account".to_owned(), true.into());
        }
        let dialect = Dialect::AuthJsV5;
        let sealed = seal::seal(keys, dialect, names.transaction_prefix(), &claims, LIFETIME, now, random);
        chunk::split(&self.cookie_name(names), &sealed, dialect)
    }

    /// Opens the attempt that `state` names, and checks that it was started with `provider`.
    pub fn open(
        state: Option<&str>,
        provider: &str,
        cookies: &Cookies,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<Self, TransactionError> {
        let state = state.ok_or(TransactionError::MissingState)?;
        let id = state.get(..ID_LENGTH).filter(|id| is_id(id)).ok_or(TransactionError::MissingState)?;
        let name = format!("{}{id}", names.transaction_prefix());
        let mut error = None;
        // Without `https` another app on the host can plant a cookie of that name.
        for cookie in chunk::candidates(cookies, &name, MAX_DUPLICATES) {
            match Self::open_cookie(&cookie.value, id, state, provider, keys, names, now) {
                Ok(transaction) => return Ok(transaction),
                Err(why) => {
                    error.get_or_insert(why);
                }
            }
        }
        Err(error.unwrap_or(TransactionError::Unknown))
    }

    fn open_cookie(
        cookie: &str,
        id: &str,
        state: &str,
        provider: &str,
        keys: &Keyring,
        names: &CookieNames,
        now: Timestamp,
    ) -> Result<Self, TransactionError> {
        let claims = seal::open(keys, Dialect::AuthJsV5, names.transaction_prefix(), cookie, now)
            .map_err(|_| TransactionError::Invalid)?;
        let text = |name| json::string(&claims, name).ok_or(TransactionError::Invalid);
        let (started, sealed_state) = (text("provider")?, text("state")?);
        let (nonce, verifier, return_to) = (text("nonce")?, text("verifier")?, text("return_to")?);
        if !constant_time_eq(sealed_state.as_bytes(), state.as_bytes()) {
            return Err(TransactionError::Unknown);
        }
        if started != provider {
            return Err(TransactionError::OtherProvider { called: provider.to_owned(), started });
        }
        Ok(Self {
            id: id.to_owned(),
            provider: started,
            state: Secret::new(sealed_state),
            nonce: Secret::new(nonce),
            verifier: Verifier::restore(&verifier).ok_or(TransactionError::Invalid)?,
            max_age: json::number(&claims, "max_age").map(Duration::from_secs),
            return_to,
            silent_for: json::string(&claims, "silent_for"),
            is_persistent: claims.get("persistent") != Some(&Value::Bool(false)),
            dpop_key: json::string(&claims, "dpop_key").and_then(|key| DpopKey::parse(&key)),
            step_up: match claims.get("step_up") {
                // Anything else would be a sign-in that no one began.
                Some(attempt) => Some(StepUpAttempt::from_value(attempt).ok_or(TransactionError::Invalid)?),
                None => None,
            },
            is_repeated: claims.get("repeated") == Some(&Value::Bool(true)),
            is_for_other_account: claims.get("other_account") == Some(&Value::Bool(true)),
        })
    }
}

/// The names of the attempts' cookies to expire, oldest first, so that with one more attempt, whose cookies are `added`,
/// there are at most `MAX_OPEN`, and at most `MAX_BYTES` of them.
pub fn surplus(cookies: &Cookies, names: &CookieNames, added: &[(String, String)]) -> Vec<String> {
    let prefix = names.transaction_prefix();
    let mut open: BTreeMap<&str, Attempt<'_>> = BTreeMap::new();
    for name in cookies.names() {
        let Some(id) = name.strip_prefix(prefix).and_then(|rest| rest.get(..ID_LENGTH)) else { continue };
        if is_id(id) && chunk::is_of_session(name, &format!("{prefix}{id}")) {
            let attempt = open.entry(id).or_default();
            attempt.names.push(name);
            attempt.bytes += cookies.get_all(name).map(|value| bytes(name, value)).sum::<usize>();
        }
    }
    let mut total: usize = added.iter().map(|(name, value)| bytes(name, value)).sum();
    total += open.values().map(|attempt| attempt.bytes).sum::<usize>();
    let mut surplus = Vec::new();
    // The identifiers are sorted by their time.
    while open.len() >= MAX_OPEN || total > MAX_BYTES {
        let Some((_, oldest)) = open.pop_first() else { break };
        total = total.saturating_sub(oldest.bytes);
        surplus.extend(oldest.names.into_iter().map(str::to_owned));
    }
    surplus.truncate(MAX_EXPIRED);
    surplus
}

/// The cookies of an attempt in a request.
#[derive(Default)]
struct Attempt<'a> {
    names: Vec<&'a str>,
    bytes: usize,
}

/// The bytes of a cookie in a `Cookie` field, with the signs around it.
fn bytes(name: &str, value: &str) -> usize {
    name.len() + value.len() + "=; ".len()
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && text.bytes().take(TIME_DIGITS).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::names::CookieNaming;

    #[test]
    fn unlimited_state_the_cookies_of_open_attempts_have_eight_kilobytes_together_with_the_one_that_is_added()
    {
        let names = CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true);
        let open = format!("{}00000001abcdefgh", names.transaction_prefix());
        let added = [("x".repeat(100), "y".repeat(1000))];
        let rest = 8192 - (100 + 1000 + 3) - (open.len() + 3);
        for (length, is_expired) in [(rest, false), (rest + 1, true)] {
            let field = format!("{open}={}", "v".repeat(length));
            let expired = surplus(&Cookies::parse([field.as_str()].into_iter()), &names, &added);
            assert_eq!(!expired.is_empty(), is_expired, "{length} bytes");
        }
    }

    #[test]
    fn a_cookie_of_another_name_is_no_open_attempt_and_is_not_expired() {
        let names = CookieNames::new(&CookieNaming::default(), Dialect::AuthJsV5, true);
        let expired = |id: &str| {
            let field = format!("{}{id}={}", names.transaction_prefix(), "v".repeat(10_000));
            surplus(&Cookies::parse([field.as_str()].into_iter()), &names, &[]).len()
        };
        assert_eq!(expired("00000001abcdefgh"), 1);
        for other in ["00000001abcd~fgh", "zzzzzzzzabcdefgh", "00000001abcdefg", "00000001abcdefghi"] {
            assert_eq!(expired(other), 0, "{other}");
        }
    }
}
