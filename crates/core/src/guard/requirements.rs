//! What a rule requires of a session's claims.

use std::fmt;

use serde_json::Value;

use crate::session::proven::ProvenClaims;
use crate::session::scope;
use vestibule_oidc::data::DataPath;

/// Who may pass.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everyone, signed in or not.
    Public,
    /// Signed-in users.
    SignedIn,
    /// Signed-in users who meet all of these requirements.
    Claims(Vec<Requirement>),
}

/// One requirement.
#[derive(Clone, Debug)]
pub enum Requirement {
    /// A test of one claim.
    Claim(ClaimRequirement),
    /// A proven e-mail address at one of these domains, which are in lower case.
    EmailDomain(Vec<String>),
}

/// A test of one claim of the session.
#[derive(Clone, Debug)]
pub struct ClaimRequirement {
    /// The claim's path in the session.
    pub claim: DataPath,
    /// What the claim must be.
    pub test: ClaimTest,
}

/// What a claim must be. Values are strings, numbers or booleans. A claim that is an array has the values of its
/// elements.
#[derive(Clone, Debug)]
pub enum ClaimTest {
    /// The claim has one of these values.
    AnyOf(Vec<Value>),
    /// The claim has none of these values, or is absent.
    NoneOf(Vec<Value>),
    /// `true`: the claim is present and not `null`. `false`: it is absent or `null`.
    Exists(bool),
}

impl Access {
    /// Whether a signed-in user with these claims may pass.
    pub fn admits(&self, claims: &ProvenClaims<'_>) -> bool {
        self.requirements().iter().all(|requirement| requirement.is_met(claims))
    }

    /// The requirements in addition to being signed in.
    pub fn requirements(&self) -> &[Requirement] {
        match self {
            Self::Public | Self::SignedIn => &[],
            Self::Claims(requirements) => requirements,
        }
    }
}

impl Requirement {
    /// Whether the claims meet the requirement.
    pub fn is_met(&self, claims: &ProvenClaims<'_>) -> bool {
        match self {
            Self::Claim(requirement) => requirement.is_met(claims.lookup(&requirement.claim)),
            Self::EmailDomain(domains) => is_at(claims.proven_email(), domains),
        }
    }

    /// The values that decide, as JSON, to explain a decision.
    pub fn found(&self, claims: &ProvenClaims<'_>) -> String {
        let written = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
        match self {
            Self::Claim(requirement) => written(claims.lookup(&requirement.claim)),
            Self::EmailDomain(_) => match (claims.proven_email(), claims.get("email_verified")) {
                (Some(_), None) => written(claims.get("email")),
                (_, verified) => {
                    format!("{}, email_verified {}", written(claims.get("email")), written(verified))
                }
            },
        }
    }
}

impl ClaimRequirement {
    /// A requirement. Of an e-mail address, `test` may be in letters of any case.
    pub fn new(claim: DataPath, test: ClaimTest) -> Self {
        let mut requirement = Self { claim, test };
        if requirement.is_of_address()
            && let ClaimTest::AnyOf(values) | ClaimTest::NoneOf(values) = &mut requirement.test
        {
            *values = values.iter().map(in_small_letters).collect();
        }
        requirement
    }

    /// Whether the claim, which has this value or none, is what is required. The case of an e-mail address makes no difference:
    /// the session's is in small letters, as in Auth.js, and another one as the provider writes it.
    pub fn is_met(&self, found: Option<&Value>) -> bool {
        match found {
            Some(Value::String(scopes)) if self.is_of_scopes() => {
                self.test.is_met(Some(&scope::list(scopes)))
            }
            Some(address) if self.is_of_address() => self.test.is_met(Some(&in_small_letters(address))),
            found => self.test.is_met(found),
        }
    }

    /// Whether the claim is an e-mail address, or several, wherever it is from.
    fn is_of_address(&self) -> bool {
        self.claim.rest().last().unwrap_or(self.claim.root()) == "email"
    }

