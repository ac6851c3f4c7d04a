//! Whether an e-mail address belongs to the user.
//!
//! OpenID Connect has the claim `email_verified` for it (OpenID Connect Core 1.0 section 5.1). Other providers have
//! other members, always verify addresses, or never do. The difference matters: where anyone can enter any address, an
//! address identifies no one.

use serde_json::Value;

use crate::data::DataPath;

/// What is known about whether an e-mail address belongs to the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailVerification {
    /// The provider has verified it.
    Verified,
    /// The provider says that it has not, or says something that is not a yes.
    Unverified,
    /// The provider does not say.
    #[default]
    Unstated,
}

impl EmailVerification {
    /// The value of a claim `email_verified`: the boolean `true`, or the text `"true"`, which Apple, Cognito and LinkedIn
    /// write.
    pub fn of_claim(claim: Option<&Value>) -> Self {
        match claim {
            None | Some(Value::Null) => Self::Unstated,
            Some(Value::Bool(true)) => Self::Verified,
            Some(Value::String(text)) if text == "true" => Self::Verified,
            Some(_) => Self::Unverified,
        }
    }

    /// The value of a provider's own member with the same meaning. Zoom and Microsoft (`xms_edov`) also write 1.
    pub fn of_member(member: Option<&Value>) -> Self {
        match member {
            Some(Value::Number(number)) if number.as_u64() == Some(1) => Self::Verified,
            Some(Value::String(text)) if text == "1" => Self::Verified,
            other => Self::of_claim(other),
        }
    }

    /// The value of the claim `email_verified` that says this; `None` if it says nothing.
    pub fn claim(self) -> Option<Value> {
        match self {
            Self::Verified => Some(Value::Bool(true)),
            Self::Unverified => Some(Value::Bool(false)),
            Self::Unstated => None,
        }
    }
}

/// Where a provider says whether an e-mail address is verified.
#[derive(Clone, Debug, Default)]
pub struct EmailStatements {
    /// The paths of its statements. The first one with a value counts.
    pub paths: Vec<DataPath>,
    /// What holds if there is no statement.
    pub otherwise: EmailVerification,
}

impl EmailStatements {
    /// What the provider says about `address`. A statement in the ID token is about the address in the ID token.
    pub fn read(&self, address: &str, find: &dyn Fn(&DataPath) -> Option<Value>) -> EmailVerification {
        let is_about_another = |path: &DataPath| {
            let sibling = DataPath::new("id_token", ["email"]);
            path.root() == "id_token"
                && find(&sibling).as_ref().and_then(Value::as_str).is_some_and(|other| other != address)
        };
        let statements = self.paths.iter().filter(|path| !is_about_another(path)).map(|path| {
            let value = find(path);
            match path.rest().last() {
                Some("email_verified") => EmailVerification::of_claim(value.as_ref()),
                _ => EmailVerification::of_member(value.as_ref()),
            }
        });
        let mut stated = statements.filter(|statement| *statement != EmailVerification::Unstated);
        stated.next().unwrap_or(self.otherwise)
    }

    /// Whether no address of this provider is ever verified.
    pub fn are_never_verified(&self) -> bool {
        self.paths.is_empty() && self.otherwise == EmailVerification::Unverified
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unproven_identity_only_a_clear_yes_verifies_an_address() {
        use EmailVerification::{Unstated, Unverified, Verified};
        for (value, claim, member) in [
            (json!(true), Verified, Verified),
            (json!("true"), Verified, Verified),
            (json!(1), Unverified, Verified),
            (json!("1"), Unverified, Verified),
            (json!(false), Unverified, Unverified),
            (json!("false"), Unverified, Unverified),
            (json!("True"), Unverified, Unverified),
            (json!("yes"), Unverified, Unverified),
            (json!(""), Unverified, Unverified),
            (json!(0), Unverified, Unverified),
            (json!(2), Unverified, Unverified),
            (json!([true]), Unverified, Unverified),
            (json!({}), Unverified, Unverified),
            (json!(null), Unstated, Unstated),
        ] {
            assert_eq!(EmailVerification::of_claim(Some(&value)), claim, "{value}");
            assert_eq!(EmailVerification::of_member(Some(&value)), member, "{value}");
        }
        assert_eq!(EmailVerification::of_claim(None), Unstated);
        for verification in [Verified, Unverified, Unstated] {
            assert_eq!(EmailVerification::of_claim(verification.claim().as_ref()), verification);
        }
    }

    #[test]
    fn addresses_are_never_verified_where_no_statement_is_read_and_none_counts_as_unverified() {
        let path = || DataPath::parse("profile.verified").unwrap();
        for (paths, otherwise, are_never) in [
            (vec![], EmailVerification::Unverified, true),
            (vec![], EmailVerification::Unstated, false),
            (vec![], EmailVerification::Verified, false),
            (vec![path()], EmailVerification::Unverified, false),
            (vec![path()], EmailVerification::Unstated, false),
        ] {
            let statements = EmailStatements { paths, otherwise };
            assert_eq!(statements.are_never_verified(), are_never, "{statements:?}");
        }
    }

    #[test]
    fn unproven_identity_the_first_statement_about_this_address_counts() {
        let paths = ["id_token.email_verified", "profile.email_verified", "profile.verified"];
        let paths: Vec<DataPath> = paths.iter().map(|path| DataPath::parse(path).unwrap()).collect();
        let statements = EmailStatements { paths, otherwise: EmailVerification::Unstated };
        for (data, verification) in [
            (json!({}), EmailVerification::Unstated),
            (json!({ "id_token": { "email_verified": true } }), EmailVerification::Verified),
            (
                json!({ "id_token": { "email_verified": true, "email": "a@example.com" } }),
                EmailVerification::Verified,
            ),
            (
                json!({ "id_token": { "email_verified": true, "email": "b@example.com" } }),
                EmailVerification::Unstated,
            ),
            (
                json!({ "id_token": { "email_verified": null }, "profile": { "email_verified": false } }),
                EmailVerification::Unverified,
            ),
            (
                json!({ "id_token": { "email_verified": false }, "profile": { "verified": 1 } }),
                EmailVerification::Unverified,
            ),
            (json!({ "profile": { "email_verified": 1 } }), EmailVerification::Unverified),
            (json!({ "profile": { "verified": 1 } }), EmailVerification::Verified),
        ] {
            let roots = data.as_object().unwrap();
            let found = statements.read("a@example.com", &|path| path.lookup(roots).cloned());
            assert_eq!(found, verification, "{data}");
        }
    }
}
