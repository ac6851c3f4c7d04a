//! Step-up authentication (RFC 9470): what is asked of how and when the provider authenticated a user, and what a session or
//! a token shows of it in `acr`, `amr` and `auth_time` (OpenID Connect Core 1.0 section 2, RFC 9068 section 2.2.1).
//!
//! The three claims describe one authentication. Where it is another one, none of them stays from the one before.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::session::dialect::Dialect;
use crate::session::seal;
use vestibule_oidc::jose::kdf::Keyring;
use vestibule_oidc::json;
use vestibule_oidc::oauth::id_token;
use vestibule_oidc::time::Timestamp;

/// By how much the provider's clock and ours may differ, as where an ID token is verified.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// How long a [`StepUpRequest`] is valid. An app may keep the address that one of its scripts was answered.
const REQUEST_LIFETIME: Duration = Duration::from_hours(1);

/// Separates the key from those of cookies.
const SALT: &str = "vestibule.step-up";

/// The claims about the authentication.
pub(crate) const AUTHENTICATION: [&str; 3] = ["acr", "amr", "auth_time"];

/// The longest `acr`, in bytes: they are URLs or short names.
const MAX_ACR: usize = 256;

/// The longest list of methods in `amr`, and the longest name of one. Those of RFC 8176 have five characters at most.
const MAX_METHODS: usize = 16;
const MAX_METHOD: usize = 32;

/// What is asked of the authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepUp {
    /// `acr` is one of these. Empty: it may be any, or absent.
    pub acr: Vec<String>,
    /// `amr` has all of these: it lists every method that was used (RFC 8176 section 1).
    pub amr: Vec<String>,
    /// `auth_time` is no longer ago than this.
    pub max_age: Option<Duration>,
}

/// One part of what is asked, and what the claims show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUpCheck {
    /// What is asked, in words: `acr is one of "silver", "gold"`.
    pub requirement: String,
    /// What the claims show, in words.
    pub found: String,
    /// Whether that is enough.
    pub is_met: bool,
}

impl StepUp {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.acr.is_empty() && self.amr.is_empty() && self.max_age.is_none()
    }

    /// Whether these claims show all that is asked, at the time `now`.
    pub fn is_met<'c>(&self, claim: impl Fn(&str) -> Option<&'c Value>, now: Timestamp) -> bool {
        self.has_acr(claim("acr"))
            && self.has_methods(claim("amr"))
            && self.is_recent(claim("auth_time"), now)
    }

    /// Each part of what is asked.
    pub fn checks<'c>(&self, claim: impl Fn(&str) -> Option<&'c Value>, now: Timestamp) -> Vec<StepUpCheck> {
        let found = |name| claim(name).map_or("nothing".to_owned(), Value::to_string);
        let mut checks = Vec::new();
        if !self.acr.is_empty() {
            let (asked, is_met) =
                (format!("acr is {}", listed("one of ", &self.acr)), self.has_acr(claim("acr")));
            checks.push(StepUpCheck { requirement: asked, found: found("acr"), is_met });
        }
        if !self.amr.is_empty() {
            let is_met = self.has_methods(claim("amr"));
            let asked = format!("amr has {}", listed("all of ", &self.amr));
            checks.push(StepUpCheck { requirement: asked, found: found("amr"), is_met });
        }
        if let Some(max_age) = self.max_age {
            let is_met = self.is_recent(claim("auth_time"), now);
            let asked = format!("auth_time is at most {} s ago", max_age.as_secs());
            let found = match time(claim("auth_time")) {
                Some(at) if at <= now => format!("{} s ago", now.since(at).as_secs()),
                _ => found("auth_time"),
            };
            checks.push(StepUpCheck { requirement: asked, found, is_met });
        }
        checks
    }

    /// What both ask for together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        if self.acr.is_empty() {
            self.acr.clone_from(&other.acr);
        } else if self.acr.iter().any(|acr| other.acr.contains(acr)) {
            self.acr.retain(|acr| other.acr.contains(acr));
        }
        for method in &other.amr {
            if !self.amr.contains(method) {
                self.amr.push(method.clone());
            }
        }
        self.max_age = self.max_age.into_iter().chain(other.max_age).min();
        self
    }

    /// The values of `acr_values`, of which one is enough; `None` if any will do.
    pub fn acr_values(&self) -> Option<String> {
        Some(self.acr.join(" ")).filter(|values| !values.is_empty())
    }

    fn has_acr(&self, found: Option<&Value>) -> bool {
        let found = found.and_then(Value::as_str);
        self.acr.is_empty() || self.acr.iter().any(|acr| found == Some(acr))
    }

    fn has_methods(&self, found: Option<&Value>) -> bool {
        let found = found.and_then(Value::as_array);
        let has = |method: &String| found.is_some_and(|found| found.iter().any(|used| used == method));
        self.amr.iter().all(has)
    }

    fn is_recent(&self, found: Option<&Value>, now: Timestamp) -> bool {
        let Some(max_age) = self.max_age else { return true };
        // A time in the future, or in milliseconds, says nothing.
        time(found).is_some_and(|at| at <= now.plus(CLOCK_SKEW) && now <= at.plus(max_age).plus(CLOCK_SKEW))
    }

    /// For a sealed cookie.
    pub(crate) fn to_value(&self) -> Value {
        json!({ "acr": self.acr, "amr": self.amr, "max_age": self.max_age.map(|age| age.as_secs()) })
    }

    /// What [`to_value`](Self::to_value) wrote.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let texts = |name: &str| -> Option<Vec<String>> {
            value.get(name)?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let max_age = value.get("max_age").and_then(Value::as_u64).map(Duration::from_secs);
        Some(Self { acr: texts("acr")?, amr: texts("amr")?, max_age })
    }
}

