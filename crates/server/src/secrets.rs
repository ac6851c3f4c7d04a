//! Secrets and variables: in the environment, in files that the environment names, and in a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The end of a variable's name that names a file with the value: `AUTH_SECRET_FILE` is a file with `AUTH_SECRET`.
const FILE_SUFFIX: &str = "_FILE";

/// The beginning of the names that are read.
const PREFIX: &str = "AUTH_";

/// The largest file in bytes that can be a secret.
const MAX_FILE: u64 = 64 * 1024;

/// The values by name. Redacted when printed.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Reads them. A reload reads the files again; the environment of a process does not change.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, SecretsError> {
        let mut environment = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.into_string().ok().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| SecretsError::NotUnicode(name.clone()))?;
            environment.push((name, value));
        }
        Self::of(environment, folder)
    }

    fn of(
        environment: impl IntoIterator<Item = (String, String)>,
        folder: Option<&Path>,
    ) -> Result<Self, SecretsError> {
        let mut values = BTreeMap::new();
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        for (name, value) in environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            match name.strip_suffix(FILE_SUFFIX) {
                Some(secret) if secret.len() >= PREFIX.len() => files.push((secret.to_owned(), value.into())),
                _ => drop(values.insert(name, value)),
            }
        }
        for entry in folder.map(entries).transpose()?.unwrap_or_default() {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned());
            if let Some(name) = name.filter(|name| name.starts_with(PREFIX)) {
                files.push((name, entry));
            }
        }
        for (name, path) in files {
            let value = file(&name, &path)?;
            // Which of two values is meant, no order of ours can know.
            if values.insert(name.clone(), value).is_some() {
                return Err(SecretsError::Twice(name));
            }
        }
        Ok(Self(values))
    }

    /// The value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why the secrets cannot be read. No message quotes one.
#[derive(Debug, Error)]
pub(crate) enum SecretsError {
    #[error("{} {} cannot be read: {}", .0, .1.display(), .2)]
    Unreadable(String, PathBuf, std::io::Error),
    #[error("{} is not UTF-8, or larger than 64 KiB", .0.display())]
    NotText(PathBuf),
    #[error("the variable {0} is not UTF-8: set it anew")]
    NotUnicode(String),
    #[error(
        "{0} is set twice: once in the environment and once in a file, or in two files; remove one of them"
    )]
    Twice(String),
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SecretsError> {
    let unreadable =
        |error| SecretsError::Unreadable("the folder of --secrets,".to_owned(), folder.to_owned(), error);
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable)).collect()
}

/// The text of a file without the line break at its end, which editors and `echo` add.
fn file(name: &str, path: &Path) -> Result<String, SecretsError> {
    let unreadable =
        |error| SecretsError::Unreadable(format!("the file of the secret {name},"), path.to_owned(), error);
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
        return Err(SecretsError::NotText(path.to_owned()));
    }
    let text = String::from_utf8(fs::read(path).map_err(unreadable)?);
    let mut text = text.map_err(|_| SecretsError::NotText(path.to_owned()))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_secret_comes_from_the_environment_from_a_named_file_or_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("AUTH_OKTA_SECRET"), "from the folder\r\n").unwrap();
        fs::write(folder.path().join("..data"), "not a secret").unwrap();
        let named = folder.path().join("named");
        fs::write(&named, "from a file\n").unwrap();
        let environment = pairs(&[
            ("AUTH_OKTA_ID", "from the environment"),
            ("AUTH_SECRET_FILE", named.to_str().unwrap()),
            ("HOME", "/"),
        ]);
        let secrets = Secrets::of(environment, Some(folder.path())).unwrap();
        assert_eq!(secrets.get("AUTH_OKTA_ID").as_deref(), Some("from the environment"));
        assert_eq!(secrets.get("AUTH_SECRET").as_deref(), Some("from a file"));
        assert_eq!(secrets.get("AUTH_OKTA_SECRET").as_deref(), Some("from the folder"));
        assert_eq!(secrets.get("HOME"), None);
        assert_eq!(format!("{secrets:?}"), "[redacted]");
    }

    #[test]
    fn a_secret_that_is_set_twice_or_unreadable_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("AUTH_SECRET"), "of-the-file").unwrap();
        let twice = Secrets::of(pairs(&[("AUTH_SECRET", "other")]), Some(folder.path())).unwrap_err();
        assert!(
            twice.to_string().contains("AUTH_SECRET is set twice")
                && !twice.to_string().contains("of-the-file")
        );
        let missing = pairs(&[("AUTH_SECRET_FILE", "/nowhere/at/all")]);
        assert!(matches!(Secrets::of(missing, None), Err(SecretsError::Unreadable(..))));
        fs::write(folder.path().join("AUTH_SECRET"), [0xff]).unwrap();
        assert!(matches!(Secrets::of([], Some(folder.path())), Err(SecretsError::NotText(_))));
    }
}
