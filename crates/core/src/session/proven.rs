//! The claims of a session that something may depend on: rules, header fields for upstreams, assertions.

use std::borrow::Cow;

use serde_json::{Map, Value};

use vestibule_oidc::data::DataPath;

/// The claims of a session that names a user, without an e-mail address that is not proven.
///
/// Decisions take these and not a session's claims, so none can depend on more.
#[derive(Clone, Debug)]
pub struct ProvenClaims<'a> {
    claims: Cow<'a, Map<String, Value>>,
    account: Value,
    has_proven_email: bool,
}

impl<'a> ProvenClaims<'a> {
    /// The claims without the values at the `withheld` paths. `None` if `sub` names no user. `has_proven_email` is
    /// whether the domain of the e-mail address says something about the user.
    pub fn new(
        claims: &'a Map<String, Value>,
        has_proven_email: bool,
        withheld: &[DataPath],
    ) -> Option<Self> {
        let subject = claims.get("sub")?.as_str().filter(|subject| !subject.is_empty())?;
        let provider = claims.get("provider").and_then(Value::as_str);
        let account = provider.map_or(Value::Null, |provider| format!("{provider}:{subject}").into());
        let mut claims = Cow::Borrowed(claims);
        for path in withheld {
            path.remove(claims.to_mut());
        }
        Some(Self { claims, account, has_proven_email })
    }

    /// The value at a path. `account` is `PROVIDER:SUB`: a provider's identifiers are unique for that provider only, and
    /// its id has no colon.
    pub fn lookup(&self, path: &DataPath) -> Option<&Value> {
        match path.root() {
            "account" => path.within(&self.account).filter(|account| !account.is_null()),
            _ => path.lookup(&self.claims),
        }
    }

    /// The value of a claim.
    pub fn get(&self, claim: &str) -> Option<&Value> {
        self.claims.get(claim)
    }

    /// The subject (`sub`): the provider's identifier of the user.
    pub fn subject(&self) -> &str {
        self.claims.get("sub").and_then(Value::as_str).unwrap_or_default()
    }

    /// The e-mail address, if its domain says something about the user.
    pub fn proven_email(&self) -> Option<&Value> {
        self.get("email").filter(|_| self.has_proven_email)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proven(claims: &Value) -> Option<ProvenClaims<'_>> {
        ProvenClaims::new(claims.as_object().unwrap(), false, &[])
    }

    #[test]
    fn nobody_by_that_name_claims_without_a_subject_prove_nothing() {
        for claims in [
            json!({}),
            json!({ "sub": null }),
            json!({ "sub": "" }),
            json!({ "sub": 7 }),
            json!({ "sub": ["a"] }),
            json!({ "email": "a@example.com", "name": "A", "provider": "acme" }),
        ] {
            assert!(proven(&claims).is_none(), "{claims}");
        }
    }

    #[test]
    fn same_sub_other_provider_the_account_tells_them_apart() {
        let account = DataPath::parse("account").unwrap();
        let of = |claims: &Value| proven(claims).unwrap().lookup(&account).cloned();
        assert_eq!(of(&json!({ "sub": "7", "provider": "a" })), Some(json!("a:7")));
        assert_eq!(of(&json!({ "sub": "7", "provider": "b" })), Some(json!("b:7")));
        assert_eq!(of(&json!({ "sub": "7", "provider": "b", "account": "a:7" })), Some(json!("b:7")));
        assert_eq!(of(&json!({ "sub": "7", "account": "a:7" })), None);
        let inside = DataPath::parse("account.x").unwrap();
        let claims = json!({ "sub": "7", "provider": "b", "account": { "x": 1 } });
        assert_eq!(proven(&claims).unwrap().lookup(&inside), None);
    }

    #[test]
    fn unproven_identity_a_withheld_value_is_not_there_at_any_path() {
        let claims =
            json!({ "sub": "7", "email": "a@example.com", "p": { "mail": "a@example.com", "x": 1 } });
        let path = |text| DataPath::parse(text).unwrap();
        let withheld = [path("email"), path("p.mail")];
        let proven = ProvenClaims::new(claims.as_object().unwrap(), true, &withheld).unwrap();
        assert_eq!(proven.proven_email(), None);
        for (from, found) in
            [("email", None), ("p.mail", None), ("p.x", Some(json!(1))), ("p", Some(json!({ "x": 1 })))]
        {
            assert_eq!(proven.lookup(&path(from)), found.as_ref(), "{from}");
        }
    }
}
