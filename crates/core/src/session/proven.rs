//! The claims of a session that something may depend on: rules, header fields for upstreams, assertions.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::{Map, Value};

use crate::session::own_claims::CLIENT;
use vestibule_oidc::data::DataPath;

/// The claims of a session that names a user, without an e-mail address that is not proven.
///
/// Decisions take these and not a session's claims, so none can depend on more.
#[derive(Clone, Debug)]
pub struct ProvenClaims<'a> {
    claims: Cow<'a, Map<String, Value>>,
    subject: &'a str,
    provider: Option<&'a str>,
    client: Option<&'a str>,
    /// Made where something depends on it.
    account: OnceCell<Value>,
    has_proven_email: bool,
}

/// The claims that describe a user.
const OF_USERS: [&str; 6] = ["sub", "account", "name", "email", "email_verified", "picture"];

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
        let client = claims.get(CLIENT).and_then(Value::as_str);
        let mut claims = Cow::Borrowed(claims);
        for path in withheld {
            path.remove(claims.to_mut());
        }
        Some(Self { claims, subject, provider, client, account: OnceCell::new(), has_proven_email })
    }

    /// The value at a path. `account` is `PROVIDER:SUB`: a provider's identifiers are unique for that provider only, and
    /// its id has no colon.
    ///
    /// Of a client without a user nothing is seen that describes a user: anyone who reads it would take the client for the user
    /// with that identifier.
    pub fn lookup(&self, path: &DataPath) -> Option<&Value> {
        match path.root() {
            root if self.is_client() && OF_USERS.contains(&root) => None,
            "account" => {
                path.within(self.account.get_or_init(|| self.account())).filter(|account| !account.is_null())
            }
            _ => path.lookup(&self.claims),
        }
    }

    fn account(&self) -> Value {
        self.provider.map_or(Value::Null, |provider| [provider, ":", self.subject].concat().into())
    }

    /// The value of a claim, as [`lookup`](Self::lookup) sees it.
    pub fn get(&self, claim: &str) -> Option<&Value> {
        if self.is_client() && OF_USERS.contains(&claim) {
            return None;
        }
        self.claims.get(claim)
    }

    /// Whether the claims are those of a client that acts for itself, without a user.
    pub fn is_client(&self) -> bool {
        self.client.is_some()
    }

    /// The `client_id` of such a client (`oauth_client`).
    pub fn client(&self) -> Option<&str> {
        self.client
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
    fn of_a_client_nothing_is_seen_that_describes_a_user() {
        let claims = json!({
            "sub": "billing", "provider": "a", "name": "Billing", "email": "b@example.com", "picture": "p",
            "oauth_client": "billing", "roles": ["batch"],
        });
        let proven = proven(&claims).unwrap();
        assert_eq!((proven.client(), proven.subject()), (Some("billing"), "billing"));
        for (name, found) in [
            ("sub", None),
            ("account", None),
            ("name", None),
            ("email", None),
            ("picture", None),
            ("oauth_client", Some(json!("billing"))),
            ("roles", Some(json!(["batch"]))),
        ] {
            assert_eq!(proven.lookup(&DataPath::parse(name).unwrap()), found.as_ref(), "{name}");
        }
        assert_eq!(proven.get("email"), None);
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
