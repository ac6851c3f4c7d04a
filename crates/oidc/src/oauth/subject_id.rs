//! Subject identifiers (RFC 9493), and the complex subjects of the OpenID Shared Signals Framework 1.0 section 3.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::oauth::identifier::is_identifier;

/// The longest member, in bytes.
const MEMBER_LIMIT: usize = 512;

/// The most identifiers of one subject in the format `aliases`.
const ALIASES_LIMIT: usize = 16;

/// The members of a complex subject besides `format`.
const COMPLEX_MEMBERS: [&str; 7] =
    ["user", "session", "device", "application", "tenant", "org_unit", "group"];

/// Whom an event or a request is about.
#[derive(Clone, PartialEq, Eq)]
pub enum SubjectId {
    /// One thing, which has this name.
    Simple(SimpleId),
    /// What several names describe together, for example the session of a user.
    Complex {
        /// The user.
        user: Option<SimpleId>,
        /// The session.
        session: Option<SimpleId>,
    },
}

/// The name of one thing.
#[derive(Clone, PartialEq, Eq)]
pub enum SimpleId {
    /// `iss_sub`: an issuer, and its `sub` of the user.
    IssuerSubject {
        /// The issuer.
        issuer: String,
        /// Its `sub`.
        subject: String,
    },
    /// `opaque`: a name that both sides know.
    Opaque(String),
    /// `aliases`: several names of the same thing.
    Aliases(Vec<SimpleId>),
    /// Any other format, by its name: `email`, `phone_number`, `account`, …
    Other(String),
}

/// Prints formats only: the names are personal data.
impl std::fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Simple(id) => id.fmt(f),
            Self::Complex { user, session } => {
                f.debug_struct("Complex").field("user", user).field("session", session).finish()
            }
        }
    }
}

/// Prints the format only: the name is personal data.
impl std::fmt::Debug for SimpleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IssuerSubject { .. } => f.write_str("iss_sub"),
            Self::Opaque(_) => f.write_str("opaque"),
            Self::Aliases(ids) => f.debug_list().entries(ids).finish(),
            Self::Other(format) => f.write_str(format),
        }
    }
}

/// A value is not a subject identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubjectIdError {
    /// It is not an object with a `format`.
    #[error("the subject is not an object with a format")]
    NotAnObject,
    /// The members of its format are missing or are no such texts, or it has others (RFC 9493 section 3).
    #[error("the subject does not have exactly the members of its format")]
    Members,
}

/// Parses a subject identifier (RFC 9493 section 3).
pub fn parse(value: &Value) -> Result<SubjectId, SubjectIdError> {
    let (members, format) = object(value)?;
    if format != "complex" {
        return simple(members, format, true).map(SubjectId::Simple);
    }
    if members.len() < 2 || members.keys().any(|name| name != "format" && !COMPLEX_MEMBERS.contains(&&**name))
    {
        return Err(SubjectIdError::Members);
    }
    let mut parsed = members.iter().filter(|(name, _)| *name != "format").map(|(name, value)| {
        let (members, format) = object(value)?;
        Ok((name.as_str(), simple(members, format, true)?))
    });
    // Every member is checked, also those that are not used.
    let parsed: Vec<(&str, SimpleId)> = parsed.by_ref().collect::<Result<_, SubjectIdError>>()?;
    let member = |name| parsed.iter().find(|(found, _)| *found == name).map(|(_, id)| id.clone());
    Ok(SubjectId::Complex { user: member("user"), session: member("session") })
}

fn object(value: &Value) -> Result<(&Map<String, Value>, &str), SubjectIdError> {
    let members = value.as_object().ok_or(SubjectIdError::NotAnObject)?;
    let format = members.get("format").and_then(Value::as_str).ok_or(SubjectIdError::NotAnObject)?;
    Ok((members, format))
}