fn time(claim: Option<&Value>) -> Option<Timestamp> {
    claim.and_then(Value::as_u64).map(Timestamp::from_seconds)
}

fn listed(word: &str, values: &[String]) -> String {
    let quoted = values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
    if values.len() == 1 { quoted } else { format!("{word}{quoted}") }
}

/// What a token with these claims says about the authentication: for the session. A claim that is not as it is defined, or
/// too long for a cookie, is left out.
pub(crate) fn authentication_claims(token: &Map<String, Value>) -> Map<String, Value> {
    let is_class = |value: &Value| value.as_str().is_some_and(|acr| (1..=MAX_ACR).contains(&acr.len()));
    let lists_methods = |value: &Value| {
        let is_name = |method: &Value| method.as_str().is_some_and(|name| name.len() <= MAX_METHOD);
        value.as_array().is_some_and(|methods| methods.len() <= MAX_METHODS && methods.iter().all(is_name))
    };
    let usable = |name: &str, value: &Value| match name {
        "acr" => is_class(value).then(|| value.clone()),
        "amr" => lists_methods(value).then(|| value.clone()),
        _ => id_token::time_of(Some(value)).map(|at| at.seconds().into()),
    };
    let mut claims = Map::new();
    for name in AUTHENTICATION {
        if let Some(value) = token.get(name).and_then(|value| usable(name, value)) {
            claims.insert(name.to_owned(), value);
        }
    }
    claims
}

/// Adds to `new` claims what stays of the session's `old` ones: a later token may leave out what has not changed. Of another
/// authentication, at another time, nothing stays.
pub(crate) fn keep_authentication(old: &Map<String, Value>, new: &mut Map<String, Value>) {
    if new.get("auth_time").is_some_and(|at| Some(at) != old.get("auth_time")) {
        return;
    }
    for name in AUTHENTICATION {
        if let Some(value) = old.get(name).filter(|_| !new.contains_key(name)) {
            new.insert(name.to_owned(), value.clone());
        }
    }
}

/// A step-up that a host of the site asks for, on its way through the browser to the host that signs users in. It is sealed,
/// so that no other site can make a user prove themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUpRequest {
    /// What is asked.
    pub needed: StepUp,
    /// Where the browser goes afterwards.
    pub return_to: String,
}

impl StepUpRequest {
    /// The text for the address.
    pub fn seal(&self, keys: &Keyring, now: Timestamp, random: &mut dyn FnMut(&mut [u8])) -> String {
        let claims =
            json::of(&[("asked", self.needed.to_value()), ("return_to", self.return_to.as_str().into())]);
        seal::seal(keys, Dialect::AuthJsV5, SALT, &claims, REQUEST_LIFETIME, now, random)
    }