    /// Whether the claim is the scopes of an access token, which some providers write as a list (`scp`), and others as one text
    /// with spaces between them (RFC 6749 section 3.3).
    fn is_of_scopes(&self) -> bool {
        matches!(self.claim.root(), scope::SCOPE | scope::SCP) && self.claim.rest().len() == 0
    }
}

impl ClaimTest {
    /// Whether a claim passes.
    pub fn is_met(&self, claim: Option<&Value>) -> bool {
        match self {
            Self::AnyOf(wanted) => has_one_of(claim, wanted),
            Self::NoneOf(unwanted) => !has_one_of(claim, unwanted),
            Self::Exists(wanted) => claim.is_some_and(|value| !value.is_null()) == *wanted,
        }
    }

    /// Whether a missing claim is what is asked.
    pub fn passes_without_claim(&self) -> bool {
        self.is_met(None)
    }
}

/// `roles is one of "admin", "owner"`
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(ClaimRequirement { claim, test }) => match test {
                ClaimTest::AnyOf(values) => write!(f, "{claim} is {}", one_of(values)),
                ClaimTest::NoneOf(values) => write!(f, "{claim} is not {}", one_of(values)),
                ClaimTest::Exists(true) => write!(f, "{claim} exists"),
                ClaimTest::Exists(false) => write!(f, "{claim} does not exist"),
            },
            Self::EmailDomain(domains) => {
                let domains: Vec<_> = domains.iter().map(|domain| Value::from(domain.as_str())).collect();
                write!(f, "email is at {}", one_of(&domains))
            }
        }
    }
}

fn one_of(values: &[Value]) -> String {
    let listed = values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
    if values.len() == 1 { listed } else { format!("one of {listed}") }
}

fn in_small_letters(value: &Value) -> Value {
    match value {
        Value::String(text) => text.to_lowercase().into(),
        Value::Array(values) => values.iter().map(in_small_letters).collect(),
        other => other.clone(),
    }
}

fn has_one_of(claim: Option<&Value>, values: &[Value]) -> bool {
    let has = |value: &Value| values.iter().any(|wanted| is_same(value, wanted));
    match claim {
        Some(Value::Array(members)) => members.iter().any(has),
        Some(value) => has(value),
        None => false,
    }
}

/// Whether two strings, numbers or booleans have the same type and value. `1` and `1.0` are the same number; `1` and
/// `"1"` differ.
fn is_same(claim: &Value, wanted: &Value) -> bool {
    match (claim, wanted) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        // Only a float is compared as a float: large integers would lose their last digits.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Number(a), Value::Number(b)) => a == b,
        _ => false,
    }
}