fn simple(
    members: &Map<String, Value>,
    format: &str,
    may_be_aliases: bool,
) -> Result<SimpleId, SubjectIdError> {
    let has_only = |names: &[&str]| members.keys().all(|name| name == "format" || names.contains(&&**name));
    let text = |name: &str| {
        let text = members.get(name).and_then(Value::as_str);
        text.filter(|text| is_identifier(text, MEMBER_LIMIT))
            .map(str::to_owned)
            .ok_or(SubjectIdError::Members)
    };
    match format {
        "iss_sub" if has_only(&["iss", "sub"]) => {
            Ok(SimpleId::IssuerSubject { issuer: text("iss")?, subject: text("sub")? })
        }
        "opaque" if has_only(&["id"]) => Ok(SimpleId::Opaque(text("id")?)),
        "aliases" if may_be_aliases && has_only(&["identifiers"]) => {
            let identifiers = members.get("identifiers").and_then(Value::as_array);
            let identifiers = identifiers.filter(|ids| (1..=ALIASES_LIMIT).contains(&ids.len()));
            let alias = |value| {
                let (members, format) = object(value)?;
                simple(members, format, false)
            };
            let aliases = identifiers.ok_or(SubjectIdError::Members)?.iter().map(alias);
            Ok(SimpleId::Aliases(aliases.collect::<Result<_, _>>()?))
        }
        "iss_sub" | "opaque" | "aliases" | "complex" | "" => Err(SubjectIdError::Members),
        other => Ok(SimpleId::Other(other.chars().take(64).filter(|c| !c.is_control()).collect())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::testing::any_json;

    fn iss_sub() -> Value {
        json!({ "format": "iss_sub", "iss": "https://issuer.example.com/", "sub": "145234573" })
    }

    /// The examples of RFC 9493 section 3.2.
    #[test]
    fn the_formats_are_read() {
        let issuer_subject = SimpleId::IssuerSubject {
            issuer: "https://issuer.example.com/".to_owned(),
            subject: "145234573".to_owned(),
        };
        let opaque = json!({ "format": "opaque", "id": "11112222333344445555" });
        let email = json!({ "format": "email", "email": "user@example.com" });
        assert_eq!(parse(&iss_sub()), Ok(SubjectId::Simple(issuer_subject.clone())));
        assert_eq!(
            parse(&opaque),
            Ok(SubjectId::Simple(SimpleId::Opaque("11112222333344445555".to_owned())))
        );
        assert_eq!(parse(&email), Ok(SubjectId::Simple(SimpleId::Other("email".to_owned()))));
        let aliases = json!({ "format": "aliases", "identifiers": [email, iss_sub()] });
        let both = SimpleId::Aliases(vec![SimpleId::Other("email".to_owned()), issuer_subject.clone()]);
        assert_eq!(parse(&aliases), Ok(SubjectId::Simple(both)));
        let only_user = json!({ "format": "complex", "user": iss_sub() });
        let user = Some(issuer_subject.clone());
        assert_eq!(parse(&only_user), Ok(SubjectId::Complex { user, session: None }));
        let complex = json!({ "format": "complex", "user": iss_sub(), "session": opaque, "tenant": opaque });
        let session = Some(SimpleId::Opaque("11112222333344445555".to_owned()));
        assert_eq!(parse(&complex), Ok(SubjectId::Complex { user: Some(issuer_subject), session }));
    }

    #[test]
    fn a_subject_that_is_not_exactly_its_format_is_rejected() {
        for value in
            [json!(null), json!("a"), json!([]), json!({}), json!({ "format": 1 }), json!({ "id": "a" })]
        {
            assert_eq!(parse(&value), Err(SubjectIdError::NotAnObject), "{value}");
        }
        let nested = json!({ "format": "aliases", "identifiers": [iss_sub()] });
        for value in [
            json!({ "format": "" }),
            json!({ "format": "iss_sub", "iss": "https://issuer.example.com/" }),
            json!({ "format": "iss_sub", "sub": "1" }),
            json!({ "format": "iss_sub", "iss": "a", "sub": 1 }),
            json!({ "format": "iss_sub", "iss": "a", "sub": "" }),
            json!({ "format": "iss_sub", "iss": "a", "sub": "a\nb" }),
            json!({ "format": "iss_sub", "iss": "a", "sub": "s".repeat(513) }),
            json!({ "format": "iss_sub", "iss": "a", "sub": "b", "email": "c" }),
            json!({ "format": "opaque", "id": "a", "sub": "b" }),
            json!({ "format": "opaque" }),
            json!({ "format": "aliases", "identifiers": [] }),
            json!({ "format": "aliases", "identifiers": iss_sub() }),
            json!({ "format": "aliases", "identifiers": [nested] }),
            json!({ "format": "aliases", "identifiers": vec![iss_sub(); 17] }),
            json!({ "format": "complex" }),
            json!({ "format": "complex", "else": iss_sub() }),
            json!({ "format": "complex", "user": iss_sub(), "else": iss_sub() }),
            json!({ "format": "complex", "user": { "format": "complex", "user": iss_sub() } }),
            json!({ "format": "complex", "user": iss_sub(), "device": { "format": "opaque" } }),
        ] {
            assert_eq!(parse(&value), Err(SubjectIdError::Members), "{value}");
        }
        assert_eq!(parse(&json!({ "format": "complex", "user": "alice" })), Err(SubjectIdError::NotAnObject));
    }

    #[test]
    fn debug_output_names_no_one() {
        let complex =
            json!({ "format": "complex", "user": iss_sub(), "session": { "format": "opaque", "id": "s" } });
        let printed = format!("{:?}", parse(&complex).unwrap());
        assert!(printed.contains("iss_sub") && !printed.contains("145234573"), "{printed}");
    }

    proptest! {
        #[test]
        fn no_value_makes_the_parser_panic(value in any_json()) {
            let _ = parse(&value);
            let _ = parse(&json!({ "format": "complex", "user": value.clone() }));
            let _ = parse(&json!({ "format": "aliases", "identifiers": [value] }));
        }
    }
}
