//! What can be revoked, and which sessions that ends.

use crate::revocation::CLOCK_TOLERANCE;
use crate::session::claims::Session;
use vestibule_oidc::time::Timestamp;

/// What was revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// One session, by our identifier of it (`sid`).
    Session(String),
    /// All sessions of a user that began before.
    User(User),
    /// All of our sessions that belong to one session of the provider.
    ProviderSession {
        /// The provider's id in the configuration.
        provider: String,
        /// The provider's identifier of its session: the `sid` of its ID tokens.
        sid: String,
    },
    /// All of our sessions that belong to sessions of the provider's user, and that began before. Unlike [`User`](Self::User),
    /// the provider says so and names the time by its own clock.
    ProviderUser {
        /// The provider's id in the configuration.
        provider: String,
        /// The `sub` of its ID tokens, which is not the session's where `user.id` or a hook says otherwise.
        sub: String,
    },
    /// All sessions that began before.
    Everything,
}

/// A user: `sub` is unique for one provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct User {
    /// The provider's id in the configuration.
    pub(crate) provider: String,
    /// The provider's identifier of the user.
    pub(crate) sub: String,
}

impl User {
    /// The user of a session. `None` if the session does not name one, as some of Auth.js's.
    pub(crate) fn of(session: &Session) -> Option<Self> {
        let sub = session.subject().filter(|sub| !sub.is_empty())?;
        Some(Self { provider: session.provider()?.to_owned(), sub: sub.to_owned() })
    }
}

impl Subject {
    /// The session itself. `None` if it has no `sid`, as that of a bearer token.
    pub(crate) fn session(session: &Session) -> Option<Self> {
        session.sid().filter(|sid| !sid.is_empty()).map(|sid| Self::Session(sid.to_owned()))
    }

    /// Everything whose revocation ends this session.
    pub(crate) fn all_of(session: &Session) -> Vec<Self> {
        const MOST: usize = 5;
        let mut subjects = Vec::with_capacity(MOST);
        subjects.extend(Self::session(session));
        subjects.extend(User::of(session).map(Self::User));
        subjects.extend(Self::of_provider(session));
        subjects.push(Self::Everything);
        subjects
    }

    /// What the provider can end of this session. A session says it only where its provider's logout reaches this site, so
    /// that nothing more is read for any other.
    pub(crate) fn of_provider(session: &Session) -> Vec<Self> {
        let Some(provider) = session.provider() else { return Vec::new() };
        let provider = || provider.to_owned();
        let of_session = session
            .provider_session()
            .map(|sid| Self::ProviderSession { provider: provider(), sid: sid.to_owned() });
        let of_user = session
            .provider_user()
            .map(|sub| Self::ProviderUser { provider: provider(), sub: sub.to_owned() });
        of_session.into_iter().chain(of_user).collect()
    }

    /// Whether the revocation of this subject at `revoked_at` ends `session`.
    ///
    /// A session's own revocation needs no comparison: no later session has its `sid`. A provider's session, and a provider's
    /// user, are compared by the provider's clock, because `revoked_at` is what its logout token says; everything else by
    /// ours, with a tolerance on the safe side.
    pub(crate) fn ends(&self, session: &Session, revoked_at: Timestamp) -> bool {
        let began_before =
            || session.signed_in_at().is_none_or(|signed_in| signed_in <= revoked_at.plus(CLOCK_TOLERANCE));
        match self {
            Self::Session(_) => true,
            Self::ProviderSession { .. } | Self::ProviderUser { .. } => {
                session.provider_issued_at().map_or_else(began_before, |issued| issued <= revoked_at)
            }
            Self::User(_) | Self::Everything => began_before(),
        }
    }