    /// What a host sealed within the last hour.
    pub fn open(sealed: &str, keys: &Keyring, now: Timestamp) -> Option<Self> {
        let claims = seal::open(keys, Dialect::AuthJsV5, SALT, sealed, now).ok()?;
        let asked = StepUp::from_value(claims.get("asked")?)?;
        Some(Self { needed: asked, return_to: json::string(&claims, "return_to")? })
    }
}

/// A step-up that is on its way at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUpAttempt {
    /// What is asked.
    pub needed: StepUp,
    /// The session's subject: no one else's sign-in is the result.
    pub subject: String,
    /// The session's `sid`, if it has one.
    pub sid: Option<String>,
    /// When the session began, in seconds since 1970.
    pub signed_in_at: Option<u64>,
}

impl StepUpAttempt {
    /// For a sealed cookie.
    pub(crate) fn to_value(&self) -> Value {
        json!({
            "asked": self.needed.to_value(),
            "sub": self.subject,
            "sid": self.sid,
            "signed_in_at": self.signed_in_at,
        })
    }

    /// What [`to_value`](Self::to_value) wrote.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            needed: StepUp::from_value(value.get("asked")?)?,
            subject: text("sub")?,
            sid: text("sid"),
            signed_in_at: value.get("signed_in_at").and_then(Value::as_u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn asks(acr: &[&str], amr: &[&str], max_age: Option<u64>) -> StepUp {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        StepUp { acr: texts(acr), amr: texts(amr), max_age: max_age.map(Duration::from_secs) }
    }

    fn is_met(asked: &StepUp, claims: &Value) -> bool {
        asked.is_met(|name| claims.get(name), NOW)
    }

    #[test]
    fn one_of_acr_all_of_amr_and_a_recent_auth_time_are_asked() {
        let now = NOW.seconds();
        for (asked, claims, expected) in [
            (asks(&[], &[], None), json!({}), true),
            (asks(&["a", "b"], &[], None), json!({ "acr": "b" }), true),
            (asks(&["a", "b"], &[], None), json!({ "acr": "c" }), false),
            (asks(&["a", "b"], &[], None), json!({ "acr": "a b" }), false),
            (asks(&["a"], &[], None), json!({ "acr": ["a"] }), false),
            (asks(&["1"], &[], None), json!({ "acr": 1 }), false),
            (asks(&["a"], &[], None), json!({}), false),
            (asks(&[], &["otp"], None), json!({ "amr": ["pwd", "otp"] }), true),
            (asks(&[], &["otp", "pwd"], None), json!({ "amr": ["pwd", "otp"] }), true),
            (asks(&[], &["otp", "hwk"], None), json!({ "amr": ["pwd", "otp"] }), false),
            (asks(&[], &["otp"], None), json!({ "amr": "otp" }), false),
            (asks(&[], &["otp"], None), json!({ "amr": [] }), false),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now }), true),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now - 300 }), true),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now - 360 }), true),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now - 361 }), false),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now + 60 }), true),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now + 61 }), false),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now * 1000 }), false),
            (asks(&[], &[], Some(300)), json!({ "auth_time": now.to_string() }), false),
            (asks(&[], &[], Some(300)), json!({ "auth_time": null }), false),
            (asks(&[], &[], Some(300)), json!({}), false),
            (asks(&["a"], &["otp"], Some(300)), json!({ "acr": "a", "amr": ["otp"] }), false),
            (
                asks(&["a"], &["otp"], Some(300)),
                json!({ "acr": "a", "amr": ["otp"], "auth_time": now }),
                true,
            ),
        ] {
            assert_eq!(is_met(&asked, &claims), expected, "{asked:?} {claims}");
            let checks = asked.checks(|name| claims.get(name), NOW);
            assert_eq!(checks.iter().all(|check| check.is_met), expected, "{checks:?}");
        }
    }

    #[test]
    fn what_two_rules_ask_is_asked_at_once() {
        let (a, b) = (asks(&["a", "b"], &["otp"], Some(300)), asks(&["b", "c"], &["otp", "pwd"], Some(60)));
        assert_eq!(a.clone().and(&b), asks(&["b"], &["otp", "pwd"], Some(60)));
        assert_eq!(StepUp::default().and(&a), a);
        // No one can have both: what the first one asks is tried.
        assert_eq!(asks(&["a"], &[], None).and(&asks(&["b"], &[], None)), asks(&["a"], &[], None));
    }

    #[test]
    fn claims_that_are_not_as_they_are_defined_are_left_out() {
        let claims = |token: Value| Value::Object(authentication_claims(token.as_object().unwrap()));
        let good = json!({ "acr": "a", "amr": ["pwd", "otp"], "auth_time": 7 });
        assert_eq!(claims(good.clone()), good);
        assert_eq!(claims(json!({ "auth_time": 7.5 })), json!({ "auth_time": 7 }));
        for bad in [
            json!({ "acr": 1, "amr": "pwd", "auth_time": "7" }),
            json!({ "acr": "", "amr": [1], "auth_time": -7 }),
            json!({ "acr": null, "amr": null, "auth_time": null }),
            json!({ "acr": "x".repeat(257), "amr": vec!["x"; 17], "auth_time": 1e300 }),
            json!({ "acr": ["a"], "amr": ["x".repeat(33)], "auth_time": [7] }),
        ] {
            assert_eq!(claims(bad.clone()), json!({}), "{bad}");
        }
    }

    #[test]
    fn what_a_later_token_leaves_out_stays_only_of_the_same_authentication() {
        let old = json!({ "acr": "gold", "amr": ["otp"], "auth_time": 7 });
        for (new, after) in [
            (json!({}), old.clone()),
            (json!({ "auth_time": 7 }), old.clone()),
            (json!({ "acr": "silver" }), json!({ "acr": "silver", "amr": ["otp"], "auth_time": 7 })),
            (json!({ "auth_time": 8 }), json!({ "auth_time": 8 })),
            (json!({ "acr": "silver", "auth_time": 8 }), json!({ "acr": "silver", "auth_time": 8 })),
        ] {
            let mut kept = new.as_object().unwrap().clone();
            keep_authentication(old.as_object().unwrap(), &mut kept);
            assert_eq!(Value::Object(kept), after, "{new}");
        }
    }

    #[test]
    fn session_confusion_a_request_for_a_step_up_is_sealed_and_nothing_else() {
        let keys = Keyring::new(vec![Secret::new("secret")]).unwrap();
        let random = &mut |bytes: &mut [u8]| bytes.fill(7);
        let request = StepUpRequest {
            needed: asks(&["a"], &["otp"], Some(300)),
            return_to: "https://app.example.com/admin?x=1".to_owned(),
        };
        let sealed = request.seal(&keys, NOW, random);
        assert_eq!(StepUpRequest::open(&sealed, &keys, NOW), Some(request));
        let late = NOW.plus(Duration::from_mins(61));
        assert_eq!(StepUpRequest::open(&sealed, &keys, late), None);
        let other = Keyring::new(vec![Secret::new("other")]).unwrap();
        for wrong in [&sealed[1..], "", "x", &sealed.replace('.', "")] {
            assert_eq!(StepUpRequest::open(wrong, &keys, NOW), None);
        }
        assert_eq!(StepUpRequest::open(&sealed, &other, NOW), None);
        for salt in ["", "__Secure-authjs.session-token", "authjs.session-token", "vestibule.kept-form"] {
            assert!(seal::open(&keys, Dialect::AuthJsV5, salt, &sealed, NOW).is_err(), "{salt}");
        }
        let attempt = StepUpAttempt {
            needed: asks(&[], &["otp"], None),
            subject: "bob-1".to_owned(),
            sid: Some("s".to_owned()),
            signed_in_at: Some(7),
        };
        assert_eq!(StepUpAttempt::from_value(&attempt.to_value()), Some(attempt));
    }

    #[test]
    fn what_was_found_of_an_authentication_is_how_long_ago_it_was_unless_it_is_to_come() {
        let now = NOW.seconds();
        let found = |at: u64| {
            let claims = json!({ "auth_time": at });
            asks(&[], &[], Some(300)).checks(|name| claims.get(name), NOW)[0].found.clone()
        };
        assert_eq!([found(now), found(now - 7)], ["0 s ago", "7 s ago"]);
        assert_eq!(found(now + 7), (now + 7).to_string());
    }
}
