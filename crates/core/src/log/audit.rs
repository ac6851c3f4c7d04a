//! The audit log: which events have a line there, and where the lines go. It is a view on the table of events: a line of the
//! audit log is the event's line, which names the user by a keyed hash.

use std::fmt;

use vestibule_oidc::http::url::Url;
use vestibule_oidc::jose::kdf::derive_id;
use vestibule_oidc::secret::Secret;

/// What the hashes of subjects are derived for.
const PURPOSE: &str = "Vestibule audit subject";

/// What an event is to the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditKind {
    /// A user signed in.
    SignIn,
    /// Someone was refused: at a sign-in, by a rule, or because what they sent is not valid.
    Denial,
    /// A rule did not let a request without a session pass.
    Anonymous,
    /// A user signed out.
    SignOut,
    /// An access token was refreshed, or could not be.
    Refresh,
    /// Sessions were revoked, or somebody tried.
    Revocation,
    /// A user had to prove more.
    StepUp,
    /// There was too much of something.
    RateLimit,
    /// The configuration does not fit.
    Configuration,
}

impl AuditKind {
    /// All of them, with their names in the configuration and in lines.
    pub const NAMES: [(&str, Self); 9] = [
        ("sign-in", Self::SignIn),
        ("refusal", Self::Denial),
        ("anonymous", Self::Anonymous),
        ("sign-out", Self::SignOut),
        ("refresh", Self::Refresh),
        ("revocation", Self::Revocation),
        ("step-up", Self::StepUp),
        ("rate-limit", Self::RateLimit),
        ("configuration", Self::Configuration),
    ];

    /// Those that are written where the configuration says nothing: all but requests without a session, of which a site has
    /// as many as it has visitors and bots, and which name nobody.
    pub fn usual() -> Vec<Self> {
        let all = Self::NAMES.iter().map(|(_, kind)| *kind);
        all.filter(|kind| *kind != Self::Anonymous).collect()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// Where lines of the audit log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The operator's log.
    Log,
    /// Something that the runtime has.
    Bound(SinkKind),
    /// An HTTP endpoint.
    Http(Url),
}

/// What a runtime can have for lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// A queue, whose consumer gets each line as a message.
    Queue,
    /// A dataset of points, which keeps what is queried later.
    Dataset,
}

/// Which lines there are, and where they go.
#[derive(Clone, Debug, Default)]
pub struct AuditConfig {
    /// Where they go. None: there is no audit log.
    pub sinks: Vec<Sink>,
    /// Which kinds of events have one.
    pub kinds: Vec<AuditKind>,
    /// What an HTTP endpoint gets as `Authorization: Bearer` (`AUTH_AUDIT_SECRET`).
    pub secret: Option<Secret>,
}

/// Its name in messages. Of a URL only the origin: the rest may be a secret of the endpoint.
impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "the log",
            Self::Bound(SinkKind::Queue) => "the queue",
            Self::Bound(SinkKind::Dataset) => "the dataset",
            Self::Http(url) => url.origin(),
        })
    }
}

impl AuditConfig {
    /// Whether events of this kind have a line.
    pub fn wants(&self, kind: AuditKind) -> bool {
        !self.sinks.is_empty() && self.kinds.contains(&kind)
    }
}

/// The name of a user in the log: only a holder of `secret` can tell whose it is. `provider` is its id in the configuration,
/// `sub` the user's in sessions.
pub fn subject_hash(secret: &Secret, provider: &str, sub: &str) -> String {
    let mut bytes = Vec::with_capacity(provider.len() + sub.len() + 8);
    // No two users have the same bytes.
    bytes.extend((provider.len() as u64).to_be_bytes());
    bytes.extend(provider.as_bytes());
    bytes.extend(sub.as_bytes());
    derive_id(secret, PURPOSE, &bytes)
}

/// A user of a list, and the name in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The user, as in the list.
    pub subject: &'a str,
    /// The hash.
    pub hash: String,
}

/// Who has these names in the log: the users of `subjects` whose hash, by any of the secrets, is `hash`; without one, all of
/// them. A line of `subjects` is `PROVIDER:SUB`; the error is the first line that is not.
pub fn find_subjects<'a>(
    secrets: &[Secret],
    hash: Option<&str>,
    subjects: &'a str,
) -> Result<Vec<Named<'a>>, &'a str> {
    let mut found = Vec::new();
    for line in subjects.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()) {
        // No provider's id has a colon.
        let (provider, sub) = line.split_once(':').ok_or(line)?;
        for secret in secrets {
            let of_line = subject_hash(secret, provider, sub);
            if hash.is_none_or(|hash| hash == of_line) {
                found.push(Named { subject: line, hash: of_line });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> [Secret; 2] {
        ["the-newer-secret-of-this-test", "the-older-secret-of-this-test"].map(Secret::new)
    }

    #[test]
    fn a_hash_is_the_same_for_one_user_only_and_for_one_secret_only() {
        let [newer, older] = secrets();
        let hash = subject_hash(&newer, "okta", "bob");
        assert_eq!(hash, subject_hash(&newer, "okta", "bob"));
        assert_eq!(hash.len(), 22);
        for (secret, provider, sub) in [
            (&older, "okta", "bob"),
            (&newer, "okta", "bo"),
            (&newer, "oktab", "ob"),
            (&newer, "auth0", "bob"),
        ] {
            assert_ne!(hash, subject_hash(secret, provider, sub));
        }
    }

    #[test]
    fn who_holds_a_secret_and_a_list_of_users_learns_whose_hash_it_is() {
        let secrets = secrets();
        let list = "okta:alice\r\n\nokta:bob\nauth0:auth0|7:x\n";
        for secret in &secrets {
            for (provider, sub) in [("okta", "alice"), ("okta", "bob"), ("auth0", "auth0|7:x")] {
                let hash = subject_hash(secret, provider, sub);
                let found = find_subjects(&secrets, Some(&hash), list).unwrap();
                let subject = format!("{provider}:{sub}");
                assert_eq!(found, [Named { subject: &subject, hash }]);
            }
        }
        let unknown = subject_hash(&Secret::new("a-secret-of-somebody-else"), "okta", "bob");
        assert_eq!(find_subjects(&secrets, Some(&unknown), list), Ok(Vec::new()));
        assert_eq!(find_subjects(&secrets, None, list).unwrap().len(), 6);
        assert_eq!(find_subjects(&secrets, Some(&unknown), "okta:alice\nbob"), Err("bob"));
    }

    #[test]
    fn every_kind_has_its_own_name() {
        let mut names: Vec<&str> = AuditKind::NAMES.iter().map(|(_, kind)| kind.name()).collect();
        assert_eq!(names, AuditKind::NAMES.map(|(name, _)| name));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AuditKind::NAMES.len());
    }
}
