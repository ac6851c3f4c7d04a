//! Which user a hash in the audit log is.

use vestibule_core::log::find_subjects;
use vestibule_core::secret::Secret;

use crate::document::{File, variables};

/// The session secrets. A line is named by the one that was the newest when it was written.
pub const SECRETS: [&str; 4] = ["AUTH_SECRET_3", "AUTH_SECRET_2", "AUTH_SECRET_1", "AUTH_SECRET"];

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct HashedUser {
    /// The hash, as in the line's `subject`. Without it, all users are named.
    pub hash: Option<String>,
    /// The session secrets that are known.
    pub secrets: Vec<Secret>,
    /// One `PROVIDER:SUB` in a line.
    pub users: String,
}

/// The session secrets in a `.dev.vars`.
pub fn secrets_of(file: &File) -> Vec<Secret> {
    let set = variables(file).into_iter();
    let is_one = |name: &str, value: &str| SECRETS.contains(&name) && !value.is_empty();
    set.filter(|it| is_one(&it.name, &it.value)).map(|it| Secret::new(it.value)).collect()
}

/// One line for each user who is found, with the hash in front.
///
/// # Errors
/// Why there is no such user. No secret is in it.
pub fn find(asked: &HashedUser) -> Result<String, String> {
    if asked.secrets.is_empty() {
        return Err("no session secret is known: set AUTH_SECRET as the Worker has it".to_owned());
    }
    let found = find_subjects(&asked.secrets, asked.hash.as_deref(), &asked.users)
        .map_err(|line| format!("{line:?} is not PROVIDER:SUB"))?;
    if found.is_empty() {
        let count = match asked.secrets.len() {
            1 => "the secret that is known".to_owned(),
            count => format!("any of the {count} secrets that are known"),
        };
        return Err(format!("none of these users has this hash, by {count}"));
    }
    Ok(found.iter().fold(String::new(), |text, named| text + &named.hash + "\t" + named.subject + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(hash: Option<&str>, secrets: &[&str], users: &str) -> Result<String, String> {
        find(&HashedUser {
            hash: hash.map(str::to_owned),
            secrets: secrets.iter().copied().map(Secret::new).collect(),
            users: users.to_owned(),
        })
    }

    #[test]
    fn the_user_of_a_hash_is_printed_and_an_unknown_one_is_an_error() {
        let (secrets, users) = (["the-secret-of-this-test"], "okta:alice\r\nokta:bob\r\n");
        let all = ask(None, &secrets, users).unwrap();
        assert_eq!(all.lines().count(), 2);
        let (hash, _) = all.lines().nth(1).unwrap().split_once('\t').unwrap();
        let bob = format!("{hash}\tokta:bob\n");
        assert_eq!(ask(Some(hash), &secrets, users).unwrap(), bob);
        assert_eq!(ask(Some(hash), &["an-older-secret", secrets[0]], users).unwrap(), bob);
        let error = |hash, secrets: &[&str], users| ask(hash, secrets, users).unwrap_err();
        assert!(error(Some(hash), &secrets, "okta:alice\n").contains("none of these"));
        assert!(error(Some(hash), &["another-secret"], users).contains("none of these"));
        assert!(error(Some(hash), &secrets, "bob").contains("\"bob\" is not"));
        assert!(error(Some(hash), &[], users).contains("AUTH_SECRET"));
    }

    #[test]
    fn the_session_secrets_of_a_file_are_found_among_others() {
        let text =
            "AUTH_OKTA_SECRET=x\r\nAUTH_SECRET=\"a b\"\r\nAUTH_SECRET_1=old # it was\r\nAUTH_SECRET_2=\r\n";
        let found = secrets_of(&File::new(".dev.vars", text));
        assert_eq!(found, ["a b", "old"].map(Secret::new));
    }
}