    /// The bytes that identify it, for a hash: each part with its length before it, so that no two subjects have the same.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (kind, parts): (&str, Vec<&str>) = match self {
            Self::Session(sid) => ("session", vec![sid]),
            Self::User(User { provider, sub }) => ("user", vec![provider, sub]),
            Self::ProviderSession { provider, sid } => ("provider session", vec![provider, sid]),
            Self::ProviderUser { provider, sub } => ("provider user", vec![provider, sub]),
            Self::Everything => ("everything", Vec::new()),
        };
        let mut bytes = Vec::new();
        for part in std::iter::once(kind).chain(parts) {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

/// When a session begins that is created at `now`, if the last revocation that would end it was at `revoked_at`: late
/// enough that the tolerance does not end it.
pub(crate) fn begins_after(revoked_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let past = revoked_at.map(|at| at.plus(CLOCK_TOLERANCE + std::time::Duration::from_secs(1)));
    past.map_or(now, |past| past.max(now))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn session(claims: &Value) -> Session {
        Session::new(claims.as_object().unwrap().clone())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_users_revocation_ends_the_sessions_that_began_before_it_and_no_later_one() {
        let user = Subject::User(User { provider: "acme".into(), sub: "alice".into() });
        let began = |seconds: u64| session(&json!({ "signed_in_at": seconds, "iat": 9999 }));
        assert!(user.ends(&began(999), at(1000)));
        assert!(user.ends(&began(1010), at(1000)), "the clocks may differ");
        assert!(!user.ends(&began(1011), at(1000)));
        // Auth.js's sessions begin when they are sealed, and without any time a session cannot show that it is newer.
        assert!(!user.ends(&session(&json!({ "iat": 2000 })), at(1000)));
        assert!(user.ends(&session(&json!({})), at(1000)));
        // Who signs in again is not ended by what is known.
        for now in [990, 1000, 1011, 5000] {
            let begins = begins_after(Some(at(1000)), at(now));
            assert!(!user.ends(&began(begins.seconds()), at(1000)), "{now}");
            assert!(begins >= at(now));
        }
        assert_eq!(begins_after(None, at(7)), at(7));
    }

    #[test]
    fn the_providers_clock_decides_about_its_sessions() {
        let issued = |iat: u64| session(&json!({ "provider_iat": iat, "signed_in_at": 1 }));
        for subject in [
            Subject::ProviderSession { provider: "acme".into(), sid: "p".into() },
            Subject::ProviderUser { provider: "acme".into(), sub: "alice".into() },
        ] {
            assert!(subject.ends(&issued(1000), at(1000)), "{subject:?}");
            assert!(!subject.ends(&issued(1001), at(1000)), "{subject:?}");
            assert!(subject.ends(&session(&json!({ "signed_in_at": 1000 })), at(1000)), "{subject:?}");
        }
    }

    #[test]
    fn only_a_session_that_names_its_provider_user_depends_on_more_than_itself_and_its_user() {
        let count = |claims: &Value| Subject::all_of(&session(claims)).len();
        let mut claims = json!({ "sid": "s", "sub": "alice", "provider": "acme" });
        assert_eq!(count(&claims), 3);
        claims["provider_sid"] = json!("p");
        assert_eq!(count(&claims), 4);
        claims["provider_sub"] = json!("alice");
        assert_eq!(count(&claims), 5);
        claims["provider"] = json!(null);
        assert_eq!(count(&claims), 2);
    }

    #[test]
    fn the_revocation_of_a_session_ends_it_whatever_the_clocks_say() {
        let later = session(&json!({ "sid": "s", "signed_in_at": 5000 }));
        assert!(Subject::session(&later).unwrap().ends(&later, at(1)));
        assert_eq!(Subject::session(&session(&json!({ "sid": "" }))), None);
    }

    #[test]
    fn different_subjects_have_different_bytes() {
        let user = |provider: &str, sub: &str| User { provider: provider.into(), sub: sub.into() };
        let subjects = [
            Subject::User(user("a", "bc")),
            Subject::User(user("ab", "c")),
            Subject::ProviderSession { provider: "a".into(), sid: "bc".into() },
            Subject::ProviderUser { provider: "a".into(), sub: "bc".into() },
            Subject::Session("bc".into()),
            Subject::Session("everything".into()),
            Subject::Everything,
        ];
        for (number, one) in subjects.iter().enumerate() {
            assert!(subjects[number + 1..].iter().all(|other| other.bytes() != one.bytes()), "{one:?}");
        }
    }
}