/// Whether `email` is one plain address whose whole domain is one of `domains`. Text that a mail server could read as
/// another address, or as several, is rejected: quotes, comments, lists, and characters outside ASCII.
fn is_at(email: Option<&Value>, domains: &[String]) -> bool {
    let Some((local, domain)) = email.and_then(Value::as_str).and_then(|email| email.split_once('@')) else {
        return false;
    };
    let is_plain = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(
                b,
                b'"' | b'(' | b')' | b',' | b':' | b';' | b'<' | b'>' | b'[' | b'\\' | b']' | b'@'
            )
    };
    !local.is_empty()
        && local.bytes().all(is_plain)
        && domains.iter().any(|wanted| wanted.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn claims(mut value: Value) -> Map<String, Value> {
        value["sub"] = json!("alice");
        serde_json::from_value(value).unwrap()
    }

    fn proven(claims: &Map<String, Value>) -> ProvenClaims<'_> {
        let is_verified = claims.get("email_verified").is_none_or(|verified| *verified == json!(true));
        ProvenClaims::new(claims, is_verified, &[]).unwrap()
    }

    fn of(claim: &str, test: ClaimTest) -> Requirement {
        Requirement::Claim(ClaimRequirement::new(DataPath::parse(claim).unwrap(), test))
    }

    fn list(values: Value) -> Vec<Value> {
        serde_json::from_value(values).unwrap()
    }

    #[test]
    fn an_address_is_the_same_in_letters_of_any_case_and_no_other_claim_is() {
        let session = claims(json!({
            "email": "ada@example.com", "team": { "email": ["Bob@Example.com"] }, "name": "ada@example.com",
        }));
        for (claim, value, has) in [
            ("email", "ada@example.com", true),
            ("email", "Ada@EXAMPLE.com", true),
            ("email", "bob@example.com", false),
            ("team.email", "bob@example.com", true),
            ("team.email", "BOB@example.com", true),
            ("name", "Ada@example.com", false),
        ] {
            let [any, none] =
                [ClaimTest::AnyOf, ClaimTest::NoneOf].map(|test| of(claim, test(list(json!([value])))));
            assert_eq!(any.is_met(&proven(&session)), has, "{claim} {value}");
            assert_eq!(none.is_met(&proven(&session)), !has, "{claim} {value}");
        }
    }

    #[test]
    fn claims_are_compared_by_type_and_value_and_arrays_by_any_of_their_elements() {
        let session = claims(json!({
            "role": "admin", "roles": ["user", "admin", 7], "n": 1, "f": 1.0, "big": u64::MAX, "yes": true,
            "o": {"role": "x"}, "nested": [["admin"]], "none": null, "empty": []
        }));
        for (claim, values, has) in [
            ("role", json!(["admin"]), true),
            ("role", json!(["x", "admin"]), true),
            ("role", json!(["Admin"]), false),
            ("role", json!(["adm"]), false),
            ("role", json!([]), false),
            ("roles", json!(["admin"]), true),
            ("roles", json!([7]), true),
            ("roles", json!(["7"]), false),
            ("n", json!([1]), true),
            ("n", json!([1.0]), true),
            ("f", json!([1]), true),
            ("n", json!(["1"]), false),
            ("n", json!([true]), false),
            ("big", json!([u64::MAX - 1]), false),
            ("yes", json!([true]), true),
            ("yes", json!(["true"]), false),
            ("o.role", json!(["x"]), true),
            ("o", json!([{"role": "x"}]), false),
            ("nested", json!(["admin"]), false),
            ("none", json!([null]), false),
            ("empty", json!(["admin"]), false),
            ("missing", json!(["admin"]), false),
        ] {
            let any = of(claim, ClaimTest::AnyOf(list(values.clone())));
            let none = of(claim, ClaimTest::NoneOf(list(values.clone())));
            assert_eq!(any.is_met(&proven(&session)), has, "{claim} {values}");
            assert_eq!(none.is_met(&proven(&session)), !has, "{claim} {values}");
        }
        let both = Access::Claims(vec![
            of("role", ClaimTest::AnyOf(list(json!(["admin"])))),
            of("n", ClaimTest::AnyOf(list(json!([2])))),
        ]);
        assert!(!both.admits(&proven(&session)), "all requirements must be met");
        for (claim, exists) in [
            ("role", true),
            ("empty", true),
            ("o.role", true),
            ("none", false),
            ("missing", false),
            ("o.x", false),
        ] {
            assert_eq!(of(claim, ClaimTest::Exists(true)).is_met(&proven(&session)), exists, "{claim}");
            assert_eq!(of(claim, ClaimTest::Exists(false)).is_met(&proven(&session)), !exists, "{claim}");
        }
    }

    #[test]
    fn scopes_are_tested_one_by_one_whether_they_are_a_text_or_a_list() {
        for (session, has) in [
            (json!({ "scope": "read:orders" }), true),
            (json!({ "scope": "openid read:orders write:orders" }), true),
            (json!({ "scope": ["openid", "read:orders"] }), true),
            (json!({ "scope": "openid read:ordersx" }), false),
            (json!({ "scope": "read:orders,openid" }), false),
            (json!({ "scope": "READ:ORDERS" }), false),
            (json!({ "scope": "" }), false),
            (json!({ "scope": { "read:orders": true } }), false),
            (json!({}), false),
        ] {
            let session = claims(session.clone());
            let any = of("scope", ClaimTest::AnyOf(list(json!(["read:orders"]))));
            let none = of("scope", ClaimTest::NoneOf(list(json!(["read:orders"]))));
            assert_eq!(any.is_met(&proven(&session)), has, "{session:?}");
            assert_eq!(none.is_met(&proven(&session)), !has, "{session:?}");
        }
        // Only scopes are split: another claim with spaces is one value.
        let session = claims(json!({ "title": "head of it" }));
        assert!(!of("title", ClaimTest::AnyOf(list(json!(["head"])))).is_met(&proven(&session)));
    }

    #[test]
    fn e_mail_parsing_only_a_plain_address_with_exactly_the_domain_is_accepted() {
        let requirement = Requirement::EmailDomain(vec!["example.com".to_owned(), "example.org".to_owned()]);
        for (session, met) in [
            (json!({"email": "a@example.com"}), true),
            (json!({"email": "a.b+c@Example.COM"}), true),
            (json!({"email": "a@example.org", "email_verified": true}), true),
            (json!({"email": "a@example.com", "email_verified": false}), false),
            (json!({"email": "a@example.com", "email_verified": "true"}), false),
            (json!({"email": "a@example.com", "email_verified": 1}), false),
            (json!({"email": "a@example.com", "email_verified": null}), false),
            (json!({"email": "a@evil.example"}), false),
            (json!({"email": "a@example.com.evil.example"}), false),
            (json!({"email": "a@evilexample.com"}), false),
            (json!({"email": "a@sub.example.com"}), false),
            (json!({"email": "a@example.com."}), false),
            (json!({"email": "a@example.com "}), false),
            (json!({"email": " a@example.com"}), false),
            (json!({"email": "a@evil.example@example.com"}), false),
            (json!({"email": "\"a@evil.example\"@example.com"}), false),
            (json!({"email": "a,b@example.com"}), false),
            (json!({"email": "a@evil.example,b@example.com"}), false),
            (json!({"email": "A <a@example.com>"}), false),
            (json!({"email": "a@evil.example\n@example.com"}), false),
            (json!({"email": "a\u{ff20}evil.example@example.com"}), false),
            (json!({"email": "a@ex\u{430}mple.com"}), false),
            (json!({"email": "a@example.com\0"}), false),
            (json!({"email": "@example.com"}), false),
            (json!({"email": "example.com"}), false),
            (json!({"email": ""}), false),
            (json!({"email": ["a@example.com"]}), false),
            (json!({"email": null}), false),
            (json!({}), false),
        ] {
            assert_eq!(requirement.is_met(&proven(&claims(session.clone()))), met, "{session}");
        }
    }

    #[test]
    fn a_requirement_describes_itself_and_the_values_that_it_found() {
        let session = claims(json!({"roles": ["user"], "email": "a@b.c", "email_verified": false}));
        for (requirement, text, found) in [
            (of("roles", ClaimTest::AnyOf(list(json!(["admin"])))), "roles is \"admin\"", "[\"user\"]"),
            (of("o.x", ClaimTest::AnyOf(list(json!(["a", 1])))), "o.x is one of \"a\", 1", "nothing"),
            (of("roles", ClaimTest::NoneOf(list(json!([true])))), "roles is not true", "[\"user\"]"),
            (of("x", ClaimTest::Exists(true)), "x exists", "nothing"),
            (of("x", ClaimTest::Exists(false)), "x does not exist", "nothing"),
            (
                Requirement::EmailDomain(vec!["b.d".to_owned()]),
                "email is at \"b.d\"",
                "\"a@b.c\", email_verified false",
            ),
        ] {
            assert_eq!(requirement.to_string(), text);
            assert_eq!(requirement.found(&proven(&session)), found, "{text}");
        }
    }
}
